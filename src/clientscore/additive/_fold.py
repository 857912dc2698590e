"""Fold trees of at most two features a path into tables, exactly.

The path to a leaf bounds each feature it splits on to an interval of positions, with or without missing.
So a leaf whose path uses f and g adds the outer product of two intervals to table (f, g), and one whose
path uses f alone adds its interval to the main effect of f, however deep the tree is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Pair = tuple[int, int]


class Interval(NamedTuple):
    """Positions above `low`, up to `high`, and missing where `with_nan`."""

    low: float = -math.inf
    high: float = math.inf
    with_nan: bool = True


@dataclass(frozen=True, eq=False)
class Intervals:
    """An interval of one feature for every leaf."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    with_nan: NDArray[np.bool_]

    @classmethod
    def of(cls, intervals: Sequence[Interval]) -> Intervals:
        """Return intervals as columns."""
        low, high, with_nan = zip(*intervals, strict=True) if intervals else ((), (), ())
        return cls(np.array(low, dtype=float), np.array(high, dtype=float), np.array(with_nan, dtype=bool))

    def hold(self, leaves: NDArray[np.intp], position: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which positions some leaves hold: shape (leaves, positions)."""
        held = (position > self.low[leaves, None]) & (position <= self.high[leaves, None])
        held[:, np.isnan(position)] = self.with_nan[leaves, None]
        return held


@dataclass(frozen=True, eq=False)
class Leaves:
    """The leaves of many trees, one entry each; a leaf of one feature has -1 as its second.

    The sheet of a leaf is its booster's number times the outputs, plus the output it moves.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    sides: tuple[Intervals, Intervals]
    value: NDArray[np.float64]
    gain: NDArray[np.float64]  # of the split that made the leaf, by which a pair is worth a look
    sheet: NDArray[np.intp]
    booster: NDArray[np.intp]


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
        self.constant = np.zeros(self.sheets)
        rows: list[tuple[Any, ...]] = []
        for booster, text in enumerate(texts):
            for index, tree in enumerate(_read_trees(text)):
                output = index % n_outputs
                if int(tree["num_leaves"]) == 1:
                    self.constant[booster, output] += float(tree["leaf_value"])
                else:
                    rows += [(*leaf, booster * n_outputs + output, booster) for leaf in _read_leaves(tree)]
        self.leaves = _leaves(rows)
        self._mains, self._pairs = self._group()

    def _group(self) -> tuple[dict[int, NDArray[np.intp]], dict[Pair, NDArray[np.intp]]]:
        """Return the leaves of every feature alone, and of every pair."""
        key = self.leaves.first * (len(self.n_rows) + 1) + self.leaves.second + 1
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        groups = np.split(order, starts[1:]) if len(starts) else []
        mains: dict[int, NDArray[np.intp]] = {}
        pairs: dict[Pair, NDArray[np.intp]] = {}
        for group in groups:
            first, second = int(self.leaves.first[group[0]]), int(self.leaves.second[group[0]])
            if second < 0:
                mains[first] = group
            else:
                pairs[first, second] = group
        return mains, pairs

    @property
    def pairs(self) -> list[Pair]:
        """Pairs of features that share a path, in order."""
        return list(self._pairs)

    def pair_size(self, pair: Pair) -> float:
        """Return a quick measure of a pair's strength: the gain of the splits that made its leaves."""
        return float(self.leaves.gain[self._pairs[pair]].sum())

    def main_tables(self) -> dict[int, NDArray[np.float64]]:
        """Return the table of every feature that splits on its own: shape (rows, n_boosters, n_outputs)."""
        return {feature: self._table((feature,), group) for feature, group in self._mains.items()}

    def pair_table(self, pair: Pair) -> NDArray[np.float64]:
        """Return the table of a pair: shape (rows of the first, of the second, n_boosters, n_outputs)."""
        return self._table(pair, self._pairs[pair])

    def _table(self, features: tuple[int, ...], group: NDArray[np.intp]) -> NDArray[np.float64]:
        rows = tuple(self.n_rows[feature] for feature in features)
        table = np.zeros((self.sheets[0] * self.sheets[1], *rows))
        for sheet in np.unique(self.leaves.sheet[group]):
            leaves = group[self.leaves.sheet[group] == sheet]
            held = [
                self._hold(side, feature, leaves)
                for side, feature in zip(self.leaves.sides, features, strict=False)
            ]
            table[sheet] = (held[0] * self.leaves.value[leaves, None]).T @ (
                held[1] if len(held) == 2 else np.ones(len(leaves))
            )
        return np.moveaxis(table, 0, -1).reshape(*rows, *self.sheets)

    def _hold(self, side: Intervals, feature: int, leaves: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return 1 where a leaf holds a row, by the positions that the leaf's own booster knew."""
        booster = 0 if self._shared[feature] else int(self.leaves.booster[leaves[0]])
        return side.hold(leaves, self.positions[booster][feature]).astype(float)


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


_FIELDS = (
    "split_feature",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    "leaf_value",
    "split_gain",
)


def _read_leaves(tree: dict[str, str]) -> Iterator[tuple[int, int, Interval, Interval, float, float]]:
    """Yield features, intervals, value and gain of every leaf of a tree."""
    fields = {name: tree[name].split() for name in _FIELDS}
    ways: list[tuple[int, dict[int, Interval], float]] = [(0, {}, 0.0)]
    while ways:
        node, box, gain = ways.pop()
        if node < 0:
            if len(box) > 2:
                raise DataError(f"A path to fold must use at most two features; got one of {len(box)}.")
            first, second = sorted(box) if len(box) == 2 else (*box, -1)
            yield (
                first,
                second,
                box[first],
                box.get(second, Interval()),
                float(fields["leaf_value"][~node]),
                gain,
            )
            continue
        feature, cut, nan_left = _split(fields, node)
        low, high, with_nan = box.get(feature, Interval())
        gain = float(fields["split_gain"][node])
        left = Interval(low, min(high, cut), with_nan and nan_left)
        right = Interval(max(low, cut), high, with_nan and not nan_left)
        ways.append((int(fields["right_child"][node]), {**box, feature: right}, gain))
        ways.append((int(fields["left_child"][node]), {**box, feature: left}, gain))


def _leaves(rows: list[tuple[Any, ...]]) -> Leaves:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    first, second, one, other, value, gain, sheet, booster = columns
    return Leaves(
        np.array(first, dtype=np.intp),
        np.array(second, dtype=np.intp),
        (Intervals.of(one), Intervals.of(other)),
        np.array(value, dtype=float),
        np.array(gain, dtype=float),
        np.array(sheet, dtype=np.intp),
        np.array(booster, dtype=np.intp),
    )
