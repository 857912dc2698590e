"""Choosing actions by value: eligibility, value, one a kind, contact policy, runner-up and why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._actions import ActionValue, stake, value_actions
from ._explain import WORDS, Language
from ._offers import Gate, stop_texts

if TYPE_CHECKING:
    from ._parts import Action, Parts
    from ._rules import Columns

#: How many times the cost must exceed what an action brings before the units are doubted.
SCALE = 1_000.0


@dataclass(frozen=True)
class Picked:
    """Actions chosen by value (positions, -1 none), the runner-up, and the values (actions x clients).

    `values` holds what is open to the client, `worth` also what a guardrail bars; minus infinity elsewhere.
    """

    valued: list[ActionValue]
    chosen: np.ndarray
    runner_up: np.ndarray
    required: np.ndarray
    values: np.ndarray
    worth: np.ndarray
    partial: np.ndarray


def stops_of(action: Action) -> tuple[str, ...]:
    """Return what a guardrail must block to bar an action."""
    return (action.kind, "contacts") if action.contacts > 0 else (action.kind,)


def pick_actions(parts: Parts, columns: Columns, gate: Gate, n: int) -> Picked:
    """Value the actions, list the required ones, choose the best that pay, keep the runner-up."""
    valued = value_actions(parts, columns, n)
    k = len(valued)
    worth, values = np.full((k, n), -np.inf), np.full((k, n), -np.inf)
    required = np.zeros((k, n), dtype=bool)
    partial = np.zeros(n, dtype=bool)
    for position, item in enumerate(valued):
        if item.action.required:
            required[position] = item.eligible
            continue
        open_ = item.eligible & ~gate.stopped(*stops_of(item.action))
        holes = np.isnan(item.value)
        partial |= open_ & holes
        worth[position] = np.where(item.eligible & ~holes, item.value, -np.inf)
        values[position] = np.where(open_, worth[position], -np.inf)
    chosen = _choose(parts, values)
    runner_up = _second(worth, values, chosen)
    return Picked(valued, chosen, runner_up, required, values, worth, partial)


def _choose(parts: Parts, values: np.ndarray) -> np.ndarray:
    """Return the positions of the best actions that pay, (max_actions, clients), one a kind where asked."""
    count = int(parts.settings["max_actions"])
    left = values
    if count > 1 and parts.one_action_per_kind:
        left = values.copy()
        kinds = np.array([action.kind for action in parts.actions])
        for kind in set(kinds.tolist()):
            rows = np.flatnonzero(kinds == kind)
            best = np.argmax(left[rows], axis=0)
            others = np.arange(len(rows))[:, None] != best
            left[rows] = np.where(others, -np.inf, left[rows])
    order = np.argsort(-left, axis=0, kind="stable")[:count]
    best = np.take_along_axis(left, order, axis=0) if len(left) else np.empty((0, values.shape[1]))
    result: np.ndarray = np.where(best > 0, order, -1)
    return result


def _second(worth: np.ndarray, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the best action that was not chosen, -1 where there is none; a barred one only where it pays."""
    n = worth.shape[1]
    if not len(worth):
        return np.full(n, -1, dtype=np.intp)
    taken = (chosen[:, None, :] == np.arange(len(worth))[:, None]).any(axis=0)
    barred = np.isfinite(worth) & ~np.isfinite(values)
    left = np.where(taken | (barred & (worth <= 0)), -np.inf, worth)
    best = np.argmax(left, axis=0)
    result: np.ndarray = np.where(np.isfinite(left[best, np.arange(n)]), best, -1)
    return result


def chosen_rows(picked: Picked) -> np.ndarray:
    """Return where each action was chosen by value (actions x clients)."""
    positions = np.arange(len(picked.valued))
    result: np.ndarray = (picked.chosen[:, None, :] == positions[:, None]).any(axis=0)
    return result


def action_names(parts: Parts, picked: Picked) -> list[str]:
    """Join the names of required and chosen actions, once per combination."""
    names = [action.name for action in parts.actions]
    n = picked.values.shape[1]
    bits = np.zeros(n, dtype=np.int64)
    for position in range(len(names)):
        bits |= picked.required[position].astype(np.int64) << position
    keys, inverse = np.unique(np.vstack([bits, picked.chosen]), axis=1, return_inverse=True)
    texts = []
    for pattern, *chosen in keys.T.tolist():
        listed = [name for position, name in enumerate(names) if pattern >> position & 1]
        texts.append("; ".join(listed + [names[position] for position in chosen if position >= 0]))
    return [texts[i] for i in inverse.ravel().tolist()]


def action_value(picked: Picked) -> np.ndarray:
    """Sum the values of the listed actions; missing where none of them could be valued."""
    n = picked.values.shape[1]
    total, any_known = np.zeros(n), np.zeros(n, dtype=bool)
    listed = picked.required | chosen_rows(picked)
    for position, item in enumerate(picked.valued):
        known = listed[position] & ~np.isnan(item.value)
        total += np.where(known, item.value, 0.0)
        any_known |= known
    return np.where(any_known, total, np.nan)


def runner_up_texts(picked: Picked, columns: Columns, gate: Gate, lang: Language) -> list[str]:
    """Name the best action that was not chosen, and why: barred, dearer than it brings, or worth less."""
    words = WORDS[lang]
    titles = [item.action.text_zh if lang == "zh" else item.action.text for item in picked.valued]
    texts = [""] * len(picked.runner_up)
    rows = np.flatnonzero(picked.runner_up >= 0)
    second = picked.worth[picked.runner_up[rows], rows]
    open_ = np.isfinite(picked.values[picked.runner_up[rows], rows])
    lowest = _lowest_chosen(picked)[rows]
    bars: dict[tuple[int, int], str] = {}
    for row, position, worth, best, free in zip(
        rows.tolist(), picked.runner_up[rows].tolist(), second.tolist(), lowest.tolist(), open_.tolist(),
        strict=True,
    ):  # fmt: skip
        title = titles[position]
        if not free:
            key = (position, int(gate.code[row]))
            if key not in bars:
                kinds = stops_of(picked.valued[position].action)
                bars[key] = "; ".join(stop_texts(columns, gate, key[1], kinds, lang))
            texts[row] = words["barred"].format(title, worth, bars[key])
        elif worth <= 0:
            texts[row] = words["loss"].format(title, worth)
        elif best >= worth:
            texts[row] = words["less"].format(title, worth, best - worth)
        else:
            texts[row] = words["same_kind"].format(title, worth)
    return texts


def _lowest_chosen(picked: Picked) -> np.ndarray:
    """Return the least value among the chosen actions, missing where none was chosen."""
    n = picked.values.shape[1]
    lowest = np.full(n, np.nan)
    for chosen in picked.chosen:
        known = chosen >= 0
        value = np.where(known, picked.values[np.maximum(chosen, 0), np.arange(n)], np.nan)
        lowest = np.fmin(lowest, value)
    return lowest


def scale_warnings(parts: Parts, columns: Columns, picked: Picked) -> np.ndarray:
    """Return for whom costs dwarf all that is at stake: the policy may be in another unit than the book.

    A client counts where it has value at stake and an open action, but the cheapest open action with a cost
    costs more than `SCALE` times what the best brings before its cost.
    """
    n = picked.values.shape[1]
    brought, cheapest = np.zeros(n), np.full(n, np.inf)
    for position, item in enumerate(picked.valued):
        open_ = np.isfinite(picked.values[position])
        brought = np.where(open_, np.fmax(brought, np.nan_to_num(item.value + item.cost)), brought)
        dear = open_ & (item.cost > 0)
        cheapest = np.where(dear, np.fmin(cheapest, item.cost), cheapest)
    at_stake = np.nan_to_num(stake(columns, parts)) > 0
    result: np.ndarray = at_stake & (brought > 0) & np.isfinite(cheapest) & (cheapest > SCALE * brought)
    return result
