"""Decisions of people inside a fitted scorer: policies, directions, classes, cards changed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import FeatureRule
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import ScoreScale, calibrate_logistic
from clientscore.scoring import ClientScorer


@pytest.fixture(scope="module")
def book():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(4000, 3)), columns=list("abc"))
    z = X["a"] + 0.5 * X["b"] - 1
    X["a"] = X["a"].mask(rng.random(4000) < 0.3)
    return X, (rng.random(4000) < 1 / (1 + np.exp(-z))).astype(int)


@pytest.mark.parametrize("method", ["woe", "boosted"])
def test_a_policy_moves_the_level_and_the_shape_with_it(book, method):
    X, y = book
    rules = {"a": FeatureRule(missing="worst")}
    settings = {"method": method, "n_bags": 7, "max_rounds": 200, "random_state": 0}
    plain = ClientScorer(**settings).fit(X, y)
    decided = ClientScorer(rules=rules, calibration="logistic", **settings).fit(X, y)
    assert decided.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-6)
    missing = X["a"].isna()
    assert decided.points(X[missing]).mean() < plain.points(X[missing]).mean() - 5
    if method == "boosted":  # a policy that is wrong of the data must stretch the score less
        assert decided.calibration_["slope"] < 0.9
        assert calibrate_logistic(decided.decision_function(X), y)[1] == pytest.approx(1, abs=0.2)


def test_another_card_leaves_no_old_reasons_behind(book):
    X, y = book
    scorer = ClientScorer(method="woe", scale=ScoreScale()).fit(X, y)
    row = X.iloc[0].to_dict()
    scorer.score_one(row)
    other = scorer.with_card(scorer.card_, X[X["b"] > 1])
    expected = [name for name in other.reasons(X.iloc[[0]]).iloc[0] if isinstance(name, str)]
    assert other.score_one(row)["reasons"] == expected
    assert other.report_ is None
    assert other.calibration_["method"] is None


def test_words_for_bad_that_come_first_in_the_alphabet_are_refused(book):
    X, y = book
    with pytest.raises(DataError, match="points would be upside down"):
        ClientScorer(method="woe").fit(X, np.where(y == 1, "bad", "good"))
    with pytest.raises(DataError, match="1 have none"):
        ClientScorer().fit(X, y, groups=[None, *range(len(X) - 1)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"monotone": "auto"}, "monotone must map features to decisions"),
        ({"rules": [FeatureRule()]}, "rules must map features to decisions"),
        ({"n_bags": 0, "method": "woe"}, "n_bags"),
        ({"max_bins": 1, "method": "woe"}, "max_bins"),
    ],
)
def test_settings_of_another_kind_are_named(book, settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        ClientScorer(**settings).fit(*book)


def test_a_cutoff_is_for_shortfalls_only(book):
    X, y = book
    scorer = ClientScorer(method="woe").fit(X, y)
    with pytest.raises(InvalidParameterError, match="cutoff_points is for the method 'shortfall'"):
        scorer.reasons(X, method="loss", cutoff_points=600)


def test_numbers_of_numpy_as_settings_are_saved(book):
    X, y = book
    scorer = ClientScorer(interactions=np.int64(1), n_bags=2, max_rounds=30, random_state=0).fit(X, y)
    assert ClientScorer.from_state(scorer.to_state()).interactions == 1
