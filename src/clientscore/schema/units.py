"""Signs that amounts of one book are in different units: thousands beside ones, another currency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["unit_notes"]

JUMP = 200.0
MISMATCH = 0.05
RATIO = 20.0
SMALL_RATIO = 1 / 2000
Note = tuple[str, str, str, int, str]


def unit_notes(accepted: Mapping[str, pd.DataFrame]) -> list[Note]:
    """Note amounts that jump by a factor of 200, balance sheets that do not balance, tables out of scale."""
    notes: list[Note] = []
    for table, columns in (("statements", ("total_assets", "revenue")), ("facilities", ("limit_amount",))):
        frame = accepted.get(table)
        for column in columns:
            if frame is not None and column in frame:
                notes += _jumps(table, column, frame)
    notes += _balance(accepted.get("statements"))
    notes += _scale(accepted.get("statements"), accepted.get("facilities"))
    return notes


def _jumps(table: str, column: str, frame: pd.DataFrame) -> list[Note]:
    """Count amounts that lie a factor of 200 from the median of their client."""
    amount = frame[column].where(frame[column] > 0)
    median = amount.groupby(frame["client_id"]).transform("median")
    ratio = amount / median
    far = (ratio > JUMP) | (ratio < 1 / JUMP)
    if not far.any():
        return []
    first = f"{frame['client_id'][far].iloc[0]}: {amount[far].iloc[0]:g} against {median[far].iloc[0]:g}"
    note = f"a factor of {JUMP:g} or more from the client's own median; is the unit the same in all rows?"
    return [(table, column, note, int(far.sum()), first[:80])]


def _balance(frame: pd.DataFrame | None) -> list[Note]:
    """Count statements whose assets differ from liabilities and equity by more than 5 %."""
    parts = ("total_assets", "total_liabilities", "equity")
    if frame is None or not all(part in frame for part in parts):
        return []
    gap = (frame["total_assets"] - frame["total_liabilities"] - frame["equity"]).abs()
    far = gap > MISMATCH * frame["total_assets"].abs()
    if not far.any():
        return []
    first = f"{frame['client_id'][far].iloc[0]}: a gap of {gap[far].iloc[0]:g}"
    note = "differs from total_liabilities + equity by more than 5 %"
    return [("statements", "total_assets", note, int(far.sum()), first[:80])]


def _scale(statements: pd.DataFrame | None, facilities: pd.DataFrame | None) -> list[Note]:
    """Compare the limits of the book with its balance sheets."""
    if statements is None or facilities is None:
        return []
    if "total_assets" not in statements or "limit_amount" not in facilities:
        return []
    assets = statements.groupby("client_id")["total_assets"].median()
    per_month = facilities.groupby(["client_id", "month"])["limit_amount"].sum()
    limits = per_month.groupby(level=0).median()
    ratio = (limits / assets.where(assets > 0)).replace([np.inf, 0], np.nan).dropna()
    if ratio.empty or SMALL_RATIO <= ratio.median() <= RATIO:
        return []
    note = f"limits are {ratio.median():g} times total assets in the median; are both in one unit?"
    return [("facilities", "limit_amount", note, len(ratio), "")]
