"""Early warning of a book, ready to print: clients by color and side, and what is in alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._columns import has, words
from ._tables import count, percent

if TYPE_CHECKING:
    import pandas as pd

_SIDES = {"credit": "cannot pay", "attrition": "may leave"}
_COLORS = ("red", "amber", "green", "not evaluated")
_SHOWN = 8


def early_warning(frame: pd.DataFrame, alarms: pd.DataFrame | None) -> dict[str, Any] | None:
    """Return clients by color and side, and the commonest alarms; None where no side is known."""
    sides = [
        {"side": side, "means": means, "cells": [count((colors == color).sum()) for color in _COLORS]}
        for side, means in _SIDES.items()
        if has(frame, f"{side}_signal_state")
        for colors in [words(frame, f"{side}_signal_state", "not evaluated")]
    ]
    if not sides:
        return None
    found = _counted(frame) if alarms is None else alarms.set_index("en")["clients"]
    top = found.max() if len(found) else 1
    rows = [
        {
            "name": name,
            "clients": count(n),
            "share": percent(n / len(frame)),
            "width": round(100 * n / top, 1),
        }
        for name, n in found.head(_SHOWN).items()
    ]
    return {"sides": sides, "alarms": rows, "speaking": count(words(frame, "alarms", "").ne("").sum())}


def _counted(frame: pd.DataFrame) -> pd.Series:
    """Count the names in the column ``alarms``, where the words of the signals are not at hand."""
    names = words(frame, "alarms", "").str.split(", ").explode()
    return names[names != ""].str.replace("_", " ").value_counts()
