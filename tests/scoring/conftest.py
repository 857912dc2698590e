from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.scoring import ClientScorer


def make_clients(n=3000, seed=0):
    """Clients over dates: numbers with holes, a code, text, a flag; bad by three of them."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "interest_cover": rng.normal(3, 2, n),
            "dpd_max_3m": rng.poisson(2, n).astype(float),
            "industry": rng.choice(["trade", "energy", "care"], n),
            "listed": rng.random(n) < 0.3,
            "noise": rng.normal(size=n),
        }
    )
    z = X["dpd_max_3m"] / 2 - X["interest_cover"] / 2 + (X["industry"] == "energy") - 2.5
    y = pd.Series((rng.random(n) < 1 / (1 + np.exp(-z))).astype(int), name="bad")
    X["interest_cover"] = X["interest_cover"].mask(rng.random(n) < 0.1)
    ids = [f"{client:05d}" for client in rng.integers(0, n // 4, n)]
    dates = pd.to_datetime("2020-01-01") + pd.to_timedelta(30 * rng.integers(0, 24, n), unit="D")
    X.index = y.index = pd.MultiIndex.from_arrays([ids, dates], names=["client_id", "as_of"])
    return X, y


@pytest.fixture(scope="session")
def clients():
    return make_clients()


@pytest.fixture(scope="session")
def newer():
    return make_clients(seed=1)


@pytest.fixture(scope="session")
def woe(clients):
    return ClientScorer(method="woe").fit(*clients)


@pytest.fixture(scope="session")
def boosted(clients):
    return ClientScorer(n_bags=3, max_rounds=80, random_state=0).fit(*clients)


@pytest.fixture(params=["woe", "boosted"])
def scorer(request, woe, boosted):
    return {"woe": woe, "boosted": boosted}[request.param]
