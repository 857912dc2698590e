from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.exceptions import BundleFormatError, DataError, InvalidParameterError, MissingColumnError

X = pd.DataFrame(
    {"k": ["u", "v", "w", None], "a": [-1.0, 0.5, np.nan, 2.0], "b": [1.0, 9.0, 9.0, np.nan]},
    index=["p", "q", "r", "s"],
)


def hand_card(n_outputs=1, rng_seed=None):
    """Two numbers and a category; a pair of a (4 rows of 2 values) and b (3 rows of 1 value)."""
    bins = (
        FeatureBins("a", "number", edges=(0.0,), missing=True),
        FeatureBins("b", "number", edges=(5.0, 7.0)),
        FeatureBins("k", "category", levels=("u", "v")),
    )
    main = np.array([[1.0], [2.0], [0.5], [0.0]])
    pair = np.arange(20.0).reshape(4, 5, 1) / 10
    level = np.array([[-1.0], [-2.0], [0.0], [0.0]])
    scale = np.arange(1, n_outputs + 1)
    terms = (Term(("a",), main * scale), Term(("a", "b"), pair * scale), Term(("k",), level * scale))
    outputs = tuple(f"o{j}" for j in range(n_outputs))
    return AdditiveCard(
        outputs, tuple([-3.0] * n_outputs), bins, terms, "multilogit" if scale.size > 1 else "logit"
    )


def random_card(seed, n_features=12, n_pairs=9):
    rng = np.random.default_rng(seed)
    bins = tuple(
        FeatureBins(f"f{j}", "number", edges=tuple(np.sort(rng.normal(size=rng.integers(1, 130))).tolist()))
        for j in range(n_features)
    )
    terms = [Term((one.name,), rng.normal(size=(one.n_rows, 1))) for one in bins]
    for _ in range(n_pairs):
        a, b = sorted(rng.choice(n_features, 2, replace=False))
        terms.append(Term((bins[a].name, bins[b].name), rng.normal(size=(bins[a].n_rows, bins[b].n_rows, 1))))
    return AdditiveCard(("bad",), (0.1,), bins, tuple(terms))


def test_the_decision_is_the_sum_by_hand():
    decision = hand_card().decision(X)
    # Rows of a, b, k. p: 0, 0, "u"; q: 1, 2, "v"; r: missing (2), 2, unseen; s: 1, missing (3), missing
    expected = [-3 + 1 + 0.0 - 1, -3 + 2 + 0.7 - 2, -3 + 0.5 + 1.2 + 0, -3 + 2 + 0.8 + 0]
    assert decision.tolist() == pytest.approx(expected, abs=1e-12)
    assert decision.index.tolist() == list("pqrs")
    assert decision.name == "o0"


def test_one_client_agrees_with_the_batch_to_the_bit():
    for seed in range(3):
        card = random_card(seed)
        values = np.random.default_rng(seed).normal(size=(300, 12))
        edge = [one.edges[0] for one in card.bins]
        frame = pd.DataFrame([*values.tolist(), edge], columns=card.features)
        frame = frame.mask(np.random.default_rng(9).random(frame.shape) < 0.1)
        batch = card.decision(frame).tolist()
        assert [card.decision_one(row) for row in frame.to_dict("records")] == batch


def test_several_outputs_agree_with_the_batch_to_the_bit():
    card = hand_card(3)
    frame = card.decision(X)
    assert list(frame.columns) == ["o0", "o1", "o2"]
    one = [card.decision_one(row) for row in X.to_dict("records")]
    assert pd.DataFrame(one, index=X.index).equals(frame)
    single = hand_card().decision(X)
    assert (frame["o2"] + 3).tolist() == pytest.approx((3 * (single + 3)).tolist())


def test_blocks_do_not_change_the_decision():
    card = random_card(4)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40_000, 12)), columns=card.features)
    whole = card.decision(frame).to_numpy()
    parts = np.concatenate(
        [card.decision(frame.iloc[start : start + 7001]) for start in range(0, 40_000, 7001)]
    )
    assert (whole == parts).all()


def test_terms_and_features_add_up_to_the_decision():
    card = hand_card(2)
    for output in card.outputs:
        terms = card.contributions(X, output)
        features = card.feature_contributions(X, output)
        assert list(terms.columns) == ["a", "a x b", "k"]
        assert list(features.columns) == ["a", "b", "k"]
        for parts in (terms, features):
            total = parts.sum(axis=1) - 3.0
            assert total.tolist() == pytest.approx(card.decision(X)[output].tolist(), abs=1e-12)
        assert features["b"].tolist() == pytest.approx((terms["a x b"] / 2).tolist())
        explained = [card.explain_one(row, output) for row in X.to_dict("records")]
        assert pd.DataFrame(explained, index=X.index).equals(features)


def test_an_output_must_be_named_where_there_are_several():
    with pytest.raises(InvalidParameterError, match="output must be one of 'o0', 'o1'"):
        hand_card(2).contributions(X)


def test_a_profile_equals_the_decision_with_the_feature_set():
    card = hand_card(2)
    codes = card.encode(X)
    for feature, j in (("a", 0), ("b", 1), ("k", 2)):
        rows = range(card.bins[j].n_rows)
        profile = card.decision_profile(codes, feature, rows)
        assert profile.shape == (4, len(rows), 2)
        for place, row in enumerate(rows):
            changed = codes.copy()
            changed[:, j] = row
            assert profile[:, place] == pytest.approx(card.decision_codes(changed), abs=1e-12)


def test_json_and_state_bring_back_the_same_card():
    card = replace(random_card(1), notes=("x: left out",))
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 12)), columns=card.features)
    for copy in (AdditiveCard.from_json(card.to_json()), AdditiveCard.from_state(card.to_state())):
        assert copy.decision(frame).equals(card.decision(frame))
        assert copy.to_json() == card.to_json()
        assert copy.notes == ("x: left out",)


def test_text_that_is_no_card_is_a_typed_error():
    good = json.loads(hand_card().to_json())
    bad = ["{", "[]", "{}", json.dumps({**good, "version": 99}), json.dumps({**good, "bins": 3})]
    bad.append(json.dumps({**good, "intercept": [1.0, 2.0]}))
    for text in bad:
        with pytest.raises(BundleFormatError, match=r"card|Card"):
            AdditiveCard.from_json(text)


def test_every_part_that_does_not_fit_is_listed():
    card = hand_card()
    wrong = (*card.terms, Term(("a",), np.zeros((9, 1))), Term(("kk",), np.zeros((4, 1))))
    wrong += (Term(("a",), np.full((4, 1), np.nan)),)
    with pytest.raises(InvalidParameterError) as caught:
        replace(card, terms=wrong, intercept=(0.0, 1.0))
    assert len(caught.value.faults) == 4
    with pytest.raises(InvalidParameterError, match="do not fit"):
        replace(card, bins=(*card.bins, card.bins[0]))


def test_the_frame_holds_every_row_and_scores_by_hand():
    card = hand_card()
    frame = card.frame()
    assert len(frame) == 1 + 4 + 20 + 4
    missing = frame[(frame["term"] == "a") & (frame["row_1"] == "missing")]
    assert missing["value"].tolist() == [0.5]
    assert missing["declared"].tolist() == [False]
    unseen = frame[(frame["term"] == "k") & (frame["row_1"] == "unseen")]
    assert unseen["declared"].tolist() == [True]
    # q: a > 0, b > 7, k "v"
    rows = {
        "intercept": frame["term"] == "intercept",
        "a": (frame["term"] == "a") & (frame["row_1"] == "> 0"),
        "a x b": (frame["term"] == "a x b") & (frame["row_1"] == "> 0") & (frame["row_2"] == "> 7"),
        "k": (frame["term"] == "k") & (frame["row_1"] == "v"),
    }
    total = sum(frame.loc[mask, "value"].item() for mask in rows.values())
    assert total == pytest.approx(card.decision_one({"a": 0.5, "b": 9.0, "k": "v"}))


def test_row_counts_say_how_often_declared_rows_are_used():
    counts = hand_card().row_counts(X)
    odd = ["missing", "unseen", "declared"]
    assert counts.loc["a"].loc[odd].tolist() == [1, 0, 0]
    assert counts.loc["b"].loc[odd].tolist() == [1, 0, 1]
    assert counts.loc["k"].loc[odd].tolist() == [1, 1, 2]
    assert (counts["rows"] == 4).all()
    assert (counts[["special", "below", "above"]] == 0).all(axis=None)


def test_recalibration_moves_and_stretches_the_decision():
    card = hand_card(2)
    moved = card.recalibrated(intercept=[0.5, 0.0], slope=[2.0, 1.0])
    before, after = card.decision(X), moved.decision(X)
    assert after["o0"].tolist() == pytest.approx((0.5 + 2 * before["o0"]).tolist())
    assert after["o1"].tolist() == pytest.approx(before["o1"].tolist())


def test_bad_clients_are_typed_errors():
    card = hand_card()
    with pytest.raises(MissingColumnError, match="'b' is missing"):
        card.decision_one({"a": 1.0, "k": "u"})
    with pytest.raises(DataError, match="must be finite"):
        card.decision_one({"a": float("inf"), "b": 1.0, "k": "u"})
    with pytest.raises(DataError, match="'a' is a number; got 'x'"):
        card.decision_one({"a": "x", "b": 1.0, "k": "u"})


def test_no_rows_give_empty_results_with_all_columns():
    empty = X.iloc[:0]
    card = hand_card(2)
    assert card.decision(empty).shape == (0, 2)
    assert card.contributions(empty, "o0").shape == (0, 3)
    assert card.row_counts(empty)["rows"].tolist() == [0, 0, 0]


def test_the_profile_of_one_client_is_the_batchs_to_the_bit():
    card = hand_card(2)
    codes = card.encode(X)
    for feature, at in (("a", [0, 2, 1]), ("b", [4, 0]), ("k", range(4))):
        whole = card.decision_profile(codes, feature, list(at))
        for row, one in zip(whole, X.to_dict("records"), strict=True):
            assert np.array_equal(card.profile_one(card.codes_one(one), feature, at), row)
    single = random_card(4)
    frame = pd.DataFrame(np.random.default_rng(4).normal(size=(20, 12)), columns=single.features)
    whole = single.decision_profile(single.encode(frame), "f3", range(3))
    one = [single.profile_one(single.codes_one(row), "f3", range(3)) for row in frame.to_dict("records")]
    assert np.array_equal(np.array(one), whole)
