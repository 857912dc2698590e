from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive._partition import best_partition, woe


def brute_force(good, bad, trend, max_bins, min_weight):
    """Try every partition."""
    m, best = len(good), -np.inf
    for size in range(min(max_bins, m)):
        for cuts in combinations(range(1, m), size):
            bounds = [0, *cuts, m]
            g = np.array([good[low:high].sum() for low, high in pairwise(bounds)])
            b = np.array([bad[low:high].sum() for low, high in pairwise(bounds)])
            evidence = woe(g, b, good.sum(), bad.sum())
            steps = np.diff(evidence)
            ordered = {"none": True, "increasing": (steps >= 0).all(), "decreasing": (steps <= 0).all()}
            if ordered[trend] and (size == 0 or (g + b >= min_weight).all()):
                best = max(best, ((b / bad.sum() - g / good.sum()) * evidence).sum())
    return best


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=8),
    st.sampled_from(["none", "increasing", "decreasing"]),
    st.integers(2, 5),
    st.sampled_from([0.0, 5.0, 25.0]),
)
def test_the_program_finds_what_trying_everything_finds(cells, trend, max_bins, min_weight):
    good, bad = np.array(cells, dtype=float).T
    if not good.sum() or not bad.sum():
        return
    starts, value = best_partition(good, bad, trend=trend, max_bins=max_bins, min_weight=min_weight)
    assert value == pytest.approx(brute_force(good, bad, trend, max_bins, min_weight), abs=1e-9)
    assert starts[0] == 0
    assert len(starts) <= max_bins
    assert (np.diff(starts) > 0).all()


def test_two_clear_halves_by_hand():
    good, bad = np.array([10.0, 10.0, 50.0, 50.0]), np.array([30.0, 30.0, 5.0, 5.0])
    starts, value = best_partition(good, bad, trend="decreasing", max_bins=2)
    assert starts == [0, 2]
    first = np.log((60.5 / 20.5) * (120.5 / 70.5))
    second = np.log((10.5 / 100.5) * (120.5 / 70.5))
    assert value == pytest.approx((60 / 70 - 20 / 120) * first + (10 / 70 - 100 / 120) * second)


def test_the_wrong_trend_leaves_one_segment():
    starts, _ = best_partition(np.array([1.0, 9.0]), np.array([9.0, 1.0]), trend="increasing")
    assert starts == [0]


def test_a_segment_must_be_large_enough():
    good, bad = np.array([1.0, 100.0, 100.0]), np.array([9.0, 10.0, 10.0])
    assert best_partition(good, bad, min_weight=0)[0][:2] == [0, 1]
    assert best_partition(good, bad, min_weight=50)[0] == [0, 2]
