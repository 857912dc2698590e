"""Learn a card by boosting: bagged trees of depth 2, folded exactly and purified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval, check_option

from ._bags import Bag, BoostSettings, Design, held_folds, train_bags
from ._card import AdditiveCard
from ._fold import Fold, Pair
from ._purify import cell_weights, purify_pair
from ._report import BoostReport, base_loss, mean_loss
from ._rules import check_target, check_weight, fixed_pairs, monotone_signs
from ._term import Term

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._bins import FeatureBins
    from ._card_data import Link

Objective = Literal["binary", "multiclass", "regression"]
Interactions = Literal["auto", "all"] | int | Sequence[tuple[str, str]]

_LINKS: dict[str, Link] = {"binary": "logit", "multiclass": "multilogit", "regression": "identity"}
_COUNT_ROWS = 50_000  # rows that weigh the cells of a pair
_AUTO_PAIRS = 400  # beyond this many pairs "auto" screens them on one bag
_AUTO_SPREAD = 0.01  # "auto" drops tables whose joint spread is below this share of the score's


def learn_boosted(
    codes: NDArray[Any],
    bins: Sequence[FeatureBins],
    y: ArrayLike,
    *,
    objective: Objective = "binary",
    outputs: Sequence[str] = ("bad",),
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_bags: int = 4,
    max_rounds: int = 1000,
    learning_rate: float = 0.05,
    valid_share: float = 0.15,
    feature_fraction: float = 0.3,
    min_rows_leaf: int = 20,
    interactions: Interactions = "auto",
    monotone: Mapping[str, str] | None = None,
    random_state: int | None = None,
) -> tuple[AdditiveCard, BoostReport]:
    """Learn a card by bagged boosting of depth 2, folded without loss.

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
    n_bags : int, default 4
        Number of bags, at least 1.
    max_rounds : int, default 1000
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
        Pairs of features allowed.  "all": every pair.  0: none.  An int K: the K pairs with the largest
        purified spread in one bag with all pairs, then a refit with those.  A list: those.  "auto": every
        pair where one bag uses at most 400, else as for K = 400; then the weakest tables are dropped while
        the spread of all that is dropped stays below about 1 % of the score's (reported; never tables of
        monotone features).
    monotone : mapping of str to {"increasing", "decreasing"}, default None
        Direction in which the decision must move with a number, all else equal; "binary" and "regression".
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
    )
    learner = Learner(
        codes, tuple(bins), y, objective, tuple(outputs), sample_weight, groups, settings.monotone
    )
    rng = np.random.default_rng(random_state)
    return learner.learn(settings, interactions, n_bags, valid_share, rng)


class Learner:
    """The data of one call of learn_boosted, and its steps."""

    def __init__(
        self,
        codes: NDArray[Any],
        bins: tuple[FeatureBins, ...],
        y: ArrayLike,
        objective: Objective,
        outputs: tuple[str, ...],
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        monotone: tuple[int, ...] | None = None,
    ) -> None:
        self.n_rows = len(codes)
        n_classes = len(outputs) + 1 if objective == "multiclass" else 1
        target = check_target(y, codes, bins, objective, n_classes)
        weight = check_weight(sample_weight, len(codes))
        self.used = np.flatnonzero(weight > 0)
        self.codes, self.weight, self.y = codes[self.used], weight[self.used], target[self.used]
        self.groups = None
        if groups is not None:
            self.groups = pd.factorize(np.asarray(groups)[self.used])[0]
        self.objective, self.outputs = objective, outputs
        counts = [
            np.bincount(self.codes[:, j], weights=self.weight, minlength=one.n_rows)
            for j, one in enumerate(bins)
        ]
        self.counts = counts
        self.bins = tuple(one.met(mass) for one, mass in zip(bins, counts, strict=True))
        self.design = Design(self.bins, self.codes, self.y, self.weight, objective, n_classes, monotone)

    def learn(
        self,
        settings: BoostSettings,
        interactions: Interactions,
        n_bags: int,
        valid_share: float,
        rng: np.random.Generator,
    ) -> tuple[AdditiveCard, BoostReport]:
        """Train the bags, choosing pairs first where that is asked, and make the card of them."""
        held = held_folds(self.y, self.groups, n_bags, valid_share, rng)
        seeds = [int(seed) for seed in rng.integers(2**31 - 1, size=n_bags)]
        self.draw_sample(rng)
        limit = self._pair_limit(interactions)
        fixed = fixed_pairs(interactions, self.bins)
        if fixed is not None:
            settings = replace(settings, pairs=fixed, depth=2 if fixed else 1)
        bags: list[Bag] = []
        screened = False
        if limit is not None:
            bags = train_bags(self.design, held[:1], settings, seeds[:1])
            chosen = self._strongest(self._fold(bags), limit)
            if chosen is not None:
                settings, bags, screened = replace(settings, pairs=chosen), [], True
        bags += train_bags(self.design, held[len(bags) :], settings, seeds[len(bags) :])
        return self.finish(bags, settings, interactions == "auto", screened)

    def _pair_limit(self, interactions: Interactions) -> int | None:
        if interactions == "auto":
            return _AUTO_PAIRS
        if isinstance(interactions, int | np.integer) and interactions > 0:
            return int(interactions)
        return None

    def draw_sample(self, rng: np.random.Generator) -> None:
        """Choose the rows that weigh the cells of pairs."""
        n = len(self.codes)
        self._sample = np.arange(n)
        if n > _COUNT_ROWS:
            self._sample = np.sort(rng.choice(n, _COUNT_ROWS, replace=False))

    def _fold(self, bags: Sequence[Bag]) -> Fold:
        return Fold([bag.text for bag in bags], [bag.positions for bag in bags], self.design.n_classes)

    def _strongest(self, fold: Fold, limit: int) -> tuple[Pair, ...] | None:
        """Return the pairs of the largest purified spread, or None where no choice is needed."""
        if len(fold.pairs) <= limit:
            return None
        likely = sorted(fold.pairs, key=fold.pair_size, reverse=True)[: 4 * limit]
        spread = {pair: self._pure_pair(fold, pair)[3] for pair in likely}
        return tuple(sorted(sorted(likely, key=lambda pair: -spread[pair])[:limit]))

    def live(self, j: int) -> NDArray[np.bool_]:
        """Return which rows of a feature are learned, not declared."""
        live = np.ones(self.bins[j].n_rows, dtype=bool)
        live[list(self.bins[j].declared)] = False
        return live

    def _relative(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return outputs from raw scores: for several classes, against the reference."""
        return table[..., 1:] - table[..., :1] if self.objective == "multiclass" else table

    def _pure_pair(
        self, fold: Fold, pair: Pair
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
        """Return the purified table, what goes to the two main effects, and the table's spread."""
        table = self._relative(fold.pair_table(pair))
        live = np.ix_(self.live(pair[0]), self.live(pair[1]))
        sample = self._sample
        counts = cell_weights(self.codes[sample], pair, table.shape[:2], self.weight[sample])
        pure, rows, columns = (np.zeros_like(part) for part in (table, table[:, 0], table[0]))
        pure[live], rows[live[0].ravel()], columns[live[1].ravel()] = purify_pair(table[live], counts[live])
        spread = np.sqrt((counts[..., None] * pure**2).sum((0, 1)) / counts.sum()).max()
        first, second = (list(self.bins[j].nearest) for j in pair)
        return pure[first][:, second], rows, columns, float(spread)

    def finish(
        self, bags: Sequence[Bag], settings: BoostSettings, prune: bool, screened: bool
    ) -> tuple[AdditiveCard, BoostReport]:
        """Fold, purify and, where asked, prune the bags."""
        fold = self._fold(bags)
        intercept = self._relative(fold.constant)
        mains = {j: self._relative(table) for j, table in fold.main_tables().items()}
        pairs: dict[Pair, tuple[NDArray[np.float64], float]] = {}
        for pair in fold.pairs:
            pure, rows, columns, spread = self._pure_pair(fold, pair)
            pairs[pair] = (pure, spread)
            mains[pair[0]] = mains.get(pair[0], 0) + rows
            mains[pair[1]] = mains.get(pair[1], 0) + columns
        for j, table in mains.items():
            mean = self.counts[j] @ table / self.counts[j].sum()
            intercept = intercept + mean
            mains[j] = np.where(self.live(j)[:, None], table - mean, 0.0)[list(self.bins[j].nearest)]
        card = self._card(intercept, mains, {pair: pure for pair, (pure, _) in pairs.items()})
        spreads = {pair: spread for pair, (_, spread) in pairs.items()}
        dropped: set[Pair] = set()
        dropped_spread = 0.0
        if prune:
            card, dropped, dropped_spread = self._prune(card, spreads, settings)
        return card, self._report(bags, spreads, dropped, dropped_spread, screened)

    def _card(
        self,
        intercept: NDArray[np.float64],
        mains: Mapping[int, NDArray[np.float64]],
        pairs: Mapping[Pair, NDArray[np.float64]],
    ) -> AdditiveCard:
        names = [one.name for one in self.bins]
        terms = [
            Term((names[j],), mains[j], share=self.counts[j] / self.counts[j].sum()) for j in sorted(mains)
        ]
        terms += [Term((names[a], names[b]), pairs[a, b]) for a, b in sorted(pairs)]
        notes = tuple(
            f"{one.name}: special codes score as missing, for a monotone number has no place for them."
            for one, sign in zip(self.bins, self.design.monotone or (), strict=False)
            if sign and one.specials
        )
        link = _LINKS[self.objective]
        return AdditiveCard(self.outputs, tuple(intercept.tolist()), self.bins, tuple(terms), link, notes)

    def _prune(
        self, card: AdditiveCard, spreads: Mapping[Pair, float], settings: BoostSettings
    ) -> tuple[AdditiveCard, set[Pair], float]:
        """Drop the weakest pair tables while what is dropped stays negligible."""
        bound = {j for j, sign in enumerate(settings.monotone or ()) if sign}
        free = sorted((pair for pair in spreads if not bound & set(pair)), key=lambda pair: spreads[pair])
        codes, weight = self.codes[self._sample], self.weight[self._sample]
        score = card.decision_codes(codes).reshape(len(codes), -1)
        limit = _AUTO_SPREAD * float(_spread(score, weight).max())
        joint = np.sqrt(np.cumsum([spreads[pair] ** 2 for pair in free]))
        dropped = set(free[: int(np.searchsorted(joint, limit, side="right"))])
        gone = {frozenset(card.features[j] for j in pair) for pair in dropped}
        kept = tuple(term for term in card.terms if frozenset(term.features) not in gone)
        smaller = replace(card, terms=kept)
        change = score - smaller.decision_codes(codes).reshape(len(codes), -1)
        return smaller, dropped, float(_spread(change, weight).max()) if dropped else 0.0

    def _report(
        self,
        bags: Sequence[Bag],
        spreads: Mapping[Pair, float],
        dropped: set[Pair],
        dropped_spread: float,
        screened: bool,
    ) -> BoostReport:
        raw = np.zeros((len(self.codes), self.design.n_classes))
        times = np.zeros(len(self.codes))
        for bag in bags:
            raw[bag.held] += bag.raw
            times[bag.held] += 1
        seen = times > 0
        relative = self._relative(raw[seen] / times[seen, None])
        width = relative.shape[1]
        out = np.full((self.n_rows, width), np.nan)
        out[self.used[seen]] = relative
        loss, base = np.nan, np.nan
        if seen.any():
            loss = mean_loss(self.objective, relative, self.y[seen], self.weight[seen])
            base = base_loss(self.objective, self.y[seen], self.weight[seen])
        names = [one.name for one in self.bins]
        ranked = sorted(spreads, key=lambda pair: -spreads[pair])
        table = pd.DataFrame(
            [(names[a], names[b], spreads[a, b], (a, b) not in dropped) for a, b in ranked],
            columns=["feature_1", "feature_2", "spread", "kept"],
        )
        return BoostReport(
            out_of_bag=out[:, 0] if width == 1 else out,
            rounds=tuple(bag.rounds for bag in bags),
            loss=loss,
            base_loss=base,
            pairs=table,
            dropped_spread=dropped_spread,
            screened=screened,
        )


def _spread(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted standard deviation of every column."""
    mean = np.average(values, axis=0, weights=weight)
    return np.asarray(np.sqrt(np.average(np.square(values - mean), axis=0, weights=weight)))
