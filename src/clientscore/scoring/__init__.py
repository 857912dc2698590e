"""Scoring: the probability that a client turns bad, as points with reasons.

::

    X, y --fit--> ClientScorer --points, reasons, grade--> what the desk sees
                       |
                       +-- points_table, reason_frame, row_counts, check_inputs: why, and on which inputs
                       +-- bin_table, stability: the card's rows on other clients, period by period
                       +-- to_sql, to_pmml, to_sheet: the same points and PD somewhere else
                       +-- recalibrate, with_card, with_pd_map: a new scorer; the old one stays as it is
                       +-- challenger_report_: what full trees would have gained
"""

from __future__ import annotations

from ._calibration import PDMap
from ._challenger import ChallengerReport, Comparison
from ._points import RoundingReport
from ._reasons import reason_text
from ._rejects import (
    Augmented,
    RejectSensitivity,
    reject_fuzzy,
    reject_hard_cutoff,
    reject_parcelling,
    reject_sensitivity,
)
from ._scorer import ClientScorer

__all__ = [
    "Augmented",
    "ChallengerReport",
    "ClientScorer",
    "Comparison",
    "PDMap",
    "RejectSensitivity",
    "RoundingReport",
    "reason_text",
    "reject_fuzzy",
    "reject_hard_cutoff",
    "reject_parcelling",
    "reject_sensitivity",
]
