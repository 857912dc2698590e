"""What chance alone does to a measure: the figure that a forecast equal to the truth would have."""

from __future__ import annotations

import numpy as np


def error_of_truth(p: np.ndarray, n_groups: int = 10) -> float:
    """Return the expected calibration error of a true forecast over groups of equal size.

    Within a group of m clients the realized rate is off by normal noise of variance ``sum p (1 - p) / m^2``,
    whose mean absolute value is ``sqrt(2 / pi)`` of its standard deviation.
    """
    groups = np.array_split(np.sort(p), n_groups)
    return float(np.mean([np.sqrt(2 / np.pi * (g * (1 - g)).sum()) / len(g) for g in groups]))
