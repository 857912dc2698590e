"""From effects to candidates of allocation: uplift x value - cost - change in expected loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.exceptions import DataError


def action_values(
    effects: pd.DataFrame | pd.Series,
    stake: Any,
    *,
    cost: Any = 0.0,
    hours: Any = 0.0,
    loss_change: Any = 0.0,
) -> pd.DataFrame:
    r"""Return what each action is worth on each client, ranked, ready for allocation.

    .. math:: value = effect \cdot stake - cost - \Delta EL

    The clients at highest risk are not those whom an action helps most: rank by this, not by risk.

    Parameters
    ----------
    effects : DataFrame of shape (n_clients, n_actions) or Series
        Effect of each action on each client, as from `predict_effect`; index: the client, columns: the
        actions (a Series' name).  In the outcome's unit: probability of staying, currency units of lending.
    stake : float, Series or DataFrame
        Value of one unit of the outcome, currency units: lifetime value lost with the client for an effect on
        staying, the margin for an effect on lending.  A Series by client, a DataFrame by client and action.
    cost : float, mapping, Series or DataFrame, default 0.0
        Cost of the action, currency units; a mapping by action.
    hours : float, mapping, Series or DataFrame, default 0.0
        Hours of a relationship manager.
    loss_change : float, mapping, Series or DataFrame, default 0.0
        Change in expected loss that the action brings, currency units.

    Returns
    -------
    DataFrame
        One row a client and action: client_id, action, effect, stake, cost, hours, loss_change, value, rank
        (1 is best), by falling value.  Where an input is missing the value is missing, never 0, and stands
        last.

    Raises
    ------
    DataError
        A client twice, an index that differs, a negative cost or number of hours; all are listed.

    Examples
    --------
    >>> effects = pd.DataFrame({"call": [0.02, 0.10], "visit": [0.03, 0.11]}, index=["a", "b"])
    >>> stake = pd.Series([50_000.0, 4_000.0], index=["a", "b"])
    >>> table = action_values(effects, stake, cost={"call": 50, "visit": 300}, hours={"call": 1, "visit": 4})
    >>> table[["client_id", "action", "value", "rank"]].to_numpy().tolist()
    [['a', 'visit', 1200.0, 1], ['a', 'call', 950.0, 2], ['b', 'call', 350.0, 3], ['b', 'visit', 140.0, 4]]
    """
    table = effects.to_frame(effects.name or "action") if isinstance(effects, pd.Series) else effects
    faults = []
    if table.index.duplicated().any():
        faults.append(
            f"effects must have each client once; {int(table.index.duplicated().sum())} rows repeat one."
        )
    given = {"stake": stake, "cost": cost, "hours": hours, "loss_change": loss_change}
    parts = {name: _spread(name, value, table, faults) for name, value in given.items()}
    for name in ("cost", "hours"):
        negative = int((parts[name] < 0).sum())
        if negative:
            faults.append(f"{name} must be at least 0; {negative} entries are below.")
    if faults:
        raise DataError("the actions cannot be valued.", faults)
    effect = table.to_numpy(dtype=np.float64)
    parts["value"] = effect * parts["stake"] - parts["cost"] - parts["loss_change"]
    n, k = effect.shape
    long = pd.DataFrame(
        {
            "client_id": np.repeat(table.index.to_numpy(), k),
            "action": np.tile(np.asarray(table.columns, dtype=object), n),
            "effect": effect.ravel(),
            **{name: part.ravel() for name, part in parts.items()},
        }
    )
    long = long.sort_values("value", ascending=False, kind="stable", na_position="last", ignore_index=True)
    return long.assign(rank=np.arange(1, len(long) + 1))


def _spread(name: str, value: Any, table: pd.DataFrame, faults: list[str]) -> np.ndarray:
    """Return an entry for every client and action."""
    shape = table.shape
    if isinstance(value, pd.DataFrame | pd.Series):
        return _aligned(name, value, table, faults)
    if isinstance(value, Mapping):
        faults += [
            f"{name} lacks the action {action!r}.{did_you_mean(str(action), map(str, value))}"
            for action in table.columns
            if action not in value
        ]
        row = [float(value.get(action, 0.0)) for action in table.columns]
        return np.broadcast_to(np.array(row), shape)
    try:
        return np.full(shape, float(value))
    except (TypeError, ValueError):
        faults.append(
            f"{name} must be a number, a mapping by action, a Series or a DataFrame; got {value!r}."
        )
        return np.zeros(shape)


def _aligned(
    name: str, value: pd.DataFrame | pd.Series, table: pd.DataFrame, faults: list[str]
) -> np.ndarray:
    """Return a column or a table on the clients and actions of effects."""
    lost = int((~table.index.isin(value.index)).sum())
    lacking: list[str] = []
    if isinstance(value, pd.DataFrame):
        lacking = [str(column) for column in table.columns if column not in value.columns]
    if lost or lacking:
        what = [f"{lost} clients"] * bool(lost) + lacking
        faults.append(f"{name} must have every client and action of effects; it lacks {', '.join(what)}.")
        return np.zeros(table.shape)
    if isinstance(value, pd.DataFrame):
        return np.asarray(value.reindex(index=table.index, columns=table.columns), dtype=np.float64)
    column = value.reindex(table.index).to_numpy(dtype=np.float64)
    return np.broadcast_to(column[:, None], table.shape)
