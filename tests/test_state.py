from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore._state import digest, join_state, split_state
from clientscore.exceptions import DataError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), children, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(PLAIN)
def test_plain_data_comes_back_equal(state: object) -> None:
    text, arrays = split_state(state)
    assert join_state(text, arrays) == state


def test_arrays_keep_dtype_shape_and_values() -> None:
    state = {"codes": np.array([[1, 2], [3, 4]], dtype=np.uint8), "edges": [np.array([0.1, np.nan, np.inf])]}
    text, arrays = split_state(state)
    back = join_state(text, arrays)
    assert back["codes"].dtype == np.uint8
    np.testing.assert_array_equal(back["codes"], state["codes"])
    np.testing.assert_array_equal(back["edges"][0], state["edges"][0])


def test_nan_and_infinity_survive_json() -> None:
    text, arrays = split_state([math.nan, math.inf, -math.inf])
    back = join_state(text, arrays)
    assert math.isnan(back[0])
    assert back[1:] == [math.inf, -math.inf]


def test_digest_sees_values_dtypes_and_order_of_lists_but_not_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest({"x": np.zeros(2)}) != digest({"x": np.zeros(2, dtype=np.float32)})
    assert digest({"x": np.zeros(2)}) != digest({"x": np.ones(2)})


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"model": object()}, r"state.model must be plain data .*got object"),
        ({"names": np.array(["a"])}, "state.names must be an array of numbers or booleans"),
        ({1: "x"}, "state must have text keys"),
        ({"$array": 3}, "state must have text keys"),
    ],
)
def test_what_is_not_plain_data_is_refused_with_its_place(state: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_state(state)


def test_a_reference_to_no_array_is_refused() -> None:
    with pytest.raises(DataError, match=r"refers to array 3; there are 0"):
        join_state('{"x":{"$array":3}}', [])


def test_a_broken_text_is_refused() -> None:
    with pytest.raises(DataError, match="The state must be JSON"):
        join_state("{", [])
