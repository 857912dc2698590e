"""Checks of what a hazard is learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

from .panel import PERIOD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    Ints = NDArray[np.int64]


def whole_durations(duration: Any) -> NDArray[np.float64]:
    """Return durations in whole periods, or say what is wrong with them."""
    try:
        values = np.asarray(duration, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("duration must hold whole numbers of periods; got text or missing values.") from None
    if values.ndim != 1:
        raise DataError(f"duration must be one column; got shape {values.shape}.")
    missing = int((~np.isfinite(values)).sum())
    broken = int((np.isfinite(values) & (values != np.round(values))).sum())
    early = int((values <= 0).sum())
    faults = [
        f"{count} {words}"
        for count, words in (
            (missing, "missing or infinite: censored clients have the periods seen as duration"),
            (broken, "not whole: count whole periods"),
            (early, "zero or negative: not at risk when the window opens, leave these rows out"),
        )
        if count
    ]
    if faults:
        raise DataError(f"duration must be whole periods of at least 1 in all {len(values)} rows.", faults)
    return values


def positive_durations(duration: Any) -> NDArray[np.float64]:
    """Return durations as numbers above 0, or say what is wrong with them."""
    try:
        values = np.array(duration, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("duration must hold numbers above 0; got text or missing values.") from None
    if values.ndim != 1:
        raise DataError(f"duration must be one column; got shape {values.shape}.")
    missing, early = int((~np.isfinite(values)).sum()), int((values <= 0).sum())
    faults = [
        f"{count} {words}"
        for count, words in (
            (missing, "missing or infinite: censored clients have the time seen as duration"),
            (early, "zero or negative: not at risk when the window opens, leave these rows out"),
        )
        if count
    ]
    if faults:
        raise DataError(f"duration must be above 0 in all {len(values)} rows.", faults)
    return values


def client_numbers(X: pd.DataFrame, groups: ArrayLike | None) -> NDArray[np.int64]:
    """Return the number of the client of each row."""
    if groups is None:
        named = "client_id" in X.index.names
        groups = X.index.get_level_values("client_id") if named else np.arange(len(X))
    values = pd.Series(np.asarray(groups))
    if len(values) != len(X):
        raise DataError(f"groups must have {len(X)} values like X; got {len(values)}.")
    return np.asarray(pd.factorize(values)[0], dtype=np.int64)


def check_features(X: pd.DataFrame) -> None:
    """Raise unless `X` is a frame without a feature of the hazard's own."""
    if not isinstance(X, pd.DataFrame):
        raise DataError(f"X must be a DataFrame with named features; got {type(X).__name__}.")
    if PERIOD in X.columns:
        raise InvalidParameterError(
            f"X must not have a feature named {PERIOD!r}, the hazard's own. Rename it."
        )


def check_rows(X: pd.DataFrame, duration: Ints | NDArray[np.float64], event: pd.Series) -> None:
    """Raise unless the rows agree in number."""
    if not len(X) == len(duration) == len(event):
        raise DataError(
            f"X, duration and event must have as many rows; got {len(X)}, {len(duration)}, {len(event)}."
        )


def check_target(X: pd.DataFrame, target: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise unless `target` has the columns and stands on the index of `X`."""
    check_columns(target.columns, columns, subject="target")
    if not X.index.equals(target.index):
        raise DataError("target must have the index of X. Reindex it: target.loc[X.index].")


def check_horizons(horizons: Sequence[int]) -> None:
    """Raise unless `horizons` are whole periods of at least 1, one or more."""
    if not len(horizons):
        raise InvalidParameterError("horizons must hold at least one horizon; got none.")
    for horizon in horizons:
        check_integer("horizons", horizon, low=1)


def check_reach(reach: float, horizons: Sequence[int]) -> None:
    """Raise when a horizon lies past the last period with clients at risk."""
    if reach < max(horizons):
        raise InvalidParameterError(
            f"horizons must not pass the longest duration in training, {reach:g}; "
            f"got {tuple(horizons)}. Shorten them, or follow clients longer."
        )


def check_counts(causes: tuple[str, ...], counts: Ints, within: str) -> None:
    """Raise when nothing happens in time, or a cause that was asked for does not."""
    if not counts.sum():
        raise DataError(f"event must have at least one event within {within}; all rows are censored.")
    absent = [name for name, count in zip(causes, counts, strict=True) if count == 0]
    if absent:
        raise DataError(
            f"causes must each have an event within {within}; got none of {absent}. "
            "Leave them out of causes=, or follow clients longer."
        )


def check_causes(names: Sequence[str], causes: Sequence[str]) -> None:
    """Raise unless `names` are causes, at least one."""
    faults = [f"{name!r} is unknown.{did_you_mean(name, causes)}" for name in names if name not in causes]
    if faults or not names:
        raise InvalidParameterError(f"cause must be among {tuple(causes)}; got {list(names)}.", faults)
