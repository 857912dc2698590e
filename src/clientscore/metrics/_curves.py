"""The Aalen-Johansen curves of coded events, with the variance of their incidences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Curves:
    """Step functions that change at `times`; `incidence` and `survival` start at time 0."""

    times: Floats  # distinct durations, ascending
    at_risk: Floats  # weight still there just before each
    hazard: Floats  # (n_times, n_causes)
    survival: Floats  # (n_times + 1,)
    incidence: Floats  # (n_times + 1, n_causes)

    def at(self, horizons: Floats) -> Floats:
        """Return incidences and, last, survival at each horizon; missing beyond the last one at risk."""
        step = np.searchsorted(self.times, horizons, side="right")
        table = np.column_stack([self.incidence[step], self.survival[step]])
        table[(horizons > self.times[-1]) & (self.survival[-1] > 0)] = np.nan
        return table

    def variance(self, horizon: float, cause: int) -> float:
        """Variance of one incidence at one horizon: delta method, events of one time multinomial.

        Equation 6 of Dinse and Larson (1986), doi:10.1093/biomet/73.2.379; F (1 - F) / n without censoring.
        """
        last = int(np.searchsorted(self.times, horizon, side="right"))
        at_risk, total = self.at_risk[:last], self.hazard[:last].sum(axis=1)
        hazard, before = self.hazard[:last, cause], self.survival[:last]
        still = self.incidence[last, cause] - self.incidence[1 : last + 1, cause]
        odds = np.divide(total, 1.0 - total, out=np.zeros(last), where=total < 1.0)
        terms = before**2 * hazard * (1.0 - hazard) - 2.0 * still * before * hazard + still**2 * odds
        return max(0.0, float(np.divide(terms, at_risk, out=np.zeros(last), where=at_risk > 0).sum()))

    def still_there(self, horizon: float) -> float:
        """Weight that was followed up to a horizon at least."""
        step = int(np.searchsorted(self.times, horizon, side="left"))
        return float(self.at_risk[step]) if step < len(self.times) else 0.0


def curves(time: Floats, codes: Codes, n_causes: int, weight: Floats | None = None) -> Curves:
    """Estimate the curves; an event and a censoring at one time: the event comes first."""
    weight_ = np.ones(len(time)) if weight is None else weight
    distinct, position = np.unique(time, return_inverse=True)
    leaving = np.bincount(position, weight_, len(distinct))
    at_risk = np.asarray(np.cumsum(leaving[::-1])[::-1], dtype=np.float64)
    event = codes > 0
    cell = position[event] * n_causes + codes[event] - 1
    counts = np.bincount(cell, weight_[event], len(distinct) * n_causes).astype(np.float64)
    counts = counts.reshape(len(distinct), n_causes)
    hazard = np.divide(counts, at_risk[:, None], out=np.zeros_like(counts), where=at_risk[:, None] > 0)
    leave = np.divide(counts.sum(axis=1), at_risk, out=np.zeros(len(distinct)), where=at_risk > 0)
    survival = np.concatenate([[1.0], np.cumprod(1.0 - leave)])  # exactly 0 once all have left
    steps = np.cumsum(survival[:-1, None] * hazard, axis=0)
    return Curves(
        np.asarray(distinct, dtype=np.float64),
        at_risk,
        hazard,
        survival,
        np.vstack([np.zeros(n_causes), steps]),
    )
