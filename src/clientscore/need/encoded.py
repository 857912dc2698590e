"""Rows as numbers of the bins, read once for all that is learned from needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clientscore.additive import FeatureBins, encode, fit_bins

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Encoded(NamedTuple):
    """Bins of the features, and row numbers: (n, n_features)."""

    bins: tuple[FeatureBins, ...]
    codes: NDArray[Any]

    @classmethod
    def of(cls, X: pd.DataFrame) -> Encoded:
        """Fit bins to the features and encode them."""
        bins = fit_bins(X)
        return cls(bins, encode(bins, X))

    def part(self, rows: NDArray[Any]) -> Encoded:
        """Return some rows."""
        return Encoded(self.bins, self.codes[rows])
