"""Who moved between tiers, and how steady the tiers are: migration matrix and measures of stability."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns
from clientscore._frames import ids_of
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Words beside the tiers: a client that was not there, one that is gone, one without a tier.
NEW, LEFT, NOT_EVALUATED = "new", "left", "not evaluated"
_FLOOR = 1e-4  # share that an empty tier counts in the stability index


@dataclass(frozen=True)
class TierMigration:
    """Clients by tier before and after.

    Attributes
    ----------
    counts : DataFrame
        Clients by tier before (rows; "new" last) and after (columns; "left" last).
    tiers : tuple of str
        Tiers, best first.
    """

    counts: pd.DataFrame
    tiers: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row a pair: before, after, clients, share of the clients that were in `before`."""
        long = self.counts.stack().rename("clients").reset_index()
        long.columns = pd.Index(["before", "after", "clients"])
        total = long.groupby("before")["clients"].transform("sum")
        return long.assign(share=long["clients"] / total.where(total > 0))

    def shares(self) -> pd.DataFrame:
        """Return the matrix as shares of each row; an empty row is missing."""
        total = self.counts.sum(axis=1)
        return self.counts.div(total.where(total > 0), axis=0)

    def measures(self) -> dict[str, float]:
        r"""Return how steady the tiers are.

        Returns
        -------
        dict
            Over clients with a tier in both runs: `n`, `stayed`, `up`, `down` (shares) and `mean_notches`
            (mean of absolute steps). Over all with a tier: `psi`, the population stability index of the
            tiers, :math:`\sum (q - p) \ln(q / p)`; below 0.1 is steady, above 0.25 is a shift. Missing
            where there is nothing to measure.

        References
        ----------
        Siddiqi (2017), Intelligent Credit Scoring, 2nd ed., Wiley, chapter 14,
        https://doi.org/10.1002/9781119282396
        """
        inner = self.counts.loc[list(self.tiers), list(self.tiers)].to_numpy(dtype=float)
        steps = np.subtract.outer(np.arange(len(self.tiers)), np.arange(len(self.tiers)))
        n = inner.sum()
        shares = {"stayed": steps == 0, "up": steps > 0, "down": steps < 0}
        result = {name: float(inner[mask].sum() / n) if n else np.nan for name, mask in shares.items()}
        notches = float((inner * np.abs(steps)).sum() / n) if n else np.nan
        before = self.counts.loc[list(self.tiers)].sum(axis=1).to_numpy(dtype=float)
        after = self.counts[list(self.tiers)].sum(axis=0).to_numpy(dtype=float)
        return {"n": float(n), **result, "mean_notches": notches, "psi": _psi(before, after)}

    def to_dict(self) -> dict[str, Any]:
        """Return counts and measures as plain data."""
        return {"counts": self.counts.to_dict("index"), "measures": self.measures()}

    def __repr__(self) -> str:
        told = self.measures()
        words = ", ".join(f"{told[name]:.1%} {name}" for name in ("stayed", "up", "down"))
        return f"TierMigration: {int(told['n']):,} clients, {words}, PSI {told['psi']:.3f}\n{self.counts}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self).partition(chr(10))[0])}</p>{self.counts.to_html()}"


def migration(
    previous: pd.DataFrame, current: pd.DataFrame, tiers: Sequence[str] = ("A", "B", "C")
) -> TierMigration:
    """Compare the tiers of two runs.

    Parameters
    ----------
    previous, current : DataFrame
        One row a client with a column `tier`, indexed by `client_id` or with a column of that name.
    tiers : sequence of str, default ("A", "B", "C")
        Tiers, best first; ``TierPolicy.tiers``.

    Returns
    -------
    TierMigration
        `.counts`, `.shares()`, `.measures()`, `.frame()`.

    Raises
    ------
    MissingColumnError
        `tier` is absent.
    DataError
        A client occurs twice in a run, or a tier is unknown.

    Examples
    --------
    >>> before = pd.DataFrame({"tier": ["A", "B", "B"]}, index=["C1", "C2", "C3"])
    >>> after = pd.DataFrame({"tier": ["A", "A", "C", "C"]}, index=["C1", "C2", "C3", "C4"])
    >>> moved = migration(before, after)
    >>> moved.measures()["up"], moved.counts.loc["new", "C"].item()
    (0.3333333333333333, 1)
    """
    first, second = (
        _tiers_of(one, name, tiers) for one, name in ((previous, "previous"), (current, "current"))
    )
    both = pd.concat({"before": first, "after": second}, axis=1)
    there = {"before": first.index, "after": second.index}
    for name, absent in (("before", NEW), ("after", LEFT)):
        inside = both.index.isin(there[name])
        both[name] = both[name].where(inside, absent)
    order = [*tiers, NOT_EVALUATED]
    counts = pd.crosstab(both["before"], both["after"]).reindex(
        index=[*order, NEW], columns=[*order, LEFT], fill_value=0
    )
    return TierMigration(counts, tuple(tiers))


def stability(history: pd.DataFrame, tiers: Sequence[str] = ("A", "B", "C")) -> pd.DataFrame:
    """Measure the tiers from run to run.

    Parameters
    ----------
    history : DataFrame
        One row a client and run: `client_id`, `as_of`, `tier`.
    tiers : sequence of str, default ("A", "B", "C")
        Tiers, best first.

    Returns
    -------
    DataFrame
        One row a run after the first, indexed by `as_of`: the measures of `migration` against the run before,
        and `flipped`, the share of clients with a tier in three runs that left a tier and came back at once
        (missing for the first two runs).

    Raises
    ------
    MissingColumnError
        A column is absent.
    DataError
        A client occurs twice in a run, or a tier is unknown.

    Examples
    --------
    >>> runs = pd.DataFrame({"client_id": ["C1"] * 3, "as_of": ["2026-01-01", "2026-02-01", "2026-03-01"],
    ...                      "tier": ["A", "B", "A"]})
    >>> stability(runs)["flipped"].tolist()
    [nan, 1.0]
    """
    check_columns(history.columns, ("client_id", "as_of", "tier"), subject="history")
    runs = dict(iter(history.groupby(pd.to_datetime(history["as_of"]), sort=True)))
    dates = list(runs)
    rows = []
    for place in range(1, len(dates)):
        before, now = runs[dates[place - 1]], runs[dates[place]]
        measures = migration(before, now, tiers).measures()
        earlier = runs[dates[place - 2]] if place > 1 else None
        rows.append({"as_of": dates[place], **measures, "flipped": _flipped(earlier, before, now, tiers)})
    columns = ["n", "stayed", "up", "down", "mean_notches", "psi", "flipped"]
    frame = pd.DataFrame(rows, columns=["as_of", *columns])
    return frame.set_index("as_of").astype("float64")


def _flipped(
    earlier: pd.DataFrame | None, before: pd.DataFrame, now: pd.DataFrame, tiers: Sequence[str]
) -> float:
    if earlier is None:
        return float("nan")
    names = ("earlier", "before", "now")
    three = pd.concat(
        [_tiers_of(run, "history", tiers) for run in (earlier, before, now)], axis=1, keys=names
    )
    three = three[three.isin(tiers).all(axis=1)]
    if three.empty:
        return float("nan")
    back = (three["earlier"] == three["now"]) & (three["earlier"] != three["before"])
    return float(back.mean())


def _tiers_of(run: pd.DataFrame, name: str, tiers: Sequence[str]) -> pd.Series:
    """Return the tier of each client, "not evaluated" where missing."""
    check_columns(run.columns, ("tier",), subject=name)
    found = pd.Series(run["tier"].astype(object).to_numpy(), index=pd.Index(ids_of(run)))
    found = found.where(found.notna(), NOT_EVALUATED)
    twice = found.index[found.index.duplicated()]
    if len(twice):
        raise DataError(
            f"{name} must have one row a client; {len(twice)} occur again, the first is {twice[0]}. "
            "Give one run at a time."
        )
    unknown = sorted(set(map(str, found)) - {*tiers, NOT_EVALUATED})
    if unknown:
        raise DataError(f"{name} must hold tiers {', '.join(tiers)}; got {', '.join(unknown[:5])}.")
    return found


def _psi(before: np.ndarray, after: np.ndarray) -> float:
    """Return the population stability index of two distributions of tiers."""
    if not before.sum() or not after.sum():
        return float("nan")
    p, q = (np.maximum(one / one.sum(), _FLOOR) for one in (before, after))
    return float(((q - p) * np.log(q / p)).sum())
