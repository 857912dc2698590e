"""What boosting reports: out-of-bag decisions, losses, and the pairs it kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ._bagged import CardBags


@dataclass(frozen=True, eq=False, repr=False)
class BoostReport:
    """What boosting found out on the way.

    Attributes
    ----------
    out_of_bag : ndarray of shape (n,), or (n, n_outputs) for several outputs
        Raw decision of each row, the mean over the bags that held it out; NaN where none did.
    rounds : tuple of int
        Rounds of each bag after early stopping.
    loss : float
        Weighted mean loss of the out-of-bag decisions (log loss, or squared error); NaN without any.
    base_loss : float
        The same loss of the constant decision.
    pairs : DataFrame
        Columns feature_1, feature_2, spread (standard deviation over training rows), factor (of the table, 0
        if dropped), kept; strongest first.
    dropped_spread : float
        Standard deviation over training rows of everything dropped, in the decision's unit; 0 if nothing was.
    dropped_features : tuple of str
        Features whose main effect was dropped.
    screened : bool
        Whether pairs were chosen on one bag and the card refitted with them.
    curve : DataFrame or None
        What a shorter card costs, one line a candidate: pull, price, pairs, terms, loss (cross-validated),
        over_best, standard_error, chosen, refit (whether the bags were trained anew on the strongest pairs);
        None where terms were not rescaled.
    bags : CardBags or None
        How far each bag lies from the card.
    bins_curve : DataFrame or None
        What fewer bins cost, from :func:`choose_bins`; None where bins were given.
    depth : int
        Most splits on the way to a leaf; every way uses at most two features.
    """

    out_of_bag: NDArray[np.float64]
    rounds: tuple[int, ...]
    loss: float
    base_loss: float
    pairs: pd.DataFrame
    dropped_spread: float
    dropped_features: tuple[str, ...]
    screened: bool
    curve: pd.DataFrame | None = None
    bags: CardBags | None = None
    bins_curve: pd.DataFrame | None = None
    depth: int = 2

    def frame(self) -> pd.DataFrame:
        """Return the pairs, strongest first."""
        return self.pairs

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON scalars and lists."""
        return {
            "rounds": list(self.rounds),
            "depth": self.depth,
            "bins_curve": None if self.bins_curve is None else self.bins_curve.to_dict("records"),
            "loss": self.loss,
            "base_loss": self.base_loss,
            "n_pairs": int(self.pairs["kept"].sum()),
            "dropped_spread": self.dropped_spread,
            "dropped_features": list(self.dropped_features),
            "screened": self.screened,
            "curve": None if self.curve is None else self.curve.to_dict("records"),
        }

    def __repr__(self) -> str:
        return (
            f"BoostReport(loss={self.loss:.5g}, base_loss={self.base_loss:.5g}, rounds={self.rounds}, "
            f"pairs={int(self.pairs['kept'].sum())} of {len(self.pairs)})"
        )

    def _repr_html_(self) -> str:
        curve = "" if self.curve is None else self.curve.to_html(index=False)
        return f"<p>{self!r}</p>{curve}"


def mean_loss(
    objective: str, decision: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """Return the weighted mean log loss, or squared error, of decisions of shape (n, n_outputs)."""
    if objective == "regression":
        return float(np.average(np.square(decision[:, 0] - y), weights=weight))
    scores = np.column_stack([np.zeros(len(y)), decision])
    scores -= scores.max(axis=1, keepdims=True)
    own = scores[np.arange(len(y)), y.astype(np.intp)]
    return float(np.average(np.log(np.exp(scores).sum(axis=1)) - own, weights=weight))


def base_loss(objective: str, y: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Return the loss of the best constant decision."""
    mean = np.average(y, weights=weight)
    if objective == "regression":
        return float(np.average(np.square(y - mean), weights=weight))
    share = np.bincount(y.astype(np.intp), weights=weight) / weight.sum()
    return float(-sum(p * np.log(p) for p in share if p > 0))
