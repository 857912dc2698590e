"""Calibrations: monotone maps from raw log-odds to calibrated ones, fitted once and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from scipy.special import expit, log_expit

from clientscore._checks import check_interval, check_option
from clientscore.exceptions import DataError

from ._fit import calibrate_mean, calibration_arrays, fit_logistic
from ._points import like

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from ._points import Values

    Floats = NDArray[np.float64]

Method = Literal["mean", "logistic", "beta", "isotonic"]

_NOT_RISING = "The bad rate must rise with the log-odds of bad; it does not. Calibrate the mean only."


@dataclass(frozen=True)
class AffineCalibration:
    """Calibrated log-odds are ``intercept + slope * log_odds``: methods "mean" and "logistic".

    The only kind that can be folded into a card, so that points, PD and exports all carry it.

    Parameters
    ----------
    intercept : float, default 0.0
        Shift of the log-odds.
    slope : float, default 1.0
        Stretch of the log-odds, > 0.

    Raises
    ------
    InvalidParameterError
        If a figure is not finite, or the slope not positive: better clients would become worse ones.

    Examples
    --------
    >>> round(AffineCalibration(intercept=-1.0, slope=2.0).log_odds(0.5), 6)
    0.0
    """

    intercept: float = 0.0
    slope: float = 1.0

    def __post_init__(self) -> None:
        check_interval("intercept", self.intercept, closed="neither")
        check_interval("slope", self.slope, low=0, closed="neither")

    @property
    def is_affine(self) -> bool:
        """True: it can be folded into a card."""
        return True

    def log_odds(self, log_odds: Values) -> Values:
        """Return calibrated log-odds of raw ones; missing stays missing."""
        return self.intercept + self.slope * log_odds

    def pd(self, log_odds: Values) -> Values:
        """Return calibrated probabilities of raw log-odds; missing stays missing."""
        return like(log_odds, expit(self.log_odds(log_odds)))

    def shifted(self, shift: float) -> AffineCalibration:
        """Return the calibration with `shift` added to its log-odds."""
        return AffineCalibration(self.intercept + shift, self.slope)

    def to_state(self) -> dict[str, Any]:
        """Return kind and figures as plain data."""
        return {"kind": "affine", "intercept": self.intercept, "slope": self.slope}


@dataclass(frozen=True)
class BetaCalibration:
    """``log_odds = c + a ln p - b ln(1 - p)`` of the raw probability p: stretches both ends differently.

    With a = b it is the logistic calibration.  Not affine in log-odds: it maps PD and grades only, never the
    points of a card.

    Parameters
    ----------
    a : float, default 1.0
        Stretch at low probabilities, >= 0.
    b : float, default 1.0
        Stretch at high probabilities, >= 0; not both 0.
    c : float, default 0.0
        Shift.

    References
    ----------
    Kull, M., Silva Filho, T. and Flach, P. (2017). Beta calibration. AISTATS, PMLR 54:623-631.

    Examples
    --------
    >>> round(BetaCalibration(a=2.0, b=0.0, c=0.0).pd(0.0), 6)
    0.2
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def __post_init__(self) -> None:
        check_interval("a", self.a, low=0, closed="low")
        check_interval("b", self.b, low=0, closed="low")
        check_interval("a + b", self.a + self.b, low=0, closed="neither")
        check_interval("c", self.c, closed="neither")

    @property
    def is_affine(self) -> bool:
        """False: it cannot be folded into a card."""
        return False

    def log_odds(self, log_odds: Values) -> Values:
        """Return calibrated log-odds of raw ones; missing stays missing."""
        found = self.c + self.a * log_expit(log_odds) - self.b * log_expit(-log_odds)
        return like(log_odds, found)

    def pd(self, log_odds: Values) -> Values:
        """Return calibrated probabilities of raw log-odds; missing stays missing."""
        return like(log_odds, expit(self.log_odds(log_odds)))

    def shifted(self, shift: float) -> BetaCalibration:
        """Return the calibration with `shift` added to its log-odds."""
        return BetaCalibration(self.a, self.b, self.c + shift)

    def to_state(self) -> dict[str, Any]:
        """Return kind and figures as plain data."""
        return {"kind": "beta", "a": self.a, "b": self.b, "c": self.c}


@dataclass(frozen=True)
class IsotonicCalibration:
    """A rising line through the bad rates of the blocks that isotonic regression finds.

    Between blocks the log-odds are interpolated, outside the first and last they stay.  Within a block
    clients tie.  Not affine: it maps PD and grades only, never the points of a card.

    Parameters
    ----------
    raw : tuple of float
        Raw log-odds of the knots, rising, at least one.
    calibrated : tuple of float
        Calibrated log-odds of the knots, finite, never falling.

    Raises
    ------
    DataError
        If the knots do not fit each other.

    Examples
    --------
    >>> round(IsotonicCalibration(raw=(-2.0, 0.0), calibrated=(-3.0, -1.0)).log_odds(-1.0), 6)
    -2.0
    """

    raw: tuple[float, ...]
    calibrated: tuple[float, ...]

    def __post_init__(self) -> None:
        raw, calibrated = np.asarray(self.raw, dtype=float), np.asarray(self.calibrated, dtype=float)
        if (
            raw.ndim != 1
            or raw.shape != calibrated.shape
            or not len(raw)
            or not (np.isfinite(raw).all() and np.isfinite(calibrated).all())
            or (np.diff(raw) <= 0).any()
            or (np.diff(calibrated) < 0).any()
        ):
            raise DataError(
                "Isotonic knots must be finite, of one number, raw rising and calibrated never falling; got "
                f"{raw.size} and {calibrated.size}. Fit them with fit_calibration."
            )

    @property
    def is_affine(self) -> bool:
        """False: it cannot be folded into a card."""
        return False

    def log_odds(self, log_odds: Values) -> Values:
        """Return calibrated log-odds of raw ones; missing stays missing."""
        found = np.interp(log_odds, self.raw, self.calibrated)
        if hasattr(log_odds, "index"):
            return type(log_odds)(found, index=log_odds.index, name=log_odds.name)
        return like(log_odds, found)

    def pd(self, log_odds: Values) -> Values:
        """Return calibrated probabilities of raw log-odds; missing stays missing."""
        return like(log_odds, expit(self.log_odds(log_odds)))

    def shifted(self, shift: float) -> IsotonicCalibration:
        """Return the calibration with `shift` added to its log-odds."""
        return IsotonicCalibration(self.raw, tuple(value + shift for value in self.calibrated))

    def to_state(self) -> dict[str, Any]:
        """Return kind and knots as plain data."""
        return {"kind": "isotonic", "raw": list(self.raw), "calibrated": list(self.calibrated)}


Calibration: TypeAlias = AffineCalibration | BetaCalibration | IsotonicCalibration


def calibration_from_state(state: Mapping[str, Any]) -> Calibration:
    """Build a calibration from its ``to_state``.

    Parameters
    ----------
    state : mapping
        From ``to_state`` of any of the three kinds.

    Returns
    -------
    AffineCalibration, BetaCalibration or IsotonicCalibration

    Raises
    ------
    InvalidParameterError
        If the kind is none of "affine", "beta", "isotonic".

    Examples
    --------
    >>> calibration_from_state(BetaCalibration(1.0, 2.0, 0.5).to_state())
    BetaCalibration(a=1.0, b=2.0, c=0.5)
    """
    figures = dict(state)
    kind = figures.pop("kind", None)
    check_option("kind", kind, ("affine", "beta", "isotonic"))
    if kind == "affine":
        return AffineCalibration(**figures)
    if kind == "beta":
        return BetaCalibration(**figures)
    return IsotonicCalibration(*(tuple(map(float, figures[name])) for name in ("raw", "calibrated")))


def fit_calibration(
    method: Method,
    log_odds: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    rate: float | None = None,
) -> Calibration:
    """Fit one calibration.

    - "mean": a shift of the log-odds; the shape of the raw score is trusted.
    - "logistic": shift and stretch (Platt); the raw log-odds are off by a line.
    - "beta": a stretch of its own at either end (Kull et al.); for scores pushed together on one side.
    - "isotonic": any rising step line; needs many bads.  A block without bads (only the lowest can be one)
      gets the smaller of 0.5 / (w + 1), w the weight of the block and 0.5 the events that Jeffreys' prior
      adds, and the rate of the block above it; a block of bads only, the mirror image.  So every PD lies
      strictly inside (0, 1).  Equal log-odds are pooled first.

    Parameters
    ----------
    method : {"mean", "logistic", "beta", "isotonic"}
        The calibration.
    log_odds : array of shape (n,)
        Raw log-odds of bad, finite, of rows that the score was not fitted on.
    y : array of shape (n,)
        1 for bad, 0 for good; both must occur.
    weight : array of shape (n,), default None
        Weight of each row, which counts as so many rows; 1 if None.
    rate : float, default None
        Mean PD wanted, in (0, 1), such as a long-run average: the fitted calibration is shifted in log-odds
        until it is met.  None keeps the level of the rows.

    Returns
    -------
    AffineCalibration, BetaCalibration or IsotonicCalibration

    Raises
    ------
    DataError
        If only one class has weight, the log-odds are constant (but for "mean"), separate the classes without
        error ("logistic", "beta"), or do not rise with the bad rate.

    References
    ----------
    Platt, J. (1999). Probabilistic outputs for support vector machines. In Advances in Large Margin
    Classifiers.
    Zadrozny, B. and Elkan, C. (2002). Transforming classifier scores into accurate multiclass probability
    estimates, doi:10.1145/775047.775151.
    Kull, M., Silva Filho, T. and Flach, P. (2017). Beta calibration. AISTATS, PMLR 54:623-631.

    Examples
    --------
    >>> x, y = [-1, -1, -1, 1, 1, 1], [0, 0, 1, 1, 1, 0]
    >>> round(fit_calibration("logistic", x, y).slope, 6)
    0.693147
    >>> round(fit_calibration("isotonic", x, y).pd(-1.0), 6)
    0.333333
    """
    check_option("method", method, Method)
    x, target, w = calibration_arrays(log_odds, y, weight)
    if method == "mean":
        return AffineCalibration(calibrate_mean(x, target, w, target=rate))
    fitted: dict[Method, Callable[[Floats, Floats, Floats], Calibration]] = {
        "logistic": _fit_affine,
        "beta": _fit_beta,
        "isotonic": _fit_isotonic,
    }
    found = fitted[method](x, target, w)
    if rate is None:
        return found
    return found.shifted(calibrate_mean(found.log_odds(x), target, w, target=rate))


def _fit_affine(x: Floats, y: Floats, w: Floats) -> AffineCalibration:
    intercept, slope = fit_logistic(x[:, None], y, w)
    if slope <= 0:
        raise DataError(f"The bad rate must rise with the log-odds of bad; the slope is {slope:.3g}.")
    return AffineCalibration(intercept, slope)


def _fit_beta(x: Floats, y: Floats, w: Floats) -> BetaCalibration:
    """Maximize the likelihood over a, b >= 0: concave, so the best face of the quadrant holds the answer."""
    log_p, minus_log_q = log_expit(x), -log_expit(-x)
    faces = ([log_p, minus_log_q], [log_p], [minus_log_q])
    best: tuple[float, BetaCalibration] | None = None
    faults = []
    for number, columns in enumerate(faces):
        try:
            c, *slopes = fit_logistic(np.column_stack(columns), y, w)
        except DataError as error:
            faults.append(error)
            continue
        a, b = (slopes[0], slopes[1]) if number == 0 else ((slopes[0], 0.0), (0.0, slopes[0]))[number - 1]
        if min(a, b) < 0 or a + b <= 0:
            continue
        found = BetaCalibration(a, b, c)
        if number == 0:
            return found
        loss = float(w @ (np.logaddexp(0.0, found.log_odds(x)) - y * found.log_odds(x)))
        best = (loss, found) if best is None or loss < best[0] else best
    if best is None:
        raise (
            faults[0]
            if faults
            else DataError("The bad rate must rise with the log-odds of bad; it does not.")
        )
    return best[1]


def _fit_isotonic(x: Floats, y: Floats, w: Floats) -> IsotonicCalibration:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415  slow to import, used here only

    model = IsotonicRegression(y_min=0.0, y_max=1.0).fit(x, y, sample_weight=w)
    knots, rate = np.asarray(model.X_thresholds_, dtype=float), np.asarray(model.y_thresholds_, dtype=float)
    if rate[-1] <= rate[0]:
        raise DataError(_NOT_RISING)
    inside = (rate > 0) & (rate < 1)
    none, all_bad = rate <= 0, rate >= 1
    fitted = model.predict(x)
    if none.any():
        least = 0.5 / (float(w[fitted <= 0].sum()) + 1.0)
        rate[none] = min(least, float(rate[inside].min())) if inside.any() else least
    if all_bad.any():
        most = 1.0 - 0.5 / (float(w[fitted >= 1].sum()) + 1.0)
        rate[all_bad] = max(most, float(rate[inside].max())) if inside.any() else most
    calibrated = np.maximum.accumulate(np.log(rate) - np.log1p(-rate))
    return IsotonicCalibration(tuple(knots.tolist()), tuple(calibrated.tolist()))
