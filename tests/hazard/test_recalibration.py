from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from clientscore.hazard import CompetingHazard
from clientscore.metrics import aalen_johansen

CAUSES = ("closure", "default")


def book(n, seed, level=0.0):
    """Clients whose hazard of closure has moved by `level`, the more the later the period."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["response", "leverage"])
    period = np.arange(9)
    closure = -4 + 0.8 * X[["response"]].to_numpy() + level * (1 + period / 9)
    odds = np.exp(np.stack([closure, -4 + 0.8 * X[["leverage"]].to_numpy() + 0 * period], axis=2))
    edges = np.cumsum(odds / (1 + odds.sum(axis=2, keepdims=True)), axis=2)
    draw = rng.random((n, 9))
    left = draw < edges[:, :, 1]
    first = np.where(left.any(axis=1), left.argmax(axis=1), 8)
    cause = 1 + (draw[np.arange(n), first] >= edges[np.arange(n), first, 0])
    return X, first + 1, np.where(left.any(axis=1), cause, 0)


@pytest.fixture(scope="module")
def model():
    settings = {"max_rounds": 60, "n_bags": 2, "learning_rate": 0.1, "random_state": 0}
    return CompetingHazard(n_periods=9, causes=dict(enumerate(CAUSES, 1)), **settings).fit(*book(4000, 0))


@pytest.fixture(scope="module")
def window():
    return book(4000, 1, level=-0.5)


def test_means_of_the_window_are_aalen_johansen_at_every_horizon(model, window):
    X, duration, event = window
    later = model.recalibrate(X, duration, event, horizons=[3, 6, 9])
    truth = aalen_johansen(duration, event, horizons=[3, 6, 9], causes=dict(enumerate(CAUSES, 1)))
    np.testing.assert_allclose(
        later.predict_incidence(X, [3, 6, 9]).mean(axis=0), truth[list(CAUSES)], rtol=1e-8
    )
    record = later.recalibration_.set_index(["cause", "horizon"])
    np.testing.assert_allclose(record["aalen_johansen"].unstack("cause"), truth[list(CAUSES)])
    np.testing.assert_allclose(
        record["before"].unstack("cause"), model.predict_incidence(X, [3, 6, 9]).mean(axis=0)
    )
    assert (record["done"] == "shifted").all()
    shift = record["shift"].unstack("cause")
    assert (shift["closure"] < -0.4).all()
    assert shift.loc[9, "closure"] < shift.loc[3, "closure"]  # planted: the later, the more
    assert (shift["default"].abs() < 0.25).all()


def test_it_is_a_copy_whose_curves_still_rise_and_add_to_one(model, window):
    before = model.predict_hazard(window[0].head(50))
    later = model.recalibrate(*window, horizons=[4, 9])
    np.testing.assert_array_equal(model.predict_hazard(window[0].head(50)), before)
    assert model.recalibration_ is None
    gone, there = later.predict_curves(window[0], range(1, 10))
    np.testing.assert_allclose(gone.sum(axis=2) + there, 1.0, atol=1e-12)
    assert (np.diff(gone, axis=1) >= 0).all()


def test_it_is_kept_in_the_state(model, window):
    later = model.recalibrate(*window)
    state = later.to_state()
    json.dumps(state, default=np.ndarray.tolist)
    again = CompetingHazard.from_state(state)
    np.testing.assert_array_equal(again.predict_hazard(window[0]), later.predict_hazard(window[0]))
    pd.testing.assert_frame_equal(again.recalibration_, later.recalibration_)


def test_a_cause_with_few_events_keeps_its_hazards_and_says_so(model, window):
    X, duration, event = window
    rare = np.where((event == 2) & (np.cumsum(event == 2) > 10), 0, event)
    later = model.recalibrate(X, duration, rare, horizons=[3, 9])
    record = later.recalibration_.set_index("cause")
    assert record.loc["default", "done"].tolist() == ["unchanged: too few events"] * 2
    assert record.loc["default", "shift"].tolist() == [0, 0]
    odds = [one.predict_hazard(X.head(20)) for one in (model, later)]
    ratio = [h[:, :, 1] / (1 - h.sum(axis=2)) for h in odds]
    np.testing.assert_allclose(ratio[0], ratio[1], rtol=1e-12)


def test_horizons_with_few_events_are_joined(model, window):
    X, duration, event = window
    early = (duration <= 3) & (event == 1)
    thin = np.where(early & (np.cumsum(early) > 5), 0, event)
    record = model.recalibrate(X, duration, thin, horizons=[3, 6, 9]).recalibration_
    closure = record[record["cause"] == "closure"]
    assert closure["done"].tolist() == ["joined with the next", "shifted", "shifted"]
    assert closure["shift"].iloc[0] == closure["shift"].iloc[1]


def test_a_shorter_window_moves_the_periods_after_it_too(model, window):
    X, duration, event = window
    seen = np.minimum(duration, 5)
    later = model.recalibrate(X, seen, np.where(duration > 5, 0, event))
    before, after = (one.predict_hazard(X.head(5)) for one in (model, later))
    shift = [np.log(h[:, :, 0] / (1 - h.sum(axis=2))) for h in (before, after)]
    moved = (shift[1] - shift[0])[0]
    np.testing.assert_allclose(moved[5:], moved[4])
    assert later.recalibration_["horizon"].max() == 5


def test_with_delayed_entry_expected_events_are_those_that_happened(model, window):
    X, duration, event = window
    rng = np.random.default_rng(2)
    entry = np.minimum(rng.integers(0, 3, len(X)), duration - 1)
    later = model.recalibrate(X, duration, event, horizons=[9], entry=entry)
    period = np.arange(1, 10)
    there = (period > entry[:, None]) & (period <= duration[:, None])
    expected = (later.predict_hazard(X) * there[:, :, None]).sum(axis=(0, 1))
    np.testing.assert_allclose(expected, np.bincount(event)[1:], rtol=1e-6)


def test_cut_durations_agree_at_the_end_of_the_bin(window):
    X, duration, event = window
    rng = np.random.default_rng(3)
    exact = duration - rng.random(len(X)) * (event > 0)
    settings = {"max_rounds": 40, "n_bags": 2, "learning_rate": 0.1, "random_state": 0}
    model = CompetingHazard(n_time_bins=9, **settings).fit(*book(4000, 0))
    later = model.recalibrate(X, exact, event, horizons=[4.0, 8.5])
    horizons = later.recalibration_["horizon"].unique()
    truth = aalen_johansen(exact, event, horizons=horizons.tolist())
    found = later.predict_incidence(X, horizons).mean(axis=0)
    np.testing.assert_allclose(found, truth[["cause_1", "cause_2"]], rtol=1e-8)
