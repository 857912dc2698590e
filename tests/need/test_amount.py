from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clientscore.exceptions import DataError
from clientscore.need.amount import AmountModel, AmountSettings
from clientscore.need.conformal import Window
from clientscore.need.smearing import moments_by_group, smearing_factors

SETTINGS = AmountSettings(coverage=0.9)


def book(n, seed=0, sigma=0.5):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"log_assets": rng.normal(size=n)})
    return X, np.exp(X["log_assets"].to_numpy() + sigma * rng.normal(size=n))


def fit(n, seed=0, sigma=0.5):
    X, amount = book(n, seed, sigma)
    return AmountModel.fit(X, amount, np.arange(n), SETTINGS), X, amount


def test_few_amounts_fall_back_to_normal_theory():
    model, X, amount = fit(12)
    assert (model.groups["method"] == "normal").all()
    assert model.groups["pooled"].all()
    assert (model.groups["rows_used"] == 12).all()
    table = model.amounts(X.head(2), np.array([0.2, 1.0]))
    logs = np.log(amount)
    half = stats.t.ppf(0.95, 11) * logs.std(ddof=1) * np.sqrt(1 + 1 / 12)
    np.testing.assert_allclose(table["amount_upper"], np.exp(logs.mean() + half), rtol=0.02)
    np.testing.assert_allclose(table["amount_lower"], np.exp(logs.mean() - half), rtol=0.02)
    assert table["mixture_median"][0] == 0
    assert table["mixture_median"][1] == pytest.approx(table["amount_median"][1])


def test_two_amounts_are_too_few():
    with pytest.raises(DataError, match="at least 3 needs; got 2"):
        fit(2)


def test_equal_amounts_give_a_point():
    X = pd.DataFrame({"log_assets": np.arange(100.0)})
    model = AmountModel.fit(X, np.full(100, 7.0), np.arange(100), SETTINGS)
    table = model.amounts(X.head(3), np.full(3, 0.5))
    np.testing.assert_allclose(table["amount_mean"], 7.0)
    np.testing.assert_allclose(table["amount_lower"], 7.0, rtol=1e-4)


def test_smearing_keeps_the_total_of_every_group():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [400, 400, 10])
    fitted = rng.normal(size=810)
    amount = np.exp(fitted + np.array([0.1, 0.8, 0.5])[group] * rng.normal(size=810))
    factor = smearing_factors(amount, np.exp(fitted), group)
    total = pd.Series(np.exp(fitted) * factor[group]).groupby(group).sum()
    np.testing.assert_allclose(total[:2], pd.Series(amount).groupby(group).sum()[:2])
    assert factor[2] == pytest.approx(amount.sum() / np.exp(fitted).sum())  # ten rows: that of all
    assert factor[1] == pytest.approx(np.exp(0.8**2 / 2), rel=0.15)


def test_moments_are_those_of_the_amounts_by_third():
    ratio = np.concatenate([np.tile([0.5, 1.5], 20), np.full(40, 1.0), [3.0]])
    table = moments_by_group(ratio, np.repeat([0, 1, 2], [40, 40, 1]))
    np.testing.assert_allclose(table[0], [1.25, 1.75])
    np.testing.assert_allclose(table[1], [1.0, 1.0])
    np.testing.assert_allclose(table[2], [np.mean(ratio**2), np.mean(ratio**3)])


def test_the_mean_is_near_the_lognormal_one():
    model, X, _ = fit(4000, sigma=0.6)
    rows = np.abs(X["log_assets"].to_numpy()) < 1.5
    mean = model.amounts(X, np.ones(4000))["amount_mean"]
    np.testing.assert_allclose(mean[rows] / np.exp(X["log_assets"][rows] + 0.18), 1.0, atol=0.3)
    assert np.mean(mean / np.exp(X["log_assets"] + 0.18)) == pytest.approx(1.0, abs=0.05)
    first, second, third = model.moments(X)
    np.testing.assert_allclose(first, mean)
    assert second.mean() == pytest.approx(np.exp(0.6**2), rel=0.15)
    assert third.mean() == pytest.approx(np.exp(3 * 0.6**2), rel=0.4)


def test_quantiles_and_positions_undo_each_other():
    model, X, amount = fit(600)
    levels = np.array([0.05, 0.4, 0.9])
    table = model.quantile_amounts(X, levels)
    assert (np.diff(table, axis=1) > 0).all()
    for k, level in enumerate(levels):
        np.testing.assert_allclose(model.positions(X, table[:, k]), level, atol=0.006)  # ties share a level
    spread = model.positions(X, amount)
    assert stats.kstest(spread, "uniform").statistic < 0.06
    asked = model.amounts(X, np.ones(600), coverage=0.5)
    ends = model.quantile_amounts(X, np.array([0.25, 0.75]))
    np.testing.assert_allclose(asked["amount_lower"], ends[:, 0])
    np.testing.assert_allclose(asked["amount_upper"], ends[:, 1])


def test_calibration_is_purged_where_enough_windows_had_closed():
    X, amount = book(6000)
    dates = pd.date_range("2018-01-01", periods=6, freq="YS")
    X.index = pd.MultiIndex.from_arrays(
        [np.arange(6000), np.repeat(dates, 1000)], names=["client_id", "as_of"]
    )
    drift = np.repeat(np.arange(6) * 0.2, 1000)  # each year's amounts are larger
    settings = SETTINGS._replace(window=Window(12, 1, "month"))
    model = AmountModel.fit(X, amount * np.exp(drift), np.arange(6000), settings)
    assert (
        "1000 amounts from 2023-01-01 on, by a card of 4000 amounts whose windows had closed"
        in model.evidence
    )
    early = AmountModel.fit(X, amount * np.exp(drift), np.arange(6000), SETTINGS)
    assert "by bags that held its client out" in early.evidence
    # the years between are in the calibrated errors: the next year's amounts lie higher still
    assert model.quantiles[:, 99].mean() > early.quantiles[:, 99].mean() + 0.15
    few = AmountModel.fit(X[:1500], amount[:1500], np.arange(1500), settings)
    assert "held its client out" in few.evidence
