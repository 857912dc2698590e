"""CRPS of an amount that is often zero: a chance, and a distribution given that it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clientscore.exceptions import DataError

from ._arrays import numbers, probabilities, weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_BLOCK = 2_000_000  # cells held at a time


def crps_mixture(
    y: ArrayLike,
    probability: ArrayLike,
    quantiles: ArrayLike,
    levels: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Continuous ranked probability score of a mixture of zero and a positive amount, exact.

    CRPS = integral of (F(x) - 1[y <= x])^2 dx, with F = 1 - p + p G on x >= 0.  G is known by quantiles:
    between two of them its mass is spread evenly, what lies beyond the outer levels sits on the outer
    quantiles.  Without levels the quantiles are a sample, each value equally likely.

    Parameters
    ----------
    y : array-like of shape (n,)
        Realized amounts, at least 0; 0 where there was none.
    probability : array-like of shape (n,)
        Forecast probability of an amount, p, in [0, 1].
    quantiles : array-like of shape (n, k)
        Quantiles of the amount where there is one, rising along each row, at least 0; or a sample of it.
    levels : array-like of shape (k,), default None
        Levels of the quantiles, rising, in (0, 1); None: the quantiles are a sample.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        Mean over the rows, in the unit of `y`; lower is better.

    Raises
    ------
    DataError
        When amounts are negative, quantiles fall, or shapes differ.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation,
    doi:10.1198/016214506000001437.

    Examples
    --------
    A point forecast has its absolute error; half of the mass on zero and half on 4 has 1 at either end.

    >>> crps_mixture([3.0], [1.0], [[5.0]])
    2.0
    >>> crps_mixture([0.0, 4.0], [0.5, 0.5], [[4.0], [4.0]])
    1.0
    """
    score = crps_mixture_rows(y, probability, quantiles, levels)
    return float(np.average(score, weights=weights(weight, len(score))))


def crps_mixture_rows(
    y: ArrayLike, probability: ArrayLike, quantiles: ArrayLike, levels: ArrayLike | None = None
) -> Floats:
    """Score each row as `crps_mixture` does, for paired comparisons.

    Parameters
    ----------
    y, probability, quantiles
        As for `crps_mixture`.
    levels : array-like of shape (k,), default None
        As for `crps_mixture`.

    Returns
    -------
    ndarray of shape (n,)
        CRPS of each row, in the unit of `y`; lower is better.

    Raises
    ------
    DataError
        As `crps_mixture` does.

    Examples
    --------
    >>> crps_mixture_rows([0.0, 4.0], [0.5, 0.0], [[4.0], [4.0]]).tolist()
    [1.0, 4.0]
    """
    actual = numbers("y", y)
    chance = probabilities(probability, len(actual))
    amounts = _amounts(quantiles, len(actual))
    if levels is None:
        amounts = np.sort(amounts, axis=1)
    below, above = _shape(amounts, levels)
    if (actual < 0).any():
        raise DataError(f"y must be at least 0; got {actual.min():g}. Amounts of new money are positive.")
    score = np.empty(len(actual))
    step = max(1, _BLOCK // (len(below) + 1))
    for start in range(0, len(actual), step):
        rows = slice(start, start + step)
        score[rows] = _score(actual[rows], chance[rows], amounts[rows], below, above)
    return score


def _amounts(quantiles: ArrayLike, n: int) -> Floats:
    """Return the quantiles as a matrix of finite amounts."""
    amounts = np.asarray(quantiles, dtype=np.float64)
    if amounts.ndim != 2 or len(amounts) != n or not amounts.shape[1]:
        raise DataError(f"quantiles must have one row for each of the {n} values of y; got {amounts.shape}.")
    bad = int((~np.isfinite(amounts)).sum())
    if bad or (amounts < 0).any():
        raise DataError(f"quantiles must be finite and at least 0; got {bad} missing or infinite.")
    return amounts


def _shape(amounts: Floats, levels: ArrayLike | None) -> tuple[Floats, Floats]:
    """Return G at both ends of every stretch: from 0 to the first quantile, ..., to the last."""
    k = amounts.shape[1]
    if levels is None:
        step = np.arange(k) / k
        return step, step
    level = numbers("levels", levels, k)
    if level.min() <= 0 or level.max() >= 1 or (np.diff(level) <= 0).any():
        raise DataError("levels must rise inside (0, 1).")
    if (np.diff(amounts, axis=1) < 0).any():
        raise DataError("quantiles must rise along each row. Sort them.")
    return np.concatenate([[0.0], level[:-1]]), np.concatenate([[0.0], level[1:]])


def _score(actual: Floats, chance: Floats, amounts: Floats, below: Floats, above: Floats) -> Floats:
    """Return the CRPS of each row: on a stretch F is a line, so its square is summed exactly."""
    knots = np.concatenate([np.zeros((len(amounts), 1)), amounts], axis=1)
    low, high = knots[:, :-1], knots[:, 1:]
    p = chance[:, None]
    start, end = 1.0 - p + p * below, 1.0 - p + p * above
    y = actual[:, None]
    width = high - low
    left = np.clip(y, low, high) - low
    part = np.divide(left, width, out=np.zeros_like(left), where=width > 0)
    middle = start + part * (end - start)
    total = left * (start**2 + start * middle + middle**2) / 3.0
    start, middle, end = 1.0 - start, 1.0 - middle, 1.0 - end
    total += (width - left) * (middle**2 + middle * end + end**2) / 3.0
    return np.asarray(total.sum(axis=1) + np.maximum(actual - amounts[:, -1], 0.0))
