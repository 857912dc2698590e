"""Bags: the same boosting several times, each holding out other clients to know when to stop."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ._bins import FeatureBins

_PATIENCE_ROUNDS = 50
_ROUNDS_UNWATCHED = 100  # with nothing to hold out, few rounds are the only brake
_ORDER_PRIOR_ROWS = 10.0
_OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "l2"}
_METRICS = {"binary": "binary_logloss", "multiclass": "multi_logloss", "regression": "l2"}


@dataclass(eq=False)
class Design:
    """What bags are trained on; LightGBM's own copy is made once for all, if no rows are ordered by bag."""

    bins: Sequence[FeatureBins]
    codes: NDArray[Any]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    objective: str
    n_classes: int  # raw scores a row
    monotone: tuple[int, ...] | None = None
    matrix: NDArray[np.float32] = field(init=False)  # (n, n_features), missing as NaN
    # Per feature, value in the matrix of each row number.
    positions: list[NDArray[np.float64]] = field(init=False)

    def __post_init__(self) -> None:
        everything = range(len(self.bins))
        self.positions = self._ordered(everything, self.weight)
        self.matrix = build_matrix(self.codes, self.positions)

    def _ordered(self, features: Sequence[int], weight: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the positions of some features, levels and special codes ordered by rows of `weight`."""
        signs = self.monotone or (0,) * len(self.bins)
        return [
            column_position(self.bins[j], self.codes[:, j], self._order, weight, monotone=bool(signs[j]))
            for j in features
        ]

    @property
    def _order(self) -> NDArray[np.float64]:
        """The outcome that orders the levels of a category."""
        return (self.y > 0).astype(float) if self.objective == "multiclass" else self.y

    def without(self, out: NDArray[np.bool_]) -> Design:
        """Return the design whose levels are ordered by the other rows alone: held rows stay unseen."""
        named = [j for j, one in enumerate(self.bins) if one.kind == "category" or len(one.specials) > 1]
        if not named:
            return self
        inside = np.where(out, 0.0, self.weight)
        ordered = self._ordered(named, inside)
        design = copy(self)
        design.__dict__.pop("dataset", None)
        design.positions, design.matrix = list(self.positions), self.matrix.copy(order="F")
        design.matrix[:, named] = build_matrix(self.codes[:, named], ordered)
        for j, position in zip(named, ordered, strict=True):
            design.positions[j] = position
        return design

    @cached_property
    def dataset(self) -> lgb.Dataset:
        """The matrix as LightGBM holds it."""
        data = lgb.Dataset(
            self.matrix,
            label=self.y,
            weight=self.weight,
            params=_dataset_params(self),
            free_raw_data=False,
        )
        return data.construct()

    def subset_rows(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some rows of the matrix."""
        return np.asarray(self.matrix[rows])


@dataclass(frozen=True)
class BoostSettings:
    """How one bag is boosted."""

    max_rounds: int
    learning_rate: float
    feature_fraction: float
    min_rows_leaf: int
    depth: int = 2  # -1: as deep as the leaves allow
    leaves: int | None = None  # None: all that the depth allows
    monotone: tuple[int, ...] | None = None
    pairs: tuple[tuple[int, int], ...] | None = None  # allowed pairs; None for all
    random_splits: bool = False


@dataclass(frozen=True, eq=False)
class Bag:
    """One trained bag."""

    text: str
    rounds: int
    held: NDArray[np.intp]
    raw: NDArray[np.float64] = field(repr=False)  # raw scores of the held rows, (n_held, n_classes)
    positions: list[NDArray[np.float64]] = field(repr=False)  # of the matrix it was trained on


def column_position(
    one: FeatureBins,
    codes: NDArray[Any],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    *,
    monotone: bool = False,
) -> NDArray[np.float64]:
    """Return the value that each row of a feature takes in the training matrix.

    Numbers keep their row number, special codes lie below them; levels, and special codes, are ordered by
    their smoothed mean outcome, so that a numerical split folds exactly.  Missing is NaN; so is an unseen row
    that training never met, and the special codes of a monotone feature, which have no place in its order.
    """
    position = np.arange(one.n_rows, dtype=float)
    position[one.n_values :] = np.nan
    if one.kind == "category":
        rows = [row for row in range(one.n_rows) if row != one.missing_code]
        ranked, mass = _by_rate(one, rows, codes, y, weight)
        if mass[one.unseen_code] == 0:
            ranked = ranked[ranked != one.unseen_code]
        position[ranked] = np.arange(len(ranked))
    elif one.specials and not monotone:
        ranked, _ = _by_rate(one, one.special_rows, codes, y, weight)
        position[ranked] = np.arange(len(ranked)) - len(ranked)
    return position[list(one.nearest)]


def _by_rate(
    one: FeatureBins,
    rows: Sequence[int],
    codes: NDArray[Any],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return some rows in the order of their smoothed mean outcome, and the weight of every row."""
    mean = np.average(y, weights=weight)
    mass = np.bincount(codes, weights=weight, minlength=one.n_rows)
    good = np.bincount(codes, weights=weight * y, minlength=one.n_rows)
    rate = (good + _ORDER_PRIOR_ROWS * mean) / (mass + _ORDER_PRIOR_ROWS)
    chosen = np.array(rows, dtype=np.intp)
    return chosen[np.argsort(rate[chosen], kind="stable")], np.asarray(mass, dtype=float)


def met_bins(
    bins: Sequence[FeatureBins], codes: NDArray[Any], weight: NDArray[np.float64]
) -> tuple[FeatureBins, ...]:
    """Return the bins told which of their rows the training codes meet with weight."""
    return tuple(
        one.met(np.bincount(codes[:, j], weights=weight, minlength=one.n_rows)) for j, one in enumerate(bins)
    )


def build_matrix(codes: NDArray[Any], positions: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Return the training matrix: one float column a feature, missing as NaN."""
    matrix = np.empty(codes.shape, dtype=np.float32, order="F")
    for j, position in enumerate(positions):
        matrix[:, j] = position.astype(np.float32).take(codes[:, j])
    return matrix


def held_folds(
    y: NDArray[np.float64],
    groups: NDArray[np.intp] | None,
    n_bags: int,
    valid_share: float,
    rng: np.random.Generator,
) -> list[NDArray[np.bool_]]:
    """Return, per bag, which rows are held out: other groups each time, events spread evenly.

    Groups are dealt into ``round(1 / valid_share)`` folds and bag b holds out fold b; more bags than folds
    are dealt anew.
    """
    members = np.arange(len(y)) if groups is None else groups
    n_groups = int(members.max()) + 1 if len(members) else 0
    n_folds = max(2, round(1 / valid_share))
    label = np.full(n_groups, -np.inf)
    np.maximum.at(label, members, y)
    label = np.argsort(np.argsort(label, kind="stable"), kind="stable") if len(np.unique(y)) > 50 else label
    held: list[NDArray[np.bool_]] = []
    while len(held) < n_bags:
        order = np.lexsort((rng.random(n_groups), label))
        fold = np.empty(n_groups, dtype=np.intp)
        fold[order] = np.arange(n_groups) % n_folds
        held += [(fold == k)[members] for k in range(min(n_folds, n_bags - len(held)))]
    return held


def train_bags(
    design: Design, held: Sequence[NDArray[np.bool_]], settings: BoostSettings, seeds: Sequence[int]
) -> list[Bag]:
    """Train one booster a bag; levels of a category are ordered in each bag anew."""
    return [_train_bag(design, out, settings, seed) for out, seed in zip(held, seeds, strict=True)]


def _train_bag(design: Design, out: NDArray[np.bool_], settings: BoostSettings, seed: int) -> Bag:
    inside, held = np.flatnonzero(~out), np.flatnonzero(out)
    watched = bool(len(inside)) and bool(len(held))
    design = design.without(out) if watched else design
    params = _params(design, settings, seed)
    if watched:
        booster = lgb.train(
            params,
            design.dataset.subset(inside.tolist()),
            num_boost_round=settings.max_rounds,
            valid_sets=[design.dataset.subset(held.tolist())],
            callbacks=[lgb.early_stopping(_PATIENCE_ROUNDS, verbose=False)],
        )
    else:
        booster = lgb.train(
            params, design.dataset, num_boost_round=min(settings.max_rounds, _ROUNDS_UNWATCHED)
        )
        held = np.empty(0, dtype=np.intp)
    rounds = booster.best_iteration if watched and booster.best_iteration > 0 else booster.current_iteration()
    # Truncate when writing: a number of iterations given at prediction time is not safe in concurrent calls.
    text = booster.model_to_string(num_iteration=rounds)
    raw = raw_scores(text, design.subset_rows(held), design.n_classes)
    return Bag(text, rounds, held, raw, design.positions)


def raw_scores(text: str, matrix: NDArray[np.float32], n_classes: int) -> NDArray[np.float64]:
    """Return the raw scores of a booster's text: shape (n, n_classes)."""
    if not len(matrix):
        return np.empty((0, n_classes))
    booster = lgb.Booster(model_str=text)
    raw = booster.predict(matrix, raw_score=True, num_threads=1)
    return np.asarray(raw, dtype=float).reshape(len(matrix), n_classes)


def _dataset_params(design: Design) -> dict[str, Any]:
    widest = max((len(position) for position in design.positions), default=2)
    return {
        "max_bin": max(widest, 2) + 1,
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "num_threads": 1,
        "force_col_wise": True,
        "verbosity": -1,
    }


def _params(design: Design, settings: BoostSettings, seed: int) -> dict[str, Any]:
    n_features = len(design.positions)
    params = {
        **_dataset_params(design),
        "objective": _OBJECTIVES[design.objective],
        "metric": _METRICS[design.objective],
        "learning_rate": settings.learning_rate,
        "max_depth": settings.depth,
        "num_leaves": settings.leaves or 2**settings.depth,
        "min_data_in_leaf": settings.min_rows_leaf,
        # LightGBM's own bound, in units of the weights; without any it fails where outcomes separate.
        "min_sum_hessian_in_leaf": 1e-3 * float(design.weight.mean()),
        # With few features a small fraction would leave no pair to find.
        "feature_fraction": max(settings.feature_fraction, min(1.0, 8 / n_features)),
        "deterministic": True,
        "extra_trees": settings.random_splits,
        "seed": seed,
    }
    if design.objective == "multiclass":
        params["num_class"] = design.n_classes
    if settings.monotone is not None and any(settings.monotone):
        params["monotone_constraints"] = list(settings.monotone)
    if settings.pairs is not None and settings.depth != 1:
        # Holds for each path: deeper trees, too, use at most two features on the way to a leaf.
        single = [[j] for j in range(n_features)]
        params["interaction_constraints"] = [*map(list, settings.pairs), *single]
    return params
