"""Proof by exact grid: every combination of inputs that a table can tell apart is tried, missing ones too."""

from __future__ import annotations

import html
import itertools
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.exceptions import PolicyError

from ._rules import Column, Columns, ColumnType, DecisionTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._parts import Parts
    from ._rules import Choice, Condition
    from ._source import Faults

_MAX_CELLS = 2_000_000
_OTHER = "(any other)"
_REFUSED = ("uncovered", "conflict", "unreachable")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a policy, with a client for whom it shows.

    `finding` is "uncovered" (a client gets no answer), "conflict" (two rules of equal priority disagree),
    "unreachable" (a rule that never decides), "example" (a test in the policy fails), "unused" (a layer no
    rule gives), "not proven" (too many combinations to try) or "scale" (costs dwarf what is at stake in a
    book).
    """

    table: str
    finding: str
    rule: str
    other_rule: str
    counter_example: str
    message: str
    line: int | None


@dataclass(frozen=True)
class PolicyReport:
    """What `ServiceStrategy.check` found; empty if the policy is clean."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def raise_if(self) -> None:
        """Raise one PolicyError with all findings, in the order of the file, if there are any."""
        if self.findings:
            count = len(self.findings)
            found = sorted(self.findings, key=lambda one: one.line or 0)
            texts = [f"line {one.line}: {one.message}" if one.line else one.message for one in found]
            raise PolicyError(f"The policy has {count} finding{'s' * (count > 1)}.", texts)

    def frame(self) -> pd.DataFrame:
        """Return one row a finding."""
        names = list(Finding.__dataclass_fields__)
        frame = pd.DataFrame([asdict(finding) for finding in self.findings], columns=names)
        return frame.astype({name: "Int64" if name == "line" else "str" for name in names})

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain data."""
        return {"findings": [asdict(finding) for finding in self.findings]}

    def _repr_html_(self) -> str:
        if self.ok:
            return "<p>The policy is complete; no conflicts, no unreachable rules.</p>"
        items = "".join(f"<li>{html.escape(finding.message)}</li>" for finding in self.findings)
        return f"<p>{len(self.findings)} findings</p><ul>{items}</ul>"


def refuse(parts: Parts, faults: Faults) -> None:
    """Raise one error with all faults of the reading, and of the rules wherever they could be read whole.

    A table is proven only if nothing in it, in the columns or in the tables it reads is at fault.
    """
    broken = {str(path[1]) for path in faults.paths if path[0] == "tables" and len(path) > 1}
    whole = not any(path in (("tables",), ("columns",)) or path[0] == "columns" for path in faults.paths)
    clean: list[DecisionTable] = []
    for table in parts.tables if whole else ():
        needs = {one.name for one in parts.tables if one is not table and set(one.outputs) & set(table.reads)}
        if table.name in broken or not needs <= {one.name for one in clean}:
            broken.add(table.name)
            continue
        for finding in _Checker(parts, faults, table, clean).findings():
            if finding.finding in _REFUSED:
                faults.add_text(finding.line, finding.message)
        clean.append(table)
    faults.raise_if()


def check_policy(parts: Parts, faults: Faults) -> PolicyReport:
    """Try every cell of every table's grid."""
    findings: list[Finding] = []
    for position, table in enumerate(parts.tables):
        findings += _Checker(parts, faults, table, parts.tables[:position]).findings()
    given = {row.get("service_layer") for table in parts.tables for row in table.rows}
    for name in parts.layers:
        if name not in given:
            text = f"layer {name} is given by no rule."
            findings.append(Finding("layers", "unused", "", "", "", text, faults.line(("layers", name))))
    return PolicyReport(tuple(findings))


class _Checker:
    """The grid of one table, together with the tables whose outputs it reads."""

    def __init__(
        self, parts: Parts, faults: Faults, table: DecisionTable, earlier: Iterable[DecisionTable]
    ) -> None:
        self.parts, self.faults, self.table = parts, faults, table
        self.chain = _ancestors(table, list(earlier))
        outputs = {output for step in self.chain for output in step.outputs}
        conditions = [c for step in [*self.chain, table] for rule in step.rules for c in rule.conditions]
        self.inputs: dict[str, list[Condition]] = {}
        for condition in conditions:
            if condition.column not in outputs:
                self.inputs.setdefault(condition.column, []).append(condition)

    def findings(self) -> list[Finding]:
        """Return everything wrong with the table."""
        axes = {name: _values(self.parts.columns[name], tests) for name, tests in self.inputs.items()}
        cells = math.prod(len(axis.values) for axis in axes.values())
        if cells > _MAX_CELLS:
            text = f"has {cells:,} combinations, more than {_MAX_CELLS:,}: split it into two tables."
            return [self._finding("not proven", text)]
        self.columns = _grid(axes, cells)
        for step in self.chain:
            choice = step.decide(self.columns, cells)
            for output in step.outputs:
                kind = self.parts.columns[output].kind if output in self.parts.columns else "text"
                self.columns[output] = step.output(output, choice, kind)
        choice = self.table.decide(self.columns, cells)
        false, unknown = self.table.truth(self.columns, cells)
        true = [~no & ~open_ for no, open_ in zip(false, unknown, strict=True)]
        return [*self._uncovered(choice), *self._unreachable(choice, true), *self._conflicts(choice, true)]

    def _uncovered(self, choice: Choice) -> Iterable[Finding]:
        count = len(self.table.rules)
        for row, key, text in (
            (count, "otherwise", "no rule applies"),
            (count + 1, "not_evaluated", "a rule that decides cannot be evaluated"),
        ):
            cells = np.flatnonzero(choice.row == row)
            if len(cells) and getattr(self.table, key) is None:
                message = (
                    f"leaves {len(cells)} combinations without an answer: {text}. Add a rule or `{key}`."
                )
                yield self._finding("uncovered", message, cell=int(cells[0]))

    def _unreachable(self, choice: Choice, true: list[np.ndarray]) -> Iterable[Finding]:
        for position, rule in enumerate(self.table.rules):
            if (choice.row == position).any():
                continue
            cells = np.flatnonzero(true[position])
            if not len(cells):
                yield self._finding(
                    "unreachable",
                    "never decides: its conditions cannot hold. Correct or remove it.",
                    rule.name,
                )
                continue
            cell = int(cells[0])
            winner = int(choice.row[cell])
            if winner > len(self.table.rules):
                winner = int(choice.halted_by[cell])
            other = self.table.rules[winner].name
            text = f"never decides: {other!r} comes first. Remove it or move it up."
            yield self._finding("unreachable", text, rule.name, other, cell)

    def _conflicts(self, choice: Choice, true: list[np.ndarray]) -> Iterable[Finding]:
        rules = self.table.rules
        for i, first in enumerate(rules):
            for j in range(i + 1, len(rules)):
                second = rules[j]
                if first.priority != second.priority or first.outputs == second.outputs:
                    continue
                cells = np.flatnonzero((choice.row == i) & true[j])
                if len(cells):
                    text = f"disagrees with {second.name!r} at equal priority. Give one of them priority."
                    yield self._finding("conflict", text, first.name, second.name, int(cells[0]))

    def _finding(
        self, kind: str, text: str, rule: str = "", other: str = "", cell: int | None = None
    ) -> Finding:
        names = list(dict.fromkeys([*self.inputs, *self.table.reads]))
        example = "" if cell is None else ", ".join(self._show(name, cell) for name in names)
        subject = f"table {self.table.name}" + (f", rule {rule!r}," if rule else "")
        message = f"{subject} {text}" + (f" For example: {example}." if example else "")
        line = self.faults.line(("tables", self.table.name))
        for position, entry in enumerate(self.parts.rule_names.get(self.table.name, ())):
            if entry == rule:
                line = self.faults.line(("tables", self.table.name, "rules", position))
        return Finding(self.table.name, kind, rule, other, example, message, line)

    def _show(self, name: str, cell: int) -> str:
        column = self.columns[name]
        if column.missing[cell]:
            return f"{name} missing"
        value = column.values[cell]
        if column.kind == "text":
            return f"{name} = {column.words[value]}"
        return f"{name} = {('false', 'true')[value]}" if column.kind == "flag" else f"{name} = {value:g}"


def _ancestors(table: DecisionTable, earlier: list[DecisionTable]) -> list[DecisionTable]:
    """Return the earlier tables whose outputs the table reads, directly or through others, in order."""
    wanted = set(table.reads)
    chain = []
    for step in reversed(earlier):
        if wanted & set(step.outputs):
            chain.append(step)
            wanted |= set(step.reads)
    return chain[::-1]


def _values(spec: ColumnType, tests: list[Condition]) -> Column:
    """Return one value of a column for each set of values that no condition tells apart."""
    if spec.kind == "flag":
        return Column("flag", np.array([0, 1, -1], dtype=np.intp))
    if spec.kind == "text":
        named = sorted({word for test in tests for word in test.words or ()})
        rest = [_OTHER] if spec.levels is None else [w for w in spec.levels if w not in named][:1]
        words = tuple(named + rest)
        return Column("text", np.array([*range(len(words)), -1], dtype=np.intp), words)
    cuts = {edge for test in tests for edge in (test.low, test.high) if math.isfinite(edge)}
    inside = sorted({spec.low, spec.high, *cuts} - {-math.inf, math.inf})
    inside = [cut for cut in inside if spec.low <= cut <= spec.high]
    between = [(low + high) / 2 for low, high in itertools.pairwise(inside)]
    ends = [inside[0] - 1, inside[-1] + 1] if inside else [0.0]
    points = [x for x in sorted({*inside, *between, *ends}) if spec.low <= x <= spec.high]
    return Column("number", np.array([*points, np.nan]))


def _grid(axes: dict[str, Column], cells: int) -> Columns:
    """Return every combination of the axes' values, one row each."""
    sizes = [len(axis.values) for axis in axes.values()]
    positions = np.unravel_index(np.arange(cells), sizes) if sizes else ()
    return {
        name: Column(axis.kind, axis.values[rows], axis.words)
        for (name, axis), rows in zip(axes.items(), positions, strict=True)
    }
