"""Bar 4: the checker on generated policies with planted gaps, conflicts and dead rules.

A clean table is a random tree over the columns: its leaves are disjoint, cover everything (missing values
included) and each decides somewhere. Then faults are planted, whose truth is known by construction: a leaf
is taken out (a gap), a part of a leaf is decided twice at one priority (a conflict), a rule is put behind one
that covers it or asks for what cannot be (dead). Every finding must be a planted one, with a client that
shows it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.strategy import ServiceStrategy
from common import SEED
from common.page import Page, grid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    Client = dict[str, Any]

LAYERS = ("basic", "value_added", "deep_cooperation", "strategic_partnership")
COVERAGE = ("remote_desk", "portfolio_manager", "dedicated_manager", "dedicated_team")
WORDS = {
    "tier": ("A", "B", "C"),
    "segment": ("large", "mid", "small", "project", None),  # None: any other word
    "industry": ("trade", "energy", "public", "services", None),
    "service_layer": LAYERS,
}
NUMBERS = {
    "pd": (0.0, 1.0),
    "churn_12m": (0.0, 1.0),
    "need_probability_12m": (0.0, 1.0),
    "dpd_days": (0.0, 90.0),
}
FLAGS = ("watch", "consent")
TABLES = {
    "layer": ("service_layer", ("tier", "segment", "pd", "churn_12m", "watch")),
    "service": ("coverage", ("service_layer", "industry", "need_probability_12m", "dpd_days", "consent")),
}
KINDS = ("uncovered", "conflict", "unreachable")


@dataclass
class Region:
    """Where a rule holds: for each column what is allowed, and whether missing is."""

    numbers: dict[str, tuple[float, float]] = field(default_factory=dict)
    words: dict[str, frozenset[str | None]] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    missing: dict[str, bool] = field(default_factory=dict)

    def copy(self) -> Region:
        """Return a region that can be changed alone."""
        return Region(dict(self.numbers), dict(self.words), dict(self.flags), dict(self.missing))

    def holds(self, client: Mapping[str, Any]) -> bool:
        """Whether a client lies inside; intervals are closed below and open above."""
        for name, allowed in self.missing.items():
            value = client.get(name)
            if value is None:
                if not allowed:
                    return False
            elif name in self.numbers:
                low, high = self.numbers[name]
                if not low <= value < high:
                    return False
            elif name in self.words:
                known = WORDS[name]
                if (value if value in known else None) not in self.words[name]:
                    return False
            elif self.flags[name] != value:
                return False
        return True

    def when(self) -> dict[str, Any]:
        """Return the region as conditions of the policy."""
        tests: dict[str, Any] = {}
        for name, (low, high) in self.numbers.items():
            edges = {">=": low} if np.isfinite(low) else {}
            tests[name] = edges | ({"<": high} if np.isfinite(high) else {})
        for name, allowed in self.words.items():
            forbidden = set(WORDS[name]) - set(allowed)
            test = {"not_in": sorted(forbidden)} if None in allowed else {"in": sorted(map(str, allowed))}
            tests[name] = test
        tests |= {name: {"==": value} for name, value in self.flags.items()}
        return {name: test | {"missing": self.missing[name]} for name, test in tests.items()}


@dataclass
class Planted:
    """A generated policy with what the checker must find: (table, finding, rule, other rule)."""

    document: dict[str, Any]
    truth: set[tuple[str, str, str, str]]
    rules: dict[tuple[str, str], Region]
    gaps: dict[str, list[Region]]


def split(region: Region, name: str, rng: np.random.Generator) -> tuple[Region, Region] | None:
    """Cut a region in two along a column; None where the column leaves nothing to cut."""
    one, two = region.copy(), region.copy()
    one.missing[name], two.missing[name] = False, region.missing.get(name, True)
    if name in NUMBERS:
        low, high = region.numbers.get(name, (-np.inf, np.inf))
        bottom, top = max(low, NUMBERS[name][0]), min(high, NUMBERS[name][1])
        cut = round(float(rng.uniform(bottom, top)), 3)
        if not bottom < cut < top:
            return None
        one.numbers[name], two.numbers[name] = (low, cut), (cut, high)
    elif name in WORDS:
        allowed = region.words.get(name, frozenset(WORDS[name]))
        if len(allowed) < 2 or (name == "service_layer" and name in region.words):
            return None
        listed = sorted(allowed, key=str)
        size = int(rng.integers(1, len(listed)))
        first = frozenset(listed[i] for i in rng.permutation(len(listed))[:size])
        one.words[name], two.words[name] = first, allowed - first
    else:
        if name in region.flags:
            return None
        value = bool(rng.random() < 0.5)
        one.flags[name], two.flags[name] = value, not value
    return one, two


def partition(columns: tuple[str, ...], leaves: int, rng: np.random.Generator) -> list[Region]:
    """Return disjoint regions that cover everything."""
    regions = [Region()]
    while len(regions) < leaves:
        place = int(rng.integers(len(regions)))
        halves = split(regions[place], columns[int(rng.integers(len(columns)))], rng)
        if halves is not None:
            regions[place : place + 1] = halves
    return regions


def generate(seed: int, most: int = 2) -> Planted:
    """Return a policy of two generated tables with up to `most` faults of each kind in each.

    Every tenth is clean.
    """
    rng = np.random.default_rng([SEED, seed])
    document = ServiceStrategy.default().to_dict()
    del document["examples"]
    planted = Planted(document, set(), {}, {})
    for name, (output, columns) in TABLES.items():
        values = LAYERS if output == "service_layer" else COVERAGE
        leaves = partition(columns, int(rng.integers(11, 18)), rng)
        rules = [(f"{name} {k}", 1, region, values[k % len(values)]) for k, region in enumerate(leaves)]
        rules = _plant(
            planted, name, rules, values, columns, rng.integers(0, most + 1, 3) * (seed % 10 > 0), rng
        )
        document["tables"][name] = _as_table(rules, output)
    default = ServiceStrategy.default().to_dict()["tables"]["service"]["rules"][0]["then"]
    times = {key: value for key, value in default.items() if key != "coverage"}
    document["tables"]["times"] = {
        "outputs": list(times),
        "rules": [{"name": "all", "when": {}, "then": times}],
    }
    document["tables"]["reports"] = {
        "outputs": ["reports"],
        "rules": [{"name": "all", "when": {}, "then": {"reports": ["maintenance_report"]}}],
    }
    return planted


Rule = tuple[str, int, Region, str]


def _plant(
    planted: Planted,
    table: str,
    rules: list[Rule],
    values: tuple[str, ...],
    columns: tuple[str, ...],
    counts: np.ndarray,
    rng: np.random.Generator,
) -> list[Rule]:
    """Plant gaps, conflicts and dead rules, each at a leaf of its own, and note the truth."""
    gaps, conflicts, dead = counts.tolist()
    places = iter(rng.permutation(np.arange(len(values), len(rules))).tolist())  # every value stays given
    removed, first, last = set(), [], []
    for _ in range(gaps):
        place = next(places)
        removed.add(rules[place][0])
        planted.gaps.setdefault(table, []).append(rules[place][2])
    for k in range(conflicts):
        name, _, region, value = rules[next(places)]
        part = _part_of(region, columns, rng)
        other = values[(values.index(value) + 1) % len(values)]
        first.append((f"new {table} {k}", 1, part, other))
        planted.truth.add((table, "conflict", f"new {table} {k}", name))
    for k in range(dead):
        name, _, region, value = rules[next(places)]
        if rng.random() < 0.5:
            part, behind = _part_of(region, columns, rng), name
        else:
            part, behind = region.copy(), ""
            column = next(one for one in columns if one in NUMBERS)
            part.numbers[column], part.missing[column] = (NUMBERS[column][1] + 1, np.inf), False
        last.append((f"dead {table} {k}", 2, part, values[(values.index(value) + 1) % len(values)]))
        planted.truth.add((table, "unreachable", f"dead {table} {k}", behind))
    if removed:
        planted.truth.add((table, "uncovered", "", ""))
    kept = [*first, *(rule for rule in rules if rule[0] not in removed), *last]
    planted.rules |= {(table, name): region for name, _, region, _ in kept}
    return kept


def _part_of(region: Region, columns: tuple[str, ...], rng: np.random.Generator) -> Region:
    """Return a proper part of a region."""
    while True:
        halves = split(region, columns[int(rng.integers(len(columns)))], rng)
        if halves is not None:
            return halves[int(rng.integers(2))]


def _as_table(rules: list[Rule], output: str) -> dict[str, Any]:
    return {
        "outputs": [output],
        "rules": [
            {"name": name, "priority": priority, "when": region.when(), "then": {output: value}}
            for name, priority, region, value in rules
        ],
    }


def judge(planted: Planted) -> tuple[set[tuple[str, str, str, str]], set[tuple[str, str, str, str]], int]:
    """Return what was missed, what was found without being there, and how many counter-examples are wrong."""
    report = ServiceStrategy(planted.document).check()
    found, wrong = set(), 0
    for one in report.findings:
        found.add((one.table, one.finding, one.rule, one.other_rule))
        wrong += not _shows(one, planted)
    return planted.truth - found, found - planted.truth, wrong


def _shows(finding: Any, planted: Planted) -> bool:
    """Whether the client of a finding shows what is said, by the regions alone."""
    if not finding.counter_example:
        return finding.finding == "unreachable" and not finding.other_rule
    client = _client(finding.counter_example)
    table = {name: region for (one, name), region in planted.rules.items() if one == finding.table}
    if finding.finding == "uncovered":
        return not any(region.holds(client) for region in table.values()) and any(
            region.holds(client) for region in planted.gaps.get(finding.table, [])
        )
    return table[finding.rule].holds(client) and table[finding.other_rule].holds(client)


def _client(text: str) -> Client:
    client: Client = {}
    for part in text.split(", "):
        name, _, value = part.partition(" = ")
        if not value:
            continue
        client[name] = float(value) if name in NUMBERS else value == "true" if name in FLAGS else value
    return client


def run(page: Page, options: argparse.Namespace) -> None:
    policies = 20 if options.quick else 200
    counts = dict.fromkeys(KINDS, 0)
    missed, false, wrong, rules, clean = 0, 0, 0, 0, 0
    start = time.process_time()
    for seed in range(policies):
        planted = generate(seed)
        lost, extra, bad = judge(planted)
        missed, false, wrong = missed + len(lost), false + len(extra), wrong + bad
        rules += len(planted.rules)
        clean += not planted.truth
        for _, kind, _, _ in planted.truth:
            counts[kind] += 1
    seconds = time.process_time() - start
    rows = [[kind, f"{count:,}"] for kind, count in counts.items()]
    note = (
        f"{policies} policies of two generated tables each, {rules:,} rules in all, {clean} of them without "
        f"a fault; {seconds:.1f} CPU seconds. A gap is counted once a table. Missed {missed}, false {false}, "
        f"counter-examples that show nothing {wrong}."
    )
    page.add("Checker of policies", note, grid(["planted", "faults"], rows))
    figure = f"{sum(counts.values()):,} planted, {missed} missed, {false} false, {wrong} wrong examples"
    page.bar("4: checker", figure, met=missed == false == wrong == 0)
