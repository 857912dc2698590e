"""The likeliest of several scores, by number and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .purpose import PURPOSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def likeliest_code(scores: dict[str, Floats], n: int) -> NDArray[np.int64]:
    """Return the number of the purpose with the largest score, -1 where none could be read."""
    return largest([scores[name] for name in PURPOSES], n)


def largest(columns: Sequence[Floats], n: int) -> NDArray[np.int64]:
    """Return the number of the largest of some columns, the first of equal ones; -1 where all are missing."""
    best, code = np.full(n, -np.inf), np.full(n, -1, dtype=np.int64)
    for number, values in enumerate(columns):
        better = values > best
        np.putmask(best, better, values)
        np.putmask(code, better, number)
    return code


def likeliest_of(scores: Mapping[str, float | None]) -> str | None:
    """Return the name of the largest score of one client, None where none could be read."""
    known = {name: score for name, score in scores.items() if score is not None}
    return max(known, key=known.__getitem__) if known else None


def words(code: NDArray[Any], names: Sequence[str], index: pd.Index, name: str) -> pd.Series:
    """Return names by number, missing for -1."""
    known = pd.array(list(names), dtype="str")
    return pd.Series(known.take(code, allow_fill=True), index=index, name=name)
