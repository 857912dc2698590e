"""Measures: pure functions of outcomes and predictions, all with row weights where they make sense.

Ranking (``auc``, ``gini``, ``ks``), probabilities (``brier``, ``brier_skill``, ``log_loss``,
``calibration_table``), quantiles and intervals (``pinball``, ``interval_coverage``), and the interval around
a forecast rate (``rate_interval``).

Amounts that are often zero: ``crps_mixture`` (``crps_mixture_rows``: of each row), ``tweedie_deviance``,
``capture_in_top``, ``total_ratio``.

Exits with censoring and causes: what happened (``aalen_johansen``, ``encode_events``), order (``uno_c``,
``dynamic_auc``, ``mean_dynamic_auc``), error (``brier_survival``, ``brier_incidence``, ``ibs_survival``,
``ibs_incidence``), calibration (``calibration_by_horizon``, ``ici``, ``d_calibration``).

Alerts: ``precision_at_capacity``, ``recall_at_capacity``, ``saved_value``, ``lead_time``.  An interval for
any of them: ``bootstrap_by_client``.  What reports on card against trees share: ``PairedReport``.
"""

from __future__ import annotations

from ._censoring import Measured
from .alerts import LeadTime, lead_time, plot_lead_time
from .amounts import capture_in_top, total_ratio, tweedie_deviance
from .capacity import precision_at_capacity, recall_at_capacity, saved_value
from .comparison import PairedReport
from .concordance import dynamic_auc, mean_dynamic_auc, uno_c
from .horizons import calibration_by_horizon, ici, plot_calibration_by_horizon
from .incidence import aalen_johansen, encode_events
from .intervals import interval_coverage, pinball
from .mixture import crps_mixture, crps_mixture_rows
from .probability import brier, brier_skill, calibration_table, log_loss
from .ranking import auc, gini, ks
from .rates import rate_interval
from .resampling import BootstrapInterval, bootstrap_by_client
from .survival import brier_incidence, brier_survival, ibs_incidence, ibs_survival
from .uniformity import DCalibration, d_calibration

__all__ = [
    "BootstrapInterval",
    "DCalibration",
    "LeadTime",
    "Measured",
    "PairedReport",
    "aalen_johansen",
    "auc",
    "bootstrap_by_client",
    "brier",
    "brier_incidence",
    "brier_skill",
    "brier_survival",
    "calibration_by_horizon",
    "calibration_table",
    "capture_in_top",
    "crps_mixture",
    "crps_mixture_rows",
    "d_calibration",
    "dynamic_auc",
    "encode_events",
    "gini",
    "ibs_incidence",
    "ibs_survival",
    "ici",
    "interval_coverage",
    "ks",
    "lead_time",
    "log_loss",
    "mean_dynamic_auc",
    "pinball",
    "plot_calibration_by_horizon",
    "plot_lead_time",
    "precision_at_capacity",
    "rate_interval",
    "recall_at_capacity",
    "saved_value",
    "total_ratio",
    "tweedie_deviance",
    "uno_c",
]
