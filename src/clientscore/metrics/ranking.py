"""How well a score ranks events before non-events: AUC, Gini, KS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._arrays import both_classes, numbers, outcomes, weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def auc(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Probability that an event has a higher score than a non-event; ties count half.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    score : array-like of shape (n,)
        Any number that is higher where the event is more likely.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        In [0, 1]; 0.5 for a score without information.

    Raises
    ------
    DataError
        When values are missing or only one outcome occurs.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    below_event, below_other = _cumulative(y, score, weight, "auc")
    return float(((below_other[1:] + below_other[:-1]) / 2 * np.diff(below_event)).sum())


def gini(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Gini coefficient, 2 AUC - 1 (accuracy ratio).

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    score : array-like of shape (n,)
        Any number that is higher where the event is more likely.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        In [-1, 1]; 0 for a score without information.

    Examples
    --------
    >>> gini([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """
    return 2.0 * auc(y, score, weight) - 1.0


def ks(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Kolmogorov-Smirnov distance between the scores of events and of non-events.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    score : array-like of shape (n,)
        Any number.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> ks([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """
    below_event, below_other = _cumulative(y, score, weight, "ks")
    return float(np.abs(below_event - below_other).max())


def _cumulative(
    y: ArrayLike, score: ArrayLike, weight: ArrayLike | None, measure: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distribution functions of events and of non-events at each distinct score, from 0."""
    outcome = outcomes(y)
    values = numbers("score", score, len(outcome))
    weight_ = weights(weight, len(outcome))
    both_classes(outcome, weight_, measure)
    distinct, position = np.unique(values, return_inverse=True)
    event = np.bincount(position, outcome * weight_, len(distinct))
    other = np.bincount(position, (1 - outcome) * weight_, len(distinct))
    start = np.zeros(1)
    return (
        np.concatenate([start, np.cumsum(event) / event.sum()]),
        np.concatenate([start, np.cumsum(other) / other.sum()]),
    )
