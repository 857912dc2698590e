"""How many clients each definition of leaving gives, and how the definitions overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer
from clientscore._words import SILENT
from clientscore.schema import conform_tables
from clientscore.timeline import add_periods, as_of_list, population, visible

from .exits import exit_spells, hard_cause
from .grids import MonthGrid, month_numbers, statements_of
from .partial import partial_on, wallet_change
from .rules import ExitRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.schema import ClientSchema

    from .grids import Flags, Numbers

__all__ = ["DEFINITIONS", "definition_table"]

DEFINITIONS = ("closure", "inactive", "silent", "partial")


def definition_table(
    tables: Mapping[str, pd.DataFrame],
    schema: ClientSchema,
    as_of: Any,
    rules: ExitRules | None = None,
    *,
    horizon: int = 12,
    lead: int = 1,
) -> pd.DataFrame:
    """Count the clients whom each definition of leaving finds in the window of a label, and the overlaps.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The book.
    schema : ClientSchema
        What the tables look like.
    as_of : date, str, or sequence of them
        One date gives rows indexed by ``definition``; a list ``(as_of, definition)``.
    rules : ExitRules, default None
        The definitions; None takes their defaults.
    horizon : int, default 12
        Length of the window in periods.
    lead : int, default 1
        Length of the gap between `as_of` and the window in periods.

    Returns
    -------
    DataFrame
        One row for ``closure`` (an event of hard attrition), ``inactive``, ``silent`` and ``partial``:
        ``evaluated``, clients of the population for whom the definition could be evaluated by the end of the
        window; ``already``, those in the state at `as_of`; ``clients``, those newly found inside the window,
        as far as the book reaches, and ``share`` of ``evaluated``; then one column a definition: how many of
        ``clients`` that one finds too, inside the same window.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> months = pd.date_range("2023-01-01", periods=36, freq="MS")
    >>> tables = {
    ...     "clients": pd.DataFrame({"client_id": ["a", "b"]}),
    ...     "interactions": pd.concat([
    ...         pd.DataFrame({"client_id": "a", "month": months, "balance_amount": [9.0] * 24 + [1.0] * 12}),
    ...         pd.DataFrame({"client_id": "b", "month": months, "balance_amount": [9.0] * 24 + [0.0] * 12}),
    ...     ])}
    >>> table = definition_table(tables, ClientSchema.default(), "2025-01-01")
    >>> table.loc[["inactive", "silent"], ["clients", "inactive", "silent"]].values.tolist()
    [[1, 1, 0], [1, 0, 1]]
    """
    check_integer("horizon", horizon, low=1)
    check_integer("lead", lead, low=0)
    dates, scalar = as_of_list(as_of)
    found = _Found.read(conform_tables(tables, schema), schema, ExitRules() if rules is None else rules)
    parts = []
    for date in dates:
        ids = population(visible(found.seen, date, schema.publication_lag_days), date, schema.exit_events)
        window = tuple(add_periods(date, lead + k, schema.period) for k in (0, horizon))
        parts.append(found.count(ids, date, *window))
    if scalar:
        return parts[0]
    return pd.concat(dict(zip(dates, parts, strict=True)), names=["as_of"])


@dataclass(frozen=True)
class _Found:
    """What each definition finds: client_id, start and end of its spells, and who can be evaluated when."""

    seen: dict[str, pd.DataFrame]
    spells: dict[str, pd.DataFrame]
    since: dict[str, pd.Series]  # client_id -> first day on which the definition can be evaluated

    @classmethod
    def read(cls, book: dict[str, pd.DataFrame], schema: ClientSchema, rules: ExitRules) -> _Found:
        by_rule = exit_spells(book, schema, rules)
        hard, silent = by_rule["cause"].eq(hard_cause(schema)), by_rule["cause"].eq(SILENT)
        partial, known = _partial(book, schema, rules)
        spells = {
            "closure": _closures(book, schema),
            "inactive": by_rule[hard],
            "silent": by_rule[silent],
            "partial": partial,
        }
        months = _first_months(book.get("interactions"))
        since = {
            "closure": pd.Series(pd.Timestamp.min, book["clients"]["client_id"].unique())
            if "events" in book
            else pd.Series(dtype="datetime64[us]"),
            "inactive": _days(months + 1) if rules.hard.inactive_months else _days(months[:0]),
            "silent": _days(months + rules.silent.base_months),
            "partial": known,
        }
        seen = {name: frame for name, frame in book.items() if name in ("clients", "events")}
        return cls(seen, spells, since)

    def count(
        self, ids: pd.Index, date: pd.Timestamp, opens: pd.Timestamp, closes: pd.Timestamp
    ) -> pd.DataFrame:
        """Return the table of one date."""
        rows = {}
        hits: dict[str, Flags] = {}
        for name, spells in self.spells.items():
            inside = (spells["start"] > opens) & (spells["start"] <= closes)
            hits[name] = np.asarray(ids.isin(spells.loc[inside, "client_id"]))
            now = (spells["start"] <= date) & ~(spells["end"] <= date)
            since = self.since[name].reindex(ids).to_numpy()
            evaluated = since <= closes.to_datetime64()
            rows[name] = {
                "evaluated": int(evaluated.sum()),
                "already": int(ids.isin(spells.loc[now, "client_id"]).sum()),
                "clients": int(hits[name].sum()),
            }
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("definition")
        table["share"] = table["clients"] / table["evaluated"].where(table["evaluated"] > 0)
        for other in DEFINITIONS:
            table[other] = [int((hits[name] & hits[other]).sum()) for name in DEFINITIONS]
        return table


def _closures(book: Mapping[str, pd.DataFrame], schema: ClientSchema) -> pd.DataFrame:
    """Return the events of hard attrition as spells without an end."""
    events = book.get("events", pd.DataFrame({"client_id": [], "date": [], "event": []}))
    words = [word for word, cause in schema.exit_events.items() if cause == hard_cause(schema)]
    closed = events[events["event"].isin(words)]
    start = closed["date"].astype("datetime64[us]")
    return pd.DataFrame({"client_id": closed["client_id"], "start": start, "end": pd.NaT}).astype(
        {"end": "datetime64[us]"}
    )


def _partial(
    book: Mapping[str, pd.DataFrame], schema: ClientSchema, rules: ExitRules
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the spells of a fallen share of wallet, and the day since which it can be told."""
    monthly = [book[name] for name in ("interactions", "facilities") if len(book.get(name, ()))]
    if not monthly:
        return _closures({}, schema), _days(pd.Series(dtype="int64"))
    months = np.concatenate([month_numbers(table["month"]) for table in monthly])
    clients = pd.Index(book["clients"]["client_id"].unique())
    grid = MonthGrid.of(monthly[0], clients, (int(months.min()), int(months.max()) + 1))
    table = book.get("statements")
    statements = None if table is None else statements_of(table, clients, schema.publication_lag_days)
    change = wallet_change(grid, book, statements, rules.partial)
    return partial_on(grid, change, rules.partial), _first_known(grid, change)


def _first_known(grid: MonthGrid, change: Numbers) -> pd.Series:
    """Return, for each client with a known change, the day on which the first became known."""
    known = ~np.isnan(change)
    has = known.any(axis=0)
    first = grid.origin + known.argmax(axis=0)[has] if has.any() else np.empty(0, dtype=np.int64)
    return _days(pd.Series(first + 1, index=grid.clients[has]))


def _first_months(table: pd.DataFrame | None) -> pd.Series:
    """Return the month of each client's first row, counted from January 1970."""
    if table is None or table.empty:
        return pd.Series(dtype="int64")
    return pd.Series(month_numbers(table["month"]), index=table["client_id"]).groupby(level=0).min()


def _days(months: pd.Series) -> pd.Series:
    """Return the first days of months as dates."""
    days = months.to_numpy(dtype=np.int64).astype("datetime64[M]").astype("datetime64[us]")
    return pd.Series(days, index=months.index)
