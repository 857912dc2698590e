"""How well a risk ranks who leaves first: Uno's concordance, AUC by horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError

from ._arrays import numbers
from ._censoring import Measured, censoring, check_tau, read_outcomes, read_times, read_train
from ._curves import curves
from ._pairs import earlier_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._censoring import Cause, Outcomes, Ties, Train

    Floats = NDArray[np.float64]


def uno_c(
    duration: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    train: Train = None,
    tau: float | None = None,
    cause: Cause = None,
    ties: Ties = "events_first",
) -> Measured:
    """Probability that of two clients the one that leaves first has the higher risk (Uno's C).

    A pair counts where one client leaves at T before `tau` and the other is known to be there still, with the
    weight 1 / G(T)^2: G is the probability of not being censored, so that the figure does not depend on who
    happened to be watched.  Equal risks count half.  With `cause`, clients that left through another door at
    T or before count as having stayed, with the weight 1 / (G(T) G(their own time)) (Wolbers et al.).

    Assumes that censoring depends on nothing the model knows.

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause (see `encode_events`).
    risk : array-like of shape (n,)
        Any number that is higher where the event is expected sooner.
    train : tuple of (duration, event) or DataFrame with these columns, default None
        Rows that give the censoring distribution; None = the judged rows.
    tau : float, default None
        Time to stop at; None = as far as the weights are defined.
    cause : str, int or sequence, default None
        The cause judged, or several counted as one; None = any event.
    ties : {"events_first", "strict"}, default "events_first"
        Reading of equal times.  "events_first": a client censored at t is known to be there at t, an event of
        t was seen unless censored before t, and `tau` itself is included: right for whole periods.  "strict":
        there at t means seen past t, weights are those just after t, `tau` is left out (scikit-survival).
        Both agree where no event, censoring or judged time coincide.

    Returns
    -------
    Measured
        A float in [0, 1], 0.5 for a risk without information, missing without a pair to compare; its ``.tau``
        is the time up to which events were judged, `tau` or less.

    Raises
    ------
    DataError
        When values are missing, durations are not positive or the cause does not occur.

    References
    ----------
    Uno et al. (2011), doi:10.1002/sim.4154.  Wolbers et al. (2014), doi:10.1093/biostatistics/kxt059.

    Examples
    --------
    >>> score = uno_c([1, 2, 3, 4], ["exit", None, "exit", None], [0.9, 0.1, 0.3, 0.4])
    >>> round(score, 3), score.tau
    (0.571, 4.0)
    """
    judged = read_outcomes(duration, event)
    score = numbers("risk", risk, len(judged.time))
    given = read_train(judged, train)
    seen = censoring(judged, given, ties)
    weight = seen.weight(judged.time)
    stop = check_tau(tau)
    before = judged.time < stop if ties == "strict" else judged.time <= stop
    mine = judged.is_cause(cause, given.names)
    cases = mine & before & (weight > 0)
    reach = min(stop, seen.tau, float(judged.time.max()))
    others = (judged.code > 0) & ~mine & (weight > 0)
    lower, equal = _compared(judged, score, weight, cases, others)
    all_pairs = _compared(judged, np.zeros(len(score)), weight, cases, others)[1]
    pairs = float((weight[cases] * all_pairs).sum())
    agreeing = float((weight[cases] * (lower + equal / 2)).sum())
    return Measured(agreeing / pairs if pairs > 0 else float("nan"), reach)


def dynamic_auc(
    duration: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    times: ArrayLike,
    train: Train = None,
    cause: Cause = None,
    ties: Ties = "events_first",
) -> pd.Series:
    """AUC at each time: who has left by then (cumulative cases) against who has not (dynamic controls).

    Cases count 1 / G(their time), G being the probability of not being censored.  With `cause`, controls are
    all that have not left by this cause: those still there, 1 / G(t), and those gone by another cause,
    1 / G(their time); without censoring this is the plain AUC of "left by this cause within t".

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause (see `encode_events`).
    risk : array-like of shape (n,) or (n, n_times)
        Higher where the event is likelier; a column a time, or one risk for all times.
    times : array-like of shape (n_times,)
        Times, greater than 0 and increasing.
    train : tuple of (duration, event) or DataFrame with these columns, default None
        Rows that give the censoring distribution; None = the judged rows.
    cause : str, int or sequence, default None
        The cause judged, or several counted as one; None = any event.
    ties : {"events_first", "strict"}, default "events_first"
        Reading of equal times, see `uno_c`.

    Returns
    -------
    Series
        Index time, values in [0, 1]; missing past ``attrs["tau"]``, the last time with censoring weights, and
        where there is no case or no control.

    Raises
    ------
    DataError
        When values are missing, durations are not positive or the cause does not occur.

    References
    ----------
    Uno et al. (2007), doi:10.1198/016214507000000149.  Blanche et al. (2013), doi:10.1002/sim.5958, whose
    second definition of controls is taken for competing causes.

    Examples
    --------
    >>> dynamic_auc([1, 2, 3, 4], ["exit", "exit", "exit", None], [4, 1, 2, 3], times=[1, 2]).to_list()
    [1.0, 0.5]
    """
    judged = read_outcomes(duration, event)
    at = read_times(times)
    score = _risk_columns(risk, len(judged.time), len(at))
    given = read_train(judged, train)
    seen = censoring(judged, given, ties)
    weight = seen.weight(judged.time)
    mine = judged.is_cause(cause, given.names)
    found = np.full(len(at), np.nan)
    ranked: tuple[NDArray[np.intp], int] | None = None
    for k, (t, still) in enumerate(zip(at, seen.weight(at), strict=True)):
        if ranked is None or score.shape[1] > 1:
            ranked = _ranks(score[:, min(k, score.shape[1] - 1)])
        gone = (judged.time <= t) & (judged.code > 0)
        case = np.where(gone & mine, weight, 0.0)
        control = np.where(gone & ~mine, weight, 0.0) + np.where(judged.alive(t, ties), still, 0.0)
        if still > 0:
            found[k] = _weighted_auc(ranked, case, control)
    result = pd.Series(found, index=pd.Index(at, name="time"), name="auc")
    result.attrs["tau"] = seen.tau
    return result


def mean_dynamic_auc(
    duration: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    times: ArrayLike,
    train: Train = None,
    cause: Cause = None,
    ties: Ties = "events_first",
) -> Measured:
    """Mean of the AUC over times, each weighted by the incidence since the time before.

    The weights are the steps of the Aalen-Johansen incidence of the judged rows (of 1 - Kaplan-Meier for any
    event), so that times at which many leave count more.

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause (see `encode_events`).
    risk : array-like of shape (n,) or (n, n_times)
        Higher where the event is likelier; a column a time, or one risk for all times.
    times : array-like of shape (n_times,)
        Times, greater than 0 and increasing.
    train : tuple of (duration, event) or DataFrame with these columns, default None
        Rows that give the censoring distribution; None = the judged rows.
    cause : str, int or sequence, default None
        The cause judged, or several counted as one; None = any event.
    ties : {"events_first", "strict"}, default "events_first"
        Reading of equal times, see `uno_c`.

    Returns
    -------
    Measured
        A float in [0, 1] over the times at which the AUC is defined, missing if there is none; its ``.tau``
        is the last time with censoring weights.

    References
    ----------
    Lambert and Chevret (2016), doi:10.1177/0962280213515571.

    Examples
    --------
    >>> round(mean_dynamic_auc([1, 2, 3, 4], ["exit", "exit", "exit", None], [4, 1, 2, 3], times=[1, 2]), 3)
    0.75
    """
    area = dynamic_auc(duration, event, risk, times=times, train=train, cause=cause, ties=ties)
    judged = read_outcomes(duration, event)
    mine = judged.is_cause(cause, judged.names if train is None else read_train(judged, train).names)
    code = np.where(mine, 1, np.where(judged.code > 0, 2, 0))
    incidence = curves(judged.time, code, 2).at(area.index.to_numpy(dtype=np.float64))[:, 0]
    step = np.diff(incidence, prepend=0.0)
    known = area.notna().to_numpy() & np.isfinite(step)
    total = step[known].sum()
    mean = float((area.to_numpy()[known] * step[known]).sum() / total) if total > 0 else float("nan")
    return Measured(mean, area.attrs["tau"])


def _compared(
    judged: Outcomes,
    score: Floats,
    weight: Floats,
    cases: NDArray[np.bool_],
    others: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Weight, for each case, of the rows that outlast it or left by another cause: lower risk, equal risk."""
    rank = 2 * np.unique(judged.time, return_inverse=True)[1]
    # outlasting: a later time, or a censoring of the same time, which events precede
    later = -rank - (judged.code == 0)
    lower, equal = earlier_sums(-rank[cases], score[cases], later, score, np.ones(len(rank)))
    lower, equal = lower * weight[cases], equal * weight[cases]
    if others.any():
        more = earlier_sums(rank[cases] + 1, score[cases], rank[others], score[others], weight[others])
        lower, equal = lower + more[0], equal + more[1]
    return lower, equal


def _risk_columns(risk: ArrayLike, n: int, n_times: int) -> Floats:
    """Return risks as (n, 1) or (n, n_times)."""
    table = np.asarray(risk)
    if table.ndim != 2:
        return numbers("risk", risk, n)[:, None]
    if table.shape != (n, n_times):
        raise DataError(f"risk must have shape ({n},) or {(n, n_times)}; got {table.shape}.")
    return numbers("risk", table.reshape(-1)).reshape(n, n_times)


def _ranks(score: Floats) -> tuple[NDArray[np.intp], int]:
    """Rank of each row's score among the distinct ones, and their number."""
    distinct, position = np.unique(score, return_inverse=True)
    return position, len(distinct)


def _weighted_auc(ranked: tuple[NDArray[np.intp], int], case: Floats, control: Floats) -> float:
    """AUC of weighted cases against weighted controls, ties half; missing without one of them."""
    position, n = ranked
    cases, controls = np.bincount(position, case, n), np.bincount(position, control, n)
    pairs = cases.sum() * controls.sum()
    below = np.cumsum(controls) - controls / 2
    return float((cases * below).sum() / pairs) if pairs > 0 else float("nan")
