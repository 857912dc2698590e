from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.hazard.curves import hazards, incidence, read_curves


def test_hazards_survival_and_incidence_by_hand():
    hazard = hazards(np.log(np.array([[[0.25, 0.25], [1.0, 2.0]]])))
    np.testing.assert_allclose(hazard, [[[1 / 6, 1 / 6], [1 / 4, 2 / 4]]])
    curve, survival = incidence(hazard)
    np.testing.assert_allclose(survival, [[2 / 3, 1 / 6]])
    np.testing.assert_allclose(curve, [[[1 / 6, 1 / 6], [1 / 6 + 1 / 6, 1 / 6 + 1 / 3]]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_incidences_and_survival_add_to_one_for_any_log_odds(seed):
    rng = np.random.default_rng(seed)
    hazard = hazards(rng.normal(0, 30, (5, 7, 3)))
    curve, survival = incidence(hazard)
    np.testing.assert_allclose(curve.sum(axis=2) + survival, 1.0, atol=1e-12)
    places = np.sort(rng.random(11) * 7)
    curve, survival = read_curves(hazard, places)
    np.testing.assert_allclose(curve.sum(axis=2) + survival, 1.0, atol=1e-12)
    assert (np.diff(survival, axis=1) <= 1e-15).all()
    assert (np.diff(curve, axis=1) >= -1e-15).all()


def test_between_periods_survival_falls_geometrically_and_causes_keep_their_shares():
    hazard = np.array([[[0.1, 0.2], [0.3, 0.06]]])
    curve, survival = read_curves(hazard, np.array([0.5, 1.0, 1.25]))
    there = [0.7**0.5, 0.7, 0.7 * 0.64**0.25]
    np.testing.assert_allclose(survival[0], there)
    np.testing.assert_allclose(curve[0, 0], (1 - there[0]) * np.array([1 / 3, 2 / 3]))
    lost = there[1] - there[2]
    np.testing.assert_allclose(curve[0, 2], [0.1 + lost * 0.3 / 0.36, 0.2 + lost * 0.06 / 0.36])


def test_a_place_at_the_end_of_a_period_is_read_without_interpolation():
    hazard = hazards(np.random.default_rng(0).normal(-3, 1, (4, 6, 2)))
    curve, survival = incidence(hazard)
    found = read_curves(hazard, np.array([2.0, 6.0]))
    np.testing.assert_array_equal(found[0], curve[:, [1, 5]])
    np.testing.assert_array_equal(found[1], survival[:, [1, 5]])
