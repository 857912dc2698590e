"""Financing need: who will need money, when, how much, for what.

==============  ====================================================================================
``forecaster``  the estimator; ``answers`` holds what it answers beside the forecast
``amount``      the amount given need, as a card or as ``trees``; ``challenge`` compares them
``chance``      whether and when, as a card or as ``trees``, compared too
``conformal``   which amounts calibrate intervals, and for whom: ``groups``
``coverage``    do intervals hold what they promise: a report, and an update in production
``portfolio``   the total, with an interval
``purpose``     the rules that say what for; ``products`` what met such needs before
``checks``      one currency, one unit, needs met elsewhere; ``timing`` periods as dates
``plots``       calibration, coverage, a client's fan, the pipeline: tables, and pictures of them
==============  ====================================================================================
"""

from __future__ import annotations

from .challenge import AmountChallenge
from .chance import ChanceChallenge
from .checks import censor_elsewhere
from .coverage import AdaptiveCoverage, coverage_report
from .forecaster import FinancingNeedForecaster
from .plots import (
    compute_need_calibration,
    compute_need_fan,
    compute_pipeline,
    plot_coverage,
    plot_need_calibration,
    plot_need_fan,
    plot_pipeline,
)
from .portfolio import NeedPortfolio
from .purpose import GATES, PURPOSES, Evidence, Gate

__all__ = [
    "GATES",
    "PURPOSES",
    "AdaptiveCoverage",
    "AmountChallenge",
    "ChanceChallenge",
    "Evidence",
    "FinancingNeedForecaster",
    "Gate",
    "NeedPortfolio",
    "censor_elsewhere",
    "compute_need_calibration",
    "compute_need_fan",
    "compute_pipeline",
    "coverage_report",
    "plot_coverage",
    "plot_need_calibration",
    "plot_need_fan",
    "plot_pipeline",
]
