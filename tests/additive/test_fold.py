from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from clientscore.additive._fold import Fold
from clientscore.exceptions import DataError


def booster_text(categories: list[int] | str = "auto", **settings: object) -> str:
    """Train two rounds on one categorical-like and two number columns and return the booster's text."""
    X, y = rows()
    params = {"objective": "binary", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5, **settings}
    data = lgb.Dataset(X, y, categorical_feature=categories)
    return lgb.train(params, data, num_boost_round=2).model_to_string()


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 4, 600), rng.integers(0, 8, 600), rng.integers(0, 5, 600)])
    return X.astype(float), (X[:, 0] == 2) ^ (X[:, 1] > 3) ^ (X[:, 2] == 1)


def positions() -> list[np.ndarray]:
    return [np.arange(6.0), np.arange(10.0), np.arange(7.0)]


def test_paths_of_three_features_are_no_table_and_are_refused() -> None:
    with pytest.raises(DataError, match="must use at most two features; got one of 3"):
        Fold([booster_text(num_leaves=8)], [positions()], 1)


def test_categorical_splits_are_refused() -> None:
    text = booster_text([0, 1], num_leaves=2, min_data_per_group=1, cat_smooth=0.0)
    with pytest.raises(DataError, match="must have numerical splits with missing as NaN"):
        Fold([text], [positions()], 1)


def test_deep_trees_of_two_features_a_path_fold_exactly() -> None:
    text = booster_text(num_leaves=12, interaction_constraints=[[0, 1], [0, 2], [1, 2]])
    fold = Fold([text], [positions()], 1)
    X, _ = rows()
    codes = X.astype(int)
    total = np.full(len(X), fold.constant[0, 0])
    for j, table in fold.main_tables().items():
        total += table[codes[:, j], 0, 0]
    for a, b in fold.pairs:
        total += fold.pair_table((a, b))[codes[:, a], codes[:, b], 0, 0]
    trees = lgb.Booster(model_str=text)
    assert max(tree["num_leaves"] for tree in trees.dump_model()["tree_info"]) > 4
    assert np.abs(total - trees.predict(X, raw_score=True)).max() < 1e-12


def test_a_stump_folds_by_hand() -> None:
    """One split: two leaves, and a table of one feature."""
    text = booster_text(num_leaves=2)
    tree = lgb.Booster(model_str=text).dump_model()["tree_info"][0]["tree_structure"]
    fold = Fold([text.split("Tree=1")[0] + "\nend of trees"], [positions()], 1)
    values = [tree[side]["leaf_value"] for side in ("left_child", "right_child")]
    (feature, table), *others = fold.main_tables().items()
    assert (feature, others, fold.pairs) == (tree["split_feature"], [], [])
    assert table[:, 0, 0] == pytest.approx(np.where(np.arange(len(table)) <= tree["threshold"], *values))
