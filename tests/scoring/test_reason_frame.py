from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import InvalidParameterError
from clientscore.scoring import ClientScorer, reason_text


def test_one_line_a_reason_with_words_value_row_and_points(scorer, newer):
    X = newer[0].head(100)
    told, codes = scorer.reason_frame(X), scorer.reasons(X)
    assert list(told) == ["rank", "code", "text_en", "text_zh", "pillar", "value", "row", "points_lost"]
    wide = told.assign(client=np.repeat(np.arange(100), codes.notna().sum(axis=1)))
    for client, lines in wide.groupby("client"):
        assert lines["code"].tolist() == codes.iloc[client].dropna().tolist()
        assert lines["rank"].tolist() == list(range(1, len(lines) + 1))
        assert lines.index.unique().tolist() == [X.index[client]]
        for line in lines.to_dict("records"):
            value = X[line["code"]].astype(object).iloc[client]
            assert line["value"] == value or (pd.isna(value) and pd.isna(line["value"]))
            one = scorer.card_.bins[scorer.card_.features.index(line["code"])]
            assert line["row"] == one.labels()[one.code(value)]
            assert line["text_en"] == reason_text(line["code"])
            assert line["text_zh"] == reason_text(line["code"], lang="zh")
            assert line["pillar"] == scorer.pillars_[line["code"]]
    assert wide.groupby("client")["points_lost"].apply(lambda lost: lost.is_monotonic_decreasing).all()


def test_points_lost_are_the_shortfall_and_not_the_points(scorer, clients, newer):
    """The column "bias" of a known library holds the feature's raw points instead."""
    X = newer[0].head(200)
    told = scorer.reason_frame(X, n=1)
    factor = scorer.scale_.factor
    mean = scorer.card_.feature_contributions(clients[0]).mean()
    parts = scorer.card_.feature_contributions(X)
    has = np.flatnonzero(scorer.reasons(X, n=1)["reason_1"].notna())
    met = np.array([parts[code].iloc[place] for place, code in zip(has, told["code"], strict=True)])
    expected = (factor * (met - mean[told["code"]].to_numpy())).tolist()
    raw = -factor * met
    assert told["points_lost"].tolist() == pytest.approx(expected, abs=1e-6)
    assert (told["points_lost"] > 0).all()
    assert not np.allclose(told["points_lost"], raw)


def test_largest_loss_and_the_clients_near_a_cutoff(woe, newer):
    X = newer[0].head(200)
    parts = woe.card_.feature_contributions(X)
    most = woe.reason_frame(X, method="loss")
    assert most["points_lost"].max() <= woe.scale_.factor * (parts.max() - parts.min()).max() + 1e-9
    assert len(most) >= len(woe.reason_frame(X))
    strict = woe.reason_frame(X, cutoff_points=700.0)
    mild = woe.reason_frame(X, cutoff_points=560.0)
    assert strict["points_lost"].sum() > mild["points_lost"].sum()


@pytest.mark.parametrize("method", ["woe", "boosted"])
def test_a_feature_that_is_not_scored_is_never_a_reason(method, clients):
    X, y = clients
    X = X.assign(constant=1.0, empty=np.nan)
    scorer = ClientScorer(method=method, n_bags=2, max_rounds=40, random_state=0).fit(X, y)
    unscored = set(scorer.card_.features) - set(scorer.card_.scored_features)
    assert {"constant", "empty"} <= unscored
    odd = X.head(500).assign(constant=7.0, empty=3.0)
    for way in ("shortfall", "loss"):
        codes = set(scorer.reason_frame(odd, method=way)["code"])
        assert codes
        assert codes.isdisjoint(unscored)


def test_a_feature_taken_out_for_its_sign_is_never_a_reason():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    X = pd.DataFrame({"x": x, "echo": x + rng.normal(scale=0.01, size=4000)})
    y = rng.random(4000) < 1 / (1 + np.exp(-2 * x))
    scorer = ClientScorer(method="woe").fit(X, y)
    told = scorer.reason_frame(X, method="loss")
    assert set(told["code"]) <= set(scorer.card_.scored_features)


def test_few_and_no_reasons(woe, newer):
    X = newer[0]
    best = X.loc[[woe.points(X).idxmax()]].head(1)
    assert len(woe.reason_frame(best, method="loss")) < 4
    none = woe.reason_frame(X.iloc[:0])
    assert list(none) == list(woe.reason_frame(X.head(3)))
    assert none.empty
    with pytest.raises(InvalidParameterError, match="n must be a whole number from 1 to 4"):
        woe.reason_frame(X, n=5)
    with pytest.raises(InvalidParameterError, match="method must be one of 'shortfall', 'loss'"):
        woe.reason_frame(X, method="shap")
