from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import bag_trees, encode, fit_bins, learn_boosted
from clientscore.exceptions import DataError, InvalidParameterError


def three_way(n=6000, seed=0):
    """A product of three signs, which no sum of pairs can hold."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    X["kind"] = rng.choice(["x", "y"], n)
    z = 2.0 * np.sign(X["a"] * X["b"] * X["c"])
    return X, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)


@pytest.fixture(scope="module")
def fitted():
    X, y = three_way()
    bins = fit_bins(X)
    return X, y, bins, bag_trees(encode(bins, X), bins, y, n_bags=3, max_rounds=200, random_state=0)


def loss_of(z, y):
    return float(np.mean(np.logaddexp(0, z) - y * z))


def test_trees_hold_what_pairs_cannot(fitted):
    X, y, bins, trees = fitted
    new, truth = three_way(seed=1)
    codes = encode(bins, new)
    card, _ = learn_boosted(encode(bins, X), bins, y, n_bags=3, max_rounds=200, random_state=0)
    assert loss_of(trees.decision_codes(codes), truth) < 0.6 < loss_of(card.decision_codes(codes), truth)


def test_each_row_is_held_out_by_at_most_its_own_bags(fitted):
    _, y, _, trees = fitted
    held = np.concatenate([bag.held for bag in trees.bags])
    assert len(np.unique(held)) == len(held)  # three of seven folds, none twice
    assert np.isfinite(trees.out_of_bag).sum() == len(held)
    known = np.isfinite(trees.out_of_bag)
    assert loss_of(trees.out_of_bag[known], y[known]) < np.log(2)


def test_the_decision_is_the_mean_of_the_bags(fitted):
    X, _, bins, trees = fitted
    codes = encode(bins, X.head(40))
    one = [type(trees)((bag,), trees.out_of_bag).decision_codes(codes) for bag in trees.bags]
    assert trees.decision_codes(codes) == pytest.approx(np.mean(one, axis=0), abs=1e-12)


def test_groups_stay_together_and_weights_of_zero_do_not_count(fitted):
    X, y, bins, _ = fitted
    codes, groups = encode(bins, X), np.arange(len(X)) // 10
    weight = (np.arange(len(X)) % 7 > 0).astype(float)
    trees = bag_trees(
        codes, bins, y, sample_weight=weight, groups=groups, n_bags=2, max_rounds=20, random_state=0
    )
    assert np.isnan(trees.out_of_bag[weight == 0]).all()
    seen = np.isfinite(trees.out_of_bag[weight > 0])
    by_group = pd.Series(seen).groupby(groups[weight > 0]).nunique()
    assert (by_group == 1).all()
    again = bag_trees(
        codes[weight > 0],
        bins,
        y[weight > 0],
        groups=groups[weight > 0],
        n_bags=2,
        max_rounds=20,
        random_state=0,
    )
    assert again.decision_codes(codes).tolist() == trees.decision_codes(codes).tolist()


def test_a_direction_asked_for_holds():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(3000, 2)), columns=["a", "b"])
    y = rng.random(3000) < 1 / (1 + np.exp(-X["a"] * X["b"]))
    bins = fit_bins(X)
    trees = bag_trees(encode(bins, X), bins, y, n_bags=2, max_rounds=60, monotone={"a": "increasing"})
    grid = pd.DataFrame({"a": np.tile(np.linspace(-2, 2, 40), 3), "b": np.repeat([-1.0, 0.0, 1.0], 40)})
    rises = np.diff(trees.decision_codes(encode(bins, grid)).reshape(3, 40), axis=1)
    assert rises.min() > -1e-9


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"n_bags": 0}, "n_bags"),
        ({"n_leaves": 1}, "n_leaves"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"monotone": {"z": "increasing"}}, "'z' is no feature"),
    ],
)
def test_bad_settings_are_named(fitted, setting, words):
    X, y, bins, _ = fitted
    with pytest.raises(InvalidParameterError, match=words):
        bag_trees(encode(bins, X), bins, y, **setting)


def test_a_bad_target_is_named(fitted):
    X, y, bins, _ = fitted
    with pytest.raises(DataError, match="whole numbers from 0 to 1"):
        bag_trees(encode(bins, X), bins, y + 1)
