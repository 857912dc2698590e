"""What there is of each resource: for the whole book, or for each team or region."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import check_interval, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    import pandas as pd

#: Column that each resource counts where the candidates have none of its name.
COLUMN_OF = {"rm_hours": "hours", "budget": "cost", "calls": "contacts", "credit": "new_lending"}


@dataclass(frozen=True)
class Resource:
    """One resource: the column it counts and its limits, one for the book or one a group of `by`."""

    name: str
    column: str
    by: str | None
    limits: dict[str, float]

    @property
    def labels(self) -> list[str]:
        """Names of its capacities: the resource, or resource[by=group]."""
        return [self.name if self.by is None else f"{self.name}[{self.by}={group}]" for group in self.limits]


def read_capacity(candidates: pd.DataFrame, capacity: Any) -> list[Resource]:
    """Return the resources of `capacity`, or list all that is wrong with it."""
    if not isinstance(capacity, Mapping):
        raise InvalidParameterError(
            f'capacity must map resources to amounts, such as {{"rm_hours": 1200}}; got {capacity!r}.'
        )
    faults: list[str] = [] if capacity else ["capacity must name at least one resource, such as rm_hours."]
    resources = []
    for name, wanted in capacity.items():
        column = str(name if name in candidates.columns else COLUMN_OF.get(name, name))
        if column not in candidates.columns:
            hint = did_you_mean(name, [*COLUMN_OF, *map(str, candidates.columns)])
            faults.append(f"capacity {name!r} needs the column {column!r}, which the candidates lack.{hint}")
        if not isinstance(wanted, Mapping):
            faults += _amount_fault(f"capacity {name!r}", wanted)
            resources.append(Resource(name, column, None, {"": wanted}))
            continue
        if not wanted:
            faults.append(f"capacity {name!r} names no groups. Write {{column: {{group: amount}}}}.")
        for by, limits in wanted.items():
            faults += _group_faults(name, by, limits, candidates)
            resources.append(Resource(name, column, by, dict(limits) if isinstance(limits, Mapping) else {}))
    if faults:
        raise InvalidParameterError(f"capacity has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
    return resources


def groups_of(capacity: Any) -> list[str]:
    """Return the columns by which a capacity is split."""
    wanted = capacity.values() if isinstance(capacity, Mapping) else []
    return [str(by) for one in wanted if isinstance(one, Mapping) for by in one]


def _group_faults(name: str, by: str, limits: Any, candidates: pd.DataFrame) -> list[str]:
    """List what is wrong with the limits of one resource by group, groups without a limit included."""
    if not isinstance(limits, Mapping) or not limits:
        return [f"capacity {name!r} by {by!r} must map groups to amounts; got {limits!r}."]
    faults = []
    for group, amount in limits.items():
        if amount != math.inf:
            faults += _amount_fault(f"capacity {name!r} of {by} {group!r}", amount)
    if by not in candidates.columns:
        return [*faults, f"capacity {name!r} is split by {by!r}, a column that the clients lack."]
    found = candidates[by].astype("object")
    empty = int(found.isna().sum())
    if empty:
        faults.append(f"capacity {name!r}: {by} is missing in {empty} candidates. Fill it.")
    lacking = sorted({str(group) for group in found.dropna().unique()} - {str(group) for group in limits})
    if lacking:
        text = f"capacity {name!r} must give every {by} an amount; {', '.join(lacking[:5])} has none."
        faults.append(text + ' Give one, float("inf") for no limit.')
    return faults


def _amount_fault(name: str, amount: Any) -> list[str]:
    try:
        check_interval(name, amount, low=0.0, closed="low")
    except InvalidParameterError as error:
        return [error.message]
    return [] if math.isfinite(amount) else [f"{name} must be finite; got {amount!r}. Leave it out."]


def codes_of(resource: Resource, candidates: pd.DataFrame) -> np.ndarray | None:
    """Return the position of each candidate's group among the limits, None where there are no groups."""
    if resource.by is None:
        return None
    place = {str(group): position for position, group in enumerate(resource.limits)}
    codes, words = candidates[resource.by].factorize()
    lookup = np.array([place[str(word)] for word in words], dtype=np.intp)
    result: np.ndarray = lookup[codes] if len(lookup) else np.empty(0, dtype=np.intp)
    return result


def weights_of(resource: Resource, candidates: pd.DataFrame) -> np.ndarray:
    """Return the units that each candidate needs, none negative or missing."""
    weight: np.ndarray = candidates[resource.column].to_numpy(dtype="float64")
    wrong = np.flatnonzero(~(weight >= 0))
    if len(wrong):
        row = wrong[0]
        raise DataError(
            f"{resource.column} must be at least 0 for every candidate; got {weight[row]} for client "
            f"{candidates['client_id'].iat[row]}, action {candidates['action'].iat[row]}."
        )
    return weight
