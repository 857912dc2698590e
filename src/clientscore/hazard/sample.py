"""What a hazard is learned from, read and checked: durations, events, delayed entry, intervals, clients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError
from clientscore.metrics import encode_events

from .checks import (
    check_counts,
    check_features,
    check_rows,
    positive_durations,
    whole_durations,
)
from .clock import quantile_clock, whole_clock
from .panel import Spells, chances
from .population import exposure, incidence_of, life_table, population_incidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from .clock import Clock
    from .panel import Chances

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Target:
    """Durations and events as they were given, checked.

    Parameters
    ----------
    duration, entry : ndarray of shape (n,)
        End of being at risk, and its begin.
    low : ndarray of shape (n,) or None
        Since when an event may have happened; NaN, or None for all: at `duration`.
    event : ndarray of shape (n,), int
        0 = censored, else the cause's number.
    causes : tuple of str
        Names.
    """

    duration: Floats
    entry: Floats
    low: Floats | None
    event: Ints
    causes: tuple[str, ...]

    @property
    def delayed(self) -> bool:
        """Whether any row is at risk from a later moment on than the opening of its window."""
        return bool((self.entry > 0).any())


def read_target(
    X: pd.DataFrame,
    duration: Any,
    event: ArrayLike,
    *,
    whole: bool,
    limit: float,
    causes: Sequence[str] | Mapping[Any, str] | None,
    entry: Any = None,
    duration_low: Any = None,
) -> Target:
    """Read durations and events of the rows of `X`, or raise saying all that is wrong with them.

    What lies past `limit` is cut off: nobody is seen after it, and an event known to an interval that crosses
    it only since the interval's begin.
    """
    check_features(X)
    ends = whole_durations(duration) if whole else positive_durations(duration)
    happened = pd.Series(np.asarray(event, dtype=object))
    check_rows(X, ends, happened)
    n = len(ends)
    begin = np.broadcast_to(np.zeros(1), n)
    if entry is not None:
        begin = _times("entry", entry, n, whole=whole)
    late = ends > limit
    low = None
    if duration_low is not None:
        low = _times("duration_low", duration_low, n, whole=whole, missing=True)
        low[encode_events(happened)[0] == 0] = np.nan
    _check_order(begin, low, ends)
    if low is not None:
        ends = np.fmin(ends, np.where(late, low, np.inf))
        low[late] = np.nan
    if late.any():
        happened[late] = None
        ends = np.minimum(ends, limit)
    codes, names = encode_events(happened, causes)
    return Target(ends, begin, low, codes, names)


def _times(name: str, values: Any, n: int, *, whole: bool, missing: bool = False) -> Floats:
    """Return times of at least 0, or raise."""
    try:
        times = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must hold numbers; got text or missing values.") from None
    if times.shape != (n,):
        raise DataError(f"{name} must have {n} values like duration; got shape {times.shape}.")
    known = times[~np.isnan(times)] if missing else times
    faults = []
    if not np.isfinite(known).all():
        faults.append(f"{int((~np.isfinite(known)).sum())} are missing or infinite")
    if (known < 0).any():
        faults.append(f"{int((known < 0).sum())} are negative")
    if whole and (known[np.isfinite(known)] % 1 != 0).any():
        faults.append("some are not whole periods")
    if faults:
        raise DataError(f"{name} must hold times of at least 0.", faults)
    return times


def _check_order(entry: Floats, low: Floats | None, end: Floats) -> None:
    """Raise unless entry < duration and entry <= duration_low < duration."""
    faults = []
    if (entry >= end).any():
        faults.append(f"{int((entry >= end).sum())} rows enter when they are gone: entry >= duration")
    if low is not None and (low >= end).any():
        faults.append(f"{int((low >= end).sum())} rows have duration_low >= duration")
    if low is not None and (low < entry).any():
        faults.append(f"{int((low < entry).sum())} rows have duration_low < entry")
    if faults:
        raise DataError("entry, duration_low and duration must rise in that order. Correct the rows.", faults)


@dataclass(frozen=True, eq=False)
class Sample:
    """A target on its clock.

    Parameters
    ----------
    target : Target
        Durations and events.
    clock : Clock
        Where durations lie among the periods.
    clients : ndarray of shape (n,), int
        Number of each row's client.
    dealt : Chances, default None
        In which periods events may lie; None: those known to an interval are dealt evenly over it.
    """

    target: Target
    clock: Clock
    clients: Ints
    dealt: Chances | None = None

    @cached_property
    def spells(self) -> Spells:
        """When the rows are at risk, in places of the clock."""
        target, place = self.target, self.clock.place
        entry = place(target.entry) if target.delayed else target.entry
        low = None if target.low is None else place(target.low)
        return Spells(entry, place(target.duration), target.event, low)

    @cached_property
    def events(self) -> Chances:
        """In which periods events may lie."""
        return chances(self.spells) if self.dealt is None else self.dealt

    def dealt_by(self, hazard: Floats) -> Sample:
        """Return the sample whose events known to an interval are dealt by hazards, (vague rows, ...)."""
        return replace(self, dealt=chances(self.spells, hazard))

    def dealt_by_rate(self) -> Sample:
        """Return the sample whose events are dealt by one rate of each cause for all rows and periods."""
        if not len(self.spells.vague):
            return self
        there = exposure(self.spells, self.events, self.clock.n_periods).sum()
        rate = self.counts.sum(axis=0) / there
        return self.dealt_by(np.broadcast_to(rate, (len(self.spells.vague), *self.counts.shape)))

    @cached_property
    def counts(self) -> Floats:
        """Events of each period and cause."""
        counts = np.zeros((self.clock.n_periods, len(self.target.causes)))
        np.add.at(counts, (self.events.period, self.target.event[self.events.row] - 1), self.events.mass)
        return counts

    @cached_property
    def incidence(self) -> Floats:
        """Aalen-Johansen incidence at the end of each period: (periods, causes)."""
        n_periods, n_causes = self.counts.shape
        if len(self.spells.vague):
            return incidence_of(life_table(self.spells, self.events, n_periods, n_causes))
        target = self.target
        ends = np.interp(np.arange(1, n_periods + 1), self.clock.places, self.clock.knots)
        return population_incidence(target.duration, target.event, target.entry, n_causes, ends)

    def clients_of(self, code: int) -> int:
        """Return how many clients left by a cause."""
        return len(np.unique(self.clients[self.target.event == code]))


def training_sample(target: Target, clients: Ints, n_time_bins: int | None, within: str) -> Sample:
    """Put a target on a new clock, of whole periods or of bins; `within` says in words how far it goes."""
    counts = np.bincount(target.event, minlength=len(target.causes) + 1)[1:]
    check_counts(target.causes, counts, within)
    if n_time_bins is None:
        return Sample(target, whole_clock(int(target.duration.max())), clients)
    clock = quantile_clock(target.duration, target.event > 0, target.entry, n_time_bins)
    return Sample(target, clock, clients)
