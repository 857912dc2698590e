"""Actions under capacities: prices for what is scarce, then the best actions of each client at these prices.

Required actions come first, control cells are set aside, the rest is a linear program in all but name: its
optimum bounds every choice, and at its prices the choice is a comparison a client (see `_prices`).
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer
from clientscore.exceptions import DataError

from ._capacity import Resource, read_capacity
from ._control import control_cells
from ._fitting import EXACT_ROWS, contenders, fit, polish, solve_exactly
from ._prices import find_prices
from ._problem import Problem, make_problem, part_of, sort_slots

if TYPE_CHECKING:
    from collections.abc import Mapping

Method = Literal["exact", "prices"]
_NEAR = 0.9998  # of the bound: nearer than that, no more is tried


@dataclass(frozen=True)
class Allocation:
    """Which client gets which action, what each capacity was worth, and who was set aside.

    Attributes
    ----------
    records : DataFrame
        One row an action, as `frame` returns it.
    prices : dict of str to float
        Value of one more unit of each capacity; 0 where it is not scarce. A capacity by group is called
        ``calls[team=north]``.
    used, capacity : dict of str to float
        Units used and available.
    value : float
        Total value of the allocated actions; unknown values count nothing.
    bound : float
        No choice whatever can be worth more than this.
    method : {"exact", "prices"}
        "exact" where branch and bound has proven the optimum, "prices" for prices with repair.
    control_share : float
        Share of clients in control cells.
    policy_id : str
        The policy behind the candidates (`ServiceStrategy.policy_id`), empty where there is none.
    """

    records: pd.DataFrame
    prices: dict[str, float]
    used: dict[str, float]
    capacity: dict[str, float]
    value: float
    bound: float
    method: Method = "prices"
    control_share: float = 0.0
    policy_id: str = ""
    _resources: tuple[tuple[str, str | None, str], ...] = field(default=(), repr=False, compare=False)

    @property
    def chosen(self) -> pd.DataFrame:
        """The allocated actions."""
        return self.records[self.records["allocated"]].reset_index(drop=True)

    def frame(self) -> pd.DataFrame:
        """Return one row an action: allocated, kept back for control, or required and without capacity.

        Returns
        -------
        DataFrame
            The candidate's columns, then `control` (the client stands in a control cell: the action is what
            it would have got, and is not done), `allocated`, `propensity` (probability that the client was
            assigned as it was: 1 - share, share in control, 1 for required actions), `price_paid` (use of
            capacities at their prices) and `surplus` (value - price_paid), currency units; allocated actions
            first, the largest surplus on top.
        """
        return self.records

    def capacities(self) -> pd.DataFrame:
        """Return one row a capacity: resource, by, group, capacity, used, left, price."""
        rows = [
            {
                "resource": name, "by": by, "group": group, "capacity": self.capacity[label],
                "used": self.used[label], "left": self.capacity[label] - self.used[label], "price": price,
            }
            for (name, by, group), (label, price) in zip(self._resources, self.prices.items(), strict=True)
        ]  # fmt: skip
        columns = ["resource", "by", "group", "capacity", "used", "left", "price"]
        return pd.DataFrame(rows, columns=columns).astype({"by": "str", "group": "str"})

    def to_dict(self) -> dict[str, Any]:
        """Return the totals, the choices and what was held back as plain data."""
        names = ("prices", "used", "capacity", "value", "bound", "method", "control_share", "policy_id")
        totals = {name: getattr(self, name) for name in names}
        held = self.records[~self.records["allocated"]]
        return {**totals, "chosen": self.chosen.to_dict("records"), "held": held.to_dict("records")}

    def __repr__(self) -> str:
        share = self.value / self.bound if self.bound > 0 else 1.0
        count = int(self.records["allocated"].sum())
        lines = [f"Allocation: {count:,} actions worth {self.value:,.0f}, {share:.4f} of the bound"]
        lines += [
            f"  {name}: {self.used[name]:,.1f} of {self.capacity[name]:,.1f}, one more is worth {price:,.2f}"
            for name, price in self.prices.items()
        ]
        control = self.records["control"]
        if control.any():
            worth = self.records.loc[control, "value"].sum()
            lines.append(f"  control: {int(control.sum()):,} actions worth {worth:,.0f} not done, on purpose")
        unmet = int((~self.records["allocated"] & ~control).sum())
        lines += [f"  required actions without capacity: {unmet:,}"] if unmet else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>{self.records.head(20).to_html(index=False)}"


def allocate(
    candidates: pd.DataFrame,
    capacity: Mapping[str, Any],
    *,
    max_actions: int = 1,
    one_per_kind: bool = True,
    control_share: float = 0.0,
    control_salt: str = "",
) -> Allocation:
    """Choose the most valuable actions that the capacities allow; see `ServiceStrategy.allocate`.

    Parameters
    ----------
    candidates : DataFrame
        One row a client and action: `client_id`, `action`, `value`, the columns the capacities count, and
        where wanted `kind` and `required`.
    capacity : mapping
        Amount of each resource, or amounts by group (``{"calls": {"team": {"north": 40, "south": 60}}}``).
    max_actions : int, default 1
        Actions a client may get, besides required ones.
    one_per_kind : bool, default True
        Whether actions of one `kind` exclude each other; their effects do not add up.
    control_share : float, default 0.0
        Share of clients for whom only required actions are done.
    control_salt : str, default ""
        Word that names the draw of the control cells.

    Raises
    ------
    InvalidParameterError
        A capacity is negative, not a number, or names no column or not every group; all are listed.
    DataError
        A candidate needs a negative or missing amount of a capacity.
    """
    check_columns(candidates.columns, ("client_id", "action", "value"), subject="allocate")
    check_integer("max_actions", max_actions, low=0)
    resources = read_capacity(candidates, capacity)
    required = _required(candidates)
    table = candidates[candidates["value"].notna() | required]
    table, client, slot = sort_slots(table, most=max_actions, one_per_kind=one_per_kind)
    must = _required(table).to_numpy(dtype=bool)
    ids = table["client_id"].to_numpy()[np.flatnonzero(np.r_[True, client[1:] != client[:-1]][: len(client)])]
    control = control_cells(ids, control_share, control_salt)[
        np.cumsum(np.r_[0, np.diff(client) != 0])[: len(client)]
    ]
    problem = make_problem(table, client, slot, resources, max_actions)
    done = _place_required(problem, np.flatnonzero(must))
    left = np.maximum(problem.limit - problem.used(done), 0.0)
    free = np.flatnonzero(~must & ~control & (max_actions > 0))
    prices, bound, chosen, method = _place_free(problem, free, left)
    held = _held_back(problem, np.flatnonzero(~must & control & (max_actions > 0)), prices)
    unmet = np.setdiff1d(np.flatnonzero(must), done)
    sure = float(np.nansum(problem.value[done]))
    records = _records(table, problem, prices, (done, chosen, held, unmet), must, control_share)
    return _result(
        records, resources, problem.used(np.r_[done, chosen]), prices,
        value=float(problem.value[chosen].sum()) + sure, bound=bound + sure, method=method,
        control_share=control_share,
    )  # fmt: skip


def _required(candidates: pd.DataFrame) -> pd.Series:
    """Return which candidates must be done, none where nothing says so."""
    if "required" not in candidates.columns:
        return pd.Series(data=False, index=candidates.index)
    try:
        return candidates["required"].astype("boolean").fillna(value=False).astype(bool)
    except (TypeError, ValueError) as error:
        raise DataError(f"required must hold true, false or missing; {error}.") from error


def _place_required(problem: Problem, rows: np.ndarray) -> np.ndarray:
    """Place required actions while there is room, the most valuable first; unknown values count nothing."""
    rows = rows[np.argsort(-np.nan_to_num(problem.value[rows]), kind="stable")]
    if problem.fits(problem.used(rows)):
        return rows
    used, placed = np.zeros(len(problem.limit)), []
    for row in rows:
        need = problem.used(np.array([row]))
        if problem.fits(used + need):
            used += need
            placed.append(row)
    return np.array(placed, dtype=np.intp)


def _place_free(
    problem: Problem, rows: np.ndarray, limit: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray, Method]:
    """Return prices, bound, chosen rows and how they were found."""
    none = np.empty(0, dtype=np.intp)
    if not len(rows):
        return np.zeros(len(limit)), 0.0, none, "exact"
    part = part_of(problem, rows, limit)
    prices, bound = find_prices(part)
    choice = fit(part, prices)
    method: Method = "prices"
    worth = part.value[choice[choice >= 0]].sum()
    if worth < _NEAR * bound and len(rows) > EXACT_ROWS:
        choice = polish(part, prices, choice)
    chosen = choice[choice >= 0]
    worth = float(part.value[chosen].sum())
    if worth >= bound * (1 - 1e-9):
        method = "exact"  # nothing is left to be won
    elif len(rows) <= EXACT_ROWS:
        left = contenders(part, prices, bound, worth)
        exact = solve_exactly(part_of(part, left, limit))
        if exact is not None:
            if exact[1] > worth:
                chosen, worth = left[exact[0][exact[0] >= 0]], exact[1]
            method, bound = "exact", min(bound, worth)
    return prices, bound, rows[chosen], method


def _held_back(problem: Problem, rows: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """Return what clients in control would have got at the prices."""
    if not len(rows):
        return rows
    part = part_of(problem, rows, problem.limit)
    choice = part.best(part.reduced(prices))
    held: np.ndarray = rows[choice[choice >= 0]]
    return held


def _records(
    table: pd.DataFrame,
    problem: Problem,
    prices: np.ndarray,
    groups: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    must: np.ndarray,
    share: float,
) -> pd.DataFrame:
    """Return one row an action with its price, those done first."""
    done, chosen, held, unmet = groups
    rows = np.concatenate([done, chosen, held, unmet]).astype(np.intp)
    control = np.repeat([False, True, False], [len(done) + len(chosen), len(held), len(unmet)])
    allocated = np.repeat([True, False], [len(done) + len(chosen), len(held) + len(unmet)])
    surplus = problem.reduced(prices)[rows]
    propensity = np.where(must[rows], 1.0, np.where(control, share, 1.0 - share))
    records = table.iloc[rows].assign(
        control=control, allocated=allocated, propensity=propensity,
        price_paid=problem.paid(prices)[rows], surplus=surplus,
    )  # fmt: skip
    return records.sort_values(
        ["allocated", "surplus"], ascending=False, kind="stable", ignore_index=True, na_position="last"
    )


def _result(
    records: pd.DataFrame, resources: list[Resource], used: np.ndarray, prices: np.ndarray, **totals: Any
) -> Allocation:
    labels = [label for resource in resources for label in resource.labels]
    limits = [float(amount) for resource in resources for amount in resource.limits.values()]
    named = tuple((one.name, one.by, str(group)) for one in resources for group in one.limits)
    return Allocation(
        records,
        prices=dict(zip(labels, map(float, prices), strict=True)),
        used=dict(zip(labels, map(float, used), strict=True)),
        capacity=dict(zip(labels, limits, strict=True)),
        _resources=named,
        **totals,
    )
