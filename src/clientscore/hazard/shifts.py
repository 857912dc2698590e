"""Shifts of log odds, by cause and run of periods, that bring mean curves to what the population shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clientscore.exceptions import DataError

from .curves import hazards, incidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_ROUNDS = 100
_SETTLED = 1e-9
_LONGEST_STEP = 3.0
_HALVINGS = 30
_ROUNDING = 1e-9  # of events dealt over an interval


class Segment(NamedTuple):
    """Periods first to end - 1 (from 0) in which one cause has one shift."""

    cause: int
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class Shifts:
    """Which shift moves each period and cause: number of a segment, or -1."""

    segments: tuple[Segment, ...]
    index: Ints

    @classmethod
    def of(cls, segments: Sequence[Segment], n_periods: int, n_causes: int) -> Shifts:
        """Return the numbered segments; a cause's last shift also moves the periods after it."""
        index = np.full((n_periods, n_causes), -1)
        for number, one in enumerate(segments):
            index[one.first :, one.cause] = number
        return cls(tuple(segments), index)

    def table(self, values: Floats) -> Floats:
        """Return the shift of each period and cause: (periods, causes)."""
        return np.where(self.index < 0, 0.0, values[self.index])


def segments_of(counts: Floats, ends: Sequence[int], least: Floats) -> list[Segment]:
    """Return segments that end at `ends`, joined for each cause until they hold `least` events.

    A segment with fewer events joins the next, the last one the segment before it; a cause with fewer in all
    has none.

    Parameters
    ----------
    counts : ndarray of shape (periods, causes)
        Events.
    ends : sequence of int
        Rising numbers of periods.
    least : ndarray of shape (causes,)
        Fewest events of a segment, above 0.
    """
    found: list[Segment] = []
    for cause in range(counts.shape[1]):
        own: list[Segment] = []
        first = 0
        for end in ends:
            if counts[first:end, cause].sum() >= least[cause] * (1 - _ROUNDING):
                own.append(Segment(cause, first, end))
                first = end
        if own and own[-1].end < ends[-1]:
            own[-1] = own[-1]._replace(end=ends[-1])
        found += own
    return found


def to_incidence(log_odds: Floats, shifts: Shifts, target: Floats) -> Floats:
    """Return the shifts by which the mean incidence at the end of each segment is `target`.

    Parameters
    ----------
    log_odds : ndarray of shape (n, periods, causes)
        Of the rows whose mean is taken.
    shifts : Shifts
        What may move.
    target : ndarray of shape (n_segments,)
        Incidence of the segment's cause at its end, greater than 0.
    """
    places = [(one.end - 1, one.cause) for one in shifts.segments]
    at = tuple(np.array(column) for column in zip(*places, strict=True))

    def evaluate(values: Floats) -> tuple[Floats, Floats]:
        hazard = hazards(log_odds + shifts.table(values))
        curve, stays = incidence(hazard)
        mean = curve.mean(axis=0)[at]
        slopes = [_incidence_slope(hazard, curve, stays, one) for one in shifts.segments]
        slope = np.array([_by_segment(one, shifts) for one in slopes])
        return np.log(mean / target), slope / mean[:, None]

    return _solve(evaluate, len(target))


def _incidence_slope(hazard: Floats, curve: Floats, stays: Floats, one: Segment) -> Floats:
    """Return how the mean incidence of a segment's cause at its end moves with each log odds."""
    end, cause = one.end, one.cause
    h = hazard[:, :end]
    before = np.concatenate([np.ones((len(h), 1)), stays[:, : end - 1]], axis=1)
    later = curve[:, [end - 1], cause] - curve[:, :end, cause]
    own = before * h[:, :, cause]
    slope = np.zeros(hazard.shape[1:])
    slope[:end] = -np.einsum("np,npj->pj", own + later, h) / len(h)
    slope[:end, cause] += own.mean(axis=0)
    return slope


def to_events(log_odds: Floats, there: Floats, shifts: Shifts, happened: Floats) -> Floats:
    """Return the shifts by which the events expected among rows at risk are those that happened.

    Parameters
    ----------
    log_odds : ndarray of shape (n, periods, causes)
        Of each row and period.
    there : ndarray of shape (n, periods)
        Share of the period in which the row is at risk.
    shifts : Shifts
        What may move.
    happened : ndarray of shape (n_segments,)
        Events of the segment's cause in it, greater than 0.
    """

    def evaluate(values: Floats) -> tuple[Floats, Floats]:
        hazard = hazards(log_odds + shifts.table(values))
        expected, slope = [], []
        for first, end, cause in ((one.first, one.end, one.cause) for one in shifts.segments):
            own = there[:, first:end] * hazard[:, first:end, cause]
            moved = np.zeros(hazard.shape[1:])
            moved[first:end] = -np.einsum("np,npj->pj", own, hazard[:, first:end])
            moved[first:end, cause] += own.sum(axis=0)
            expected.append(own.sum())
            slope.append(_by_segment(moved, shifts))
        total = np.array(expected)
        return np.log(total / happened), np.array(slope) / total[:, None]

    return _solve(evaluate, len(happened))


def _by_segment(slope: Floats, shifts: Shifts) -> Floats:
    moved = shifts.index >= 0
    return np.bincount(shifts.index[moved], slope[moved], len(shifts.segments)).astype(np.float64)


def _solve(evaluate: Callable[[Floats], tuple[Floats, Floats]], size: int) -> Floats:
    """Return the root by Newton's method, steps shortened until the largest residual falls.

    Raises
    ------
    DataError
        When it is not reached.
    """
    values = np.zeros(size)
    residual, slope = evaluate(values)
    for _ in range(_ROUNDS):
        if not np.isfinite(residual).all() or np.abs(residual).max() < _SETTLED:
            break
        step = -np.linalg.lstsq(slope, residual, rcond=None)[0]
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        for _ in range(_HALVINGS):
            new_residual, new_slope = evaluate(values + step)
            if np.isfinite(new_residual).all() and np.abs(new_residual).max() < np.abs(residual).max():
                break
            step = step / 2
        else:
            break
        values, residual, slope = values + step, new_residual, new_slope
    worst = float(np.abs(residual).max()) if np.isfinite(residual).all() else np.inf
    if worst >= 1e-6:
        raise DataError(
            f"The level of the causes could not be brought to that of the population: log ratio {worst:.3g} "
            "is left after Newton's method. A cause without variation, or nobody left at risk at the end, "
            "does this; shorten the horizon, or join rare causes."
        )
    return values
