"""Read a points table from TOML or CSV text into plain rows; what the text means is checked elsewhere."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.exceptions import InvalidParameterError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

RawKind = Literal["interval", "level", "special", "missing", "unseen", "below", "above"]

_META = ("title", "author", "date", "why", "start_points", "scale")
_ODD = ("missing", "unseen", "below", "above")
_ROW_KEYS = ("from", "to", "level", "special", "points")
_COLUMNS = ("feature", "row", "from", "to", "points", "reason")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SHAPES = (
    (re.compile(rf"<=\s*({_NUMBER})"), (None, 1)),
    (re.compile(rf">\s*({_NUMBER})"), (1, None)),
    (re.compile(rf"[\[(]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]"), (1, 2)),
)
_CODE = re.compile(rf"code\s+({_NUMBER})")
_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')
_KEY = r"\"(?:\\.|[^\"\\])*\"|'[^']*'|[\w-]+"
_HEADER = re.compile(rf"\s*\[{{1,2}}\s*features\s*\.\s*({_KEY})(\s*\.\s*rows)?\s*\]")


@dataclass
class RawRow:
    """One row as written: what it stands for, its points, and where it is written."""

    kind: RawKind
    points: Any
    where: str
    low: Any = None  # of an interval, None where it is open
    high: Any = None
    label: Any = None  # a level's text or a special code's number


@dataclass
class RawFeature:
    """The rows of one feature as written."""

    name: str
    where: str
    reason: Any = ""
    rows: list[RawRow] = field(default_factory=list)


@dataclass
class RawTable:
    """A whole table as written."""

    meta: dict[str, Any]
    features: dict[str, RawFeature]


def read_text(source: str | os.PathLike[str]) -> str:
    """Return the text of a points table: `source` itself where it has several lines, else the file's."""
    if isinstance(source, str) and "\n" in source:
        return source
    try:
        return Path(source).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidParameterError(f"{source} must be UTF-8 text; {error}.") from error


def raw_frame(frame: pd.DataFrame, faults: list[str]) -> RawTable:
    """Return the rows of a points table in a frame with the columns of CSV, or of ``PointsTable.frame()``."""
    header = [str(name).lower() for name in frame.columns]
    _check_header(header, faults)
    features: dict[str, RawFeature] = {}
    for place, cells in enumerate(frame.itertuples(index=False, name=None)):
        row = dict(zip(header, map(_cell_text, cells), strict=True))
        name = row.get("feature", "")
        if row.get("row") and (row.get("from") or row.get("to")):
            row |= {"from": "", "to": ""} if _CODE.fullmatch(row["row"]) else {"row": ""}
        row["points"] = row.get("points", "") or "refuse"
        raw = features.setdefault(name, RawFeature(name, f"{name!r} (row {place})"))
        raw.reason = raw.reason or row.get("reason", "")
        one = _csv_row(row, f"{name!r}, row {place}", faults)
        raw.rows += [one] if one else []
    return RawTable({}, features)


def _cell_text(cell: Any) -> str:
    """Return a cell as CSV would hold it; missing is empty."""
    if cell is None or cell is pd.NA or cell != cell:  # noqa: PLR0124 -- NaN differs from itself
        return ""
    return toml_text(cell) if isinstance(cell, Real) else str(cell)


def raw_table(text: str, faults: list[str]) -> RawTable:
    """Return the rows of a points table in TOML, or in CSV with the columns feature and points."""
    body = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    header = body[0].lower() if body else ""
    columns = {name.strip().strip('"') for name in re.split(r"[,;\t|]", header)}
    return _from_csv(text, faults) if "feature" in columns else _from_toml(text, faults)


# ---- TOML --------------------------------------------------------------------------------------------


def _parsed(text: str, subject: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameterError(f"{subject} cannot be read: {error}.") from error


def _from_toml(text: str, faults: list[str]) -> RawTable:
    tree = _parsed(text, "The points table")
    _unknown(tree, (*_META, "features"), "The table", faults)
    features = tree.get("features", {})
    if not isinstance(features, dict):
        faults.append("features must be tables such as [features.dscr].")
        features = {}
    lines = _toml_lines(text)
    found = {}
    for name, section in features.items():
        at, row_lines = lines.get(name, (0, []))
        where = f"{name!r} (line {at})" if at else f"{name!r}"
        if isinstance(section, dict):
            found[name] = _toml_feature(RawFeature(name, where), section, row_lines, faults)
        else:
            faults.append(f"{where} must be a table with rows; got {section!r}.")
    return RawTable({key: tree[key] for key in _META if key in tree}, found)


def _toml_feature(
    raw: RawFeature, section: Mapping[str, Any], lines: list[int], faults: list[str]
) -> RawFeature:
    _unknown(section, ("reason", "rows", *_ODD), raw.where, faults)
    raw.reason = section.get("reason", "")
    rows = section.get("rows", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.append(f"{raw.where}: rows must be a list of tables {{ from, to, points }}.")
        rows = []
    for place, row in enumerate(rows):
        line = f"line {lines[place]}" if len(lines) == len(rows) else f"row {place + 1}"
        where = f"{raw.name!r}, {line}"
        _unknown(row, _ROW_KEYS, where, faults)
        keys = {"level", "special"} & set(row) or {"interval"}
        if len(keys) > 1 or (keys != {"interval"} and {"from", "to"} & set(row)):
            faults.append(f"{where}: a row is an interval (from, to), a level or a special code, only one.")
            continue
        kind = keys.pop()
        points, low, high = row.get("points"), row.get("from"), row.get("to")
        raw.rows.append(RawRow(kind, points, where, low, high, row.get(kind)))  # type: ignore[arg-type]
    for kind in _ODD:
        if kind in section:
            raw.rows.append(RawRow(kind, section[kind], f"{raw.where}, {kind}"))  # type: ignore[arg-type]
    return raw


def _unknown(given: Iterable[str], known: tuple[str, ...], where: str, faults: list[str]) -> None:
    faults += [f"{where} has no key {key!r}.{did_you_mean(key, known)}" for key in given if key not in known]


def _toml_lines(text: str) -> dict[str, tuple[int, list[int]]]:
    """Return the line of each feature's header and of each of its rows; tomllib does not tell them."""
    found: dict[str, tuple[int, list[int]]] = {}
    rows: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            quoted = header[1]
            name = quoted[1:-1] if quoted[0] in "\"'" else quoted
            if quoted[0] == '"' and "\\" in quoted:
                name = json.loads(quoted)
            _, rows = found.setdefault(name, (number, []))
            rows += [number] * bool(header[2])
        elif line.lstrip().startswith("["):
            rows = rows if line.strip().startswith("[{") else []
        rows += [number] * _STRINGS.sub("", line).split("#")[0].count("{")
    return found


# ---- CSV ---------------------------------------------------------------------------------------------


def _from_csv(text: str, faults: list[str]) -> RawTable:
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    comments = "\n".join(line.lstrip().removeprefix("#").strip() for line in lines[:start])
    meta = _parsed(comments, 'What stands before the header (lines such as # author = "...")')
    _unknown(meta, _META, "The table", faults)
    mark = max(",;\t|", key=lines[start].count)
    reader = csv.reader(io.StringIO("\n".join(lines[start:])), delimiter=mark)
    header = [name.strip().lower() for name in next(reader)]
    _check_header(header, faults)
    features: dict[str, RawFeature] = {}
    for cells in reader:
        line = f"line {start + reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            faults.append(
                f"{line} has {len(cells)} cells; the header has {len(header)}. Put a cell that holds "
                'the mark between cells in double quotes, such as "(1, 2]".'
            )
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        name = row["feature"]
        raw = features.setdefault(name, RawFeature(name, f"{name!r} ({line})"))
        raw.reason = raw.reason or row.get("reason", "")
        one = _csv_row(row, f"{name!r}, {line}", faults)
        raw.rows += [one] if one else []
    return RawTable({key: meta[key] for key in _META if key in meta}, features)


def _check_header(header: list[str], faults: list[str]) -> None:
    _unknown(header, _COLUMNS, "The header", faults)
    needed = {"feature", "points"} <= set(header) and {"row", "from", "to"} & set(header)
    if len(set(header)) < len(header) or not needed:
        faults.append(f"Columns must be feature, row or from and to, points, each once; got {header}.")


def _csv_row(row: Mapping[str, str], where: str, faults: list[str]) -> RawRow | None:
    """Return what one line means: from and to, or a label in the column row."""
    points, label = _number(row.get("points", "")), row.get("row", "")
    low, high = row.get("from", ""), row.get("to", "")
    if not label or low or high:
        if label:
            faults.append(f"{where}: give row, or from and to; not both.")
        ends = [_number(end) if end else None for end in (low, high)]
        return RawRow("interval", points, where, *ends)
    if label in _ODD:
        return RawRow(label, points, where)  # type: ignore[arg-type]
    if code := _CODE.fullmatch(label):
        return RawRow("special", points, where, label=float(code[1]))
    for shape, groups in _SHAPES:
        if match := shape.fullmatch(label):
            low_at, high_at = (None if group is None else float(match[group]) for group in groups)
            return RawRow("interval", points, where, low_at, high_at)
    if label[0] in "<>=[(":
        faults.append(
            f"{where}: {label!r} is no interval that can be read. Write '<= 2', '(2, 4]' or '> 4' (an "
            "interval holds its upper end), or give from and to."
        )
        return None
    return RawRow("level", points, where, label=label)


def _number(text: str) -> float | str:
    """Return the number that a cell holds, or its text."""
    try:
        return float(text) if re.fullmatch(_NUMBER, text) else text
    except ValueError:
        return text


# ---- writing -----------------------------------------------------------------------------------------


def toml_text(value: Any) -> str:
    """Return a number, a text or a flat mapping as TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {toml_text(item)}" for key, item in value.items())
        return f"{{ {inside} }}"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
