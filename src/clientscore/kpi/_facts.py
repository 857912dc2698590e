"""Facts of the default tables: one row a client and month, counts and amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer, check_interval
from clientscore.exceptions import DataError
from clientscore.schema import conform_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.schema import ClientSchema

    Ints = NDArray[np.int64]

_NEVER = 10**9
_ATTRITION = "hard_attrition"


def build_facts(
    tables: Mapping[str, pd.DataFrame],
    schema: ClientSchema,
    *,
    groups: pd.DataFrame | None = None,
    sla_hours: float = 24.0,
    satisfied_from: float = 8.0,
    back_months: int = 12,
    new_lending_events: Sequence[str] = ("drawing",),
) -> pd.DataFrame:
    """Build the facts that the default targets read, month by month, from the tables of a book.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The book: clients and interactions, with surveys and events where there are any.
    schema : ClientSchema
        What the tables look like.
    groups : DataFrame, default None
        Columns client_id and those to group by (portfolio, tier, team), one row a client.
    sla_hours : float, default 24.0
        A month's mean answer within so many hours counts as within the agreement.
    satisfied_from : float, default 8.0
        From this satisfaction on (0 to 10) an answer says satisfied.
    back_months : int, default 12
        Retention is that of the clients of so many months before.
    new_lending_events : sequence of str, default ("drawing",)
        Events whose amounts are new lending; renewals are none.

    Returns
    -------
    DataFrame
        One row a client and month from its first month (or the first of interactions) to `back_months` after
        its exit: client_id, period (first day of the month), manager_id (the last one known), the columns of
        `groups`, answered, satisfied, responses, responses_within_sla, new_lending_amount, at_start and
        retained (was a client `back_months` before; is still, or left other than by attrition).  Clients
        whose whole history is shorter than `back_months` have at_start 0.  Delivered reports are no part of
        the tables: join reports_due and reports_delivered yourself.

    Raises
    ------
    DataError
        `groups` has a client twice, or there are no interactions.

    Examples
    --------
    >>> import clientscore as cs
    >>> book = cs.datasets.make_portfolio(n_clients=50, n_months=24, random_state=0)
    >>> facts = build_facts(book.tables, cs.ClientSchema.default())
    >>> facts.columns.to_list()[:4], bool((facts["retained"] <= facts["at_start"]).all())
    (['client_id', 'period', 'manager_id', 'answered'], True)
    """
    check_interval("sla_hours", sla_hours, low=0.0)
    check_interval("satisfied_from", satisfied_from)
    check_integer("back_months", back_months, low=1)
    book = conform_tables(tables, schema)
    monthly = book.get("interactions")
    if monthly is None or not len(monthly):
        raise DataError("tables must hold interactions, which say who was served when; got none.")
    table = _grid(book, schema, back_months)
    keys = ["client_id", "month"]
    for part in (
        _responses(monthly, sla_hours),
        _answers(book.get("surveys"), satisfied_from),
        _lending(book.get("events"), new_lending_events),
    ):
        table = table.merge(part, on=keys, how="left")
    counts = ["answered", "satisfied", "responses", "responses_within_sla", "new_lending_amount"]
    table[counts] = table[counts].fillna(0.0)
    managers = monthly.assign(month=_numbers(monthly["month"]))[[*keys, "manager_id"]]
    table = table.merge(managers.drop_duplicates(keys), on=keys, how="left").sort_values(keys, kind="stable")
    table["manager_id"] = table.groupby("client_id")["manager_id"].ffill()
    table.insert(1, "period", _dates(table.pop("month")))
    order = ["client_id", "period", "manager_id", *counts, "at_start", "retained"]
    return _grouped(table[order].reset_index(drop=True), groups)


def _numbers(dates: pd.Series) -> Ints:
    """Return months counted from year 0."""
    when = pd.DatetimeIndex(dates)
    return np.asarray(12 * when.year + when.month - 1, dtype=np.int64)


def _dates(months: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([f"{month // 12:04d}-{month % 12 + 1:02d}-01" for month in months])


def _grid(book: Mapping[str, pd.DataFrame], schema: ClientSchema, back: int) -> pd.DataFrame:
    """Return a row for each client and month it is a client, or was one `back` months before."""
    monthly = book["interactions"]
    month = _numbers(monthly["month"])
    first, last = int(month.min()), int(month.max())
    seen = pd.Series(month).groupby(monthly["client_id"].to_numpy()).min()
    begun = seen.copy()
    clients = book["clients"].drop_duplicates("client_id").set_index("client_id")
    if "relationship_start" in clients.columns:
        start = clients["relationship_start"].reindex(seen.index)
        known = start.notna().to_numpy()
        begun[known] = np.minimum(_numbers(start[known]), begun[known])
    left, lost = _exits(book.get("events"), schema, seen.index)
    spans = np.minimum(np.where(left < _NEVER, left + back, last), last) - np.maximum(begun, first) + 1
    spans = np.maximum(spans.to_numpy(), 0)
    rows = np.repeat(np.arange(len(seen)), spans)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(spans) - spans, spans)
    now = np.maximum(begun.to_numpy(), first)[rows] + offset
    past = now - back
    at_start = (past >= np.maximum(begun.to_numpy(), first)[rows]) & (past < left[rows])
    gone = (now >= left[rows]) & lost[rows]
    table = pd.DataFrame(
        {
            "client_id": seen.index.to_numpy()[rows],
            "month": now,
            "at_start": at_start.astype(float),
            "retained": (at_start & ~gone).astype(float),
        }
    )
    return table[(now < left[rows]) | at_start]


def _exits(
    events: pd.DataFrame | None, schema: ClientSchema, clients: pd.Index
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the month of each client's first final exit, and whether it was attrition."""
    left, lost = np.full(len(clients), _NEVER, dtype=np.int64), np.zeros(len(clients), dtype=bool)
    if events is None or not len(events):
        return left, lost
    final = events[events["event"].isin(list(schema.exit_events))].sort_values("date", kind="stable")
    first = final.drop_duplicates("client_id").set_index("client_id").reindex(clients)
    known = first["date"].notna().to_numpy()
    left[known] = _numbers(first.loc[known, "date"])
    lost[known] = first.loc[known, "event"].map(dict(schema.exit_events)).eq(_ATTRITION).to_numpy(dtype=bool)
    return left, lost


def _responses(monthly: pd.DataFrame, sla_hours: float) -> pd.DataFrame:
    if "response_hours" not in monthly.columns:
        return pd.DataFrame({"client_id": [], "month": [], "responses": [], "responses_within_sla": []})
    known = monthly[monthly["response_hours"].notna()]
    part = pd.DataFrame(
        {
            "client_id": known["client_id"],
            "month": _numbers(known["month"]),
            "responses": 1.0,
            "responses_within_sla": (known["response_hours"] <= sla_hours).astype(float),
        }
    )
    return part.groupby(["client_id", "month"], as_index=False).sum()


def _answers(surveys: pd.DataFrame | None, satisfied_from: float) -> pd.DataFrame:
    if surveys is None or "satisfaction" not in surveys.columns:
        return pd.DataFrame({"client_id": [], "month": [], "answered": [], "satisfied": []})
    known = surveys[surveys["satisfaction"].notna()]
    part = pd.DataFrame(
        {
            "client_id": known["client_id"],
            "month": _numbers(known["answered_at"]),
            "answered": 1.0,
            "satisfied": (known["satisfaction"] >= satisfied_from).astype(float),
        }
    )
    return part.groupby(["client_id", "month"], as_index=False).sum()


def _lending(events: pd.DataFrame | None, words: Sequence[str]) -> pd.DataFrame:
    if events is None or "amount" not in events.columns:
        return pd.DataFrame({"client_id": [], "month": [], "new_lending_amount": []})
    drawn = events[events["event"].isin(list(words))]
    part = pd.DataFrame(
        {
            "client_id": drawn["client_id"],
            "month": _numbers(drawn["date"]),
            "new_lending_amount": drawn["amount"],
        }
    )
    return part.groupby(["client_id", "month"], as_index=False).sum()


def _grouped(table: pd.DataFrame, groups: pd.DataFrame | None) -> pd.DataFrame:
    """Return the facts with the columns of groups."""
    if groups is None:
        return table
    check_columns(groups.columns, ["client_id"], subject="groups")
    twice = int(groups["client_id"].duplicated().sum())
    if twice:
        raise DataError(f"groups must have each client once; {twice} rows repeat one.")
    return table.merge(groups, on="client_id", how="left")
