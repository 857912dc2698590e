"""Scorers of a card that people wrote, and settings of the classical learner."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from clientscore.additive import PointsTable, WoeSettings, expert_card, learn_woe
from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.scale import ScoreScale
from clientscore.scoring import ClientScorer

TOML = """
author = "Credit committee"
date = 2026-01-01
why = "no defaults yet"
start_points = 10

[scale]
base_points = 50
base_odds = 3
pdo = 20

[features.interest_cover]
reason = "earnings against interest"
rows = [{ to = 1.0, points = 0 }, { from = 1.0, to = 4.0, points = 20 }, { from = 4.0, points = 35 }]
missing = "refuse"

[features.dpd_max_3m]
rows = [{ to = 1.0, points = 30 }, { from = 1.0, points = 0 }]
missing = "worst"
"""
CSV = """feature,row,points,reason
interest_cover,<= 1,0,earnings against interest
interest_cover,"(1, 4]",20,
interest_cover,> 4,35,
interest_cover,missing,refuse,
dpd_max_3m,<= 1,30,
dpd_max_3m,> 1,0,
dpd_max_3m,missing,worst,
"""


@pytest.fixture(scope="module")
def table():
    return PointsTable.read(TOML)


def test_fit_keeps_the_points_and_only_calibrates(table, clients, newer):
    X, y = clients
    scorer = ClientScorer(method=table).fit(X, y)
    card, scale = expert_card(TOML)
    known = X["interest_cover"].notna()
    told = scorer.calibration_
    assert told["method"] in ("mean", "logistic")
    raw = card.decision(newer[0][newer[0]["interest_cover"].notna()])
    new = newer[0].loc[newer[0]["interest_cover"].notna()]
    assert scorer.decision_function(new) == pytest.approx(told["intercept"] + told["slope"] * raw)
    assert scorer.scale_ == scale == ScoreScale(50, 3, 20)
    assert scorer.predict_proba(X[known])[:, 1].mean() == pytest.approx(y[known].mean())
    assert scorer.summary_["rows_refused"] == (~known).sum() > 0
    assert scorer.feature_names_in_.tolist() == ["interest_cover", "dpd_max_3m"]
    assert scorer.report_ is None
    with pytest.raises(DataError, match="not scored where it is missing"):
        scorer.points(X)


def test_without_calibration_the_points_are_those_of_the_table(table, clients):
    X, y = clients
    scorer = ClientScorer(method=table, calibration=None).fit(X, y)
    client = pd.DataFrame({"interest_cover": [2.0], "dpd_max_3m": [0.0]})
    assert scorer.points(client).iloc[0] == pytest.approx(10 + 20 + 30)
    assert scorer.points(client, rounded=True).iloc[0] == 60


def test_words_of_the_table_reach_the_reasons(table, clients):
    scorer = ClientScorer(method=table).fit(*clients)
    told = scorer.reason_frame(pd.DataFrame({"interest_cover": [0.0], "dpd_max_3m": [9.0]})).set_index("code")
    assert told.loc["interest_cover", ["text_en", "text_zh"]].tolist() == ["earnings against interest"] * 2
    assert told.loc["dpd_max_3m", "text_zh"] == "近三个月最长逾期天数"


def test_text_csv_and_frame_say_the_same(table, clients, tmp_path):
    head = {"by": "Credit committee", "why": "no defaults yet", "when": "2026-01-01"}
    scale = table.scale
    (tmp_path / "card.csv").write_text(CSV, encoding="utf-8")
    plain = pd.read_csv(tmp_path / "card.csv")
    read = [
        PointsTable.read(source, scale, **head) for source in (tmp_path / "card.csv", plain, table.frame())
    ]
    for one in read:
        assert one.features == table.features
    card, told = expert_card(plain, scale, **head)
    assert told == scale
    assert card.decision_one({"interest_cover": 5, "dpd_max_3m": 0}) == pytest.approx(
        scale.log_odds_from_points(65)
    )
    with pytest.raises(InvalidParameterError, match="points table cannot be used") as caught:
        PointsTable.read(plain.rename(columns={"points": "worth"}), **head)
    assert any("has no key 'worth'" in fault for fault in caught.value.faults)
    with pytest.raises(InvalidParameterError, match="interest_cover") as caught:
        PointsTable.read(plain.drop(index=1), **head)
    assert any("gap" in fault or "no row" in fault for fault in caught.value.faults)


def test_codes_levels_and_bounds_survive_a_frame():
    text = TOML.replace(
        "rows = [{ to = 1.0, points = 30 }, { from = 1.0, points = 0 }]\n",
        "rows = [{ from = 0, to = 1.0, points = 30 }, { from = 1.0, to = 99, points = 0 }, "
        "{ special = -999, points = 7 }]\nbelow = 1\nabove = 2\n",
    )
    text += '\n[features.k]\nrows = [{ level = "u v", points = 1.25 }]\nmissing = 0\nunseen = "refuse"\n'
    table = PointsTable.read(text)
    again = PointsTable.read(table.frame(), table.scale, by="x", why="y", when="2026-01-01")
    assert again.features == table.features


def test_a_scorer_of_a_card_is_cloned_fitted_and_cross_validated_as_that_card(table, clients):
    X, y = clients
    X, y = X[X["interest_cover"].notna()], y[X["interest_cover"].notna()]
    card, scale = expert_card(TOML)
    scorer = ClientScorer.from_card(card, X, scale=scale)
    again = clone(scorer).fit(X, y)
    assert [term.features for term in again.card_.terms] == [term.features for term in card.terms]
    slope = again.calibration_["slope"]
    for new, old in zip(again.card_.terms, card.terms, strict=True):
        assert new.values == pytest.approx(slope * old.values)
    assert clone(ClientScorer(method=table)).get_params()["method"] == table
    assert deepcopy(scorer).points(X).equals(scorer.points(X))
    assert cross_val_score(ClientScorer(method=table), X, y, cv=2, scoring="roc_auc").min() > 0.6
    assert "AdditiveCard(" in repr(scorer)


def test_a_challenger_says_what_the_table_gives_up(table, clients):
    X, y = clients
    scorer = ClientScorer(method=table, challenger=True, n_bags=1, max_rounds=30, random_state=0).fit(X, y)
    report = scorer.challenger_report_.frame()
    assert report.loc["auc", "upper"] < 0  # two coarse factors against trees
    assert scorer.challenger_report_.rows < (X["interest_cover"].notna()).sum()


@pytest.mark.parametrize("kind", ["table", "card", "woe"])
def test_state_brings_back_the_way_too(kind, table, clients):
    X, y = clients
    method = {"table": table, "card": expert_card(TOML)[0], "woe": WoeSettings(min_events=20)}[kind]
    scorer = ClientScorer(method=method).fit(X, y)
    again = ClientScorer.from_state(scorer.to_state())
    new = X[X["interest_cover"].notna()]
    assert again.points(new).equals(scorer.points(new))
    if kind == "card":
        assert again.method.to_json() == method.to_json()
    else:
        assert again.method == method
    assert clone(again).fit(X, y).card_.to_json() == scorer.card_.to_json()


def test_cards_that_cannot_be_calibrated_are_named(table, clients):
    X, y = clients
    with pytest.raises(InvalidParameterError, match="is given itself: method=PointsTable"):
        ClientScorer(method="expert").fit(X, y)
    with pytest.raises(InvalidParameterError, match="method must be one of 'boosted', 'woe'; got 'wod'"):
        ClientScorer(method="wod").fit(X, y)
    with pytest.raises(InvalidParameterError, match="the card given holds its own decisions"):
        ClientScorer(method=table, monotone={"dpd_max_3m": "increasing"}).fit(X, y)
    with pytest.raises(MissingColumnError, match="X needs 1 more column"):
        ClientScorer(method=table).fit(X.drop(columns="dpd_max_3m"), y)
    with pytest.raises(DataError, match="finds its features by name"):
        ClientScorer(method=table).fit(X[["interest_cover", "dpd_max_3m"]].to_numpy(), y.to_numpy())
    with pytest.raises(DataError, match="both classes"):
        ClientScorer(method=table).fit(X.assign(interest_cover=np.nan), y)
    two = learn_woe(X, y)[0].recalibrated()
    odd = type(two)(("a", "b"), (0.0, 0.0), two.bins, ())
    with pytest.raises(InvalidParameterError, match="one output in log-odds"):
        ClientScorer(method=odd).fit(X, y)


# ---- settings of the classical learner ---------------------------------------------------------------------


def test_settings_of_woe_reach_the_learner(clients):
    X, y = clients
    settings = WoeSettings(min_events=40, max_bins=5, min_share=0.05, interpolate=False, monotone="auto")
    scorer = ClientScorer(method=settings).fit(X, y)
    card, _ = learn_woe(X, y, min_events=40, max_bins=5, min_share=0.05, monotone="auto")
    assert scorer.card_.to_json() == card.to_json()
    numbers = scorer.report_.bins.query("feature == 'dpd_max_3m'")
    assert np.minimum(numbers["bads"], numbers["weight"] - numbers["bads"]).min() >= 40
    assert len(numbers) <= 5
    assert len(ClientScorer(method=WoeSettings(interpolate=True)).fit(X, y).card_.bins[0].edges) > len(
        ClientScorer(method="woe").fit(X, y).card_.bins[0].edges
    )
    rare = ClientScorer(method=WoeSettings(rare_share=0.4)).fit(X, y)
    assert rare.card_.bins[2].levels == ()


def test_one_trend_for_all_and_another_by_name(clients):
    X, y = clients
    scorer = ClientScorer(
        method=WoeSettings(monotone="increasing"),
        monotone={"interest_cover": "decreasing", "noise": "none"},
    ).fit(X.drop(columns="listed"), y)
    trends = scorer.report_.frame().set_index("feature")["trend"]
    assert trends["dpd_max_3m"] == "increasing"
    assert trends["interest_cover"] == "decreasing"
    assert trends["industry"] == "by rate"


def test_a_grid_searches_settings_of_woe(clients):
    X, y = clients
    grid = {"method": [WoeSettings(max_bins=2), WoeSettings(max_bins=12)]}
    search = GridSearchCV(ClientScorer(method="woe"), grid, scoring="neg_log_loss", cv=2).fit(X, y)
    assert search.best_params_["method"].max_bins == 12


def test_settings_outside_their_rule_are_named():
    with pytest.raises(InvalidParameterError, match=r"min_share must .*got 0\.7"):
        WoeSettings(min_share=0.7)
    with pytest.raises(InvalidParameterError, match=r"no setting 'min_event'\. Did you mean 'min_events'"):
        WoeSettings.from_dict({"min_event": 3})
    with pytest.raises(InvalidParameterError, match="max_prebins must be a whole number from 2 to 60000"):
        WoeSettings(max_prebins=70_000)
    assert WoeSettings.from_dict(WoeSettings(min_events=3).to_dict()) == WoeSettings(min_events=3)
