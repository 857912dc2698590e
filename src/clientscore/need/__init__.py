"""Financing need: who will need money, when, how much, for what.

==============  ====================================================================================
``forecaster``  the estimator; ``answers`` holds what it answers beside the forecast
``amount``      the amount given need; ``conformal`` and ``groups`` calibrate its intervals
``coverage``    do intervals hold what they promise: a report, and an update in production
``portfolio``   the total, with an interval
``purpose``     the rules that say what for; ``products`` what met such needs before
``checks``      one currency, one unit, needs met elsewhere; ``timing`` periods as dates
==============  ====================================================================================
"""

from __future__ import annotations

from .checks import censor_elsewhere
from .coverage import AdaptiveCoverage, coverage_report
from .forecaster import FinancingNeedForecaster
from .portfolio import NeedPortfolio
from .purpose import GATES, PURPOSES, Evidence, Gate

__all__ = [
    "GATES",
    "PURPOSES",
    "AdaptiveCoverage",
    "Evidence",
    "FinancingNeedForecaster",
    "Gate",
    "NeedPortfolio",
    "censor_elsewhere",
    "coverage_report",
]
