"""Inputs unlike those of training: wrong units, swapped columns, codes nobody told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import binom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard, FeatureBins

_COLUMNS = ("feature", "kind", "row", "rows", "share", "training_share")
_EXCESS = 0.05  # a smaller surplus of odd rows is drift, not a wrong input
_CHANCE = 1e-3  # a surplus that chance alone brings this often is none
_LEAST_SHARE = 5e-4  # what training never met may still happen
_SHIFT = 0.4  # distance of the distribution functions
_SHIFT_ROWS = 50


def unusual_inputs(card: AdditiveCard, codes: NDArray[Any]) -> pd.DataFrame:
    """Return the rows of features that are met far more often than in training, one line each."""
    shares = {term.name: term.share for term in card.terms if term.share is not None}
    lines = [
        line
        for j, one in enumerate(card.bins)
        if one.name in shares and len(codes)
        for line in _unusual(one, np.bincount(codes[:, j], minlength=one.n_rows), shares[one.name])
    ]
    kinds = {"rows": "int64", "share": "float64", "training_share": "float64"}
    text = dict.fromkeys(("feature", "kind", "row"), "str")
    return pd.DataFrame(lines, columns=list(_COLUMNS)).astype({**kinds, **text})


def _unusual(
    bins: FeatureBins, counts: NDArray[Any], training: NDArray[np.float64]
) -> Iterator[tuple[str, str, str, int, float, float]]:
    """Yield the lines of one feature: its odd rows, then a shift of its numbers."""
    n, labels = int(counts.sum()), bins.labels()
    for row in range(bins.n_rows):
        kind = bins.row_kind(row)
        if kind is None:
            continue
        count, before = int(counts[row]), float(training[row])
        surplus = count / n - before > _EXCESS
        if surplus and binom.sf(count - 1, n, max(before, _LEAST_SHARE)) < _CHANCE:
            yield bins.name, kind, labels[row], n, count / n, before
    known, expected = counts[: bins.n_values].sum(), training[: bins.n_values].sum()
    if bins.kind == "category" or known < _SHIFT_ROWS or not expected > 0:
        return
    now = np.cumsum(counts[: bins.n_values]) / known
    before_by_row = np.cumsum(training[: bins.n_values]) / expected
    row = int(np.abs(now - before_by_row).argmax())
    if abs(now[row] - before_by_row[row]) > _SHIFT:
        yield bins.name, "shifted", labels[row], int(known), float(now[row]), float(before_by_row[row])
