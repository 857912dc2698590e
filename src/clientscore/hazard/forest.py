"""Boosted trees as arrays: read from LightGBM's text, checked, and written as text again.

A crafted text can crash LightGBM, or keep it busy for ever.  Nothing that comes from a file reaches it: a
file holds arrays, and only arrays that describe trees are written as text for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

from clientscore.exceptions import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_MOST_NODES = 5_000_000
_MOST_LEAVES = 1_000  # of a tree
_FARTHEST = 1e300
_NAN_LEFT = 2  # bits of LightGBM's decision type: default left,
_NAN_IS_MISSING = 8  # and missing values are NaN


@dataclass(frozen=True, eq=False)
class Forest:
    """The trees of one booster; with several outputs tree i moves output i modulo their number.

    Parameters
    ----------
    n_features, n_outputs : int
        Columns of the matrix, and raw scores a row.
    leaves : ndarray of shape (n_trees,), int
        Number of leaves of each tree; a tree has one split fewer.
    feature, left, right : ndarray of shape (n_splits,), int
        Column of each split; its children: splits of the same tree by number, or ~leaf.
    threshold : ndarray of shape (n_splits,)
        Values up to it go left.
    kind : ndarray of shape (n_splits,), int
        LightGBM's decision type: which way missing values go.
    value : ndarray of shape (n_leaves,)
        What each leaf adds.
    """

    n_features: int
    n_outputs: int
    leaves: Ints
    feature: Ints
    left: Ints
    right: Ints
    threshold: Floats
    kind: Ints
    value: Floats

    least_outputs = 2  # of a hazard: staying, and a cause

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise BundleFormatError("The trees do not fit together.", faults)

    @classmethod
    def from_text(cls, text: str) -> Forest:
        """Read the trees from LightGBM's own text, just trained."""
        head, *blocks = text.split("\nend of trees", 1)[0].split("\nTree=")
        header = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
        trees = [dict(line.split("=", 1) for line in one.splitlines()[1:] if "=" in line) for one in blocks]

        def column(name: str, kind: type, *, splits: bool = True) -> NDArray[Any]:
            used = [tree for tree in trees if not splits or int(tree["num_leaves"]) > 1]
            return np.array([float(cell) for tree in used for cell in tree[name].split()]).astype(kind)

        return cls(
            n_features=int(header["max_feature_idx"]) + 1,
            n_outputs=int(header["num_tree_per_iteration"]),
            leaves=np.array([int(tree["num_leaves"]) for tree in trees], dtype=np.int64),
            feature=column("split_feature", np.int64),
            left=column("left_child", np.int64),
            right=column("right_child", np.int64),
            # a split of all numbers from missing has an endless threshold
            threshold=np.clip(column("threshold", np.float64), -_FARTHEST, _FARTHEST),
            kind=column("decision_type", np.int64),
            value=column("leaf_value", np.float64, splits=False),
        )

    def raw_scores(self, matrix: NDArray[Any]) -> Floats:
        """Return the raw scores of rows: shape (n, n_outputs)."""
        raw = self._booster.predict(matrix, raw_score=True, num_threads=1)
        return np.asarray(raw, dtype=np.float64).reshape(len(matrix), self.n_outputs)

    @cached_property
    def _booster(self) -> lgb.Booster:
        return lgb.Booster(model_str=self.to_text())

    def __getstate__(self) -> dict[str, Any]:
        """Return the arrays alone; the booster is made again."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def to_text(self) -> str:
        """Return the trees as LightGBM reads them."""
        names = " ".join(f"f{j}" for j in range(self.n_features))
        infos = " ".join(["[-1e300:1e300]"] * self.n_features)
        objective = f"multiclass num_class:{self.n_outputs}" if self.n_outputs > 1 else "regression"
        head = (
            f"tree\nversion=v4\nnum_class={self.n_outputs}\nnum_tree_per_iteration={self.n_outputs}\n"
            f"label_index=0\nmax_feature_idx={self.n_features - 1}\n"
            f"objective={objective}\n"
            f"feature_names={names}\nfeature_infos={infos}\n\n"
        )
        ends = np.cumsum(self.leaves)
        parts = [
            self._tree(i, end - n, n)
            for i, (end, n) in enumerate(zip(ends.tolist(), self.leaves.tolist(), strict=True))
        ]
        return head + "".join(parts) + "end of trees\n"

    def _tree(self, number: int, first: int, n: int) -> str:
        """Return one tree of n leaves, of which `first` is the first."""
        splits = slice(first - number, first - number + n - 1)
        lines = [f"Tree={number}", f"num_leaves={n}", "num_cat=0"]
        if n > 1:
            lines += [
                f"split_feature={_text(self.feature[splits])}",
                f"split_gain={_text(np.zeros(n - 1, dtype=int))}",
                f"threshold={_text(self.threshold[splits])}",
                f"decision_type={_text(self.kind[splits])}",
                f"left_child={_text(self.left[splits])}",
                f"right_child={_text(self.right[splits])}",
            ]
        lines += [f"leaf_value={_text(self.value[first : first + n])}", "is_linear=0", "shrinkage=1"]
        return "\n".join(lines) + "\n\n\n"

    def to_state(self) -> dict[str, Any]:
        """Return numbers and arrays."""
        return self.__getstate__()

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Forest:
        """Build the trees that `to_state` wrote, or raise when they are none.

        Raises
        ------
        BundleFormatError
            When the arrays do not describe trees.
        """
        arrays: dict[str, Any] = {
            name: _whole(name, state[name]) for name in ("leaves", "feature", "left", "right", "kind")
        }
        arrays |= {name: np.asarray(state[name], dtype=np.float64) for name in ("threshold", "value")}
        return cls(int(state["n_features"]), int(state["n_outputs"]), **arrays)


def _whole(name: str, values: Any) -> Ints:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise BundleFormatError(f"{name} of the trees must hold whole numbers; got {array.dtype}.")
    return array.astype(np.int64)


def _text(values: NDArray[Any]) -> str:
    return " ".join(map(repr, values.tolist()))


def _faults(forest: Forest) -> list[str]:
    """Return all by which the arrays are no trees, in words."""
    leaves = forest.leaves
    arrays = (leaves, forest.feature, forest.left, forest.right, forest.threshold, forest.kind, forest.value)
    if any(one.ndim != 1 for one in arrays):
        return ["The arrays must have one dimension."]
    if not 1 <= forest.n_features <= 100_000 or not forest.least_outputs <= forest.n_outputs <= 1_000:
        return [f"{forest.n_features} features and {forest.n_outputs} outputs are out of bounds."]
    narrow = not len(leaves) or 1 <= leaves.min() <= leaves.max() <= _MOST_LEAVES
    if len(forest.value) > _MOST_NODES or not narrow:
        return ["There are too many leaves, or a tree without one."]
    if len(leaves) % forest.n_outputs or int(leaves.sum()) != len(forest.value):
        return ["The number of trees does not fit the outputs, or that of leaves the trees."]
    splits = len(forest.value) - len(leaves)
    if any(len(one) != splits for one in arrays[1:6]):
        return [f"{len(leaves)} trees with {len(forest.value)} leaves must have {splits} splits."]
    faults = []
    if splits and not 0 <= forest.feature.min() <= forest.feature.max() < forest.n_features:
        faults.append(f"Splits must read columns 0 to {forest.n_features - 1}.")
    if not np.isfinite(forest.threshold).all() or not np.isfinite(forest.value).all():
        faults.append("Thresholds and values must be finite.")
    if not np.isin(forest.kind, (_NAN_LEFT, 0, _NAN_IS_MISSING, _NAN_IS_MISSING | _NAN_LEFT)).all():
        faults.append("Splits must be numerical, with missing as NaN.")
    return faults or _wrong_children(forest)


def _wrong_children(forest: Forest) -> list[str]:
    """Return a fault unless every split and leaf but the root hangs once below an earlier split."""
    own = np.repeat(forest.leaves, np.maximum(forest.leaves - 1, 0))  # leaves of each split's tree
    tree = np.repeat(np.arange(len(forest.leaves)), np.maximum(forest.leaves - 1, 0))
    firsts = np.cumsum(forest.leaves) - forest.leaves - np.arange(len(forest.leaves))
    number = np.arange(len(own)) - firsts[tree]
    seen = []
    for child in (forest.left, forest.right):
        inside = np.where(child >= 0, (child > number) & (child < own - 1), ~child < own)
        if not inside.all():
            return ["A split must have children of its own tree, below it."]
        # One number a node: the splits of a tree, then its leaves.
        seen.append(tree * 2 * _MOST_LEAVES + np.where(child >= 0, child, _MOST_LEAVES + ~child))
    found = np.concatenate(seen)
    return [] if len(np.unique(found)) == len(found) else ["A split or leaf must hang below one split."]
