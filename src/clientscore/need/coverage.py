"""Do the intervals hold what they promise: a report by group and period, an update in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_interval
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

ALL = "all"
_LOWEST, _HIGHEST = 0.01, 0.99  # what stored quantiles can show


def coverage_report(
    actual: ArrayLike,
    forecast: pd.DataFrame,
    groups: ArrayLike | None = None,
    period: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """Count how often amounts fell inside their intervals, by group and by period.

    Parameters
    ----------
    actual : array-like of shape (n,)
        Realized amounts of clients with a need; rows without one (missing or 0) are left out.
    forecast : DataFrame of shape (n, at least 2)
        Columns amount_lower and amount_upper, as from `FinancingNeedForecaster.predict`; in the order of
        `actual`.
    groups : array-like of shape (n,), default None
        Group of each row, such as tier, industry or size third; missing ones are the group "missing".
    period : array-like of shape (n,), default None
        Period of each row, such as its year or its date.
    level : float, default 0.95
        Level of the binomial interval, in (0, 1).

    Returns
    -------
    DataFrame
        Index (group, period), "all" first, then each group, each period and each pair.  Columns: rows,
        coverage (share inside), lower and upper (exact binomial interval of that share), below and above
        (shares outside), width (mean, unit of the amount), log_width (mean of log(upper / lower)).  An
        interval without the promised coverage tells of a fault; rows of one client are not independent, so
        the true uncertainty is larger.

    Raises
    ------
    DataError
        When rows differ in number, no row has a need, or a lower end lies above its upper end.

    References
    ----------
    Clopper and Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the
    binomial, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> forecast = pd.DataFrame({"amount_lower": [1.0, 1.0, 1.0], "amount_upper": [3.0, 3.0, 3.0]})
    >>> coverage_report([2.0, 9.0, 0.0], forecast, groups=["A", "B", "B"])[["rows", "coverage"]]
                  rows  coverage
    group period
    all   all        2       0.5
    A     all        1       1.0
    B     all        1       0.0
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    rows = _rows(actual, forecast)
    every = np.full(len(rows), ALL, dtype=object)
    group = every if groups is None else _labels("groups", groups, len(forecast))[rows["place"]]
    when = every if period is None else _labels("period", period, len(forecast))[rows["place"]]
    parts = [(every, every)]
    parts += [(group, every)] if groups is not None else []
    parts += [(every, when)] if period is not None else []
    parts += [(group, when)] if groups is not None and period is not None else []
    table = pd.concat([_counted(rows, *part) for part in parts])
    from scipy import stats  # noqa: PLC0415  slow to import, used here only

    n, tail = table["rows"].to_numpy(), (1.0 - level) / 2.0
    hits = np.round(table["coverage"] * n).to_numpy()
    table["lower"] = np.where(hits > 0, stats.beta.ppf(tail, hits, n - hits + 1), 0.0)
    table["upper"] = np.where(hits < n, stats.beta.ppf(1.0 - tail, hits + 1, n - hits), 1.0)
    return table[["rows", "coverage", "lower", "upper", "below", "above", "width", "log_width"]]


def _rows(actual: ArrayLike, forecast: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a need: place, below, above, width, log_width."""
    check_columns(forecast.columns, ["amount_lower", "amount_upper"], subject="forecast")
    amount = np.asarray(pd.to_numeric(pd.Series(np.asarray(actual)), errors="coerce"), dtype=np.float64)
    if len(amount) != len(forecast):
        raise DataError(f"actual must have {len(forecast)} values like forecast; got {len(amount)}.")
    low, high = (forecast[f"amount_{end}"].to_numpy(np.float64) for end in ("lower", "upper"))
    place = np.flatnonzero(amount > 0)
    if not len(place):
        raise DataError(f"actual must hold at least one amount above 0; got none in {len(amount)} rows.")
    crossed = int((~(low[place] <= high[place])).sum())
    if crossed:
        raise DataError(f"amount_lower must not lie above amount_upper; it does in {crossed} rows.")
    amount, low, high = amount[place], low[place], high[place]
    ratio = np.log(high) - np.log(np.maximum(low, np.finfo(np.float64).tiny))
    return pd.DataFrame(
        {"place": place, "below": amount < low, "above": amount > high}
        | {"width": high - low, "log_width": ratio}
    )


def _counted(rows: pd.DataFrame, group: NDArray[Any], period: NDArray[Any]) -> pd.DataFrame:
    """Return means by group and period."""
    grouped = rows.drop(columns="place").groupby([group, period], sort=True)
    table = grouped.mean().rename_axis(["group", "period"])
    table.insert(0, "rows", grouped.size())
    return table.assign(coverage=1.0 - table["below"] - table["above"])


def _labels(name: str, values: ArrayLike, n: int) -> NDArray[Any]:
    """Return one label a row, missing ones named."""
    labels = pd.Series(np.asarray(values, dtype=object))
    if len(labels) != n:
        raise DataError(f"{name} must have {n} values like forecast; got {len(labels)}.")
    missing = labels.isna()
    dates = pd.api.types.infer_dtype(labels[~missing]) in ("datetime", "datetime64", "date")
    text = pd.to_datetime(labels).dt.strftime("%Y-%m-%d") if dates else labels.astype(str)
    return np.asarray(text.mask(missing, "missing"), dtype=object)


class AdaptiveCoverage:
    """Adaptive conformal inference: the asked coverage moves until the realized one is what was promised.

    After each period t, with e_t the share of amounts that fell outside:
    asked miss rate a_{t+1} = a_t + rate (a - e_t), a = 1 - target.  Whatever the amounts do, the mean of e_t
    over T periods is within (max(a_1, 1 - a_1) + rate) / (rate T) of a, given that a rate below 0 is answered
    by all amounts and one above 1 by none; intervals from stored quantiles stop at coverages of .01 and .99.

    Parameters
    ----------
    target : float, default 0.9
        Coverage that intervals must have over time, in (0, 1).
    rate : float, default 0.05
        Step of one period, in (0, 1]: larger ones follow faster and tremble more.

    Attributes
    ----------
    level : float
        Coverage to ask for in the next period, as the rule says; may leave [0, 1].
    coverage : float
        The same inside [.01, .99]: the ``coverage=`` of the next forecast.
    periods, amounts : int
        Updates so far, and amounts in them.
    realized : float
        Mean share inside over the periods so far; missing before the first.

    References
    ----------
    Gibbs and Candes (2021), Adaptive conformal inference under distribution shift, NeurIPS 34,
    arXiv:2106.00170.

    Examples
    --------
    >>> adaptive = AdaptiveCoverage(target=0.9, rate=0.1)
    >>> round(adaptive.update([5.0, 1.0], lower=[1.0, 2.0], upper=[9.0, 8.0]), 3)  # one of two inside
    0.94
    >>> round(adaptive.update(position=[0.5, 0.1, 0.9]), 3)
    0.93
    """

    def __init__(self, target: float = 0.9, rate: float = 0.05) -> None:
        check_interval("target", target, low=0.0, high=1.0, closed="neither")
        check_interval("rate", rate, low=0.0, high=1.0, closed="high")
        self.target = float(target)
        self.rate = float(rate)
        self.level = self.target
        self.periods = 0
        self.amounts = 0
        self._outside = 0.0

    def __repr__(self) -> str:
        return (
            f"AdaptiveCoverage(target={self.target:g}, rate={self.rate:g}): ask for {self.coverage:.3f} "
            f"after {self.amounts} amounts in {self.periods} periods, {self.realized:.3f} of them inside"
        )

    @property
    def coverage(self) -> float:
        """Coverage to ask the next forecast for."""
        return float(np.clip(self.level, _LOWEST, _HIGHEST))

    @property
    def realized(self) -> float:
        """Mean over periods of the share inside."""
        return 1.0 - self._outside / self.periods if self.periods else float("nan")

    def update(
        self,
        y: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        *,
        position: ArrayLike | None = None,
    ) -> float:
        """Take in the amounts of one period.

        Parameters
        ----------
        y : array-like of shape (n,), default None
            Realized amounts; missing ones are left out.
        lower, upper : array-like of shape (n,), default None
            Ends of the intervals that were issued for them at `coverage`.
        position : array-like of shape (n,), default None
            Instead of the three: the level of each amount in its forecast distribution, in [0, 1], as from
            `FinancingNeedForecaster.amount_position`; outside is what lies in the tails of `coverage`.

        Returns
        -------
        float
            `level` of the next period.  Unchanged where there was no amount.

        Raises
        ------
        InvalidParameterError
            When neither way, or both, are given.
        DataError
            When values differ in number, an end is missing, or a position lies outside [0, 1].
        """
        whole = y is not None and lower is not None and upper is not None
        if whole == (position is not None):
            raise InvalidParameterError("update takes y, lower and upper, or position alone.")
        outside = self._tails(position) if position is not None else _outside(y, lower, upper)
        if len(outside):
            error = float(outside.mean())
            self.level -= self.rate * ((1.0 - self.target) - error)
            self.periods += 1
            self.amounts += len(outside)
            self._outside += error
        return self.level

    def _tails(self, position: ArrayLike) -> NDArray[np.bool_]:
        """Tell which positions lie in the tails of the coverage asked for."""
        place = np.asarray(position, dtype=np.float64).ravel()
        place = place[~np.isnan(place)]
        if ((place < 0) | (place > 1)).any():
            raise DataError(f"position must lie in [0, 1]; got {place.min():g} to {place.max():g}.")
        tail = (1.0 - self.coverage) / 2.0
        return (place < tail) | (place > 1.0 - tail)

    def to_state(self) -> dict[str, Any]:
        """Return everything as JSON numbers."""
        return {
            "target": self.target,
            "rate": self.rate,
            "level": self.level,
            "periods": self.periods,
            "amounts": self.amounts,
            "outside": self._outside,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> AdaptiveCoverage:
        """Return the object that `to_state` wrote."""
        one = cls(float(state["target"]), float(state["rate"]))
        one.level, one._outside = float(state["level"]), float(state["outside"])
        one.periods, one.amounts = int(state["periods"]), int(state["amounts"])
        return one


def _outside(y: ArrayLike | None, lower: ArrayLike | None, upper: ArrayLike | None) -> NDArray[np.bool_]:
    """Tell which known amounts lie outside their intervals."""
    amount, low, high = (np.asarray(values, dtype=np.float64).ravel() for values in (y, lower, upper))
    if not len(amount) == len(low) == len(high):
        raise DataError(
            f"y, lower and upper must have as many values; got {len(amount)}, {len(low)}, {len(high)}."
        )
    known = ~np.isnan(amount)
    amount, low, high = amount[known], low[known], high[known]
    if np.isnan(low).any() or np.isnan(high).any():
        raise DataError("lower and upper must be known for every amount; some are missing.")
    return (amount < low) | (amount > high)
