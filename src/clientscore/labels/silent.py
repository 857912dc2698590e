"""Silent attrition: a client that is gone though every account is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clientscore._checks import check_columns
from clientscore._words import SILENT

from .grids import MonthGrid, quotient, spell_frame, statements_of, trailing_mean
from .rules import SilentRule
from .sales import sales_kept

if TYPE_CHECKING:
    import pandas as pd

    from .grids import Counts, Flags, Numbers, Statements
    from .rules import Combine

__all__ = ["SILENT", "SilentRule", "silent_on", "silent_spells"]

_YEAR = 12


def silent_spells(
    interactions: pd.DataFrame,
    rule: SilentRule | None = None,
    *,
    statements: pd.DataFrame | None = None,
    publication_lag_days: int = 120,
) -> pd.DataFrame:
    """Return every spell of silent run-off, found month by month from the past alone.

    Parameters
    ----------
    interactions : DataFrame
        Canonical table: client_id, month, and at least one column of the rule's measures.
    rule : SilentRule, default None
        The rule; None takes its defaults.
    statements : DataFrame, default None
        Canonical table of the clients' statements; None: sales explain nothing.
    publication_lag_days : int, default 120
        Days from the end of a period to its statement, for statements without ``published_at``.

    Returns
    -------
    DataFrame
        client_id, start (the day the spell is known: the first of a month) and end (the day its end is
        known; missing while it lasts), by client and start.

    Raises
    ------
    MissingColumnError
        When the key is absent.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"client_id": "a", "month": pd.date_range("2024-01-01", periods=18, freq="MS"),
    ...                       "balance_amount": [100.0] * 12 + [0.0] * 6})
    >>> silent_spells(table)["start"].dt.strftime("%Y-%m-%d").tolist()
    ['2025-05-01']
    """
    check_columns(interactions.columns, ["client_id", "month"], subject="table 'interactions'")
    grid = MonthGrid.of(interactions)
    known = None if statements is None else statements_of(statements, grid.clients, publication_lag_days)
    return silent_on(grid, interactions, SilentRule() if rule is None else rule, known)


def silent_on(
    grid: MonthGrid,
    interactions: pd.DataFrame,
    rule: SilentRule,
    statements: Statements | None = None,
    idle: Flags | None = None,
) -> pd.DataFrame:
    """Return the spells on a grid of months and clients; see `silent_spells`.

    Parameters
    ----------
    grid : MonthGrid
        Where the rows of `interactions` lie.
    interactions : DataFrame
        Canonical table.
    rule : SilentRule
        The rule.
    statements : Statements, default None
        The clients' statements in order.
    idle : ndarray of bool, shape (months, clients), default None
        Months without any business: they are no run-off but the matter of `HardRule`.
    """
    measures = _measures(grid, interactions, rule)
    if not measures:
        return spell_frame(grid)
    kept = sales_kept(statements, grid, fall=rule.sales_fall, age_months=rule.sales_age_months)
    first = np.full(len(grid.clients), grid.span)
    np.minimum.at(first, grid.client, grid.month)
    short, base = [], []
    for measure in measures:
        mean = trailing_mean(measure, rule.window_months, rule.min_share)
        base.append(trailing_mean(measure, rule.base_months, rule.min_share))
        short.append(mean / _season(quotient(mean, base[-1]), rule.season_years))
    explained = kept == 0.0
    short = [np.where(explained, np.inf, mean / np.where(explained, 1.0, kept)) for mean in short]
    low = _together(short, base, rule.combine) < rule.ratio
    low &= np.arange(grid.span)[:, None] - first >= rule.base_months - 1
    if idle is not None:
        low &= ~idle
    level = [trailing_mean(measure, rule.base_months, 0.0) for measure in measures]
    return spell_frame(grid, *_find_spells(short, level, low, rule))


def _measures(grid: MonthGrid, interactions: pd.DataFrame, rule: SilentRule) -> list[Numbers]:
    """Lay out each measure of the rule that the table has columns of."""
    found = []
    for columns in rule.measures.values():
        here = [name for name in columns if name in interactions]
        if here and len(interactions):
            values = [interactions[name].to_numpy(dtype=np.float64) for name in here]
            found.append(grid.last(np.sum(values, axis=0)))
    return found


def _season(ratio: Numbers, years: int) -> Numbers:
    """Return the season of a ratio: what it was in the same month of all of the last years, else 1."""
    if years == 0:
        return np.ones(ratio.shape)
    lowest, highest = np.full(ratio.shape, np.inf), np.full(ratio.shape, -np.inf)
    count = np.zeros(ratio.shape)
    for back in range(_YEAR, min((years + 1) * _YEAR, len(ratio) - 1) + 1, _YEAR):
        earlier = ratio[:-back]
        lowest[back:] = np.fmin(lowest[back:], earlier)
        highest[back:] = np.fmax(highest[back:], earlier)
        count[back:] += ~np.isnan(earlier)
    season = np.where(highest < 1.0, highest, np.where(lowest > 1.0, lowest, 1.0))
    # A year of nothing at all (0) is no season: there is nothing to compare with.
    return np.where((count >= years) & (season > 0), season, 1.0)


def _find_spells(
    short: list[Numbers], before: list[Numbers], low: Flags, rule: SilentRule
) -> tuple[Counts, Counts, Counts]:
    """Return client, first and last month of each spell; -1 for one that lasts.

    Every list holds one grid a measure, months by clients; `before` are means up to each month.
    """
    span, size = low.shape
    run = np.zeros(size, dtype=np.int64)
    spell_of = np.full(size, -1)  # number of the running spell of each client
    level = [np.full(size, np.nan) for _ in short]
    clients, starts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    ends = np.full(0, -1)
    for month in range(span):
        back = _together([grid[month] for grid in short], level, rule.combine) > rule.recovery_ratio
        over = np.flatnonzero(back & (spell_of >= 0))
        ends[spell_of[over]] = month
        spell_of[over] = -1
        run = np.where(low[month] & (spell_of < 0), run + 1, 0)
        new = np.flatnonzero(run == rule.hold_months)
        if len(new):
            spell_of[new] = len(ends) + np.arange(len(new))
            ends = np.append(ends, np.full(len(new), -1))
            clients.append(new)
            starts.append(np.full(len(new), month))
            for mine, mean in zip(level, before, strict=True):
                mine[new] = mean[month - rule.hold_months + 1 - rule.window_months, new]
    return np.concatenate(clients), np.concatenate(starts), ends


def _together(above: list[Numbers], below: list[Numbers], combine: Combine) -> Numbers:
    """Return above / below over the measures, leaving out what is missing or not positive below."""
    if combine != "mean":
        ratios = [quotient(top, bottom) for top, bottom in zip(above, below, strict=True)]
        return np.asarray((np.fmin if combine == "any" else np.fmax).reduce(ratios))
    total, count = np.zeros(above[0].shape), np.zeros(above[0].shape)
    for top, bottom in zip(above, below, strict=True):
        ratio = quotient(top, bottom)
        there = ~np.isnan(ratio)
        total += np.where(there, ratio, 0.0)
        count += there
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))
