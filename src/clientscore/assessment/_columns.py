"""The columns of an assessment: their order, their kind and what they mean."""

from __future__ import annotations

from typing import Literal

import pandas as pd

Kind = Literal["text", "number", "date", "flag"]

COLUMNS: dict[str, Kind] = {
    "client_id": "text",
    "as_of": "date",
    "industry": "text",
    "size_amount": "number",
    "currency": "text",
    "points": "number",
    "pd": "number",
    "grade": "text",
    "financial_points": "number",
    "credit_points": "number",
    "market_points": "number",
    "relationship_points": "number",
    "other_points": "number",
    "base_points": "number",
    "reason_1": "text",
    "reason_2": "text",
    "reason_3": "text",
    "reason_4": "text",
    "churn_3m": "number",
    "churn_6m": "number",
    "churn_12m": "number",
    "churn_cause": "text",
    "churn_driver_1": "text",
    "churn_driver_2": "text",
    "churn_driver_3": "text",
    "need_probability_3m": "number",
    "need_probability_6m": "number",
    "need_probability_12m": "number",
    "need_month": "date",
    "need_amount_expected": "number",
    "need_amount_lower": "number",
    "need_amount_median": "number",
    "need_amount_upper": "number",
    "need_purpose": "text",
    "need_product": "text",
    "value": "number",
    "tier": "text",
    "tier_previous": "text",
    "watch": "flag",
    "service_layer": "text",
    "coverage": "text",
    "sla_hours": "number",
    "sla_terms_days": "number",
    "sla_decision_days": "number",
    "contact_cadence_days": "number",
    "products": "text",
    "actions": "text",
    "action_value": "number",
    "rule": "text",
    "strategy_reason": "text",
    "next_review": "date",
    "model_version": "text",
    "value_basis": "text",
    "tier_reason": "text",
    "override": "text",
    "runner_up": "text",
    "reports": "text",
    "credit_signal_state": "text",
    "attrition_signal_state": "text",
    "alarms": "text",
    "churn_lifetime_months": "number",
    "churn_service_share": "number",
}

_DTYPES = {"text": "str", "number": "float64", "date": "datetime64[us]", "flag": "boolean"}


def conform(frame: pd.DataFrame) -> pd.DataFrame:
    """Return exactly the columns of an assessment, in order and kind; absent ones are missing."""
    columns = {
        name: frame[name].astype(_DTYPES[kind]) if name in frame else _missing(kind, frame.index)
        for name, kind in COLUMNS.items()
    }
    return pd.DataFrame(columns, index=frame.index, columns=list(COLUMNS)).reset_index(drop=True)


def _missing(kind: Kind, index: pd.Index) -> pd.Series:
    value = {"text": None, "number": float("nan"), "date": pd.NaT, "flag": pd.NA}[kind]
    return pd.Series(value, index=index, dtype=_DTYPES[kind])
