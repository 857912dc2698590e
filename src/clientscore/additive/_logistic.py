"""A logistic regression whose coefficients may not be negative: the worst is taken out until none is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_STEPS = 50
_BLOCK_ROWS = 4096  # rows whose products stay in cache
_Parts = tuple[float, "NDArray[np.float64]", "NDArray[np.float64]"]


def fit_signed(
    design: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    """Fit the logistic regression, taking out the most negative coefficient until none is left.

    Parameters
    ----------
    design : ndarray of shape (n, k + 1), C order
        The first column is 1.
    y, weight : ndarray of shape (n,)
        1 or 0, and weights >= 0.
    penalty : float
        The objective is the log loss summed over rows + penalty / 2 * |coefficients|^2.

    Returns
    -------
    ndarray of shape (k + 1,)
        Intercept and coefficients; NaN for those taken out.
    """
    rate = np.average(y, weights=weight)
    beta = np.ones(design.shape[1])  # evidence of a feature alone has the coefficient 1
    beta[0] = np.log(rate / (1 - rate))
    kept = np.ones(len(beta), dtype=bool)
    while True:
        beta = _fit(design, y, weight, penalty, beta, kept)
        worst = int(beta.argmin()) if len(beta) < 2 else 1 + int(beta[1:].argmin())
        if worst == 0 or beta[worst] >= 0:
            return np.where(kept, beta, np.nan)
        kept[worst], beta[worst] = False, 0.0


def _fit(
    design: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: float,
    start: NDArray[np.float64],
    kept: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the penalized maximum likelihood, coefficients not kept at 0, by Newton's method."""
    ridge = np.full(len(start), penalty + 1e-8)
    ridge[0] = 0.0
    beta, (loss, gradient, hessian) = start, _parts(design, y, weight, ridge, start)
    for _ in range(_MAX_STEPS):
        step = np.zeros(len(beta))
        step[kept] = np.linalg.solve(hessian[np.ix_(kept, kept)], gradient[kept])
        following = _parts(design, y, weight, ridge, beta + step)
        while following[0] > loss + 1e-9 * abs(loss) and np.abs(step).max() > 1e-12:
            step = step / 2
            following = _parts(design, y, weight, ridge, beta + step)
        beta, (loss, gradient, hessian) = beta + step, following
        if np.abs(step).max() < 1e-7:  # the next step would be about its square
            break
    return beta


def _parts(
    design: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    ridge: NDArray[np.float64],
    beta: NDArray[np.float64],
) -> _Parts:
    """Return loss, downward gradient and Hessian, in blocks of rows."""
    loss = float(ridge @ beta**2) / 2
    gradient, hessian = -ridge * beta, np.diag(ridge)
    hessian[0, 0] += 1e-12
    for first in range(0, len(y), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        x, w = design[block], weight[block]
        score = x @ beta
        small = np.exp(-np.abs(score))
        p = np.where(score > 0, 1.0, small) / (1 + small)
        loss += float(w @ (np.maximum(score, 0) + np.log1p(small) - y[block] * score))
        gradient += (w * (y[block] - p)) @ x
        hessian += x.T @ (x * (w * p * (1 - p))[:, None])
    return loss, gradient, hessian
