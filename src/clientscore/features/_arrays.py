"""Arithmetic that keeps missing values missing and lets no infinity out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


def ratio(numerator: Numbers, denominator: Numbers) -> Numbers:
    """Divide where the denominator is above zero; elsewhere, and where the quotient overflows, missing."""
    out = np.full(np.shape(denominator), np.nan)
    with np.errstate(over="ignore"):
        np.divide(numerator, denominator, out=out, where=denominator > 0)
    out[np.isinf(out)] = np.nan
    return out


def logarithm(values: Numbers) -> Numbers:
    """Natural logarithm of what is above zero; elsewhere missing."""
    out = np.full(np.shape(values), np.nan)
    return np.log(values, out=out, where=values > 0)


def missing(n: int) -> Numbers:
    """Return `n` missing values."""
    return np.full(n, np.nan)
