from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive import (
    AdditiveCard,
    Edit,
    FeatureBins,
    FeatureRule,
    Term,
    encode,
    fit_bins,
    learn_boosted,
    learn_woe,
)
from clientscore.exceptions import BundleFormatError, InvalidParameterError
from clientscore.scale import ScoreScale


def woe_card(X, y, **settings):
    return learn_woe(X, y, **settings)[0]


SIGNED = {"by": "A. Chen", "why": "few clients", "when": "2026-03-31"}


def hand_card():
    """Three rows of a with shares .5, .3, .2, a pair of a and b, a category of three levels."""
    bins = (
        FeatureBins("a", "number", edges=(2.0, 4.0), specials=(-999.0,), unmet=(3,)),
        FeatureBins("b", "number", edges=(0.0,)),
        FeatureBins("k", "category", levels=("u", "v", "w")),
    )
    a = Term(("a",), np.array([-1.0, 0.5, 1.0, 0.0, 0.25, 0.0])[:, None], np.array([0.5, 0.3, 0.2, 0, 0, 0]))
    pair = Term(("b", "a"), np.arange(24.0).reshape(4, 6, 1))
    k = Term(("k",), np.array([0.1, 0.2, 0.6, 0.0, 0.0])[:, None], np.array([0.2, 0.2, 0.6, 0.0, 0.0]))
    return AdditiveCard(("bad",), (-3.0,), bins, (a, pair, k))


def random_card(seed, n_features=4):
    """A card of bounded and open numbers and a category, with mains and pairs of every two."""
    rng = np.random.default_rng(seed)
    bins = []
    for j in range(n_features - 1):
        edges = tuple(np.unique(rng.normal(size=rng.integers(4, 9)).round(3)).tolist())
        bounded = bool(j % 2)
        unmet = (0, len(edges)) if bounded else ()
        bins.append(FeatureBins(f"f{j}", "number", edges, specials=(-9.0,), bounded=bounded, unmet=unmet))
    bins.append(FeatureBins("k", "category", levels=tuple("abcde"), missing=True, other=True))
    terms = []
    for one in bins:
        values, share = rng.normal(size=(one.n_rows, 1)), rng.dirichlet(np.ones(one.n_rows))
        terms.append(Term((one.name,), values[list(one.nearest)], share))
    for i, first in enumerate(bins):
        for second in bins[i + 1 :]:
            values = rng.normal(size=(first.n_rows, second.n_rows, 1))
            values = values[list(first.nearest)][:, list(second.nearest)]
            terms.append(Term((first.name, second.name), values))
    return AdditiveCard(("bad",), (-2.0,), tuple(bins), tuple(terms))


def random_frame(card, seed, n=200):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({one.name: rng.normal(scale=2, size=n) for one in card.bins[:-1]})
    X = X.mask(rng.random(X.shape) < 0.1).mask(rng.random(X.shape) < 0.1, -9.0)
    return X.assign(k=rng.choice([*"abcdexy", None], size=n))


# ---- merge ---------------------------------------------------------------------------------------------


def test_neighbors_merge_by_hand():
    card = hand_card().merge_bins("a", ["(2, 4]", "> 4"], **SIGNED)
    assert card.bins[0].labels() == ["<= 2", "> 2", "code -999", "missing", "unseen"]
    assert card.bins[0].unmet == (2,)
    # (.3 * .5 + .2 * 1) / .5 = .7; pair cells by the same .6 and .4
    assert card.terms[0].values[:, 0].tolist() == pytest.approx([-1.0, 0.7, 0.0, 0.25, 0.0])
    assert card.terms[0].share.tolist() == pytest.approx([0.5, 0.5, 0, 0, 0])
    assert card.terms[1].values[0, :, 0].tolist() == pytest.approx([0, 1.4, 3, 4, 5])
    assert (
        card.terms[2] is hand_card().terms[2] or (card.terms[2].values == hand_card().terms[2].values).all()
    )
    assert [card.bins[0].code(value) for value in (2.0, 3.0, 9.0, -999.0, None)] == [0, 1, 1, 2, 3]
    detail = card.edits[0].detail
    assert (detail["labels"], detail["into"], detail["weights"]) == (["(2, 4]", "> 4"], "> 2", [0.6, 0.4])


def test_levels_merge_without_being_neighbors_and_keep_their_rows():
    card = hand_card().merge_bins("k", ["u", "w"], **SIGNED)
    assert card.bins[2] == hand_card().bins[2]
    assert card.terms[2].values[:, 0].tolist() == pytest.approx([0.475, 0.2, 0.475, 0, 0])
    assert card.terms[2].share.tolist() == hand_card().terms[2].share.tolist()


@given(seed=st.integers(0, 30), data=st.data())
@settings(max_examples=40, deadline=None)
def test_merged_rows_score_alike_and_others_as_before(seed, data):
    card = random_card(seed)
    one = data.draw(st.sampled_from(card.bins))
    low = data.draw(st.integers(one.inner_rows.start, one.inner_rows.stop - 2))
    high = data.draw(st.integers(low + 1, one.inner_rows.stop - 1))
    rows = list(range(low, high + 1))
    merged = card.merge_bins(one.name, rows, **SIGNED)
    X = random_frame(card, seed)
    others = [term.name for term in card.terms if one.name not in term.features]
    before, after = card.contributions(X), merged.contributions(X)
    assert after[others].equals(before[others])
    j = card.features.index(one.name)
    codes = merged.encode(X)
    now = sorted({int(code) for code in codes[np.isin(card.encode(X)[:, j], rows), j]})
    profile = merged.decision_profile(codes, one.name, now or [0])
    assert np.ptp(profile, axis=1).max() == 0
    # Out of range, never met: still what the nearest row in range scores.
    for row in merged.bins[j].range_rows:
        ends = merged.decision_profile(codes, one.name, [row, merged.bins[j].nearest[row]])
        assert (ends[:, 0] == ends[:, 1]).all()
    # The training mean of the main effect stays.
    old, new = (next(t for t in c.terms if t.features == (one.name,)) for c in (card, merged))
    if one.kind == "number" and not one.bounded:
        assert new.share @ new.values == pytest.approx(old.share @ old.values)
    untouched = [row for row in one.inner_rows if row not in rows]
    labels, found = one.labels(), merged.bins[j].labels()
    kept = [(row, found.index(labels[row])) for row in untouched if labels[row] in found]
    assert all((old.values[row] == new.values[place]).all() for row, place in kept)


def test_equal_weights_where_the_card_has_no_shares():
    bins = (FeatureBins("a", "number", edges=(1.0,)),)
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("a",), np.array([1.0, 2, 0, 0])[:, None]),))
    assert card.merge_bins("a", [0, 1], **SIGNED).terms[0].values[0, 0] == 1.5


@pytest.mark.parametrize(
    ("feature", "rows", "fault"),
    [
        ("A", [0, 1], "'A' is no feature of the card"),
        ("a", [0, 2], r"between '<= 2' and '> 4' lie '\(2, 4\]'"),
        ("a", ["<= 2", "> 5"], "has no row '> 5'"),
        ("a", [0, 6], "has rows 0 to 5; got 6"),
        ("a", [1, True], "has no row True"),
        ("a", [2, "code -999"], "'code -999' is none. Set its points instead"),
        ("a", [1], "two or more different rows"),
        ("a", [], "two or more different rows"),
        ("a", [1, 1], "two or more different rows"),
        ("a", "missing", "must be a list"),
        ("k", ["u", "missing"], "'missing' is none"),
    ],
)
def test_merges_that_cannot_be(feature, rows, fault):
    with pytest.raises(InvalidParameterError, match=fault):
        hand_card().merge_bins(feature, rows, **SIGNED)


def test_rows_out_of_range_do_not_merge():
    card = woe_card(pd.DataFrame({"x": [1.0, 2, 3, 4] * 30}), [0, 0, 1, 1, 0, 1, 1, 1] * 15, min_share=0.01)
    with pytest.raises(InvalidParameterError, match="'< 1' is none"):
        card.merge_bins("x", [0, 1], **SIGNED)


# ---- split ---------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 30), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_split_changes_no_score_and_can_be_merged_back(seed, data):
    card = random_card(seed)
    one = data.draw(st.sampled_from(card.bins[:-1]))
    low = max(one.least, one.edges[0] - 1)
    at = data.draw(st.floats(low, min(one.greatest, one.edges[-1] + 1)).filter(lambda x: x not in one.edges))
    split = card.split_bin(one.name, at, **SIGNED)
    X = random_frame(card, seed)
    X.loc[0, one.name], X.loc[1, one.name] = at, np.nextafter(at, np.inf)
    assert split.decision(X).equals(card.decision(X))
    j = card.features.index(one.name)
    row = split.bins[j].code(at)
    assert split.bins[j].code(np.nextafter(at, np.inf)) == row + 1
    back = split.merge_bins(one.name, [row, row + 1], **SIGNED)
    assert back.bins == card.bins
    for old, new in zip(card.terms, back.terms, strict=True):
        assert new.values == pytest.approx(old.values, abs=1e-12)
        assert old.share is None or new.share == pytest.approx(old.share, abs=1e-12)


@pytest.mark.parametrize(
    ("feature", "at", "fault"),
    [
        ("k", 1.0, "Each level has a row of its own"),
        ("a", 2, "2 is an edge already"),
        ("a", float("nan"), "must be a finite number"),
        ("a", "3", "must be a finite number"),
        ("x", 1.0, "'x' is no feature"),
    ],
)
def test_splits_that_cannot_be(feature, at, fault):
    with pytest.raises(InvalidParameterError, match=fault):
        hand_card().split_bin(feature, at, **SIGNED)
    bounded = random_card(0)
    with pytest.raises(InvalidParameterError, match="must lie in range"):
        bounded.split_bin("f1", 1e6, **SIGNED)


# ---- set -----------------------------------------------------------------------------------------------


def test_points_of_a_row_are_minus_the_factor_times_its_log_odds():
    card = hand_card().set_points("a", "missing", -20, **SIGNED)
    assert card.terms[0].values[4, 0] == pytest.approx(np.log(2))
    card = card.set_points("a", [0, "> 4"], [10, 20], scale=ScoreScale(pdo=10), **SIGNED)
    assert card.terms[0].values[[0, 2], 0].tolist() == pytest.approx([-np.log(2), -2 * np.log(2)])
    assert card.edits[-1].detail["points"] == [10, 20]
    card = card.set_points("b x a", ("> 0", "code -999"), log_odds=7, **SIGNED)
    assert card.terms[1].values[1, 3, 0] == 7
    card = card.set_points(("b", "a"), [(0, 0), (0, 1)], log_odds=[5, 6], **SIGNED)
    assert card.terms[1].values[0, :2, 0].tolist() == [5, 6]
    assert card.decision_one({"a": 3.0, "b": 0.0, "k": "u"}) == pytest.approx(-3 + 0.5 + 6 + 0.1)


@given(seed=st.integers(0, 30), data=st.data(), value=st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_setting_changes_one_term_in_its_rows_only(seed, data, value):
    card = random_card(seed)
    one = data.draw(st.sampled_from(card.bins))
    row = data.draw(st.integers(0, one.n_rows - 1))
    changed = card.set_points(one.name, row, log_odds=value, **SIGNED)
    X = random_frame(card, seed)
    before, after = card.contributions(X), changed.contributions(X)
    others = [name for name in before if name != one.name]
    assert after[others].equals(before[others])
    codes = card.encode(X)[:, card.features.index(one.name)]
    alike = {row, *(end for end in one.range_rows if one.nearest[end] == row)}
    hit = np.isin(codes, list(alike))
    assert (after[one.name][hit] == value).all()
    assert after[one.name][~hit].equals(before[one.name][~hit])


@pytest.mark.parametrize(
    ("term", "rows", "values", "fault"),
    [
        ("c", 0, {"points": 1}, "no table 'c'"),
        ("a x b", (0, 0), {"points": 1}, "Did you mean 'b x a'"),
        ("a", 0, {}, "either points or log_odds"),
        ("a", 0, {"points": 1, "log_odds": 1}, "either points or log_odds"),
        ("a", 0, {"points": float("inf")}, "must be finite"),
        ("a", 0, {"points": "many"}, "must be numbers"),
        ("a", [0, 1, 2], {"points": [1, 2]}, "3 rows need one value, or 3; got 2"),
        ("a", [0, 0], {"points": 1}, "Rows must differ"),
        ("a", [], {"points": 1}, "at least one row"),
        ("b x a", 0, {"points": 1}, "is a tuple of two rows"),
        ("a", 0, {"points": 1, "output": "good"}, "output must be one of"),
    ],
)
def test_values_that_cannot_be_set(term, rows, values, fault):
    with pytest.raises(InvalidParameterError, match=fault):
        hand_card().set_points(term, rows, **values, **SIGNED)


def test_a_card_of_several_outputs_names_the_one_to_set():
    bins = (FeatureBins("a", "number", edges=(1.0,)),)
    term = Term(("a",), np.zeros((4, 2)))
    card = AdditiveCard(("exit", "need"), (0.0, 0.0), bins, (term,), "multilogit")
    assert card.set_points("a", 0, log_odds=2, output="need", **SIGNED).terms[0].values[0].tolist() == [0, 2]
    with pytest.raises(InvalidParameterError, match="cannot be set") as caught:
        card.set_points("a", 0, 5, **SIGNED)
    assert len(caught.value.faults) == 2
    merged = card.set_points("a", 0, log_odds=2, output="need", **SIGNED).merge_bins("a", [0, 1], **SIGNED)
    assert merged.terms[0].values[0].tolist() == [0, 1]
    with pytest.raises(InvalidParameterError, match="A refit needs one output"):
        card.refit(pd.DataFrame({"a": [1.0, 2.0]}), [0, 1], **SIGNED)


# ---- freeze and the log --------------------------------------------------------------------------------


def test_what_is_frozen_is_not_edited():
    card = hand_card().freeze("b", **SIGNED)
    assert card.frozen == ("b",)
    with pytest.raises(InvalidParameterError, match="'b x a' is frozen; unfreeze it first"):
        card.merge_bins("a", [0, 1], **SIGNED)
    with pytest.raises(InvalidParameterError, match="'b x a' is frozen"):
        card.set_points("b x a", (0, 0), log_odds=0, **SIGNED)
    card.set_points("a", 0, log_odds=0, **SIGNED)
    assert card.unfreeze("b", **SIGNED).frozen == ()
    with pytest.raises(InvalidParameterError, match="frozen already"):
        card.freeze(["b", "k"], **SIGNED)
    with pytest.raises(InvalidParameterError, match="'k' is not frozen"):
        card.unfreeze("k", **SIGNED)
    with pytest.raises(InvalidParameterError, match="no feature or pair"):
        card.freeze("b x c", **SIGNED)
    with pytest.raises(InvalidParameterError, match="at least one"):
        card.freeze([], **SIGNED)


def test_every_edit_is_signed():
    with pytest.raises(InvalidParameterError, match="cannot be merged") as caught:
        hand_card().merge_bins("a", [0, 9], by=" ", why="", when="31.3.2026")
    assert len(caught.value.faults) == 4
    with pytest.raises(InvalidParameterError, match="cannot be recorded") as caught:
        Edit("freeze", "a", {"x": float("nan")}, by="", when="2026-01-01", why="x")
    assert len(caught.value.faults) == 2
    now = hand_card().freeze("a", by="A", why="b").edits[0].when
    assert pd.Timestamp(now).tzinfo is not None
    dated = hand_card().freeze("a", by="A", why="b", when=pd.Timestamp("2026-03-31"))
    assert dated.edits[0].when == "2026-03-31T00:00:00"


def test_the_log_survives_json_and_shows_what_was_done():
    card = hand_card().merge_bins("a", [1, 2], **SIGNED).set_points("a", 0, 12.5, **SIGNED)
    card = card.split_bin("b", 3, **SIGNED).freeze(["a", "k"], **SIGNED)
    back = AdditiveCard.from_json(card.to_json())
    assert back.edits == card.edits
    assert back.frame().equals(card.frame())
    assert back.frozen == ("a", "k")
    log = back.edit_log()
    assert log["kind"].tolist() == ["merge_bins", "set_points", "split_bin", "freeze", "freeze"]
    assert set(log["by"]) == {"A. Chen"}
    assert set(log["when"]) == {"2026-03-31"}
    assert json.loads(log["detail"][1])["after"] == [-12.5 / ScoreScale().factor]
    assert hand_card().edit_log().empty


def test_a_card_written_before_edits_reads_and_a_wrong_log_does_not():
    state = hand_card().to_state()
    del state["edits"]
    assert AdditiveCard.from_state(state).edits == ()
    state["edits"] = [{"kind": "set_points", "term": "a", "detail": {"places": [[99]]}, **SIGNED}]
    with pytest.raises(BundleFormatError, match="log of edits does not fit"):
        AdditiveCard.from_state(state)
    state["edits"] = [{"kind": "shout", "term": "a", "detail": {}, **SIGNED}]
    with pytest.raises(BundleFormatError, match="kind must be one of"):
        AdditiveCard.from_state(state)


def edited_rows(card, term):
    frame = card.frame()
    return frame[(frame["term"] == term) & frame["edited"]]


def test_edited_marks_move_along_when_rows_are_renumbered():
    card = (
        hand_card().set_points("a", "missing", 1, **SIGNED).set_points("b x a", (0, 2), log_odds=1, **SIGNED)
    )
    assert edited_rows(card, "a")["row_1"].tolist() == ["missing"]
    card = card.merge_bins("a", [0, 1], **SIGNED)
    assert edited_rows(card, "a")["row_1"].tolist() == ["<= 4", "missing"]
    pair = edited_rows(card, "b x a")[["row_1", "row_2"]].to_numpy().tolist()
    assert pair == [
        ["<= 0", "<= 4"],
        ["<= 0", "> 4"],
        *([row, "<= 4"] for row in ("> 0", "missing", "unseen")),
    ]
    card = card.split_bin("a", 7, **SIGNED)
    assert edited_rows(card, "a")["row_1"].tolist() == ["<= 4", "(4, 7]", "> 7", "missing"]
    assert edited_rows(card, "k").empty
    assert not card.frame()["edited"].isna().any()


# ---- refit ---------------------------------------------------------------------------------------------


def book(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    X["b"] = 0.8 * X["a"] + 0.6 * X["b"]  # b can stand in for a
    X.loc[rng.random(n) < 0.1, "c"] = np.nan
    X["k"] = rng.choice(["u", "v", "w"], n)
    z = -1.5 + X["a"] + 0.5 * X["b"] - 0.7 * X["c"].fillna(1) + 0.6 * X["d"] * (X["b"] > 0) + (X["k"] == "w")
    return X, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)


def log_loss(card, X, y):
    z = card.decision(X).to_numpy()
    return float(np.mean(np.logaddexp(0, z) - y * z))


def boosted(X, y, **settings):
    bins = fit_bins(X, max_bins=16)
    return learn_boosted(encode(bins, X), bins, y, n_bags=2, random_state=0, **settings)[0]


def flattened(card, feature="a"):
    one = card.bins[card.features.index(feature)]
    return card.merge_bins(feature, list(one.inner_rows), **SIGNED).freeze(feature, **SIGNED)


@pytest.mark.parametrize("how", [woe_card, boosted])
def test_a_refit_wins_back_loss_and_leaves_the_frozen_alone(how):
    X, y = book()
    card = flattened(how(X, y))
    new = card.refit(X, y, **SIGNED)
    fresh, target = book(seed=1)
    assert log_loss(new, X, y) <= log_loss(card, X, y)
    assert log_loss(new, fresh, target) < log_loss(card, fresh, target) - 0.002
    frozen = [place for place, term in enumerate(card.terms) if "a" in term.features]
    assert all(new.terms[place] is card.terms[place] for place in frozen)
    edit = new.edits[-1]
    assert edit.kind == "refit"
    assert edit.detail["loss"] == pytest.approx([log_loss(card, X, y), log_loss(new, X, y)])
    assert all(edit.detail["factors"][card.terms[place].name] == 1 for place in frozen)
    assert edit.detail["factors"]["b"] > 1.1
    assert AdditiveCard.from_json(new.to_json()).edits == new.edits


def test_a_refit_finds_the_factor_that_was_taken():
    X, y = book(6000)
    card = woe_card(X, y)
    rows = list(range(card.bins[1].n_rows))
    values = next(term for term in card.terms if term.name == "b").values[:, 0]
    others = [name for name in card.scored_features if name != "b"]
    halved = card.set_points("b", rows, log_odds=(values / 2).tolist(), **SIGNED).freeze(others, **SIGNED)
    new = halved.refit(X, y, ridge=1e-6, **SIGNED)
    # learn_woe shrinks its coefficients slightly: the free optimum lies close to, not at, the factor 2
    assert new.edits[-1].detail["factors"]["b"] == pytest.approx(2, rel=0.02)
    assert abs(new.intercept[0] - card.intercept[0]) < 0.02


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_a_refit_never_raises_the_training_loss(seed):
    card = random_card(seed)
    X = random_frame(card, seed, n=120)
    rng = np.random.default_rng(seed)
    y = np.concatenate([[0.0, 1.0], (rng.random(118) < 0.3)])
    weight = rng.integers(0, 3, 120) + 0.5
    new = card.freeze("f0", **SIGNED).refit(X, y, weight, ridge=0.1, **SIGNED)
    before, after = new.edits[-1].detail["loss"]
    assert after <= before + 1e-12
    z = new.decision(X).to_numpy()
    assert after == pytest.approx(np.average(np.logaddexp(0, z) - y * z, weights=weight), abs=1e-9)
    assert min(new.edits[-1].detail["factors"].values()) >= 0


@pytest.mark.parametrize("asked", ["keep", {"d": "increasing", "b": "increasing"}])
def test_directions_hold_after_a_refit_pairs_included(asked):
    X, y = book()
    card = boosted(X, y, monotone={"d": "increasing", "b": "increasing"})
    assert any({"b", "d"} == set(term.features) for term in card.terms)
    new = flattened(card).refit(X, y, monotone=asked, ridge=0.1, **SIGNED)
    assert new.edits[-1].detail["monotone"]["d"] == "increasing"
    codes = new.encode(X)
    for name in ("b", "d"):
        one = new.bins[new.features.index(name)]
        steps = np.diff(new.decision_profile(codes, name, range(one.n_values))[..., 0], axis=1)
        assert steps.min() > -1e-9


def test_a_direction_bounds_the_factor_of_a_pair_by_that_of_the_main_effect():
    """Main effect 0, 1; the pair takes .9 of the step away where b is high, and the data would take all."""
    bins = (FeatureBins("a", "number", edges=(0.0,)), FeatureBins("b", "number", edges=(0.0,)))
    main = np.array([0.0, 1.0, 0, 0])[:, None]
    pair = np.zeros((4, 4, 1))
    pair[1, 1] = -0.9
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("a",), main), Term(("a", "b"), pair)))
    X = pd.DataFrame({"a": [-1.0, 1.0, 1.0, -1.0] * 500, "b": [-1.0, -1.0, 1.0, 1.0] * 500})
    rate = np.select([X["a"] < 0, X["b"] < 0], [0.5, 0.8], 0.2)  # high a with high b is the best
    y = (np.random.default_rng(0).random(2000) < rate).astype(float)
    free = card.refit(X, y, monotone=None, ridge=1e-3, **SIGNED)
    assert free.edits[-1].detail["factors"]["a x b"] > 2
    held = card.refit(X, y, monotone={"a": "increasing"}, ridge=1e-3, **SIGNED)
    factors = held.edits[-1].detail["factors"]
    assert factors["a"] == pytest.approx(0.9 * factors["a x b"])  # as far as the direction lets it
    assert factors["a"] > 0.5
    assert held.decision_one({"a": 1, "b": 1}) >= held.decision_one({"a": -1, "b": 1}) - 1e-9
    frozen = card.freeze("a x b", **SIGNED).refit(X, y, monotone={"a": "increasing"}, **SIGNED)
    assert frozen.edits[-1].detail["factors"] == {"a": pytest.approx(0.9), "a x b": 1}


def test_refits_that_cannot_be():
    X, y = book(300)
    card = woe_card(X, y)
    with pytest.raises(InvalidParameterError, match="Every table is frozen"):
        card.freeze(list(card.scored_features), **SIGNED).refit(X, y, **SIGNED)
    with pytest.raises(InvalidParameterError, match="cannot be refitted") as caught:
        card.refit(X, y, monotone={"a": "decreasing", "z": "increasing", "b": "up"}, **SIGNED)
    assert len(caught.value.faults) == 3
    assert "'a' is not decreasing now" in caught.value.faults[0]
    with pytest.raises(InvalidParameterError, match="monotone must be one of 'keep'"):
        card.refit(X, y, monotone="all", **SIGNED)
    with pytest.raises(InvalidParameterError, match="ridge must be"):
        card.refit(X, y, ridge=0, **SIGNED)
    with pytest.raises(ValueError, match="y must hold 0 or 1"):
        card.refit(X, y * 2, **SIGNED)
    with pytest.raises(ValueError, match="both classes"):
        card.refit(X, np.zeros(300), **SIGNED)
    with pytest.raises(ValueError, match="sample_weight must hold"):
        card.refit(X, y, -np.ones(300), **SIGNED)


def test_edits_and_policies_live_together():
    X, y = book(600)
    card = woe_card(X, y, rules={"c": FeatureRule(specials=(-999,))})
    card = card.with_rules({"c": FeatureRule(missing="worst")}).set_points("c", "code -999", -15, **SIGNED)
    assert card.recalibrated(0.1, 0.9).edits == card.edits
    assert edited_rows(card, "c")["row_1"].tolist() == ["code -999"]


def test_deviations_move_with_their_rows_and_vanish_where_people_decide():
    bins = (FeatureBins("a", "number", edges=(2.0, 4.0)),)
    share, deviation = np.array([0.5, 0.3, 0.2, 0, 0]), np.array([0.1, 0.2, 0.3, 0, 0])[:, None]
    values = np.array([-1.0, 0.5, 1.0, 0, 0])[:, None]
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("a",), values, share, deviation),))
    merged = card.merge_bins("a", [1, 2], **SIGNED)
    assert merged.terms[0].deviation[:, 0].tolist() == pytest.approx([0.1, 0.24, 0, 0])
    assert card.split_bin("a", 3, **SIGNED).terms[0].deviation[:4, 0].tolist() == [0.1, 0.2, 0.2, 0.3]
    assert card.set_points("a", 2, 5, **SIGNED).terms[0].deviation[:, 0].tolist() == [0.1, 0.2, 0, 0, 0]
    X, y = pd.DataFrame({"a": [1.0, 3.0, 5.0] * 20}), [0, 0, 1] * 20
    new = card.refit(X, y, **SIGNED)
    factor = new.edits[-1].detail["factors"]["a"]
    assert new.terms[0].deviation == pytest.approx(deviation * factor)
