"""Bar 1, first half: actions under capacities against the linear program (HiGHS), greedy choices and time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from clientscore.strategy import allocate
from common import SEED
from common.page import Page, grid

if TYPE_CHECKING:
    import argparse

ACTIONS = 6
LEAST, MOST_SECONDS = 0.999, 2.0
#: Hours, money and credit per client: about a third of the clients can be served.
PER_CLIENT = {"hours": 1.2, "cost": 450.0, "credit_amount": 5.0}


def draw(n: int, seed: int) -> pd.DataFrame:
    """Draw candidates: skewed values, some below zero, needs that do not follow them."""
    rng = np.random.default_rng([SEED, seed])
    m = n * ACTIONS
    return pd.DataFrame(
        {
            "client_id": np.repeat([f"{i:06d}" for i in range(n)], ACTIONS),
            "action": np.tile([f"a{j}" for j in range(ACTIONS)], n),
            "value": rng.lognormal(8, 1.2, m) - 1500,
            "hours": rng.integers(1, 11, m).astype(float),
            "cost": rng.uniform(0, 3000, m),
            "credit_amount": rng.lognormal(3, 1, m),
            "team": np.repeat([f"T{i:02d}" for i in rng.integers(0, 20, n)], ACTIONS),
        }
    )


def linear_optimum(candidates: pd.DataFrame, limits: dict[str, float]) -> tuple[float, float]:
    """Return the optimum of the linear program and its CPU seconds."""
    start = time.process_time()
    m = len(candidates)
    clients = candidates["client_id"].factorize()[0]
    one_each = sparse.csr_array((np.ones(m), (clients, np.arange(m))))
    weights = sparse.csr_array(candidates[list(limits)].to_numpy().T)
    right = np.r_[np.ones(clients.max() + 1), list(limits.values())]
    solved = linprog(-candidates["value"], A_ub=sparse.vstack([one_each, weights]), b_ub=right, bounds=(0, 1))
    return -float(solved.fun), time.process_time() - start


def greedy(candidates: pd.DataFrame, limits: dict[str, float], by: str) -> float:
    """Take the candidates in order of value, or of value per hour, as long as they fit."""
    score = candidates["value"] if by == "value" else candidates["value"] / candidates["hours"]
    table = candidates.assign(score=score).query("value > 0").sort_values("score", ascending=False)
    left = np.array(list(limits.values()))
    needs = table[list(limits)].to_numpy()
    taken: set[str] = set()
    total = 0.0
    for client, value, need in zip(table["client_id"], table["value"], needs, strict=True):
        if client not in taken and (need <= left).all():
            taken.add(client)
            left = left - need
            total += value
    return total


def run(page: Page, options: argparse.Namespace) -> None:
    sizes = (500, 2_000) if options.quick else (500, 2_000, 10_000, 50_000)
    rows, seconds, share = [], 0.0, 0.0
    allocate(draw(600, 1), {"hours": 600})  # what is loaded once is not timed
    for n in sizes:
        candidates = draw(n, 0)
        limits = {name: amount * n for name, amount in PER_CLIENT.items()}
        start = time.process_time()
        found = allocate(candidates, limits)
        seconds = time.process_time() - start
        optimum, lp_seconds = linear_optimum(candidates, limits)
        share = found.value / optimum
        others = [greedy(candidates, limits, by) / optimum for by in ("value", "value per hour")]
        rows.append(
            [f"{n:,}", found.method, f"{share:.5f}", f"{found.bound / optimum - 1:.1e}", f"{seconds:.2f}",
             f"{lp_seconds:.2f}", *(f"{one:.3f}" for one in others)]
        )  # fmt: skip
    head = ["clients", "method", "share of LP", "bound / LP - 1", "CPU s", "LP, CPU s", "greedy by value",
            "greedy by value per hour"]  # fmt: skip
    note = (
        f"{ACTIONS} actions a client, at most one, under 3 capacities; one thread. The share is that of the "
        "linear program's optimum (HiGHS in scipy), which no choice of whole actions can exceed."
    )
    page.add("Allocation", note, grid(head, rows), _by_team(sizes[-1]))
    met = share >= LEAST and seconds <= MOST_SECONDS
    figure = (
        f"{share:.5f} of the LP optimum (at least {LEAST}), {seconds:.2f} CPU s (at most {MOST_SECONDS:g})"
    )
    page.bar(f"1: allocation, {sizes[-1]:,} clients", figure, met=met if sizes[-1] == 50_000 else None)


def _by_team(n: int) -> str:
    """Time hours of twenty teams, money of the bank and two actions a client."""
    candidates = draw(n, 2)
    hours = dict.fromkeys(sorted(candidates["team"].unique()), PER_CLIENT["hours"] * n / 20)
    capacity = {"hours": {"team": hours}, "cost": PER_CLIENT["cost"] * n}
    lines = []
    for most in (1, 2):
        start = time.process_time()
        found = allocate(candidates, capacity, max_actions=most, control_share=0.05)
        seconds = time.process_time() - start
        lines.append(f"{most} a client: {found.value / found.bound:.5f} of the bound, {seconds:.2f} CPU s")
    return f"Hours of 20 teams and one budget (21 capacities), 5 % of clients in control; {'; '.join(lines)}."
