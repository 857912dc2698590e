from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.assessment import ClientModel
from clientscore.assessment._prospects import _missing_pillars, _spread, _unknown
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.need import FinancingNeedForecaster
from clientscore.scoring import ClientScorer
from clientscore.value import expected_need_value

PILLARS = {"roa": "financial", "log_assets": "financial", "utilization": "credit", "sector_growth": "market"}


def fitted(form: str) -> ClientModel:
    rng = np.random.default_rng(0)
    n = 3000
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list(PILLARS))
    X.index = pd.Index([f"c{k}" for k in range(n)], name="client_id")
    bad = rng.random(n) < 1 / (1 + np.exp(4.0 + 1.2 * X["roa"] - 0.8 * X["utilization"]))
    drawn = rng.random(n) < 1 / (1 + np.exp(1.0 - X["utilization"]))
    amount = np.exp(10 + X["log_assets"] + 0.8 * X["utilization"] + 0.3 * rng.normal(size=n))
    outcomes = pd.DataFrame(
        {
            "bad": bad.astype(float),
            "need_duration": np.where(drawn, 3, 12),
            "need_event": np.where(drawn, "need", None),
            "need_amount": np.where(drawn, amount, np.nan),
            "need_product": None,
        },
        index=X.index,
    )
    heads = {
        "scorer": ClientScorer(n_bags=2, max_rounds=100, random_state=0),
        "need": FinancingNeedForecaster(form=form, check_units=False, random_state=0),
    }
    return ClientModel(**heads, random_state=0).fit_features(X, outcomes, pillars=PILLARS)


@pytest.fixture(scope="module")
def model() -> ClientModel:
    return fitted("card")


@pytest.fixture(scope="module")
def trees() -> ClientModel:
    return fitted("trees")


@pytest.fixture(name="X")
def prospects() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    index = pd.Index([f"p{k}" for k in range(200)], name="client_id")
    return pd.DataFrame(rng.normal(size=(200, 4)), columns=list(PILLARS), index=index)


def test_prospects_are_ranked_by_need_times_win_rate(model: ClientModel, X: pd.DataFrame) -> None:
    ranked = model.rank_prospects(X, max_pd=0.2)
    eligible = ranked[ranked["eligible"]]
    assert eligible["need_value"].is_monotonic_decreasing
    assert eligible["rank"].tolist() == list(range(1, len(eligible) + 1))
    assert ranked.loc[~ranked["eligible"], "rank"].isna().all()
    assert set(ranked.index) == set(X.index)
    value = expected_need_value(ranked["need_amount_expected"], ranked["pd"], win_rate=0.35)
    np.testing.assert_allclose(ranked["need_value"], value)


def test_all_known_is_what_the_heads_say(model: ClientModel, X: pd.DataFrame) -> None:
    ranked = model.rank_prospects(X).loc[X.index]
    said = model.need_.predict(X)
    np.testing.assert_allclose(ranked["need_amount_lower"], said["amount_lower"])
    np.testing.assert_allclose(ranked["need_amount_upper"], said["amount_upper"])
    np.testing.assert_allclose(ranked["pd_upper"], ranked["pd"])
    assert ranked["pillars_missing"].eq("").all()
    assert ranked["features_known"].eq(1.0).all()


def test_a_missing_pillar_is_said_and_widens_the_intervals(model: ClientModel, X: pd.DataFrame) -> None:
    whole = model.rank_prospects(X).loc[X.index]
    outside = model.rank_prospects(X.drop(columns="utilization")).loc[X.index]
    assert outside["pillars_missing"].eq("credit").all()
    assert outside["features_known"].eq(0.75).all()

    def width(table: pd.DataFrame) -> pd.Series:
        return np.log(table["need_amount_upper"] / table["need_amount_lower"])

    assert (width(outside) > 1.2 * width(whole)).mean() > 0.9
    assert (outside["pd_upper"] > outside["pd"]).all()


def test_intervals_without_a_pillar_still_hold(model: ClientModel) -> None:
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(size=(5000, 4)), columns=list(PILLARS))
    drawn = rng.random(5000) < 1 / (1 + np.exp(1.0 - X["utilization"]))  # the interval is given need
    X = X[drawn].reset_index(drop=True)
    amount = np.exp(10 + X["log_assets"] + 0.8 * X["utilization"] + 0.3 * rng.normal(size=len(X)))
    said = model.rank_prospects(X.drop(columns="utilization")).loc[X.index]
    held = ((amount >= said["need_amount_lower"]) & (amount <= said["need_amount_upper"])).mean()
    narrow = model.need_.predict(X.assign(utilization=np.nan))
    missed = ((amount >= narrow["amount_lower"]) & (amount <= narrow["amount_upper"])).mean()
    assert 0.85 < held < 0.97
    assert missed < 0.75


def test_amounts_by_trees_widen_as_those_by_a_card(
    model: ClientModel, trees: ClientModel, X: pd.DataFrame
) -> None:
    assert trees.need_.form_ == "trees"

    def widened(one: ClientModel) -> pd.Series:
        width = [
            np.log(table["need_amount_upper"] / table["need_amount_lower"]).loc[X.index]
            for table in (one.rank_prospects(X), one.rank_prospects(X.drop(columns="utilization")))
        ]
        return width[1] / width[0]

    assert widened(trees).min() > 1.2
    assert widened(trees).median() == pytest.approx(widened(model).median(), rel=0.25)


def test_a_model_without_calibration_rows_widens_by_the_terms_of_its_card(
    model: ClientModel, X: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = X.drop(columns="utilization")
    new = model.rank_prospects(outside)["need_amount_upper"].loc[X.index]
    monkeypatch.setattr(model.need_.amount_, "background", None)
    old = model.rank_prospects(outside)["need_amount_upper"].loc[X.index]
    np.testing.assert_allclose(np.log(old), np.log(new), atol=0.25)


def test_one_row_without_a_pillar_is_as_a_column_that_is_not_there(
    model: ClientModel, X: pd.DataFrame
) -> None:
    holed = X.copy()
    holed.loc["p3", "utilization"] = np.nan
    one = model.rank_prospects(holed).loc["p3"]
    other = model.rank_prospects(X.drop(columns="utilization")).loc["p3"]
    names = ["pillars_missing", "pd", "pd_upper", "need_amount_lower", "need_amount_upper", "need_value"]
    assert one[names].to_dict() == other[names].to_dict()


def test_risk_keeps_a_prospect_out_and_says_so(model: ClientModel, X: pd.DataFrame) -> None:
    ranked = model.rank_prospects(X, max_pd=0.02)
    out = ranked[ranked["pd_upper"] > 0.02]
    assert len(out) > 5
    assert not out["eligible"].any()
    assert out["reason"].str.contains("is above 2.0%").all()


def test_win_rates_come_from_the_call_or_the_context(model: ClientModel, X: pd.DataFrame) -> None:
    context = pd.DataFrame({"win_rate": 0.1, "name": "x"}, index=X.index)
    context.iloc[0, 0] = np.nan
    ranked = model.rank_prospects(X, context).loc[X.index]
    assert ranked["win_rate"].iloc[:2].tolist() == [0.35, 0.1]
    assert ranked["name"].eq("x").all()
    assert model.rank_prospects(X, context, win_rate=0.5)["win_rate"].eq(0.5).all()
    rates = np.linspace(0.0, 1.0, len(X))
    np.testing.assert_allclose(model.rank_prospects(X, win_rate=rates).loc[X.index, "win_rate"], rates)


def test_liquidity_stress_is_no_lead(
    model: ClientModel, X: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = model.need_.predict(X).assign(purpose="liquidity_stress")
    monkeypatch.setattr(FinancingNeedForecaster, "predict", lambda *_: said)
    ranked = model.rank_prospects(X, max_pd=1.0)
    assert not ranked["eligible"].any()
    assert ranked["reason"].str.contains("watch list").any()


def test_the_spread_is_the_variance_of_what_is_unknown(model: ClientModel, X: pd.DataFrame) -> None:
    unknown = _unknown(X.assign(utilization=np.nan), ["roa"], PILLARS)
    assert unknown["utilization"].all()
    assert unknown["log_assets"].all()  # no column
    assert not unknown["roa"].any()
    card = model.need_.amount_.card
    contributions = card.contributions(
        pd.DataFrame(np.random.default_rng(3).normal(size=(20_000, 4)), columns=list(PILLARS))
    )
    touched = [name for name in contributions if "utilization" in name and " x " not in name]
    spread = _spread(
        card,
        _unknown(
            X.drop(columns="utilization").reindex(columns=list(PILLARS)),
            ["roa", "log_assets", "sector_growth"],
            PILLARS,
        ),
        X,
    )
    assert spread[0] == pytest.approx(contributions[touched].sum(axis=1).std(), rel=0.15)
    assert _missing_pillars(X.assign(sector_growth=np.nan), PILLARS).eq("market").all()


def test_what_cannot_be_ranked_is_refused(model: ClientModel, X: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="holds none of the 4"):
        model.rank_prospects(X[[]].assign(util=1.0))
    with pytest.raises(DataError, match=r"win_rate must lie in \[0, 1\]; got 35"):
        model.rank_prospects(X, win_rate=35.0)
    with pytest.raises(DataError, match="win_rate must be a number or 200"):
        model.rank_prospects(X, win_rate=[0.1, 0.2])
    with pytest.raises(InvalidParameterError, match="max_pd"):
        model.rank_prospects(X, max_pd=0.0)
    outcomes = pd.DataFrame({"bad": (X["roa"] < 0).astype(float)}, index=X.index)
    scorer = ClientScorer(n_bags=1, max_rounds=5, random_state=0)
    with pytest.raises(DataError, match="this model has no need"):
        ClientModel(scorer=scorer).fit_features(X, outcomes).rank_prospects(X)
