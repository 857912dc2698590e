from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_tweedie_deviance

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import capture_in_top, total_ratio, tweedie_deviance


@pytest.mark.parametrize("power", [1.1, 1.5, 1.9])
def test_tweedie_deviance_is_scikit_learns(power):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(200) < 0.6, 0.0, rng.lognormal(size=200))
    mean, weight = rng.lognormal(size=200), rng.random(200)
    expected = mean_tweedie_deviance(y, mean, power=power, sample_weight=weight)
    assert tweedie_deviance(y, mean, power, weight) == pytest.approx(expected)


def test_capture_by_hand_and_at_its_ends():
    amount = np.array([6.0, 0.0, 2.0, 0.0, 2.0])
    score = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    assert capture_in_top(amount, score, 0.2) == pytest.approx(0.6)
    assert capture_in_top(amount, score, 0.6) == pytest.approx(0.8)
    assert capture_in_top(amount, score, 1.0) == pytest.approx(1.0)
    assert capture_in_top(amount, np.ones(5), 0.3) == pytest.approx(0.3)  # no information
    assert capture_in_top(amount, score, 0.5, weight=[1, 1, 0, 1, 0]) == pytest.approx(1.0)
    assert np.isnan(capture_in_top(np.zeros(3), [1, 2, 3]))


def test_the_total():
    assert total_ratio([1.0, 3.0], [2.0, 4.0], weight=[1.0, 3.0]) == pytest.approx(1.4)
    assert np.isnan(total_ratio([0.0], [2.0]))


def test_bad_input_is_named():
    with pytest.raises(DataError, match="predicted must be greater than 0; got 0"):
        tweedie_deviance([1.0], [0.0])
    with pytest.raises(DataError, match="y must be at least 0; got -2"):
        tweedie_deviance([-2.0], [1.0])
    with pytest.raises(InvalidParameterError, match="power"):
        tweedie_deviance([1.0], [1.0], power=2.0)
    with pytest.raises(InvalidParameterError, match="share"):
        capture_in_top([1.0], [1.0], share=0.0)
    with pytest.raises(DataError, match="amount must be at least 0"):
        capture_in_top([-1.0], [1.0])
