from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clientscore.exceptions import DataError
from clientscore.need.amount import AmountModel, _calibrate, _conformal, _latest_rows, _smearing


def fit(n, seed=0, sigma=0.5):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"log_assets": rng.normal(size=n)})
    amount = np.exp(X["log_assets"].to_numpy() + sigma * rng.normal(size=n))
    return AmountModel.fit(X, amount, np.arange(n), 0.9, 0), X, amount


def test_conformal_ranks_by_hand():
    sample = np.arange(1.0, 20.0)[::-1]  # 19 values: (n + 1) level is whole at .05 and .95
    np.testing.assert_array_equal(_conformal(sample, np.array([0.05, 0.5, 0.95])), [1.0, 10.0, 19.0])
    np.testing.assert_array_equal(_conformal(sample, np.array([0.07, 0.93])), [1.0, 19.0])  # outwards


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(30, 200))
def test_quantiles_rise_with_the_level(seed, n):
    rng = np.random.default_rng(seed)
    quantiles, ends, groups = _calibrate(rng.normal(size=n), rng.integers(0, 3, n), 0.9)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (ends[:, 0] <= ends[:, 1]).all()
    assert groups["rows"].sum() == n
    assert (groups["pooled"] == (groups["rows"] < 30)).all()


@pytest.mark.parametrize(("n", "coverage"), [(60, 0.99), (32, 0.95), (200, 0.99)])
def test_a_wide_interval_from_few_rows_holds_what_it_promises(n, coverage):
    held = []
    for seed in range(60):
        z = np.random.default_rng(seed).normal(size=n)
        _, ends, groups = _calibrate(z, np.zeros(n, dtype=int), coverage)
        held.append(np.diff(stats.norm.cdf(ends[0]))[0])
    assert np.mean(held) > coverage - 0.004
    assert groups.loc["calm", "method"] == ("conformal" if (n + 1) * (1 - coverage) / 2 >= 1 else "normal")


def test_small_groups_are_pooled_and_said():
    z = np.random.default_rng(0).normal(size=200)
    group = np.repeat([0, 1, 2], [100, 90, 10])
    quantiles, _, groups = _calibrate(z, group, 0.9)
    assert groups["pooled"].to_list() == [False, False, True]
    np.testing.assert_array_equal(quantiles[2], _conformal(z, np.arange(1, 200) / 200))


def test_few_amounts_fall_back_to_normal_theory():
    model, X, amount = fit(12)
    assert (model.groups["method"] == "normal").all()
    table = model.predict(X.head(2), np.array([0.2, 1.0]))
    logs = np.log(amount)
    half = stats.t.ppf(0.95, 11) * logs.std(ddof=1) * np.sqrt(1 + 1 / 12)
    np.testing.assert_allclose(table["amount_upper"], np.exp(logs.mean() + half), rtol=0.02)
    np.testing.assert_allclose(table["amount_lower"], np.exp(logs.mean() - half), rtol=0.02)
    assert table["mixture_median"].tolist()[0] == 0
    assert table["mixture_median"].iloc[1] == pytest.approx(table["amount_median"].iloc[1])


def test_two_amounts_are_too_few():
    with pytest.raises(DataError, match="at least 3 needs; got 2"):
        fit(2)


def test_equal_amounts_give_a_point():
    X = pd.DataFrame({"log_assets": np.arange(100.0)})
    model = AmountModel.fit(X, np.full(100, 7.0), np.arange(100), 0.9, 0)
    table = model.predict(X.head(3), np.full(3, 0.5))
    np.testing.assert_allclose(table["amount_mean"], 7.0)
    np.testing.assert_allclose(table["amount_lower"], 7.0, rtol=1e-4)


def test_smearing_keeps_the_total_of_every_group():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [400, 400, 10])
    fitted = rng.normal(size=810)
    amount = np.exp(fitted + np.array([0.1, 0.8, 0.5])[group] * rng.normal(size=810))
    factor = _smearing(amount, fitted, group)
    total = pd.Series(np.exp(fitted) * factor[group]).groupby(group).sum()
    np.testing.assert_allclose(total[:2], pd.Series(amount).groupby(group).sum()[:2])
    assert factor[2] == pytest.approx(amount.sum() / np.exp(fitted).sum())  # ten rows: that of all
    assert factor[1] == pytest.approx(np.exp(0.8**2 / 2), rel=0.15)


def test_calibration_takes_the_latest_dates_where_they_are_enough():
    dates = pd.to_datetime(["2024-01-01", "2024-04-01", "2024-07-01"]).repeat([600, 450, 300])
    index = pd.MultiIndex.from_arrays([range(1350), dates], names=["client_id", "as_of"])
    np.testing.assert_array_equal(_latest_rows(index), dates >= "2024-04-01")
    assert _latest_rows(index[-400:]).all()  # too few in all: every row
    assert _latest_rows(pd.RangeIndex(5)).all()


def test_the_mean_is_near_the_lognormal_one():
    model, X, _ = fit(4000, sigma=0.6)
    rows = np.abs(X["log_assets"].to_numpy()) < 1.5
    mean = model.predict(X, np.ones(4000))["amount_mean"]
    np.testing.assert_allclose(mean[rows] / np.exp(X["log_assets"][rows] + 0.18), 1.0, atol=0.3)
    assert np.mean(mean / np.exp(X["log_assets"] + 0.18)) == pytest.approx(1.0, abs=0.05)
