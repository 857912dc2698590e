"""Scoring: the probability that a client turns bad, as points with reasons."""

from __future__ import annotations

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
    "ClientScorer",
    "RejectSensitivity",
    "reason_text",
    "reject_fuzzy",
    "reject_hard_cutoff",
    "reject_parcelling",
    "reject_sensitivity",
]
