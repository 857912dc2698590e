"""Percentiles within the population, from quantiles kept with the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.catalogue import base_features, derived_suffixes
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.timeline import as_of_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._arrays import Flags, Numbers

N_POINTS = 201


@dataclass(frozen=True, eq=False)
class ReferencePopulation:
    """Quantiles of the ranked features over the whole book, date by date.

    Made once from the whole book (`build_reference`), kept with the model and passed wherever only a part of
    the book is at hand, so that one client alone gets the same ranks as inside the book.

    Parameters
    ----------
    features : tuple of str
        Base features that are ranked.
    as_of : tuple of Timestamp
        Dates of the populations, increasing.
    grids : ndarray of shape (n_dates, n_features, n_points)
        Quantiles from the lowest to the highest value, evenly spaced in probability; all missing where no
        client has the feature.

    Raises
    ------
    InvalidParameterError
        When the shapes do not fit or the dates do not increase.

    Examples
    --------
    >>> grids = np.array([[[0.0, 0.1, 0.3]]])
    >>> reference = ReferencePopulation(("roa",), (pd.Timestamp("2026-01-01"),), grids)
    >>> reference.rank("roa", np.array([-1.0, 0.05, 0.1, 0.3, np.nan]), "2026-03-01")
    array([0.  , 0.25, 0.5 , 1.  ,  nan])
    """

    features: tuple[str, ...]
    as_of: tuple[pd.Timestamp, ...]
    grids: Numbers

    def __post_init__(self) -> None:
        expected = (len(self.as_of), len(self.features))
        if self.grids.ndim != 3 or self.grids.shape[:2] != expected or self.grids.shape[2] < 2:
            raise InvalidParameterError(
                f"grids must have the shape (n_dates, n_features, n_points) = {(*expected, '>= 2')}; "
                f"got {self.grids.shape}."
            )
        if any(later <= earlier for earlier, later in zip(self.as_of, self.as_of[1:], strict=False)):
            raise InvalidParameterError("as_of of a reference must increase from date to date.")

    def rank(self, feature: str, values: Numbers, as_of: Any) -> Numbers:
        """Return the share of the population below each value, ties counted half.

        Parameters
        ----------
        feature : str
            A ranked base feature.
        values : ndarray of shape (n,)
            Levels of the feature.
        as_of : date or str
            The date; the population of the latest date not after it is used.

        Returns
        -------
        ndarray of shape (n,)
            In [0, 1]; missing where the value is, or where no client of the population has the feature.
            A feature that is the same for all gives 0.5.

        Raises
        ------
        DataError
            When every population of the reference is later than `as_of`: ranks would read the future.
        InvalidParameterError
            When the feature is not in the reference.
        """
        if feature not in self.features:
            raise InvalidParameterError(
                f"the reference has no ranks of {feature!r}.{did_you_mean(feature, self.features)}"
            )
        return _mid_rank(self.grids[self._position(as_of), self.features.index(feature)], values)

    def _position(self, as_of: Any) -> int:
        date = as_of_list(as_of)[0][0]
        at = int(
            np.searchsorted(np.array(self.as_of, dtype="datetime64[us]"), date.to_datetime64(), side="right")
        )
        if at == 0:
            first = f"its first is {self.as_of[0].date()}" if self.as_of else "it is empty"
            raise DataError(
                f"the reference must hold a population at or before {date.date()}; {first}. "
                "Build one for this date with build_reference(tables, schema, as_of)."
            )
        return at - 1

    def extended(self, other: ReferencePopulation) -> ReferencePopulation:
        """Return a reference with the dates of both; where both have a date, `other` counts.

        Raises
        ------
        InvalidParameterError
            When the two rank different features or have different numbers of quantiles.
        """
        if other.features != self.features or other.grids.shape[2] != self.grids.shape[2]:
            raise InvalidParameterError(
                "only references of the same features and quantiles can be joined. "
                "Build both with build_reference."
            )
        by_date = dict(zip(self.as_of, self.grids, strict=True)) | dict(
            zip(other.as_of, other.grids, strict=True)
        )
        dates = tuple(sorted(by_date))
        return ReferencePopulation(self.features, dates, np.stack([by_date[date] for date in dates]))

    def to_state(self) -> dict[str, Any]:
        """Return the reference as plain data: lists and one array."""
        dates = [str(date.date()) for date in self.as_of]
        return {"features": list(self.features), "as_of": dates, "grids": self.grids}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ReferencePopulation:
        """Rebuild a reference from `to_state`."""
        dates = tuple(pd.Timestamp(date) for date in state["as_of"])
        return cls(tuple(state["features"]), dates, np.asarray(state["grids"], dtype=np.float64))


def ranked_features() -> tuple[str, ...]:
    """Return the base features that have a rank, in catalogue order."""
    return tuple(name for name in base_features() if "_rank" in derived_suffixes(name))


def quantile_grid(levels: Mapping[str, Numbers], member: Flags, features: Sequence[str]) -> Numbers:
    """Return the quantiles of each feature over the members, shape (n_features, n_points)."""
    probabilities = np.linspace(0.0, 1.0, N_POINTS)
    grid = np.full((len(features), N_POINTS), np.nan)
    for row, name in enumerate(features):
        values = levels[name][member] if name in levels else np.empty(0)
        values = values[~np.isnan(values)]
        if values.size:
            grid[row] = np.quantile(values, probabilities)
    return grid


def _mid_rank(grid: Numbers, values: Numbers) -> Numbers:
    """Share below plus half the share equal, between the points of the grid by proportion."""
    last = grid.size - 1
    if np.isnan(grid[0]):
        return np.full(values.shape, np.nan)
    below = np.searchsorted(grid, values, side="left")
    upto = np.searchsorted(grid, values, side="right")
    tied = upto > below
    low, high = np.clip(below - 1, 0, last), np.clip(below, 0, last)
    step = grid[high] - grid[low]
    part = np.divide(values - grid[low], step, out=np.zeros(values.shape), where=step > 0)
    position = np.where(tied, (below + upto - 1) / 2.0, np.where(below == 0, 0.0, low + part))
    rank = np.clip(position, 0.0, last) / last
    return np.where(np.isnan(values), np.nan, rank)
