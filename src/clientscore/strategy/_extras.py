"""Reading the sections around the rules: figures of value, control cells, capacities, examples."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from clientscore.exceptions import InvalidParameterError
from clientscore.value import ValueParameters

from ._capacity import COLUMN_OF
from ._parts import KEYS, SETTINGS, CapacityRule, Control, Example

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._reader import Reader
    from ._rules import ColumnType
    from ._source import Path

#: What `check` compares of an example's plan.
EXPECTED = (
    *("service_layer", "coverage", "sla_hours", "sla_terms_days", "sla_decision_days"),
    *("contact_cadence_days", "products", "reports", "actions"),
)
_LISTS = ("products", "reports", "actions")
_CONTROL_SHARE = 0.05
#: Settings of earlier versions that have moved to the section `value`.
MOVED = ("lgd", "need_spread")


def read_settings(read: Reader, document: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of `settings`, defaults where absent."""
    table = read.table(document, "settings")
    for key in table:
        if key in MOVED:
            read.faults.add(("settings", key), f"has moved. Write it under [value]: {key} = {table[key]!r}.")
    read.keys({k: v for k, v in table.items() if k not in MOVED}, ("settings",), KEYS["settings"])
    head = read.table(document, "policy")
    read.keys(head, ("policy",), KEYS["policy"])
    for key in KEYS["policy"]:
        read.text(head, key, ("policy",))
    return {
        key: read.number(
            table, key, ("settings",), default, high=1.0 if key == "offer_probability" else float("inf")
        )
        for key, default in SETTINGS.items()
    }


def moved(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return an older policy with its figures of value under `value`, where they stand now."""
    document, settings = dict(state), state.get("settings")
    if not isinstance(settings, dict):
        return document
    old = {key: settings[key] for key in MOVED if key in settings}
    if old and "value" not in document:
        document["settings"] = {key: one for key, one in settings.items() if key not in MOVED}
        document["value"] = old
    return document


def read_value(read: Reader, document: Mapping[str, Any]) -> ValueParameters:
    """Return the figures behind the value of a client, defaults where absent."""
    table = read.table(document, "value")
    read.keys(table, ("value",), KEYS["value"])
    good = {}
    for one in fields(ValueParameters):
        if one.name not in table:
            continue
        try:
            good[one.name] = getattr(ValueParameters(**{one.name: table[one.name]}), one.name)
        except InvalidParameterError as error:
            read.faults.add(("value", one.name), error.message.removeprefix(one.name).strip())
    return ValueParameters(**good)


def read_control(read: Reader, document: Mapping[str, Any]) -> Control:
    """Return the control cells."""
    table = read.table(document, "control")
    read.keys(table, ("control",), KEYS["control"])
    share = read.number(table, "share", ("control",), _CONTROL_SHARE, high=1.0)
    return Control(share, read.text(table, "salt", ("control",)))


def read_capacities(read: Reader, document: Mapping[str, Any]) -> tuple[CapacityRule, ...]:
    """Return the capacities, each with exactly one way of saying how much there is."""
    return tuple(_capacity(read, name, table) for name, table in read.tables(document, "capacities").items())


def _capacity(read: Reader, name: str, table: Mapping[str, Any]) -> CapacityRule:
    path: Path = ("capacities", name)
    read.keys(table, path, KEYS["capacities.*"])
    ways = [key for key in ("limit", "limits", "per_client", "per_manager") if key in table]
    if len(ways) != 1:
        said = " and ".join(ways) or "none"
        read.faults.add(path, f"must have exactly one of limit, limits, per_client, per_manager; got {said}.")
    if "limits" in table and "by" not in table:
        read.faults.add(path, "has limits but not `by`. Name the column that holds their groups.")
    if "by" in table and "limit" in table:
        read.faults.add(path, "has one limit for all groups of `by`. Give each its own in `limits`.")
    limits = read.table(table, "limits", path)
    numbers = {
        key: read.number(table, key, path) if key in table else None
        for key in ("limit", "per_client", "per_manager")
    }
    return CapacityRule(
        name,
        uses=read.text(table, "uses", path, COLUMN_OF.get(name, name)),
        by=read.text(table, "by", path) or None,
        limits={group: read.number(limits, group, (*path, "limits")) for group in limits},
        **numbers,
    )


def read_examples(
    read: Reader, document: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> tuple[Example, ...]:
    """Return the examples; whether they hold is for `check` to say."""
    entries = document.get("examples", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        read.faults.add(("examples",), "must be a list of tables, [[examples]].")
        return ()
    examples = []
    for position, entry in enumerate(entries):
        path: Path = ("examples", position)
        read.keys(entry, path, KEYS["examples"])
        client, expect = read.table(entry, "client", path), read.table(entry, "expect", path)
        for name, value in client.items():
            if name not in columns:
                read.faults.unknown((*path, "client", name), "the column", name, columns)
            if not isinstance(value, str | int | float):
                read.faults.add((*path, "client", name), f"must be a word, number or flag; got {value!r}.")
        for name in {"tier", "watch"} - set(client):
            read.faults.add((*path, "client"), f"must give {name}, which every plan needs.")
        read.keys(expect, (*path, "expect"), EXPECTED)
        for name, value in expect.items():
            if not isinstance(value, list if name in _LISTS else str | int | float):
                word = "a list of names" if name in _LISTS else "a word or number"
                read.faults.add((*path, "expect", name), f"must be {word}; got {value!r}.")
        if not expect:
            read.faults.add(path, "expects nothing. Give `expect` with at least one output.")
        wanted = {
            name: "; ".join(map(str, value)) if name in _LISTS and isinstance(value, list) else value
            for name, value in expect.items()
        }
        examples.append(Example(read.text(entry, "name", path, f"example {position + 1}"), client, wanted))
    return tuple(examples)
