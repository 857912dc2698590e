"""Can the arms be compared: probabilities of the action, clipped, and what is left of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError, OverlapError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Overlap:
    """How well the arms overlap.

    Parameters
    ----------
    known : bool
        Whether the probabilities were given, not estimated.
    low, high : float
        Smallest and largest probability of the action before clipping.
    n_clipped : int
        Rows whose probability was outside the limits and was moved to them.
    clip : float
        The limits are `clip` and 1 - `clip`.
    effective_treated, effective_control : float
        Effective sample size of each arm, (sum of weights)^2 / (sum of squared weights) with weights one over
        the probability of the arm.
    n_rows : int
        Rows.
    """

    known: bool
    low: float
    high: float
    n_clipped: int
    clip: float
    effective_treated: float
    effective_control: float
    n_rows: int

    def frame(self) -> pd.DataFrame:
        """Return one row."""
        return pd.DataFrame([vars(self)])

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return dict(vars(self))

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        if not self.n_clipped:
            return ()
        share = self.n_clipped / self.n_rows
        note = (
            f"{self.n_clipped} of {self.n_rows} rows ({share:.1%}) had a probability of the action outside "
            f"[{self.clip:g}, {1 - self.clip:g}] and were clipped: the effect says little about such "
            "clients."
        )
        return (note,)


def known_propensity(propensity: ArrayLike | float, n_rows: int) -> Floats:
    """Return given probabilities of the action, one a row.

    Raises
    ------
    DataError
        A length that differs, or values that are missing or outside [0, 1].
    OverlapError
        Values of exactly 0 or 1: such a client could not have been in the other arm.
    """
    values = np.asarray(propensity, dtype=np.float64)
    values = np.full(n_rows, float(values)) if values.ndim == 0 else values
    if values.shape != (n_rows,):
        raise DataError(
            f"propensity must have {n_rows} rows like outcome; got {values.shape}. Align the rows."
        )
    wrong = int((~((values >= 0) & (values <= 1))).sum())
    if wrong:
        raise DataError(
            f"propensity must lie in (0, 1); {wrong} of {n_rows} rows are missing or outside. Give the "
            "probability with which each client was chosen."
        )
    certain = int(((values == 0) | (values == 1)).sum())
    if certain:
        raise OverlapError(
            f"propensity must lie strictly between 0 and 1; {certain} of {n_rows} rows are 0 or 1. A client "
            "that was certain to get the action, or not to, has no counterpart: leave such clients out."
        )
    return values


def clipped(propensity: Floats, treatment: Floats, clip: float, *, known: bool) -> tuple[Floats, Overlap]:
    """Return the probabilities inside the limits, and the report.

    Raises
    ------
    OverlapError
        When fewer than 2 effective rows are left in an arm, or the arms have no range of probability in
        common.
    """
    inside = np.clip(propensity, clip, 1 - clip)
    treated = treatment == 1
    sizes = [
        effective_size(1 / inside[treated]),
        effective_size(1 / (1 - inside[~treated])),
    ]
    report = Overlap(
        known=known,
        low=float(propensity.min()),
        high=float(propensity.max()),
        n_clipped=int((inside != propensity).sum()),
        clip=clip,
        effective_treated=sizes[0],
        effective_control=sizes[1],
        n_rows=len(propensity),
    )
    apart = propensity[treated].min() > propensity[~treated].max()
    if min(sizes) < 2 or apart:
        raise OverlapError(
            "the arms must overlap; "
            + (
                "every treated row has a higher probability of the action than every control row."
                if apart
                else f"effective rows are {sizes[0]:.1f} treated and {sizes[1]:.1f} control."
            )
            + " The covariates tell the arms apart: compare only clients that could have been in either."
        )
    return inside, report


def effective_size(weight: Floats) -> float:
    """Return Kish's effective sample size of weights."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0
