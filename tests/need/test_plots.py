from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, MissingColumnError, MissingDependencyError
from clientscore.need import (
    FinancingNeedForecaster,
    compute_need_calibration,
    compute_need_fan,
    compute_pipeline,
    coverage_report,
    plot_coverage,
    plot_need_calibration,
    plot_need_fan,
    plot_pipeline,
)


def book(n, seed):
    rng = np.random.default_rng(seed)
    dates = [pd.Timestamp("2025-01-01")]
    index = pd.MultiIndex.from_product([range(n), dates], names=["client_id", "as_of"])
    X = pd.DataFrame({"maturity_share_12m": rng.random(n), "log_assets": rng.normal(10, 1, n)}, index=index)
    draws = rng.random((n, 6)) < 0.02 + 0.1 * X[["maturity_share_12m"]].to_numpy()
    target = pd.DataFrame(
        {
            "duration": np.where(draws.any(axis=1), draws.argmax(axis=1) + 1, 6),
            "event": np.where(draws.any(axis=1), "need", None),
            "amount": np.exp(X["log_assets"] - 3 + rng.normal(0, 0.5, n)),
            "product": rng.choice([f"p{k}" for k in range(10)], n),
        },
        index=index,
    )
    return X, target


@pytest.fixture(scope="module")
def model():
    return FinancingNeedForecaster(horizons=(3, 6), max_rounds=60, random_state=0).fit(*book(3000, 0))


@pytest.fixture(autouse=True)
def closed():
    yield
    pytest.importorskip("matplotlib.pyplot").close("all")


def test_calibration_is_the_observed_share(model):
    X, target = book(3000, 1)
    table = compute_need_calibration(model, X, target, n_groups=5)
    every = table[table["group"] == 0].set_index("horizon")
    seen = target["event"].eq("need")
    assert every.loc[6, "observed"] == pytest.approx(seen.mean())
    assert every.loc[3, "observed"] == pytest.approx((seen & (target["duration"] <= 3)).mean())
    assert every.loc[6, "predicted"] == pytest.approx(model.predict(X)["need_probability_6m"].mean())
    inside = (table["lower"] <= table["predicted"]) & (table["predicted"] <= table["upper"])
    assert inside.mean() > 0.7
    ax = plot_need_calibration(table)
    assert ax.get_xlabel() == "predicted probability of need"
    with pytest.raises(DataError, match="index of X"):
        compute_need_calibration(model, X, target.iloc[::-1])


def test_coverage_is_drawn_by_group_and_period(model):
    X, target = book(3000, 1)
    amount = target["amount"].where(target["event"] == "need")
    report = coverage_report(
        amount, model.predict(X), groups=np.arange(3000) % 2, period=np.arange(3000) % 3 + 2023
    )
    ax = plot_coverage(report)
    labels = [text.get_text().split(" ")[0] for text in ax.get_yticklabels()]
    assert labels[::-1] == ["all", "0", "1", "2023", "2024", "2025"]
    with pytest.raises(MissingColumnError, match="coverage"):
        plot_coverage(pd.DataFrame({"rows": [1]}))


def test_the_fan_of_one_client(model):
    X, _ = book(5, 2)
    fan = compute_need_fan(model, X.iloc[[0]])
    assert fan["period"].tolist() == [1, 2, 3, 4, 5, 6]
    assert fan["month"].iloc[0] == pd.Timestamp("2025-02-01")
    forecast = model.predict(X.iloc[[0]]).iloc[0]
    assert fan["cumulative"].iloc[2] == pytest.approx(forecast["need_probability_3m"])
    assert fan["probability"].sum() == pytest.approx(forecast["need_probability_6m"])
    assert fan["expected"].iloc[-1] == pytest.approx(forecast["amount_expected"])
    assert fan["amount_0.5"].eq(forecast["amount_median"]).all()
    ax = plot_need_fan(fan)
    assert len(ax.patches) == 6
    assert [text.get_text() for text in ax.get_xticklabels()][:2] == ["2025-02", "2025-03"]
    with pytest.raises(DataError, match="one client; got 5 rows"):
        compute_need_fan(model, X)


def test_the_pipeline_adds_up_to_the_portfolio(model):
    X, _ = book(400, 3)
    pipeline = compute_pipeline(model, X)
    total = model.portfolio(X).frame().loc["all"]
    assert pipeline["amount"].sum() == pytest.approx(total["amount_expected"])
    assert pipeline["needs"].sum() == pytest.approx(total["needs_expected"])
    third = pipeline[pipeline["period"] == 3]
    assert third["needs"].sum() == pytest.approx(model.predict_month(X)[3].sum())
    by_product = pipeline.groupby("product")["needs"].sum()
    forecast = model.predict(X)
    assert by_product["p4"] == pytest.approx(forecast["product_p4_6m"].sum())
    ax = plot_pipeline(pipeline, n_products=3)
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "other"
    given = pytest.importorskip("matplotlib.pyplot").subplots()[1]
    assert plot_pipeline(pipeline, ax=given) is given
    undated = compute_pipeline(model, X.droplevel("as_of"))
    assert undated["month"].isna().all()
    assert plot_pipeline(undated).get_xticklabels()[0].get_text() == "1"
    with pytest.raises(DataError, match="at least one row"):
        compute_pipeline(model, X.iloc[:0])


def test_the_pipeline_without_products():
    X, target = book(600, 4)
    model = FinancingNeedForecaster(horizons=(6,), max_rounds=5, random_state=0)
    pipeline = compute_pipeline(model.fit(X, target.drop(columns="product")), X)
    assert set(pipeline["product"]) == {"any product"}


def test_without_matplotlib_the_extra_is_named(monkeypatch, model):
    fan = compute_need_fan(model, book(1, 2)[0])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clientscore\[report\]'"):
        plot_need_fan(fan)
