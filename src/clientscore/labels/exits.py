"""Exits that no event states, by the rules: their spells, and who is in one at a date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._words import SILENT
from clientscore.schema import conform_tables
from clientscore.timeline import as_of_list, output_index, population, visible

from .grids import MonthGrid, spell_frame, statements_of
from .inactive import idle_months, inactive_on
from .rules import ExitRules
from .silent import silent_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.schema import ClientSchema

__all__ = ["exit_spells", "exit_state", "hard_cause", "silent_state"]

_HARD = "hard_attrition"


def hard_cause(schema: ClientSchema) -> str:
    """Return the schema's word for hard attrition: its first cause of churn that is not the silent one."""
    return next((cause for cause in schema.churn_causes if cause != SILENT), _HARD)


def exit_spells(
    book: Mapping[str, pd.DataFrame], schema: ClientSchema, rules: ExitRules | None = None
) -> pd.DataFrame:
    """Return every spell of inactivity and of silent run-off, found month by month from the past alone.

    Parameters
    ----------
    book : mapping of str to DataFrame
        Canonical tables; without ``interactions`` there is no spell.
    schema : ClientSchema
        Names of the causes, and the publication lag.
    rules : ExitRules, default None
        The definitions; None takes their defaults.

    Returns
    -------
    DataFrame
        client_id, start and end (the days they are known; an end is missing while the spell lasts) and
        cause, by client and start; of one day a hard exit comes first.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> months = pd.date_range("2024-01-01", periods=20, freq="MS")
    >>> table = pd.DataFrame({"client_id": "a", "month": months, "balance_amount": [9.0] * 14 + [0.0] * 6})
    >>> spells = exit_spells({"interactions": table}, ClientSchema.default())
    >>> spells[["start", "cause"]].astype(str).values.tolist()
    [['2025-09-01', 'hard_attrition']]
    """
    rules = ExitRules() if rules is None else rules
    interactions = book.get("interactions")
    if interactions is None or interactions.empty:
        return spell_frame(MonthGrid.none()).assign(cause=pd.Series(dtype="str"))
    grid = MonthGrid.of(interactions)
    idle, busy = idle_months(grid, book, rules.hard)
    hard = inactive_on(grid, idle, busy, rules.hard)
    statements = book.get("statements")
    known = (
        None if statements is None else statements_of(statements, grid.clients, schema.publication_lag_days)
    )
    # With inactivity switched off nothing else would count its months.
    silent = silent_on(grid, interactions, rules.silent, known, idle if rules.hard.inactive_months else None)
    both = pd.concat(
        [hard.assign(cause=hard_cause(schema)), silent.assign(cause=SILENT)], ignore_index=True
    ).astype({"cause": "str"})
    return both.sort_values(["client_id", "start"], kind="stable", ignore_index=True)


def exit_state(
    tables: Mapping[str, pd.DataFrame], schema: ClientSchema, as_of: Any, rules: ExitRules | None = None
) -> pd.Series:
    """Return who is gone by a rule at each date, and by which, as far as was known then.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The book; without ``interactions`` nobody is.
    schema : ClientSchema
        What the tables look like.
    as_of : date, str, or sequence of them
        One date gives rows indexed by ``client_id``; a list ``(client_id, as_of)``.
    rules : ExitRules, default None
        The definitions; None takes their defaults.

    Returns
    -------
    Series of str, named "exit_state"
        "silent_attrition", the schema's word for hard attrition (without business; the client is still in
        the population, since no event ended the relationship), or missing. A client that cannot be evaluated
        is missing too.
    """
    dates, scalar = as_of_list(as_of)
    book = conform_tables(tables, schema)
    spells = exit_spells(book, schema, rules)
    seen = {name: frame for name, frame in book.items() if name in ("clients", "events")}
    groups, parts = [], []
    for date in dates:
        ids = population(visible(seen, date, schema.publication_lag_days), date, schema.exit_events)
        now = spells[(spells["start"] <= date) & ~(spells["end"] <= date)]
        hard_first = now.assign(rank=now["cause"].eq(SILENT)).sort_values("rank", kind="stable")
        cause = hard_first.drop_duplicates("client_id").set_index("client_id")["cause"]
        groups.append(ids)
        parts.append(cause.reindex(ids).to_numpy(dtype=object, na_value=None))
    values = pd.Series(np.concatenate(parts), dtype="str")
    return values.set_axis(output_index(groups, dates, scalar)).rename("exit_state")


def silent_state(
    tables: Mapping[str, pd.DataFrame], schema: ClientSchema, as_of: Any, rules: ExitRules | None = None
) -> pd.Series:
    """Return who is in silent run-off at each date, as far as was known then.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The book; without ``interactions`` nobody is.
    schema : ClientSchema
        What the tables look like.
    as_of : date, str, or sequence of them
        One date gives rows indexed by ``client_id``; a list ``(client_id, as_of)``.
    rules : ExitRules, default None
        The definitions; None takes their defaults.

    Returns
    -------
    Series of bool, named "silent"
        A client that cannot be evaluated, or has no business left at all, is not in run-off.
    """
    return exit_state(tables, schema, as_of, rules).eq(SILENT).fillna(False).astype(bool).rename("silent")
