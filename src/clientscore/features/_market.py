"""The market pillar: the client's sector, interest rates, its market value, the season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ._arrays import logarithm, ratio
from ._financing import HISTORY_YEARS, mean_of, spread_of
from ._months import YEAR, MonthGrid

if TYPE_CHECKING:
    from ._arrays import Numbers
    from ._book import View
    from ._financial import FinancialFacts

WHOLE_MARKET = "*"
_SECTOR_COLUMNS = {
    "sector_growth": "sector_growth",
    "policy_rate": "policy_rate",
    "credit_rate": "credit_rate",
    "spread": "credit_spread",
    "sector_default_rate": "sector_default_rate",
}


def market_features(view: View, facts: FinancialFacts) -> dict[str, Numbers]:
    """Compute the market pillar; ``as_of_month`` (1 to 12) is the calendar's and always there."""
    features = {"as_of_month": np.full(view.n_clients, float(view.as_of.month))}
    return features | _sector_features(view) | _value_features(view, facts)


def _sector_features(view: View) -> dict[str, Numbers]:
    """Take the latest figure of the client's industry, else of the whole market (sector "*")."""
    if not view.has("market"):
        return {}
    latest = view.tables["market"].groupby("sector", sort=False)[_present_columns(view)].last()
    industry = (
        view.clients["industry"] if "industry" in view.clients else pd.Series(pd.NA, view.clients.index)
    )
    row = latest.index.get_indexer(pd.Index(industry))
    whole = latest.index.get_indexer([WHOLE_MARKET])[0]
    features = {}
    for column in latest.columns:
        values = np.append(latest[column].to_numpy(dtype=np.float64), np.nan)  # row -1: unknown sector
        own = values[row]
        features[_SECTOR_COLUMNS[column]] = np.where(np.isnan(own), values[whole], own)
    return features


def _present_columns(view: View) -> list[str]:
    return [column for column in _SECTOR_COLUMNS if column in view.tables["market"]]


def _value_features(view: View, facts: FinancialFacts) -> dict[str, Numbers]:
    if not view.has("market_values"):
        return {}
    grid = MonthGrid(view, "market_values", years=HISTORY_YEARS)
    values = grid.last("market_value")
    yearly = np.stack([grid.level(values, YEAR * back) for back in range(HISTORY_YEARS + 1)])
    value, logs = yearly[0], logarithm(yearly)
    change = logs[:-1] - logs[1:]
    leverage = ratio(facts.debt_years, facts.debt_years + yearly)
    return {
        "market_value_log": logs[0],
        "market_to_assets": ratio(value, facts.total_assets),
        "market_to_liabilities": ratio(value, facts.total_liabilities),
        "market_value_change_12m": change[0],
        "market_value_change_12m_before": change[1],
        "market_value_growth_mean_3y": mean_of(change[:3]),
        "market_value_growth_mean_5y": mean_of(change),
        "market_value_spread_5y": spread_of(change),
        "value_to_assets": ratio(value + facts.total_liabilities, facts.total_assets),
        "market_to_equity": ratio(value, facts.equity),
        "market_to_revenue": ratio(value, facts.revenue),
        "enterprise_value_to_ebitda": ratio(value + facts.debt, facts.ebitda),
        "net_income_to_market": ratio(facts.net_income, value),
        "debt_to_market_capital": leverage[0],
        "debt_to_market_capital_vs_5y": leverage[0] - mean_of(leverage),
    }
