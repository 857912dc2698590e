"""Early warning without a model: named signals of attrition and credit trouble, their states and record."""

from __future__ import annotations

from ._build import REASONS, STATES, build_signal_reference, build_signals
from ._formulas import FORMULAS
from ._peers import SignalReference
from ._record import signal_backtest
from ._rules import SignalRules, default_signals, signal_catalogue, signal_text
from ._spec import SignalSpec, Threshold
from ._summary import signal_summary

__all__ = [
    "FORMULAS",
    "REASONS",
    "STATES",
    "SignalReference",
    "SignalRules",
    "SignalSpec",
    "Threshold",
    "build_signal_reference",
    "build_signals",
    "default_signals",
    "signal_backtest",
    "signal_catalogue",
    "signal_summary",
    "signal_text",
]
