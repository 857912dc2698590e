"""Bagged full trees: no card, but what a card is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval

from ._bags import BoostSettings, Design, build_matrix, held_folds, met_bins, raw_scores, train_bags
from ._rules import check_target, check_weight, monotone_signs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._bags import Bag
    from ._bins import FeatureBins

_VALID_SHARE = 0.15
_FEATURE_FRACTION = 0.3
_MIN_ROWS_LEAF = 20


@dataclass(frozen=True, eq=False)
class BaggedTrees:
    """Full trees in several bags; scored from the same row numbers as a card.

    Parameters
    ----------
    bags : tuple of Bag
        The trained bags.
    out_of_bag : ndarray of shape (n,)
        Raw log-odds of each training row, the mean over the bags that held it out; NaN where none did.
    """

    bags: tuple[Bag, ...]
    out_of_bag: NDArray[np.float64]

    def decision_codes(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-odds of row numbers, the mean over the bags: shape (n,)."""
        total = np.zeros(len(codes))
        for bag in self.bags:
            total += raw_scores(bag.text, build_matrix(codes, bag.positions), 1)[:, 0]
        return total / len(self.bags)


def bag_trees(
    codes: NDArray[Any],
    bins: Sequence[FeatureBins],
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_bags: int = 4,
    n_leaves: int = 15,
    max_rounds: int = 1000,
    learning_rate: float = 0.05,
    monotone: Mapping[str, str] | None = None,
    random_state: int | None = None,
) -> BaggedTrees:
    """Train bagged trees of any depth on the rows of a card's bins.

    Bins, the order of categories, groups held out and early stopping are those of :func:`learn_boosted`; only
    the trees are larger, so that a difference between the two is what additivity costs.

    Parameters
    ----------
    codes : ndarray of shape (n, n_features), integer
        Row numbers from :func:`encode`.
    bins : sequence of FeatureBins
        One a column of `codes`.
    y : array of shape (n,)
        0 or 1.
    sample_weight : array of shape (n,), default None
        Weights >= 0; rows of weight 0 are not used.
    groups : array of shape (n,), default None
        Client of each row: rows of one client are held out together.  Each row alone if None.
    n_bags : int, default 4
        Number of bags, at least 1.
    n_leaves : int, default 15
        Most leaves of a tree, at least 2.
    max_rounds : int, default 1000
        Most boosting rounds of a bag.
    learning_rate : float, default 0.05
        Step of each round, in (0, 1].
    monotone : mapping of str to {"increasing", "decreasing"}, default None
        Direction in which the log-odds must move with a number.
    random_state : int, default None
        Seed of folds and trees; None draws one.

    Returns
    -------
    BaggedTrees

    Raises
    ------
    InvalidParameterError
        If a parameter lies outside its rule.
    DataError
        If `y` or weights cannot be used.

    References
    ----------
    Ke, G. et al. (2017). LightGBM: a highly efficient gradient boosting decision tree. NIPS 30.

    Examples
    --------
    >>> from clientscore.additive import bag_trees, encode, fit_bins
    >>> X = pd.DataFrame({"dpd_max_3m": np.tile([0.0, 0.0, 0.0, 45.0], 100)})
    >>> y = (X["dpd_max_3m"] > 30) & (np.arange(400) % 3 > 0)
    >>> bins = fit_bins(X)
    >>> trees = bag_trees(encode(bins, X), bins, y, random_state=0)
    >>> safe, late = trees.decision_codes(encode(bins, X.iloc[2:4]))
    >>> bool(late > safe)
    True
    """
    check_integer("n_bags", n_bags, low=1)
    check_integer("n_leaves", n_leaves, low=2)
    check_integer("max_rounds", max_rounds, low=1)
    check_interval("learning_rate", learning_rate, low=0, high=1, closed="high")
    signs = monotone_signs(monotone, bins, "binary")
    target = check_target(y, codes, bins, "binary", 1)
    weight = check_weight(sample_weight, len(codes))
    used = np.flatnonzero(weight > 0)
    inside = codes[used]
    met = met_bins(bins, inside, weight[used])
    members = None if groups is None else pd.factorize(np.asarray(groups)[used])[0]
    rng = np.random.default_rng(random_state)
    settings = BoostSettings(
        max_rounds=max_rounds,
        learning_rate=learning_rate,
        feature_fraction=_FEATURE_FRACTION,
        min_rows_leaf=_MIN_ROWS_LEAF,
        depth=-1,
        leaves=n_leaves,
        monotone=signs,
    )
    design = Design(met, inside, target[used], weight[used], "binary", 1, signs)
    held = held_folds(target[used], members, n_bags, _VALID_SHARE, rng)
    seeds = [int(seed) for seed in rng.integers(2**31 - 1, size=n_bags)]
    bags = train_bags(design, held, settings, seeds)
    return BaggedTrees(tuple(bags), _out_of_bag(bags, used, len(codes)))


def _out_of_bag(bags: Sequence[Bag], used: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    raw, times = np.zeros(len(used)), np.zeros(len(used))
    for bag in bags:
        raw[bag.held] += bag.raw[:, 0]
        times[bag.held] += 1
    out = np.full(n, np.nan)
    out[used[times > 0]] = raw[times > 0] / times[times > 0]
    return out
