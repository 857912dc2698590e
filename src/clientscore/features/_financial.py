"""The financial pillar: ratios of the statements, their changes and their distance from own history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clientscore.catalogue import base_features, derived_suffixes

from ._arrays import logarithm, ratio
from ._financing import YearlyItems, financing_features
from ._statements import Statements, read_statements, take

if TYPE_CHECKING:
    from ._arrays import Counts, Numbers
    from ._book import View

_PASSED_ON = ("revenue", "total_assets", "total_liabilities", "debt", "equity", "ebitda", "net_income")
_YEARS_BACK = {"_change_1y": 12, "_change_2y": 24, "_change_3y": 36}


@dataclass(frozen=True)
class FinancialFacts:
    """Features of the pillar, and amounts of the latest statement that other pillars divide by."""

    features: dict[str, Numbers]
    revenue: Numbers
    total_assets: Numbers
    total_liabilities: Numbers
    debt: Numbers
    equity: Numbers
    ebitda: Numbers
    net_income: Numbers
    debt_years: Numbers  # the latest statement and those of the five years before: (6, n_clients)


def financial_features(view: View) -> FinancialFacts:
    """Compute the financial pillar for every client of the view.

    A ratio is missing where an item is, or where its denominator is zero or negative and the quotient would
    mislead (debt to a negative EBITDA looks like a strong client): the weakness itself then shows in ratios
    whose denominators stay positive, such as ``ebitda_margin`` or ``ebitda_to_liabilities``.
    Nothing is capped.
    """
    statements = read_statements(view)
    items = complete_items(statements.items)
    everyone = np.arange(statements.owner.size, dtype=np.int64)
    levels = _ratios(items) | _growth(items, statements.earlier(everyone, 12))
    features: dict[str, Numbers] = {}
    lags = {suffix: _lag(statements, months) for suffix, months in _YEARS_BACK.items()}
    for name in base_features("financial"):
        if name not in levels:
            continue
        now = features[name] = statements.of_current(levels[name])
        suffixes = derived_suffixes(name)
        for suffix in (suffix for suffix in suffixes if suffix in lags):
            features[name + suffix] = now - take(levels[name], lags[suffix])
        if "_vs_history" in suffixes:
            features[name + "_vs_history"] = now - _mean_before(statements, levels[name])
    years = YearlyItems(statements, items)
    features |= financing_features(years)
    features["statement_age_days"] = _age_days(view, statements)
    return FinancialFacts(
        features,
        **{name: statements.of_current(items[name]) for name in _PASSED_ON},
        debt_years=years.item("debt"),
    )


def complete_items(raw: dict[str, Numbers]) -> dict[str, Numbers]:
    """Fill items that follow from others, where a statement leaves them out.

    Equity = assets - liabilities and back; EBITDA = EBIT + depreciation and back; debt = short-term +
    long-term debt, or whichever of the two is there.
    """
    items = dict(raw)
    items["equity"] = _else(raw["equity"], raw["total_assets"] - raw["total_liabilities"])
    items["total_liabilities"] = _else(raw["total_liabilities"], raw["total_assets"] - raw["equity"])
    items["ebitda"] = _else(raw["ebitda"], raw["ebit"] + raw["depreciation"])
    items["ebit"] = _else(raw["ebit"], raw["ebitda"] - raw["depreciation"])
    short, long = raw["short_term_debt"], raw["long_term_debt"]
    items["debt"] = _else(_else(short + long, long), short)
    return items


def _else(values: Numbers, fallback: Numbers) -> Numbers:
    return np.where(np.isnan(values), fallback, values)


def _ratios(items: dict[str, Numbers]) -> dict[str, Numbers]:
    """Compute every ratio of one statement on its own."""
    i = items
    assets, revenue, cost = i["total_assets"], i["revenue"], i["cost_of_sales"]
    working_capital = i["current_assets"] - i["current_liabilities"]
    days = {
        "dso_days": 365.0 * ratio(i["receivables"], revenue),
        "dio_days": 365.0 * ratio(i["inventory"], cost),
        "dpo_days": 365.0 * ratio(i["payables"], cost),
    }
    return days | {
        "current_ratio": ratio(i["current_assets"], i["current_liabilities"]),
        "quick_ratio": ratio(i["current_assets"] - i["inventory"], i["current_liabilities"]),
        "cash_ratio": ratio(i["cash"], i["current_liabilities"]),
        "working_capital_to_assets": ratio(working_capital, assets),
        "cash_to_assets": ratio(i["cash"], assets),
        "current_liabilities_to_assets": ratio(i["current_liabilities"], assets),
        "liabilities_to_assets": ratio(i["total_liabilities"], assets),
        "debt_to_assets": ratio(i["debt"], assets),
        "long_term_debt_to_assets": ratio(i["long_term_debt"], assets),
        "debt_to_equity": ratio(i["debt"], i["equity"]),
        "debt_to_ebitda": ratio(i["debt"], i["ebitda"]),
        "net_debt_to_ebitda": ratio(i["debt"] - i["cash"], i["ebitda"]),
        "interest_cover": ratio(i["ebit"], i["interest_expense"]),
        "dscr": ratio(i["ebitda"], i["interest_expense"] + i["short_term_debt"]),
        "cash_flow_to_debt": ratio(i["operating_cash_flow"], i["debt"]),
        "ebitda_to_liabilities": ratio(i["ebitda"], i["total_liabilities"]),
        "gross_margin": ratio(revenue - cost, revenue),
        "ebitda_margin": ratio(i["ebitda"], revenue),
        "ebit_margin": ratio(i["ebit"], revenue),
        "net_margin": ratio(i["net_income"], revenue),
        "ebit_to_assets": ratio(i["ebit"], assets),
        "roa": ratio(i["net_income"], assets),
        "roe": ratio(i["net_income"], i["equity"]),
        "operating_expenses_to_revenue": ratio(i["operating_expenses"], revenue),
        "asset_turnover": ratio(revenue, assets),
        "cash_cycle_days": days["dso_days"] + days["dio_days"] - days["dpo_days"],
        "short_term_debt_share": ratio(i["short_term_debt"], i["debt"]),
        "receivables_to_assets": ratio(i["receivables"], assets),
        "inventory_to_assets": ratio(i["inventory"], assets),
        "fixed_assets_to_assets": ratio(i["fixed_assets"], assets),
        "retained_earnings_to_assets": ratio(i["retained_earnings"], assets),
        "capex_to_depreciation": ratio(i["capex"], i["depreciation"]),
        "log_assets": logarithm(assets),
        "log_revenue": logarithm(revenue),
        "altman_z": _altman_z(items, working_capital),
    }


def _altman_z(items: dict[str, Numbers], working_capital: Numbers) -> Numbers:
    """Z' of firms without a market value (book equity in place of it).

    References
    ----------
    Altman, E. I. (1968), Financial ratios, discriminant analysis and the prediction of corporate bankruptcy,
    Journal of Finance 23(4), doi 10.1111/j.1540-6261.1968.tb00843.x; Z' as revised in Altman, E. I. (1983),
    Corporate Financial Distress, Wiley.
    """
    assets = items["total_assets"]
    return (
        0.717 * ratio(working_capital, assets)
        + 0.847 * ratio(items["retained_earnings"], assets)
        + 3.107 * ratio(items["ebit"], assets)
        + 0.420 * ratio(items["equity"], items["total_liabilities"])
        + 0.998 * ratio(items["revenue"], assets)
    )


def _growth(items: dict[str, Numbers], before: Counts) -> dict[str, Numbers]:
    """Compute growth over the statement a year before, row by row."""
    revenue, assets, debt = (take(items[name], before) for name in ("revenue", "total_assets", "debt"))
    return {
        "revenue_growth_1y": ratio(items["revenue"] - revenue, revenue),
        "assets_growth_1y": ratio(items["total_assets"] - assets, assets),
        "debt_growth_1y": ratio(items["debt"] - debt, assets),
    }


def _lag(statements: Statements, months: int) -> Counts:
    """Find each client's statement `months` before its latest, -1 where there is none."""
    lag = np.full(statements.current.shape, -1, dtype=np.int64)
    have = np.flatnonzero(statements.current >= 0)
    lag[have] = statements.earlier(statements.current[have], months)
    return lag


def _mean_before(statements: Statements, values: Numbers) -> Numbers:
    """Mean of a client's statements before its latest; summed client by client, so chunks do not matter."""
    usable = ~np.isnan(values)
    have = statements.current >= 0
    usable[statements.current[have]] = False
    n = statements.current.size
    total = np.bincount(statements.owner[usable], weights=values[usable], minlength=n)
    count = np.bincount(statements.owner[usable], minlength=n)
    return ratio(np.asarray(total, dtype=np.float64), np.asarray(count, dtype=np.float64))


def _age_days(view: View, statements: Statements) -> Numbers:
    return view.day - statements.of_current(statements.end_day.astype(np.float64))
