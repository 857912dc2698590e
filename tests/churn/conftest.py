from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.churn import ChurnModel

NAMES = ["response_hours_mean_3m", "balance_change_3m", "debt_to_ebitda", "noise"]
CAUSES = ["hard_attrition", "silent_attrition", "default"]


def hazards(X, periods):
    """Return the true hazards of the three causes: shape (n, periods, 3)."""
    response, balance, debt = (X[[name]].to_numpy() for name in NAMES[:3])
    period = np.arange(periods)
    lines = [
        -4.8 + 0.8 * response + 0 * period,
        -4.3 - 0.9 * balance + 0.04 * period,
        -5.5 + 1.0 * debt + 0 * period,
    ]
    odds = np.exp(np.stack(lines, axis=2))
    return odds / (1 + odds.sum(axis=2, keepdims=True))


def true_incidence(X, periods=12):
    """Return the true incidence of each cause at the last period, by enumeration."""
    hazard = hazards(X, periods)
    stay = np.cumprod(1 - hazard.sum(axis=2), axis=1)
    before = np.hstack([np.ones((len(X), 1)), stay[:, :-1]])
    return pd.DataFrame((before[:, :, None] * hazard).sum(axis=1), index=X.index, columns=CAUSES)


def make_book(n, seed, periods=12):
    """Clients that leave because of service, go silent as balances fall, or default on leverage."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=NAMES, index=pd.Index(range(n), name="client_id"))
    edges = np.cumsum(hazards(X, periods), axis=2)
    draw = rng.random((n, periods))
    left = draw < edges[:, :, -1]
    first = np.where(left.any(axis=1), left.argmax(axis=1), periods - 1)
    which = (draw[np.arange(n), first][:, None] >= edges[np.arange(n), first, :-1]).sum(axis=1)
    cause = np.array(CAUSES, dtype=object)[which]
    target = pd.DataFrame(
        {"duration": first + 1, "event": np.where(left.any(axis=1), cause, None)}, index=X.index
    )
    return X, target


@pytest.fixture(scope="session")
def book():
    """Return the maker of books: (n, seed, periods) to features and target."""
    return make_book


@pytest.fixture(scope="session")
def law():
    """Return the true incidence by cause at the end of a book's window."""
    return true_incidence


@pytest.fixture(scope="session")
def train():
    return make_book(8000, 1)


@pytest.fixture(scope="session")
def churn(train):
    return ChurnModel(random_state=0, max_rows=50_000).fit(*train)


@pytest.fixture(scope="session")
def by_hand():
    """Return a model of two periods whose card was written by hand; default stays constant.

    Log odds of hard attrition: -3, response up to 24 hours -0.5, above 0.5; balance fallen 0.3, else -0.3;
    slow answers and a fallen balance together 0.2 more, and so on by turns.
    """
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"response_hours_mean_3m": rng.uniform(0, 72, 400), "balance_change_3m": 0.0})
    event = np.where(
        np.arange(400) % 4 == 0, "hard_attrition", np.where(np.arange(400) % 50 == 1, "default", "")
    )
    target = pd.DataFrame({"duration": rng.integers(1, 3, 400), "event": event})
    model = ChurnModel(horizons=(1, 2), max_rounds=1, random_state=0).fit(X, target)
    bins = (
        FeatureBins(
            "response_hours_mean_3m", "number", edges=(-0.001, 24.0, 72.0), missing=True, bounded=True
        ),
        FeatureBins("balance_change_3m", "number", edges=(-1.001, 0.0, 1.0), bounded=True),
    )
    response, balance = np.array([-0.5, -0.5, 0.5, 0.5, 0.0, 0.0]), np.array([0.3, 0.3, -0.3, -0.3, 0.0, 0.0])
    together = 0.2 * np.outer(np.sign(response), np.sign(balance))
    share = np.array([0.0, 0.5, 0.5, 0.0, 0.0, 0.0])
    terms = (
        Term(("response_hours_mean_3m",), response[:, None], share),
        Term(("balance_change_3m",), balance[:, None], share),
        Term(("response_hours_mean_3m", "balance_change_3m"), together[:, :, None]),
    )
    card = AdditiveCard(("hard_attrition",), (-3.0,), bins, terms, link="multilogit")
    state = model.to_state()
    state["hazard"] |= {"card": card.to_state(), "constant": np.array([-4.0, 0.0])}
    return ChurnModel.from_state(state)
