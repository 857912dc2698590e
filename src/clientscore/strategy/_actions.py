"""What each action would be worth for each client: uplift x value at stake - cost, with its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clientscore.value import expected_loss, save_value

from ._rules import Column, Columns, all_true

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._parts import Action, Parts

#: Columns the valuation reads, besides those of the conditions.
VALUED_BY = ("value", "churn_12m", "churn_driver_1", "need_amount_expected", "pd", "exposure_amount")


@dataclass(frozen=True)
class ActionValue:
    """One action for all clients; amounts in currency units, missing where an input is missing.

    `uplift` is the expected fall of the 12-month attrition probability, `kept` = uplift x value at stake,
    `lending` the need expected to be won by the action, `won` the margin on it over its life, `loss_change`
    the expected loss on it, `avoided` loss avoided.
    """

    action: Action
    eligible: np.ndarray
    unknown: np.ndarray
    effect: np.ndarray
    uplift: np.ndarray
    kept: np.ndarray
    lending: np.ndarray
    won: np.ndarray
    loss_change: np.ndarray
    avoided: np.ndarray
    cost: np.ndarray
    value: np.ndarray


def family_of(driver: str, families: Mapping[str, list[str]]) -> str:
    """Return the driver family with the longest matching beginning, or "any"."""
    best, length = "any", 0
    for family, words in families.items():
        for word in words:
            if driver.startswith(word) and len(word) > length:
                best, length = family, len(word)
    return best


def stake(columns: Columns, parts: Parts) -> np.ndarray:
    """Value the bank loses if the client leaves: some years of its positive yearly value."""
    result: np.ndarray = np.maximum(columns["value"].values, 0.0) * parts.settings["stake_years"]
    return result


def value_actions(parts: Parts, columns: Columns, n: int) -> list[ActionValue]:
    """Value every action of the policy."""
    held = [all_true(action.when, columns, n) for action in parts.actions]
    worth = _worth(parts, columns)
    return [
        ActionValue(action, *held[k], **{name: values[k] for name, values in worth.items()})
        for k, action in enumerate(parts.actions)
    ]


def _worth(parts: Parts, columns: Columns) -> dict[str, np.ndarray]:
    """Return the parts of the value of all actions at once, (actions, clients)."""
    settings, at_stake = parts.settings, stake(columns, parts)
    effect = _effects(parts, columns)
    uplift = _product(effect, columns["churn_12m"])
    # A share of zero needs no input: what an action does not touch cannot make it "not evaluated".
    kept = np.where(uplift == 0, 0.0, uplift * at_stake)
    recovery = _shares(parts, "recovery_share")
    kept = np.where(recovery == 0, kept, kept + recovery * at_stake)
    new_money = _product(_shares(parts, "win_uplift"), columns["need_amount_expected"])
    years = settings["need_years"]
    won = new_money * parts.value.need_spread * years
    one_loss = expected_loss(columns["pd"].values, parts.value.lgd, 1.0)
    loss_change = np.where(new_money == 0, 0.0, years * (one_loss * new_money))
    exposed = _product(_shares(parts, "loss_reduction"), columns["exposure_amount"])
    avoided = np.where(exposed == 0, 0.0, one_loss * exposed)
    given_away = _product(_shares(parts, "cost_value_share"), columns["value"])
    fixed = _shares(parts, "cost_amount") + _shares(parts, "hours") * settings["hour_cost_amount"]
    cost = fixed + np.maximum(given_away, 0.0)
    value = save_value(1.0, kept, cost) + won - loss_change + avoided
    return {
        "effect": effect, "uplift": uplift, "kept": kept, "lending": new_money, "won": won,
        "loss_change": loss_change, "avoided": avoided, "cost": cost, "value": value,
    }  # fmt: skip


def _effects(parts: Parts, columns: Columns) -> np.ndarray:
    """Return the share of attrition that each action takes away from each client, by its first driver."""
    drivers = columns["churn_driver_1"]
    families = [family_of(word, parts.families) for word in drivers.words] + ["any"]
    table = [
        [action.churn_effects.get(family, action.churn_effects.get("any", 0.0)) for family in families]
        for action in parts.actions
    ]
    result: np.ndarray = np.array(table).reshape(len(parts.actions), len(families))[:, drivers.values]
    return result


def _shares(parts: Parts, name: str) -> np.ndarray:
    """Return one setting of all actions as a column."""
    return np.array([[getattr(action, name)] for action in parts.actions], dtype=float).reshape(-1, 1)


def _product(share: np.ndarray, column: Column) -> np.ndarray:
    """Return share x column, zero where the share is zero even if the column is missing."""
    return np.where(share == 0, 0.0, share * column.values)
