from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive import AdditiveCard, FeatureRule, encode, learn_woe
from clientscore.additive._woe_bins import merge_edges
from clientscore.exceptions import DataError, InvalidParameterError


def book(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"up": rng.normal(size=n), "down": rng.normal(size=n), "u": rng.normal(size=n)})
    X["industry"] = rng.choice(["trade", "energy", "export"], n)
    z = X["up"] - 0.7 * X["down"] + X["u"].abs() + (X["industry"] == "energy") - 3
    y = rng.random(n) < 1 / (1 + np.exp(-z))
    X["up"] = X["up"].mask(rng.random(n) < 0.1)
    return X, y.astype(int)


def test_one_feature_alone_scores_the_log_odds_of_each_bin():
    x = np.repeat([0.0, 1.0, np.nan], [100, 100, 50])
    y = np.concatenate([np.arange(100) < 10, np.arange(100) < 40, np.arange(50) < 25]).astype(int)
    card, _ = learn_woe(pd.DataFrame({"x": x}), y, penalty=0.0)
    # With one saturated feature the evidence is the log-odds of each bin, so that the card repeats them.
    expected = np.log([10 / 90, 40 / 60, 25 / 25])
    found = [card.decision_one({"x": value}) for value in (0.0, 1.0, None)]
    assert found == pytest.approx(expected, abs=1e-5)


def test_missing_keeps_the_evidence_the_table_shows():
    """A group whose bad rate is above one half must not score like the average (evidence 0)."""
    X, y = book()
    X["up"] = X["up"].where(~((y == 1) & (np.arange(len(y)) % 2 == 0)))
    card, _ = learn_woe(X, y)
    frame = card.frame()
    shown = frame[(frame["term"] == "up") & (frame["row_1"] == "missing")]["value"].item()
    assert shown > 0.5
    clients = pd.DataFrame({"up": [np.nan], "down": [0.0], "u": [0.0], "industry": ["trade"]})
    assert card.contributions(clients)["up"].item() == shown


def test_trends_hold_and_all_kinds_are_learned():
    X, y = book()
    card, _ = learn_woe(X, y, monotone={"u": "none", "up": "increasing", "down": "auto"})
    assert {term.name for term in card.terms} == {"up", "down", "u", "industry"}
    values = {term.name: term.values[:, 0] for term in card.terms}
    n_values = {one.name: one.n_values for one in card.bins}
    assert (np.diff(values["up"][: n_values["up"]]) >= 0).all()
    assert (np.diff(values["down"][: n_values["down"]]) <= 0).all()
    u = values["u"][: n_values["u"]]
    assert u.min() < u[0]
    assert u.min() < u[-1]
    assert card.bins[3].levels[int(values["industry"][:3].argmax())] == "energy"


def test_terms_are_centered_and_the_mean_probability_is_the_bad_rate():
    X, y = book()
    card, _ = learn_woe(X, y, penalty=0.0)
    assert card.contributions(X).mean().abs().max() < 1e-10
    p = 1 / (1 + np.exp(-card.decision(X)))
    assert p.mean() == pytest.approx(y.mean(), abs=1e-9)


def test_declared_rows_are_neutral():
    X, y = book()
    card, _ = learn_woe(X, y)
    odd = pd.DataFrame({"up": [0.0], "down": [np.nan], "u": [0.0], "industry": ["unheard of"]})
    parts = card.contributions(odd)
    assert parts[["down", "industry"]].iloc[0].tolist() == [0.0, 0.0]
    assert card.row_counts(odd)["declared"].tolist() == [0, 1, 0, 1]


def test_weights_count_like_repeated_rows():
    X, y = book(600)
    times = np.random.default_rng(3).integers(0, 4, len(X))
    weighted, _ = learn_woe(X, y, sample_weight=times)
    rows = X.index.repeat(times)
    repeated, _ = learn_woe(X.loc[rows].reset_index(drop=True), y[rows])
    assert weighted.decision(X).to_numpy() == pytest.approx(repeated.decision(X).to_numpy(), abs=1e-9)


@pytest.mark.parametrize("monotone", ["auto", "auto_shape", "none"])
def test_size_number_and_events_are_all_honored(monotone):
    X, y = book()
    limits = {"max_bins": 4, "min_share": 0.1, "min_events": 60}
    card, report = learn_woe(X, y, monotone=monotone, **limits)
    merged = report.bins[report.bins["row"] != "missing"]
    for name, lines in merged.groupby("feature"):
        assert len(lines) <= 4
        assert lines["weight"].min() >= 0.1 * X[name].notna().sum() - 1e-9
        assert lines["bads"].min() >= 60
        assert (lines["weight"] - lines["bads"]).min() >= 60
    for j, one in enumerate(card.bins[:3]):
        share = np.bincount(encode(card.bins, X)[:, j], minlength=one.n_rows)
        assert (
            share[list(one.inner_rows)].tolist() == merged[merged["feature"] == one.name]["weight"].tolist()
        )


def test_events_that_no_two_bins_hold_leave_one_bin_and_a_note():
    X, y = book(400)
    card, report = learn_woe(X[["up", "down"]], y, min_events=300)
    note = "down: one bin for all values, no two hold 2 % of the weight and 300 bads and goods each."
    assert f"{note} down: left out, no two bins differ." in card.notes
    # Missing still tells two groups of "up" apart.
    assert [term.name for term in card.terms] == ["up"]
    assert report.frame()["trend"].tolist() == ["flat", "flat"]
    assert report.frame()["bins"].tolist() == [2, 1]


def test_a_trend_that_cannot_be_met_is_an_error_that_names_the_features():
    X, y = book()
    with pytest.raises(InvalidParameterError, match="'up' has no two bins") as caught:
        learn_woe(X, y, monotone={"up": "decreasing", "down": "increasing"})
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    ("trend", "shape"), [("peak", "peak"), ("valley", "valley"), ("auto_shape", "valley"), ("none", "mixed")]
)
@pytest.mark.parametrize("interpolate", [False, True])
def test_one_turning_point_where_asked(trend, shape, interpolate):
    rng = np.random.default_rng(1)
    x = rng.normal(size=20_000)
    z = 0.8 * np.abs(x) - 2 + (trend == "none") * np.sin(4 * x)
    z = 0.4 * np.cos(2.2 * x) - 2 if trend == "peak" else z
    y = rng.random(len(x)) < 1 / (1 + np.exp(-z))
    card, report = learn_woe(pd.DataFrame({"x": x}), y, monotone=trend, interpolate=interpolate)
    assert report.frame()["trend"].tolist() == [shape]
    values = card.terms[0].values[list(card.bins[0].inner_rows), 0]
    turns = np.count_nonzero(np.diff(np.sign(np.diff(values))))
    assert turns == 1 if shape != "mixed" else turns > 1


def test_the_report_by_hand():
    x = np.repeat([1.0, 2.0, np.nan], [100, 100, 50])
    y = np.concatenate([np.arange(100) < 10, np.arange(100) < 40, np.arange(50) < 25]).astype(int)
    _, report = learn_woe(pd.DataFrame({"x": x}), y, penalty=0.0)
    bins = report.bins.set_index("row")
    assert bins.index.tolist() == ["[1, 1.5]", "(1.5, 2]", "missing"]
    evidence = np.log(np.array([10 / 90, 40 / 60, 25 / 25]) * 175 / 75)
    iv = (np.array([10, 40, 25]) / 75 - np.array([90, 60, 25]) / 175) * evidence
    assert bins["woe"].tolist() == pytest.approx(evidence.tolist())
    assert bins["iv"].tolist() == pytest.approx(iv.tolist())
    assert bins["bad_rate"].tolist() == pytest.approx([0.1, 0.4, 0.5])
    assert bins["woe_error"]["missing"] == pytest.approx(np.sqrt(2 / 25))
    line = report.frame().iloc[0]
    assert line["iv"] == pytest.approx(iv.sum())
    assert line["coefficient"] == pytest.approx(1.0, abs=1e-6)
    assert (line["bins"], line["trend"], line["note"]) == (3, "increasing", "")
    assert json.loads(json.dumps(report.to_dict()))["bins"][0]["weight"] == 100
    assert "coefficient" in report._repr_html_()


def test_evidence_in_lines_is_what_the_card_holds():
    X, y = book(20_000)
    plain, _ = learn_woe(X, y, max_prebins=40)
    card, report = learn_woe(X, y, max_prebins=40, interpolate=True)
    rows = {one.name: len(one.inner_rows) for one in card.bins}
    assert rows["down"] > 2 * len(plain.bins[1].inner_rows)
    values = card.terms[1].values[list(card.bins[1].inner_rows), 0]
    assert (np.diff(values) < 0).all()
    # Flat beyond the outer middles, and between the least and the greatest bin everywhere.
    assert report.frame()["bins"].tolist() == learn_woe(X, y, max_prebins=40)[1].frame()["bins"].tolist()
    assert card.contributions(X).mean().abs().max() < 1e-9
    truth = X["up"].fillna(0) - 0.7 * X["down"] + X["u"].abs() + (X["industry"] == "energy")
    seen = X["up"].notna()
    found = [np.corrcoef(one.decision(X)[seen], truth[seen])[0, 1] for one in (plain, card)]
    assert found[1] > found[0]


def test_lines_are_not_taken_through_steps():
    """A truth of two levels is told worse by a line, so that the card keeps the steps."""
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"x": rng.random(20_000)})
    y = rng.random(20_000) < np.where(X["x"] < 0.5, 0.05, 0.4)
    stepped, _ = learn_woe(X, y, max_bins=2)
    lines, _ = learn_woe(X, y, max_bins=2, interpolate=True)
    assert lines.decision(X).equals(stepped.decision(X))


def test_a_special_code_inside_the_range_scores_its_own_row():
    """The bins around a code must not swallow it, nor it them."""
    rng = np.random.default_rng(4)
    x = np.round(rng.normal(size=6000), 2)
    code = rng.random(6000) < 0.2
    p = np.where(code, 0.6, 1 / (1 + np.exp(2 - x)))
    y = (rng.random(6000) < p).astype(int)
    X = pd.DataFrame({"x": np.where(code, 0.005, x)})
    card, report = learn_woe(X, y, rules={"x": FeatureRule(specials=(0.005, -999.0))})
    bins = report.bins.set_index("row")
    assert bins["bad_rate"]["code 0.005"] == pytest.approx(y[code].mean())
    frame = card.frame().set_index("row_1")
    assert card.decision_one({"x": 0.005}) == card.intercept[0] + frame["value"]["code 0.005"]
    assert card.decision_one({"x": 0.005}) > max(card.decision_one({"x": v}) for v in (0.0, 0.01, 2.0))
    assert bool(frame["declared"]["code -999"])
    assert card.decision_one({"x": -999.0}) == card.intercept[0]
    without, _ = learn_woe(X[~code].reset_index(drop=True), y[~code])
    assert card.bins[0].edges == without.bins[0].edges


def test_out_of_range_scores_like_the_nearest_bin():
    X, y = book()
    card, _ = learn_woe(X[["down"]], y)
    low, high = X["down"].min(), X["down"].max()
    assert card.decision_one({"down": low - 5}) == card.decision_one({"down": low})
    assert card.decision_one({"down": high + 5}) == card.decision_one({"down": high})


def test_rare_levels_share_the_row_unseen():
    rng = np.random.default_rng(5)
    level = rng.choice(
        ["a", "b", "c", *[f"rare{i}" for i in range(50)]], 8000, p=[0.3, 0.3, 0.2, *[0.004] * 50]
    )
    rate = pd.Series(level).map({"a": 0.1, "b": 0.1, "c": 0.3}).fillna(0.5)
    y = (rng.random(8000) < rate).astype(int)
    card, report = learn_woe(pd.DataFrame({"x": level}), y, rare_share=0.01)
    assert card.bins[0].levels == ("a", "b", "c")
    assert card.bins[0].other
    score = {name: card.decision_one({"x": name}) for name in ("a", "b", "c", "rare7", "never met")}
    assert score["rare7"] == score["never met"]
    assert max(score["a"], score["b"]) < score["c"] < score["rare7"]
    assert report.bins["bad_rate"].max() == pytest.approx(y[rate == 0.5].mean())


def test_levels_of_one_group_keep_rows_of_equal_value():
    rng = np.random.default_rng(6)
    level = rng.integers(0, 12, 12_000)
    y = (rng.random(12_000) < np.where(level < 6, 0.1, 0.3)).astype(int)
    card, report = learn_woe(pd.DataFrame({"x": pd.Series(level).map("L{:02d}".format)}), y, max_bins=2)
    values = card.terms[0].values[:12, 0]
    assert len(np.unique(values)) == 2
    assert (values[:6] == values[0]).all()
    assert report.bins["row"].tolist() == [
        ", ".join(f"L{i:02d}" for i in range(6)),
        ", ".join(f"L{i:02d}" for i in range(6, 12)),
    ]


def test_ten_thousand_levels():
    rng = np.random.default_rng(7)
    level = rng.integers(0, 10_000, 60_000)
    y = (rng.random(60_000) < np.where(level < 2000, 0.5, 0.1)).astype(int)
    X = pd.DataFrame({"x": pd.Series(level).astype(str), "z": rng.normal(size=60_000) + y})
    every, _ = learn_woe(X, y, rare_share=0.0)
    assert len(every.bins[0].levels) == len(np.unique(level))
    assert len(np.unique(every.terms[0].values)) <= 12 + 1  # the row "unseen" was never met
    pooled, _ = learn_woe(X, y)
    assert pooled.bins[0].levels == ()
    assert [term.name for term in pooled.terms] == ["z"]
    assert pooled.notes == ("x: left out, no two bins differ.",)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-5, 5)),
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 1),
            st.integers(0, 3),
        ),
        min_size=6,
        max_size=60,
    ),
    st.sampled_from(["auto", "auto_shape", "none"]),
    st.booleans(),
)
def test_what_every_card_keeps_to(rows, monotone, interpolate):
    x, level, y, weight = (np.array(part, dtype=object) for part in zip(*rows, strict=True))
    X, y, weight = pd.DataFrame({"x": x.astype(float), "level": level}), y.astype(int), weight.astype(float)
    if min(weight[y == 1].sum(), weight[y == 0].sum()) <= 0:
        return
    card, report = learn_woe(X, y, sample_weight=weight, monotone=monotone, interpolate=interpolate)
    parts = card.contributions(X)
    assert np.isfinite(parts.to_numpy()).all()
    if parts.shape[1]:
        assert np.average(parts, axis=0, weights=weight) == pytest.approx(0, abs=1e-9)
    assert report.bins.groupby("feature")["weight"].sum().to_numpy() == pytest.approx(weight.sum())
    assert (report.bins["iv"] >= -1e-12).all()
    assert (report.frame()["coefficient"].dropna() >= 0).all()
    steps = np.sign(
        np.diff([term.values[list(card.bins[0].inner_rows), 0] for term in card.terms if term.name == "x"])
    )
    turns = [np.count_nonzero(np.diff(line[line != 0])) for line in steps]
    assert max(turns, default=0) <= {"auto": 0, "auto_shape": 1, "none": 99}[monotone]


def test_a_feature_left_out_is_named():
    X, y = book()
    X["constant"], X["empty"] = 1.0, np.nan
    # A noisy copy carries the same evidence, so that the penalized fit gives it the wrong sign.
    X["copy"] = X["down"] + 0.8 * X["up"].fillna(0)
    card, _ = learn_woe(X, y)
    assert "constant: left out, no two bins differ." in card.notes
    assert "empty: left out, no two bins differ." in card.notes
    scored = {term.name for term in card.terms}
    for note in card.notes:
        assert note.split(":")[0] not in scored
    assert len(card.notes) + len(scored) == X.shape[1]
    assert all((np.diff(t.values[:, 0]).any()) for t in card.terms)


def test_a_coefficient_of_the_wrong_sign_is_taken_out_and_named():
    rng = np.random.default_rng(0)
    a = rng.normal(size=20_000)
    b = a + 0.3 * rng.normal(size=20_000)
    y = rng.random(20_000) < 1 / (1 + np.exp(-(2 * a - b - 2)))
    card, _ = learn_woe(pd.DataFrame({"a": a, "b": b}), y)
    assert card.notes == ("b: left out, its coefficient has the wrong sign.",)
    assert [term.name for term in card.terms] == ["a"]


def test_json_keeps_the_notes_and_the_scores():
    X, y = book(800)
    card, _ = learn_woe(X.assign(constant=1.0), y)
    copy = AdditiveCard.from_json(card.to_json())
    assert copy.notes == card.notes
    assert copy.decision(X.assign(constant=1.0)).equals(card.decision(X.assign(constant=1.0)))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_bins": 1}, "max_bins"),
        ({"min_share": 0.7}, "min_share"),
        ({"min_events": -1}, "min_events"),
        ({"rare_share": 0.9}, "rare_share"),
        ({"monotone": {"industry": "peak"}}, "no direction"),
        ({"monotone": "up"}, "monotone must be one of"),
        ({"monotone": {"upp": "increasing"}}, "Did you mean 'up'"),
        ({"monotone": {"industry": "increasing"}}, "no direction"),
        ({"monotone": {"up": "rising"}}, "got 'rising'"),
    ],
)
def test_bad_settings_are_named(setting, message):
    X, y = book(300)
    with pytest.raises(InvalidParameterError, match=message):
        learn_woe(X, y, **setting)


def test_targets_that_cannot_be_used_are_named():
    X, y = book(300)
    with pytest.raises(DataError, match="no row is bad"):
        learn_woe(X, np.zeros(300))
    with pytest.raises(DataError, match="0 or 1"):
        learn_woe(X, y * 2)
    with pytest.raises(DataError, match="finite numbers >= 0"):
        learn_woe(X, y, sample_weight=-np.ones(300))


def test_edges_kept_of_given_ones_by_hand():
    x = np.repeat([1.0, 2.0, 3.0], 100)
    y = (np.tile(np.arange(100), 3) < np.repeat([10, 12, 40], 100)).astype(float)
    edges, value = merge_edges(x, y, (1.5, 2.5), max_bins=2)
    assert edges == (2.5,)
    parts = (np.array([22, 40]) / 62 - np.array([178, 60]) / 238) * np.log(
        np.array([22 / 178, 40 / 60]) * 238 / 62
    )
    assert value == pytest.approx(parts.sum())
    assert merge_edges(x, y, (1.5, 2.5), min_share=0.4)[0] == ()
