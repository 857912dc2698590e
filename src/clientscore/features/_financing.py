"""How a client has paid for its assets: past borrowing, repayment, investment and payout, five years back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._arrays import missing, ratio

if TYPE_CHECKING:
    from ._arrays import Flags, Numbers
    from ._statements import Statements

HISTORY_YEARS = 5
_LARGE = 0.10  # of assets: a year's new debt that is an issue, not a drift
_NO_DEBT = 0.005  # of assets: less is none
_MOST = 1.0  # of assets: larger yearly moves count as this much


def financing_features(years: YearlyItems) -> dict[str, Numbers]:
    """Compute the financing history of each client's latest statement.

    Every year is that of a statement twelve months before the next, so a gap is missing and never bridged.
    A yearly change is in units of the assets before it.  Windows of five years take the years that are
    there: a mean, a maximum or a share needs one.
    """
    return _debt_history(years) | _refinancing(years) | _flows(years) | _growth(years)


class YearlyItems:
    """Items of the latest statement and of the five before it, each year's shape (n_clients,)."""

    def __init__(self, statements: Statements, items: dict[str, Numbers]) -> None:
        rows = [statements.current]
        for back in range(1, HISTORY_YEARS + 1):
            found = np.full(statements.current.shape, -1, dtype=np.int64)
            have = np.flatnonzero(statements.current >= 0)
            found[have] = statements.earlier(statements.current[have], 12 * back)
            rows.append(found)
        self._rows, self._items = np.stack(rows), items

    def item(self, name: str) -> Numbers:
        """Return an item, the latest first: (6, n_clients)."""
        values = self._items[name]
        if not values.size:
            return np.full(self._rows.shape, np.nan)
        return np.where(self._rows >= 0, values[self._rows], np.nan)

    def to_assets(self, values: Numbers) -> Numbers:
        """Divide by the assets of the same year."""
        return ratio(values, self.item("total_assets"))

    def change(self, values: Numbers) -> Numbers:
        """Return what each year added, in units of the assets before: (5, n_clients)."""
        return ratio(values[:-1] - values[1:], self.item("total_assets")[1:])


def _debt_history(years: YearlyItems) -> dict[str, Numbers]:
    """How much, how often and how far up this client has borrowed."""
    debt, liabilities = years.item("debt"), years.item("total_liabilities")
    added, level = years.change(debt), years.to_assets(debt)
    grown = years.change(liabilities)
    return {
        "debt_moves_3y": mean_of(np.minimum(np.abs(added[:3]), _MOST)),
        "debt_moves_5y": mean_of(np.minimum(np.abs(added), _MOST)),
        "debt_raised_max_5y": _highest(added),
        "debt_repaid_max_5y": _highest(-added),
        "debt_issues_share_5y": _share(added, added > _LARGE),
        "debt_growth_before": added[1],
        "debt_growth_two_before": added[2],
        "debt_moves_spread_5y": spread_of(added),
        "debt_years_since_issue": _years_since(added > _LARGE),
        "debt_above_mean_5y": level[0] - mean_of(level),
        "debt_above_low_5y": level[0] + _highest(-level),
        "debt_peak_5y": _highest(level),
        "debt_below_peak_5y": _below_peak(level),
        "debt_free_share_5y": _share(level, level <= _NO_DEBT),
        "liabilities_moves_5y": mean_of(np.minimum(np.abs(grown), _MOST)),
        "liabilities_growth_to_assets": grown[0],
        "liabilities_issues_share_5y": _share(grown, grown > _LARGE),
        "liabilities_below_peak_5y": _below_peak(years.to_assets(liabilities)),
    }


def _refinancing(years: YearlyItems) -> dict[str, Numbers]:
    """Tell what falls due, and what there is to carry debt.

    Long-term debt that falls while current liabilities rise by as much has become due within the year: it has
    to be paid, or raised again.
    """
    long_term, current = years.item("long_term_debt"), years.item("current_liabilities")
    fallen, risen = -years.change(long_term), years.change(current)
    due = np.minimum(np.maximum(fallen, 0.0), np.maximum(risen, 0.0))
    debt, ebitda, total = years.item("debt")[0], years.item("ebitda")[0], years.item("total_liabilities")[0]
    lasting = _lasting_assets(years)[0]
    return {
        "debt_turned_current": due[0],
        "long_term_debt_share": ratio(long_term[0], total),
        "ebitda_to_debt": ratio(ebitda, debt),
        "debt_to_lasting_assets": ratio(debt, lasting),
        "earnings_before_financing_to_debt": ratio(years.item("ebit")[0] - years.item("net_income")[0], debt),
        "current_liabilities_growth_1y": _growth_of(current),
    }


def _flows(years: YearlyItems) -> dict[str, Numbers]:
    """Where the money went and where it came from: investment, earnings, payout, equity."""
    lasting, assets = _lasting_assets(years), years.item("total_assets")
    wear = years.item("depreciation")[:-1]
    spent = np.where(
        np.isnan(years.item("capex")[:-1]), lasting[:-1] - lasting[1:] + wear, years.item("capex")[:-1]
    )
    investment = ratio(spent, assets[1:])
    earned = ratio(years.item("net_income")[:-1] + wear, assets[1:])
    equity, kept = years.item("equity"), years.item("retained_earnings")
    payout = ratio(years.item("net_income")[:-1] - (kept[:-1] - kept[1:]), assets[1:])
    raised = years.change(equity) - years.change(kept)
    liquid = years.item("current_assets") - years.item("inventory") - years.item("receivables")
    burnt = np.maximum(-(years.item("net_income")[0] + years.item("depreciation")[0]), 0.0)
    return {
        "investment_to_assets": investment[0],
        "investment_mean_3y": mean_of(investment[:3]),
        "investment_max_5y": _highest(investment),
        "funding_gap_to_assets": investment[0] - earned[0],
        "funding_gap_mean_3y": mean_of((investment - earned)[:3]),
        "payout_to_assets": payout[0],
        "payout_mean_3y": mean_of(payout[:3]),
        "equity_raised_to_assets": raised[0],
        "equity_raised_mean_3y": mean_of(raised[:3]),
        "liquid_assets_to_assets": ratio(liquid[0], assets[0]),
        "liquid_assets_change_to_assets": years.change(liquid)[0],
        "cash_burn": ratio(burnt, liquid[0]),
        "lasting_assets_to_assets": ratio(lasting[0], assets[0]),
        "depreciation_to_revenue": ratio(years.item("depreciation")[0], years.item("revenue")[0]),
        "depreciation_to_lasting_assets": ratio(wear[0], lasting[1]),
    }


def _growth(years: YearlyItems) -> dict[str, Numbers]:
    """How fast and how steadily the business has grown and earned."""
    revenue, assets = years.item("revenue"), years.item("total_assets")
    roa = years.to_assets(years.item("net_income"))
    sales = np.clip(ratio(revenue[:-1] - revenue[1:], revenue[1:]), -_MOST, 5.0)
    grown = np.clip(ratio(assets[:-1] - assets[1:], assets[1:]), -_MOST, 5.0)
    return {
        "revenue_growth_mean_5y": mean_of(sales),
        "revenue_growth_max_5y": _highest(sales),
        "revenue_growth_spread_5y": spread_of(sales),
        "assets_growth_mean_5y": mean_of(grown),
        "lasting_assets_growth_1y": _growth_of(_lasting_assets(years)),
        "roa_mean_3y": mean_of(roa[:3]),
        "roa_spread_5y": spread_of(roa),
        "loss_years_share_5y": _share(roa, roa < 0),
    }


def _lasting_assets(years: YearlyItems) -> Numbers:
    """Assets held for longer than a year."""
    return years.item("total_assets") - years.item("current_assets")


def _growth_of(values: Numbers) -> Numbers:
    return ratio(values[0] - values[1], values[1])


def _below_peak(level: Numbers) -> Numbers:
    return np.asarray(_highest(level) - level[0])


def mean_of(values: Numbers) -> Numbers:
    """Mean of the years there are; added year by year, so chunks do not matter."""
    total, count = _sums(values)
    return ratio(total, count)


def spread_of(values: Numbers) -> Numbers:
    """Return the standard deviation over the years there are, of at least two."""
    total, count = _sums(values)
    mean = ratio(total, count)
    square, _ = _sums((values - mean) ** 2)
    return np.sqrt(ratio(square, np.where(count > 1, count, 0.0)))


def _share(known: Numbers, hit: Flags) -> Numbers:
    """Share of the years there are that hit."""
    there = ~np.isnan(known)
    return ratio((there & hit).sum(axis=0).astype(np.float64), there.sum(axis=0).astype(np.float64))


def _years_since(hit: Flags) -> Numbers:
    """Return the years to the latest hit, 0 for the last year; missing where none did."""
    return np.where(hit.any(axis=0), hit.argmax(axis=0).astype(np.float64), np.nan)


def _highest(values: Numbers) -> Numbers:
    highest = np.fmax.reduce(values, axis=0) if len(values) else missing(values.shape[1])
    return np.asarray(highest, dtype=np.float64)


def _sums(values: Numbers) -> tuple[Numbers, Numbers]:
    there = ~np.isnan(values)
    total = np.zeros(values.shape[1])
    for row in np.where(there, values, 0.0):
        total = total + row
    return total, there.sum(axis=0).astype(np.float64)
