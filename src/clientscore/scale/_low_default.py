"""Upper bounds of the PD where hardly anybody defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import bdtr, betaincinv, ndtr

from clientscore._checks import check_interval
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# The economy as equal steps over +/- 8.5 standard deviations.  For a smooth integrand that dies out at both
# ends the trapezoid rule converges faster than any power of the step; Gauss-Hermite nodes are too sparse
# where thousands of clients make the binomial a cliff.
_STATES = np.linspace(-8.5, 8.5, 1701)
_SHARE = np.exp(-(_STATES**2) / 2) / np.exp(-(_STATES**2) / 2).sum()
_BISECTIONS = 60


def pluto_tasche(
    n_by_grade: ArrayLike,
    defaults_by_grade: ArrayLike,
    confidence: Sequence[float] = (0.5, 0.75, 0.9),
    rho: float = 0.0,
    portfolio_rate: float | None = None,
) -> pd.DataFrame:
    """Return the most prudent PDs of a scale with few or no defaults: upper confidence bounds by grade.

    The PD of a grade is bounded from all clients of that grade *and of every worse one*: the ranking is
    trusted, so the grade is at most as risky as they are together.  The bound is the PD at which as few
    defaults as were seen, or fewer, have probability 1 - confidence; without correlation that is the exact
    bound of Clopper and Pearson.  A worse grade never gets a lower bound than a better one.

    Parameters
    ----------
    n_by_grade : Series or array of shape (n_grades,)
        Clients of each grade at the start of the period, best grade first, whole numbers; the worst grade
        needs one.
    defaults_by_grade : Series or array of shape (n_grades,)
        Those that defaulted in the period.
    confidence : sequence of float, default (0.5, 0.75, 0.9)
        One-sided levels in (0, 1).
    rho : float, default 0.0
        Asset correlation of all clients in [0, 1): one factor, one period.  Several years' counts added up
        may be given as one period only without correlation.
    portfolio_rate : float, default None
        Mean PD over all clients to scale the bounds to, in (0, 1), such as the observed rate or a long-run
        average; None leaves the bounds as they are.  Scaled figures are no upper bounds any more.

    Returns
    -------
    DataFrame
        On the grades, one column a level of confidence; PDs in [0, 1].

    Raises
    ------
    DataError
        If counts are no whole numbers, negative, or more clients default than there are; all faults listed.

    References
    ----------
    Pluto, K. and Tasche, D. (2005). Estimating probabilities of default for low default portfolios.
    arXiv:cond-mat/0411699; Thinking positively, Risk 18(8), 72-78.

    Examples
    --------
    >>> pluto_tasche([100, 400, 300], [0, 0, 0]).round(4)
    confidence    0.50    0.75    0.90
    grade
    0           0.0009  0.0017  0.0029
    1           0.0010  0.0020  0.0033
    2           0.0023  0.0046  0.0076
    """
    check_interval("rho", rho, low=0, high=1, closed="low")
    if portfolio_rate is not None:
        check_interval("portfolio_rate", portfolio_rate, low=0, high=1, closed="neither")
    levels = [float(level) for level in confidence]
    for level in levels:
        check_interval("confidence", level, low=0, high=1, closed="neither")
    if len({*levels}) < max(len(levels), 1):
        raise InvalidParameterError(f"confidence must hold levels that differ; got {confidence}.")
    clients, defaults = _counts(n_by_grade, defaults_by_grade)
    pooled = [np.cumsum(part[::-1])[::-1] for part in (clients, defaults)]
    bounds = np.array(
        [[_bound(int(n), int(d), level, rho) for level in levels] for n, d in zip(*pooled, strict=True)]
    )
    bounds = np.maximum.accumulate(bounds, axis=0)
    if portfolio_rate is not None:
        bounds = np.minimum(1.0, bounds * (portfolio_rate / (clients @ bounds / clients.sum())))
    index = n_by_grade.index if isinstance(n_by_grade, pd.Series) else pd.RangeIndex(len(clients))
    return pd.DataFrame(bounds, index=index.rename("grade"), columns=pd.Index(levels, name="confidence"))


def _counts(n_by_grade: Any, defaults_by_grade: Any) -> tuple[Floats, Floats]:
    n, d = np.asarray(n_by_grade, dtype=float), np.asarray(defaults_by_grade, dtype=float)
    if n.ndim != 1 or n.shape != d.shape or not len(n):
        raise DataError(
            f"n_by_grade and defaults_by_grade must hold one count a grade; got {n.size}, {d.size}."
        )
    rules = {
        "counts must be whole numbers >= 0": (n >= 0) & (d >= 0) & (n % 1 == 0) & (d % 1 == 0),
        "defaults must not exceed the clients": ~(d > n),
        "the worst grade must have a client": (np.arange(len(n)) < len(n) - 1) | (n > 0),
    }
    faults = [
        f"{rule}; not in grade(s) {np.flatnonzero(~ok).tolist()}"
        for rule, ok in rules.items()
        if not ok.all()
    ]
    if faults:
        raise DataError("The bounds cannot be computed.", faults)
    return n, d


def _bound(n: int, defaults: int, level: float, rho: float) -> float:
    """Return the PD at which at most `defaults` of `n` have probability 1 - level."""
    if defaults == n:
        return 1.0
    if rho == 0:
        return float(betaincinv(defaults + 1, n - defaults, level))
    low, high = -12.0, 12.0  # of the default threshold, in standard deviations
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        given_state = ndtr((middle - np.sqrt(rho) * _STATES) / np.sqrt(1 - rho))
        few = float(_SHARE @ bdtr(defaults, n, given_state))
        low, high = (middle, high) if few > 1 - level else (low, middle)
    return float(ndtr((low + high) / 2))
