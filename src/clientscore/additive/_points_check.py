"""Check a points table as written: every gap, overlap, repetition and missing decision, all at once."""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import did_you_mean
from clientscore.exceptions import InvalidParameterError
from clientscore.scale import ScoreScale

from ._bins import FeatureBins
from ._edit import signature_faults

if TYPE_CHECKING:
    from ._bins import RowKind
    from ._points_text import RawFeature, RawRow, RawTable

_WORDS = ("worst", "best", "refuse")
Checked = tuple[FeatureBins, tuple[float, ...], str]


def checked(raw: RawTable, faults: list[str]) -> tuple[dict[str, Any], list[Checked]]:
    """Return the head and the features of a table; append everything that is wrong to `faults`."""
    meta = _head(raw.meta, faults)
    if not raw.features:
        faults.append("The table has no features.")
    found = [_feature(one, faults) for one in raw.features.values()]
    return meta, [one for one in found if one is not None]


def _head(meta: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    date = meta.get("date", "")
    date = date.isoformat() if isinstance(date, dt.date) else date
    author, why = meta.get("author", ""), meta.get("why", "")
    told = signature_faults(author, why, date)
    faults += [fault.replace("by must", "author must").replace("when must", "date must") for fault in told]
    title, start = meta.get("title", ""), meta.get("start_points", 0.0)
    if not isinstance(title, str):
        faults.append(f"title must be text; got {title!r}.")
    if not _is_number(start):
        faults.append(f"start_points must be a finite number; got {start!r}.")
        start = 0.0
    scale = _scale(meta.get("scale", {}), faults)
    return {
        "scale": scale,
        "author": author,
        "date": date,
        "why": why,
        "title": title,
        "start_points": float(start),
    }


def _scale(given: Any, faults: list[str]) -> ScoreScale:
    known = ScoreScale().to_dict()
    if not isinstance(given, dict):
        faults.append(f"scale must be a table of {', '.join(known)}; got {given!r}.")
        return ScoreScale()
    unknown = [key for key in given if key not in known]
    faults += [f"scale has no key {key!r}.{did_you_mean(key, known)}" for key in unknown]
    try:
        return ScoreScale(**{key: value for key, value in given.items() if key in known})
    except InvalidParameterError as error:
        faults.append(f"scale: {error}")
        return ScoreScale()


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _feature(raw: RawFeature, faults: list[str]) -> Checked | None:
    """Return bins, points and reason of one feature, None where it has faults."""
    start = len(faults)
    groups: dict[str, list[RawRow]] = {}
    for row in raw.rows:
        groups.setdefault(row.kind, []).append(row)
        _points_fault(row, faults)
    if not raw.name.strip():
        faults.append(f"{raw.where}: the feature needs a name.")
    if not isinstance(raw.reason, str):
        faults.append(f"{raw.where}: reason must be text; got {raw.reason!r}.")
    intervals, levels = groups.get("interval", []), groups.get("level", [])
    if bool(intervals) == bool(levels):
        faults.append(
            f"{raw.where} needs rows of values, intervals or levels, not both; got {len(intervals)} and "
            f"{len(levels)}."
        )
        return None
    bounded = _interval_faults(raw, intervals, faults) if intervals else False
    _level_faults(levels, faults)
    _special_faults(raw, groups.get("special", []), bool(levels), faults)
    _odd_faults(raw, groups, category=bool(levels), bounded=bounded, faults=faults)
    return _built(raw, groups, bounded) if len(faults) == start else None


def _points_fault(row: RawRow, faults: list[str]) -> None:
    odd = row.kind not in ("interval", "level")
    if _is_number(row.points) or (odd and row.points in _WORDS):
        return
    words = f", or {', '.join(map(repr, _WORDS))}" if odd else ""
    hint = did_you_mean(row.points, _WORDS) if odd and isinstance(row.points, str) else ""
    faults.append(f"{row.where}: points must be a finite number{words}; got {row.points!r}.{hint}")


def _interval_faults(raw: RawFeature, rows: list[RawRow], faults: list[str]) -> bool:
    """Append gaps, overlaps and wrong ends; return whether the intervals are bounded on both sides."""
    start = len(faults)
    for row in rows:
        for word, end in (("from", row.low), ("to", row.high)):
            if end is not None and not _is_number(end):
                faults.append(f"{row.where}: {word} must be a finite number; got {end!r}.")
    if len(faults) > start:
        return False
    faults += [
        f"{row.where}: from must lie below to; got {row.low:g} and {row.high:g}."
        for row in rows
        if row.low is not None and row.high is not None and row.low >= row.high
    ]
    rows.sort(key=_ends)
    for one, other in pairwise(rows):
        high, low = _ends(one)[1], _ends(other)[0]
        both = f"{_span(one)} and {_span(other)} ({one.where}; {other.where})"
        if low < high:
            faults.append(f"{raw.name!r}: {both} overlap.")
        elif low > high:
            faults.append(f"{raw.name!r}: gap from {high:g} to {low:g} between {both}.")
    ends = (rows[0].low is None, rows[-1].high is None)
    if ends[0] != ends[1]:
        side, word = ("last", "above") if ends[0] else ("first", "below")
        faults.append(
            f"{raw.where}: the {side} interval ends and the other side is open. Leave it open too, or bound "
            f"both sides and say what below and above score (here {word})."
        )
    return not any(ends)


def _ends(row: RawRow) -> tuple[float, float]:
    return -math.inf if row.low is None else row.low, math.inf if row.high is None else row.high


def _span(row: RawRow) -> str:
    low, high = _ends(row)
    return f"({low:g}, {high:g}]"


def _level_faults(rows: list[RawRow], faults: list[str]) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        if not isinstance(row.label, str) or not row.label.strip():
            faults.append(f"{row.where}: level must be text; got {row.label!r}.")
        elif row.label in seen:
            faults.append(f"{row.where}: level {row.label!r} stands already ({seen[row.label]}).")
        else:
            seen[row.label] = row.where


def _special_faults(raw: RawFeature, rows: list[RawRow], category: bool, faults: list[str]) -> None:
    seen: dict[float, str] = {}
    for row in rows:
        if category:
            faults.append(f"{row.where}: a special code is for numbers; write a level.")
        elif not _is_number(row.label):
            faults.append(f"{row.where}: special must be a finite number; got {row.label!r}.")
        elif float(row.label) in seen:
            faults.append(f"{row.where}: code {row.label:g} stands already ({seen[float(row.label)]}).")
        else:
            seen[float(row.label)] = row.where
    refused = [row.points == "refuse" for row in rows]
    if any(refused) and not all(refused):
        faults.append(f"{raw.where}: refuse all special codes, or none.")


def _odd_faults(
    raw: RawFeature, groups: dict[str, list[RawRow]], *, category: bool, bounded: bool, faults: list[str]
) -> None:
    """Append rows that have to be decided and are not, that cannot occur, or that stand twice."""
    rules = {
        "missing": (True, ""),
        "unseen": (category, "a number has no unseen levels"),
        "below": (bounded, "the intervals are open on that side"),
        "above": (bounded, "the intervals are open on that side"),
    }
    for kind, (needed, reason) in rules.items():
        rows = groups.get(kind, [])
        if needed and not rows:
            faults.append(
                f"{raw.where} must say what {kind} scores: points, or {', '.join(map(repr, _WORDS))}."
            )
        elif rows and not needed:
            faults.append(f"{rows[0].where}: {kind} cannot occur, {reason}.")
        elif len(rows) > 1:
            faults.append(f"{rows[1].where}: {kind} stands already ({rows[0].where}).")
    ends = [groups[kind][0].points == "refuse" for kind in ("below", "above") if groups.get(kind)]
    if len(ends) == 2 and ends[0] != ends[1]:
        faults.append(f"{raw.where}: refuse both below and above, or neither.")


def _built(raw: RawFeature, groups: dict[str, list[RawRow]], bounded: bool) -> Checked:
    """Return bins and points of a feature without faults."""
    intervals, levels, specials = (groups.get(kind, []) for kind in ("interval", "level", "special"))
    edges = [float(row.high) for row in intervals if row.high is not None]
    if bounded:
        edges = [float(np.nextafter(intervals[0].low, -math.inf)), *edges]
    values = [float(row.points) for row in (levels or intervals)]
    ends = [groups[kind][0] for kind in ("below", "above") if bounded]
    odd = [*ends, *specials, groups["missing"][0], *groups.get("unseen", [])]
    kinds: dict[str, RowKind] = {"below": "out_of_range", "above": "out_of_range"}
    refuse = dict.fromkeys(kinds.get(row.kind, row.kind) for row in odd if row.points == "refuse")
    bins = FeatureBins(
        raw.name,
        "category" if levels else "number",
        edges=tuple(edges),
        levels=tuple(row.label for row in levels),
        missing=True,
        other=bool(levels),
        specials=tuple(float(row.label) for row in specials),
        bounded=bounded,
        refuse=tuple(refuse),  # type: ignore[arg-type]
    )
    words = {"worst": min(values), "best": max(values), "refuse": 0.0}
    told = [words[row.points] if isinstance(row.points, str) else float(row.points) for row in odd]
    if bounded:
        values = [told[0], *values, told[1]]
    rest = [*told[len(ends) :], *([] if levels else [0.0])]
    return bins, (*values, *rest), raw.reason
