from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from clientscore.additive._fold import Fold
from clientscore.exceptions import DataError


def booster_text(categories: list[int] | str = "auto", **settings: object) -> str:
    """Train two rounds on one categorical-like and one number column and return the booster's text."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 4, 600), rng.integers(0, 8, 600)]).astype(float)
    y = (X[:, 0] == 2) ^ (X[:, 1] > 3)
    params = {"objective": "binary", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5, **settings}
    data = lgb.Dataset(X, y, categorical_feature=categories)
    return lgb.train(params, data, num_boost_round=2).model_to_string()


def positions() -> list[np.ndarray]:
    return [np.arange(6.0), np.arange(10.0)]


def test_deeper_trees_are_no_table_and_are_refused() -> None:
    with pytest.raises(DataError, match="must have a depth of at most 2; got a deeper one"):
        Fold([booster_text(num_leaves=8)], [positions()], 1)


def test_categorical_splits_are_refused() -> None:
    text = booster_text([0, 1], num_leaves=2, min_data_per_group=1, cat_smooth=0.0)
    with pytest.raises(DataError, match="must have numerical splits with missing as NaN"):
        Fold([text], [positions()], 1)


def test_trees_of_depth_two_fold() -> None:
    assert Fold([booster_text(num_leaves=4, max_depth=2)], [positions()], 1).pairs
