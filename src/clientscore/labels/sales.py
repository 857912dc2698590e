"""What a client's own statements say of its sales, debt and share of wallet, month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .grids import quotient, trailing_mean

if TYPE_CHECKING:
    import pandas as pd

    from .grids import Counts, MonthGrid, Numbers, Statements

__all__ = ["debt_share", "known_days", "reported_debt", "sales_kept", "turnover_share", "yearly"]

_YEAR = 12
_MIN_SHARE = 0.65  # of the months of a year that must be there


def known_days(months: tuple[int, int]) -> Counts:
    """Return the day on which the rows of each month are known: the first of the month after."""
    first = np.arange(months[0] + 1, months[1] + 1)
    return np.asarray(first.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64))


def yearly(statements: Statements, item: str) -> Numbers:
    """Return a flow of each statement, brought to twelve months by proportion; missing without the item."""
    return statements.item(item) * 12.0 / statements.months


def reported_debt(statements: Statements) -> Numbers:
    """Return short-term and long-term debt, or whichever of the two is given."""
    short, long = statements.item("short_term_debt"), statements.item("long_term_debt")
    return np.where(np.isnan(short), long, short + np.where(np.isnan(long), 0.0, long))


def sales_kept(statements: Statements | None, grid: MonthGrid, *, fall: float, age_months: int) -> Numbers:
    """Return the share of the sales of the year before that is left, on the months and clients of a grid.

    1 where sales fell by no more than `fall`, where no statement of the last `age_months` months is known by
    the first day of the month after, or none of the year before it: then sales explain nothing.
    """
    if statements is None or not len(statements.client):
        return np.ones(grid.shape)
    sales = yearly(statements, "revenue")
    before = statements.year_before()
    kept = quotient(sales, np.where(before >= 0, sales[before], np.nan))
    share = _told(kept, statements, grid, age_months)
    return np.where(share < 1.0 - fall, np.maximum(share, 0.0), 1.0)


def turnover_share(
    interactions: pd.DataFrame, statements: Statements, grid: MonthGrid, age_months: int
) -> Numbers:
    """Return the turnover credited through us in twelve months over the reported sales, at most 1."""
    if "inflow_amount" not in interactions:
        return np.full(grid.shape, np.nan)
    inflow = grid.last(interactions["inflow_amount"].to_numpy(dtype=np.float64))
    through_us = 12.0 * trailing_mean(inflow, _YEAR, _MIN_SHARE)
    sales = _told(yearly(statements, "revenue"), statements, grid, age_months)
    return np.minimum(quotient(through_us, sales), 1.0)


def debt_share(facilities: pd.DataFrame, statements: Statements, grid: MonthGrid, age_months: int) -> Numbers:
    """Return our drawn loans over the reported debt, at most 1; `grid` places the rows of facilities."""
    if "drawn_amount" not in facilities:
        return np.full(grid.shape, np.nan)
    drawn = grid.total(facilities["drawn_amount"].to_numpy(dtype=np.float64))
    debt = _told(reported_debt(statements), statements, grid, age_months)
    return np.minimum(quotient(drawn, debt), 1.0)


def _told(values: Numbers, statements: Statements, grid: MonthGrid, age_months: int) -> Numbers:
    """Return a value of the latest statement known in each month, missing where that is too old."""
    if not len(values):
        return np.full(grid.shape, np.nan)
    latest = statements.latest(known_days(grid.months), len(grid.clients))
    age = np.arange(*grid.months)[:, None] - statements.end[latest]
    return np.where((latest >= 0) & (age < age_months), values[latest], np.nan)
