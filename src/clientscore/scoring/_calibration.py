"""From raw log-odds to calibrated ones: the shape out of bag, the level on all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from scipy.special import logit

from clientscore.exceptions import BundleFormatError, ClientScoreError, DataError
from clientscore.scale import (
    AffineCalibration,
    calibrate_mean,
    calibration_from_state,
    choose_calibration,
    fit_calibration,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Calibration = Literal["auto", "mean", "logistic", "beta", "isotonic"]

_SHAPE_EVENTS = 50  # with fewer bads (or goods) any shape but the level is mostly noise


@runtime_checkable
class PDMap(Protocol):
    """A rising map from log-odds to PD that no card can carry: isotonic, beta."""

    def pd(self, log_odds: Any) -> Any:
        """Return the PD of log-odds: a float of a float, an array of an array."""

    def to_state(self) -> dict[str, Any]:
        """Return the map as plain data."""


def pd_map_from_state(state: Mapping[str, Any] | None) -> PDMap | None:
    """Return the map that :meth:`PDMap.to_state` wrote, None where there is none.

    Raises
    ------
    BundleFormatError
        If this version knows no such map.
    """
    if state is None:
        return None
    try:
        return calibration_from_state(state)
    except (ClientScoreError, KeyError, TypeError) as error:
        raise BundleFormatError(
            f"No PD map of kind {state.get('kind')!r} is known ({error}). Fit it anew on the scorer."
        ) from error


@dataclass(frozen=True, eq=False)
class Judged:
    """Log-odds of rows the card did not learn from (NaN for others), outcome, weight, date, client."""

    log_odds: Floats
    y: Floats
    weight: Floats | None = None
    as_of: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None

    def known(self) -> Judged:
        """Return the rows with log-odds."""
        rows = np.isfinite(self.log_odds)
        parts = (self.log_odds, self.y, self.weight, self.as_of, self.groups)
        return Judged(*(None if part is None else part[rows] for part in parts))  # type: ignore[arg-type]


def through(pd_map: PDMap | None, log_odds: Floats) -> Floats:
    """Return the log-odds of the PD that a map makes of log-odds; themselves without a map."""
    return log_odds if pd_map is None else np.asarray(logit(pd_map.pd(log_odds)))


@dataclass(frozen=True, eq=False)
class Calibrated:
    """How a card is calibrated: folded in by intercept and slope, or beside it by a map of the PD."""

    intercept: float
    slope: float
    pd_map: PDMap | None
    record: dict[str, Any]


def calibrated(method: str | None, judged: Judged, decision: Floats, rate: float | None = None) -> Calibrated:
    """Return the calibration of a card.

    The shape comes from `judged` log-odds, since those of rows that were learned from are too sure; the level
    brings the mean PD of `decision`, the card's log-odds of all rows, to `rate`, or to the observed rate.
    """
    if method is None:
        return Calibrated(0.0, 1.0, None, {"method": None, "intercept": 0.0, "slope": 1.0})
    level = calibrate_mean(decision, judged.y, judged.weight, rate)
    moved = decision + level
    known = replace(judged, log_odds=judged.log_odds + level).known()
    bads = int(known.y.sum())
    record: dict[str, Any] = {"method": method, "rows": len(known.y), "events": bads}
    shape: Any = AffineCalibration()
    if min(bads, len(known.y) - bads) < _SHAPE_EVENTS:
        record["method"] = "mean"
    elif method != "mean":
        shape, told = _shape(method, known)
        record |= told
    shape = shape.shifted(calibrate_mean(shape.log_odds(moved), judged.y, judged.weight, rate))
    if not shape.is_affine:
        return Calibrated(level, 1.0, shape, record | {"intercept": level, "slope": 1.0})
    intercept = shape.intercept + shape.slope * level
    return Calibrated(intercept, shape.slope, None, record | {"intercept": intercept, "slope": shape.slope})


def _shape(method: str, rows: Judged) -> tuple[Any, dict[str, Any]]:
    """Return the calibration before its level is set, and what is told of it."""
    try:
        if method == "auto":
            # Only what folds into the card, so that points and exports carry it.
            choice = choose_calibration(
                rows.log_odds,
                rows.y,
                as_of=rows.as_of,
                groups=rows.groups,
                weight=rows.weight,
                methods=("mean", "logistic"),
            )
            return choice.calibration, {"method": choice.method, "evidence": choice.evidence}
        return fit_calibration(method, rows.log_odds, rows.y, rows.weight), {}  # type: ignore[arg-type]
    except DataError:  # constant or separating scores: no shape can be fitted
        return AffineCalibration(), {"method": "mean"}
