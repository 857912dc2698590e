"""What is known of the clients of one date, month by month back, as the signals read it.

Row 0 of every grid is the month just ended, row 1 the one before. A signal is computed at the date and, for
the client's own history, as it would have been at the same day of each month before: with monthly rows and
statements known by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore.labels.grids import MonthGrid, Statements, quotient, statements_of
from clientscore.labels.sales import reported_debt, yearly
from clientscore.timeline import PERIOD_MONTHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from clientscore.schema import ClientSchema

    Numbers = NDArray[np.float64]
    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

WHOLE_MARKET = "*"
_REACH = 30  # months a signal looks back from its own date, at most
_STATEMENT_MONTHS = 24  # since the end of its period, after which a statement says nothing of the present


class Panel:
    """The clients of one date and what was known of them.

    Parameters
    ----------
    book : mapping of str to DataFrame
        Canonical tables cut at `as_of`.
    schema : ClientSchema
        Rhythm, publication lag and words.
    as_of : Timestamp
        The date.
    ids : Index of str
        The clients.
    history_months : int
        Months of own history.
    """

    def __init__(
        self,
        book: Mapping[str, pd.DataFrame],
        schema: ClientSchema,
        as_of: pd.Timestamp,
        ids: pd.Index,
        history_months: int,
    ) -> None:
        self.book = book
        self.schema = schema
        self.as_of = as_of
        self.ids = ids
        self.n_clients = len(ids)
        self.n_dates = history_months + 1
        self.depth = self.n_dates + _REACH
        self.fresh = PERIOD_MONTHS[schema.period] + 2
        end = int(as_of.year - 1970) * 12 + int(as_of.month) - 1
        self.months = (end - self.depth, end)
        back = [as_of - pd.DateOffset(months=k) for k in range(-12, self.depth + 1)]
        # days[12 + k] is the same day k months before; negative k lie ahead
        self._days = np.array([day.to_datetime64() for day in back]).astype("datetime64[D]").astype(np.int64)
        self._grids: dict[str, MonthGrid] = {}
        self._columns: dict[tuple[str, str, str], Numbers] = {}
        self._statements: tuple[Statements, Counts, Counts, Counts] | None = None

    def day(self, months_back: Counts | int) -> Counts:
        """Return the day number of the same day some months before (negative: after) the date."""
        return np.asarray(self._days[12 + np.asarray(months_back)])

    # ------------------------------------------------------------------------------------- monthly tables
    def placed(self, table: str) -> MonthGrid:
        """Return where the rows of a monthly table lie."""
        if table not in self._grids:
            self._grids[table] = MonthGrid.of(self.book[table], self.ids, self.months)
        return self._grids[table]

    def values(self, table: str, column: str) -> Numbers:
        """Return a column of a table as numbers, dates as days since 1970."""
        series = self.book[table][column]
        if pd.api.types.is_datetime64_any_dtype(series.dtype):
            days = series.to_numpy().astype("datetime64[D]")
            return np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(np.float64))
        return np.asarray(series.to_numpy(dtype=np.float64))

    def last(self, table: str, column: str) -> Numbers:
        """Lay out one value a client and month, shape (depth, clients)."""
        return self._laid(table, column, "last")

    def total(self, table: str, column: str) -> Numbers:
        """Lay out the sum over the rows of a client and month."""
        return self._laid(table, column, "total")

    def highest(self, table: str, column: str) -> Numbers:
        """Lay out the highest value over the rows of a client and month."""
        return self._laid(table, column, "highest")

    def _laid(self, table: str, column: str, how: str) -> Numbers:
        key = (table, column, how)
        if key not in self._columns:
            self._columns[key] = self.laid(table, self.values(table, column), how)
        return self._columns[key]

    def laid(self, table: str, values: Numbers, how: str = "total") -> Numbers:
        """Lay out values of the rows of a table, the month just ended first."""
        grid = self.placed(table)
        return np.ascontiguousarray(getattr(grid, how)(values)[::-1])

    def months_back(self, table: str) -> Counts:
        """Return how many months back each row of a monthly table lies, 0 for the month just ended."""
        months = self.book[table]["month"].to_numpy().astype("datetime64[M]").astype(np.int64)
        return np.asarray(self.months[1] - 1 - months)

    # ------------------------------------------------------------------------------ windows at every date
    def window(self, grid: Numbers, start: int, stop: int) -> Iterator[Numbers]:
        """Yield the months `start` to `stop` - 1 back from each date, each of shape (dates, clients)."""
        for back in range(start, stop):
            yield grid[back : back + self.n_dates]

    def mean(self, grid: Numbers, start: int, stop: int, min_share: float = 0.5) -> Numbers:
        """Return the mean over a window, missing where fewer than `min_share` of its months are known."""
        total, count = self._sums(grid, start, stop)
        enough = count >= max(1.0, np.ceil(min_share * (stop - start)))
        return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=enough))

    def sum(self, grid: Numbers, months: int) -> Numbers:
        """Return the sum over the last months, missing where none is known."""
        total, count = self._sums(grid, 0, months)
        return np.where(count > 0, total, np.nan)

    def extreme(self, grid: Numbers, months: int, *, lowest: bool = False) -> Numbers:
        """Return the highest (or lowest) value over the last months, missing where none is known."""
        pick = np.fmin if lowest else np.fmax
        return np.asarray(pick.reduce(list(self.window(grid, 0, months))))

    def level(self, grid: Numbers, months_before: int = 0) -> Numbers:
        """Return the latest value that was still fresh `months_before` months before each date."""
        out = np.full((self.n_dates, grid.shape[1]), np.nan)
        for values in self.window(grid, months_before, months_before + self.fresh):
            out = np.where(np.isnan(out), values, out)
        return out

    def _sums(self, grid: Numbers, start: int, stop: int) -> tuple[Numbers, Numbers]:
        total = np.zeros((self.n_dates, grid.shape[1]))
        count = np.zeros((self.n_dates, grid.shape[1]))
        for values in self.window(grid, start, stop):
            there = ~np.isnan(values)
            total += np.where(there, values, 0.0)
            count += there
        return total, count

    # ------------------------------------------------------------------------------- events and answers
    def counts(self, words: Iterable[str]) -> Numbers:
        """Return how many events of some words each month back holds, shape (depth, clients)."""
        events = self.book["events"]
        rows = np.flatnonzero(events["event"].isin(list(words)))
        client, back, _ = self._dated("events", "date", rows)
        grid = np.zeros((self.depth, self.n_clients))
        np.add.at(grid, (back, client), 1.0)
        return grid

    def answers(self, column: str) -> Numbers:
        """Return the last answer of each month back, shape (depth, clients)."""
        values = self.values("surveys", column)
        client, back, rows = self._dated("surveys", "answered_at", np.flatnonzero(~np.isnan(values)))
        grid = np.full((self.depth, self.n_clients), np.nan)
        grid[back, client] = values[rows]
        return grid

    def _dated(self, table: str, column: str, rows: Counts) -> tuple[Counts, Counts, Counts]:
        """Return client, months back and row of dated rows, in the order of their dates."""
        day = self.values(table, column)[rows]
        rows, day = rows[~np.isnan(day)], day[~np.isnan(day)]
        order = np.argsort(day, kind="stable")
        rows, day = rows[order], day[order]
        marks = self._days[12:][::-1]  # the earliest first; a day on a mark belongs to the month before it
        back = self.depth - np.searchsorted(marks, day, side="left")
        client = self.ids.get_indexer(pd.Index(self.book[table]["client_id"].iloc[rows]))
        kept = (client >= 0) & (back >= 0) & (back < self.depth)
        return client[kept], back[kept], rows[kept]

    # ----------------------------------------------------------------------------------------- statements
    @property
    def statements(self) -> Statements:
        """The statements in order."""
        return self._read_statements()[0]

    def of_latest(self, values: Numbers, *, any_age: bool = False) -> Numbers:
        """Return a value of all statements as one of the latest known at each date, shape (dates, clients).

        Missing where its period ended two years ago or more, unless `any_age`.
        """
        _, latest, fresh, _ = self._read_statements()
        return _take(values, latest if any_age else fresh)

    def of_year_before(self, values: Numbers, years: int = 1) -> Numbers:
        """Return the same of the statement `years` years before that one, as known then."""
        _, _, rows, before = self._read_statements()
        for _ in range(years):
            rows = np.where(rows >= 0, before[rows], -1) if len(before) else rows
        return _take(values, rows)

    def item(self, name: str, *, flow: bool = False) -> Numbers:
        """Return an item of all statements; a flow is brought to twelve months."""
        return yearly(self.statements, name) if flow else self.statements.item(name)

    def debt(self) -> Numbers:
        """Return the reported debt of all statements."""
        return reported_debt(self.statements)

    def _read_statements(self) -> tuple[Statements, Counts, Counts, Counts]:
        """Return the statements, the latest at each date, those of them not too old, those a year before."""
        if self._statements is None:
            lag = self.schema.publication_lag_days
            statements = statements_of(self.book["statements"], self.ids, lag)
            back = np.arange(self.n_dates)
            latest = statements.latest(self.day(back)[::-1], self.n_clients)[::-1]
            fresh = latest
            if len(statements.end):
                age = (self.months[1] - back)[:, None] - statements.end[latest]
                fresh = np.where((latest >= 0) & (age < _STATEMENT_MONTHS), latest, -1)
            self._statements = (statements, latest, fresh, statements.year_before())
        return self._statements

    # --------------------------------------------------------------------------------- sector and projects
    def sector(self, column: str) -> Numbers:
        """Lay out a figure of each client's sector, else of the whole market, shape (depth, clients)."""
        market = self.book["market"].rename(columns={"sector": "client_id"})
        sectors = pd.Index(market["client_id"].unique())
        grid = MonthGrid.of(market, sectors, self.months).last(market[column].to_numpy(dtype=np.float64))[
            ::-1
        ]
        grid = np.concatenate([grid, np.full((self.depth, 1), np.nan)], axis=1)  # column -1: none
        clients = self.book["clients"].set_index("client_id")
        industry = clients["industry"].reindex(self.ids) if "industry" in clients else [None] * self.n_clients
        own = grid[:, sectors.get_indexer(pd.Index(industry))]
        whole = grid[:, sectors.get_indexer([WHOLE_MARKET])]
        return np.where(np.isnan(own), whole, own)

    def projects(self, column: str) -> tuple[Numbers, Counts]:
        """Lay out a column by project, shape (depth, projects), and give each project's client (-1: none)."""
        table = self.book["projects"]
        names = pd.Index(table["project_id"].unique())
        by_project = pd.DataFrame({"client_id": table["project_id"], "month": table["month"]})
        grid = MonthGrid.of(by_project, names, self.months).last(self.values("projects", column))[::-1]
        owner = table.drop_duplicates("project_id", keep="last").set_index("project_id")["client_id"]
        return grid, self.ids.get_indexer(pd.Index(owner.reindex(names)))

    def worst(self, values: Numbers, owner: Counts, *, lowest: bool = False) -> Numbers:
        """Return the highest (or lowest) of each client's projects, shape (dates, clients)."""
        sign = -1.0 if lowest else 1.0
        out = np.full((self.n_clients, self.n_dates), -np.inf)
        kept = owner >= 0
        signed = np.where(np.isnan(values), -np.inf, sign * values)
        np.maximum.at(out, owner[kept], signed.T[kept])
        return np.where(np.isneginf(out), np.nan, sign * out).T


def growth(now: Numbers, before: Numbers) -> Numbers:
    """Return the relative change, missing where the value before is not above zero."""
    return quotient(now - before, before)


def _take(values: Numbers, rows: Counts) -> Numbers:
    """Take rows of a column; a row of -1 is missing."""
    if not len(values):
        return np.full(rows.shape, np.nan)
    return np.where(rows >= 0, values[rows], np.nan)
