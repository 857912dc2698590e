from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import (
    AdditiveCard,
    FeatureBins,
    FeatureRule,
    Term,
    encode,
    fit_bins,
    learn_boosted,
    learn_woe,
)
from clientscore.exceptions import DataError, InvalidParameterError

CODES = (-999.0, -998.0)


def book(n=4000, seed=0):
    """Numbers with codes: -999 is twice as bad as the rest, -998 is good, missing is worst."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"roa": rng.normal(size=n), "debt": rng.normal(size=n)})
    z = -1.0 - X["roa"] + 0.5 * X["debt"]
    kind = rng.random(n)
    X["roa"] = np.select([kind < 0.08, kind < 0.16, kind < 0.24], [-999.0, -998.0, np.nan], X["roa"])
    z = np.select([kind < 0.08, kind < 0.16, kind < 0.24], [0.5, -3.0, 1.5], z)
    return X, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)


def learn(how, X, y, rules):
    if how == "woe":
        return learn_woe(X, y, rules=rules)[0]
    bins = fit_bins(X, rules=rules)
    return learn_boosted(encode(bins, X), bins, y, n_bags=2, random_state=0)[0]


def test_rules_read_back_and_check_themselves():
    rule = FeatureRule("increasing", specials=(-999,), low=0, missing="worst")
    assert FeatureRule.from_dict(rule.to_dict()) == rule
    assert rule.policies() == {"missing": "worst"}
    with pytest.raises(InvalidParameterError, match="missing must be one of"):
        FeatureRule(missing="zero")
    with pytest.raises(InvalidParameterError, match="cannot be used") as caught:
        FeatureRule(specials=(1, 1), low=2, high=1)
    assert len(caught.value.faults) == 2
    with pytest.raises(InvalidParameterError, match="has no 'special_codes'"):
        FeatureRule.from_dict({"special_codes": [1]})
    with pytest.raises(InvalidParameterError, match="rules must map") as caught:
        fit_bins(pd.DataFrame({"roa": [1.0]}), rules={"roe": FeatureRule(), "roa": -999})
    assert caught.value.faults[0] == "'roe' is no feature. Did you mean 'roa'?"


@pytest.mark.parametrize("how", ["woe", "boosted"])
def test_every_odd_row_scores_what_training_says_of_it(how):
    X, y = book()
    card = learn(how, X, y, {"roa": FeatureRule(specials=CODES)})
    one = {value: card.decision_one({"roa": value, "debt": 0.0}) for value in (*CODES, None, 0.0)}
    assert one[-998.0] < one[0.0] < one[-999.0] < one[None]
    for group in (X["roa"].eq(-999), X["roa"].eq(-998), X["roa"].isna()):
        p = 1 / (1 + np.exp(-card.decision(X[group])))
        assert p.mean() == pytest.approx(y[group].mean(), abs=0.05)


@pytest.mark.parametrize("how", ["woe", "boosted"])
def test_out_of_range_scores_what_the_nearest_interval_scores(how):
    X, y = book()
    card = learn(how, X, y, {"roa": FeatureRule(specials=CODES)})
    low, high = X["roa"][X["roa"] > -900].agg(["min", "max"])
    for debt in (-1.0, 0.3):
        for inside, outside in ((low, low - 1), (high, high + 1e6)):
            told = [card.decision_one({"roa": value, "debt": debt}) for value in (inside, outside)]
            assert told[0] == told[1]
    odd = pd.DataFrame({"roa": [low - 1, high + 1, -999.0, None, 0.0], "debt": 0.0})
    counts = card.row_counts(odd).loc["roa"]
    assert counts[["rows", "missing", "special", "below", "above", "declared"]].tolist() == [5, 1, 1, 1, 1, 2]


def test_a_code_that_training_never_met_is_declared_and_neutral():
    X, y = book()
    X = X[X["roa"].ne(-998)]
    card = learn("boosted", X, y[X.index], {"roa": FeatureRule(specials=CODES)})
    parts = card.contributions(pd.DataFrame({"roa": [-998.0], "debt": [0.2]}))
    assert parts["roa"].tolist() == [0.0]
    frame = card.frame()
    assert frame.loc[(frame["term"] == "roa") & frame["declared"], "row_1"].tolist()[-2:] == [
        "code -998",
        "unseen",
    ]


def test_codes_of_a_monotone_number_share_the_value_of_missing():
    X, y = book()
    rules = {"roa": FeatureRule(specials=CODES)}
    bins = fit_bins(X, rules=rules)
    card, _ = learn_boosted(
        encode(bins, X), bins, y, monotone={"roa": "decreasing"}, n_bags=2, random_state=0
    )
    told = [card.decision_one({"roa": value, "debt": 0.0}) for value in (-999.0, -998.0, None)]
    assert told == pytest.approx([told[0]] * 3, abs=1e-12)
    assert "roa: special codes score as missing, for a monotone number has no place for them." in card.notes


def hand_card():
    bins = (
        FeatureBins("a", "number", edges=(0.0, 1.0, 2.0), bounded=True, specials=(-9.0,), missing=True),
        FeatureBins("k", "category", levels=("u", "v")),
    )
    main = np.array([0.1, -0.5, 0.9, 0.3, 0.4, 0.2, 0.0])[:, None]
    pair = np.arange(28.0).reshape(7, 4, 1)
    return AdditiveCard(("bad",), (-2.0,), bins, (Term(("a",), main), Term(("a", "k"), pair)))


def test_policies_copy_rows_in_every_table():
    card = hand_card()
    rules = {"a": FeatureRule(missing="worst", special="best", unseen="average")}
    told = card.with_rules(rules)
    worst, best = {"a": 1.5, "k": "v"}, {"a": 0.5, "k": "v"}
    assert told.decision_one({"a": None, "k": "v"}) == card.decision_one(worst) == told.decision_one(worst)
    assert told.decision_one({"a": -9.0, "k": "v"}) == card.decision_one(best)
    assert told.terms[0].values[6, 0] == 0
    assert (told.terms[1].values[6] == 0).all()
    assert "a: missing rows score by the policy 'worst'." in told.notes
    assert AdditiveCard.from_json(told.to_json()).decision_one({"a": None, "k": "v"}) == card.decision_one(
        worst
    )


def test_a_refused_row_is_not_scored_in_any_way():
    card = hand_card().with_rules({"a": FeatureRule(out_of_range="refuse")})
    again = AdditiveCard.from_json(card.to_json())
    for one in (card, again):
        with pytest.raises(DataError, match="not scored where it is > 2"):
            one.decision_one({"a": 3.0, "k": "u"})
        with pytest.raises(DataError, match="cannot be scored"):
            one.decision(pd.DataFrame({"a": [3.0], "k": ["u"]}))
    assert card.decision_one({"a": 1.5, "k": "u"}) == hand_card().decision_one({"a": 1.5, "k": "u"})


def test_policies_need_one_output_and_a_known_feature():
    with pytest.raises(InvalidParameterError, match="'b' is no feature"):
        hand_card().with_rules({"b": FeatureRule(missing="worst")})
    bins = (FeatureBins("a", "number"),)
    two = AdditiveCard(("x", "y"), (0.0, 0.0), bins, ())
    with pytest.raises(InvalidParameterError, match="need a card of one output"):
        two.with_rules({"a": FeatureRule(missing="worst")})


def test_a_card_of_the_first_format_still_reads():
    text = hand_card().to_json().replace('"version": 2', '"version": 1')
    assert AdditiveCard.from_json(text).decision_one({"a": 0.5, "k": "u"}) == hand_card().decision_one(
        {"a": 0.5, "k": "u"}
    )


def test_without_a_main_effect_the_worst_row_is_found_in_the_pairs():
    card = hand_card()
    pairs_only = AdditiveCard(card.outputs, card.intercept, card.bins, card.terms[1:])
    told = pairs_only.with_rules({"a": FeatureRule(missing="worst")})
    missing = card.bins[0].missing_code
    assert (told.terms[0].values[missing] == card.terms[1].values[2]).all()  # the last row in range


def test_numbers_of_numpy_and_codes_are_checked():
    bins = fit_bins(pd.DataFrame({"listed": [True, False, True]}))
    assert bins[0].code(np.True_) == bins[0].code(1.0)
    with pytest.raises(InvalidParameterError, match=r"Write \(-999,\) for one code"):
        FeatureRule(specials=-999)
    with pytest.raises(DataError, match="must be a pandas DataFrame; got list"):
        encode(bins, [1])
