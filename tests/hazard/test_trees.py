from __future__ import annotations

import json

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import BundleFormatError, InvalidParameterError
from clientscore.hazard import CompetingHazard
from clientscore.hazard.forest import Forest
from clientscore.hazard.trees import _folds

FAST = {"form": "trees", "max_rounds": 40, "n_bags": 2, "learning_rate": 0.1, "random_state": 0}


@pytest.fixture(scope="module")
def book():
    """Closure where a trade client answers late; default at random."""
    rng = np.random.default_rng(0)
    n = 4000
    X = pd.DataFrame({"hours": rng.exponential(10, n), "industry": rng.choice(["trade", "energy"], n)})
    X.loc[rng.random(n) < 0.1, "hours"] = np.nan
    risk = np.where((X["industry"] == "trade") & (X["hours"] > 10), 0.12, 0.02)
    closure, default = rng.random((n, 6)) < risk[:, None], rng.random((n, 6)) < 0.02
    left = closure | default
    first = np.where(left.any(axis=1), left.argmax(axis=1), 5)
    cause = np.where(closure[np.arange(n), first], 1, 2)
    return X, first + 1, np.where(left.any(axis=1), cause, 0)


@pytest.fixture(scope="module")
def model(book):
    return CompetingHazard(n_periods=6, **FAST).fit(*book)


def test_trees_find_the_risk_and_add_to_one(model, book):
    X = book[0]
    gone, there = model.predict_curves(X, [1, 3, 6])
    np.testing.assert_allclose(gone.sum(axis=2) + there, 1.0, atol=1e-12)
    risky = (X["industry"] == "trade") & (X["hours"] > 10)
    assert gone[risky, 1, 0].mean() > 3 * gone[~risky & X["hours"].notna(), 1, 0].mean()
    assert model.card_ is None
    assert model.constant_causes_ == ()


def test_one_client_is_scored_as_in_the_batch(model, book):
    rows = book[0].head(20)
    gone, there = model.predict_curves(rows, [2, 6])
    for place, values in enumerate(rows.to_dict("records")):
        one = model.predict_one(values, [2, 6])
        np.testing.assert_allclose(one.incidence, gone[place], rtol=1e-12)
        np.testing.assert_allclose(one.survival, there[place], rtol=1e-12)


def test_trees_have_no_drivers(model, book):
    with pytest.raises(InvalidParameterError, match="drivers need form='card'"):
        model.drivers(book[0].head(), "cause_1")
    with pytest.raises(InvalidParameterError, match="drivers need form='card'"):
        model.predict_one(book[0].iloc[0].to_dict(), [3], ["cause_1"])


def test_state_is_arrays_and_predicts_identically(model, book):
    state = json.loads(json.dumps(model.to_state(), default=np.ndarray.tolist))
    again = CompetingHazard.from_state(state)
    np.testing.assert_array_equal(again.predict_hazard(book[0]), model.predict_hazard(book[0]))


def test_trees_can_be_recalibrated(model, book):
    X, duration, event = book
    later = model.recalibrate(X[::2], duration[::2], event[::2], horizons=[3, 6])
    assert (later.recalibration_["done"] == "shifted").all()
    found = later.predict_incidence(X[::2], [3, 6]).mean(axis=0)
    np.testing.assert_allclose(found.T.ravel(), later.recalibration_["aalen_johansen"], rtol=1e-8)
    assert np.abs(later.predict_hazard(X.head()) - model.predict_hazard(X.head())).max() > 0


def test_a_moving_feature_moves_for_trees_too(book):
    X, duration, event = book
    X = X.assign(tenure=np.arange(len(X)) % 24.0)
    model = CompetingHazard(n_periods=6, **FAST).fit(X, duration, event, clocks={"tenure": 1.0})
    values = X.iloc[5].to_dict()
    np.testing.assert_allclose(
        model.predict_one(values, [6]).survival, model.predict_survival(X.iloc[[5]], [6])[0], rtol=1e-12
    )


def test_a_forest_reads_as_the_booster_it_came_from():
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(2000, 3)).astype(np.float32)
    matrix[::7, 1] = np.nan
    label = rng.integers(0, 3, 2000)
    params = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    booster = lgb.train(params, lgb.Dataset(matrix, label), 10)
    forest = Forest.from_text(booster.model_to_string())
    np.testing.assert_allclose(forest.raw_scores(matrix), booster.predict(matrix, raw_score=True), rtol=1e-12)


@pytest.fixture
def state():
    """Two outputs, one tree each: three leaves, and one."""
    return {
        "n_features": 2,
        "n_outputs": 2,
        "leaves": np.array([3, 1]),
        "feature": np.array([0, 1]),
        "left": np.array([1, -1]),
        "right": np.array([-3, -2]),
        "threshold": np.array([0.5, 2.0]),
        "kind": np.array([10, 8]),
        "value": np.array([1.0, 2.0, 4.0, -1.0]),
    }


def test_a_forest_by_hand(state):
    matrix = np.array([[0.0, 1.0], [0.0, 3.0], [1.0, 0.0], [np.nan, np.nan]])
    raw = Forest.from_state(state).raw_scores(matrix)
    np.testing.assert_allclose(raw[:, 0], [1, 2, 4, 2])  # missing goes left, then right
    np.testing.assert_allclose(raw[:, 1], -1)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("left", [0, -1], "below it"),  # a split that is its own child: an endless loop
        ("left", [1, -4], "below it"),
        ("right", [-3, -1], "hang below one split"),
        ("feature", [0, 2], "columns 0 to 1"),
        ("threshold", [np.nan, 0.0], "finite"),
        ("value", [1.0, np.inf, 0.0, 0.0], "finite"),
        ("kind", [1, 8], "numerical"),
        ("leaves", [2, 2, 1], "does not fit the outputs"),
        ("leaves", [4, 0], "a tree without one"),
        ("leaves", [2, 1], "leaves the trees"),
        ("left", [1], "must have 2 splits"),
        ("feature", [0.5, 1.0], "whole numbers"),
        ("value", [[1.0, 2.0, 4.0, -1.0]], "one dimension"),
        ("n_outputs", 1, "out of bounds"),
    ],
)
def test_arrays_that_are_no_trees_never_reach_the_library(state, name, values, message):
    state[name] = values if isinstance(values, int) else np.array(values)
    with pytest.raises(BundleFormatError, match=message):
        Forest.from_state(state)


def test_folds_hold_whole_clients():
    groups = np.repeat(np.arange(70), 3)
    y = np.where(groups < 21, 1, 0)
    held = _folds(groups, y, 9, np.random.default_rng(0))
    assert len(held) == 9
    for one in held:
        assert len(set(groups[one]) & set(groups[~one])) == 0
        assert y[one].sum() == 9  # three clients with an event in each fold
    np.testing.assert_array_equal(np.sum(held[:7], axis=0), 1)
