"""From log amounts to their mean: the smearing factor by noise, and the moments around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .conformal import MIN_GROUP
from .groups import Grouping

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_THIRDS = 3


class MeanLaw(NamedTuple):
    """Thirds of the spread, and by third the smearing factor and the relative moments (3, 2)."""

    noise: Grouping
    smearing: Floats
    spread: Floats


def mean_law(
    amount: Floats, level: Floats, log_scale: Floats, weight: Floats, *, varies: bool
) -> tuple[MeanLaw, Floats]:
    """Return how means follow from exp(m), and the mean of every row."""
    noise = Grouping.of_noise(log_scale, varies=varies)
    third = noise.codes(log_scale)
    smearing = smearing_factors(weight * amount, weight * level, third)
    mean = level * smearing[third]
    return MeanLaw(noise, smearing, moments_by_group(amount / mean, third)), mean


def smearing_factors(amount: Floats, level: Floats, group: Ints) -> Floats:
    """Sum of amounts over sum of exp(m), both weighted, by group; small groups take that of all."""
    factor = np.full(_THIRDS, float(amount.sum() / level.sum()))
    for number in range(_THIRDS):
        rows = group == number
        if rows.sum() >= MIN_GROUP:
            factor[number] = float(amount[rows].sum() / level[rows].sum())
    return factor


def moments_by_group(ratio: Floats, group: Ints) -> Floats:
    """Second and third moment of amount over its mean, by group: (3, 2); small groups take those of all.

    Taken from the amounts themselves: quantiles stop at .995, and much of a third moment lies beyond.
    """
    table = np.tile([np.mean(ratio**2), np.mean(ratio**3)], (_THIRDS, 1))
    for number in range(_THIRDS):
        own = ratio[group == number]
        if len(own) >= MIN_GROUP:
            table[number] = np.mean(own**2), np.mean(own**3)
    return table
