"""Plain words, English and Chinese: which rule held on which values, and what an action is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from clientscore.catalogue import in_words

from ._rules import COLUMNS, Choice, Column, Columns, ColumnType, DecisionTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._actions import ActionValue

Language = Literal["en", "zh"]

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "yes": "yes",
        "no": "no",
        "missing": "missing",
        "and": ", ",
        "stop": ". ",
        "not_evaluated": "not evaluated: {} missing",
        "otherwise": "no other rule applies",
        "uncovered": "no rule applies",
        "no_offers": "No offers: {}",
        "likely": "Products for the expected need",
        "unlikely": "Everyday products: no need expected",
        "need_unknown": "First products of the industry: need not evaluated",
        "action": "Action: {}",
        "required": "Required: {}",
        "idle": "No action pays",
        "less": "{0} ({1:,.0f}, {2:,.0f} less)",
        "loss": "{0} ({1:,.0f}: costs more than it brings)",
        "barred": "{0} ({1:,.0f}: barred, {2})",
        "same_kind": "{0} ({1:,.0f}: excluded by an action of the same kind)",
        "scale": "costs dwarf what is at stake: is the policy in the book's currency unit?",
        "kept": "churn {:.1%} x {:.0%} effect ({}) x value at stake {:,.0f}",
        "driver": "driver: {}",
        "no_driver": "driver not known",
        "won": "margin on need won {:,.0f}",
        "cost": "cost {:,.0f}",
        "loss_change": "expected loss {:,.0f}",
        "avoided": "loss avoided {:,.0f}",
        "recovered": "value won back {:,.0f}",
    },
    "zh": {
        "yes": "是",
        "no": "否",
        "missing": "缺失",
        "and": "，",
        "stop": "。",
        "not_evaluated": "未评估：缺少{}",
        "otherwise": "无其他规则适用",
        "uncovered": "无规则适用",
        "no_offers": "不推荐产品：{}",
        "likely": "按预期需求推荐产品",
        "unlikely": "日常产品：暂无融资需求",
        "need_unknown": "行业首选产品：需求未评估",
        "action": "行动：{}",
        "required": "必办：{}",
        "idle": "无收益为正的行动",
        "less": "{0}（{1:,.0f}，少{2:,.0f}）",
        "loss": "{0}（{1:,.0f}：成本高于收益）",
        "barred": "{0}（{1:,.0f}：受限，{2}）",
        "same_kind": "{0}（{1:,.0f}：已有同类行动）",
        "scale": "成本远高于可挽回的价值：请核对策略与账簿的货币单位",
        "kept": "流失概率{:.1%} × 效果{:.0%}（{}）× 风险价值{:,.0f}",
        "driver": "驱动因素：{}",
        "no_driver": "驱动因素未知",
        "won": "新增需求收益{:,.0f}",
        "cost": "成本{:,.0f}",
        "loss_change": "预期损失{:,.0f}",
        "avoided": "避免损失{:,.0f}",
        "recovered": "挽回价值{:,.0f}",
    },
}

_NAMES_ZH = {
    "tier": "分层",
    "tier_previous": "上期分层",
    "grade": "评级",
    "points": "评分",
    "churn_3m": "3个月流失概率",
    "churn_6m": "6个月流失概率",
    "churn_driver_1": "首要流失因素",
    "need_probability_3m": "3个月融资概率",
    "need_probability_6m": "6个月融资概率",
    "need_product": "预期产品",
    "size_amount": "客户规模金额",
    "watch": "关注名单",
    "segment": "客户规模",
    "industry": "行业",
    "pd": "违约概率",
    "service_layer": "服务层级",
    "churn_12m": "12个月流失概率",
    "value": "客户价值",
    "consent": "营销同意",
    "need_probability_12m": "12个月融资概率",
    "need_purpose": "融资用途",
    "wants_reports": "需要报告",
    "kyc_valid": "身份资料有效",
    "dpd_days": "逾期天数",
    "need_amount_expected": "预期融资金额",
    "churn_cause": "流失类型",
    "exposure_amount": "敞口",
    "contacts_30d": "30天联系次数",
    "sector_limit_used_ratio": "行业限额使用率",
    "group_limit_used_ratio": "集团限额使用率",
    "suitability_valid": "适当性评估有效",
}


def label(column: str, lang: Language) -> str:
    """Return the name of a column in a language."""
    return _NAMES_ZH.get(column, column) if lang == "zh" else column


def value_texts(
    name: str, column: Column, rows: np.ndarray, types: Mapping[str, ColumnType], lang: Language
) -> list[str]:
    """Write "name value" for the chosen rows."""
    words, head = WORDS[lang], label(name, lang)
    if column.kind == "number":
        spec = types.get(name, COLUMNS.get(name, ColumnType("number")))
        form = "{} {:.1%}" if spec.unit == "share" else "{} {:,.0f}"
        nothing = f"{head} {words['missing']}"
        values = column.values[rows].tolist()
        return [form.format(head, v) if v == v else nothing for v in values]  # noqa: PLR0124 -- NaN
    if column.kind == "flag":
        lookup = [f"{head} {words[word]}" for word in ("no", "yes", "missing")]
    else:
        spec = types.get(name, COLUMNS.get(name, ColumnType("text")))
        known = dict(zip(spec.levels or (), spec.titles_zh or (), strict=False)) if lang == "zh" else {}
        lookup = [f"{head} {known.get(word, word)}" for word in (*column.words, words["missing"])]
    return [lookup[code] for code in column.values[rows].tolist()]


def rule_texts(
    table: DecisionTable, choice: Choice, columns: Columns, types: Mapping[str, ColumnType], lang: Language
) -> list[str]:
    """Say for each client which rule of the table held, and the values it read."""
    words = WORDS[lang]
    texts = np.empty(len(choice.row), dtype=object)
    for position in np.unique(choice.row).tolist():
        rows = np.flatnonzero(choice.row == position)
        if position < len(table.rules):
            rule = table.rules[position]
            names = list(dict.fromkeys(condition.column for condition in rule.conditions))
            parts = [value_texts(name, columns[name], rows, types, lang) for name in names]
            title = rule.name_zh if lang == "zh" else rule.name
            texts[rows] = [
                f"{title} ({words['and'].join(values)})" for values in zip(*parts, strict=True)
            ] or title
        elif position == len(table.rules):
            texts[rows] = words["uncovered" if table.otherwise is None else "otherwise"]
        else:
            lacking = _lacking(table, choice.halted_by[rows], rows, columns, lang)
            texts[rows] = [f"{table.name} {text}" for text in lacking]
    result: list[str] = texts.tolist()
    return result


def _lacking(
    table: DecisionTable, halted_by: np.ndarray, rows: np.ndarray, columns: Columns, lang: Language
) -> list[str]:
    """Name the missing columns of the rule that could not be evaluated."""
    texts = np.empty(len(rows), dtype=object)
    for position in np.unique(halted_by).tolist():
        here = np.flatnonzero(halted_by == position)
        names = sorted({c.column for c in table.rules[position].conditions if c.missing is None})
        texts[here] = missing_texts(names, columns, rows[here], lang)
    result: list[str] = texts.tolist()
    return result


def missing_texts(names: list[str], columns: Columns, rows: np.ndarray, lang: Language) -> list[str]:
    """Write "not evaluated: a, b missing" with the missing ones of the named columns."""
    code = np.zeros(len(rows), dtype=np.int64)
    for bit, name in enumerate(names):
        code |= columns[name].missing[rows].astype(np.int64) << bit
    words = WORDS[lang]
    found, inverse = np.unique(code, return_inverse=True)
    texts = []
    for pattern in found.tolist():
        lacking = [label(name, lang) for bit, name in enumerate(names) if pattern >> bit & 1]
        texts.append(words["not_evaluated"].format(words["and"].join(lacking)))
    return [texts[i] for i in inverse.tolist()]


def action_texts(
    valued: ActionValue, columns: Columns, at_stake: np.ndarray, rows: np.ndarray, lang: Language
) -> list[str]:
    """Write the sum behind the value of one action, for the chosen rows."""
    words, action = WORDS[lang], valued.action
    title = action.text_zh if lang == "zh" else action.text
    drivers = [words["driver"].format(in_words(word, lang)) for word in columns["churn_driver_1"].words] + [
        words["no_driver"]
    ]
    names = [drivers[code] for code in columns["churn_driver_1"].values[rows].tolist()]
    figures = zip(
        columns["churn_12m"].values[rows].tolist(), valued.effect[rows].tolist(), names,
        at_stake[rows].tolist(), valued.won[rows].tolist(), valued.loss_change[rows].tolist(),
        valued.avoided[rows].tolist(), valued.cost[rows].tolist(), valued.value[rows].tolist(), strict=True,
    )  # fmt: skip
    texts = []
    for churn, effect, driver, risked, won, loss, avoided, cost, value in figures:
        parts = [words["kept"].format(churn, effect, driver, risked)] if effect > 0 else []
        if action.recovery_share:
            parts.append(words["recovered"].format(action.recovery_share * risked))
        parts += [words[key].format(x) for key, x in (("won", won), ("avoided", avoided)) if x]
        if value != value:  # noqa: PLR0124 -- NaN: the action stands, its worth is not known
            texts.append(title)
            continue
        text = " + ".join(parts)
        text += f" - {words['loss_change'].format(loss)}" if loss else ""
        text += " - " if text else ""
        texts.append(f"{title}: {text}{words['cost'].format(cost)} = {value:,.0f}")
    return texts
