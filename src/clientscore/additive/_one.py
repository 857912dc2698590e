"""One client: row numbers by bisection, sums in plain Python; no frame on the way.

Terms are added in the card's order, so that one client agrees with a batch to the last bit.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ._bins import FeatureBins
    from ._kernel import TermPlan

    #: Name, edges (None for a category) and bins of a feature.
    Reader = tuple[str, tuple[float, ...] | None, FeatureBins]
    #: Columns of the codes (second -1 for one feature), rows of the second, and the flat table.
    View = tuple[int, int, int, list[float]]


def views_of(plans: Iterable[TermPlan]) -> list[View]:
    """Return the plans with flat tables that plain Python reads fast."""
    return [(plan.first, plan.second, plan.stride, plan.table.ravel().tolist()) for plan in plans]


def shares_of(plans: Iterable[TermPlan], output: int) -> list[View]:
    """Return what each feature of a term gets for one output: a pair's value shared half and half."""
    return [
        (plan.first, plan.second, plan.stride, plan.share.reshape(len(plan.table), -1)[:, output].tolist())
        for plan in plans
    ]


class RowReader:
    """Reads the row numbers of one client; a feature without edges is read by its bins.

    Parameters
    ----------
    readers : sequence of (name, edges or None, bins)
        One a feature.
    """

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers
        self._names = [name for name, _, _ in readers]
        # itemgetter of several names is one call, and gives a tuple.
        self._get = itemgetter(*self._names) if len(readers) > 1 else self._few
        edges = [edges for _, edges, _ in readers if edges is not None]
        self._edges = edges if len(edges) == len(readers) else None

    def _few(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values[name] for name in self._names)

    def __call__(self, values: Mapping[str, Any]) -> list[int]:
        """Return the row number of every feature."""
        given = self._get(values)
        # Without a loop where all are finite floats, whose sum is finite too (or too large, then as below).
        if self._edges is not None and {*map(type, given)} == {float} and isfinite(sum(given)):
            return list(map(bisect_left, self._edges, given))
        # A finite float minus itself is 0: the fast way round NaN, infinity and everything else.
        return [
            bisect_left(edges, value)
            if type(value) is float and value - value == 0.0 and edges is not None
            else one.code(value)
            for value, (_, edges, one) in zip(given, self._readers, strict=True)
        ]


def sum_one(intercept: Sequence[float], views: Iterable[View], codes: Sequence[int]) -> list[float]:
    """Return intercept + sum of looked-up values, one number an output."""
    width = len(intercept)
    if width == 1:
        total = intercept[0]
        for first, second, stride, table in views:
            total += table[codes[first] if second < 0 else codes[first] * stride + codes[second]]
        return [total]
    if width == 2:  # two causes, the usual hazard, without an inner loop
        total, other = intercept
        for first, second, stride, table in views:
            place = 2 * (codes[first] if second < 0 else codes[first] * stride + codes[second])
            total += table[place]
            other += table[place + 1]
        return [total, other]
    totals = list(intercept)
    for first, second, stride, table in views:
        place = (codes[first] if second < 0 else codes[first] * stride + codes[second]) * width
        for k in range(width):
            totals[k] += table[place + k]
    return totals


@dataclass(frozen=True, eq=False)
class Split:
    """The terms without a feature, as views, and those with it, as plans."""

    fixed: list[View]
    moving: list[TermPlan]

    @classmethod
    def at(cls, column: int, plans: Sequence[TermPlan], views: Sequence[View]) -> Split:
        """Split the terms at a column of the codes."""
        moves = [column in (plan.first, plan.second) for plan in plans]
        return cls(
            [view for view, move in zip(views, moves, strict=True) if not move],
            [plan for plan, move in zip(plans, moves, strict=True) if move],
        )


def profile_one(
    intercept: Sequence[float], split: Split, codes: Sequence[int], column: int, at: Sequence[int]
) -> NDArray[np.float64]:
    """Return the sums with one feature set to each of several row numbers: shape (len(at), n_outputs)."""
    width, places = len(intercept), np.asarray(at, dtype=np.intp)
    total = np.tile(np.array(sum_one(intercept, split.fixed, codes)), (len(places), 1))
    for plan in split.moving:
        if plan.second < 0:
            rows = places
        elif plan.first == column:
            rows = places * plan.stride + codes[plan.second]
        else:
            rows = codes[plan.first] * plan.stride + places
        total += plan.table.reshape(-1, width)[rows]
    return total


def explain_one(shares: Iterable[View], codes: Sequence[int], n_features: int) -> list[float]:
    """Return the contribution of every feature; `shares` are views of what each feature of a term gets."""
    totals = [0.0] * n_features
    for first, second, stride, table in shares:
        if second < 0:
            totals[first] += table[codes[first]]
        else:
            half = table[codes[first] * stride + codes[second]]
            totals[first] += half
            totals[second] += half
    return totals
