"""Scales: log-odds to points, probabilities to grades, raw scores to calibrated ones."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from clientscore._checks import check_interval
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["MasterScale", "ScoreScale", "calibrate_logistic", "calibrate_mean"]

DEFAULT_GRADE = "D"
_MAX_STEPS = 100

# A number, an array or a Series; the result is of the same kind.
Values: TypeAlias = Any


@dataclass(frozen=True)
class ScoreScale:
    """Points from log-odds of bad: ``base_points - pdo / ln 2 * (log_odds + ln base_odds)``.

    Higher points are better.

    Parameters
    ----------
    base_points : float, default 600
        Points of a client whose odds good : bad are `base_odds`.
    base_odds : float, default 50
        Odds good : bad at `base_points`, > 0.
    pdo : float, default 20
        Points that double the odds, > 0.

    Raises
    ------
    InvalidParameterError
        If a figure lies outside its range.

    Examples
    --------
    >>> scale = ScoreScale()
    >>> round(scale.points_from_pd(1 / 51), 6), round(scale.points_from_pd(1 / 101), 6)
    (600.0, 620.0)
    """

    base_points: float = 600
    base_odds: float = 50
    pdo: float = 20

    def __post_init__(self) -> None:
        check_interval("base_points", self.base_points)
        check_interval("base_odds", self.base_odds, low=0, closed="neither")
        check_interval("pdo", self.pdo, low=0, closed="neither")

    @property
    def factor(self) -> float:
        """Points for one unit of log-odds of good."""
        return self.pdo / math.log(2)

    def points_from_log_odds(self, log_odds: Values) -> Values:
        """Return the points of log-odds of bad."""
        return self.base_points - self.factor * (log_odds + math.log(self.base_odds))

    def log_odds_from_points(self, points: Values) -> Values:
        """Return the log-odds of bad of points."""
        return (self.base_points - points) / self.factor - math.log(self.base_odds)

    def points_from_pd(self, probability: Values) -> Values:
        """Return the points of a probability of bad, in (0, 1)."""
        log_odds: Any = np.log(probability) - np.log1p(-probability)
        return self.points_from_log_odds(_like(probability, log_odds))

    def pd_from_points(self, points: Values) -> Values:
        """Return the probability of bad of points."""
        return _like(points, np.exp(-np.logaddexp(0.0, -self.log_odds_from_points(points))))

    def to_dict(self) -> dict[str, float]:
        """Return the three figures."""
        return {"base_points": self.base_points, "base_odds": self.base_odds, "pdo": self.pdo}

    @classmethod
    def from_dict(cls, state: Mapping[str, float]) -> ScoreScale:
        """Build the scale from :meth:`to_dict`."""
        return cls(**state)


@dataclass(frozen=True)
class MasterScale:
    """Grades by probability of default, best first; clients in default have the grade "D" of their own.

    A grade holds the probabilities above the bound of the grade before it, up to its own bound.  The default
    has nine grades whose bounds double: R1 up to 0.1 %, R2 up to 0.2 %, ... R8 up to 12.8 %, R9 above.

    Parameters
    ----------
    grades : tuple of str, default ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9")
        At least 7 names, best first, none of them "D".
    bounds : tuple of float, default (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
        Highest probability of each grade but the last: one fewer than `grades`, increasing, in (0, 1).
    pd_floor : float, default 0.0005
        Least probability used for a performing client, in [0, 1); see :meth:`floored`.

    Raises
    ------
    InvalidParameterError
        If grades and bounds do not fit; all faults are listed.

    References
    ----------
    Basel Committee on Banking Supervision, CRE32 and CRE36 (2023): at least seven grades for performing
    borrowers and one for those in default; a floor of 0.05 % for corporate PD.

    Examples
    --------
    >>> MasterScale().grade([0.0004, 0.002, 0.5]).tolist()
    ['R1', 'R2', 'R9']
    """

    grades: tuple[str, ...] = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9")
    bounds: tuple[float, ...] = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
    pd_floor: float = 0.0005

    def __post_init__(self) -> None:
        check_interval("pd_floor", self.pd_floor, low=0, high=1, closed="low")
        faults = []
        if len(self.grades) < 7:
            faults.append(f"A master scale needs at least 7 grades beside 'D'; got {len(self.grades)}.")
        if len({*self.grades, DEFAULT_GRADE}) != len(self.grades) + 1:
            faults.append(f"Grades must differ from each other and from 'D'; got {self.grades}.")
        if len(self.bounds) != len(self.grades) - 1:
            faults.append(
                f"{len(self.grades)} grades need {len(self.grades) - 1} bounds; got {len(self.bounds)}."
            )
        inside = [0.0, *self.bounds, 1.0]
        if any(not low < high for low, high in pairwise(inside)):
            faults.append(f"Bounds must increase inside (0, 1); got {self.bounds}.")
        if faults:
            raise InvalidParameterError("The master scale cannot be used.", faults)

    def floored(self, probability: Values) -> Values:
        """Return probabilities with the floor applied; missing stays missing."""
        return _like(probability, np.maximum(probability, self.pd_floor))

    def grade(self, probability: Any, defaulted: ArrayLike | None = None) -> pd.Series:
        """Return the grade of each probability of default.

        Parameters
        ----------
        probability : Series or array of shape (n,)
            Probabilities in [0, 1]; a missing one has no grade.
        defaulted : array of bool of shape (n,), default None
            Clients in default, who get the grade "D".

        Returns
        -------
        Series of str, named "grade", on the index of `probability` where it is a Series
        """
        return _grade(self, probability, defaulted)

    def grade_one(self, probability: float) -> str | None:
        """Return the grade of one probability of default in [0, 1]; None where it is missing (NaN).

        Examples
        --------
        >>> MasterScale().grade_one(0.002)
        'R2'
        """
        if math.isnan(probability):
            return None
        if not 0 <= probability <= 1:
            raise DataError(f"A probability must lie in [0, 1]; got {probability}.")
        place = bisect_left(self.bounds, probability)
        return self.grades[place] if place < len(self.grades) else DEFAULT_GRADE

    def frame(self) -> pd.DataFrame:
        """Return the scale: columns grade, pd_above, pd_up_to; the last row is "D"."""
        low, high = [0.0, *self.bounds, 1.0], [*self.bounds, 1.0, 1.0]
        return pd.DataFrame({"grade": [*self.grades, DEFAULT_GRADE], "pd_above": low, "pd_up_to": high})

    def to_dict(self) -> dict[str, Any]:
        """Return grades, bounds and floor."""
        return {"grades": list(self.grades), "bounds": list(self.bounds), "pd_floor": self.pd_floor}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> MasterScale:
        """Build the scale from :meth:`to_dict`."""
        return cls(
            grades=tuple(str(grade) for grade in state["grades"]),
            bounds=tuple(float(bound) for bound in state["bounds"]),
            pd_floor=float(state["pd_floor"]),
        )


def _like(given: Values, result: Any) -> Values:
    """Return a plain float where a plain number was given."""
    return float(result) if isinstance(given, float | int) else result


def _grade(scale: MasterScale, probability: Any, defaulted: ArrayLike | None) -> pd.Series:
    found = _grade_names(scale, np.asarray(probability, dtype=float))
    if defaulted is not None:
        found[np.asarray(defaulted, dtype=bool)] = DEFAULT_GRADE
    index = probability.index if isinstance(probability, pd.Series) else None
    return pd.Series(found, index=index, name="grade", dtype="str")


def _grade_names(scale: MasterScale, values: NDArray[np.float64]) -> NDArray[np.object_]:
    outside = (values < 0) | (values > 1)
    if outside.any():
        raise DataError(f"A probability must lie in [0, 1]; {int(outside.sum())} of {len(values)} do not.")
    names = np.array([*scale.grades, DEFAULT_GRADE], dtype=object)
    found = names[np.searchsorted(scale.bounds, values, side="left")]
    found[np.isnan(values)] = None
    return found


def calibrate_logistic(
    log_odds: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None
) -> tuple[float, float]:
    """Fit ``P(bad) = logistic(intercept + slope * log_odds)`` by weighted maximum likelihood.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Raw log-odds of bad, finite, best out of sample.
    y : array of shape (n,)
        1 for bad, 0 for good; both must occur.
    weight : array of shape (n,), default None
        Weight of each row; equal if None.

    Returns
    -------
    intercept, slope : float
        0 and 1 where the raw log-odds are calibrated already.

    Raises
    ------
    DataError
        If only one class has weight, or no maximum exists: the log-odds are constant, or they separate bad
        from good without error.

    References
    ----------
    Platt, J. (1999). Probabilistic outputs for support vector machines. In Advances in Large Margin
    Classifiers.

    Examples
    --------
    >>> intercept, slope = calibrate_logistic([-1, -1, -1, 1, 1, 1], [0, 0, 1, 1, 1, 0])
    >>> round(intercept, 6) + 0, round(slope, 6)
    (0.0, 0.693147)
    """
    x, target, w = _calibration_arrays(log_odds, y, weight)
    center = np.average(x, weights=w)
    scale = math.sqrt(np.average(np.square(x - center), weights=w))
    if scale <= 1e-12 * max(1.0, abs(center)):
        raise DataError("Log-odds must vary to fit a slope; all are equal. Calibrate the mean only.")
    design = np.column_stack([np.ones(len(x)), (x - center) / scale])
    beta = np.zeros(2)
    deviance = _deviance(design @ beta, target, w)
    for _ in range(_MAX_STEPS):
        p = _logistic(design @ beta)
        gradient = design.T @ (w * (target - p))
        hessian = (design * (w * p * (1 - p))[:, None]).T @ design
        if np.linalg.cond(hessian) > 1e14 or deviance < 1e-9 * w.sum():
            raise DataError("The log-odds separate bad from good without error; no finite slope fits them.")
        step = np.linalg.solve(hessian, gradient)
        while _deviance(design @ (beta + step), target, w) > deviance + 1e-12 * abs(deviance):
            step /= 2
        beta = beta + step
        deviance = _deviance(design @ beta, target, w)
        if np.abs(step).max() < 1e-10 * max(1.0, np.abs(beta).max()):
            break
    slope = float(beta[1] / scale)
    return float(beta[0] - slope * center), slope


def calibrate_mean(
    log_odds: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None, target: float | None = None
) -> float:
    """Return the shift of log-odds after which the mean probability equals the observed rate.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Raw log-odds of bad, finite.
    y : array of shape (n,)
        1 for bad, 0 for good; both must occur.
    weight : array of shape (n,), default None
        Weight of each row; equal if None.
    target : float, default None
        Rate wanted instead of the observed one (a long-run average), in (0, 1).

    Returns
    -------
    float
        Add it to the log-odds.

    Raises
    ------
    DataError
        If only one class has weight.

    Examples
    --------
    >>> round(calibrate_mean([0.0, 0.0, 0.0, 0.0], [0, 0, 0, 1]), 6)
    -1.098612
    """
    x, observed, w = _calibration_arrays(log_odds, y, weight)
    if target is not None:
        check_interval("target", target, low=0, high=1, closed="neither")
    rate = float(np.average(observed, weights=w)) if target is None else target
    # The mean probability grows with the shift: bisection cannot fail, Newton only saves steps.
    wanted = math.log(rate / (1 - rate))
    low, high = wanted - float(x.max()), wanted - float(x.min())
    shift = (low + high) / 2
    for _ in range(_MAX_STEPS):
        p = _logistic(x + shift)
        error = float(np.average(p, weights=w)) - rate
        low, high = (low, shift) if error > 0 else (shift, high)
        slope = float(np.average(p * (1 - p), weights=w))
        newton = shift - error / slope if slope > 0 else math.inf
        following = newton if low <= newton <= high else (low + high) / 2
        if abs(following - shift) < 1e-13 * max(1.0, abs(shift)):
            break
        shift = following
    return shift


def _calibration_arrays(
    log_odds: ArrayLike, y: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    x, target = np.asarray(log_odds, dtype=float), np.asarray(y, dtype=float)
    w = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=float)
    if not x.shape == target.shape == w.shape:
        raise DataError(
            f"log_odds, y and weight must have one length; got {len(x)}, {len(target)}, {len(w)}."
        )
    if not (
        np.isfinite(x).all() and np.isfinite(w).all() and (w >= 0).all() and np.isin(target, (0, 1)).all()
    ):
        raise DataError("Calibration needs finite log_odds, y of 0 and 1, and finite weights >= 0.")
    if len({*target[w > 0].tolist()}) < 2:
        raise DataError("Calibration needs both classes of y with weight; only one occurs.")
    return x[w > 0], target[w > 0], w[w > 0]


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


def _deviance(score: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    return float(weight @ (np.logaddexp(0, score) - y * score))
