"""The interval around a portfolio's forecast event rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clientscore._checks import check_columns, check_integer, check_interval
from clientscore.exceptions import DataError

from ._arrays import numbers

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_LEAST_DEGREES = 3.0  # fewer give a t distribution without variance
_NODES = 401  # equally likely values of the systematic factor


def rate_interval(
    predicted: float,
    n: int,
    history: pd.DataFrame | None = None,
    level: float = 0.95,
    *,
    horizon_periods: int = 12,
    step_periods: int = 3,
    prior_dispersion: float = 0.15,
    prior_dates: float = 1.0,
) -> tuple[float, float]:
    """Forecast interval of the event rate of `n` clients in the next window.

    The realized rate is predicted x exp(e), e the common surprise of the year (cycle, model drift), and the
    events are binomial given that rate.  The dispersion of e is the second moment of the past log ratios
    log(realized / predicted) *around zero*, so that a lasting bias of the model widens the interval, less
    their binomial part (method of moments).  Windows that overlap tell less: T dates `step_periods` apart
    count as T^2 / sum of squared overlaps.  Few dates make a poor estimate, so it is averaged with a stated
    prior (`prior_dispersion`, worth `prior_dates` dates: also the floor, and the answer without history),
    and e follows a t distribution with as many degrees of freedom as dates, prior included, at least 3.

    Assumptions: past pairs are out of sample; e is alike from year to year and independent between windows
    that do not overlap; clients are independent given e.  A cycle far longer than the history is not seen.

    Parameters
    ----------
    predicted : float
        Mean predicted probability, in (0, 1).
    n : int
        Number of clients forecast, at least 1.
    history : DataFrame, default None
        One row a past date, in order of time: predicted and realized (rates), n (clients).
    level : float, default 0.95
        Probability that the interval holds the realized rate, in (0, 1).
    horizon_periods : int, default 12
        Length of a window, in periods.
    step_periods : int, default 3
        Distance of two rows of `history`, in periods.
    prior_dispersion : float, default 0.15
        Standard deviation of e before any history (0.15: a year's rate is usually within 15 % of the
        forecast), greater than 0.
    prior_dates : float, default 1.0
        Number of independent dates the prior counts for, greater than 0.

    Returns
    -------
    tuple of float
        (low, high), multiples of 1/n in [0, 1]: both tails hold at most (1 - level) / 2.

    Raises
    ------
    MissingColumnError
        When `history` lacks a column.
    DataError
        When a past prediction is not in (0, 1), a realized rate not in [0, 1], or n below 1.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 2.6 (scaled inverse chi-squared prior of a
    variance).

    Examples
    --------
    >>> import pandas as pd
    >>> past = pd.DataFrame({"predicted": [0.10, 0.11], "realized": [0.11, 0.10], "n": [2000, 2000]})
    >>> low, high = rate_interval(0.10, 2000, past, step_periods=12)
    >>> bool(low < 0.10 < high)
    True
    """
    check_interval("predicted", predicted, low=0.0, high=1.0, closed="neither")
    check_integer("n", n, low=1)
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    check_integer("horizon_periods", horizon_periods, low=1)
    check_integer("step_periods", step_periods, low=1)
    check_interval("prior_dispersion", prior_dispersion, low=0.0, closed="neither")
    check_interval("prior_dates", prior_dates, low=0.0, closed="neither")
    variance, dates = prior_dispersion**2, 0.0
    if history is not None and len(history):
        variance, dates = _dispersion(history, horizon_periods, step_periods)
    pooled = (prior_dates * prior_dispersion**2 + dates * variance) / (prior_dates + dates)
    rate = _surprised_rates(predicted, np.sqrt(pooled), max(_LEAST_DEGREES, prior_dates + dates))
    tail = (1.0 - level) / 2.0
    return _mixture_quantile(rate, n, tail) / n, _mixture_quantile(rate, n, 1.0 - tail) / n


def _dispersion(history: pd.DataFrame, horizon: int, step: int) -> tuple[float, float]:
    """Systematic variance of the log ratios and the number of independent dates they are worth."""
    check_columns(history.columns, ["predicted", "realized", "n"], subject="history")
    predicted, realized = numbers("predicted", history["predicted"]), numbers("realized", history["realized"])
    clients = numbers("n", history["n"])
    faults = []
    if ((predicted <= 0) | (predicted >= 1)).any():
        faults.append("predicted must lie in (0, 1)")
    if ((realized < 0) | (realized > 1)).any():
        faults.append("realized must lie in [0, 1]")
    if (clients < 1).any():
        faults.append("n must be at least 1")
    if faults:
        raise DataError(
            "history must hold rates and counts. Leave out dates without clients or outcome.", faults
        )
    # half an event on both sides keeps the log finite for a date without events
    ratio = np.log((realized * clients + 0.5) / (predicted * clients + 0.5))
    sampling = (1.0 - predicted) / (clients * predicted + 0.5)
    variance = max(0.0, float(np.mean(ratio**2 - sampling)))
    distance = np.abs(np.subtract.outer(np.arange(len(ratio)), np.arange(len(ratio)))) * step
    overlap = np.maximum(0.0, 1.0 - distance / horizon)
    return variance, float(len(ratio) ** 2 / (overlap**2).sum())


def _surprised_rates(predicted: float, scale: float, degrees: float) -> NDArray[np.float64]:
    """Equally likely values of the year's rate."""
    from scipy import stats  # noqa: PLC0415  slow to import, used here only

    middle = (np.arange(_NODES) + 0.5) / _NODES
    surprise = scale * stats.t.ppf(middle, degrees)
    return np.asarray(np.minimum(predicted * np.exp(surprise), 1.0), dtype=np.float64)


def _mixture_quantile(rate: NDArray[np.float64], n: int, probability: float) -> int:
    """Smallest count k with P(count <= k) >= probability, by bisection."""
    from scipy import stats  # noqa: PLC0415

    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if float(stats.binom.cdf(middle, n, rate).mean()) >= probability:
            high = middle
        else:
            low = middle + 1
    return low
