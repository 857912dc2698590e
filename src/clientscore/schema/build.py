"""Schemas from and to plain data: the default file, a user's file, a saved model."""

from __future__ import annotations

import copy
import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from clientscore._checks import did_you_mean
from clientscore.exceptions import SchemaError

from .coherence import coherence_faults
from .names import fold
from .spec import ColumnSpec, TableSpec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["default_state", "overridden", "parts", "read_toml", "to_state"]

State = dict[str, Any]

_TOP = ("currency", "period", "publication_lag_days", "churn_causes", "events", "tables")
_EVENTS = ("exits", "default", "drawing")
_TABLE = ("key", "time", "unique", "aliases", "rename", "columns")
_USER_TABLE = ("aliases", "rename", "columns")
_COLUMN = tuple(f.name for f in fields(ColumnSpec) if f.name not in ("name", "level_aliases"))


def read_toml(path: Path) -> State:
    """Return the contents of a TOML file; raise `SchemaError` when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(
            f"schema file {path} cannot be opened ({error.strerror}). Check the path."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"schema file {path} is not TOML in UTF-8: {error}.") from None


@functools.cache
def _default() -> State:
    """Read the default file and put its shared columns and words in place."""
    source = importlib.resources.files("clientscore.schema") / "default_schema.toml"
    raw = tomllib.loads(source.read_text(encoding="utf-8"))
    shared = raw.pop("shared")
    for table in raw["tables"].values():
        pillar = table.pop("pillar", "other")
        for name, column in table["columns"].items():
            column.update(shared["columns"].get(column.pop("use", ""), {}))
            if column.get("role", "feature") == "feature":
                column.setdefault("pillar", pillar)
            if "levels" in column:
                column["levels"] = shared["levels"][column["levels"]]
            table["columns"][name] = column
    return raw


def default_state() -> State:
    """Return the default schema as plain data, a fresh copy."""
    return copy.deepcopy(_default())


def parts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `ClientSchema` from plain data.

    Raises
    ------
    SchemaError
        With all faults of all tables and columns.
    """
    result, faults = _parts(given)
    if faults:
        raise SchemaError(f"the schema has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
    return result


def _parts(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what can be built of a schema, and everything that is wrong."""
    faults = _strangers(given, _TOP, "the schema")
    events = _mapping(given.get("events", {}), "events", faults)
    faults += _strangers(events, _EVENTS, "events")
    given_tables = _mapping(given.get("tables", {}), "tables", faults)
    tables = {name: _table(name, table, faults) for name, table in given_tables.items()}
    result: dict[str, Any] = {
        name: given[name] for name in ("currency", "period", "publication_lag_days") if name in given
    }
    if "churn_causes" in given:
        result["churn_causes"] = _words(given["churn_causes"], "churn_causes", faults)
    if "exits" in events:
        result["exit_events"] = dict(_mapping(events["exits"], "events.exits", faults))
    for name in ("default", "drawing"):
        if name in events:
            result[f"{name}_events"] = _words(events[name], f"events.{name}", faults)
    result["tables"] = {name: table for name, table in tables.items() if table is not None}
    broken = "clients" in tables and tables["clients"] is None
    clash = coherence_faults(result)
    return result, faults + [fault for fault in clash if not (broken and "'clients' is missing" in fault)]


def _table(name: str, given: Any, faults: list[str]) -> TableSpec | None:
    """Build one table; add what is wrong to `faults`."""
    where = f"tables.{name}"
    state = _mapping(given, where, faults)
    faults += _strangers(state, _TABLE, where)
    columns = []
    for label, column in _mapping(state.get("columns", {}), f"{where}.columns", faults).items():
        built = _column(label, column, f"{where}.columns.{label}", faults)
        if built is not None:
            columns.append(built)
    times = [column.name for column in columns if column.role == "time"]
    try:
        return TableSpec(
            name=name,
            key=_words(state.get("key", ()), f"{where}.key", faults),
            time=str(state.get("time", times[0] if times else "")),
            columns=tuple(columns),
            unique=_words(state.get("unique", ()), f"{where}.unique", faults),
            aliases=_words(state.get("aliases", ()), f"{where}.aliases", faults),
            rename=_mapping(state.get("rename", {}), f"{where}.rename", faults),
        )
    except SchemaError as error:
        faults += [f"{where}: {fault}" for fault in error.faults]
    return None


def _column(name: str, given: Any, where: str, faults: list[str]) -> ColumnSpec | None:
    """Build one column; add what is wrong to `faults`."""
    state = dict(_mapping(given, where, faults))
    strangers = _strangers(state, _COLUMN, where)
    if strangers or "kind" not in state:
        faults += strangers or [f"{where} needs a kind, such as 'number'"]
        return None
    levels = _mapping(state.pop("levels", {}), f"{where}.levels", faults)
    state["levels"] = tuple(levels)
    state["level_aliases"] = {
        alias: level for level, aliases in levels.items() for alias in _words(aliases, where, faults)
    }
    state["aliases"] = _words(state.get("aliases", ()), f"{where}.aliases", faults)
    try:
        return ColumnSpec(name=name, **state)
    except SchemaError as error:
        faults += [f"{where}: {fault}" for fault in error.faults]
    return None


def to_state(schema: Mapping[str, Any]) -> State:
    """Return the arguments of a `ClientSchema` as plain data."""
    return {
        "currency": schema["currency"],
        "period": schema["period"],
        "publication_lag_days": schema["publication_lag_days"],
        "churn_causes": list(schema["churn_causes"]),
        "events": {
            "exits": dict(schema["exit_events"]),
            "default": list(schema["default_events"]),
            "drawing": list(schema["drawing_events"]),
        },
        "tables": {name: _table_state(table) for name, table in schema["tables"].items()},
    }


def _table_state(table: TableSpec) -> State:
    """Return one table as plain data."""
    return {
        "key": list(table.key),
        "time": table.time,
        "unique": list(table.unique),
        "aliases": list(table.aliases),
        "rename": dict(table.rename),
        "columns": {column.name: _column_state(column) for column in table.columns},
    }


def _column_state(column: ColumnSpec) -> State:
    """Return one column as plain data, without what is unset."""
    state = {name: getattr(column, name) for name in _COLUMN if name not in ("aliases", "levels")}
    state["aliases"] = list(column.aliases)
    state["levels"] = {
        level: [alias for alias, target in column.level_aliases.items() if target == level]
        for level in column.levels
    }
    return {name: value for name, value in state.items() if value is not None}


def overridden(base: State, user: Mapping[str, Any]) -> State:
    """Return `base` changed by a user's file: see `ClientSchema.from_toml`.

    Raises
    ------
    SchemaError
        With all faults of the file.
    """
    faults = _strangers(user, _TOP, "the schema file")
    for name in ("currency", "period", "publication_lag_days", "churn_causes"):
        if name in user:
            base[name] = user[name]
    for name, table in _mapping(user.get("tables", {}), "tables", faults).items():
        if name not in base["tables"]:
            faults.append(f"tables.{name} is no table of the schema.{did_you_mean(name, base['tables'])}")
            continue
        _override_table(base["tables"][name], _mapping(table, f"tables.{name}", faults), name, faults)
    events = _mapping(user.get("events", {}), "events", faults)
    faults += _strangers(events, _EVENTS, "events")
    _override_events(base, events, faults)
    faults += [fault for fault in _parts(base)[1] if fault not in faults]
    if faults:
        raise SchemaError(f"the schema file has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
    return base


def _override_table(base: State, user: Mapping[str, Any], name: str, faults: list[str]) -> None:
    """Change one table in place."""
    where = f"tables.{name}"
    faults += _strangers(user, _USER_TABLE, where)
    base["aliases"] = [*base.get("aliases", []), *_words(user.get("aliases", []), f"{where}.aliases", faults)]
    base["rename"] = dict(_mapping(user.get("rename", {}), f"{where}.rename", faults))
    for label, given in _mapping(user.get("columns", {}), f"{where}.columns", faults).items():
        place = f"{where}.columns.{label}"
        column = _mapping(given, place, faults)
        known = base["columns"].get(label)
        if known is None:
            hint = did_you_mean(label, base["columns"])
            if "kind" not in column:
                faults.append(f"{place} is no column of the schema; a new one needs a kind.{hint}")
            else:
                base["columns"][label] = {"role": "context", **column}
            continue
        for field, value in column.items():
            known[field] = _joined(known.get(field), value, field, place, faults)


def _joined(old: Any, new: Any, field: str, where: str, faults: list[str]) -> Any:
    """Return the new value of a column's field: aliases and levels are added, others replaced."""
    if field == "aliases":
        return [*(old or []), *_words(new, f"{where}.aliases", faults)]
    if field == "levels":
        levels = dict(old or {})
        for level, aliases in _mapping(new, f"{where}.levels", faults).items():
            levels[level] = [*levels.get(level, []), *_words(aliases, f"{where}.levels.{level}", faults)]
        return levels
    return new


def _override_events(base: State, user: Mapping[str, Any], faults: list[str]) -> None:
    """Change the words of events in place; a new word becomes a level of the column ``event``."""
    levels = base["tables"]["events"]["columns"]["event"]["levels"]
    level_of = {fold(alias): level for level, aliases in levels.items() for alias in (*aliases, level)}

    def canonical(word: str) -> str:
        level = level_of.setdefault(fold(word), word)
        levels.setdefault(level, [])
        return str(level)

    if "exits" in user:
        exits = _mapping(user["exits"], "events.exits", faults)
        base["events"]["exits"] = {canonical(word): cause for word, cause in exits.items()}
    for name in ("default", "drawing"):
        if name in user:
            words = _words(user[name], f"events.{name}", faults)
            base["events"][name] = [canonical(word) for word in words]


def _strangers(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> list[str]:
    """List keys that the schema does not know."""
    hints = {key: did_you_mean(str(key), known) for key in given if key not in known}
    return [
        f"{where} does not know {key!r}.{hint or ' Known: ' + ', '.join(known) + '.'}"
        for key, hint in hints.items()
    ]


def _mapping(value: Any, where: str, faults: list[str]) -> Mapping[str, Any]:
    """Return a table of the file, or an empty one and a fault."""
    if isinstance(value, Mapping):
        return value
    faults.append(f"{where} must be a table; got {value!r}")
    return {}


def _words(value: Any, where: str, faults: list[str]) -> tuple[str, ...]:
    """Return a list of text of the file, or an empty one and a fault."""
    if isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value):
        return tuple(value)
    faults.append(f"{where} must be a list of text; got {value!r}")
    return ()
