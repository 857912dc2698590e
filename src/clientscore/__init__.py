"""clientscore: scores, tiers, needs, churn risk and service plans for the corporate clients of a lender.

The way of the data::

    tables --schema--> clean + rejects --features(as_of)--> X, context
    X --scoring--> PD, points, reasons        X --churn--> incidence by cause, drivers
    X --need--> probability, month, amount    all of it --tiering--> A/B/C --strategy--> service plan

=====  ======================================================  =======================================
floor  rooms                                                   what they hold
=====  ======================================================  =======================================
10     ``cli``                                                 the command ``clientscore``
7      ``bundle`` ``validation`` ``effects`` ``kpi``           one model, one file; out-of-time evidence;
                                                               was it worth it; targets
6      ``assessment``                                          the stages in order; the result
5      ``datasets`` ``features`` ``signals`` ``scoring``       one job each
       ``churn`` ``need`` ``tiering`` ``strategy`` ``report``
4      ``hazard`` ``value`` ``labels``                         competing exits; money; outcomes
3      ``additive``                                            the card: its kernel and its learning
2      ``schema`` ``timeline`` ``metrics`` ``splits``          tables, time, measures, points
       ``scale``
1      ``_axes`` ``_checks`` ``_files`` ``_frames``            pictures, parameters, files, columns,
       ``_state`` ``_words`` ``catalogue``                     states, shared words, feature names
0      ``exceptions``                                          one tree of errors
=====  ======================================================  =======================================

Imports go down only; a test holds it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clientscore import (
        additive,
        datasets,
        effects,
        kpi,
        labels,
        metrics,
        report,
        scale,
        scoring,
        signals,
        splits,
        strategy,
        tiering,
        value,
    )
    from clientscore.additive import AdditiveCard
    from clientscore.assessment import Assessment, ClientModel
    from clientscore.bundle import load_model, save_model
    from clientscore.churn import ChurnModel
    from clientscore.exceptions import ClientScoreError
    from clientscore.features import ReferencePopulation, build_context, build_features
    from clientscore.labels import build_labels
    from clientscore.need import FinancingNeedForecaster
    from clientscore.scale import ScoreScale
    from clientscore.schema import ClientSchema, validate_clients
    from clientscore.scoring import ClientScorer, reason_text
    from clientscore.signals import build_signals
    from clientscore.strategy import ServiceStrategy
    from clientscore.tiering import TierPolicy

__version__ = "0.1.0"

_ROOMS = (
    "additive",
    "datasets",
    "effects",
    "kpi",
    "labels",
    "metrics",
    "report",
    "scale",
    "scoring",
    "signals",
    "splits",
    "strategy",
    "tiering",
    "value",
)
_HOMES = {
    "AdditiveCard": "additive",
    "Assessment": "assessment",
    "ChurnModel": "churn",
    "ClientModel": "assessment",
    "ClientSchema": "schema",
    "ClientScoreError": "exceptions",
    "ClientScorer": "scoring",
    "FinancingNeedForecaster": "need",
    "ReferencePopulation": "features",
    "ScoreScale": "scale",
    "ServiceStrategy": "strategy",
    "TierPolicy": "tiering",
    "build_context": "features",
    "build_features": "features",
    "build_labels": "labels",
    "build_signals": "signals",
    "load_model": "bundle",
    "reason_text": "scoring",
    "save_model": "bundle",
    "validate_clients": "schema",
}

__all__ = [
    "AdditiveCard",
    "Assessment",
    "ChurnModel",
    "ClientModel",
    "ClientSchema",
    "ClientScoreError",
    "ClientScorer",
    "FinancingNeedForecaster",
    "ReferencePopulation",
    "ScoreScale",
    "ServiceStrategy",
    "TierPolicy",
    "__version__",
    "additive",
    "build_context",
    "build_features",
    "build_labels",
    "build_signals",
    "datasets",
    "effects",
    "kpi",
    "labels",
    "load_model",
    "metrics",
    "reason_text",
    "report",
    "save_model",
    "scale",
    "scoring",
    "signals",
    "splits",
    "strategy",
    "tiering",
    "validate_clients",
    "value",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its room on first use (PEP 562)."""
    if name in _ROOMS:
        return importlib.import_module(f"clientscore.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"clientscore.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'clientscore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
