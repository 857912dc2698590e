"""One column into its canonical type, and which of its cells cannot go there.

The strict rule: a number is a number (integer, float or Decimal), never text; a date is a date or text with
the year first; an id is text or a whole number, kept byte for byte. Text of a CSV file becomes numbers in
``read_tables``, which is told how the file writes them.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .names import fold

if TYPE_CHECKING:
    from .spec import ColumnSpec

__all__ = ["Coerced", "coerce", "empty_column"]

MAX_ID_LENGTH = 128
_YES = {"1", "1.0", "y", "yes", "true", "t", "是", "有", "真", "有效", "同意"}
_NO = {"0", "0.0", "n", "no", "false", "f", "否", "无", "假", "无效", "不同意"}
_DATE = re.compile(
    r"(\d{4})[-/.年]?(\d{1,2})(?:月|[-/.])?(?:(\d{1,2})日?)?(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
)
_US = "datetime64[us]"
_OLDEST = np.datetime64("1800-01-01", "us")
_LAST = np.datetime64("9999-12-31", "us")


@dataclass
class Coerced:
    """A column in its canonical type.

    Attributes
    ----------
    values : Series
        The column; cells that cannot be read are missing.
    faults : list of (bool array, str)
        Cells that break a rule, and the rule.
    column_fault : str
        Why the whole column cannot be used; empty if it can.
    unknown : dict of str to int
        Words outside the levels, with their counts.
    untouched : bool
        Whether `values` is the very column that was given.
    """

    values: pd.Series
    faults: list[tuple[np.ndarray, str]] = field(default_factory=list)
    column_fault: str = ""
    unknown: dict[str, int] = field(default_factory=dict)
    untouched: bool = False

    def fault(self, mask: np.ndarray, rule: str) -> None:
        """Note cells that break a rule, if there are any."""
        if mask.any():
            self.faults.append((mask, rule))


def coerce(column: pd.Series, spec: ColumnSpec) -> Coerced:
    """Return a column in the type of its kind; a column that is canonical already is passed through."""
    plain = _plain_dtype(column)
    if not _canonical(plain, spec) and plain.isna().all():
        return Coerced(empty_column(spec, len(column), column.index))
    readers = {"number": _number, "flag": _flag, "date": _date, "month": _date, "id": _id}
    try:
        result = readers.get(spec.kind, _text)(plain, spec)
    except TypeError:
        return Coerced(
            column, column_fault="holds cells such as lists that are no values; give one value a cell"
        )
    result.untouched = result.values is column
    return result


def _plain_dtype(column: pd.Series) -> pd.Series:
    """Return categories, periods and Arrow columns other than numbers in a plain type."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype)
    if isinstance(dtype, pd.PeriodDtype):
        return column.dt.to_timestamp()
    if isinstance(dtype, pd.ArrowDtype) and not pd.api.types.is_numeric_dtype(dtype):
        return column.astype(object)
    return column


def empty_column(spec: ColumnSpec, size: int, index: Any = None) -> pd.Series:
    """Return a column of missing values in the type of its kind."""
    if spec.kind in ("number", "flag"):
        return pd.Series(np.full(size, np.nan), index=index, name=spec.name)
    if spec.kind in ("date", "month"):
        return pd.Series(np.full(size, np.datetime64("NaT"), dtype=_US), index=index, name=spec.name)
    return pd.Series([None] * size, index=index, name=spec.name, dtype="str")


def _canonical(column: pd.Series, spec: ColumnSpec) -> bool:
    """Tell whether the type is canonical already."""
    if spec.kind in ("number", "flag"):
        return bool(column.dtype == np.float64)
    if spec.kind in ("date", "month"):
        return bool(column.dtype == _US)
    return bool(column.dtype == "str")


def _series(values: Any, like: pd.Series, dtype: Any = None) -> pd.Series:
    """Return values as a column like another."""
    return pd.Series(values, index=like.index, name=like.name, dtype=dtype)


def _is_texty(column: pd.Series) -> bool:
    """Tell whether cells may be of any type: object or text."""
    return bool(column.dtype == object or isinstance(column.dtype, pd.StringDtype))


def _wrong_type(column: pd.Series, need: str, remedy: str) -> Coerced:
    """Refuse the whole column."""
    return Coerced(column, column_fault=f"is of type {column.dtype}, {need} is needed; {remedy}")


def _number(column: pd.Series, spec: ColumnSpec) -> Coerced:
    """Numbers as float64."""
    result = Coerced(column)
    if _is_texty(column):
        result = _number_cells(column)
    elif pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        return _wrong_type(column, "a number", "check which column this is")
    elif pd.api.types.is_complex_dtype(column.dtype):
        return _wrong_type(column, "a real number", "check which column this is")
    elif column.dtype != np.float64:
        result.values = _series(column.to_numpy(dtype=np.float64, na_value=np.nan), column)
    values = result.values.to_numpy()
    result.fault(np.isinf(values), "infinite")
    if spec.low is not None:
        result.fault(values < spec.low, f"below {spec.low:g}")
    if spec.high is not None:
        result.fault(values > spec.high, f"above {spec.high:g}")
    return result


def _number_cells(column: pd.Series) -> Coerced:
    """Numbers from cells of any type; text, yes/no and dates are faults."""
    cells = column.to_numpy(dtype=object, na_value=None)
    values = np.full(len(cells), np.nan)
    text, flag, other = (np.zeros(len(cells), dtype=bool) for _ in range(3))
    for i, cell in enumerate(cells):
        if cell is None or cell is pd.NaT:
            continue
        if isinstance(cell, str):
            text[i] = True
        elif isinstance(cell, (bool, np.bool_)):
            flag[i] = True
        elif isinstance(cell, (Real, Decimal)):
            values[i] = _float(cell)
        else:
            other[i] = True
    result = Coerced(_series(values, column))
    result.fault(text, "text in a number")
    result.fault(flag, "yes/no in a number")
    result.fault(other, "not a number")
    return result


def _float(cell: Any) -> float:
    """Return a number as float; one too large as infinite."""
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def _flag(column: pd.Series, spec: ColumnSpec) -> Coerced:  # noqa: ARG001 - one form for all readers
    """Yes/no as 1.0 and 0.0."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _wrong_type(column, "yes/no", "check which column this is")
    if not _is_texty(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        result = Coerced(column if column.dtype == np.float64 else _series(values, column))
        result.fault(~np.isin(values, (0.0, 1.0)) & ~np.isnan(values), "not yes or no")
        return result
    codes, words = pd.factorize(column, use_na_sentinel=True)
    known = np.array([_yes_no(word) for word in words] + [np.nan])
    result = Coerced(_series(known[codes], column))
    result.fault((codes >= 0) & np.isnan(known[codes]), "not yes or no")
    return result


def _yes_no(word: object) -> float:
    """Return 1, 0 or missing."""
    text = (
        str(int(word))
        if isinstance(word, (bool, np.bool_)) or word in (0, 1)
        else str(word).strip().casefold()
    )
    return 1.0 if text in _YES else 0.0 if text in _NO else np.nan


def _date(column: pd.Series, spec: ColumnSpec) -> Coerced:
    """Dates as midnights without a zone; months as their first day."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return Coerced(
            column,
            column_fault=f"has the time zone {column.dtype.tz}; a book has calendar dates: "
            "in the bank's own zone, drop it with .dt.tz_localize(None)",
        )
    if pd.api.types.is_datetime64_dtype(column.dtype):
        result = Coerced(column)
        raw = column.to_numpy()
    elif _is_texty(column):
        result = _date_cells(column, spec)
        raw = result.values.to_numpy()
    else:
        return _wrong_type(column, "a date", 'give dates, or text such as "2026-01-31"')
    cut = raw.astype("datetime64[M]" if spec.kind == "month" else "datetime64[D]").astype(_US)
    if raw.dtype != _US or not np.array_equal(cut.view("i8"), raw.view("i8")):
        result.values = _series(cut, column)
    result.fault((cut < _OLDEST) | (cut > _LAST), "a date before 1800")
    return result


def _date_cells(column: pd.Series, spec: ColumnSpec) -> Coerced:
    """Dates from cells of any type."""
    codes, cells = pd.factorize(column.astype(object), use_na_sentinel=True)
    days = np.full(len(cells) + 1, np.datetime64("NaT"), dtype=_US)
    rules = [""] * (len(cells) + 1)
    for i, cell in enumerate(cells):
        try:
            days[i], rules[i] = _one_date(cell, spec.kind == "month")
        except (ValueError, OverflowError):
            rules[i] = "no such date"
    result = Coerced(_series(days[codes], column))
    for rule in sorted(set(rules) - {""}):
        result.fault(np.array([r == rule for r in rules])[codes], rule)
    return result


def _one_date(cell: Any, month: bool) -> tuple[Any, str]:
    """Return the day of one cell, or the rule it breaks."""
    nat = np.datetime64("NaT")
    if isinstance(cell, (dt.datetime, np.datetime64)):
        stamp = pd.Timestamp(cell)
        return (nat, "a date with a time zone") if stamp.tz else (np.datetime64(stamp.date(), "us"), "")
    if isinstance(cell, dt.date):
        return np.datetime64(cell, "us"), ""
    match = _DATE.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None or (match[3] is None and not month):
        return nat, 'not a date (text has the year first: "2026-01-31")'
    return np.datetime64(dt.date(int(match[1]), int(match[2]), int(match[3] or 1)), "us"), ""


def _id(column: pd.Series, spec: ColumnSpec) -> Coerced:  # noqa: ARG001 - one form for all readers
    """Ids as text, byte for byte."""
    if pd.api.types.is_float_dtype(column.dtype):
        return Coerced(
            column,
            column_fault="is a float: long ids may be rounded already and zeros lost; read ids as text "
            "(dtype=str, keep_default_na=False)",
        )
    if pd.api.types.is_integer_dtype(column.dtype):
        text = np.array([None if pd.isna(cell) else str(int(cell)) for cell in column.array], dtype=object)
        return Coerced(_series(text, column, "str"))
    if not _is_texty(column):
        return _wrong_type(column, "an id", "give text or whole numbers")
    codes, cells = pd.factorize(column, use_na_sentinel=True)
    texts, rules = _id_words(cells)
    clean = column.dtype == "str" and not any(rules)
    values = column if clean else _series(texts[codes], column, "str")
    result = Coerced(values)
    for rule in sorted(set(rules) - {""}):
        result.fault(np.append(np.array(rules) == rule, False)[codes], rule)
    return result


def _id_words(cells: Any) -> tuple[np.ndarray, list[str]]:
    """Return each different id as text, missing at the end, and the rule each breaks."""
    texts = np.full(len(cells) + 1, None, dtype=object)
    rules = [""] * len(cells)
    for i, cell in enumerate(np.asarray(cells, dtype=object)):
        if type(cell) is str and cell.isprintable() and not cell.isspace() and 0 < len(cell) <= MAX_ID_LENGTH:
            texts[i] = cell  # nearly all: the rules below cost more
        elif isinstance(cell, Integral) and not isinstance(cell, (bool, np.bool_)):
            texts[i] = str(int(cell))
        elif not isinstance(cell, str):
            rules[i] = "an id that is neither text nor a whole number"
        elif not cell.strip():
            rules[i] = "an empty id"
        elif len(cell) > MAX_ID_LENGTH:
            rules[i] = f"an id longer than {MAX_ID_LENGTH} characters"
        elif not cell.isprintable() and any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in cell):
            rules[i] = "a control character in an id"
        else:
            texts[i] = cell
    return texts, rules


def _text(column: pd.Series, spec: ColumnSpec) -> Coerced:
    """Text and categories as text; known words become their level."""
    if not _is_texty(column):
        if pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
            return _wrong_type(column, "text", "check which column this is")
        column = column.astype(object)
    if column.dtype == "str" and spec.kind == "text":
        return Coerced(column)
    codes, cells = pd.factorize(column, use_na_sentinel=True)
    words, known = spec.words(), set(spec.levels)
    texts: list[str | None] = [_plain(cell) for cell in cells]
    texts = [None if text is None else words.get(fold(text), text) for text in texts]
    bad = np.array([isinstance(cell, (bool, np.bool_, dt.date, np.datetime64)) for cell in cells] + [False])
    same = column.dtype == "str" and texts == list(cells)
    values = column if same else _series(np.array([*texts, None], dtype=object)[codes], column, "str")
    result = Coerced(values)
    result.fault(bad[codes], "not text")
    if known:
        counts = np.bincount(codes[codes >= 0], minlength=len(cells))
        for text, count in zip(texts, counts, strict=True):
            if text is not None and text not in known:
                result.unknown[text] = result.unknown.get(text, 0) + int(count)
    return result


def _plain(cell: Any) -> str | None:
    """Return a cell as text; a whole float without its point, nothing as missing."""
    if isinstance(cell, Real) and not isinstance(cell, (bool, np.bool_)) and float(cell).is_integer():
        return str(int(float(cell)))
    text = str(cell).strip()
    return text or None
