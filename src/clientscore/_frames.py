"""Columns of a book and values of one client, read by one rule: absent is missing, text is no number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray


def numbers_of(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column as float64, or all missing where it is absent."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    try:
        values: NDArray[np.float64] = frame[name].astype("float64").to_numpy()
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers; {error}.") from error
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise DataError(f"{name} holds infinity in {infinite} of {len(values)} rows; make it missing.")
    return values


def number_of(client: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    """Return one client's value as an array of length 1, missing where it is absent or None."""
    value = client.get(name)
    try:
        number = np.nan if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold a number; {error}.") from error
    if np.isinf(number):
        raise DataError(f"{name} must be finite; got {value!r}. Give None where it is unknown.")
    return np.array([number])


def ids_of(frame: pd.DataFrame) -> NDArray[np.object_]:
    """Return the client ids from the column, the index level or the index itself."""
    if "client_id" in frame.columns:
        ids = frame["client_id"]
    else:
        ids = frame.index.get_level_values("client_id" if "client_id" in frame.index.names else 0)
    result: NDArray[np.object_] = ids.to_numpy(dtype=object)
    return result
