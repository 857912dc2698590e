from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.assessment import ClientModel
from clientscore.exceptions import DataError
from clientscore.need import FinancingNeedForecaster
from clientscore.scoring import ClientScorer

COLUMNS = ["need_amount_lower", "need_amount_median", "need_amount_upper"]


def book(n: int = 2400, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    dates = pd.to_datetime(rng.choice(["2024-01-01", "2024-07-01"], n))
    index = pd.MultiIndex.from_arrays([[f"c{k}" for k in range(n)], dates], names=["client_id", "as_of"])
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["roa", "log_assets", "utilization"], index=index)
    industry = rng.choice(["energy", "trade"], n)
    size = np.exp(18.0 + X["log_assets"])
    noise = np.where(industry == "trade", 1.0, 0.2)
    drawn = rng.random(n) < 0.5
    outcomes = pd.DataFrame(
        {
            "bad": (rng.random(n) < 1 / (1 + np.exp(3.5 + 1.2 * X["roa"]))).astype(float),
            "need_duration": np.where(drawn, 3, 12),
            "need_event": np.where(drawn, "need", None),
            "need_product": None,
            "need_amount": np.where(drawn, 0.1 * size * np.exp(noise * rng.normal(size=n)), np.nan),
        },
        index=index,
    )
    context = pd.DataFrame({"industry": industry, "size_amount": size}, index=index)
    return X, outcomes, context.assign(income_amount=0.002 * size, cost_amount=0.001 * size)


def fitted(groups: object, context: pd.DataFrame | None, **more: object) -> ClientModel:
    X, outcomes, _ = book()
    need = FinancingNeedForecaster(
        horizons=(3, 6, 12), interval_groups=groups, check_units=False, max_rounds=30, random_state=0, **more
    )
    scorer = ClientScorer(n_bags=1, max_rounds=30, random_state=0)
    return ClientModel(scorer=scorer, need=need, random_state=0).fit_features(X, outcomes, context=context)


def now() -> tuple[pd.DataFrame, pd.DataFrame]:
    X, _, context = book(300, seed=1)
    return X, context


def same_alone(model: ClientModel, X: pd.DataFrame, context: pd.DataFrame, table: pd.DataFrame) -> None:
    for row in (0, 7):
        about = {**context.iloc[row].to_dict(), "client_id": X.index[row][0], "as_of": X.index[row][1].date()}
        one = model.assess_one(X.iloc[row].to_dict(), about)
        assert [one[name] for name in COLUMNS] == pytest.approx(table[COLUMNS].iloc[row].tolist())
        assert one["tier"] == table["tier"].iloc[row]


def test_intervals_by_industry_come_from_the_context() -> None:
    model = fitted("industry", book()[2])
    assert model.need_.interval_groups_.index.tolist() == ["energy", "trade", "other"]
    assert "industry" not in model.need_.feature_names_in_
    X, context = now()
    table = model.assess_features(X, context=context).frame()
    width = np.log(table["need_amount_upper"] / table["need_amount_lower"])
    by = width.groupby(context["industry"].to_numpy()).mean()
    assert by["trade"] > 3 * by["energy"]
    same_alone(model, X, context, table)
    ranked = model.rank_prospects(X, context, max_pd=1.0).loc[X.index]
    np.testing.assert_allclose(ranked["need_amount_upper"], table["need_amount_upper"])


def test_intervals_by_tier_take_the_tier_of_the_figures() -> None:
    model = fitted(("tier", "industry"), book()[2])
    groups = model.need_.interval_groups_
    assert {"A / energy", "C / trade"} <= set(groups.index)
    used = groups[groups["rows"] > 0]
    assert used["rows"].sum() == len(model.need_.amount_.kept.index)
    assert not used.loc[["A / energy", "C / trade"], "pooled"].any()
    X, context = now()
    table = model.assess_features(X, context=context).frame()
    said = model.need_.predict(X.assign(industry=context["industry"], tier=table["tier"].to_numpy()))
    np.testing.assert_allclose(table["need_amount_upper"], said["amount_upper"])
    same_alone(model, X, context, table)
    again = ClientModel.from_state(model.to_state()).assess_features(X, context=context).frame()
    pd.testing.assert_frame_equal(again, table)


def test_earlier_runs_change_the_tier_and_not_the_interval() -> None:
    model = fitted("tier", book()[2])
    X, context = (one.xs(pd.Timestamp("2024-07-01"), level="as_of", drop_level=False) for one in now())
    table = model.assess_features(X, context=context).frame()
    runs = pd.DataFrame({"client_id": table["client_id"], "as_of": pd.Timestamp("2023-10-01"), "tier": "C"})
    held = model.assess_features(X, context=context, previous=runs).frame()
    assert (held["tier"] != table["tier"]).any()
    pd.testing.assert_frame_equal(held[COLUMNS], table[COLUMNS])


def test_a_tier_of_the_context_is_taken_as_it_is() -> None:
    context = book()[2]
    context["tier"] = np.where(context["industry"] == "trade", "gold", "silver")
    model = fitted("tier", context)
    assert model.need_.interval_groups_.index.tolist() == ["gold", "silver", "other"]
    about = now()[1].assign(tier="gold")
    table = model.assess_features(now()[0], context=about).frame()
    wide = np.log(table["need_amount_upper"] / table["need_amount_lower"])
    narrow = model.assess_features(now()[0], context=about.assign(tier="silver")).frame()
    assert (wide > 2 * np.log(narrow["need_amount_upper"] / narrow["need_amount_lower"])).all()


def test_auto_may_choose_the_industry_of_the_context() -> None:
    model = fitted("auto", book()[2])
    assert model.need_.interval_groups_.index.tolist() == ["energy", "trade", "other"]


def test_a_tier_that_cannot_be_given_is_an_error() -> None:
    with pytest.raises(DataError, match="interval_groups names a tier, and no client of training has one"):
        fitted("tier", None)
