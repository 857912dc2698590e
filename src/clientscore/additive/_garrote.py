"""Shorten a card: one factor a term, learned on rows that the term's bag has never seen.

Boosting spreads one effect over many correlated tables.  The nonnegative garrote multiplies each table T_k by
a factor c_k >= 0 that minimizes, on out-of-bag rows, a second-order view of the loss around c = 1,

    sum_i w_i loss_i(c) + alpha / 2 sum_k (H_kk + tau) (c_k - 1)^2 + lambda sum_k c_k,

so that tables that say nothing of their own get the factor 0 and the others take over what they said.
alpha (how strongly factors stay at 1) and lambda (how many tables stay) are chosen by cross-validation over
the bags.  A row is judged by the one bag that held it out, while the card is the mean of all bags and less
noisy: what the noise of a single bag adds to a candidate's loss, c' N c / 2 to second order with N the
covariance between bags, is taken off again.

References
----------
Breiman, L. (1995). Better subset regression using the nonnegative garrote. Technometrics 37(4).
https://doi.org/10.1080/00401706.1995.10484371
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_PULLS = (10.0, 3.0, 1.0)  # alpha
_PRICES = (0.06, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # lambda, in units of log-likelihood
_LEAST_INFORMATION = 0.05  # tau: a table met by next to no row keeps its factor
_LEAST_KEPT = 0.1  # least factor of a table that may not be dropped
_SWEEPS = 200
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What every term says of rows that its bag did not train on; one entry a row and bag.

    Parameters
    ----------
    offset : ndarray of shape (n,)
        What is added whatever the factors: the bag's intercept and terms that stay as they are.
    values : ndarray of shape (n, n_terms), float32
        Value of each term.
    y, weight : ndarrays of shape (n,)
        Outcome and weight.
    fold, cluster : ndarrays of shape (n,), int
        Fold of the cross-validation, from 0, and client of each entry.
    binary : bool
        Whether the loss is log loss, else the squared error.
    noise : ndarray of shape (n_terms, n_terms), default None
        Covariance of the terms between bags, a mean over rows weighted by the curvature of the loss; None
        for 0.
    """

    offset: Floats
    values: NDArray[np.float32]
    y: Floats
    weight: Floats
    fold: NDArray[np.intp]
    cluster: NDArray[np.intp]
    binary: bool
    noise: Floats | None = None

    def decision(self, factors: Floats, rows: NDArray[np.intp] | slice = slice(None)) -> Floats:
        """Return the decision of some entries with a factor for each term."""
        return np.asarray(self.offset[rows] + self.values[rows] @ factors)

    def loss(self, decision: Floats) -> Floats:
        """Return the loss of every entry, unweighted."""
        return pointwise_loss(decision, self.y, "binary" if self.binary else "regression")

    def noise_loss(self, factors: Floats) -> float:
        """Return the mean loss that one bag has above the mean of all bags, to second order."""
        if self.noise is None:
            return 0.0
        return float(factors @ self.noise @ factors) / (2 if self.binary else 1)


@dataclass(frozen=True, eq=False)
class Rescaling:
    """The factors chosen, and the curve they were chosen on.

    Attributes
    ----------
    factors : ndarray of shape (n_terms,)
        0 for a dropped term.
    decision : ndarray of shape (n,)
        Decision of every entry with factors learned on the other folds.
    curve : DataFrame
        One line a candidate: pull, price, pairs, terms, loss (cross-validated mean, as of the mean of all
        bags), over_best (difference to the least), standard_error (of it, by client), chosen.
    """

    factors: Floats
    decision: Floats
    curve: pd.DataFrame


def rescale(held: HeldOut, is_pair: NDArray[np.bool_], *, prune: bool) -> Rescaling:
    """Choose a factor for each term.

    Parameters
    ----------
    held : HeldOut
        What the terms say of rows they were not learned from.
    is_pair : ndarray of shape (n_terms,), bool
        Which terms are pairs.
    prune : bool
        Whether terms may be dropped: then the candidate with the fewest pairs is chosen whose cross-validated
        loss is within one standard error (of the difference, by client) of the best; else the best.

    Returns
    -------
    Rescaling
    """
    moments = _Moments(held)
    weight = held.weight / held.weight.sum()
    rows, losses, decisions, every = [], [], [], []
    for pull, price, factors, decision in _candidates(held, moments, prune=prune):
        losses.append(held.loss(decision))
        decisions.append(decision)
        every.append(factors)
        kept = factors > 0
        loss = float(weight @ losses[-1]) - held.noise_loss(factors)
        rows.append((pull, price, int((kept & is_pair).sum()), int(kept.sum()), loss))
    curve = pd.DataFrame(rows, columns=["pull", "price", "pairs", "terms", "loss"])
    best = int(curve["loss"].argmin())
    curve["over_best"] = curve["loss"] - curve["loss"].iloc[best]
    curve["standard_error"] = [standard_error(loss - losses[best], weight, held.cluster) for loss in losses]
    chosen = best
    if prune:
        near = curve[curve["over_best"] <= curve["standard_error"]]
        chosen = int(near.sort_values(["pairs", "loss"]).index[0])
    curve["chosen"] = np.arange(len(curve)) == chosen
    return Rescaling(every[chosen], decisions[chosen], curve)


class _Moments:
    """Gradient and curvature of the loss at factors of 1, in all and by fold."""

    def __init__(self, held: HeldOut) -> None:
        decision = held.decision(np.ones(held.values.shape[1]))
        weight = held.weight  # a weight counts like that many rows
        if held.binary:
            p = np.exp(-np.logaddexp(0, -decision))
            slope, curvature = held.y - p, p * (1 - p)
        else:
            # Errors in units of their own spread, so that a price means the same for every outcome.
            variance = np.average(np.square(held.y - decision), weights=weight)
            slope, curvature = (held.y - decision) / variance, np.full(len(decision), 1 / variance)
        self.folds = [np.flatnonzero(held.fold == k) for k in range(int(held.fold.max()) + 1)]
        self.gradients, self.curvatures = [], []
        for rows in self.folds:
            values = held.values[rows].astype(float)
            self.gradients.append(values.T @ (weight * slope)[rows])
            self.curvatures.append((values * (weight * curvature)[rows, None]).T @ values)
        self.gradient = np.sum(self.gradients, axis=0)
        self.curvature = np.sum(self.curvatures, axis=0)


def _candidates(
    held: HeldOut, moments: _Moments, *, prune: bool
) -> Iterator[tuple[float, float, Floats, Floats]]:
    """Yield pull, price, factors on all entries, and the decision with factors of the other folds."""
    n_terms = held.values.shape[1]
    ones = np.ones(n_terms)
    yield np.inf, 0.0, ones, held.decision(ones)
    lowest = 0.0 if prune else _LEAST_KEPT
    for pull in _PULLS:
        factors, others = ones, [ones] * len(moments.folds)
        for price in _PRICES if prune else (0.0,):
            decision = np.empty(len(held.y))
            for k, rows in enumerate(moments.folds):
                gradient = moments.gradient - moments.gradients[k]
                curvature = moments.curvature - moments.curvatures[k]
                others[k] = _solve(gradient, curvature, pull, price, lowest, others[k])
                decision[rows] = held.decision(others[k], rows)
            factors = _solve(moments.gradient, moments.curvature, pull, price, lowest, factors)
            yield pull, price, factors, decision


def _solve(
    gradient: Floats, curvature: Floats, pull: float, price: float, lowest: float, start: Floats
) -> Floats:
    """Return the factors that minimize the penalized second-order loss, by coordinate descent."""
    information = np.maximum(np.diag(curvature), 0.0)
    ridge = pull * information + _LEAST_INFORMATION
    scale = information + ridge
    factors = start.copy()
    moved = curvature @ (factors - 1)
    for _ in range(_SWEEPS):
        largest = 0.0
        for k in range(len(factors)):
            step = (gradient[k] - moved[k] - ridge[k] * (factors[k] - 1) - price) / scale[k]
            new = max(lowest, factors[k] + step)
            if new != factors[k]:
                largest = max(largest, abs(new - factors[k]))
                moved += curvature[k] * (new - factors[k])
                factors[k] = new
        if largest < _TOLERANCE:
            break
    return factors


def pointwise_loss(decision: Floats, y: Floats, objective: str) -> Floats:
    """Return the log loss, or the squared error, of every decision."""
    if objective == "binary":
        return np.asarray(np.logaddexp(0, decision) - y * decision)
    return np.asarray(np.square(decision - y))


def standard_error(difference: Floats, weight: Floats, cluster: NDArray[np.intp]) -> float:
    """Return the standard error of a weighted mean difference, entries of a client taken together."""
    centered = weight * (difference - weight @ difference)
    return float(np.sqrt(np.square(np.bincount(cluster, weights=centered)).sum()))
