"""The `statements` table: accounts that follow the client's condition, published late, restated, gappy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ._constants import Array, industry_column
from ._state import CONDITION_KEPT

if TYPE_CHECKING:
    from ._book import Book
    from ._rows import Rows

_EVERY = np.array([12, 6, 3, 6])  # months between statements, by segment
_YEARS_BEFORE = 2  # of accounts a new client brings along
LATE_SHARE = 0.05
UNDATED_SHARE = 0.07
RESTATED_SHARE = 0.03
MISSING_SHARE = 0.015

ITEMS = (
    "revenue", "cost_of_sales", "operating_expenses", "depreciation", "ebitda", "ebit", "interest_expense",
    "net_income", "cash", "receivables", "inventory", "current_assets", "fixed_assets", "total_assets",
    "payables", "short_term_debt", "current_liabilities", "long_term_debt", "total_liabilities", "equity",
    "retained_earnings", "operating_cash_flow", "capex",
)  # fmt: skip
# Never missing: without them a statement would not be one.
_ALWAYS = ("revenue", "total_assets")
# A restatement changes the result of the period; the balance sheet stays.
_RESTATED = (
    "revenue",
    "cost_of_sales",
    "operating_expenses",
    "ebitda",
    "ebit",
    "net_income",
    "operating_cash_flow",
)


@dataclass
class _Periods:
    """One row a statement: who, which month ends the period, the condition and size at that time."""

    client: Array
    month: Array
    months: Array
    condition: Array
    log_assets: Array
    plan: Array
    use: Array


def _periods(rows: Rows, rng: np.random.Generator) -> _Periods:
    """Return the periods of the book and, before a client's first month, those it brings along."""
    book, profile = rows.book, rows.book.profile
    offset = book.start.month - 1
    every = _EVERY[profile.segment[rows.client]]
    here = rows.where((rows.month + offset + 1) % every == 0)
    first = np.flatnonzero(np.r_[True, rows.client[1:] != rows.client[:-1]])
    origin = rows.where(np.isin(np.arange(len(rows.month)), first))
    before = []
    for back in range(1, 12 * _YEARS_BEFORE + 12):
        month = origin.month - back
        due = ((month + offset + 1) % _EVERY[profile.segment[origin.client]] == 0) & (
            back <= 12 * _YEARS_BEFORE + 11
        )
        part = origin.where(due)
        kept = CONDITION_KEPT**back
        quality = profile.quality[part.client]
        shock = 0.75 * np.sqrt(1.0 - kept**2) * rng.standard_normal(len(part.month))
        condition = quality + kept * (part.get("condition") - quality) + shock
        before.append((part.client, part.month - back, condition, part.get("log_assets") - 0.003 * back))
    client = np.concatenate([here.client, *(b[0] for b in before)])
    return _Periods(
        client=client,
        month=np.concatenate([here.month, *(b[1] for b in before)]),
        months=_EVERY[profile.segment[client]],
        condition=np.concatenate([here.get("condition"), *(b[2] for b in before)]),
        log_assets=np.concatenate([here.get("log_assets"), *(b[3] for b in before)]),
        plan=np.concatenate([here.get("plan"), np.zeros(len(client) - len(here.month), dtype=bool)]),
        use=1.0 / (1.0 + np.exp(-profile.use[client])),
    )


def _income(book: Book, p: _Periods, rng: np.random.Generator) -> dict[str, Array]:
    """Return the items of the income and cash-flow statement, for the months of the period."""
    n = len(p.client)
    industry = book.profile.industry[p.client]
    own = np.random.default_rng([book.seed, 91]).standard_normal((6, len(book.joined)))[:, p.client]

    def noise(sd: float) -> Array:
        return sd * rng.standard_normal(n)

    share = p.months / 12.0
    assets = np.exp(p.log_assets)
    turnover = industry_column("asset_turnover")[industry] * np.exp(0.2 * own[0])
    revenue = assets * turnover * share * np.exp(0.10 * p.condition + noise(0.06))
    gross = np.clip(
        industry_column("gross_margin")[industry] + 0.03 * own[1] + 0.03 * p.condition + noise(0.012),
        0.01,
        0.9,
    )
    overhead = np.clip(
        industry_column("gross_margin")[industry] * 0.55 - 0.008 * p.condition + noise(0.008), 0.01, 0.8
    )
    cost = revenue * (1.0 - gross)
    opex = revenue * overhead
    fixed = np.clip(0.42 - 0.12 * turnover + 0.05 * own[2], 0.08, 0.75)
    depreciation = 0.055 * fixed * assets * share * np.exp(noise(0.05))
    ebitda = revenue - cost - opex
    ebit = ebitda - depreciation
    debt = np.clip(0.32 + 0.05 * own[3] - 0.06 * p.condition + noise(0.02), 0.02, 0.85) * assets
    interest = debt * share * np.clip(0.048 - 0.003 * p.condition + noise(0.002), 0.02, 0.12)
    before_tax = ebit - interest
    net = before_tax - 0.22 * np.maximum(before_tax, 0.0)
    capex = depreciation * np.exp(0.1 + 0.6 * p.plan + noise(0.35))
    cash_flow = net + depreciation + assets * share * noise(0.02) + 0.01 * p.condition * assets * share
    return {
        "revenue": revenue, "cost_of_sales": cost, "operating_expenses": opex, "depreciation": depreciation,
        "ebitda": ebitda, "ebit": ebit, "interest_expense": interest, "net_income": net,
        "operating_cash_flow": cash_flow, "capex": capex, "total_assets": assets,
        "_debt": debt, "_fixed": fixed,
    }  # fmt: skip


def _balance(book: Book, p: _Periods, income: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Return the items of the balance sheet; both sides add up."""
    n = len(p.client)
    industry = book.profile.industry[p.client]

    def noise(sd: float) -> Array:
        return np.asarray(np.exp(sd * rng.standard_normal(n)))

    assets, debt = income["total_assets"], income.pop("_debt")
    yearly = 12.0 / p.months
    weak = np.exp(-0.10 * p.condition)
    receivables = (
        income["revenue"] * yearly * industry_column("dso_days")[industry] / 365.0 * weak * noise(0.08)
    )
    inventory = (
        income["cost_of_sales"] * yearly * industry_column("dio_days")[industry] / 365.0 * weak * noise(0.08)
    )
    payables = (
        income["cost_of_sales"] * yearly * industry_column("dpo_days")[industry] / 365.0 * weak * noise(0.08)
    )
    cash = assets * np.clip(0.07 * np.exp(0.35 * p.condition) * noise(0.2), 0.002, 0.4)
    current = receivables + inventory + cash + assets * 0.04 * noise(0.2)
    shrink = np.minimum(1.0, 0.92 * assets / current)
    receivables, inventory, cash, current = (
        item * shrink for item in (receivables, inventory, cash, current)
    )
    payables = np.minimum(payables, 0.45 * assets)
    short = debt * np.clip(0.42 - 0.07 * p.condition + 0.15 * p.use, 0.05, 0.9)
    current_liabilities = payables + short + assets * 0.05 * noise(0.2)
    long = debt - short
    liabilities = current_liabilities + long + assets * 0.03 * noise(0.3)
    equity = assets - liabilities
    fixed = np.minimum(income.pop("_fixed") * assets, assets - current)
    return {
        "cash": cash, "receivables": receivables, "inventory": inventory, "current_assets": current,
        "fixed_assets": fixed, "payables": payables, "short_term_debt": short,
        "current_liabilities": current_liabilities, "long_term_debt": long, "total_liabilities": liabilities,
        "equity": equity, "retained_earnings": equity * 0.55 + assets * 0.04 * p.condition,
    }  # fmt: skip


def statements_table(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `statements` table, with what was published while the client was one and the book open."""
    book = rows.book
    p = _periods(rows, rng)
    income = _income(book, p, rng)
    items = income | _balance(book, p, income, rng)
    n = len(p.client)
    end = (np.datetime64(book.start, "M") + p.month + 1).astype("datetime64[D]") - 1
    lag = np.round(60 + 90 * rng.beta(2.0, 2.5, n)).astype(np.int64)
    lag = np.where(rng.random(n) < LATE_SHARE, lag + rng.integers(60, 150, n), lag)
    published = end + lag
    undated = rng.random(n) < UNDATED_SHARE
    restated = np.flatnonzero((rng.random(n) < RESTATED_SHARE) & ~undated)
    which = np.r_[np.arange(n), restated]
    again = np.arange(len(which)) >= n
    known = np.where(undated, end + np.timedelta64(120, "D"), published)[which]
    known = known + np.where(again, rng.integers(60, 240, len(which)), 0)
    table: dict[str, Array] = {}
    change = np.where(again, 1.0 + 0.04 * rng.standard_normal(len(which)), 1.0)
    for name in ITEMS:
        factor = change if name in _RESTATED else 1.0
        values = np.round(items[name][which] * factor)
        gap = rng.random(len(which)) < (0.0 if name in _ALWAYS else MISSING_SHARE)
        table[name] = np.where(gap, np.nan, values)
    closes = (np.datetime64(book.start, "M") + _last_month(rows)[p.client] + 1).astype("datetime64[D]")
    keep = known <= closes[which]
    hidden = undated[which] & ~again
    head = {
        "client_id": rows.ids.take(p.client[which]),
        "period_end": end[which].astype("datetime64[us]"),
        "published_at": np.where(hidden, np.datetime64("NaT"), known).astype("datetime64[us]"),
        "period_months": p.months[which].astype(float),
    }
    order = np.lexsort((known, end[which], p.client[which]))
    order = order[keep[order]]
    return pd.DataFrame(head | table).iloc[order].reset_index(drop=True)


def _last_month(rows: Rows) -> Array:
    """Return the last month at whose end each client was one; long ago for those never seen."""
    last = np.full(len(rows.book.joined), -1200)
    np.maximum.at(last, rows.client, rows.month)
    return last
