"""What if a driver were different: changed features, inside what training has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard, FeatureBins


def changed(
    X: pd.DataFrame, changes: Mapping[str, Any], names: Sequence[str], card: AdditiveCard | None
) -> pd.DataFrame:
    """Return `X` with the changes made, or say what is wrong with them, all at once.

    Only what the changes alter is checked: a client that was out of range before may stay so.
    """
    _check_names(X, changes, names)
    bins = {} if card is None else dict(zip(card.features, card.bins, strict=True))
    made: dict[str, pd.Series] = {}
    faults: list[str] = []
    for name, change in changes.items():
        column = _column(X[name], name, change)
        same = (column == X[name]).fillna(value=False).astype(bool) | (column.isna() & X[name].isna())
        altered = ~same.to_numpy(dtype=bool)
        if name in bins:
            faults += _faults(bins[name], column[altered], len(X))
        made[name] = column
    if faults:
        raise DataError("changes must stay inside what training has seen.", faults)
    return X.assign(**made)


def _check_names(X: pd.DataFrame, changes: Mapping[str, Any], names: Sequence[str]) -> None:
    unknown = [name for name in changes if name not in names or name not in X.columns]
    if unknown or not changes:
        faults = [f"{name!r} is unknown.{did_you_mean(str(name), names)}" for name in unknown]
        raise InvalidParameterError(
            "changes must map features of the model, at least one, to values or functions of the column.",
            faults,
        )


def _column(before: pd.Series, name: str, change: Any) -> pd.Series:
    """Return the changed column: a function of the old one, one value for all, or one a row."""
    after = change(before) if callable(change) else change
    if isinstance(after, pd.Series):
        if not after.index.equals(before.index):
            raise DataError(f"The change of {name!r} must have the index of X. Reindex it.")
        return after
    if np.ndim(after) and len(after) != len(before):
        raise DataError(f"The change of {name!r} must have {len(before)} values like X; got {len(after)}.")
    kind = None if np.ndim(after) or isinstance(after, str) else float
    return pd.Series(np.nan if after is None else after, index=before.index, name=name, dtype=kind)


def _faults(bins: FeatureBins, column: pd.Series, n: int) -> list[str]:
    """Return in words what training has not seen among altered values."""
    name, known = bins.name, column.dropna()
    faults = []
    if len(known) < len(column) and not bins.missing:
        faults.append(
            f"{name!r} is made missing in {len(column) - len(known)} of {n} rows; training had no missing "
            "value. Give a value."
        )
    if bins.kind == "category":
        strange = sorted({str(value) for value in known if bins.row_kind(bins.code(value)) is not None})
        return faults + [
            f"{name!r} has the level {level!r}, which training did not hold; its levels are "
            f"{', '.join(bins.levels)}.{did_you_mean(level, bins.levels)}"
            for level in strange
        ]
    values = _numbers(name, known)
    outside = ((values < bins.least) | (values > bins.greatest)) & ~np.isin(values, bins.specials)
    if outside.any():
        worst = float(values[outside][0])
        faults.append(
            f"{name!r} must lie in [{bins.least:g}, {bins.greatest:g}], the range seen in training; "
            f"{int(outside.sum())} of {n} rows do not, the first is {worst:g}. "
            "Choose a change inside the range: no client beyond it was ever observed."
        )
    return faults


def _numbers(name: str, known: pd.Series) -> NDArray[np.float64]:
    try:
        return np.asarray(known, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The change of {name!r} must give numbers; {error}.") from error
