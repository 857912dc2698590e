"""The credit pillar: use of limits, arrears, maturities, collateral, projects, new drawings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clientscore.timeline import PERIOD_MONTHS

from ._arrays import missing, ratio
from ._months import DAYS_PER_MONTH, YEAR, MonthGrid, growth, window_max

if TYPE_CHECKING:
    from ._arrays import Counts, Flags, Numbers
    from ._book import View

PHASES = ("pre_construction", "construction", "operation")
_MATURITY_MONTHS = (3, 6, 12)
_DPD_MONTHS = (3, 6, 12)


@dataclass(frozen=True)
class Lending:
    """A client's facilities here, now: amounts over all of them, missing where it has none.

    ``exposure_amount`` takes of each facility the larger of limit and drawn amount.
    """

    limit_amount: Numbers
    drawn_amount: Numbers
    exposure_amount: Numbers
    dpd_days: Numbers


def credit_features(view: View, debt: Numbers) -> tuple[dict[str, Numbers], Lending]:
    """Compute the credit pillar; `debt` is the client's debt by its latest statement.

    The present is the client's latest month of facilities, if it is recent enough to be fresh.  A client
    without facilities has ``facilities_count`` 0 and the other features of facilities missing.
    """
    features, lending = _facility_features(view, debt)
    features |= _project_features(view)
    features |= _drawing_features(view, lending.limit_amount)
    return features, lending


def _facility_features(view: View, debt: Numbers) -> tuple[dict[str, Numbers], Lending]:
    if not view.has("facilities"):
        none = missing(view.n_clients)
        return {}, Lending(none, none, none, none)
    grid = MonthGrid(view, "facilities")
    limit, drawn = grid.total(grid.column("limit_amount")), grid.total(grid.column("drawn_amount"))
    dpd = grid.highest(grid.column("dpd_days"))
    use = ratio(drawn, limit)
    now = _Present(grid, grid.present())
    limit_now, drawn_now = now.total("limit_amount"), now.total("drawn_amount")
    features = {
        "utilization": ratio(drawn_now, limit_now),
        "utilization_change_3m": ratio(drawn_now, limit_now) - grid.level(use, 3),
        "utilization_change_12m": ratio(drawn_now, limit_now) - grid.level(use, YEAR),
        "limit_change_12m": growth(limit_now, grid.level(limit, YEAR)),
        "debt_here_share": ratio(drawn_now, debt),
        "collateral_cover": ratio(now.total("collateral_amount"), drawn_now),
        "facilities_count": now.count(),
        "rate_mean": now.mean_rate(),
    }
    features |= {f"dpd_max_{months}m": window_max(dpd, 0, months) for months in _DPD_MONTHS}
    features |= {f"maturity_share_{months}m": now.maturing_share(months) for months in _MATURITY_MONTHS}
    exposure = np.fmax(now.values("limit_amount"), now.values("drawn_amount"))
    return features, Lending(limit_now, drawn_now, now.sum(exposure), grid.level(dpd))


class _Present:
    """The facilities of each client's latest fresh month."""

    def __init__(self, grid: MonthGrid, chosen: Flags) -> None:
        self._grid = grid
        self._chosen = chosen
        self._owner: Counts = grid.owner[chosen]

    def values(self, name: str) -> Numbers:
        return self._grid.column(name)[self._chosen]

    def total(self, name: str) -> Numbers:
        return self.sum(self.values(name))

    def sum(self, values: Numbers) -> Numbers:
        """Sum per client, missing where no facility has the value."""
        there = ~np.isnan(values)
        n = self._grid.view.n_clients
        total = np.bincount(self._owner[there], weights=values[there], minlength=n)
        count = np.bincount(self._owner[there], minlength=n)
        return np.where(count > 0, total, np.nan)

    def count(self) -> Numbers:
        return np.bincount(self._owner, minlength=self._grid.view.n_clients).astype(np.float64)

    def weight(self) -> Numbers:
        """Drawn amounts; limits for a client that has drawn nothing."""
        drawn, limit = self.values("drawn_amount"), self.values("limit_amount")
        has_drawn = np.nan_to_num(self.sum(drawn)) > 0
        return np.where(has_drawn[self._owner], drawn, limit)

    def mean_rate(self) -> Numbers:
        rate, weight = self.values("rate"), self.weight()
        return ratio(self.sum(rate * weight), self.sum(np.where(np.isnan(rate), np.nan, weight)))

    def maturing_share(self, months: int) -> Numbers:
        """Share due within `months` months of the view; what is past its maturity is due."""
        due, weight = self.values("maturity_date"), self.weight()
        end = self._grid.view.start_of(-months)
        known = ~np.isnan(due)
        return ratio(
            self.sum(np.where(known, weight * (due <= end), np.nan)),
            self.sum(np.where(known, weight, np.nan)),
        )


def _project_features(view: View) -> dict[str, Numbers]:
    """Take each client's projects by their latest rows: the earliest phase, lowest cover, last completion."""
    if not view.has("projects"):
        return {}
    owner, ago = view.owner("projects"), view.months_ago("projects")
    project = view.column("projects", "project_id")
    key = np.where(np.isnan(project), -1.0, project).astype(np.int64)
    latest = np.full(int(key.max(initial=0)) + 1, -1, dtype=np.int64)
    usable = np.flatnonzero((owner >= 0) & (key >= 0) & (ago <= YEAR + view.fresh))
    latest[key[usable]] = usable  # in the order of becoming known, so the last one stays
    rows = latest[latest >= 0]
    phase_words = view.tables["projects"]["phase"].to_numpy()[rows]
    phase = missing(rows.size)
    for code, word in enumerate(PHASES):
        phase[phase_words == word] = code
    completion = view.column("projects", "completion_date")[rows]
    months_left = np.where(phase == PHASES.index("operation"), np.nan, completion - view.day) / DAYS_PER_MONTH
    n, of = view.n_clients, owner[rows]
    return {
        "project_phase_code": _lowest(n, of, phase),
        "project_dscr": _lowest(n, of, view.column("projects", "dscr")[rows]),
        "project_llcr": _lowest(n, of, view.column("projects", "llcr")[rows]),
        "project_months_to_completion": -_lowest(n, of, -months_left),
    }


def _lowest(n_clients: int, owner: Counts, values: Numbers) -> Numbers:
    out = np.full(n_clients, np.inf)
    there = ~np.isnan(values)
    np.minimum.at(out, owner[there], values[there])
    return np.where(np.isposinf(out), np.nan, out)


def _drawing_features(view: View, limit: Numbers) -> dict[str, Numbers]:
    """Count new drawings of the last twelve months; without any the count is 0 and the last one missing.

    The last drawing is looked for in as much history as every date of a usual fit has (a year; three periods
    of yearly data): a feature whose meaning grew with the record would drift as the record grows.
    """
    if not view.has("events"):
        return {}
    frame = view.tables["events"]
    owner = view.owner("events")
    drawing = frame["event"].isin(list(view.schema.drawing_events)).to_numpy() & (owner >= 0)
    day = frame["date"].to_numpy("datetime64[D]").astype(np.int64).astype(np.float64)
    recent = drawing & (day > view.start_of(YEAR))
    n = view.n_clients
    amount = view.column("events", "amount")
    count = np.bincount(owner[recent], minlength=n).astype(np.float64)
    known = recent & ~np.isnan(amount)
    total = np.bincount(owner[known], weights=amount[known], minlength=n)
    amounts_known = np.bincount(owner[known], minlength=n)
    seen = drawing & (day > view.start_of(max(YEAR, 3 * PERIOD_MONTHS[view.schema.period])))
    last = -_lowest(n, owner[seen], -day[seen])
    return {
        "drawings_count_12m": count,
        "drawings_amount_12m_to_limit": ratio(
            np.where((count == 0) | (amounts_known > 0), total, np.nan), limit
        ),
        "months_since_drawing": (view.day - last) / DAYS_PER_MONTH,
    }
