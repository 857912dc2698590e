"""Scales: log-odds to points, probabilities to grades, raw scores to calibrated ones."""

from __future__ import annotations

from ._calibrate import (
    AffineCalibration,
    BetaCalibration,
    IsotonicCalibration,
    calibration_from_state,
    fit_calibration,
)
from ._choice import CalibrationChoice, choose_calibration
from ._cycle import pit_from_ttc, ttc_from_pit
from ._fit import calibrate_logistic, calibrate_mean
from ._grade_tests import GradeReport, grade_report
from ._grades import MasterScaleFit, optimize_master_scale
from ._low_default import pluto_tasche
from ._master import MasterScale
from ._points import ScoreScale
from ._rates import LongRunRate, long_run_rate
from ._slotting import SlottingTable
from ._term_structure import migration_matrix, term_structure_from_incidence, term_structure_from_matrix

__all__ = [
    "AffineCalibration",
    "BetaCalibration",
    "CalibrationChoice",
    "GradeReport",
    "IsotonicCalibration",
    "LongRunRate",
    "MasterScale",
    "MasterScaleFit",
    "ScoreScale",
    "SlottingTable",
    "calibrate_logistic",
    "calibrate_mean",
    "calibration_from_state",
    "choose_calibration",
    "fit_calibration",
    "grade_report",
    "long_run_rate",
    "migration_matrix",
    "optimize_master_scale",
    "pit_from_ttc",
    "pluto_tasche",
    "term_structure_from_incidence",
    "term_structure_from_matrix",
    "ttc_from_pit",
]
