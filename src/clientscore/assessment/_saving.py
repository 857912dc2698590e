"""The state of a model: what determines its answers, and what a model file keeps beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.churn import ChurnModel
from clientscore.features import ReferencePopulation
from clientscore.labels import ExitRules
from clientscore.need import FinancingNeedForecaster
from clientscore.schema import ClientSchema
from clientscore.scoring import ClientScorer
from clientscore.signals import SignalReference, SignalRules
from clientscore.strategy import ServiceStrategy
from clientscore.tiering import TierPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADS: dict[str, Any] = {"scorer": ClientScorer, "churn": ChurnModel, "need": FinancingNeedForecaster}
_REFERENCES: dict[str, Any] = {"reference": ReferencePopulation, "signal_reference": SignalReference}


def content_of(model: Any) -> dict[str, Any]:
    """Return what determines the model's answers."""
    heads = {name: getattr(model, f"{name}_") for name in _HEADS}
    return {
        "schema": model.schema_.to_dict(),
        "horizons": list(model.horizons_),
        "lead": int(model.lead),
        "features": [str(name) for name in model.feature_names_in_],
        "pillars": model.pillars_,
        "heads": {name: None if head is None else head.to_state() for name, head in heads.items()},
        "tiers": model.tiers_.to_state(),
        "strategy": model.strategy_.to_state(),
        "exit_rules": model.exit_rules_.to_state(),
        "signal_rules": model.signal_rules_.to_state(),
    }


def state_of(model: Any) -> dict[str, Any]:
    """Return the fitted model as plain data."""
    references = {name: getattr(model, f"{name}_") for name in _REFERENCES}
    return {
        **content_of(model),
        "as_of": [f"{date:%Y-%m-%d}" for date in model.as_of_],
        **{name: None if one is None else one.to_state() for name, one in references.items()},
        "rate_history": _history_state(model.rate_history_),
        "skipped": model.skipped_,
        "model_version": model.model_version_,
    }


def settings_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the model that a state describes; rules it does not have are the defaults."""
    exits, signals = state.get("exit_rules"), state.get("signal_rules")
    return {
        "schema": ClientSchema.from_dict(state["schema"]),
        "tiers": TierPolicy.from_state(state["tiers"]),
        "strategy": ServiceStrategy.from_state(state["strategy"]),
        "exit_rules": ExitRules() if exits is None else ExitRules.from_state(exits),
        "signal_rules": SignalRules() if signals is None else SignalRules.from_state(signals),
        "horizons": tuple(state["horizons"]),
        "lead": state["lead"],
    }


def restore(model: Any, state: Mapping[str, Any]) -> None:
    """Set what was learned, from a state, on a model with its settings."""
    for name, kind in _HEADS.items():
        head = state["heads"][name]
        setattr(model, f"{name}_", None if head is None else kind.from_state(head))
    for name, kind in _REFERENCES.items():
        reference = state.get(name)
        setattr(model, f"{name}_", None if reference is None else kind.from_state(reference))
    for name in ("schema", "tiers", "strategy", "exit_rules", "signal_rules", "horizons"):
        setattr(model, f"{name}_", getattr(model, name))
    model.feature_names_in_ = np.asarray(state["features"], dtype=object)
    model.pillars_ = dict(state["pillars"])
    model.skipped_ = dict(state.get("skipped", {}))
    model.as_of_ = pd.DatetimeIndex(state["as_of"])
    model.rate_history_ = pd.DataFrame(state["rate_history"])
    model.rate_history_["as_of"] = pd.to_datetime(model.rate_history_["as_of"])
    model.model_version_ = state["model_version"]


def _history_state(history: pd.DataFrame) -> dict[str, list[Any]]:
    as_text = history.assign(as_of=[f"{date:%Y-%m-%d}" for date in history["as_of"]])
    return {str(name): values.tolist() for name, values in as_text.items()}
