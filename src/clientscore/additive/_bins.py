"""Bins: how a value of a feature becomes the number of a row in the card's tables."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._compiled import number_codes_compiled
from ._kernel import Engine, number_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

BinKind = Literal["number", "category"]

RowKind = Literal["special", "missing", "unseen", "out_of_range"]

MOST_ROWS = 1 << 16


@dataclass(frozen=True)
class FeatureBins:
    """The rows of one feature: intervals or levels, special codes, missing, unseen.

    A number `x` has the row ``searchsorted(edges, x, side="left")``, so that ``x <= edge`` lies left of the
    edge.  With `n` rows of values and `s` special codes, rows ``n`` to ``n + s - 1`` stand for exactly those
    numbers, row ``n + s`` for a missing value and row ``n + s + 1`` for a level that is not listed.

    Parameters
    ----------
    name : str
        Name of the feature's column.
    kind : {"number", "category"}
        Whether rows are intervals between `edges` or listed `levels`.
    edges : tuple of float, default ()
        Finite, strictly increasing; numbers only.  No edge means one row for every number.
    levels : tuple of str, default ()
        Levels as text, one row each; categories only.
    missing : bool, default False
        Whether the training rows held missing values.  If not, the missing row is declared, not learned.
    other : bool, default False
        Whether the training rows held levels outside `levels` (rare ones, pooled).
    specials : tuple of float, default ()
        Numbers that are codes (-999 for "no statement"), each with a row of its own; numbers only.
    bounded : bool, default False
        Whether the first and the last interval lie out of range: below the least and above the greatest
        number that training (or a rule) knows.  Then there are at least two edges.
    unmet : tuple of int, default ()
        Rows of special codes or out of range that training never met: declared, not learned.
    refuse : tuple of {"special", "missing", "unseen", "out_of_range"}, default ()
        Kinds of rows that are not scored: a value that falls there is an error.

    Raises
    ------
    InvalidParameterError
        If edges are not finite and increasing, levels or special codes repeat, a row number is none, or there
        are more than 65,536 rows.

    Examples
    --------
    >>> bins = FeatureBins("debt_to_ebitda", "number", edges=(2.0, 4.0), specials=(-999.0,))
    >>> bins.labels()
    ['<= 2', '(2, 4]', '> 4', 'code -999', 'missing', 'unseen']
    >>> bins.code(4.0), bins.code(-999), bins.code(None)
    (1, 3, 4)
    """

    name: str
    kind: BinKind
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    missing: bool = False
    other: bool = False
    specials: tuple[float, ...] = ()
    bounded: bool = False
    unmet: tuple[int, ...] = ()
    refuse: tuple[RowKind, ...] = ()

    def __post_init__(self) -> None:
        check_option("kind", self.kind, BinKind)
        for kind in self.refuse:
            check_option("refuse", kind, RowKind)
        if not all(map(math.isfinite, self.edges)) or any(low >= high for low, high in pairwise(self.edges)):
            raise InvalidParameterError(
                f"Edges of {self.name!r} must be finite and strictly increasing; got {self.edges!r}."
            )
        if len(set(self.levels)) != len(self.levels):
            raise InvalidParameterError(f"Levels of {self.name!r} must differ; got {self.levels!r}.")
        number = self.kind == "number"
        codes = self.specials
        if codes and (not number or not all(map(math.isfinite, codes)) or len(set(codes)) != len(codes)):
            raise InvalidParameterError(
                f"Special codes of {self.name!r} must be finite, of a number, each once; got {codes!r}."
            )
        if self.bounded and (not number or len(self.edges) < 2):
            raise InvalidParameterError(
                f"{self.name!r} needs two edges, least and greatest, to be bounded; got {self.edges!r}."
            )
        if self.n_rows > MOST_ROWS:
            raise InvalidParameterError(
                f"{self.name!r} may have {MOST_ROWS:,} rows, odd ones included; got {self.n_rows:,}. Use "
                "fewer edges or levels."
            )
        if not all(0 <= row < self.missing_code for row in self.unmet):
            raise InvalidParameterError(
                f"Rows of {self.name!r} that training never met must lie in 0 to {self.missing_code - 1}; "
                f"got {self.unmet!r}."
            )

    @property
    def n_values(self) -> int:
        """Number of rows that stand for values (without special codes, missing and unseen)."""
        return len(self.edges) + 1 if self.kind == "number" else len(self.levels)

    @property
    def n_rows(self) -> int:
        """Number of rows in all: values, special codes, missing, unseen."""
        return self.n_values + len(self.specials) + 2

    @property
    def missing_code(self) -> int:
        """Row of a missing value."""
        return self.n_values + len(self.specials)

    @property
    def unseen_code(self) -> int:
        """Row of a level that is not listed."""
        return self.missing_code + 1

    @property
    def special_rows(self) -> range:
        """Rows of the special codes."""
        return range(self.n_values, self.missing_code)

    @property
    def range_rows(self) -> tuple[int, ...]:
        """Rows of numbers out of range: none, or the first and the last interval."""
        return (0, self.n_values - 1) if self.bounded else ()

    @property
    def inner_rows(self) -> range:
        """Rows of values in range: intervals between the bounds, or levels."""
        return range(1, self.n_values - 1) if self.bounded else range(self.n_values)

    @cached_property
    def declared(self) -> tuple[int, ...]:
        """Rows that training never met."""
        ends = [self.missing_code] * (not self.missing) + [self.unseen_code] * (not self.other)
        return (*self.unmet, *ends)

    @cached_property
    def nearest(self) -> tuple[int, ...]:
        """For every row the row whose values it takes: itself, or the next in range where it is unmet."""
        rows = list(range(self.n_rows))
        if self.bounded:
            rows[0] = 1 if 0 in self.unmet else 0
            rows[self.n_values - 1] -= self.n_values - 1 in self.unmet
        return tuple(rows)

    def row_kind(self, row: int) -> RowKind | None:
        """Return what a row stands for, None for a value in range."""
        if row >= self.missing_code:
            return "missing" if row == self.missing_code else "unseen"
        if row >= self.n_values:
            return "special"
        return "out_of_range" if row in self.range_rows else None

    def met(self, mass: ArrayLike) -> FeatureBins:
        """Return the bins told which rows training met: those with weight in `mass`, one number a row."""
        weight = np.asarray(mass, dtype=float)
        rows = (*self.range_rows, *self.special_rows)
        return replace(
            self,
            missing=bool(weight[self.missing_code] > 0),
            other=bool(weight[self.unseen_code] > 0),
            unmet=tuple(sorted(row for row in rows if not weight[row] > 0)),
        )

    @cached_property
    def level_codes(self) -> dict[str, int]:
        """Row of each level."""
        return {level: code for code, level in enumerate(self.levels)}

    @cached_property
    def special_codes(self) -> dict[float, int]:
        """Row of each special code."""
        return dict(zip(self.specials, self.special_rows, strict=True))

    def labels(self) -> list[str]:
        """Return the text of every row, in order."""
        codes = [f"code {code:.12g}" for code in self.specials]
        return [*self._value_labels(), *codes, "missing", "unseen"]

    def _value_labels(self) -> list[str]:
        if self.kind == "category":
            return list(self.levels)
        if not self.edges:
            return ["any value"]
        if not self.bounded:
            text = _edge_texts(self.edges)
            inner = [f"({low}, {high}]" for low, high in pairwise(text)]
            return [f"<= {text[0]}", *inner, f"> {text[-1]}"]
        text = _edge_texts((self.least, *self.edges[1:]))
        inner = [f"({low}, {high}]" for low, high in pairwise(text)]
        inner[0] = f"[{inner[0][1:]}"
        return [f"< {text[0]}", *inner, f"> {text[-1]}"]

    @property
    def least(self) -> float:
        """The least number in range; minus infinity without bounds."""
        return float(np.nextafter(self.edges[0], math.inf)) + 0.0 if self.bounded else -math.inf

    @property
    def greatest(self) -> float:
        """The greatest number in range; infinity without bounds."""
        return self.edges[-1] if self.bounded else math.inf

    def code(self, value: Any) -> int:
        """Return the row of one value.

        Raises
        ------
        DataError
            If a number is infinite, the value of a number is text, or the row is refused.
        """
        row = self._row(value)
        if self.refuse and self.row_kind(row) in self.refuse:
            raise DataError(
                f"{self.name!r} is not scored where it is {self.labels()[row]}; got {value!r}. Correct it, "
                "or give the row another policy."
            )
        return row

    def _row(self, value: Any) -> int:
        if self.kind == "category":
            if _is_missing(value):
                return self.missing_code
            return self.level_codes.get(level_text(value), self.unseen_code)
        if value is None or value is pd.NA or value is pd.NaT:
            return self.missing_code
        if not isinstance(value, Real | np.bool_):
            raise DataError(
                f"{self.name!r} is a number; got {value!r}. Give a number, or None where missing."
            )
        number = float(value)
        if math.isnan(number):
            return self.missing_code
        if math.isinf(number):
            raise DataError(f"{self.name!r} must be finite; got {number}. Give None where it is unknown.")
        if number in self.special_codes:
            return self.special_codes[number]
        return bisect_left(self.edges, number)

    def to_dict(self) -> dict[str, Any]:
        """Return the bins as JSON scalars and lists."""
        return {
            "name": self.name,
            "kind": self.kind,
            "edges": list(self.edges),
            "levels": list(self.levels),
            "missing": self.missing,
            "other": self.other,
            "specials": list(self.specials),
            "bounded": self.bounded,
            "unmet": list(self.unmet),
            "refuse": list(self.refuse),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> FeatureBins:
        """Build the bins from :meth:`to_dict`."""
        return cls(
            name=str(state["name"]),
            kind=state["kind"],
            edges=tuple(float(edge) for edge in state["edges"]),
            levels=tuple(str(level) for level in state["levels"]),
            missing=bool(state["missing"]),
            other=bool(state.get("other", False)),
            specials=tuple(float(code) for code in state.get("specials", ())),
            bounded=bool(state.get("bounded", False)),
            unmet=tuple(int(row) for row in state.get("unmet", ())),
            refuse=tuple(state.get("refuse", ())),
        )


def _is_missing(value: Any) -> bool:
    """Tell whether a value is missing, by the same rule as a column: None, NaN, NA, NaT."""
    return not isinstance(value, str) and pd.api.types.is_scalar(value) and bool(pd.isna(value))


def level_text(value: Any) -> str:
    """Return the text of a level; 1 and 1.0 are the same level."""
    if isinstance(value, str):
        return value
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _edge_texts(edges: Sequence[float]) -> list[str]:
    """Return the shortest texts, of at least 4 digits, that still tell all edges apart."""
    for digits in (4, 6, 9, 12):
        text = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(text)) == len(text):
            return text
    return [repr(edge) for edge in edges]


def as_numbers(name: str, column: pd.Series, faults: list[str]) -> NDArray[np.float64] | None:
    """Return a column as finite floats or NaN; append to `faults` and return None where that fails."""
    values = _floats(name, column, faults)
    if values is not None and check_finite(name, int(np.isinf(values).sum()), len(values), faults):
        return values
    return None


def check_finite(name: str, infinite: int, n: int, faults: list[str]) -> bool:
    """Return whether none of n numbers is infinite; append to `faults` where some are."""
    if infinite:
        faults.append(f"{name!r} holds infinity in {infinite} of {n} rows; make it missing.")
    return not infinite


def _floats(name: str, column: pd.Series, faults: list[str]) -> NDArray[np.float64] | None:
    """Return a column as floats or NaN, not copied where it holds floats; see :func:`as_numbers`."""
    dtype = column.dtype
    if dtype == np.float64:
        return np.asarray(column.to_numpy())
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return np.asarray(column.to_numpy(dtype=float, na_value=np.nan))
    known = column.dropna()
    if not all(isinstance(value, Real | np.bool_) for value in known):
        example = next(value for value in known if not isinstance(value, Real | np.bool_))
        faults.append(f"{name!r} must hold numbers; got {example!r} (dtype {dtype}).")
        return None
    values = np.full(len(column), np.nan)
    values[column.notna().to_numpy()] = [float(value) for value in known]
    return values


def check_unique_columns(X: pd.DataFrame) -> None:
    """Raise unless every column has its own name."""
    if not isinstance(X, pd.DataFrame):
        raise DataError(
            f"X must be a pandas DataFrame; got {type(X).__name__}. Convert it, or use ClientScorer."
        )
    if not X.columns.is_unique:
        repeated = sorted({str(name) for name in X.columns[X.columns.duplicated()]})
        raise DataError(f"Column names of X must differ; repeated: {', '.join(repeated)}.")


def encode(
    bins: Sequence[FeatureBins], X: pd.DataFrame, engine: Engine = "numpy"
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Turn every feature into row numbers, by column name; other columns are ignored.

    Parameters
    ----------
    bins : sequence of FeatureBins
        Bins of the features wanted, in the order wanted.
    X : DataFrame of shape (n, any number of columns)
        Must hold a column for each of the bins, in any order.
    engine : {"numpy", "numba"}, default "numpy"
        What counts edges; the result is the same.

    Returns
    -------
    ndarray of shape (n, len(bins)), uint8 or uint16, Fortran order
        Row numbers; uint16 only where a feature has more than 256 rows.

    Raises
    ------
    MissingColumnError
        If columns are absent; each with its nearest match.
    DataError
        If numbers are infinite or text, or column names repeat; all columns are listed.
    MissingDependencyError
        If the engine is "numba" and numba is not installed.

    Examples
    --------
    >>> bins = [FeatureBins("roa", "number", edges=(0.0,))]
    >>> encode(bins, pd.DataFrame({"roa": [-0.1, 0.0, 0.2, None]})).ravel().tolist()
    [0, 0, 1, 2]
    """
    check_option("engine", engine, Engine)
    write_codes = number_codes if engine == "numpy" else number_codes_compiled
    check_unique_columns(X)
    check_columns(X.columns, [one.name for one in bins], subject="X")
    wide = any(one.n_rows > 256 for one in bins)
    codes = np.empty((len(X), len(bins)), dtype=np.uint16 if wide else np.uint8, order="F")
    faults: list[str] = []
    for j, one in enumerate(bins):
        if one.kind == "category":
            codes[:, j] = _category_codes(one, X[one.name])
            continue
        values = _floats(one.name, X[one.name], faults)
        if values is not None:
            infinite = write_codes(values, one.edges, codes[:, j], one.missing_code)
            check_finite(one.name, infinite, len(values), faults)
            for special, row in one.special_codes.items():
                codes[values == special, j] = row
    for j, one in enumerate(bins):
        if one.refuse and not faults:
            faults += _refused(one, codes[:, j])
    if faults:
        raise DataError(f"{len(faults)} of {len(bins)} columns of X cannot be scored.", faults)
    return codes


def _refused(bins: FeatureBins, codes: NDArray[Any]) -> list[str]:
    """Return which refused rows are met, and how often, in words."""
    counts, labels = np.bincount(codes, minlength=bins.n_rows), bins.labels()
    return [
        f"{bins.name!r} is not scored where it is {labels[row]}; {count} of {len(codes)} rows are."
        for row, count in enumerate(counts.tolist())
        if count and bins.row_kind(row) in bins.refuse
    ]


def _category_codes(bins: FeatureBins, column: pd.Series) -> NDArray[np.int64]:
    where, uniques = pd.factorize(column)
    known = [bins.level_codes.get(level_text(value), bins.unseen_code) for value in uniques]
    lookup = np.array([*known, bins.missing_code], dtype=np.int64)
    return np.asarray(lookup[where])
