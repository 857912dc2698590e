from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.effects import off_policy_value
from clientscore.exceptions import DataError, OverlapError


def log(seed=0, n=2000):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    called = rng.random(n) < 0.3
    reward = x * called + 1 + rng.normal(size=n)
    return x, np.where(called, "call", "none"), np.where(called, 0.3, 0.7), reward


def test_by_hand():
    found = off_policy_value(
        [1.0, 2.0, 3.0, 4.0],
        ["a", "b", "a", "b"],
        [0.5, 0.5, 0.25, 0.5],
        ["a", "a", "a", "b"],
        min_effective_sample=2,
    )
    weights = np.array([2.0, 0.0, 4.0, 2.0])
    rewards = np.array([1.0, 2.0, 3.0, 4.0])
    table = found.frame().set_index("method")
    assert table.loc["IPS", "value"] == pytest.approx((weights * rewards).mean())
    assert table.loc["SNIPS", "value"] == pytest.approx((weights * rewards).sum() / 8)
    assert found.overlap["effective_sample"] == pytest.approx(64 / 24)
    assert found.overlap["matched_share"] == 0.75
    assert found.overlap["mean_weight"] == 2.0
    assert found.logged_value == 2.5
    assert table.loc["IPS", "gain"] == pytest.approx(5.5 - 2.5)
    scores = weights * rewards
    assert table.loc["IPS", "standard_error"] == pytest.approx(scores.std(ddof=1) / 2)


def test_the_policy_that_ran_is_worth_what_it_earned():
    x, action, propensity, reward = log()
    same = pd.DataFrame({"call": 0.3, "none": 0.7}, index=range(len(x)))
    found = off_policy_value(reward, action, propensity, same)
    for _, row in found.frame().iterrows():
        assert row["value"] == pytest.approx(reward.mean())
        assert row["gain"] == pytest.approx(0.0, abs=1e-12)
        assert row["gain_upper"] - row["gain_lower"] == pytest.approx(0.0, abs=1e-9)
    assert found.overlap["effective_sample"] == pytest.approx(len(x))


def test_all_three_are_right_and_dr_is_surest():
    truth = 1 + np.sqrt(1 / (2 * np.pi))  # E[1 + max(x, 0)]
    covered, errors = {"IPS": 0, "SNIPS": 0, "DR": 0}, {"IPS": [], "SNIPS": [], "DR": []}
    for seed in range(60):
        x, action, propensity, reward = log(seed, 1000)
        best = np.where(x > 0, "call", "none")
        found = off_policy_value(reward, action, propensity, best, covariates=x)
        for _, row in found.frame().iterrows():
            covered[row["method"]] += row["lower"] <= truth <= row["upper"]
            errors[row["method"]].append(row["value"] - truth)
    assert min(covered.values()) >= 51
    assert np.std(errors["DR"]) < np.std(errors["SNIPS"]) < np.std(errors["IPS"])
    assert abs(np.mean(errors["DR"])) < 0.02
    assert found.best()["method"] == "DR"
    assert "effective sample" in found._repr_html_()
    assert found.to_dict()["estimates"][2]["method"] == "DR"


def test_rows_of_a_client_count_together():
    x, action, propensity, reward = log(1, 500)
    best = np.where(x > 0, "call", "none")
    alone = off_policy_value(reward, action, propensity, best)
    often = off_policy_value(
        *(np.repeat(one, 4) for one in (reward, action, propensity, best)),
        clients=np.repeat(np.arange(500), 4),
    )
    first, second = alone.frame(), often.frame()
    assert second["standard_error"].to_numpy() == pytest.approx(first["standard_error"].to_numpy())


def test_refusal():
    x, action, propensity, reward = log(2, 400)
    with pytest.raises(OverlapError, match="cannot tell what the policy would earn") as caught:
        off_policy_value(reward, action, propensity, np.where(x > 2.5, "call", "visit"))
    assert any("'visit' in 9" in fault and "the log never did" in fault for fault in caught.value.faults)
    assert any("the effective sample is" in fault for fault in caught.value.faults)
    rare = np.where(action == "call", 0.001, 0.999)
    with pytest.raises(OverlapError, match="at least 500 are needed"):
        off_policy_value(reward, action, rare, ["call"] * 400, min_effective_sample=500)


def test_bad_input_tells_all_faults():
    with pytest.raises(DataError, match="cannot be valued") as caught:
        off_policy_value(
            [1.0, np.nan, 2.0],
            ["a", None, "b"],
            [0.5, 0.0, 1.2],
            pd.DataFrame({"a": [0.5] * 3, "b": [0.6] * 3}),
        )
    text = str(caught.value)
    for part in ("1 of 3 are missing", "2 of 3 rows do not", "1 rows have none", "3 of 3 do not"):
        assert part in text
    with pytest.raises(DataError, match="policy must have 2 rows"):
        off_policy_value([1.0, 2.0], ["a", "b"], [0.5, 0.5], ["a"])
    x, action, propensity, reward = log(3, 400)
    with pytest.raises(DataError, match="covariates must have 400 rows"):
        off_policy_value(reward, action, propensity, action, covariates=x[:3])
