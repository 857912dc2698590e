"""How stable the rows of each feature are over time: who is in them, and in which order of risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_option

from ._observed import ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ._card_data import CardData
    from ._observed import Observed, RowCounts

    Floats = NDArray[np.float64]

Reference = Literal["training", "first"]

_LEAST_SHARE = 1e-4
_CHANCE = 0.95
_SURE = 0.01  # over the number of periods
_CLEAR = 3.0902  # chance alone brings it once in 1,000 times
_WATCH, _ACT = 0.10, 0.25
_FOUR = "{:.4f}".format
_COLUMNS = (
    *("period", "feature", "count", "known", "psi", "psi_by_chance", "p_value", "shift"),
    *("row_pairs", "reversals", "clear_reversals"),
)


@dataclass(frozen=True, eq=False, repr=False)
class StabilityReport:
    """How the clients of a card's rows move, by feature and period.

    Attributes
    ----------
    reference : {"training", "first"}
        What shares are compared with.
    by_period : DataFrame
        One line a period and feature: period, feature, count (clients), known (those with an outcome), psi
        (population stability index over the feature's rows), psi_by_chance (what it exceeds in 5 % of samples
        of this size though nothing has moved), p_value (how often chance alone brings the index), shift (what
        the move does to the mean log-odds through the feature's own table), row_pairs (pairs of rows with
        outcomes that the card tells apart), reversals (pairs whose bad rates stand in the other order than
        the card expects), clear_reversals (those that chance brings less than once in 1,000 times).

    References
    ----------
    Siddiqi, N. (2017). Intelligent Credit Scoring, 2nd ed.: below .10 stable, above .25 to act on.
    https://doi.org/10.1002/9781119282396
    Yurdakul, B. (2018). Statistical properties of population stability index. Western Michigan University.
    """

    reference: Reference
    by_period: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return one line a feature, the least stable first.

        Returns
        -------
        DataFrame
            Index feature; columns psi (the largest of any period), period (of it), state ("stable", "watch"
            from .10, "act" from .25; of periods beyond chance only; missing where there is nothing to compare
            with), periods_moved (beyond chance: p_value below .01 over the number of periods), shift (of that
            period), reversals, clear_reversals (of all periods), row_pairs.
        """
        lines = [_summary(name, part) for name, part in self.by_period.groupby("feature", sort=False)]
        columns = [
            *("feature", "psi", "period", "state", "periods_moved", "shift"),
            *("reversals", "clear_reversals", "row_pairs"),
        ]
        table = pd.DataFrame(lines, columns=columns).set_index("feature")
        return table.sort_values("psi", ascending=False, kind="stable").astype({"state": "str"})

    def to_dict(self) -> dict[str, Any]:
        """Return reference and lines as JSON scalars, lists and dicts; periods as text."""
        table = self.by_period.astype(object).where(self.by_period.notna(), None)
        lines = table.to_dict("records")
        for line in lines:
            line["period"] = None if line["period"] is None else str(line["period"])
        return {"reference": self.reference, "by_period": lines}

    def __repr__(self) -> str:
        return f"Stability against {self.reference}\n{self.frame().to_string(float_format=_FOUR)}"

    def _repr_html_(self) -> str:
        return f"<p>Stability against {self.reference}</p>{self.frame().to_html(float_format=_FOUR)}"


def stability(card: CardData, seen: Observed, reference: Reference) -> StabilityReport:
    """Return the report; :meth:`AdditiveCard.stability` tells how it is made."""
    check_option("reference", reference, Reference)
    lines = [line for name in card.scored_features for line in _feature_lines(card, name, seen, reference)]
    table = pd.DataFrame(lines, columns=list(_COLUMNS))
    table = table.sort_values("period", kind="stable", ignore_index=True)
    table["period"] = pd.Series(seen.periods).take(table["period"].astype(int)).array
    return StabilityReport(reference, table)


def _feature_lines(
    card: CardData, name: str, seen: Observed, reference: Reference
) -> Iterator[tuple[Any, ...]]:
    """Yield one line a period."""
    column, n_rows = card.features.index(name), card.bins[card.features.index(name)].n_rows
    counts = seen.counts(seen.codes[:, column].astype(np.intp), n_rows)
    own = next((term for term in card.terms if term.features == (name,)), None)
    share, size = counts.share, seen.effective()
    before, known = np.full(n_rows, np.nan), np.inf  # what training holds is taken as known
    if reference == "first":
        before, known = share[0], float(size[0])
    elif own is not None and own.share is not None:
        before = own.share / own.share.sum()
    for place in range(len(seen.periods)):
        index = _index(share[place], before, size[place], known)
        shift = np.nan if own is None else float((share[place] - before) @ own.values[:, 0])
        if reference == "first" and place == 0:
            index = (0.0, np.nan, 1.0)
        clients, told = counts.count[place].sum(), counts.known[place].sum()
        yield (place, name, int(clients), float(told), *index, shift, *_reversals(counts, place))


def _index(share: Floats, before: Floats, size: float, known: float) -> tuple[float, float, float]:
    """Return the population stability index, what chance alone exceeds in 5 % of samples, and its p-value."""
    from scipy import stats  # noqa: PLC0415  slow to import, used here only

    if np.isnan(before).any():
        return np.nan, np.nan, np.nan
    least = max(_LEAST_SHARE, 0.5 / size) if size > 0 else _LEAST_SHARE
    met = (share > 0) | (before > 0)
    now, then = (np.maximum(part[met], least) for part in (share, before))
    index = float(np.sum((now - then) * np.log(now / then)))
    rows, unit = int(met.sum()), 1 / size + 1 / known if size > 0 else np.inf
    if rows < 2 or not np.isfinite(unit):
        return index, 0.0, 1.0
    chance = float(stats.chi2.ppf(_CHANCE, rows - 1)) * unit
    return index, chance, float(stats.chi2.sf(index / unit, rows - 1))


def _reversals(counts: RowCounts, place: int) -> tuple[int, int, int]:
    """Return how many pairs of rows the card tells apart, how many stand reversed, how many clearly so."""
    rows = np.flatnonzero(counts.known[place] > 0)
    n, bads = counts.known[place][rows], counts.bads[place][rows]
    rate, expected = bads / n, counts.expected_rate[place][rows]
    first, second = np.triu_indices(len(rows), 1)
    way = np.sign(expected[second] - expected[first])
    gap = way * (rate[second] - rate[first])  # below 0: the other way round
    pooled = (bads[first] + bads[second]) / (n[first] + n[second])
    error = np.sqrt(pooled * (1 - pooled) * (1 / n[first] + 1 / n[second]))
    half_a_client = 0.5 * (1 / n[first] + 1 / n[second])
    clear = ratio(gap + half_a_client, error) < -_CLEAR
    return int((way != 0).sum()), int((gap < 0).sum()), int(clear.sum())


def _summary(name: Any, lines: pd.DataFrame) -> dict[str, Any]:
    totals = {key: int(lines[key].sum()) for key in ("reversals", "clear_reversals", "row_pairs")}
    if lines["psi"].isna().all():
        return {"feature": name, "psi": np.nan, "state": None, "periods_moved": 0, **totals}
    beyond = lines["p_value"] < _SURE / len(lines)
    worst = lines.loc[lines["psi"].idxmax()]
    moved = lines.loc[beyond, "psi"].max() if beyond.any() else 0.0
    return {
        "feature": name,
        "psi": worst["psi"],
        "period": worst["period"],
        "state": "act" if moved >= _ACT else "watch" if moved >= _WATCH else "stable",
        "periods_moved": int(beyond.sum()),
        "shift": worst["shift"],
        **totals,
    }
