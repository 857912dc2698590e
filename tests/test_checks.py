from __future__ import annotations

import math
from typing import Literal

import pytest

from clientscore._checks import (
    check_columns,
    check_integer,
    check_interval,
    check_option,
    did_you_mean,
    nearest,
)
from clientscore.exceptions import InvalidParameterError, MissingColumnError

Method = Literal["woe", "boosted"]


def test_option_of_a_literal() -> None:
    check_option("method", "woe", Method)
    with pytest.raises(InvalidParameterError) as caught:
        check_option("method", "bosted", Method)
    assert str(caught.value) == (
        "method must be one of 'woe', 'boosted'; got 'bosted'. Did you mean 'boosted'?"
    )


def test_option_of_a_sequence_without_a_near_match() -> None:
    check_option("size", 2, (1, 2))
    with pytest.raises(InvalidParameterError, match=r"^size must be one of 1, 2; got 'zzz'\.$"):
        check_option("size", "zzz", (1, 2))


@pytest.mark.parametrize(
    ("closed", "inside", "outside"),
    [
        ("both", (0, 1), (-0.1, 1.1)),
        ("low", (0, 0.9), (1,)),
        ("high", (0.1, 1), (0,)),
        ("neither", (0.5,), (0, 1)),
    ],
)
def test_interval_ends(closed: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    for value in inside:
        check_interval("share", value, low=0, high=1, closed=closed)  # type: ignore[arg-type]
    for value in outside:
        with pytest.raises(InvalidParameterError, match="share must be a number in"):
            check_interval("share", value, low=0, high=1, closed=closed)  # type: ignore[arg-type]


def test_interval_message_shows_the_brackets() -> None:
    with pytest.raises(InvalidParameterError, match=r"share must be a number in \(0, 1\]; got 0\."):
        check_interval("share", 0, low=0, high=1, closed="high")
    with pytest.raises(InvalidParameterError, match=r"rate must be a number in \[0, inf\); got -1\."):
        check_interval("rate", -1, low=0)


@pytest.mark.parametrize("value", [True, "0.5", None, math.nan])
def test_interval_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(InvalidParameterError, match="must be a number"):
        check_interval("share", value)


@pytest.mark.parametrize(
    ("low", "high", "value", "rule"),
    [
        (None, None, 1.5, "a whole number;"),
        (1, None, 0, "a whole number of at least 1;"),
        (None, 3, 4, "a whole number of at most 3;"),
        (1, 3, True, "a whole number from 1 to 3;"),
    ],
)
def test_integer_rules(low: int | None, high: int | None, value: object, rule: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"n must be {rule} got"):
        check_integer("n", value, low=low, high=high)


def test_integer_ends_are_inside() -> None:
    check_integer("n", 1, low=1, high=3)
    check_integer("n", 3, low=1, high=3)


def test_columns_names_every_missing_one_and_its_nearest() -> None:
    check_columns(["a", "b"], ["a"], subject="table")
    with pytest.raises(MissingColumnError) as caught:
        check_columns(["revenu", "assets"], ["revenue", "zzz"], subject="table 'statements'")
    assert caught.value.faults == ("'revenue' is missing. Did you mean 'revenu'?", "'zzz' is missing.")
    assert caught.value.message == "table 'statements' needs 2 more columns."


def test_nearest_and_hint() -> None:
    assert nearest("revenu", ["revenue", "assets"]) == "revenue"
    assert nearest("xyz", ["revenue"]) is None
    assert did_you_mean("xyz", ["revenue"]) == ""
