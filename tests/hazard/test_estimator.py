from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.hazard import CompetingHazard
from clientscore.hazard.curves import incidence
from clientscore.metrics import aalen_johansen

PERIODS = 12
CAUSES = {1: "closure", 2: "default"}
FAST = {"n_bags": 2, "learning_rate": 0.1, "min_rows_leaf": 100}


def book(n, seed):
    """Clients with known hazards of two causes, censored at random; and their true incidence curves."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=["response", "leverage", "tenure", "noise"])
    X.loc[rng.random(n) < 0.1, "leverage"] = np.nan
    leverage = X["leverage"].fillna(0.5).to_numpy()[:, None]
    response, tenure = X[["response"]].to_numpy(), X[["tenure"]].to_numpy()
    period = np.arange(PERIODS)
    closure = -4.3 + 0.7 * response + 0.4 * response * (tenure < 0) + 0.05 * period
    default = -5.0 + 0.9 * leverage - 0.02 * period
    odds = np.exp(np.stack([closure, default], axis=2))
    hazard = odds / (1 + odds.sum(axis=2, keepdims=True))
    curve, _ = incidence(hazard)
    draw = rng.random((n, PERIODS))
    edges = np.cumsum(hazard, axis=2)
    left = draw < edges[:, :, -1]
    first = np.where(left.any(axis=1), left.argmax(axis=1), PERIODS - 1)
    cause = 1 + (draw[np.arange(n), first] >= edges[np.arange(n), first, 0])
    duration, event = first + 1, np.where(left.any(axis=1), cause, 0)
    seen = rng.integers(3, 30, n)
    return X, np.minimum(duration, seen), np.where(seen < duration, 0, event), curve


@pytest.fixture(scope="module")
def train():
    return book(20_000, 1)


@pytest.fixture(scope="module")
def model(train):
    X, duration, event, _ = train
    return CompetingHazard(causes=CAUSES, max_rows=60_000, random_state=0, **FAST).fit(X, duration, event)


def test_the_level_is_that_of_the_truth_in_a_new_book(model):
    assert model.sampled_share_ < 0.5  # so that the weights are at work
    X, _, _, curve = book(20_000, 2)
    predicted = model.predict_incidence(X, [3, 6, 12])
    ratio = predicted.mean(axis=0) / curve[:, [2, 5, 11]].mean(axis=0)
    np.testing.assert_allclose(ratio[2], 1.0, atol=0.05)
    np.testing.assert_allclose(ratio, 1.0, atol=0.15)


def test_the_training_mean_is_aalen_johansen(model, train):
    X, duration, event, _ = train
    curve = aalen_johansen(duration, event, horizons=[12], causes=CAUSES)
    mean = model.predict_incidence(X, [12])[:, 0].mean(axis=0)
    np.testing.assert_allclose(mean, curve.loc[12, ["closure", "default"]], rtol=1e-5)


def test_it_finds_most_of_what_can_be_known(model):
    X, _, _, curve = book(20_000, 3)
    gone, there = model.predict_curves(X, [12])
    predicted = np.column_stack([gone[:, 0], there[:, 0]])
    truth = np.column_stack([curve[:, 11], 1 - curve[:, 11].sum(axis=1)])

    def score(p):
        return float((truth * np.log(p)).sum(axis=1).mean())

    base = score(truth.mean(axis=0))
    assert score(predicted) - base > 0.85 * (score(truth) - base)


def test_incidences_and_survival_of_the_model_add_to_one(model, train):
    X = train[0].head(1000)
    gone, there = model.predict_curves(X, [1, 3, 12])
    np.testing.assert_allclose(gone.sum(axis=2) + there, 1.0, atol=1e-12)
    hazard = model.predict_hazard(X)
    assert hazard.shape == (1000, 12, 2)
    np.testing.assert_allclose(np.cumprod(1 - hazard.sum(axis=2), axis=1)[:, [0, 2, 11]], there)
    np.testing.assert_array_equal(model.predict_incidence(X, [3]), gone[:, [1]])
    np.testing.assert_array_equal(model.predict_survival(X, [3]), there[:, [1]])


def test_rows_are_scored_alike_alone_and_in_any_order(model, train):
    X = train[0].head(200)
    whole = model.predict_incidence(X, [12])
    np.testing.assert_array_equal(model.predict_incidence(X.iloc[::-1], [12])[::-1], whole)
    np.testing.assert_array_equal(model.predict_incidence(X.iloc[[7]], [12])[0], whole[7])
    assert model.predict_incidence(X.iloc[:0], [3, 12]).shape == (0, 2, 2)


def test_drivers_name_the_feature_that_moves_the_cause(model, train):
    X = train[0].head(3000)
    effects = model.drivers(X, "default")
    assert list(effects.columns) == list(X.columns)
    spread = effects.std()
    assert spread.idxmax() == "leverage"
    known = X["leverage"].notna()
    correlation = np.corrcoef(effects.loc[known, "leverage"], X.loc[known, "leverage"])[0, 1]
    assert correlation > 0.9
    assert model.drivers(X, "closure").std().idxmax() == "response"
    both = model.drivers(X, ["closure", "default"]).std()
    assert both.min() == both["noise"]
    assert model.drivers(X.iloc[:0], "closure").shape == (0, 4)


def test_state_round_trip_predicts_identically(model, train):
    X = train[0].head(100)
    state = model.to_state()
    json.dumps(state, default=np.ndarray.tolist)  # nothing but JSON and arrays
    again = CompetingHazard.from_state(state)
    np.testing.assert_array_equal(again.predict_hazard(X), model.predict_hazard(X))
    pd.testing.assert_frame_equal(again.population_, model.population_)
    pd.testing.assert_frame_equal(again.drivers(X, "closure"), model.drivers(X, "closure"))


def test_a_rare_cause_gets_one_hazard_for_all():
    X, duration, event, _ = book(3000, 4)
    rare = np.flatnonzero(event == 0)[:9]
    event = event.astype(object)
    event[rare] = "fraud"
    event[event == 1], event[event == 2] = "closure", "default"
    model = CompetingHazard(random_state=0, max_rounds=40).fit(X, duration, event)
    assert model.causes_ == ("closure", "default", "fraud")
    assert model.constant_causes_ == ("fraud",)
    risk = model.predict_hazard(X)[:, :, 2]
    assert risk.mean() * duration.mean() == pytest.approx(9 / 3000, rel=0.3)
    assert (model.drivers(X.head(), "fraud") == 0).all(axis=None)


def test_only_rare_causes_leave_a_model_without_a_card():
    X, duration, _, _ = book(300, 5)
    event = np.where(np.arange(300) < 6, 1, 0)
    model = CompetingHazard(random_state=0).fit(X, duration, event)
    assert model.card_ is None
    assert model.causes_ == ("cause_1",)
    risk = model.predict_incidence(X, [model.reach_])[:, 0, 0]
    assert np.ptp(risk) == 0
    assert risk[0] == pytest.approx(model.population_.loc["cause_1", "aalen_johansen"])
    again = CompetingHazard.from_state(model.to_state())
    np.testing.assert_array_equal(again.predict_hazard(X), model.predict_hazard(X))


def test_one_period_is_a_plain_classification():
    X, duration, event, _ = book(4000, 6)
    gone = np.where(duration == 1, event, 0)
    model = CompetingHazard(n_periods=1, max_rounds=60, random_state=0).fit(X, duration, gone)
    assert model.predict_hazard(X).shape == (4000, 1, 2)
    assert model.predict_incidence(X, [1])[:, 0, 0].mean() == pytest.approx((gone == 1).mean(), rel=1e-4)


def test_later_events_count_as_censored_at_the_last_period():
    X, duration, event, _ = book(3000, 7)
    short = CompetingHazard(n_periods=3, max_rounds=30, random_state=0).fit(X, duration, event)
    cut = np.where(duration > 3, 0, event)
    same = CompetingHazard(n_periods=3, max_rounds=30, random_state=0).fit(X, np.minimum(duration, 3), cut)
    np.testing.assert_array_equal(short.predict_hazard(X), same.predict_hazard(X))


def test_it_is_a_scikit_learn_estimator():
    model = CompetingHazard(n_periods=4, random_state=3)
    assert clone(model).get_params() == model.get_params()


def test_bad_durations_are_all_named():
    X, duration, event, _ = book(50, 8)
    broken = duration.astype(float)
    broken[:4] = [0.0, -1.0, np.nan, 1.5]
    with pytest.raises(DataError, match=r"(?s)1 missing.*1 not whole.*2 zero or negative"):
        CompetingHazard().fit(X, broken, event)
    with pytest.raises(DataError, match="got text"):
        CompetingHazard().fit(X, ["soon"] * 50, event)


def test_bad_events_and_settings_are_named():
    X, duration, event, _ = book(200, 9)
    with pytest.raises(DataError, match="all rows are censored"):
        CompetingHazard().fit(X, duration, np.zeros(200))
    with pytest.raises(DataError, match=r"none of \['merger'\]"):
        CompetingHazard(causes=["merger", "closure"]).fit(X, duration, np.where(event > 0, "closure", None))
    with pytest.raises(DataError, match="'closure' is not among the causes"):
        CompetingHazard(causes=["closures"]).fit(X, duration, np.where(event > 0, "closure", None))
    with pytest.raises(DataError, match="as many rows"):
        CompetingHazard().fit(X, duration[:-1], event)
    with pytest.raises(DataError, match="groups must have 200 values"):
        CompetingHazard().fit(X, duration, event, groups=[1])
    with pytest.raises(DataError, match="DataFrame"):
        CompetingHazard().fit(X.to_numpy(), duration, event)
    with pytest.raises(InvalidParameterError, match="'period'"):
        CompetingHazard().fit(X.rename(columns={"noise": "period"}), duration, event)
    with pytest.raises(InvalidParameterError, match="n_periods"):
        CompetingHazard(n_periods=0).fit(X, duration, event)


def test_horizons_and_columns_are_checked(model, train):
    X = train[0].head()
    with pytest.raises(InvalidParameterError, match="from 1 to 12, as far as this model reaches"):
        model.predict_incidence(X, [13])
    with pytest.raises(InvalidParameterError, match="whole periods"):
        model.predict_survival(X, [1.5])
    with pytest.raises(InvalidParameterError, match="Did you mean 'closure'"):
        model.drivers(X, "closures")
    with pytest.raises(MissingColumnError, match="leverage"):
        model.predict_hazard(X.drop(columns="leverage"))


def test_horizons_end_where_the_follow_up_ends():
    X, duration, event, _ = book(1000, 10)
    seen = duration <= 5
    short = CompetingHazard(n_periods=12, max_rounds=20, random_state=0)
    short.fit(X[seen], duration[seen], event[seen])
    assert short.reach_ == 5
    with pytest.raises(InvalidParameterError, match="longest duration seen 5"):
        short.predict_incidence(X, [6])


@pytest.mark.parametrize("setting", [{}, {"min_events": 10**6}, {"n_periods": 1}])
def test_one_client_has_the_curves_and_drivers_of_the_batch(train, model, setting):
    X, duration, event, _ = train
    if setting:
        some = slice(0, 4000)
        parameters = {"causes": CAUSES, "max_rounds": 20, "random_state": 0, **setting}
        model = CompetingHazard(**parameters).fit(X[some], duration[some], event[some])
    rows = X.iloc[-40:]
    horizons = sorted({1, model.reach_})
    gone, there = model.predict_curves(rows, horizons)
    names = list(model.causes_)
    effects = model.drivers(rows, names)
    for place, values in enumerate(rows.to_dict("records")):
        one = model.predict_one({**values, "extra": "?"}, horizons, names)
        np.testing.assert_allclose(one.incidence, gone[place], rtol=1e-12)
        np.testing.assert_allclose(one.survival, there[place], rtol=1e-12)
        found = pd.Series(one.effects, dtype=float).reindex(X.columns, fill_value=0.0)
        np.testing.assert_allclose(found, effects.iloc[place], rtol=1e-12, atol=1e-14)
        assert model.predict_one(values, horizons).effects == {}


def test_one_client_needs_every_feature_and_a_known_cause(model):
    values = {"response": 0.0, "leverage": None, "tenure": 1.0, "noise": 0.0}
    with pytest.raises(MissingColumnError, match=r"'leverage' is missing\. Did you mean 'levrage'"):
        model.predict_one({"response": 0.0, "levrage": 0.0, "tenure": 1.0, "noise": 0.0}, [3])
    with pytest.raises(InvalidParameterError, match="cause must be among"):
        model.predict_one(values, [3], ["closer"])
    with pytest.raises(InvalidParameterError, match="horizons must be whole periods from 1 to 12"):
        model.predict_one(values, [13])
