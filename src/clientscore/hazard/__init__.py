"""Hazards in discrete time with competing causes, on one additive card.

``CompetingHazard`` learns from (duration, event) which clients leave, when and by which door; incidences of
all causes and survival add to 1.

::

    duration, event --sample--> places on the clock --panel--> rows a client and period --learning--> card
    card --scores--> log odds --level--> at the population's level --curves--> hazards, incidence, survival
"""

from __future__ import annotations

from .checks import check_horizons, check_reach, check_target, client_numbers
from .curves import OneClient
from .estimator import CompetingHazard, Form
from .scores import averaged_over_periods

__all__ = [
    "CompetingHazard",
    "Form",
    "OneClient",
    "averaged_over_periods",
    "check_horizons",
    "check_reach",
    "check_target",
    "client_numbers",
]
