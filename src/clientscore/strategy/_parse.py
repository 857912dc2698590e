"""From a policy document to its checked parts; every fault is noted, none stops the reading."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from ._conditions import parse_conditions
from ._rules import COLUMNS, ColumnType, Condition, DecisionTable, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._source import Faults, Path

ActionKind = Literal["retention", "growth", "risk", "compliance"]
Blocked = Literal["products", "growth", "retention", "risk"]

#: Settings and their defaults.
SETTINGS: dict[str, float] = {
    "stake_years": 3.0,
    "hour_cost_amount": 400.0,
    "lgd": 0.4,
    "need_spread": 0.02,
    "need_years": 2.5,
    "offer_probability": 0.25,
    "max_actions": 1,
}

#: What the tables together must decide, each exactly once.
OUTPUTS: dict[str, str] = {
    "service_layer": "layer",
    "coverage": "coverage",
    "reports": "reports",
    "sla_hours": "number",
    "sla_terms_days": "number",
    "sla_decision_days": "number",
    "contact_cadence_days": "number",
    "review_days": "number",
}

_SECTIONS = (
    *("policy", "settings", "columns", "layers", "coverage", "reports", "tables", "products"),
    *("product_map", "guardrails", "driver_families", "actions"),
)


@dataclass(frozen=True)
class Item:
    """Anything with a name in two languages: a coverage model, a report, a product, a layer."""

    text: str
    text_zh: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Guardrail:
    """What must hold before something is offered."""

    name: str
    allow: tuple[Condition, ...]
    blocks: tuple[str, ...]
    optional: bool
    text: str
    text_zh: str


@dataclass(frozen=True)
class Action:
    """Something the bank can do for a client, what it costs and what it is expected to bring."""

    name: str
    kind: str
    text: str
    text_zh: str
    when: tuple[Condition, ...]
    required: bool
    hours: float
    cost_amount: float
    cost_value_share: float
    churn_effects: dict[str, float]
    win_uplift: float
    loss_reduction: float
    recovery_share: float


@dataclass(frozen=True)
class Parts:
    """The checked parts of a policy."""

    settings: dict[str, float]
    columns: dict[str, ColumnType]
    layers: dict[str, Item]
    coverage: dict[str, Item]
    reports: dict[str, Item]
    products: dict[str, Item]
    industries: dict[str, list[str]]
    segments: dict[str, list[str]]
    everyday: list[str]
    guardrails: tuple[Guardrail, ...]
    families: dict[str, list[str]]
    actions: tuple[Action, ...]
    tables: tuple[DecisionTable, ...]
    rule_names: dict[str, list[str]]


class Reader:
    """Takes values out of a document by key, noting every one that breaks its rule."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def table(self, owner: Mapping[str, Any], key: str, path: Path = ()) -> dict[str, Any]:
        """Return a sub-table, empty where absent."""
        value = owner.get(key, {})
        if not isinstance(value, dict):
            self.faults.add((*path, key), f"must be a table; got {value!r}.")
            return {}
        return value

    def tables(self, owner: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
        """Return a table of tables in the order of their names, which survives every storage."""
        section = self.table(owner, key)
        return {name: self.table(section, name, (key,)) for name in sorted(section)}

    def keys(self, table: Mapping[str, Any], path: Path, allowed: Sequence[str]) -> None:
        """Note keys that mean nothing."""
        for key in table:
            if key not in allowed:
                self.faults.unknown((*path, key), "the key", key, allowed)

    def text(self, table: Mapping[str, Any], key: str, path: Path, default: str = "") -> str:
        """Return a text."""
        value = table.get(key, default)
        if not isinstance(value, str):
            self.faults.add((*path, key), f"must be text; got {value!r}.")
            return default
        return value

    def flag(self, table: Mapping[str, Any], key: str, path: Path) -> bool:
        """Return a flag, false where absent."""
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.faults.add((*path, key), f"must be true or false; got {value!r}.")
        return value is True

    def number(
        self, table: Mapping[str, Any], key: str, path: Path, default: float = 0.0, high: float = float("inf")
    ) -> float:
        """Return a number of at least zero."""
        value = table.get(key, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not (0 <= value <= high and value < math.inf)
        ):
            limit = "of at least 0" if high == float("inf") else f"in [0, {high:g}]"
            self.faults.add((*path, key), f"must be a number {limit}; got {value!r}.")
            return default
        return float(value)

    def names(self, table: Mapping[str, Any], key: str, path: Path, kind: str, known: Any) -> list[str]:
        """Return a list of names, each of which must exist."""
        value = table.get(key, [])
        if not isinstance(value, list):
            self.faults.add((*path, key), f"must be a list of names; got {value!r}.")
            return []
        for name in value:
            if not isinstance(name, str) or name not in known:
                self.faults.unknown((*path, key), kind, name, map(str, known))
        twice = sorted({str(name) for name in value if value.count(name) > 1})
        if twice:
            self.faults.add((*path, key), f"names {', '.join(twice)} twice. Remove one.")
        return [name for name in value if isinstance(name, str) and name in known]


def parse(document: Mapping[str, Any], faults: Faults) -> Parts:
    """Check the whole document and return its parts; the caller raises what `faults` has collected."""
    read = Reader(faults)
    read.keys(document, (), _SECTIONS)
    columns = _columns(read, document)
    catalogues = {
        name: _items(read, document, name) for name in ("layers", "coverage", "reports", "products")
    }
    for name in ("layers", "products", "coverage", "reports"):
        if not catalogues[name]:
            faults.add((name,), "must name at least one. Copy the section from the default policy.")
    settings = _settings(read, document)
    tables = _tables(read, document, columns, catalogues)
    families = _families(read, document)
    guardrails = tuple(
        _guardrail(read, name, table, columns) for name, table in read.tables(document, "guardrails").items()
    )
    actions = tuple(
        _action(read, name, table, columns, families)
        for name, table in read.tables(document, "actions").items()
    )
    industries, segments, everyday = _product_map(read, document, catalogues["products"])
    return Parts(
        settings, columns, **catalogues, industries=industries, segments=segments, everyday=everyday,
        guardrails=guardrails, families=families, actions=actions, tables=tables,
        rule_names=_rule_names(document),
    )  # fmt: skip


def _rule_names(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the rules in the order of the file, which the priorities may change."""
    tables = document.get("tables")
    names: dict[str, list[str]] = {}
    for name, table in (tables if isinstance(tables, dict) else {}).items():
        rules = table.get("rules", []) if isinstance(table, dict) else []
        entries = rules if isinstance(rules, list) else []
        names[name] = [
            str(entry.get("name", f"rule {i + 1}")) if isinstance(entry, dict) else ""
            for i, entry in enumerate(entries)
        ]
    return names


def _settings(read: Reader, document: Mapping[str, Any]) -> dict[str, float]:
    table = read.table(document, "settings")
    read.keys(table, ("settings",), list(SETTINGS))
    head = read.table(document, "policy")
    read.keys(head, ("policy",), ["name", "version"])
    for key in ("name", "version"):
        read.text(head, key, ("policy",))
    shares = ("lgd", "need_spread", "offer_probability")
    return {
        key: read.number(table, key, ("settings",), default, high=1.0 if key in shares else float("inf"))
        for key, default in SETTINGS.items()
    }


def _columns(read: Reader, document: Mapping[str, Any]) -> dict[str, ColumnType]:
    """Return the known columns, with those that the policy declares itself."""
    columns = dict(COLUMNS)
    for name, table in read.tables(document, "columns").items():
        path: Path = ("columns", name)
        read.keys(table, path, ["kind", "levels", "low", "high"])
        known = COLUMNS.get(name)
        kind = table.get("kind", known.kind if known else None)
        if kind not in ("number", "text", "flag"):
            read.faults.add((*path, "kind"), f"must be one of 'number', 'text', 'flag'; got {kind!r}.")
            continue
        levels = table.get("levels")
        low, high = table.get("low", -float("inf")), table.get("high", float("inf"))
        if not all(isinstance(edge, int | float) for edge in (low, high)) or low > high:
            read.faults.add(path, f"must have numbers low <= high; got {low!r} and {high!r}.")
            continue
        columns[name] = ColumnType(kind, low, high, tuple(map(str, levels)) if levels else None)
    return columns


_ITEM_KEYS = {
    "layers": {"rank", "max_products"},
    "coverage": {"clients_per_manager"},
    "reports": {"interval_days"},
    "products": set(),
}


def _items(read: Reader, document: Mapping[str, Any], section: str) -> dict[str, Item]:
    items = {}
    for name, table in read.tables(document, section).items():
        path: Path = (section, name)
        numbers = sorted(_ITEM_KEYS[section])
        lists = ["purposes"] if section == "products" else []
        read.keys(table, path, ["text", "text_zh", *numbers, *lists])
        more: dict[str, Any] = {key: read.number(table, key, path) for key in numbers}
        for key in lists:
            more[key] = read.names(table, key, path, "the purpose", COLUMNS["need_purpose"].levels)
        text = read.text(table, "text", path, name.replace("_", " "))
        items[name] = Item(text, read.text(table, "text_zh", path, text), more)
    return items


def _product_map(
    read: Reader, document: Mapping[str, Any], products: Mapping[str, Item]
) -> tuple[dict[str, list[str]], dict[str, list[str]], list[str]]:
    """Return products by industry, by segment and for every day; a product in none of them is a fault."""
    section = read.table(document, "product_map")
    read.keys(section, ("product_map",), ["industries", "segments", "everyday"])
    maps: dict[str, dict[str, list[str]]] = {}
    for key in ("industries", "segments", "everyday"):
        table, path = read.table(section, key, ("product_map",)), ("product_map", key)
        maps[key] = {name: read.names(table, name, path, "the product", products) for name in table}
    read.keys(maps["everyday"], ("product_map", "everyday"), ["products"])
    placed = {name for table in maps.values() for names in table.values() for name in names}
    for name in products:
        if name not in placed:
            read.faults.add(
                ("products", name), "is offered to no industry. Add it to product_map or remove it."
            )
    if "other" not in maps["industries"]:
        read.faults.add(
            ("product_map", "industries"), "must have a list `other` for industries it does not name."
        )
    return maps["industries"], maps["segments"], maps["everyday"].get("products", [])


def _families(read: Reader, document: Mapping[str, Any]) -> dict[str, list[str]]:
    table = read.table(document, "driver_families")
    families: dict[str, list[str]] = {}
    for name in sorted(table):
        words = table[name]
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            read.faults.add(
                ("driver_families", name), f"must be a list of beginnings of names; got {words!r}."
            )
            continue
        for other, taken in families.items():
            for word in set(words) & set(taken):
                read.faults.add(("driver_families", name), f"holds {word!r}, which {other} holds too.")
        families[name] = words
    return families


def _guardrail(
    read: Reader, name: str, table: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Guardrail:
    path: Path = ("guardrails", name)
    read.keys(table, path, ["allow", "blocks", "optional", "text", "text_zh"])
    allow = parse_conditions(table.get("allow", {}), (*path, "allow"), columns, read.faults)
    blocks = read.names(table, "blocks", path, "what can be blocked:", get_args(Blocked))
    if not allow or not blocks:
        read.faults.add(path, "must say what to `allow` and what it `blocks`.")
    text = read.text(table, "text", path, name)
    text_zh = read.text(table, "text_zh", path, text)
    return Guardrail(name, allow, tuple(blocks), read.flag(table, "optional", path), text, text_zh)


_ACTION_KEYS = (
    *("kind", "text", "text_zh", "when", "required", "hours", "cost_amount", "cost_value_share"),
    *("churn_effects", "win_uplift", "loss_reduction", "recovery_share"),
)


def _action(
    read: Reader,
    name: str,
    table: Mapping[str, Any],
    columns: Mapping[str, ColumnType],
    families: Mapping[str, Any],
) -> Action:
    path: Path = ("actions", name)
    read.keys(table, path, _ACTION_KEYS)
    kind = table.get("kind")
    if kind not in get_args(ActionKind):
        read.faults.add((*path, "kind"), f"must be one of {', '.join(get_args(ActionKind))}; got {kind!r}.")
    effects = read.table(table, "churn_effects", path)
    for family in effects:
        if family not in families and family != "any":
            read.faults.unknown(
                (*path, "churn_effects", family), "the driver family", family, [*families, "any"]
            )
    where = (*path, "churn_effects")
    text = read.text(table, "text", path, name.replace("_", " "))
    shares = ("cost_value_share", "win_uplift", "loss_reduction", "recovery_share")
    return Action(
        name=name,
        kind=str(kind),
        text=text,
        text_zh=read.text(table, "text_zh", path, text),
        when=parse_conditions(table.get("when", {}), (*path, "when"), columns, read.faults),
        required=read.flag(table, "required", path),
        hours=read.number(table, "hours", path),
        cost_amount=read.number(table, "cost_amount", path),
        churn_effects={family: read.number(effects, family, where, high=1.0) for family in effects},
        **{key: read.number(table, key, path, high=1.0) for key in shares},
    )


def _tables(
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
        if kind != "reports":
            columns[output] = ColumnType("number" if kind == "number" else "text", levels=levels)
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
    read.keys(table, path, ["outputs", "rules", "not_evaluated", "otherwise"])
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
    read.keys(entry, path, ["name", "name_zh", "priority", "when", "then"])
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
