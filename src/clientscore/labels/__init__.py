"""Outcomes after a date: default, exits with their cause, new drawings; exits by rule, and their table."""

from __future__ import annotations

from .definitions import definition_table
from .exits import exit_spells, exit_state, silent_state
from .outcomes import NEED, build_labels, churn_target, need_target
from .rules import ExitRules, HardRule, PartialRule, SilentRule
from .silent import SILENT, silent_spells

__all__ = [
    "NEED",
    "SILENT",
    "ExitRules",
    "HardRule",
    "PartialRule",
    "SilentRule",
    "build_labels",
    "churn_target",
    "definition_table",
    "exit_spells",
    "exit_state",
    "need_target",
    "silent_spells",
    "silent_state",
]
