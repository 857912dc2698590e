from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore._state import join_state, split_state
from clientscore.effects import ChosenLearner, DRLearner, EffectLearner, SLearner, TLearner, XLearner
from clientscore.exceptions import (
    BundleFormatError,
    DataError,
    InvalidParameterError,
    MissingColumnError,
    OverlapError,
)

LEARNERS = [SLearner, TLearner, XLearner, DRLearner]


def trial(seed=0, n=1500):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.gamma(2, 3, n)),
            "industry": rng.choice(["trade", "energy", None], n),
        },
        index=[f"c{i}" for i in range(n)],
    )
    t = rng.integers(0, 2, n)
    effect = 1.0 + X["size"] + 0.5 * X["industry"].eq("energy")
    y = X["size"] + t * effect + rng.normal(size=n)
    return X, t, y.to_numpy(), effect


@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("base", ["linear", "additive", "boosted"])
def test_each_finds_whom_the_action_helps(kind, base):
    X, t, y, effect = trial()
    learner = kind(base=base).fit(X, t, y)
    found = learner.predict_effect(X)
    assert found.index.equals(X.index)
    assert np.corrcoef(found, effect)[0, 1] > 0.85
    assert learner.average_effect_ == pytest.approx(effect.mean(), abs=0.15)


@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("base", ["additive", "boosted"])
def test_the_state_is_plain_data_and_comes_back(kind, base):
    X, t, y, _ = trial(1, 600)
    learner = kind(base=base).fit(X, t, (y > 1).astype(int))
    state = join_state(*split_state(learner.to_state()))
    again = EffectLearner.from_state(state)
    pd.testing.assert_series_equal(again.predict_effect(X), learner.predict_effect(X))
    assert again.get_params() == learner.get_params()


def test_a_linear_t_learner_is_two_regressions(monkeypatch):
    monkeypatch.setattr("clientscore.effects._models._PENALTIES", np.array([1e-9]))
    rng = np.random.default_rng(2)
    X, t = rng.normal(size=(300, 2)), rng.integers(0, 2, 300)
    y = rng.normal(size=300)
    found = TLearner(base="linear").fit(X, t, y).predict_effect(X)
    design = np.column_stack([np.ones(300), X])
    beta = [np.linalg.lstsq(design[t == arm], y[t == arm], rcond=None)[0] for arm in (0, 1)]
    assert found.to_numpy() == pytest.approx(design @ (beta[1] - beta[0]), abs=1e-6)


def test_an_s_learner_on_shares_stays_between_minus_one_and_one():
    X, t, y, _ = trial(3)
    found = SLearner(base="linear").fit(X, t, (y > 0).astype(int)).predict_effect(X * 1)
    assert found.between(-1, 1).all()
    assert found.std() > 0.05


def test_unseen_levels_and_missing_values_are_predicted():
    X, t, y, _ = trial(4, 600)
    learner = DRLearner(base="additive").fit(X, t, y)
    strange = X.head(3).assign(industry=["new", None, "trade"], age=np.nan)
    assert learner.predict_effect(strange).notna().all()


def test_bad_input():
    X, t, y, _ = trial(5, 300)
    with pytest.raises(DataError, match="X must have 300 rows"):
        SLearner().fit(X.head(5), t, y)
    with pytest.raises(DataError, match="at least 20 clients"):
        SLearner().fit(X.head(30), t[:30], y[:30])
    with pytest.raises(InvalidParameterError, match="base must be one of"):
        SLearner(base="forest").fit(X, t, y)
    with pytest.raises(InvalidParameterError, match="max_depth must be"):
        DRLearner(max_depth=9).fit(X, t, y)
    with pytest.raises(OverlapError, match="strictly between 0 and 1"):
        DRLearner().fit(X, t, y, propensity=1.0)
    with pytest.raises(MissingColumnError, match="'age' is missing"):
        SLearner().fit(X, t, y).predict_effect(X.drop(columns="age"))
    with pytest.raises(BundleFormatError, match="No learner of effects"):
        EffectLearner.from_state({"kind": "Forest"})
    with pytest.raises(DataError, match="each name once"):
        SLearner().fit(X.set_axis(["a", "a", "b"], axis=1), t, y)


CANDIDATES = {"S": SLearner(base="linear"), "DR": DRLearner(base="linear", n_folds=2)}


def test_the_mixture_finds_whom_the_action_helps():
    X, t, y, effect = trial(6)
    chosen = ChosenLearner(candidates=CANDIDATES, n_folds=3).fit(X, t, y, propensity=0.5)
    assert chosen.weights_.sum() == pytest.approx(1.0)
    assert (chosen.losses_ < 0).all()
    assert chosen.heterogeneity_p_value_ < 1e-6
    assert np.corrcoef(chosen.predict_effect(X), effect)[0, 1] > 0.95
    assert chosen.average_effect_ == pytest.approx(effect.mean(), abs=0.2)


def test_a_candidate_that_guesses_gets_no_weight():
    X, t, y, _ = trial(7)

    class Guess(SLearner):
        def predict_effect(self, frame):
            return pd.Series(np.random.default_rng(len(frame)).normal(size=len(frame)), index=frame.index)

    chosen = ChosenLearner(candidates={"S": CANDIDATES["S"], "guess": Guess(base="linear")}, n_folds=3)
    chosen.fit(X, t, y, propensity=0.5)
    assert chosen.weights_["S"] > 0.99
    assert chosen.slopes_["guess"] < 0.2


def test_where_the_effect_is_the_same_for_all_it_says_so():
    p_values, spreads = [], []
    for seed in range(20):
        X, t, _, _ = trial(100 + seed, 400)
        chosen = ChosenLearner(candidates={"S": CANDIDATES["S"]}, n_folds=3)
        chosen.fit(X, t, X["size"] + t + np.random.default_rng(seed).normal(size=400), propensity=0.5)
        p_values.append(chosen.heterogeneity_p_value_)
        spreads.append(chosen.predict_effect(X).std())
    assert np.mean(np.array(p_values) < 0.05) <= 0.25
    assert np.median(spreads) < 0.05


def test_the_mixture_comes_back_from_its_state():
    X, t, y, _ = trial(8, 500)
    chosen = ChosenLearner(candidates=CANDIDATES, n_folds=2).fit(X, t, y, propensity=0.5)
    again = ChosenLearner.from_state(join_state(*split_state(chosen.to_state())))
    pd.testing.assert_series_equal(again.predict_effect(X), chosen.predict_effect(X))
    pd.testing.assert_series_equal(again.weights_, chosen.weights_)


def test_candidates_must_be_learners():
    X, t, y, _ = trial(9, 300)
    with pytest.raises(InvalidParameterError, match="candidates must map names"):
        ChosenLearner(candidates={"a": 1}).fit(X, t, y)
    with pytest.raises(InvalidParameterError, match="candidates must map names"):
        ChosenLearner(candidates={}).fit(X, t, y)


@pytest.mark.slow
def test_the_default_candidates_run():
    X, t, y, effect = trial(10)
    chosen = ChosenLearner().fit(X, t, y, propensity=0.5)
    assert len(chosen.weights_) == 5
    assert np.corrcoef(chosen.predict_effect(X), effect)[0, 1] > 0.9
