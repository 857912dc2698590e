"""Bad input, and what happens then: an error that names it, or a stated behavior."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.exceptions import DataError
from clientscore.scoring import ClientScorer

METHODS = ("woe", "boosted")


def fit(X, y, method="woe", **given):
    return ClientScorer(method=method, n_bags=2, max_rounds=30, random_state=0).fit(X, y, **given)


# What fit is given, and the words of the error.
REFUSED = {
    "one class": (lambda X, y: {"X": X, "y": y * 0}, "it holds one class only: 0"),
    "one row": (lambda X, y: {"X": X.head(1), "y": y.head(1)}, "one class only"),
    "no row": (lambda X, y: {"X": X.head(0), "y": y.head(0)}, r"0 sample\(s\)"),
    "no column": (lambda X, y: {"X": X[[]], "y": y}, r"0 feature\(s\)"),
    "no outcome": (lambda X, y: {"X": X, "y": y * np.nan}, "none of the 3000 rows knows it"),
    "all weights zero": (lambda X, y: {"X": X, "y": y, "sample_weight": 0 * y}, "weight zero do not count"),
    "bads of weight zero": (lambda X, y: {"X": X, "y": y, "sample_weight": 1 - y}, "no bad row is left"),
    "weight below zero": (lambda X, y: {"X": X, "y": y, "sample_weight": y - 1}, "finite numbers >= 0"),
    "infinity": (lambda X, y: {"X": X.assign(noise=np.inf), "y": y}, "'noise' holds infinity in 3000 of"),
    "columns named alike": (
        lambda X, y: {"X": X.rename(columns={"noise": "listed"}), "y": y},
        "Column names of X must differ; repeated: listed",
    ),
    "dates": (
        lambda X, y: {"X": X.assign(noise=pd.Timestamp("2020-01-01")), "y": y},
        "'noise' must hold numbers",
    ),
    "text among numbers": (
        lambda X, y: {"X": X.assign(noise=["n/a", *X["noise"][1:]]), "y": y},
        "'noise' must hold numbers; got 'n/a'",
    ),
    "three classes": (lambda X, y: {"X": X, "y": y + 2 * (X["noise"] > 0)}, "Only binary classification"),
    "rows of another number": (lambda X, y: {"X": X, "y": y.to_numpy()[1:]}, "got 3000 and 2999"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", REFUSED)
def test_fit_refuses(case, method, clients):
    make, words = REFUSED[case]
    with pytest.raises(DataError, match=words):
        fit(**make(*clients), method=method)


# Columns added to the features, and the rows of a new client that must still be scored.
ODD_COLUMNS = {
    "all missing": (lambda n: np.full(n, np.nan), [np.nan, 5.0]),
    "constant": (lambda n: np.full(n, 3.0), [3.0, np.nan, 4.0]),
    "constant text": (lambda n: ["a"] * n, ["a", "b", None]),
    "one row known": (lambda n: [1.0, *[np.nan] * (n - 1)], [1.0, 2.0, np.nan]),
    "10,000 categories": (lambda n: [f"id {k}" for k in range(n)], ["id 7", "another", None]),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", ODD_COLUMNS)
def test_odd_columns_are_lived_with(case, method):
    make, new = ODD_COLUMNS[case]
    n = 10_000 if case.startswith("10,000") else 1500
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=n), "odd": make(n)})
    y = rng.random(n) < 1 / (1 + np.exp(1 - X["x"]))
    scorer = fit(X, y, method)
    points = scorer.points(pd.DataFrame({"x": 0.0, "odd": pd.Series(new, dtype=X["odd"].dtype)}))
    assert np.isfinite(points).all()
    alone = fit(X[["x"]], y, method).points(pd.DataFrame({"x": [0.0]})).iloc[0]
    # One row of evidence moves "woe" by less than two doublings of the odds, and nothing else by as much.
    assert (points - alone).abs().max() < (40 if case == "one row known" else 20)
    if case in ("all missing", "constant", "constant text"):
        assert scorer.card_.scored_features == ("x",)
    if case.startswith("10,000"):
        assert scorer.card_.bins[1].n_values <= 63


@pytest.mark.parametrize("method", METHODS)
def test_a_column_left_out_is_named_by_woe_or_has_no_term(method, clients):
    X, y = clients
    scorer = fit(X.assign(constant=1.0), y, method)
    assert "constant" not in scorer.card_.scored_features
    assert method == "boosted" or any("constant" in note for note in scorer.card_.notes)


def test_one_row_is_scored_like_many(scorer, newer):
    X = newer[0].head(20)
    for place in range(20):
        assert scorer.points(X.iloc[[place]]).iloc[0] == scorer.points(X).iloc[place]


def test_order_and_number_of_columns_do_not_matter_when_scoring(scorer, newer):
    X = newer[0].head(20)
    other = X[X.columns[::-1]].assign(extra=np.inf, more="text")
    for method in ("points", "reasons", "reason_frame", "row_counts", "check_inputs"):
        pd.testing.assert_frame_equal(
            pd.DataFrame(getattr(scorer, method)(other)), pd.DataFrame(getattr(scorer, method)(X))
        )


def test_scoring_refuses_infinity_and_columns_named_alike(scorer, newer):
    X = newer[0].head(20)
    for method in ("points", "reason_frame", "row_counts", "check_inputs", "rounding_report"):
        with pytest.raises(DataError, match="'noise' holds infinity in 20 of 20 rows"):
            getattr(scorer, method)(X.assign(noise=-np.inf))
        with pytest.raises(DataError, match="repeated: noise"):
            getattr(scorer, method)(pd.concat([X, X[["noise"]]], axis=1))


# ---- inputs that can be scored and are wrong all the same --------------------------------------------------


def flagged(scorer, X):
    table = scorer.check_inputs(X)
    return set(zip(table["feature"], table["kind"], strict=True))


def test_counts_by_hand(scorer, newer):
    X = newer[0].head(100).assign(dpd_max_3m=999.0, industry="fishing")
    X.iloc[:40, X.columns.get_loc("noise")] = np.nan
    counts = scorer.row_counts(X)
    assert (counts["rows"] == 100).all()
    assert counts.loc["dpd_max_3m", "above"] == 100
    assert counts.loc["industry", "unseen"] == 100
    assert counts.loc["noise", "missing"] == 40
    assert counts.loc["interest_cover", "missing"] == X["interest_cover"].isna().sum()


def test_clients_like_those_of_training_raise_no_flag(scorer, clients, newer):
    assert flagged(scorer, clients[0]) == set()
    assert flagged(scorer, newer[0]) == set()
    for place in range(40):
        one = newer[0].iloc[[place]]
        odd = scorer.row_counts(one)[["unseen", "below", "above"]].to_numpy().sum()
        assert bool(flagged(scorer, one)) == bool(odd)


WRONG = {
    "units x 1000": (lambda X: X.assign(dpd_max_3m=X["dpd_max_3m"] * 1000), ("dpd_max_3m", "out_of_range")),
    "units / 1000": (lambda X: X.assign(dpd_max_3m=X["dpd_max_3m"] / 1000), ("dpd_max_3m", "shifted")),
    "columns swapped": (
        lambda X: X.rename(columns={"noise": "interest_cover", "interest_cover": "noise"}),
        ("interest_cover", "shifted"),
    ),
    "column empty": (lambda X: X.assign(dpd_max_3m=np.nan), ("dpd_max_3m", "missing")),
    "codes for missing": (lambda X: X.assign(dpd_max_3m=-999.0), ("dpd_max_3m", "out_of_range")),
    "another code list": (lambda X: X.assign(industry=X["industry"].str.upper()), ("industry", "unseen")),
    "zero for missing": (lambda X: X.assign(interest_cover=0.0), ("interest_cover", "shifted")),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_inputs_are_listed(case, newer, clients):
    scorer = fit(*clients, method="boosted")
    make, expected = WRONG[case]
    X = make(newer[0].head(400))
    assert np.isfinite(scorer.points(X)).all()  # they can be scored, which is the danger
    assert expected in flagged(scorer, X)


def test_one_odd_client_is_listed_and_a_missing_value_is_not(woe, newer):
    one = newer[0].dropna().head(1)
    assert flagged(woe, one.assign(dpd_max_3m=900.0)) == {("dpd_max_3m", "out_of_range")}
    assert flagged(woe, one.assign(interest_cover=np.nan)) == set()  # a tenth of training is missing
    assert flagged(woe, one.assign(listed=np.nan)) == {("listed", "missing")}


def test_shares_by_hand():
    bins = (FeatureBins("x", "number", edges=(0.0, 1.0), specials=(-9.0,), missing=True),)
    share = np.array([0.5, 0.2, 0.1, 0.0, 0.2, 0.0])
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("x",), np.zeros((6, 1)), share=share),))
    X = pd.DataFrame({"x": [-1.0] * 10 + [2.0] * 60 + [-9.0] * 10 + [None] * 20})
    table = ClientScorer.from_card(card, X).check_inputs(X)
    assert table.round(6).to_dict("list") == {
        "feature": ["x", "x"],
        "kind": ["special", "shifted"],
        "row": ["code -9", "(0, 1]"],
        "rows": [100, 70],
        "share": [0.1, round(1 / 7, 6)],
        "training_share": [0.0, 0.875],
    }
    assert ClientScorer.from_card(card, X).check_inputs(X.head(0)).empty
