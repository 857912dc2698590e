"""Hard attrition without an event: months and months without any business."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .grids import run_lengths, spell_frame, spells_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from .grids import Flags, MonthGrid, Numbers
    from .rules import HardRule

__all__ = ["idle_months", "inactive_on"]

_FLOWS = ("inflow_amount", "outflow_amount")


def idle_months(grid: MonthGrid, book: Mapping[str, pd.DataFrame], rule: HardRule) -> tuple[Flags, Flags]:
    """Return the months without business and those with it; neither where that is not known.

    Parameters
    ----------
    grid : MonthGrid
        Where the rows of ``interactions`` lie.
    book : mapping of str to DataFrame
        Canonical tables, ``interactions`` among them.
    rule : HardRule
        The rule.

    Returns
    -------
    idle, busy : ndarray of bool, shape (months, clients)
        A client's months before its first row are neither.
    """
    interactions = book["interactions"]

    def laid(name: str) -> Numbers:
        return grid.last(interactions[name].to_numpy(dtype=np.float64))

    busy, told = np.zeros(grid.shape, dtype=bool), np.zeros(grid.shape, dtype=bool)
    if "balance_amount" in interactions:
        balance = np.abs(laid("balance_amount"))
        busy |= balance > rule.dormant_amount
        told |= ~np.isnan(balance)
    for name in _FLOWS:
        if name in interactions:
            flow = laid(name)
            busy |= flow > 0
            told |= ~np.isnan(flow)
    if rule.products_count and "products_held" in interactions:
        busy |= laid("products_held") > 0
    if "facilities" in book:
        busy |= _borrows(grid, book["facilities"], products=rule.products_count)
    there = grid.present()
    seen = np.maximum.accumulate(there, axis=0)
    idle = told & there & ~busy
    if rule.absent_counts:
        covered = np.asarray(there.any(axis=1))
        idle |= seen & ~there & ~busy & covered[:, None]
    return idle, busy


def inactive_on(grid: MonthGrid, idle: Flags, busy: Flags, rule: HardRule) -> pd.DataFrame:
    """Return the spells without business on a grid: see `HardRule`."""
    if rule.inactive_months == 0:
        return spell_frame(grid)
    return spells_between(grid, run_lengths(idle) >= rule.inactive_months, busy)


def _borrows(grid: MonthGrid, facilities: pd.DataFrame, *, products: bool) -> Flags:
    """Tell in which months a client has a loan, or a line open; a row without amounts is a product."""
    there = grid.placed(facilities)
    amounts = [name for name in ("drawn_amount", "limit_amount") if name in facilities]
    used = amounts if products else [name for name in amounts if name == "drawn_amount"]
    counts = np.zeros(len(facilities), dtype=bool)
    known = np.zeros(len(facilities), dtype=bool)
    for name in used:
        values = facilities[name].to_numpy(dtype=np.float64)
        counts |= values > 0
        known |= ~np.isnan(values)
    if products:
        counts |= ~known
    return np.asarray(there.total(np.where(counts, 1.0, np.nan)) > 0)
