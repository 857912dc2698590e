from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import MasterScale, ScoreScale, calibrate_logistic, calibrate_mean


def test_twenty_points_double_the_odds():
    scale = ScoreScale()
    points = [scale.points_from_log_odds(-np.log(odds)) for odds in (25, 50, 100)]
    assert points == pytest.approx([580, 600, 620])


@settings(deadline=None, max_examples=30)
@given(st.floats(-12, 12), st.floats(1, 100), st.floats(5, 80))
def test_points_and_log_odds_are_inverse(log_odds, base_odds, pdo):
    scale = ScoreScale(base_odds=base_odds, pdo=pdo)
    points = scale.points_from_log_odds(log_odds)
    assert scale.log_odds_from_points(points) == pytest.approx(log_odds, abs=1e-9)
    assert scale.pd_from_points(points) == pytest.approx(1 / (1 + np.exp(-log_odds)), rel=1e-9)
    assert scale.points_from_pd(scale.pd_from_points(points)) == pytest.approx(points, abs=1e-6)


def test_points_keep_the_index_of_a_series():
    log_odds = pd.Series([-3.0, -4.0], index=["a", "b"])
    points = ScoreScale().points_from_log_odds(log_odds)
    assert points.index.tolist() == ["a", "b"]
    assert points["b"] > points["a"]


def test_scales_come_back_from_their_dicts():
    scale, master = ScoreScale(500, 20, 40), MasterScale(pd_floor=0.0003)
    assert ScoreScale.from_dict(scale.to_dict()) == scale
    assert MasterScale.from_dict(master.to_dict()) == master


@pytest.mark.parametrize("setting", [{"pdo": 0}, {"base_odds": -1}, {"base_points": float("nan")}])
def test_a_scale_outside_its_rule_is_an_error(setting):
    with pytest.raises(InvalidParameterError, match=next(iter(setting))):
        ScoreScale(**setting)


def test_grades_hold_their_upper_bound():
    grades = MasterScale().grade(pd.Series([0.0, 0.001, 0.0011, 0.128, 0.2, 1.0, np.nan]))
    assert grades[:6].tolist() == ["R1", "R1", "R2", "R8", "R9", "R9"]
    assert grades.isna().tolist() == [False] * 6 + [True]


def test_a_client_in_default_has_a_grade_of_its_own():
    assert MasterScale().grade([0.01, 0.01], defaulted=[False, True]).tolist() == ["R5", "D"]


def test_the_grade_frame_covers_zero_to_one_without_gaps():
    frame = MasterScale().frame()
    performing = frame[frame["grade"] != "D"]
    assert performing["pd_above"].tolist()[1:] == performing["pd_up_to"].tolist()[:-1]
    assert (performing["pd_above"].iloc[0], performing["pd_up_to"].iloc[-1]) == (0, 1)


def test_no_grades_for_no_clients():
    assert MasterScale().grade(pd.Series([], dtype=float)).empty


def test_every_fault_of_a_master_scale_is_listed():
    with pytest.raises(InvalidParameterError) as caught:
        MasterScale(grades=("A", "D"), bounds=(0.5, 0.1))
    assert len(caught.value.faults) == 4
    with pytest.raises(DataError, match=r"must lie in \[0, 1\]; 1 of 2"):
        MasterScale().grade([0.5, 1.5])


def test_the_floor_lifts_small_probabilities_only():
    floored = MasterScale().floored(pd.Series([0.0001, 0.01, np.nan]))
    assert floored[:2].tolist() == [0.0005, 0.01]
    assert floored.isna()[2]
    assert MasterScale().floored(0.0) == 0.0005


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
