"""Checks of the arrays every measure takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def numbers(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    """Return a finite float vector, of length `n` where given."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers: {error}. Convert or drop the text.") from None
    if array.ndim != 1:
        raise DataError(f"{name} must be one-dimensional; got shape {array.shape}. Pass one column.")
    if n is not None and len(array) != n:
        raise DataError(f"{name} must have {n} values like the others; got {len(array)}. Align the rows.")
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise DataError(
            f"{name} must be finite; got {bad} missing or infinite of {len(array)}. Drop those rows."
        )
    return array


def weights(weight: ArrayLike | None, n: int) -> Floats:
    """Return the row weights, ones when None."""
    if weight is None:
        return np.ones(n)
    array = numbers("weight", weight, n)
    if (array < 0).any() or array.sum() <= 0:
        raise DataError(f"weight must be at least 0 and not all 0; got a minimum of {array.min():g}.")
    return array


def outcomes(y: ArrayLike) -> Floats:
    """Return 0/1 outcomes as floats."""
    array = numbers("y", y)
    strange = np.setdiff1d(array, [0.0, 1.0])
    if len(strange):
        raise DataError(f"y must be 0 or 1; got {strange[0]:g}. Code the event as 1, its absence as 0.")
    if not len(array):
        raise DataError("y must have at least one row; got none.")
    return array


def both_classes(y: Floats, weight: Floats, measure: str) -> None:
    """Raise unless both outcomes carry weight."""
    if weight[y == 1].sum() <= 0 or weight[y == 0].sum() <= 0:
        raise DataError(f"{measure} needs rows of both outcomes; got {int(y.sum())} events in {len(y)} rows.")


def probabilities(p: ArrayLike, n: int) -> Floats:
    """Return probabilities in [0, 1]."""
    array = numbers("p", p, n)
    outside = array[(array < 0) | (array > 1)]
    if len(outside):
        raise DataError(f"p must lie in [0, 1]; got {outside[0]:g}. Pass probabilities, not scores.")
    return array


def equal_groups(values: Floats, weight: Floats, n_groups: int) -> NDArray[np.int64]:
    """Put rows into groups of about equal weight, from 0 by ascending value; equal values share one."""
    distinct, position = np.unique(values, return_inverse=True)
    mass = np.bincount(position, weight, len(distinct))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    group = np.minimum((middle * n_groups).astype(np.int64), n_groups - 1)
    return np.asarray(group[position], dtype=np.int64)
