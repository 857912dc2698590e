"""The table of every row on other data, and how stable it is over periods."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from clientscore.additive import AdditiveCard, FeatureBins, FeatureRule, Term
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import BetaCalibration

BINS = (
    FeatureBins("roa", "number", edges=(0.0, 1.0), missing=True),
    FeatureBins("k", "category", levels=("u", "v")),
    FeatureBins("unread", "number"),
)
MAIN = Term(("roa",), np.array([[0.7], [0.0], [-0.7], [0.4], [0.0]]), np.array([0.4, 0.4, 0.2, 0.0, 0.0]))
PAIR = Term(("roa", "k"), np.arange(20.0).reshape(5, 4, 1) / 100)
CARD = AdditiveCard(("bad",), (-2.0,), BINS, (MAIN, PAIR))


def book(n=400, seed=0):
    rng = np.random.default_rng(seed)
    roa = rng.choice([-1.0, 0.5, 2.0, np.nan], n, p=[0.4, 0.3, 0.2, 0.1])
    X = pd.DataFrame({"roa": roa, "k": rng.choice(["u", "v", "new"], n), "unread": 0.0})
    dates = pd.to_datetime(rng.choice(["2024-01-01", "2025-01-01", "2026-01-01"], n))
    X.index = pd.MultiIndex.from_arrays([np.arange(n), dates], names=["client_id", "as_of"])
    y = pd.Series((rng.random(n) < 0.3).astype(float), index=X.index)
    return X, y


def test_a_table_by_hand():
    X = pd.DataFrame({"roa": [-1.0, -2.0, -3.0, 0.5, None], "k": "u", "unread": 0.0})
    table = CARD.bin_table(X, [1, 0, np.nan, 0, 1], sample_weight=[1, 1, 2, 4, 2])
    row = table[table["term"] == "roa"].set_index("row_1")
    assert row["count"].tolist() == [3, 1, 0, 1, 0]
    assert row["share"].tolist() == pytest.approx([0.4, 0.4, 0, 0.2, 0])
    assert row["training_share"].tolist() == pytest.approx([0.4, 0.4, 0.2, 0, 0])
    assert row["bads"].tolist() == [1, 0, 0, 2, 0]
    assert row["bad_rate"].fillna(-1).tolist() == [0.5, 0.0, -1, 1.0, -1]
    assert row["value"].tolist() == MAIN.values[:, 0].tolist()
    # Expected of the two whose outcome is known; evidence from the goods (1 of 5) and bads (1 of 3) there.
    assert row["expected_bad_rate"].iloc[0] == pytest.approx(expit(-2 + 0.7 + 0.00))
    assert row["woe"].iloc[0] == pytest.approx(np.log((1 / 3) / (1 / 5)))
    assert row["woe"].iloc[[2, 4]].isna().all()
    cells = table[table["term"] == "roa x k"]
    assert cells[["row_1", "row_2", "count"]].values.tolist() == [
        ["<= 0", "u", 3],
        ["(0, 1]", "u", 1],
        ["missing", "u", 1],
    ]
    assert cells["training_share"].isna().all()


def test_periods_are_tables_of_their_own_clients():
    X, y = book()
    whole = CARD.bin_table(X, y, by="as_of")
    assert whole["period"].is_monotonic_increasing
    for date, part in whole.groupby("period"):
        here = X.index.get_level_values("as_of") == date
        alone = CARD.bin_table(X[here], y[here])
        pd.testing.assert_frame_equal(part.drop(columns="period").reset_index(drop=True), alone)
    by_array = CARD.bin_table(X, y, by=X.index.get_level_values("as_of").year)
    assert by_array["period"].unique().tolist() == [2024, 2025, 2026]
    assert by_array["count"].tolist() == whole["count"].tolist()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.booleans())
def test_counts_shares_and_bads_of_every_term_add_up(seed, weighted):
    X, y = book(60, seed)
    weight = np.random.default_rng(seed).integers(0, 3, 60).astype(float) if weighted else np.ones(60)
    if not weight.any():
        return
    table = CARD.bin_table(X, y, by="as_of", sample_weight=weight)
    dates = X.index.get_level_values("as_of")
    for (date, _), part in table.groupby(["period", "term"]):
        here = dates == date
        assert part["count"].sum() == here.sum()
        if weight[here].any():
            assert part["share"].sum() == pytest.approx(1)
            assert part["bads"].sum() == pytest.approx((weight * y)[here].sum())
            mean = (part["expected_bad_rate"] * part["share"]).sum()
            assert mean == pytest.approx(np.average(expit(CARD.decision(X[here])), weights=weight[here]))


def test_an_open_window_has_expected_rates_and_no_bads():
    X, y = book()
    last = X.index.get_level_values("as_of") == "2026-01-01"
    table = CARD.bin_table(X, y.mask(last), by="as_of")
    late = table[table["period"] == "2026-01-01"]
    assert late[["bads", "bad_rate", "woe"]].isna().all().all()
    assert late.loc[late["count"] > 0, "expected_bad_rate"].notna().all()
    assert table[table["period"] < "2026-01-01"]["bads"].notna().all()


def test_what_is_refused_is_counted_and_a_map_of_the_pd_goes_into_what_is_expected():
    X, y = book()
    strict = CARD.with_rules({"roa": FeatureRule(missing="refuse")})
    with pytest.raises(DataError, match="not scored where it is missing"):
        strict.decision(X)
    assert strict.bin_table(X, y)["count"].tolist() == CARD.bin_table(X, y)["count"].tolist()
    beta = BetaCalibration(0.5, 1.5, 0.2)
    table = CARD.bin_table(X, pd_map=beta)
    first = X["roa"] < 0
    assert table["expected_bad_rate"].iloc[0] == pytest.approx(beta.pd(CARD.decision(X[first])).mean())


def test_a_card_without_terms_has_an_empty_table():
    X, y = book()
    bare = AdditiveCard(("bad",), (0.0,), BINS, ())
    assert bare.bin_table(X, y).empty
    assert bare.stability(X, y, by="as_of").frame().empty


def test_the_index_by_hand_and_what_chance_brings():
    X = pd.DataFrame({"roa": [-1.0] * 60 + [0.5] * 30 + [2.0] * 10, "k": "u", "unread": 0.0})
    report = CARD.stability(X)
    told = report.by_period.set_index("feature").loc["roa"]
    now, then = np.array([0.6, 0.3, 0.1]), np.array([0.4, 0.4, 0.2])
    assert told["psi"] == pytest.approx(((now - then) * np.log(now / then)).sum())
    assert told["psi_by_chance"] == pytest.approx(5.991465 / 100, rel=1e-6)  # chi-square, 2 degrees, 95 %
    assert told["shift"] == pytest.approx(0.2 * 0.7 + 0.1 * 0.7)
    assert report.frame().loc["roa", "state"] == "watch"
    # The pair's other feature has no table of its own, so nothing it could be compared with.
    assert np.isnan(report.frame().loc["k", "psi"])
    assert pd.isna(report.frame().loc["k", "state"])
    first = CARD.stability(X, by=[1] * 50 + [2] * 50, reference="first")
    assert first.by_period.query("period == 1")["psi"].tolist() == [0, 0]
    assert first.by_period.query("period == 2 and feature == 'k'")["psi"].tolist() == [0]


def test_chance_alone_moves_little_more_than_is_said():
    rng = np.random.default_rng(3)
    beyond = 0
    strict = AdditiveCard(("bad",), (-2.0,), BINS[:1], (MAIN,))
    for _ in range(200):
        roa = rng.choice([-1.0, 0.5, 2.0], 500, p=[0.4, 0.4, 0.2])
        found = strict.stability(pd.DataFrame({"roa": roa})).by_period.iloc[0]
        beyond += found["psi"] > found["psi_by_chance"]
    assert 1 <= beyond <= 20  # 5 % of 200, about three standard errors either way


def test_a_trend_that_turns_in_one_period_is_told_and_noise_is_not():
    rng = np.random.default_rng(0)
    n = 15_000
    roa = rng.choice([-1.0, 0.5, 2.0], n)
    X = pd.DataFrame({"roa": roa, "k": "u", "unread": 0.0})
    year = rng.integers(2023, 2026, n)
    z = np.where(roa < 0, 0.5, np.where(roa < 1, 0.0, -0.7)) * np.where(year == 2025, -1, 1) - 1
    y = (rng.random(n) < expit(z)).astype(int)
    told = CARD.stability(X, y, by=year).by_period.query("feature == 'roa'").set_index("period")
    assert told["row_pairs"].tolist() == [3, 3, 3]
    assert told["clear_reversals"].tolist() == [0, 0, 3]
    assert told["reversals"].tolist() == [0, 0, 3]
    assert CARD.stability(X, y, by=year).frame().loc["roa", "clear_reversals"] == 3


def test_the_report_is_shown_and_is_json():
    X, y = book()
    report = CARD.stability(X, y, by="as_of")
    assert json.loads(json.dumps(report.to_dict()))["by_period"][0]["period"].startswith("2024-01-01")
    assert "Stability against training" in repr(report)
    assert "<table" in report._repr_html_()
    assert report.frame().index.tolist()[0] == "roa"


def test_requests_that_cannot_be_met_are_named():
    X, y = book()
    for call in (CARD.bin_table, CARD.stability):
        with pytest.raises(InvalidParameterError, match="by must be one of 'client_id', 'as_of'; got 'asof'"):
            call(X, y, by="asof")
        with pytest.raises(DataError, match="by must hold one value for each of the 400 rows of X; got 2"):
            call(X, y, by=[1, 2])
        with pytest.raises(DataError, match="its period; 1 of 400 have none"):
            call(X, y, by=[np.nan, *[1.0] * 399])
        with pytest.raises(DataError, match="must hold 0, 1 or missing for each of the 400"):
            call(X, y + 1)
        with pytest.raises(DataError, match="stand on X's index"):
            call(X, y[::-1])
        with pytest.raises(DataError, match="it has no rows"):
            call(X.head(0))
        with pytest.raises(DataError, match="not all 0"):
            call(X, sample_weight=np.zeros(400))
    two = AdditiveCard(("x", "y"), (0.0, 0.0), BINS, ())
    with pytest.raises(InvalidParameterError, match="one output with link 'logit'"):
        two.bin_table(X)
    with pytest.raises(InvalidParameterError, match="reference must be one of"):
        CARD.stability(X, reference="last")
