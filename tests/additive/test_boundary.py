from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term, boundary_frame, compare_export
from clientscore.exceptions import DataError, InvalidParameterError


def small_card(*, refuse=(), specials=(-999.0,), levels=("SME", "big")) -> AdditiveCard:
    bins = (
        FeatureBins("roa", "number", edges=(0.1, 0.3), specials=specials, refuse=refuse),
        FeatureBins("kind", "category", levels=levels),
    )
    shape = (bins[0].n_rows, bins[1].n_rows)
    values = np.arange(float(shape[0] * shape[1])).reshape(*shape, 1)
    terms = (Term(("roa",), values[:, :1, 0].copy()), Term(("roa", "kind"), values))
    return AdditiveCard(("bad",), (-3.0,), bins, terms)


def test_every_edge_and_code_stands_with_its_neighbors():
    frame = boundary_frame(small_card())
    found = set(frame["roa"])
    for mark in (0.1, 0.3, -999.0):
        assert {mark, np.nextafter(mark, -np.inf), np.nextafter(mark, np.inf)} <= found
    assert frame["roa"].isna().any()
    assert {np.inf, -np.inf, 5e-324, 1.7976931348623157e308} <= found
    assert np.signbit(frame["roa"][frame["roa"] == 0]).nunique() == 2
    texts = set(frame["kind"].dropna())
    assert {"SME", "sme", "SME ", " SME", "big", "", "NULL", "it's", "007", "no such level"} <= texts
    assert frame["kind"].isna().any()


def test_every_cell_of_a_pair_is_met():
    card = small_card()
    frame = boundary_frame(card)
    codes = card.encode(frame[np.isfinite(frame["roa"]) | frame["roa"].isna()])
    # A number is never unseen: 3 intervals, one code, missing; all rows of the category.
    assert {tuple(row) for row in codes.tolist()} == {(a, b) for a in range(5) for b in range(4)}
    assert frame.attrs["cells_left"] == 0


def test_pairs_that_share_no_feature_are_crossed_in_the_same_rows():
    names = "abcd"
    bins = tuple(FeatureBins(name, "number", edges=tuple(range(19))) for name in names)
    tables = [("a", "b"), ("c", "d")]
    card = AdditiveCard(("bad",), (0.0,), bins, tuple(Term(pair, np.zeros((22, 22, 1))) for pair in tables))
    frame = boundary_frame(card)
    codes = card.encode(frame[~np.isinf(frame).any(axis=1)])
    for j in (0, 2):
        assert len({tuple(row) for row in codes[:, j : j + 2].tolist()}) == 21 * 21
    assert len(frame) < 21 * 21 + 150


def test_a_cap_says_how_many_cells_are_left():
    frame = boundary_frame(small_card(), max_rows=1)
    whole = boundary_frame(small_card())
    assert frame.attrs["cells_left"] == 5 * 4 - 1
    assert len(whole) - len(frame) == 5 * 4 - 1
    with pytest.raises(InvalidParameterError, match="max_rows must be a whole number of at least 1"):
        boundary_frame(small_card(), max_rows=0)


def test_a_refused_value_hides_no_other_value():
    card = small_card(refuse=("special", "missing"))
    frame = boundary_frame(card)
    refused = ~np.isfinite(frame["roa"]) | (frame["roa"] == -999)
    assert refused.sum() == 4  # missing, the code, two infinities
    assert set(frame["kind"][~refused].dropna()) >= {"SME", "big", "no such level"}
    assert frame.attrs["cells_left"] == 0


def test_a_feature_without_a_scored_value_is_an_error():
    bins = (FeatureBins("k", "category", refuse=("missing", "unseen")),)
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("k",), np.zeros((2, 1))),))
    with pytest.raises(InvalidParameterError, match="must have a value that is scored"):
        boundary_frame(card)


def test_comparing_finds_what_differs_and_only_that():
    card = small_card(refuse=("special",))
    rows = pd.DataFrame({"roa": [0.1, 0.2, -999.0, np.inf, None], "kind": ["SME", "big", "SME", "SME", None]})
    right = [*card.decision(rows.iloc[:2]), None, np.nan, card.decision_one({"roa": None, "kind": None})]
    assert compare_export(card, rows, right, tolerance=0).empty
    wrong = [right[0] + 1e-6, right[1] + 1e-12, 0.5, None, None]
    report = compare_export(card, rows, wrong)
    assert report.index.tolist() == [0, 2, 4]
    assert report.columns.tolist() == ["expected", "found", "difference", "roa", "kind"]
    assert len(compare_export(card, rows, wrong, tolerance=0)) == 4
    with pytest.raises(DataError, match="one value a row, 5; got 4"):
        compare_export(card, rows, right[:4])


def test_a_feature_outside_every_term_counts_only_where_it_refuses():
    card = small_card()
    rows = pd.DataFrame({"roa": [0.1], "kind": ["SME"], "unread": [np.nan]})
    for refuse, value in ((("missing",), np.nan), ((), card.decision(rows).iloc[0])):
        extra = FeatureBins("unread", "number", refuse=refuse)
        wide = AdditiveCard(card.outputs, card.intercept, (*card.bins, extra), card.terms)
        assert compare_export(wide, rows, [value], tolerance=0).empty
        assert len(compare_export(wide, rows, [-1.0])) == 1
    lenient = AdditiveCard(
        card.outputs, card.intercept, (*card.bins, FeatureBins("unread", "number")), card.terms
    )
    infinite = rows.assign(unread=np.inf)
    assert compare_export(lenient, infinite, card.decision(rows)).empty  # no export reads it
