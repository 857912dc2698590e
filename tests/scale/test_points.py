from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import InvalidParameterError
from clientscore.scale import ScoreScale


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


def test_a_scale_comes_back_from_its_dict():
    scale = ScoreScale(500, 20, 40)
    assert ScoreScale.from_dict(scale.to_dict()) == scale


@pytest.mark.parametrize("setting", [{"pdo": 0}, {"base_odds": -1}, {"base_points": float("nan")}])
def test_a_scale_outside_its_rule_is_an_error(setting):
    with pytest.raises(InvalidParameterError, match=next(iter(setting))):
        ScoreScale(**setting)
