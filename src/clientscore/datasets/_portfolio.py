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
from ._truth import Truth

_TABLES = 17  # stream of the random numbers of the tables


@dataclass(frozen=True)
class Portfolio:
    """A simulated lending book.

    Attributes
    ----------
    tables : dict of str to DataFrame
        The tables of the default schema.
    truth : Truth
        Rates, frailties, amount law, effects of service, and futures of the book from any month on.
    """

    tables: dict[str, pd.DataFrame]
    truth: Truth

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
    """Simulate a corporate lending book.

    Every client has a state that moves month by month (financial condition, service received, use of its
    line, arrears, plans, balances). Each event has a monthly rate, ``frailty x exp(eta(state))``; the tables
    show the state as a bank would see it, late and with gaps, the frailty they do not show. The constants are
    fixed from published facts: hard attrition 10-11 % a year, silent attrition about twice that among the
    clients at risk, driven by service more than by price; default 1-3 % by sector; a quarter of the clients
    draws new money in a year.

    Parameters
    ----------
    n_clients : int, default 1200
        Clients at a time. The place of each leaver is taken by a newcomer in the month after, so the table
        ``clients`` has more rows: about twice as many after six years.
    n_months : int, default 72
        Months of the book.
    random_state : int or None, default 0
        Seed; the same seed gives the same tables. None draws one.
    cycle : bool, default True
        Let sectors have good and bad years. Off, the market stands still and all rates keep their level.
    start : date or str, default "2020-01-01"
        First day of the first month.

    Returns
    -------
    Portfolio
        ``tables`` (of the default schema, amounts in CNY) and ``truth``.

    Raises
    ------
    InvalidParameterError
        When a number is outside its range, or `start` is not the first day of a month.

    Notes
    -----
    What happens in a month is dated from its second day on, and a client has no row for the month in which
    it leaves.

    References
    ----------
    O. O. Aalen, O. Borgan and H. K. Gjessing (2008), Survival and Event History Analysis, chapter 6,
    doi:10.1007/978-0-387-68560-1 (gamma frailty and its posterior).

    Examples
    --------
    >>> book = make_portfolio(n_clients=50, n_months=24, random_state=1)
    >>> list(book.tables)  # doctest: +NORMALIZE_WHITESPACE
    ['clients', 'statements', 'facilities', 'market', 'market_values', 'interactions', 'surveys', 'projects',
     'events']
    >>> book.truth.service_effects.loc["response_hours", "hard_attrition"]
    np.float64(1.0)
    """
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
    tables = _build_tables(book)
    return Portfolio(tables, Truth(book, dict(tables)))
