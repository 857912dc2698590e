"""The PD in SQL: a map of log-odds that stands beside the card, then the logistic function."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clientscore.exceptions import InvalidParameterError
from clientscore.scale import AffineCalibration, BetaCalibration, IsotonicCalibration

if TYPE_CHECKING:
    from collections.abc import Callable

    _Double = Callable[[float], Any]

_FAR = 700.0  # log-odds beyond this, whose exponential some databases refuse, count as this


def mapped_log_odds(exp: Any, log_odds: Any, pd_map: Any, double: _Double) -> Any:
    """Return calibrated log-odds, NULL where `log_odds` is; itself without a map.

    Raises
    ------
    InvalidParameterError
        If SQL cannot say the map.
    """
    if pd_map is None:
        return log_odds
    if isinstance(pd_map, AffineCalibration):
        slope = _times(exp, pd_map.slope, log_odds, double)
        return exp.Add(this=double(pd_map.intercept), expression=slope)
    if isinstance(pd_map, BetaCalibration):
        # log_odds = c + a ln p - b ln(1 - p), with ln p = -ln(1 + exp(-z))
        near = exp.paren(_clamped(exp, log_odds, double))
        low = _times(exp, pd_map.a, _softplus(exp, exp.Neg(this=near), double), double)
        high = _times(exp, pd_map.b, _softplus(exp, near.copy(), double), double)
        return exp.Add(this=exp.Sub(this=double(pd_map.c), expression=low), expression=high)
    if isinstance(pd_map, IsotonicCalibration):
        return _lines(exp, log_odds, pd_map, double)
    raise InvalidParameterError(
        f"SQL can say affine, beta and isotonic maps of the PD; got {type(pd_map).__name__}. Leave the "
        "column out, and map log_odds where they are read."
    )


def probability(exp: Any, log_odds: Any, double: _Double) -> Any:
    """Return 1 / (1 + exp(-log_odds))."""
    near = exp.paren(_clamped(exp, log_odds, double))
    power = exp.Exp(this=exp.Neg(this=near))
    return exp.Div(this=double(1.0), expression=exp.paren(exp.Add(this=double(1.0), expression=power)))


def _clamped(exp: Any, value: Any, double: _Double) -> Any:
    case = exp.Case().when(value > double(_FAR), double(_FAR))
    return case.when(value.copy() < double(-_FAR), double(-_FAR)).else_(value.copy())


def _softplus(exp: Any, value: Any, double: _Double) -> Any:
    return exp.Ln(this=exp.Add(this=double(1.0), expression=exp.Exp(this=value)))


def _times(exp: Any, factor: float, value: Any, double: _Double) -> Any:
    return exp.Mul(this=double(factor), expression=value)


def _lines(exp: Any, log_odds: Any, pd_map: IsotonicCalibration, double: _Double) -> Any:
    """Return the rising line through the knots, flat beyond them."""
    knots = list(zip(pd_map.raw, pd_map.calibrated, strict=True))
    case = exp.Case().when(log_odds.is_(exp.null()), exp.null())
    case = case.when(log_odds.copy() <= double(knots[0][0]), double(knots[0][1]))
    for (left, low), (right, high) in pairwise(knots):
        line = double(low)
        if high > low:
            run = exp.paren(exp.Sub(this=log_odds.copy(), expression=double(left)))
            line = exp.Add(this=line, expression=_times(exp, (high - low) / (right - left), run, double))
        case = case.when(log_odds.copy() <= double(right), line)
    return case.else_(double(knots[-1][1]))
