"""The one place where time is cut: what was known at a date, and who was a client then.

A row is visible at `as_of` when ``known_at <= as_of``:

===============================================================  =====================================
table                                                            known at
===============================================================  =====================================
``statements``                                                   ``published_at``, not before ``period_end``;
                                                                 where missing, ``period_end`` + the
                                                                 publication lag
``facilities`` ``interactions`` ``projects`` ``market``          first day of the month after ``month``
``market_values``
``events``                                                       ``date``
``surveys``                                                      ``answered_at``
``clients``                                                      ``valid_from``; where missing, always
===============================================================  =====================================

Dates are calendar days without a time zone; the time of day is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from clientscore._checks import (
    check_columns,
    check_integer,
    check_one_meaning,
    check_option,
    did_you_mean,
)
from clientscore._words import PERIOD_MONTHS, Period
from clientscore.exceptions import DataError, InvalidParameterError

__all__ = [
    "PERIOD_MONTHS",
    "Period",
    "Timeline",
    "add_periods",
    "as_of_list",
    "data_end",
    "known_at",
    "output_index",
    "population",
    "visible",
]

Tables = Mapping[str, pd.DataFrame]

_DAY = "datetime64[us]"
_ALWAYS = np.datetime64("1677-09-22", "us")
_CONDUCT = ("facilities", "interactions", "projects")
_STRAY_SHARE = 0.05  # of a usual month's rows
_TIME_COLUMNS: dict[str, tuple[str, ...]] = {
    "clients": (),
    "statements": ("period_end",),
    "facilities": ("month",),
    "market": ("month",),
    "market_values": ("month",),
    "interactions": ("month",),
    "surveys": ("answered_at",),
    "projects": ("month",),
    "events": ("date",),
}


def as_of_list(as_of: Any) -> tuple[pd.DatetimeIndex, bool]:
    """Return the dates of `as_of` and whether it was one date.

    Parameters
    ----------
    as_of : date, str, or sequence of them
        One date, or several different ones in any order. The time of day is dropped.

    Returns
    -------
    dates : DatetimeIndex
        The dates in the order given.
    scalar : bool
        True when `as_of` was a single date; then results are indexed by ``client_id`` alone.

    Raises
    ------
    InvalidParameterError
        When a date cannot be read, may mean several days (2024, "01/02/2024"), is missing, repeated or has a
        time zone, or when there is none.

    Examples
    --------
    >>> as_of_list("2026-01-01")
    (DatetimeIndex(['2026-01-01'], dtype='datetime64[us]', freq=None), True)
    >>> as_of_list(["2025-10-01", "2026-01-01"])[1]
    False
    """
    scalar = isinstance(as_of, str) or not isinstance(as_of, Iterable)
    given = [as_of] if scalar else list(as_of)
    for value in given:
        check_one_meaning("as_of", value)
    try:
        stamps = [pd.Timestamp(value) for value in given]
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidParameterError(
            f'as_of must be dates such as "2026-01-01"; got {as_of!r} ({error}).'
        ) from None
    faults = [f"{value!r} is missing" for value, stamp in zip(given, stamps, strict=True) if pd.isna(stamp)]
    faults += [
        f"{stamp} has a time zone; give a calendar date" for stamp in stamps if getattr(stamp, "tz", None)
    ]
    if faults:
        raise InvalidParameterError("as_of must be calendar dates.", faults)
    dates = pd.DatetimeIndex(np.array([stamp.to_datetime64() for stamp in stamps], dtype=_DAY)).normalize()
    if not len(dates):
        raise InvalidParameterError("as_of must hold at least one date; got an empty list.")
    if dates.has_duplicates:
        repeated = ", ".join(str(date.date()) for date in dates[dates.duplicated()].unique())
        raise InvalidParameterError(f"as_of must not repeat a date; got {repeated} more than once.")
    return dates, scalar


def add_periods(date: Any, n: int, period: Period) -> pd.Timestamp:
    """Return `date` moved on by `n` whole periods; a day past the end of its month becomes the last day.

    Parameters
    ----------
    date : date or str
        Where to start.
    n : int
        Number of periods; negative goes back.
    period : {"month", "quarter", "year"}
        Length of a period.

    Returns
    -------
    Timestamp
        The moved date.

    Examples
    --------
    >>> add_periods("2026-01-01", 2, "quarter")
    Timestamp('2026-07-01 00:00:00')
    >>> add_periods("2026-03-31", -1, "month")
    Timestamp('2026-02-28 00:00:00')
    """
    check_option("period", period, Period)
    check_integer("n", n)
    return pd.Timestamp(date) + pd.DateOffset(months=int(n) * PERIOD_MONTHS[period])


def known_at(table_name: str, frame: pd.DataFrame, publication_lag_days: int) -> pd.Series:
    """Return the day on which each row of a table became known.

    Parameters
    ----------
    table_name : str
        Name of the table in the default schema.
    frame : DataFrame
        The table with canonical column names.
    publication_lag_days : int
        Days from the end of a period to its statement, for statements without ``published_at``.

    Returns
    -------
    Series of datetime64, on the index of `frame`
        A client without ``valid_from`` was always known (a date before all others); a row whose time is
        missing is never known (missing).

    Raises
    ------
    InvalidParameterError
        When the table has no rule of time.
    MissingColumnError
        When the table's time column is absent.

    Examples
    --------
    >>> frame = pd.DataFrame({"period_end": pd.to_datetime(["2024-12-31", "2024-12-31"]),
    ...                       "published_at": pd.to_datetime([None, "2025-03-31"])})
    >>> known_at("statements", frame, 120).dt.strftime("%Y-%m-%d").tolist()
    ['2025-04-30', '2025-03-31']
    """
    return pd.Series(_known(table_name, frame, publication_lag_days), index=frame.index, name="known_at")


def _known(table_name: str, frame: pd.DataFrame, publication_lag_days: int) -> np.ndarray:
    """Return ``known_at`` as an array."""
    if table_name not in _TIME_COLUMNS:
        raise InvalidParameterError(
            f"table {table_name!r} has no rule that says when its rows are known; tables with one: "
            f"{', '.join(_TIME_COLUMNS)}.{did_you_mean(table_name, _TIME_COLUMNS)}"
        )
    check_columns(frame.columns, _TIME_COLUMNS[table_name], subject=f"table {table_name!r}")
    if table_name == "clients":
        if "valid_from" not in frame:
            return np.full(len(frame), _ALWAYS)
        start = _days(frame["valid_from"])
        return np.where(np.isnat(start), _ALWAYS, start)
    if table_name == "statements":
        estimated = _days(frame["period_end"]) + np.timedelta64(int(publication_lag_days), "D")
        if "published_at" not in frame:
            return estimated
        published = _days(frame["published_at"])
        # A date before the end of the period is a slip: nobody knew the period then.
        return np.where(np.isnat(published), estimated, np.fmax(published, _days(frame["period_end"])))
    days = _days(frame[_TIME_COLUMNS[table_name][0]])
    if _TIME_COLUMNS[table_name] == ("month",):
        return np.asarray((days.astype("datetime64[M]") + 1).astype(_DAY))
    return days


def _days(column: pd.Series) -> np.ndarray:
    """Return a date column as an array of midnights."""
    return np.asarray(pd.to_datetime(column)).astype("datetime64[D]").astype(_DAY)


class Timeline:
    """A book prepared once, to be cut at many dates.

    Each table is put in the order in which its rows became known (rows of one day keep their order), so
    that a cut is a slice and copies nothing.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables with canonical names and columns; it is not changed.
    publication_lag_days : int, default 120
        Days from the end of a period to its statement, for statements without ``published_at``.

    Examples
    --------
    >>> tables = {"clients": pd.DataFrame({"client_id": ["a", "b"]}),
    ...           "events": pd.DataFrame({"client_id": ["a", "b"], "event": "drawing",
    ...                                   "date": pd.to_datetime(["2025-03-10", "2025-01-05"])})}
    >>> timeline = Timeline(tables)
    >>> timeline.visible("2025-02-01")["events"]["client_id"].tolist()
    ['b']
    """

    def __init__(self, tables: Tables, publication_lag_days: int = 120) -> None:
        check_integer("publication_lag_days", publication_lag_days, low=0)
        self.publication_lag_days = int(publication_lag_days)
        self._frames: dict[str, pd.DataFrame] = {}
        self._known: dict[str, np.ndarray] = {}
        for name, frame in tables.items():
            known = _known(name, frame, publication_lag_days)
            self._known[name], self._frames[name] = _in_order(known, frame)

    def visible(self, as_of: Any) -> dict[str, pd.DataFrame]:
        """Return each table as it was known at `as_of`: see the function `visible`."""
        dates, _ = as_of_list(as_of)
        if len(dates) != 1:
            raise InvalidParameterError(
                f"as_of must be one date here; got {len(dates)}. Cut once for each date."
            )
        day = dates[0].to_datetime64().astype(_DAY)
        cut = {}
        for name, frame in self._frames.items():
            known = self._known[name]
            end = int(np.searchsorted(known, day, side="right"))
            cut[name] = frame if end == len(frame) else frame.iloc[:end]
        return _latest_versions(cut)


def _in_order(known: np.ndarray, frame: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Return both in the order of `known`, rows that are never known left out."""
    order = None
    if np.isnat(known).any():
        order = np.flatnonzero(~np.isnat(known))
        order = order[np.argsort(known[order], kind="stable")]
    elif (known[1:] < known[:-1]).any():
        order = np.argsort(known, kind="stable")
    return (known, frame) if order is None else (known[order], frame.iloc[order])


def _latest_versions(cut: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Keep, for each client, the version known last."""
    clients = cut.get("clients")
    if clients is not None and "valid_from" in clients:
        cut["clients"] = clients.drop_duplicates("client_id", keep="last")
    return cut


def visible(tables: Tables, as_of: Any, publication_lag_days: int) -> dict[str, pd.DataFrame]:
    """Return each table as it was known at `as_of`: the one cut that every feature reads through.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables with canonical names and columns; it is not changed.
    as_of : date or str
        One date. A row is kept when it was known then, that day included.
    publication_lag_days : int
        Days from the end of a period to its statement, for statements without ``published_at``.

    Returns
    -------
    dict of str to DataFrame
        The same tables, rows in the order in which they became known (rows of one day keep their order).
        Of a client with several ``valid_from``, the version known last. For many dates use `Timeline`,
        which gives the same and sorts once.

    Examples
    --------
    >>> tables = {"interactions": pd.DataFrame({"client_id": "a", "balance_amount": [5.0, 6.0],
    ...           "month": pd.to_datetime(["2025-01-01", "2025-02-01"])})}
    >>> visible(tables, "2025-02-28", 120)["interactions"]["balance_amount"].tolist()
    [5.0]
    """
    dates, _ = as_of_list(as_of)
    early = {}
    for name, frame in tables.items():
        known = _known(name, frame, publication_lag_days)
        seen = known <= dates[0].to_datetime64().astype(_DAY)
        early[name] = frame if seen.all() else frame.iloc[np.flatnonzero(seen)]
    return Timeline(early, publication_lag_days).visible(as_of)


def population(
    visible_tables: Tables,
    as_of: Any,
    exit_events: Iterable[str],
    include: Iterable[str] | None = None,
) -> pd.Index:
    """Return the clients at risk at `as_of`: relationship begun, no final exit known.

    Parameters
    ----------
    visible_tables : mapping of str to DataFrame
        Tables cut by `visible` at the same date; only ``clients`` and ``events`` are read.
    as_of : date or str
        The date.
    exit_events : iterable of str
        Event words that end the relationship for good (the keys of a schema's ``exit_events``).
    include : iterable of str, optional
        Ids of prospects (or former clients) to add; each must be in ``clients``.

    Returns
    -------
    Index of str, named "client_id"
        In the order of the table ``clients``. A missing ``relationship_start`` counts as begun.

    Raises
    ------
    DataError
        When `include` names ids that are not in ``clients``.
    InvalidParameterError
        When `include` is one text.
    """
    dates, _ = as_of_list(as_of)
    clients = visible_tables["clients"]
    ids = pd.Index(clients["client_id"], name="client_id")
    keep = np.ones(len(ids), dtype=bool)
    if "relationship_start" in clients:
        keep &= ~(_days(clients["relationship_start"]) > dates[0].to_datetime64())
    events = visible_tables.get("events")
    if events is not None and len(events):
        gone = events["client_id"][events["event"].isin(list(exit_events))]
        keep &= pd.Index(gone.unique()).get_indexer(ids) < 0  # much faster than isin on text
    if include is not None:
        if isinstance(include, str):
            raise InvalidParameterError(
                f"include must be a list of ids; got {include!r}. Give [{include!r}]."
            )
        added = pd.Index(list(include), dtype=ids.dtype)
        unknown = added.difference(ids)
        if len(unknown):
            raise DataError(
                f"include names {len(unknown)} ids that are not in the table 'clients' at "
                f"{dates[0].date()}: {', '.join(map(str, unknown[:5]))}. Add their rows first."
            )
        keep |= ids.isin(added)
    return ids[keep]


def output_index(client_ids: Any, as_of: Any, scalar: bool) -> pd.Index:
    """Return the index of a result.

    Parameters
    ----------
    client_ids : Index of str, or sequence of them
        Clients of one date; or one Index for each date of `as_of`.
    as_of : Timestamp or DatetimeIndex
        One date; or the dates from `as_of_list`.
    scalar : bool
        True when the caller asked for one date: the index is ``client_id``. False gives
        ``(client_id, as_of)``, even for a list of one date; rows run date by date.

    Returns
    -------
    Index or MultiIndex

    Examples
    --------
    >>> dates, scalar = as_of_list(["2025-01-01", "2026-01-01"])
    >>> output_index([pd.Index(["a", "b"]), pd.Index(["b"])], dates, scalar).to_frame()["client_id"].tolist()
    ['a', 'b', 'b']
    """
    one = not isinstance(as_of, (pd.DatetimeIndex, np.ndarray, Sequence)) or isinstance(as_of, str)
    dates = as_of_list(as_of)[0]
    groups = [pd.Index(client_ids)] if one or _is_ids(client_ids) else [pd.Index(ids) for ids in client_ids]
    if len(groups) != len(dates):
        raise InvalidParameterError(
            f"client_ids must hold one group for each date; got {len(groups)} groups, {len(dates)} dates."
        )
    joined = groups[0].append(groups[1:]) if len(groups) > 1 else groups[0]
    if scalar:
        return joined.rename("client_id")
    times = dates.repeat([len(group) for group in groups])
    return pd.MultiIndex.from_arrays([joined, times], names=["client_id", "as_of"])


def _is_ids(client_ids: Any) -> bool:
    """Tell one list of ids from a list of lists."""
    if isinstance(client_ids, (pd.Index, pd.Series, np.ndarray)):
        return True
    return bool(len(client_ids)) and isinstance(client_ids[0], str)


def data_end(tables: Tables, publication_lag_days: int) -> pd.Timestamp:
    """Return the latest moment to which the book is known.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables with canonical names and columns.
    publication_lag_days : int
        Days from the end of a period to its statement, for statements without ``published_at``.

    Returns
    -------
    Timestamp
        The latest ``known_at`` of facilities, interactions, projects, events, surveys and statements. Where
        a monthly table of the clients' conduct exists, a statement counts by its ``published_at`` only: an
        estimated publication may lie after the day the data were taken. There, too, a few rows (fewer than
        5 % of a usual month's) dated after a month without any are slips of the pen and do not count: one
        event typed 2031 would have years nobody has seen look like years in which nothing happened. Missing
        (NaT) when the book holds no such row.

    Examples
    --------
    >>> months = pd.DataFrame({"client_id": "a", "month": pd.to_datetime(["2025-11-01", "2025-12-01"])})
    >>> data_end({"interactions": months}, 120)
    Timestamp('2026-01-01 00:00:00')
    """
    monthly = any(name in tables and len(tables[name]) for name in _CONDUCT)
    latest = []
    for name in (*_CONDUCT, "events", "surveys", "statements"):
        frame = tables.get(name)
        if frame is None or frame.empty:
            continue
        if name == "statements" and monthly:
            known = _days(frame["published_at"]) if "published_at" in frame else np.array([], dtype=_DAY)
        else:
            known = _known(name, frame, publication_lag_days)
        latest.append(known[~np.isnat(known)])
    days = np.concatenate(latest) if latest else np.array([], dtype=_DAY)
    if monthly and len(days):
        days = _without_strays(days)
    return pd.Timestamp(days.max()) if len(days) else pd.NaT


def _without_strays(known: np.ndarray) -> np.ndarray:
    """Leave out the last rows where they are few and an empty month lies before them."""
    month = known.astype("datetime64[M]").astype(np.int64)
    months, counts = np.unique(month, return_counts=True)
    few = counts[::-1].cumsum()[::-1] < _STRAY_SHARE * np.median(counts)
    after_gap = np.diff(months, prepend=months[0]) > 1
    strays = np.flatnonzero(few & after_gap)
    return known[month < months[strays[0]]] if len(strays) else known
