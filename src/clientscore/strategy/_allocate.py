r"""Actions under capacities: prices for what is scarce, then the best action of each client at these prices.

Maximize :math:`\sum v_{ij} x_{ij}` with at most one action a client and :math:`\sum w_{ijk} x_{ij} \le b_k`.
With a price :math:`\lambda_k \ge 0` for each capacity the clients come apart:

.. math:: g(\lambda) = \lambda b + \sum_i \max(0, \max_j (v_{ij} - \lambda w_{ij}))

is an upper bound for every :math:`\lambda`; its least value (found by cutting planes) is the LP optimum. The
choice at these prices, repaired where it exceeds a capacity and filled where it leaves room, is the answer.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linprog

from clientscore._checks import check_columns, check_interval, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    import pandas as pd

_COLUMN_OF = {"rm_hours": "hours", "budget": "cost"}
_TOLERANCE = 1e-7
_MAX_CUTS = 200


@dataclass(frozen=True)
class Allocation:
    """Which client gets which action, and what each capacity was worth.

    Attributes
    ----------
    chosen : DataFrame
        One row a chosen action: the candidate's columns, `price_paid` (its use of capacities at their
        prices) and `surplus` (value - price_paid), currency units.
    prices : dict of str to float
        Value of one more unit of each capacity; 0 where it is not scarce.
    used, capacity : dict of str to float
        Units used and available.
    value : float
        Total value of the chosen actions.
    bound : float
        No choice whatever can be worth more than this.
    """

    chosen: pd.DataFrame
    prices: dict[str, float]
    used: dict[str, float]
    capacity: dict[str, float]
    value: float
    bound: float

    def frame(self) -> pd.DataFrame:
        """Return one row a chosen action."""
        return self.chosen

    def to_dict(self) -> dict[str, Any]:
        """Return the totals and the choices as plain data."""
        totals = {name: getattr(self, name) for name in ("prices", "used", "capacity", "value", "bound")}
        return {**totals, "chosen": self.chosen.to_dict("records")}

    def __repr__(self) -> str:
        share = self.value / self.bound if self.bound > 0 else 1.0
        lines = [
            f"Allocation: {len(self.chosen):,} actions worth {self.value:,.0f}, {share:.4f} of the bound"
        ]
        lines += [
            f"  {name}: {self.used[name]:,.1f} of {self.capacity[name]:,.1f}, one more is worth {price:,.2f}"
            for name, price in self.prices.items()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>{self.chosen.head(20).to_html(index=False)}"


@dataclass(frozen=True)
class _Problem:
    """Candidates sorted by client: value (m,), weight (m, k), limit (k,), client (m,), first row of each."""

    value: np.ndarray
    weight: np.ndarray
    limit: np.ndarray
    client: np.ndarray
    start: np.ndarray

    def reduced(self, prices: np.ndarray) -> np.ndarray:
        """Value left after paying the prices."""
        result: np.ndarray = self.value - self.weight @ prices
        return result

    def best(self, surplus: np.ndarray) -> np.ndarray:
        """Row of each client's best action by `surplus`, -1 where none is above zero."""
        top = np.maximum.reduceat(surplus, self.start)
        rows = np.flatnonzero((surplus == top[self.client]) & (surplus > 0))
        choice = np.full(len(self.start), -1, dtype=np.intp)
        choice[self.client[rows[::-1]]] = rows[::-1]
        return choice

    def use(self, choice: np.ndarray) -> np.ndarray:
        """Units of each capacity that a choice needs."""
        result: np.ndarray = self.weight[choice[choice >= 0]].sum(axis=0)
        return result


def allocate(candidates: pd.DataFrame, capacity: Mapping[str, float]) -> Allocation:
    """Choose at most one action a client; see `ServiceStrategy.allocate`.

    Raises
    ------
    InvalidParameterError
        A capacity is negative, not a number, or names no column; all are listed.
    DataError
        A candidate needs a negative or missing amount of a capacity.
    """
    check_columns(candidates.columns, ("client_id", "action", "value"), subject="allocate")
    names = _resources(candidates, capacity)
    usable = candidates[candidates["value"].notna()].reset_index(drop=True)
    codes = usable["client_id"].factorize()[0]
    usable = usable.iloc[np.argsort(codes, kind="stable")].reset_index(drop=True)
    problem = _problem(usable, np.sort(codes, kind="stable"), names, capacity)
    if len(usable):
        prices, bound = _prices(problem)
        choice = _fill(problem, _repair(problem, problem.best(problem.reduced(prices)), prices), prices)
    else:
        prices, bound, choice = np.zeros(len(names)), 0.0, np.empty(0, dtype=np.intp)
    rows = choice[choice >= 0]
    paid = problem.weight[rows] @ prices
    chosen = usable.iloc[rows].assign(price_paid=paid, surplus=problem.value[rows] - paid)
    used = problem.use(choice)
    return Allocation(
        chosen.sort_values("surplus", ascending=False, kind="stable", ignore_index=True),
        prices=dict(zip(names, map(float, prices), strict=True)),
        used=dict(zip(names, map(float, used), strict=True)),
        capacity={name: float(capacity[name]) for name in names},
        value=float(problem.value[rows].sum()),
        bound=bound,
    )


def _resources(candidates: pd.DataFrame, capacity: Mapping[str, float]) -> dict[str, str]:
    """Return the column of each capacity."""
    if not isinstance(capacity, Mapping):
        raise InvalidParameterError(
            f'capacity must map resources to amounts, such as {{"rm_hours": 1200}}; got {capacity!r}.'
        )
    faults = []
    for name, limit in capacity.items():
        column = _COLUMN_OF.get(name, name)
        if column not in candidates.columns:
            hint = did_you_mean(name, [*_COLUMN_OF, *map(str, candidates.columns)])
            faults.append(f"capacity {name!r} needs the column {column!r}, which the candidates lack.{hint}")
        try:
            check_interval(f"capacity {name!r}", limit, low=0.0, closed="low")
        except InvalidParameterError as error:
            faults.append(error.message)
    if not capacity:
        faults.append("capacity must name at least one resource, such as rm_hours.")
    if faults:
        raise InvalidParameterError(f"capacity has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
    return {name: _COLUMN_OF.get(name, name) for name in capacity}


def _problem(
    usable: pd.DataFrame, client: np.ndarray, names: Mapping[str, str], capacity: Mapping[str, float]
) -> _Problem:
    weight = usable[list(names.values())].to_numpy(dtype="float64")
    wrong = ~(weight >= 0)
    if wrong.any():
        row, k = np.argwhere(wrong)[0]
        column = list(names.values())[k]
        raise DataError(
            f"{column} must be at least 0 for every candidate; got {weight[row, k]} for client "
            f"{usable['client_id'].iat[row]}, action {usable['action'].iat[row]}."
        )
    start = np.flatnonzero(np.r_[True, client[1:] != client[:-1]]) if len(client) else np.empty(0, dtype=int)
    limit = np.array([float(capacity[name]) for name in names])
    return _Problem(usable["value"].to_numpy(dtype="float64"), weight, limit, client, start)


def _prices(problem: _Problem) -> tuple[np.ndarray, float]:
    """Minimize the bound over the prices by Kelley's cutting planes; return the prices and the bound."""
    k = len(problem.limit)
    unit = np.array([_single_price(problem, j) for j in range(k)])
    reach = np.full(k, 2.0)  # prices are sought in [0, reach] units
    best, bound = np.zeros(k), np.inf
    position = np.zeros(k)
    slopes: list[np.ndarray] = []
    levels: list[float] = []
    for _ in range(_MAX_CUTS):
        prices = position * unit
        surplus = problem.reduced(prices)
        choice = problem.best(surplus)
        height = float(prices @ problem.limit + surplus[choice[choice >= 0]].sum())
        slope = (problem.limit - problem.use(choice)) * unit
        if height < bound:
            best, bound = prices, height
        slopes.append(slope)
        levels.append(height - slope @ position)
        floor, position = _lowest(np.array(slopes), np.array(levels), reach)
        at_edge = position >= reach * (1 - 1e-9)
        if bound - floor <= _TOLERANCE * abs(bound):
            if not at_edge.any():
                break
            reach = np.where(at_edge, reach * 4, reach)
    return best, bound


def _lowest(slopes: np.ndarray, levels: np.ndarray, reach: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the lowest point of the highest of all cuts inside the box."""
    # min t with t >= level + slope p for every cut, in units of the highest level
    scale = max(float(np.abs(levels).max()), 1e-12)
    k = len(reach)
    matrix = np.column_stack([slopes / scale, -np.ones(len(levels))])
    bounds = [(0.0, edge) for edge in reach] + [(None, None)]
    solved = linprog(np.r_[np.zeros(k), 1.0], A_ub=matrix, b_ub=-levels / scale, bounds=bounds)
    return float(solved.x[-1]) * scale, solved.x[:k]


def _single_price(problem: _Problem, k: int) -> float:
    """Price at which one capacity alone would just be used: the yardstick of the search."""
    weight = problem.weight[:, k]
    useful = (weight > 0) & (problem.value > 0)
    if not useful.any():
        return 1.0
    ratios = problem.value[useful] / weight[useful]
    low, high = np.log(max(ratios.min(), ratios.max() * 1e-9)), np.log(ratios.max())
    prices = np.zeros(len(problem.limit))
    for _ in range(12):
        middle = (low + high) / 2
        prices[k] = np.exp(middle)
        scarce = problem.use(problem.best(problem.reduced(prices)))[k] > problem.limit[k]
        low, high = (middle, high) if scarce else (low, middle)
    return float(np.exp(high))


def _repair(problem: _Problem, choice: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """Where a capacity is exceeded, take back what loses least per unit until it holds."""
    choice = choice.copy()
    surplus = problem.reduced(prices)
    for _ in range(50 * len(problem.limit)):
        excess = problem.use(choice) - problem.limit
        slack = 1e-9 * np.maximum(problem.limit, 1.0)
        over = np.flatnonzero(excess > slack)
        if not len(over):
            break
        k = over[np.argmax(excess[over] / np.maximum(problem.limit[over], 1.0))]
        clients, rows, saving, loss = _ways_back(problem, choice, surplus, k)
        order = np.lexsort((loss / saving, clients))
        first = order[np.r_[True, clients[order][1:] != clients[order][:-1]]]
        first = first[np.argsort(loss[first] / saving[first], kind="stable")]
        needed = int(np.searchsorted(np.cumsum(saving[first]), excess[k])) + 1
        choice[clients[first[:needed]]] = rows[first[:needed]]
    return choice


def _ways_back(
    problem: _Problem, choice: np.ndarray, surplus: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return every cheaper alternative to what is chosen, nothing included: client, row, saving, loss."""
    busy = np.flatnonzero(choice >= 0)
    current = choice[problem.client]
    rows = np.flatnonzero(current >= 0)
    saving = problem.weight[current[rows], k] - problem.weight[rows, k]
    loss = surplus[current[rows]] - surplus[rows]
    clients = np.r_[problem.client[rows], busy]
    saving = np.r_[saving, problem.weight[choice[busy], k]]
    loss = np.r_[loss, surplus[choice[busy]]]
    targets = np.r_[rows, np.full(len(busy), -1)]
    useful = saving > 0
    return clients[useful], targets[useful], saving[useful], loss[useful]


def _fill(problem: _Problem, choice: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """Where room is left, add or upgrade actions, those nearest to worth their price first."""
    choice = choice.copy()
    surplus = problem.reduced(prices)
    room = problem.limit - problem.use(choice) + 1e-9 * np.maximum(problem.limit, 1.0)
    for _ in range(4):
        current = choice[problem.client]
        busy = current >= 0
        gain = problem.value - np.where(busy, problem.value[current], 0.0)
        extra = problem.weight - np.where(busy[:, None], problem.weight[current], 0.0)
        change = surplus - np.where(busy, surplus[current], 0.0)
        rows = np.flatnonzero((gain > 1e-12) & (extra <= room).all(axis=1))
        if not len(rows):
            break
        rows = rows[np.argsort(-change[rows], kind="stable")]
        touched: set[int] = set()
        for row, client in zip(rows.tolist(), problem.client[rows].tolist(), strict=True):
            if client not in touched and (extra[row] <= room).all():
                choice[client] = row
                room = room - extra[row]
                touched.add(client)
    return choice
