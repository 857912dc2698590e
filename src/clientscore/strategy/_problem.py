r"""The problem of allocation: candidates in slots, slots of clients, and capacities that all of them share.

Maximize :math:`\sum v_r x_r` with at most one candidate a slot, at most `most` slots a client, and
:math:`\sum w_{rk} x_r \le b_k`. With one action a client the slot is the client; with several, a slot is
what excludes each other (actions of one kind).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._capacity import Resource, codes_of, weights_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Use:
    """What the candidates need of one resource: weight (m,), first limit of it, group of each candidate."""

    weight: np.ndarray
    first: int
    count: int
    code: np.ndarray | None

    def place(self) -> np.ndarray:
        """Position of the limit that each candidate counts against."""
        if self.code is None:
            return np.full(len(self.weight), self.first, dtype=np.intp)
        result: np.ndarray = self.first + self.code
        return result

    def paid(self, prices: np.ndarray) -> np.ndarray:
        """Return what each candidate pays for this resource."""
        if self.code is None:
            result: np.ndarray = self.weight * prices[self.first]
            return result
        paid: np.ndarray = self.weight * prices[self.first + self.code]
        return paid


@dataclass(frozen=True)
class Problem:
    """Candidates sorted by slot: value (m,), slot (m,), first row and client of each slot, limits (k,)."""

    value: np.ndarray
    uses: tuple[Use, ...]
    limit: np.ndarray
    slot: np.ndarray
    start: np.ndarray
    owner: np.ndarray
    most: int

    def reduced(self, prices: np.ndarray) -> np.ndarray:
        """Value left after paying the prices."""
        left: np.ndarray = self.value - self.paid(prices)
        return left

    def paid(self, prices: np.ndarray) -> np.ndarray:
        """Return what each candidate pays for all resources."""
        total = np.zeros(len(self.value))
        for use in self.uses:
            total += use.paid(prices)
        return total

    def best(self, surplus: np.ndarray) -> np.ndarray:
        """Row of each slot's best action by `surplus`, -1 where none is above zero or the client is full."""
        choice = np.full(len(self.start), -1, dtype=np.intp)
        if not len(self.start):
            return choice
        top = np.maximum.reduceat(surplus, self.start)
        rows = np.flatnonzero((surplus == top[self.slot]) & (surplus > 0))
        choice[self.slot[rows[::-1]]] = rows[::-1]
        first = np.flatnonzero(np.r_[True, self.owner[1:] != self.owner[:-1]])
        if len(first) < len(self.start):
            choice[~_largest(np.where(choice >= 0, top, -np.inf), first, self.most)] = -1
        return choice

    def used(self, rows: np.ndarray) -> np.ndarray:
        """Units of each capacity that rows need."""
        total = np.zeros(len(self.limit))
        for use in self.uses:
            span = slice(use.first, use.first + use.count)
            if use.code is None:
                total[span] = use.weight[rows].sum()
            else:
                total[span] = np.bincount(use.code[rows], use.weight[rows], minlength=use.count)
        return total

    def weight_of(self, k: int) -> np.ndarray:
        """Units that each candidate needs of one capacity."""
        use = next(use for use in self.uses if use.first <= k < use.first + use.count)
        if use.code is None:
            return use.weight
        return np.where(use.code == k - use.first, use.weight, 0.0)

    def fits(self, used: np.ndarray) -> bool:
        """Whether no capacity is exceeded, up to the last digits."""
        return bool((used <= self.limit + self.slack).all())

    @property
    def slack(self) -> np.ndarray:
        """Last digits by which sums of floats may exceed a limit."""
        result: np.ndarray = 1e-9 * np.maximum(np.where(np.isfinite(self.limit), self.limit, 1.0), 1.0)
        return result


def _largest(values: np.ndarray, first: np.ndarray, most: int) -> np.ndarray:
    """Return the `most` largest finite values of each run that begins at `first`."""
    left, kept = values.copy(), np.zeros(len(values), dtype=bool)
    run = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(values)]))
    for _ in range(most):
        top = np.maximum.reduceat(left, first)
        hits = np.flatnonzero((left == top[run]) & np.isfinite(left))
        if not len(hits):
            break
        hits = hits[np.r_[True, run[hits][1:] != run[hits][:-1]]]
        kept[hits], left[hits] = True, -np.inf
    return kept


def sort_slots(
    candidates: pd.DataFrame, *, most: int, one_per_kind: bool
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the candidates sorted by client and slot, with the codes of both."""
    client = candidates["client_id"].factorize()[0]
    if most == 1:
        slot = client
    elif one_per_kind and "kind" in candidates.columns:
        kind = candidates["kind"].factorize()[0]
        slot = client * (int(kind.max(initial=0)) + 1) + kind
    else:
        slot = np.arange(len(candidates))
    order = np.lexsort((slot, client))
    slot, client = slot[order], client[order]
    change = np.r_[True, (slot[1:] != slot[:-1]) | (client[1:] != client[:-1])][: len(slot)]
    return candidates.iloc[order].reset_index(drop=True), client, np.cumsum(change) - 1


def make_problem(
    candidates: pd.DataFrame,
    client: np.ndarray,
    slot: np.ndarray,
    resources: list[Resource],
    most: int,
) -> Problem:
    """Build the problem from sorted candidates."""
    uses: list[Use] = []
    limits: list[float] = []
    for resource in resources:
        weight, code = weights_of(resource, candidates), codes_of(resource, candidates)
        uses.append(Use(weight, len(limits), len(resource.limits), code))
        limits += [float(amount) for amount in resource.limits.values()]
    start = np.flatnonzero(np.r_[True, slot[1:] != slot[:-1]][: len(slot)])
    value = candidates["value"].to_numpy(dtype="float64")
    return Problem(value, tuple(uses), np.array(limits), slot, start, client[start], most)


def part_of(problem: Problem, keep: np.ndarray, limit: np.ndarray) -> Problem:
    """Return the problem of some of its rows under other limits."""
    slot = problem.slot[keep]
    start = np.flatnonzero(np.r_[True, slot[1:] != slot[:-1]][: len(slot)])
    uses = tuple(
        Use(use.weight[keep], use.first, use.count, None if use.code is None else use.code[keep])
        for use in problem.uses
    )
    owner = problem.owner[slot[start]]
    renumbered = np.cumsum(np.r_[True, slot[1:] != slot[:-1]][: len(slot)]) - 1
    return Problem(problem.value[keep], uses, limit, renumbered, start, owner, problem.most)
