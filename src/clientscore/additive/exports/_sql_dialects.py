"""What differs between databases beyond spelling: how doubles and exact texts are written there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

SqlDialect = Literal["ansi", "postgres", "duckdb", "spark", "mysql", "tsql", "oracle", "sqlite"]


@dataclass(frozen=True)
class Engine:
    """One database.

    Parameters
    ----------
    writer : str
        Name of the sqlglot dialect that writes it.
    number : str
        A column x as a double, NULL where it is NaN.
    text : str
        A column x as text that compares byte by byte.
    suffix : str, default ""
        Ends a double literal, where an exponent alone does not make it one.
    array : str, default ""
        How to take a value from an array of doubles, counted from 1; a CASE where there is no such thing.
    infinite : bool, default False
        Whether a double can be infinite.
    mark : str, default ""
        What `text` appends so that trailing blanks count; appended to literals too.
    national : bool, default False
        Whether literals beyond ASCII need the prefix N.
    materialized : bool, default False
        Whether a step must be told to be computed once, or it is copied into every place that reads it.
    longest : int, default 0
        Most bytes of a column's name; 0 for no limit that matters.
    folds : bool, default True
        Whether two columns whose names differ in letter case only are the same column.
    """

    writer: str
    number: str
    text: str
    suffix: str = ""
    array: str = ""
    infinite: bool = False
    mark: str = ""
    national: bool = False
    materialized: bool = False
    longest: int = 0
    folds: bool = True


_NAN = "NULLIF(CAST(x AS DOUBLE), CAST('NaN' AS DOUBLE))"

ENGINES: dict[str, Engine] = {
    # Plain SQL:1999: the writer for PostgreSQL spells DOUBLE PRECISION and "names" as the standard does.
    "ansi": Engine("postgres", "CAST(x AS DOUBLE PRECISION)", "x", folds=False),
    "postgres": Engine(
        "postgres",
        "NULLIF(CAST(x AS DOUBLE PRECISION), CAST('NaN' AS DOUBLE PRECISION))",
        'CAST(x AS TEXT) COLLATE "C"',
        array="(CAST('{{{values}}}' AS DOUBLE PRECISION[]))[{place}]",
        infinite=True,
        materialized=True,
        longest=63,
        folds=False,
    ),
    "duckdb": Engine(
        "duckdb", _NAN, 'CAST(x AS TEXT) COLLATE "C"', array="[{values}][{place}]", infinite=True
    ),
    # Not element_at: Spark 4 takes its answer for never NULL, and gives a number where the place is NULL.
    "spark": Engine(
        "spark",
        _NAN,
        "CAST(x AS STRING)",
        suffix="D",
        array="try_element_at(array({values}), {place})",
        infinite=True,
    ),
    "mysql": Engine("mysql", "CAST(x AS DOUBLE)", "CAST(CONVERT(x USING utf8mb4) AS BINARY)", longest=64),
    "tsql": Engine(
        "tsql",
        "CAST(x AS FLOAT(53))",
        "(CAST(x AS NVARCHAR(4000)) + N'|') COLLATE Latin1_General_100_BIN2",
        mark="|",
        national=True,
        longest=128,
    ),
    "oracle": Engine(
        "oracle",
        "NANVL(TO_BINARY_DOUBLE(x), NULL)",
        "CAST(x AS VARCHAR2(4000))",
        suffix="D",
        infinite=True,
        longest=128,
        folds=False,
    ),
    "sqlite": Engine(
        "sqlite", "CAST(x AS REAL)", "CAST(x AS TEXT) COLLATE BINARY", infinite=True, materialized=True
    ),
}


def double_text(value: float) -> str:
    """Return a double as decimal text with an exponent, from which careless readers, too, restore it.

    The shortest text may lie almost half a unit in the last place away; a reader that rounds twice (SQLite
    before 3.43) then misses the double.  Such texts get 19 digits.

    Examples
    --------
    >>> double_text(0.7), double_text(-1e-7), double_text(0.1 + 0.7)
    ('0.7E0', '-1E-07', '0.7999999999999999E0')
    """
    text = repr(float(value))
    if abs(Decimal(text) - Decimal(value)) > Decimal(math.ulp(value)) * Decimal("0.49"):
        text = f"{value:.18e}"
    return text.upper() if "e" in text else f"{text}E0"
