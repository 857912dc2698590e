from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import precision_at_capacity, recall_at_capacity, saved_value

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=30)


def test_by_hand():
    y, score = [1, 0, 1, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.1]
    # capacity 2: the first, and one of three alike, of whom one leaves
    assert precision_at_capacity(y, score, 2) == pytest.approx((1 + 1 / 3) / 2)
    assert recall_at_capacity(y, score, 2) == pytest.approx((1 + 1 / 3) / 2)
    # half a client: half of the first
    assert precision_at_capacity(y, score, 0.5) == 1.0
    assert recall_at_capacity(y, score, 0.5) == pytest.approx(0.25)
    # one and a half
    assert recall_at_capacity(y, score, 1.5) == pytest.approx((1 + 0.5 / 3) / 2)
    # more than there are
    assert precision_at_capacity(y, score, 99) == pytest.approx(0.4)
    assert recall_at_capacity(y, score, 99) == 1.0


@pytest.mark.parametrize("capacity", [1, 2, 3, 4])
def test_ties_give_the_mean_over_every_order(capacity):
    y, score = np.array([1, 0, 0, 1, 1]), np.array([2, 1, 1, 1, 0])
    taken = [
        y[list(order)[:capacity]].mean()
        for order in permutations(range(5))
        if (np.diff(score[list(order)]) <= 0).all()
    ]
    assert precision_at_capacity(y, score, capacity) == pytest.approx(np.mean(taken))


@given(ROWS, st.floats(0.1, 40), st.randoms())
def test_the_order_of_rows_does_not_matter_and_weights_repeat_rows(rows, capacity, random):
    y, score = (np.array(column) for column in zip(*rows, strict=True))
    again = list(range(len(y)))
    random.shuffle(again)
    precision = precision_at_capacity(y, score, capacity)
    assert precision_at_capacity(y[again], score[again], capacity) == pytest.approx(precision)
    weight = np.arange(len(y)) % 3 + 1
    for measure in (precision_at_capacity, recall_at_capacity):
        repeated = measure(np.repeat(y, weight), np.repeat(score, weight), capacity)
        assert measure(y, score, capacity, weight) == pytest.approx(repeated, nan_ok=True)
    if y.any():
        caught = recall_at_capacity(y, score, capacity) * y.sum()
        assert caught == pytest.approx(precision * min(capacity, len(y)))


def test_a_score_without_information_has_the_base_rate():
    y = np.array([1, 0, 0, 0])
    for capacity in (0.5, 1, 3, 9):
        assert precision_at_capacity(y, np.zeros(4), capacity) == pytest.approx(0.25)
    assert np.isnan(recall_at_capacity([0, 0], [1, 2], 1))


def test_saved_value_by_hand():
    y, value = [1, 0, 1], [100.0, 50.0, 80.0]
    assert saved_value(y, [3, 2, 1], value, 2, save_rate=0.5, cost=5) == pytest.approx(0.5 * 100 - 10)
    # alike: each of the three is handled with probability 2/3
    assert saved_value(y, [1, 1, 1], value, 2, save_rate=0.5, cost=5) == pytest.approx(
        2 / 3 * (0.5 * 180 - 15)
    )
    rates, costs = [0.1, 1.0, 0.5], [1.0, 2.0, 3.0]
    assert saved_value(y, [1, 2, 3], value, 2, save_rate=rates, cost=costs) == pytest.approx(0.5 * 80 - 5)
    assert saved_value([0, 0, 0], [1, 2, 3], value, 1, save_rate=0.5, cost=4) == -4.0


def test_no_list_saves_more_than_the_one_by_gain():
    rng = np.random.default_rng(0)
    y, value, rate = rng.integers(0, 2, 200), rng.exponential(100, 200), rng.random(200)
    best = saved_value(y, rate * y * value, value, 30, save_rate=rate)
    assert best == pytest.approx(np.sort(rate * y * value)[-30:].sum())
    for score in (value, rate, y, rng.random(200)):
        assert saved_value(y, score, value, 30, save_rate=rate) <= best + 1e-9


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: precision_at_capacity([0, 1], [1, 2], 0), InvalidParameterError, "capacity must be"),
        (lambda: recall_at_capacity([0, 1], [1, 2], np.nan), InvalidParameterError, "capacity must be"),
        (lambda: precision_at_capacity([0, 2], [1, 2], 1), DataError, "y must be 0 or 1"),
        (lambda: recall_at_capacity([0, 1], [1, np.inf], 1), DataError, "score must be finite"),
        (lambda: saved_value([0, 1], [1, 2], [1], 1, save_rate=1), DataError, "value must have 2"),
        (
            lambda: saved_value([0, 1], [1, 2], [1, 1], 1, save_rate=1.2, cost=-1),
            DataError,
            r"(?s)save_rate must lie in \[0, 1\].*cost must be at least 0",
        ),
        (lambda: saved_value([0, 1], [1, 2], [1, 1], 1, save_rate=[0.1] * 3), DataError, "save_rate"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
