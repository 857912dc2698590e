"""Reasons by minimum and maximum against a full sort; one client against many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.scoring._reasons import BLOCK_ROWS, ReasonFinder


def card_of(seed, n_features, n_pairs, n_rows=6):
    rng = np.random.default_rng(seed)
    edges = tuple(np.linspace(-1, 1, n_rows - 3).tolist())
    bins = tuple(
        FeatureBins(f"f{j}", "number", edges=edges) for j in range(n_features + 1)
    )  # the last unused
    terms = [Term((one.name,), rng.normal(size=(n_rows, 1))) for one in bins[:-1]]
    for _ in range(n_pairs):
        a, b = rng.choice(n_features, 2, replace=False)
        terms.append(Term((bins[a].name, bins[b].name), rng.normal(size=(n_rows, n_rows, 1))))
    order = rng.permutation(len(terms))
    return AdditiveCard(("bad",), (-1.0,), bins, tuple(terms[i] for i in order))


def by_sorting(card, codes, reference, n):
    """Names of the n largest losses by a full stable sort; None where nothing is lost."""
    loss = card.feature_contributions_codes(codes) - reference
    places = np.argsort(-loss, axis=1, kind="stable")[:, :n]
    return [
        [card.scored_features[j] if loss[i, j] > 1e-9 else None for j in row] + [None] * (n - len(row))
        for i, row in enumerate(places)
    ]


def names_of(frame):
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_features=st.sampled_from([2, 3, 5, 12, 70]),
    pairs=st.booleans(),
    n=st.integers(1, 4),
)
def test_reasons_equal_a_full_sort_and_one_client_equals_many(seed, n_features, pairs, n):
    card = card_of(seed, n_features, 2 * n_features if pairs else 0)
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 6, size=(60, n_features + 1)).astype(np.uint8)
    reference = rng.normal(size=n_features)
    finder = ReasonFinder(card, reference)
    index = pd.RangeIndex(5, 65)
    frame = finder.frame(codes, index, n)
    assert frame.index.equals(index)
    assert list(frame.columns) == [f"reason_{k + 1}" for k in range(n)]
    assert set(frame.dtypes.astype(str)) == {str(pd.Series(["a"], dtype="str").dtype)}
    names = names_of(frame)
    assert names == by_sorting(card, codes, reference, n)
    one = [finder.names_one(row, n) for row in codes.tolist()]
    assert one == [[name for name in row if name is not None] for row in names]
    parts = card.feature_contributions_codes(codes)
    assert names_of(finder.name(finder.places(codes, n, parts), index)) == names


def equal_card(pair):
    """Three features that lose the same, in unlike ways: alone, and through halves of a pair."""
    bins = tuple(FeatureBins(name, "number", edges=(0.0,)) for name in ("c", "a", "b"))
    terms = [Term((name,), np.array([[0.0], [0.6], [0.0], [0.0]])) for name in ("b", "c", "a")]
    if pair:
        terms.append(Term(("a", "b"), np.full((4, 4, 1), 0.2)))
        terms.append(Term(("c", "b"), np.full((4, 4, 1), 0.2)))
        terms.append(Term(("a", "c"), np.full((4, 4, 1), 0.2)))
    return AdditiveCard(("bad",), (0.0,), bins, tuple(terms))


@pytest.mark.parametrize("pair", [False, True])
def test_equal_losses_come_in_the_order_of_the_features(pair):
    finder = ReasonFinder(equal_card(pair), np.zeros(3))
    codes = np.array([[1, 1, 1]], dtype=np.uint8)
    assert names_of(finder.frame(codes, pd.RangeIndex(1), 4)) == [["c", "a", "b", None]]
    assert finder.names_one([1, 1, 1], 2) == ["c", "a"]


@pytest.mark.parametrize("pairs", [0, 9])
def test_a_loss_equal_to_12_digits_ties_and_a_tiny_one_is_none(pairs):
    card = card_of(0, 6, pairs)
    codes = np.full((1, 7), 2, dtype=np.uint8)
    parts = card.feature_contributions_codes(codes)[0]
    loss = np.array([0.5, 0.5 * (1 + 1e-15), 0.5 * (1 + 1e-10), 1e-10, 0.0, -1.0])
    finder = ReasonFinder(card, parts - loss)
    found = names_of(finder.frame(codes, pd.RangeIndex(1), 4))[0]
    assert found == ["f2", "f0", "f1", None]
    assert finder.names_one(codes[0].tolist(), 4) == ["f2", "f0", "f1"]


@pytest.mark.parametrize("pairs", [0, 9])
def test_blocks_do_not_change_reasons(pairs):
    card = card_of(1, 6, pairs)
    codes = np.random.default_rng(0).integers(0, 6, size=(BLOCK_ROWS + 7, 7)).astype(np.uint8)
    finder = ReasonFinder(card, np.zeros(6))
    whole = finder.frame(codes, pd.RangeIndex(len(codes)), 3)
    parts = [finder.frame(codes[rows], whole.index[rows], 3) for rows in (slice(0, 99), slice(99, None))]
    pd.testing.assert_frame_equal(whole, pd.concat(parts))
    assert finder.frame(codes[:0], whole.index[:0], 3).shape == (0, 3)


def test_a_card_without_terms_has_no_reasons():
    card = AdditiveCard(("bad",), (0.0,), (FeatureBins("a", "number", edges=(0.0,)),), ())
    finder = ReasonFinder(card, np.empty(0))
    codes = np.zeros((2, 1), dtype=np.uint8)
    assert finder.frame(codes, pd.RangeIndex(2), 2).isna().all().all()
    assert finder.names_one([0], 2) == []


def test_more_rows_than_16_bits_can_rank():
    card = card_of(2, 70, 0, n_rows=1000)
    codes = np.random.default_rng(0).integers(0, 1000, size=(30, 71)).astype(np.uint16)
    finder = ReasonFinder(card, np.full(70, -9.0))
    frame = finder.frame(codes, pd.RangeIndex(30), 4)
    assert names_of(frame) == by_sorting(card, codes, finder.reference, 4)
