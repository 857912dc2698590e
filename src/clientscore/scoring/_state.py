"""A fitted scorer as plain data, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.additive import AdditiveCard, FeatureRule, PointsTable, WoeSettings
from clientscore.scale import MasterScale, ScoreScale

if TYPE_CHECKING:
    from collections.abc import Mapping


def parameters_to_state(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scorer's settings as JSON values; a seed that is no whole number is not kept."""
    state = dict(parameters)
    state["method"] = _method_to_state(state["method"])
    for name in ("scale", "master_scale"):
        state[name] = None if state[name] is None else state[name].to_dict()
    state["monotone"] = None if state["monotone"] is None else dict(state["monotone"])
    if state["rules"] is not None:
        state["rules"] = {name: rule.to_dict() for name, rule in state["rules"].items()}
    if isinstance(state["interactions"], np.integer):
        state["interactions"] = int(state["interactions"])
    if not isinstance(state["interactions"], str | int):
        state["interactions"] = [list(pair) for pair in state["interactions"]]
    seed = state["random_state"]
    state["random_state"] = int(seed) if isinstance(seed, int | np.integer) else None
    return state


def parameters_from_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that :func:`parameters_to_state` wrote."""
    parameters = dict(state)
    parameters["method"] = _method_from_state(parameters["method"])
    for name, kind in (("scale", ScoreScale), ("master_scale", MasterScale)):
        if parameters[name] is not None:
            parameters[name] = kind.from_dict(parameters[name])
    if parameters["rules"] is not None:
        rules = parameters["rules"].items()
        parameters["rules"] = {name: FeatureRule.from_dict(rule) for name, rule in rules}
    if isinstance(parameters["interactions"], list):
        parameters["interactions"] = [tuple(pair) for pair in parameters["interactions"]]
    return parameters


def _method_to_state(method: Any) -> Any:
    """Return a method's name, or what stands in its place as plain data."""
    if isinstance(method, WoeSettings):
        return {"kind": "woe", **method.to_dict()}
    if isinstance(method, PointsTable):
        return {"kind": "points_table", "toml": method.to_toml()}
    return {"kind": "card", "card": method.to_state()} if isinstance(method, AdditiveCard) else method


def _method_from_state(state: Any) -> Any:
    if isinstance(state, str):
        return state
    kind = state["kind"]
    if kind == "woe":
        return WoeSettings.from_dict({name: value for name, value in state.items() if name != "kind"})
    if kind == "points_table":
        return PointsTable.read(state["toml"])
    return AdditiveCard.from_state(state["card"])
