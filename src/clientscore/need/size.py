"""The line of log amounts by log size: what the steps of a card cannot say beyond their last edge."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns

from .groups import SIZE_FEATURES, as_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_SHARE = 0.25  # of the variance of log amounts; a looser line says less than the card's steps
_LEAST_ROWS = 30
_BEYOND = float(np.log(10.0))  # how far past the sizes of training the line is drawn on
_PLAIN = "size_amount"  # in currency units; the other sizes are logs


@dataclass(frozen=True)
class SizeLine:
    """Amounts in proportion to a power of the client's size.

    A card is flat beyond its last edge, so that the few largest clients, who make most of a total, are taken
    for the average of their bin.  The line goes on, to ten times the sizes of training.

    Parameters
    ----------
    column : str
        Column that tells the size.
    slope : float
        Growth of the log amount by log size.
    low, high : float
        Least and greatest log size of training.
    usual : float
        Median log size, taken where the size is missing.
    """

    column: str
    slope: float
    low: float
    high: float
    usual: float

    @classmethod
    def of(cls, X: pd.DataFrame, log_amount: Floats) -> SizeLine | None:
        """Fit the size that says most; None where it says less than a quarter of the variance."""
        best, most = None, LEAST_SHARE
        for name in SIZE_FEATURES:
            if name not in X or not pd.api.types.is_numeric_dtype(X[name].dtype):
                continue
            size = _logs(_numbers(X[name]), name)
            known = np.isfinite(size)
            if known.sum() < _LEAST_ROWS or np.ptp(size[known]) == 0 or np.ptp(log_amount[known]) == 0:
                continue
            share = float(np.corrcoef(size[known], log_amount[known])[0, 1] ** 2) * float(known.mean())
            if share > most:
                slope = float(np.polyfit(size[known], log_amount[known], 1)[0])
                ends = float(size[known].min()), float(size[known].max())
                best, most = cls(name, slope, *ends, float(np.median(size[known]))), share
        return best

    def values(self, X: pd.DataFrame) -> Floats:
        """Return the line's part of the log amount of every row."""
        check_columns(X.columns, [self.column], subject="X")
        return self._at(_logs(_numbers(X[self.column]), self.column))

    def value_one(self, values: Mapping[str, Any]) -> float:
        """Return the line's part of one client's log amount."""
        check_columns(values.keys(), [self.column], subject="The client")
        size = np.array([as_number(values[self.column])])
        return float(self._at(_logs(size, self.column))[0])

    def _at(self, size: Floats) -> Floats:
        size = np.where(np.isnan(size), self.usual, size)
        return np.asarray(self.slope * np.clip(size, self.low - _BEYOND, self.high + _BEYOND))

    def to_state(self) -> dict[str, Any]:
        """Return the line as its name and numbers."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SizeLine:
        """Return the line that `to_state` wrote."""
        return cls(**state)


def _numbers(column: pd.Series) -> Floats:
    return np.asarray(column.to_numpy(np.float64, na_value=np.nan))


def _logs(values: Floats, name: str) -> Floats:
    """Return log sizes; what is no size (zero, negative, infinite) is missing."""
    if name == _PLAIN:
        values = np.log(np.where(values > 0, values, np.nan))
    return np.where(np.isfinite(values), values, np.nan)
