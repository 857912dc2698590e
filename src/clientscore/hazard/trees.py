"""The challenger: bagged full trees on the same rows as the card, scored over the same periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from clientscore.additive import FeatureBins, encode

from .forest import Forest
from .scores import Block, moved_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .learning import BoostRules, Table

    Floats = NDArray[np.float64]
    Ints = NDArray[np.integer[Any]]

_LEAVES = 15
_FOLDS = 7
_FEATURE_FRACTION = 0.5
_PATIENCE_ROUNDS = 50
_ROUNDS_UNWATCHED = 100  # with nothing to hold out, few rounds are the only brake
_PRIOR_ROWS = 10.0  # of the mean, in the order of levels


class TreeScores:
    """Scores clients over the periods with bagged trees.

    Parameters
    ----------
    forests : sequence of Forest
        One a bag; its columns are the features and last the period.
    bins : sequence of FeatureBins
        Of the features.
    positions : sequence of ndarray
        Value in the matrix of each row number of a feature; NaN for missing.
    shift : ndarray of shape (periods, outputs)
        Added to the log odds.
    starts, speeds
        As in :class:`CardScores`.
    """

    def __init__(
        self,
        forests: Sequence[Forest],
        bins: Sequence[FeatureBins],
        positions: Sequence[Floats],
        shift: Floats,
        starts: Floats,
        speeds: Mapping[str, float],
    ) -> None:
        self.forests, self.bins, self.positions = tuple(forests), tuple(bins), tuple(positions)
        self.shift, self.starts, self.speeds = shift, starts, dict(speeds)

    def shifted(self, shift: Floats) -> TreeScores:
        """Return the scores with `shift`, (periods, outputs), added."""
        return TreeScores(
            self.forests, self.bins, self.positions, self.shift + shift, self.starts, self.speeds
        )

    def encode(self, X: pd.DataFrame, n_periods: int) -> Block:
        """Return the row numbers of clients."""
        moved = {
            j: moved_codes(one, X[one.name], self.speeds[one.name] * self.starts[:n_periods])
            for j, one in enumerate(self.bins)
            if one.name in self.speeds
        }
        return Block(encode(self.bins, X), moved)

    def log_odds(self, block: Block, n_periods: int) -> Floats:
        """Return the log odds in each period: (n, periods, outputs)."""
        total = np.empty((len(block.codes), n_periods, self.shift.shape[1]))
        for period in range(n_periods):
            matrix = tree_matrix(block.at(period), self.positions, np.full(len(block.codes), period + 1))
            raw = np.mean([one.raw_scores(matrix) for one in self.forests], axis=0)
            total[:, period] = raw[:, 1:] - raw[:, :1] + self.shift[period]
        return total

    def encode_one(self, values: Mapping[str, Any]) -> list[list[int]]:
        """Return the row numbers of one client in each period."""
        X = pd.DataFrame([{one.name: values[one.name] for one in self.bins}])
        block = self.encode(X, len(self.starts))
        return [block.at(period)[0].tolist() for period in range(len(self.starts))]

    def log_odds_one(self, codes: Sequence[list[int]]) -> Floats:
        """Return `log_odds` of one client over all periods: shape (periods, outputs)."""
        matrix = tree_matrix(np.array(codes), self.positions, np.arange(1, len(codes) + 1))
        raw = np.mean([one.raw_scores(matrix) for one in self.forests], axis=0)
        return np.asarray(raw[:, 1:] - raw[:, :1] + self.shift)

    def to_state(self) -> dict[str, Any]:
        """Return numbers and arrays."""
        return {
            "forests": [one.to_state() for one in self.forests],
            "bins": [one.to_dict() for one in self.bins],
            "positions": list(self.positions),
            "shift": self.shift,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], starts: Floats, speeds: Mapping[str, float]) -> TreeScores:
        """Build the scores that `to_state` wrote."""
        forests = [Forest.from_state(one) for one in state["forests"]]
        bins = [FeatureBins.from_dict(one) for one in state["bins"]]
        positions = [np.asarray(one, dtype=np.float64) for one in state["positions"]]
        return cls(forests, bins, positions, np.asarray(state["shift"], dtype=np.float64), starts, speeds)


def tree_matrix(codes: NDArray[Any], positions: Sequence[Floats], period: Ints) -> NDArray[np.float32]:
    """Return the matrix of the trees: the features, missing as NaN, and the period."""
    matrix = np.empty((len(codes), len(positions) + 1), dtype=np.float32)
    for j, position in enumerate(positions):
        matrix[:, j] = position[codes[:, j]]
    matrix[:, -1] = period
    return matrix


def learn_trees(
    table: Table, learned: NDArray[np.bool_], rules: BoostRules, seed: int
) -> tuple[list[Forest], list[Floats]]:
    """Learn bagged trees of the causes with enough events; rows that end by another cause are left out.

    Each bag holds other clients out to know when to stop.  (To watch only their latest dates was no better
    on company panels: log loss .2674 against .2670 in later years.)

    Parameters
    ----------
    table : Table
        The person-period rows.
    learned : ndarray of shape (n_causes,), bool
        Causes with enough events.
    rules : BoostRules
        As for the card.
    seed : int
        Seed of folds and trees.

    Returns
    -------
    forests : list of Forest
        One a bag.
    positions : list of ndarray
        Value in the matrix of each row number of a feature.
    """
    target = np.full(len(learned) + 1, -1)
    target[0] = 0
    target[1:][learned] = np.arange(1, int(learned.sum()) + 1)
    outcome = target[table.outcome]
    used = np.flatnonzero(outcome >= 0)
    codes, y, weight = table.codes[used], outcome[used], table.weight[used]
    rng = np.random.default_rng(seed)
    folds = _folds(table.groups[used], y, rules.n_bags, rng)
    positions = [_position(one, codes[:, j], y, weight) for j, one in enumerate(table.bins[:-1])]
    matrix = tree_matrix(codes, positions, codes[:, -1].astype(np.int64) + 1)
    n_classes = int(learned.sum()) + 1
    return [_grow(matrix, y, weight, held, rules, n_classes, rng) for held in folds], positions


def _grow(
    matrix: NDArray[np.float32],
    y: Ints,
    weight: Floats,
    held: NDArray[np.bool_],
    rules: BoostRules,
    n_classes: int,
    rng: np.random.Generator,
) -> Forest:
    """Grow one bag until the loss of the rows held out stops falling."""
    params = {
        "objective": "multiclass",
        "num_class": n_classes,
        "metric": "multi_logloss",
        "num_leaves": _LEAVES,
        "learning_rate": rules.learning_rate,
        "min_data_in_leaf": rules.min_rows_leaf,
        "min_sum_hessian_in_leaf": 1e-3 * float(weight.mean()),
        "feature_fraction": max(_FEATURE_FRACTION, min(1.0, 8 / matrix.shape[1])),
        "max_bin": 255,
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "num_threads": 1,
        "force_col_wise": True,
        "deterministic": True,
        "extra_trees": rules.random_splits,
        "seed": int(rng.integers(2**31 - 1)),
        "verbosity": -1,
    }
    train = lgb.Dataset(matrix[~held], y[~held], weight=weight[~held], params=params)
    if not held.any():
        booster = lgb.train(params, train, num_boost_round=min(rules.max_rounds, _ROUNDS_UNWATCHED))
        return Forest.from_text(booster.model_to_string())
    valid = lgb.Dataset(matrix[held], y[held], weight=weight[held], reference=train)
    stop = lgb.early_stopping(_PATIENCE_ROUNDS, verbose=False)
    booster = lgb.train(params, train, num_boost_round=rules.max_rounds, valid_sets=[valid], callbacks=[stop])
    rounds = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    return Forest.from_text(booster.model_to_string(num_iteration=rounds))


def _folds(groups: Ints, y: Ints, n_bags: int, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Return which rows each bag holds out: whole clients, those with an event spread evenly."""
    clients, number = np.unique(groups, return_inverse=True)
    worst = np.zeros(len(clients), dtype=np.int64)
    np.maximum.at(worst, number, y)
    held: list[NDArray[np.bool_]] = []
    while len(held) < n_bags:
        fold = np.empty(len(clients), dtype=np.int64)
        fold[np.lexsort((rng.random(len(clients)), worst))] = np.arange(len(clients)) % _FOLDS
        held += [(fold == k)[number] for k in range(min(_FOLDS, n_bags - len(held)))]
    if len(clients) < _FOLDS:
        return [np.zeros(len(y), dtype=bool)] * n_bags
    return held


def _position(one: FeatureBins, codes: NDArray[Any], y: Ints, weight: Floats) -> Floats:
    """Return the value in the matrix of each row number: its order, of levels by their rate of events."""
    position = np.arange(one.n_rows, dtype=np.float64)
    if one.kind == "category":
        mass = np.bincount(codes, weight, minlength=one.n_rows)
        gone = np.bincount(codes, weight * (y > 0), minlength=one.n_rows)
        mean = float(np.average(y > 0, weights=weight))
        rate = (gone + _PRIOR_ROWS * mean) / (mass + _PRIOR_ROWS)
        position[np.argsort(rate, kind="stable")] = np.arange(one.n_rows)
    else:
        position[one.n_values :] = np.nan
        position = position[list(one.nearest)]
    position[one.missing_code] = np.nan
    return position
