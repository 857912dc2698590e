"""Reading the conditions of a rule: ``{ tier = "A", churn_12m = { ">=" = 0.2, missing = false } }``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ._rules import ColumnType, Condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._source import Faults, Path

_OPERATORS = {
    "number": ("==", "<", "<=", ">", ">=", "between", "missing"),
    "text": ("==", "!=", "in", "not_in", "missing"),
    "flag": ("==", "missing"),
}


def parse_conditions(
    table: Any, path: Path, columns: Mapping[str, ColumnType], faults: Faults
) -> tuple[Condition, ...]:
    """Return the conditions of one `when` table, noting faults."""
    if not isinstance(table, dict):
        faults.add(path, f"must be a table of conditions; got {table!r}.")
        return ()
    conditions = []
    for name, wanted in table.items():
        where = (*path, name)
        if name not in columns:
            faults.unknown(where, "the column", name, columns)
            continue
        tests = _tests(wanted, columns[name], where, faults)
        if tests is not None:
            conditions.append(_condition(name, columns[name], tests, where, faults))
    # The order of the columns, not of the keys: a stored policy may have lost the latter.
    order = list(columns)
    found = [condition for condition in conditions if condition is not None]
    return tuple(sorted(found, key=lambda condition: order.index(condition.column)))


def _tests(wanted: Any, spec: ColumnType, path: Path, faults: Faults) -> dict[str, Any] | None:
    """Bring the short forms (a value, a list) to the long form (operators)."""
    if isinstance(wanted, list):
        return {"in": wanted}
    if not isinstance(wanted, dict):
        return {"==": wanted}
    unknown = [operator for operator in wanted if operator not in _OPERATORS[spec.kind]]
    for operator in unknown:
        faults.add(path, f"uses {operator!r}; a {spec.kind} column takes {', '.join(_OPERATORS[spec.kind])}.")
    if not wanted:
        faults.add(path, "tests nothing. Give an operator.")
    return None if unknown or not wanted else wanted


def _condition(
    name: str, spec: ColumnType, tests: dict[str, Any], path: Path, faults: Faults
) -> Condition | None:
    tests = dict(tests)
    missing = tests.pop("missing", None)
    if missing not in (True, False, None):
        faults.add(path, f"must have missing = true or false; got {missing!r}.")
        return None
    if spec.kind == "number":
        return _number(name, tests, missing, path, faults)
    if spec.kind == "flag":
        value = tests.get("==")
        if tests and not isinstance(value, bool):
            faults.add(path, f"must be true or false; got {value if '==' in tests else tests!r}.")
            return None
        return Condition(name, "flag", flag=value, missing=missing)
    return _text(name, spec, tests, missing, path, faults)


def _number(
    name: str, tests: dict[str, Any], missing: bool | None, path: Path, faults: Faults
) -> Condition | None:
    """Return the interval that all comparisons together leave."""
    low, high = (-math.inf, True), (math.inf, True)
    for operator, value in tests.items():
        edges = value if operator == "between" else [value]
        wanted = 2 if operator == "between" else 1
        if not _are_numbers(edges) or len(edges) != wanted:
            count = "two finite numbers" if wanted == 2 else "a finite number"
            faults.add(path, f"must compare with {count}; got {operator} {value!r}.")
            return None
        first, last = float(edges[0]), float(edges[-1])
        if operator in (">", ">=", "==", "between"):
            low = max(low, (first, operator != ">"), key=lambda edge: (edge[0], not edge[1]))
        if operator in ("<", "<=", "==", "between"):
            high = min(high, (last, operator != "<"), key=lambda edge: (edge[0], edge[1]))
    if low[0] > high[0] or (low[0] == high[0] and not (low[1] and high[1])):
        faults.add(path, f"can never hold: no number lies above {low[0]:g} and below {high[0]:g}. Swap them?")
        return None
    return Condition(name, "number", low=low[0], high=high[0], closed=(low[1], high[1]), missing=missing)


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in values
    )


def _text(
    name: str, spec: ColumnType, tests: dict[str, Any], missing: bool | None, path: Path, faults: Faults
) -> Condition | None:
    if not tests:
        return Condition(name, "text", missing=missing)
    if len(tests) > 1:
        faults.add(path, f"must have one test of the word; got {', '.join(tests)}.")
        return None
    operator, value = next(iter(tests.items()))
    words = value if operator in ("in", "not_in") else [value]
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        faults.add(path, f"must compare with words; got {operator} {value!r}.")
        return None
    if spec.levels is not None:
        for word in words:
            if word not in spec.levels:
                faults.unknown(path, "the word", word, spec.levels)
    negated = operator in ("!=", "not_in")
    return Condition(name, "text", words=frozenset(words), negated=negated, missing=missing)
