from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import FeatureRule, encode, fit_bins, learn_boosted
from clientscore.exceptions import DataError
from clientscore.scoring import ClientScorer


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(3000, 4)), columns=list("abcd"))
    y = (rng.random(3000) < 1 / (1 + np.exp(2 - X["a"] - X["a"] * X["b"]))).astype(int)
    return ClientScorer(n_bags=5, max_rounds=150, random_state=0).fit(X, y), X, y


def test_the_deviation_is_that_of_the_bags(fitted):
    scorer, X, _ = fitted
    told = scorer.uncertainty(X)
    assert told.index.equals(X.index)
    assert told["log_odds"].tolist() == scorer.decision_function(X).tolist()
    assert told["pd"].tolist() == scorer.predict_proba(X)[:, 1].tolist()
    codes = scorer.card_.encode(X)
    apart = scorer.report_.bags.deviations(codes)[:, :, 0] * scorer.calibration_["slope"]
    assert told["log_odds_deviation"].to_numpy() == pytest.approx(apart.std(axis=1, ddof=1), rel=1e-4)
    by_bag = 1 / (1 + np.exp(-(told["log_odds"].to_numpy()[:, None] + apart)))
    assert told["pd_deviation"].to_numpy() == pytest.approx(by_bag.std(axis=1, ddof=1), rel=1e-3)


def test_bags_disagree_more_where_few_clients_are(fitted):
    scorer = fitted[0]
    middle = scorer.uncertainty(pd.DataFrame(0.0, index=[0], columns=list("abcd")))
    edge = scorer.uncertainty(pd.DataFrame([[3.5, 3.0, 0.0, 0.0]], columns=list("abcd")))
    assert edge["log_odds_deviation"].item() > 2 * middle["log_odds_deviation"].item()


def test_it_is_saved_recalibrated_and_left_behind_by_other_cards(fitted):
    scorer, X, y = fitted
    again = ClientScorer.from_state(scorer.to_state())
    pd.testing.assert_frame_equal(again.uncertainty(X), scorer.uncertainty(X))
    later = scorer.recalibrate(X, y)
    ratio = later.uncertainty(X)["log_odds_deviation"] / scorer.uncertainty(X)["log_odds_deviation"]
    assert ratio.to_numpy() == pytest.approx(later.calibration_["slope"], rel=1e-4)
    for other in (
        scorer.with_card(scorer.card_, X),
        ClientScorer(method="woe").fit(X, y),
        ClientScorer(n_bags=1, max_rounds=20, random_state=0).fit(X, y),
    ):
        with pytest.raises(DataError, match="no bags to compare"):
            other.uncertainty(X)


# ---- policies ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def holes():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(3000, 3)), columns=list("abc"))
    y = (rng.random(3000) < 1 / (1 + np.exp(2 - X["a"] - X["a"] * X["b"]))).astype(int)
    return X.mask(rng.random(X.shape) < 0.03), y


def test_a_row_at_the_worst_is_as_unsure_as_the_worst(holes):
    X, y = holes
    settings = {"n_bags": 4, "max_rounds": 80, "random_state": 0}
    plain = ClientScorer(**settings).fit(X, y)
    scorer = ClientScorer(**settings, rules={"a": FeatureRule(missing="worst")}).fit(X, y)
    bins = scorer.card_.bins[0]
    main = next(term for term in scorer.card_.terms if term.features == ("a",)).values[:, 0]
    worst = max(bins.inner_rows, key=lambda row: main[row])
    like = bins.edges[worst] if worst < len(bins.edges) else bins.edges[-1] + 1
    rows = pd.DataFrame({"a": [np.nan, like], "b": 0.3, "c": -0.2})
    told = scorer.uncertainty(rows)
    assert told["log_odds_deviation"].iloc[0] == told["log_odds_deviation"].iloc[1] > 0
    assert told["log_odds"].iloc[0] == told["log_odds"].iloc[1]
    before = plain.uncertainty(rows)["log_odds_deviation"]
    assert before.iloc[0] != before.iloc[1]  # taught on few clients without the value, then copied from many


def test_every_bag_follows_the_policies(holes):
    X, y = holes
    rules = {
        "a": FeatureRule(missing="average", out_of_range="best"),
        "b": FeatureRule(missing="best"),
        "c": FeatureRule(missing="refuse"),
    }
    bins = fit_bins(X, max_bins=16)
    codes = encode(bins, X)
    card, report = learn_boosted(codes, bins, y, n_bags=3, max_rounds=60, random_state=0)
    bags = card.bags_with_rules(report.bags, rules)
    told = card.with_rules(rules)
    for bag in range(3):
        terms = tuple(
            replace(term, values=term.values + apart[bag].astype(float))
            for term, apart in zip(card.terms, report.bags.apart, strict=True)
        )
        # Each bag as a card of its own, whose rows copy what they copy in the card.
        by_hand = [term.values.copy() for term in terms]
        share = {term.features[0]: term.share for term in card.terms if len(term.features) == 1}
        for place, (new, old) in enumerate(zip(told.terms, card.terms, strict=True)):
            for name in ("a", "b"):
                if name not in old.features:
                    continue
                axis, one = old.features.index(name), card.bins[list("abc").index(name)]
                table, was = np.moveaxis(by_hand[place], axis, 0), np.moveaxis(old.values, axis, 0)
                odd = [one.missing_code, *(one.range_rows if name == "a" else ())]
                for row in odd:
                    if name == "a" and row == one.missing_code:
                        table[row] = 0.0 if table.ndim == 2 else np.tensordot(share["a"], table, 1)
                    else:
                        main = next(term for term in card.terms if term.features == (name,)).values[:, 0]
                        table[row] = table[min(one.inner_rows, key=lambda r: main[r])]
                assert was.shape == table.shape
            apart = by_hand[place] - new.values
            assert apart == pytest.approx(bags.apart[place][bag], abs=1e-6)


def test_a_value_at_the_average_adds_no_doubt_of_its_own(holes):
    X, y = holes
    rules = {"a": FeatureRule(missing="average")}
    scorer = ClientScorer(n_bags=4, max_rounds=60, interactions=0, random_state=0, rules=rules).fit(X, y)
    rows = pd.DataFrame({"a": [np.nan], "b": [0.3], "c": [-0.2]})
    codes = scorer.card_.encode(rows)
    assert scorer.card_.contributions(rows)["a"].iloc[0] == 0
    place = [term.features for term in scorer.card_.terms].index(("a",))
    assert (scorer.bags_.apart[place][:, codes[0, 0]] == 0).all()
    again = ClientScorer.from_state(scorer.to_state())
    assert again.uncertainty(rows).equals(scorer.uncertainty(rows))
