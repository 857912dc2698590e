from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError
from clientscore.strategy._conditions import parse_conditions
from clientscore.strategy._rules import (
    COLUMNS,
    ColumnType,
    DecisionTable,
    Rule,
    all_true,
    encode_frame,
    encode_one,
)
from clientscore.strategy._source import Faults

TYPES = {name: COLUMNS[name] for name in ("tier", "watch", "pd", "industry")}


def conditions(table):
    faults = Faults()
    parsed = parse_conditions(table, ("when",), TYPES, faults)
    faults.raise_if()
    return parsed


def states(wanted, column, values):
    """Return True, False or None for each value."""
    frame = pd.DataFrame({column: values})
    columns = encode_frame(frame, {column: TYPES[column]})
    true, unknown = all_true(conditions({column: wanted}), columns, len(values))
    return [None if u else bool(t) for t, u in zip(true, unknown, strict=True)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (0.1, [False, True, False, None]),
        ({">=": 0.1}, [False, True, True, None]),
        ({">": 0.1}, [False, False, True, None]),
        ({"<": 0.1}, [True, False, False, None]),
        ({"<=": 0.1}, [True, True, False, None]),
        ({">=": 0.05, "<": 0.1}, [True, False, False, None]),
        ({"between": [0.1, 0.2]}, [False, True, True, None]),
        ({">=": 0.1, "missing": False}, [False, True, True, False]),
        ({">=": 0.1, "missing": True}, [False, True, True, True]),
        ({"missing": True}, [False, False, False, True]),
        ({"missing": False}, [True, True, True, False]),
    ],
)
def test_number_conditions(wanted, expected):
    assert states(wanted, "pd", [0.05, 0.1, 0.2, np.nan]) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("trade", [True, False, None]),
        (["trade", "energy"], [True, True, None]),
        ({"!=": "trade"}, [False, True, None]),
        ({"not_in": ["trade", "energy"]}, [False, False, None]),
        ({"!=": "trade", "missing": True}, [False, True, True]),
        ({"in": ["trade"], "missing": False}, [True, False, False]),
        ({"missing": True}, [False, False, True]),
    ],
)
def test_text_conditions(wanted, expected):
    assert states(wanted, "industry", ["trade", "energy", None]) == expected


def test_flag_conditions_in_every_form_of_a_flag():
    for values in ([True, False, None], [1.0, 0.0, np.nan], pd.array([True, False, None], dtype="boolean")):
        assert states(True, "watch", values) == [True, False, None]
        assert states({"==": False, "missing": True}, "watch", values) == [False, True, True]
        assert states({"missing": True}, "watch", values) == [False, False, True]


def test_false_beats_unknown_and_unknown_beats_true():
    frame = pd.DataFrame({"tier": ["A", "B", "A"], "pd": [np.nan, np.nan, 0.2]})
    columns = encode_frame(frame, {name: TYPES[name] for name in ("tier", "pd")})
    true, unknown = all_true(conditions({"tier": "A", "pd": {">=": 0.1}}), columns, 3)
    assert true.tolist() == [False, False, True]
    assert unknown.tolist() == [True, False, False]


def test_first_rule_that_is_not_false_decides():
    rules = (
        Rule("risky", "", 0, conditions({"pd": {">=": 0.1}}), {"x": 1}),
        Rule("top", "", 1, conditions({"tier": "A"}), {"x": 2}),
    )
    table = DecisionTable("t", rules, ("x",), {"x": 9}, None)
    frame = pd.DataFrame({"tier": ["A", "A", "A", "B", None], "pd": [0.2, 0.01, np.nan, 0.01, 0.01]})
    choice = table.decide(encode_frame(frame, {name: TYPES[name] for name in ("tier", "pd")}), 5)
    assert choice.row.tolist() == [0, 1, 3, 2, 3]
    assert choice.halted_by.tolist() == [-1, -1, 0, -1, 1]
    assert [row["x"] for row in table.rows] == [1, 2, None, 9]


numbers = st.one_of(st.none(), st.floats(0, 1))
words = st.one_of(st.none(), st.sampled_from(["trade", "energy", "fishing"]))


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(numbers, words), min_size=1, max_size=8), low=st.floats(0, 1))
def test_arrays_agree_with_plain_python(rows, low):
    frame = pd.DataFrame({"pd": [r[0] for r in rows], "industry": [r[1] for r in rows]})
    frame["pd"] = frame["pd"].astype("float64")
    wanted = {"pd": {">=": low}, "industry": ["trade", "energy"]}
    types = {name: TYPES[name] for name in wanted}
    true, unknown = all_true(conditions(wanted), encode_frame(frame, types), len(rows))
    for i, (number, word) in enumerate(rows):
        parts = [
            None if number is None else number >= low,
            None if word is None else word in wanted["industry"],
        ]
        expected = False if False in parts else None if None in parts else True
        assert (None if unknown[i] else bool(true[i])) is expected
        one = encode_one({"pd": number, "industry": word}, types)
        single_true, single_unknown = all_true(conditions(wanted), one, 1)
        assert (single_true[0], single_unknown[0]) == (true[i], unknown[i])


def test_strange_values_are_named():
    with pytest.raises(DataError, match="tier must be one of A, B, C; got 'a'"):
        encode_frame(pd.DataFrame({"tier": ["a"]}), TYPES)
    with pytest.raises(DataError, match="watch must hold true, false or missing; got 2"):
        encode_frame(pd.DataFrame({"watch": [2.0]}), TYPES)
    with pytest.raises(DataError, match="pd must hold numbers"):
        encode_one({"pd": "high"}, TYPES)
    assert encode_frame(pd.DataFrame({"x": [1]}), {"pd": ColumnType("number")})["pd"].present is False
