"""Paired differences of two models on the same rows, with 95 % intervals that draw whole clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import SEED

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAWS = 1000
_TINY = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Difference:
    """A difference (ours - theirs) and its 95 % interval."""

    value: float
    low: float
    high: float


def row_loss(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the log loss of each row, in nats; probabilities are kept 2.2e-16 away from 0 and 1."""
    p = np.clip(p, _TINY, 1 - _TINY)
    return -np.where(y == 1, np.log(p), np.log1p(-p))


def loss_difference(ours: np.ndarray, theirs: np.ndarray, clusters: np.ndarray) -> Difference:
    """Return the mean difference of two row losses; the bootstrap draws clusters."""
    number = np.unique(clusters, return_inverse=True)[1]
    total, size = np.bincount(number, ours - theirs), np.bincount(number).astype(float)
    generator = np.random.default_rng(SEED)
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        picked = generator.integers(0, len(size), len(size))
        means[draw] = total[picked].sum() / size[picked].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float((ours - theirs).mean()), float(low), float(high))


def auc_difference(
    folds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
) -> Difference:
    """Return the mean over folds of the difference in AUC; a fold is (y, ours, theirs, clusters).

    A client that is drawn is drawn in every fold it stands in.
    """
    clients = np.unique(np.concatenate([fold[3] for fold in folds]))
    parts = [
        (_Ranked(y, ours), _Ranked(y, theirs), np.searchsorted(clients, who))
        for y, ours, theirs, who in folds
    ]

    def mean(count: np.ndarray) -> float:
        return float(np.mean([a.auc(count[who]) - b.auc(count[who]) for a, b, who in parts]))

    generator = np.random.default_rng(SEED)
    n = len(clients)
    draws = [mean(np.bincount(generator.integers(0, n, n), minlength=n).astype(float)) for _ in range(DRAWS)]
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return Difference(mean(np.ones(n)), float(low), float(high))


class _Ranked:
    """Scores sorted once, so that each weighted AUC is a running sum; ties count half."""

    def __init__(self, y: np.ndarray, score: np.ndarray) -> None:
        self.order = np.argsort(score, kind="stable")
        self.bad = y[self.order] == 1
        self.start = np.flatnonzero(np.diff(score[self.order], prepend=-np.inf) > 0)

    def auc(self, weight: np.ndarray) -> float:
        w = weight[self.order]
        good = np.add.reduceat(np.where(self.bad, 0.0, w), self.start)
        bad = np.add.reduceat(np.where(self.bad, w, 0.0), self.start)
        below = np.cumsum(good) - good / 2
        total = good.sum() * bad.sum()
        return float(bad @ below / total) if total > 0 else float("nan")
