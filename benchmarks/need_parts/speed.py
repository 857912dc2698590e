"""Bar 5: a forecast with intervals and purposes for a million clients on one core, as a card."""

from __future__ import annotations

import time
from multiprocessing import get_context

import numpy as np
import pandas as pd

import clientscore as cs
from common import SEED
from common.page import Page, add_lines
from common.timing import Line

TRAIN_ROWS = 30_000
MOST_SECONDS = 15.0
HORIZONS = (3, 6, 12)
# Names of the library's own, so that purposes read them.
NAMES = (
    "current_ratio",
    "working_capital_to_assets",
    "cash_to_assets",
    "liabilities_to_assets",
    "debt_to_assets",
    "debt_to_ebitda",
    "interest_cover",
    "dscr",
    "ebitda_margin",
    "roa",
    "asset_turnover",
    "dso_days",
    "dio_days",
    "dpo_days",
    "cash_cycle_days",
    "short_term_debt_share",
    "fixed_assets_to_assets",
    "capex_to_depreciation",
    "revenue_growth_1y",
    "assets_growth_1y",
    "debt_growth_1y",
    "log_assets",
    "log_revenue",
    "altman_z",
    "utilization",
    "utilization_change_3m",
    "dpd_max_3m",
    "maturity_share_3m",
    "maturity_share_6m",
    "maturity_share_12m",
    "collateral_cover",
    "rate_mean",
    "drawings_count_12m",
    "months_since_drawing",
    "sector_growth",
    "credit_spread",
    "balance_change_3m",
    "inflow_change_12m",
    "net_flow_ratio",
    "as_of_month",
)
MONTHS = (1.0, 4.0, 7.0, 10.0)  # the season moves over the periods of a window, which costs time


def features(rows: int, seed: int) -> pd.DataFrame:
    """Return normal features, and the month of the year."""
    generator = np.random.default_rng([SEED, seed])
    X = pd.DataFrame(generator.standard_normal((rows, len(NAMES))), columns=NAMES)
    return X.assign(as_of_month=generator.choice(MONTHS, rows))


def fitted(rows: int) -> cs.FinancingNeedForecaster:
    """Fit the default forecaster on needs whose log rate and log amount are sums over features."""
    X, generator = features(rows, 0), np.random.default_rng(SEED)
    values = X.to_numpy()
    rate = 0.03 * np.exp(0.25 * values[:, :12].sum(axis=1))
    when = np.ceil(generator.standard_exponential(rows) / rate)
    needs = when <= max(HORIZONS)
    amount = np.exp(12 + 0.3 * values[:, 20:30].sum(axis=1) + 0.8 * generator.standard_normal(rows))
    target = pd.DataFrame(
        {
            "duration": np.where(needs, when, max(HORIZONS)).astype(int),
            "event": np.where(needs, "need", None),
            "amount": np.where(needs, amount, np.nan),
        },
        index=X.index,
    )
    model = cs.FinancingNeedForecaster(horizons=HORIZONS, check_units=False, random_state=0)
    return model.fit(X, target)


def lines(rows: int, train_rows: int = TRAIN_ROWS) -> list[Line]:
    """Time the forecast in a process of its own."""
    state = fitted(train_rows).to_state()
    with get_context("spawn").Pool(1) as pool:
        seconds = pool.apply(_measure, (state, rows))
    what = f"{rows:,} clients x {len(NAMES)} features: chance, month, amount, interval, purpose"
    return [Line(what, seconds, "s", f"at most {MOST_SECONDS:g}", seconds <= MOST_SECONDS)]


def add(page: Page, rows: int, train_rows: int) -> None:
    """Add the timing."""
    note = "CPU seconds on one thread, once, in a process of its own; default settings, as a card."
    add_lines(page, "Speed", note, lines(rows, train_rows), prefix="5: ")


def _measure(state: dict[str, object], rows: int) -> float:
    model, X = cs.FinancingNeedForecaster.from_state(state), features(rows, 1)
    start = time.process_time()
    model.predict(X, as_of="2026-01-01")
    return time.process_time() - start
