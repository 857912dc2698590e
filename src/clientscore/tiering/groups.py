"""One tier for a group of legal entities: their figures together, their history together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clientscore._checks import check_columns

from .inputs import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from .inputs import Floats, History

_SUMS = ("size_amount", "value", "need_amount_expected")


@dataclass(frozen=True)
class Groups:
    """Which group each client belongs to; a client without one is a group of its own."""

    code: NDArray[np.intp]
    name: NDArray[np.object_]

    @property
    def size(self) -> NDArray[np.intp]:
        """Members of each group."""
        result: NDArray[np.intp] = np.bincount(self.code, minlength=len(self.name)).astype(np.intp)
        return result

    def together(self, facts: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the facts of the groups: amounts added, the highest PD and days past due.

        A member without an amount adds nothing; where no member has one, the group has none.
        """
        result = {}
        for name, values in facts.items():
            known = ~np.isnan(values)
            if name in _SUMS:
                total = np.bincount(self.code[known], values[known], minlength=len(self.name))
                any_known = np.bincount(self.code[known], minlength=len(self.name)) > 0
                result[name] = np.where(any_known, total, np.nan)
            else:
                worst = np.full(len(self.name), -np.inf)
                np.maximum.at(worst, self.code[known], values[known])
                result[name] = np.where(np.isfinite(worst), worst, np.nan)
        return result

    def past(self, past: History | None) -> History | None:
        """Return the history of the groups: the best last tier, steady where all that had one were."""
        if past is None:
            return None
        last, steady = past
        known = last != MISSING
        best = np.full(len(self.name), np.iinfo(np.intp).max)
        np.minimum.at(best, self.code[known], last[known])
        shaky = np.bincount(self.code[known & ~steady], minlength=len(self.name)) > 0
        there = np.bincount(self.code[known], minlength=len(self.name)) > 0
        return np.where(there, best, MISSING).astype(np.intp), there & ~shaky

    def told(self, reasons: list[str], facts: Mapping[str, Floats]) -> list[str]:
        """Put before each reason whose figures it speaks of, and how many members are without a value."""
        lacking = np.bincount(self.code[np.isnan(facts["value"])], minlength=len(self.name))
        heads = [
            "" if count == 1 else f"group {name} of {count}{f', {empty} without a value' if empty else ''}: "
            for name, count, empty in zip(self.name, self.size.tolist(), lacking.tolist(), strict=True)
        ]
        return [head + reason for head, reason in zip(heads, reasons, strict=True)]


def groups_of(frame: pd.DataFrame, by: str, ids: np.ndarray) -> Groups:
    """Return the groups of a book.

    Raises
    ------
    MissingColumnError
        The column `by` is absent.
    """
    check_columns(frame.columns, (by,), subject="assign by group")
    own = frame[by].astype(object)
    keys = [("group", one) if known else ("client", client)
            for one, known, client in zip(own, own.notna(), ids, strict=True)]  # fmt: skip
    place: dict[tuple[str, object], int] = {}
    code = np.array([place.setdefault(key, len(place)) for key in keys], dtype=np.intp)
    return Groups(code, np.array([name for _, name in place], dtype=object))
