from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clientscore.need.conformal import (
    LEVELS,
    Scored,
    Window,
    calibrate,
    choose_groups,
    conformal_quantiles,
    interval_score,
    latest_rows,
    least_rows,
    rows_before,
)

NOISE = ["calm", "middle", "noisy"]


def test_conformal_ranks_by_hand():
    sample = np.arange(1.0, 20.0)[::-1]  # 19 values: (n + 1) level is whole at .05 and .95
    np.testing.assert_array_equal(conformal_quantiles(sample, np.array([0.05, 0.5, 0.95])), [1.0, 10.0, 19.0])
    np.testing.assert_array_equal(
        conformal_quantiles(sample, np.array([0.07, 0.93])), [1.0, 19.0]
    )  # outwards


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(30, 200))
def test_quantiles_rise_with_the_level(seed, n):
    rng = np.random.default_rng(seed)
    quantiles, ends, groups = calibrate(rng.normal(size=n), rng.integers(0, 3, n), 0.9, NOISE)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (ends[:, 0] <= ends[:, 1]).all()
    assert groups["rows"].sum() == n
    assert (groups["pooled"] == (groups["rows"] < 30)).all()


@pytest.mark.parametrize(("n", "coverage"), [(60, 0.99), (32, 0.95), (200, 0.99)])
def test_a_wide_interval_from_few_rows_holds_what_it_promises(n, coverage):
    held = []
    for seed in range(60):
        z = np.random.default_rng(seed).normal(size=n)
        _, ends, groups = calibrate(z, np.zeros(n, dtype=int), coverage, NOISE)
        held.append(np.diff(stats.norm.cdf(ends[0]))[0])
    assert np.mean(held) > coverage - 0.004
    assert groups.loc["calm", "method"] == ("conformal" if (n + 1) * (1 - coverage) / 2 >= 1 else "normal")


def test_ends_are_those_of_split_conformal_written_out_by_group():
    """An oracle of its own: each tail leaves out fewer than (n + 1) tail of the group's own scores."""
    rng = np.random.default_rng(3)
    group = rng.integers(0, 3, 700)
    z = rng.normal(size=700) * np.array([0.3, 1.0, 4.0])[group]
    _, ends, _ = calibrate(z, group, 0.8, NOISE)
    for number in range(3):
        own = sorted(z[group == number])
        n = len(own)
        below = max(k for k in range(1, n + 1) if k <= 0.1 * (n + 1))  # largest rank within the tail
        above = min(k for k in range(1, n + 1) if k >= 0.9 * (n + 1))
        np.testing.assert_array_equal(ends[number], [own[below - 1], own[above - 1]])
    fresh = rng.normal(size=20_000)
    held = [((ends[g, 0] <= s * fresh) & (s * fresh <= ends[g, 1])).mean() for g, s in enumerate([0.3, 1, 4])]
    assert np.abs(np.array(held) - 0.8).max() < 0.06


def test_small_groups_are_pooled_and_said():
    z = np.random.default_rng(0).normal(size=200)
    group = np.repeat([0, 1, 2], [100, 90, 10])
    quantiles, _, groups = calibrate(z, group, 0.9, NOISE)
    assert groups["pooled"].to_list() == [False, False, True]
    assert groups["rows_used"].to_list() == [100, 90, 200]
    np.testing.assert_array_equal(quantiles[2], conformal_quantiles(z, LEVELS))


def test_a_small_cell_falls_back_to_its_first_group():
    z = np.random.default_rng(0).normal(size=200)
    cell = np.repeat([0, 1, 2, 3], [90, 10, 80, 20])
    labels = ["calm / a", "calm / b", "noisy / a", "noisy / b"]
    quantiles, _, groups = calibrate(z, cell, 0.9, labels, np.array([0, 0, 1, 1]))
    assert groups["rows_used"].to_list() == [90, 100, 80, 100]
    assert groups["pooled"].to_list() == [False, True, False, True]
    np.testing.assert_array_equal(quantiles[1], conformal_quantiles(z[:100], LEVELS))


def test_least_rows_by_hand():
    assert [least_rows(coverage) for coverage in (0.8, 0.9, 0.95, 0.99)] == [30, 30, 39, 199]


def test_calibration_takes_the_latest_dates_where_they_are_enough():
    dates = pd.to_datetime(["2023-01-01", "2024-04-01", "2024-07-01"]).repeat([1200, 850, 300])
    index = pd.MultiIndex.from_arrays([range(2350), dates], names=["client_id", "as_of"])
    latest = latest_rows(index)
    np.testing.assert_array_equal(latest, dates >= "2024-04-01")
    assert latest_rows(index[-400:]).all()  # too few in all: every row
    assert latest_rows(pd.RangeIndex(5)).all()
    window = Window(12, 1, "month")
    np.testing.assert_array_equal(rows_before(index, latest, window), dates < "2023-03-02")
    assert rows_before(index, latest, Window(15, 1, "month")) is None  # still open on the first latest date
    assert rows_before(index[200:], latest[200:], window) is None  # fewer than the latest
    assert rows_before(index, latest, None) is None


def test_auto_takes_the_groups_that_narrow_the_intervals():
    rng = np.random.default_rng(0)
    n = 3000
    X = pd.DataFrame({"log_assets": rng.normal(size=n), "tier": rng.choice(["A", "B"], n)})
    plain = Scored(rng.normal(size=n), np.ones(n, dtype=bool), np.arange(n))
    flat = np.zeros(n)
    assert choose_groups("auto", X, flat, plain, 0.9, varies=False).groupings[0].source == "noise"
    by_tier = plain._replace(z=plain.z * np.where(X["tier"] == "A", 0.2, 2.0))
    groups = choose_groups("auto", X, flat, by_tier, 0.9, varies=False)
    assert groups.labels == ["A", "B", "other"]
    by_size = plain._replace(z=plain.z * np.where(X["log_assets"] > 0, 0.2, 2.0))
    assert choose_groups("auto", X, flat, by_size, 0.9, varies=False).columns == ["log_assets"]


def test_the_interval_score_by_hand():
    clients = np.arange(400)
    z = np.tile([-1.0, 1.0], 200)
    scored = Scored(z, np.ones(400, dtype=bool), clients)
    score = interval_score(scored, np.full(400, 0.5), np.zeros(400, dtype=int), 0.9, ["all"])
    assert score == pytest.approx(0.5 * 2.0)  # every value on an end: the width alone
