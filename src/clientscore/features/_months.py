"""Monthly records laid out as months back x clients, and windows over them.

Sums run month by month in one fixed order, so a client's figures do not depend on who else is in the book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._arrays import missing, ratio

if TYPE_CHECKING:
    from ._arrays import Counts, Flags, Numbers
    from ._book import View

YEAR = 12
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12


class MonthGrid:
    """Records of one monthly table within the months that matter, for every client of a view.

    Row 0 of every grid is the month just ended, row 1 the one before, down to `years` years plus the months
    for which a value stays fresh.
    """

    def __init__(self, view: View, table: str, years: int = 1) -> None:
        self.view = view
        self.table = table
        self.depth = YEAR * years + view.fresh
        owner, ago = view.owner(table), view.months_ago(table)
        self.rows: Counts = np.flatnonzero((owner >= 0) & (ago >= 1) & (ago <= self.depth))
        self.owner: Counts = owner[self.rows]
        self.back: Counts = ago[self.rows] - 1
        self._cell = self.back * view.n_clients + self.owner

    def column(self, name: str) -> Numbers:
        """Return a column of the records inside the grid."""
        return self.view.column(self.table, name)[self.rows]

    def last(self, name: str) -> Numbers:
        """Lay out one value per client and month (the one known last)."""
        grid = missing(self.depth * self.view.n_clients)
        grid[self._cell] = self.column(name)
        return grid.reshape(self.depth, self.view.n_clients)

    def total(self, values: Numbers) -> Numbers:
        """Sum values of the records per client and month, missing where none is present."""
        there = ~np.isnan(values)
        size = self.depth * self.view.n_clients
        total = np.bincount(self._cell[there], weights=values[there], minlength=size)
        count = np.bincount(self._cell[there], minlength=size)
        return np.where(count > 0, total, np.nan).reshape(self.depth, self.view.n_clients)

    def highest(self, values: Numbers) -> Numbers:
        """Highest value of the records per client and month, missing where none is present."""
        grid = np.full(self.depth * self.view.n_clients, -np.inf)
        there = ~np.isnan(values)
        np.maximum.at(grid, self._cell[there], values[there])
        return np.where(np.isneginf(grid), np.nan, grid).reshape(self.depth, self.view.n_clients)

    def present(self) -> Flags:
        """Tell which records belong to the latest fresh month of their client."""
        first = np.full(self.view.n_clients, self.depth, dtype=np.int64)
        np.minimum.at(first, self.owner, self.back)
        return np.asarray((self.back == first[self.owner]) & (self.back < self.view.fresh))

    def level(self, grid: Numbers, months_before: int = 0) -> Numbers:
        """Return the latest value as of `months_before` months ago that was still fresh then."""
        out = missing(grid.shape[1])
        for back in range(months_before, months_before + self.view.fresh):
            out = np.where(np.isnan(out), grid[back], out)
        return out


def window_sum(grid: Numbers, start: int, stop: int) -> Numbers:
    """Sum over months `start` to `stop` - 1 back, missing where no month is present."""
    total, count = _accumulate(grid, start, stop)
    return np.where(count > 0, total, np.nan)


def window_mean(grid: Numbers, start: int, stop: int) -> Numbers:
    """Mean over the months present among `start` to `stop` - 1 back."""
    total, count = _accumulate(grid, start, stop)
    return ratio(total, count)


def window_max(grid: Numbers, start: int, stop: int) -> Numbers:
    """Highest value over months `start` to `stop` - 1 back, missing where no month is present."""
    return np.asarray(np.fmax.reduce(grid[start:stop], axis=0))


def growth(now: Numbers, before: Numbers) -> Numbers:
    """Relative change, missing where the value before is not above zero."""
    return ratio(now - before, before)


def changed(grid: Numbers, months: int) -> Numbers:
    """Return 1 where a code changed in the last `months` months, 0 where not, missing where none is known."""
    before = missing(grid.shape[1])
    out = missing(grid.shape[1])
    for back in range(grid.shape[0] - 1, -1, -1):
        now = grid[back]
        known = ~np.isnan(now)
        if back < months:
            differs = known & ~np.isnan(before) & (now != before)
            out = np.where(known, np.fmax(out, differs.astype(np.float64)), out)
        before = np.where(known, now, before)
    return out


def _accumulate(grid: Numbers, start: int, stop: int) -> tuple[Numbers, Numbers]:
    total, count = np.zeros(grid.shape[1]), np.zeros(grid.shape[1])
    for back in range(start, stop):
        there = ~np.isnan(grid[back])
        total += np.where(there, grid[back], 0.0)
        count += there
    return total, count
