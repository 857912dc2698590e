"""Which calibration to take: the simplest that is within one standard error of the best on later rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._calibrate import AffineCalibration, Calibration, Method, fit_calibration
from ._fit import calibration_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

METHODS: tuple[Method, ...] = get_args(Method)  # simplest first
_RAW = "none"


@dataclass(frozen=True)
class CalibrationChoice:
    """The calibration taken, and what it was chosen on.

    Parameters
    ----------
    method : {"mean", "logistic", "beta", "isotonic"}
        Method taken.
    calibration : AffineCalibration, BetaCalibration or IsotonicCalibration
        Fitted on all rows.
    evidence : str
        What the candidates were judged on, in words.
    table : DataFrame
        One row a method, simplest first, and "none" for the raw score: loss (mean log loss on the rows
        judged), difference (to the best candidate), standard_error (of the difference, paired), chosen, fault
        (why it could not be fitted, else missing).
    """

    method: str
    calibration: Calibration
    evidence: str
    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return the table of candidates."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return method, calibration, evidence and candidates as plain data."""
        return {
            "method": self.method,
            "calibration": self.calibration.to_state(),
            "evidence": self.evidence,
            "candidates": self.table.reset_index().to_dict("records"),
        }

    def __repr__(self) -> str:
        return f"Calibration {self.method!r}, judged {self.evidence}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>Calibration {self.method!r}, judged {self.evidence}</p>{self.table.to_html()}"


class _Rows(NamedTuple):
    """The rows that have weight."""

    x: Floats
    y: Floats
    weight: Floats
    cluster: NDArray[np.intp]  # rows of one group err together

    def fit(self, method: Method, keep: NDArray[np.bool_], rate: float | None) -> Calibration:
        return fit_calibration(method, self.x[keep], self.y[keep], self.weight[keep], rate)


def choose_calibration(
    log_odds: ArrayLike,
    y: ArrayLike,
    as_of: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    *,
    methods: Sequence[Method] = METHODS,
    rate: float | None = None,
    n_splits: int = 5,
    random_state: int = 0,
) -> CalibrationChoice:
    """Choose a calibration by log loss on rows it was not fitted on.

    With two dates or more, every candidate is fitted on the earlier dates and judged on the latest; without,
    or where one side holds one class only, in folds that keep each group together.  Of the candidates whose
    loss exceeds the best one's by at most one standard error of the paired difference (clustered by group),
    the simplest is taken: mean, logistic, beta, isotonic.  It is then fitted on all rows.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Raw log-odds of bad, finite, of rows that the score was not fitted on (out of bag, or later).
    y : array of shape (n,)
        1 for bad, 0 for good; both must occur.
    as_of : array of shape (n,), default None
        Date of each row.  Outcome windows that overlap the latest date's share its year: leave those rows out
        for a strict test.
    groups : array of shape (n,), default None
        Client of each row; rows stand alone if None.
    weight : array of shape (n,), default None
        Weight of each row; 1 if None.
    methods : sequence of {"mean", "logistic", "beta", "isotonic"}, default METHODS
        Candidates; all four.
    rate : float, default None
        Mean PD of the calibration returned, in (0, 1), such as a long-run average.  The candidates are judged
        without it: log loss on one year's rows would punish any level but that year's.
    n_splits : int, default 5
        Number of folds where dates do not decide, at least 2.
    random_state : int, default 0
        Seed of the folds.

    Returns
    -------
    CalibrationChoice

    Raises
    ------
    DataError
        If only one class has weight, lengths differ, or no candidate can be fitted; all faults are listed.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees, section
    3.4.3: the rule of one standard error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(-2, 1.5, 4000)
    >>> y = rng.random(4000) < 1 / (1 + np.exp(-(x - 1) / 2))
    >>> choice = choose_calibration(x, y, as_of=np.repeat([2021, 2022], 2000))
    >>> choice.method, choice.evidence[:11]
    ('logistic', 'out of time')
    """
    check_integer("n_splits", n_splits, low=2)
    for method in methods:
        check_option("methods", method, Method)
    if not len(methods):
        raise InvalidParameterError("methods must name at least one calibration; got none.")
    x, target, w = calibration_arrays(log_odds, y, weight)
    kept = np.ones(len(np.asarray(y)), dtype=bool) if weight is None else np.asarray(weight, dtype=float) > 0
    dates = _aligned("as_of", as_of, kept)
    names = _aligned("groups", groups, kept)
    cluster = np.arange(len(x)) if names is None else np.unique(names, return_inverse=True)[1]
    rows = _Rows(x, target, w, cluster)
    folds, evidence = _evidence(rows, dates, n_splits, random_state, grouped=names is not None)
    ordered = [method for method in METHODS if method in methods]
    losses, faults = _losses(rows, ordered, folds)
    if not any(method in losses for method in ordered):
        raise DataError("No calibration can be fitted.", [f"{name}: {text}" for name, text in faults.items()])
    table, method = _decide(rows, ordered, losses, faults)
    everything = np.ones(len(x), dtype=bool)
    return CalibrationChoice(method, rows.fit(method, everything, rate), evidence, table)


def _aligned(name: str, values: ArrayLike | None, kept: NDArray[np.bool_]) -> NDArray[Any] | None:
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != kept.shape:
        raise DataError(f"{name} must hold one value for each of the {len(kept)} rows; got {array.size}.")
    missing = int(pd.isna(array[kept]).sum())
    if missing:
        raise DataError(f"{name} must be known in every row with weight; it is missing in {missing}.")
    return np.asarray(array[kept])


def _evidence(
    rows: _Rows, dates: NDArray[Any] | None, n_splits: int, seed: int, *, grouped: bool
) -> tuple[list[NDArray[np.bool_]], str]:
    """Return the rows to judge on, one mask a fold, and the evidence in words."""
    why = ""
    if dates is not None:
        latest = dates == dates.max()
        sides = [len(np.unique(rows.y[side])) for side in (latest, ~latest)]
        if min(sides) == 2:
            before, judged = int((~latest).sum()), int(latest.sum())
            return [latest], (
                f"out of time: fitted on {before} rows to {_day(dates[~latest].max())}, "
                f"judged on {judged} rows of {_day(dates.max())} with {int(rows.y[latest].sum())} bads"
            )
        why = " (one date only)" if len(np.unique(dates)) < 2 else " (dates leave one class on a side)"
    folds = _folds(rows, n_splits, seed)
    unit = "groups" if grouped else "rows"
    return folds, f"in {len(folds)} folds by {unit}{why}: {len(rows.y)} rows with {int(rows.y.sum())} bads"


def _day(date: Any) -> str:
    return str(pd.Timestamp(date).date()) if isinstance(date, np.datetime64 | pd.Timestamp) else str(date)


def _folds(rows: _Rows, n_splits: int, seed: int) -> list[NDArray[np.bool_]]:
    """Deal the groups to folds, those with bads first, so that each fold gets its share of both."""
    rng = np.random.default_rng(seed)
    n_groups = int(rows.cluster.max()) + 1
    has_bad = np.bincount(rows.cluster, weights=rows.y, minlength=n_groups) > 0
    order = np.concatenate([rng.permutation(np.flatnonzero(part)) for part in (has_bad, ~has_bad)])
    n_folds = min(n_splits, n_groups)
    if n_folds < 2:
        raise DataError("Calibrations cannot be compared on one group. Use fit_calibration.")
    fold = np.empty(n_groups, dtype=np.intp)
    fold[order] = np.arange(n_groups) % n_folds
    return [fold[rows.cluster] == number for number in range(n_folds)]


def _losses(
    rows: _Rows, methods: list[Method], folds: list[NDArray[np.bool_]]
) -> tuple[dict[str, Floats], dict[str, str]]:
    """Return each candidate's loss by row (NaN where not judged), and why others have none."""
    losses = {_RAW: _judge(rows, folds, [AffineCalibration()] * len(folds))}
    faults: dict[str, str] = {}
    for method in methods:
        try:
            fitted = [rows.fit(method, ~fold, None) for fold in folds]
        except DataError as error:
            faults[method] = str(error)
        else:
            losses[method] = _judge(rows, folds, fitted)
    return losses, faults


def _judge(rows: _Rows, folds: list[NDArray[np.bool_]], fitted: Sequence[Calibration]) -> Floats:
    loss = np.full(len(rows.y), np.nan)
    for fold, calibration in zip(folds, fitted, strict=True):
        log_odds = calibration.log_odds(rows.x[fold])
        loss[fold] = np.logaddexp(0.0, log_odds) - rows.y[fold] * log_odds
    return loss


def _decide(
    rows: _Rows, methods: list[Method], losses: dict[str, Floats], faults: dict[str, str]
) -> tuple[pd.DataFrame, Method]:
    mean = {name: _mean(loss, rows) for name, loss in losses.items()}
    able = [method for method in methods if method in losses]
    best = min(able, key=lambda method: mean[method])
    error = {name: _standard_error(loss - losses[best], rows) for name, loss in losses.items()}
    chosen = next(method for method in able if mean[method] - mean[best] <= error[method])
    names = [_RAW, *methods]
    table = pd.DataFrame(
        {
            "loss": [mean.get(name, np.nan) for name in names],
            "difference": [mean.get(name, np.nan) - mean[best] for name in names],
            "standard_error": [error.get(name, np.nan) for name in names],
            "chosen": [name == chosen for name in names],
            "fault": pd.Series([faults.get(name) for name in names], dtype="str").to_numpy(),
        },
        index=pd.Index(names, name="method"),
    )
    return table, chosen


def _mean(values: Floats, rows: _Rows) -> float:
    judged = np.isfinite(values)
    return float(np.average(values[judged], weights=rows.weight[judged]))


def _standard_error(difference: Floats, rows: _Rows) -> float:
    """Return the standard error of a weighted mean whose rows err together within a cluster."""
    judged = np.isfinite(difference)
    weight, values = rows.weight[judged], difference[judged]
    _, cluster = np.unique(rows.cluster[judged], return_inverse=True)
    sums = np.bincount(cluster, weights=weight * (values - np.average(values, weights=weight)))
    n = len(sums)
    return float(np.sqrt((sums**2).sum() * n / max(n - 1, 1)) / weight.sum())
