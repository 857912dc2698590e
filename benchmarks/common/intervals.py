"""Paired differences over splits, or over seeds, with a Student interval."""

from __future__ import annotations

import numpy as np
from scipy.stats import t

from .paired import Difference


def over_splits(ours: np.ndarray, theirs: np.ndarray, level: float = 0.95) -> Difference:
    """Return the mean of the paired differences (ours - theirs) and its interval.

    Splits of one set share rows, so the interval tells the noise of splitting, not that of sampling.
    """
    gap = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    mean = float(gap.mean())
    if len(gap) < 2:
        return Difference(mean, -np.inf, np.inf)
    half = float(t.ppf((1 + level) / 2, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap)))
    return Difference(mean, mean - half, mean + half)
