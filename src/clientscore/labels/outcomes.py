"""Outcomes: who defaulted, who left and why, who needed money and how much, after each date.

The window of a label is ``(as_of + lead, as_of + lead + horizon]`` in periods, cut into `horizon` periods,
each open on the left and closed on the right. An event dated on `as_of` is known then, so it lies before
every window; an event dated on the day the lead gap ends lies inside the gap::

    as_of        gap ends                          window ends
      |---- lead ----|-- period 1 --|-- period 2 --| ...
      ]              ]              ]              ]      a day on a mark belongs to the part on its left

Only whole periods up to the end of the data are observed: an event in a period that the data cover in part
is not counted, for the clients without an event in it are not either. Exits are observed no longer than
``interactions`` are, where there is such a table: after it, a client that went silent would count as one
that stayed.

Exits that are no row of the table of events are found by `ExitRules`: a client without any business for six
months (hard attrition), and a client in silent run-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer
from clientscore._words import NEED
from clientscore.schema import conform_tables
from clientscore.timeline import add_periods, as_of_list, output_index, population, visible
from clientscore.timeline import data_end as end_of_data

from .exits import exit_spells, hard_cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clientscore.schema import ClientSchema

    from .rules import ExitRules

__all__ = ["NEED", "build_labels", "churn_target", "need_target"]

_US = "datetime64[us]"
_NEVER = np.datetime64("9999-12-31", "us")
_COLUMNS = {
    "bad": "float64",
    "exit_duration": "int64",
    "exit_cause": "str",
    "need_duration": "int64",
    "need_event": "str",
    "need_amount": "float64",
    "need_product": "str",
    "need_purpose": "str",
}


def build_labels(
    tables: Mapping[str, pd.DataFrame],
    schema: ClientSchema,
    as_of: Any,
    horizon: int = 12,
    lead: int = 1,
    *,
    include: Iterable[str] | None = None,
    data_end: Any = None,
    rules: ExitRules | None = None,
) -> pd.DataFrame:
    """Return the outcomes of every client at risk at each date.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The book. Without ``events`` nothing but inactivity and silent attrition is observed, without
        ``interactions`` neither of them; an empty table of events means that nothing happened.
    schema : ClientSchema
        Its period, its words of events and its publication lag.
    as_of : date, str, or sequence of them
        One date gives rows indexed by ``client_id``; a list ``(client_id, as_of)``.
    horizon : int, default 12
        Length of the window in periods.
    lead : int, default 1
        Length of the gap between `as_of` and the window in periods.
    include : iterable of str, default None
        Ids of prospects to add to the clients at risk.
    data_end : date or str, default None
        The day up to which the book is known, ``interactions`` included; None takes both ends from the
        tables (``timeline.data_end``).
    rules : ExitRules, default None
        What counts as hard and silent attrition beside the events; None takes the defaults.

    Returns
    -------
    DataFrame
        ``bad``
            1.0 for a default inside the window, 0.0 for none, also where the client left for another cause
            first. Missing where the window is still open or the client left inside the gap.
        ``exit_duration``, ``exit_cause``
            Periods (1 to `horizon`) to the first exit, by event or by rule, and its cause; a missing
            cause is censored after that many periods. Duration 0: not at risk when the window opens
            (left inside the gap, inactive, or in silent run-off), or no period observed.
        ``need_duration``, ``need_event``
            The same for the first drawing, ``need_event`` "need", or the final exit that came first. Exits
            by rule do not compete: the client is still there and may draw.
        ``need_amount``
            Sum of the drawings of the window up to the final exit, in the schema's currency. Missing unless
            ``need_event`` is "need", and where the window is still open.
        ``need_product``, ``need_purpose``
            Product and purpose of the first drawing; missing unless ``need_event`` is "need".

    Raises
    ------
    InvalidParameterError
        When `horizon` or `lead` is no whole number in its range.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> day = pd.Timestamp
    >>> tables = {
    ...     "clients": pd.DataFrame({"client_id": ["a", "b"]}),
    ...     "events": pd.DataFrame({"client_id": ["a", "b"], "event": ["drawing", "default"],
    ...                             "date": [day("2025-03-10"), day("2025-06-01")], "amount": [5e6, None]}),
    ... }
    >>> y = build_labels(tables, ClientSchema.default(), "2025-01-01", data_end="2026-07-01")
    >>> y[["bad", "exit_duration", "exit_cause", "need_duration", "need_event"]].values.tolist()
    [[0.0, 12, nan, 2, 'need'], [1.0, 4, 'default', 4, 'default']]
    """
    check_integer("horizon", horizon, low=1)
    check_integer("lead", lead, low=0)
    dates, scalar = as_of_list(as_of)
    book = conform_tables(tables, schema)
    lag = schema.publication_lag_days
    end = end_of_data(book, lag) if data_end is None else as_of_list(data_end)[0][0]
    quiet = end if data_end is not None else _end_of_silence(book, schema, end)
    outcomes = _Outcomes.read(book, schema, rules)
    seen = {name: frame for name, frame in book.items() if name in ("clients", "events")}
    groups, parts = [], []
    for date in dates:
        ids = population(visible(seen, date, lag), date, schema.exit_events, include)
        marks = [add_periods(date, lead + k, schema.period) for k in range(horizon + 1)]
        edges = np.array([mark.to_datetime64() for mark in marks]).astype(_US)
        observed, heard = (
            0 if pd.isna(day) else int(np.sum(edges[1:] <= day.to_datetime64())) for day in (end, quiet)
        )
        groups.append(ids)
        parts.append(outcomes.label(ids, date.to_datetime64().astype(_US), edges, observed, heard))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}
    return pd.DataFrame(columns, index=output_index(groups, dates, scalar)).astype(_COLUMNS)


@dataclass(frozen=True)
class _Outcomes:
    """What happened to each client, by date."""

    clients: pd.Index
    has_events: bool
    has_months: bool
    exit_date: np.ndarray  # per client, of the final exit; _NEVER if none
    exit_cause: np.ndarray
    exit_bad: np.ndarray
    draw_client: np.ndarray  # sorted by client, then date
    draw_date: np.ndarray
    draw_amount: np.ndarray
    draw_product: np.ndarray
    draw_purpose: np.ndarray
    spell_client: np.ndarray  # sorted by client, then start
    spell_start: np.ndarray
    spell_end: np.ndarray
    spell_cause: np.ndarray

    @classmethod
    def read(
        cls, book: Mapping[str, pd.DataFrame], schema: ClientSchema, rules: ExitRules | None
    ) -> _Outcomes:
        """Put the events and spells of a book in order."""
        clients = pd.Index(book["clients"]["client_id"].unique())
        events = book.get("events", _no_events())
        owner = clients.get_indexer(pd.Index(events["client_id"]))  # much faster than isin on text
        known = (owner >= 0) & events["date"].notna()
        exits = events[known & events["event"].isin(list(schema.exit_events))]
        exits = _first_exits(exits, schema)
        place = clients.get_indexer(exits["client_id"])
        exit_date = np.full(len(clients), _NEVER)
        exit_date[place] = exits["date"].to_numpy().astype(_US)
        exit_cause = np.full(len(clients), None, dtype=object)
        exit_cause[place] = exits["event"].map(dict(schema.exit_events)).to_numpy(dtype=object)
        exit_bad = np.zeros(len(clients), dtype=bool)
        exit_bad[place] = exits["event"].isin(schema.default_events).to_numpy()
        draws = events[known & events["event"].isin(schema.drawing_events)]
        draw_client = owner[(known & events["event"].isin(schema.drawing_events)).to_numpy()]
        order = np.lexsort((draws["date"].to_numpy(), draw_client))
        amount = draws["amount"].to_numpy() if "amount" in draws else np.full(len(draws), np.nan)
        product, purpose = (
            draws[name].to_numpy(dtype=object) if name in draws else np.full(len(draws), None)
            for name in ("product", "purpose")
        )
        spells = exit_spells(book, schema, rules)
        spell_client = clients.get_indexer(pd.Index(spells["client_id"]))
        spells, spell_client = spells[spell_client >= 0], spell_client[spell_client >= 0]
        soft = (spells["cause"] != hard_cause(schema)).to_numpy()  # of one day a hard exit comes first
        spell_order = np.lexsort((soft, spells["start"].to_numpy(), spell_client))
        return cls(
            clients=clients,
            has_events="events" in book,
            has_months="interactions" in book,
            exit_date=exit_date,
            exit_cause=exit_cause,
            exit_bad=exit_bad,
            draw_client=draw_client[order],
            draw_date=draws["date"].to_numpy().astype(_US)[order],
            draw_amount=amount[order],
            draw_product=product[order],
            draw_purpose=purpose[order],
            spell_client=spell_client[spell_order],
            spell_start=spells["start"].to_numpy().astype(_US)[spell_order],
            spell_end=spells["end"].fillna(pd.Timestamp(_NEVER)).to_numpy().astype(_US)[spell_order],
            spell_cause=spells["cause"].to_numpy(dtype=object)[spell_order],
        )

    def label(
        self, ids: pd.Index, date: np.datetime64, edges: np.ndarray, observed: int, heard: int
    ) -> dict[str, np.ndarray]:
        """Return the labels of clients at one date.

        `edges` are the end of the gap and of each period; `observed` counts the periods the data cover, and
        `heard` those in which an exit by rule would show.
        """
        rows = self.clients.get_indexer(ids)
        horizon = len(edges) - 1
        final = _period(self.exit_date, edges)[rows]
        open_window = observed < horizon or not self.has_events
        bad = np.where((final >= 1) & (final <= horizon) & self.exit_bad[rows], 1.0, 0.0)
        bad[(final == 0) | open_window] = np.nan
        part = {"bad": bad}
        part |= self._exits(rows, date, edges, final, heard)
        part |= self._needs(rows, edges, final, observed)
        return part

    def _exits(
        self, rows: np.ndarray, date: np.datetime64, edges: np.ndarray, final: np.ndarray, observed: int
    ) -> dict[str, np.ndarray]:
        """Return duration and cause of the first exit, by event or by rule."""
        spell_date, spell_cause = self._spells(date)
        by_rule = spell_date[rows]
        leaves_first = self.exit_date[rows] <= by_rule
        first = np.where(leaves_first, final, _period(by_rule, edges))
        cause = np.where(leaves_first, self.exit_cause[rows], spell_cause[rows])
        if not (self.has_events or self.has_months):
            observed = 0
        return {
            "exit_duration": np.minimum(first, observed),
            "exit_cause": _where(first <= observed, cause),
        }

    def _spells(self, date: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """Return when each client's next spell starts, the date itself inside one, and its cause."""
        start = np.full(len(self.clients), _NEVER)
        cause = np.full(len(self.clients), None, dtype=object)
        later = self.spell_start > date
        now = ~later & (date < self.spell_end)
        for chosen, day in ((later, self.spell_start), (now, np.full(len(later), date))):
            spells = np.flatnonzero(chosen)[::-1]  # the earliest is written last
            start[self.spell_client[spells]] = day[spells]
            cause[self.spell_client[spells]] = self.spell_cause[spells]
        return start, cause

    def _needs(
        self, rows: np.ndarray, edges: np.ndarray, final: np.ndarray, observed: int
    ) -> dict[str, np.ndarray]:
        """Return duration, event, amount, product and purpose of new drawings."""
        size = len(self.clients)
        period = _period(self.draw_date, edges)
        counts = (period >= 1) & (period <= observed)
        counts &= self.draw_date <= self.exit_date[self.draw_client]
        inside = np.flatnonzero(counts)
        client = self.draw_client[inside]
        first = np.full(size, len(edges), dtype=np.int64)
        product, purpose = np.full(size, None, dtype=object), np.full(size, None, dtype=object)
        first[client[::-1]] = period[inside][::-1]  # the earliest is written last
        product[client[::-1]] = self.draw_product[inside][::-1]
        purpose[client[::-1]] = self.draw_purpose[inside][::-1]
        given = ~np.isnan(self.draw_amount[inside])
        amount = np.bincount(client[given], self.draw_amount[inside][given], minlength=size).astype(
            np.float64
        )
        amount[np.bincount(client[given], minlength=size) == 0] = np.nan
        if not self.has_events:
            observed = 0
        if observed < len(edges) - 1:
            amount[:] = np.nan
        needs = first[rows] <= observed
        leaves = ~needs & (final <= observed)
        duration = np.minimum(np.where(needs, first[rows], final), observed)
        event = np.where(needs, NEED, _where(leaves, self.exit_cause[rows]))
        return {
            "need_duration": duration,
            "need_event": event,
            "need_amount": np.where(needs, amount[rows], np.nan),
            "need_product": _where(needs, product[rows]),
            "need_purpose": _where(needs, purpose[rows]),
        }


def _end_of_silence(
    book: Mapping[str, pd.DataFrame], schema: ClientSchema, end: pd.Timestamp
) -> pd.Timestamp:
    """Return the end of the last period that interactions reach, at most `end`; `end` without any."""
    months = end_of_data(
        {"interactions": book.get("interactions", pd.DataFrame())}, schema.publication_lag_days
    )
    if pd.isna(months):
        return end
    last = (months - pd.Timedelta(days=1)).to_period(
        {"month": "M", "quarter": "Q", "year": "Y"}[schema.period]
    )
    return min(end, pd.Timestamp((last + 1).start_time))


def _period(when: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the period of dates: 0 up to the end of the gap, 1 to h inside, h + 1 after the window."""
    return np.asarray(np.searchsorted(edges, when, side="left"))


def _where(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values where the mask holds, None elsewhere."""
    result = np.full(len(mask), None, dtype=object)
    result[mask] = values[mask]
    return result


def _no_events() -> pd.DataFrame:
    """Return a table of events without rows."""
    return pd.DataFrame(
        {"client_id": pd.Series(dtype="str"), "date": pd.Series(dtype=_US), "event": pd.Series(dtype="str")}
    )


def _first_exits(exits: pd.DataFrame, schema: ClientSchema) -> pd.DataFrame:
    """Return the first final exit of each client; on one day a default comes before other causes."""
    rank = {word: place for place, word in enumerate(schema.exit_events)}
    rank |= dict.fromkeys(schema.default_events, -1)
    ranked = exits.assign(rank=exits["event"].map(rank)).sort_values(["date", "rank"], kind="stable")
    return ranked.drop_duplicates("client_id")


def churn_target(y: pd.DataFrame) -> pd.DataFrame:
    """Return the target of a churn model: duration and event of clients at risk when the window opens.

    Parameters
    ----------
    y : DataFrame
        From `build_labels`.

    Returns
    -------
    DataFrame
        ``duration`` (periods, at least 1) and ``event`` (cause, missing if censored) on part of y's index.
    """
    check_columns(y.columns, ["exit_duration", "exit_cause"], subject="labels for churn_target")
    kept = y[y["exit_duration"] > 0]
    return kept[["exit_duration", "exit_cause"]].set_axis(["duration", "event"], axis=1)


def need_target(y: pd.DataFrame) -> pd.DataFrame:
    """Return the target of a need model: duration, event, amount, product and purpose of clients at risk.

    Parameters
    ----------
    y : DataFrame
        From `build_labels`.

    Returns
    -------
    DataFrame
        ``duration`` (periods, at least 1), ``event`` ("need", the exit cause that came first, or missing if
        censored), ``amount``, ``product`` and, where y has it, ``purpose`` on part of y's index.
    """
    names = {
        "need_duration": "duration",
        "need_event": "event",
        "need_amount": "amount",
        "need_product": "product",
    }
    check_columns(y.columns, names, subject="labels for need_target")
    if "need_purpose" in y:
        names["need_purpose"] = "purpose"
    return y.loc[y["need_duration"] > 0, list(names)].rename(columns=names)
