from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clientscore.features import build_features


def book(**tables):
    industries = ["energy", "shipbreaking", None]
    clients = pd.DataFrame({"client_id": ["a", "b", "c"], "industry": pd.array(industries, dtype="str")})
    return {"clients": clients, **tables}


def market(*rows):
    frame = pd.DataFrame(rows, columns=["sector", "month", "sector_growth", "spread"])
    frame["month"] = pd.to_datetime(frame["month"])
    return frame


def test_sector_figures_fall_back_to_the_whole_market(schema):
    table = market(
        ("energy", "2025-11-01", 0.01, 0.02),
        ("energy", "2025-12-01", 0.03, np.nan),
        ("*", "2025-12-01", 0.05, 0.07),
        ("energy", "2026-01-01", 0.99, 0.99),
    )
    X = build_features(book(market=table), schema, "2026-01-01")
    assert X["sector_growth"].tolist() == [0.03, 0.05, 0.05]
    assert X["credit_spread"].tolist() == [0.02, 0.07, 0.07]
    assert X["policy_rate"].isna().all()


def test_without_a_whole_market_an_unknown_industry_is_missing(schema):
    X = build_features(book(market=market(("energy", "2025-12-01", 0.03, 0.01))), schema, "2026-01-01")
    assert X["sector_growth"].isna().tolist() == [False, True, True]


def test_season_is_the_calendars(schema):
    X = build_features(book(), schema, ["2025-10-01", "2026-01-01"])
    assert X["as_of_month"].groupby("as_of").first().tolist() == [10, 1]


@pytest.mark.parametrize("period", ["month", "year"])
def test_market_value_by_hand(schema, period):
    values = pd.DataFrame(
        {
            "client_id": ["a", "a", "b"],
            "month": pd.to_datetime(["2024-12-01", "2025-12-01", "2025-12-01"]),
            "market_value": [100.0, 300.0, 0.0],
        }
    )
    statements = pd.DataFrame(
        {
            "client_id": ["a"],
            "period_end": pd.to_datetime(["2024-12-31"]),
            "total_assets": [600.0],
            "total_liabilities": [400.0],
        }
    )
    tables = book(market_values=values, statements=statements)
    X = build_features(tables, replace(schema, period=period), "2026-01-01")
    x = X.loc["a"]
    assert x["market_value_log"] == pytest.approx(np.log(300.0))
    assert x["market_to_assets"] == pytest.approx(0.5)
    assert x["market_to_liabilities"] == pytest.approx(0.75)
    assert x["market_value_change_12m"] == pytest.approx(np.log(3.0))
    assert np.isnan(X.loc["b", "market_value_log"])


def test_a_yearly_value_stays_fresh_for_a_year_where_periods_are_years(schema):
    values = pd.DataFrame(
        {"client_id": ["a"], "month": pd.to_datetime(["2024-12-01"]), "market_value": [100.0]}
    )
    tables = book(market_values=values)
    yearly = build_features(tables, replace(schema, period="year"), "2025-12-01")
    monthly = build_features(tables, schema, "2025-12-01")
    assert yearly.loc["a", "market_value_log"] == pytest.approx(np.log(100.0))
    assert np.isnan(monthly.loc["a", "market_value_log"])
