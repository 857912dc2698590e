"""Sums over pairs of rows without looking at each pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]


def earlier_sums(
    query_place: Ints, query_value: Floats, place: Ints, value: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    """Total weight of the points at a smaller place than each query, of lower and of equal value.

    Two numbers of one order differ first at one bit, where the greater has a 1.  So the ranks are gone
    through bit by bit, from the highest: among rows alike so far, in order of place, each query with a 1
    gathers the points before it with a 0.  n log n steps, no n x n table.
    """
    n_query = len(query_value)
    rank = np.unique(np.concatenate([query_value, value]), return_inverse=True)[1].reshape(-1)
    where = np.concatenate([query_place, place])
    # at the same place a query comes before the points, so that it does not see them
    order = np.lexsort((np.arange(len(where)) >= n_query, where))
    mass = np.concatenate([np.zeros(n_query), weight])
    lower = np.zeros(len(where))
    top = int(rank.max(initial=0)).bit_length()
    for bit in range(top - 1, -1, -1):
        ones = (rank[order] >> bit) & 1
        before = _running(np.where(ones == 0, mass[order], 0.0), rank[order] >> (bit + 1))
        lower[order] += np.where(ones == 1, before, 0.0)
        order = order[np.argsort(rank[order] >> bit, kind="stable")]
    equal = np.zeros(len(where))
    equal[order] = _running(mass[order], rank[order])
    return lower[:n_query], equal[:n_query]


def _running(mass: Floats, group: Ints) -> Floats:
    """Cumulative sum within each run of equal groups."""
    total = np.cumsum(mass)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    base = np.concatenate([[0.0], total])[starts]
    return np.asarray(total - np.repeat(base, np.diff(np.append(starts, len(group)))))
