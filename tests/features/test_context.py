from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.features import build_context, build_features

COLUMNS = [
    "name", "industry", "region", "segment", "group_id", "size_amount", "exposure_amount", "drawn_amount",
    "limit_amount", "income_amount", "cost_amount", "balance_amount", "dpd_days", "consent", "kyc_valid",
    "days_since_statement", "wants_reports",
]  # fmt: skip


@pytest.mark.parametrize("as_of", ["2025-04-01", ["2024-07-01", "2025-04-01"]])
def test_columns_and_index(schema, make_book, as_of):
    tables = make_book(5)
    C = build_context(tables, schema, as_of)
    assert list(C.columns) == COLUMNS
    pd.testing.assert_index_equal(C.index, build_features(tables, schema, as_of).index)


def test_size_is_revenue_else_assets_else_missing(schema):
    statements = pd.DataFrame(
        {
            "client_id": ["a", "b"],
            "period_end": pd.to_datetime(["2024-12-31", "2024-12-31"]),
            "revenue": [50.0, np.nan],
            "total_assets": [80.0, 90.0],
        }
    )
    tables = {"clients": pd.DataFrame({"client_id": ["a", "b", "c"]}), "statements": statements}
    C = build_context(tables, schema, "2026-01-01")
    assert C["size_amount"].tolist()[:2] == [50.0, 90.0]
    assert np.isnan(C.loc["c", "size_amount"])
    assert C["days_since_statement"].tolist()[:2] == [366, 366]


def test_income_is_the_sum_of_the_last_twelve_months(schema):
    months = pd.date_range("2024-12-01", "2025-12-01", freq="MS")
    interactions = pd.DataFrame(
        {
            "client_id": "a",
            "month": months,
            "interest_income_amount": [100.0] + [2.0] * 12,
            "fee_income_amount": [100.0, np.nan] + [1.0] * 11,
            "cost_amount": [100.0] + [0.5] * 12,
            "balance_amount": np.arange(13.0),
        }
    )
    tables = {"clients": pd.DataFrame({"client_id": ["a", "b"]}), "interactions": interactions}
    C = build_context(tables, schema, "2026-01-01")
    assert C.loc["a", ["income_amount", "cost_amount", "balance_amount"]].tolist() == [35.0, 6.0, 12.0]
    assert C.loc["b", ["income_amount", "cost_amount", "balance_amount"]].isna().all()


def test_flags_know_missing_from_no(schema):
    clients = pd.DataFrame(
        {"client_id": ["a", "b", "c"], "consent": pd.array([True, False, None], "boolean")}
    )
    surveys = pd.DataFrame(
        {
            "client_id": ["a", "b"],
            "answered_at": pd.to_datetime(["2025-05-01", "2025-05-01"]),
            "wants_reports": pd.array([False, True], "boolean"),
        }
    )
    C = build_context({"clients": clients, "surveys": surveys}, schema, "2026-01-01")
    assert C["consent"].tolist() == [True, False, pd.NA]
    assert C["wants_reports"].tolist() == [False, True, pd.NA]
    assert C["kyc_valid"].isna().all()


def test_client_facts_follow_their_versions(schema):
    clients = pd.DataFrame(
        {
            "client_id": ["a", "a"],
            "industry": ["trade", "energy"],
            "valid_from": pd.to_datetime(["2020-01-01", "2025-07-01"]),
        }
    )
    C = build_context({"clients": clients}, schema, ["2025-06-30", "2025-07-01"])
    assert C["industry"].tolist() == ["trade", "energy"]
