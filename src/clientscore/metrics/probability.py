"""How well probabilities fit: Brier score and skill, log loss, calibration by bin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval

from ._arrays import equal_groups, outcomes, probabilities, weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def brier(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean squared difference of probability and outcome.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    p : array-like of shape (n,)
        Probabilities of 1, in [0, 1].
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        In [0, 1]; lower is better.

    References
    ----------
    Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Examples
    --------
    >>> brier([0, 1], [0.5, 1.0])
    0.125
    """
    outcome = outcomes(y)
    predicted = probabilities(p, len(outcome))
    return float(np.average((predicted - outcome) ** 2, weights=weights(weight, len(outcome))))


def brier_skill(
    y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None, base_rate: float | None = None
) -> float:
    """Share of the base rate's Brier score that the probabilities save: 1 - brier / brier(base rate).

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    p : array-like of shape (n,)
        Probabilities of 1, in [0, 1].
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.
    base_rate : float, default None
        The rate to beat, for instance the one of the training years; None = the mean of `y` itself, which no
        forecaster could have known.

    Returns
    -------
    float
        At most 1; 0 or less means no better than the base rate.  Missing where the base rate itself is
        without error (all outcomes alike and equal to it).

    Examples
    --------
    >>> brier_skill([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0])
    1.0
    """
    outcome = outcomes(y)
    weight_ = weights(weight, len(outcome))
    rate = float(np.average(outcome, weights=weight_)) if base_rate is None else base_rate
    check_interval("base_rate", rate, low=0.0, high=1.0)
    naive = brier(outcome, np.full(len(outcome), rate), weight_)
    return 1.0 - brier(outcome, p, weight_) / naive if naive > 0 else float("nan")


def log_loss(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean negative log likelihood of the outcomes, in nats.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    p : array-like of shape (n,)
        Probabilities of 1, in [0, 1]; kept 2.2e-16 away from 0 and 1.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    float
        At least 0; lower is better.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.5, 0.5]), 6)
    0.693147
    """
    outcome = outcomes(y)
    tiny = float(np.finfo(np.float64).eps)
    predicted = np.clip(probabilities(p, len(outcome)), tiny, 1 - tiny)
    loss = -(outcome * np.log(predicted) + (1 - outcome) * np.log1p(-predicted))
    return float(np.average(loss, weights=weights(weight, len(outcome))))


def calibration_table(
    y: ArrayLike, p: ArrayLike, n_bins: int = 10, weight: ArrayLike | None = None
) -> pd.DataFrame:
    """Predicted and realized rates in bins of about equal weight, from the lowest risk to the highest.

    Equal probabilities always share a bin, so there may be fewer bins than asked for.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    p : array-like of shape (n,)
        Probabilities of 1, in [0, 1].
    n_bins : int, default 10
        Number of bins, at least 1.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    DataFrame
        One row a bin, columns: rows (count), weight, lowest and highest (probability in the bin), predicted
        and realized (weighted means), standard_error (of realized, were predicted right).

    Examples
    --------
    >>> calibration_table([0, 0, 0, 1], [0.1, 0.1, 0.5, 0.5], n_bins=2)[["rows", "predicted", "realized"]]
         rows  predicted  realized
    bin
    1       2        0.1       0.0
    2       2        0.5       0.5
    """
    check_integer("n_bins", n_bins, low=1)
    outcome = outcomes(y)
    predicted = probabilities(p, len(outcome))
    weight_ = weights(weight, len(outcome))
    rows = pd.DataFrame(
        {
            "bin": equal_groups(predicted, weight_, n_bins),
            "weight": weight_,
            "square": weight_**2,
            "p": predicted,
            "wp": weight_ * predicted,
            "wy": weight_ * outcome,
        }
    )
    grouped = rows.groupby("bin")
    total = grouped["weight"].sum()
    mean = grouped["wp"].sum() / total
    table = pd.DataFrame(
        {
            "rows": grouped.size(),
            "weight": total,
            "lowest": grouped["p"].min(),
            "highest": grouped["p"].max(),
            "predicted": mean,
            "realized": grouped["wy"].sum() / total,
            "standard_error": np.sqrt(mean * (1 - mean) * grouped["square"].sum()) / total,
        }
    )
    return table.set_axis(pd.RangeIndex(1, len(table) + 1, name="bin"), axis=0)
