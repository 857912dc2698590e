"""Purification: make every table mean one thing.

A pair table may hide main effects.  Functional ANOVA moves the weighted additive part of each pair table into
the main effects and the weighted mean of each main effect into the intercept; predictions stay the same.

References
----------
Lengerich, B., Tan, S., Chang, C.-H., Hooker, G., Caruana, R. (2020). Purifying interaction effects with the
functional ANOVA. AISTATS. https://doi.org/10.48550/arXiv.1911.04974
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Weight of the independence table added to the counts, so that empty cells are safe.
_SMOOTHING = 0.01


def cell_weights(
    codes: NDArray[Any], pair: tuple[int, int], shape: tuple[int, int], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the training weight of every cell of a pair: `shape`."""
    cell = codes[:, pair[0]].astype(np.intp) * shape[1] + codes[:, pair[1]]
    mass = np.bincount(cell, weights=weight, minlength=shape[0] * shape[1])
    return mass.astype(float).reshape(shape)


def purify_pair(
    table: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Split a pair table into an interaction and two main effects.

    Solves ``min over r, c of sum_ij w_ij (T_ij - r_i - c_j)^2`` with w = counts, smoothed.

    Parameters
    ----------
    table : ndarray of shape (a, b, n_outputs)
        The pair table.
    counts : ndarray of shape (a, b)
        Training weight of each cell, not negative.

    Returns
    -------
    table, rows, columns : ndarrays of shape (a, b, n_outputs), (a, n_outputs), (b, n_outputs)
        They add up to the table given; weighted row and column sums of the first are 0.
    """
    total = counts.sum() or 1.0
    floor = 1e-6 * total
    weight = counts + _SMOOTHING / total * np.outer(counts.sum(1) + floor, counts.sum(0) + floor)
    by_row, by_column = weight.sum(1), weight.sum(0)
    row_sum = np.einsum("ij,ijk->ik", weight, table)
    column_sum = np.einsum("ij,ijk->jk", weight, table)
    shrunk = weight / by_row[:, None]
    # Columns are known up to a constant; the outer product fixes their weighted sum at 0.
    matrix = np.diag(by_column) - weight.T @ shrunk + np.outer(by_column, by_column) / by_column.sum()
    mean_removed = column_sum - shrunk.T @ row_sum
    columns = np.linalg.solve(matrix, mean_removed)
    rows = (row_sum - weight @ columns) / by_row[:, None]
    return table - rows[:, None, :] - columns[None, :, :], rows, columns
