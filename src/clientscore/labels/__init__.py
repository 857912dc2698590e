"""Outcomes after a date: default, exits with their cause, new drawings, and silent attrition by rule."""

from __future__ import annotations

from .outcomes import NEED, build_labels, churn_target, need_target
from .silent import SILENT, SilentRule, silent_spells, silent_state

__all__ = [
    "NEED",
    "SILENT",
    "SilentRule",
    "build_labels",
    "churn_target",
    "need_target",
    "silent_spells",
    "silent_state",
]
