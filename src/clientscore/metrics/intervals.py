"""Quantiles and intervals: pinball loss and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._checks import check_interval
from clientscore.exceptions import DataError

from ._arrays import numbers, weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def pinball(y: ArrayLike, quantile: ArrayLike, level: float, weight: ArrayLike | None = None) -> float:
    """Mean pinball loss of a quantile forecast.

    Parameters
    ----------
    y : array-like of shape (n,)
        Realized values.
    quantile : array-like of shape (n,)
        Forecast of the quantile at `level`, same unit as `y`.
    level : float
        In (0, 1).
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        In the unit of `y`; lower is better.

    References
    ----------
    Koenker and Bassett (1978), doi:10.2307/1913643.

    Examples
    --------
    >>> pinball([10.0, 20.0], [12.0, 12.0], level=0.5)
    2.5
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    actual = numbers("y", y)
    gap = actual - numbers("quantile", quantile, len(actual))
    return float(np.average(np.maximum(level * gap, (level - 1) * gap), weights=weights(weight, len(actual))))


def interval_coverage(
    y: ArrayLike, lower: ArrayLike, upper: ArrayLike, groups: ArrayLike | None = None
) -> pd.DataFrame:
    """Share of values inside their intervals, overall and by group.

    Parameters
    ----------
    y : array-like of shape (n,)
        Realized values.
    lower, upper : array-like of shape (n,)
        Ends of the intervals, both included, same unit as `y`.
    groups : array-like of shape (n,), default None
        Group of each row; None: only the row ``all``.

    Returns
    -------
    DataFrame
        Index group (first ``all``), columns: rows, coverage (share inside), standard_error (binomial),
        below and above (shares outside), width (mean, unit of `y`).

    Raises
    ------
    DataError
        When a lower end lies above its upper end.

    Examples
    --------
    >>> interval_coverage([1, 2, 9], [0, 0, 0], [3, 3, 3])[["rows", "coverage", "above"]].round(3)
           rows  coverage  above
    group
    all       3     0.667  0.333
    """
    actual = numbers("y", y)
    low, high = numbers("lower", lower, len(actual)), numbers("upper", upper, len(actual))
    crossed = int((low > high).sum())
    if crossed:
        raise DataError(
            f"lower must not lie above upper; it does in {crossed} of {len(low)} rows. Swap them?"
        )
    rows = pd.DataFrame({"below": actual < low, "above": actual > high, "width": high - low})
    labels = [np.full(len(actual), "all", dtype=object)]
    if groups is not None:
        group = pd.Series(np.asarray(groups, dtype=object)).astype(str).to_numpy(dtype=object)
        if len(group) != len(actual):
            raise DataError(f"groups must have {len(actual)} values like y; got {len(group)}.")
        labels.append(group)
    stacked = pd.concat([rows] * len(labels), ignore_index=True)
    grouped = stacked.groupby(np.concatenate(labels), sort=False)
    table = grouped.mean()
    table.insert(0, "rows", grouped.size())
    table.insert(1, "coverage", 1.0 - table["below"] - table["above"])
    table.insert(2, "standard_error", np.sqrt(table["coverage"] * (1 - table["coverage"]) / table["rows"]))
    table = table.loc[["all", *sorted(set(table.index) - {"all"})]]
    return table.rename_axis("group")
