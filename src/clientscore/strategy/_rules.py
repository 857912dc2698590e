"""Conditions and decision tables in three-valued logic: true, false, not evaluated.

A column arrives once as numbers, flags or codes of words; every rule then is a few whole-array comparisons.
A condition on a missing value is neither true nor false, unless it says itself what missing means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clientscore._checks import did_you_mean
from clientscore._words import PURPOSES
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

Kind = Literal["number", "text", "flag"]


@dataclass(frozen=True)
class ColumnType:
    """What a column may hold: a number in [low, high], a flag, or a word (one of `levels` where given).

    `titles_zh` are the levels in Chinese.
    """

    kind: Kind
    low: float = -math.inf
    high: float = math.inf
    levels: tuple[str, ...] | None = None
    unit: str = ""
    titles_zh: tuple[str, ...] | None = None


_SHARE = ColumnType("number", 0.0, 1.0, unit="share")
_AMOUNT = ColumnType("number", unit="amount")
_PURPOSES_ZH = ("流动资金", "再融资", "资本开支", "贸易", "业务扩张", "流动性压力")
_TEXT, _FLAG = ColumnType("text"), ColumnType("flag")

#: The columns a policy may read without declaring them.
COLUMNS: dict[str, ColumnType] = {
    "tier": ColumnType("text", levels=("A", "B", "C")),
    "tier_previous": _TEXT,
    "watch": _FLAG,
    "industry": _TEXT,
    "segment": _TEXT,
    "grade": _TEXT,
    "points": ColumnType("number"),
    "pd": _SHARE,
    **{f"churn_{h}m": _SHARE for h in (3, 6, 12)},
    "churn_cause": _TEXT,
    "churn_driver_1": _TEXT,
    **{f"need_probability_{h}m": _SHARE for h in (3, 6, 12)},
    "need_purpose": ColumnType("text", levels=PURPOSES, titles_zh=_PURPOSES_ZH),
    "need_product": _TEXT,
    "need_amount_expected": ColumnType("number", low=0.0, unit="amount"),
    "value": _AMOUNT,
    "size_amount": _AMOUNT,
    "exposure_amount": ColumnType("number", low=0.0, unit="amount"),
    "dpd_days": ColumnType("number", low=0.0, unit="days"),
    "consent": _FLAG,
    "kyc_valid": _FLAG,
    "wants_reports": _FLAG,
    "contacts_30d": ColumnType("number", low=0.0),
    "sector_limit_used_ratio": ColumnType("number", low=0.0, unit="share"),
    "group_limit_used_ratio": ColumnType("number", low=0.0, unit="share"),
    "suitability_valid": _FLAG,
}


@dataclass(frozen=True)
class Column:
    """One column: numbers (NaN missing), flags (1, 0, -1 missing) or codes of `words` (-1 missing)."""

    kind: Kind
    values: np.ndarray
    words: tuple[str, ...] = ()
    present: bool = True

    @property
    def missing(self) -> np.ndarray:
        """Return True where the value is missing."""
        return np.isnan(self.values) if self.kind == "number" else self.values < 0


Columns = dict[str, Column]


def absent(kind: Kind, n: int) -> Column:
    """Return a column that is missing in every row."""
    if kind == "number":
        return Column(kind, np.full(n, np.nan), present=False)
    return Column(kind, np.full(n, -1, dtype=np.intp), present=False)


def encode_frame(frame: pd.DataFrame, types: Mapping[str, ColumnType]) -> Columns:
    """Encode the columns of a frame that a policy reads; absent ones are missing in every row."""
    columns = {}
    for name, spec in types.items():
        if name not in frame.columns:
            columns[name] = absent(spec.kind, len(frame))
        elif spec.kind == "text":
            codes, words = frame[name].factorize()
            columns[name] = Column("text", codes, tuple(map(str, words)))
        else:
            columns[name] = _encode_numbers(name, spec.kind, frame[name])
        _check_levels(name, spec, columns[name])
    return columns


def encode_one(values: Mapping[str, Any], types: Mapping[str, ColumnType]) -> Columns:
    """Encode one client given as a mapping; None and NaN are missing."""
    columns = {}
    for name, spec in types.items():
        value = values.get(name)
        if value is None or value != value:  # noqa: PLR0124 -- NaN alone differs from itself
            columns[name] = Column(spec.kind, absent(spec.kind, 1).values, present=name in values)
        elif spec.kind == "text":
            columns[name] = Column("text", np.zeros(1, dtype=np.intp), (str(value),))
        else:
            columns[name] = _encode_numbers(name, spec.kind, [value])
        _check_levels(name, spec, columns[name])
    return columns


def _encode_numbers(name: str, kind: Kind, series: Any) -> Column:
    try:
        if hasattr(series, "to_numpy"):
            values = series.to_numpy(dtype="float64", na_value=np.nan)
        else:
            values = np.asarray(series, dtype="float64")
    except (TypeError, ValueError) as error:
        word = "numbers" if kind == "number" else "true, false or missing"
        raise DataError(f"{name} must hold {word}; {error}.") from error
    if values.ndim != 1:
        raise DataError(f"{name} must hold one value a client; got lists or tables.")
    if kind == "number":
        infinite = int(np.isinf(values).sum())
        if infinite:
            raise DataError(f"{name} holds infinity in {infinite} of {len(values)} rows; make it missing.")
        return Column("number", values)
    known = ~np.isnan(values)
    wrong = known & (values != 0) & (values != 1)
    if wrong.any():
        raise DataError(f"{name} must hold true, false or missing; got {values[wrong][0]:g}.")
    return Column("flag", np.where(known, values, -1).astype(np.intp))


def _check_levels(name: str, spec: ColumnType, column: Column) -> None:
    strange = [word for word in column.words if spec.levels is not None and word not in spec.levels]
    if strange and spec.levels is not None:
        listed = ", ".join(map(repr, strange[:5]))
        hint = did_you_mean(strange[0], spec.levels)
        raise DataError(f"{name} must be one of {', '.join(spec.levels)}; got {listed}.{hint}")


@dataclass(frozen=True)
class Condition:
    """A test of one column.

    Exactly one of the tests is set: an interval (numbers), `words` (text, negated or not), `flag`, or none of
    them, where only `missing` speaks. `missing`: True, a missing value passes; False, it fails; None, the
    condition is not evaluated.
    """

    column: str
    kind: Kind
    low: float = -math.inf
    high: float = math.inf
    closed: tuple[bool, bool] = (True, True)
    words: frozenset[str] | None = None
    negated: bool = False
    flag: bool | None = None
    missing: bool | None = None

    @property
    def tests_value(self) -> bool:
        """Whether the condition looks at known values at all."""
        bounded = math.isfinite(self.low) or math.isfinite(self.high)
        return bounded or self.words is not None or self.flag is not None

    def evaluate(self, column: Column) -> tuple[np.ndarray, np.ndarray]:
        """Return where the condition is false, and where it is not evaluated."""
        missing = column.missing
        passes = self._passes(column)
        if self.missing is None:
            return ~(passes | missing), missing
        if self.missing:
            return ~(passes | missing), np.zeros(len(missing), dtype=bool)
        return ~passes | missing, np.zeros(len(missing), dtype=bool)

    def _passes(self, column: Column) -> np.ndarray:
        """Return where a known value passes; rows with a missing value may hold anything."""
        values = column.values
        if not self.tests_value:
            return np.full(len(values), self.missing is False)
        if self.flag is not None:
            equal: np.ndarray = values == int(self.flag)
            return equal
        if self.words is not None:
            hits = np.array([(word in self.words) != self.negated for word in column.words] + [False])
            result: np.ndarray = hits[values]
            return result
        above = values >= self.low if self.closed[0] else values > self.low
        below = values <= self.high if self.closed[1] else values < self.high
        inside: np.ndarray = above & below
        return inside


@dataclass(frozen=True)
class Rule:
    """One row of a decision table: when all conditions hold, these outputs."""

    name: str
    name_zh: str
    priority: int
    conditions: tuple[Condition, ...]
    outputs: dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """What a table decided: position in `DecisionTable.rows`, and the rule that was not evaluated."""

    row: np.ndarray
    halted_by: np.ndarray


@dataclass(frozen=True)
class DecisionTable:
    """Rules in the order in which they are asked; the first that is not false decides.

    If the deciding rule cannot be evaluated, the row `not_evaluated` holds; if every rule is false,
    `otherwise`. Either may be None: then the outputs are missing, and `check` reports it.
    """

    name: str
    rules: tuple[Rule, ...]
    outputs: tuple[str, ...]
    not_evaluated: dict[str, Any] | None
    otherwise: dict[str, Any] | None
    by_priority: bool = False
    _reads: tuple[str, ...] = field(init=False, default=())
    _conditions: tuple[Condition, ...] = field(init=False, default=(), repr=False, compare=False)
    _places: tuple[tuple[int, ...], ...] = field(init=False, default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {condition.column for rule in self.rules for condition in rule.conditions}
        object.__setattr__(self, "_reads", tuple(sorted(names)))
        place = {c: k for k, c in enumerate(dict.fromkeys(c for rule in self.rules for c in rule.conditions))}
        object.__setattr__(self, "_conditions", tuple(place))
        places = tuple(tuple(place[c] for c in rule.conditions) for rule in self.rules)
        object.__setattr__(self, "_places", places)

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns the conditions look at."""
        return self._reads

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Outputs by position: the rules, then otherwise, then not_evaluated."""
        nothing = dict.fromkeys(self.outputs)
        return [r.outputs for r in self.rules] + [self.otherwise or nothing, self.not_evaluated or nothing]

    def truth(self, columns: Columns, n: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return for each rule where it is false and where it is not evaluated."""
        held = [condition.evaluate(columns[condition.column]) for condition in self._conditions]
        false, unknown = [], []
        for places in self._places:
            no, open_ = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
            for place in places:
                no = no | held[place][0]
                open_ = open_ | held[place][1]
            false.append(no)
            unknown.append(open_ & ~no)
        return false, unknown

    def decide(self, columns: Columns, n: int) -> Choice:
        """Find the row of the table that holds for each client."""
        row = np.full(n, len(self.rules), dtype=np.intp)
        halted_by = np.full(n, -1, dtype=np.intp)
        undecided = np.ones(n, dtype=bool)
        false, unknown = self.truth(columns, n)
        for position in range(len(self.rules)):
            hit = undecided & ~false[position]
            row[hit] = position
            halted = hit & unknown[position]
            row[halted] = len(self.rules) + 1
            halted_by[halted] = position
            undecided &= false[position]
        return Choice(row, halted_by)

    def output(self, name: str, choice: Choice, kind: Kind = "text") -> Column:
        """Return one output of the table as a column that a later table can read."""
        values = [row.get(name) for row in self.rows]
        if kind == "number":
            lookup = np.array([np.nan if v is None else float(v) for v in values])
            return Column("number", lookup[choice.row])
        words = tuple(dict.fromkeys(str(v) for v in values if v is not None))
        codes = np.array([-1 if v is None else words.index(str(v)) for v in values], dtype=np.intp)
        return Column("text", codes[choice.row], words)


def all_true(conditions: Sequence[Condition], columns: Columns, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where all conditions hold, and where that cannot be evaluated."""
    false, unknown = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for condition in conditions:
        no, open_ = condition.evaluate(columns[condition.column])
        false |= no
        unknown |= open_
    return ~false & ~unknown, unknown & ~false
