"""Peers: the percentile of a value among clients of the same industry (and size), else of the whole book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.timeline import as_of_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._panel import Counts, Numbers
    from ._rules import Peers

__all__ = ["BOOK", "SignalReference", "group_names", "measured"]

N_POINTS = 101
BOOK = "whole book"


@dataclass(frozen=True, eq=False)
class SignalReference:
    """Quantiles of every signal in every group of peers, date by date.

    Made once from the whole book (`build_signal_reference`) and passed wherever only a part of it is at
    hand: one client alone then gets the percentiles it has inside the book.

    Parameters
    ----------
    signals : tuple of str
        Signals with quantiles.
    groups : tuple of str
        Groups of peers, such as "whole book", "energy" or "energy, small".
    as_of : tuple of Timestamp
        Dates of the populations, increasing.
    grids : ndarray of shape (n_dates, n_signals, n_groups, n_points)
        Quantiles from the lowest to the highest value, evenly spaced in probability; missing for a group with
        too few clients.

    Raises
    ------
    InvalidParameterError
        When the shapes do not fit or the dates do not increase.
    """

    signals: tuple[str, ...]
    groups: tuple[str, ...]
    as_of: tuple[pd.Timestamp, ...]
    grids: Numbers

    def __post_init__(self) -> None:
        expected = (len(self.as_of), len(self.signals), len(self.groups))
        if self.grids.ndim != 4 or self.grids.shape[:3] != expected or self.grids.shape[3] < 2:
            raise InvalidParameterError(
                f"grids must have the shape (n_dates, n_signals, n_groups, n_points) = "
                f"{(*expected, '>= 2')}; got {self.grids.shape}."
            )
        if any(later <= earlier for earlier, later in zip(self.as_of, self.as_of[1:], strict=False)):
            raise InvalidParameterError("as_of of a reference must increase from date to date.")

    def at(self, as_of: Any) -> dict[str, Numbers]:
        """Return the quantiles of each signal of the latest population not after a date.

        Parameters
        ----------
        as_of : date or str
            The date.

        Returns
        -------
        dict of str to ndarray of shape (n_groups, n_points)

        Raises
        ------
        DataError
            When every population of the reference is later: percentiles would read the future.
        """
        date = as_of_list(as_of)[0][0]
        place = sum(known <= date for known in self.as_of)
        if not place:
            first = f"its first is {self.as_of[0].date()}" if self.as_of else "it is empty"
            raise DataError(
                f"the reference must hold a population at or before {date.date()}; {first}. "
                "Build one for this date with build_signal_reference(tables, schema, as_of)."
            )
        return dict(zip(self.signals, self.grids[place - 1], strict=True))

    def to_state(self) -> dict[str, Any]:
        """Return the reference as plain data: lists and one array."""
        return {
            "signals": list(self.signals),
            "groups": list(self.groups),
            "as_of": [str(date.date()) for date in self.as_of],
            "grids": self.grids,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SignalReference:
        """Rebuild a reference from `to_state`."""
        dates = tuple(pd.Timestamp(date) for date in state["as_of"])
        grids = np.asarray(state["grids"], dtype=np.float64)
        return cls(tuple(state["signals"]), tuple(state["groups"]), dates, grids)


def group_names(clients: pd.DataFrame, peers: Peers) -> list[np.ndarray]:
    """Return the name of each client's group, from the narrowest kind of group to the whole book.

    A client without an industry (or segment) belongs to no such group: None.
    """
    size = len(clients)
    book = np.full(size, BOOK, dtype=object)
    if peers == "book" or "industry" not in clients:
        return [book]
    industry = clients["industry"].to_numpy(dtype=object, na_value=None)
    if peers == "industry" or "segment" not in clients:
        return [industry, book]
    segment = clients["segment"].to_numpy(dtype=object, na_value=None)
    both = [
        None if one is None or two is None else f"{one}, {two}"
        for one, two in zip(industry, segment, strict=True)
    ]
    return [np.array(both, dtype=object), industry, book]


def measured(values: Numbers, levels: list[np.ndarray], groups: tuple[str, ...], min_peers: int) -> Numbers:
    """Return the quantiles of a signal in every group, shape (n_groups, n_points)."""
    grid = np.full((len(groups), N_POINTS), np.nan)
    probabilities = np.linspace(0.0, 1.0, N_POINTS)
    known = np.flatnonzero(~np.isnan(values))
    index = pd.Index(groups)
    for names in levels:
        code = index.get_indexer(pd.Index(names[known]))
        inside = known[code >= 0]
        code = code[code >= 0]
        order = np.lexsort((values[inside], code))
        ends = np.searchsorted(code[order], np.arange(len(groups) + 1))
        for group in np.flatnonzero(np.diff(ends) >= min_peers):
            # Sorted already: quantiles are the values between, by proportion.
            part = values[inside[order[ends[group] : ends[group + 1]]]]
            grid[group] = np.interp(probabilities, np.linspace(0.0, 1.0, len(part)), part)
    return grid


def percentiles(values: Numbers, codes: list[Counts], grid: Numbers | None) -> tuple[Numbers, Counts]:
    """Return the percentile of each value in its narrowest group that is large enough, and that group.

    `codes` hold the number of each client's group from the narrowest kind to the widest, -1 for none. A group
    of -1 means that there is no percentile.
    """
    rank, used = np.full(len(values), np.nan), np.full(len(values), -1, dtype=np.int64)
    if grid is None:
        return rank, used
    known = ~np.isnan(grid[:, 0])
    for code in codes:
        open_ = (used < 0) & (code >= 0) & ~np.isnan(values)
        used = np.where(open_ & known[code], code, used)
    for group in np.unique(used[used >= 0]):
        rows = np.flatnonzero(used == group)
        rank[rows] = _share_below(grid[group], values[rows])
    return rank, used


def _share_below(grid: Numbers, values: Numbers) -> Numbers:
    """Return the share of a population below each value, of equal ones half."""
    steps = np.linspace(0.0, 1.0, len(grid))
    left = np.searchsorted(grid, values, side="left")
    right = np.searchsorted(grid, values, side="right")
    last = len(grid) - 1
    tied = (steps[np.minimum(left, last)] + steps[np.maximum(right - 1, 0)]) / 2.0
    between = np.interp(values, grid, steps)
    return np.where(right > left, tied, between)
