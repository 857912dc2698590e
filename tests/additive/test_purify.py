from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive._purify import cell_weights, purify_pair


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.floats(0, 1))
def test_parts_add_up_and_margins_vanish(seed, a, b, outputs, empty):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(a, b, outputs)) * 3
    counts = rng.integers(1, 100, (a, b)) * (rng.random((a, b)) >= empty)
    pure, rows, columns = purify_pair(table, counts)
    assert pure + rows[:, None] + columns[None] == pytest.approx(table, abs=1e-9)
    total = counts.sum() or 1.0
    floor = 1e-6 * total
    weight = counts + 0.01 / total * np.outer(counts.sum(1) + floor, counts.sum(0) + floor)
    scale = weight.sum()
    assert np.einsum("ij,ijk->ik", weight, pure) / scale == pytest.approx(np.zeros((a, outputs)), abs=1e-9)
    assert np.einsum("ij,ijk->jk", weight, pure) / scale == pytest.approx(np.zeros((b, outputs)), abs=1e-9)


def test_an_additive_table_has_no_interaction_left():
    rows, columns = np.array([0.0, 1.0, 5.0]), np.array([2.0, -1.0])
    table = (rows[:, None] + columns[None, :])[..., None]
    pure, to_rows, to_columns = purify_pair(table, np.array([[5, 1], [2, 9], [0, 3]]))
    assert np.abs(pure).max() < 1e-10
    assert np.diff(to_rows[:, 0]) == pytest.approx(np.diff(rows))
    assert np.diff(to_columns[:, 0]) == pytest.approx(np.diff(columns))


def test_a_checkerboard_on_equal_counts_is_pure_already():
    table = np.array([[1.0, -1.0], [-1.0, 1.0]])[..., None]
    pure, rows, columns = purify_pair(table, np.ones((2, 2)))
    assert pure == pytest.approx(table)
    assert np.abs(rows).max() + np.abs(columns).max() < 1e-12


def test_cells_are_weighed_by_training_rows():
    codes = np.array([[0, 1], [0, 1], [1, 0]], dtype=np.uint8)
    weight = cell_weights(codes, (0, 1), (2, 2), np.array([1.0, 2.0, 4.0]))
    assert weight.tolist() == [[0.0, 3.0], [4.0, 0.0]]
