"""From prices to a choice that fits: take back where a capacity is exceeded, fill where room is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

if TYPE_CHECKING:
    from ._problem import Problem

#: Problems of at most so many candidates are solved exactly.
EXACT_ROWS = 1_000
_NODES = 2_000
_TRIES = 12
_SPREAD = 0.03
_MOST_TRIED = 4_000
_ROUNDS = 50


def fit(problem: Problem, prices: np.ndarray) -> np.ndarray:
    """Return the row chosen in each slot, -1 for none, within the capacities."""
    surplus = problem.reduced(prices)
    return _fill(problem, _repair(problem, problem.best(surplus), surplus), surplus)


def _repair(problem: Problem, choice: np.ndarray, surplus: np.ndarray) -> np.ndarray:
    """Where a capacity is exceeded, take back what loses least per unit until it holds."""
    choice = choice.copy()
    rounds = _ROUNDS * len(problem.limit)
    for turn in range(2 * rounds):
        excess = problem.used(choice[choice >= 0]) - problem.limit
        over = np.flatnonzero(excess > problem.slack)
        if not len(over):
            break
        k = over[np.argmax(excess[over] / np.maximum(problem.limit[over], 1.0))]
        # To exchange may exceed another capacity; in the end only to drop is left, which cannot.
        slots, rows, saving, loss = _ways_back(problem, choice, surplus, k, exchange=turn < rounds)
        order = np.lexsort((loss / saving, slots))
        first = order[np.r_[True, slots[order][1:] != slots[order][:-1]]]
        first = first[np.argsort(loss[first] / saving[first], kind="stable")]
        needed = int(np.searchsorted(np.cumsum(saving[first]), excess[k])) + 1
        choice[slots[first[:needed]]] = rows[first[:needed]]
    return choice


def _ways_back(
    problem: Problem, choice: np.ndarray, surplus: np.ndarray, k: int, *, exchange: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return every cheaper alternative to what is chosen, nothing included: slot, row, saving, loss."""
    weight = problem.weight_of(k)
    busy = np.flatnonzero(choice >= 0)
    current = choice[problem.slot]
    rows = np.flatnonzero(current >= 0) if exchange else np.empty(0, dtype=np.intp)
    slots = np.r_[problem.slot[rows], busy]
    saving = np.r_[weight[current[rows]] - weight[rows], weight[choice[busy]]]
    loss = np.r_[surplus[current[rows]] - surplus[rows], surplus[choice[busy]]]
    targets = np.r_[rows, np.full(len(busy), -1)]
    useful = saving > 0
    return slots[useful], targets[useful], saving[useful], loss[useful]


def _fill(problem: Problem, choice: np.ndarray, surplus: np.ndarray) -> np.ndarray:
    """Where room is left, add or upgrade actions, those nearest to worth their price first."""
    choice = choice.copy()
    room = problem.limit - problem.used(choice[choice >= 0]) + problem.slack
    places = np.column_stack([use.place() for use in problem.uses])
    weights = np.column_stack([use.weight for use in problem.uses])
    for _ in range(4):
        current = choice[problem.slot]
        busy = current >= 0
        taken = np.bincount(problem.owner[choice >= 0], minlength=int(problem.owner.max(initial=0)) + 1)
        open_ = busy | (taken[problem.owner[problem.slot]] < problem.most)
        gain = problem.value - np.where(busy, problem.value[current], 0.0)
        rows = np.flatnonzero((gain > 1e-12) & open_)
        # A group of the old action is that of the new one: a client has one team.
        extra = weights[rows] - np.where(busy[rows, None], weights[current[rows]], 0.0)
        fits = (extra <= room[places[rows]]).all(axis=1)
        rows, extra = rows[fits], extra[fits]
        if not len(rows):
            break
        change = surplus[rows] - np.where(busy[rows], surplus[current[rows]], 0.0)
        order = np.argsort(-change, kind="stable")[:_MOST_TRIED]  # what is left is little
        _take(problem, choice, room, taken, rows[order], extra[order], places[rows[order]])
    return choice


def _take(
    problem: Problem,
    choice: np.ndarray,
    room: np.ndarray,
    taken: np.ndarray,
    rows: np.ndarray,
    extra: np.ndarray,
    places: np.ndarray,
) -> None:
    """Take the rows that fit, in order, each slot once."""
    touched: set[int] = set()
    slots = problem.slot[rows].tolist()
    for one, (row, slot) in enumerate(zip(rows.tolist(), slots, strict=True)):
        owner = problem.owner[slot]
        full = choice[slot] < 0 and taken[owner] >= problem.most
        if slot in touched or full or not (extra[one] <= room[places[one]]).all():
            continue
        taken[owner] += choice[slot] < 0
        choice[slot] = row
        np.subtract.at(room, places[one], extra[one])
        touched.add(slot)


def polish(problem: Problem, prices: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """Try prices around the best ones: where few actions fill a capacity, the choice jumps between them."""
    best, worth = choice, problem.value[choice[choice >= 0]].sum()
    rng = np.random.default_rng(0)  # the same tries in every run
    for _ in range(_TRIES):
        other = fit(problem, prices * np.exp(rng.normal(0.0, _SPREAD, len(prices))))
        found = problem.value[other[other >= 0]].sum()
        if found > worth:
            best, worth = other, found
    return best


def contenders(problem: Problem, prices: np.ndarray, bound: float, worth: float) -> np.ndarray:
    """Return the rows that a choice better than one of this worth may hold.

    A choice with row r of a client is worth at most the bound less what r falls short of the client's best at
    the prices. Where clients have several slots, any row may be held.
    """
    surplus = problem.reduced(prices)
    if len(problem.start) != len(np.unique(problem.owner)):
        return np.arange(len(surplus))
    top = np.maximum(np.maximum.reduceat(surplus, problem.start), 0.0)
    short = top[problem.slot] - surplus
    return np.flatnonzero(short <= (bound - worth) + 1e-9 * abs(bound))


def solve_exactly(problem: Problem) -> tuple[np.ndarray, float] | None:
    """Return the optimal choice and its value by branch and bound (HiGHS); None where it was not proven."""
    m = len(problem.value)
    if not m:
        return np.empty(0, dtype=np.intp), 0.0
    rows = np.arange(m)
    parts = [sparse.csr_array((np.ones(m), (problem.slot, rows)), shape=(len(problem.start), m))]
    limits = [np.ones(len(problem.start))]
    clients = int(problem.owner.max()) + 1
    parts.append(sparse.csr_array((np.ones(m), (problem.owner[problem.slot], rows)), shape=(clients, m)))
    limits.append(np.full(clients, float(problem.most)))
    # In shares of each limit and of the highest value: the solver's tolerances are absolute.
    scale = np.where(np.isfinite(problem.limit) & (problem.limit > 0), problem.limit, 1.0)
    for use in problem.uses:
        place = use.place()
        weight = np.where(np.isfinite(problem.limit[place]), use.weight / scale[place], 0.0)
        parts.append(sparse.csr_array((weight, (place - use.first, rows)), shape=(use.count, m)))
        span = slice(use.first, use.first + use.count)
        limits.append(np.where(np.isfinite(problem.limit[span]), problem.limit[span] / scale[span], 1.0))
    solved = milp(
        -problem.value / max(float(np.abs(problem.value).max()), 1e-12),
        constraints=LinearConstraint(sparse.vstack(parts), -np.inf, np.concatenate(limits)),
        integrality=np.ones(m),
        bounds=Bounds(0, 1),
        options={"node_limit": _NODES, "mip_rel_gap": 0.0},
    )
    if solved.status != 0 or solved.x is None:
        return None
    chosen = np.flatnonzero((solved.x > 0.5) & (problem.value > 0))
    if not problem.fits(problem.used(chosen)):
        return None
    choice = np.full(len(problem.start), -1, dtype=np.intp)
    choice[problem.slot[chosen]] = chosen
    return choice, float(problem.value[chosen].sum())
