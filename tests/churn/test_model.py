from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from clientscore.churn import ChurnModel
from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.metrics import aalen_johansen, auc, brier_skill


def test_frames_have_the_rows_of_x_and_add_to_one(churn, train):
    X = train[0].head(500)
    gone = churn.predict_cumulative_incidence(X)
    assert gone.columns.names == ["cause", "horizon"]
    assert list(gone.columns.unique("cause")) == ["default", "hard_attrition", "silent_attrition"]
    assert gone.index.equals(X.index)
    there = churn.predict_survival(X)
    for horizon in (3, 6, 12):
        total = gone.xs(horizon, axis=1, level="horizon").sum(axis=1) + there[horizon]
        np.testing.assert_allclose(total, 1.0, atol=1e-12)
        expected = gone["hard_attrition"][horizon] + gone["silent_attrition"][horizon]
        np.testing.assert_allclose(churn.predict_churn(X)[horizon], expected, atol=1e-15)


def test_other_horizons_can_be_asked_for(churn, train):
    X = train[0].head(50)
    gone = churn.predict_cumulative_incidence(X, horizons=[1, 12])
    assert list(gone.columns.unique("horizon")) == [1, 12]
    usual = churn.predict_cumulative_incidence(X)
    pd.testing.assert_series_equal(gone["default"][12], usual["default"][12])
    assert list(churn.predict_survival(X, horizons=range(1, 13)).columns) == list(range(1, 13))
    assert list(churn.predict_churn(X, horizons=[5]).columns) == [5]
    with pytest.raises(InvalidParameterError, match="horizons must be whole periods from 1 to 12"):
        churn.predict_churn(X, horizons=[13])


def test_out_of_sample_it_ranks_and_beats_the_base_rate(churn, train, book):
    X, target = book(8000, 2)
    left = target["event"].isin(["hard_attrition", "silent_attrition"])
    base = aalen_johansen(*train[1].to_numpy().T, horizons=[12]).loc[12]
    risk = churn.predict_churn(X)[12]
    assert auc(left, risk) > 0.68
    assert brier_skill(left, risk, base_rate=base["hard_attrition"] + base["silent_attrition"]) > 0.07
    assert risk.mean() == pytest.approx(left.mean(), rel=0.05)


def test_drivers_are_the_planted_ones(churn, book):
    X, _ = book(2000, 3)
    slow = X.assign(response_hours_mean_3m=2.5, balance_change_3m=0.0, debt_to_ebitda=0.0, noise=0.0)
    drivers = churn.drivers(slow.head(5), n=2)
    assert list(drivers.columns) == ["driver_1", "driver_2"]
    assert (drivers["driver_1"] == "response_hours_mean_3m").all()
    fleeing = slow.assign(response_hours_mean_3m=0.0, balance_change_3m=-2.5)
    assert (churn.drivers(fleeing.head(5))["driver_1"] == "balance_change_3m").all()
    indebted = slow.assign(debt_to_ebitda=2.5)
    assert (churn.drivers(indebted.head(5), cause="default")["driver_1"] == "debt_to_ebitda").all()


def test_a_client_without_raised_risk_has_no_driver(churn, train):
    X = train[0]
    calm = churn.hazard_.drivers(X, list(churn.churn_causes_)).max(axis=1).idxmin()
    drivers = churn.drivers(X.loc[[calm]], n=6)
    assert drivers.shape == (1, 6)
    assert drivers.isna().all(axis=None)


def test_the_expected_month_is_that_of_the_curve(churn, train):
    X = train[0].head(50)
    month = churn.expected_month(X)
    assert month.between(1, 12).all()
    curve = churn.hazard_.predict_incidence(X, range(1, 13))[:, :, 1:].sum(axis=2)
    by_hand = 12 - curve[:, :-1].sum(axis=1) / curve[:, -1]  # sum of (1 - F(t) / F(12)), t = 0..11
    np.testing.assert_allclose(month, by_hand)


def test_summary_says_what_was_learned(churn, train):
    table = churn.summary()
    counts = train[1]["event"].value_counts()
    assert table["events"].to_dict() == counts.to_dict()
    assert table["churn"].to_dict() == {
        "default": False,
        "hard_attrition": True,
        "silent_attrition": True,
    }
    assert (table["form"] == "card").all()
    assert (table["sampled_share"] < 1).all()
    first = table["drivers"].str.split(", ").str[0]
    assert first.to_dict() == {
        "default": "debt_to_ebitda",
        "hard_attrition": "response_hours_mean_3m",
        "silent_attrition": "balance_change_3m",
    }


def test_state_round_trip_predicts_identically(churn, train):
    X = train[0].head(100)
    state = churn.to_state()
    json.dumps(state, default=np.ndarray.tolist)
    again = ChurnModel.from_state(state)
    pd.testing.assert_frame_equal(
        again.predict_cumulative_incidence(X), churn.predict_cumulative_incidence(X)
    )
    pd.testing.assert_frame_equal(again.drivers(X), churn.drivers(X))
    pd.testing.assert_frame_equal(again.summary(), churn.summary())
    assert again.horizons == (3, 6, 12)


def test_random_thresholds_give_another_card_and_are_kept(train):
    X, target = (part.head(1500) for part in train)
    settings = {"n_bags": 1, "max_rounds": 20, "min_events": 5, "random_state": 0}
    plain, drawn = (ChurnModel(**settings, random_splits=one).fit(X, target) for one in (False, True))
    assert not np.allclose(plain.predict_churn(X), drawn.predict_churn(X))
    again = ChurnModel.from_state(drawn.to_state())
    assert again.get_params() | {"causes": None} == drawn.get_params()


def test_yearly_books_with_other_causes(book):
    X, target = book(3000, 4, periods=1)
    target["event"] = (
        target["event"].map({"default": 1, "hard_attrition": 2, "silent_attrition": 2}).fillna(0)
    )
    names = {1: "bankrupt", 2: "other"}
    model = ChurnModel(horizons=(1,), causes=names, churn_causes=("other",), max_rounds=60, random_state=0)
    model.fit(X, target)
    assert model.causes_ == ("bankrupt", "other")
    risk = model.predict_churn(X)
    assert list(risk.columns) == [1]
    assert risk[1].mean() == pytest.approx((target["event"] == 2).mean(), rel=1e-3)


def test_churn_causes_that_do_not_occur_are_left_out(train):
    X, target = train
    only_hard = target.assign(event=target["event"].where(target["event"] != "silent_attrition", None))
    model = ChurnModel(horizons=(3,), max_rounds=20, random_state=0).fit(X, only_hard)
    assert model.churn_causes_ == ("hard_attrition",)
    with pytest.raises(InvalidParameterError, match="Did you mean 'hard_attrition'"):
        ChurnModel(horizons=(3,), churn_causes=("hard_atrition",), max_rounds=5).fit(X, only_hard)


def test_rows_of_one_client_share_a_group(train):
    X, target = train
    dates = pd.MultiIndex.from_product([range(100), pd.to_datetime(["2024-01-01", "2024-04-01"])])
    panel = dates.set_names(["client_id", "as_of"])
    model = ChurnModel(horizons=(3,), max_rounds=10, random_state=0)
    model.fit(X.head(200).set_axis(panel, axis=0), target.head(200).set_axis(panel, axis=0))
    assert model.predict_churn(X.head(200).set_axis(panel, axis=0)).index.equals(panel)


def test_bad_input_is_named(churn, train):
    X, target = train
    with pytest.raises(MissingColumnError, match=r"'event' is missing. Did you mean 'events'"):
        ChurnModel().fit(X, target.rename(columns={"event": "events"}))
    with pytest.raises(DataError, match="index of X"):
        ChurnModel().fit(X, target.iloc[::-1])
    with pytest.raises(InvalidParameterError, match="horizons must hold at least one"):
        ChurnModel(horizons=()).fit(X, target)
    with pytest.raises(InvalidParameterError, match="horizons must be a whole number"):
        ChurnModel(horizons=(0,)).fit(X, target)
    short = target["duration"] < 6
    with pytest.raises(InvalidParameterError, match="longest duration in training, 5"):
        ChurnModel(max_rounds=5).fit(X[short], target[short])
    with pytest.raises(InvalidParameterError, match="n must be"):
        churn.drivers(X, n=0)
    with pytest.raises(InvalidParameterError, match="Did you mean 'hard_attrition'"):
        churn.drivers(X, cause="hard_atrition")


def test_it_is_a_scikit_learn_estimator():
    model = ChurnModel(horizons=(6,), random_state=3)
    assert clone(model).get_params() == model.get_params()


def test_one_client_has_the_risk_and_drivers_of_the_batch(churn, train):
    rows = train[0].tail(40).mask(np.random.default_rng(0).random((40, 4)) < 0.1)
    gone, there = churn.predict_cumulative_incidence(rows), churn.predict_survival(rows)
    leaving, drivers, lifetime = churn.predict_churn(rows), churn.drivers(rows, n=2), churn.lifetime(rows)
    for place, values in enumerate(rows.to_dict("records")):
        one = churn.predict_one(values, n=2)
        for cause, horizon in gone.columns:
            assert one["incidence"][cause][horizon] == pytest.approx(
                gone.iloc[place][cause, horizon], rel=1e-12
            )
        assert one["survival"] == pytest.approx(there.iloc[place].to_dict(), rel=1e-12)
        assert one["churn"] == pytest.approx(leaving.iloc[place].to_dict(), rel=1e-12)
        assert one["lifetime"] == pytest.approx(lifetime.iloc[place], rel=1e-12)
        assert one["cause"] == gone.iloc[place].xs(12, level="horizon")[list(churn.churn_causes_)].idxmax()
        assert one["drivers"] == drivers.iloc[place].dropna().tolist()
    with pytest.raises(MissingColumnError, match="'debt_to_ebitda' is missing"):
        churn.predict_one({"noise": 1.0})


def test_recalibration_agrees_with_the_later_window(churn, book):
    X, target = book(3000, 9)
    later = churn.recalibrate(X, target)
    gone = later.predict_cumulative_incidence(X).mean()
    seen = aalen_johansen(target["duration"], target["event"], horizons=list(later.horizons))
    moved = later.hazard_.recalibration_.query("done == 'shifted'")
    assert len(moved) > 0
    for row in moved.itertuples():
        assert gone[row.cause, row.horizon] == pytest.approx(seen.loc[row.horizon, row.cause], abs=1e-7)
    again = ChurnModel.from_state(later.to_state())
    pd.testing.assert_frame_equal(
        again.predict_cumulative_incidence(X.head(50)), later.predict_cumulative_incidence(X.head(50))
    )
    assert churn.hazard_.recalibration_ is None
    with pytest.raises(DataError, match="20 events"):
        churn.recalibrate(X.head(30), target.head(30))


def test_a_client_that_came_late_counts_from_its_entry(train):
    X, target = train
    late = target.assign(entry=np.where(target["duration"] > 3, 2, 0))
    both = [ChurnModel(max_rounds=30, random_state=0).fit(X, one) for one in (target, late)]
    rows = [one.hazard_.predict_survival(X.head(200), [2, 12]).mean(axis=0) for one in both]
    assert rows[1][0] < rows[0][0]  # the same exits among fewer at risk
