"""Every row of a book is accepted, or rejected with its reasons; none is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_one_meaning
from clientscore.exceptions import InvalidParameterError

from .conform import assemble, coerce_columns, empty_table, match_table_columns, match_tables, raise_structure
from .report import ValidationReport
from .units import unit_notes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .client import ClientSchema
    from .coerce import Coerced
    from .names import Names
    from .spec import TableSpec

__all__ = ["validate_clients"]

_REJECT = ["table", "row", "id", "column", "rule", "value"]
_NOTE = ["table", "column", "note", "count", "value"]
Note = tuple[str, str, str, int, str]


def validate_clients(
    tables: Mapping[str, pd.DataFrame], schema: ClientSchema, as_of: Any = None
) -> ValidationReport:
    """Sort the rows of a book into accepted and rejected, with every fault at once.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables under their canonical or other names, English or Chinese; only ``clients`` must be there.
    schema : ClientSchema
        What the tables should look like.
    as_of : date or str, default None
        The date of the run. Rows dated after it are rejected; None skips the check.

    Returns
    -------
    ValidationReport
        ``read = accepted + rejected`` in every table.

    Raises
    ------
    MissingColumnError
        When required columns are absent; all structural faults are listed, each with its nearest name.
    SchemaError
        When ``clients`` is absent, columns repeat or compete, or a whole column is of the wrong type.

    Notes
    -----
    A row is rejected for an infinite number, text or yes/no in a number, a number out of range, a cell that
    is no date, a date with a time zone or after `as_of`, a missing key, an id that is empty, longer than 128
    characters or holds control characters, a client that is not among the accepted clients, a statement
    published before its period ended, and, among rows that are otherwise good, for repeating the key of an
    earlier row. Unknown words of a category, ignored columns and signs of mixed-up units are notes: such rows
    stay. Decimal numbers are numbers; text never is: ``read_tables`` reads files whose numbers are text.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> tables = {"clients": pd.DataFrame({"client_id": ["a", "b", "b", None]})}
    >>> report = validate_clients(tables, ClientSchema.default())
    >>> report.counts.to_dict("records")
    [{'table': 'clients', 'read': 4, 'accepted': 2, 'rejected': 2}]
    >>> report.rejects[["row", "column", "rule"]].values.tolist()
    [[3, 'client_id', 'missing'], [2, 'client_id', 'repeats the key of an earlier row']]
    """
    day = _run_date(as_of)
    named, ignored = match_tables(tables, schema)
    sheets = [_open(frame, schema.tables[name]) for name, frame in named.items()]
    _raise_structure(sheets)
    sheets.sort(key=lambda sheet: sheet.table.name != "clients")
    clients = None
    for sheet in sheets:
        _check_rows(sheet, clients, day)
        if sheet.table.name == "clients":
            clients = sheet.good_ids()
    order = {name: place for place, name in enumerate(named)}
    sheets.sort(key=lambda sheet: order[sheet.table.name])
    accepted = {sheet.table.name: sheet.accepted() for sheet in sheets}
    counts = pd.DataFrame(
        [(s.table.name, len(s.frame), int(s.good.sum()), len(s.frame) - int(s.good.sum())) for s in sheets],
        columns=["table", "read", "accepted", "rejected"],
    )
    notes: list[Note] = [(own, "", why, 0, "") for own, why in ignored.items()]
    notes += [note for sheet in sheets for note in _notes(sheet)]
    notes += unit_notes(accepted)
    return ValidationReport(accepted, _rejects(sheets), counts, pd.DataFrame(notes, columns=_NOTE))


@dataclass
class _Sheet:
    """One table on its way through the checks."""

    frame: pd.DataFrame
    table: TableSpec
    names: Names
    columns: dict[str, Coerced]
    structure: list[str]
    absent: list[str]
    good: np.ndarray
    broken: list[tuple[str, str, np.ndarray]] = field(default_factory=list)

    def fault(self, column: str, rule: str, mask: np.ndarray) -> None:
        """Reject rows."""
        if mask.any():
            self.broken.append((column, rule, mask))
            self.good &= ~mask

    def values(self, name: str) -> pd.Series | None:
        """Return a coerced column, None if the table has it not."""
        return self.columns[name].values if name in self.columns else None

    def good_ids(self) -> pd.Index:
        """Return the ids of the accepted clients."""
        column = self.values("client_id")
        return pd.Index([] if column is None else column[self.good].unique())

    def accepted(self) -> pd.DataFrame:
        """Return the accepted rows in canonical form."""
        if not self.good.any():
            return empty_table(self.table)
        whole = assemble(self.frame, self.table, self.columns)
        if self.good.all():
            return whole if isinstance(whole.index, pd.RangeIndex) else whole.reset_index(drop=True)
        return whole.iloc[np.flatnonzero(self.good)].reset_index(drop=True)


def _run_date(as_of: Any) -> np.datetime64 | None:
    """Return the date of the run."""
    if as_of is None:
        return None
    check_one_meaning("as_of", as_of)
    try:
        stamp = pd.Timestamp(as_of)
    except (ValueError, TypeError):
        stamp = pd.NaT
    if pd.isna(stamp) or stamp.tz is not None:
        raise InvalidParameterError(
            f'as_of must be one date without a time zone, such as "2026-01-01"; got {as_of!r}.'
        )
    return np.datetime64(stamp.date(), "us")


def _open(frame: pd.DataFrame, table: TableSpec) -> _Sheet:
    """Match and coerce the columns of a table."""
    names = match_table_columns(frame, table)
    columns, wrong, absent = coerce_columns(frame, table, names)
    structure = [f"table {table.name!r}: {fault}" for fault in (*names.faults, *absent, *wrong)]
    return _Sheet(frame, table, names, columns, structure, absent, np.ones(len(frame), dtype=bool))


def _raise_structure(sheets: list[_Sheet]) -> None:
    """Raise with the structural faults of all tables."""
    faults = [fault for sheet in sheets for fault in sheet.structure]
    raise_structure(faults, missing=any(sheet.absent for sheet in sheets))


def _check_rows(sheet: _Sheet, clients: pd.Index | None, day: np.datetime64 | None) -> None:
    """Find every rule that a row breaks."""
    for spec in sheet.table.columns:
        column = sheet.columns.get(spec.name)
        if column is None:
            continue
        unread = np.zeros(len(sheet.frame), dtype=bool)
        for mask, rule in column.faults:
            sheet.fault(spec.name, rule, mask)
            unread |= mask
        if not spec.nullable:
            sheet.fault(spec.name, "missing", column.values.isna().to_numpy() & ~unread)
        if day is not None and spec.role == "time":
            sheet.fault(spec.name, "after as_of", column.values.to_numpy() > day)
    _check_statement_dates(sheet)
    ids = sheet.values("client_id")
    if clients is not None and ids is not None:
        sheet.fault(
            "client_id", "not among the accepted clients", (~ids.isin(clients) & ids.notna()).to_numpy()
        )
    _check_repeats(sheet)


def _check_statement_dates(sheet: _Sheet) -> None:
    """Reject statements published before their period ended."""
    end, published = sheet.values("period_end"), sheet.values("published_at")
    if end is not None and published is not None:
        sheet.fault("published_at", "before period_end", (published < end).to_numpy())


def _check_repeats(sheet: _Sheet) -> None:
    """Reject, among rows that are good so far, those that repeat the key of an earlier one."""
    key = list(sheet.table.unique or sheet.table.key)
    if sheet.table.name == "clients" and "valid_from" in sheet.columns:
        key.append("valid_from")
    key = [name for name in key if name in sheet.columns]
    rows = np.flatnonzero(sheet.good)
    if not key or not len(rows):
        return
    codes = pd.DataFrame({name: _codes(sheet.columns[name].values) for name in key})
    repeated = np.zeros(len(sheet.frame), dtype=bool)
    repeated[rows] = codes.iloc[rows].duplicated(keep="first").to_numpy()
    sheet.fault("+".join(key), "repeats the key of an earlier row", repeated)


def _codes(column: pd.Series) -> np.ndarray:
    """Return whole numbers that are equal where cells are; missing cells are equal."""
    return np.asarray(pd.factorize(column, use_na_sentinel=True)[0])


def _rejects(sheets: list[_Sheet]) -> pd.DataFrame:
    """Return one line for each broken rule."""
    parts = []
    for sheet in sheets:
        label = "client_id" if "client_id" in sheet.columns else sheet.table.key[0]
        for column, rule, mask in sheet.broken:
            rows = np.flatnonzero(mask)
            shown = [_shown(sheet, name, rows) for name in column.split("+")]
            lines = pd.DataFrame({"row": rows, "id": _shown(sheet, label, rows)})
            lines["table"], lines["column"], lines["rule"] = sheet.table.name, column, rule
            lines["value"] = (
                shown[0] if len(shown) == 1 else [" | ".join(cells) for cells in zip(*shown, strict=True)]
            )
            parts.append(lines[_REJECT])
    if not parts:
        return pd.DataFrame(columns=_REJECT).astype(
            {name: "int64" if name == "row" else "str" for name in _REJECT}
        )
    return pd.concat(parts, ignore_index=True)


def _shown(sheet: _Sheet, name: str, rows: np.ndarray) -> list[str]:
    """Return cells as they were given, as text of at most 80 characters."""
    cells = sheet.frame[sheet.names.found[name]].iloc[rows]
    return ["" if missing else str(cell)[:80] for cell, missing in zip(cells, cells.isna(), strict=True)]


def _notes(sheet: _Sheet) -> list[Note]:
    """Note ignored columns, unknown words, and renames of columns that are not there."""
    name = sheet.table.name
    size = len(sheet.frame)
    notes: list[Note] = [(name, own, f"ignored: {why}", size, "") for own, why in sheet.names.ignored.items()]
    present = set(sheet.frame.columns.astype(str))
    for own, target in sheet.table.rename.items():
        if own not in present:
            notes.append((name, own, f"rename to {target!r} names a column that is not in the table", 0, ""))
    for label, column in sheet.columns.items():
        for word, count in column.unknown.items():
            notes.append((name, label, "unknown word, kept as it is", count, word[:80]))
    return notes
