"""The facts of a book, ready to print: every section from the columns that are there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clientscore.catalogue import in_words

from ._charts import FULL, HALF, scatter, stacked_bars
from ._columns import has, numbers, text, words
from ._tables import NOTHING, compact, count, is_known, percent
from ._warning import early_warning

TIER_COLORS = {"A": "#0f4c81", "B": "#3d8fc6", "C": "#a9bccb", "not evaluated": "#d9a441"}
_PALETTE = ("#0f4c81", "#3d8fc6", "#7fb285", "#d9a441", "#b5654a", "#a9bccb")
_MAX_POINTS = 1500
_CALLS = 10
_FELT = 0.005  # part of service that is worth a word


def book_facts(frame: pd.DataFrame, alarms: pd.DataFrame | None = None) -> dict[str, Any]:
    """Return the facts of every section; a section without its columns is None."""
    return {
        "head": _head(frame),
        "tiers": _tiers(frame),
        "grades": _grades(frame),
        "churn": _churn(frame),
        "drivers": _drivers(frame),
        "warning": early_warning(frame, alarms),
        "need": _need(frame),
        "calls": _calls(frame),
        "layers": _layers(frame),
        "absent": [name for name in _EXPECTED if name not in frame.columns or frame[name].isna().all()]
        if len(frame)
        else [],
    }


_EXPECTED = (
    *("tier", "grade", "pd", "churn_12m", "need_probability_12m", "need_amount_expected"),
    *("value", "action_value", "service_layer"),
)


def _total(frame: pd.DataFrame, name: str) -> float:
    values = numbers(frame, name)
    return float(values.sum()) if values.notna().any() else float("nan")


def _head(frame: pd.DataFrame) -> dict[str, Any]:
    dates = pd.to_datetime(frame["as_of"]).dropna() if "as_of" in frame.columns else pd.Series(dtype="object")
    watch = numbers(frame, "watch") if "watch" in frame.columns else pd.Series(dtype="float64")
    facts = [
        ("clients", count(len(frame))),
        ("total size", compact(_total(frame, "size_amount"))),
        ("mean 12-month PD", percent(numbers(frame, "pd").mean(), 2)),
        ("expected to leave in 12 months", count(numbers(frame, "churn_12m").sum(min_count=1))),
        ("expected financing need", compact(_total(frame, "need_amount_expected"))),
        ("yearly client value", compact(_total(frame, "value"))),
        ("on watch", count(watch.sum(min_count=1))),
    ]
    return {
        "as_of": f"{dates.max():%Y-%m-%d}" if len(dates) else "",
        "currency": ", ".join(sorted(frame["currency"].dropna().astype("str").unique()))
        if "currency" in frame.columns
        else "",
        "model_version": ", ".join(sorted(frame["model_version"].dropna().astype("str").unique()))
        if "model_version" in frame.columns
        else "",
        "facts": [{"name": name, "value": value} for name, value in facts],
    }


def _tiers(frame: pd.DataFrame) -> list[dict[str, Any]] | None:
    if not has(frame, "tier"):
        return None
    tiers = words(frame, "tier", "not evaluated")
    order = [name for name in TIER_COLORS if (tiers == name).any()]
    order += sorted(set(tiers) - set(order))
    groups = [(name, frame[tiers == name]) for name in order] + [("all", frame)]
    return [
        {
            "tier": name,
            "color": TIER_COLORS.get(name, "#fff" if name == "all" else "#999"),
            "cells": [
                count(len(part)),
                percent(len(part) / len(frame)),
                compact(_total(part, "size_amount")),
                percent(numbers(part, "pd").mean(), 2),
                percent(numbers(part, "churn_12m").mean()),
                percent(numbers(part, "need_probability_12m").mean()),
                compact(_total(part, "need_amount_expected")),
                compact(_total(part, "value")),
                count(numbers(part, "watch").sum(min_count=1)),
            ],
        }
        for name, part in groups
    ]


def _grade_order(grade: str) -> tuple[int, float, str]:
    """Sort grades by number, then by word, with default last."""
    digits = "".join(letter for letter in grade if letter.isdigit())
    return (2 if grade == "D" else 0 if digits else 1, float(digits or 0), grade)


def _grades(frame: pd.DataFrame) -> dict[str, Any] | None:
    if not has(frame, "grade"):
        return None
    grades = frame["grade"].dropna().astype("str")
    order = sorted(grades.unique(), key=_grade_order)
    missing = "not evaluated" if has(frame, "tier") else "clients"
    tiers = words(frame, "tier", missing).loc[grades.index]
    table = pd.crosstab(tiers, grades).reindex(columns=order, fill_value=0)
    colors = dict.fromkeys(table.index, "#999") | TIER_COLORS | {"clients": "#3d8fc6"}
    series = {name: table.loc[name].tolist() for name in colors if name in table.index}
    return stacked_bars(order, series, colors, HALF)


def _churn(frame: pd.DataFrame) -> dict[str, Any] | None:
    """Draw attrition against value; the clients top right are those to keep."""
    if not has(frame, "churn_12m", "value"):
        return None
    churn, value = numbers(frame, "churn_12m"), numbers(frame, "value")
    shown = frame[churn.notna() & (value > 0)]
    if shown.empty:
        return None
    at_risk = float((churn * value.clip(lower=0)).sum())
    hidden = int((churn.notna() & (value <= 0)).sum())
    # The most valuable at risk are always drawn; the rest is thinned evenly, not at random.
    ranked = shown.assign(_risk=churn * value).sort_values("_risk", ascending=False, kind="stable")
    if len(ranked) > _MAX_POINTS:
        rest = ranked.iloc[200:]
        kept = np.linspace(0, len(rest) - 1, _MAX_POINTS - 200).astype(int)
        ranked = pd.concat([ranked.iloc[:200], rest.iloc[kept]])
    chart = scatter(
        numbers(ranked, "churn_12m").to_numpy(),
        numbers(ranked, "value").to_numpy(),
        words(ranked, "tier", "not evaluated").tolist(),
        TIER_COLORS,
        "probability of leaving in 12 months",
    )
    return {
        "chart": chart,
        "at_risk": compact(at_risk),
        "hidden": count(hidden) if hidden else "",
        "drawn": count(len(ranked)),
        "of": count(len(shown)),
    }


def _drivers(frame: pd.DataFrame) -> dict[str, Any] | None:
    """List the first drivers of attrition by the value at risk behind them, and the part of service."""
    if not has(frame, "churn_driver_1", "churn_12m"):
        return None
    weight = numbers(frame, "churn_12m")
    if has(frame, "value"):
        weight = weight * numbers(frame, "value").clip(lower=0)
    sums = weight.groupby(frame["churn_driver_1"].astype("str")).sum().sort_values(ascending=False).head(8)
    sums = sums[sums > 0]
    top, total = sums.max(), weight.sum()
    rows = [
        {"name": in_words(str(name)), "share": percent(v / total), "width": round(100 * v / top, 1)}
        for name, v in sums.items()
    ]
    return {"rows": rows, "service": _service(frame), "stay": _stay(frame)} if rows else None


def _service(frame: pd.DataFrame) -> str:
    """Say how much of the expected attrition comes from service below average; nothing where not known."""
    if not has(frame, "churn_service_share", "churn_12m"):
        return ""
    churn = numbers(frame, "churn_12m")
    poor = numbers(frame, "churn_service_share").clip(lower=0)
    known = churn.notna() & poor.notna()
    return percent((churn * poor)[known].sum() / churn[known].sum())


def _stay(frame: pd.DataFrame) -> str:
    """Say how long a client is expected to stay; nothing where not known."""
    if not has(frame, "churn_lifetime_months"):
        return ""
    return f"{numbers(frame, 'churn_lifetime_months').mean():.1f}"


def _leaves(row: pd.Series) -> str:
    """Say why a client may leave, the part of service and how long it is expected to stay."""
    drivers = [text(row.get(f"churn_driver_{rank}")) for rank in (1, 2, 3)]
    parts = ["; ".join(in_words(driver) for driver in drivers if driver)]
    share, months = row.get("churn_service_share", np.nan), row.get("churn_lifetime_months", np.nan)
    if is_known(share) and abs(share) >= _FELT:
        told = (
            f"{percent(share, 0)} of the risk from service" if share > 0 else "good service lowers the risk"
        )
        parts.append(told)
    if is_known(months):
        parts.append(f"expected to stay {months:.1f} months of the horizon")
    return " · ".join(part for part in parts if part)


def _need(frame: pd.DataFrame) -> dict[str, Any] | None:
    """Stack the expected need by window and product: each client's amount by when it is likely."""
    if not has(frame, "need_probability_12m", "need_amount_expected"):
        return None
    amount = numbers(frame, "need_amount_expected").fillna(0.0)
    by = "need_product" if has(frame, "need_product") else "need_purpose"
    product = words(frame, by, "not known").str.replace("_", " ")
    top = amount.groupby(product).sum().sort_values(ascending=False).index[: len(_PALETTE) - 1].tolist()
    product = product.where(product.isin(top), "others")
    by_window = _share_by_window(frame).mul(amount, axis=0).groupby(product).sum()
    names = [name for name in [*top, "others"] if name in by_window.index]
    if not names:
        return None
    series = {name: by_window.loc[name].tolist() for name in names}
    colors = dict(zip(names, _PALETTE, strict=False))
    chart = stacked_bars(list(by_window.columns), series, colors, FULL)
    return {"chart": chart, "total": compact(float(amount.sum())), "by": by.removeprefix("need_")}


def _share_by_window(frame: pd.DataFrame) -> pd.DataFrame:
    """Return, per client, how the probability of a need within 12 months falls on the windows shown."""
    ends = [months for months in (3, 6, 12) if has(frame, f"need_probability_{months}m")]
    whole = numbers(frame, "need_probability_12m")
    before, start, shares = 0.0, 1, {}
    for end in ends:
        until = numbers(frame, f"need_probability_{end}m")
        shares[f"month {start}-{end}"] = ((until - before) / whole.where(whole > 0)).fillna(0.0)
        before, start = until, end + 1
    return pd.DataFrame(shares, index=frame.index)


def _calls(frame: pd.DataFrame) -> list[dict[str, Any]] | None:
    """List the clients whose plan is worth most, and why."""
    if not has(frame, "action_value"):
        return None
    ranked = frame.assign(_worth=numbers(frame, "action_value"))
    ranked = ranked[ranked["_worth"] > 0].nlargest(_CALLS, "_worth")
    named = "name" in frame.columns
    rows = []
    for position, (_, row) in enumerate(ranked.iterrows(), start=1):
        get = row.get
        rows.append(
            {
                "position": position,
                "client": text(get("client_id")) or str(row.name),
                "name": text(get("name")) if named else "",
                "industry": text(get("industry")).replace("_", " "),
                "tier": text(get("tier")) or "–",
                "watch": text(get("watch")) in ("True", "1.0", "1"),
                "churn": percent(get("churn_12m", np.nan)),
                "need": compact(get("need_amount_expected", np.nan)),
                "value": compact(get("value", np.nan)),
                "worth": compact(row["_worth"]),
                "actions": text(get("actions")).replace("_", " "),
                "why": text(get("strategy_reason")),
                "leaves": _leaves(row),
            }
        )
    return rows or None


_SERVICE = {"sla_hours": " h", "sla_decision_days": " days", "contact_cadence_days": " days"}


def _layers(frame: pd.DataFrame) -> list[dict[str, Any]] | None:
    if not has(frame, "service_layer"):
        return None
    layers = words(frame, "service_layer", "not evaluated")
    known = ("strategic_partnership", "deep_cooperation", "value_added", "basic")
    order = [name for name in known if (layers == name).any()]
    order += sorted(set(layers) - set(order))
    rows = []
    for name in order:
        part = frame[layers == name]
        cells = [
            f"{middle:g}{unit}" if is_known(middle := numbers(part, column).median()) else NOTHING
            for column, unit in _SERVICE.items()
        ]
        worth = compact(numbers(part, "action_value").clip(lower=0).sum())
        share = percent(len(part) / len(frame))
        rows.append({"layer": name.replace("_", " "), "cells": [count(len(part)), share, *cells, worth]})
    return rows
