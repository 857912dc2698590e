from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from clientscore import ClientScorer, ScoreScale
from clientscore.additive import AdditiveCard, boundary_frame, compare_export
from clientscore.exceptions import BundleFormatError


@pytest.mark.parametrize("seed", range(3))
def test_the_round_trip_is_exact_on_the_boundary_frame(seed, card_of):
    card = card_of(seed)
    again = AdditiveCard.from_json(card.to_json())
    assert again.to_json() == card.to_json()
    frame = boundary_frame(card)
    pd.testing.assert_frame_equal(boundary_frame(again), frame)
    found = [_decision(again, row) for row in frame.to_dict("records")]
    assert sum(value is not None for value in found) > 100
    assert compare_export(card, frame, found, tolerance=0).empty


def _decision(card, row):
    try:
        return card.decision_one(row)
    except ValueError:
        return None


def test_the_version_is_told_and_a_newer_one_refused(card_of):
    state = json.loads(card_of(0).to_json())
    assert (state["format"], state["version"]) == ("clientscore.card", 2)
    with pytest.raises(BundleFormatError, match=r"a version of \(1, 2\); got 'clientscore.card', 3"):
        AdditiveCard.from_json(json.dumps({**state, "version": 3}))


def test_points_survive_the_round_trip_of_a_scorer_with_its_scale():
    # Other libraries lose the scale of the points when a scorecard is saved, and score in the default one.
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"roa": rng.normal(size=400), "debt": rng.normal(size=400)})
    y = (rng.random(400) < 1 / (1 + np.exp(X["roa"] + 1))).astype(int)
    scale = ScoreScale(base_points=500, base_odds=20, pdo=50)
    scorer = ClientScorer(method="woe", scale=scale).fit(X, y)
    again = ClientScorer.from_state(scorer.to_state())
    assert again.scale_ == scale
    pd.testing.assert_series_equal(again.points(X), scorer.points(X), check_exact=True)
    assert (again.predict_proba(X) == scorer.predict_proba(X)).all()
    expected = scale.points_from_pd(scorer.predict_proba(X)[:, 1])
    assert again.points(X).to_numpy() == pytest.approx(expected)
    card = AdditiveCard.from_json(scorer.card_.to_json())
    assert (scale.points_from_log_odds(card.decision(X)) == scorer.points(X)).all()
