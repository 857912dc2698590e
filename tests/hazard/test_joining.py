"""Cards of causes learned apart, joined and trimmed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.exceptions import DataError
from clientscore.hazard import CompetingHazard
from clientscore.hazard.joining import join_cards, trim

BINS = (
    FeatureBins("roa", "number", edges=(0.0,)),
    FeatureBins("dpd", "number", edges=(30.0,)),
)
ROA = Term(("roa",), np.array([[0.5], [-0.5], [0.0], [0.0]]))
DPD = Term(("dpd",), np.array([[-0.1], [0.9], [0.0], [0.0]]))
PAIR = np.zeros((4, 4, 1))
PAIR[:2, :2, 0] = [[0.02, -0.02], [-0.02, 0.02]]
BOTH = Term(("roa", "dpd"), PAIR)
X = pd.DataFrame({"roa": [-1.0, 1.0, -1.0, 1.0], "dpd": [0.0, 0.0, 60.0, 60.0]})


def card(intercept: float, *terms: Term) -> AdditiveCard:
    return AdditiveCard(("y",), (intercept,), BINS, terms)


def test_joined_decisions_are_those_of_each_card() -> None:
    parts = {"default": card(-4.0, DPD, BOTH), "closure": card(-3.0, ROA)}
    joined = join_cards(parts)
    assert joined.link == "multilogit"
    assert [term.features for term in joined.terms] == [("roa",), ("dpd",), ("roa", "dpd")]
    for name, one in parts.items():
        np.testing.assert_allclose(joined.decision(X)[name], one.decision(X), rtol=0, atol=1e-12)


def test_a_single_card_keeps_its_link() -> None:
    joined = join_cards({"closure": card(-3.0, ROA)})
    assert (joined.link, joined.outputs) == ("logit", ("closure",))


def test_a_row_is_met_where_any_card_met_it() -> None:
    one, other = card(-3.0, ROA), card(-4.0, ROA)
    other = replace(other, bins=(replace(BINS[0], missing=True), BINS[1]))
    assert join_cards({"a": one, "b": other}).bins[0].missing


def test_deviations_are_joined_where_every_card_has_them() -> None:
    apart = replace(ROA, deviation=np.full((4, 1), 0.1))
    joined = join_cards({"a": card(-3.0, apart), "b": card(-3.0)})
    np.testing.assert_array_equal(joined.terms[0].deviation[:, 0], 0.1)
    np.testing.assert_array_equal(joined.terms[0].deviation[:, 1], 0.0)
    assert join_cards({"a": card(-3.0, apart), "b": card(-3.0, ROA)}).terms[0].deviation is None


def test_cards_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="got none"):
        join_cards({})
    several = join_cards({"a": card(-3.0, ROA), "b": card(-3.0, ROA)})
    with pytest.raises(DataError, match="'both' has 2 outputs"):
        join_cards({"both": several})
    other = replace(card(-3.0), bins=(replace(BINS[0], edges=(0.5,)), BINS[1]))
    with pytest.raises(DataError, match="those of 'roa' differ"):
        join_cards({"a": card(-3.0, ROA), "b": other})


def test_a_pair_that_moves_next_to_nothing_is_trimmed() -> None:
    whole = card(-3.0, ROA, DPD, replace(BOTH, values=0.1 * PAIR))
    codes, weight = whole.encode(X), np.ones(len(X))
    assert [term.features for term in trim(whole, codes, weight).terms] == [("roa",), ("dpd",)]
    kept = card(-3.0, ROA, DPD, BOTH)
    assert len(trim(kept, codes, weight).terms) == 3


def test_trimming_moves_less_than_one_percent_of_the_spread() -> None:
    generator = np.random.default_rng(0)
    names = [f"x{j}" for j in range(6)]
    bins = tuple(FeatureBins(name, "number", edges=(0.0,)) for name in names)
    terms = [Term((name,), generator.normal(0, 1, (4, 1))) for name in names]
    terms += [
        Term((a, b), generator.normal(0, 0.004 * k, (4, 4, 1)))
        for k, (a, b) in enumerate((a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    ]
    whole = AdditiveCard(("y",), (-3.0,), bins, tuple(terms))
    codes = whole.encode(pd.DataFrame(generator.standard_normal((3000, 6)), columns=names))
    short = trim(whole, codes, np.ones(3000))
    assert len(names) < len(short.terms) < len(terms)
    change = np.std(whole.decision_codes(codes) - short.decision_codes(codes))
    assert change < 0.02 * np.std(
        whole.decision_codes(codes)
    )  # spreads add up only where pairs do not move together


def test_the_hazard_of_a_rare_cause_does_not_depend_on_the_others_rows() -> None:
    """Begg and Gray: the log odds of a cause against staying are those learned on both alone."""
    generator = np.random.default_rng(1)
    features = pd.DataFrame({"a": generator.normal(size=6000), "b": generator.normal(size=6000)})
    rates = np.exp(np.column_stack([-3.0 + 0.8 * features["a"], -3.5 - 0.8 * features["b"]]))
    chance = rates / (1 + rates.sum(axis=1, keepdims=True))
    drawn = generator.random((6000, 1))
    which = (drawn > np.cumsum(chance, axis=1)).sum(axis=1)
    event = np.array(["left", "failed", None], dtype=object)[which]
    settings = {"n_periods": 1, "random_state": 0, "causes": ["left", "failed"]}
    model = CompetingHazard(**settings).fit(features, np.ones(6000), event)
    h = model.predict_hazard(features)[:, 0]
    found = np.log(h / (1 - h.sum(axis=1, keepdims=True)))
    slopes = [np.polyfit(features[name], found[:, k], 1)[0] for k, name in enumerate("ab")]
    np.testing.assert_allclose(slopes, [0.8, -0.8], atol=0.12)
    cross = [np.polyfit(features[name], found[:, k], 1)[0] for k, name in enumerate("ba")]
    np.testing.assert_allclose(cross, 0.0, atol=0.08)
