"""What a scorer says of other data: the table of rows, stability, the floor of the PD."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError
from clientscore.scale import BetaCalibration, MasterScale
from clientscore.scoring import ClientScorer


def test_the_table_of_training_says_what_the_card_was_taught(woe, clients):
    X, y = clients
    table = woe.bin_table(X, y)
    assert (table["share"] - table["training_share"]).abs().max() < 1e-12
    assert table["points"].to_numpy() == pytest.approx(-woe.scale_.factor * table["value"])
    learned = woe.report_.bins.set_index("feature").loc["dpd_max_3m"]
    shown = table[(table["term"] == "dpd_max_3m") & (table["count"] > 0)]
    assert shown["woe"].tolist() == pytest.approx(learned["woe"].tolist())
    assert shown["bads"].tolist() == pytest.approx(learned["bads"].tolist())
    for name, part in table.groupby("term"):
        assert part["count"].sum() == len(X), name


def test_words_missing_outcomes_and_frames_of_others_are_read(clients):
    X, y = clients
    X, y = X.reset_index(drop=True), y.reset_index(drop=True)
    words = y.map({0: "good", 1: "lost"})
    scorer = ClientScorer(method="woe").fit(X, words)
    expected = scorer.bin_table(X, words.mask(X.index < 50))
    assert (
        expected["bads"].sum() == ClientScorer(method="woe").fit(X, y).bin_table(X[50:], y[50:])["bads"].sum()
    )
    with pytest.raises(DataError, match=r"y must hold the classes \['good', 'lost'\]; got 0"):
        scorer.bin_table(X, y)
    with pytest.raises(DataError, match="one value for each of the 3000 rows"):
        scorer.stability(X, words.to_numpy()[1:])


def test_a_shift_of_one_feature_is_found_by_date(woe, newer):
    X, y = newer
    late = X.index.get_level_values("as_of") > "2021-06-01"
    X = X.assign(interest_cover=X["interest_cover"] - 4.0 * late)
    period = np.where(late, "2021 H2", "before")
    told = woe.stability(X, y, by=period)
    frame = told.frame()
    assert frame.index[0] == "interest_cover"
    assert frame.loc["interest_cover", ["period", "state"]].tolist() == ["2021 H2", "act"]
    assert frame.loc["interest_cover", "shift"] > 0.5  # less cover, more risk
    assert frame.drop(index="interest_cover")["state"].unique().tolist() == ["stable"]
    by_month = woe.stability(newer[0], newer[1], by="as_of").frame()
    assert by_month["state"].unique().tolist() == ["stable"]
    assert by_month["periods_moved"].max() <= 1


def test_the_floor_is_that_of_the_master_scale(clients):
    X, y = clients
    scorer = ClientScorer(method="woe", master_scale=MasterScale(pd_floor=0.05)).fit(X, y)
    plain = scorer.predict_proba(X)[:, 1]
    floored = scorer.floored_pd(X)
    assert floored.name == "pd"
    assert floored.index.equals(X.index)
    assert plain.min() < 0.05
    assert (floored == np.maximum(plain, 0.05)).all()
    mapped = scorer.with_pd_map(BetaCalibration(0.5, 1.0, 0.0))
    assert (mapped.floored_pd(X) == np.maximum(mapped.predict_proba(X)[:, 1], 0.05)).all()


def test_expected_rates_pass_through_the_map(woe, clients):
    X, y = clients
    beta = BetaCalibration(0.5, 1.5, 0.3)
    mapped, plain = woe.with_pd_map(beta).bin_table(X, y), woe.bin_table(X, y)
    whole = mapped[mapped["term"] == mapped["term"].iloc[0]]
    mean = (whole["expected_bad_rate"] * whole["share"]).sum()
    assert mean == pytest.approx(woe.with_pd_map(beta).predict_proba(X)[:, 1].mean())
    pd.testing.assert_frame_equal(
        mapped.drop(columns="expected_bad_rate"), plain.drop(columns="expected_bad_rate")
    )
