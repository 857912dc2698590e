"""Reading decision tables, in an order in which each reads only what is known by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._conditions import parse_conditions
from ._parts import KEYS, OUTPUTS
from ._rules import ColumnType, DecisionTable, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._parts import Item
    from ._reader import Reader
    from ._rules import Kind
    from ._source import Faults, Path


def read_tables(
    read: Reader,
    document: Mapping[str, Any],
    columns: dict[str, ColumnType],
    catalogues: Mapping[str, Mapping[str, Item]],
) -> tuple[DecisionTable, ...]:
    """Return the tables in an order in which each reads only what is known by then."""
    sections = read.tables(document, "tables")
    for output, kind in OUTPUTS.items():
        levels = tuple(catalogues["layers"]) if kind == "layer" else None
        levels = tuple(catalogues["coverage"]) if kind == "coverage" else levels
        items = catalogues["layers"] if kind == "layer" else catalogues["coverage"]
        titles = tuple(items[name].text_zh for name in levels) if levels else None
        if kind != "reports":
            form: Kind = "number" if kind == "number" else "text"
            columns[output] = ColumnType(form, levels=levels, titles_zh=titles)
    tables = [_table(read, name, table, columns, catalogues) for name, table in sections.items()]
    for output in OUTPUTS:
        owners = [table.name for table in tables if output in table.outputs]
        if not owners:
            read.faults.add(("tables",), f"decide everything but {output}. Add it to the outputs of a table.")
        if len(owners) > 1:
            read.faults.add(("tables", owners[1]), f"decides {output}, which {owners[0]} decides too.")
    return _in_order(tables, read.faults)


def _table(
    read: Reader,
    name: str,
    table: Mapping[str, Any],
    columns: Mapping[str, ColumnType],
    catalogues: Mapping[str, Mapping[str, Item]],
) -> DecisionTable:
    path: Path = ("tables", name)
    read.keys(table, path, KEYS["tables.*"])
    outputs = read.names(table, "outputs", path, "the output", OUTPUTS)
    rows: dict[str, dict[str, Any] | None] = {}
    for key in ("not_evaluated", "otherwise"):
        present = key in table
        rows[key] = (
            _row(read, read.table(table, key, path), (*path, key), outputs, catalogues) if present else None
        )
    entries = table.get("rules", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        read.faults.add((*path, "rules"), "must be a list of tables, [[...rules]].")
        entries = []
    ranked = [entry for entry in entries if "priority" in entry]
    if ranked and len(ranked) < len(entries):
        read.faults.add(path, "must give all its rules a priority, or none.")
    rules: list[Rule] = []
    for position, entry in enumerate(entries):
        where = (*path, "rules", position)
        rule = _rule(read, entry, where, position, outputs, columns, catalogues)
        if rule.name in [earlier.name for earlier in rules]:
            read.faults.add((*where, "name"), f"is {rule.name!r}, like an earlier rule. Rename it.")
        rules.append(rule)
    rules.sort(key=lambda rule: rule.priority)
    return DecisionTable(
        name, tuple(rules), tuple(outputs), rows["not_evaluated"], rows["otherwise"], by_priority=bool(ranked)
    )


def _rule(
    read: Reader,
    entry: Mapping[str, Any],
    path: Path,
    position: int,
    outputs: Sequence[str],
    columns: Mapping[str, ColumnType],
    catalogues: Mapping[str, Mapping[str, Item]],
) -> Rule:
    read.keys(entry, path, KEYS["tables.*.rules"])
    name = read.text(entry, "name", path, f"rule {position + 1}")
    conditions = parse_conditions(entry.get("when", {}), (*path, "when"), columns, read.faults)
    then = _row(read, read.table(entry, "then", path), (*path, "then"), outputs, catalogues)
    priority = int(read.number(entry, "priority", path, float(position)))
    return Rule(name, read.text(entry, "name_zh", path, name), priority, conditions, then)


def _row(
    read: Reader,
    row: Mapping[str, Any],
    path: Path,
    outputs: Sequence[str],
    catalogues: Mapping[str, Mapping[str, Item]],
) -> dict[str, Any]:
    """Check one row of outputs."""
    read.keys(row, path, outputs)
    checked: dict[str, Any] = {}
    for output in outputs:
        kind = OUTPUTS[output]
        if output not in row:
            read.faults.add(path, f"must give {output}.")
        elif kind == "number":
            checked[output] = read.number(row, output, path)
        elif kind == "reports":
            checked[output] = "; ".join(read.names(row, output, path, "the report", catalogues["reports"]))
        else:
            section = "layers" if kind == "layer" else "coverage"
            checked[output] = str(row[output])
            if checked[output] not in catalogues[section]:
                read.faults.unknown((*path, output), f"the {kind}", checked[output], catalogues[section])
    return checked


def _in_order(tables: list[DecisionTable], faults: Faults) -> tuple[DecisionTable, ...]:
    """Sort tables so that each comes after those whose outputs it reads; a circle is a fault."""
    ordered: list[DecisionTable] = []
    waiting = list(tables)
    while waiting:
        open_ = {output for table in waiting for output in table.outputs}
        ready = [table for table in waiting if not open_ & set(table.reads)]
        if not ready:
            names = ", ".join(table.name for table in waiting)
            faults.add(
                ("tables", waiting[0].name), f"is part of a circle: {names} read each other's outputs."
            )
            return tuple(ordered + waiting)
        ordered += ready
        waiting = [table for table in waiting if table not in ready]
    return tuple(ordered)
