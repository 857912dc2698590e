from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore import _words
from clientscore.catalogue import describe
from clientscore.exceptions import DataError
from clientscore.need.purpose import GATES, PURPOSES, Position, PurposeRules


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
    free = scores.drop(columns=list(GATES))
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
        ("liquidity_stress", {"utilization": 0.99, "utilization_change_12m": 3.0, "dpd_max_12m": 80.0}),
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


CALM = {
    "utilization": 0.5,
    "utilization_change_12m": -0.1,
    "dpd_max_12m": 0.0,
    "cash_ratio": 0.5,
    "interest_cover": 4.0,
}


@pytest.mark.parametrize(
    ("moved", "spoken"),
    [
        ({}, False),
        ({"utilization": 0.95, "utilization_change_12m": 0.2}, False),  # a full line that fills up, no more
        ({"utilization": 0.95, "dpd_max_12m": 40.0}, False),  # full and late, but no longer rising
        ({"utilization_change_12m": 0.2, "dpd_max_12m": 40.0}, False),  # rising, not full
        ({"utilization": 0.95, "utilization_change_12m": 0.2, "dpd_max_12m": 10.0}, False),  # ten days late
        ({"utilization": 0.95, "utilization_change_12m": 0.2, "dpd_max_12m": 40.0}, True),
        ({"utilization": 0.95, "utilization_change_12m": 0.2, "cash_ratio": 0.1}, True),
        ({"utilization": 0.95, "utilization_change_12m": 0.2, "interest_cover": 0.5}, True),
        ({"utilization": 0.95, "utilization_change_12m": 0.2, "interest_cover": np.nan}, True),  # may be
        ({"utilization": 0.95, "utilization_change_12m": np.nan, "dpd_max_12m": 40.0}, True),  # may be
    ],
)
def test_stress_is_a_line_full_and_rising_and_another_alarm(moved, spoken):
    X = book()
    rules = PurposeRules.fit(X)
    given = pd.DataFrame([{**X.median().to_dict(), **CALM, **moved}])
    assert (rules.score(given)[0]["liquidity_stress"].iloc[0] > 0) == spoken


def test_without_a_line_stress_is_not_evaluated():
    X = book()
    rules = PurposeRules.fit(X)
    given = pd.DataFrame([{**X.median().to_dict(), **CALM}])
    given[["utilization", "utilization_change_12m"]] = np.nan
    scores, signs = rules.score(given)
    assert scores["liquidity_stress"].isna().all()
    assert signs["liquidity_stress"].isna().all()
    bare = X.drop(columns=["utilization", "utilization_change_12m"])
    assert PurposeRules.fit(bare).score(bare)[0]["liquidity_stress"].isna().all()
    nothing = pd.DataFrame(np.nan, index=[0], columns=X.columns)
    scores, signs = rules.score(nothing)
    assert scores.isna().all(axis=None)
    assert signs.isna().all(axis=None)


def test_a_missing_sign_is_not_read():
    X = book()
    rules = PurposeRules.fit(X)
    usual = X.median().to_frame().T.assign(maturity_share_12m=-1.0, maturity_share_6m=-1.0)
    # a silent sign lowers the mean of what is read; a missing one leaves it alone
    unread = usual.assign(maturity_share_12m=np.nan, maturity_share_6m=np.nan)
    assert rules.score(unread)[0]["refinancing"].iloc[0] > rules.score(usual)[0]["refinancing"].iloc[0]


def test_positions_by_hand():
    place = Position.of(np.array([0.0, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(
        place(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 9.0])), [0, 0.25, 0.5, 0.625, 0.875, 1]
    )
    assert np.isnan(place(np.array([np.nan]))).all()


def test_signs_are_the_loudest_first_with_their_usual_value():
    X = book()
    rules = PurposeRules.fit(X)
    rows = X.head(3).copy()
    rows.loc[1] = X.median()
    rows.loc[1, ["dio_days", "asset_turnover"]] = [9.0, np.nan]
    table = rules.signs(rows, np.array(["capex", "trade", None], dtype=object), 2)
    assert table["row"].tolist() == [0, 0, 1, 1]
    assert table["rank"].tolist() == [1, 2, 1, 2]
    one = table.iloc[2]
    assert (one["feature"], one["value"], one["position"]) == ("dio_days", 9.0, 1.0)
    assert one["usual"] == pytest.approx(X["dio_days"].median(), abs=0.02)
    assert one["usual_low"] < one["usual"] < one["usual_high"]
    assert "asset_turnover" not in set(table[table["row"] == 1]["feature"])
    _, loudest = rules.score(rows)
    assert loudest.loc[1, "trade"] == "dio_days"


def test_state_round_trip():
    X = book(300)
    rules = PurposeRules.fit(X)
    again = PurposeRules.from_state(rules.to_state())
    pd.testing.assert_frame_equal(again.score(X)[0], rules.score(X)[0])


@pytest.mark.parametrize("grid", [-1, [[1.0]]])
def test_an_edited_grid_is_refused(grid: object) -> None:
    with pytest.raises(DataError, match="grid of a purpose must be a list of numbers"):
        PurposeRules.from_state({"grids": {"roa": grid}, "scores": {}})
