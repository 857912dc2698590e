"""Calibration by maximum likelihood and by the mean, as bare numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from clientscore._checks import check_interval
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MAX_STEPS = 100


def calibrate_logistic(
    log_odds: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None
) -> tuple[float, float]:
    """Fit ``P(bad) = logistic(intercept + slope * log_odds)`` by weighted maximum likelihood.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Raw log-odds of bad, finite, best out of sample.
    y : array of shape (n,)
        1 for bad, 0 for good; both must occur.
    weight : array of shape (n,), default None
        Weight of each row; equal if None.

    Returns
    -------
    intercept, slope : float
        0 and 1 where the raw log-odds are calibrated already.

    Raises
    ------
    DataError
        If only one class has weight, or no maximum exists: the log-odds are constant, or they separate bad
        from good without error.

    References
    ----------
    Platt, J. (1999). Probabilistic outputs for support vector machines. In Advances in Large Margin
    Classifiers.

    Examples
    --------
    >>> intercept, slope = calibrate_logistic([-1, -1, -1, 1, 1, 1], [0, 0, 1, 1, 1, 0])
    >>> round(intercept, 6) + 0, round(slope, 6)
    (0.0, 0.693147)
    """
    x, target, w = calibration_arrays(log_odds, y, weight)
    intercept, slope = fit_logistic(x[:, None], target, w)
    return intercept, slope


def fit_logistic(
    columns: NDArray[np.float64], target: NDArray[np.float64], w: NDArray[np.float64]
) -> tuple[float, ...]:
    """Return intercept and coefficients of an unpenalized weighted logistic regression, by Newton steps."""
    center = np.average(columns, axis=0, weights=w)
    scale = np.sqrt(np.average(np.square(columns - center), axis=0, weights=w))
    if (scale <= 1e-12 * np.maximum(1.0, np.abs(center))).any():
        raise DataError("Log-odds must vary to fit a slope; all are equal. Calibrate the mean only.")
    design = np.column_stack([np.ones(len(columns)), (columns - center) / scale])
    beta = np.zeros(design.shape[1])
    deviance = _deviance(design @ beta, target, w)
    for _ in range(_MAX_STEPS):
        p = logistic(design @ beta)
        gradient = design.T @ (w * (target - p))
        hessian = (design * (w * p * (1 - p))[:, None]).T @ design
        if np.linalg.cond(hessian) > 1e14 or deviance < 1e-9 * w.sum():
            raise DataError("The log-odds separate bad from good without error; no finite slope fits them.")
        step = np.linalg.solve(hessian, gradient)
        while _deviance(design @ (beta + step), target, w) > deviance + 1e-12 * abs(deviance):
            step /= 2
        beta = beta + step
        deviance = _deviance(design @ beta, target, w)
        if np.abs(step).max() < 1e-10 * max(1.0, np.abs(beta).max()):
            break
    slopes = beta[1:] / scale
    return (float(beta[0] - slopes @ center), *(float(slope) for slope in slopes))


def calibrate_mean(
    log_odds: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None, target: float | None = None
) -> float:
    """Return the shift of log-odds after which the mean probability equals the observed rate.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Raw log-odds of bad, finite.
    y : array of shape (n,)
        1 for bad, 0 for good; both must occur.
    weight : array of shape (n,), default None
        Weight of each row; equal if None.
    target : float, default None
        Rate wanted instead of the observed one (a long-run average), in (0, 1).

    Returns
    -------
    float
        Add it to the log-odds.

    Raises
    ------
    DataError
        If only one class has weight.

    Examples
    --------
    >>> round(calibrate_mean([0.0, 0.0, 0.0, 0.0], [0, 0, 0, 1]), 6)
    -1.098612
    """
    x, observed, w = calibration_arrays(log_odds, y, weight)
    if target is not None:
        check_interval("target", target, low=0, high=1, closed="neither")
    rate = float(np.average(observed, weights=w)) if target is None else target
    # The mean probability grows with the shift: bisection cannot fail, Newton only saves steps.
    wanted = math.log(rate / (1 - rate))
    low, high = wanted - float(x.max()), wanted - float(x.min())
    shift = (low + high) / 2
    for _ in range(_MAX_STEPS):
        p = logistic(x + shift)
        error = float(np.average(p, weights=w)) - rate
        low, high = (low, shift) if error > 0 else (shift, high)
        slope = float(np.average(p * (1 - p), weights=w))
        newton = shift - error / slope if slope > 0 else math.inf
        following = newton if low <= newton <= high else (low + high) / 2
        if abs(following - shift) < 1e-13 * max(1.0, abs(shift)):
            break
        shift = following
    return shift


def calibration_arrays(
    log_odds: ArrayLike, y: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return checked log-odds, outcomes and weights of the rows that have weight."""
    x, target = np.asarray(log_odds, dtype=float), np.asarray(y, dtype=float)
    w = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=float)
    if not x.shape == target.shape == w.shape:
        raise DataError(
            f"log_odds, y and weight must have one length; got {len(x)}, {len(target)}, {len(w)}."
        )
    if not (
        np.isfinite(x).all() and np.isfinite(w).all() and (w >= 0).all() and np.isin(target, (0, 1)).all()
    ):
        raise DataError("Calibration needs finite log_odds, y of 0 and 1, and finite weights >= 0.")
    if len({*target[w > 0].tolist()}) < 2:
        raise DataError("Calibration needs both classes of y with weight; only one occurs.")
    return x[w > 0], target[w > 0], w[w > 0]


def logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


def _deviance(score: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    return float(weight @ (np.logaddexp(0, score) - y * score))
