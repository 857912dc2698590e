"""Choose the bins of every feature: quantiles of numbers, lists of levels, codes and ranges by rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._checks import check_integer
from clientscore.exceptions import DataError

from ._bins import FeatureBins, as_numbers, check_unique_columns, level_text
from ._feature_rule import FeatureRule, check_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

_SAMPLE_ROWS = 100_000
_TAILS = (0.0025, 0.005)
MOST_BINS = 60_000  # with odd rows beside them, row numbers fit 16 bits


@dataclass(frozen=True, eq=False)
class _Column:
    """One column to bin, with what the caller asked."""

    name: str
    values: pd.Series
    weight: NDArray[np.float64] | None
    rule: FeatureRule
    max_bins: int
    max_levels: int


def fit_bins(
    X: pd.DataFrame,
    *,
    max_bins: int = 63,
    max_levels: int | None = None,
    weight: ArrayLike | None = None,
    rules: Mapping[str, FeatureRule] | None = None,
) -> tuple[FeatureBins, ...]:
    """Cut every column of `X` into quantile bins, or list its levels.

    Numbers with at most `max_bins` distinct values get one bin a value, others (weighted) quantiles with two
    extra bins in each tail; above 100,000 rows the edges come from a fixed random sample of that size.
    Numbers below the least and above the greatest of training have rows of their own, as have the special
    codes that a rule names.  Text and categorical columns list their levels; beyond `max_levels` levels only
    the most frequent are listed and the rest share the row "unseen".

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        Numbers, booleans, text or categories; missing values allowed.
    max_bins : int, default 63
        Most rows of values in range of a feature, 2 to 60,000.
    max_levels : int, default None
        Most levels of a category; as `max_bins` if None.
    weight : array of shape (n,), default None
        Weight of each row; equal if None.  Rows of weight 0 are not looked at.
    rules : mapping of str to FeatureRule, default None
        Special codes and range of features.

    Returns
    -------
    tuple of FeatureBins
        One a column, in the order of the columns.

    Raises
    ------
    DataError
        If a column holds infinite numbers, dates, or a mixture of text and numbers; all are listed.
    InvalidParameterError
        If a rule names no column.

    Examples
    --------
    >>> X = pd.DataFrame({"roa": [0.1, 0.2, None], "industry": ["trade", "energy", "trade"]})
    >>> for bins in fit_bins(X):
    ...     bins.labels()
    ['< 0.1', '[0.1, 0.15]', '(0.15, 0.2]', '> 0.2', 'missing', 'unseen']
    ['energy', 'trade', 'missing', 'unseen']
    """
    check_integer("max_bins", max_bins, low=2, high=MOST_BINS)
    levels = max_bins if max_levels is None else max_levels
    check_integer("max_levels", levels, low=2, high=MOST_BINS)
    check_unique_columns(X)
    given = check_rules(rules, map(str, X.columns))
    faults: list[str] = []
    w = None if weight is None else np.asarray(weight, dtype=float)
    plain = FeatureRule()
    fitted = [
        _fit_column(_Column(str(name), X[name], w, given.get(str(name), plain), max_bins, levels), faults)
        for name in X.columns
    ]
    if faults:
        raise DataError(f"{len(faults)} of {X.shape[1]} columns cannot be binned.", faults)
    return tuple(bins for bins in fitted if bins is not None)


def _fit_column(column: _Column, faults: list[str]) -> FeatureBins | None:
    if _is_category(column.values):
        return _fit_levels(column)
    values = as_numbers(column.name, column.values, faults)
    return None if values is None else _fit_numbers(column, values)


def _fit_numbers(column: _Column, values: NDArray[np.float64]) -> FeatureBins:
    weight, specials = column.weight, column.rule.specials
    used = np.ones(len(values), dtype=bool) if weight is None else weight > 0
    known = used & ~np.isnan(values)
    missing = bool((used & ~known).any())
    codes_met = np.unique(values[known & np.isin(values, specials)]) if specials else np.empty(0)
    known &= ~np.isin(values, specials) if specials else True
    least, greatest = _range(values[known], column.rule)
    edges: tuple[float, ...] = ()
    unmet: list[int] = []
    if least <= greatest:
        inside = known & (values >= least) & (values <= greatest)
        edges = _inner_edges(values, np.flatnonzero(inside), weight, column.max_bins)
        edges = (float(np.nextafter(least, -math.inf)), *edges, greatest)
        unmet = [0] * (not (values[known] < least).any())
        unmet += [len(edges)] * (not (values[known] > greatest).any())
    n_values = len(edges) + 1
    unmet += [n_values + place for place, code in enumerate(specials) if code not in codes_met]
    return FeatureBins(
        column.name,
        "number",
        edges=edges,
        missing=missing,
        specials=specials,
        bounded=bool(edges),
        unmet=tuple(unmet),
    )


def _range(known: NDArray[np.float64], rule: FeatureRule) -> tuple[float, float]:
    """Return the least and the greatest number in range; the first is the greater where there is none."""
    least = float(known.min()) if len(known) else math.inf
    greatest = float(known.max()) if len(known) else -math.inf
    least = least if rule.low is None else float(rule.low)
    return least, greatest if rule.high is None else float(rule.high)


def _inner_edges(
    values: NDArray[np.float64],
    rows: NDArray[np.intp],
    weight: NDArray[np.float64] | None,
    max_bins: int,
) -> tuple[float, ...]:
    """Return the edges between the least and the greatest number of some rows."""
    if len(rows) > _SAMPLE_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _SAMPLE_ROWS, replace=False))
    distinct, share = _distinct(values[rows], None if weight is None else weight[rows])
    return _quantile_edges(distinct, share, max_bins)


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


def _fit_levels(column: _Column) -> FeatureBins:
    codes, uniques = pd.factorize(column.values)
    mass = np.bincount(codes + 1, weights=column.weight, minlength=len(uniques) + 1)
    texts: dict[str, float] = {}
    for value, weight_of in zip(uniques, mass[1:], strict=True):
        if weight_of > 0:
            texts[level_text(value)] = texts.get(level_text(value), 0.0) + float(weight_of)
    ranked = sorted(texts, key=lambda text: (-texts[text], text))
    return FeatureBins(
        column.name,
        "category",
        levels=tuple(sorted(ranked[: column.max_levels])),
        missing=bool(mass[0] > 0),
        other=len(ranked) > column.max_levels,
    )


def _is_category(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return True
    if pd.api.types.is_object_dtype(column.dtype):
        known = column.dropna()
        return bool(len(known)) and all(isinstance(value, str) for value in known)
    return bool(pd.api.types.is_string_dtype(column.dtype))
