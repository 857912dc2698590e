"""What a schema is made of: columns and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from clientscore._checks import did_you_mean
from clientscore.catalogue import Pillar
from clientscore.exceptions import SchemaError

from .names import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ColumnSpec", "TableSpec", "shared_aliases"]

Kind = Literal["id", "text", "category", "number", "flag", "date", "month"]
Role = Literal["id", "time", "feature", "context", "outcome"]
Unit = Literal["", "amount", "fraction", "ratio", "count", "points", "days", "hours", "months"]


@dataclass(frozen=True)
class ColumnSpec:
    """One column of a table.

    Parameters
    ----------
    name : str
        Canonical name.
    kind : {"id", "text", "category", "number", "flag", "date", "month"}
        What a cell holds. Ids are text, byte for byte; a month is any of its days, stored as the first.
    role : {"id", "time", "feature", "context", "outcome"}, default "feature"
        What the column is for. A column of role ``time`` may not lie after `as_of`.
    pillar : {"financial", "credit", "market", "relationship", "other"}, default "other"
        The part of the score it feeds.
    unit : str, default ""
        One of ``amount`` (the schema's currency), ``fraction``, ``ratio``, ``count``, ``points``, ``days``,
        ``hours``, ``months``, or empty.
    low, high : float, default None
        Range of a number, both ends included; None is no limit.
    required : bool, default False
        Whether the table must have the column.
    nullable : bool, default True
        Whether a cell may be missing.
    aliases : tuple of str, default ()
        Other names of the column.
    levels : tuple of str, default ()
        Known words of a category; another word is kept and counted in a note. Empty: any word.
    level_aliases : mapping of str to str, default {}
        Other word -> level.

    Raises
    ------
    SchemaError
        When a value lies outside its rule; all faults are listed.
    """

    name: str
    kind: Kind
    role: Role = "feature"
    pillar: Pillar = "other"
    unit: Unit = ""
    low: float | None = None
    high: float | None = None
    required: bool = False
    nullable: bool = True
    aliases: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    level_aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = (("kind", Kind), ("role", Role), ("pillar", Pillar), ("unit", Unit))
        faults = []
        for label, allowed in options:
            value = getattr(self, label)
            if value not in get_args(allowed):
                listed = ", ".join(repr(option) for option in get_args(allowed))
                faults.append(f"{label} must be one of {listed}; got {value!r}")
        limits = [limit for limit in (self.low, self.high) if limit is not None]
        if not all(isinstance(limit, (int, float)) and not isinstance(limit, bool) for limit in limits):
            faults.append(f"low and high must be numbers; got {self.low!r}, {self.high!r}")
        elif limits and self.kind != "number":
            faults.append(f"low and high are for numbers; {self.name!r} is of kind {self.kind!r}")
        elif len(limits) == 2 and not limits[0] <= limits[1]:
            faults.append(f"low must not exceed high; got {limits[0]}, {limits[1]}")
        if not isinstance(self.required, bool) or not isinstance(self.nullable, bool):
            faults.append(
                f"required and nullable must be true or false; got {self.required!r}, {self.nullable!r}"
            )
        if self.levels and self.kind != "category":
            faults.append(f"levels are for categories; {self.name!r} is of kind {self.kind!r}")
        stray = sorted(set(self.level_aliases.values()) - set(self.levels))
        if stray:
            faults.append(f"level_aliases lead to unknown levels {', '.join(map(repr, stray))}")
        if faults:
            raise SchemaError(f"column {self.name!r} of the schema is wrong.", faults)

    def words(self) -> dict[str, str]:
        """Return every known word, in the form in which words are compared, with its level."""
        own = {fold(level): level for level in self.levels}
        return {fold(alias): level for alias, level in self.level_aliases.items()} | own


@dataclass(frozen=True)
class TableSpec:
    """One table: its key, its time and its columns.

    Parameters
    ----------
    name : str
        Canonical name.
    key : tuple of str
        Columns that name a row.
    time : str
        The column by which the table is dated; empty where it has none.
    columns : tuple of ColumnSpec
        All columns.
    unique : tuple of str, default ()
        Columns in which no two rows may agree; empty means `key`.
    aliases : tuple of str, default ()
        Other names of the table.
    rename : mapping of str to str, default {}
        Name in the user's file -> canonical name; comes before canonical names and aliases.
    """

    name: str
    key: tuple[str, ...]
    time: str
    columns: tuple[ColumnSpec, ...]
    unique: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.names
        faults = [f"column {name!r} is declared twice" for name in {n for n in names if names.count(n) > 1}]
        used = (*self.key, *self.unique, *([self.time] if self.time else []))
        faults += [
            f"key, unique or time names {name!r}, which is no column" for name in used if name not in names
        ]
        for own, target in self.rename.items():
            if target not in names:
                faults.append(f"rename of {own!r}: {target!r} is no column.{did_you_mean(target, names)}")
        faults += shared_aliases({column.name: column.aliases for column in self.columns}, "column")
        if faults:
            raise SchemaError(f"table {self.name!r} of the schema is wrong.", faults)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> ColumnSpec:
        """Return the column called `name`; raise `SchemaError` with the nearest name if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"table {self.name!r} has no column {name!r}.{did_you_mean(name, self.names)}")


def shared_aliases(aliases: Mapping[str, Iterable[str]], what: str) -> list[str]:
    """List aliases that would mean two things."""
    owner: dict[str, str] = {}
    claims = [
        (folded, name)
        for name, others in aliases.items()
        for folded in dict.fromkeys(fold(word) for word in (name, *others))
    ]
    return [
        f"{folded!r} would name both {what} {owner[folded]!r} and {what} {name!r}"
        for folded, name in claims
        if owner.setdefault(folded, name) != name
    ]
