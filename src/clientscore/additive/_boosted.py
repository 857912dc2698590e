"""Learn a card by boosting: bagged trees of two features a path, folded exactly and purified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clientscore._checks import check_integer, check_interval, check_option

from ._bags import BoostSettings
from ._learner import Learner, Objective
from ._rules import monotone_signs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._bins import FeatureBins
    from ._card import AdditiveCard
    from ._report import BoostReport

Interactions = Literal["auto", "all"] | int | Sequence[tuple[str, str]]


def learn_boosted(
    codes: NDArray[Any],
    bins: Sequence[FeatureBins],
    y: ArrayLike,
    *,
    objective: Objective = "binary",
    outputs: Sequence[str] = ("bad",),
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_bags: int = 7,
    max_rounds: int = 3000,
    learning_rate: float = 0.05,
    valid_share: float = 0.15,
    feature_fraction: float = 0.3,
    min_rows_leaf: int = 20,
    interactions: Interactions = "auto",
    monotone: Mapping[str, str] | None = None,
    deeper: bool = False,
    random_splits: bool = False,
    random_state: int | None = None,
) -> tuple[AdditiveCard, BoostReport]:
    """Learn a card by bagged boosting of two features a path, folded without loss.

    Each bag holds out other groups (about `valid_share` of them, events spread evenly) and stops when their
    loss stops falling; the bags are averaged in raw score.  The trees become main effects and pair tables,
    which are purified: each table's weighted mean is 0 over the training rows, along each feature of a pair.

    Parameters
    ----------
    codes : ndarray of shape (n, n_features), integer
        Row numbers from :func:`encode`.
    bins : sequence of FeatureBins
        One a column of `codes`.
    y : array of shape (n,)
        0 or 1 for "binary"; 0 (the reference) to n_outputs for "multiclass"; finite numbers for "regression".
    objective : {"binary", "multiclass", "regression"}, default "binary"
        Log loss, multinomial log loss or squared error.
    outputs : sequence of str, default ("bad",)
        Names of the card's outputs; for "multiclass" one a class after the reference class 0, and each output
        is the log odds of its class against class 0.
    sample_weight : array of shape (n,), default None
        Weights >= 0; rows of weight 0 are not used.
    groups : array of shape (n,), default None
        Client of each row: rows of one client are held out together.  Each row alone if None.
    n_bags : int, default 7
        Number of bags, at least 1.  With 7 bags and a `valid_share` of .15 every client is held out once.
    max_rounds : int, default 3000
        Most boosting rounds of a bag.
    learning_rate : float, default 0.05
        Step of each round, in (0, 1].
    valid_share : float, default 0.15
        Share of groups each bag holds out, in (0, 0.5].
    feature_fraction : float, default 0.3
        Share of features each tree may use, in (0, 1]; at least 8 features.
    min_rows_leaf : int, default 20
        Fewest rows of a leaf.
    interactions : "auto", "all", int or sequence of (str, str), default "auto"
        Pairs of features allowed.  "all": every pair, the trees to the last digit.  0: none.  An int K: the K
        pairs with the largest purified spread in one bag with all pairs, then a refit with those.  A list:
        those.  "auto": every pair where one bag uses at most 400, else as for K = 400; then terms are dropped
        and the others rescaled by the garrote (`_garrote.py`): the fewest pairs whose cross-validated loss
        is within one standard error (of the paired difference, by client) of the best, which is at most that
        of all pairs; unless bags trained anew on the 20 strongest pairs alone are cross-validated better.
        `report.curve` keeps the candidates.  Terms of monotone features are neither dropped
        nor rescaled.  For "multiclass", or where too few rows are held out, "auto" drops the weakest tables
        while the spread of all that is dropped stays below about 1 % of the score's.
    monotone : mapping of str to {"increasing", "decreasing"}, default None
        Direction in which the decision must move with a number, all else equal; "binary" and "regression".
    deeper : bool, default False
        Whether to try trees of depth 4 (8 leaves) whose every path is held to one pair of features: they fold
        without loss as well, and several splits on one pair find a sharp corner in fewer rounds.  They are
        taken where they lower the loss of the rows that two bags held out by more than one standard error (by
        client); pairs are then those that two bags of depth 2 met.  Not for "multiclass".
    random_splits : bool, default False
        Whether each node looks at one random threshold a feature instead of all (extremely randomized
        trees).  The mean of the bags is smoother, which pays where the signal is weak beside the noise.
    random_state : int, default None
        Seed of folds and trees; None draws one.

    Returns
    -------
    card : AdditiveCard
        The card.
    report : BoostReport
        Out-of-bag decisions, rounds, losses and pairs.

    Raises
    ------
    InvalidParameterError
        If a parameter lies outside its rule.
    DataError
        If `y` or weights cannot be used.

    Notes
    -----
    Levels of a category are ordered by their smoothed mean outcome, in each bag by the rows it trains on.

    References
    ----------
    Ke, G. et al. (2017). LightGBM: a highly efficient gradient boosting decision tree. NIPS 30.
    Geurts, P., Ernst, D., Wehenkel, L. (2006). Extremely randomized trees. Machine Learning 63.
    https://doi.org/10.1007/s10994-006-6226-1
    Lou, Y., Caruana, R., Gehrke, J., Hooker, G. (2013). Accurate intelligible models with pairwise
    interactions. KDD. https://doi.org/10.1145/2487575.2487579

    Examples
    --------
    >>> import pandas as pd
    >>> from clientscore.additive import encode, fit_bins, learn_boosted
    >>> X = pd.DataFrame({"dpd_max_3m": np.tile([0.0, 0.0, 0.0, 45.0], 100)})
    >>> y = (X["dpd_max_3m"] > 30) & (np.arange(400) % 3 > 0)
    >>> bins = fit_bins(X)
    >>> card, report = learn_boosted(encode(bins, X), bins, y, random_state=0)
    >>> bool(card.decision_one({"dpd_max_3m": 45.0}) > card.decision_one({"dpd_max_3m": 0.0}))
    True
    """
    check_option("objective", objective, Objective)
    check_integer("n_bags", n_bags, low=1)
    check_integer("max_rounds", max_rounds, low=1)
    check_integer("min_rows_leaf", min_rows_leaf, low=1)
    check_interval("learning_rate", learning_rate, low=0, high=1, closed="high")
    check_interval("valid_share", valid_share, low=0, high=0.5, closed="high")
    check_interval("feature_fraction", feature_fraction, low=0, high=1, closed="high")
    settings = BoostSettings(
        max_rounds=max_rounds,
        learning_rate=learning_rate,
        feature_fraction=feature_fraction,
        min_rows_leaf=min_rows_leaf,
        monotone=monotone_signs(monotone, bins, objective),
        random_splits=random_splits,
    )
    learner = Learner(
        codes, tuple(bins), y, objective, tuple(outputs), sample_weight, groups, settings.monotone
    )
    rng = np.random.default_rng(random_state)
    return learner.learn(settings, interactions, n_bags, valid_share, rng, deeper=deeper)
