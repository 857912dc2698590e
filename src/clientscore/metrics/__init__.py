"""Measures: pure functions of outcomes and predictions, all with row weights where they make sense.

Ranking (``auc``, ``gini``, ``ks``), probabilities (``brier``, ``brier_skill``, ``log_loss``,
``calibration_table``), exits by cause (``aalen_johansen``, ``encode_events``), quantiles and intervals
(``pinball``, ``interval_coverage``), and the interval around a forecast rate (``rate_interval``).
"""

from __future__ import annotations

from .incidence import aalen_johansen, encode_events
from .intervals import interval_coverage, pinball
from .probability import brier, brier_skill, calibration_table, log_loss
from .ranking import auc, gini, ks
from .rates import rate_interval

__all__ = [
    "aalen_johansen",
    "auc",
    "brier",
    "brier_skill",
    "calibration_table",
    "encode_events",
    "gini",
    "interval_coverage",
    "ks",
    "log_loss",
    "pinball",
    "rate_interval",
]
