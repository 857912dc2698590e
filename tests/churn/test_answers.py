from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import PoissonRegressor

import clientscore as cs
from clientscore.catalogue import base_features
from clientscore.churn import ChurnModel, service_features
from clientscore.datasets._dynamics import service_terms
from clientscore.exceptions import DataError, InvalidParameterError

SERVICE = "response_hours_mean_3m"
HARD = "hard_attrition"


def two_periods(hard_log_odds, default_log_odds=-4.0):
    """Return incidence of hard attrition and survival at both periods, with the same hazard in each."""
    odds = np.exp([hard_log_odds, default_log_odds])
    hazard = odds / (1 + odds.sum())
    stay = 1 - hazard.sum()
    return np.array([hazard[0], hazard[0] * (1 + stay)]), np.array([stay, stay**2])


CLIENT = pd.DataFrame({SERVICE: [48.0, 12.0], "balance_change_3m": [-0.5, 0.5]}, index=["slow", "quick"])


# --- lifetime -----------------------------------------------------------------------------------------------


def test_lifetime_by_hand(by_hand):
    there = two_periods(-3.0 + 0.5 + 0.3 + 0.2)[1]
    assert by_hand.lifetime(CLIENT)["slow"] == pytest.approx(1 + there[0], rel=1e-12)
    assert by_hand.lifetime(CLIENT, horizon=1).tolist() == [1.0, 1.0]
    assert by_hand.predict_one(CLIENT.loc["slow"].to_dict())["lifetime"] == pytest.approx(1 + there[0])


def test_lifetime_is_the_mean_of_the_time_stayed(churn, train):
    X = train[0].head(200)
    lifetime = churn.lifetime(X)
    gone = 1.0 - churn.predict_survival(X, horizons=range(1, 13)).to_numpy()
    mass = np.diff(gone, axis=1, prepend=0.0)
    expected = (mass * np.arange(1, 13)).sum(axis=1) + 12 * (1 - gone[:, -1])
    np.testing.assert_allclose(lifetime, expected, rtol=1e-12)
    assert lifetime.between(1, 12).all()
    shorter = churn.lifetime(X, horizon=6)
    assert (shorter <= lifetime).all()
    assert shorter.max() <= 6
    assert lifetime.name == "lifetime"
    assert lifetime.index.equals(X.index)


def test_lifetime_ends_with_the_horizons(churn, train):
    with pytest.raises(InvalidParameterError, match="horizon must be a whole number from 1 to 12; got 13"):
        churn.lifetime(train[0].head(2), horizon=13)


# --- drivers in words ---------------------------------------------------------------------------------------


def test_explain_by_hand(by_hand):
    frame = by_hand.explain(CLIENT, cause=HARD)
    assert frame.index.tolist() == ["slow", "slow"]  # nothing raises the risk of the other
    assert frame["code"].tolist() == [SERVICE, "balance_change_3m"]
    assert frame["rank"].tolist() == [1, 2]
    assert frame["value"].tolist() == [48.0, -0.5]
    np.testing.assert_allclose(frame["log_odds"], [0.6, 0.4])  # the pair's 0.2 half and half
    np.testing.assert_allclose(frame["share"], [0.6, 0.4])
    assert frame["pillar"].tolist() == ["relationship", "relationship"]
    assert frame["sentence"].iloc[0] == (
        "mean hours to answer in 3 months 48: odds of hard attrition x 1.82, 60% of what raises the risk"
    )


def test_explain_speaks_chinese(by_hand):
    frame = by_hand.explain(CLIENT, lang="zh")
    assert frame["text"].iloc[0] == "近三个月平均响应时长"
    assert frame["sentence"].iloc[0] == "近三个月平均响应时长 48：流失几率 × 1.82，占风险上升因素的60%"
    assert "-50.0%" in frame["sentence"].iloc[1]  # a relative change, as percent


def test_explain_names_the_drivers(churn, train):
    X = train[0].head(300)
    for cause in (None, "default"):
        frame = churn.explain(X, cause=cause, n=4)
        wide = frame.pivot_table(index=frame.index, columns="rank", values="code", aggfunc="first")
        drivers = churn.drivers(X, cause=cause, n=4)
        np.testing.assert_array_equal(
            wide.reindex(X.index).fillna("").to_numpy(), drivers.fillna("").to_numpy()
        )
        whole = frame["share"].groupby(level=0).sum()  # four features in all, so nothing is left out
        np.testing.assert_allclose(whole, 1.0)
        effects = churn.hazard_.drivers(X, list(churn.churn_causes_) if cause is None else cause)
        line = frame.iloc[5]
        assert line["log_odds"] == effects.loc[frame.index[5], line["code"]]
        assert line["value"] == X.loc[frame.index[5], line["code"]]


def test_explain_of_missing_values_and_of_nobody(by_hand):
    unknown = CLIENT.assign(**{SERVICE: np.nan})
    frame = by_hand.explain(unknown)
    assert frame["code"].tolist() == ["balance_change_3m"]
    assert len(by_hand.explain(CLIENT.iloc[:0])) == 0
    assert list(by_hand.explain(CLIENT.iloc[:0]).columns) == list(frame.columns)


def test_explain_bad_input(churn, train):
    X = train[0].head(2)
    with pytest.raises(InvalidParameterError, match="lang must be one of 'en', 'zh'; got 'fr'"):
        churn.explain(X, lang="fr")
    with pytest.raises(InvalidParameterError, match="Did you mean 'default'"):
        churn.explain(X, cause="defaults")
    with pytest.raises(InvalidParameterError, match="n must be a whole number"):
        churn.explain(X, n=0)


# --- the part of service ------------------------------------------------------------------------------------


def test_service_share_by_hand(by_hand):
    frame = by_hand.service_share(CLIENT)
    assert frame.attrs["features"] == [SERVICE]
    assert frame.columns.names == ["cause", "horizon", "measure"]
    for client, actual, usual in (("slow", -2.0, -2.7), ("quick", -3.0 - 0.5 - 0.3 + 0.2, -3.3)):
        risk, base = two_periods(actual)[0], two_periods(usual)[0]
        for place, horizon in enumerate((1, 2)):
            line = frame[HARD, horizon].loc[client]
            assert line["incidence"] == pytest.approx(risk[place], rel=1e-12)
            assert line["average_service"] == pytest.approx(base[place], rel=1e-12)
            assert line["points"] == pytest.approx(risk[place] - base[place], rel=1e-9)
            assert line["fraction"] == pytest.approx(1 - base[place] / risk[place], rel=1e-9)
    points = frame[HARD, 2, "points"]
    assert points["slow"] > 0 > points["quick"]


def test_service_of_other_features(by_hand):
    every = by_hand.service_share(CLIENT, features=[SERVICE, "balance_change_3m"])
    base = two_periods(-3.0)[0]
    np.testing.assert_allclose(every[HARD, 2, "average_service"], base[1], rtol=1e-12)
    one = by_hand.service_share(CLIENT, cause="default")
    assert list(one.columns.unique("cause")) == ["default"]


def test_service_share_recovers_what_was_planted(churn, book, law):
    """In this book nothing hides the truth: the log odds are a sum, and the average response time is 0."""
    X, _ = book(4000, 7)
    planted = 0.8 * X[SERVICE].to_numpy()
    frame = churn.service_share(X)
    for horizon in (3, 12):
        measured = np.log(frame[HARD, horizon, "incidence"] / frame[HARD, horizon, "average_service"])
        assert np.corrcoef(planted, measured)[0, 1] > 0.96
        assert 0.75 < np.polyfit(planted, measured, 1)[0] < 1.1
    true = law(X) - law(X.assign(**{SERVICE: 0.0}))
    points = frame.xs((12, "points"), axis=1, level=["horizon", "measure"])
    assert np.polyfit(true[HARD], points[HARD], 1)[0] == pytest.approx(1.0, abs=0.2)
    assert (points[HARD] - true[HARD]).abs().mean() < 0.35 * true[HARD].abs().mean()
    # Service was not planted here, but who leaves by one door cannot leave by the other.
    gap = (points["silent_attrition"] - true["silent_attrition"]).abs().mean()
    assert gap < 0.2 * true[HARD].abs().mean()


def test_service_share_adds_up(churn, train):
    X = train[0].head(100)
    frame = churn.service_share(X)
    assert frame.attrs["features"] == list(churn.service_features_) == [SERVICE]
    for measure in ("incidence", "average_service", "points"):
        parts = frame[HARD, 12, measure] + frame["silent_attrition", 12, measure]
        np.testing.assert_allclose(frame["churn", 12, measure], parts, atol=1e-15)
    np.testing.assert_allclose(frame["churn", 6, "incidence"], churn.predict_churn(X)[6], atol=1e-15)
    nothing = churn.service_share(X, features="noise")["churn", 12, "points"]
    assert nothing.abs().mean() < 0.25 * frame["churn", 12, "points"].abs().mean()


def test_service_features_are_those_of_the_catalogue():
    found = service_features(base_features())
    assert found == (
        *("response_hours_mean_3m", "response_hours_mean_12m", "response_over_sla_share_12m"),
        *("approval_days_mean_12m", "complaints_sum_3m", "complaints_sum_12m", "meetings_sum_6m"),
        *("months_since_meeting", "manager_changed_6m", "manager_changed_12m"),
    )


def test_service_share_bad_input(churn, train):
    X, target = train
    with pytest.raises(InvalidParameterError, match=r"'response_hours' is unknown\. Did you mean"):
        churn.service_share(X.head(2), features=["response_hours"])
    with pytest.raises(InvalidParameterError, match="features must name features of the model, at least one"):
        churn.service_share(X.head(2), features=[])
    blind = ChurnModel(horizons=(3,), max_rounds=3, random_state=0)
    blind.fit(X[["noise"]].head(2000), target.head(2000))
    with pytest.raises(InvalidParameterError, match="no feature of service"):
        blind.service_share(X.head(2))


def test_a_constant_model_has_no_part_of_service(train):
    X, target = train
    model = ChurnModel(horizons=(3,), min_events=10**6, random_state=0).fit(X, target)
    frame = model.service_share(X.head(5))
    assert (frame.xs("points", axis=1, level="measure") == 0).all(axis=None)
    assert model.summary()["drivers"].isna().all()
    assert len(model.explain(X.head(5))) == 0
    model.hazard_.constant_causes_ = ()  # as if something else than a card had learned them
    with pytest.raises(InvalidParameterError, match="read off a card, and this model has none"):
        model.service_share(X.head(5))


@pytest.mark.slow
def test_service_share_recovers_the_planted_effects_of_the_simulated_book():
    """Sign and size of the log ratio of incidences against the planted part of the log rate."""
    book = cs.datasets.make_portfolio(n_clients=4000, n_months=48, random_state=3)
    schema = cs.ClientSchema.default()
    dates = [pd.Timestamp(day) for day in ("2021-07-01", "2022-01-01", "2022-07-01", "2023-01-01")]
    X = cs.build_features(book.tables, schema, as_of=dates)
    X = X[[name for name in X if name in base_features("relationship") + base_features("credit")]]
    target = cs.labels.churn_target(cs.build_labels(book.tables, schema, as_of=dates, horizon=12, lead=1))
    last = target.index.get_level_values("as_of") == dates[-1]
    model = ChurnModel(random_state=0, max_rows=200_000).fit(X.loc[target.index[~last]], target[~last])

    judged = target[last]
    month, record = 36, book.truth.book.record
    place_of = pd.Series(
        np.arange(4000), book.tables["clients"]["client_id"].to_numpy()[book.truth.book.client[month]]
    )
    places = place_of.loc[judged.index.get_level_values("client_id")].to_numpy()
    effects = book.truth.service_effects.drop(index="price")  # the price is no service
    terms = {
        name: term[month, places] for name, term in service_terms(record).items() if name in effects.index
    }
    shares = model.service_share(X.loc[judged.index])
    for cause in (HARD, "silent_attrition"):
        planted = sum(effects.loc[name, cause] * term for name, term in terms.items())
        planted = planted - planted.mean()
        measured = np.log(shares[cause, 12, "incidence"] / shares[cause, 12, "average_service"]).to_numpy()
        assert np.corrcoef(planted, measured)[0, 1] > 0.7
        badly, well = planted > np.quantile(planted, 0.9), planted < np.quantile(planted, 0.1)
        points = shares[cause, 12, "points"].to_numpy()
        assert (points[badly] > 0).mean() > 0.9
        assert (points[well] < 0).mean() > 0.85
        # What service at the date truly does to the next twelve months: it moves on meanwhile, and frail
        # clients go first, so that is less than was planted. The tables show service late and with noise.
        happened = (judged["event"] == cause).to_numpy(dtype=float)
        others = np.log(shares[cause, 12, "average_service"].to_numpy())
        law = PoissonRegressor(alpha=1e-6).fit(np.column_stack([planted, others]), happened)
        assert 0.5 < np.polyfit(planted, measured, 1)[0] / law.coef_[0] < 1.2


# --- what if ------------------------------------------------------------------------------------------------


def test_what_if_by_hand(by_hand):
    frame = by_hand.what_if(CLIENT, {SERVICE: 10.0}, cause=HARD)
    assert frame.columns.names == ["moment", "horizon"]
    before, after = two_periods(-2.0)[0], two_periods(-3.0 - 0.5 + 0.3 - 0.2)[0]  # the pair turns too
    np.testing.assert_allclose(frame.loc["slow", "before"], before, rtol=1e-12)
    np.testing.assert_allclose(frame.loc["slow", "after"], after, rtol=1e-12)
    np.testing.assert_allclose(frame.loc["slow", "difference"], after - before, rtol=1e-9)
    assert (frame.loc["quick", "difference"] == 0).all()


def test_what_if_scores_the_changed_clients(churn, train):
    X = train[0].head(100)
    frame = churn.what_if(X, {SERVICE: lambda hours: hours.clip(upper=0.0), "noise": np.zeros(100)})
    changed = X.assign(**{SERVICE: X[SERVICE].clip(upper=0.0), "noise": 0.0})
    np.testing.assert_array_equal(frame["before"], churn.predict_churn(X))
    np.testing.assert_array_equal(frame["after"], churn.predict_churn(changed))
    same = churn.what_if(X, {SERVICE: X[SERVICE]})
    assert (same["difference"] == 0).all(axis=None)


@given(hours=st.floats(-3, 3))
@settings(max_examples=15)
def test_what_if_leads_back(churn, train, hours):
    X = train[0].head(20)
    moved = X.assign(**{SERVICE: hours})
    there = churn.what_if(X, {SERVICE: hours})["difference"]
    back = churn.what_if(moved, {SERVICE: X[SERVICE]})["difference"]
    np.testing.assert_allclose(there, -back, atol=1e-15)


def test_what_if_stays_inside_what_was_seen(by_hand, churn, train):
    with pytest.raises(DataError, match=r"'response_hours_mean_3m' must lie in \[-0.001, 72\].*2 of 2 rows"):
        by_hand.what_if(CLIENT, {SERVICE: 100.0})
    with pytest.raises(DataError, match="inside what training has seen") as raised:
        by_hand.what_if(CLIENT, {SERVICE: -5.0, "balance_change_3m": None})
    assert len(raised.value.faults) == 2
    assert "'balance_change_3m' is made missing in 2 of 2 rows" in raised.value.faults[1]
    far = CLIENT.assign(**{SERVICE: [500.0, 12.0]})  # out of range before, and left so
    kept = by_hand.what_if(far, {SERVICE: lambda hours: hours.where(hours > 72, 20.0)})
    assert (kept.loc["slow", "difference"] == 0).all()
    unknown = by_hand.what_if(CLIENT, {SERVICE: None})["after"]  # missing was seen
    assert unknown.notna().all(axis=None)
    with pytest.raises(InvalidParameterError, match=r"'respons_hours_mean_3m' is unknown. Did you mean"):
        by_hand.what_if(CLIENT, {"respons_hours_mean_3m": 1.0})
    with pytest.raises(InvalidParameterError, match="at least one"):
        by_hand.what_if(CLIENT, {})
    with pytest.raises(DataError, match="must have 2 values like X; got 3"):
        by_hand.what_if(CLIENT, {SERVICE: [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match="must have the index of X"):
        by_hand.what_if(CLIENT, {SERVICE: pd.Series([1.0, 2.0])})
    with pytest.raises(DataError, match="must give numbers"):
        by_hand.what_if(CLIENT, {SERVICE: "slow"})
    with pytest.raises(InvalidParameterError, match="cause must be None or one of"):
        churn.what_if(train[0].head(2), {SERVICE: 0.0}, cause="merger")


def test_what_if_of_categories(train):
    X, target = (frame.head(3000) for frame in train)
    X = X[["noise"]].assign(segment=np.where(np.arange(3000) % 3 == 0, "small", "large"))
    model = ChurnModel(horizons=(6,), max_rounds=20, random_state=0).fit(X, target)
    frame = model.what_if(X.head(6), {"segment": "small"})
    assert (frame["difference"].iloc[[0, 3]] == 0).all(axis=None)
    as_categories = X.head(6).astype({"segment": "category", "noise": "Float64"})
    as_categories.loc[0, "noise"] = pd.NA
    pd.testing.assert_frame_equal(
        model.what_if(as_categories, {"segment": "small", "noise": 0.5}),
        model.what_if(
            X.head(6).assign(noise=as_categories["noise"].astype(float)), {"segment": "small", "noise": 0.5}
        ),
    )
    with pytest.raises(DataError, match=r"'segment' has the level 'smal'.*Did you mean 'small'"):
        model.what_if(X.head(6), {"segment": "smal"})


# --- alerts of a model --------------------------------------------------------------------------------------


def test_alerts_of_a_model(churn, train):
    X = train[0].head(400)
    value = pd.Series(np.linspace(1e3, 1e6, 400), index=X.index).mask(X.index < 10)
    found = churn.alerts(X, value, n_clients=15, horizon=6, n=2)
    frame = found.frame()
    risk = churn.predict_churn(X)[6]
    expected = (risk * value).nlargest(15)
    assert frame.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(frame["expected_loss"], expected)
    assert frame[["driver_1", "driver_2"]].equals(churn.drivers(X.loc[frame.index], n=2))
    assert (found.left_out["why"] == "not_evaluated").sum() == 10
    with pytest.raises(InvalidParameterError, match="horizon must be one of 3, 6, 12; got 5"):
        churn.alerts(X, value, n_clients=1, horizon=5)
