from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.hazard.panel import Spells, chances, expand, strata


def spells(end, event, entry=None, low=None):
    end = np.asarray(end, dtype=float)
    entry = np.zeros(len(end)) if entry is None else np.asarray(entry, dtype=float)
    return Spells(entry, end, np.asarray(event), None if low is None else np.asarray(low, dtype=float))


def rows_of(one, budget=1000):
    panel = expand(one, chances(one), budget, np.random.default_rng(0))
    columns = (panel.row, panel.period, panel.outcome, panel.weight.round(12))
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_expansion_by_hand():
    found = rows_of(spells([2, 3, 1], [0, 2, 1]))
    assert [row[:3] for row in found] == [(0, 1, 0), (0, 2, 0), (1, 1, 0), (1, 2, 0), (1, 3, 2), (2, 1, 1)]
    assert {row[3] for row in found} == {1.0}


def test_delayed_entry_leaves_the_periods_before_it_out():
    assert rows_of(spells([3, 4], [1, 0], entry=[1, 3])) == [(0, 2, 0, 1.0), (0, 3, 1, 1.0), (1, 4, 0, 1.0)]


def test_a_part_of_a_period_weighs_that_part():
    found = rows_of(spells([1.25, 1.5, 0.75], [0, 1, 0], entry=[0.5, 0, 0.25]))
    assert found == [(0, 1, 0, 0.5), (0, 2, 0, 0.25), (1, 1, 0, 1.0), (1, 2, 1, 1.0), (2, 1, 0, 0.5)]


def test_an_event_in_an_interval_is_dealt_evenly_at_first():
    found = rows_of(spells([3.0, 2.0], [2, 1], low=[1.0, np.nan]))
    assert found == [
        (0, 1, 0, 1.0),
        (0, 2, 0, 0.5),
        (0, 2, 2, 0.5),
        (0, 3, 2, 0.5),
        (1, 1, 0, 1.0),
        (1, 2, 1, 1.0),
    ]


def test_an_event_in_an_interval_is_dealt_by_given_hazards():
    one = spells([3.0], [1], low=[0.0])
    hazard = np.array([[[0.5], [0.2], [0.5]]])
    mass = np.array([0.5, 0.5 * 0.2, 0.5 * 0.8 * 0.5])
    np.testing.assert_allclose(chances(one, hazard).mass, mass / mass.sum())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 300))
def test_sampled_expansion_keeps_all_events_and_the_weighted_count(seed, budget):
    rng = np.random.default_rng(seed)
    duration, event = rng.integers(1, 9, 60), rng.choice([0, 0, 1, 2], 60)
    one = spells(duration, event, entry=rng.integers(0, duration))
    panel = expand(one, chances(one), budget, rng)
    ends = panel.outcome > 0
    assert sorted(panel.row[ends]) == np.flatnonzero(event).tolist()
    assert (panel.period <= duration[panel.row]).all()
    assert (panel.period > one.entry[panel.row]).all()
    assert panel.weight.sum() == pytest.approx((duration - one.entry).sum())
    assert len(set(zip(panel.row.tolist(), panel.period.tolist(), strict=True))) == len(panel.row)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_an_interval_neither_makes_nor_loses_events_or_time(seed):
    rng = np.random.default_rng(seed)
    end, event = rng.integers(1, 9, 30).astype(float), rng.choice([0, 1, 2], 30)
    one = spells(end, event, low=np.where(event > 0, np.floor(rng.random(30) * end), np.nan))
    panel = expand(one, chances(one), 10_000, rng)
    happened = np.bincount(panel.row, panel.weight * (panel.outcome > 0), minlength=30)
    np.testing.assert_allclose(happened, event > 0)
    # Periods at risk: the mean over where the event may lie.
    low = np.where(event > 0, one.first_chance, end)
    mean = np.where(event > 0, (low + 1 + end) / 2, end)
    np.testing.assert_allclose(np.bincount(panel.row, panel.weight, minlength=30), mean)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 2**31))
def test_strata_draw_each_number_at_most_once_and_weigh_all(n, k, seed):
    drawn, size = strata(n, k, np.random.default_rng(seed))
    assert len(set(drawn.tolist())) == len(drawn) == min(n, k)
    assert size.sum() == n
    assert drawn.min() >= 0
    assert drawn.max() < n


def test_strata_are_unbiased():
    times = np.zeros(10)
    for seed in range(4000):
        drawn, size = strata(10, 4, np.random.default_rng(seed))
        times[drawn] += size
    np.testing.assert_allclose(times / 4000, 1.0, atol=0.08)


def test_a_large_panel_is_never_made_whole():
    n, periods = 400_000, 120  # 48 million rows, one array of them 384 MB
    one = spells(np.full(n, float(periods)), np.zeros(n, dtype=int))
    tracemalloc.start()
    panel = expand(one, chances(one), 50_000, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(panel.row) == 50_000
    assert panel.share == pytest.approx(50_000 / (n * periods))
    assert peak < 40e6
