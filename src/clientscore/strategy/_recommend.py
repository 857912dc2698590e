"""From the columns of a book to its service plan: gates, eligibility, value, explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._actions import VALUED_BY, ActionValue, stake, value_actions
from ._explain import WORDS, Language, action_texts, missing_texts, rule_texts
from ._rules import Choice, Columns, DecisionTable, all_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._parse import Guardrail, Parts

#: Columns the plan reads, besides those of the conditions.
PLANNED_BY = ("tier", "watch", "industry", "segment", "need_purpose", "need_product", "need_probability_12m")
OUTPUT_COLUMNS = (
    *("service_layer", "coverage", "sla_hours", "sla_terms_days", "sla_decision_days"),
    *("contact_cadence_days", "products", "reports", "actions", "action_value", "rule", "strategy_reason"),
    *("runner_up", "next_review"),
)
_UNLIKELY, _LIKELY, _UNKNOWN = 0, 1, 2


@dataclass(frozen=True)
class Gate:
    """Which guardrails stop what, as bits of a code per client; odd bits: not evaluated."""

    code: np.ndarray
    stops: dict[str, np.ndarray]
    asked: tuple[Guardrail, ...]


@dataclass(frozen=True)
class Picked:
    """Actions chosen by value (positions, -1 none), the runner-up, and the values (actions x clients)."""

    valued: list[ActionValue]
    chosen: np.ndarray
    runner_up: np.ndarray
    required: np.ndarray
    values: np.ndarray
    partial: np.ndarray


def reads_of(parts: Parts) -> set[str]:
    """Return every column that the policy and the plan read."""
    conditions = [c for table in parts.tables for rule in table.rules for c in rule.conditions]
    conditions += [c for guardrail in parts.guardrails for c in guardrail.allow]
    conditions += [c for action in parts.actions for c in action.when]
    outputs = {output for table in parts.tables for output in table.outputs}
    return ({c.column for c in conditions} - outputs) | set(PLANNED_BY) | set(VALUED_BY)


def plan(parts: Parts, columns: Columns, as_of: np.ndarray, lang: Language) -> dict[str, Any]:
    """Return the plan, one list or array per output column."""
    n = len(as_of)
    columns = dict(columns)
    choices = decide(parts, columns, n)
    gate = open_gates(parts, columns, n)
    products, state = _products(parts, columns, gate, n)
    picked = pick_actions(parts, columns, gate, n)
    result: dict[str, Any] = {}
    for table, choice in choices:
        for output in table.outputs:
            values = np.array([row.get(output) for row in table.rows], dtype=object)[choice.row]
            result[output] = values
    review = columns["review_days"].values
    known = ~np.isnan(review)
    days = np.where(known, review, 0).astype("timedelta64[D]")
    result["next_review"] = np.where(known, as_of + days, np.datetime64("NaT", "D"))
    result["products"] = products
    result["actions"] = _action_names(parts, picked)
    result["action_value"] = _action_value(picked)
    result["rule"] = _rule_names(choices)
    result["runner_up"] = _runner_up(picked, lang)
    result["strategy_reason"] = _reasons(parts, columns, choices, gate, state, picked, lang)
    return {name: result[name] for name in OUTPUT_COLUMNS}


def decide(parts: Parts, columns: Columns, n: int) -> list[tuple[DecisionTable, Choice]]:
    """Ask all tables in order; what one decides becomes a column the next can read."""
    choices = []
    for table in parts.tables:
        choice = table.decide(columns, n)
        for output in table.outputs:
            kind = parts.columns[output].kind if output in parts.columns else "text"
            columns[output] = table.output(output, choice, kind)
        choices.append((table, choice))
    return choices


def open_gates(parts: Parts, columns: Columns, n: int) -> Gate:
    """Ask every guardrail; one that cannot be evaluated blocks, an optional one only where asked."""
    asked = tuple(
        guardrail
        for guardrail in parts.guardrails
        if not guardrail.optional or all(columns[c.column].present for c in guardrail.allow)
    )
    code = np.zeros(n, dtype=np.int64)
    stops: dict[str, np.ndarray] = {}
    for bit, guardrail in enumerate(asked):
        passes, unknown = all_true(guardrail.allow, columns, n)
        code |= (~passes & ~unknown).astype(np.int64) << (2 * bit)
        code |= unknown.astype(np.int64) << (2 * bit + 1)
        for kind in guardrail.blocks:
            stops[kind] = stops.get(kind, np.zeros(n, dtype=bool)) | ~passes
    return Gate(code, stops, asked)


def _products(parts: Parts, columns: Columns, gate: Gate, n: int) -> tuple[list[str], np.ndarray]:
    """Choose products once per combination of industry, segment, purpose, product, need and layer."""
    need = columns["need_probability_12m"].values
    state = np.where(np.isnan(need), _UNKNOWN, need >= parts.settings["offer_probability"]).astype(np.intp)
    blocked = gate.stops.get("products", np.zeros(n, dtype=bool))
    names = ("industry", "segment", "need_purpose", "need_product", "service_layer")
    keys = [state, blocked.astype(np.intp)] + [columns[name].values + 1 for name in names]
    sizes = [3, 2] + [len(columns[name].words) + 1 for name in names]
    combined = np.ravel_multi_index(keys, sizes)
    found, inverse = np.unique(combined, return_inverse=True)
    texts = []
    for combination in np.column_stack(np.unravel_index(found, sizes)).tolist():
        likely, stopped, *codes = combination
        words = [
            columns[name].words[code - 1] if code else None for name, code in zip(names, codes, strict=True)
        ]
        texts.append("" if stopped else "; ".join(choose_products(parts, likely, *words)))
    return [texts[i] for i in inverse.tolist()], state


def choose_products(
    parts: Parts,
    state: int,
    industry: str | None,
    segment: str | None,
    purpose: str | None,
    product: str | None,
    layer: str | None,
) -> list[str]:
    """Return the products for one kind of client: by need where one is likely, else by industry."""
    limit = int(parts.layers[layer].more["max_products"]) if layer in parts.layers else 0
    if state == _UNLIKELY:
        return parts.everyday[: limit or 3]
    base = parts.segments.get(segment or "")
    base = parts.industries.get(industry or "", parts.industries["other"]) if base is None else base
    if state == _LIKELY and purpose is not None:
        fits = [name for name in base if purpose in parts.products[name].more["purposes"]] or base
        first = [product] if product in parts.products else []
        base = list(dict.fromkeys([*first, *fits]))
    return base[: limit or 3]


def pick_actions(parts: Parts, columns: Columns, gate: Gate, n: int) -> Picked:
    """Value the actions, list the required ones, choose the best that pay, keep the runner-up."""
    valued = value_actions(parts, columns, n)
    k = len(valued)
    values = np.full((k, n), -np.inf)
    required = np.zeros((k, n), dtype=bool)
    partial = np.zeros(n, dtype=bool)
    for position, item in enumerate(valued):
        eligible = item.eligible
        if item.action.required:
            required[position] = eligible
            continue
        stopped = gate.stops.get(item.action.kind)
        eligible = eligible if stopped is None else eligible & ~stopped
        holes = np.isnan(item.value)
        partial |= eligible & holes
        values[position] = np.where(eligible & ~holes, item.value, -np.inf)
    count = int(parts.settings["max_actions"])
    order = np.argsort(-values, axis=0, kind="stable")[: count + 1]
    best = np.take_along_axis(values, order, axis=0) if k else np.empty((0, n))
    chosen = np.where(best[:count] > 0, order[:count], -1)
    taken = (chosen >= 0).sum(axis=0)
    runner_up = np.full(n, -1, dtype=np.intp)
    for position in range(len(order)):
        here = (taken == position) & np.isfinite(best[position])
        runner_up[here] = order[position][here]
    return Picked(valued, chosen, runner_up, required, values, partial)


def _action_names(parts: Parts, picked: Picked) -> list[str]:
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


def _action_value(picked: Picked) -> np.ndarray:
    """Sum the values of the listed actions; missing where none of them could be valued."""
    n = picked.values.shape[1]
    total, any_known = np.zeros(n), np.zeros(n, dtype=bool)
    listed = picked.required | _chosen(picked)
    for position, item in enumerate(picked.valued):
        known = listed[position] & ~np.isnan(item.value)
        total += np.where(known, item.value, 0.0)
        any_known |= known
    return np.where(any_known, total, np.nan)


def _chosen(picked: Picked) -> np.ndarray:
    """Return where each action was chosen by value (actions x clients)."""
    positions = np.arange(len(picked.valued))
    result: np.ndarray = (picked.chosen[:, None, :] == positions[:, None]).any(axis=0)
    return result


def _rule_names(choices: list[tuple[DecisionTable, Choice]]) -> list[str]:
    parts = []
    for table, choice in choices:
        names = [f"{table.name}: {rule.name}" for rule in table.rules]
        names += [f"{table.name}: otherwise", f"{table.name}: not evaluated"]
        parts.append([names[i] for i in choice.row.tolist()])
    return ["; ".join(names) for names in zip(*parts, strict=True)]


def _runner_up(picked: Picked, lang: Language) -> list[str]:
    """Name the next best action and why it is not the first."""
    words = WORDS[lang]
    titles = [item.action.text_zh if lang == "zh" else item.action.text for item in picked.valued]
    texts = [""] * len(picked.runner_up)
    rows = np.flatnonzero(picked.runner_up >= 0)
    second = picked.values[picked.runner_up[rows], rows]
    first_position = picked.chosen[0] if len(picked.chosen) else np.full(len(texts), -1)
    first = np.where(first_position >= 0, picked.values[first_position, np.arange(len(texts))], np.nan)[rows]
    for row, position, worth, best in zip(
        rows.tolist(), picked.runner_up[rows].tolist(), second.tolist(), first.tolist(), strict=True
    ):
        form = words["loss"] if worth <= 0 else words["less"]
        texts[row] = form.format(titles[position], worth, best - worth)
    return texts


def _reasons(
    parts: Parts,
    columns: Columns,
    choices: list[tuple[DecisionTable, Choice]],
    gate: Gate,
    state: np.ndarray,
    picked: Picked,
    lang: Language,
) -> list[str]:
    words = WORDS[lang]
    sentences = [
        rule_texts(table, choice, columns, parts.columns, lang)
        for table, choice in choices
        if table.outputs != ("reports",)
    ]
    sentences.append(_offer_texts(columns, gate, state, lang))
    sentences.append(_action_sentences(parts, columns, picked, lang))
    return [
        words["stop"].join(text[0].upper() + text[1:] for text in texts if text)
        for texts in zip(*sentences, strict=True)
    ]


def _offer_texts(columns: Columns, gate: Gate, state: np.ndarray, lang: Language) -> list[str]:
    """Say why products are offered, or which guardrails stop them."""
    words = WORDS[lang]
    found, inverse = np.unique(gate.code * 3 + state, return_inverse=True)
    texts = []
    for key in found.tolist():
        pattern, need = divmod(key, 3)
        stops = []
        for bit, guardrail in enumerate(gate.asked):
            title = guardrail.text_zh if lang == "zh" else guardrail.text
            if "products" not in guardrail.blocks:
                continue
            if pattern >> (2 * bit) & 1:
                stops.append(title)
            if pattern >> (2 * bit + 1) & 1:
                rows = np.flatnonzero(gate.code == pattern)[:1]
                names = sorted({condition.column for condition in guardrail.allow})
                stops.append(f"{guardrail.name} {missing_texts(names, columns, rows, lang)[0]}")
        reason = words[("unlikely", "likely", "need_unknown")[need]]
        texts.append(words["no_offers"].format("; ".join(stops)) if stops else reason)
    return [texts[i] for i in inverse.tolist()]


def _action_sentences(parts: Parts, columns: Columns, picked: Picked, lang: Language) -> list[str]:
    """Write the sum behind each chosen action, the required ones, and what was not evaluated."""
    words, n = WORDS[lang], len(picked.runner_up)
    texts: list[list[str]] = [[] for _ in range(n)]
    at_stake = stake(columns, parts)
    for key, listed in (("required", picked.required), ("action", _chosen(picked))):
        for position, item in enumerate(picked.valued):
            rows = np.flatnonzero(listed[position])
            if not len(rows):
                continue
            sums = action_texts(item, columns, at_stake, rows, lang)
            for row, text in zip(rows.tolist(), sums, strict=True):
                texts[row].append(words[key].format(text))
    rows = np.flatnonzero(picked.partial)
    for row, text in zip(rows.tolist(), _partial_texts(columns, rows, lang), strict=True):
        texts[row].append(text)
    return [words["stop"].join(parts_) if parts_ else words["idle"] for parts_ in texts]


def _partial_texts(columns: Columns, rows: np.ndarray, lang: Language) -> Iterator[str]:
    names = [name for name in VALUED_BY if name != "churn_driver_1"]
    word = {"en": "Some actions ", "zh": "部分行动"}[lang]
    return (word + text for text in missing_texts(names, columns, rows, lang))
