from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.features import build_features

ITEMS = {
    "revenue": 1000.0,
    "depreciation": 50.0,
    "ebitda": 200.0,
    "ebit": 150.0,
    "net_income": 80.0,
    "receivables": 100.0,
    "inventory": 120.0,
    "current_assets": 300.0,
    "total_assets": 1000.0,
    "current_liabilities": 200.0,
    "long_term_debt": 300.0,
    "total_liabilities": 600.0,
    "retained_earnings": 150.0,
}


def tables(*years, client="a", first=2020):
    """One statement a year, each with the items that differ."""
    rows = [
        {"client_id": client, "period_end": pd.Timestamp(first + k, 12, 31), **ITEMS, **year}
        for k, year in enumerate(years)
        if year is not None
    ]
    return {"clients": pd.DataFrame({"client_id": [client]}), "statements": pd.DataFrame(rows)}


def features(schema, book, as_of="2026-06-01"):
    return build_features(book, schema, as_of).iloc[0]


def test_debt_history_by_hand(schema):
    debts = (100.0, 300.0, 250.0, 250.0, 400.0, 380.0)  # 2020 to 2025, assets 1,000 throughout
    x = features(schema, tables(*({"long_term_debt": debt} for debt in debts)))
    added = np.array([-0.02, 0.15, 0.0, -0.05, 0.2])
    expected = {
        "debt_moves_3y": np.abs(added[:3]).mean(),
        "debt_moves_5y": np.abs(added).mean(),
        "debt_raised_max_5y": 0.2,
        "debt_repaid_max_5y": 0.05,
        "debt_issues_share_5y": 0.4,
        "debt_growth_before": 0.15,
        "debt_growth_two_before": 0.0,
        "debt_moves_spread_5y": added.std(),
        "debt_years_since_issue": 1.0,
        "debt_above_mean_5y": 0.38 - np.mean(debts) / 1000,
        "debt_above_low_5y": 0.28,
        "debt_peak_5y": 0.4,
        "debt_below_peak_5y": 0.02,
        "debt_free_share_5y": 0.0,
        "liabilities_moves_5y": 0.0,
        "liabilities_growth_to_assets": 0.0,
        "liabilities_issues_share_5y": 0.0,
        "liabilities_below_peak_5y": 0.0,
    }
    assert x[list(expected)].to_dict() == pytest.approx(expected)


def test_long_term_debt_that_falls_due_shows_in_current_liabilities(schema):
    now = {"long_term_debt": 100.0, "current_liabilities": 340.0}
    x = features(schema, tables({}, now, first=2024))
    assert x["debt_turned_current"] == pytest.approx(0.14)  # 200 left long-term debt, 140 came to current
    assert x["current_liabilities_growth_1y"] == pytest.approx(0.7)
    repaid = features(schema, tables({}, {"long_term_debt": 100.0}, first=2024))
    assert repaid["debt_turned_current"] == 0.0


def test_flows_by_hand(schema):
    now = {"total_assets": 1150.0, "current_assets": 330.0, "retained_earnings": 200.0}
    x = features(schema, tables({}, now, first=2024))
    expected = {
        "investment_to_assets": (820.0 - 700.0 + 50.0) / 1000,
        "funding_gap_to_assets": (170.0 - 130.0) / 1000,
        "payout_to_assets": (80.0 - 50.0) / 1000,
        "equity_raised_to_assets": (150.0 - 50.0) / 1000,
        "liquid_assets_to_assets": 110.0 / 1150,
        "liquid_assets_change_to_assets": 0.03,
        "cash_burn": 0.0,
        "lasting_assets_to_assets": 820.0 / 1150,
        "lasting_assets_growth_1y": 120.0 / 700,
        "depreciation_to_lasting_assets": 50.0 / 700,
        "depreciation_to_revenue": 0.05,
        "ebitda_to_debt": 200.0 / 300,
        "debt_to_lasting_assets": 300.0 / 820,
        "earnings_before_financing_to_debt": 70.0 / 300,
        "long_term_debt_share": 0.5,
    }
    assert x[list(expected)].to_dict() == pytest.approx(expected)
    stated = features(schema, tables({}, now | {"capex": 40.0}, first=2024))
    assert stated["investment_to_assets"] == pytest.approx(0.04)  # what is stated counts


def test_growth_and_losses_by_hand(schema):
    years = [
        {"net_income": one, "revenue": 1000.0 * 1.1**k} for k, one in enumerate((-50.0, 20.0, 60.0, -10.0))
    ]
    x = features(schema, tables(*years, first=2022))
    assert x["loss_years_share_5y"] == 0.5
    assert x["roa_mean_3y"] == pytest.approx(70 / 3000)
    assert x["roa_spread_5y"] == pytest.approx(np.std([-0.05, 0.02, 0.06, -0.01]))
    assert x["revenue_growth_mean_5y"] == pytest.approx(0.1)
    assert x["revenue_growth_spread_5y"] == pytest.approx(0.0, abs=1e-12)
    assert x["revenue_growth_max_5y"] == pytest.approx(0.1)


def test_a_gap_is_missing_and_never_bridged(schema):
    x = features(schema, tables({"long_term_debt": 0.0}, None, {}, first=2023))
    assert np.isnan(x[["debt_moves_5y", "debt_growth_before", "debt_turned_current"]].to_numpy(float)).all()
    assert x["debt_peak_5y"] == pytest.approx(0.3)  # levels of the years there are
    assert x["debt_free_share_5y"] == pytest.approx(0.5)


def test_one_statement_has_levels_and_no_history(schema):
    x = features(schema, tables({}, first=2025))
    assert np.isnan(x["debt_moves_5y"])
    assert np.isnan(x["debt_years_since_issue"])
    assert np.isnan(x["roa_spread_5y"])
    assert x["debt_peak_5y"] == pytest.approx(0.3)


def test_nothing_after_the_date_is_read(schema):
    early, late = ({"long_term_debt": one} for one in (100.0, 900.0))
    known = features(schema, tables(early, {}, first=2023), "2025-12-01")
    ahead = features(schema, tables(early, {}, late, first=2023), "2025-12-01")
    pd.testing.assert_series_equal(known, ahead)


def test_market_value_by_hand(schema):
    book = tables(*({"long_term_debt": 300.0 + 50 * k} for k in range(3)), first=2023)
    values = pd.DataFrame(
        {
            "client_id": "a",
            "month": pd.to_datetime(["2024-05-01", "2025-05-01", "2026-05-01"]),
            "market_value": [500.0, 1000.0, 800.0],
        }
    )
    x = features(schema, book | {"market_values": values})
    change = np.log([800 / 1000, 1000 / 500])
    leverage = np.array([400 / 1200, 350 / 1350, 300 / 800])
    expected = {
        "market_value_change_12m": change[0],
        "market_value_change_12m_before": change[1],
        "market_value_growth_mean_3y": change.mean(),
        "market_value_growth_mean_5y": change.mean(),
        "market_value_spread_5y": change.std(),
        "value_to_assets": 1.4,
        "market_to_equity": 2.0,
        "market_to_revenue": 0.8,
        "enterprise_value_to_ebitda": 6.0,
        "net_income_to_market": 0.1,
        "debt_to_market_capital": leverage[0],
        "debt_to_market_capital_vs_5y": leverage[0] - leverage.mean(),
    }
    assert x[list(expected)].to_dict() == pytest.approx(expected)
