"""Frames of other libraries, read through the Arrow interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    import pandas as pd


def is_arrow(X: Any) -> bool:
    """Tell whether X can hand over an Arrow stream: a polars frame, an Arrow table, a DuckDB relation."""
    return hasattr(X, "__arrow_c_stream__")


def frame_from_arrow(X: Any) -> pd.DataFrame:
    """Return X as a pandas frame on a RangeIndex; decimals become floats, null is missing.

    Raises
    ------
    DataError
        If a column is of a kind that Arrow cannot hand over.
    """
    import pyarrow as pa  # noqa: PLC0415 -- only for callers who hold such a frame

    try:
        table = pa.table(X)
        for place, field in enumerate(table.schema):
            if pa.types.is_decimal(field.type):
                numbers = table.column(place).cast(pa.float64())
                table = table.set_column(place, field.name, numbers)
        frame: pd.DataFrame = table.to_pandas()
    except (pa.ArrowException, TypeError) as error:
        raise DataError(
            f"X ({type(X).__module__}.{type(X).__name__}) cannot be read through Arrow: {error}. "
            "Cast its columns to numbers, text or categories."
        ) from error
    return frame.reset_index(drop=True)
