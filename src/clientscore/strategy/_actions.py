"""What each action would be worth for each client: uplift x value at stake - cost, with its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clientscore.value import expected_loss, save_value

from ._rules import Column, Columns, all_true

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._parse import Action, Parts

#: Columns the valuation reads, besides those of the conditions.
VALUED_BY = ("value", "churn_12m", "churn_driver_1", "need_amount_expected", "pd", "exposure_amount")


@dataclass(frozen=True)
class ActionValue:
    """One action for all clients; amounts in currency units, missing where an input is missing.

    `uplift` is the expected fall of the 12-month attrition probability, `kept` = uplift x value at stake,
    `won` the margin on need won over its life, `loss_change` the expected loss on it, `avoided` loss avoided.
    """

    action: Action
    eligible: np.ndarray
    unknown: np.ndarray
    effect: np.ndarray
    uplift: np.ndarray
    kept: np.ndarray
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
    at_stake = stake(columns, parts)
    families = [family_of(word, parts.families) for word in columns["churn_driver_1"].words] + ["any"]
    return [_value(action, parts, columns, at_stake, families, n) for action in parts.actions]


def _value(
    action: Action, parts: Parts, columns: Columns, at_stake: np.ndarray, families: list[str], n: int
) -> ActionValue:
    eligible, unknown = all_true(action.when, columns, n)
    default = action.churn_effects.get("any", 0.0)
    effects = np.array([action.churn_effects.get(family, default) for family in families])
    effect = effects[columns["churn_driver_1"].values]
    uplift = _product(effect, columns["churn_12m"])
    # A share of zero needs no input: what an action does not touch cannot make it "not evaluated".
    kept = np.where(uplift == 0, 0.0, uplift * at_stake)
    if action.recovery_share:
        kept = kept + action.recovery_share * at_stake
    new_money = _product(np.full(n, action.win_uplift), columns["need_amount_expected"])
    years = parts.settings["need_years"]
    won = new_money * parts.settings["need_spread"] * years
    risk = columns["pd"].values
    loss_change = np.where(new_money == 0, 0.0, years * expected_loss(risk, parts.settings["lgd"], new_money))
    exposed = _product(np.full(n, action.loss_reduction), columns["exposure_amount"])
    avoided = np.where(exposed == 0, 0.0, expected_loss(risk, parts.settings["lgd"], exposed))
    given_away = _product(np.full(n, action.cost_value_share), columns["value"])
    cost = (
        action.cost_amount + action.hours * parts.settings["hour_cost_amount"] + np.maximum(given_away, 0.0)
    )
    value = save_value(1.0, kept, cost) + won - loss_change + avoided
    return ActionValue(
        action, eligible, unknown, effect, uplift, kept, won, loss_change, avoided, cost, value
    )


def _product(share: np.ndarray, column: Column) -> np.ndarray:
    """Return share x column, zero where the share is zero even if the column is missing."""
    return np.where(share == 0, 0.0, share * column.values)
