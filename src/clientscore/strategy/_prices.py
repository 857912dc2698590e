r"""Prices of scarce capacities: the least upper bound on any choice, found by cutting planes.

With a price :math:`\lambda_k \ge 0` for each capacity the clients come apart:

.. math:: g(\lambda) = \lambda b + \sum_i \max(0, \max_j (v_{ij} - \lambda w_{ij}))

is an upper bound for every :math:`\lambda`; its least value is the optimum of the linear program. Clients of
one team (region, ...) share their prices, so every such block gets cuts of its own: with many teams the
prices are found in a few rounds.

References
----------
Kelley (1960), The cutting-plane method for solving convex programs, Journal of the Society for Industrial and
Applied Mathematics 8(4), 703-712, https://doi.org/10.1137/0108053.  Fisher (1981), The Lagrangian relaxation
method for solving integer programming problems, Management Science 27(1), 1-18,
https://doi.org/10.1287/mnsc.27.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

if TYPE_CHECKING:
    from ._problem import Problem

_TOLERANCE = 1e-7
_MAX_ROUNDS = 200
_MAX_BLOCKS = 256
_MAX_AGE = 12  # rounds that a cut of one of several blocks may lie idle before it is dropped


@dataclass
class _Cuts:
    """Lower planes of each block's part of the bound: slope (k,), level, block, rounds without use."""

    slopes: list[sparse.csr_array] = field(default_factory=list)
    levels: np.ndarray = field(default_factory=lambda: np.empty(0))
    block: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    age: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def add(self, slopes: np.ndarray, levels: np.ndarray) -> None:
        """Add one plane a block."""
        self.slopes.append(sparse.csr_array(slopes))
        self.levels = np.r_[self.levels, levels]
        self.block = np.r_[self.block, np.arange(len(levels))]
        self.age = np.r_[self.age, np.zeros(len(levels), dtype=np.intp)]

    def lowest(self, limit: np.ndarray, reach: np.ndarray, blocks: int) -> tuple[float, np.ndarray]:
        """Return the lowest point of limit x position + the highest plane of each block, inside the box."""
        planes = sparse.vstack(self.slopes, format="csr")
        scale = max(float(np.abs(self.levels).max()), 1e-12)
        ones = sparse.csr_array(
            (-np.ones(len(self.block)), (np.arange(len(self.block)), self.block)),
            shape=(len(self.block), blocks),
        )
        matrix = sparse.hstack([planes / scale, ones], format="csr")
        bounds = [(0.0, edge) for edge in reach] + [(0.0, None)] * blocks
        cost = np.r_[limit / scale, np.ones(blocks)]
        solved = linprog(cost, A_ub=matrix, b_ub=-self.levels / scale, bounds=bounds)
        if blocks > 1:
            self._forget(planes, np.asarray(solved.slack) > 1e-10)
        return float(solved.fun) * scale, solved.x[: len(reach)]

    def _forget(self, planes: sparse.csr_array, idle: np.ndarray) -> None:
        age = np.where(idle, self.age + 1, 0)
        kept = np.flatnonzero(age <= _MAX_AGE)
        self.slopes, self.age = [planes[kept]], age[kept]
        self.levels, self.block = self.levels[kept], self.block[kept]


def find_prices(problem: Problem) -> tuple[np.ndarray, float]:
    """Minimize the bound over the prices; return the prices and the bound."""
    k = len(problem.limit)
    free = ~np.isfinite(problem.limit)
    limit = np.where(free, 0.0, problem.limit)
    unit = _yardsticks(problem, free)
    reach = np.where(free, 0.0, 2.0)  # prices are sought in [0, reach] units
    block, blocks = _blocks(problem)
    best, bound, position, cuts = np.zeros(k), np.inf, np.zeros(k), _Cuts()
    for _ in range(_MAX_ROUNDS):
        prices = position * unit
        surplus = problem.reduced(prices)
        rows = problem.best(surplus)
        rows = rows[rows >= 0]
        parts = np.bincount(block[rows], surplus[rows], minlength=blocks)
        height = float(prices @ limit + parts.sum())
        if height < bound:
            best, bound = prices, height
        slopes = -_use_by_block(problem, rows, block[rows], blocks) * unit
        cuts.add(slopes, parts - slopes @ position)
        floor, position = cuts.lowest(limit * unit, reach, blocks)
        at_edge = (position >= reach * (1 - 1e-9)) & ~free
        if bound - floor <= _TOLERANCE * abs(bound):
            if not at_edge.any():
                break
            reach = np.where(at_edge, reach * 4, reach)
    return best, bound


def _blocks(problem: Problem) -> tuple[np.ndarray, int]:
    """Return for each row a block of rows that pay the same prices, one block where there are no groups."""
    codes = [use.code for use in problem.uses if use.code is not None]
    if not codes:
        return np.zeros(len(problem.value), dtype=np.intp), 1
    _, block = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    block = block.ravel() % _MAX_BLOCKS
    # A client stands in the block of its first row, so that a block's part is a sum over whole clients.
    first_slot = np.flatnonzero(np.r_[True, problem.owner[1:] != problem.owner[:-1]])
    of_slot = np.repeat(np.arange(len(first_slot)), np.diff(np.r_[first_slot, len(problem.owner)]))
    result: np.ndarray = block[problem.start[first_slot]][of_slot][problem.slot]
    return result, int(result.max()) + 1


def _use_by_block(problem: Problem, rows: np.ndarray, block: np.ndarray, blocks: int) -> np.ndarray:
    """Units of each capacity that the rows of each block need, (blocks, k)."""
    k = len(problem.limit)
    total = np.zeros(blocks * k)
    for use in problem.uses:
        place = use.first if use.code is None else use.first + use.code[rows]
        total += np.bincount(block * k + place, use.weight[rows], minlength=blocks * k)
    return total.reshape(blocks, k)


def _yardsticks(problem: Problem, free: np.ndarray) -> np.ndarray:
    """Return the price at which each capacity alone would just be used: the units of the search."""
    unit = np.ones(len(problem.limit))
    for use in problem.uses:
        span = np.arange(use.first, use.first + use.count)
        useful = (use.weight > 0) & (problem.value > 0)
        place = use.place()[useful] - use.first
        ratios = problem.value[useful] / use.weight[useful]
        top, bottom = np.zeros(use.count), np.full(use.count, np.inf)
        np.maximum.at(top, place, ratios)
        np.minimum.at(bottom, place, ratios)
        there = (top > 0) & ~free[span]
        if not there.any():
            continue
        high = np.log(np.where(there, top, 1.0))
        low = np.log(np.where(there, np.maximum(bottom, top * 1e-9), 1.0))
        for _ in range(12):
            middle = (low + high) / 2
            prices = np.zeros(len(unit))
            prices[span] = np.where(there, np.exp(middle), 0.0)
            rows = problem.best(problem.reduced(prices))
            scarce = (problem.used(rows[rows >= 0]) > problem.limit)[span]
            low, high = np.where(scarce, middle, low), np.where(scarce, high, middle)
        unit[span] = np.where(there, np.exp(high), 1.0)
    return unit
