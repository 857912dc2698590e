"""Tiers: how closely the bank serves whom, by a score or a matrix, with PD gate, buffer and overrides."""

from __future__ import annotations

from .matrix import TierMatrix
from .migration import TierMigration, migration, stability
from .policy import TierPolicy

__all__ = ["TierMatrix", "TierMigration", "TierPolicy", "migration", "stability"]
