"""What tiers and plans need to know of a client beside its features; no card ever reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.timeline import as_of_list, output_index

from ._arrays import missing
from ._book import Book
from ._credit import credit_features
from ._financial import financial_features
from ._months import YEAR, MonthGrid, window_sum
from ._relationship import latest_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clientscore.schema import ClientSchema

    from ._arrays import Numbers
    from ._book import View

_WORDS = ("name", "industry", "region", "segment", "group_id")
_FLAGS = ("consent", "kyc_valid")
_AMOUNTS = (
    "size_amount",
    "exposure_amount",
    "drawn_amount",
    "limit_amount",
    "income_amount",
    "cost_amount",
    "balance_amount",
    "dpd_days",
)


def build_context(
    tables: Mapping[str, pd.DataFrame],
    schema: ClientSchema,
    as_of: Any,
    include: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Build what tiers and plans read of each client, on the index of `build_features`.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of the schema; any but ``clients`` may be absent.
    schema : ClientSchema
        Names, units and rules of time.
    as_of : date, str or sequence of them
        One date gives rows indexed by ``client_id``; a list, even of one, by ``(client_id, as_of)``.
    include : iterable of str or None, default None
        Clients outside the population to add, such as prospects.

    Returns
    -------
    DataFrame
        ``name``, ``industry``, ``region``, ``segment``, ``group_id`` (text); amounts in the schema's
        currency: ``size_amount`` (revenue of twelve months; where unknown, total assets), ``exposure_amount``
        (of each facility the larger of limit and drawn amount), ``drawn_amount``, ``limit_amount``,
        ``income_amount`` and ``cost_amount`` (sums of the last twelve months), ``balance_amount`` (latest);
        ``dpd_days`` (the longest arrears now), ``consent``, ``kyc_valid``, ``wants_reports`` (boolean),
        ``days_since_statement`` (since the end of its period).  What cannot be known is missing.

    Raises
    ------
    SchemaError
        When a table cannot be brought into the schema's form; a missing column is named.
    DataError
        When a number of the tables is infinite, or when `include` names an unknown client.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> tables = {"clients": pd.DataFrame({"client_id": ["a"], "industry": ["energy"]})}
    >>> build_context(tables, ClientSchema.default(), "2026-01-01").loc["a", "industry"]
    'energy'
    """
    dates, scalar = as_of_list(as_of)
    book = Book(tables, schema)
    added = None if include is None else tuple(include)
    parts, groups = [], []
    for date in dates:
        view = book.view(date, added)
        parts.append(_context_of(view))
        groups.append(view.ids)
    frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return frame.set_index(output_index(groups, dates, scalar))


def _context_of(view: View) -> pd.DataFrame:
    with np.errstate(over="ignore", invalid="ignore"):
        facts = financial_features(view)
        _, lending = credit_features(view, facts.debt)
    conduct = _conduct(view)
    size = np.where(np.isnan(facts.revenue), facts.total_assets, facts.revenue)
    columns: dict[str, Any] = {name: _words(view, name) for name in _WORDS}
    amounts = {
        "size_amount": size,
        "exposure_amount": lending.exposure_amount,
        "drawn_amount": lending.drawn_amount,
        "limit_amount": lending.limit_amount,
        "dpd_days": lending.dpd_days,
    } | conduct
    columns |= {name: amounts[name] for name in _AMOUNTS}
    columns |= {name: _flag(view, name) for name in _FLAGS}
    columns["days_since_statement"] = facts.features["statement_age_days"]
    columns["wants_reports"] = _boolean(latest_answer(view, "wants_reports"))
    return pd.DataFrame(columns)


def _conduct(view: View) -> dict[str, Numbers]:
    """Income and cost of twelve months, and the latest balance."""
    if not view.has("interactions"):
        none = missing(view.n_clients)
        return {"income_amount": none, "cost_amount": none, "balance_amount": none}
    grid = MonthGrid(view, "interactions")
    interest, fees, cost = (
        window_sum(grid.last(name), 0, YEAR)
        for name in ("interest_income_amount", "fee_income_amount", "cost_amount")
    )
    nothing = np.isnan(interest) & np.isnan(fees)
    income = np.where(nothing, np.nan, np.nan_to_num(interest) + np.nan_to_num(fees))
    return {
        "income_amount": income,
        "cost_amount": cost,
        "balance_amount": grid.level(grid.last("balance_amount")),
    }


def _words(view: View, name: str) -> Any:
    if name not in view.clients:
        return pd.array([pd.NA] * view.n_clients, dtype="str")
    return view.clients[name].astype("str").array


def _flag(view: View, name: str) -> Any:
    if name not in view.clients:
        return pd.array([pd.NA] * view.n_clients, dtype="boolean")
    return view.clients[name].astype("boolean").array


def _boolean(values: Numbers) -> Any:
    return pd.arrays.BooleanArray(values > 0, np.isnan(values))
