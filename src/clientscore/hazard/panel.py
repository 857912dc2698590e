"""From one row a client to one row a client and period, by row number, sampled where there are too many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.additive import FeatureBins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]
    Floats = NDArray[np.float64]

PERIOD = "period"
_PERIODS = np.int16  # millions of rows, at most 200 periods


@dataclass(frozen=True, eq=False)
class Spells:
    """When each row of X is at risk, in places of the clock (period t lies between t - 1 and t).

    Parameters
    ----------
    entry, end : ndarray of shape (n,)
        Where being at risk begins and ends.
    event : ndarray of shape (n,), int
        0 = censored at `end`, else the cause.
    low : ndarray of shape (n,) or None
        Where an event is known only to lie in (low, end], else NaN; None: all are known to their period.
    """

    entry: Floats
    end: Floats
    event: Ints
    low: Floats | None

    @cached_property
    def first(self) -> Ints:
        """First period at risk, from 0."""
        return np.floor(self.entry).astype(_PERIODS)

    @cached_property
    def last(self) -> Ints:
        """Last period at risk, from 0."""
        return np.asarray(np.ceil(self.end).astype(_PERIODS) - _PERIODS(1))

    @cached_property
    def n_stays(self) -> Ints:
        """Periods in which a row may stay: all for the censored, all but the last for others."""
        stays = (self.event == 0).astype(_PERIODS)
        return np.asarray(np.maximum(self.last - self.first + stays, 0))

    @cached_property
    def first_chance(self) -> Ints:
        """First period, from 0, in which an event may lie; past the last for the censored."""
        if self.low is None:
            return np.asarray(self.last + (self.event == 0).astype(_PERIODS))
        low = np.where(np.isnan(self.low), self.last, np.floor(self.low)).astype(_PERIODS)
        return np.where(self.event > 0, np.clip(low, self.first, self.last), self.last + _PERIODS(1))

    @cached_property
    def vague(self) -> Ints:
        """Rows whose event may lie in more than one period."""
        return np.flatnonzero((self.event > 0) & (self.first_chance < self.last))

    def overlap(self, row: Ints, period: Ints, low: Floats | None = None) -> Floats:
        """Return the share of periods (from 0) in which rows are at risk; with `low`, by row, after it."""
        start = self.entry[row] if low is None else np.fmax(low, self.entry[row])
        share = np.minimum(self.end[row], period + 1.0) - np.maximum(start, period)
        return np.asarray(np.clip(share, 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Chances:
    """Where events may lie: row, period (from 0) and probability, ordered by row and period."""

    row: Ints
    period: Ints
    mass: Floats

    def after(self) -> Floats:
        """Return the probability that the event of an entry's row lies in a later period."""
        total = np.cumsum(self.mass)
        end = np.searchsorted(self.row, self.row, side="right") - 1
        return np.maximum(total[end] - total, 0.0)


@dataclass(frozen=True)
class PersonPeriods:
    """Rows at risk: number of the client's row, period (from 1), outcome (0 = stays) and weight."""

    row: Ints
    period: Ints
    outcome: Ints
    weight: Floats
    share: float


def chances(spells: Spells, hazard: Floats | None = None) -> Chances:
    """Return where the event of each row may lie, given hazards by row, (n_vague, periods, causes).

    The probability of a period is that of staying until it and leaving in it by the row's cause, within the
    interval.  Without `hazard` all periods of an interval are alike.
    """
    events = np.flatnonzero(spells.event)
    low, last = spells.first_chance[events], spells.last[events]
    length = (last - low).astype(np.int64) + 1
    row, period = np.repeat(events, length), within(length) + np.repeat(low, length)
    mass = np.ones(len(row))
    if spells.low is not None and len(spells.vague):
        mass = spells.overlap(row, period, spells.low[row])
        if hazard is not None:
            number = np.searchsorted(spells.vague, row)
            known = np.isin(row, spells.vague)
            density = _density(hazard)
            mass[known] *= density[number[known], period[known], spells.event[row[known]] - 1]
        total = np.bincount(row, mass, minlength=len(spells.event))[row]
        mass = np.divide(mass, total, out=1.0 / np.repeat(length, length), where=total > 0)
    return Chances(row, period, mass)


def _density(hazard: Floats) -> Floats:
    """Return the probability of each period and cause: (n, periods, causes)."""
    stays = np.cumprod(np.maximum(1.0 - hazard.sum(axis=2), 0.0), axis=1)
    before = np.concatenate([np.ones((len(hazard), 1)), stays[:, :-1]], axis=1)
    return np.asarray(before[:, :, None] * hazard)


def within(length: Ints) -> Ints:
    """Return 0, 1, ... within each of several runs."""
    ends = np.cumsum(length)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - length, length)


def expand(spells: Spells, events: Chances, max_rows: int | None, rng: np.random.Generator) -> PersonPeriods:
    """Expand to periods at risk; keep every event row, sample stay rows above `max_rows`.

    Stay rows are numbered through all clients without being made.  Above the budget the numbers are cut into
    as many strata as rows may stay and one is drawn from each; it weighs the stratum, so that weighted counts
    are those of the whole panel.  A row at risk in part of a period weighs that part.
    """
    ends = np.cumsum(spells.n_stays, dtype=np.int64)
    n_stays = int(ends[-1])
    n_kept = n_stays
    if max_rows is not None:
        n_kept = min(n_stays, max(max_rows - len(events.row), len(events.row)))
    kept, size = strata(n_stays, n_kept, rng)
    row = np.searchsorted(ends, kept, side="right")
    period = kept - (ends - spells.n_stays)[row] + spells.first[row]
    weight = size * spells.overlap(row, period)
    _still_there(weight, row, period, spells, events)
    used = weight > 0
    return PersonPeriods(
        row=np.concatenate([row[used], events.row]),
        period=np.concatenate([period[used], events.period]) + 1,
        outcome=np.concatenate([np.zeros(int(used.sum()), dtype=np.int64), spells.event[events.row]]),
        weight=np.concatenate([weight[used], events.mass]),
        share=n_kept / n_stays if n_stays else 1.0,
    )


def strata(n: int, k: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Draw one number from each of k strata of 0 to n - 1; return them and the sizes of the strata."""
    if k >= n:
        return np.arange(n), np.ones(n)
    edges = (np.arange(k + 1) * n) // k
    return rng.integers(edges[:-1], edges[1:]), np.diff(edges).astype(np.float64)


def _still_there(weight: Floats, row: Ints, period: Ints, spells: Spells, events: Chances) -> None:
    """Multiply the weight of stay rows inside an event's interval by the chance that the event is later."""
    if not len(spells.vague):
        return
    inside = np.flatnonzero(period >= spells.first_chance[row])
    begin = np.searchsorted(events.row, row[inside], side="left")
    weight[inside] *= events.after()[begin + period[inside] - spells.first_chance[row[inside]]]


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
