"""Partial attrition: a client that has taken part of its business elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .grids import spells_between
from .sales import debt_share, turnover_share

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from .grids import MonthGrid, Numbers, Statements
    from .rules import PartialRule

__all__ = ["partial_on", "wallet_change"]

_ROUNDING = 1e-9  # a share of .6 less one of .5 is ten points


def wallet_change(
    grid: MonthGrid, book: Mapping[str, pd.DataFrame], statements: Statements | None, rule: PartialRule
) -> Numbers:
    """Return the share of wallet less that of `rule.months` before, on the months and clients of a grid.

    Missing where one of the two is not known; the shares compared are of one kind.
    """
    change = np.full(grid.shape, np.nan)
    if statements is None:
        return change
    if rule.basis in ("auto", "turnover") and "interactions" in book:
        table = book["interactions"]
        share = turnover_share(table, statements, grid.placed(table), rule.sales_age_months)
        change[rule.months :] = share[rule.months :] - share[: -rule.months]
    if rule.basis in ("auto", "debt") and "facilities" in book:
        table = book["facilities"]
        share = debt_share(table, statements, grid.placed(table), rule.sales_age_months)
        other = np.full(grid.shape, np.nan)
        other[rule.months :] = share[rule.months :] - share[: -rule.months]
        change = np.where(np.isnan(change), other, change)
    return change


def partial_on(grid: MonthGrid, change: Numbers, rule: PartialRule) -> pd.DataFrame:
    """Return the spells in which the share of wallet has fallen; a month not known ends none."""
    fallen = change <= -rule.drop + _ROUNDING
    return spells_between(grid, fallen, ~fallen & ~np.isnan(change))
