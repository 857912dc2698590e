"""The kernel compiled by numba: the same row numbers, and the same sums in the same order, to the bit."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.exceptions import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ._kernel import TermPlan


def number_codes_compiled(
    values: NDArray[np.float64], edges: Sequence[float], out: NDArray[Any], missing: int
) -> int:
    """Do what :func:`number_codes` does."""
    padded = np.full((1 << len(edges).bit_length()) - 1, np.inf)
    padded[: len(edges)] = edges
    given = np.ascontiguousarray(values).view()
    given.flags.writeable = False  # one kind of argument, compiled once
    return int(compiled(_write_codes)(given, padded, out, missing))


def sum_terms_compiled(
    intercept: NDArray[np.float64], plans: Sequence[TermPlan], codes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return what :func:`sum_terms` returns."""
    width, starts = len(intercept), np.cumsum([0, *(plan.table.size for plan in plans)]).tolist()
    _check_rows(plans, codes, width)
    narrow = codes.dtype.itemsize <= 2
    by_feature = np.ascontiguousarray(codes.T, dtype=codes.dtype if narrow else np.int64)
    layout = np.array(
        [(plan.first, plan.second, plan.stride, at) for plan, at in zip(plans, starts[:-1], strict=True)],
        dtype=np.int64,
    ).reshape(-1, 4)
    tables = np.concatenate([np.empty(0), *(plan.table.ravel() for plan in plans)])
    total = np.empty((len(codes), width))
    compiled(_write_sums)(np.asarray(intercept, dtype=float), layout, tables, by_feature, total)
    return total[:, 0] if width == 1 else total


def _check_rows(plans: Sequence[TermPlan], codes: NDArray[Any], width: int) -> None:
    """Raise where a row number fits no table: compiled code does not look."""
    if not len(codes) or not plans:
        return
    low, high = codes.min(axis=0).tolist(), codes.max(axis=0).tolist()
    for plan in plans:
        last = high[plan.first] if plan.second < 0 else high[plan.first] * plan.stride + high[plan.second]
        if min(low[plan.first], low[plan.second]) < 0 or last >= plan.table.size // width:
            raise IndexError("A row number of the codes lies outside the table of its term.")


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function compiled by numba, which takes a second or two at its first call.

    Raises
    ------
    MissingDependencyError
        If numba is not installed.
    """
    try:
        import numba  # noqa: PLC0415 -- an extra, needed here only
    except ImportError as error:
        raise MissingDependencyError(
            "engine=\"numba\" needs numba, which is not installed. Run: pip install 'clientscore[fast]', or "
            'use engine="numpy": the results are the same.'
        ) from error
    found: Callable[..., Any] = numba.njit(nogil=True)(function)  # no fastmath: the order of sums is fixed
    return found


def _write_codes(values: Any, edges: Any, out: Any, missing: int) -> int:
    """Write row numbers by bisection, step by step for a block of values; return how many are infinite.

    The edges are padded with infinity to one less than a power of two.  Slices are filled in loops: to assign
    to one, numba compiles the text of an error that cannot be, for seconds.
    """
    infinite, found = 0, np.empty(2048, dtype=np.int64)
    for start in range(0, len(values), 2048):
        x, codes = values[start : start + 2048], out[start : start + 2048]
        below = found[: len(x)]
        for i in range(len(x)):
            below[i] = 0
        step = (len(edges) + 1) // 2
        while step > 0:
            for i in range(len(x)):
                further = below[i] + step
                below[i] = further if edges[further - 1] < x[i] else below[i]
            step >>= 1
        for i in range(len(x)):
            codes[i] = below[i]
        for i in range(len(x)):
            if x[i] - x[i] != 0.0:  # not finite
                infinite += x[i] == x[i]  # not NaN
                codes[i] = missing
    return infinite


def _write_sums(intercept: Any, layout: Any, tables: Any, codes: Any, total: Any) -> None:
    """Write the sums, term by term for a block of rows; `codes` has one row a feature."""
    width, sums = len(intercept), np.empty(2048)
    for start in range(0, len(total), 2048):
        stop = min(start + 2048, len(total))
        part = sums[: stop - start]
        for k in range(width):
            for i in range(len(part)):
                part[i] = intercept[k]
            for t in range(len(layout)):
                stride, table = layout[t, 2], tables[layout[t, 3] :]
                rows = codes[layout[t, 0], start:stop]
                if layout[t, 1] < 0:
                    for i in range(len(part)):
                        part[i] += table[np.int64(rows[i]) * width + k]
                else:
                    others = codes[layout[t, 1], start:stop]
                    for i in range(len(part)):
                        part[i] += table[(np.int64(rows[i]) * stride + np.int64(others[i])) * width + k]
            for i in range(len(part)):
                total[start + i, k] = part[i]
