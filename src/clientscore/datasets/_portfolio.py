"""The simulated lending book as tables, with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer
from clientscore.exceptions import InvalidParameterError

from ._book import Book, run_book
from ._constants import BURN_IN_MONTHS
from ._happenings import events_table, surveys_table
from ._market import market_table
from ._rows import Rows, month_dates
from ._statements import statements_table
from ._tables import clients_table, facilities_table, interactions_table, market_values_table, projects_table

_TABLES = 17  # stream of the random numbers of the tables


@dataclass(frozen=True)
class Portfolio:
    """A simulated lending book.

    Attributes
    ----------
    tables : dict of str to DataFrame
        The tables of the default schema.
    """

    tables: dict[str, pd.DataFrame]

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(table):,}" for name, table in self.tables.items())
        return f"Portfolio({sizes})"


def _build_tables(book: Book) -> dict[str, pd.DataFrame]:
    rows = Rows.of(book)
    months = pd.DatetimeIndex(month_dates(book.start, np.arange(book.n_months)))

    def generator(k: int) -> np.random.Generator:
        return np.random.default_rng([book.seed, _TABLES, k])

    return {
        "clients": clients_table(book, generator(0), rows.ids),
        "statements": statements_table(rows, generator(1)),
        "facilities": facilities_table(rows, generator(2)),
        "market": market_table(book.market[BURN_IN_MONTHS + 1 :], months),
        "market_values": market_values_table(rows, generator(3)),
        "interactions": interactions_table(rows, generator(4)),
        "surveys": surveys_table(rows, generator(5)),
        "projects": projects_table(rows, generator(6)),
        "events": events_table(book, rows.ids, generator(7)),
    }


def make_portfolio(
    n_clients: int = 1200,
    n_months: int = 72,
    random_state: int | None = 0,
    *,
    cycle: bool = True,
    start: Any = "2020-01-01",
) -> Portfolio:
    """Simulate a corporate lending book."""
    check_integer("n_clients", n_clients, low=1)
    check_integer("n_months", n_months, low=1)
    if random_state is None:
        random_state = int(np.random.SeedSequence().entropy % 2**32)  # type: ignore[operator]
    check_integer("random_state", random_state, low=0)
    begin = pd.Timestamp(start)
    if begin != begin.normalize() or begin.day != 1:
        raise InvalidParameterError(
            f'start must be the first day of a month, such as "2020-01-01"; got {start!r}.'
        )
    book = run_book(int(random_state), int(n_clients), int(n_months), begin, cycle=cycle)
    return Portfolio(_build_tables(book))
