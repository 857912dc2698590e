"""How well curves fit single clients: Brier score of survival and of incidence by cause, also over time.

Censored clients are replaced by weight (inverse probability of censoring, IPCW).  The weights hold only where
censoring depends on nothing the model knows, and where they come from rows censored like the judged ones.
**Otherwise a wrong model can rank above the truth**, so no model is accepted on this score alone:

- weights from rows watched for longer than the judged ones: the mean curve against Aalen-Johansen shows the
  error (group 0 of `calibration_by_horizon`);
- censoring that depends on the risk: the same comparison in groups of equal risk shows it (its other groups,
  `ici`), while the mean over all is misled;
- censoring tied to the exit itself, beyond the risk: nothing in the data shows it; only a simulation does, or
  knowing why clients drop out of sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ._censoring import Measured, censoring, read_curves, read_outcomes, read_times, read_train

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._censoring import Cause, Outcomes, Ties, Train

    Floats = NDArray[np.float64]


def brier_survival(
    duration: ArrayLike,
    event: ArrayLike,
    survival: ArrayLike,
    *,
    times: ArrayLike,
    train: Train = None,
    ties: Ties = "events_first",
) -> pd.Series:
    """Mean squared error of survival curves at each time, weighted for censoring.

    BS(t) is the mean over all rows of S(t)^2 / G(T) for clients gone at T by t, (1 - S(t))^2 / G(t) for those
    still there, and 0 for those censored before; G is the probability of not being censored.

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, anything else an event (see `encode_events`).
    survival : array-like of shape (n, n_times)
        Predicted probability of still being there just after each time.  Columns of a frame are found by
        label where they are numbers, else by position.
    times : array-like of shape (n_times,)
        Times, greater than 0 and increasing.
    train : tuple of (duration, event) or DataFrame with these columns, default None
        Rows that give the censoring distribution; None = the judged rows.
    ties : {"events_first", "strict"}, default "events_first"
        Reading of equal times, see `uno_c`.  "strict" is that of scikit-survival; hazardous also counts
        the events of a time as at risk of censoring at it, and keeps G at 0.05 or more, which ours does not.

    Returns
    -------
    Series
        Index time, lower is better; missing past ``attrs["tau"]``, the last time with censoring weights.

    Raises
    ------
    DataError
        When durations are not positive, or probabilities missing or outside [0, 1].

    References
    ----------
    Graf et al. (1999), doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5.

    Examples
    --------
    >>> sure = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    >>> brier_survival([1, 2, 2], ["exit", "exit", None], sure, times=[1, 2]).to_list()
    [0.0, 0.0]
    """
    judged = read_outcomes(duration, event)
    at = read_times(times)
    gone = 1.0 - read_curves("survival", survival, len(judged.time), at)
    return _brier(judged, judged.code > 0, gone, at, read_train(judged, train), ties)


def brier_incidence(
    duration: ArrayLike,
    event: ArrayLike,
    incidence: ArrayLike,
    *,
    cause: Cause,
    times: ArrayLike,
    train: Train = None,
    ties: Ties = "events_first",
) -> pd.Series:
    """Mean squared error of the incidence of one cause at each time, weighted for censoring.

    As `brier_survival`, with outcome 1 for clients gone by this cause by t; those gone by another cause have
    outcome 0 and the weight 1 / G(T) of their own time.

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause (see `encode_events`).
    incidence : array-like of shape (n, n_times)
        Predicted probability of having left by the cause within each time.  Columns of a frame are found by
        label where they are numbers or (cause, number), else by position.
    cause : str, int, sequence or None
        The cause judged, or several counted as one; None = any event.
    times : array-like of shape (n_times,)
        Times, greater than 0 and increasing.
    train : tuple of (duration, event) or DataFrame with these columns, default None
        Rows that give the censoring distribution; None = the judged rows.
    ties : {"events_first", "strict"}, default "events_first"
        Reading of equal times, see `uno_c` and `brier_survival`.

    Returns
    -------
    Series
        Index time, lower is better; missing past ``attrs["tau"]``, the last time with censoring weights.

    Raises
    ------
    DataError
        When durations are not positive, probabilities missing or outside [0, 1], or the cause does not occur.

    References
    ----------
    Schoop et al. (2011), doi:10.1002/bimj.201000073.

    Examples
    --------
    >>> event, never = ["exit", "default", None], [[0.0], [0.0], [0.0]]
    >>> brier_incidence([1, 2, 2], event, never, cause="exit", times=[2]).round(3).to_list()
    [0.333]
    """
    judged = read_outcomes(duration, event)
    at = read_times(times)
    given = read_train(judged, train)
    mine = judged.is_cause(cause, given.names)
    predicted = read_curves("incidence", incidence, len(judged.time), at, cause)
    return _brier(judged, mine, predicted, at, given, ties)


def ibs_survival(
    duration: ArrayLike,
    event: ArrayLike,
    survival: ArrayLike,
    *,
    times: ArrayLike,
    train: Train = None,
    ties: Ties = "events_first",
) -> Measured:
    """Integrated Brier score of survival: the mean of `brier_survival` over time (trapezoids).

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, anything else an event (see `encode_events`).
    survival : array-like of shape (n, n_times)
        Predicted probability of still being there just after each time.
    times : array-like of shape (n_times,)
        At least two times, greater than 0 and increasing; the mean is from the first to the last.
    train : tuple of (duration, event) or DataFrame with these columns, default None
        Rows that give the censoring distribution; None = the judged rows.
    ties : {"events_first", "strict"}, default "events_first"
        Reading of equal times, see `uno_c`.

    Returns
    -------
    Measured
        A float, lower is better, over the times up to its ``.tau``, the last one with censoring weights;
        missing where fewer than two are left.

    Examples
    --------
    >>> half = [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    >>> round(ibs_survival([1, 2, 2], ["exit", "exit", None], half, times=[1, 2]), 3)
    0.25
    """
    return _mean_over_time(brier_survival(duration, event, survival, times=times, train=train, ties=ties))


def ibs_incidence(
    duration: ArrayLike,
    event: ArrayLike,
    incidence: ArrayLike,
    *,
    cause: Cause,
    times: ArrayLike,
    train: Train = None,
    ties: Ties = "events_first",
) -> Measured:
    """Integrated Brier score of one cause: the mean of `brier_incidence` over time (trapezoids).

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause (see `encode_events`).
    incidence : array-like of shape (n, n_times)
        Predicted probability of having left by the cause within each time.
    cause : str, int, sequence or None
        The cause judged, or several counted as one; None = any event.
    times : array-like of shape (n_times,)
        At least two times, greater than 0 and increasing; the mean is from the first to the last.
    train : tuple of (duration, event) or DataFrame with these columns, default None
        Rows that give the censoring distribution; None = the judged rows.
    ties : {"events_first", "strict"}, default "events_first"
        Reading of equal times, see `uno_c`.

    Returns
    -------
    Measured
        A float, lower is better, over the times up to its ``.tau``, the last one with censoring weights;
        missing where fewer than two are left.

    Examples
    --------
    >>> event, half = ["exit", "default", None], [[0.5, 0.5]] * 3
    >>> round(ibs_incidence([1, 2, 2], event, half, cause="exit", times=[1, 2]), 3)
    0.25
    """
    return _mean_over_time(
        brier_incidence(duration, event, incidence, cause=cause, times=times, train=train, ties=ties)
    )


def _brier(
    judged: Outcomes, mine: NDArray[np.bool_], predicted: Floats, at: Floats, given: Outcomes, ties: Ties
) -> pd.Series:
    """Weighted mean squared error at each time; missing where G is not known."""
    seen = censoring(judged, given, ties)
    weight = seen.weight(judged.time)
    found = np.full(len(at), np.nan)
    for k, (t, still) in enumerate(zip(at, seen.weight(at), strict=True)):
        if still > 0:
            gone = (judged.time <= t) & (judged.code > 0)
            share = np.where(gone, weight, np.where(judged.alive(t, ties), still, 0.0))
            found[k] = float(share @ ((gone & mine) - predicted[:, k]) ** 2) / len(share)
    result = pd.Series(found, index=pd.Index(at, name="time"), name="brier")
    result.attrs["tau"] = seen.tau
    return result


def _mean_over_time(score: pd.Series) -> Measured:
    """Area under the known part, per unit of time."""
    read_times(score.index.to_numpy(dtype=np.float64), at_least=2)
    known = score.dropna()
    at = known.index.to_numpy(dtype=np.float64)
    if len(at) < 2:
        return Measured(float("nan"), score.attrs["tau"])
    height = known.to_numpy(dtype=np.float64)
    area = float(((height[1:] + height[:-1]) / 2 * np.diff(at)).sum())
    return Measured(area / (at[-1] - at[0]), score.attrs["tau"])
