"""The best way to merge neighboring bins: an exact dynamic program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Trend = Literal["none", "increasing", "decreasing"]

SMOOTHING_EVENTS = 0.5


def woe(
    good: NDArray[np.float64], bad: NDArray[np.float64], total_good: float, total_bad: float
) -> NDArray[np.float64]:
    """Return the weight of evidence of bad, half an event added everywhere so that it is always finite."""
    odds = (bad + SMOOTHING_EVENTS) / (good + SMOOTHING_EVENTS)
    return np.asarray(np.log(odds * ((total_good + SMOOTHING_EVENTS) / (total_bad + SMOOTHING_EVENTS))))


def best_partition(
    good: NDArray[np.float64],
    bad: NDArray[np.float64],
    *,
    trend: Trend = "none",
    max_bins: int = 8,
    min_weight: float = 0.0,
) -> tuple[list[int], float]:
    """Merge neighbors so that the information value is the largest possible under the constraints.

    ``f[k, i, j]`` is the best value of bins 0..j in k + 1 segments of which the last is i..j; a segment may
    follow another only if their weights of evidence stand in the right order.

    Parameters
    ----------
    good, bad : ndarray of shape (m,)
        Weight of goods and bads in each bin, in order.
    trend : {"none", "increasing", "decreasing"}, default "none"
        Order of the segments' weights of evidence of bad.
    max_bins : int, default 8
        Most segments.
    min_weight : float, default 0.0
        Least weight of a segment; one segment of all is always allowed.

    Returns
    -------
    starts : list of int
        First bin of each segment; the first is 0.
    value : float
        Information value of the partition.
    """
    m = len(good)
    sums_good, sums_bad = (np.concatenate([[0.0], np.cumsum(part)]) for part in (good, bad))
    total_good, total_bad = max(float(sums_good[-1]), 1e-300), max(float(sums_bad[-1]), 1e-300)
    first, last = np.indices((m, m))
    g = np.maximum(sums_good[last + 1] - sums_good[first], 0.0)
    b = np.maximum(sums_bad[last + 1] - sums_bad[first], 0.0)
    evidence = woe(g, b, total_good, total_bad)
    value = (b / total_bad - g / total_good) * evidence
    allowed = (first <= last) & ((g + b >= min_weight) | ((first == 0) & (last == m - 1)))
    value[~allowed] = -np.inf
    signed = -evidence if trend == "decreasing" else evidence

    best = np.full((min(max_bins, m), m, m), -np.inf)
    before = np.zeros(best.shape, dtype=np.intp)
    best[0, 0] = value[0]
    for i in range(1, m):
        previous = best[:-1, :i, i - 1]  # (segments so far, start of the last segment)
        if trend == "none":
            candidates = np.repeat(previous[:, :, None], m - i, axis=2)
        else:
            ordered = signed[:i, i - 1, None] <= signed[None, i, i:]
            candidates = np.where(ordered[None], previous[:, :, None], -np.inf)
        if not candidates.size:
            continue
        before[1:, i, i:] = candidates.argmax(axis=1)
        best[1:, i, i:] = candidates.max(axis=1) + value[i, i:]
    return _walk_back(best, before)


def _walk_back(best: NDArray[np.float64], before: NDArray[np.intp]) -> tuple[list[int], float]:
    end = best.shape[1] - 1
    segments, start = np.unravel_index(int(best[:, :, end].argmax()), best.shape[:2])
    value = float(best[segments, start, end])
    starts = [int(start)]
    for k in range(int(segments), 0, -1):
        earlier = int(before[k, starts[-1], end])
        end = starts[-1] - 1
        starts.append(earlier)
    return starts[::-1], value
