"""The hazard's clock: where a duration lies among the periods, whole or cut at quantiles of the events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_KNOTS_PER_BIN = 8
_KNOT_EVENTS = 20  # fewest events between two knots inside a bin


@dataclass(frozen=True, eq=False)
class Clock:
    """A rising line from durations to places; period t lies between the places t - 1 and t.

    Parameters
    ----------
    knots : ndarray of shape (m,)
        Durations, rising from 0.
    places : ndarray of shape (m,)
        The place of each, from 0 to the number of periods; between knots the line is straight.
    whole : bool
        Whether durations are whole periods, so that the line is the diagonal.
    """

    knots: Floats
    places: Floats
    whole: bool

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return int(self.places[-1])

    @property
    def reach(self) -> float:
        """The longest duration."""
        return float(self.knots[-1])

    def place(self, duration: Any) -> Floats:
        """Return the places of durations; those past the last knot of bins have the last place."""
        values = np.asarray(duration, dtype=np.float64)
        return values if self.whole else np.interp(values, self.knots, self.places)

    def starts(self) -> Floats:
        """Return the duration at which each period begins."""
        return np.interp(np.arange(self.n_periods), self.places, self.knots)

    def to_state(self) -> dict[str, Any]:
        """Return arrays and a flag."""
        return {"knots": self.knots, "places": self.places, "whole": self.whole}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Clock:
        """Build the clock that `to_state` wrote."""
        knots, places = (np.asarray(state[name], dtype=np.float64) for name in ("knots", "places"))
        return cls(knots, places, bool(state["whole"]))


def whole_clock(n_periods: int) -> Clock:
    """Return the clock of whole periods."""
    line = np.array([0.0, float(n_periods)])
    return Clock(line, line, whole=True)


def quantile_clock(duration: Floats, happened: NDArray[np.bool_], entry: Floats, n_bins: int) -> Clock:
    """Cut durations at quantiles of the event times; inside a bin follow the population.

    A bin ends at an event, so that every bin holds one; fewer distinct event times give fewer bins.  Inside a
    bin the place rises with the cumulative hazard of the population (Nelson-Aalen, any event), so that a
    hazard constant over places is proportional to the population's over time.  After the last event nobody
    is known to leave: the place stays at the last.

    References
    ----------
    Aalen (1978), Annals of Statistics 6(4), 701-726, doi:10.1214/aos/1176344247.
    """
    events = np.sort(duration[happened])
    shares = np.arange(1, n_bins) / n_bins
    inner = np.quantile(events, shares, method="inverted_cdf") if n_bins > 1 else np.empty(0)
    edges = np.unique(np.append(inner, events[-1]))
    times, hazard = nelson_aalen(duration, happened, entry)
    knots, places = [np.zeros(1)], [np.zeros(1)]
    low = 0.0
    for place, high in enumerate(edges.tolist()):
        inside = events[(events > low) & (events <= high)]
        parts = max(1, min(_KNOTS_PER_BIN, len(inside) // _KNOT_EVENTS))
        cuts = np.quantile(inside, np.arange(1, parts + 1) / parts, method="inverted_cdf")
        cuts = np.unique(np.append(cuts, high))
        level = np.interp([low, *cuts], times, hazard)
        knots.append(cuts)
        places.append(place + (level[1:] - level[0]) / (level[-1] - level[0]))
        low = high
    if duration.max() > low:
        knots.append(np.array([duration.max()]))
        places.append(np.array([float(len(edges))]))
    return Clock(np.concatenate(knots), np.concatenate(places), whole=False)


def nelson_aalen(duration: Floats, happened: NDArray[np.bool_], entry: Floats) -> tuple[Floats, Floats]:
    """Return event times from 0 and the cumulative hazard of any event at each."""
    times, counts = np.unique(duration[happened], return_counts=True)
    steps = np.cumsum(counts / at_risk(times, duration, entry))
    return np.append(0.0, times), np.append(0.0, steps)


def at_risk(times: Floats, duration: Floats, entry: Floats) -> Floats:
    """Return how many are at risk at each time: entered before it, and not gone before it."""
    entered = np.searchsorted(np.sort(entry), times, side="left")
    gone = np.searchsorted(np.sort(duration), times, side="left")
    return np.asarray(entered - gone, dtype=np.float64)
