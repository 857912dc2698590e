"""From a policy document to its checked parts; every fault is noted, none stops the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from ._conditions import parse_conditions
from ._extras import read_capacities, read_control, read_examples, read_settings, read_value
from ._parts import KEYS, Action, ActionKind, Blocked, Guardrail, Item, Parts
from ._reader import Reader
from ._rules import COLUMNS, ColumnType
from ._tables import read_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._source import Faults, Path


def parse(document: Mapping[str, Any], faults: Faults) -> Parts:
    """Check the whole document and return its parts; the caller raises what `faults` has collected."""
    read = Reader(faults)
    read.keys(document, (), KEYS[""])
    columns = _columns(read, document)
    catalogues = {
        name: _items(read, document, name) for name in ("layers", "coverage", "reports", "products")
    }
    for name in ("layers", "products", "coverage", "reports"):
        if not catalogues[name]:
            faults.add((name,), "must name at least one. Copy the section from the default policy.")
    settings = read_settings(read, document)
    tables = read_tables(read, document, columns, catalogues)
    families = _families(read, document)
    guardrails = tuple(
        _guardrail(read, name, table, columns, catalogues["products"])
        for name, table in read.tables(document, "guardrails").items()
    )
    actions = tuple(
        _action(read, name, table, columns, families)
        for name, table in read.tables(document, "actions").items()
    )
    industries, segments, everyday = _product_map(read, document, catalogues["products"])
    return Parts(
        settings, _one_per_kind(read, document), read_value(read, document), read_control(read, document),
        read_capacities(read, document), columns, **catalogues, industries=industries, segments=segments,
        everyday=everyday, guardrails=guardrails, families=families, actions=actions, tables=tables,
        rule_names=_rule_names(document), examples=read_examples(read, document, columns),
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


def _one_per_kind(read: Reader, document: Mapping[str, Any]) -> bool:
    table = {"one_action_per_kind": True} | read.table(document, "settings")
    return read.flag(table, "one_action_per_kind", ("settings",))


def _columns(read: Reader, document: Mapping[str, Any]) -> dict[str, ColumnType]:
    """Return the known columns, with those that the policy declares itself."""
    columns = dict(COLUMNS)
    for name, table in read.tables(document, "columns").items():
        path: Path = ("columns", name)
        read.keys(table, path, KEYS["columns.*"])
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


_WORDS = ("text", "text_zh", "purposes")


def _items(read: Reader, document: Mapping[str, Any], section: str) -> dict[str, Item]:
    items = {}
    for name, table in read.tables(document, section).items():
        path: Path = (section, name)
        numbers = sorted(set(KEYS[f"{section}.*"]) - {*_WORDS})
        lists = ["purposes"] if section == "products" else []
        read.keys(table, path, KEYS[f"{section}.*"])
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
    read.keys(section, ("product_map",), KEYS["product_map"])
    maps: dict[str, dict[str, list[str]]] = {}
    for key in KEYS["product_map"]:
        table, path = read.table(section, key, ("product_map",)), ("product_map", key)
        maps[key] = {name: read.names(table, name, path, "the product", products) for name in table}
    read.keys(maps["everyday"], ("product_map", "everyday"), KEYS["product_map.everyday"])
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
    read: Reader,
    name: str,
    table: Mapping[str, Any],
    columns: Mapping[str, ColumnType],
    products: Mapping[str, Item],
) -> Guardrail:
    path: Path = ("guardrails", name)
    read.keys(table, path, KEYS["guardrails.*"])
    allow = parse_conditions(table.get("allow", {}), (*path, "allow"), columns, read.faults)
    known = (*get_args(Blocked), *products)
    blocks = read.names(table, "blocks", path, "what can be blocked:", known)
    if not allow or not blocks:
        read.faults.add(path, "must say what to `allow` and what it `blocks`.")
    text = read.text(table, "text", path, name)
    text_zh = read.text(table, "text_zh", path, text)
    return Guardrail(name, allow, tuple(blocks), read.flag(table, "optional", path), text, text_zh)


def _action(
    read: Reader,
    name: str,
    table: Mapping[str, Any],
    columns: Mapping[str, ColumnType],
    families: Mapping[str, Any],
) -> Action:
    path: Path = ("actions", name)
    read.keys(table, path, KEYS["actions.*"])
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
        contacts=read.number(table, "contacts", path, float(kind in ("retention", "growth"))),
        cost_amount=read.number(table, "cost_amount", path),
        churn_effects={family: read.number(effects, family, where, high=1.0) for family in effects},
        **{key: read.number(table, key, path, high=1.0) for key in shares},
    )
