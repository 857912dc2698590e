from __future__ import annotations

import numpy as np
import pytest

from clientscore.additive import FeatureRule
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scoring import ClientScorer

FAST = {"n_bags": 2, "max_rounds": 60, "random_state": 0}
RULES = {
    "dpd_max_3m": FeatureRule(monotone="increasing", out_of_range="worst"),
    "interest_cover": FeatureRule(specials=(-999.0,), missing="worst", special="average"),
}


@pytest.fixture(params=["woe", "boosted"])
def coded(request, clients):
    """A scorer fitted where interest cover is sometimes a code."""
    X, y = clients
    X = X.assign(interest_cover=X["interest_cover"].where(np.arange(len(X)) % 20 > 0, -999.0))
    return ClientScorer(method=request.param, rules=RULES, **FAST).fit(X, y), X


def test_codes_policies_and_directions_reach_the_card(coded):
    scorer, X = coded
    one = scorer.card_.bins[scorer.card_.features.index("interest_cover")]
    assert one.specials == (-999.0,)
    assert scorer.row_counts(X).loc["interest_cover", "special"] == 150
    told = next(term for term in scorer.card_.terms if term.name == "interest_cover").values[:, 0]
    assert told[one.missing_code] == max(told[list(one.inner_rows)])
    assert told[one.special_rows[0]] == 0
    assert sum("by the policy" in note for note in scorer.card_.notes) == 3
    late = scorer.card_.bins[scorer.card_.features.index("dpd_max_3m")]
    profile = scorer.card_.decision_profile(scorer.card_.encode(X.head(200)), "dpd_max_3m", late.inner_rows)
    assert np.diff(profile[:, :, 0], axis=1).min() > -1e-9


def test_rules_are_saved_with_the_scorer(coded):
    scorer, X = coded
    copy = ClientScorer.from_state(scorer.to_state())
    assert copy.rules == RULES
    assert copy.predict_proba(X).tolist() == scorer.predict_proba(X).tolist()


def test_the_mean_probability_holds_after_policies(clients):
    X, y = clients
    scorer = ClientScorer(rules={"interest_cover": FeatureRule(missing="worst")}, **FAST).fit(X, y)
    assert scorer.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=1e-6)


@pytest.mark.parametrize("method", ["woe", "boosted"])
def test_what_is_refused_may_have_taught_but_is_not_scored(clients, method):
    X, y = clients
    rules = {"interest_cover": FeatureRule(missing="refuse")}
    scorer = ClientScorer(method=method, rules=rules, **FAST).fit(X, y)
    assert np.isfinite(scorer.points(X.dropna())).all()
    for act in (scorer.points, scorer.reason_frame, scorer.score_frame, scorer.row_counts):
        with pytest.raises(DataError, match="columns of X cannot be scored") as caught:
            act(X)
        assert "'interest_cover' is not scored where it is missing" in caught.value.faults[0]
    with pytest.raises(DataError, match="'interest_cover' is not scored where it is missing"):
        scorer.score_one({**X.iloc[0].to_dict(), "interest_cover": None})


@pytest.mark.parametrize("method", ["woe", "boosted"])
def test_a_direction_may_stand_in_either_place_and_twice_alike(clients, method):
    X, y = clients
    ways = [
        {"monotone": {"dpd_max_3m": "increasing"}},
        {"rules": {"dpd_max_3m": FeatureRule(monotone="increasing")}},
        {
            "monotone": {"dpd_max_3m": "increasing"},
            "rules": {"dpd_max_3m": FeatureRule(monotone="increasing")},
        },
    ]
    cards = [ClientScorer(method=method, **way, **FAST).fit(X, y).card_.to_json() for way in ways]
    assert cards[0] == cards[1] == cards[2]


def test_contradictions_are_named_all_at_once(clients):
    rules = {name: FeatureRule(monotone="decreasing") for name in ("dpd_max_3m", "noise", "interest_cover")}
    scorer = ClientScorer(
        rules=rules,
        monotone={"dpd_max_3m": "increasing", "noise": "increasing", "interest_cover": "decreasing"},
    )
    with pytest.raises(InvalidParameterError, match="monotone and rules must agree") as caught:
        scorer.fit(*clients)
    assert caught.value.faults == (
        "'dpd_max_3m' is 'increasing' in monotone and 'decreasing' in its rule.",
        "'noise' is 'increasing' in monotone and 'decreasing' in its rule.",
    )


@pytest.mark.parametrize("method", ["woe", "boosted"])
@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"interest_covr": FeatureRule()}, "'interest_covr' is no feature. Did you mean 'interest_cover'?"),
        ({"noise": {"monotone": "increasing"}}, "'noise' must have a FeatureRule; got"),
        (
            {"industry": FeatureRule(monotone="increasing")},
            "'industry' is a category, which has no direction",
        ),
    ],
)
def test_rules_that_cannot_be_used_are_named(clients, method, rules, fault):
    with pytest.raises(InvalidParameterError) as caught:
        ClientScorer(method=method, rules=rules).fit(*clients)
    assert fault in "".join(caught.value.faults)
