"""Financial statements as known at one date: latest versions, flows of twelve months, earlier years."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ._arrays import Counts, Numbers
    from ._book import View

STOCKS = (
    "cash",
    "receivables",
    "inventory",
    "current_assets",
    "fixed_assets",
    "total_assets",
    "payables",
    "short_term_debt",
    "current_liabilities",
    "long_term_debt",
    "total_liabilities",
    "equity",
    "retained_earnings",
)
FLOWS = (
    "revenue",
    "cost_of_sales",
    "operating_expenses",
    "depreciation",
    "ebitda",
    "ebit",
    "interest_expense",
    "net_income",
    "operating_cash_flow",
    "capex",
)
# An earlier statement may end up to two months off the month asked for: financial years do move.
_NEARBY = (0, -1, 1, -2, 2)
_WIDTH = 1 << 16


@dataclass(frozen=True)
class Statements:
    """The latest known version of every statement, sorted by client and period end.

    ``items`` holds balance-sheet items as they stand and flows of twelve months; ``current`` is, for each
    client of the view, the row of its latest statement, -1 where it has none.
    """

    owner: Counts
    month: Counts
    end_day: Counts
    items: dict[str, Numbers]
    current: Counts

    def earlier(self, rows: Counts, months: int) -> Counts:
        """Return the row of the same client's statement `months` before each of `rows`, -1 where none."""
        found = np.full(rows.shape, -1, dtype=np.int64)
        for shift in _NEARBY:
            open_ = np.flatnonzero(found < 0)
            if open_.size == 0:
                break
            asked = rows[open_]
            found[open_] = _find(
                self.owner, self.month, self.owner[asked], self.month[asked] - months + shift
            )
        return found

    def of_current(self, values: Numbers) -> Numbers:
        """Return a column of all statements as one of each client's latest, missing where it has none."""
        return take(values, self.current)


def read_statements(view: View) -> Statements:
    """Read the statements that `view` can see.

    Of several versions of one period the one known last counts.  Flows are brought to twelve months: by the
    sum of the trailing statements of the same length; else, where statements count from the start of the
    year, by this one, plus the full year before, less the same part of that year; else by proportion.
    A length that is missing or below one month is read as twelve.
    """
    frame = view.tables.get("statements")
    if frame is None or len(frame) == 0:
        empty = np.empty(0, dtype=np.int64)
        items = {name: np.empty(0) for name in STOCKS + FLOWS}
        return Statements(empty, empty, empty, items, np.full(view.n_clients, -1, dtype=np.int64))
    owner = view.owner("statements")
    end = frame["period_end"].to_numpy("datetime64[D]")
    period = view.column("statements", "period_months")
    period = np.where(period >= 1, period, 12.0)  # a missing length compares as false
    rows = np.flatnonzero((owner >= 0) & ~np.isnat(end))
    rows = rows[np.lexsort((end[rows], owner[rows]))]  # stable: versions stay in the order of becoming known
    same = (owner[rows[1:]] == owner[rows[:-1]]) & (end[rows[1:]] == end[rows[:-1]])
    rows = rows[np.append(~same, True)] if rows.size else rows
    owner, end, period = owner[rows], end[rows], period[rows]
    month = end.astype("datetime64[M]").astype(np.int64)
    items = {name: view.column("statements", name)[rows] for name in STOCKS + FLOWS}
    items |= _trailing_year(owner, month, period, {name: items[name] for name in FLOWS})
    current = np.full(view.n_clients, -1, dtype=np.int64)
    current[owner] = np.arange(owner.size)  # sorted, so the last row of a client stays
    return Statements(owner, month, end.astype(np.int64), items, current)


def take(values: Numbers, rows: Counts) -> Numbers:
    """Take rows of a column; a row of -1 is missing."""
    if values.size == 0:
        return np.full(rows.shape, np.nan)
    return np.where(rows >= 0, values[rows], np.nan)


def _trailing_year(
    owner: Counts, month: Counts, period: Numbers, flows: dict[str, Numbers]
) -> dict[str, Numbers]:
    """Bring flows of any period to twelve months."""
    yearly = {name: values * (12.0 / period) for name, values in flows.items()}
    for length in np.unique(period[period < 12]):
        rows = np.flatnonzero(period == length)
        step = round(float(length))
        if step != length:
            continue
        for name, whole in _whole_years(owner, month, period, rows, step, flows).items():
            yearly[name][rows] = np.where(np.isnan(whole), yearly[name][rows], whole)
    return yearly


def _whole_years(
    owner: Counts, month: Counts, period: Numbers, rows: Counts, step: int, flows: dict[str, Numbers]
) -> dict[str, Numbers]:
    """Make twelve months out of statements of `step` months, missing where the parts are not all there."""

    def back(months: int, length: int) -> Counts:
        found = _find(owner, month, owner[rows], month[rows] - months)
        return np.where((found >= 0) & (period[found] == length), found, -1)

    chain = [back(k * step, step) for k in range(1, 12 // step)] if 12 % step == 0 else []
    year_before, part_before = back(step, 12), back(12, step)
    whole: dict[str, Numbers] = {}
    for name, values in flows.items():
        rolled = values[rows] + take(values, year_before) - take(values, part_before)
        if chain:
            summed = values[rows].copy()
            for part in chain:
                summed += take(values, part)
            rolled = np.where(np.isnan(summed), rolled, summed)
        whole[name] = rolled
    return whole


def _find(owner: Counts, month: Counts, asked_owner: Counts, asked_month: Counts) -> Counts:
    """Find the statement of a client that ends in a month, -1 where there is none."""
    if owner.size == 0:
        return np.full(asked_owner.shape, -1, dtype=np.int64)
    keys = owner * _WIDTH + month
    asked = asked_owner * _WIDTH + asked_month
    at = np.searchsorted(keys, asked, side="right") - 1
    return np.where((at >= 0) & (keys[at] == asked), at, -1)
