from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.features import build_features

YEAR = {
    "period_months": 12.0,
    "revenue": 1000.0,
    "cost_of_sales": 600.0,
    "operating_expenses": 250.0,
    "depreciation": 50.0,
    "ebitda": 200.0,
    "ebit": 150.0,
    "interest_expense": 30.0,
    "net_income": 80.0,
    "cash": 60.0,
    "receivables": 100.0,
    "inventory": 120.0,
    "current_assets": 300.0,
    "fixed_assets": 500.0,
    "total_assets": 1000.0,
    "payables": 60.0,
    "short_term_debt": 70.0,
    "current_liabilities": 200.0,
    "long_term_debt": 330.0,
    "total_liabilities": 600.0,
    "equity": 400.0,
    "retained_earnings": 150.0,
    "operating_cash_flow": 100.0,
    "capex": 75.0,
}


def book(*statements, client="a"):
    rows = [{"client_id": client, **YEAR, **row} for row in statements]
    frame = pd.DataFrame(rows)
    for name in ("period_end", "published_at"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name])
    return {"clients": pd.DataFrame({"client_id": [client]}), "statements": frame}


def features(schema, tables, as_of="2026-01-01"):
    return build_features(tables, schema, as_of).iloc[0]


def test_levels_by_hand(schema):
    x = features(schema, book({"period_end": "2024-12-31"}))
    expected = {
        "current_ratio": 1.5,
        "quick_ratio": 0.9,
        "cash_ratio": 0.3,
        "working_capital_to_assets": 0.1,
        "cash_to_assets": 0.06,
        "current_liabilities_to_assets": 0.2,
        "liabilities_to_assets": 0.6,
        "debt_to_assets": 0.4,
        "long_term_debt_to_assets": 0.33,
        "debt_to_equity": 1.0,
        "debt_to_ebitda": 2.0,
        "net_debt_to_ebitda": 1.7,
        "interest_cover": 5.0,
        "dscr": 2.0,
        "cash_flow_to_debt": 0.25,
        "ebitda_to_liabilities": 1 / 3,
        "gross_margin": 0.4,
        "ebitda_margin": 0.2,
        "ebit_margin": 0.15,
        "net_margin": 0.08,
        "ebit_to_assets": 0.15,
        "roa": 0.08,
        "roe": 0.2,
        "operating_expenses_to_revenue": 0.25,
        "asset_turnover": 1.0,
        "dso_days": 36.5,
        "dio_days": 73.0,
        "dpo_days": 36.5,
        "cash_cycle_days": 73.0,
        "short_term_debt_share": 0.175,
        "receivables_to_assets": 0.1,
        "inventory_to_assets": 0.12,
        "fixed_assets_to_assets": 0.5,
        "retained_earnings_to_assets": 0.15,
        "capex_to_depreciation": 1.5,
        "log_assets": np.log(1000.0),
        "log_revenue": np.log(1000.0),
        "altman_z": 0.717 * 0.1 + 0.847 * 0.15 + 3.107 * 0.15 + 0.42 * 400 / 600 + 0.998,
        "statement_age_days": 366.0,
    }
    assert x[list(expected)].to_dict() == pytest.approx(expected)
    assert np.isnan(x["revenue_growth_1y"])
    assert np.isnan(x["roa_change_1y"])
    assert np.isnan(x["roa_vs_history"])


def test_changes_growth_and_own_history_by_hand(schema):
    x = features(
        schema,
        book(
            {"period_end": "2021-12-31", "net_income": 10.0},
            {"period_end": "2023-12-31", "net_income": 40.0, "revenue": 800.0, "long_term_debt": 280.0},
            {"period_end": "2024-12-31", "total_assets": 1100.0, "net_income": 110.0},
        ),
    )
    assert x["roa"] == pytest.approx(0.1)
    assert x["roa_change_1y"] == pytest.approx(0.06)
    assert x["roa_change_3y"] == pytest.approx(0.09)
    assert x["roa_vs_history"] == pytest.approx(0.1 - 0.025)
    assert x["revenue_growth_1y"] == pytest.approx(0.25)
    assert x["assets_growth_1y"] == pytest.approx(0.1)
    assert x["debt_growth_1y"] == pytest.approx(0.05)


def test_a_moved_financial_year_still_has_a_year_before(schema):
    x = features(schema, book({"period_end": "2023-10-31", "revenue": 500.0}, {"period_end": "2024-12-31"}))
    assert x["revenue_growth_1y"] == pytest.approx(1.0)
    x = features(schema, book({"period_end": "2023-09-30", "revenue": 500.0}, {"period_end": "2024-12-31"}))
    assert np.isnan(x["revenue_growth_1y"])


@pytest.mark.parametrize(
    ("item", "feature", "witness", "value"),
    [
        ({"ebitda": -100.0}, "debt_to_ebitda", "ebitda_margin", -0.1),
        ({"ebitda": -100.0}, "net_debt_to_ebitda", "ebitda_to_liabilities", -1 / 6),
        ({"equity": -50.0, "total_liabilities": 1050.0}, "debt_to_equity", "liabilities_to_assets", 1.05),
        ({"equity": -50.0}, "roe", "roa", 0.08),
        ({"interest_expense": 0.0}, "interest_cover", "ebit_margin", 0.15),
        ({"revenue": 0.0}, "net_margin", "asset_turnover", 0.0),
        ({"current_liabilities": 0.0}, "current_ratio", "working_capital_to_assets", 0.3),
        ({"short_term_debt": 0.0, "long_term_debt": 0.0}, "cash_flow_to_debt", "debt_to_assets", 0.0),
    ],
)
def test_a_quotient_that_would_mislead_is_missing_and_the_weakness_shows_elsewhere(
    schema, item, feature, witness, value
):
    x = features(schema, book({"period_end": "2024-12-31", **item}))
    assert np.isnan(x[feature])
    assert x[witness] == pytest.approx(value)


def test_a_quotient_too_large_for_a_float_is_missing_not_infinite(schema):
    x = features(schema, book({"period_end": "2024-12-31", "current_liabilities": 1e-310}))
    assert np.isnan(x["current_ratio"])
    assert not np.isinf(x).any()


def test_items_left_out_are_filled_from_the_others(schema):
    left_out = {"equity": np.nan, "ebitda": np.nan, "short_term_debt": np.nan}
    x = features(schema, book({"period_end": "2024-12-31", **left_out}))
    assert x["roe"] == pytest.approx(0.2)
    assert x["ebitda_margin"] == pytest.approx(0.2)
    assert x["debt_to_assets"] == pytest.approx(0.33)
    assert np.isnan(x["short_term_debt_share"])
    x = features(schema, book({"period_end": "2024-12-31", "total_liabilities": np.nan, "ebit": np.nan}))
    assert x["liabilities_to_assets"] == pytest.approx(0.6)
    assert x["interest_cover"] == pytest.approx(5.0)


def test_a_restatement_counts_from_the_day_it_is_known(schema):
    tables = book(
        {"period_end": "2024-12-31", "published_at": "2025-03-01", "net_income": 80.0},
        {"period_end": "2024-12-31", "published_at": "2025-06-01", "net_income": 20.0},
        {"period_end": "2023-12-31", "published_at": "2024-03-01", "net_income": 50.0},
    )
    x = build_features(tables, schema, ["2025-02-28", "2025-03-01", "2025-05-31", "2025-06-01"])
    assert x["roa"].tolist() == pytest.approx([0.05, 0.08, 0.08, 0.02])
    assert x["statement_age_days"].tolist() == [425, 60, 151, 152]
    assert x["roa_change_1y"].tolist()[1:] == pytest.approx([0.03, 0.03, -0.03])


def test_an_older_period_published_late_does_not_replace_the_newer_one(schema):
    tables = book(
        {"period_end": "2024-12-31", "published_at": "2025-03-01", "net_income": 80.0},
        {"period_end": "2023-12-31", "published_at": "2025-09-01", "net_income": 50.0},
    )
    x = features(schema, tables)
    assert x["roa"] == pytest.approx(0.08)
    assert x["roa_change_1y"] == pytest.approx(0.03)


def quarters(*revenues, ends=("2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"), months=(3, 3, 3, 3)):
    return [
        {"period_end": end, "period_months": float(length), "revenue": revenue}
        for end, length, revenue in zip(ends, months, revenues, strict=True)
    ]


def test_quarters_of_their_own_are_summed_over_the_trailing_year(schema):
    x = features(schema, book(*quarters(100.0, 200.0, 300.0, 400.0)))
    assert x["asset_turnover"] == pytest.approx(1.0)


def test_statements_that_count_from_the_start_of_the_year_are_rolled(schema):
    rows = quarters(250.0, 1000.0, 400.0, ends=("2023-09-30", "2023-12-31", "2024-09-30"), months=(9, 12, 9))
    x = features(schema, book(*rows))
    assert x["asset_turnover"] == pytest.approx((400.0 + 1000.0 - 250.0) / 1000.0)


def test_a_lonely_short_statement_is_brought_to_a_year_by_proportion(schema):
    x = features(schema, book(*quarters(100.0, ends=("2024-03-31",), months=(3,))))
    assert x["asset_turnover"] == pytest.approx(0.4)
    x = features(schema, book(*quarters(1500.0, ends=("2024-12-31",), months=(18,))))
    assert x["asset_turnover"] == pytest.approx(1.0)


def test_a_missing_length_is_read_as_a_year(schema):
    x = features(schema, book({"period_end": "2024-12-31", "period_months": np.nan}))
    assert x["asset_turnover"] == pytest.approx(1.0)


def test_an_item_missing_in_one_quarter_falls_back_to_proportion_for_this_item_only(schema):
    rows = quarters(100.0, np.nan, 300.0, 400.0)
    for row in rows:
        row["cost_of_sales"] = 150.0
    x = features(schema, book(*rows))
    assert x["asset_turnover"] == pytest.approx(1.6)
    assert x["dio_days"] == pytest.approx(365.0 * 120.0 / 600.0)


def test_a_length_of_no_whole_months_is_brought_to_a_year_by_proportion(schema):
    x = features(schema, book(*quarters(750.0, ends=("2024-12-31",), months=(4.5,))))
    assert x["asset_turnover"] == pytest.approx(2.0)
