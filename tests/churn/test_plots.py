from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from clientscore.churn import (
    ChurnModel,
    compute_driver_shape,
    compute_incidence_curves,
    plot_driver_shape,
    plot_incidence_curves,
)
from clientscore.exceptions import (
    DataError,
    InvalidParameterError,
    MissingColumnError,
    MissingDependencyError,
)
from clientscore.metrics import aalen_johansen


@pytest.fixture(autouse=True)
def closed():
    yield
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")


def test_incidence_curves_are_the_mean_and_aalen_johansen(churn, book):
    X, target = book(1500, 5)
    curves = compute_incidence_curves(churn, X, target, n_bootstrap=60)
    assert curves.columns.to_list() == ["cause", "period", "predicted", "observed", "lower", "upper"]
    table = curves.set_index(["cause", "period"])
    mean = churn.predict_cumulative_incidence(X, horizons=range(1, 13)).mean()
    oracle = aalen_johansen(target["duration"], target["event"], horizons=range(1, 13))
    for cause in churn.causes_:
        np.testing.assert_allclose(table.loc[cause, "predicted"], mean[cause], rtol=1e-12)
        np.testing.assert_allclose(table.loc[cause, "observed"], oracle[cause], rtol=1e-12)
    assert (curves["lower"] <= curves["observed"]).all()
    assert (curves["observed"] <= curves["upper"]).all()
    p = table.loc["default", "observed"].to_numpy()[-1]  # nobody is censored before: a plain share
    width = (table.loc["default", "upper"] - table.loc["default", "lower"]).to_numpy()[-1]
    assert width == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 1500), rel=0.35)
    inside = (curves["lower"] <= curves["predicted"]) & (curves["predicted"] <= curves["upper"])
    assert inside.mean() > 0.7


def test_the_band_is_of_whole_clients(churn, book):
    X, target = book(500, 6)
    twice = pd.concat([X, X]), pd.concat([target, target])
    once = compute_incidence_curves(churn, X, target, n_bootstrap=80)
    width = (once["upper"] - once["lower"]).mean()
    same = compute_incidence_curves(churn, *twice, n_bootstrap=80)  # the index names the clients
    assert (same["upper"] - same["lower"]).mean() == pytest.approx(width, rel=0.05)
    apart = compute_incidence_curves(churn, *twice, groups=np.arange(1000), n_bootstrap=80)
    assert (apart["upper"] - apart["lower"]).mean() < 0.85 * width


def test_incidence_curves_without_a_target_and_bad_input(churn, train):
    X, target = (frame.head(20) for frame in train)
    alone = compute_incidence_curves(churn, X)
    assert alone["observed"].isna().all()
    assert alone["predicted"].notna().all()
    with pytest.raises(DataError, match="index of X"):
        compute_incidence_curves(churn, X, target.iloc[::-1])
    with pytest.raises(DataError, match="at least one row"):
        compute_incidence_curves(churn, X.iloc[:0])
    with pytest.raises(DataError, match="does not name"):
        compute_incidence_curves(churn, X, target.assign(event="merger"))
    with pytest.raises(InvalidParameterError, match="level must be"):
        compute_incidence_curves(churn, X, target, level=1.0)


def test_driver_shape_by_hand(by_hand):
    shape = compute_driver_shape(by_hand, "response_hours_mean_3m")
    assert shape["row"].tolist() == ["< -0.001", "[-0.001, 24]", "(24, 72]", "> 72", "missing"]
    assert shape["log_odds"].tolist() == [-0.5, -0.5, 0.5, 0.5, 0.0]
    np.testing.assert_allclose(shape["low"], [np.nan, -0.001, 24.0, np.nan, np.nan])
    np.testing.assert_allclose(shape["high"], [np.nan, 24.0, 72.0, np.nan, np.nan])
    assert shape["share"].tolist() == [0.0, 0.5, 0.5, 0.0, 0.0]
    assert shape["cause"].unique().tolist() == ["hard_attrition"]


def test_driver_shape_is_what_a_change_of_the_feature_does(churn, train):
    """Where pairs are few, the shape is nearly the difference of two drivers' effects."""
    shape = compute_driver_shape(churn, "debt_to_ebitda")
    line = shape[(shape["cause"] == "default") & shape["low"].notna()]
    steps = np.average(line["log_odds"], weights=line["share"])
    assert steps == pytest.approx(0.0, abs=0.02)
    assert line["log_odds"].iloc[-1] - line["log_odds"].iloc[0] > 2
    effects = churn.hazard_.drivers(train[0], "default")["debt_to_ebitda"].to_numpy()
    place = np.searchsorted(line["high"].to_numpy(), train[0]["debt_to_ebitda"].to_numpy())
    assert np.corrcoef(line["log_odds"].to_numpy()[place], effects)[0, 1] > 0.97


def test_driver_shape_of_nothing(churn, train):
    X, target = train
    constant = ChurnModel(horizons=(3,), min_events=10**6, random_state=0).fit(X, target)
    assert len(compute_driver_shape(constant, "noise")) == 0
    with pytest.raises(DataError, match="no line to draw"):
        plot_driver_shape(compute_driver_shape(constant, "noise"))
    with pytest.raises(InvalidParameterError, match="Did you mean 'noise'"):
        compute_driver_shape(churn, "nois")


def test_plots_draw_what_was_computed(churn, book):
    plt = pytest.importorskip("matplotlib.pyplot")
    X, target = book(300, 8)
    curves = compute_incidence_curves(churn, X, target, n_bootstrap=10)
    given = plt.subplots()[1]
    assert plot_incidence_curves(curves, ax=given) is given
    labels = [text.get_text() for text in given.get_legend().get_texts()]
    assert labels == ["default", "hard attrition", "silent attrition"]
    np.testing.assert_allclose(given.lines[0].get_ydata(), curves["predicted"].head(12))
    assert len(plot_incidence_curves(compute_incidence_curves(churn, X)).lines) == 3
    shape = compute_driver_shape(churn, "response_hours_mean_3m")
    ax = plot_driver_shape(shape)
    assert ax.get_xlabel() == "mean hours to answer in 3 months"
    with pytest.raises(MissingColumnError, match="'predicted' is missing"):
        plot_incidence_curves(curves.drop(columns="predicted"))


def test_plots_of_categories(train):
    X, target = (frame.head(1000) for frame in train)
    X = X[["noise"]].assign(segment=np.where(np.arange(1000) % 3 == 0, "small", "large"))
    model = ChurnModel(horizons=(6,), max_rounds=10, min_events=10, random_state=0).fit(X, target)
    ax = plot_driver_shape(compute_driver_shape(model, "segment"))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["large", "small"]


def test_without_matplotlib_the_extra_is_named(monkeypatch, churn):
    shape = compute_driver_shape(churn, "noise")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clientscore\[report\]'"):
        plot_driver_shape(shape)
