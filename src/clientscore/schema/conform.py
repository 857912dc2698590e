"""Names and types of a book in the canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError, SchemaError

from .client import ClientSchema
from .coerce import Coerced, coerce, empty_column
from .names import Names, fold, match_columns

if TYPE_CHECKING:
    from .spec import ColumnSpec, TableSpec

__all__ = ["conform_tables"]


def conform_tables(tables: Mapping[str, pd.DataFrame], schema: ClientSchema) -> dict[str, pd.DataFrame]:
    """Return the tables with canonical names and types; cheap where they have them already.

    Rows are neither checked against ranges nor removed: that is `validate_clients`.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables under their canonical or other names. Tables and columns outside the schema are left out.
    schema : ClientSchema
        What the tables should look like.

    Returns
    -------
    dict of str to DataFrame
        Ids and words ``str``, dates ``datetime64[us]`` (months their first day), numbers and flags
        ``float64``. An empty table has all columns. Frames that need no change are passed through.

    Raises
    ------
    MissingColumnError
        When required columns are absent; all are listed with their nearest names.
    SchemaError
        When ``clients`` is absent, names compete, or a whole column is of the wrong type.
    DataError
        When cells cannot be read as what the schema says.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> schema = ClientSchema.default()
    >>> tables = conform_tables({"客户": pd.DataFrame({"客户编号": ["00123"], "行业": ["制造业"]})}, schema)
    >>> tables["clients"].iloc[0].to_dict()
    {'client_id': '00123', 'industry': 'manufacturing'}
    """
    named, _ = match_tables(tables, schema)
    faults: list[str] = []
    missing = False
    cells: list[str] = []
    result = {}
    for name, frame in named.items():
        table = schema.tables[name]
        matched = match_table_columns(frame, table)
        columns, wrong, absent = coerce_columns(frame, table, matched)
        missing = missing or bool(absent)
        faults += [f"table {name!r}: {fault}" for fault in (*matched.faults, *absent, *wrong)]
        for label, column in columns.items():
            cells += _cell_faults(f"{name}.{label}", column, matched.found[label], frame)
        if not faults:
            result[name] = assemble(frame, table, columns)
    raise_structure(faults, missing)
    if cells:
        raise DataError("cells cannot be read; validate_clients sorts such rows out.", cells)
    return result


def match_tables(
    tables: Mapping[str, pd.DataFrame], schema: ClientSchema
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Return the tables under canonical names, and why others are ignored."""
    _check_arguments(tables, schema)
    names = {fold(alias): name for name, table in schema.tables.items() for alias in (name, *table.aliases)}
    named: dict[str, pd.DataFrame] = {}
    given: dict[str, str] = {}
    ignored, faults = {}, []
    for own, frame in tables.items():
        target = names.get(fold(own))
        if not isinstance(frame, pd.DataFrame):
            faults.append(f"table {own!r} must be a DataFrame; got {type(frame).__name__}")
        elif target is None:
            hint = did_you_mean(fold(own), schema.tables) or did_you_mean(fold(own), names)
            ignored[str(own)] = f"not in the schema.{hint}"
        elif target in named:
            faults.append(f"tables {given[target]!r} and {own!r} both stand for {target!r}; keep one")
        else:
            named[target], given[target] = frame, str(own)
    if "clients" not in named and not faults:
        found = ", ".join(map(repr, tables)) or "none"
        faults.append(f"the table 'clients' is missing; tables given: {found}")
    raise_structure(faults, missing=False)
    return {name: named[name] for name in schema.tables if name in named}, ignored


def _check_arguments(tables: Any, schema: Any) -> None:
    """Raise unless the tables are frames by name and the schema is one."""
    if not isinstance(schema, ClientSchema):
        raise InvalidParameterError(
            f"schema must be a ClientSchema; got {schema!r}. Give ClientSchema.default() or "
            'ClientSchema.from_toml("schema.toml").'
        )
    if isinstance(tables, pd.DataFrame) or not isinstance(tables, Mapping):
        raise SchemaError(
            f'tables must be frames by name, such as {{"clients": frame}}; got {type(tables).__name__}. '
            "Of a folder, give read_tables(folder, schema)."
        )


def match_table_columns(frame: pd.DataFrame, table: TableSpec) -> Names:
    """Match the columns of one table."""
    return match_columns(frame.columns, {c.name: c.aliases for c in table.columns}, table.rename)


def coerce_columns(
    frame: pd.DataFrame, table: TableSpec, matched: Names
) -> tuple[dict[str, Coerced], list[str], list[str]]:
    """Return the coerced columns, faults of whole columns, and required columns that are absent."""
    columns, wrong, absent = {}, [], []
    repeated = set(frame.columns[frame.columns.duplicated()].astype(str))
    spare = [name for name in matched.ignored if "already" not in matched.ignored[name]]
    empty = frame.shape[1] == 0
    for spec in table.columns:
        own = matched.found.get(spec.name)
        if own is None:
            if spec.required and not empty:
                absent.append(f"column {spec.name!r} is missing.{_remedy(frame, spec, spare)}")
        elif own not in repeated:
            column = coerce(frame[own], spec)
            columns[spec.name] = column
            if column.column_fault:
                shown = repr(own) if own == spec.name else f"{own!r} (read as {spec.name!r})"
                wrong.append(f"column {shown} {column.column_fault}")
    return columns, wrong, absent


def _remedy(frame: pd.DataFrame, spec: ColumnSpec, spare: list[str]) -> str:
    """Say where a missing column may be: in the index, or under a name much like it."""
    levels = {fold(level) for level in frame.index.names if level is not None}
    if levels & {fold(name) for name in (spec.name, *spec.aliases)}:
        return " It stands in the index: give frame.reset_index()."
    return did_you_mean(spec.name, spare)


def assemble(frame: pd.DataFrame, table: TableSpec, columns: Mapping[str, Coerced]) -> pd.DataFrame:
    """Return the canonical table; the frame itself where nothing changes."""
    if frame.empty:
        return empty_table(table)
    if frame.shape[1] == len(columns) and all(c.untouched and n in frame for n, c in columns.items()):
        return frame
    return pd.DataFrame({name: columns[name].values for name in table.names if name in columns})


def empty_table(table: TableSpec) -> pd.DataFrame:
    """Return a table without rows, with all columns."""
    return pd.DataFrame({spec.name: empty_column(spec, 0) for spec in table.columns})


def _cell_faults(where: str, column: Coerced, own: str, frame: pd.DataFrame) -> list[str]:
    """Say which cells of a column cannot be read: a value outside its range can."""
    unreadable = [(mask, rule) for mask, rule in column.faults if not rule.startswith(("below ", "above "))]
    return [
        f"{where}: {rule} in {int(mask.sum())} rows, first {frame[own].iloc[int(np.argmax(mask))]!r} "
        f"in row {int(np.argmax(mask))}"
        for mask, rule in unreadable
    ]


def raise_structure(faults: list[str], missing: bool) -> None:
    """Raise if the tables do not fit the schema at all."""
    if faults:
        kind = MissingColumnError if missing else SchemaError
        raise kind(f"the tables do not fit the schema: {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
