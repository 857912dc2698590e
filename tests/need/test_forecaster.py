from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.metrics import auc, crps_mixture, interval_coverage
from clientscore.need import FinancingNeedForecaster, coverage_report

PERIODS = 12
DATES = pd.to_datetime(["2024-01-01", "2024-07-01", "2025-01-01"])


def book(n, seed):
    """Clients at three dates: need, exit, and amounts whose noise depends on one feature; with the truth."""
    rng = np.random.default_rng(seed)
    clients = [f"c{i:05d}" for i in range(n // 3)]
    index = pd.MultiIndex.from_product([clients, DATES], names=["client_id", "as_of"])
    n = len(index)
    X = pd.DataFrame(
        {
            "maturity_share_12m": np.where(rng.random(n) < 0.5, 0.0, rng.random(n)),
            "log_assets": rng.normal(10, 1, n),
            "asset_volatility": rng.random(n),
            "cash_cycle_days_change_1y": rng.normal(0, 20, n),
            "capex_to_depreciation": rng.lognormal(0, 0.5, n),
        },
        index=index,
    )
    need = -4.4 + 2.0 * X["maturity_share_12m"] + 0.3 * (X["log_assets"] - 10)
    odds = np.exp(np.stack([need.to_numpy(), np.full(n, -4.5)], axis=1))
    hazard = odds / (1 + odds.sum(axis=1, keepdims=True))
    draw = rng.random((n, PERIODS))
    gone = draw < hazard.sum(axis=1)[:, None]
    first = np.where(gone.any(axis=1), gone.argmax(axis=1), PERIODS - 1)
    is_need = draw[np.arange(n), first] < hazard[:, 0]
    event = np.where(gone.any(axis=1), np.where(is_need, "need", "closure"), None)
    sigma = 0.2 + 1.0 * X["asset_volatility"].to_numpy()
    middle = X["log_assets"].to_numpy() - 3 + 0.8 * X["maturity_share_12m"].to_numpy()
    amount = np.exp(middle + sigma * rng.normal(size=n))
    target = pd.DataFrame(
        {
            "duration": first + 1,
            "event": event,
            "amount": np.where(event == "need", amount, np.nan),
            "product": np.where(X["maturity_share_12m"] > 0.3, "term_loan", "revolving_line"),
        },
        index=index,
    )
    total = hazard.sum(axis=1)
    truth = pd.DataFrame(
        {
            "probability": hazard[:, 0] / total * (1 - (1 - total) ** PERIODS),
            "mean": np.exp(middle + sigma**2 / 2),
            "amount": amount,
            "sigma": sigma,
        },
        index=index,
    )
    return X, target, truth


@pytest.fixture(scope="module")
def train():
    return book(15_000, 1)


@pytest.fixture(scope="module")
def need(train):
    X, target, _ = train
    return FinancingNeedForecaster(random_state=0, max_rows=60_000).fit(X, target)


@pytest.fixture(scope="module")
def test_book():
    return book(15_000, 2)


@pytest.fixture(scope="module")
def forecast(need, test_book):
    return need.predict(test_book[0])


def test_columns_are_those_of_the_contract(forecast, test_book):
    expected = ["need_probability_3m", "need_probability_6m", "need_probability_12m", "need_month"]
    expected += ["need_month_expected", "need_periods_expected"]
    expected += ["amount_lower", "amount_median", "amount_upper", "amount_mean", "amount_expected"]
    expected += ["mixture_lower", "mixture_median", "mixture_upper", "purpose"]
    assert list(forecast.columns[:15]) == expected
    products = ["product", "product_revolving_line", "product_term_loan"]
    products += [f"product_{name}_{h}m" for h in (3, 6, 12) for name in ("revolving_line", "term_loan")]
    assert list(forecast.columns[-9:]) == products
    assert forecast.index.equals(test_book[0].index)


def test_the_level_and_the_ranking_of_need(forecast, test_book):
    _, target, truth = test_book
    probability = forecast["need_probability_12m"]
    assert probability.mean() == pytest.approx(truth["probability"].mean(), rel=0.05)
    assert np.corrcoef(probability, truth["probability"])[0, 1] > 0.95
    seen = target["event"].eq("need")
    assert auc(seen, probability) > auc(seen, truth["probability"]) - 0.01
    assert (forecast["need_probability_3m"] < forecast["need_probability_6m"]).all()


def test_the_expected_total_is_kept(forecast, test_book):
    _, _, truth = test_book
    expected = (truth["probability"] * truth["mean"]).sum()
    assert forecast["amount_expected"].sum() == pytest.approx(expected, rel=0.08)
    product = forecast["need_probability_12m"] * forecast["amount_mean"]
    np.testing.assert_allclose(forecast["amount_expected"], product)


def test_intervals_cover_calm_and_noisy_clients_alike(forecast, test_book):
    _, target, truth = test_book
    drawn = target["event"].eq("need").to_numpy()
    noise = pd.qcut(truth["sigma"], 3, labels=["calm", "middle", "noisy"])
    seen = forecast[drawn]
    table = interval_coverage(
        target["amount"][drawn], seen["amount_lower"], seen["amount_upper"], groups=noise[drawn]
    )
    assert table["rows"].min() > 500
    assert table["coverage"].between(0.85, 0.95).all(), table
    assert table.loc["all", "coverage"] == pytest.approx(0.9, abs=0.025)
    width = np.log(seen["amount_upper"] / seen["amount_lower"]).groupby(noise[drawn], observed=True).mean()
    assert width["noisy"] > 1.8 * width["calm"]
    assert (seen["amount_lower"] < seen["amount_median"]).all()
    assert (seen["amount_median"] < seen["amount_upper"]).all()


def test_the_mixture_carries_the_zero_and_covers(forecast, test_book):
    _, target, _ = test_book
    unlikely = forecast["need_probability_12m"] < 0.5
    assert (forecast.loc[unlikely, "mixture_median"] == 0).all()
    likely = forecast["need_probability_12m"] > 0.95
    assert likely.sum() == 0 or (forecast.loc[likely, "mixture_lower"] > 0).all()
    drawn = target["amount"].fillna(0.0)
    assert (drawn <= forecast["mixture_upper"]).mean() == pytest.approx(0.95, abs=0.02)
    assert (forecast["mixture_upper"] <= forecast["amount_upper"] * (1 + 1e-9)).all()


def test_the_month_lies_in_the_window_and_follows_the_date(need, forecast, test_book):
    X = test_book[0]
    as_of = X.index.get_level_values("as_of")
    months = forecast["need_month"].dt.to_period("M").astype("int64").to_numpy()
    distance = months - pd.Series(as_of).dt.to_period("M").astype("int64").to_numpy()
    assert distance.min() >= 1
    assert distance.max() <= 12
    assert (forecast["need_month"].dt.day == 1).all()
    mean = forecast["need_month_expected"].dt.to_period("M").astype("int64").to_numpy() - (months - distance)
    np.testing.assert_array_equal(mean, np.floor(forecast["need_periods_expected"] + 0.5))
    curve = need.hazard_.predict_incidence(X.head(3), range(1, 13))[:, :, 1]
    np.testing.assert_array_equal(distance[:3], 1 + np.diff(curve, prepend=0.0).argmax(axis=1))
    flat = X.droplevel("as_of").head(5)
    assert need.predict(flat)["need_month"].isna().all()
    given = need.predict(flat, as_of="2026-01-15")["need_month"]
    assert (given >= "2026-02-01").all()


def test_purpose_follows_the_ratio_that_moved(need, test_book):
    X = test_book[0]
    usual = X.median().to_frame().T
    cases = pd.concat([usual] * 4, ignore_index=True)
    cases["maturity_share_12m"] = [0.95, 0.0, 0.0, np.nan]
    cases["capex_to_depreciation"] = [0.5, 6.0, 0.5, np.nan]
    cases["cash_cycle_days_change_1y"] = [-40.0, -40.0, 60.0, np.nan]
    answer = need.predict(cases)
    assert answer["purpose"].to_list()[:3] == ["refinancing", "capex", "working_capital"]
    assert pd.isna(answer["purpose"].iloc[3])  # nothing could be read: not evaluated
    scores = answer.filter(like="purpose_")
    assert scores.iloc[3].isna().all()
    assert scores["purpose_liquidity_stress"].isna().all()  # none of its signs is in this book
    evidence = need.purpose_evidence(cases)
    assert evidence["evidence"].to_list()[:3] == [
        "maturity_share_12m",
        "capex_to_depreciation",
        "cash_cycle_days_change_1y",
    ]
    assert evidence["evidence"].isna().iloc[3]
    assert (evidence["evidence"].iloc[:3].to_list()) == [
        evidence[f"evidence_{purpose}"].iloc[row] for row, purpose in enumerate(answer["purpose"][:3])
    ]


def test_products_follow_the_purpose(need, forecast):
    shares = forecast[["product_revolving_line", "product_term_loan"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert need.product_method_.startswith("card on ")
    by_purpose = forecast.groupby("purpose")["product_term_loan"].mean()
    assert by_purpose["refinancing"] > by_purpose["working_capital"] + 0.2
    assert set(forecast["product"]) == {"term_loan", "revolving_line"}
    assert list(need.products_.index[:1]) == ["all"]


def test_state_round_trip_predicts_identically(need, test_book):
    X = test_book[0].head(200)
    state = need.to_state()
    json.dumps(state, default=np.ndarray.tolist)
    again = FinancingNeedForecaster.from_state(state)
    pd.testing.assert_frame_equal(again.predict(X), need.predict(X))
    pd.testing.assert_frame_equal(again.purpose_evidence(X), need.purpose_evidence(X))
    pd.testing.assert_frame_equal(again.interval_groups_, need.interval_groups_)


def test_yearly_columns_and_no_products(train):
    X, target, _ = train
    X, target = X.head(1500), target.head(1500).drop(columns="product")
    once = target.assign(event=target["event"].where(target["duration"] == 1), duration=1)
    once["amount"] = once["amount"].where(once["event"] == "need")
    yearly = FinancingNeedForecaster(horizons=(1,), period="year", max_rounds=20, random_state=0)
    table = yearly.fit(X, once).predict(X)
    assert "need_probability_1y" in table
    assert "product" not in table
    assert yearly.products_ is None
    assert (
        table["need_month"].to_numpy() == X.index.get_level_values("as_of") + pd.DateOffset(years=1)
    ).all()
    again = FinancingNeedForecaster.from_state(yearly.to_state())
    pd.testing.assert_frame_equal(again.predict(X), table)


def test_an_empty_book_gives_an_empty_frame(need, forecast, test_book):
    empty = need.predict(test_book[0].iloc[:0])
    assert len(empty) == 0
    assert list(empty.columns) == list(forecast.columns)


def test_open_windows_count_for_the_hazard_only(train):
    X, target, _ = train
    X, target = X.head(1500), target.head(1500).copy()
    needs = np.flatnonzero(target["event"] == "need")
    target.iloc[needs[::2], target.columns.get_loc("amount")] = np.nan
    model = FinancingNeedForecaster(max_rounds=10, random_state=0).fit(X, target)
    assert model.hazard_.population_.loc["need", "events"] == len(needs)
    assert model.interval_groups_["rows"].sum() == len(needs) - len(needs[::2])


def test_bad_input_is_named(need, train):
    X, target, _ = train
    X, target = X.head(900), target.head(900)
    with pytest.raises(DataError, match="event must hold 'need' at least once"):
        FinancingNeedForecaster().fit(X, target.assign(event=None))
    with pytest.raises(DataError, match=r"(?s)amount must be a number above 0.*zero or negative"):
        FinancingNeedForecaster().fit(X, target.assign(amount=-target["amount"]))
    with pytest.raises(DataError, match="not a number"):
        FinancingNeedForecaster().fit(X, target.assign(amount="much"))
    with pytest.raises(DataError, match="infinite"):
        FinancingNeedForecaster().fit(X, target.assign(amount=np.inf))
    with pytest.raises(DataError, match="known for at least 3 needs; got 0"):
        FinancingNeedForecaster(max_rounds=5).fit(X, target.assign(amount=np.nan))
    with pytest.raises(DataError, match="index of X"):
        FinancingNeedForecaster().fit(X, target.iloc[::-1])
    with pytest.raises(MissingColumnError, match="'amount' is missing"):
        FinancingNeedForecaster().fit(X, target.drop(columns="amount"))
    with pytest.raises(InvalidParameterError, match="longest duration in training, 12"):
        FinancingNeedForecaster(horizons=(18,), max_rounds=5).fit(X, target)
    with pytest.raises(MissingColumnError, match="log_assets"):
        need.predict(X.drop(columns="log_assets"))


@pytest.mark.parametrize(
    "settings", [{"coverage": 1.0}, {"period": "week"}, {"horizons": ()}, {"lead_periods": -1}]
)
def test_bad_settings_are_named(settings, train):
    with pytest.raises(InvalidParameterError, match=next(iter(settings))):
        FinancingNeedForecaster(**settings).fit(*train[:2])


def test_it_is_a_scikit_learn_estimator():
    model = FinancingNeedForecaster(horizons=(6,), coverage=0.8, random_state=3)
    assert clone(model).get_params() == model.get_params()


def test_one_client_has_the_forecast_of_the_batch(need, train):
    X = train[0].iloc[-40:]
    X = X.mask(np.random.default_rng(0).random(X.shape) < 0.2)
    X.iloc[0] = np.nan  # no sign can be read
    whole = need.predict(X)
    for place, values in enumerate(X.to_dict("records")):
        one = need.predict_one({**values, "extra": "?"}, as_of=X.index[place][1])
        row = whole.iloc[place].to_dict()
        for name in ("need_month", "need_month_expected"):
            assert one.pop(name) == row.pop(name).date()
        for word in ("purpose", "product"):
            assert one.pop(word) == (None if pd.isna(row[word]) else row[word])
            del row[word]
        assert one == {name: None if pd.isna(v) else pytest.approx(v, rel=1e-12) for name, v in row.items()}
    assert need.predict_one(X.iloc[1].to_dict(), as_of="2026-01-31") == need.predict_one(
        X.iloc[1].to_dict(), as_of=np.datetime64("2026-01-01")
    )
    assert need.predict_one(X.iloc[1].to_dict())["need_month"] is None
    with pytest.raises(MissingColumnError, match="'log_assets' is missing"):
        need.predict_one({"asset_volatility": 0.5})


def test_one_client_is_forecast_without_products_and_after_loading(train):
    X, target, _ = train
    some = slice(0, 3000)
    small = FinancingNeedForecaster(random_state=0, max_rounds=20).fit(
        X[some], target[some].drop(columns="product")
    )
    loaded = FinancingNeedForecaster.from_state(small.to_state())
    values = X.iloc[-1].to_dict()
    one = loaded.predict_one(values, as_of="2026-01-01")
    assert one == small.predict_one(values, as_of="2026-01-01")
    assert "product" not in one


def test_periods_add_up_to_the_probability_and_give_the_expected_one(need, forecast, test_book):
    table = need.predict_month(test_book[0])
    assert list(table.columns) == list(range(1, 13))
    np.testing.assert_allclose(table.sum(axis=1), forecast["need_probability_12m"])
    np.testing.assert_allclose(table[[1, 2, 3]].sum(axis=1), forecast["need_probability_3m"])
    mean = (table * np.arange(1, 13)).sum(axis=1) / table.sum(axis=1)
    np.testing.assert_allclose(forecast["need_periods_expected"], mean)


def test_products_of_a_horizon_add_up_to_its_probability(need, forecast, test_book):
    for horizon in (3, 6, 12):
        parts = forecast.filter(regex=f"product_.*_{horizon}m$")
        np.testing.assert_allclose(parts.sum(axis=1), forecast[f"need_probability_{horizon}m"])
    table = need.predict_products(test_book[0].head(50))
    np.testing.assert_allclose(table[("term_loan", 6)], forecast["product_term_loan_6m"].head(50))
    some = need.predict_products(test_book[0].head(50), ["term_loan"])
    assert list(some.columns) == [("term_loan", 3), ("term_loan", 6), ("term_loan", 12)]
    with pytest.raises(InvalidParameterError, match=r"(?s)past needs.*'term_lone' was not met. Did you mean"):
        need.predict_products(test_book[0], ["term_lone"])


def test_families_add_up_their_products(need, test_book):
    X = test_book[0].head(50)
    single = need.predict_products(X)
    own = need.predict_products(X, families={"term_loan": "term", "another": "term"})
    assert own.columns.names == ["family", "horizon"]
    assert list(own.columns.unique("family")) == ["revolving_line", "term"]
    np.testing.assert_allclose(own["term"], single["term_loan"])
    one = need.predict_products(X, families={"term_loan": "credit", "revolving_line": "credit"})
    total = need.predict(X)[[f"need_probability_{horizon}m" for horizon in need.horizons]]
    np.testing.assert_allclose(one["credit"], total)


def test_the_quantiles_carry_the_distribution(need, forecast, test_book):
    X, target, truth = test_book
    levels = np.arange(1, 200) / 200
    table = need.predict_quantiles(X, levels)
    np.testing.assert_allclose(table[0.5], forecast["amount_median"])
    np.testing.assert_allclose(table[0.05], forecast["amount_lower"], rtol=0.02)
    drawn = target["amount"].fillna(0.0)
    score = crps_mixture(drawn, forecast["need_probability_12m"], table.to_numpy(), levels)
    noise = np.exp(
        np.outer(truth["sigma"], stats.norm.ppf(levels)) - truth["sigma"].to_numpy()[:, None] ** 2 / 2
    )
    best = crps_mixture(drawn, truth["probability"], truth["mean"].to_numpy()[:, None] * noise, levels)
    constant = np.tile(np.quantile(target["amount"].dropna(), levels), (len(X), 1))
    base = crps_mixture(drawn, np.full(len(X), drawn.gt(0).mean()), constant, levels)
    assert best < score < best + 0.35 * (base - best)
    with pytest.raises(InvalidParameterError, match="levels"):
        need.predict_quantiles(X, [0.999])


def test_positions_are_uniform_and_coverage_follows(need, test_book):
    X, target, _ = test_book
    amount = target["amount"].to_numpy()
    place = need.amount_position(X, amount)
    assert place.isna().equals(target["amount"].isna())
    assert stats.kstest(place.dropna(), "uniform").statistic < 0.05
    model = FinancingNeedForecaster.from_state(need.to_state())
    before = model.predict(X.head(200))
    asked = model.update_coverage(X, amount * 8.0)  # a period of far larger amounts
    assert asked > 0.9
    after = model.predict(X.head(200))
    assert (after["amount_upper"] > before["amount_upper"]).all()
    np.testing.assert_allclose(after["amount_mean"], before["amount_mean"])
    again = FinancingNeedForecaster.from_state(model.to_state())
    pd.testing.assert_frame_equal(again.predict(X.head(200)), after)
    one = again.predict_one(X.iloc[0].to_dict())
    assert one["amount_upper"] == pytest.approx(after["amount_upper"].iloc[0])
    narrow = model.predict(X.head(200), coverage=0.5)
    assert (narrow["amount_upper"] < before["amount_upper"]).all()
    with pytest.raises(InvalidParameterError, match="coverage"):
        model.predict(X.head(2), coverage=1.0)
    with pytest.raises(DataError, match="values above 0 or missing"):
        model.amount_position(X.head(2), [0.0, 1.0])


@pytest.mark.parametrize("interval_groups", ["size", "tier", ["noise", "tier"], "auto"])
def test_intervals_by_groups_cover_each_group(train, test_book, interval_groups):
    def tiered(X):
        return X.assign(tier=np.where(X["asset_volatility"] > 0.6, "C", "A"))

    X, target, _ = train
    part = slice(0, 9000)
    settings = {"max_rounds": 30, "max_rows": 20_000, "random_state": 0}
    model = FinancingNeedForecaster(interval_groups=interval_groups, **settings)
    model.fit(tiered(X[part]), target[part].drop(columns="product"))
    held, outcome, _ = test_book
    held = tiered(held)
    forecast = model.predict(held)
    tiers = coverage_report(outcome["amount"], forecast, held["tier"])
    if interval_groups != "size":
        assert tiers["coverage"].between(0.86, 0.94).all(), tiers
    sizes = coverage_report(outcome["amount"], forecast, pd.qcut(held["log_assets"], 3))
    assert sizes["coverage"].between(0.86, 0.94).all(), sizes
    again = FinancingNeedForecaster.from_state(model.to_state())
    pd.testing.assert_frame_equal(again.predict(held.head(50)), forecast.head(50))
    one = again.predict_one(held.iloc[7].to_dict())
    assert one["amount_upper"] == pytest.approx(forecast["amount_upper"].iloc[7], rel=1e-12)
    assert not model.interval_groups_["pooled"].iloc[0]


def test_evidence_tells_what_moved_from_its_usual_value(need, test_book):
    X = test_book[0].head(100)
    evidence = need.purpose_evidence(X)
    assert list(evidence.columns[:5]) == [
        "purpose",
        "evidence",
        "evidence_value",
        "evidence_usual",
        "evidence_position",
    ]
    spoken = np.flatnonzero(evidence["evidence"].notna())
    assert len(spoken) > 50
    for row in spoken:
        name = evidence["evidence"].iloc[row]
        assert evidence["evidence_value"].iloc[row] == X[name].iloc[row]
        assert evidence["evidence_usual"].iloc[row] == pytest.approx(need.purposes_.grids[name][100])
    signs = need.purpose_signs(X, n=2)
    first = signs[signs["rank"] == 1]
    np.testing.assert_array_equal(first["feature"], evidence["evidence"].dropna())
    assert signs["words"].str.len().gt(0).all()
    assert signs.groupby(level=[0, 1]).size().max() <= 2


def test_units_and_currencies_are_checked(train, need):
    X, target, _ = train
    X, target = X.head(900), target.head(900)
    with pytest.raises(DataError, match=r"one unit; amounts are .* times the size"):
        FinancingNeedForecaster().fit(X, target.assign(amount=target["amount"] / 1000))
    with pytest.raises(DataError, match="unit of training"):
        need.predict(X.assign(log_assets=X["log_assets"] - np.log(1000)))
    mixed = target.assign(currency=np.where(np.arange(900) % 2, "CNY", "USD"))
    with pytest.raises(DataError, match="one currency; got CNY, USD"):
        FinancingNeedForecaster().fit(X, mixed)
    settings = {"max_rounds": 5, "check_units": False, "random_state": 0}
    model = FinancingNeedForecaster(**settings).fit(
        X.assign(currency="CNY"), target.assign(amount=target["amount"] / 1000)
    )
    assert model.currency_ == "CNY"
    assert "currency" not in model.feature_names_in_
    assert len(model.predict(X.assign(log_assets=X["log_assets"] - np.log(1000)))) == 900
    with pytest.raises(DataError, match="currency must be CNY as in training; got USD"):
        model.predict(X.assign(currency="USD"))
    with pytest.raises(DataError, match="currency must be CNY"):
        model.predict_one({**X.iloc[0].to_dict(), "currency": "USD"})
    assert need.check_inputs(X).empty
    shifted = need.check_inputs(X.assign(asset_volatility=70.0))
    assert shifted["feature"].tolist() == ["asset_volatility"]


def test_no_product_was_learned(train):
    X, target, _ = train
    target = target.head(600).drop(columns="product")
    model = FinancingNeedForecaster(max_rounds=5, random_state=0).fit(X.head(600), target)
    assert model.product_method_ == "none: the target of training had no product"
    with pytest.raises(DataError, match="no product was learned"):
        model.predict_products(X.head(2))
    blank = target.assign(product=None)
    assert FinancingNeedForecaster(max_rounds=5, random_state=0).fit(X.head(600), blank).products_ is None
