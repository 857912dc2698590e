from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore import metrics
from clientscore.exceptions import DataError
from clientscore.scoring import ClientScorer
from clientscore.scoring._challenger import (
    ChallengerReport,
    _Judged,
    compare,
    evidence_of,
)
from clientscore.scoring._fit import TrainingRows

FAST = {"n_bags": 2, "max_rounds": 60, "random_state": 0, "challenger": True}


@pytest.fixture(scope="module")
def told(clients):
    return ClientScorer(**FAST).fit(*clients)


def test_it_says_what_judged_and_how_far_apart_the_two_are(told, clients):
    report = told.challenger_report_
    X, y = clients
    dates = X.index.get_level_values("as_of")
    start = np.unique(dates)[-6]  # the last quarter of 24 dates
    assert report.evidence == f"out of time from {pd.Timestamp(start).date()}, 5 grouped folds"
    late = dates >= start
    assert (report.rows, report.events) == (late.sum(), y[late].sum())
    assert report.clients == X.index.get_level_values("client_id")[late].nunique()
    frame = report.frame()
    assert list(frame.index) == ["auc", "log_loss", "brier"]
    assert (frame["difference"] == frame["card"] - frame["trees"]).all()
    assert (frame["lower"] < frame["upper"]).all()
    assert frame["difference"].between(frame["lower"] - 0.01, frame["upper"] + 0.01).all()
    assert 0.6 < frame.loc["auc", "card"] < 0.95
    base = y[late].mean()
    assert frame.loc["log_loss", "card"] < -(base * np.log(base) + (1 - base) * np.log(1 - base))


def test_it_is_shown_and_never_printed(told, clients, capsys):
    ClientScorer(method="woe", challenger=True, n_bags=1, max_rounds=5).fit(*clients)
    assert capsys.readouterr().out == ""
    assert repr(told.challenger_report_).startswith("Card against bagged full trees, out of time from 2021")
    assert "<table" in told.challenger_report_._repr_html_()


def test_its_figures_are_saved_with_the_scorer(told):
    copy = ClientScorer.from_state(told.to_state())
    assert copy.challenger_report_ == told.challenger_report_
    assert ChallengerReport.from_dict(told.challenger_report_.to_dict()) == told.challenger_report_
    assert copy.get_params() == told.get_params()


def test_the_card_is_the_one_without_a_challenger(told, clients):
    alone = ClientScorer(**{**FAST, "challenger": False}).fit(*clients)
    assert alone.challenger_report_ is None
    assert alone.card_.to_json() == told.card_.to_json()


def test_trees_win_where_pairs_cannot_follow():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(4000, 3)), columns=["a", "b", "c"])
    y = rng.random(4000) < 1 / (1 + np.exp(-2.5 * np.sign(X["a"] * X["b"] * X["c"])))
    report = (
        ClientScorer(n_bags=2, max_rounds=200, random_state=0, challenger=True).fit(X, y).challenger_report_
    )
    assert report.evidence == "5 folds"
    assert (report.rows, report.clients) == (4000, 4000)
    assert report.frame().loc["log_loss", "lower"] > 0.02
    assert report.frame().loc["auc", "upper"] < -0.05


def rows_of(n=400, dated=True, grouped=True, seed=0):
    rng = np.random.default_rng(seed)
    dates = pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 8, n) * 90, unit="D")
    X = pd.DataFrame({"x": rng.normal(size=n)})
    if dated:
        X.index = pd.Index(dates, name="as_of")
    groups = rng.integers(0, 80, n) if grouped else None
    return TrainingRows(X, (rng.random(n) < 0.3).astype(float), groups=groups)


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("grouped", [True, False])
def test_no_judge_has_been_taught_on_its_client_or_on_its_future(dated, grouped):
    rows = rows_of(dated=dated, grouped=grouped)
    clients = np.arange(len(rows.y)) if rows.groups is None else rows.groups
    evidence = evidence_of(rows, clients, 0)
    judged = np.sum([split.test for split in evidence.splits], axis=0)
    assert judged.max() == 1
    for split in evidence.splits:
        assert not set(clients[split.train]) & set(clients[split.test])
        if dated:
            dates = rows.X.index
            assert dates[split.train].max() < dates[split.test].min()
    if dated:
        assert judged.sum() == (rows.X.index >= np.unique(rows.X.index)[-2]).sum()
    else:
        assert judged.all()
        assert evidence.words == ("5 grouped folds" if grouped else "5 folds")


def test_dates_that_leave_one_class_are_not_the_evidence():
    rows = rows_of()
    rows.y[rows.X.index >= np.unique(rows.X.index)[-2]] = 0
    assert evidence_of(rows, rows.groups, 0).words == "5 grouped folds"


def test_whole_numbers_are_dates_too():
    rows = rows_of()
    rows.X.index = pd.Index(np.arange(400) % 8 + 2010, name="as_of")
    assert evidence_of(rows, rows.groups, 0).words.startswith("out of time from 2016")


def test_too_few_bads_to_judge_by_are_named():
    X = pd.DataFrame({"x": np.arange(200.0)})
    with pytest.raises(DataError, match="challenger=True needs bads and goods of at least 5 clients"):
        ClientScorer(method="woe", challenger=True).fit(X, np.arange(200) == 7)


def test_measures_are_those_of_the_metrics_and_intervals_hold_the_truth():
    """Of two scores that are equally good by construction, 95 % intervals miss zero rarely."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(20):
        z = rng.normal(size=400)
        y = (rng.random(400) < 1 / (1 + np.exp(-z))).astype(float)
        one, other = z + rng.normal(size=400), z + rng.normal(size=400)
        weight = rng.uniform(0.5, 2, 400)
        judged = _Judged(y, weight, np.arange(400) // 2, one, other)
        figures = {each.measure: each for each in compare(judged, 0)}
        assert figures["auc"].card == pytest.approx(metrics.auc(y, one, weight))
        p = 1 / (1 + np.exp(-other))
        assert figures["log_loss"].trees == pytest.approx(metrics.log_loss(y, p, weight))
        assert figures["brier"].trees == pytest.approx(metrics.brier(y, p, weight))
        missed += not figures["log_loss"].lower <= 0 <= figures["log_loss"].upper
    assert missed <= 4


def test_rows_of_one_client_widen_the_interval():
    rng = np.random.default_rng(0)
    z = np.repeat(rng.normal(size=60), 20)
    y = np.repeat((rng.random(60) < 0.5).astype(float), 20)
    other = np.repeat(rng.normal(size=60), 20)
    width = []
    for client in (np.arange(1200), np.arange(1200) // 20):
        figures = {one.measure: one for one in compare(_Judged(y, np.ones(1200), client, z, other), 0)}
        width.append(figures["log_loss"].upper - figures["log_loss"].lower)
    assert width[1] > 3 * width[0]
