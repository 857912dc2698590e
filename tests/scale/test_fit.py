from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from clientscore.exceptions import DataError
from clientscore.scale import calibrate_logistic, calibrate_mean


def test_logistic_calibration_equals_an_unpenalized_logistic_regression():
    rng = np.random.default_rng(1)
    x = rng.normal(-3, 2, 3000)
    y = rng.random(3000) < 1 / (1 + np.exp(-(0.4 + 0.7 * x)))
    weight = rng.random(3000) + 0.1
    intercept, slope = calibrate_logistic(x, y, weight)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, None], y, sample_weight=weight)
    assert intercept == pytest.approx(peer.intercept_[0], abs=1e-4)
    assert slope == pytest.approx(peer.coef_[0, 0], abs=1e-4)
    p = 1 / (1 + np.exp(-(intercept + slope * x)))
    assert np.average(p, weights=weight) == pytest.approx(np.average(y, weights=weight), abs=1e-10)


def test_weights_count_like_repeated_rows():
    x, y = np.array([-2.0, -1.0, 0.0, 1.0]), np.array([0, 1, 0, 1])
    times = np.array([3, 1, 2, 2])
    weighted = calibrate_logistic(x, y, times)
    assert weighted == pytest.approx(calibrate_logistic(np.repeat(x, times), np.repeat(y, times)))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-30, 30), min_size=3, max_size=20), st.floats(0.001, 0.999))
def test_mean_calibration_meets_any_rate(log_odds, rate):
    x = np.array(log_odds)
    shift = calibrate_mean(x, np.arange(len(x)) == 0, target=rate)
    assert np.mean(1 / (1 + np.exp(-(x + shift)))) == pytest.approx(rate, rel=1e-7)


def test_calibration_says_what_it_cannot_use():
    with pytest.raises(DataError, match="both classes"):
        calibrate_logistic([0.0, 1.0], [0, 0])
    with pytest.raises(DataError, match="both classes"):
        calibrate_mean([0.0, 1.0], [0, 1], [1.0, 0.0])
    with pytest.raises(DataError, match="must vary"):
        calibrate_logistic([1.0, 1.0], [0, 1])
    with pytest.raises(DataError, match="separate"):
        calibrate_logistic([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])
    with pytest.raises(DataError, match="finite log_odds"):
        calibrate_logistic([np.inf, 1.0], [0, 1])
    with pytest.raises(DataError, match="one length"):
        calibrate_mean([0.0, 1.0], [0, 1, 1])
