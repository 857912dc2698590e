"""Scoring: the probability that a client turns bad, as points with reasons."""

from __future__ import annotations

from ._reasons import reason_text
from ._scorer import ClientScorer

__all__ = ["ClientScorer", "reason_text"]
