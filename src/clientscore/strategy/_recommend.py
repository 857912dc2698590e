"""From the columns of a book to its service plan: gates, eligibility, value, explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._actions import VALUED_BY, stake
from ._explain import WORDS, Language, action_texts, missing_texts, rule_texts
from ._offers import Gate, offer_products, offer_texts, open_gates
from ._picking import (
    Picked,
    action_names,
    action_value,
    chosen_rows,
    pick_actions,
    runner_up_texts,
    scale_warnings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._parts import Parts
    from ._rules import Choice, Columns, DecisionTable

#: Columns the plan reads, besides those of the conditions.
PLANNED_BY = ("tier", "watch", "industry", "segment", "need_purpose", "need_product", "need_probability_12m")
OUTPUT_COLUMNS = (
    *("service_layer", "coverage", "sla_hours", "sla_terms_days", "sla_decision_days"),
    *("contact_cadence_days", "products", "reports", "actions", "action_value", "rule", "strategy_reason"),
    *("runner_up", "policy_warning", "next_review"),
)


def reads_of(parts: Parts) -> set[str]:
    """Return every column that the policy and the plan read."""
    conditions = [c for table in parts.tables for rule in table.rules for c in rule.conditions]
    conditions += [c for guardrail in parts.guardrails for c in guardrail.allow]
    conditions += [c for action in parts.actions for c in action.when]
    outputs = {output for table in parts.tables for output in table.outputs}
    return ({c.column for c in conditions} - outputs) | set(PLANNED_BY) | set(VALUED_BY)


def plan(
    parts: Parts,
    columns: Columns,
    as_of: np.ndarray,
    lang: Language,
    keep: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the plan, one list or array per output column; `keep` takes columns and choices on the way."""
    n = len(as_of)
    columns = dict(columns)
    choices = decide(parts, columns, n)
    if keep is not None:
        keep.update(columns=columns, choices=choices)
    gate = open_gates(parts, columns, n)
    products, state = offer_products(parts, columns, gate, n)
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
    result["actions"] = action_names(parts, picked)
    result["action_value"] = action_value(picked)
    result["rule"] = _rule_names(choices)
    result["runner_up"] = runner_up_texts(picked, columns, gate, lang)
    doubted = scale_warnings(parts, columns, picked)
    result["policy_warning"] = np.where(doubted, WORDS[lang]["scale"], "").tolist()
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


def decided_frame(parts: Parts, columns: Columns, index: pd.Index) -> pd.DataFrame:
    """Return what the tables decide, words and rules as categories."""
    found: dict[str, Any] = {}
    for table, choice in decide(parts, columns, len(index)):
        for output in table.outputs:
            column = columns[output]
            found[output] = column.values
            if column.kind == "text":
                found[output] = pd.Categorical.from_codes(column.values, list(column.words))
        names = [*(rule.name for rule in table.rules), "otherwise", "not evaluated"]
        found[f"{table.name}_rule"] = pd.Categorical.from_codes(choice.row, names)
    return pd.DataFrame(found, index=index)


def _rule_names(choices: list[tuple[DecisionTable, Choice]]) -> list[str]:
    parts = []
    for table, choice in choices:
        names = [f"{table.name}: {rule.name}" for rule in table.rules]
        names += [f"{table.name}: otherwise", f"{table.name}: not evaluated"]
        parts.append([names[i] for i in choice.row.tolist()])
    return ["; ".join(names) for names in zip(*parts, strict=True)]


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
    sentences.append(offer_texts(columns, gate, state, lang))
    sentences.append(_action_sentences(parts, columns, picked, lang))
    return [
        words["stop"].join(text[0].upper() + text[1:] for text in texts if text)
        for texts in zip(*sentences, strict=True)
    ]


def _action_sentences(parts: Parts, columns: Columns, picked: Picked, lang: Language) -> list[str]:
    """Write the sum behind each chosen action, the required ones, and what was not evaluated."""
    words, n = WORDS[lang], len(picked.runner_up)
    texts: list[list[str]] = [[] for _ in range(n)]
    at_stake = stake(columns, parts)
    for key, listed in (("required", picked.required), ("action", chosen_rows(picked))):
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
