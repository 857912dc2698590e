"""Fold trees of depth 2 into tables, exactly.

A tree that splits on f and then, in each branch, on some g is a function of (f, g) per branch.  A leaf below
root f and child g therefore adds an outer product to table (f, g), and g = f adds to the main effect of f.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Branches:
    """Branches of many trees, one entry a side of a root; a child of -1 means the side is a leaf.

    The sheet of a branch is its booster's number times the outputs, plus the output it moves.
    """

    root: NDArray[np.intp]
    root_cut: NDArray[np.float64]
    root_nan_left: NDArray[np.bool_]
    is_left: NDArray[np.bool_]
    child: NDArray[np.intp]
    child_cut: NDArray[np.float64]
    child_nan_left: NDArray[np.bool_]
    left_value: NDArray[np.float64]
    right_value: NDArray[np.float64]
    sheet: NDArray[np.intp]
    booster: NDArray[np.intp]

    def take(self, rows: NDArray[Any]) -> Branches:
        """Return some of the branches."""
        return Branches(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


class Fold:
    """The tables of several boosters, made when asked for; each table has one sheet a booster and output.

    Parameters
    ----------
    texts : sequence of str
        Boosters as LightGBM text, each trained on the columns that its `positions` describe.
    positions : sequence of sequence of ndarray
        Per booster and feature, the value that each row number has in the training matrix; NaN for missing.
    n_outputs : int
        Raw scores a row: 1, or the number of classes.
    """

    def __init__(
        self, texts: Sequence[str], positions: Sequence[Sequence[NDArray[np.float64]]], n_outputs: int
    ) -> None:
        self.positions = positions
        self.n_rows = [len(position) for position in positions[0]]
        self._shared = [all(one is own[0] for one in own) for own in zip(*positions, strict=True)]
        self.sheets = (len(texts), n_outputs)
        constant = np.zeros(len(texts) * n_outputs)
        rows: list[tuple[Any, ...]] = []
        for booster, text in enumerate(texts):
            for index, tree in enumerate(_read_trees(text)):
                _add_tree(tree, (booster * n_outputs + index % n_outputs, booster), rows, constant)
        self.constant = constant.reshape(self.sheets)
        self.branches = _branches(rows)
        self._groups = self._group_pairs()

    def _group_pairs(self) -> dict[Pair, NDArray[np.intp]]:
        b = self.branches
        inside = np.flatnonzero((b.child >= 0) & (b.child != b.root))
        low, high = np.minimum(b.root, b.child)[inside], np.maximum(b.root, b.child)[inside]
        n_features = len(self.n_rows)
        key = low * n_features + high
        order = np.argsort(key, kind="stable")
        found, starts = np.unique(key[order], return_index=True)
        groups = np.split(inside[order], starts[1:]) if len(found) else []
        return {
            (int(one) // n_features, int(one) % n_features): group
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
        """Return the table of every feature that splits on its own: shape (rows, n_boosters, n_outputs)."""
        tables: dict[int, NDArray[np.float64]] = {}
        alone = np.flatnonzero((self.branches.child < 0) | (self.branches.child == self.branches.root))
        for feature in np.unique(self.branches.root[alone]):
            b = self.branches.take(alone[self.branches.root[alone] == feature])
            values = self._root_side(b, int(feature)) * self._child_values(b, int(feature))
            tables[int(feature)] = (values.T @ self._one_hot(b)).reshape(-1, *self.sheets)
        return tables

    def pair_table(self, pair: Pair) -> NDArray[np.float64]:
        """Return the table of a pair: shape (rows of the first, of the second, n_boosters, n_outputs)."""
        group = self._groups[pair]
        rows = (self.n_rows[pair[0]], self.n_rows[pair[1]])
        table = np.zeros((*rows, self.sheets[0] * self.sheets[1]))
        for sheet in np.unique(self.branches.sheet[group]):
            of_sheet = group[self.branches.sheet[group] == sheet]
            for root, other in (pair, pair[::-1]):
                b = self.branches.take(of_sheet[self.branches.root[of_sheet] == root])
                part = self._root_side(b, root).T @ self._child_values(b, other)
                table[:, :, sheet] += part if root == pair[0] else part.T
        return table.reshape(*rows, *self.sheets)

    def _root_side(self, b: Branches, root: int) -> NDArray[np.float64]:
        """Return 1 where a row number falls on the branch's side of its root: shape (branches, rows)."""
        left = self._goes_left(root, b.booster, b.root_cut, b.root_nan_left)
        return np.asarray(left == b.is_left[:, None], dtype=float)

    def _child_values(self, b: Branches, child: int) -> NDArray[np.float64]:
        """Return the leaf value each row number of the child meets: shape (branches, rows)."""
        left = self._goes_left(child, b.booster, b.child_cut, b.child_nan_left)
        return np.where(left, b.left_value[:, None], b.right_value[:, None])

    def _goes_left(
        self,
        feature: int,
        booster: NDArray[np.intp],
        cut: NDArray[np.float64],
        nan_left: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Return which row numbers go left, by the places that each branch's own booster knew."""
        if self._shared[feature]:
            return _goes_left(self.positions[0][feature], cut, nan_left)
        left = np.empty((len(cut), self.n_rows[feature]), dtype=bool)
        for one in np.unique(booster):
            rows = booster == one
            left[rows] = _goes_left(self.positions[one][feature], cut[rows], nan_left[rows])
        return left

    def _one_hot(self, b: Branches) -> NDArray[np.float64]:
        return np.asarray(np.eye(self.sheets[0] * self.sheets[1])[b.sheet])


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
        raise DataError("A tree to fold must have numerical splits with missing as NaN; got another kind.")
    # Without NaN in training LightGBM reads NaN as 0.
    nan_left = bool(kind & 2) if missing_kind == 2 else cut >= 0
    return int(tree["split_feature"][node]), cut, nan_left


_SPLIT_FIELDS = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")


def _add_tree(
    tree: dict[str, str], place: Pair, rows: list[tuple[Any, ...]], constant: NDArray[np.float64]
) -> None:
    """Add the branches of a tree; `place` is the sheet it moves and the number of its booster."""
    if int(tree["num_leaves"]) == 1:
        constant[place[0]] += float(tree["leaf_value"])
        return
    fields = {name: tree[name].split() for name in _SPLIT_FIELDS}
    leaf = fields["leaf_value"]
    root = _split(fields, 0)
    for is_left in (True, False):
        child = int(fields["left_child" if is_left else "right_child"][0])
        if child < 0:
            value = float(leaf[~child])
            rows.append((*root, is_left, -1, math.inf, True, value, value, *place))
            continue
        low, high = int(fields["left_child"][child]), int(fields["right_child"][child])
        if low >= 0 or high >= 0:
            raise DataError("A tree to fold must have a depth of at most 2; got a deeper one.")
        split = _split(fields, child)
        rows.append((*root, is_left, *split, float(leaf[~low]), float(leaf[~high]), *place))


def _branches(rows: list[tuple[Any, ...]]) -> Branches:
    types = (np.intp, float, bool, bool, np.intp, float, bool, float, float, np.intp, np.intp)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(types)
    return Branches(*(np.array(column, dtype=kind) for column, kind in zip(columns, types, strict=True)))
