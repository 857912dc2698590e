"""A small random book, made by hand: every table, gaps, restatements, late and repeated values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.schema import ClientSchema

INDUSTRIES = ["manufacturing", "trade", "energy", "shipbreaking"]
STOCKS = [
    "cash", "receivables", "inventory", "current_assets", "fixed_assets", "total_assets", "payables",
    "short_term_debt", "current_liabilities", "long_term_debt", "total_liabilities", "equity",
    "retained_earnings",
]  # fmt: skip
FLOWS = [
    "revenue", "cost_of_sales", "operating_expenses", "depreciation", "ebitda", "ebit", "interest_expense",
    "net_income", "operating_cash_flow", "capex",
]  # fmt: skip


def random_book(seed: int, n_clients: int = 12, n_months: int = 30) -> dict[str, pd.DataFrame]:
    """Make a book whose months run from January 2023."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"C{i:03d}" for i in range(n_clients)])
    months = pd.date_range("2023-01-01", periods=n_months, freq="MS")
    return {
        "clients": pd.DataFrame(
            {
                "client_id": ids,
                "industry": rng.choice(INDUSTRIES, n_clients),
                "founded": pd.Timestamp("2001-03-01"),
                "relationship_start": pd.Timestamp("2018-01-01") + _days(rng, 2500, n_clients),
                "consent": rng.choice([True, False], n_clients),
            }
        ),
        "statements": _statements(rng, ids),
        "facilities": _facilities(rng, ids, months),
        "market": _market(rng, months),
        "market_values": _monthly(rng, ids, months, ["market_value"]),
        "interactions": _interactions(rng, ids, months),
        "surveys": _surveys(rng, ids),
        "projects": _projects(rng, ids, months),
        "events": _events(rng, ids),
    }


def _days(rng, most, size):
    return pd.to_timedelta(rng.integers(0, most, size), "D")


def _with_gaps(rng, frame, columns, share=0.1):
    for name in columns:
        frame[name] = np.where(rng.random(len(frame)) < share, np.nan, frame[name])
    return frame


def _statements(rng, ids):
    ends = pd.to_datetime([f"{year}-{end}" for year in range(2019, 2026) for end in ("06-30", "12-31")])
    frame = pd.DataFrame({"client_id": np.repeat(ids, len(ends)), "period_end": np.tile(ends, len(ids))})
    frame["period_months"] = np.where(frame["period_end"].dt.month == 6, 6.0, 12.0)
    frame["published_at"] = frame["period_end"] + _days(rng, 200, len(frame))
    for name in STOCKS:
        frame[name] = np.exp(rng.normal(4, 1, len(frame)))
    for name in FLOWS:
        frame[name] = rng.normal(20, 30, len(frame))
    frame = _with_gaps(rng, frame, STOCKS + FLOWS)
    again = frame.sample(frac=0.2, random_state=int(rng.integers(1000))).copy()
    again["published_at"] += _days(rng, 300, len(again))
    again["revenue"] += 5.0
    whole = pd.concat([frame, again], ignore_index=True)
    whole.loc[rng.random(len(whole)) < 0.2, "published_at"] = pd.NaT
    return whole.sample(frac=0.95, random_state=1).reset_index(drop=True)


def _monthly(rng, ids, months, columns):
    frame = pd.DataFrame({"client_id": np.repeat(ids, len(months)), "month": np.tile(months, len(ids))})
    for name in columns:
        frame[name] = np.exp(rng.normal(3, 1, len(frame)))
    return frame.sample(frac=0.9, random_state=2).reset_index(drop=True)


def _facilities(rng, ids, months):
    parts = []
    for facility in ("f1", "f2"):
        some = rng.choice(ids, max(1, len(ids) // 2), replace=False)
        part = _monthly(rng, some, months, ["limit_amount", "drawn_amount", "collateral_amount"])
        part["facility_id"] = part["client_id"] + facility
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    frame["rate"] = rng.uniform(0.02, 0.08, len(frame))
    frame["dpd_days"] = rng.choice([0.0, 0.0, 0.0, 12.0, 45.0], len(frame))
    frame["maturity_date"] = frame["month"] + _days(rng, 900, len(frame))
    return _with_gaps(rng, frame, ["limit_amount", "dpd_days"])


def _market(rng, months):
    frame = pd.DataFrame(
        [(sector, month) for sector in (*INDUSTRIES[:3], "*") for month in months],
        columns=["sector", "month"],
    )
    for name in ("sector_growth", "policy_rate", "credit_rate", "spread", "sector_default_rate"):
        frame[name] = rng.normal(0.03, 0.01, len(frame))
    return frame


def _interactions(rng, ids, months):
    amounts = ["balance_amount", "inflow_amount", "outflow_amount", "interest_income_amount",
               "fee_income_amount", "cost_amount"]  # fmt: skip
    frame = _monthly(rng, ids, months, [*amounts, "response_hours", "approval_days"])
    for name in ("products_held", "complaints", "meetings"):
        frame[name] = rng.poisson(1.0, len(frame)).astype(float)
    frame["manager_id"] = rng.choice(["m1", "m2"], len(frame), p=[0.9, 0.1])
    return _with_gaps(rng, frame, ["balance_amount", "response_hours"])


def _surveys(rng, ids):
    n = 2 * len(ids)
    frame = pd.DataFrame({"client_id": rng.choice(ids, n)})
    frame["answered_at"] = pd.Timestamp("2023-01-01") + _days(rng, 900, n)
    frame["satisfaction"] = rng.integers(0, 11, n).astype(float)
    frame["approval_satisfaction"] = rng.integers(0, 11, n).astype(float)
    frame["wants_reports"] = rng.choice([True, False], n)
    frame["planned_financing_amount"] = np.exp(rng.normal(3, 1, n))
    return _with_gaps(rng, frame.drop_duplicates(["client_id", "answered_at"]), ["satisfaction"])


def _projects(rng, ids, months):
    frame = _monthly(rng, ids[:4], months, ["dscr", "llcr"])
    frame["project_id"] = frame["client_id"] + "-p"
    frame["phase"] = rng.choice(["pre_construction", "construction", "operation"], len(frame))
    frame["completion_date"] = frame["month"] + _days(rng, 600, len(frame))
    return frame


def _events(rng, ids):
    n = 4 * len(ids)
    words = ["drawing", "drawing", "drawing", "renewal", "closure", "default"]
    frame = pd.DataFrame(
        {
            "client_id": rng.choice(ids, n),
            "event": rng.choice(words, n, p=[0.3, 0.3, 0.2, 0.15, 0.025, 0.025]),
        }
    )
    frame["date"] = pd.Timestamp("2023-01-01") + _days(rng, 900, n)
    frame["amount"] = np.exp(rng.normal(2, 1, n))
    return _with_gaps(rng, frame, ["amount"])


@pytest.fixture(scope="session")
def schema() -> ClientSchema:
    return ClientSchema.default()


@pytest.fixture(scope="session")
def make_book():
    return random_book
