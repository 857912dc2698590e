"""Silent attrition: a client that is gone though every account is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer, check_interval
from clientscore._words import SILENT
from clientscore.schema import conform_tables
from clientscore.timeline import as_of_list, output_index, population, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.schema import ClientSchema

__all__ = ["SILENT", "SilentRule", "no_spells", "silent_spells", "silent_state"]

_US = "datetime64[us]"


@dataclass(frozen=True)
class SilentRule:
    """When a client counts as gone though every account is open.

    Activity of a month is the mean, over the measures at hand (``balance_amount`` and ``inflow_amount``), of
    the measure's `window_months` mean divided by its `base_months` mean, both ending in that month. A spell
    of run-off starts when activity was below `ratio` in `hold_months` months running, and is known on the
    first day of the month after the last of them. It ends when the `window_months` mean is above
    `recovery_ratio` of the level before: the mean of up to `base_months` months before the first low window.

    Parameters
    ----------
    window_months : int, default 3
        Length of the short mean.
    base_months : int, default 12
        Length of the long mean; a client seen for fewer months is not evaluated.
    ratio : float in (0, 1), default 0.5
        A month is low when activity is below this share.
    hold_months : int, default 3
        Low months in a row that make a spell.
    recovery_ratio : float > 0, default 0.8
        Share of the level before above which the spell ends.
    min_share : float in (0, 1], default 0.65
        Share of the months of a mean that must be there; a month without enough is not evaluated, and a
        run of low months breaks at it.

    Notes
    -----
    Seasons and a fall of the client's own sales are not taken out.
    """

    window_months: int = 3
    base_months: int = 12
    ratio: float = 0.5
    hold_months: int = 3
    recovery_ratio: float = 0.8
    min_share: float = 0.65

    def __post_init__(self) -> None:
        check_integer("window_months", self.window_months, low=1)
        check_integer("base_months", self.base_months, low=self.window_months + 1)
        check_interval("ratio", self.ratio, low=0, high=1, closed="neither")
        check_integer("hold_months", self.hold_months, low=1)
        check_interval("recovery_ratio", self.recovery_ratio, low=0, closed="neither")
        check_interval("min_share", self.min_share, low=0, high=1, closed="high")


def silent_state(tables: Mapping[str, pd.DataFrame], schema: ClientSchema, as_of: Any) -> pd.Series:
    """Return who is in silent run-off at each date, as far as was known then.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The book; without ``interactions`` nobody is.
    schema : ClientSchema
        What the tables look like.
    as_of : date, str, or sequence of them
        One date gives rows indexed by ``client_id``; a list ``(client_id, as_of)``.

    Returns
    -------
    Series of bool, named "silent"
        A client that cannot be evaluated is not in run-off.
    """
    dates, scalar = as_of_list(as_of)
    book = conform_tables(tables, schema)
    spells = silent_spells(book["interactions"]) if "interactions" in book else no_spells()
    seen = {name: frame for name, frame in book.items() if name in ("clients", "events")}
    groups, parts = [], []
    for date in dates:
        ids = population(visible(seen, date, schema.publication_lag_days), date, schema.exit_events)
        now = (spells["start"] <= date) & (spells["end"].isna() | (spells["end"] > date))
        groups.append(ids)
        parts.append(np.asarray(ids.isin(spells["client_id"][now])))
    return pd.Series(np.concatenate(parts), index=output_index(groups, dates, scalar), name="silent")


def silent_spells(interactions: pd.DataFrame, rule: SilentRule | None = None) -> pd.DataFrame:
    """Return every spell of silent run-off, found month by month from the past alone.

    Parameters
    ----------
    interactions : DataFrame
        Canonical table: client_id, month, and at least one of balance_amount and inflow_amount.
    rule : SilentRule, default None
        The rule; None takes its defaults.

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
    >>> table = pd.DataFrame({"client_id": "a", "month": pd.date_range("2024-01-01", periods=18, freq="MS"),
    ...                       "balance_amount": [100.0] * 12 + [0.0] * 6})
    >>> silent_spells(table)["start"].dt.strftime("%Y-%m-%d").tolist()
    ['2025-05-01']
    """
    rule = SilentRule() if rule is None else rule
    check_columns(interactions.columns, ["client_id", "month"], subject="table 'interactions'")
    measures = [name for name in ("balance_amount", "inflow_amount") if name in interactions]
    if interactions.empty or not measures:
        return no_spells()
    codes, clients = pd.factorize(interactions["client_id"])
    month = interactions["month"].to_numpy().astype("datetime64[M]").astype(np.int64)
    origin = int(month.min())
    span = int(month.max()) - origin + 1
    grids = []
    for name in measures:
        grid = np.full((span, len(clients)), np.nan)
        grid[month - origin, codes] = interactions[name].to_numpy(dtype=np.float64)
        grids.append(grid)
    first = np.full(len(clients), span)
    np.minimum.at(first, codes, month - origin)
    client, start, end = _find_spells(grids, first, rule)
    known = (np.stack([start, end]) + 1 + origin).astype("datetime64[M]").astype(_US)
    known[1, end < 0] = np.datetime64("NaT")
    frame = pd.DataFrame({"client_id": clients[client], "start": known[0], "end": known[1]})
    return frame.sort_values(["client_id", "start"], ignore_index=True)


def _find_spells(
    grids: list[np.ndarray], first: np.ndarray, rule: SilentRule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return client, first and last month of each spell; -1 for one that lasts.

    `grids` hold one measure each, months by clients; `first` is the first month of each client.
    """
    short = [_trailing_mean(grid, rule.window_months, rule.min_share) for grid in grids]
    base = [_trailing_mean(grid, rule.base_months, rule.min_share) for grid in grids]
    before = [_trailing_mean(grid, rule.base_months, 0.0) for grid in grids]
    span, size = grids[0].shape
    low = _mean_ratio(short, base) < rule.ratio
    low &= np.arange(span)[:, None] - first >= rule.base_months - 1
    run = np.zeros(size, dtype=np.int64)
    spell_of = np.full(size, -1)  # number of the running spell of each client
    level = [np.full(size, np.nan) for _ in grids]
    clients, starts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    ends = np.full(0, -1)
    for month in range(span):
        back = _mean_ratio([grid[month] for grid in short], level) > rule.recovery_ratio
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


def _trailing_mean(grid: np.ndarray, months: int, min_share: float) -> np.ndarray:
    """Return the mean of the last months of each row and column, missing where too few are there."""
    there = ~np.isnan(grid)
    total = np.cumsum(np.where(there, grid, 0.0), axis=0)
    count = np.cumsum(there, axis=0)
    total[months:] -= total[:-months].copy()
    count[months:] -= count[:-months].copy()
    enough = count >= max(1, int(np.ceil(min_share * months)))
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=enough))


def _mean_ratio(above: list[np.ndarray], below: list[np.ndarray]) -> np.ndarray:
    """Return the mean over measures of above / below, leaving out what is missing or not positive below."""
    total, count = np.zeros(above[0].shape), np.zeros(above[0].shape)
    for top, bottom in zip(above, below, strict=True):
        ratio = np.divide(top, bottom, out=np.full_like(total, np.nan), where=bottom > 0)
        there = ~np.isnan(ratio)
        total += np.where(there, ratio, 0.0)
        count += there
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def no_spells() -> pd.DataFrame:
    """Return a table of spells without rows."""
    return pd.DataFrame(
        {"client_id": pd.Series(dtype="str"), "start": pd.Series(dtype=_US), "end": pd.Series(dtype=_US)}
    )
