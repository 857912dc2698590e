"""Dates of training: where a book begins, and what an index holds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pandas as pd

from clientscore.exceptions import DataError
from clientscore.timeline import add_periods, data_end

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.schema import ClientSchema

_log = logging.getLogger(__name__)
STEP_PERIODS = {"month": 3, "quarter": 1, "year": 1}
HISTORY_PERIODS = {"month": 12, "quarter": 4, "year": 1}


def window_starts(tables: Mapping[str, pd.DataFrame], schema: ClientSchema, window: int) -> pd.DatetimeIndex:
    """Return the dates that leave room for history before and `window` periods after, a step apart."""
    period = schema.period
    end = data_end(tables, schema.publication_lag_days)
    last = add_periods(period_start(end, period), -window, period)
    first = add_periods(first_known(tables), HISTORY_PERIODS[period], period)
    dates = []
    while last >= first:
        dates.append(last)
        last = add_periods(last, -STEP_PERIODS[period], period)
    if not dates:
        raise DataError(
            f"The book must span at least {HISTORY_PERIODS[period]} {period}s of history and "
            f"{window} {period}s of outcome; it ends on {end:%Y-%m-%d} and is first known after "
            f"{first_known(tables):%Y-%m-%d}. Give a shorter horizon, or your own as_of."
        )
    return pd.DatetimeIndex(dates[::-1])


def warn_if_stale(tables: Mapping[str, pd.DataFrame], schema: ClientSchema, date: pd.Timestamp) -> None:
    """Log a date more than two periods after the last record: a slip of the pen, or an old export."""
    end = data_end(tables, schema.publication_lag_days)
    if not pd.isna(end) and date > add_periods(end, 2, schema.period):
        _log.warning(
            "the last record of the book is of %s, the assessment of %s: are the tables up to date?",
            f"{end:%Y-%m-%d}",
            f"{date:%Y-%m-%d}",
        )


def period_start(moment: pd.Timestamp, period: str) -> pd.Timestamp:
    return moment.to_period({"month": "M", "quarter": "Q", "year": "Y"}[period]).start_time


def first_known(tables: Mapping[str, pd.DataFrame]) -> pd.Timestamp:
    """Return the month from which all tables with history run: before it, events may not be on record."""
    columns = {"statements": "period_end", "facilities": "month", "interactions": "month", "market": "month"}
    firsts = [
        tables[name][column].min() for name, column in columns.items() if name in tables and len(tables[name])
    ]
    if not firsts:
        raise DataError("The book must hold statements, facilities, market or interactions; all are empty.")
    return period_start(max(firsts), "month")


def dates_of(index: pd.Index) -> pd.DatetimeIndex:
    """Return the distinct dates of a (client_id, as_of) index; none of a plain one."""
    if index.nlevels < 2:
        return pd.DatetimeIndex([])
    return pd.DatetimeIndex(index.get_level_values(-1).unique()).sort_values()
