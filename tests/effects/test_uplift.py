from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.effects import compute_targeting_curve, plot_targeting_curve, qini
from clientscore.exceptions import DataError, OverlapError


def test_by_hand():
    # by effect: (t 1, y 1), (t 0, y 0), (t 1, y 0), (t 0, y 0); gains 1/2 x 1, 3/4 x 1/2, 1 x 1/2
    found = qini([4, 3, 2, 1], [1, 0, 1, 0], [1, 0, 0, 0], n_bootstrap=0)
    assert found.auuc == pytest.approx((0.5 / 2) / 2 + (0.5 + 0.375) / 2 / 4 + (0.375 + 0.5) / 2 / 4)
    assert found.qini == pytest.approx(found.auuc - 0.25)
    assert found.average_effect == 0.5


def slow_qini(effect, t, y):
    """The definition, share by share."""
    shares, gains = [0.0], [0.0]
    for cut in np.unique(effect)[::-1]:
        top = effect >= cut
        if t[top].min() < t[top].max():
            shares.append(top.mean())
            gains.append(top.mean() * (y[top & (t == 1)].mean() - y[top & (t == 0)].mean()))
    area = sum((gains[i] + gains[i - 1]) / 2 * (shares[i] - shares[i - 1]) for i in range(1, len(gains)))
    return area - gains[-1] / 2


@given(st.integers(0, 10_000), st.integers(2, 50))
@settings(max_examples=30, deadline=None)
def test_it_is_the_definition_ties_included(seed, n_levels):
    rng = np.random.default_rng(seed)
    effect, t, y = rng.integers(0, n_levels, 120), rng.integers(0, 2, 120), rng.normal(size=120)
    found = qini(effect, t, y, n_bootstrap=0)
    assert found.qini == pytest.approx(slow_qini(effect.astype(float), t, y))
    # neither an order-preserving change of the scores, nor a constant added to the outcome matters
    assert qini(np.exp(effect / 10), t, y + 5, n_bootstrap=0).qini == pytest.approx(found.qini)


def test_one_score_for_all_is_a_random_order():
    t, y = np.tile([0, 1], 50), np.random.default_rng(0).normal(size=100)
    assert qini(np.zeros(100), t, y, n_bootstrap=0).qini == pytest.approx(0.0)


def test_turning_the_ranking_turns_the_sign_on_average():
    rng = np.random.default_rng(1)
    x, t = rng.uniform(-1, 1, 20_000), rng.integers(0, 2, 20_000)
    y = t * x + 0.1 * rng.normal(size=20_000)
    # gain of the first share p is p (1 - p), area 1/6; that of the turned ranking -1/6
    assert qini(x, t, y, n_bootstrap=0).qini == pytest.approx(1 / 6, abs=0.01)
    assert qini(-x, t, y, n_bootstrap=0).qini == pytest.approx(-1 / 6, abs=0.01)


def test_probabilities_undo_a_log_that_chose():
    rng = np.random.default_rng(2)
    x, z = rng.uniform(-1, 1, 40_000), rng.normal(size=40_000)
    chance = np.where(z > 0, 0.8, 0.2)
    t = (rng.random(40_000) < chance).astype(int)
    y = t * x + z
    assert qini(x, t, y, propensity=chance, n_bootstrap=0).average_effect == pytest.approx(0.0, abs=0.05)
    assert qini(x, t, y, n_bootstrap=0).average_effect > 0.5


def test_intervals_draw_clients():
    rng = np.random.default_rng(3)
    x, t = rng.uniform(-1, 1, 500), rng.integers(0, 2, 500)
    y = t * x + rng.normal(size=500)
    one = qini(x, t, y, n_bootstrap=200)
    often = qini(
        np.repeat(x, 5),
        np.repeat(t, 5),
        np.repeat(y, 5),
        clients=np.repeat(np.arange(500), 5),
        n_bootstrap=200,
    )
    assert one.qini_lower < one.qini < one.qini_upper
    assert often.qini == pytest.approx(one.qini, abs=1e-3)
    width = one.qini_upper - one.qini_lower
    assert often.qini_upper - often.qini_lower == pytest.approx(width, rel=0.3)
    assert one.frame()["measure"].tolist() == ["qini", "auuc"]
    assert one.to_dict()["n_clients"] == 500
    assert "qini" in one._repr_html_()


def test_curve_and_picture():
    rng = np.random.default_rng(4)
    x, t = rng.uniform(-1, 1, 2000), rng.integers(0, 2, 2000)
    y = t * x + 0.1 * rng.normal(size=2000)
    table = compute_targeting_curve(x, t, y, n_points=10, n_bootstrap=50)
    assert table["share"].tolist() == pytest.approx(np.linspace(0, 1, 11))
    assert table["gain"].iloc[5] == pytest.approx(0.25, abs=0.05)
    assert (table["lower"] <= table["upper"]).all()
    assert table["random"].iloc[-1] == pytest.approx(table["gain"].iloc[-1])
    assert plot_targeting_curve(table).get_ylabel() == "gain a client of the book"


def test_bad_input():
    with pytest.raises(DataError, match="uplift cannot be estimated"):
        qini([1, 2], [1, 1], [0, 1])
    with pytest.raises(DataError, match="effect must be finite"):
        qini([1, np.nan, 2, 3], [1, 0, 1, 0], [0, 1, 0, 1])
    with pytest.raises(DataError, match="effect must have 4 rows"):
        qini([1, 2], [1, 0, 1, 0], [0, 1, 0, 1])
    with pytest.raises(OverlapError, match="strictly between"):
        qini([1, 2, 3, 4], [1, 0, 1, 0], [0, 1, 0, 1], propensity=0.0)
