"""Checks of parameters: one form of message, built from the rule itself."""

from __future__ import annotations

import difflib
import math
import re
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, get_args

from clientscore.exceptions import InvalidParameterError, MissingColumnError

if TYPE_CHECKING:
    from collections.abc import Iterable

Closed = Literal["both", "low", "high", "neither"]
_YEAR_FIRST = re.compile(r"\s*\d{4}(\d{4}|[-/.]\d{1,2}([-/.]\d{1,2})?)(?!\d)")


def check_option(name: str, value: object, options: Any) -> None:
    """Raise unless `value` is one of the options of a ``Literal`` type (or of a sequence)."""
    allowed = get_args(options) or tuple(options)
    if value not in allowed:
        listed = ", ".join(repr(option) for option in allowed)
        raise InvalidParameterError(
            f"{name} must be one of {listed}; got {value!r}.{did_you_mean(str(value), map(str, allowed))}"
        )


def check_interval(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    closed: Closed = "both",
) -> None:
    """Raise unless `value` is a real number inside the interval."""
    is_number = isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(float(value))
    if is_number:
        number = float(value)  # type: ignore[arg-type]
        above = number >= low if closed in ("both", "low") else number > low
        below = number <= high if closed in ("both", "high") else number < high
        if above and below:
            return
    left = "[" if closed in ("both", "low") and math.isfinite(low) else "("
    right = "]" if closed in ("both", "high") and math.isfinite(high) else ")"
    raise InvalidParameterError(f"{name} must be a number in {left}{low:g}, {high:g}{right}; got {value!r}.")


def check_integer(name: str, value: object, *, low: int | None = None, high: int | None = None) -> None:
    """Raise unless `value` is a whole number between `low` and `high`, both included."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if (low is None or number >= low) and (high is None or number <= high):
            return
    rule = {
        (False, False): "a whole number",
        (True, False): f"a whole number of at least {low}",
        (False, True): f"a whole number of at most {high}",
        (True, True): f"a whole number from {low} to {high}",
    }[(low is not None, high is not None)]
    raise InvalidParameterError(f"{name} must be {rule}; got {value!r}.")


def check_one_meaning(name: str, value: object) -> None:
    """Raise when a date may mean more than one day: a number, a period, or text without the year first.

    ``pandas`` reads 2024 as a moment of 1970 and "01/02/2024" as a day of January.
    """
    number = isinstance(value, Real) and value == value  # noqa: PLR0124 -- NaN is a missing date
    period = type(value).__name__ == "Period"
    if number or period or (isinstance(value, str) and not _YEAR_FIRST.match(value)):
        raise InvalidParameterError(
            f'{name} must be a date, or text with the year first such as "2026-01-31"; got {value!r}.'
        )


def check_columns(present: Iterable[str], required: Iterable[str], *, subject: str) -> None:
    """Raise, naming every missing column and its nearest match, unless all `required` are `present`."""
    have = {str(column): None for column in present}
    missing = [column for column in required if column not in have]
    if missing:
        faults = [f"{column!r} is missing.{did_you_mean(column, have)}" for column in missing]
        raise MissingColumnError(
            f"{subject} needs {len(missing)} more column{'s' if len(missing) > 1 else ''}.", faults
        )


def nearest(name: str, options: Iterable[str]) -> str | None:
    """Return the option most like `name`, or None when none is close."""
    matches = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return a hint sentence with the nearest option, or an empty string."""
    match = nearest(name, options)
    return f" Did you mean {match!r}?" if match else ""
