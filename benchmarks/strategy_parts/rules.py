"""Bar 1, second half: a decision table on a million clients, and in zen-engine where it is there."""

from __future__ import annotations

import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.strategy import ServiceStrategy, import_tables
from common import SEED
from common.page import Page, grid

if TYPE_CHECKING:
    import argparse

RULES = 50
MOST_SECONDS = 3.0
LAYERS = ("basic", "value_added", "deep_cooperation", "strategic_partnership")
WORDS = {
    "tier": ("A", "B", "C"),
    "segment": ("large", "mid", "small", "project"),
    "industry": ("manufacturing", "trade", "energy", "technology", "services", "public"),
}
SHARES = ("pd", "churn_12m", "need_probability_12m")
FIELDS = (*WORDS, *SHARES, "watch")


def draw_rules(seed: int) -> dict[str, Any]:
    """Draw a table of rules in the JSON of GoRules: four cells a rule, the last rule is for all others."""
    rng = np.random.default_rng([SEED, seed])
    rows = []
    for k in range(RULES - 1):
        cells = dict.fromkeys(FIELDS, "")
        for name in rng.permutation(FIELDS)[:4].tolist():
            if name in WORDS:
                some = rng.permutation(WORDS[name])[: rng.integers(1, len(WORDS[name]))].tolist()
                cells[name] = ", ".join(f"'{word}'" for word in some)
            elif name in SHARES:
                low, high = np.sort(np.round(rng.random(2) ** 2, 3)).tolist()
                cells[name] = f"[{low}..{high})" if low < high else f">= {low}"
            else:
                cells[name] = "true" if rng.random() < 0.5 else "false"
        rows.append({"_id": f"r{k}", **cells, "layer": f"'{LAYERS[k % 4]}'"})
    rows.append({"_id": "rest", **dict.fromkeys(FIELDS, ""), "layer": "'basic'"})
    place = {"x": 0, "y": 0}
    table = {
        "id": "table", "type": "decisionTableNode", "name": "layer", "position": place,
        "content": {
            "hitPolicy": "first",
            "inputs": [{"id": name, "name": name, "field": name} for name in FIELDS],
            "outputs": [{"id": "layer", "name": "layer", "field": "service_layer"}],
            "rules": rows,
        },
    }  # fmt: skip
    ends = [{"id": k, "type": f"{k}Node", "name": k, "position": place} for k in ("input", "output")]
    edges = [
        {"id": "1", "sourceId": "input", "targetId": "table", "type": "edge"},
        {"id": "2", "sourceId": "table", "targetId": "output", "type": "edge"},
    ]
    return {"nodes": [ends[0], table, ends[1]], "edges": edges}


def draw_book(n: int, seed: int) -> pd.DataFrame:
    """Draw clients, 3 % of the values missing."""
    rng = np.random.default_rng([SEED, seed])
    frame = pd.DataFrame({name: rng.choice(words, n) for name, words in WORDS.items()})
    for name in SHARES:
        frame[name] = rng.beta(1, 4, n)
    frame["watch"] = pd.array(rng.random(n) < 0.1, dtype="boolean")
    for name in FIELDS:
        frame[name] = frame[name].mask(rng.random(n) < 0.03)
    return frame


def strategy_of(rules: dict[str, Any]) -> ServiceStrategy:
    """Return the default policy with this table of layers, and the other tables asked of nothing."""
    document = ServiceStrategy.default().to_dict()
    del document["examples"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rules.json")
        path.write_text(json.dumps(rules), encoding="utf-8")
        document["tables"] |= import_tables(path)
    for name in ("service", "reports"):
        last = document["tables"][name]["rules"][-1]
        document["tables"][name]["rules"] = [last | {"when": {}}]
    return ServiceStrategy(document)


def run(page: Page, options: argparse.Namespace) -> None:
    n, sample = (50_000, 500) if options.quick else (1_000_000, 20_000)
    rules, book = draw_rules(0), draw_book(n, 0)
    strategy = strategy_of(rules)
    strategy.decide(book.head(1_000))
    start = time.process_time()
    decided = strategy.decide(book)
    seconds = time.process_time() - start
    rows = [["clientscore", f"{n:,}", f"{seconds:.2f}", f"{seconds / n * 1e6:.2f}", ""]]
    if find_spec("zen") is not None:
        rows.append(_zen(rules, book.head(sample), decided["service_layer"].head(sample), seconds / n))
    start = time.process_time()
    report = strategy.check()
    checked = time.process_time() - start
    found = report.frame().query("table == 'layer'")["finding"].value_counts().to_dict()
    note = (
        f"One table of {RULES} rules over {len(FIELDS)} columns (3 % of the values missing), read from a "
        "GoRules file; what is timed is a frame in and a frame out, outputs and deciding rules, one thread. "
        f"Proof of the same table: {checked:.2f} CPU s, {found or 'nothing found'}."
    )
    head = ["engine", "clients", "CPU s", "microseconds a client", "same answers"]
    page.add("Rules", note, grid(head, rows))
    met = seconds <= MOST_SECONDS if n == 1_000_000 else None
    page.bar(f"1: {n:,} clients x {RULES} rules", f"{seconds:.2f} CPU s (at most {MOST_SECONDS:g})", met=met)


def _zen(rules: dict[str, Any], book: pd.DataFrame, ours: pd.Series, each: float) -> list[str]:
    import zen  # noqa: PLC0415 - a peer, not everywhere

    decision = zen.ZenEngine().create_decision(json.dumps(rules))
    values = book.astype(object).where(book.notna(), None)
    clients = values.to_dict("records")
    start = time.process_time()
    theirs = [decision.evaluate(client)["result"]["service_layer"] for client in clients]
    seconds = time.process_time() - start
    same = float(np.mean([one == two for one, two in zip(theirs, ours, strict=True)]))
    per = seconds / len(book)
    return [
        "zen-engine",
        f"{len(book):,}",
        f"{seconds:.2f}",
        f"{per * 1e6:.1f} ({per / each:,.0f} x)",
        f"{same:.2%}",
    ]
