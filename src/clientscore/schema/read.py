"""A folder of files as tables: ids stay text, numbers are read as the file writes them."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from clientscore._checks import check_option, did_you_mean
from clientscore.exceptions import DataNotFoundError, InvalidParameterError, SchemaError

from .client import ClientSchema
from .names import fold, match_columns

if TYPE_CHECKING:
    from .spec import TableSpec

__all__ = ["read_tables"]

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_DELIMITERS = (",", ";", "\t", "|")
_SUFFIXES = (".parquet", ".csv")


def read_tables(
    folder: str | Path,
    schema: ClientSchema | None = None,
    *,
    decimal: str = ".",
    thousands: str = "",
    encoding: str = "utf-8-sig",
) -> dict[str, pd.DataFrame]:
    """Return the tables of a folder, one file each, ready for `validate_clients`.

    A file belongs to the table whose name or alias it bears: ``clients.csv``, ``财务报表.parquet``. Other
    files are left alone.

    Parameters
    ----------
    folder : str or Path
        The folder; ``.parquet`` and ``.csv`` files are read.
    schema : ClientSchema, default None
        Names and kinds; None means the default schema.
    decimal : {".", ","}, default "."
        Decimal mark of numbers in CSV files.
    thousands : {"", ",", ".", " ", "'"}, default ""
        Mark between thousands in CSV files; empty if there is none.
    encoding : str, default "utf-8-sig"
        Encoding of CSV files; "gb18030" for older Chinese exports.

    Returns
    -------
    dict of str to DataFrame
        Canonical table name -> the file's own columns. The cells of CSV files stand between commas,
        semicolons, tabs or bars, whichever the header has most of; each is read as text, so "00123" and "NA"
        survive as ids; then numbers are parsed, and text that is no number stays text, to be
        rejected by its row. "", NA, NaN, null and None are missing in numbers, dates and flags; only "" is
        missing in ids and words.

    Raises
    ------
    DataNotFoundError
        When the folder is not there or holds no table.
    InvalidParameterError
        When a mark or the encoding is none that is known.
    SchemaError
        When two files are one table, a header repeats a column, or a file cannot be read; all are listed.
    """
    check_option("decimal", decimal, (".", ","))
    check_option("thousands", thousands, tuple(m for m in ("", ",", ".", " ", "'") if m != decimal))
    _check_encoding(encoding)
    schema = ClientSchema.default() if schema is None else schema
    files, faults = _table_files(Path(folder), schema)
    tables = {}
    for name, path in files.items():
        try:
            if path.suffix.lower() == ".parquet":
                tables[name] = pd.read_parquet(path)
            else:
                frame = _read_text(path, encoding)
                tables[name] = _parse_numbers(frame, schema.tables[name], decimal, thousands)
        except SchemaError as error:
            faults.append(error.message)
        except UnicodeDecodeError:
            faults.append(
                f'{path.name} is not in {encoding}; older Chinese exports are in encoding="gb18030"'
            )
        except (ValueError, OSError, csv.Error) as error:
            faults.append(f"{path.name} cannot be read: {str(error).splitlines()[0]}")
    if faults:
        raise SchemaError(f"the tables in {folder} cannot be read.", faults)
    return tables


def _check_encoding(encoding: str) -> None:
    """Raise unless Python knows the encoding."""
    try:
        codecs.lookup(encoding)
    except (LookupError, TypeError):
        raise InvalidParameterError(
            f'encoding must be one such as "utf-8-sig" or "gb18030"; got {encoding!r}.'
        ) from None


def _table_files(folder: Path, schema: ClientSchema) -> tuple[dict[str, Path], list[str]]:
    """Return the file of each table, and files that compete."""
    if not folder.is_dir():
        raise DataNotFoundError(
            f"{folder} is no folder. Give the folder that holds clients.csv or clients.parquet."
        )
    names = {fold(alias): name for name, table in schema.tables.items() for alias in (name, *table.aliases)}
    files: dict[str, Path] = {}
    faults = []
    candidates = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    for path in candidates:
        name = names.get(fold(path.stem))
        if name in files:
            faults.append(f"{files[name].name} and {path.name} are both the table {name!r}; keep one")
        elif name is not None:
            files[name] = path
    if not files:
        hints = "".join(did_you_mean(fold(path.stem), names) for path in candidates[:1])
        found = ", ".join(path.name for path in candidates[:5]) or "no .csv or .parquet files"
        raise DataNotFoundError(
            f"{folder} holds no table of the schema; found {found}. Clients are in clients.csv.{hints}"
        )
    return {name: files[name] for name in schema.tables if name in files}, faults


def _read_text(path: Path, encoding: str) -> pd.DataFrame:
    """Return a CSV file with every cell as text."""
    with path.open(encoding=encoding, newline="") as stream:
        first = stream.readline()
        mark = max(_DELIMITERS, key=first.count)  # the first of equals, so a comma where there is none
        stream.seek(0)
        header = next(csv.reader(stream, delimiter=mark), [])
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise SchemaError(f"{path.name} repeats the columns {', '.join(map(repr, repeated))} in its header")
    if not header:
        return pd.DataFrame()
    arrow = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(encoding=encoding),
        parse_options=arrow_csv.ParseOptions(delimiter=mark, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in header},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return pd.DataFrame({name: arrow[name].to_pandas().astype("str") for name in header})


def _parse_numbers(frame: pd.DataFrame, table: TableSpec, decimal: str, thousands: str) -> pd.DataFrame:
    """Return the frame with numbers parsed and marks of missing cells taken out."""
    found = match_columns(frame.columns, {c.name: c.aliases for c in table.columns}, table.rename).found
    parsed = {own: frame[own] for own in frame.columns}
    for spec in table.columns:
        own = found.get(spec.name)
        if own is None or spec.kind in ("id", "text", "category"):
            continue
        text = frame[own].mask(frame[own].str.strip().isin(_MISSING))
        parsed[own] = _numbers(text, decimal, thousands) if spec.kind == "number" else text
    return pd.DataFrame(parsed, index=frame.index)


def _numbers(text: pd.Series, decimal: str, thousands: str) -> pd.Series:
    """Return a text column as float64; as objects where cells are no numbers, those cells left as text."""
    plain = text.str.strip()
    grouped = (
        rf"[+-]?\d{{1,3}}(?:{_escape(thousands)}\d{{3}})+(?:{_escape(decimal)}\d*)?" if thousands else None
    )
    if grouped:
        plain = plain.where(
            ~plain.str.fullmatch(grouped).fillna(False).astype(bool), _without(plain, thousands)
        )
    if decimal != ".":
        dotted = plain.str.contains(".", regex=False).fillna(False).astype(bool)
        plain = plain.mask(dotted, "?").str.replace(decimal, ".", regex=False)
    values = pd.to_numeric(plain, errors="coerce").astype(np.float64)
    unread = values.isna() & text.notna()
    if not unread.any():
        return values
    return values.astype(object).mask(unread, text).mask(text.isna(), None)


def _without(text: pd.Series, mark: str) -> pd.Series:
    """Return text without a mark."""
    return text.str.replace(mark, "", regex=False)


def _escape(mark: str) -> str:
    """Return a mark for a regular expression."""
    return "\\" + mark if mark else ""
