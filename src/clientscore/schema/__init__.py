"""Tables, columns, units and ranges; the checks that every book passes first.

``ClientSchema`` says what the tables look like, ``validate_clients`` sorts their rows into accepted and
rejected, ``conform_tables`` brings names and types into the canonical form, ``read_tables`` reads a folder.
"""

from __future__ import annotations

from .client import ClientSchema
from .conform import conform_tables
from .read import read_tables
from .report import ValidationReport
from .spec import ColumnSpec, TableSpec
from .validate import validate_clients

__all__ = [
    "ClientSchema",
    "ColumnSpec",
    "TableSpec",
    "ValidationReport",
    "conform_tables",
    "read_tables",
    "validate_clients",
]
