from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import InvalidParameterError
from clientscore.need import ChanceChallenge, FinancingNeedForecaster
from clientscore.need.chance import History, _outcome, fit_chance, season
from clientscore.need.conformal import Window

WINDOW = Window(1, 0, "year")
SETTINGS = {"n_periods": 1, "n_bags": 1, "max_rounds": 60, "learning_rate": 0.3, "min_rows_leaf": 30}


def history(n, seed, depth, dates=1):
    """Needs that take three features at once (depth 3), or each alone (depth 1)."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["log_assets", "dio_days", "roa"])
    sign = np.sign(X)
    log_odds = 1.5 * sign.prod(axis=1) if depth == 3 else sign.sum(axis=1)
    event = np.where(rng.random(n) < 1 / (1 + np.exp(-log_odds)), "need", None)
    if dates > 1:
        when = pd.date_range("2018-01-01", periods=dates, freq="YS")[np.arange(n) % dates]
        X.index = pd.MultiIndex.from_arrays([np.arange(n), when], names=["client_id", "as_of"])
    return History(X, pd.Series(1, index=X.index), event, np.arange(n))


def test_trees_are_taken_where_three_features_act_at_once():
    model, report = fit_chance("auto", SETTINGS | {"random_state": 0}, history(4000, 0, 3), WINDOW)
    assert report.chosen == model.form == "trees"
    assert report.evidence == "other clients"
    first = report.comparisons[0]
    assert first.measure == "log_loss"
    assert first.trees < first.card <= first.base_rate + 0.01
    assert first.lower > 0


def test_a_sum_stays_a_card_and_the_report_says_what_it_costs():
    model, report = fit_chance("auto", SETTINGS | {"random_state": 0}, history(4000, 1, 1), WINDOW)
    assert report.chosen == model.form == "card"
    assert abs(report.comparisons[0].difference) < 0.02
    assert report.needs > 300
    assert "card taken" in repr(report)
    assert "<table" in report._repr_html_()
    assert ChanceChallenge.from_dict(report.to_dict()) == report


def test_the_latest_dates_judge_where_there_are_dates():
    _, report = fit_chance("auto", SETTINGS | {"random_state": 0}, history(6000, 2, 1, dates=5), WINDOW)
    assert report.evidence == "out of time, purged"
    assert report.rows == 1200  # the last date alone holds 600 needs


def test_few_needs_are_left_to_the_card_and_trees_asked_for_are_taken_unjudged():
    few = history(400, 3, 1)
    model, report = fit_chance("auto", SETTINGS | {"random_state": 0}, few, WINDOW)
    assert model.form == "card"
    assert report is None
    model, report = fit_chance("trees", SETTINGS | {"random_state": 0}, few, WINDOW)
    assert model.form == report.chosen == "trees"
    assert report.comparisons == ()


def test_an_outcome_is_known_at_the_horizon_or_after_an_event():
    past = history(4, 0, 1)._replace(
        duration=pd.Series([1, 2, 3, 3]), event=np.array(["need", None, "exit", None], dtype=object)
    )
    y, known = _outcome(past, 3)
    assert y.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert known.tolist() == [True, False, True, True]


def test_the_forecaster_carries_its_form_and_its_report():
    past = history(4000, 0, 3)
    target = pd.DataFrame({"duration": 1, "event": past.event, "amount": 1.0})
    model = FinancingNeedForecaster(
        horizons=(1,),
        hazard_form="auto",
        n_bags=1,
        min_rows_leaf=30,
        learning_rate=0.3,
        max_rounds=60,
        check_units=False,
        random_state=0,
    ).fit(past.X, target)
    assert model.hazard_form_ == model.hazard_report_.chosen == "trees"
    again = FinancingNeedForecaster.from_state(model.to_state())
    assert again.hazard_report_ == model.hazard_report_
    pd.testing.assert_frame_equal(again.predict(past.X), model.predict(past.X))


def test_a_form_is_one_of_three():
    past = history(50, 0, 1)
    target = pd.DataFrame({"duration": 1, "event": past.event, "amount": 1.0})
    with pytest.raises(InvalidParameterError, match="hazard_form must be"):
        FinancingNeedForecaster(hazard_form="forest").fit(past.X, target)


def test_each_period_of_a_window_has_its_own_season():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"as_of_month": rng.choice([1.0, 4.0, 7.0, 10.0], 6000), "roa": rng.normal(size=6000)})
    month = (X[["as_of_month"]].to_numpy() - 1 + np.arange(12)) % 12 + 1
    draws = rng.random((6000, 12)) < np.where(month == 9, 0.15, 0.01)
    target = pd.DataFrame(
        {
            "duration": np.where(draws.any(axis=1), draws.argmax(axis=1) + 1, 12),
            "event": np.where(draws.any(axis=1), "need", None),
            "amount": np.exp(rng.normal(size=6000)),
        }
    )
    need = FinancingNeedForecaster(lead_periods=0, check_units=False, max_rounds=100, random_state=0)
    said = need.fit(X, target).predict_month(pd.DataFrame({"as_of_month": [1.0, 7.0, 10.0], "roa": 0.0}))
    assert said.idxmax(axis=1).tolist() == [9, 3, 12]  # September
    assert need.hazard_.clocks_ == {"as_of_month": 1.0}


def test_the_season_moves_only_where_it_can_be_told_from_the_time_since_the_date():
    X = pd.DataFrame({"as_of_month": [1.0, 4.0], "roa": 0.0})
    assert season(X, Window(12, 1, "month")) == {"as_of_month": 1.0}
    assert season(X, Window(4, 1, "quarter")) == {"as_of_month": 3.0}
    assert season(X, Window(1, 0, "year")) is None
    assert season(X.head(1), Window(12, 1, "month")) is None
    assert season(X[["roa"]], Window(12, 1, "month")) is None
    assert season(X.assign(as_of_month="May"), Window(12, 1, "month")) is None
