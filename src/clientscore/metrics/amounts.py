"""Amounts of a portfolio: deviance, the share of the total that a short list holds, and the total itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clientscore._checks import check_interval
from clientscore.exceptions import DataError

from ._arrays import numbers, weights
from .capacity import _taken

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def tweedie_deviance(
    y: ArrayLike, predicted: ArrayLike, power: float = 1.5, weight: ArrayLike | None = None
) -> float:
    """Mean unit deviance of a Tweedie distribution: for amounts that are often zero and sometimes large.

    d(y, m) = 2 [y^(2-q) / ((1-q)(2-q)) - y m^(1-q) / (1-q) + m^(2-q) / (2-q)] for power q in (1, 2).  It is
    least in the mean for the true expected amount, and between 1 and 2 the zero is allowed.

    Parameters
    ----------
    y : array-like of shape (n,)
        Realized amounts, at least 0.
    predicted : array-like of shape (n,)
        Expected amounts, greater than 0, same unit.
    power : float, default 1.5
        Exponent q of the variance in the mean, in (1, 2).
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        At least 0; lower is better.  Its unit is that of amount^(2 - power).

    Raises
    ------
    DataError
        When amounts are negative or expected amounts not greater than 0.

    References
    ----------
    Jorgensen (1987), Exponential dispersion models, doi:10.1111/j.2517-6161.1987.tb01685.x.

    Examples
    --------
    >>> tweedie_deviance([0.0, 4.0], [1.0, 4.0])
    2.0
    """
    check_interval("power", power, low=1.0, high=2.0, closed="neither")
    actual = _at_least_zero("y", y)
    mean = numbers("predicted", predicted, len(actual))
    if (mean <= 0).any():
        raise DataError(f"predicted must be greater than 0; got {mean.min():g}. Expected amounts are.")
    rest = 2.0 - power
    deviance = actual**rest / ((1.0 - power) * rest) - actual * mean ** (1.0 - power) / (1.0 - power)
    deviance += mean**rest / rest
    return float(np.average(2.0 * deviance, weights=weights(weight, len(actual))))


def capture_in_top(
    amount: ArrayLike, score: ArrayLike, share: float = 0.1, weight: ArrayLike | None = None
) -> float:
    """Share of the whole amount that the highest scores hold: what a list of the top 10 % reaches.

    Parameters
    ----------
    amount : array-like of shape (n,)
        Realized amounts, at least 0.
    score : array-like of shape (n,)
        Any number that is higher where more is expected; of equal scores at the edge each counts in part.
    share : float, default 0.1
        Part of the rows (of the weight) on the list, in (0, 1].
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        In [0, 1]; `share` for a score without information, missing where nothing was drawn.

    Examples
    --------
    >>> capture_in_top([6.0, 0.0, 2.0, 0.0], [9.0, 5.0, 5.0, 1.0], share=0.5)
    0.875
    """
    check_interval("share", share, low=0.0, high=1.0, closed="high")
    actual = _at_least_zero("amount", amount)
    weight_ = weights(weight, len(actual))
    taken = _taken(numbers("score", score, len(actual)), weight_, share * float(weight_.sum()))
    total = float((weight_ * actual).sum())
    return float((taken * actual).sum()) / total if total > 0 else float("nan")


def total_ratio(y: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Predicted over realized total: 1 where the portfolio's sum is right.

    Parameters
    ----------
    y : array-like of shape (n,)
        Realized amounts.
    predicted : array-like of shape (n,)
        Expected amounts, same unit.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        Missing where the realized total is not above 0.

    Examples
    --------
    >>> total_ratio([0.0, 8.0], [3.0, 6.0])
    1.125
    """
    actual = numbers("y", y)
    weight_ = weights(weight, len(actual))
    total = float((weight_ * actual).sum())
    forecast = float((weight_ * numbers("predicted", predicted, len(actual))).sum())
    return forecast / total if total > 0 else float("nan")


def _at_least_zero(name: str, values: ArrayLike) -> Floats:
    array = numbers(name, values)
    if (array < 0).any():
        raise DataError(f"{name} must be at least 0; got {array.min():g}. Amounts of new money are.")
    return array
