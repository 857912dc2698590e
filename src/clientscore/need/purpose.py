"""What for: the purpose of a need, from the ratios that moved, and the products that went with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEVELS = np.linspace(0.0, 1.0, 201)
_PRIOR_DRAWINGS = 20.0  # weight of the overall product shares in a purpose's own


@dataclass(frozen=True)
class Evidence:
    """One sign of a purpose.

    Parameters
    ----------
    feature : str
        Feature that is read.
    high : bool, default True
        Whether high values speak for the purpose (else low ones).
    weight : float, default 1.0
        Weight among the signs of the purpose that could be read.
    beyond : float, default None
        Level that the value must pass (upwards if `high`, else downwards), or the sign is silent; None:
        always read.
    """

    feature: str
    high: bool = True
    weight: float = 1.0
    beyond: float | None = None


PURPOSES: dict[str, tuple[Evidence, ...]] = {
    "working_capital": (
        Evidence("cash_cycle_days_change_1y", weight=2.0),
        Evidence("dso_days_change_1y"),
        Evidence("dio_days_change_1y"),
        Evidence("dpo_days_change_1y", high=False),
        Evidence("revenue_growth_1y"),
        Evidence("working_capital_to_assets", high=False),
    ),
    "refinancing": (
        Evidence("maturity_share_12m", weight=3.0, beyond=0.0),
        Evidence("maturity_share_6m", beyond=0.0),
        Evidence("short_term_debt_share"),
        Evidence("debt_to_ebitda"),
    ),
    "capex": (
        Evidence("capex_to_depreciation", weight=2.0),
        Evidence("fixed_assets_to_assets_change_1y", weight=2.0),
        Evidence("fixed_assets_to_assets"),
        Evidence("planned_financing_to_limit", beyond=0.0),
    ),
    "trade": (
        Evidence("dio_days", weight=2.0),
        Evidence("dpo_days"),
        Evidence("asset_turnover"),
        Evidence("fixed_assets_to_assets", high=False),
    ),
    "growth": (
        Evidence("revenue_growth_1y", weight=2.0),
        Evidence("assets_growth_1y", weight=2.0),
        Evidence("sector_growth"),
        Evidence("products_change_12m", beyond=0.0),
    ),
    "liquidity_stress": (
        Evidence("utilization", weight=2.0, beyond=0.8),
        Evidence("utilization_change_12m", beyond=0.0),
        Evidence("current_ratio", high=False),
        Evidence("cash_ratio", high=False),
        Evidence("dpd_max_12m", weight=2.0, beyond=0.0),
        Evidence("interest_cover", high=False),
    ),
}


# Stress is several weak signs together, not one: full lines alone, or one late payment, are daily business.
LEAST_ALARMS = {"liquidity_stress": 2}


class PurposeRules:
    """Purposes scored on what is usual in the training book.

    A sign speaks as loudly as its value is unusual: the share of training rows below it (above it, where
    low values speak), ties half.  A purpose's raw score is the weighted mean of the signs that can be read;
    its score is the share of training rows whose raw score lies below.  So each score is uniform over the
    training book, and purposes with many and with few signs compare; a purpose of `LEAST_ALARMS` scores 0
    where fewer of its levels can have been passed than it takes.  A missing value is not read, never
    counted as absent; a purpose without a readable sign has a missing score.

    Attributes
    ----------
    grids : dict of str to ndarray
        Quantiles (0, 0.5 %, ..., 100 %) of every sign's feature.
    scores : dict of str to ndarray
        Quantiles of every purpose's raw score.
    """

    def __init__(self, grids: dict[str, Floats], scores: dict[str, Floats]) -> None:
        self.grids = grids
        self.scores = scores

    @classmethod
    def fit(cls, X: pd.DataFrame) -> PurposeRules:
        """Learn the quantiles of the features that are there."""
        wanted = dict.fromkeys(sign.feature for signs in PURPOSES.values() for sign in signs)
        grids = {name: _grid(X[name]) for name in wanted if name in X}
        rules = cls({name: grid for name, grid in grids.items() if grid.size}, {})
        columns = rules._columns(X)
        raw = {purpose: rules._raw(columns, len(X), purpose)[0] for purpose in PURPOSES}
        found = {purpose: _grid(pd.Series(values)) for purpose, values in raw.items()}
        rules.scores = {purpose: grid for purpose, grid in found.items() if grid.size}
        return rules

    def score(self, X: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the scores in [0, 1] and the loudest sign, one column a purpose."""
        scores, signs = self._scores(self._columns(X), len(X))
        return pd.DataFrame(scores, index=X.index), pd.DataFrame(signs, index=X.index).astype("str")

    def score_one(self, values: Mapping[str, Any]) -> dict[str, float | None]:
        """Return the scores of one client by purpose, None where no sign can be read."""
        columns = {name: np.array([_number(values[name])]) for name in self.grids if name in values}
        scores = {purpose: float(score[0]) for purpose, score in self._scores(columns, 1)[0].items()}
        return {purpose: None if np.isnan(score) else score for purpose, score in scores.items()}

    def _columns(self, X: pd.DataFrame) -> dict[str, Floats]:
        """Return the features that the rules know, as numbers."""
        return {name: X[name].to_numpy(np.float64, na_value=np.nan) for name in self.grids if name in X}

    def _scores(
        self, columns: Mapping[str, Floats], n: int
    ) -> tuple[dict[str, Floats], dict[str, NDArray[Any]]]:
        """Return scores and loudest sign by purpose: the one reading behind a book and a client."""
        scores, signs = {}, {}
        for purpose in PURPOSES:
            raw, names = self._raw(columns, n, purpose)
            grid = self.scores.get(purpose)
            scores[purpose] = np.full(n, np.nan) if grid is None else _position(grid, raw)
            if purpose in LEAST_ALARMS:
                few = self._alarms(columns, n, purpose) < LEAST_ALARMS[purpose]
                scores[purpose] = np.where(few & ~np.isnan(raw), 0.0, scores[purpose])
            signs[purpose] = names
        return scores, signs

    def to_state(self) -> dict[str, Any]:
        """Return the rules as dicts of arrays."""
        return {"grids": dict(self.grids), "scores": dict(self.scores)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> PurposeRules:
        """Return the rules that `to_state` wrote."""
        grids = {name: np.asarray(grid, dtype=np.float64) for name, grid in state["grids"].items()}
        if any(grid.ndim != 1 for grid in grids.values()):
            raise DataError("Each grid of a purpose must be a list of numbers; the state holds another.")
        return cls(grids, dict(state["scores"]))

    def _raw(self, columns: Mapping[str, Floats], n: int, purpose: str) -> tuple[Floats, NDArray[Any]]:
        """Weighted mean strength of the signs of a purpose, and the name of the loudest."""
        signs = [sign for sign in PURPOSES[purpose] if sign.feature in columns]
        if not signs:
            return np.full(n, np.nan), np.full(n, None, dtype=object)
        strength = np.array([self._strength(columns[sign.feature], sign) for sign in signs])
        weight = np.array([[sign.weight] for sign in signs])
        read = ~np.isnan(strength)
        loud = weight * strength
        total, known = np.where(read, loud, 0.0).sum(axis=0), (weight * read).sum(axis=0)
        names = np.array([sign.feature for sign in signs], dtype=object)
        name = names[np.where(read, loud, -1.0).argmax(axis=0)]
        name[known == 0] = None
        return np.divide(total, known, out=np.full(n, np.nan), where=known > 0), name

    def _alarms(self, columns: Mapping[str, Floats], n: int, purpose: str) -> NDArray[np.int64]:
        """How many signs with a level of their own have passed it, or may have: what is missing is not no."""
        count = np.zeros(n, dtype=np.int64)
        for sign in PURPOSES[purpose]:
            if sign.beyond is None:
                continue
            values = columns.get(sign.feature, np.full(n, np.nan))
            passed = values > sign.beyond if sign.high else values < sign.beyond
            count += passed | np.isnan(values)
        return count

    def _strength(self, values: Floats, sign: Evidence) -> Floats:
        """How unusual each value is in the sign's direction, in [0, 1]."""
        position = _position(self.grids[sign.feature], values)
        strength = position if sign.high else 1.0 - position
        if sign.beyond is not None:
            silent = values <= sign.beyond if sign.high else values >= sign.beyond
            strength = np.where(silent, 0.0, strength)
        return strength


def product_shares(purpose: pd.Series, product: pd.Series) -> pd.DataFrame:
    """Learn how often each product went with each purpose, drawn towards the overall shares.

    Returns a frame: index purpose (``all`` for clients without one), one column a product, rows adding to 1.
    """
    overall = product.value_counts(normalize=True).sort_index()
    rows = {"all": overall}
    for name in PURPOSES:
        own = product[(purpose == name).to_numpy()].value_counts().reindex(overall.index, fill_value=0)
        rows[name] = (own + _PRIOR_DRAWINGS * overall) / (own.sum() + _PRIOR_DRAWINGS)
    return pd.DataFrame(rows).T


def _grid(column: pd.Series) -> Floats:
    """Quantiles of what is there, empty where nothing is."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    return np.quantile(values, _LEVELS) if len(values) else np.empty(0)


def _position(grid: Floats, values: Floats) -> Floats:
    """Share of the training rows below, ties half; missing stays missing."""
    below = grid.searchsorted(values, side="left") + grid.searchsorted(values, side="right")
    return np.where(np.isnan(values), np.nan, below / (2.0 * len(grid)))


def _number(value: Any) -> float:
    return np.nan if value is None or value is pd.NA else float(value)
