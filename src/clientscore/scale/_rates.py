"""The long-run average default rate: the level that PDs are calibrated to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from clientscore._checks import check_interval
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class LongRunRate:
    """A long-run average default rate and its margin of conservatism, kept apart.

    Parameters
    ----------
    average : float
        Best estimate: mean of the one-year default rates.
    margin : float
        Margin of conservatism, >= 0.
    standard_error : float
        Of the average, from the spread between years; missing for one year.
    table : DataFrame
        One row a year: clients, defaults, rate, weight.
    """

    average: float
    margin: float
    standard_error: float
    table: pd.DataFrame

    @property
    def rate(self) -> float:
        """Average and margin together, at most 1: the rate to calibrate to."""
        return min(1.0, self.average + self.margin)

    def frame(self) -> pd.DataFrame:
        """Return one row a year."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        figures = {"average": self.average, "margin": self.margin, "rate": self.rate}
        return figures | {"standard_error": self.standard_error, "years": self.table.to_dict("records")}

    def _repr_html_(self) -> str:
        return f"<p>Long-run default rate {self.rate:.4%}</p>{self.table.to_html()}"


def long_run_rate(
    defaults: ArrayLike,
    clients: ArrayLike,
    weights: ArrayLike | None = None,
    margin: float = 0.0,
    confidence: float | None = None,
) -> LongRunRate:
    """Average the one-year default rates of a history, every year alike.

    A year with many clients counts no more than one with few: the average is over years, since it is the
    economy that varies.  Years count unequally only where the history is not representative of good and bad
    years, by `weights` that someone answers for.

    Parameters
    ----------
    defaults : array of shape (n_years,)
        Clients of each year's start that defaulted within twelve months.
    clients : array of shape (n_years,)
        Performing clients at each year's start, > 0.
    weights : array of shape (n_years,), default None
        Weight of each year, >= 0, not all 0; equal if None.
    margin : float, default 0.0
        Margin of conservatism for deficiencies of data or method, added to the average, in [0, 1).
    confidence : float, default None
        One-sided level in [0.5, 1): also adds the margin for estimation error, Student's t times the
        standard error.  Needs two years or more, each independent: windows that overlap make it too small.

    Returns
    -------
    LongRunRate
        ``.rate`` is the target of :func:`fit_calibration`, ``.average`` the best estimate without margins.

    Raises
    ------
    DataError
        If counts are negative, not finite, or more clients default than there are; all faults are listed.

    References
    ----------
    European Banking Authority (2017). Guidelines on PD estimation, LGD estimation and the treatment of
    defaulted exposures, EBA/GL/2017/16, sections 5.3 (long-run average default rate) and 4.4 (margin of
    conservatism).

    Examples
    --------
    >>> history = long_run_rate(defaults=[1, 3], clients=[100, 100], margin=0.005)
    >>> round(history.average, 6), round(history.rate, 6)
    (0.02, 0.025)
    """
    check_interval("margin", margin, low=0, high=1, closed="low")
    if confidence is not None:
        check_interval("confidence", confidence, low=0.5, high=1, closed="low")
    d, n = np.asarray(defaults, dtype=float), np.asarray(clients, dtype=float)
    w = np.ones(len(d)) if weights is None else np.asarray(weights, dtype=float)
    if not d.shape == n.shape == w.shape or d.ndim != 1 or not len(d):
        raise DataError(
            f"defaults, clients and weights must hold one value a year; got {d.size}, {n.size}, {w.size}."
        )
    rules = {
        "clients must be > 0 and finite in every year": np.isfinite(n) & (n > 0),
        "defaults must lie between 0 and the clients": (d >= 0) & (d <= n),
        "weights must be >= 0 and finite, not all 0": np.isfinite(w) & (w >= 0) & (w.sum() > 0),
    }
    faults = [
        f"{rule}; not in year(s) {np.flatnonzero(~ok).tolist()}" for rule, ok in rules.items() if not ok.all()
    ]
    if confidence is not None and (w > 0).sum() < 2:
        faults.append("confidence needs two years or more with weight; got one. Give a margin instead")
    if faults:
        raise DataError("The long-run default rate cannot be computed.", faults)
    rates, share = d / n, w / w.sum()
    average = float(share @ rates)
    years = int((w > 0).sum())
    # Variance of a weighted mean of independent years; unbiased for equal weights.
    spread = float(np.sqrt(share**2 @ (rates - average) ** 2))
    error = spread * math.sqrt(years / (years - 1)) if years > 1 else math.nan
    extra = 0.0 if confidence is None else float(stdtrit(years - 1, confidence)) * error
    labels = defaults.index if isinstance(defaults, pd.Series) else pd.RangeIndex(len(d))
    table = pd.DataFrame(
        {"clients": n, "defaults": d, "rate": rates, "weight": share}, index=labels.rename("year")
    )
    return LongRunRate(average, margin + extra, error, table)
