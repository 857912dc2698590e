"""What allocation starts from: the open actions of each client, and the capacities that the policy states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns
from clientscore._frames import ids_of
from clientscore.exceptions import InvalidParameterError

from ._actions import stake
from ._offers import open_gates
from ._picking import pick_actions
from ._recommend import decide
from ._rules import encode_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._parts import CapacityRule, Parts
    from ._rules import Columns, ColumnType


def list_candidates(
    parts: Parts, types: Mapping[str, ColumnType], frame: pd.DataFrame, extra: Sequence[str]
) -> tuple[pd.DataFrame, Columns]:
    """Return every open action of each client, one row each, and the columns with what the tables decided."""
    check_columns(frame.columns, ("tier", "watch", *extra), subject="candidates")
    n = len(frame)
    columns = encode_frame(frame, types)
    decide(parts, columns, n)
    picked = pick_actions(parts, columns, open_gates(parts, columns, n), n)
    at_stake = stake(columns, parts)
    ids = ids_of(frame)
    pieces = []
    for position, item in enumerate(picked.valued):
        rows = np.flatnonzero(np.isfinite(picked.values[position]) | picked.required[position])
        action = item.action
        table = {
            "position": rows, "client_id": ids[rows], "action": action.name,
            "kind": action.kind, "required": action.required,
            "value": item.value[rows], "uplift": item.uplift[rows],
            "value_at_stake": at_stake[rows], "value_kept": item.kept[rows],
            "need_won": item.won[rows], "expected_loss_change": item.loss_change[rows],
            "loss_avoided": item.avoided[rows], "cost": item.cost[rows], "hours": action.hours,
            "contacts": action.contacts, "new_lending": item.lending[rows],
        }  # fmt: skip
        pieces.append(pd.DataFrame(table))
    long = pd.concat(pieces, ignore_index=True).astype({"client_id": "str", "action": "str", "kind": "str"})
    for name in extra:
        long[name] = frame[name].to_numpy()[long["position"].to_numpy(dtype=np.intp)]
    long = long.sort_values("position", kind="stable", ignore_index=True).drop(columns="position")
    # A required action is done whatever it is worth: what it costs is known, or counts nothing.
    needed = ["cost", "new_lending"]
    long[needed] = long[needed].mask(long["required"] & long[needed].isna().any(axis=1), 0.0)
    return long, columns


def stated_capacity(
    parts: Parts, frame: pd.DataFrame | None, columns: Columns | None
) -> dict[str, float | dict[str, dict[str, float]]]:
    """Return the capacities of the policy as `allocate` takes them.

    Raises
    ------
    InvalidParameterError
        The policy states none, or one that depends on the book where only candidates are given.
    """
    if not parts.capacities:
        raise InvalidParameterError(
            'capacity must be given, such as {"rm_hours": 1200}: the policy has no section [capacities].'
        )
    relative = [
        one.name for one in parts.capacities if one.per_client is not None or one.per_manager is not None
    ]
    if relative and (frame is None or columns is None):
        raise InvalidParameterError(
            f"capacity {', '.join(relative)} depends on the book; give the book, or amounts in `capacity`."
        )
    stated: dict[str, Any] = {}
    for one in parts.capacities:
        if one.limit is not None:
            stated[one.name] = one.limit
        elif one.per_client is None and one.per_manager is None:
            stated[one.name] = {str(one.by): one.limits}
        elif frame is not None and columns is not None:
            stated[one.name] = _from_book(one, parts, frame, columns)
    return stated


def _from_book(
    rule: CapacityRule, parts: Parts, frame: pd.DataFrame, columns: Columns
) -> float | dict[str, dict[str, float]]:
    """Return so much a client, or a manager of the coverage that each client gets."""
    if rule.per_manager is None:
        each = np.full(len(frame), float(rule.per_client or 0.0))
    else:
        coverage = columns["coverage"]
        served = [parts.coverage[word].more["clients_per_manager"] for word in coverage.words]
        share = np.array([1.0 / count if count else 0.0 for count in served] + [0.0])
        each = rule.per_manager * share[coverage.values]
    if rule.by is None:
        return float(each.sum())
    check_columns(frame.columns, (rule.by,), subject=f"capacity {rule.name}")
    sums = pd.Series(each, index=frame.index).groupby(frame[rule.by].to_numpy()).sum()
    return {rule.by: {str(group): float(amount) for group, amount in sums.items()}}
