"""Fold trees of depth 2 into tables, exactly.

A tree that splits on f and then, in each branch, on some g is a function of (f, g) per branch.  A leaf below
root f and child g therefore adds an outer product to table (f, g), and g = f adds to the main effect of f.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Branches:
    """Branches of many trees, one entry a side of a root; a child of -1 means the side is a leaf."""

    root: NDArray[np.intp]
    root_cut: NDArray[np.float64]
    root_nan_left: NDArray[np.bool_]
    is_left: NDArray[np.bool_]
    child: NDArray[np.intp]
    child_cut: NDArray[np.float64]
    child_nan_left: NDArray[np.bool_]
    left_value: NDArray[np.float64]
    right_value: NDArray[np.float64]
    output: NDArray[np.intp]

    def take(self, rows: NDArray[Any]) -> Branches:
        """Return some of the branches."""
        return Branches(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


class Fold:
    """The tables of an average of boosters, made when asked for.

    Parameters
    ----------
    texts : sequence of str
        Boosters as LightGBM text, trained on the columns that `positions` describes.
    positions : sequence of ndarray
        Per feature, the value that each row number has in the training matrix; NaN for missing.
    n_outputs : int
        Raw scores a row: 1, or the number of classes.
    """

    def __init__(
        self, texts: Sequence[str], positions: Sequence[NDArray[np.float64]], n_outputs: int
    ) -> None:
        self.positions = positions
        self.n_outputs = n_outputs
        self.constant = np.zeros(n_outputs)
        rows: list[tuple[Any, ...]] = []
        for text in texts:
            for index, tree in enumerate(_read_trees(text)):
                _add_tree(tree, index % n_outputs, rows, self.constant)
        self.constant /= len(texts)
        self.branches = _branches(rows, len(texts))
        self._groups = self._group_pairs()

    def _group_pairs(self) -> dict[Pair, NDArray[np.intp]]:
        b = self.branches
        inside = np.flatnonzero((b.child >= 0) & (b.child != b.root))
        low, high = np.minimum(b.root, b.child)[inside], np.maximum(b.root, b.child)[inside]
        key = low * len(self.positions) + high
        order = np.argsort(key, kind="stable")
        found, starts = np.unique(key[order], return_index=True)
        groups = np.split(inside[order], starts[1:]) if len(found) else []
        return {
            (int(one) // len(self.positions), int(one) % len(self.positions)): group
            for one, group in zip(found, groups, strict=True)
        }

    @property
    def pairs(self) -> list[Pair]:
        """Pairs of features that share a tree, in order."""
        return list(self._groups)

    def pair_size(self, pair: Pair) -> float:
        """Return a quick measure of a pair's strength: the sum of squared steps of its child splits."""
        b = self.branches.take(self._groups[pair])
        return float(np.square(b.left_value - b.right_value).sum())

    def main_tables(self) -> dict[int, NDArray[np.float64]]:
        """Return the table of every feature that splits on its own: shape (rows, n_outputs)."""
        tables: dict[int, NDArray[np.float64]] = {}
        alone = np.flatnonzero((self.branches.child < 0) | (self.branches.child == self.branches.root))
        for feature in np.unique(self.branches.root[alone]):
            b = self.branches.take(alone[self.branches.root[alone] == feature])
            values = self._root_side(b) * self._child_values(b, self.positions[feature])
            tables[int(feature)] = values.T @ self._one_hot(b)
        return tables

    def pair_table(self, pair: Pair) -> NDArray[np.float64]:
        """Return the table of a pair: shape (rows of the first, rows of the second, n_outputs)."""
        group = self._groups[pair]
        shape = (len(self.positions[pair[0]]), len(self.positions[pair[1]]), self.n_outputs)
        table = np.zeros(shape)
        for output in np.unique(self.branches.output[group]):
            of_output = group[self.branches.output[group] == output]
            for root, other in (pair, pair[::-1]):
                b = self.branches.take(of_output[self.branches.root[of_output] == root])
                part = self._root_side(b, root).T @ self._child_values(b, self.positions[other])
                table[:, :, output] += part if root == pair[0] else part.T
        return table

    def _root_side(self, b: Branches, root: int | None = None) -> NDArray[np.float64]:
        """Return 1 where a row number falls on the branch's side of its root: shape (branches, rows)."""
        position = self.positions[int(b.root[0]) if root is None else root]
        left = _goes_left(position, b.root_cut, b.root_nan_left)
        return np.asarray(left == b.is_left[:, None], dtype=float)

    def _child_values(self, b: Branches, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the leaf value each row number of the child meets: shape (branches, rows)."""
        left = _goes_left(position, b.child_cut, b.child_nan_left)
        return np.where(left, b.left_value[:, None], b.right_value[:, None])

    def _one_hot(self, b: Branches) -> NDArray[np.float64]:
        return np.asarray(np.eye(self.n_outputs)[b.output])


def _goes_left(
    position: NDArray[np.float64], cut: NDArray[np.float64], nan_left: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    left = position[None, :] <= cut[:, None]
    left[:, np.isnan(position)] = nan_left[:, None]
    return left


def _read_trees(text: str) -> list[dict[str, str]]:
    """Return the fields of every tree in a booster's text."""
    body = text.split("\nend of trees", 1)[0]
    return [
        dict(line.split("=", 1) for line in block.splitlines()[1:] if "=" in line)
        for block in body.split("\nTree=")[1:]
    ]


def _split(tree: dict[str, list[str]], node: int) -> tuple[int, float, bool]:
    """Return feature, cut and whether missing goes left, for one node."""
    kind = int(tree["decision_type"][node])
    cut = float(tree["threshold"][node])
    missing_kind = (kind >> 2) & 3
    if kind & 1 or missing_kind == 1:
        raise NotImplementedError("Only numerical splits with missing as NaN can be folded.")
    # Without NaN in training LightGBM reads NaN as 0.
    nan_left = bool(kind & 2) if missing_kind == 2 else cut >= 0
    return int(tree["split_feature"][node]), cut, nan_left


_SPLIT_FIELDS = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")


def _add_tree(
    tree: dict[str, str], output: int, rows: list[tuple[Any, ...]], constant: NDArray[np.float64]
) -> None:
    if int(tree["num_leaves"]) == 1:
        constant[output] += float(tree["leaf_value"])
        return
    fields = {name: tree[name].split() for name in _SPLIT_FIELDS}
    leaf = fields["leaf_value"]
    root = _split(fields, 0)
    for is_left in (True, False):
        child = int(fields["left_child" if is_left else "right_child"][0])
        if child < 0:
            value = float(leaf[~child])
            rows.append((*root, is_left, -1, math.inf, True, value, value, output))
            continue
        low, high = int(fields["left_child"][child]), int(fields["right_child"][child])
        if low >= 0 or high >= 0:
            raise NotImplementedError("Only trees of depth 2 can be folded.")
        split = _split(fields, child)
        rows.append((*root, is_left, *split, float(leaf[~low]), float(leaf[~high]), output))


def _branches(rows: list[tuple[Any, ...]], n_bags: int) -> Branches:
    types = (np.intp, float, bool, bool, np.intp, float, bool, float, float, np.intp)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(types)
    arrays = [np.array(column, dtype=kind) for column, kind in zip(columns, types, strict=True)]
    arrays[7] = arrays[7] / n_bags
    arrays[8] = arrays[8] / n_bags
    return Branches(*arrays)
