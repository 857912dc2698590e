"""Taking values out of a policy document by key; every one that breaks its rule is noted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._source import Faults, Path


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
