from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from clientscore.effects import aipw
from clientscore.effects._aipw import doubly_robust
from clientscore.effects._models import fit_logistic, fit_logistic_ridge, fit_ridge
from clientscore.effects._sample import client_folds, sample_of
from clientscore.exceptions import DataError, InvalidParameterError, OverlapError


def log(seed, n=1000):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    chance = expit(x[:, 0])
    t = (rng.random(n) < chance).astype(float)
    y = x.sum(axis=1) + (0.5 + x[:, 1]) * t + rng.normal(size=n)
    return x, chance, t, y


def test_scores_by_hand_where_the_models_are_means():
    # without covariates the outcome models are the arms' means on the other folds
    y, t = np.arange(80.0), np.tile([0.0, 1.0], 40)
    sample = sample_of(y, t)
    scores = doubly_robust(
        sample, pd.DataFrame(index=range(80)), 0.5, base="linear", n_folds=2, clip=0.01, seed=0
    )
    fold = client_folds(sample.clients, t, 2, 0)
    for row in (0, 1, 33, 78):
        others = fold != fold[row]
        mean = [y[others & (t == arm)].mean() for arm in (0, 1)]
        expected = mean[1] - mean[0] + (y[row] - mean[int(t[row])]) * (2 if t[row] else -2)
        assert scores.effect[row] == pytest.approx(expected)


def test_folds_keep_clients_whole_and_spread_the_treated():
    clients = np.repeat(np.arange(50), 3)
    treated = np.repeat(np.r_[np.ones(10), np.zeros(40)], 3)
    fold = client_folds(clients, treated, 5, 0)
    table = pd.DataFrame({"client": clients, "fold": fold, "treated": treated})
    assert (table.groupby("client")["fold"].nunique() == 1).all()
    assert table.groupby("fold")["treated"].sum().tolist() == [6.0] * 5


def test_the_interval_covers_and_the_naive_one_does_not():
    covered = naive = 0
    for seed in range(100):
        x, _, t, y = log(seed, 600)
        found = aipw(y, t, x)
        covered += found.lower <= 0.5 <= found.upper
        naive += abs(found.details["unadjusted_effect"] - 0.5) < 0.3
    assert covered >= 88  # 95 % of 100 less three standard errors
    assert naive == 0


def test_known_probabilities_save_a_wrong_outcome_model():
    x, chance, t, y = log(7, 4000)
    found = aipw(y + 5 * x[:, 0] ** 2, t, x[:, [2]], propensity=chance)
    assert found.lower < 0.5 < found.upper
    assert found.details["overlap"]["known"]


@pytest.mark.parametrize("base", ["linear", "additive", "boosted"])
def test_every_base_finds_the_effect(base):
    x, _, t, y = log(3, 3000)
    found = aipw(y, t, x, base=base)
    assert abs(found.effect - 0.5) < 0.2
    assert abs(found.baseline) < 0.2


def test_no_order_of_rows_and_no_unit_changes_the_answer():
    x, chance, t, y = log(4, 500)
    first = aipw(y, t, x, propensity=chance)
    scaled = aipw(1000 * y, t, x * 10 + 3, propensity=chance)
    assert scaled.effect == pytest.approx(1000 * first.effect)
    assert scaled.standard_error == pytest.approx(1000 * first.standard_error)


def test_rows_of_a_client_count_together():
    x, chance, t, y = log(5, 400)
    alone = aipw(y, t, x, propensity=chance)
    often = aipw(
        np.repeat(y, 3), np.repeat(t, 3), np.repeat(x, 3, axis=0), propensity=np.repeat(chance, 3),
        clients=np.repeat(np.arange(400), 3),
    )  # fmt: skip
    assert often.standard_error == pytest.approx(alone.standard_error, rel=0.05)
    assert often.n_clients == 400


def test_clipping_is_reported():
    x, chance, t, y = log(6, 1000)
    chance = np.where(np.arange(1000) < 5, 0.001, chance)
    found = aipw(y, t, x, propensity=chance, clip=0.01)
    assert found.details["overlap"]["n_clipped"] >= 5
    assert "were clipped" in found.notes[0]


def test_no_overlap_is_an_error_of_its_own():
    x, chance, t, y = log(8, 500)
    with pytest.raises(OverlapError, match="strictly between 0 and 1; 2 of 500"):
        aipw(y, t, x, propensity=np.r_[0.0, 1.0, chance[2:]])
    split = (x[:, 0] > 0).astype(float)
    with pytest.raises(OverlapError, match="the arms must overlap"):
        aipw(y, split, 100 * x[:, 0], clip=1e-9)


def test_bad_input():
    x, chance, t, y = log(9, 200)
    with pytest.raises(DataError, match="at least 20 clients; got 3"):
        aipw(y, np.r_[np.ones(3), np.zeros(197)], x)
    with pytest.raises(DataError, match="propensity must lie in"):
        aipw(y, t, x, propensity=np.r_[np.nan, 1.2, chance[2:]])
    with pytest.raises(DataError, match="propensity must have 200 rows"):
        aipw(y, t, x, propensity=chance[:5])
    with pytest.raises(DataError, match="covariates must have 200 rows"):
        aipw(y, t, x[:5])
    with pytest.raises(InvalidParameterError, match="base must be one of"):
        aipw(y, t, x, base="forest")
    with pytest.raises(InvalidParameterError, match="clip must be a number"):
        aipw(y, t, x, clip=0.6)


def test_the_ridge_error_is_that_of_leaving_rows_out(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    monkeypatch.setattr("clientscore.effects._models._PENALTIES", np.array([0.5, 3.0, 50.0]))

    def one_out(penalty):
        total = 0.0
        for row in range(30):
            kept = np.arange(30) != row
            center, mean = X[kept].mean(axis=0), y[kept].mean()
            gram = (X[kept] - center).T @ (X[kept] - center) + penalty * np.eye(4)
            slopes = np.linalg.solve(gram, (X[kept] - center).T @ (y[kept] - mean))
            total += (y[row] - mean - (X[row] - center) @ slopes) ** 2
        return total

    best = min((0.5, 3.0, 50.0), key=one_out)
    assert fit_ridge(X, y).penalty == best


def test_logistic_regressions_solve_their_equations():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 3))
    y = (rng.random(400) < expit(X[:, 0] - 1)).astype(float)
    for model in (fit_logistic(X, y, 2.0), fit_logistic_ridge(X, y)):
        gap = y - model.predict(X)
        assert gap.sum() == pytest.approx(0.0, abs=1e-4)
        assert X.T @ gap == pytest.approx(model.penalty * model.slopes, abs=1e-3)
