from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore import _words
from clientscore.catalogue import describe
from clientscore.exceptions import DataError
from clientscore.need.purpose import LEAST_ALARMS, PURPOSES, PurposeRules, product_shares


def book(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    names = dict.fromkeys(sign.feature for signs in PURPOSES.values() for sign in signs)
    X = pd.DataFrame(rng.normal(size=(n, len(names))), columns=list(names))
    X["dpd_max_12m"] = np.where(rng.random(n) < 0.9, 0.0, rng.integers(1, 90, n))
    X["utilization"] = rng.random(n)
    return X


def test_every_sign_is_a_known_feature():
    unknown = [
        sign.feature for signs in PURPOSES.values() for sign in signs if describe(sign.feature) is None
    ]
    assert unknown == []
    assert tuple(PURPOSES) == _words.PURPOSES


def test_scores_are_uniform_over_the_training_book():
    X = book()
    scores, _ = PurposeRules.fit(X).score(X)
    free = scores.drop(columns=list(LEAST_ALARMS))
    np.testing.assert_allclose(free.mean(), 0.5, atol=0.02)
    np.testing.assert_allclose(free.std(), np.sqrt(1 / 12), atol=0.03)
    assert scores.min().min() >= 0
    assert scores.max().max() <= 1


@pytest.mark.parametrize(
    ("purpose", "moved"),
    [
        ("working_capital", {"cash_cycle_days_change_1y": 4.0, "dso_days_change_1y": 4.0}),
        ("refinancing", {"maturity_share_12m": 4.0, "short_term_debt_share": 4.0}),
        ("capex", {"capex_to_depreciation": 4.0, "fixed_assets_to_assets_change_1y": 4.0}),
        ("trade", {"dio_days": 4.0, "dpo_days": 4.0}),
        ("growth", {"assets_growth_1y": 4.0, "sector_growth": 4.0, "products_change_12m": 4.0}),
        ("liquidity_stress", {"utilization": 0.99, "dpd_max_12m": 80.0, "current_ratio": -4.0}),
    ],
)
def test_moving_its_signs_raises_a_purpose_and_names_the_loudest(purpose, moved):
    X = book()
    rules = PurposeRules.fit(X)
    usual = X.median().to_frame().T
    before, _ = rules.score(usual)
    after, signs = rules.score(usual.assign(**moved))
    assert after[purpose].iloc[0] > max(0.9, before[purpose].iloc[0])
    assert after.iloc[0].idxmax() == purpose
    assert signs[purpose].iloc[0] in moved


def test_stress_takes_two_alarms_and_one_that_is_not_known_counts_as_possible():
    X = book()
    rules = PurposeRules.fit(X)
    rows = {
        "none": {"utilization": 0.5, "utilization_change_12m": -0.1, "dpd_max_12m": 0.0},
        "one": {"utilization": 0.95, "utilization_change_12m": -0.1, "dpd_max_12m": 0.0},
        "two": {"utilization": 0.95, "utilization_change_12m": 0.1, "dpd_max_12m": 0.0},
        "one, one unknown": {"utilization": 0.95, "utilization_change_12m": np.nan, "dpd_max_12m": 0.0},
    }
    usual = X.median().to_dict()
    given = pd.DataFrame([{**usual, **row} for row in rows.values()], index=list(rows))
    stress = rules.score(given)[0]["liquidity_stress"]
    assert stress[["none", "one"]].tolist() == [0.0, 0.0]
    assert (stress[["two", "one, one unknown"]] > 0.3).all()


def test_a_sign_below_its_level_is_silent_and_a_missing_one_is_not_read():
    X = book()
    rules = PurposeRules.fit(X)
    usual = X.median().to_frame().T
    calm = usual.assign(utilization=0.79, utilization_change_12m=0.1, dpd_max_12m=5.0)
    tight = calm.assign(utilization=0.81)
    assert (
        rules.score(tight)[0].iloc[0]["liquidity_stress"] > rules.score(calm)[0].iloc[0]["liquidity_stress"]
    )
    calm = usual.assign(utilization=0.79, utilization_change_12m=-0.1, dpd_max_12m=0.0)
    # silent signs lower the mean of what is read; missing ones leave it alone
    unread = calm.assign(utilization=np.nan, dpd_max_12m=np.nan, utilization_change_12m=np.nan)
    assert (
        rules.score(unread)[0].iloc[0]["liquidity_stress"] > rules.score(calm)[0].iloc[0]["liquidity_stress"]
    )
    nothing = pd.DataFrame(np.nan, index=[0], columns=X.columns)
    scores, signs = rules.score(nothing)
    assert scores.isna().all(axis=None)
    assert signs.isna().all(axis=None)


def test_state_round_trip():
    X = book(300)
    rules = PurposeRules.fit(X)
    again = PurposeRules.from_state(rules.to_state())
    pd.testing.assert_frame_equal(again.score(X)[0], rules.score(X)[0])


def test_product_shares_by_hand():
    purpose = pd.Series(["capex"] * 20 + ["trade"] * 20)
    product = pd.Series(["term_loan"] * 20 + ["term_loan"] * 10 + ["guarantee"] * 10)
    table = product_shares(purpose, product)
    assert table.loc["all"].to_dict() == {"guarantee": 0.25, "term_loan": 0.75}
    assert table.loc["capex", "term_loan"] == pytest.approx((20 + 20 * 0.75) / 40)
    assert table.loc["growth"].to_dict() == table.loc["all"].to_dict()
    np.testing.assert_allclose(table.sum(axis=1), 1.0)


@pytest.mark.parametrize("grid", [-1, [[1.0]]])
def test_an_edited_grid_is_refused(grid: object) -> None:
    with pytest.raises(DataError, match="grid of a purpose must be a list of numbers"):
        PurposeRules.from_state({"grids": {"roa": grid}, "scores": {}})
