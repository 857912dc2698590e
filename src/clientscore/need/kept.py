"""What a fitted amount keeps of its calibration: errors to group anew, and rows to blank features in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from .conformal import Calibration, Scored, calibrate, choose_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .groups import IntervalGroups

    Floats = NDArray[np.float64]

_BACKGROUND = 300  # rows that tell what a feature could have said


class Kept(NamedTuple):
    """What calibrates by other groups later: rows with an amount, z, log s, exp(m), and the mean."""

    index: pd.Index
    scored: Scored
    log_scale: Floats
    level: Floats
    mean: Floats
    varies: bool


def beside(X: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
    """Return features and, beside them, the columns of the context that are no features."""
    return pd.concat([X, context[[name for name in context if name not in X]]], axis=1)


def grouped(
    names: str | Sequence[str], seen: pd.DataFrame, kept: Kept, coverage: float
) -> tuple[IntervalGroups, Calibration]:
    """Return the groups, and the quantiles of z by group."""
    groups = choose_groups(names, seen, kept.log_scale, kept.scored, coverage, varies=kept.varies)
    codes = groups.codes(seen, kept.log_scale)
    calibration = calibrate(kept.scored.z, codes[kept.scored.rows], coverage, groups.labels, groups.parents)
    total, least = (np.bincount(codes, one, len(groups.labels)) for one in (kept.mean, kept.level))
    overall = float(kept.mean.sum() / kept.level.sum())
    calibration.groups["smearing"] = np.where(least > 0, total / np.maximum(least, 1e-300), overall)
    return groups, calibration


class Background(NamedTuple):
    """Row numbers of some calibration rows, (n, n_features), and their line of size."""

    codes: NDArray[Any]
    base: Floats

    @classmethod
    def of(cls, codes: NDArray[Any], base: Floats, seed: int) -> Background:
        """Draw at most 300 rows."""
        rows = np.random.default_rng(seed).permutation(len(codes))[:_BACKGROUND]
        return cls(codes[rows], base[rows])
