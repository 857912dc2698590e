from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.need import FinancingNeedForecaster
from clientscore.need.amount import AmountModel, AmountSettings
from clientscore.need.kept import Background


def book(n, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["log_assets", "utilization", "roa"])
    X.index = pd.Index([f"c{k}" for k in range(n)], name="client_id")
    industry = pd.Series(rng.choice(["energy", "trade"], n), index=X.index)
    wide = np.where(industry == "trade", 1.0, 0.2)
    log_amount = 10.0 + X["log_assets"] + 0.8 * X["utilization"] + wide * rng.normal(size=n)
    return X, np.exp(log_amount).to_numpy(), pd.DataFrame({"industry": industry})


@pytest.mark.parametrize("form", ["card", "trees"])
def test_what_a_blank_column_could_have_said_is_the_same_in_both_forms(form):
    X, amount, _ = book(2500)
    model = AmountModel.fit(X, amount, np.arange(2500), AmountSettings(0.9, form=form))
    assert model.added_spread([]) == 0.0
    assert model.added_spread(["roa"]) < 0.15
    assert model.added_spread(["utilization"]) == pytest.approx(0.8, rel=0.2)
    both = model.added_spread(["utilization", "log_assets"])
    assert both == pytest.approx(np.hypot(0.8, 1.0), rel=0.2)
    again = AmountModel.from_state(model.to_state())
    assert again.added_spread(["utilization"]) == model.added_spread(["utilization"])
    old = {**model.to_state(), "background": None}
    assert AmountModel.from_state(old).added_spread(["utilization"]) is None


def test_the_background_is_a_draw_of_300():
    codes = np.arange(1000).reshape(500, 2)
    drawn = Background.of(codes, np.arange(500.0), 0)
    assert drawn.codes.shape == (300, 2)
    np.testing.assert_array_equal(drawn.codes[:, 0], 2 * drawn.base)
    assert len(Background.of(codes[:10], np.arange(10.0), 0).codes) == 10


def needs(n=1500, groups="industry", **more):
    X, amount, about = book(n)
    target = pd.DataFrame({"duration": 3, "event": "need", "amount": amount}, index=X.index)
    target.loc[X.index[::3], ["event", "amount"]] = [None, np.nan]
    model = FinancingNeedForecaster(
        horizons=(3,), interval_groups=groups, check_units=False, max_rounds=20, random_state=0, **more
    )
    return model.fit(X, target, context=about), X, about


def test_the_context_groups_intervals_and_teaches_nothing_else():
    model, X, about = needs()
    assert model.interval_groups_.index.tolist() == ["energy", "trade", "other"]
    assert "industry" not in model.feature_names_in_
    said = model.predict(X.assign(industry=about["industry"]))
    width = np.log(said["amount_upper"] / said["amount_lower"]).groupby(about["industry"]).mean()
    assert width["trade"] > 3 * width["energy"]
    one = model.predict_one({**X.iloc[0].to_dict(), "industry": about["industry"].iloc[0]})
    assert one["amount_upper"] == pytest.approx(said["amount_upper"].iloc[0])


def test_a_client_without_the_groups_column_is_in_the_group_of_those_unknown():
    model, X, _ = needs()
    without = model.predict(X.head(3))
    unknown = model.predict(X.head(3).assign(industry="fishing"))
    pd.testing.assert_frame_equal(without, unknown)
    assert model.predict_one(X.iloc[0].to_dict())["amount_upper"] == pytest.approx(
        without["amount_upper"].iloc[0]
    )
    assert bool(model.interval_groups_.at["other", "pooled"])


def test_groups_known_only_after_the_fit_calibrate_on_the_same_errors():
    model, X, about = needs()
    same = model.interval_groups_.copy()
    model.regroup(X.assign(industry=about["industry"])[::-1])  # any order of rows
    pd.testing.assert_frame_equal(model.interval_groups_, same)
    model.interval_groups = ("noise", "industry")
    model.regroup(X.assign(industry=about["industry"]))
    assert "calm / energy" in model.interval_groups_.index
    again = FinancingNeedForecaster.from_state(model.to_state())
    pd.testing.assert_frame_equal(again.interval_groups_, model.interval_groups_)
    with pytest.raises(DataError, match="not saved"):
        again.regroup(X.assign(industry=about["industry"]))


def test_small_groups_are_pooled_and_said():
    X, amount, about = book(1000)
    about.iloc[:10, 0] = "rare"
    target = pd.DataFrame({"duration": 3, "event": "need", "amount": amount}, index=X.index)
    model = FinancingNeedForecaster(
        horizons=(3,), interval_groups="industry", check_units=False, max_rounds=20, random_state=0
    ).fit(X, target, context=about)
    assert model.interval_groups_.loc["rare", ["rows", "pooled"]].tolist() == [10, True]
    assert model.interval_groups_.loc["rare", "rows_used"] == 1000


def test_a_context_that_does_not_fit_is_refused():
    X, amount, about = book(100)
    target = pd.DataFrame({"duration": 3, "event": "need", "amount": amount}, index=X.index)
    model = FinancingNeedForecaster(horizons=(3,), interval_groups="industry", check_units=False)
    with pytest.raises(DataError, match="context must be a DataFrame on the index of X"):
        model.fit(X, target, context=about.head(5))
    with pytest.raises(InvalidParameterError, match="1 to 50 levels; got 0"):
        model.fit(X, target, context=about.assign(industry=pd.Series(None, index=X.index, dtype="str")))
