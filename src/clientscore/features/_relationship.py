"""The relationship pillar: tenure, products, payment flows, service, people, surveys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._arrays import missing, ratio
from ._book import days_of
from ._months import (
    DAYS_PER_MONTH,
    DAYS_PER_YEAR,
    YEAR,
    MonthGrid,
    changed,
    growth,
    window_mean,
    window_sum,
)

if TYPE_CHECKING:
    from ._arrays import Numbers
    from ._book import View

SLA_HOURS = 24.0  # the standard first answer; the policy may promise some clients a faster one


def relationship_features(view: View, revenue: Numbers, limit: Numbers) -> dict[str, Numbers]:
    """Compute the relationship pillar; `revenue` is of twelve months, `limit` the sum of present limits."""
    features = {
        "tenure_months": _days_since(view, "relationship_start") / DAYS_PER_MONTH,
        "age_years": _days_since(view, "founded") / DAYS_PER_YEAR,
    }
    return features | _conduct_features(view, revenue) | _survey_features(view, limit)


def latest_answer(view: View, column: str, within_months: int | None = None) -> Numbers:
    """Return each client's latest answer to a question of the surveys.

    Parameters
    ----------
    view : View
        What is known.
    column : str
        The question.
    within_months : int or None, default None
        Answers older than this no longer count; None keeps every answer.
    """
    out = missing(view.n_clients)
    if not view.has("surveys"):
        return out
    owner, answer = view.owner("surveys"), view.column("surveys", column)
    usable = (owner >= 0) & ~np.isnan(answer)
    if within_months is not None:
        usable &= days_of(view.tables["surveys"]["answered_at"]) > view.start_of(within_months)
    out[owner[usable]] = answer[usable]  # in the order of becoming known, so the last one stays
    return out


def _days_since(view: View, column: str) -> Numbers:
    """Days from a date of the client to the view, missing where it lies ahead or is unknown."""
    if column not in view.clients:
        return missing(view.n_clients)
    days = view.day - days_of(view.clients[column])
    return np.where(days >= 0, days, np.nan)


def _conduct_features(view: View, revenue: Numbers) -> dict[str, Numbers]:
    if not view.has("interactions"):
        return {}
    grid = MonthGrid(view, "interactions")
    balance, inflow, outflow = (grid.last(f"{name}_amount") for name in ("balance", "inflow", "outflow"))
    products = grid.last("products_held")
    paid_in, paid_out = window_mean(inflow, 0, YEAR), window_mean(outflow, 0, YEAR)
    return _service_features(view, grid) | {
        "products_held": grid.level(products),
        "products_change_12m": grid.level(products) - grid.level(products, YEAR),
        "balance_change_3m": _against_history(balance),
        "balance_change_12m": _against_year_before(balance),
        "inflow_change_3m": _against_history(inflow),
        "inflow_change_12m": _against_year_before(inflow),
        "outflow_change_3m": _against_history(outflow),
        "net_flow_ratio": ratio(paid_in - paid_out, paid_in + paid_out),
        "turnover_share": ratio(12.0 * paid_in, revenue),
    }


def _service_features(view: View, grid: MonthGrid) -> dict[str, Numbers]:
    hours, complaints = grid.last("response_hours"), grid.last("complaints")
    manager = grid.last("manager_id")
    late = np.where(np.isnan(hours), np.nan, hours > SLA_HOURS)
    return {
        "response_hours_mean_3m": window_mean(hours, 0, 3),
        "response_hours_mean_12m": window_mean(hours, 0, YEAR),
        "response_over_sla_share_12m": window_mean(late, 0, YEAR),
        "approval_days_mean_12m": window_mean(grid.last("approval_days"), 0, YEAR),
        "complaints_sum_3m": window_sum(complaints, 0, 3),
        "complaints_sum_12m": window_sum(complaints, 0, YEAR),
        "meetings_sum_6m": window_sum(grid.last("meetings"), 0, 6),
        "months_since_meeting": _months_since_meeting(view),
        "manager_changed_6m": changed(manager, 6),
        "manager_changed_12m": changed(manager, YEAR),
    }


def _against_history(grid: Numbers) -> Numbers:
    """Three months against the nine before them."""
    return growth(window_mean(grid, 0, 3), window_mean(grid, 3, YEAR))


def _against_year_before(grid: Numbers) -> Numbers:
    """Three months against the same three a year before, so that the season cancels."""
    return growth(window_mean(grid, 0, 3), window_mean(grid, YEAR, YEAR + 3))


def _months_since_meeting(view: View) -> Numbers:
    """Months back to the last month with a meeting (1 = the month just ended), within a year."""
    owner, ago = view.owner("interactions"), view.months_ago("interactions")
    met = (owner >= 0) & (ago <= YEAR) & (view.column("interactions", "meetings") > 0)
    out = missing(view.n_clients)
    out[owner[met]] = ago[met]  # months become known in order, so the last one stays
    return out


def _survey_features(view: View, limit: Numbers) -> dict[str, Numbers]:
    return {
        "satisfaction": latest_answer(view, "satisfaction"),
        "approval_satisfaction": latest_answer(view, "approval_satisfaction"),
        "wants_reports": latest_answer(view, "wants_reports"),
        "planned_financing_to_limit": ratio(
            latest_answer(view, "planned_financing_amount", within_months=YEAR), limit
        ),
    }
