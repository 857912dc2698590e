from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.need import FinancingNeedForecaster
from clientscore.need.answers import purpose_code
from clientscore.need.purpose import PURPOSES


def book(n=3000, seed=0):
    """Needs whose purpose follows a feature that is no sign of it."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "sector": rng.choice(["building", "shops"], n),
            "log_assets": rng.normal(10, 1, n),
            "revenue_growth_1y": rng.normal(size=n),
            "utilization": rng.random(n),
            "utilization_change_12m": rng.normal(0, 0.1, n),
            "cash_ratio": rng.random(n),
        }
    )
    drawn = rng.random(n) < 0.6
    share = np.where(X["sector"] == "building", 0.9, 0.2)
    purpose = np.where(rng.random(n) < share, "capex", "trade").astype(object)
    purpose[rng.random(n) < 0.05] = "a yacht"
    target = pd.DataFrame(
        {
            "duration": np.where(drawn, 2, 3),
            "event": np.where(drawn, "need", None),
            "amount": np.where(drawn, np.exp(X["log_assets"] - 3 + 0.5 * rng.normal(size=n)), np.nan),
            "purpose": np.where(drawn, purpose, None),
        }
    )
    return X, target


def fitted(X, target):
    need = FinancingNeedForecaster(horizons=(3,), check_units=False, max_rounds=20, random_state=0)
    return need.fit(X, target)


@pytest.fixture(scope="module")
def need():
    return fitted(*book())


def test_past_purposes_are_learned_as_shares(need):
    X, _ = book(1000, seed=1)
    said = need.predict(X)
    shares = said[[f"purpose_{name}" for name in PURPOSES]]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    by = said["purpose_capex"].groupby(X["sector"]).mean()
    assert by["building"] == pytest.approx(0.9, abs=0.07)
    assert by["shops"] == pytest.approx(0.2, abs=0.07)
    assert said["purpose_growth"].eq(0.0).all()  # never met
    assert need.purpose_method_.startswith("card on ")
    assert "yacht" not in " ".join(need.purpose_model_.names)


def test_stress_that_the_signs_speak_of_is_kept_for_the_watch_list(need):
    X, _ = book(200, seed=2)
    X.loc[:9, ["utilization", "utilization_change_12m", "cash_ratio"]] = [0.99, 0.3, 0.001]
    X.loc[:9, "revenue_growth_1y"] = -3.0
    said = need.predict(X)
    assert said["purpose"].iloc[:10].eq("liquidity_stress").all()
    assert set(said["purpose"].iloc[10:].unique()) <= {"capex", "trade", "liquidity_stress"}
    evidence = need.purpose_evidence(X)
    assert evidence["purpose"].tolist() == said["purpose"].tolist()
    stress = list(PURPOSES).index("liquidity_stress")
    scores = {name: np.array([0.1, 0.9 * (name == "capex")]) for name in PURPOSES}
    assert purpose_code(scores, np.array([stress, -1])).tolist() == [stress, list(PURPOSES).index("capex")]


def test_one_client_and_a_saved_model_say_the_same(need):
    X, _ = book(50, seed=3)
    said = need.predict(X)
    again = FinancingNeedForecaster.from_state(need.to_state())
    pd.testing.assert_frame_equal(again.predict(X), said)
    for row in range(3):
        one = again.predict_one(X.iloc[row].to_dict())
        assert one["purpose"] == said["purpose"].iloc[row]
        assert one["purpose_capex"] == pytest.approx(said["purpose_capex"].iloc[row])
        assert one["purpose_growth"] == 0.0


def test_few_past_purposes_leave_the_signs(need):
    X, target = book(800)
    target.loc[target.index[400:], "purpose"] = None
    signs = fitted(X, target)
    assert signs.purpose_model_ is None
    assert signs.purpose_method_ == "read from signs"
    plain = fitted(X, target.drop(columns="purpose"))
    pd.testing.assert_frame_equal(plain.predict(X), signs.predict(X))
