"""The kernel: row numbers from values, log-odds from row numbers.  Plain numpy, in blocks that stay in cache.

Terms are always added in the card's order, so that every way of scoring agrees to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCK_ROWS = 16_384
_COUNT_BELOW = 100  # below this many edges, counting them beats a binary search


@dataclass(frozen=True, eq=False)
class TermPlan:
    """One term as the kernel reads it: columns of the codes and a flat table."""

    first: int
    second: int  # -1 for a term of one feature
    stride: int  # rows of the second feature
    table: NDArray[np.float64]  # (rows,) for one output, (rows, n_outputs) for several


def number_codes(values: NDArray[np.float64], edges: Sequence[float], out: NDArray[Any]) -> None:
    """Write the row numbers of `values` into `out`: edges strictly below x, or the missing row for NaN."""
    flags = np.empty(min(BLOCK_ROWS, len(values)), dtype=bool)
    for start in range(0, len(values), BLOCK_ROWS):
        x = values[start : start + BLOCK_ROWS]
        codes = out[start : start + BLOCK_ROWS]
        if len(edges) < _COUNT_BELOW:
            flag = flags[: len(x)]
            codes[:] = 0
            for edge in edges:
                np.less(edge, x, out=flag)
                np.add(codes, flag.view(np.uint8), out=codes)
        else:
            codes[:] = np.searchsorted(edges, x, side="left")
        np.isnan(x, out=flags[: len(x)])
        codes[flags[: len(x)]] = len(edges) + 1


def term_rows(plan: TermPlan, codes: NDArray[Any]) -> NDArray[Any]:
    """Return the row of the term's flat table for each row of codes."""
    rows: NDArray[Any] = codes[:, plan.first]
    if plan.second < 0:
        return rows
    wide = rows.astype(np.intp)
    wide *= plan.stride
    wide += codes[:, plan.second]
    return wide


def sum_terms(
    intercept: NDArray[np.float64], plans: Sequence[TermPlan], codes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return intercept + sum of looked-up values: shape (n,) for one output, else (n, n_outputs)."""
    single = len(intercept) == 1
    n = len(codes)
    total = np.empty(n if single else (n, len(intercept)))
    for start in range(0, n, BLOCK_ROWS):
        block = codes[start : start + BLOCK_ROWS]
        part = total[start : start + BLOCK_ROWS]
        part[...] = intercept[0] if single else intercept
        for plan in plans:
            part += plan.table.take(term_rows(plan, block), axis=0)
    return total


def term_values(plans: Sequence[TermPlan], codes: NDArray[Any], output: int) -> NDArray[np.float64]:
    """Return the value of every term for one output: shape (n, n_terms), Fortran order."""
    values = np.empty((len(codes), len(plans)), order="F")
    for j, plan in enumerate(plans):
        table = plan.table if plan.table.ndim == 1 else np.ascontiguousarray(plan.table[:, output])
        for start in range(0, len(codes), BLOCK_ROWS):
            rows = term_rows(plan, codes[start : start + BLOCK_ROWS])
            values[start : start + BLOCK_ROWS, j] = table.take(rows)
    return values


def feature_values(
    plans: Sequence[TermPlan], codes: NDArray[Any], output: int, n_features: int
) -> NDArray[np.float64]:
    """Return the value of every feature for one output, a pair's value shared half and half."""
    values = np.zeros((len(codes), n_features), order="F")
    for plan in plans:
        table = plan.table if plan.table.ndim == 1 else np.ascontiguousarray(plan.table[:, output])
        if plan.second >= 0:
            table = table / 2
        for start in range(0, len(codes), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            found = table.take(term_rows(plan, codes[block]))
            values[block, plan.first] += found
            if plan.second >= 0:
                values[block, plan.second] += found
    return values
