from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clientscore.exceptions import BundleFormatError, DataError, InvalidParameterError, MissingColumnError
from clientscore.scale import MasterScale, ScoreScale
from clientscore.scoring import ClientScorer, reason_text

FEATURES = ["interest_cover", "dpd_max_3m", "sector_growth", "complaints_sum_3m", "shoe_size", "noise"]
FAST = {"n_bags": 7, "max_rounds": 120, "random_state": 0}


def book(n=6000, seed=0):
    """Clients over dates; two of the features interact, one is noise."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=FEATURES)
    clients = rng.integers(0, n // 4, n)
    dates = pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    X.index = pd.MultiIndex.from_arrays([[f"{c:05d}" for c in clients], dates], names=["client_id", "as_of"])
    z = -X["interest_cover"] + 0.8 * X["dpd_max_3m"] - 0.4 * X["sector_growth"] - 2.5
    z += 0.7 * X["complaints_sum_3m"] * X["shoe_size"]
    y = pd.Series((rng.random(n) < 1 / (1 + np.exp(-z))).astype(float), index=X.index, name="bad")
    X["interest_cover"] = X["interest_cover"].mask(rng.random(n) < 0.1)
    return X, y


@pytest.fixture(scope="module")
def data():
    return book()


@pytest.fixture(scope="module", params=["boosted", "woe"])
def fitted(request, data):
    return ClientScorer(method=request.param, **FAST).fit(*data)


@pytest.fixture(scope="module")
def boosted(data):
    return ClientScorer(**FAST).fit(*data)


# ---- probabilities and points ----------------------------------------------------------------------------


def test_probabilities_points_and_card_say_the_same(fitted, data):
    X, _ = data
    log_odds = fitted.card_.decision(X)
    pd_bad = fitted.predict_proba(X)[:, 1]
    assert fitted.predict_proba(X).sum(axis=1) == pytest.approx(np.ones(len(X)), abs=1e-12)
    assert pd_bad == pytest.approx(1 / (1 + np.exp(-log_odds)), rel=1e-12)
    assert fitted.decision_function(X).tolist() == log_odds.tolist()
    points = fitted.points(X)
    assert points.index.equals(X.index)
    assert points.name == "points"
    assert np.corrcoef(points.rank(), pd.Series(pd_bad).rank())[0, 1] == pytest.approx(-1)
    at_600 = 600 - points[points.between(599, 601)]
    assert len(at_600)
    odds = (1 - pd_bad) / pd_bad
    assert odds[points.between(599.9, 600.1)] == pytest.approx(50, rel=0.005)
    assert (fitted.predict(X) == (pd_bad > 0.5)).all()


def test_the_mean_probability_is_the_observed_rate(fitted, data):
    X, y = data
    assert fitted.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.01)
    assert fitted.base_rate_ == pytest.approx(y.mean())


def test_it_ranks_and_is_calibrated_on_new_clients(fitted):
    X, y = book(seed=1)
    p = fitted.predict_proba(X)[:, 1]
    loss = -np.mean(np.log(np.where(y == 1, p, 1 - p)))
    base = -np.mean(np.log(np.where(y == 1, y.mean(), 1 - y.mean())))
    assert loss < 0.85 * base
    assert p.mean() == pytest.approx(y.mean(), rel=0.08)


def test_calibration_is_fitted_out_of_bag_and_folded_into_the_card(data):
    X, y = data
    raw = ClientScorer(calibration=None, **FAST).fit(X, y)
    calibrated = ClientScorer(**FAST).fit(X, y)
    told = calibrated.calibration_
    assert told["method"] == "logistic"
    assert told["rows"] == np.isfinite(calibrated.report_.out_of_bag).sum()
    expected = told["intercept"] + told["slope"] * raw.decision_function(X)
    assert calibrated.decision_function(X) == pytest.approx(expected, abs=1e-9)
    assert 0.8 < told["slope"] < 1.3


def test_too_few_bads_for_a_slope_calibrate_the_mean(data):
    X, y = data
    few = y.copy()
    few[(few == 1) & (np.arange(len(y)) % 40 > 0)] = 0
    scorer = ClientScorer(**FAST).fit(X, few)
    assert scorer.calibration_["method"] == "mean"
    assert scorer.calibration_["slope"] == 1
    assert scorer.predict_proba(X)[:, 1].mean() == pytest.approx(few.mean(), rel=1e-6)


def test_grades_follow_the_probability(fitted, data):
    X, _ = data
    grades = fitted.grade(X)
    expected = MasterScale().grade(fitted.predict_proba(X)[:, 1])
    assert grades.tolist() == expected.tolist()
    assert grades.index.equals(X.index)


def test_scales_of_your_own_are_used(data):
    X, y = data
    scale, master = ScoreScale(500, 20, 40), MasterScale(grades=tuple("ABCEFGHIJ"))
    scorer = ClientScorer(method="woe", scale=scale, master_scale=master).fit(X, y)
    log_odds = scorer.decision_function(X)
    assert scorer.points(X).to_numpy() == pytest.approx(scale.points_from_log_odds(log_odds))
    assert set(scorer.grade(X)) <= set("ABCEFGHIJ")


# ---- pillars and reasons ---------------------------------------------------------------------------------


def test_pillars_add_up_to_points_above_the_base(fitted, data):
    X, _ = data
    pillars = fitted.pillar_points(X)
    assert list(pillars.columns) == ["financial", "credit", "market", "relationship", "other"]
    total = pillars.sum(axis=1) + fitted.base_points_
    assert total.to_numpy() == pytest.approx(fitted.points(X).to_numpy(), abs=1e-9)
    assert (pillars.std() > 0.01).all()


def test_a_pair_is_shared_half_and_half(boosted, data):
    X, _ = data
    parts = boosted.card_.contributions(X)
    market = [name for name in parts if "sector_growth" in name]
    share = [1.0 if " x " not in name else 0.5 for name in market]
    expected = -boosted.scale_.factor * (parts[market] * share).sum(axis=1)
    assert boosted.pillar_points(X)["market"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)


def test_pillars_of_your_own_features(data):
    X, y = data
    scorer = ClientScorer(method="woe").fit(X, y, pillars={"shoe_size": "relationship", "noise": "credit"})
    assert scorer.pillars_["shoe_size"] == "relationship"
    assert scorer.pillars_["interest_cover"] == "financial"
    assert (scorer.pillar_points(X)["other"] == 0).all()
    with pytest.raises(InvalidParameterError, match="'shoe_size' must be one of financial"):
        ClientScorer(method="woe").fit(X, y, pillars={"shoe_size": "feet"})


def test_reasons_are_the_largest_losses(fitted, data):
    X, _ = data
    rows = X.head(300)
    reasons = fitted.reasons(rows)
    assert list(reasons.columns) == ["reason_1", "reason_2", "reason_3", "reason_4"]
    parts = fitted.card_.feature_contributions(rows)
    mean = fitted.card_.feature_contributions(X).mean()
    loss = parts - mean
    for place in (0, 17, 250):
        row = loss.iloc[place].sort_values(ascending=False)
        expected = [name for name, value in row.items() if value > 1e-9][:4]
        assert reasons.iloc[place].dropna().tolist() == expected


def test_a_feature_that_is_not_scored_or_costs_nothing_is_no_reason(data):
    X, y = data
    scorer = ClientScorer(method="woe").fit(X.assign(constant=1.0), y)
    rows = X.assign(constant=1.0)
    reasons = scorer.reasons(rows)
    assert "constant" not in set(reasons.to_numpy().ravel())
    best = scorer.reasons(rows, method="loss")
    parts = scorer.card_.feature_contributions(rows)
    perfect = (parts <= parts.min() + 1e-12).all(axis=1)
    assert (
        best.notna().sum(axis=1).tolist() == (parts > parts.min() + 1e-9).sum(axis=1).clip(upper=4).tolist()
    )
    assert best[perfect].isna().all(axis=None)


def test_reasons_against_the_clients_near_a_cutoff(boosted, data):
    X, _ = data
    points = boosted.points(X)
    worst, best = points.idxmin(), points.idxmax()
    weak = boosted.reasons(X.loc[[worst]], cutoff_points=float(points.quantile(0.95)))
    assert weak.notna().all(axis=None)
    strong = boosted.reasons(X.loc[[best]], cutoff_points=float(points.quantile(0.02)))
    assert strong.notna().sum(axis=1).max() < 4


def test_reason_words_in_two_languages():
    assert reason_text("interest_cover") == "interest cover"
    assert reason_text("interest_cover", lang="zh") == "利息保障倍数"
    assert reason_text("own_ratio") == "own ratio"
    with pytest.raises(InvalidParameterError, match="lang must be one of 'en', 'zh'"):
        reason_text("interest_cover", lang="de")
    assert [reason_text(code) for code in (None, np.nan, pd.NA)] == ["", "", ""]  # fewer than four reasons


def test_bad_requests_for_reasons_are_named(boosted, data):
    X, _ = data
    with pytest.raises(InvalidParameterError, match="n must be a whole number from 1 to 4"):
        boosted.reasons(X, n=5)
    with pytest.raises(InvalidParameterError, match="method must be one of 'shortfall', 'loss'"):
        boosted.reasons(X, method="shap")


def test_one_client_is_scored_as_in_the_batch(fitted, data):
    X, _ = data
    rows = X.head(200)
    p, points, reasons = fitted.predict_proba(rows)[:, 1], fitted.points(rows), fitted.reasons(rows)
    grades, pillars = fitted.grade(rows), fitted.pillar_points(rows)
    for place, client in enumerate(rows.to_dict("records")):
        one = fitted.score_one(client)
        assert one["pd"] == p[place]
        assert one["points"] == points.iloc[place]
        assert one["reasons"] == reasons.iloc[place].dropna().tolist()
        assert one["grade"] == grades.iloc[place]
        assert one["pillar_points"] == pillars.iloc[place].to_dict()


# ---- what it accepts -------------------------------------------------------------------------------------


def test_one_reading_says_what_the_single_methods_say(fitted, data):
    X = data[0].iloc[:300]
    pillars = fitted.pillar_points(X).add_suffix("_points")
    figures = {"pd": fitted.predict_proba(X)[:, 1], "points": fitted.points(X), "grade": fitted.grade(X)}
    expected = pd.concat(
        [
            pd.DataFrame({**figures, "base_points": fitted.base_points_}, index=X.index),
            pillars,
            fitted.reasons(X),
        ],
        axis=1,
    )
    pd.testing.assert_frame_equal(fitted.score_frame(X), expected, check_exact=True)
    assert fitted.score_frame(X.iloc[:0]).columns.equals(expected.columns)


def test_columns_count_by_name_and_extra_ones_do_not(fitted, data):
    X, _ = data
    shuffled = X[FEATURES[::-1]].assign(extra="?")
    assert fitted.points(shuffled).equals(fitted.points(X))


def test_absent_columns_are_named_with_their_nearest(fitted, data):
    X, _ = data
    with pytest.raises(MissingColumnError, match="Did you mean 'interest_covr'"):
        fitted.points(X.rename(columns={"interest_cover": "interest_covr"}))
    with pytest.raises(MissingColumnError, match="interest_cover"):
        fitted.score_one({"dpd_max_3m": 1.0})


def test_infinity_names_its_columns(fitted, data):
    X, y = data
    broken = X.copy()
    broken.iloc[3, [0, 2]] = np.inf
    for act in (lambda: fitted.points(broken), lambda: clone(fitted).fit(broken, y)):
        with pytest.raises(DataError, match="2 of 6 columns") as caught:
            act()
        assert [fault.split("'")[1] for fault in caught.value.faults] == ["interest_cover", "sector_growth"]


def test_no_clients_give_empty_results_with_all_columns(fitted, data):
    empty = data[0].iloc[:0]
    assert fitted.predict_proba(empty).shape == (0, 2)
    assert fitted.points(empty).empty
    assert fitted.grade(empty).empty
    assert fitted.pillar_points(empty).shape == (0, 5)
    assert list(fitted.reasons(empty).columns) == ["reason_1", "reason_2", "reason_3", "reason_4"]


def test_arrays_are_read_by_place(data):
    X, y = data
    scorer = ClientScorer(method="woe").fit(X.to_numpy(), y.to_numpy())
    assert scorer.feature_names_in_.tolist() == ["x0", "x1", "x2", "x3", "x4", "x5"]
    named = ClientScorer(method="woe").fit(X, y)
    assert scorer.decision_function(X.to_numpy()) == pytest.approx(named.decision_function(X))
    with pytest.raises(DataError, match="X has 2 features, but ClientScorer is expecting 6"):
        scorer.predict_proba(X.to_numpy()[:, :2])
    with pytest.raises(DataError, match="must be a DataFrame"):
        named.predict_proba(X.to_numpy())


def test_rows_without_an_outcome_are_left_out_and_counted(data):
    X, y = data
    holes = y.copy()
    holes.iloc[::3] = np.nan
    scorer = ClientScorer(**FAST).fit(X, holes)
    assert scorer.summary_["rows_without_y"] == 2000
    kept = holes.notna()
    again = ClientScorer(**FAST).fit(X[kept], y[kept])
    assert scorer.card_.to_json() == again.card_.to_json()


def test_clients_are_groups_where_the_index_names_them(data):
    X, y = data
    settings = {**FAST, "calibration": "mean"}  # dates of the index would choose the calibration
    by_index = ClientScorer(**settings).fit(X, y)
    given = ClientScorer(**settings).fit(
        X.reset_index(drop=True), y.to_numpy(), groups=X.index.get_level_values("client_id")
    )
    alone = ClientScorer(**settings).fit(X.reset_index(drop=True), y.to_numpy())
    assert by_index.card_.to_json() == given.card_.to_json()
    assert by_index.card_.to_json() != alone.card_.to_json()


def test_targets_that_cannot_be_used_are_named(data):
    X, y = data
    scorer = ClientScorer(method="woe")
    with pytest.raises(DataError, match="one class only"):
        scorer.fit(X, y * 0)
    with pytest.raises(DataError, match="Only binary"):
        scorer.fit(X, np.arange(len(X)) % 3)
    with pytest.raises(DataError, match="none of the 6000 rows"):
        scorer.fit(X, y * np.nan)
    with pytest.raises(DataError, match="on X's index"):
        scorer.fit(X, y.sort_index(ascending=False))
    with pytest.raises(DataError, match="groups must hold one value"):
        scorer.fit(X, y, groups=[1, 2])


def test_bad_settings_are_named_when_fitted(data):
    for setting in ({"method": "trees"}, {"calibration": "platt"}, {"max_bins": 1}):
        with pytest.raises(InvalidParameterError, match=next(iter(setting))):
            ClientScorer(**setting).fit(*data)


@pytest.mark.parametrize("method", ["boosted", "woe"])
def test_odd_columns_have_their_behavior(method):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=900), "constant": 1.0, "empty": np.nan})
    X["industry"] = rng.choice(["trade", "energy"], 900)
    X["id"] = [f"client {j}" for j in range(900)]
    y = rng.random(900) < 1 / (1 + np.exp(-X["x"]))
    scorer = ClientScorer(method=method, **FAST).fit(X, y)
    new = pd.DataFrame({"x": [0.0, 0.0], "constant": [9.0, np.nan], "empty": [np.nan, 3.0]})
    new = new.assign(industry=["trade", "unheard of"], id=["client 7", None])
    assert np.isfinite(scorer.points(new)).all()
    assert {"constant", "empty"}.isdisjoint(scorer.card_.scored_features)


@pytest.mark.parametrize("method", ["boosted", "woe"])
def test_a_direction_asked_for_holds(data, method):
    X, y = data
    asked = {"dpd_max_3m": "increasing", "interest_cover": "decreasing"}
    scorer = ClientScorer(method=method, monotone=asked, **FAST).fit(X, y)
    codes = scorer.card_.encode(X.head(300))
    for name, sign in (("dpd_max_3m", 1), ("interest_cover", -1)):
        one = scorer.card_.bins[scorer.card_.features.index(name)]
        profile = scorer.card_.decision_profile(codes, name, range(one.n_values))[:, :, 0]
        assert (sign * np.diff(profile, axis=1)).min() > -1e-9


# ---- living with others ----------------------------------------------------------------------------------


def test_state_brings_back_the_same_scorer(fitted, data):
    X, _ = data
    copy = ClientScorer.from_state(fitted.to_state())
    assert copy.predict_proba(X).tolist() == fitted.predict_proba(X).tolist()
    assert copy.pillar_points(X).equals(fitted.pillar_points(X))
    assert copy.reasons(X, cutoff_points=580).equals(fitted.reasons(X, cutoff_points=580))
    assert copy.grade(X).equals(fitted.grade(X))
    assert copy.base_points_ == fitted.base_points_
    assert copy.calibration_ == fitted.calibration_
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(BundleFormatError, match="not that of a ClientScorer"):
        ClientScorer.from_state({"parameters": {}})


def test_state_keeps_scales_and_pairs(data):
    X, y = data
    scorer = ClientScorer(
        interactions=[("shoe_size", "complaints_sum_3m")],
        scale=ScoreScale(500, 20, 40),
        master_scale=MasterScale(pd_floor=0.001),
        **FAST,
    ).fit(X, y)
    copy = ClientScorer.from_state(scorer.to_state())
    assert copy.get_params() == scorer.get_params()
    assert copy.points(X).equals(scorer.points(X))


def test_classes_may_be_words(data):
    X, y = data
    words = np.where(y == 1, "paid late", "paid")
    scorer = ClientScorer(method="woe").fit(X, words)
    assert scorer.classes_.tolist() == ["paid", "paid late"]
    assert set(scorer.predict(X)) == {"paid", "paid late"}
    copy = ClientScorer.from_state(scorer.to_state())
    assert copy.predict(X).tolist() == scorer.predict(X).tolist()


@pytest.mark.parametrize("dated", [True, False])
def test_rows_of_a_client_are_held_out_together(dated):
    """Outcomes that belong to the client and to no feature cannot be foretold of a client never seen."""
    rng = np.random.default_rng(0)
    ids = np.repeat([f"{c:03d}" for c in range(300)], 6)
    X = pd.DataFrame(np.repeat(rng.normal(size=(300, 3)), 6, axis=0), columns=FEATURES[:3])
    dates = np.tile(pd.date_range("2020-01-01", periods=6, freq="QS"), 300)
    X.index = pd.MultiIndex.from_arrays([ids, dates]) if dated else pd.Index(ids)
    X.index.names = ["client_id", "as_of"] if dated else ["client_id"]
    y = np.repeat(rng.random(300) < 0.3, 6)
    report = ClientScorer(n_bags=2, random_state=0).fit(X, y).report_
    assert max(report.rounds) < 100
    assert 1 - report.loss / report.base_loss < 0.05


def test_an_array_goes_with_a_series_by_place(data):
    X, y = data
    scorer = ClientScorer(n_bags=2, max_rounds=20, random_state=0)
    numbers = X.select_dtypes("number").fillna(0.0)
    y = pd.Series(np.asarray(y), index=[f"c{i}" for i in range(len(y))])
    pipeline = make_pipeline(StandardScaler(), scorer).fit(numbers.set_axis(y.index), y)
    by_place = clone(scorer).fit(StandardScaler().fit_transform(numbers), y.to_numpy())
    assert pipeline[-1].card_.frame().equals(by_place.card_.frame())
    with pytest.raises(DataError, match="y must stand on X's index"):
        scorer.fit(numbers, y)


@pytest.mark.parametrize("settings", [{"scale": 600}, {"master_scale": ["R1", "R2"]}])
def test_scales_of_another_kind_are_named(data, settings):
    with pytest.raises(InvalidParameterError, match=r"must be a (Score|Master)Scale or None; got"):
        ClientScorer(**settings).fit(*data)


def test_a_cut_off_in_words_is_refused(boosted, data):
    with pytest.raises(InvalidParameterError, match="cutoff_points must be a number"):
        boosted.reasons(data[0], cutoff_points="620")


def test_one_class_is_named_as_it_was_given(data):
    with pytest.raises(DataError, match=r"one class only: 0\.0\.$"):
        ClientScorer().fit(data[0], np.zeros(len(data[0])))


@pytest.mark.parametrize("pillar", ["macro", None, {}])
def test_an_edited_pillar_is_refused(boosted, pillar):
    state = boosted.to_state()
    state["pillars"] = {**state["pillars"], next(iter(state["pillars"])): pillar}
    with pytest.raises(InvalidParameterError, match="pillars must map features to pillars"):
        ClientScorer.from_state(state)
