"""A book made ready once, and what of it can be seen at each date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError
from clientscore.schema import ClientSchema, conform_tables
from clientscore.timeline import PERIOD_MONTHS, Timeline, population

from ._arrays import missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._arrays import Counts, Flags, Numbers

# Columns read as numbers, and dates the arithmetic needs, per table; every other column is left behind.
_NUMBERS: dict[str, tuple[str, ...]] = {
    "statements": (
        "period_months", "revenue", "cost_of_sales", "operating_expenses", "depreciation", "ebitda", "ebit",
        "interest_expense", "net_income", "cash", "receivables", "inventory", "current_assets",
        "fixed_assets", "total_assets", "payables", "short_term_debt", "current_liabilities",
        "long_term_debt", "total_liabilities", "equity", "retained_earnings", "operating_cash_flow", "capex",
    ),
    "facilities": ("limit_amount", "drawn_amount", "rate", "dpd_days", "collateral_amount"),
    "market": ("sector_growth", "policy_rate", "credit_rate", "spread", "sector_default_rate"),
    "market_values": ("market_value",),
    "interactions": (
        "balance_amount", "inflow_amount", "outflow_amount", "interest_income_amount", "fee_income_amount",
        "cost_amount", "products_held", "response_hours", "approval_days", "complaints", "meetings",
    ),
    "surveys": ("satisfaction", "approval_satisfaction", "wants_reports", "planned_financing_amount"),
    "projects": ("dscr", "llcr"),
    "events": ("amount",),
}  # fmt: skip
_DATES: dict[str, tuple[str, ...]] = {
    "statements": ("period_end", "published_at"),
    "facilities": ("month", "maturity_date"),
    "market": ("month",),
    "market_values": ("month",),
    "interactions": ("month",),
    "surveys": ("answered_at",),
    "projects": ("month", "completion_date"),
    "events": ("date",),
}
_WORDS: dict[str, tuple[str, ...]] = {
    "market": ("sector",),
    "projects": ("phase",),
    "events": ("client_id", "event"),
}
_CODES: dict[str, tuple[str, ...]] = {"interactions": ("manager_id",), "projects": ("project_id",)}
_CLIENT = "_client"
_MONTH = "_month"


@dataclass(frozen=True)
class View:
    """What is known at one date, with the clients of that date in rows 0 to ``n_clients`` - 1.

    ``member`` tells the population from those added by ``include``; ``row_of`` leads from a client's number
    in the book to its row, -1 where it has none; ``fresh`` is how many months back a monthly value still
    counts as the present one.
    """

    as_of: pd.Timestamp
    schema: ClientSchema
    ids: pd.Index
    clients: pd.DataFrame
    member: Flags
    tables: dict[str, pd.DataFrame]
    row_of: Counts

    @property
    def n_clients(self) -> int:
        """Number of clients in the view."""
        return len(self.clients)

    @property
    def month(self) -> int:
        """Month of the view, counted from January 1970."""
        return int(self.as_of.year - 1970) * 12 + int(self.as_of.month) - 1

    @property
    def fresh(self) -> int:
        """Months for which the last known value of a monthly table stands for the present."""
        return PERIOD_MONTHS[self.schema.period] + 2

    def has(self, table: str) -> bool:
        """Tell whether the book holds the table."""
        return table in self.tables

    def owner(self, table: str) -> Counts:
        """Return the row of each record's client, -1 where the client is not in the view."""
        rows: Counts = self.row_of[self.tables[table][_CLIENT].to_numpy()]
        return rows

    def months_ago(self, table: str) -> Counts:
        """Return how many months before the view each record of a monthly table lies (1 = the last one)."""
        ago: Counts = self.month - self.tables[table][_MONTH].to_numpy()
        return ago

    def column(self, table: str, name: str) -> Numbers:
        """Return a column of numbers (days since 1970 for dates), all missing where the table lacks it."""
        frame = self.tables[table]
        return frame[name].to_numpy() if name in frame else missing(len(frame))

    def start_of(self, months: int) -> float:
        """Return the day `months` months before the view, counted from 1 January 1970."""
        return day_number(self.as_of - pd.DateOffset(months=months))

    @property
    def day(self) -> float:
        """Day of the view, counted from 1 January 1970."""
        return day_number(self.as_of)


class Book:
    """Tables made ready for many views: canonical names, numbered clients, plain numbers.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of the schema, any but ``clients`` may be absent.
    schema : ClientSchema
        Names, units and rules.
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], schema: ClientSchema) -> None:
        self.schema = schema
        conform = conform_tables(tables, schema)
        self._ids = _unique_ids(conform["clients"])
        ready = {name: self._prepare(name, conform[name]) for name in _DATES if name in conform}
        self._timeline = Timeline({"clients": conform["clients"], **ready}, schema.publication_lag_days)

    def view(self, as_of: pd.Timestamp, include: Sequence[str] | None = None) -> View:
        """Cut the book at one date; `include` adds clients outside the population, such as prospects."""
        seen = self._timeline.visible(as_of)
        exits = self.schema.exit_events
        core = population(seen, as_of, exits)
        ids = core if include is None else population(seen, as_of, exits, include)
        clients = seen.pop("clients")
        rows = clients.set_index("client_id", drop=False).loc[ids]
        row_of = np.full(len(self._ids), -1, dtype=np.int64)
        row_of[self._ids.get_indexer(ids)] = np.arange(len(ids))
        return View(as_of, self.schema, ids, rows, np.asarray(ids.isin(core)), seen, row_of)

    def _prepare(self, table: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Keep what the features read: numbers, dates, the client's number, the month's number."""
        columns: dict[str, Any] = {}
        if table != "market":
            number = self._ids.get_indexer(pd.Index(frame["client_id"]))
            frame, number = frame.loc[number >= 0], number[number >= 0]
            columns[_CLIENT] = number.astype(np.int64)
        for name in _DATES[table]:
            if name in frame:
                columns[name] = _date_or_day(name, frame[name])
        if "month" in frame:
            days = frame["month"].to_numpy("datetime64[M]")
            columns[_MONTH] = days.astype(np.int64)
        for name in _NUMBERS[table]:
            if name in frame:
                columns[name] = frame[name].to_numpy(dtype=np.float64)
        for name in _WORDS.get(table, ()):
            columns[name] = frame[name].to_numpy()
        for name in _CODES.get(table, ()):
            if name in frame:
                codes = pd.factorize(frame[name])[0].astype(np.float64)
                columns[name] = np.where(codes < 0, np.nan, codes)
        return pd.DataFrame(columns)


def _unique_ids(clients: pd.DataFrame) -> pd.Index:
    """Return the ids of the clients; several rows of one client need ``valid_from`` to tell them apart."""
    ids = pd.Index(clients["client_id"])
    repeated = ids[ids.duplicated()].unique()
    if len(repeated) and "valid_from" not in clients:
        raise DataError(
            f"clients.client_id must be unique where there is no column valid_from; {len(repeated)} ids are "
            f"repeated: {', '.join(map(repr, repeated[:5]))}. Pass the accepted tables of validate_clients."
        )
    return ids.unique()


def day_number(date: pd.Timestamp) -> float:
    """Days from 1 January 1970 to a date."""
    return float(date.to_datetime64().astype("datetime64[D]").astype(np.int64))


def days_of(dates: pd.Series) -> Numbers:
    """Return dates as days since 1 January 1970, missing as NaN."""
    days = dates.to_numpy("datetime64[D]")
    return np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(np.float64))


def _date_or_day(name: str, dates: pd.Series) -> Any:
    """Dates of the time wall stay dates; the others become days."""
    return days_of(dates) if name in ("maturity_date", "completion_date") else dates.to_numpy()
