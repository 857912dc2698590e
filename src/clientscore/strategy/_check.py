"""Proof by trying every kind of client that a table can tell apart, missing values too."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from clientscore.exceptions import PolicyError

from ._space import Kind, Space, TooManyStatesError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._parts import Parts
    from ._rules import Column, DecisionTable
    from ._source import Faults

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
    """All kinds of clients of one table, and what is wrong with how they are treated."""

    def __init__(
        self, parts: Parts, faults: Faults, table: DecisionTable, earlier: Iterable[DecisionTable]
    ) -> None:
        self.parts, self.faults, self.table = parts, faults, table
        self.space = Space(table, earlier, parts.columns)

    def findings(self) -> list[Finding]:
        """Return everything wrong with the table."""
        try:
            kinds = self.space.kinds()
        except TooManyStatesError:
            text = "tells too many kinds of clients apart to try them all: split it into two tables."
            return [self._finding("not proven", text)]
        found = [*self._uncovered(kinds), *self._conflicts(kinds)]
        return [*found, *self._unreachable(kinds)]  # last: its questions forget the kinds

    def _uncovered(self, kinds: list[Kind]) -> Iterable[Finding]:
        count = len(self.table.rules)
        for row, key, text in (
            (count, "otherwise", "no rule applies"),
            (count + 1, "not_evaluated", "a rule that decides cannot be evaluated"),
        ):
            found = [kind for kind in kinds if kind.row == row]
            if found and getattr(self.table, key) is None:
                many = sum(kind.count for kind in found)
                message = f"leaves {many:,} combinations without an answer: {text}. Add a rule or `{key}`."
                yield self._finding("uncovered", message, kind=found[0])

    def _unreachable(self, kinds: list[Kind]) -> Iterable[Finding]:
        deciding = {kind.row for kind in kinds}
        for position, rule in enumerate(self.table.rules):
            if position in deciding:
                continue
            holding = next(iter(self.space.kinds(only=position)), None)
            if holding is None:
                text = "never decides: its conditions cannot hold. Correct or remove it."
                yield self._finding("unreachable", text, rule.name)
                continue
            winner = holding.halted_by if holding.row > len(self.table.rules) else holding.row
            other = self.table.rules[winner].name
            text = f"never decides: {other!r} comes first. Remove it or move it up."
            yield self._finding("unreachable", text, rule.name, other, holding)

    def _conflicts(self, kinds: list[Kind]) -> Iterable[Finding]:
        rules = self.table.rules
        rivals = {
            i: sum(
                1 << j
                for j in range(i + 1, len(rules))
                if rules[j].priority == first.priority and rules[j].outputs != first.outputs
            )
            for i, first in enumerate(rules)
        }
        found: dict[tuple[int, int], Kind] = {}
        for kind in kinds:
            both = kind.true & rivals.get(kind.row, 0)
            while both:
                j = (both & -both).bit_length() - 1
                found.setdefault((kind.row, j), kind)
                both &= both - 1
        for (i, j), kind in sorted(found.items()):
            text = f"disagrees with {rules[j].name!r} at equal priority. Give one of them priority."
            yield self._finding("conflict", text, rules[i].name, rules[j].name, kind)

    def _finding(
        self, what: str, text: str, rule: str = "", other: str = "", kind: Kind | None = None
    ) -> Finding:
        client = {} if kind is None else self.space.example(kind)
        names = [name for name in self.space.tests if name in client]
        example = ", ".join(_show(name, *client[name]) for name in names)
        subject = f"table {self.table.name}" + (f", rule {rule!r}," if rule else "")
        message = f"{subject} {text}" + (f" For example: {example}." if example else "")
        line = self.faults.line(("tables", self.table.name))
        for position, entry in enumerate(self.parts.rule_names.get(self.table.name, ())):
            if entry == rule:
                line = self.faults.line(("tables", self.table.name, "rules", position))
        return Finding(self.table.name, what, rule, other, example, message, line)


def _show(name: str, column: Column, place: int) -> str:
    if column.missing[place]:
        return f"{name} missing"
    value = column.values[place]
    if column.kind == "text":
        return f"{name} = {column.words[value]}"
    return f"{name} = {('false', 'true')[value]}" if column.kind == "flag" else f"{name} = {value:.12g}"
