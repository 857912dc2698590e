"""The card in other words: SQL, PMML, a sheet.

Every export reads the features that stand in a term, of a card with one output in log-odds.
"""

from __future__ import annotations

from ._pmml import to_pmml
from ._sheet import to_sheet
from ._sql import Wanted, to_sql
from ._sql_dialects import SqlDialect

__all__ = ["SqlDialect", "Wanted", "to_pmml", "to_sheet", "to_sql"]
