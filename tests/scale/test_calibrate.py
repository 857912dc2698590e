from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from clientscore._state import join_state, split_state
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import (
    AffineCalibration,
    BetaCalibration,
    IsotonicCalibration,
    calibrate_logistic,
    calibrate_mean,
    calibration_from_state,
    fit_calibration,
)

METHODS = ("mean", "logistic", "beta", "isotonic")


def sample(seed: int, n: int, intercept: float = 0.3, slope: float = 0.7):
    rng = np.random.default_rng(seed)
    x = rng.normal(-2, 1.5, n)
    return x, (rng.random(n) < expit(intercept + slope * x)).astype(float), rng.uniform(0.2, 2, n)


def test_mean_and_logistic_are_the_two_pure_functions():
    x, y, w = sample(0, 2000)
    assert fit_calibration("mean", x, y, w) == AffineCalibration(calibrate_mean(x, y, w))
    assert fit_calibration("logistic", x, y, w) == AffineCalibration(*calibrate_logistic(x, y, w))


def test_beta_is_the_maximum_found_by_a_general_optimizer():
    x, y, w = sample(1, 1500)
    y[x > 1] = 0  # the top end is flatter than the bottom
    found = fit_calibration("beta", x, y, w)

    def loss(figures):
        log_odds = figures[2] - figures[0] * np.logaddexp(0, -x) + figures[1] * np.logaddexp(0, x)
        return w @ (np.logaddexp(0, log_odds) - y * log_odds) / w.sum()

    bounds = [(0, None), (0, None), (None, None)]
    peer = minimize(loss, [1, 1, 0], bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9})
    assert found.b == 0  # the bound holds here
    assert loss([found.a, found.b, found.c]) <= peer.fun + 1e-10
    assert [found.a, found.c] == pytest.approx([peer.x[0], peer.x[2]], abs=1e-3)


def test_beta_finds_the_map_it_was_drawn_from():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 2, 200_000)
    truth = BetaCalibration(a=1.5, b=0.5, c=-0.4)
    found = fit_calibration("beta", x, rng.random(len(x)) < truth.pd(x))
    assert [found.a, found.b, found.c] == pytest.approx([1.5, 0.5, -0.4], abs=0.05)


def test_beta_by_hand_is_the_formula_of_its_paper():
    p = np.array([0.1, 0.5, 0.9])
    odds = np.exp(0.2) * p**2 / (1 - p) ** 0.5
    assert BetaCalibration(a=2, b=0.5, c=0.2).pd(logit(p)) == pytest.approx(odds / (1 + odds))


def test_isotonic_equals_scikit_learn_inside_the_blocks():
    x, y, w = sample(3, 3000)
    x = np.round(x, 2)  # ties
    found = fit_calibration("isotonic", x, y, w)
    peer = IsotonicRegression().fit(x, y, sample_weight=w).predict(x)
    middle = (peer > 0) & (peer < 1)
    assert middle.sum() > 1000
    assert found.pd(x)[middle] == pytest.approx(peer[middle], abs=1e-12)


def test_isotonic_stays_inside_zero_and_one_by_the_stated_bound():
    x = np.arange(30.0)
    y = np.r_[np.zeros(19), 1, 0, 0, 0, 0, np.ones(6)]  # blocks: 19 without bads, 1 of 5, 6 bads
    found = fit_calibration("isotonic", x, y)
    assert found.pd(x) == pytest.approx(np.r_[[0.5 / 20] * 19, [0.2] * 5, [1 - 0.5 / 7] * 6])
    few = np.r_[0, 1, np.zeros(49), 1]  # the block of one row may not lie above the block above it
    assert fit_calibration("isotonic", np.arange(52.0), few).pd(0.0) == pytest.approx(1 / 50)
    apart = fit_calibration("isotonic", [0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])
    assert apart.pd(np.array([-9.0, 9.0])) == pytest.approx([0.5 / 3, 1 - 0.5 / 3])


@pytest.mark.parametrize("method", METHODS)
def test_any_level_can_be_asked_for(method):
    x, y, w = sample(4, 2000)
    found = fit_calibration(method, x, y, w, rate=0.037)
    assert np.average(found.pd(x), weights=w) == pytest.approx(0.037, rel=1e-9)
    free = fit_calibration(method, x, y, w)
    shift = found.log_odds(x) - free.log_odds(x)
    assert np.ptp(shift) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_weights_count_as_rows(method):
    x, y, _ = sample(5, 400)
    times = np.random.default_rng(5).integers(0, 4, 400)
    weighted = fit_calibration(method, x, y, times)
    repeated = fit_calibration(method, np.repeat(x, times), np.repeat(y, times))
    assert weighted.log_odds(x) == pytest.approx(repeated.log_odds(x), abs=1e-6)


@given(
    st.lists(st.tuples(st.floats(-8, 8), st.booleans()), min_size=4, max_size=40),
    st.sampled_from(METHODS),
)
def test_a_calibration_never_turns_clients_around(rows, method):
    x, y = (np.array(part) for part in zip(*rows, strict=True))
    try:
        found = fit_calibration(method, x.astype(float), y)
    except DataError:
        return
    grid = np.linspace(-30, 30, 200)
    assert (np.diff(found.log_odds(grid)) >= -1e-9).all()
    assert ((found.pd(grid) > 0) & (found.pd(grid) < 1)).all() or method != "isotonic"
    assert np.isnan(found.pd(np.array([np.nan]))).all()


@pytest.mark.parametrize("method", METHODS)
def test_states_come_back_and_kinds_of_input_stay(method):
    x, y, w = sample(6, 500)
    found = fit_calibration(method, x, y, w)
    assert calibration_from_state(join_state(*split_state(found.to_state()))) == found
    assert found.is_affine == (method in ("mean", "logistic"))
    series = found.pd(pd.Series(x, index=[f"c{i}" for i in range(len(x))], name="raw"))
    assert series.index[3] == "c3"
    assert series.to_numpy() == pytest.approx(found.pd(x))
    assert isinstance(found.pd(-1.0), float)
    assert found.pd(-1.0) == pytest.approx(found.pd(np.array([-1.0]))[0])


@pytest.mark.parametrize("method", ["logistic", "beta", "isotonic"])
def test_a_score_that_points_the_wrong_way_is_refused(method):
    x, y, _ = sample(7, 2000, slope=1.5)
    with pytest.raises(DataError, match="must rise with the log-odds"):
        fit_calibration(method, -x, y)


def test_what_cannot_be_fitted_is_said():
    with pytest.raises(InvalidParameterError, match="method must be one of"):
        fit_calibration("platt", [0.0, 1.0], [0, 1])
    with pytest.raises(DataError, match="both classes"):
        fit_calibration("beta", [0.0, 1.0], [0, 0])
    with pytest.raises(DataError, match="separate"):
        fit_calibration("beta", [0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])
    with pytest.raises(DataError, match="must rise"):
        fit_calibration("isotonic", [1.0, 1.0, 1.0], [0, 1, 0])
    with pytest.raises(DataError, match="Isotonic knots"):
        IsotonicCalibration(raw=(1.0, 0.0), calibrated=(0.0, 1.0))
    with pytest.raises(InvalidParameterError, match="slope"):
        AffineCalibration(0.0, -1.0)
    with pytest.raises(InvalidParameterError, match=r"a \+ b"):
        BetaCalibration(0.0, 0.0, 1.0)
    with pytest.raises(InvalidParameterError, match="kind"):
        calibration_from_state({"kind": "spline"})
