"""The best way to merge neighboring bins: an exact dynamic program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Trend = Literal["none", "increasing", "decreasing", "peak", "valley"]

_PURE_EVENTS = 0.5


def woe(
    good: NDArray[np.float64], bad: NDArray[np.float64], total_good: float, total_bad: float
) -> NDArray[np.float64]:
    """Return the weight of evidence of bad.

    A bin without bads counts half a bad more and the goods that go with it on average, one without goods
    likewise: the evidence is finite, and never of the wrong sign however few rows the bin holds.
    """
    ratio = total_good / total_bad
    g, b = _filled(good, bad, ratio)
    return np.asarray(np.log(b / g * ratio))


def woe_error(
    good: NDArray[np.float64], bad: NDArray[np.float64], total_good: float, total_bad: float
) -> NDArray[np.float64]:
    """Return the standard error of each weight of evidence, the totals taken as known."""
    g, b = _filled(good, bad, total_good / total_bad)
    return np.asarray(np.sqrt(1 / b + 1 / g))


def _filled(
    good: NDArray[np.float64], bad: NDArray[np.float64], ratio: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lacks_good, lacks_bad = _PURE_EVENTS * (good <= 0), _PURE_EVENTS * (bad <= 0)
    return good + lacks_good + lacks_bad * ratio, bad + lacks_bad + lacks_good / ratio


def best_partition(
    good: NDArray[np.float64],
    bad: NDArray[np.float64],
    *,
    trend: Trend = "none",
    max_bins: int = 8,
    min_weight: float = 0.0,
    min_events: float = 0.0,
    totals: tuple[float, float] | None = None,
) -> tuple[list[int], float]:
    """Merge neighbors so that the information value is the largest possible under the constraints.

    ``f[p, k, i, j]`` is the best value of bins 0..j in k + 1 segments of which the last is i..j, before
    (p = 0) or after (p = 1) the turning point; a segment may follow another only if their weights of
    evidence stand in the right order.

    Parameters
    ----------
    good, bad : ndarray of shape (m,)
        Weight of goods and bads in each bin, in order.
    trend : {"none", "increasing", "decreasing", "peak", "valley"}, default "none"
        Order of the segments' weights of evidence of bad.  A peak rises and then falls, a valley falls and
        then rises; either part may be empty.
    max_bins : int, default 8
        Most segments.
    min_weight : float, default 0.0
        Least weight of a segment; one segment of all is always allowed.
    min_events : float, default 0.0
        Least weight of bads, and of goods, in a segment; one segment of all is always allowed.
    totals : tuple of float (good, bad), default None
        Weight of all goods and bads, those of other bins (missing) included, both > 0; None for the sums.

    Returns
    -------
    starts : list of int
        First bin of each segment; the first is 0.  Of equal partitions one with the fewest segments.
    value : float
        Information value of the partition.
    """
    m = len(good)
    evidence, value = _segments(good, bad, min_weight, min_events, totals)
    signed = -evidence if trend in ("decreasing", "valley") else evidence
    phases = 2 if trend in ("peak", "valley") else 1
    best = np.full((phases, min(max_bins, m), m, m), -np.inf)
    before = np.zeros(best.shape, dtype=np.intp)  # phase * m + start of the segment before
    best[0, 0, 0] = value[0]
    for i in range(1, m):
        previous, following = signed[:i, i - 1, None], signed[None, i, i:]
        for phase in range(phases):
            ordered = previous >= following if phase else previous <= following
            if trend == "none":
                ordered = np.ones_like(ordered)
            reached = best[: phase + 1, :-1, :i, i - 1].swapaxes(0, 1)  # (segments, phase, start)
            candidates = np.where(ordered, reached[..., None], -np.inf)
            candidates = candidates.reshape(len(reached), (phase + 1) * i, m - i)
            place = candidates.argmax(axis=1)
            before[phase, 1:, i, i:] = place // i * m + place % i
            best[phase, 1:, i, i:] = candidates.max(axis=1) + value[i, i:]
    return _walk_back(best, before)


def _segments(
    good: NDArray[np.float64],
    bad: NDArray[np.float64],
    min_weight: float,
    min_events: float,
    totals: tuple[float, float] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return evidence and value of every segment first..last, minus infinity where it is not allowed."""
    m = len(good)
    sums_good, sums_bad = (np.concatenate([[0.0], np.cumsum(part)]) for part in (good, bad))
    total_good, total_bad = totals or (float(sums_good[-1]), float(sums_bad[-1]))
    first, last = np.indices((m, m))
    g = np.maximum(sums_good[last + 1] - sums_good[first], 0.0)
    b = np.maximum(sums_bad[last + 1] - sums_bad[first], 0.0)
    evidence = woe(g, b, total_good, total_bad)
    value = (b / total_bad - g / total_good) * evidence
    large = (g + b >= min_weight) & (np.minimum(g, b) >= min_events)
    allowed = (first <= last) & (large | ((first == 0) & (last == m - 1)))
    value[~allowed] = -np.inf
    return evidence, value


def _walk_back(best: NDArray[np.float64], before: NDArray[np.intp]) -> tuple[list[int], float]:
    m = best.shape[-1]
    ends = best[..., -1].swapaxes(0, 1)  # (segments, phase, start): ties go to the fewest segments
    count, phase, start = (int(place) for place in np.unravel_index(int(ends.argmax()), ends.shape))
    value = float(ends[count, phase, start])
    starts, end = [start], m - 1
    for k in range(count, 0, -1):
        phase, earlier = divmod(int(before[phase, k, starts[-1], end]), m)
        end = starts[-1] - 1
        starts.append(earlier)
    return starts[::-1], value
