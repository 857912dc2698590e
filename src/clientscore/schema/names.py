"""Which column of a file is which column of the schema, and which word which level."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clientscore._checks import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Names", "fold", "match_columns"]

_GAPS = re.compile(r"[\s\-/._]+")
_PLAIN_UNIT = re.compile(r"\((元|人民币元|天|日|小时|个|次|月|cny|rmb|days|hours|months)\)$")


def fold(name: object) -> str:
    """Return a name in the form in which names are compared: NFKC, lower case, gaps as ``_``.

    A unit of factor one at the end, such as ``(元)`` or ``(days)``, is dropped; ``(万元)`` is not.
    """
    text = unicodedata.normalize("NFKC", str(name)).strip().casefold()
    return _GAPS.sub("_", _PLAIN_UNIT.sub("", text).strip())


@dataclass(frozen=True)
class Names:
    """What the columns of one table turned out to be.

    Attributes
    ----------
    found : dict of str to str
        Canonical name -> name in the file.
    ignored : dict of str to str
        Name in the file -> why it is not read.
    faults : tuple of str
        Columns that repeat or compete.
    """

    found: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def match_columns(
    present: Iterable[object],
    canonical: Mapping[str, Iterable[str]],
    rename: Mapping[str, str],
) -> Names:
    """Match the columns of a file to the canonical names.

    An explicit rename comes before the canonical name, that before an alias; a column that comes second
    is ignored with a note, two of the same kind are a fault.

    Parameters
    ----------
    present : iterable
        Column names of the file.
    canonical : mapping of str to iterable of str
        Canonical name -> aliases.
    rename : mapping of str to str
        Name in the file -> canonical name.
    """
    columns = [str(column) for column in present]
    faults = [f"column {name!r} appears {n} times" for name, n in _counts(columns).items() if n > 1]
    by_rename = {fold(own): name for own, name in rename.items()}
    by_alias = {fold(alias): name for name, aliases in canonical.items() for alias in (name, *aliases)}
    claims: dict[str, dict[int, list[str]]] = {}
    ignored: dict[str, str] = {}
    for column in dict.fromkeys(columns):
        folded = fold(column)
        target = by_rename.get(folded) or by_alias.get(folded)
        if target is None:
            ignored[column] = _unknown(column, canonical)
            continue
        rank = 0 if folded in by_rename else 1 if column == target else 2
        claims.setdefault(target, {}).setdefault(rank, []).append(column)
    found: dict[str, str] = {}
    for target, ranks in claims.items():
        best = min(ranks)
        found[target] = ranks[best][0]
        if len(ranks[best]) > 1:
            rivals = " and ".join(repr(column) for column in ranks[best])
            faults.append(f"columns {rivals} both stand for {target!r}; keep one, or name it under rename")
        for column in (c for rank in ranks if rank > best for c in ranks[rank]):
            ignored[column] = f"{found[target]!r} is read as {target!r} already"
    return Names(found, ignored, tuple(faults))


def _unknown(column: str, canonical: Mapping[str, Iterable[str]]) -> str:
    """Say that a column is not in the schema, with the nearest name."""
    names = {fold(alias): alias for name, aliases in canonical.items() for alias in (name, *aliases)}
    bare = re.sub(r"\(.*\)$", "", fold(column)).strip("_")
    if bare in names and bare != fold(column):
        return f"not in the schema: it names a unit; convert it and call it {names[bare]!r}"
    return f"not in the schema.{did_you_mean(fold(column), names)}"


def _counts(columns: list[str]) -> dict[str, int]:
    """Count each name."""
    counts: dict[str, int] = {}
    for column in columns:
        counts[column] = counts.get(column, 0) + 1
    return counts
