"""Columns of a book as numbers and words, whether they are there or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as numbers, all missing where it is absent."""
    if name not in frame.columns:
        return pd.Series(np.nan, index=frame.index)
    return pd.to_numeric(frame[name], errors="coerce").astype("float64")


def words(frame: pd.DataFrame, name: str, missing: str) -> pd.Series:
    """Return a column as text, missing values named."""
    if name not in frame.columns:
        return pd.Series(missing, index=frame.index, dtype="str")
    return frame[name].astype("str").fillna(missing)


def has(frame: pd.DataFrame, *names: str) -> bool:
    """Whether all columns are there and hold something."""
    return all(name in frame.columns and frame[name].notna().any() for name in names)


def text(value: Any) -> str:
    """Write one value, nothing for a missing one."""
    return "" if value is None or pd.isna(value) else str(value)
