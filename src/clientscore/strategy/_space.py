"""Every kind of client that a table can tell apart, found without listing every combination of values.

Values of a column are put in cells that no condition tells apart. Columns are then taken one after the other;
what is kept of a client on the way is only which rules are still possible and which of them cannot be
evaluated, so that combinations which no rule tells apart from there on are one. A rule that holds for certain
ends the question for all behind it. The number of such states is small where the number of combinations is
astronomic.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._rules import Choice, Column, ColumnType, DecisionTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._rules import Condition

#: Rules still possible and rules not evaluated, as bits.
State = tuple[int, int]
_MAX_STATES = 300_000
_OTHER = "(any other)"


@dataclass(frozen=True)
class Step:
    """One column taken, or one earlier table decided: for each cell its column and rows that stand for it."""

    names: tuple[str, ...]
    columns: dict[str, Column]
    false: list[int]
    unknown: list[int]
    count: list[int]
    row: list[int]


@dataclass(frozen=True)
class Kind:
    """Clients that the table treats alike: how many combinations, what decides, which rules hold.

    Rules behind one that holds are not looked at, unless their priority is the same.
    """

    state: State
    count: int
    row: int
    halted_by: int
    true: int


class TooManyStatesError(Exception):
    """The states of a table are too many to be listed."""


class Space:
    """All kinds of clients of one table, together with the tables whose outputs it reads.

    Parameters
    ----------
    table : DecisionTable
    earlier : iterable of DecisionTable
        Tables decided before, in order.
    types : mapping of str to ColumnType
    """

    def __init__(
        self, table: DecisionTable, earlier: Iterable[DecisionTable], types: Mapping[str, ColumnType]
    ) -> None:
        self.table, self.types = table, types
        self.chain = _ancestors(table, list(earlier))
        self.outputs = {output for step in self.chain for output in step.outputs}
        self.rules = [(step, rule) for step in [*self.chain, table] for rule in step.rules]
        self.offset = {
            id(step): [one for one, _ in self.rules].index(step) if step.rules else 0
            for step in [*self.chain, table]
        }
        self.bits = [self._bits(step) for step in [*self.chain, table]]
        self.behind = [self._behind(position) for position in range(len(self.rules))]
        self.tests: dict[str, list[Condition]] = {}
        for _, rule in self.rules:
            for condition in rule.conditions:
                self.tests.setdefault(condition.column, []).append(condition)
        self.steps: list[Step] = []
        self.layers: list[dict[State, tuple[int, State | None, int]]] = []

    def kinds(self, only: int | None = None) -> list[Kind]:
        """Return every kind of client; with `only`, of those for whom this rule of the table holds.

        Raises
        ------
        TooManyStatesError
        """
        start = ((1 << len(self.rules)) - 1, 0)
        self.layers, self.steps = [{start: (1, None, -1)}], []
        self.known: set[str] = set()
        self.complete = 0
        self.must = 0 if only is None else 1 << (self.offset[id(self.table)] + only)
        done: set[str] = set()
        for table in [*self.chain, self.table]:
            for name in table.reads:
                if name not in done and name not in self.outputs:
                    self._advance(self._column_step(name))
                    done.add(name)
            if table is not self.table:
                self._decide(table)
        bits = self._bits(self.table)
        found = []
        for state, (count, _, _) in self.layers[-1].items():
            row, halted_by = self._row(self.table, state)
            true = (state[0] & ~state[1] & bits) >> self.offset[id(self.table)]
            found.append(Kind(state, count, row, halted_by, true))
        return found

    def example(self, kind: Kind) -> dict[str, tuple[Column, int]]:
        """Return one client of a kind: for each column the column and the place of its value."""
        state = kind.state
        client: dict[str, tuple[Column, int]] = {}
        for step, layer in zip(reversed(self.steps), reversed(self.layers[1:]), strict=True):
            _, parent, cell = layer[state]
            client |= {name: (step.columns[name], step.row[cell]) for name in step.names}
            state = parent if parent is not None else state
        return client

    def _advance(self, step: Step) -> None:
        """Take one column for all states."""
        cells = [
            (cell, masks)
            for cell, masks in enumerate(zip(step.false, step.unknown, step.count, strict=True))
            if not (masks[0] | masks[1]) & self.must
        ]
        self.complete |= self._completed_by(step)
        layer: dict[State, tuple[int, State | None, int]] = {}
        for state, (count, _, _) in self.layers[-1].items():
            for cell, (false, unknown, many) in cells:
                alive = self._ended(state[0] & ~false, state[1] | unknown)
                key = (alive, (state[1] | unknown) & alive)
                known = layer.get(key)
                layer[key] = (
                    (count * many, state, cell) if known is None else (known[0] + count * many, *known[1:])
                )
            if len(layer) > _MAX_STATES:
                raise TooManyStatesError
        self.steps.append(step)
        self.layers.append(layer)

    def _decide(self, table: DecisionTable) -> None:
        """Let an earlier table decide: its outputs are known from here on, its rules need no longer be."""
        rows = np.arange(len(table.rules) + 2)
        choice = Choice(rows, np.full(len(rows), -1))
        columns = {}
        for name in table.outputs:
            kind = self.types[name].kind if name in self.types else "text"
            columns[name] = table.output(name, choice, kind)
        false, unknown = self._masks(columns, len(rows))
        bits = self._bits(table)
        step = Step(table.outputs, columns, false, unknown, [1] * len(rows), rows.tolist())
        self.complete |= self._completed_by(step)
        layer: dict[State, tuple[int, State | None, int]] = {}
        for state, (count, _, _) in self.layers[-1].items():
            row, _ = self._row(table, state)
            if (false[row] | unknown[row]) & self.must:
                continue
            alive = self._ended(state[0] & ~false[row] & ~bits, state[1] | unknown[row])
            key = (alive, (state[1] | unknown[row]) & alive)
            known = layer.get(key)
            layer[key] = (count, state, row) if known is None else (known[0] + count, *known[1:])
        self.steps.append(step)
        self.layers.append(layer)

    def _completed_by(self, step: Step) -> int:
        """Return the rules all of whose columns are known after a step."""
        self.known |= set(step.names)
        done = 0
        for bit, (_, rule) in enumerate(self.rules):
            done |= ({one.column for one in rule.conditions} <= self.known) << bit
        return done

    def _ended(self, alive: int, unknown: int) -> int:
        """Drop the rules behind the first that holds for certain, in each table."""
        certain = alive & ~unknown & self.complete
        if not certain:
            return alive
        for bits in self.bits:
            first = certain & bits
            if first:
                alive &= ~self.behind[(first & -first).bit_length() - 1]
        return alive

    def _column_step(self, name: str) -> Step:
        """Return the cells of one column, those that no rule tells apart joined."""
        column = _values(self.types[name], self.tests[name])
        false, unknown = self._masks({name: column}, len(column.values))
        cells: dict[tuple[int, int], list[int]] = {}
        for place, key in enumerate(zip(false, unknown, strict=True)):
            cells.setdefault(key, []).append(place)
        return Step(
            (name,), {name: column}, [key[0] for key in cells], [key[1] for key in cells],
            [len(places) for places in cells.values()], [places[0] for places in cells.values()],
        )  # fmt: skip

    def _masks(self, columns: Mapping[str, Column], n: int) -> tuple[list[int], list[int]]:
        """Return for each place of the columns the rules that are false there, and those not evaluated."""
        false, unknown = [0] * n, [0] * n
        for bit, (_, rule) in enumerate(self.rules):
            for condition in rule.conditions:
                if condition.column not in columns:
                    continue
                no, open_ = condition.evaluate(columns[condition.column])
                for place in np.flatnonzero(no).tolist():
                    false[place] |= 1 << bit
                for place in np.flatnonzero(open_).tolist():
                    unknown[place] |= 1 << bit
        return false, unknown

    def _behind(self, position: int) -> int:
        """Return the rules of one table that come behind a rule, those of its priority apart."""
        table, rule = self.rules[position]
        return sum(
            1 << other
            for other in range(position + 1, len(self.rules))
            if self.rules[other][0] is table and self.rules[other][1].priority != rule.priority
        )

    def _bits(self, table: DecisionTable) -> int:
        return ((1 << len(table.rules)) - 1) << self.offset[id(table)]

    def _row(self, table: DecisionTable, state: State) -> tuple[int, int]:
        """Return the row of the table that holds in a state, and the rule that was not evaluated."""
        alive = state[0] & self._bits(table)
        first = alive & -alive
        if not first:
            return len(table.rules), -1
        position = first.bit_length() - 1 - self.offset[id(table)]
        return (len(table.rules) + 1, position) if state[1] & first else (position, -1)


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
