from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clientscore.need import FinancingNeedForecaster, NeedPortfolio
from clientscore.need.conformal import Window
from clientscore.need.portfolio import (
    Calendar,
    Sums,
    Surprise,
    _independent_dates,
    _surprise,
    amount_sums,
    learn_calendar,
    need_sums,
    total_quantiles,
)

NONE = Surprise(0.0, 3.0)


def test_cumulants_are_those_of_simulated_sums():
    rng = np.random.default_rng(0)
    chance, mean, sigma = np.array([0.1, 0.5, 0.9]), np.array([2.0, 1.0, 0.3]), 0.5
    second, third = np.full(3, np.exp(sigma**2)), np.full(3, np.exp(3 * sigma**2))
    drawn = rng.random((400_000, 3)) < chance
    amount = mean * np.exp(sigma * rng.normal(size=(400_000, 3)) - sigma**2 / 2)
    for sums, total in (
        (need_sums(chance), drawn.sum(axis=1)),
        (amount_sums(chance, mean, second, third), (drawn * amount).sum(axis=1)),
    ):
        assert sums.mean == pytest.approx(total.mean(), rel=0.01)
        assert sums.variance == pytest.approx(total.var(), rel=0.02)
        assert sums.third == pytest.approx(((total - total.mean()) ** 3).mean(), rel=0.15, abs=0.02)


def test_quantiles_are_those_of_a_simulated_book():
    rng = np.random.default_rng(1)
    n, draws, sigma, shock = 300, 10_000, 0.9, 0.2
    chance, mean = rng.uniform(0.02, 0.3, n), rng.lognormal(0, 1, n)
    total = np.empty(draws)
    for k in range(draws):
        hit = np.flatnonzero(rng.random(n) < chance)
        total[k] = (mean[hit] * np.exp(sigma * rng.normal(size=len(hit)) - sigma**2 / 2)).sum()
    sums = amount_sums(chance, mean, np.full(n, np.exp(sigma**2)), np.full(n, np.exp(3 * sigma**2)))
    levels = (0.05, 0.5, 0.95)
    np.testing.assert_allclose(total_quantiles(sums, NONE, levels), np.quantile(total, levels), rtol=0.08)
    shocked = total * np.exp(shock * stats.t.rvs(5, size=draws, random_state=2))
    asked = total_quantiles(sums, Surprise(shock, 5.0), levels)
    np.testing.assert_allclose(asked, np.quantile(shocked, levels), rtol=0.08)


def test_a_sum_without_variance_is_a_point_and_one_of_nothing_is_zero():
    np.testing.assert_allclose(total_quantiles(Sums(5.0, 0.0, 0.0), NONE, (0.05, 0.95)), 5.0)
    assert total_quantiles(Sums(0.0, 0.0, 0.0), NONE, (0.05, 0.95)) == [0.0, 0.0]


def test_the_surprise_by_hand():
    own = Sums(100.0, 25.0, 0.0)  # independent clients: variance of the log .0025
    pairs = [(own, 100.0 * np.exp(0.3)), (own, 100.0 * np.exp(-0.3))]
    surprise = _surprise(pairs, 2.0)
    assert surprise.dispersion == pytest.approx(np.sqrt((0.15**2 + 2 * (0.09 - 0.0025)) / 2 * (4 / 3)))
    assert surprise.degrees == 3.0
    assert _surprise([], 0.0) == Surprise(pytest.approx(0.15 * np.sqrt(2)), 3.0)
    steady = _surprise([(own, 100.0)] * 9, 9.0)
    assert steady.dispersion == pytest.approx(np.sqrt(0.15**2 / 9 * 1.1))
    assert steady.degrees == 9.0


def test_overlapping_windows_count_for_less():
    apart = pd.DatetimeIndex(["2020-01-01", "2021-01-01", "2022-01-01"])
    assert _independent_dates(apart, Window(12, 1, "month")) == pytest.approx(3.0)
    half = pd.DatetimeIndex(["2020-01-01", "2020-07-01"])
    assert _independent_dates(half, Window(12, 1, "month")) == pytest.approx(4 / 2.5)
    assert _independent_dates(half, Window(2, 1, "quarter")) == pytest.approx(2.0)


def test_only_dates_whose_windows_have_closed_are_compared():
    dates = pd.DatetimeIndex(["2020-01-01"] * 3 + ["2021-01-01"] * 3 + ["2022-01-01"] * 3)
    target = pd.DataFrame(
        {
            "duration": [3, 12, 12, 5, 7, 12, 4, 6, 12],
            "event": ["need", None, "exit", "need", None, None, "need", "need", None],
            "amount": [8.0, None, None, 4.0, None, None, 4.0, None, None],
        }
    )
    law = tuple(np.full(9, value) for value in (0.5, 10.0, 1.2, 1.6))
    drawn = target["event"].eq("need").to_numpy()
    calendar = learn_calendar(dates, target, drawn, law, Window(12, 1, "month"))
    assert list(calendar.dates.index) == [pd.Timestamp("2020-01-01")]  # then one cut off, one amount unknown
    assert calendar.dates.iloc[0].tolist() == [3.0, 1.5, 1.0, 15.0, 8.0]
    empty = learn_calendar(None, target, drawn, (), Window(12, 1, "month"))
    assert empty.amount == _surprise([], 0.0)
    again = Calendar.from_state(calendar.to_state())
    pd.testing.assert_frame_equal(again.dates, calendar.dates, check_index_type=False)
    assert again.amount == calendar.amount


def years(n_years, n_clients, shock, seed):
    """Clients a year: need of a fifth, lognormal amounts, one surprise a year common to all amounts."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2000-01-01", periods=n_years, freq="YS")
    index = pd.MultiIndex.from_product([dates, range(n_clients)], names=["as_of", "client_id"])
    size = rng.normal(10, 1, len(index))
    need = rng.random(len(index)) < 1 / (1 + np.exp(1.6 - 0.5 * (size - 10)))
    surprise = np.repeat(shock * rng.normal(size=n_years), n_clients)
    amount = np.exp(size - 3 + surprise + 0.5 * rng.normal(size=len(index)))
    target = pd.DataFrame(
        {"duration": 1, "event": np.where(need, "need", None), "amount": np.where(need, amount, np.nan)},
        index=index,
    )
    return pd.DataFrame({"log_assets": size, "roa": rng.normal(size=len(index))}, index=index), target


def forecaster(seed):
    X, target = years(10, 400, 0.25, seed)
    settings = {"period": "year", "lead_periods": 0, "max_rounds": 60, "random_state": 0}
    return FinancingNeedForecaster(horizons=(1,), **settings).fit(X, target)


@pytest.fixture(scope="module")
def trained():
    return forecaster(5)


def held(model, X, target, coverage):
    """Share of the years of X whose total lies inside the interval."""
    inside = []
    for date in X.index.levels[0]:
        row = model.portfolio(X.loc[[date]], coverage=coverage).frame().loc["all"]
        inside.append(row["amount_lower"] <= target.loc[[date], "amount"].sum() <= row["amount_upper"])
    return np.mean(inside)


def test_the_interval_of_the_total_holds_in_later_years_about_as_often_as_said(trained):
    X, target = years(25, 400, 0.25, 6)
    models = [trained, *(forecaster(seed) for seed in range(100, 104))]
    shares = [held(model, X, target, 0.85) for model in models]
    assert np.mean(shares) == pytest.approx(0.85, abs=0.07)
    part = X.loc[[X.index.levels[0][0]]]
    chance = trained.predict(part)["need_probability_1y"].to_numpy()
    alone = amount_sums(chance, *trained.amount_.moments(part))
    assert np.sqrt(alone.variance) < 0.2 * alone.mean  # clients alone would promise far too much
    assert np.mean([model.calendar_.amount.dispersion for model in models]) == pytest.approx(0.25, abs=0.06)


def test_groups_add_up_and_the_number_of_needs_is_held(trained):
    X, target = years(40, 400, 0.25, 7)
    inside = []
    for date in X.index.levels[0]:
        row = trained.portfolio(X.loc[[date]]).frame().loc["all"]
        inside.append(row["needs_lower"] <= target.loc[[date], "event"].notna().sum() <= row["needs_upper"])
    assert np.mean(inside) >= 0.85
    part = X.loc[[date]]
    by = np.where(part["log_assets"] > 10, "large", None)
    answer = trained.portfolio(part, by)
    table = answer.frame()
    assert list(table.index) == ["all", "large", "missing"]
    for name in ("clients", "needs_expected", "amount_expected"):
        assert table[name].iloc[1:].sum() == pytest.approx(table.loc["all", name])
    width = (table["amount_upper"] - table["amount_lower"]) / table["amount_expected"]
    assert width["all"] < width["missing"]  # a larger sum is steadier
    expected = trained.predict(part)["amount_expected"].sum()
    assert table.loc["all", "amount_expected"] == pytest.approx(expected)
    assert isinstance(answer, NeedPortfolio)
    assert answer.to_dict()["groups"]["all"]["clients"] == 400
    assert "from 10 training dates" in repr(answer)
    assert "<table" in answer._repr_html_()
