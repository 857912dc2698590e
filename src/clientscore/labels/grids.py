"""Monthly records laid out as months x clients, means over them, and the statements known by then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore.timeline import known_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

__all__ = [
    "MonthGrid",
    "Statements",
    "month_numbers",
    "quotient",
    "run_lengths",
    "spell_frame",
    "spells_between",
    "statements_of",
    "trailing_mean",
]

_US = "datetime64[us]"
# A statement a year before may end up to two months off: financial years do move.
_NEARBY = (0, -1, 1, -2, 2)


def month_numbers(dates: pd.Series) -> Counts:
    """Return the months of dates, counted from January 1970."""
    return np.asarray(dates.to_numpy().astype("datetime64[M]").astype(np.int64))


@dataclass(frozen=True)
class MonthGrid:
    """Rows of one monthly table, placed by month and client.

    Parameters
    ----------
    clients : Index of str
        The columns of every grid.
    origin : int
        Month of the first row, counted from January 1970.
    span : int
        Number of months.
    rows : ndarray of int
        Rows of the table that lie on the grid.
    month, client : ndarray of int
        Their place.
    """

    clients: pd.Index
    origin: int
    span: int
    rows: Counts
    month: Counts
    client: Counts

    @classmethod
    def of(
        cls, table: pd.DataFrame, clients: pd.Index | None = None, months: tuple[int, int] | None = None
    ) -> MonthGrid:
        """Place a table with client_id and month.

        Parameters
        ----------
        table : DataFrame
            Canonical columns.
        clients : Index of str, default None
            The clients wanted; None takes those of the table, in the order of their first rows.
        months : tuple of int, default None
            First month and the one after the last; None takes those of the table.
        """
        if clients is None:
            codes, found = pd.factorize(table["client_id"])
            clients = pd.Index(found)
        else:
            codes = clients.get_indexer(pd.Index(table["client_id"]))
        month = month_numbers(table["month"])
        if months is None:
            months = (int(month.min()), int(month.max()) + 1) if len(month) else (0, 0)
        kept = np.flatnonzero((codes >= 0) & (month >= months[0]) & (month < months[1]))
        return cls(clients, months[0], months[1] - months[0], kept, month[kept] - months[0], codes[kept])

    @classmethod
    def none(cls) -> MonthGrid:
        """Return a grid without months and clients."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(pd.Index([], dtype="str"), 0, 0, nothing, nothing, nothing)

    @property
    def months(self) -> tuple[int, int]:
        """First month and the one after the last, counted from January 1970."""
        return self.origin, self.origin + self.span

    @property
    def shape(self) -> tuple[int, int]:
        """Months, clients."""
        return self.span, len(self.clients)

    def placed(self, table: pd.DataFrame) -> MonthGrid:
        """Place the rows of another table on the same months and clients."""
        return MonthGrid.of(table, self.clients, self.months)

    def last(self, values: Numbers) -> Numbers:
        """Lay out one value a month and client, the last of several; `values` belong to the whole table."""
        grid = np.full(self.shape, np.nan)
        grid[self.month, self.client] = values[self.rows]
        return grid

    def total(self, values: Numbers) -> Numbers:
        """Sum the values of each month and client; missing where none is known."""
        cell, known = self._cells(values)
        size = self.span * len(self.clients)
        total = np.bincount(cell, weights=known, minlength=size)
        count = np.bincount(cell, minlength=size)
        return np.asarray(np.where(count > 0, total, np.nan)).reshape(self.shape)

    def highest(self, values: Numbers) -> Numbers:
        """Return the highest value of each month and client; missing where none is known."""
        cell, known = self._cells(values)
        grid = np.full(self.span * len(self.clients), -np.inf)
        np.maximum.at(grid, cell, known)
        return np.where(np.isneginf(grid), np.nan, grid).reshape(self.shape)

    def present(self) -> Flags:
        """Tell where a row is."""
        there = np.zeros(self.shape, dtype=bool)
        there[self.month, self.client] = True
        return there

    def _cells(self, values: Numbers) -> tuple[Counts, Numbers]:
        kept = values[self.rows]
        there = ~np.isnan(kept)
        return (self.month * len(self.clients) + self.client)[there], kept[there]


def trailing_mean(grid: Numbers, months: int, min_share: float) -> Numbers:
    """Return the mean of the last months of each row and column, missing where too few are there."""
    there = ~np.isnan(grid)
    total = np.cumsum(np.where(there, grid, 0.0), axis=0)
    count = np.cumsum(there, axis=0)
    total[months:] -= total[:-months].copy()
    count[months:] -= count[:-months].copy()
    enough = count >= max(1, int(np.ceil(min_share * months)))
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=enough))


def quotient(above: Numbers, below: Numbers) -> Numbers:
    """Divide where the denominator is above zero; elsewhere missing."""
    out = np.full(np.broadcast_shapes(np.shape(above), np.shape(below)), np.nan)
    return np.asarray(np.divide(above, below, out=out, where=below > 0))


@dataclass(frozen=True)
class Statements:
    """Every version of every statement, in the order of client, period and day of becoming known.

    Attributes
    ----------
    frame : DataFrame
        The rows.
    client, end, known : ndarray of int
        Number of the client, month in which the period ends, day since 1970 on which the row was known.
    months : ndarray
        Length of the period; missing or below one counts as twelve.
    """

    frame: pd.DataFrame
    client: Counts
    end: Counts
    known: Counts
    months: Numbers

    def item(self, name: str) -> Numbers:
        """Return a column of numbers, all missing where the table lacks it."""
        if name not in self.frame:
            return np.full(len(self.client), np.nan)
        return np.asarray(self.frame[name].to_numpy(dtype=np.float64))

    def year_before(self) -> Counts:
        """Return for each version the one of the year before as it was known at the same time; -1: none."""
        found = np.full(len(self.client), -1, dtype=np.int64)
        for shift in _NEARBY:
            asked = np.flatnonzero(found < 0)
            end = self.end[asked] - 12 + shift
            at = np.searchsorted(self._key(), _key(self.client[asked], end, self.known[asked]), "right") - 1
            hit = (at >= 0) & (self.client[at] == self.client[asked]) & (self.end[at] == end)
            found[asked[hit]] = at[hit]
        return found

    def latest(self, days: Counts, n_clients: int) -> Counts:
        """Return which version is the latest one on increasing days; -1 where none is known.

        Shape (days, clients). The latest is the one of the last period, of several the one known last.
        """
        place = np.searchsorted(days, self.known, side="left")
        rows = np.flatnonzero(place < len(days))
        grid = np.full((len(days), n_clients), -1, dtype=np.int64)
        # Versions are sorted by period, then by day, so of those known the last one is the latest.
        np.maximum.at(grid, (place[rows], self.client[rows]), rows)
        return np.asarray(np.maximum.accumulate(grid, axis=0))

    def _key(self) -> Counts:
        return _key(self.client, self.end, self.known)


def _key(client: Counts, end: Counts, known: Counts) -> Counts:
    """Return one number that sorts by client, period and day (of years 1600 to 2300)."""
    return np.asarray((client << 40) + ((end + (1 << 13)) << 20) + known + (1 << 18))


def statements_of(table: pd.DataFrame, clients: pd.Index, publication_lag_days: int) -> Statements:
    """Put the statements of `clients` in order; rows without a period end are left out."""
    code = clients.get_indexer(pd.Index(table["client_id"]))
    known = known_at("statements", table, publication_lag_days).to_numpy()
    rows = np.flatnonzero((code >= 0) & ~np.isnat(known))
    frame = table.iloc[rows]
    day = known[rows].astype("datetime64[D]").astype(np.int64)
    end = month_numbers(frame["period_end"])
    order = np.lexsort((day, end, code[rows]))
    frame = frame.iloc[order]
    months = np.full(len(frame), 12.0)
    if "period_months" in frame:
        given = frame["period_months"].to_numpy(dtype=np.float64)
        months = np.where(given >= 1, given, 12.0)  # a missing length compares as false
    return Statements(frame, code[rows][order], end[order], day[order], months)


def spell_frame(
    grid: MonthGrid, client: Counts | None = None, start: Counts | None = None, end: Counts | None = None
) -> pd.DataFrame:
    """Return spells as a table: client_id, start and end, each the day it is known, by client and start.

    `start` and `end` are rows of the grid, an end of -1 is still to come; without them the table is empty.
    """
    nothing = np.empty(0, dtype=np.int64)
    client, start, end = (nothing if one is None else one for one in (client, start, end))
    known = (np.stack([start, end]) + 1 + grid.origin).astype("datetime64[M]").astype(_US)
    known[1, end < 0] = np.datetime64("NaT")
    ids = pd.Series(grid.clients.take(client), dtype="str")
    frame = pd.DataFrame({"client_id": ids, "start": known[0], "end": known[1]})
    return frame.sort_values(["client_id", "start"], ignore_index=True)


def run_lengths(flags: Flags) -> Counts:
    """Return how many months running up to each month a flag has stood."""
    run = np.zeros(flags.shape[1], dtype=np.int64)
    lengths = np.zeros(flags.shape, dtype=np.int64)
    for month, standing in enumerate(flags):
        run = np.where(standing, run + 1, 0)
        lengths[month] = run
    return lengths


def spells_between(grid: MonthGrid, opens: Flags, closes: Flags) -> pd.DataFrame:
    """Return the spells that start in a month that opens one and end in the next that closes it."""
    size = len(grid.clients)
    spell_of = np.full(size, -1)  # number of the running spell of each client
    clients, starts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    ends = np.full(0, -1)
    for month in range(grid.span):
        over = np.flatnonzero(closes[month] & (spell_of >= 0))
        ends[spell_of[over]] = month
        spell_of[over] = -1
        new = np.flatnonzero(opens[month] & (spell_of < 0))
        spell_of[new] = len(ends) + np.arange(len(new))
        ends = np.append(ends, np.full(len(new), -1))
        clients.append(new)
        starts.append(np.full(len(new), month))
    return spell_frame(grid, np.concatenate(clients), np.concatenate(starts), ends)
