from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from clientscore.additive import AdditiveCard, encode, learn_woe
from clientscore.exceptions import DataError, InvalidParameterError


def book(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"up": rng.normal(size=n), "down": rng.normal(size=n), "u": rng.normal(size=n)})
    X["industry"] = rng.choice(["trade", "energy", "export"], n)
    z = X["up"] - 0.7 * X["down"] + X["u"].abs() + (X["industry"] == "energy") - 3
    y = rng.random(n) < 1 / (1 + np.exp(-z))
    X["up"] = X["up"].mask(rng.random(n) < 0.1)
    return X, y.astype(int)


def test_one_feature_equals_a_logistic_regression_on_its_evidence():
    x = np.repeat([0.0, 1.0, np.nan], [100, 100, 50])
    y = np.concatenate([np.arange(100) < 10, np.arange(100) < 40, np.arange(50) < 25]).astype(int)
    card = learn_woe(pd.DataFrame({"x": x}), y, penalty=0.0)
    # With one saturated feature the logistic reproduces the smoothed evidence up to slope and intercept.
    evidence = np.log([10.5 / 90.5, 40.5 / 60.5, 25.5 / 25.5])
    rows = np.repeat(evidence, [100, 100, 50])
    peer = LogisticRegression(C=np.inf, tol=1e-10).fit(rows[:, None], y)
    expected = peer.intercept_[0] + peer.coef_[0, 0] * evidence
    found = [card.decision_one({"x": value}) for value in (0.0, 1.0, None)]
    assert found == pytest.approx(expected, abs=1e-5)


def test_missing_keeps_the_evidence_the_table_shows():
    """A group whose bad rate is above one half must not score like the average (evidence 0)."""
    X, y = book()
    X["up"] = X["up"].where(~((y == 1) & (np.arange(len(y)) % 2 == 0)))
    card = learn_woe(X, y)
    frame = card.frame()
    shown = frame[(frame["term"] == "up") & (frame["row_1"] == "missing")]["value"].item()
    assert shown > 0.5
    clients = pd.DataFrame({"up": [np.nan], "down": [0.0], "u": [0.0], "industry": ["trade"]})
    assert card.contributions(clients)["up"].item() == shown


def test_trends_hold_and_all_kinds_are_learned():
    X, y = book()
    card = learn_woe(X, y, monotone={"u": "none", "up": "increasing"})
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
    card = learn_woe(X, y, penalty=0.0)
    assert card.contributions(X).mean().abs().max() < 1e-10
    p = 1 / (1 + np.exp(-card.decision(X)))
    assert p.mean() == pytest.approx(y.mean(), abs=1e-9)


def test_declared_rows_are_neutral():
    X, y = book()
    card = learn_woe(X, y)
    odd = pd.DataFrame({"up": [0.0], "down": [np.nan], "u": [0.0], "industry": ["unheard of"]})
    parts = card.contributions(odd)
    assert parts[["down", "industry"]].iloc[0].tolist() == [0.0, 0.0]
    assert card.row_counts(odd)["declared"].tolist() == [0, 1, 0, 1]


def test_weights_count_like_repeated_rows():
    X, y = book(600)
    times = np.random.default_rng(3).integers(0, 4, len(X))
    weighted = learn_woe(X, y, sample_weight=times)
    rows = X.index.repeat(times)
    repeated = learn_woe(X.loc[rows].reset_index(drop=True), y[rows])
    assert weighted.decision(X).to_numpy() == pytest.approx(repeated.decision(X).to_numpy(), abs=1e-9)


def test_size_and_number_of_bins_are_both_honored():
    X, y = book()
    card = learn_woe(X[["up"]], y, max_bins=4, min_share=0.2)
    share = np.bincount(encode(card.bins, X).ravel())[list(card.bins[0].inner_rows)]
    assert len(share) <= 4
    assert (share / X["up"].notna().sum()).min() >= 0.2 - 1e-9


def test_a_trend_that_cannot_be_met_is_an_error_that_names_the_features():
    X, y = book()
    with pytest.raises(InvalidParameterError, match="'up' has no two bins") as caught:
        learn_woe(X, y, monotone={"up": "decreasing", "down": "increasing"})
    assert len(caught.value.faults) == 2


def test_a_feature_left_out_is_named():
    X, y = book()
    X["constant"], X["empty"] = 1.0, np.nan
    # A noisy copy carries the same evidence, so that the penalized fit gives it the wrong sign.
    X["copy"] = X["down"] + 0.8 * X["up"].fillna(0)
    card = learn_woe(X, y)
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
    card = learn_woe(pd.DataFrame({"a": a, "b": b}), y)
    assert card.notes == ("b: left out, its coefficient has the wrong sign.",)
    assert [term.name for term in card.terms] == ["a"]


def test_json_keeps_the_notes_and_the_scores():
    X, y = book(800)
    card = learn_woe(X.assign(constant=1.0), y)
    copy = AdditiveCard.from_json(card.to_json())
    assert copy.notes == card.notes
    assert copy.decision(X.assign(constant=1.0)).equals(card.decision(X.assign(constant=1.0)))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_bins": 1}, "max_bins"),
        ({"min_share": 0.7}, "min_share"),
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
