"""Effects: was it worth it, for whom, and what would another policy have earned.

::

    a change of service --service_effect--> EffectReport       chooses one of the three below, and says why
      control cells drawn at random --difference_in_means-->   CUPED
      logged decisions --aipw-->                               cross-fitted, with a report of overlap
      policy from a date on --difference_in_differences-->     with the check of trends before
    X, treatment, outcome --ChosenLearner--> effect a client   mixture of S, T, X, DR, chosen inside training
      --qini, compute_targeting_curve--> does the ranking find whom it helps
      --action_values--> uplift x value - cost --> ServiceStrategy.allocate
    log of decisions --off_policy_value--> PolicyValue         IPS, SNIPS, DR, or a refusal
"""

from __future__ import annotations

from ._aipw import aipw
from ._chosen import ChosenLearner, default_candidates
from ._did import compute_event_study, difference_in_differences, plot_event_study
from ._estimate import EffectEstimate
from ._learners import DRLearner, EffectLearner, SLearner, TLearner, XLearner
from ._means import difference_in_means
from ._overlap import Overlap
from ._policy_value import PolicyValue, off_policy_value
from ._rank import action_values
from ._service import EffectReport, plot_effects, service_effect
from ._uplift import UpliftScore, compute_targeting_curve, plot_targeting_curve, qini

__all__ = [
    "ChosenLearner",
    "DRLearner",
    "EffectEstimate",
    "EffectLearner",
    "EffectReport",
    "Overlap",
    "PolicyValue",
    "SLearner",
    "TLearner",
    "UpliftScore",
    "XLearner",
    "action_values",
    "aipw",
    "compute_event_study",
    "compute_targeting_curve",
    "default_candidates",
    "difference_in_differences",
    "difference_in_means",
    "off_policy_value",
    "plot_effects",
    "plot_event_study",
    "plot_targeting_curve",
    "qini",
    "service_effect",
]
