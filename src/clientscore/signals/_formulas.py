"""How the value of each signal is computed: from the panel of a date to one value a date and client.

Every formula takes the panel and the signal and returns an array of shape (dates, clients): row 0 is the date
itself, the rows below are the same day of the months before. What is not known is missing.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from clientscore.labels.grids import quotient

from ._panel import growth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._panel import Flags, Numbers, Panel
    from ._spec import SignalSpec

__all__ = ["FORMULAS"]

_YEAR = 12
_SHORT = 3
_ANSWER_MONTHS = 24
_MEETING_MONTHS = 24
_DEBT_FALL = 0.05  # a fall of debt from which a lower use of lines is deleveraging


# ------------------------------------------------------------------------------------------ of any column
def _first(panel: Panel, spec: SignalSpec, how: str = "last") -> Numbers:
    """Lay out the first column that the signal reads."""
    table, column = spec.columns[0]
    grid: Numbers = getattr(panel, how)(table, column)
    return grid


def _change(panel: Panel, spec: SignalSpec) -> Numbers:
    """Mean of three months over the mean of the twelve before, less 1."""
    grid = _first(panel, spec)
    return growth(panel.mean(grid, 0, _SHORT), panel.mean(grid, _SHORT, _SHORT + _YEAR))


def _year_change(panel: Panel, spec: SignalSpec) -> Numbers:
    """Mean of three months over that of the same three a year before, less 1: the season cancels."""
    grid = _first(panel, spec)
    return growth(panel.mean(grid, 0, _SHORT), panel.mean(grid, _YEAR, _YEAR + _SHORT))


def _lowest_share(panel: Panel, spec: SignalSpec) -> Numbers:
    """Lowest value of three months over the mean of the twelve before."""
    grid = _first(panel, spec)
    return quotient(panel.extreme(grid, _SHORT, lowest=True), panel.mean(grid, _SHORT, _SHORT + _YEAR))


def _level(panel: Panel, spec: SignalSpec) -> Numbers:
    return panel.level(_first(panel, spec))


def _delta(panel: Panel, spec: SignalSpec) -> Numbers:
    grid = _first(panel, spec)
    return panel.level(grid) - panel.level(grid, spec.months)


def _growth(panel: Panel, spec: SignalSpec) -> Numbers:
    grid = _first(panel, spec)
    return growth(panel.level(grid), panel.level(grid, spec.months))


def _mean(panel: Panel, spec: SignalSpec) -> Numbers:
    return panel.mean(_first(panel, spec), 0, spec.months, min_share=0.0)


def _sum(panel: Panel, spec: SignalSpec) -> Numbers:
    return panel.sum(_first(panel, spec), spec.months)


def _highest(panel: Panel, spec: SignalSpec) -> Numbers:
    return panel.extreme(_first(panel, spec, "highest"), spec.months)


def _total_level(panel: Panel, spec: SignalSpec) -> Numbers:
    return panel.level(_first(panel, spec, "total"))


def _total_change(panel: Panel, spec: SignalSpec) -> Numbers:
    grid = _first(panel, spec, "total")
    return growth(panel.level(grid), panel.level(grid, spec.months))


def _events(panel: Panel, spec: SignalSpec) -> Numbers:
    return panel.sum(panel.counts(spec.words), spec.months)


def _latest_answer(panel: Panel, spec: SignalSpec) -> Numbers:
    answers = panel.answers(spec.columns[0][1])
    out = np.full((panel.n_dates, panel.n_clients), np.nan)
    for values in panel.window(answers, 0, _ANSWER_MONTHS):
        out = np.where(np.isnan(out), values, out)
    return out


# ----------------------------------------------------------------------------------- deposits and payments
def _net_outflow(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001 - one form for all formulas
    paid_in = panel.mean(panel.last("interactions", "inflow_amount"), 0, _SHORT)
    paid_out = panel.mean(panel.last("interactions", "outflow_amount"), 0, _SHORT)
    return quotient(paid_out - paid_in, paid_out + paid_in)


def _wallet_share(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    inflow = panel.mean(panel.last("interactions", "inflow_amount"), 0, _YEAR)
    return np.minimum(quotient(12.0 * inflow, panel.of_latest(panel.item("revenue", flow=True))), 1.0)


def _fee_rate_change(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    fees = panel.last("interactions", "fee_income_amount")
    flow = panel.last("interactions", "inflow_amount")
    both = ~np.isnan(fees) & ~np.isnan(flow)
    fees, flow = np.where(both, fees, np.nan), np.where(both, flow, np.nan)
    now = quotient(panel.mean(fees, 0, _SHORT), panel.mean(flow, 0, _SHORT))
    end = _SHORT + _YEAR
    return growth(now, quotient(panel.mean(fees, _SHORT, end), panel.mean(flow, _SHORT, end)))


def _overdraft_months(panel: Panel, spec: SignalSpec) -> Numbers:
    balance = panel.last("interactions", "balance_amount")
    return panel.sum(_flag(balance < 0, balance), spec.months)


def _balance_to_debt(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    balance = panel.mean(panel.last("interactions", "balance_amount"), 0, _SHORT)
    return quotient(balance, panel.of_latest(panel.debt()))


# ------------------------------------------------------------------------------------------------- lending
def _used(panel: Panel) -> Numbers:
    """Lay out the utilization of each month."""
    return quotient(panel.total("facilities", "drawn_amount"), panel.total("facilities", "limit_amount"))


def _utilization(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    return panel.mean(_used(panel), 0, _SHORT, min_share=0.0)


def _utilization_delta(panel: Panel, spec: SignalSpec) -> Numbers:
    used = _used(panel)
    return panel.level(used) - panel.level(used, spec.months)


def _utilization_fall(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    """Change of utilization in six months; 0 for a fall that comes with a fall of reported debt."""
    used = _used(panel)
    change = panel.level(used) - panel.level(used, 6)
    debt = growth(panel.of_latest(panel.debt()), panel.of_year_before(panel.debt()))
    paid_back = (change < 0) & (debt <= -_DEBT_FALL)
    unknown = (change < 0) & np.isnan(debt)
    return np.where(unknown, np.nan, np.where(paid_back, 0.0, change))


def _unused_limit_share(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    return 1.0 - panel.mean(_used(panel), 0, 6)


def _ahead(panel: Panel, months: int) -> Numbers:
    """Tell for each row of facilities whether it matures later than `months` after its own date."""
    back = panel.months_back("facilities")
    inside = (back >= 0) & (back < panel.depth)
    limit = panel.day(np.where(inside, back, 0) - months)
    due = panel.values("facilities", "maturity_date")
    return np.where(np.isnan(due) | ~inside, np.nan, (due > limit).astype(np.float64))


def _maturity_without_renewal(panel: Panel, spec: SignalSpec) -> Numbers:
    """Share of lines due within six months; 0 where a renewal or drawing came in the last six."""
    limit, drawn = (panel.values("facilities", f"{name}_amount") for name in ("limit", "drawn"))
    weight = np.fmax(limit, drawn)
    later = _ahead(panel, 6)
    due = panel.laid("facilities", weight * (1.0 - later))
    share = panel.level(quotient(due, panel.laid("facilities", np.where(np.isnan(later), np.nan, weight))))
    words = (*spec.words, *panel.schema.drawing_events)
    renewed = panel.sum(panel.counts(words), 6) > 0
    return np.where(renewed & ~np.isnan(share), 0.0, share)


def _prepayment(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    """Fall over three months of loans that still had more than six months to run."""
    drawn = panel.values("facilities", "drawn_amount")

    def running(months: int) -> Numbers:
        later = _ahead(panel, months)
        return panel.laid("facilities", np.where(later > 0, drawn, np.where(np.isnan(later), np.nan, 0.0)))

    return -growth(panel.level(running(6)), panel.level(running(6 + _SHORT), _SHORT))


def _debt_here_share(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    drawn = panel.level(panel.total("facilities", "drawn_amount"))
    return np.minimum(quotient(drawn, panel.of_latest(panel.debt())), 1.0)


def _quote_without_drawing(panel: Panel, spec: SignalSpec) -> Numbers:
    quotes = panel.sum(panel.counts(spec.words), spec.months)
    drawn = panel.sum(panel.counts(panel.schema.drawing_events), spec.months)
    return np.where(drawn > 0, 0.0, quotes)


def _price_over_market(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    rate, drawn = panel.values("facilities", "rate"), panel.values("facilities", "drawn_amount")
    known = np.where(np.isnan(rate), np.nan, drawn)
    mean = quotient(panel.laid("facilities", rate * drawn), panel.laid("facilities", known))
    return panel.level(mean) - panel.level(panel.sector("credit_rate"))


def _excess_months(panel: Panel, spec: SignalSpec) -> Numbers:
    limit, drawn = panel.values("facilities", "limit_amount"), panel.values("facilities", "drawn_amount")
    above = panel.laid("facilities", _flag(drawn > limit, limit + drawn), "highest")
    return panel.sum(above, spec.months)


def _undrawn_change(panel: Panel, spec: SignalSpec) -> Numbers:
    limit, drawn = (panel.total("facilities", f"{name}_amount") for name in ("limit", "drawn"))
    undrawn = np.maximum(limit - drawn, 0.0)
    return growth(panel.level(undrawn), panel.level(undrawn, spec.months))


def _of_products(panel: Panel, spec: SignalSpec) -> Numbers:
    """Tell for each row of facilities whether its product is one of the signal's words."""
    product = panel.book["facilities"]["product"]
    return np.asarray(product.isin(spec.words).to_numpy(dtype=np.float64))


def _product_limit_change(panel: Panel, spec: SignalSpec) -> Numbers:
    """Change of the limits of some products; one that is gone counts as 0 while the client has others."""
    limit = panel.values("facilities", "limit_amount")
    total = panel.laid("facilities", np.where(np.isnan(limit), np.nan, limit * _of_products(panel, spec)))
    return growth(panel.level(total), panel.level(total, spec.months))


def _product_lost(panel: Panel, spec: SignalSpec) -> Numbers:
    """1 for a product held within the year and not in the latest month, missing where it never was."""
    held = panel.laid("facilities", _of_products(panel, spec), "highest")
    now = panel.level(held)
    ever = panel.extreme(held, _YEAR) > 0
    return np.where(ever & ~np.isnan(now), 1.0 - now, np.nan)


def _collateral_change(panel: Panel, spec: SignalSpec) -> Numbers:
    collateral, drawn = (panel.total("facilities", f"{name}_amount") for name in ("collateral", "drawn"))
    cover = quotient(collateral, drawn)
    return growth(panel.level(cover), panel.level(cover, spec.months))


# ---------------------------------------------------------------------------------------- service, people
def _codes(panel: Panel, spec: SignalSpec) -> tuple[Numbers, Numbers]:
    """Lay out a column of ids as numbers, and where the client has a row."""
    table, column = spec.columns[0]
    codes = panel.book[table][column].factorize()[0].astype(np.float64)
    rows = panel.laid(table, np.ones(len(codes)), "last")
    return panel.laid(table, np.where(codes < 0, np.nan, codes), "last"), rows


def _code_changes(panel: Panel, spec: SignalSpec) -> Numbers:
    codes, _ = _codes(panel, spec)
    before = np.full(codes.shape, np.nan)
    running = np.full(codes.shape[1], np.nan)
    for back in range(len(codes) - 1, -1, -1):  # the last one known before each month
        before[back] = running
        running = np.where(np.isnan(codes[back]), running, codes[back])
    return panel.sum(_flag(codes != before, codes), spec.months)


def _code_missing(panel: Panel, spec: SignalSpec) -> Numbers:
    codes, rows = _codes(panel, spec)
    return panel.sum(_flag(np.isnan(codes), rows), spec.months)


def _months_since(panel: Panel, spec: SignalSpec) -> Numbers:
    """Months since the last one with a value above 0; without any, the months on record."""
    grid = _first(panel, spec)
    since = np.full((panel.n_dates, panel.n_clients), np.nan)
    on_record = np.zeros((panel.n_dates, panel.n_clients))
    for back, values in enumerate(panel.window(grid, 0, _MEETING_MONTHS)):
        on_record = np.where(np.isnan(values), on_record, back + 1.0)
        since = np.where(np.isnan(since) & (values > 0), float(back), since)
    return np.where(np.isnan(since), np.where(on_record > 0, on_record, np.nan), since)


# ------------------------------------------------------------------------------------ market and statements
def _sector_level(panel: Panel, spec: SignalSpec) -> Numbers:
    return panel.level(panel.sector(spec.columns[0][1]))


def _sector_delta(panel: Panel, spec: SignalSpec) -> Numbers:
    grid = panel.sector(spec.columns[0][1])
    return panel.level(grid) - panel.level(grid, spec.months)


def _sector_change(panel: Panel, spec: SignalSpec) -> Numbers:
    grid = panel.sector(spec.columns[0][1])
    return growth(panel.level(grid), panel.level(grid, spec.months))


def _reported(top: str, bottom: str) -> Callable[[Panel, SignalSpec], Numbers]:
    """Return the formula of a quotient of two items of the latest statement."""

    def formula(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
        return quotient(panel.of_latest(_item(panel, top)), panel.of_latest(_item(panel, bottom)))

    return formula


def _item(panel: Panel, name: str) -> Numbers:
    flows = ("revenue", "ebitda", "ebit", "interest_expense", "net_income")
    return panel.debt() if name == "debt" else panel.item(name, flow=name in flows)


def _reported_growth(name: str) -> Callable[[Panel, SignalSpec], Numbers]:
    """Return the formula of the growth of an item over the statement of the year before."""

    def formula(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
        values = _item(panel, name)
        return growth(panel.of_latest(values), panel.of_year_before(values))

    return formula


def _reported_change(top: str, bottom: str, factor: float) -> Callable[[Panel, SignalSpec], Numbers]:
    """Return the formula of the change of a quotient against the statement of the year before."""

    def formula(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
        values = factor * quotient(_item(panel, top), _item(panel, bottom))
        return panel.of_latest(values) - panel.of_year_before(values)

    return formula


def _loss_years(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    """Loss-making years of the last three; missing where none is known."""
    result = panel.item("net_income", flow=True)
    years = np.stack([panel.of_year_before(result, back) for back in range(3)])
    losses = np.sum(years < 0, axis=0).astype(np.float64)
    return np.where(np.isnan(years).all(axis=0), np.nan, losses)


def _statement_age_days(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    end = panel.statements.frame["period_end"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return panel.day(np.arange(panel.n_dates))[:, None] - panel.of_latest(
        end.astype(np.float64), any_age=True
    )


def _debt_elsewhere_growth(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    """Growth of reported debt less our loans, each as known at the date and a year before."""
    drawn = panel.total("facilities", "drawn_amount")
    debt = panel.debt()
    now = np.maximum(panel.of_latest(debt) - panel.level(drawn), 0.0)
    return growth(now, np.maximum(panel.of_year_before(debt) - panel.level(drawn, _YEAR), 0.0))


# ------------------------------------------------------------------------------------------------ projects
def _project_delay(panel: Panel, spec: SignalSpec) -> Numbers:
    completion, owner = panel.projects("completion_date")
    slip = panel.level(completion) - panel.level(completion, spec.months)
    return panel.worst(slip, owner)


def _project_dscr(panel: Panel, spec: SignalSpec) -> Numbers:  # noqa: ARG001
    cover, owner = panel.projects("dscr")
    return panel.worst(panel.level(cover), owner, lowest=True)


def _flag(holds: Flags, known: Numbers) -> Numbers:
    """Return 1 and 0 where something is known, missing elsewhere."""
    return np.where(np.isnan(known), np.nan, holds.astype(np.float64))


FORMULAS: Mapping[str, Callable[[Panel, SignalSpec], Numbers]] = MappingProxyType(
    {
        "balance_to_debt": _balance_to_debt,
        "change": _change,
        "code_changes": _code_changes,
        "code_missing": _code_missing,
        "collateral_change": _collateral_change,
        "current_ratio": _reported("current_assets", "current_liabilities"),
        "debt_elsewhere_growth": _debt_elsewhere_growth,
        "debt_growth": _reported_growth("debt"),
        "debt_here_share": _debt_here_share,
        "delta": _delta,
        "ebitda_margin_change": _reported_change("ebitda", "revenue", 1.0),
        "ebitda_to_debt": _reported("ebitda", "debt"),
        "equity_ratio": _reported("equity", "total_assets"),
        "events": _events,
        "excess_months": _excess_months,
        "fee_rate_change": _fee_rate_change,
        "growth": _growth,
        "highest": _highest,
        "interest_cover": _reported("ebit", "interest_expense"),
        "latest_answer": _latest_answer,
        "level": _level,
        "loss_years": _loss_years,
        "lowest_share": _lowest_share,
        "maturity_without_renewal": _maturity_without_renewal,
        "mean": _mean,
        "months_since": _months_since,
        "net_outflow": _net_outflow,
        "overdraft_months": _overdraft_months,
        "prepayment": _prepayment,
        "price_over_market": _price_over_market,
        "product_limit_change": _product_limit_change,
        "product_lost": _product_lost,
        "profit_margin": _reported("net_income", "revenue"),
        "project_delay": _project_delay,
        "project_dscr": _project_dscr,
        "quote_without_drawing": _quote_without_drawing,
        "receivable_days_change": _reported_change("receivables", "revenue", 365.0),
        "revenue_growth": _reported_growth("revenue"),
        "sector_change": _sector_change,
        "sector_delta": _sector_delta,
        "sector_level": _sector_level,
        "statement_age_days": _statement_age_days,
        "sum": _sum,
        "total_change": _total_change,
        "total_level": _total_level,
        "undrawn_change": _undrawn_change,
        "unused_limit_share": _unused_limit_share,
        "utilization": _utilization,
        "utilization_delta": _utilization_delta,
        "utilization_fall": _utilization_fall,
        "wallet_share": _wallet_share,
        "year_change": _year_change,
    }
)
