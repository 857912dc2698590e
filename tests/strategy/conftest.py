from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore._words import PURPOSES
from clientscore.strategy import ServiceStrategy

INDUSTRIES = (
    *("manufacturing", "trade", "construction", "energy", "infrastructure", "real_estate", "technology"),
    *("agriculture", "transport", "export", "public", "services", "fishing"),
)
DRIVERS = ("response_hours_mean_3m", "manager_changed_6m", "approval_days_mean_12m", "rate_mean", "dscr")


def make_book(n: int, seed: int = 0, missing: float = 0.05) -> pd.DataFrame:
    """Draw an artificial book with every column the default policy reads, some of it missing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "tier": rng.choice(["A", "B", "C"], n),
            "watch": rng.random(n) < 0.08,
            "industry": rng.choice(INDUSTRIES, n),
            "segment": rng.choice(["large", "mid", "small", "project"], n),
            "pd": rng.beta(1, 40, n),
            "churn_12m": rng.beta(1.2, 6, n),
            "churn_driver_1": rng.choice(DRIVERS, n),
            "churn_cause": rng.choice(["hard_attrition", "silent_attrition"], n),
            "need_probability_12m": rng.beta(1, 2, n),
            "need_purpose": rng.choice(PURPOSES, n),
            "need_product": rng.choice(["revolving_line", "term_loan"], n),
            "need_amount_expected": rng.lognormal(14, 1.2, n),
            "value": rng.normal(2e5, 4e5, n),
            "exposure_amount": rng.lognormal(15, 1.0, n),
            "consent": rng.random(n) < 0.9,
            "kyc_valid": rng.random(n) < 0.9,
            "wants_reports": rng.random(n) < 0.7,
            "dpd_days": np.where(rng.random(n) < 0.05, 45.0, 0.0),
        },
        index=pd.Index([f"{i:06d}" for i in range(n)], name="client_id"),
    )
    for name in ("watch", "consent", "kyc_valid", "wants_reports"):
        frame[name] = frame[name].astype("boolean")
    for name in frame.columns:
        frame[name] = frame[name].mask(rng.random(n) < missing)
    return frame


@pytest.fixture(scope="session")
def strategy():
    return ServiceStrategy.default()


@pytest.fixture(scope="session")
def book():
    return make_book(3000)


@pytest.fixture
def client():
    return {
        "tier": "B",
        "watch": False,
        "industry": "manufacturing",
        "segment": "mid",
        "pd": 0.01,
        "churn_12m": 0.2,
        "churn_driver_1": "response_hours_mean_3m",
        "churn_cause": "hard_attrition",
        "need_probability_12m": 0.1,
        "need_purpose": "capex",
        "need_product": None,
        "need_amount_expected": 1e5,
        "value": 400_000.0,
        "exposure_amount": 1e6,
        "consent": True,
        "kyc_valid": True,
        "wants_reports": False,
        "dpd_days": 0.0,
    }
