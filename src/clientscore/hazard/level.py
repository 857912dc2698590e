"""The level: log odds shifted so that mean curves, or expected events, are those of the population."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .population import exposure
from .shifts import Shifts, segments_of, to_events, to_incidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .sample import Sample
    from .shifts import Segment

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_ROWS = 50_000  # rows whose mean is taken
_VALUES = 30_000_000  # most log odds held at once
_LEAST_EVENTS = 100  # of a segment of training
_LEAST_SHARE = 0.1  # of those at risk: what a period needs to speak for the population
_LEAST_LEFT = 0.5  # of a row: what survival is kept above, where everybody in the sample leaves


def level_rows(n: int, n_periods: int, n_causes: int, rng: np.random.Generator) -> Ints:
    """Return the rows that carry a level correction, all or a sample."""
    most = min(_ROWS, max(_VALUES // (n_periods * n_causes), 1_000))
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def solve_level(log_odds: Floats, rows: Ints, sample: Sample, segments: Sequence[Segment]) -> Floats:
    """Return the shift of each period and cause: (periods of the model, causes).

    Where every row is at risk from the opening of its window: the mean incidence at the end of each segment
    is Aalen-Johansen's.  With delayed entry the rows are not the clients of the opening, and the events
    expected of the periods at risk are those that happened, segment by segment.

    Parameters
    ----------
    log_odds : ndarray of shape (n_rows, periods, causes)
        Of `rows`.
    rows : ndarray of int
        Rows of the sample.
    sample : Sample
        What happened.
    segments : sequence of Segment
        Where a cause has a shift of its own; none: no shift.
    """
    n_periods, n_causes = log_odds.shape[1:]
    if not segments:
        return np.zeros((n_periods, n_causes))
    shifts = Shifts.of(segments, n_periods, n_causes)
    if sample.target.delayed:
        return shifts.table(_by_events(log_odds, rows, sample, shifts))
    curve = sample.incidence * _room(sample)
    target = np.array([curve[one.end - 1, one.cause] for one in shifts.segments])
    return shifts.table(to_incidence(log_odds, shifts, target))


def _room(sample: Sample) -> float:
    """Return the factor that leaves a part of a client, as no finite log odds takes everybody."""
    gone = float(sample.incidence[-1].sum())
    return min(1.0, (1.0 - _LEAST_LEFT / len(sample.clients)) / gone) if gone > 0 else 1.0


def _by_events(log_odds: Floats, rows: Ints, sample: Sample, shifts: Shifts) -> Floats:
    """Shift so that expected events are those of the sample, scaled to the time at risk of `rows`."""
    spells, n_periods = sample.spells, sample.clock.n_periods
    there = np.zeros(log_odds.shape[:2])
    for period in range(n_periods):
        at = np.full(len(rows), period)
        there[:, period] = spells.overlap(rows, at)
    leaves = spells.event[rows] > 0
    there[leaves, spells.last[rows][leaves]] = 1.0  # as in the panel: a period that ends by an event counts
    whole = exposure(spells, sample.events, n_periods)
    share = np.divide(there.sum(axis=0)[:n_periods], whole, out=np.zeros(n_periods), where=whole > 0)
    scaled = sample.counts * share[:, None]
    happened = np.array([scaled[one.first : one.end, one.cause].sum() for one in shifts.segments])
    return to_events(log_odds, there, shifts, happened)


def level_segments(sample: Sample) -> list[Segment]:
    """Return where each cause is brought to the level of its own training rows.

    Until the last period that begins with a tenth of the rows at risk: beyond it the population's curve is
    that of a few.
    """
    there = exposure(sample.spells, sample.events, sample.clock.n_periods)
    many = np.flatnonzero(there >= _LEAST_SHARE * there.max())
    last = int(many[-1]) + 1
    return event_segments(sample, range(1, last + 1), _LEAST_EVENTS, always=True)


def event_segments(sample: Sample, ends: Sequence[int], least: int, *, always: bool = False) -> list[Segment]:
    """Return where each cause has a shift of its own: runs of periods with at least `least` events.

    `always`: a cause with fewer events in all has one shift.
    """
    total = sample.counts[: ends[-1]].sum(axis=0)
    enough = np.minimum(least, total) if always else np.full(len(total), float(least))
    return segments_of(sample.counts, ends, np.where(total > 0, enough, np.inf))
