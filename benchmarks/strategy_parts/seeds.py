"""A simulated book with planted effects, many seeds: do intervals cover, does the ranking find the gain.

A client has seven covariates and a value at stake. Its risk of leaving and the effect of a call are functions
of them that no model here can write down (both are logistic with products and kinks); the clients at highest
risk are often lost causes, and a call wakes some that had not thought of leaving. Calls and offers were given
by a rule with chance, more often to large and risky clients.

- AIPW on the log of calls against the true average effect of the population;
- a ranking of fresh clients by uplift x value - cost, learned from the log, against the oracle's, a random
  order and rankings by the true risk of leaving, at equal capacity;
- the value of another policy over three actions from the log, against its true value.

Truths are means over two million clients.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import expit, softmax

from clientscore.effects import (
    ChosenLearner,
    DRLearner,
    SLearner,
    TLearner,
    action_values,
    aipw,
    off_policy_value,
)
from common import SEED
from common.intervals import over_splits
from common.page import grid, short

if TYPE_CHECKING:
    import argparse

    from common.page import Page

ROWS, FRESH = 3_000, 3_000
CAPACITY = 0.2  # share of clients that can be called
CALL_COST, OFFER_COST = 0.02, 0.05  # in units of the mean value at stake
ACTIONS = ("none", "call", "offer")
TRUTH_ROWS, TRUTH_BLOCK = 2_000_000, 100_000
NAMES = (
    "log_size",
    "tenure_years",
    "balance_change",
    "complaints",
    "response_hours",
    "products_held",
    "manager_changed",
)


def draw(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return clients: covariates, and the value at stake (mean 1)."""
    common = rng.normal(size=n)
    size = 0.5 * common + np.sqrt(0.75) * rng.normal(size=n)
    table = {
        "log_size": size,
        "tenure_years": rng.gamma(2.0, 3.0, n),
        "balance_change": -0.3 * common + 0.9 * rng.normal(size=n),
        "complaints": rng.poisson(np.exp(-0.6 + 0.3 * common)).astype(float),
        "response_hours": np.exp(2.8 + 0.5 * rng.normal(size=n)),
        "products_held": 1.0 + rng.binomial(5, expit(0.4 * size), n),
        "manager_changed": (rng.random(n) < 0.2).astype(float),
    }
    value = np.exp(0.6 * (0.7 * size + 0.7 * rng.normal(size=n)))
    return pd.DataFrame(table).assign(value=value / np.exp(0.18))


def staying(x: pd.DataFrame) -> np.ndarray:
    """Return the probability to stay a year with nothing, a call, an offer: shape (n, 3)."""
    slow = np.maximum(np.log(x["response_hours"]) - 2.8, 0)
    risk = (
        -1.9
        - 0.8 * x["balance_change"]
        + 0.45 * np.minimum(x["complaints"], 4)
        + 0.5 * slow
        - 0.25 * (x["products_held"] - 3)
        + 0.5 * x["manager_changed"]
        - 0.04 * x["tenure_years"]
    )
    lost = expit(3 * (risk - 0.2))  # beyond help
    call = (1 - lost) * (0.9 * np.minimum(x["complaints"], 3) / 2 + 0.9 * x["manager_changed"] + 0.8 * slow)
    call = call - 0.35 * (x["complaints"] == 0)  # sleeping dogs
    offer = (1 - lost) * (0.8 * (x["products_held"] <= 2) + 0.4 * np.maximum(-x["balance_change"], 0))
    return np.column_stack([expit(-risk), expit(-risk + call), expit(-risk + offer)])


def chance(x: pd.DataFrame) -> np.ndarray:
    """Return the log's probability of each action, at least .08."""
    drive = 0.5 * x["log_size"] - 0.4 * x["balance_change"] + 0.3 * x["complaints"]
    raw = softmax(np.column_stack([0.3 + 0 * drive, 0.6 * drive - 0.2, 0.4 * drive - 0.3]), axis=1)
    return 0.08 + (1 - 3 * 0.08) * raw


def called(x: pd.DataFrame) -> np.ndarray:
    """Return the log's probability of a call where there is only that action."""
    return np.asarray(expit(-0.3 + 0.5 * x["log_size"] - 0.4 * x["balance_change"] + 0.3 * x["complaints"]))


def other_policy(x: pd.DataFrame) -> np.ndarray:
    """Return the action that the policy to be valued takes."""
    call = (x["complaints"] > 0) | (x["manager_changed"] == 1)
    return np.where(call, "call", np.where(x["products_held"] <= 2, "offer", "none"))


def earned(x: pd.DataFrame) -> np.ndarray:
    """Return the expected reward of each action: value kept less cost."""
    return staying(x) * x["value"].to_numpy()[:, None] - np.array([0.0, CALL_COST, OFFER_COST])


@lru_cache(maxsize=1)
def truth() -> dict[str, float]:
    """Return the true averages of the population."""
    rng, sums = np.random.default_rng(SEED), np.zeros(3)
    for _ in range(TRUTH_ROWS // TRUTH_BLOCK):
        x = draw(TRUTH_BLOCK, rng)
        stay, reward = staying(x), earned(x)
        taken = pd.Index(ACTIONS).get_indexer(other_policy(x))
        sums += [
            (stay[:, 1] - stay[:, 0]).sum(),
            reward[np.arange(len(x)), taken].sum(),
            (chance(x) * reward).sum(),
        ]
    effect, policy, logged = sums / TRUTH_ROWS
    return {"effect": effect, "policy": policy, "gain": policy - logged}


def one_seed(seed: int, true: dict[str, float]) -> dict[str, float]:
    """Return every figure of one seed."""
    rng, started = np.random.default_rng([SEED, seed]), time.process_time()
    found = {**_average(rng, seed, true["effect"]), **_ranking(rng, seed), **_policy(rng, seed, true)}
    return {**found, "seconds": time.process_time() - started}


def _log(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Return clients of a log of calls, its probabilities, the calls and who stayed."""
    x = draw(ROWS, rng)
    probability = called(x)
    treatment = (rng.random(ROWS) < probability).astype(int)
    stayed = rng.random(ROWS) < staying(x)[np.arange(ROWS), treatment]
    return x, probability, treatment, stayed.astype(float)


def _average(rng: np.random.Generator, seed: int, effect: float) -> dict[str, float]:
    x, probability, treatment, stayed = _log(rng)
    found: dict[str, float] = {}
    for name, known in (("learned", None), ("known", probability)):
        one = aipw(stayed, treatment, x[list(NAMES)], propensity=known, random_state=seed)
        found[f"aipw {name} covers"] = float(one.lower <= effect <= one.upper)
        found[f"aipw {name} error"] = one.effect - effect
        found[f"aipw {name} width"] = one.upper - one.lower
    found["naive error"] = stayed[treatment == 1].mean() - stayed[treatment == 0].mean() - effect
    return found


def _ranking(rng: np.random.Generator, seed: int) -> dict[str, float]:
    x, _, treatment, stayed = _log(rng)
    candidates = {
        "S linear": SLearner(base="linear", random_state=seed),
        "DR linear": DRLearner(base="linear", n_folds=2, random_state=seed),
        "T linear": TLearner(base="linear", random_state=seed),
    }
    learner = ChosenLearner(candidates=candidates, n_folds=3, random_state=seed)
    learner.fit(x[list(NAMES)], treatment, stayed)
    fresh = draw(FRESH, rng)
    stay = staying(fresh)
    gain = (stay[:, 1] - stay[:, 0]) * fresh["value"].to_numpy() - CALL_COST
    effect = learner.predict_effect(fresh[list(NAMES)]).rename("call")
    table = action_values(effect, fresh["value"], cost=CALL_COST)
    capacity = int(CAPACITY * FRESH)
    orders = {
        "uplift x value": table["client_id"].to_numpy()[:capacity],
        "oracle": np.argsort(-gain)[:capacity],
        "uplift": np.argsort(-effect.to_numpy())[:capacity],
        "risk": np.argsort(stay[:, 0])[:capacity],
        "risk x value": np.argsort(-(1 - stay[:, 0]) * fresh["value"].to_numpy())[:capacity],
    }
    return {"gain random": capacity * gain.mean()} | {
        f"gain {name}": float(gain[rows].sum()) for name, rows in orders.items()
    }


def _policy(rng: np.random.Generator, seed: int, true: dict[str, float]) -> dict[str, float]:
    x = draw(ROWS, rng)
    probability = chance(x)
    taken = (rng.random(ROWS)[:, None] > np.cumsum(probability, axis=1)[:, :2]).sum(axis=1)
    rows = np.arange(ROWS)
    stayed = rng.random(ROWS) < staying(x)[rows, taken]
    reward = stayed * x["value"].to_numpy() - np.array([0.0, CALL_COST, OFFER_COST])[taken]
    action = np.array(ACTIONS)[taken]
    value = off_policy_value(
        reward,
        action,
        probability[rows, taken],
        other_policy(x),
        covariates=x,
        random_state=seed,
    )
    found: dict[str, float] = {"effective sample": value.overlap["effective_sample"]}
    for method, row in value.frame().set_index("method").iterrows():
        found[f"{method} covers"] = float(row["lower"] <= true["policy"] <= row["upper"])
        found[f"{method} error"] = row["value"] - true["policy"]
        found[f"{method} width"] = row["upper"] - row["lower"]
        found[f"{method} gain covers"] = float(row["gain_lower"] <= true["gain"] <= row["gain_upper"])
        found[f"{method} gain error"] = row["gain"] - true["gain"]
    return found


def run(page: Page, options: argparse.Namespace) -> None:
    """Run the seeds, add the tables, and the bars."""
    n = 10 if options.quick else options.seeds
    true = truth()
    rows = Parallel(n_jobs=options.jobs)(delayed(one_seed)(seed, true) for seed in range(n))
    add(page, pd.DataFrame(rows), true)


def add(page: Page, table: pd.DataFrame, true: dict[str, float]) -> None:
    """Add the section and the bars."""
    told = (
        f"{len(table):,} seeds, {table['seconds'].sum():.0f} CPU seconds; a log of {ROWS:,} decisions each."
    )
    page.add(
        "Effects in a simulated book",
        told,
        _average_lines(page, table, true),
        _ranking_lines(page, table),
        _policy_lines(page, table, true),
    )


def _covers(table: pd.DataFrame, column: str) -> tuple[float, bool]:
    share = float(table[column].mean())
    return share, 0.93 <= share <= 0.97


def _average_lines(page: Page, table: pd.DataFrame, true: dict[str, float]) -> str:
    rows = []
    for name in ("learned", "known"):
        share, met = _covers(table, f"aipw {name} covers")
        page.bar(f"2: AIPW covers, probabilities {name}", f"{short(share, 3)}, .93 to .97", met)
        error, width = table[f"aipw {name} error"].mean(), table[f"aipw {name} width"].mean()
        rows.append([f"AIPW, probabilities {name}", short(share, 3), short(error), short(width)])
    rows.append(["difference of the arms", "", short(table["naive error"].mean()), ""])
    head = ["average effect of a call on staying", "95 % interval covers", "mean error", "mean width"]
    return f"True average effect {short(true['effect'])}.\n\n" + grid(head, rows)


def _ranking_lines(page: Page, table: pd.DataFrame) -> str:
    above = {
        name: (table[f"gain {name}"] - table["gain random"]).to_numpy()
        for name in ("oracle", "uplift x value", "uplift", "risk x value", "risk")
    }
    kept = float(above["uplift x value"].mean() / above["oracle"].mean())
    page.bar("2: share of the oracle's gain over random", f"{short(kept, 3)}, at least .8", kept >= 0.8)
    rows = []
    for name, gain in above.items():
        gap = over_splits(above["uplift x value"], gain)
        rows.append(
            [
                f"by {name}" if name != "oracle" else "oracle",
                f"{gain.mean():.2f}",
                short(float(gain.mean() / above["oracle"].mean()), 3),
                f"{gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})" if "uplift x" not in name else "",
            ]
        )
        if name in ("risk", "risk x value"):
            figure = f"{gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f}), above 0"
            page.bar(f"2: uplift x value above true {name}", figure, bool(gap.low > 0))
    head = ["ranking", "gain over random", "of the oracle's", "uplift x value is above by"]
    note = f"The first {CAPACITY:.0%} of {FRESH:,} fresh clients; gains in units of the mean value at stake."
    return f"{note}\n\n" + grid(head, rows)


def _policy_lines(page: Page, table: pd.DataFrame, true: dict[str, float]) -> str:
    rows: list[list[str]] = []
    for method in ("IPS", "SNIPS", "DR"):
        share, met = _covers(table, f"{method} covers")
        bias = float(table[f"{method} error"].mean() / true["policy"])
        gain_bias = float(table[f"{method} gain error"].mean() / true["gain"])
        if method == "DR":
            page.bar("2: off-policy DR, mean bias", f"{bias:+.2%}, at most 2 %", abs(bias) <= 0.02)
            page.bar("2: off-policy DR covers", f"{short(share, 3)}, .93 to .97", met)
        figures: list[Any] = [share, float(table[f"{method} gain covers"].mean())]
        rows.append(
            [
                method,
                f"{bias:+.2%}",
                short(figures[0], 3),
                short(float(table[f"{method} width"].mean())),
                f"{gain_bias:+.2%}",
                short(figures[1], 3),
            ]
        )
    head = ["value of another policy", "mean bias", "covers", "mean width", "bias of the gain", "gain covers"]
    note = (
        f"True value {short(true['policy'])} a client, gain over the log {short(true['gain'])}; effective "
        f"sample {table['effective sample'].mean():.0f} of {ROWS:,} on average."
    )
    return f"{note}\n\n" + grid(head, rows)
