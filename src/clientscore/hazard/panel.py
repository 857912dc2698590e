"""From one row a client to one row a client and period, by row number, sampled where there are too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clientscore.additive import FeatureBins

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

PERIOD = "period"


@dataclass(frozen=True)
class PersonPeriods:
    """Rows at risk: number of the client's row, period (from 1), outcome (0 = stays) and weight."""

    row: Ints
    period: Ints
    outcome: Ints
    weight: NDArray[np.float64]
    share: float


def expand(duration: Ints, event: Ints, max_rows: int, rng: np.random.Generator) -> PersonPeriods:
    """Expand to periods at risk; keep every event row, sample stay rows uniformly above `max_rows`.

    A sampled stay row weighs 1 / share, so that weighted counts are those of the whole panel.
    """
    stays = duration - (event > 0)
    ends = np.cumsum(stays)
    n_stays = int(ends[-1])
    leavers = np.flatnonzero(event)
    n_kept = min(n_stays, max(max_rows - len(leavers), len(leavers)))
    kept = np.arange(n_stays)
    if n_kept < n_stays:
        kept = np.sort(rng.choice(n_stays, n_kept, replace=False, shuffle=False))
    share = n_kept / n_stays if n_stays else 1.0
    row = np.searchsorted(ends, kept, side="right")
    period = kept - (ends - stays)[row] + 1
    return PersonPeriods(
        row=np.concatenate([row, leavers]),
        period=np.concatenate([period, duration[leavers]]),
        outcome=np.concatenate([np.zeros(n_kept, dtype=np.int64), event[leavers]]),
        weight=np.concatenate([np.full(n_kept, 1.0 / share), np.ones(len(leavers))]),
        share=share,
    )


def with_period(codes: NDArray[Any], row: Ints, period: Ints) -> NDArray[Any]:
    """Codes of the person-period rows, the period as last column; never passes through floats."""
    table = np.empty((len(row), codes.shape[1] + 1), dtype=codes.dtype, order="F")
    for column in range(codes.shape[1]):
        np.take(codes[:, column], row, out=table[:, column])
    table[:, -1] = period - 1
    return table


def period_bins(n_periods: int) -> FeatureBins:
    """One bin a period: code = period - 1."""
    return FeatureBins(
        name=PERIOD, kind="number", edges=tuple(period + 0.5 for period in range(1, n_periods))
    )
