"""The kernel: row numbers from values, log-odds from row numbers.  Plain numpy, in blocks that stay in cache.

Terms are always added in the card's order, so that every way of scoring agrees to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

#: What runs the kernel: numpy, or code compiled by numba (an extra); the results are the same to the bit.
Engine = Literal["numpy", "numba"]

BLOCK_ROWS = 16_384
_COUNT_BELOW = 100  # below this many edges, counting them beats a binary search


@dataclass(frozen=True, eq=False)
class TermPlan:
    """One term as the kernel reads it: columns of the codes and a flat table."""

    first: int
    second: int  # -1 for a term of one feature
    stride: int  # rows of the second feature
    table: NDArray[np.float64]  # (rows,) for one output, (rows, n_outputs) for several

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """The table of each of the term's features: a pair's values are shared half and half."""
        return self.table if self.second < 0 else self.table / 2


def number_codes(
    values: NDArray[np.float64], edges: Sequence[float], out: NDArray[Any], missing: int | None = None
) -> int:
    """Write the row numbers of `values` into `out`: edges strictly below x, or the missing row for NaN.

    The missing row is `missing`, by default the one behind the intervals.  Returns how many values are
    infinite.
    """
    column = np.asarray(edges, dtype=float).reshape(-1, 1)
    few = len(edges) < _COUNT_BELOW
    below = np.empty((len(edges) if few else 0, min(BLOCK_ROWS, len(values))), dtype=bool)
    infinite = 0
    for start in range(0, len(values), BLOCK_ROWS):
        x = np.ascontiguousarray(values[start : start + BLOCK_ROWS])
        codes = out[start : start + BLOCK_ROWS]
        if few:
            flags = np.less(column, x, out=below[:, : len(x)])
            codes[...] = np.add.reduce(flags.view(np.uint8), axis=0, dtype=np.uint8)
        else:
            codes[...] = np.searchsorted(edges, x, side="left")
        if not np.isfinite(x).all():
            codes[np.isnan(x)] = len(edges) + 1 if missing is None else missing
            infinite += int(np.isinf(x).sum())
    return infinite


class TermRows:
    """Rows of the terms' flat tables for some rows of codes; what many pairs share is made once."""

    def __init__(self, codes: NDArray[Any]) -> None:
        self._codes = codes
        self._made: dict[tuple[int, int], NDArray[np.intp]] = {}

    def of(self, plan: TermPlan) -> NDArray[np.intp]:
        """Return the row of the term's flat table for each row of codes."""
        if plan.second < 0:
            return self._times(plan.first, 1)
        return np.add(self._times(plan.first, plan.stride), self._times(plan.second, 1))

    def _times(self, column: int, stride: int) -> NDArray[np.intp]:
        """Return a column of the codes times a stride, in the type that numpy looks up by."""
        found = self._made.get((column, stride))
        if found is None:
            found = np.multiply(self._codes[:, column], stride, dtype=np.intp)
            self._made[column, stride] = found
        return found


def _blocks(codes: NDArray[Any]) -> Iterator[tuple[slice, TermRows]]:
    for start in range(0, len(codes), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        yield block, TermRows(codes[block])


def sum_terms(
    intercept: NDArray[np.float64], plans: Sequence[TermPlan], codes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return intercept + sum of looked-up values: shape (n,) for one output, else (n, n_outputs)."""
    single = len(intercept) == 1
    total = np.empty(len(codes) if single else (len(codes), len(intercept)))
    for block, rows in _blocks(codes):
        part = total[block]
        part[...] = intercept[0] if single else intercept
        for plan in plans:
            part += plan.table.take(rows.of(plan), axis=0)
    return total


def term_values(plans: Sequence[TermPlan], codes: NDArray[Any], output: int) -> NDArray[np.float64]:
    """Return the value of every term for one output: shape (n, n_terms), Fortran order."""
    values = np.empty((len(codes), len(plans)), order="F")
    tables = [_of_output(plan.table, output) for plan in plans]
    for block, rows in _blocks(codes):
        for j, (plan, table) in enumerate(zip(plans, tables, strict=True)):
            values[block, j] = table.take(rows.of(plan))
    return values


def feature_values(
    plans: Sequence[TermPlan], codes: NDArray[Any], output: int, columns: Sequence[int]
) -> NDArray[np.float64]:
    """Return the value of every feature in `columns` for one output, a pair's value shared half and half."""
    values = np.zeros((len(columns), len(codes)))
    place = {column: j for j, column in enumerate(columns)}
    shares = [_of_output(plan.share, output) for plan in plans]
    for block, rows in _blocks(codes):
        for plan, share in zip(plans, shares, strict=True):
            found = share.take(rows.of(plan))
            for column in (plan.first,) if plan.second < 0 else (plan.first, plan.second):
                part = values[place[column], block]
                part += found
    return values.T


def _of_output(table: NDArray[np.float64], output: int) -> NDArray[np.float64]:
    return table if table.ndim == 1 else np.ascontiguousarray(table[:, output])


def profile(
    intercept: NDArray[np.float64],
    plans: Sequence[TermPlan],
    codes: NDArray[Any],
    column: int,
    at: Sequence[int] | NDArray[Any],
) -> NDArray[np.float64]:
    """Return the sums with one column of the codes set to each of m rows: shape (n, m, n_outputs)."""
    places, width = np.asarray(at, dtype=np.intp), len(intercept)
    fixed = [plan for plan in plans if column not in (plan.first, plan.second)]
    base = sum_terms(intercept, fixed, codes).reshape(-1, 1, width)
    total = np.repeat(base, len(places), axis=1)
    for plan in plans:
        if column not in (plan.first, plan.second):
            continue
        if plan.second < 0:
            total += plan.table.reshape(-1, width)[places]
            continue
        table = plan.table.reshape(-1, plan.stride, width)
        if plan.first == column:
            table = table.swapaxes(0, 1)
        other = plan.second if plan.first == column else plan.first
        total += table[:, places].take(codes[:, other], axis=0)
    return total
