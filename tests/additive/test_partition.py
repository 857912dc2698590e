from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive._partition import best_partition, woe, woe_error


def follows(evidence, trend):
    """Whether segments stand in the order of the trend, by its definition."""
    steps = np.diff(evidence)
    rises, falls = steps >= 0, steps <= 0
    turns = range(len(steps) + 1)
    return {
        "none": True,
        "increasing": rises.all(),
        "decreasing": falls.all(),
        "peak": any(rises[:turn].all() and falls[turn:].all() for turn in turns),
        "valley": any(falls[:turn].all() and rises[turn:].all() for turn in turns),
    }[trend]


def pieces(good, bad, starts):
    bounds = [*starts, len(good)]
    return tuple(np.array([part[low:high].sum() for low, high in pairwise(bounds)]) for part in (good, bad))


def brute_force(good, bad, trend, max_bins, min_weight, min_events):
    """Try every partition."""
    m, best = len(good), -np.inf
    for size in range(min(max_bins, m)):
        for cuts in combinations(range(1, m), size):
            g, b = pieces(good, bad, [0, *cuts])
            evidence = woe(g, b, good.sum(), bad.sum())
            large = (g + b >= min_weight).all() and (np.minimum(g, b) >= min_events).all()
            if follows(evidence, trend) and (size == 0 or large):
                best = max(best, ((b / bad.sum() - g / good.sum()) * evidence).sum())
    return best


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8),
    st.sampled_from(["none", "increasing", "decreasing", "peak", "valley"]),
    st.integers(2, 6),
    st.sampled_from([0.0, 5.0, 25.0]),
    st.sampled_from([0.0, 1.0, 8.0]),
)
def test_the_program_finds_what_trying_everything_finds(cells, trend, max_bins, min_weight, min_events):
    good, bad = np.array(cells, dtype=float).T
    if not good.sum() or not bad.sum():
        return
    starts, value = best_partition(
        good, bad, trend=trend, max_bins=max_bins, min_weight=min_weight, min_events=min_events
    )
    assert value == pytest.approx(brute_force(good, bad, trend, max_bins, min_weight, min_events), abs=1e-9)
    assert starts[0] == 0
    assert len(starts) <= max_bins
    assert (np.diff(starts) > 0).all()
    g, b = pieces(good, bad, starts)
    assert follows(woe(g, b, good.sum(), bad.sum()), trend)
    if len(starts) > 1:
        assert (g + b).min() >= min_weight
        assert np.minimum(g, b).min() >= min_events


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=12))
def test_a_wider_rule_never_loses_value(cells):
    good, bad = np.array(cells, dtype=float).T
    if not good.sum() or not bad.sum():
        return
    value = {
        trend: best_partition(good, bad, trend=trend)[1]
        for trend in ("increasing", "decreasing", "peak", "valley", "none")
    }
    assert min(value["peak"], value["valley"]) >= max(value["increasing"], value["decreasing"]) - 1e-12
    assert value["none"] >= max(value["peak"], value["valley"]) - 1e-12


def test_evidence_and_its_error_by_hand():
    good, bad = np.array([90.0, 60.0, 0.0, 0.0]), np.array([10.0, 0.0, 40.0, 0.0])
    # Three goods for a bad: half a bad brings 1.5 goods, half a good a sixth of a bad.
    expected = [np.log(10 / 90 * 3), np.log(0.5 / 61.5 * 3), np.log((40 + 1 / 6) / 0.5 * 3), 0.0]
    assert woe(good, bad, 150.0, 50.0) == pytest.approx(expected)
    error = woe_error(good, bad, 150.0, 50.0)
    assert error[0] == pytest.approx(np.sqrt(1 / 10 + 1 / 90))
    assert error[1] == pytest.approx(np.sqrt(1 / 0.5 + 1 / 61.5))


def test_few_rows_of_one_kind_never_speak_for_the_other():
    some = np.array([0.1, 1.0, 5.0])
    for totals in ((1000.0, 1.0), (1.0, 1000.0)):
        assert (woe(some, 0 * some, *totals) < 0).all()
        assert (woe(0 * some, some, *totals) > 0).all()


def test_two_clear_halves_by_hand():
    good, bad = np.array([10.0, 10.0, 50.0, 50.0]), np.array([30.0, 30.0, 5.0, 5.0])
    starts, value = best_partition(good, bad, trend="decreasing", max_bins=2)
    assert starts == [0, 2]
    first, second = np.log((60 / 20) * (120 / 70)), np.log((10 / 100) * (120 / 70))
    assert value == pytest.approx((60 / 70 - 20 / 120) * first + (10 / 70 - 100 / 120) * second)


def test_one_turning_point_by_hand():
    good, bad = np.array([90.0, 50.0, 90.0, 70.0]), np.array([10.0, 50.0, 10.0, 30.0])
    assert best_partition(good, bad, trend="none")[0] == [0, 1, 2, 3]
    assert best_partition(good, bad, trend="peak")[0] == [0, 1, 2]
    assert best_partition(bad, good, trend="valley")[0] == [0, 1, 2]


def test_the_wrong_trend_leaves_one_segment():
    starts, _ = best_partition(np.array([1.0, 9.0]), np.array([9.0, 1.0]), trend="increasing")
    assert starts == [0]


def test_a_segment_must_be_large_enough():
    good, bad = np.array([1.0, 100.0, 100.0]), np.array([9.0, 10.0, 10.0])
    assert best_partition(good, bad, min_weight=0)[0][:2] == [0, 1]
    assert best_partition(good, bad, min_weight=50)[0] == [0, 2]


def test_a_segment_must_hold_bads_and_goods():
    good, bad = np.array([2.0, 100.0, 80.0]), np.array([30.0, 1.0, 20.0])
    assert best_partition(good, bad)[0] == [0, 1, 2]
    assert best_partition(good, bad, min_events=2)[0] == [0, 1]
    assert best_partition(good, bad, min_events=25)[0] == [0]


def test_other_bins_count_in_the_totals():
    good, bad = np.array([60.0, 40.0]), np.array([10.0, 30.0])
    _, value = best_partition(good, bad, totals=(200.0, 50.0))
    parts = (10 / 50 - 60 / 200) * np.log(10 / 60 * 4) + (30 / 50 - 40 / 200) * np.log(30 / 40 * 4)
    assert value == pytest.approx(parts)
