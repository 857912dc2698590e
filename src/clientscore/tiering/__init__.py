"""Tiers: how closely the bank serves whom, by a value score with a PD gate, a buffer and overrides."""

from __future__ import annotations

from .policy import TierPolicy

__all__ = ["TierPolicy"]
