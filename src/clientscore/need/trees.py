"""The challenger of the amount's card: bagged full trees on the same rows of the same bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

from clientscore.additive import AdditiveCard, FeatureBins
from clientscore.hazard.forest import Forest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from .encoded import Encoded

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_BAGS = 5  # every client is held out once
_LEAVES = 15
_MIN_ROWS_LEAF = 20
_FEATURE_FRACTION = 0.3
_LEARNING_RATE = 0.05
_MAX_ROUNDS = 1000
_PATIENCE_ROUNDS = 50
_PRIOR_ROWS = 10.0  # of the mean, in the order of levels


class AmountForest(Forest):
    """The trees of one booster with one output."""

    least_outputs = 1


class AmountTrees:
    """Log of the amount by bagged trees; read and scored like a card with one output.

    Parameters
    ----------
    forests : sequence of Forest
        One a bag.
    bins : sequence of FeatureBins
        Of the features.
    positions : sequence of ndarray
        Value in the trees' matrix of each row number of a feature; NaN for missing.
    """

    def __init__(
        self, forests: Sequence[Forest], bins: Sequence[FeatureBins], positions: Sequence[Floats]
    ) -> None:
        self.forests, self.bins, self.positions = tuple(forests), tuple(bins), tuple(positions)
        self._reader = AdditiveCard(("amount",), (0.0,), self.bins, (), "identity")

    def encode(self, X: pd.DataFrame) -> NDArray[Any]:
        """Return row numbers: (n, n_features)."""
        return self._reader.encode(X)

    def codes_one(self, values: Mapping[str, Any]) -> list[int]:
        """Return the row numbers of one client."""
        return self._reader.codes_one(values)

    def decision_codes(self, codes: NDArray[Any]) -> Floats:
        """Return the log amounts of row numbers, the mean over the bags: (n,)."""
        if not len(codes):
            return np.empty(0)
        matrix = _matrix(codes, self.positions)
        return np.asarray(np.mean([one.raw_scores(matrix)[:, 0] for one in self.forests], axis=0))

    def decision_codes_one(self, codes: Sequence[int]) -> list[float]:
        """Return the log amount of the row numbers of one client, as the only output."""
        return [float(value) for value in self.decision_codes(np.array([codes]))]

    def to_state(self) -> dict[str, Any]:
        """Return numbers and arrays."""
        return {
            "forests": [one.to_state() for one in self.forests],
            "bins": [one.to_dict() for one in self.bins],
            "positions": list(self.positions),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> AmountTrees:
        """Build the trees that `to_state` wrote; raises when the arrays are no trees."""
        return cls(
            [AmountForest.from_state(one) for one in state["forests"]],
            [FeatureBins.from_dict(one) for one in state["bins"]],
            [np.asarray(one, dtype=np.float64) for one in state["positions"]],
        )


def learn_trees(encoded: Encoded, y: Floats, clients: Ints, seed: int) -> tuple[AmountTrees, Floats]:
    """Learn bagged trees of log amounts, and their values out of bag; a bag holds a fifth of clients out."""
    rng = np.random.default_rng(seed)
    number = np.unique(clients, return_inverse=True)[1]
    fold = rng.permutation(np.arange(number.max() + 1) % _BAGS)[number]
    positions = [_position(one, encoded.codes[:, j], y) for j, one in enumerate(encoded.bins)]
    matrix = _matrix(encoded.codes, positions)
    out_of_bag = np.empty(len(y))
    forests = []
    for k in range(_BAGS):
        held = fold == k
        forest = _grow(matrix, y, held, int(rng.integers(2**31 - 1)))
        out_of_bag[held] = forest.raw_scores(matrix[held])[:, 0]
        forests.append(forest)
    return AmountTrees(forests, encoded.bins, positions), out_of_bag


def _grow(matrix: NDArray[np.float32], y: Floats, held: NDArray[np.bool_], seed: int) -> Forest:
    """Grow one bag until the error of the rows held out stops falling."""
    params = {
        "objective": "l2",
        "num_leaves": _LEAVES,
        "learning_rate": _LEARNING_RATE,
        "min_data_in_leaf": _MIN_ROWS_LEAF,
        "feature_fraction": max(_FEATURE_FRACTION, min(1.0, 8 / matrix.shape[1])),
        "max_bin": 255,
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "num_threads": 1,
        "force_col_wise": True,
        "deterministic": True,
        "seed": seed,
        "verbosity": -1,
    }
    train = lgb.Dataset(matrix[~held], y[~held], params=params)
    valid = lgb.Dataset(matrix[held], y[held], reference=train)
    stop = lgb.early_stopping(_PATIENCE_ROUNDS, verbose=False)
    booster = lgb.train(params, train, num_boost_round=_MAX_ROUNDS, valid_sets=[valid], callbacks=[stop])
    rounds = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    return AmountForest.from_text(booster.model_to_string(num_iteration=rounds))


def _matrix(codes: NDArray[Any], positions: Sequence[Floats]) -> NDArray[np.float32]:
    """Return the matrix of the trees, missing as NaN."""
    matrix = np.empty((len(codes), len(positions)), dtype=np.float32)
    for j, position in enumerate(positions):
        matrix[:, j] = position[codes[:, j]]
    return matrix


def _position(one: FeatureBins, codes: NDArray[Any], y: Floats) -> Floats:
    """Return the value in the matrix of each row number: its order, of levels by their mean."""
    position = np.arange(one.n_rows, dtype=np.float64)
    if one.kind == "category":
        mass = np.bincount(codes, minlength=one.n_rows)
        total = np.bincount(codes, y, minlength=one.n_rows)
        mean = (total + _PRIOR_ROWS * y.mean()) / (mass + _PRIOR_ROWS)
        position[np.argsort(mean, kind="stable")] = np.arange(one.n_rows)
    else:
        position[one.n_values :] = np.nan
        position = position[list(one.nearest)]
    # Trees send a NaN that training never met to the lowest values: it is read as the middle instead.
    position[one.missing_code] = np.nan if one.missing else np.nanmedian(position[codes])
    return position
