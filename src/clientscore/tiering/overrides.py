"""Decisions of persons over the policy: checked, dated, shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_one_meaning, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = ("client_id", "tier", "reason", "owner", "expires")


def apply_overrides(
    overrides: pd.DataFrame,
    ids: np.ndarray,
    run: pd.Timestamp | None,
    tiers: Sequence[str],
    rank: np.ndarray,
    note: np.ndarray,
) -> None:
    """Set `rank` and `note` in place for the clients with an override."""
    check_columns(overrides.columns, _COLUMNS, subject="overrides")
    if run is None:
        raise InvalidParameterError("as_of must be given with overrides, which expire; got None.")
    table = overrides.assign(expires=overrides["expires"].map(_day))
    faults = _date_faults(overrides, table["expires"]) + _override_faults(table, tiers, run)
    if faults:
        raise DataError(f"overrides has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
    order = {tier: i for i, tier in enumerate(tiers)}
    latest = table.sort_values("expires", kind="stable").drop_duplicates("client_id", keep="last")
    rows = latest.set_index("client_id")
    for position in np.flatnonzero(np.isin(ids, rows.index.to_numpy(dtype=object))):
        row = rows.loc[ids[position]]
        who = f"{row['tier']} by {row['owner']}: {row['reason']}"
        if row["expires"] < run:
            note[position] = f"expired {row['expires']:%Y-%m-%d}, not applied ({who})"
        else:
            rank[position] = order[row["tier"]]
            note[position] = f"{who}, until {row['expires']:%Y-%m-%d}"


def _day(cell: Any) -> pd.Timestamp:
    """Return a day; missing where the cell is none, or may be several ("01/02/2026")."""
    try:
        check_one_meaning("expires", cell)
        return pd.Timestamp(cell)
    except (ValueError, TypeError):
        return pd.NaT


def _date_faults(given: pd.DataFrame, expires: pd.Series) -> list[str]:
    """List every override without a day of expiry."""
    return [
        f"client {client}: expires must be given."
        if pd.isna(cell)
        else f"client {client}: expires must be a date with the year first; got {cell!r}."
        for client, cell, day in zip(given["client_id"], given["expires"], expires, strict=True)
        if pd.isna(day)
    ]


def _override_faults(table: pd.DataFrame, tiers: Sequence[str], run: pd.Timestamp) -> list[str]:
    """List every override that cannot be used: no tier, reason or owner; two at once."""
    faults = []
    for client, tier in zip(table["client_id"], table["tier"], strict=True):
        if tier not in tiers:
            hint = did_you_mean(str(tier), tiers)
            faults.append(f"client {client}: tier must be one of {', '.join(tiers)}; got {tier!r}.{hint}")
    for column in ("reason", "owner"):
        empty = table[column].isna() | (table[column].astype("str").str.strip() == "")
        faults += [f"client {client}: {column} must be given." for client in table.loc[empty, "client_id"]]
    active = table[table["expires"] >= run]
    twice = active.groupby("client_id")["tier"].nunique()
    faults += [f"client {client}: two overrides in force differ." for client in twice.index[twice > 1]]
    return faults
