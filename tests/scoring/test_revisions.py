from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.exceptions import BundleFormatError, DataError, InvalidParameterError, MissingColumnError
from clientscore.scale import ScoreScale, calibrate_logistic
from clientscore.scoring import ClientScorer


class Doubled:
    """A map that no card can carry: twice the probability, at most one half."""

    def pd(self, log_odds):
        return np.minimum(2 * expit(log_odds), 0.5)

    def to_state(self):
        return {"kind": "doubled"}


# ---- recalibrated ----------------------------------------------------------------------------------------


def test_slope_and_level_of_a_later_window(scorer, newer):
    X, y = newer
    before = scorer.decision_function(X)
    later = scorer.recalibrate(X, y)
    intercept, slope = calibrate_logistic(before, y)
    told = later.calibration_
    assert (told["intercept"], told["slope"]) == pytest.approx((intercept, slope))
    assert later.decision_function(X) == pytest.approx(intercept + slope * before, abs=1e-9)
    assert calibrate_logistic(later.decision_function(X), y) == pytest.approx((0, 1), abs=1e-7)
    assert (told["method"], told["rows"], told["events"]) == ("logistic", 3000, int(y.sum()))
    dates = X.index.get_level_values("as_of")
    assert (told["from"], told["to"]) == (str(dates.min().date()), str(dates.max().date()))
    assert told["before"] == scorer.calibration_
    assert scorer.decision_function(X).tolist() == before.tolist()  # the old one is untouched
    assert later.base_points_ == pytest.approx(later.scale_.points_from_log_odds(later.card_.intercept[0]))


def test_the_level_alone_and_a_long_run_rate(scorer, newer):
    X, y = newer
    mean = scorer.recalibrate(X, y, method="mean")
    assert mean.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=1e-9)
    shift = mean.decision_function(X) - scorer.decision_function(X)
    assert np.ptp(shift) < 1e-9
    for method in ("mean", "logistic"):
        long_run = scorer.recalibrate(X, y, method=method, target=0.02)
        assert long_run.predict_proba(X)[:, 1].mean() == pytest.approx(0.02, rel=1e-9)
        assert long_run.calibration_["target"] == 0.02
    kept = scorer.recalibrate(X, y, target=0.02).calibration_["slope"]
    assert kept == pytest.approx(scorer.recalibrate(X, y).calibration_["slope"])


def test_reasons_follow_the_recalibrated_card(scorer, clients, newer):
    X, y = newer
    later = scorer.recalibrate(X, y, target=0.05)
    told, before = later.reason_frame(X.head(200)), scorer.reason_frame(X.head(200))
    assert told["code"].tolist() == before["code"].tolist()
    slope = later.calibration_["slope"]
    assert told["points_lost"].to_numpy() == pytest.approx(slope * before["points_lost"].to_numpy(), abs=1e-6)
    measured = later.with_card(later.card_, clients[0])  # the averages measured anew
    for cutoff in (None, 620.0):
        one = later.reason_frame(X.head(50), cutoff_points=cutoff)["points_lost"]
        other = measured.reason_frame(X.head(50), cutoff_points=cutoff)["points_lost"]
        assert one.to_numpy() == pytest.approx(other.to_numpy(), abs=1e-6)


def test_weights_holes_and_state(woe, newer):
    X, y = newer
    half = np.arange(len(y)) % 2
    weighted = woe.recalibrate(X, y, sample_weight=half)
    holes = woe.recalibrate(X, y.where(half == 1))
    assert weighted.calibration_ == holes.calibration_
    assert weighted.calibration_["rows"] == 1500
    copy = ClientScorer.from_state(holes.to_state())
    assert copy.calibration_ == holes.calibration_
    assert copy.points(X).tolist() == holes.points(X).tolist()
    plain = woe.recalibrate(X.reset_index(drop=True), y.to_numpy())
    assert (plain.calibration_["from"], plain.calibration_["to"]) == (None, None)


def test_windows_that_cannot_calibrate_are_named(woe, newer):
    X, y = newer
    with pytest.raises(DataError, match="The bad rate must rise with the log-odds"):
        woe.recalibrate(X, 1 - y)
    with pytest.raises(DataError, match=r"y must hold the classes \[0, 1\]; got \['good', 'worse'\]"):
        woe.recalibrate(X, np.where(y == 1, "worse", "good"))
    with pytest.raises(DataError, match="one class only"):
        woe.recalibrate(X, y * 0)
    with pytest.raises(InvalidParameterError, match="method must be one of 'auto', 'mean'"):
        woe.recalibrate(X, y, method="spline")
    with pytest.raises(InvalidParameterError, match="target must be a number in"):
        woe.recalibrate(X, y, target=1.5)
    with pytest.raises(MissingColumnError, match="'noise' is missing"):
        woe.recalibrate(X.drop(columns="noise"), y)


# ---- a map of the PD -------------------------------------------------------------------------------------


def test_a_map_moves_pd_and_grade_and_nothing_else(scorer, newer):
    X = newer[0].head(300)
    mapped = scorer.with_pd_map(Doubled())
    expected = np.minimum(2 * scorer.predict_proba(X)[:, 1], 0.5)
    assert mapped.predict_proba(X)[:, 1] == pytest.approx(expected, abs=1e-12)
    assert mapped.points(X).equals(scorer.points(X))
    assert mapped.decision_function(X).tolist() == scorer.decision_function(X).tolist()
    assert mapped.reasons(X).equals(scorer.reasons(X))
    assert mapped.grade(X).equals(mapped.master_scale_.grade(pd.Series(expected, index=X.index)))
    assert (mapped.predict(X) == 0).all()
    frame = mapped.score_frame(X)
    assert frame["pd"].tolist() == mapped.predict_proba(X)[:, 1].tolist()
    assert frame["grade"].equals(mapped.grade(X))
    one = mapped.score_one(X.iloc[0].to_dict())
    assert (one["pd"], one["grade"]) == (frame["pd"].iloc[0], frame["grade"].iloc[0])
    assert scorer.pd_map_ is None


def test_a_map_belongs_to_its_card(woe, newer):
    mapped = woe.with_pd_map(Doubled())
    assert mapped.recalibrate(*newer).pd_map_ is None
    assert mapped.with_pd_map(None).pd_map_ is None
    with pytest.raises(InvalidParameterError, match="pd_map must have the methods pd and to_state"):
        woe.with_pd_map(lambda p: p)


def test_an_unknown_map_is_not_dropped_in_silence(woe):
    with pytest.raises(BundleFormatError, match="No PD map of kind 'doubled' is known"):
        ClientScorer.from_state(woe.with_pd_map(Doubled()).to_state())


# ---- other cards -----------------------------------------------------------------------------------------


def test_an_edited_card_takes_the_place_of_the_old(woe, clients, newer):
    X = newer[0].head(100)
    terms = tuple(
        replace(term, values=2 * term.values if term.name == "dpd_max_3m" else term.values)
        for term in woe.card_.terms
    )
    edited = woe.with_card(replace(woe.card_, terms=terms), clients[0])
    change = edited.decision_function(X) - woe.decision_function(X)
    assert change == pytest.approx(woe.card_.contributions(X)["dpd_max_3m"].to_numpy())
    told = edited.reason_frame(X, n=1)
    mean = edited.card_.feature_contributions(clients[0]).mean()
    parts = edited.card_.feature_contributions(X) - mean
    assert told["points_lost"].max() == pytest.approx(edited.scale_.factor * parts.max().max())
    assert edited.pillars_ == woe.pillars_
    copy = ClientScorer.from_state(edited.to_state())
    assert copy.points(X).equals(edited.points(X))


def expert_card():
    bins = (
        FeatureBins("roa", "number", edges=(0.0,)),
        FeatureBins("sponsor", "category", levels=("strong",)),
    )
    terms = (
        Term(("roa",), np.array([[0.7], [-0.2], [0.1], [0.0]])),
        Term(("sponsor",), np.array([[-0.5], [0.0], [0.5]])),
    )
    return AdditiveCard(("bad",), (-3.0,), bins, terms)


def test_an_expert_card_scores_without_an_outcome():
    X = pd.DataFrame({"roa": [-0.1, 0.2], "sponsor": ["strong", "new"]}, index=["a", "b"])
    scale = ScoreScale(pdo=20 * np.log(2))
    scorer = ClientScorer.from_card(expert_card(), X, scale=scale, pillars={"sponsor": "credit"})
    assert logit(scorer.predict_proba(X)[:, 1]) == pytest.approx([-2.8, -2.7])
    assert scorer.points(X)["a"] - scorer.points(X)["b"] == pytest.approx(2.0)
    told = scorer.reason_frame(X)
    assert told[["code", "value"]].to_dict("records") == [
        {"code": "roa", "value": -0.1},
        {"code": "sponsor", "value": "new"},
    ]
    assert told["points_lost"].tolist() == pytest.approx([9.0, 10.0])
    assert scorer.pillars_["sponsor"] == "credit"
    assert scorer.classes_.tolist() == [0, 1]
    assert np.isnan(scorer.base_rate_)
    copy = ClientScorer.from_state(scorer.to_state())
    assert copy.score_frame(X).equals(scorer.score_frame(X))
    later = scorer.recalibrate(pd.concat([X] * 10), np.arange(20) % 5 == 0, method="mean")
    assert later.predict_proba(X)[:, 1].mean() == pytest.approx(0.2)


def test_cards_that_are_no_scorer_are_named(woe, clients):
    wide = AdditiveCard(("a", "b"), (0.0, 0.0), (), (), link="multilogit")
    with pytest.raises(InvalidParameterError, match="one output in log-odds"):
        ClientScorer.from_card(wide, clients[0])
    with pytest.raises(InvalidParameterError, match="It reads 'roa', which is no feature"):
        woe.with_card(expert_card(), clients[0])


def test_clients_of_weight_zero_are_no_reference_and_nobody_is_an_error(woe, clients):
    X, _ = clients
    card = woe.card_.recalibrated(slope=0.5)
    weight = np.zeros(len(X))
    with pytest.raises(DataError, match="whose averages the reasons compare with; no row is left"):
        woe.with_card(card, X, sample_weight=weight)
    with pytest.raises(DataError, match="no row is left"):
        ClientScorer.from_card(card, X.head(0))
    weight[-3:] = 2.0
    some, three = woe.with_card(card, X, sample_weight=weight), woe.with_card(card, X.tail(3))
    assert some._reference.mean == pytest.approx(three._reference.mean)
    assert some._reference.best.tolist() == three._reference.best.tolist()
