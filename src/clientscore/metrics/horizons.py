"""Calibration of incidences by horizon and cause, against what happened (Aalen-Johansen)."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._axes import axes
from clientscore._checks import check_columns, check_integer, check_interval, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

from ._arrays import equal_groups
from ._censoring import cause_names, read_curves, read_outcomes, read_times
from ._curves import curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from ._censoring import Cause, Outcomes
    from ._curves import Curves
    from .incidence import Causes

    Floats = NDArray[np.float64]

_ROUNDING = 1e-12
_COLUMNS = ["cause", "horizon", "group", "rows", "predicted", "observed", "lower", "upper"]


def calibration_by_horizon(
    duration: ArrayLike,
    event: ArrayLike,
    incidence: pd.DataFrame,
    *,
    horizons: Sequence[float],
    causes: Causes = None,
    n_groups: int = 10,
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean predicted incidence beside the Aalen-Johansen one, for all clients and by group of predicted risk.

    Group 0 is everybody: the check that a weighted score such as the Brier score cannot replace, since it
    does not see censoring that depends on the risk.  Where censoring depends on the risk, group 0 itself is
    biased and the groups, alike in risk inside, are to be read.

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause (see `encode_events`).
    incidence : DataFrame of shape (n, n_columns)
        Predicted probabilities, columns (cause, horizon) as from ``predict_cumulative_incidence``; rows in
        the order of `duration`.
    horizons : sequence of float
        Horizons to judge, increasing, each a column of `incidence`.
    causes : sequence of str or mapping, default None
        Causes to judge; the others only compete.  A mapping names all event values, for instance
        ``{1: "hard_attrition"}``, and those with a column are judged.  None: all causes of `incidence`, and
        every event must be of one of them.
    n_groups : int, default 10
        Groups of about equal size by predicted risk; equal predictions share a group.
    level : float, default 0.95
        Probability of the interval, in (0, 1).

    Returns
    -------
    DataFrame
        One row a cause, horizon and group (0 = all clients, then from the lowest risk), columns: cause,
        horizon, group, rows, predicted (mean), observed (Aalen-Johansen in the group), lower, upper.  The
        interval is that of the observed incidence, from its variance (Dinse and Larson) on the log(-log)
        scale; without an event, or with nothing but, exact for those followed to the horizon.  Observed is
        missing where the horizon lies beyond the follow-up of the group.

    Raises
    ------
    DataError
        When a column is missing, probabilities lie outside [0, 1], or events have no prediction.

    Notes
    -----
    The interval takes rows for independent.  Where a client has several rows, bootstrap by client
    (`bootstrap_by_client`).

    References
    ----------
    Dinse and Larson (1986), doi:10.1093/biomet/73.2.379.  Austin et al. (2022),
    doi:10.1186/s41512-021-00114-6.

    Examples
    --------
    >>> columns = pd.MultiIndex.from_product([["exit"], [2]], names=["cause", "horizon"])
    >>> predicted = pd.DataFrame([[0.2], [0.2], [0.6], [0.6]], columns=columns)
    >>> table = calibration_by_horizon(
    ...     [3, 3, 1, 2], [None, None, "exit", None], predicted, horizons=[2], n_groups=2
    ... )
    >>> table[["group", "rows", "predicted", "observed"]].round(2).values.tolist()
    [[0.0, 4.0, 0.4, 0.25], [1.0, 2.0, 0.2, 0.0], [2.0, 2.0, 0.6, 0.5]]
    """
    check_integer("n_groups", n_groups, low=1)
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    at = read_times(np.asarray(list(horizons), dtype=np.float64))
    judged, wanted = _judged_causes(duration, event, incidence, causes)
    tables = []
    for cause in wanted:
        predicted = read_curves("incidence", incidence, len(judged.time), at, cause)
        code = _codes(judged, cause)
        for k, horizon in enumerate(horizons):
            rows = _groups(judged.time, code, predicted[:, k], float(at[k]), n_groups, level)
            rows.insert(0, "cause", cause)
            rows.insert(1, "horizon", horizon)
            tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def ici(
    duration: ArrayLike,
    event: ArrayLike,
    incidence: ArrayLike,
    *,
    horizon: float,
    cause: Cause = None,
    n_groups: int = 10,
) -> float:
    """Integrated calibration index: mean absolute difference of predicted and observed incidence.

    Clients are put into `n_groups` groups of about equal size by predicted risk; in each the mean prediction
    is compared with the Aalen-Johansen incidence; the absolute differences are averaged, a group counting by
    its rows.  Austin et al. compare each client's prediction with a smooth curve of the observed incidence
    instead (a hazard regression, or pseudo-values, on the predictions): finer, but it depends on the
    smoother.  Groups need none; they hide errors that cancel within a group, and chance alone adds about
    0.8 sqrt(F (1 - F) n_groups / n) at an incidence F, so compare models with equal groups on equal rows.

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause (see `encode_events`).
    incidence : array-like of shape (n,) or DataFrame
        Predicted probability of having left (by the cause) within the horizon; of a frame with columns
        (cause, horizon) or horizon, those of the horizon and cause (the sum over causes when None).
    horizon : float
        Time, greater than 0.
    cause : str, int or sequence, default None
        The cause judged, or several counted as one; None = any event.
    n_groups : int, default 10
        Number of groups, at least 1; 1 compares the mean alone.

    Returns
    -------
    float
        At least 0, lower is better; missing where the horizon lies beyond the follow-up of a group.

    Raises
    ------
    DataError
        When durations are not positive, probabilities missing or outside [0, 1], or the cause does not occur.

    References
    ----------
    Austin et al. (2020), doi:10.1002/sim.8570.

    Examples
    --------
    >>> round(ici([3, 3, 1, 2], [None, None, "exit", None], [0.2, 0.2, 0.6, 0.6], horizon=2, n_groups=2), 3)
    0.15
    """
    check_integer("n_groups", n_groups, low=1)
    at = read_times(np.asarray([horizon], dtype=np.float64))
    judged = read_outcomes(duration, event)
    predicted = read_curves("incidence", incidence, len(judged.time), at, cause)[:, 0]
    rows = _groups(judged.time, _codes(judged, cause), predicted, float(at[0]), n_groups, 0.95).iloc[1:]
    gap = (rows["predicted"] - rows["observed"]).abs()
    return float((gap * rows["rows"]).sum(skipna=False) / rows["rows"].sum())


def plot_calibration_by_horizon(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw observed against predicted incidence, one colour a cause and one marker a horizon.

    Parameters
    ----------
    frame : DataFrame
        As from `calibration_by_horizon`.
    ax : Axes, default None
        Where to draw; None = a new figure.

    Returns
    -------
    Axes
        Groups as points with their interval, everybody (group 0) as a large hollow marker, and the diagonal
        of perfect calibration.

    Raises
    ------
    MissingColumnError
        When `frame` lacks a column.
    MissingDependencyError
        When matplotlib is not installed.
    """
    check_columns(frame.columns, _COLUMNS, subject="frame")
    area = axes(ax, "plot_calibration_by_horizon")
    known = frame.dropna(subset=["observed"])
    top = float(np.nanmax([known[name].max() for name in ("predicted", "upper")])) if len(known) else 1.0
    area.plot([0.0, top], [0.0, top], color="0.6", linewidth=1.0, zorder=1)
    causes, horizons = list(known["cause"].unique()), list(known["horizon"].unique())
    for (cause, horizon), rows in known.groupby(["cause", "horizon"], sort=False):
        color = f"C{causes.index(cause) % 10}"
        marker = "osD^vP*X"[horizons.index(horizon) % 8]
        groups, everybody = rows[rows["group"] > 0], rows[rows["group"] == 0]
        reach = [groups["observed"] - groups["lower"], groups["upper"] - groups["observed"]]
        style: dict[str, Any] = {"color": color, "marker": marker, "linestyle": "none"}
        label = f"{cause}, {horizon:g}"
        area.errorbar(
            groups["predicted"],
            groups["observed"],
            yerr=reach,
            **style,
            markersize=5,
            elinewidth=0.8,
            label=label,
        )
        area.plot(everybody["predicted"], everybody["observed"], **style, markersize=11, fillstyle="none")
    area.set(xlabel="Predicted incidence", ylabel="Observed incidence (Aalen-Johansen)")
    if len(known):
        area.legend(title="Cause, horizon", frameon=False)
    return area


def _judged_causes(
    duration: ArrayLike, event: ArrayLike, incidence: pd.DataFrame, causes: Causes
) -> tuple[Outcomes, list[str]]:
    """Read the outcomes and settle which causes are judged."""
    if not isinstance(incidence, pd.DataFrame) or not isinstance(incidence.columns, pd.MultiIndex):
        raise DataError(
            "incidence must be a frame with columns (cause, horizon). Name the cause of each column."
        )
    predicted = [str(name) for name in incidence.columns.get_level_values(0).unique()]
    if isinstance(causes, Mapping):
        judged = read_outcomes(duration, event, causes)
        return judged, _known(
            [name for name in judged.names if name in predicted] or list(judged.names), predicted
        )
    judged = read_outcomes(duration, event)
    if causes is not None:
        return judged, _known(list(cause_names(causes)), predicted)
    stray = [name for name in judged.names if name not in predicted]
    if stray:
        faults = [f"{name!r} has no prediction.{did_you_mean(name, predicted)}" for name in stray]
        raise DataError(
            f"incidence must predict every cause that occurs; got {predicted}. "
            "Name the causes to judge with causes=; the others then only compete.",
            faults,
        )
    return judged, predicted


def _known(wanted: list[str], predicted: list[str]) -> list[str]:
    """Return the wanted causes, which must be predicted."""
    faults = [
        f"{name!r} has no column.{did_you_mean(name, predicted)}" for name in wanted if name not in predicted
    ]
    if faults:
        raise InvalidParameterError(f"causes must be columns of incidence; got {predicted}.", faults)
    return wanted


def _codes(judged: Outcomes, cause: Cause) -> NDArray[np.int64]:
    """Code the cause 1 and what competes 2."""
    if isinstance(cause, str) and cause not in judged.names:
        return np.where(judged.code > 0, 2, 0)  # predicted, but nobody left by it
    return np.where(judged.is_cause(cause), 1, np.where(judged.code > 0, 2, 0))


def _groups(
    time: Floats, code: NDArray[np.int64], predicted: Floats, horizon: float, n_groups: int, level: float
) -> pd.DataFrame:
    """One row for everybody and one a group of predicted risk."""
    group = equal_groups(predicted, np.ones(len(predicted)), n_groups)
    found = [_one_group(time, code, predicted, horizon, level)]
    found += [
        _one_group(time[inside], code[inside], predicted[inside], horizon, level)
        for inside in (group == number for number in np.unique(group))
    ]
    table = pd.DataFrame(found, columns=_COLUMNS[3:])
    table.insert(0, "group", np.arange(len(table)))
    return table


def _one_group(
    time: Floats, code: NDArray[np.int64], predicted: Floats, horizon: float, level: float
) -> tuple[int, float, float, float, float]:
    """Rows, mean prediction, Aalen-Johansen incidence of code 1 and its interval."""
    seen = curves(time, code, 2)
    observed = float(seen.at(np.array([horizon]))[0, 0])
    lower, upper = _interval(seen, observed, horizon, level)
    return len(time), float(predicted.mean()), observed, lower, upper


def _interval(seen: Curves, observed: float, horizon: float, level: float) -> tuple[float, float]:
    """Interval of an incidence: log(-log), and at 0 and 1, where that has no width, exact binomial."""
    if np.isnan(observed):
        return float("nan"), float("nan")
    tail = (1.0 - level) / 2.0
    if observed <= _ROUNDING:
        return 0.0, 1.0 - tail ** (1.0 / max(1.0, seen.still_there(horizon)))
    if observed >= 1.0 - _ROUNDING:
        return tail ** (1.0 / max(1.0, float(seen.at_risk[0]))), 1.0
    log = np.log(observed)
    spread = NormalDist().inv_cdf(1.0 - tail) * np.sqrt(seen.variance(horizon, 0)) / (observed * -log)
    return float(np.exp(log * np.exp(spread))), float(np.exp(log * np.exp(-spread)))
