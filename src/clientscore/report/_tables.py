"""Numbers as a reader wants them: short amounts, percentages, tables of figures."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

_STEPS = ((1e12, "T"), (1e9, "bn"), (1e6, "m"), (1e3, "k"))
NOTHING = "–"


def compact(value: Any) -> str:
    """Write an amount in at most four figures.

    Examples
    --------
    >>> compact(1_234_567), compact(-950.4), compact(2.5e9), compact(float("nan"))
    ('1.23m', '-950', '2.5bn', '–')
    """
    if not is_known(value):
        return NOTHING
    for step, word in _STEPS:
        if abs(value) >= step * 0.9995:
            return f"{float(f'{value / step:.3g}'):g}{word}"
    return f"{float(f'{value:.3g}'):g}"


def percent(value: Any, digits: int = 1) -> str:
    """Write a fraction as a percentage."""
    return f"{value:.{digits}%}" if is_known(value) else NOTHING


def count(value: Any) -> str:
    """Write a whole number."""
    return f"{value:,.0f}" if is_known(value) else NOTHING


def is_known(value: Any) -> bool:
    """Whether a value is a finite number."""
    return not pd.isna(value) and math.isfinite(value)


def figure_table(frame: pd.DataFrame | None) -> dict[str, Any] | None:
    """Return any frame as headings and rows of text; None where there is nothing to show."""
    if frame is None or frame.empty:
        return None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    heads = [str(name).replace("_", " ") for name in frame.columns]
    return {"heads": heads, "rows": rows, "numeric": numeric}


def _cell(value: Any) -> str:
    if not pd.api.types.is_scalar(value):
        return str(value)
    if pd.isna(value):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return str(value)
