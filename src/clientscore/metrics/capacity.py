"""What a team gets from working down a list: precision, recall and value at its capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clientscore._checks import check_interval
from clientscore.exceptions import DataError

from ._arrays import numbers, outcomes, weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def precision_at_capacity(
    y: ArrayLike, score: ArrayLike, capacity: float, weight: ArrayLike | None = None
) -> float:
    """Share of events among the clients with the highest scores that a team can handle.

    Where the capacity ends inside a block of equal scores, each client of the block is handled with the same
    probability: the figure is the exact mean over every order of the block, so no order of rows can better
    it.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    score : array-like of shape (n,)
        Any number that is higher where the event is more likely.
    capacity : float
        Clients that can be handled, greater than 0; a part of a client counts as that part (for a share of
        the book, multiply it by n).  More than there are handles all.
    weight : array-like of shape (n,), default None
        How many clients (or units of the capacity) each row stands for; None = 1 each.

    Returns
    -------
    float
        In [0, 1]; the base rate for a score without information.

    Examples
    --------
    >>> precision_at_capacity([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1], capacity=2)
    0.75
    """
    outcome = outcomes(y)
    weight_ = weights(weight, len(outcome))
    taken = _taken(numbers("score", score, len(outcome)), weight_, capacity)
    return float((taken * outcome).sum() / taken.sum())


def recall_at_capacity(
    y: ArrayLike, score: ArrayLike, capacity: float, weight: ArrayLike | None = None
) -> float:
    """Share of all events that are among the clients with the highest scores that a team can handle.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    score : array-like of shape (n,)
        Any number that is higher where the event is more likely.
    capacity : float
        Clients that can be handled, greater than 0, see `precision_at_capacity`, also for equal scores.
    weight : array-like of shape (n,), default None
        How many clients (or units of the capacity) each row stands for; None = 1 each.

    Returns
    -------
    float
        In [0, 1]; missing where there is no event.

    Examples
    --------
    >>> recall_at_capacity([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1], capacity=2)
    0.75
    """
    outcome = outcomes(y)
    weight_ = weights(weight, len(outcome))
    taken = _taken(numbers("score", score, len(outcome)), weight_, capacity)
    events = float((weight_ * outcome).sum())
    return float((taken * outcome).sum()) / events if events > 0 else float("nan")


def saved_value(
    y: ArrayLike,
    score: ArrayLike,
    value: ArrayLike,
    capacity: float,
    *,
    save_rate: ArrayLike,
    cost: ArrayLike = 0.0,
) -> float:
    """Value kept by handling the highest scores, after cost: sum over those of save_rate x y x value - cost.

    The rate is the share of true leavers that stay because they were handled.  It must come from somewhere
    that could show it, such as a trial with clients left alone: the outcomes themselves cannot.  The most
    that could be had is the figure for the score ``save_rate * y * value - cost``.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes without any action: 1 = left, 0 = stayed.
    score : array-like of shape (n,)
        The order of the list, highest first; best the expected gain of handling the client.
    value : array-like of shape (n,)
        What the bank loses with the client, in one currency unit.
    capacity : float
        Clients that can be handled, greater than 0, see `precision_at_capacity`, also for equal scores.
    save_rate : float or array-like of shape (n,)
        Probability that handling keeps a client that would leave, in [0, 1].
    cost : float or array-like of shape (n,), default 0.0
        Cost of handling a client, in the unit of `value`, at least 0.

    Returns
    -------
    float
        In the unit of `value`; negative where the list costs more than it keeps.

    Raises
    ------
    DataError
        When values are missing, a rate lies outside [0, 1] or a cost is negative.

    Examples
    --------
    >>> saved_value([1, 0, 1], [0.9, 0.8, 0.1], [100.0, 50.0, 80.0], 2, save_rate=0.5, cost=5.0)
    40.0
    """
    outcome = outcomes(y)
    n = len(outcome)
    lost = numbers("value", value, n)
    rate = _each("save_rate", save_rate, n)
    price = _each("cost", cost, n)
    faults = []
    if ((rate < 0) | (rate > 1)).any():
        faults.append(f"save_rate must lie in [0, 1]; got {rate.min():g} to {rate.max():g}.")
    if (price < 0).any():
        faults.append(f"cost must be at least 0; got {price.min():g}.")
    if faults:
        raise DataError("saved_value needs rates and costs.", faults)
    taken = _taken(numbers("score", score, n), np.ones(n), capacity)
    return float((taken * (rate * outcome * lost - price)).sum())


def _each(name: str, value: ArrayLike, n: int) -> Floats:
    """Return one number a row; one for all is repeated."""
    return numbers(name, np.full(n, value) if np.ndim(value) == 0 else value, n)


def _taken(score: Floats, weight: Floats, capacity: float) -> Floats:
    """Weight of each row that is handled: whole blocks of equal scores, and a part of the last one."""
    check_interval("capacity", capacity, low=0.0, closed="neither")
    distinct, position = np.unique(-score, return_inverse=True)
    block = np.bincount(position, weight, len(distinct))
    left = np.maximum(capacity - (np.cumsum(block) - block), 0.0)
    share = np.minimum(np.divide(left, block, out=np.zeros(len(block)), where=block > 0), 1.0)
    return np.asarray(share[position] * weight)
