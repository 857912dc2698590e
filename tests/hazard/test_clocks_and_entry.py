"""What the panel makes of delayed entry, changing features, intervals, two clocks and cut durations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sksurv.nonparametric import kaplan_meier_estimator

from clientscore.hazard import CompetingHazard
from clientscore.metrics import aalen_johansen

FAST = {"max_rounds": 80, "n_bags": 2, "learning_rate": 0.1, "min_rows_leaf": 50, "random_state": 0}


def leave(hazard, rng):
    """First period, from 1, and whether a client left in it, from hazards (n, periods)."""
    left = rng.random(hazard.shape) < hazard
    return np.where(left.any(axis=1), left.argmax(axis=1) + 1, hazard.shape[1]), left.any(axis=1).astype(int)


@pytest.fixture(scope="module")
def constant():
    """One feature that says nothing, hazards that change with the period, two causes, censoring."""
    rng = np.random.default_rng(0)
    n = 3000
    duration, event = leave(np.tile(np.linspace(0.02, 0.08, 10), (n, 1)), rng)
    event *= rng.integers(1, 3, n)
    seen = rng.integers(4, 20, n)
    X = pd.DataFrame({"nothing": np.ones(n)})
    return X, np.minimum(duration, seen), np.where(seen < duration, 0, event)


def test_one_constant_feature_gives_the_life_table(constant):
    X, duration, event = constant
    model = CompetingHazard(n_periods=10, **FAST).fit(X, duration, event)
    curve = aalen_johansen(duration, event, horizons=range(1, 11))
    gone, there = model.predict_curves(X.head(1), range(1, 11))
    np.testing.assert_allclose(gone[0], curve[["cause_1", "cause_2"]], atol=0.006)
    np.testing.assert_allclose(gone[0, -1], curve.loc[10, ["cause_1", "cause_2"]], rtol=1e-6)
    np.testing.assert_allclose(there[0], curve["survival"], atol=0.006)


def test_delayed_entry_gives_the_curve_of_scikit_survival():
    rng = np.random.default_rng(1)
    n = 6000
    duration, event = leave(np.tile(np.linspace(0.02, 0.1, 10), (n, 1)), rng)
    entry = np.where(rng.random(n) < 0.7, rng.integers(0, 9, n), 0)
    kept = duration > entry  # who left before is never seen
    duration, event, entry = duration[kept], event[kept], entry[kept]
    X = pd.DataFrame({"nothing": np.ones(len(duration))})
    model = CompetingHazard(n_periods=10, **FAST).fit(X, duration, event, entry=entry)
    times, truth = kaplan_meier_estimator(event > 0, duration.astype(float), time_enter=entry.astype(float))
    there = model.predict_survival(X.head(1), range(1, 11))[0]
    np.testing.assert_array_equal(times, np.arange(11))
    np.testing.assert_allclose(there, truth[1:], atol=0.02)
    naive = CompetingHazard(n_periods=10, **FAST).fit(X, duration, event)
    assert naive.predict_survival(X.head(1), [10])[0, 0] > there[-1] + 0.04  # immortal time


def test_episodes_teach_what_a_changing_feature_does():
    rng = np.random.default_rng(2)
    n, periods = 4000, 8
    late = rng.random((n, periods)) < 0.3  # a payment is late in this period
    duration, event = leave(np.where(late, 0.12, 0.02), rng)
    row, period = np.nonzero(np.arange(periods) < duration[:, None])
    X = pd.DataFrame({"is_late": late[row, period].astype(float)})
    last = period + 1 == duration[row]
    model = CompetingHazard(n_periods=periods, **FAST)
    model.fit(X, period + 1, np.where(last, event[row], 0), groups=row, entry=period)
    hazard = model.predict_hazard(pd.DataFrame({"is_late": [0.0, 1.0]}))[:, :, 0].mean(axis=1)
    np.testing.assert_allclose(hazard, [0.02, 0.12], rtol=0.15)


def test_the_second_clock_runs_beside_the_first():
    rng = np.random.default_rng(3)
    n, periods = 12_000, 12
    months = rng.integers(0, 36, n)
    age = months[:, None] + np.arange(periods)
    hazard = np.where(age < 24, 0.06, 0.01)  # the risk falls two years after the start of the relationship
    duration, event = leave(hazard, rng)
    X = pd.DataFrame({"relationship_months": months.astype(float), "noise": rng.normal(size=n)})
    model = CompetingHazard(n_periods=periods, **FAST)
    model.fit(X, duration, event, clocks={"relationship_months": 1.0})
    someone = pd.DataFrame({"relationship_months": [2.0, 18.0, 30.0], "noise": 0.0})
    found = model.predict_hazard(someone)[:, :, 0]
    np.testing.assert_allclose(found[0], 0.06, rtol=0.25)
    np.testing.assert_allclose(found[1, :6].mean(), 0.06, rtol=0.2)
    np.testing.assert_allclose(found[1, 7:].mean(), 0.01, rtol=0.4)
    np.testing.assert_allclose(found[2].mean(), 0.01, rtol=0.4)
    effects = model.drivers(someone, "cause_1")["relationship_months"]
    assert effects.is_monotonic_decreasing


@pytest.fixture(scope="module")
def moving():
    rng = np.random.default_rng(4)
    X = pd.DataFrame({"tenure": rng.integers(0, 40, 3000).astype(float), "noise": rng.normal(size=3000)})
    X.loc[rng.random(3000) < 0.1, "tenure"] = np.nan
    duration, event = leave(np.full((3000, 6), 0.05), rng)
    model = CompetingHazard(n_periods=6, **FAST).fit(X, duration, event, clocks={"tenure": 1.0})
    return model, X


def test_one_client_has_the_curves_and_drivers_of_the_batch_on_two_clocks(moving):
    model, X = moving
    gone, there = model.predict_curves(X.head(25), [2, 6])
    effects = model.drivers(X.head(25), "cause_1")
    for place, values in enumerate(X.head(25).to_dict("records")):
        one = model.predict_one(values, [2, 6], ["cause_1"])
        np.testing.assert_allclose(one.incidence, gone[place], rtol=1e-12)
        np.testing.assert_allclose(one.survival, there[place], rtol=1e-12)
        found = pd.Series(one.effects, dtype=float).reindex(X.columns, fill_value=0.0)
        np.testing.assert_allclose(found, effects.iloc[place], atol=1e-13)


def test_two_clocks_are_kept_in_the_state(moving):
    model, X = moving
    again = CompetingHazard.from_state(model.to_state())
    assert again.clocks_ == {"tenure": 1.0}
    np.testing.assert_array_equal(again.predict_hazard(X), model.predict_hazard(X))


@pytest.mark.parametrize("form", ["card", "trees"])
def test_the_month_of_the_year_comes_round(form):
    rng = np.random.default_rng(8)
    X = pd.DataFrame({"as_of_month": rng.choice([1.0, 4.0, 7.0, 10.0], 12_000)})
    month = (X[["as_of_month"]].to_numpy() - 1 + np.arange(12)) % 12 + 1
    rate = np.where(np.isin(month, [1, 2, 3]), 0.06, 0.01)
    duration, event = leave(rate, rng)
    model = CompetingHazard(n_periods=12, form=form, **FAST)
    model.fit(X, duration, event, clocks={"as_of_month": 1.0})
    met = pd.DataFrame({"as_of_month": [1.0, 7.0]})
    table = model.predict_hazard(met)[:, :, 0]
    np.testing.assert_allclose(table[0, :3], 0.06, rtol=0.25)
    np.testing.assert_allclose(table[0, 3:], 0.01, rtol=0.5)
    np.testing.assert_allclose(table[1, 6:9], 0.06, rtol=0.25)
    never_met = model.predict_hazard(pd.DataFrame({"as_of_month": [12.0]}))[0, :, 0]
    np.testing.assert_allclose(never_met[1:4], 0.06, rtol=0.35)  # months 13 to 15 are January to March
    one = model.predict_one({"as_of_month": 12.0}, [12])
    whole, _ = model.predict_curves(pd.DataFrame({"as_of_month": [12.0]}), [12])
    np.testing.assert_allclose(one.incidence, whole[0])


def test_intervals_find_the_effect_and_the_level():
    rng = np.random.default_rng(5)
    n = 6000
    X = pd.DataFrame({"response": rng.normal(size=n)})
    hazard = np.tile(0.04 * np.exp(0.8 * X[["response"]].to_numpy()), (1, 12)).clip(0, 0.5)
    duration, event = leave(hazard, rng)
    high = np.ceil(duration / 3) * 3  # seen each quarter only
    low = np.where(event > 0, high - 3, np.nan)
    vague = CompetingHazard(n_periods=12, **FAST).fit(X, high, event, duration_low=low)
    exact = CompetingHazard(n_periods=12, **FAST).fit(X, duration, event)
    found, other = (one.predict_incidence(X, [1, 2, 4, 6, 12])[:, :, 0] for one in (vague, exact))
    np.testing.assert_allclose(found.mean(axis=0), other.mean(axis=0), rtol=0.06)
    assert np.abs(found - other).mean() < 0.012


def test_cut_durations_give_the_curve_of_the_population():
    rng = np.random.default_rng(6)
    n = 4000
    time, censored = rng.weibull(0.7, n), rng.exponential(2.0, n)
    X = pd.DataFrame({"nothing": np.ones(n)})
    duration, event = np.minimum(time, censored), (time < censored).astype(int)
    model = CompetingHazard(n_time_bins=12, **FAST).fit(X, duration, event)
    times = np.quantile(duration[event > 0], [0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
    curve = aalen_johansen(duration, event, horizons=times.tolist())
    gone, there = model.predict_curves(X.head(1), times)
    np.testing.assert_allclose(there[0], curve["survival"], atol=0.01)
    np.testing.assert_allclose(gone.sum(axis=2) + there, 1.0, atol=1e-12)
    again = CompetingHazard.from_state(model.to_state())
    np.testing.assert_array_equal(again.predict_survival(X.head(1), times), there)
    one = model.predict_one({"nothing": 1.0}, times)
    np.testing.assert_allclose(one.survival, there[0], rtol=1e-12)


def test_sampled_stay_rows_leave_the_curve_where_it_is(constant):
    X, duration, event = constant
    whole = CompetingHazard(n_periods=10, **FAST).fit(X, duration, event)
    sampled = CompetingHazard(n_periods=10, max_rows=5000, **FAST).fit(X, duration, event)
    assert whole.sampled_share_ == 1.0
    assert sampled.sampled_share_ < 0.35
    found, other = (one.predict_incidence(X.head(1), range(1, 11)) for one in (whole, sampled))
    np.testing.assert_allclose(found, other, atol=0.015)
