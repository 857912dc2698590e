"""Financing need: who will need money, when, how much, for what.

``forecaster`` joins the parts; ``amount`` is the amount given need with its intervals, ``purpose`` the rules
that say what for, and the products that went with it.
"""

from __future__ import annotations

from .forecaster import FinancingNeedForecaster
from .purpose import PURPOSES, Evidence

__all__ = ["PURPOSES", "Evidence", "FinancingNeedForecaster"]
