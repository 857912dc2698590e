"""KPI: what was to be reached, what was, and who moved it.

::

    tables ------------------build_facts--> facts a client and month
    facts a client and period --track(targets)--> KpiReport        red, amber, green by portfolio, tier, team,
    manager
                              --contribution--> Contribution       mix and rate of each segment, adding up
                              exactly
    ratings of managers ------feedback_360--> FeedbackReport       clients, peers, self
"""

from __future__ import annotations

from ._contribution import Contribution, contribution, plot_contribution
from ._facts import build_facts
from ._feedback import FeedbackReport, FeedbackRules, feedback_360
from ._targets import KpiTargets, Target
from ._track import KpiReport, plot_targets, track

__all__ = [
    "Contribution",
    "FeedbackReport",
    "FeedbackRules",
    "KpiReport",
    "KpiTargets",
    "Target",
    "build_facts",
    "contribution",
    "feedback_360",
    "plot_contribution",
    "plot_targets",
    "track",
]
