"""From raw log-odds to calibrated ones: the slope out of bag, the level on all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from clientscore.exceptions import BundleFormatError, DataError
from clientscore.scale import calibrate_logistic, calibrate_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Calibration = Literal["logistic", "mean"]

_SLOPE_EVENTS = 50  # with fewer bads (or goods) out of bag a slope is mostly noise


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
    raise BundleFormatError(f"No PD map of kind {state.get('kind')!r} is known. Fit it anew on the scorer.")


def calibration_of(
    method: str | None, out_of_bag: Floats, decision: Floats, y: Floats, weight: Floats | None
) -> dict[str, Any]:
    """Return the calibration as a record: method taken, intercept, slope, rows and events behind the slope.

    The slope comes from `out_of_bag` log-odds (NaN where no bag held the row out), since those of rows that
    were learned from are too sure; the intercept brings the mean of `decision` to the observed rate.
    """
    rows = np.flatnonzero(np.isfinite(out_of_bag))
    bads = int(y[rows].sum())
    intercept, slope = 0.0, 1.0
    if method == "logistic" and min(bads, len(rows) - bads) < _SLOPE_EVENTS:
        method = "mean"
    if method == "logistic":
        slope = _slope(out_of_bag[rows], y[rows], None if weight is None else weight[rows])
        method, slope = (method, slope) if slope > 0 else ("mean", 1.0)
    if method is not None:
        intercept = calibrate_mean(slope * decision, y, weight)
    return {"method": method, "intercept": intercept, "slope": slope, "rows": len(rows), "events": bads}


def _slope(raw: Floats, y: Floats, weight: Floats | None) -> float:
    """Return the slope of the logistic calibration, 0 where none can be fitted."""
    try:
        return calibrate_logistic(raw, y, weight)[1]
    except DataError:  # constant or separating scores
        return 0.0
