"""Bins: how a value of a feature becomes the number of a row in the card's tables."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._compiled import number_codes_compiled
from ._kernel import Engine, number_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

BinKind = Literal["number", "category"]

_SAMPLE_ROWS = 100_000
_TAILS = (0.0025, 0.005)


@dataclass(frozen=True)
class FeatureBins:
    """The rows of one feature: intervals or levels, then one row for missing and one for unseen.

    A number `x` has the row ``searchsorted(edges, x, side="left")``, so that ``x <= edge`` lies left of the
    edge.  With `n` rows of values, row ``n`` stands for a missing value and row ``n + 1`` for a level that
    is not listed.

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

    Raises
    ------
    InvalidParameterError
        If edges are not finite and increasing, or levels repeat.

    Examples
    --------
    >>> bins = FeatureBins("debt_to_ebitda", "number", edges=(2.0, 4.0))
    >>> bins.labels()
    ['<= 2', '(2, 4]', '> 4', 'missing', 'unseen']
    >>> bins.code(4.0), bins.code(None)
    (1, 3)
    """

    name: str
    kind: BinKind
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    missing: bool = False
    other: bool = False

    def __post_init__(self) -> None:
        check_option("kind", self.kind, BinKind)
        if not all(map(math.isfinite, self.edges)) or any(low >= high for low, high in pairwise(self.edges)):
            raise InvalidParameterError(
                f"Edges of {self.name!r} must be finite and strictly increasing; got {self.edges!r}."
            )
        if len(set(self.levels)) != len(self.levels):
            raise InvalidParameterError(f"Levels of {self.name!r} must differ; got {self.levels!r}.")

    @property
    def n_values(self) -> int:
        """Number of rows that stand for values (without missing and unseen)."""
        return len(self.edges) + 1 if self.kind == "number" else len(self.levels)

    @property
    def n_rows(self) -> int:
        """Number of rows in all: values, missing, unseen."""
        return self.n_values + 2

    @property
    def missing_code(self) -> int:
        """Row of a missing value."""
        return self.n_values

    @property
    def unseen_code(self) -> int:
        """Row of a level that is not listed."""
        return self.n_values + 1

    @cached_property
    def level_codes(self) -> dict[str, int]:
        """Row of each level."""
        return {level: code for code, level in enumerate(self.levels)}

    def labels(self) -> list[str]:
        """Return the text of every row, in order."""
        return [*self._value_labels(), "missing", "unseen"]

    def _value_labels(self) -> list[str]:
        if self.kind == "category":
            return list(self.levels)
        if not self.edges:
            return ["any value"]
        text = _edge_texts(self.edges)
        inner = [f"({low}, {high}]" for low, high in pairwise(text)]
        return [f"<= {text[0]}", *inner, f"> {text[-1]}"]

    def code(self, value: Any) -> int:
        """Return the row of one value.

        Raises
        ------
        DataError
            If a number is infinite, or the value of a number is text.
        """
        if self.kind == "category":
            if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
                return self.missing_code
            return self.level_codes.get(level_text(value), self.unseen_code)
        if value is None or value is pd.NA:
            return self.missing_code
        if not isinstance(value, Real):
            raise DataError(
                f"{self.name!r} is a number; got {value!r}. Give a number, or None where missing."
            )
        number = float(value)
        if math.isnan(number):
            return self.missing_code
        if math.isinf(number):
            raise DataError(f"{self.name!r} must be finite; got {number}. Give None where it is unknown.")
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
        )


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


def fit_bins(
    X: pd.DataFrame, *, max_bins: int = 63, weight: ArrayLike | None = None
) -> tuple[FeatureBins, ...]:
    """Cut every column of `X` into quantile bins, or list its levels.

    Numbers with at most `max_bins` distinct values get one bin a value, others (weighted) quantiles with two
    extra bins in each tail.  Text and categorical columns list their levels; beyond `max_bins` levels only
    the most frequent are listed and the rest share the row "unseen".  Above 100,000 rows edges come from a
    fixed random sample of that size.

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        Numbers, booleans, text or categories; missing values allowed.
    max_bins : int, default 63
        Most value rows of a feature, at least 2.
    weight : array of shape (n,), default None
        Weight of each row; equal if None.

    Returns
    -------
    tuple of FeatureBins
        One a column, in the order of the columns.

    Raises
    ------
    DataError
        If a column holds infinite numbers, dates, or a mixture of text and numbers; all are listed.

    Examples
    --------
    >>> X = pd.DataFrame({"roa": [0.1, 0.2, None], "industry": ["trade", "energy", "trade"]})
    >>> [bins.labels() for bins in fit_bins(X)]
    [['<= 0.15', '> 0.15', 'missing', 'unseen'], ['energy', 'trade', 'missing', 'unseen']]
    """
    check_integer("max_bins", max_bins, low=2)
    check_unique_columns(X)
    faults: list[str] = []
    w = None if weight is None else np.asarray(weight, dtype=float)
    fitted = [_fit_column(str(name), X[name], max_bins, w, faults) for name in X.columns]
    if faults:
        raise DataError(f"{len(faults)} of {X.shape[1]} columns cannot be binned.", faults)
    return tuple(bins for bins in fitted if bins is not None)


def _fit_column(
    name: str, column: pd.Series, max_bins: int, weight: NDArray[np.float64] | None, faults: list[str]
) -> FeatureBins | None:
    if _is_category(column):
        return _fit_levels(name, column, max_bins, weight)
    values = as_numbers(name, column, faults)
    if values is None:
        return None
    seen = ~np.isnan(values)
    if weight is not None:
        seen &= weight > 0
        missing = bool((np.isnan(values) & (weight > 0)).any())
    else:
        missing = not bool(seen.all())
    rows = np.flatnonzero(seen)
    if len(rows) > _SAMPLE_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _SAMPLE_ROWS, replace=False))
    distinct, share = _distinct(values[rows], None if weight is None else weight[rows])
    return FeatureBins(name, "number", edges=_quantile_edges(distinct, share, max_bins), missing=missing)


def _distinct(
    values: NDArray[np.float64], weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distinct values, in order, and the cumulated share of weight up to each."""
    if weight is None:
        distinct, counts = np.unique(values, return_counts=True)
        mass = counts.astype(float)
    else:
        distinct, where = np.unique(values, return_inverse=True)
        mass = np.bincount(where, weights=weight, minlength=len(distinct))
    total = mass.sum()
    return distinct, np.cumsum(mass) / total if total else mass


def _quantile_edges(
    distinct: NDArray[np.float64], share: NDArray[np.float64], max_bins: int
) -> tuple[float, ...]:
    if len(distinct) <= max_bins:
        last = np.arange(len(distinct) - 1)
    else:
        tails = np.array([*_TAILS, *(1 - tail for tail in _TAILS)]) if max_bins >= 16 else np.array([])
        inner = np.arange(1, max_bins - len(tails)) / (max_bins - len(tails))
        last = np.unique(np.searchsorted(share, np.concatenate([inner, tails]) - 1e-12))
        last = last[last < len(distinct) - 1]
    below, above = distinct[last], distinct[last + 1]
    middle = below / 2 + above / 2
    return tuple(np.where((below <= middle) & (middle < above), middle, below).tolist())


def _fit_levels(
    name: str, column: pd.Series, max_bins: int, weight: NDArray[np.float64] | None
) -> FeatureBins:
    codes, uniques = pd.factorize(column)
    mass = np.bincount(codes + 1, weights=weight, minlength=len(uniques) + 1)
    texts: dict[str, float] = {}
    for value, weight_of in zip(uniques, mass[1:], strict=True):
        if weight_of > 0:
            texts[level_text(value)] = texts.get(level_text(value), 0.0) + float(weight_of)
    ranked = sorted(texts, key=lambda text: (-texts[text], text))
    return FeatureBins(
        name,
        "category",
        levels=tuple(sorted(ranked[:max_bins])),
        missing=bool(mass[0] > 0),
        other=len(ranked) > max_bins,
    )


def _is_category(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return True
    if pd.api.types.is_object_dtype(column.dtype):
        known = column.dropna()
        return bool(len(known)) and all(isinstance(value, str) for value in known)
    return bool(pd.api.types.is_string_dtype(column.dtype))


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
    if not all(isinstance(value, Real) for value in known):
        example = next(value for value in known if not isinstance(value, Real))
        faults.append(f"{name!r} must hold numbers; got {example!r} (dtype {dtype}).")
        return None
    values = np.full(len(column), np.nan)
    values[column.notna().to_numpy()] = [float(value) for value in known]
    return values


def check_unique_columns(X: pd.DataFrame) -> None:
    """Raise unless every column has its own name."""
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
    check_columns(X.columns, [one.name for one in bins], subject="X")
    check_unique_columns(X)
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
    if faults:
        raise DataError(f"{len(faults)} of {len(bins)} columns of X cannot be scored.", faults)
    return codes


def _category_codes(bins: FeatureBins, column: pd.Series) -> NDArray[np.int64]:
    where, uniques = pd.factorize(column)
    known = [bins.level_codes.get(level_text(value), bins.unseen_code) for value in uniques]
    lookup = np.array([*known, bins.missing_code], dtype=np.int64)
    return np.asarray(lookup[where])
