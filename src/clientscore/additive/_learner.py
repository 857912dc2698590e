"""The data of one call of learn_boosted, and its steps: train, fold, purify, shorten, report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError

from ._bagged import BaggedTable, CardTables, card_bags
from ._bags import Design, held_folds, train_bags
from ._card import AdditiveCard
from ._fold import Fold
from ._garrote import HeldOut, pointwise_loss, rescale, standard_error
from ._purify import cell_weights, purify_pair
from ._report import BoostReport, base_loss, mean_loss
from ._rules import check_target, check_weight, fixed_pairs
from ._term import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._bags import Bag, BoostSettings
    from ._bins import FeatureBins
    from ._card_data import Link
    from ._fold import Pair
    from ._garrote import Rescaling

Objective = Literal["binary", "multiclass", "regression"]
Shorten = Literal["keep", "rescale", "drop"]

_LINKS: dict[str, Link] = {"binary": "logit", "multiclass": "multilogit", "regression": "identity"}
_COUNT_ROWS = 50_000  # rows that weigh the cells of a pair
_AUTO_PAIRS = 400  # beyond this many pairs "auto" screens them on one bag
_AUTO_SPREAD = 0.01  # without held-out rows "auto" drops tables whose joint spread is below this share
_REFIT_PAIRS = 20  # pairs of the shorter card that "auto" trains anew and compares
_GARROTE_ROWS = 20  # fewest bads, and goods, held out for the garrote to learn from
_TRIAL_BAGS = 2  # bags that try deeper trees
_DEEP, _DEEP_LEAVES = 4, 8  # depth and leaves of those
_NOISE_ROWS = 4_000  # rows that weigh how far bags lie apart
_GARROTE_VALUES = 40_000_000  # most values held in memory at once; fewer rows beyond


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
            if (self.groups < 0).any():
                raise DataError(
                    f"groups must name a client in every row; {int((self.groups < 0).sum())} are missing."
                )
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
        interactions: Any,
        n_bags: int,
        valid_share: float,
        rng: np.random.Generator,
        *,
        deeper: bool = False,
    ) -> tuple[AdditiveCard, BoostReport]:
        """Train the bags, choosing pairs and depth first where that is asked, and make the card of them."""
        held = held_folds(self.y, self.groups, n_bags, valid_share, rng)
        seeds = [int(seed) for seed in rng.integers(2**31 - 1, size=n_bags)]
        self.draw_sample(rng)
        limit = self._pair_limit(interactions)
        fixed = fixed_pairs(interactions, self.bins)
        if fixed is not None:
            settings = replace(settings, pairs=fixed, depth=settings.depth if fixed else 1)
        bags: list[Bag] = []
        screened = False
        if limit is not None:
            bags = train_bags(self.design, held[:1], settings, seeds[:1])
            chosen = self._strongest(self._fold(bags), limit)
            if chosen is not None:
                settings, bags, screened = replace(settings, pairs=chosen), [], True
        if deeper and settings.depth > 1 and self.objective != "multiclass":
            settings, bags = self._deeper(settings, bags, held, seeds)
        bags += train_bags(self.design, held[len(bags) :], settings, seeds[len(bags) :])
        if limit is not None and interactions != "auto" and not screened:
            # The first bag stopped before it met so many pairs; the others may have met more.
            chosen = self._strongest(self._fold(bags), limit)
            if chosen is not None:
                bags, screened = train_bags(self.design, held, replace(settings, pairs=chosen), seeds), True
        if interactions == "auto":
            found = self._or_refit(self.finish(bags, "drop", screened=screened), settings, held, seeds)
        else:
            shorten: Shorten = "keep" if interactions == "all" else "rescale"
            found = self.finish(bags, shorten, screened=screened)
        return found[0], replace(found[1], depth=settings.depth)

    def _deeper(
        self,
        settings: BoostSettings,
        bags: list[Bag],
        held: Sequence[NDArray[np.bool_]],
        seeds: Sequence[int],
    ) -> tuple[BoostSettings, list[Bag]]:
        """Return deeper settings and the first bags with them, where those are clearly better.

        The trial is judged on the rows that the bags held out: better by more than one standard error.
        """
        n = min(_TRIAL_BAGS, len(held))
        shallow = bags + train_bags(self.design, held[len(bags) : n], settings, seeds[len(bags) : n])
        pairs = settings.pairs or tuple(self._fold(shallow).pairs)
        if not pairs or not any(len(bag.held) for bag in shallow):
            return settings, shallow
        deep = replace(settings, depth=_DEEP, leaves=_DEEP_LEAVES, pairs=pairs)
        trial = train_bags(self.design, held[:n], deep, seeds[:n])
        rows, _ = _entries(shallow)
        if self._is_lower(self._raw(trial)[:, 0], self._raw(shallow)[:, 0], rows):
            return deep, trial
        return settings, shallow

    def _or_refit(
        self,
        found: tuple[AdditiveCard, BoostReport],
        settings: BoostSettings,
        held: Sequence[NDArray[np.bool_]],
        seeds: Sequence[int],
    ) -> tuple[AdditiveCard, BoostReport]:
        """Return the card found, or one of the strongest pairs alone where that is clearly better.

        The held-out rows had a say in which pairs are strongest, so that a gain within one standard error
        (by client) counts for nothing.
        """
        report = found[1]
        if report.curve is None or len(report.pairs) <= _REFIT_PAIRS:
            return found
        place = {one.name: j for j, one in enumerate(self.bins)}
        few = report.pairs[["feature_1", "feature_2"]].head(_REFIT_PAIRS).itertuples(index=False)
        pairs = tuple(sorted((place[first], place[second]) for first, second in few))
        bags = train_bags(self.design, held, replace(settings, pairs=pairs), seeds)
        other = self.finish(bags, "rescale", screened=True)
        curves = [one.curve for one in (report, other[1]) if one.curve is not None]
        refit = len(curves) == 2 and self._clearly_better(other[1], report)
        curve = pd.concat([one.assign(refit=k > 0) for k, one in enumerate(curves)], ignore_index=True)
        curve["chosen"] &= curve["refit"] == refit
        card, told = other if refit else found
        return card, replace(told, curve=curve)

    def _clearly_better(self, one: BoostReport, other: BoostReport) -> bool:
        """Return whether the out-of-bag loss of `one` is lower by more than one standard error."""
        decisions = [np.asarray(report.out_of_bag)[self.used] for report in (one, other)]
        rows = np.flatnonzero(np.isfinite(decisions).all(axis=0))
        return self._is_lower(decisions[0][rows], decisions[1][rows], rows)

    def _is_lower(self, one: NDArray[np.float64], other: NDArray[np.float64], rows: NDArray[np.intp]) -> bool:
        """Return whether decisions of some rows have a loss lower by more than one standard error."""
        losses = [pointwise_loss(decision, self.y[rows], self.objective) for decision in (one, other)]
        gain, weight = losses[1] - losses[0], self.weight[rows] / self.weight[rows].sum()
        cluster = np.arange(len(rows)) if self.groups is None else self.groups[rows]
        return float(weight @ gain) > standard_error(gain, weight, cluster)

    def _pair_limit(self, interactions: Any) -> int | None:
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
        """Return the purified sheets, what goes to the two main effects, and the mean table's spread.

        Sheets have the shape (rows, rows of the second, n_bags, n_outputs).
        """
        sheets = self._relative(fold.pair_table(pair))
        shape, extra = sheets.shape[:2], sheets.shape[2:]
        table = sheets.reshape(*shape, -1)
        live = np.ix_(self.live(pair[0]), self.live(pair[1]))
        sample = self._sample
        counts = cell_weights(self.codes[sample], pair, (shape[0], shape[1]), self.weight[sample])
        pure, rows, columns = (np.zeros_like(part) for part in (table, table[:, 0], table[0]))
        pure[live], rows[live[0].ravel()], columns[live[1].ravel()] = purify_pair(table[live], counts[live])
        self._fill_declared(pure, pair)
        first, second = (list(self.bins[j].nearest) for j in pair)
        pure = pure[first][:, second].reshape(*shape, *extra)
        mean = pure.mean(axis=2)
        spread = np.sqrt((counts[..., None] * mean**2).sum((0, 1)) / counts.sum()).max()
        return pure, rows.reshape(-1, *extra), columns.reshape(-1, *extra), float(spread)

    def _fill_declared(self, pure: NDArray[np.float64], pair: Pair) -> None:
        """Give the partner's declared rows, beside a monotone feature, the mean over the partner's clients.

        The main effect of a monotone feature need not be monotone on its own, only with a row of each
        partner; a mean over rows, the same for every value of the feature, keeps the direction.
        """
        signs = self.design.monotone or (0,) * len(self.bins)
        for axis, (own, partner) in enumerate((pair, pair[::-1])):
            if not signs[own]:
                continue
            table = pure if axis == 0 else pure.swapaxes(0, 1)
            rows, share = np.flatnonzero(self.live(own)), self.counts[partner]
            mean = np.einsum("g,fgk->fk", share / share.sum(), table[rows])
            for declared in self.bins[partner].declared:
                table[rows, declared] = mean

    def tables(self, bags: Sequence[Bag]) -> CardTables:
        """Fold the bags and purify their tables: main effects first, then pairs, each in order."""
        fold = self._fold(bags)
        intercept = self._relative(fold.constant)
        mains = {j: self._relative(sheets) for j, sheets in fold.main_tables().items()}
        pairs, spreads = [], {}
        for pair in fold.pairs:
            pure, rows, columns, spreads[pair] = self._pure_pair(fold, pair)
            pairs.append(BaggedTable.of(pair, pure))
            mains[pair[0]] = mains.get(pair[0], 0) + rows
            mains[pair[1]] = mains.get(pair[1], 0) + columns
        centered = []
        for j in sorted(mains):
            mean = np.tensordot(self.counts[j], mains[j], 1) / self.counts[j].sum()
            intercept = intercept + mean
            sheets = np.where(self.live(j)[:, None, None], mains[j] - mean, 0.0)
            centered.append(BaggedTable.of((j,), sheets[list(self.bins[j].nearest)]))
        return CardTables(intercept, [*centered, *pairs], spreads)

    def finish(
        self, bags: Sequence[Bag], shorten: Shorten, *, screened: bool
    ) -> tuple[AdditiveCard, BoostReport]:
        """Fold, purify and, where asked, shorten or rescale the bags."""
        whole = self.tables(bags)
        rows, bag = _entries(bags)
        rescaling = None
        factors = np.ones(len(whole.tables))
        if shorten != "keep" and self._can_rescale(rows, len(bags)):
            rows, bag = self._fewer(rows, bag, len(whole.tables))
            rescaling = self._rescale(whole, rows, bag, prune=shorten == "drop")
            factors = rescaling.factors
        elif shorten == "drop":
            factors = self._strong_enough(whole)
        kept = [
            table if factor == 1 else table.scaled(factor)
            for table, factor in zip(whole.tables, factors.tolist(), strict=True)
            if factor > 0
        ]
        decision = self._raw(bags) if rescaling is None else rescaling.decision[:, None]
        report = self._report(whole, factors, rows, decision)
        card = self._card(whole.intercept.mean(axis=0), kept)
        return card, replace(
            report,
            rounds=tuple(one.rounds for one in bags),
            screened=screened,
            curve=None if rescaling is None else rescaling.curve,
            bags=card_bags(whole.intercept, kept),
        )

    def _card(self, intercept: NDArray[np.float64], tables: Sequence[BaggedTable]) -> AdditiveCard:
        names = [one.name for one in self.bins]
        terms = []
        for table in tables:
            alone = len(table.place) == 1
            mass = self.counts[table.place[0]]
            share = mass / mass.sum() if alone else None
            features = tuple(names[j] for j in table.place)
            terms.append(Term(features, table.mean, share, table.deviation()))
        used = {j for table in tables for j in table.place}
        notes = [note for j in range(len(self.bins)) for note in self._notes(j, scored=j in used)]
        link = _LINKS[self.objective]
        return AdditiveCard(
            self.outputs, tuple(intercept.tolist()), self.bins, tuple(terms), link, tuple(notes)
        )

    def _notes(self, j: int, *, scored: bool) -> list[str]:
        """Return what a reader must know of a feature."""
        one, sign = self.bins[j], (self.design.monotone or (0,) * len(self.bins))[j]
        if scored:
            codes = "special codes score as missing, for a monotone number has no place for them."
            return [f"{one.name}: {codes}"] if sign and one.specials else []
        if (self.counts[j] > 0).sum() < 2:
            return [f"{one.name}: left out, no two clients differ."]
        if sign:
            way = "increasing" if sign > 0 else "decreasing"
            return [f"{one.name}: left out, {way} in it no table lowered the loss of held-out clients."]
        return [f"{one.name}: left out, no table of it was worth its place."]

    # ---- fewer terms -----------------------------------------------------------------------------------

    def _bound(self, table: BaggedTable) -> bool:
        """Return whether a term touches a monotone feature, so that it must keep its size."""
        signs = self.design.monotone
        return signs is not None and any(signs[j] for j in table.place)

    def _can_rescale(self, rows: NDArray[np.intp], n_bags: int) -> bool:
        if self.objective == "multiclass" or n_bags < 2 or len(rows) < 2 * _GARROTE_ROWS:
            return False
        bads = int((self.y[rows] > 0).sum())
        return self.objective == "regression" or min(bads, len(rows) - bads) >= _GARROTE_ROWS

    def _fewer(
        self, rows: NDArray[np.intp], bag: NDArray[np.intp], n_terms: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return a sample of the entries where all would fill the memory."""
        most = max(_GARROTE_VALUES // max(n_terms, 1), 10_000)
        if len(rows) <= most:
            return rows, bag
        chosen = np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))
        return rows[chosen], bag[chosen]

    def _rescale(
        self, whole: CardTables, rows: NDArray[np.intp], bag: NDArray[np.intp], *, prune: bool
    ) -> Rescaling:
        """Return a factor for every table; those of monotone features keep theirs at 1."""
        codes = self.codes[rows]
        offset = whole.intercept[bag, 0]
        free = [k for k, table in enumerate(whole.tables) if not self._bound(table)]
        values = np.empty((len(rows), len(free)), dtype=np.float32, order="F")
        for place, k in enumerate(free):
            values[:, place] = whole.tables[k].held(codes, bag)
        for table in whole.tables:
            if self._bound(table):
                offset = offset + table.held(codes, bag)
        _, first = np.unique(rows, return_index=True)
        fold_of = np.zeros(len(self.codes), dtype=np.intp)
        fold_of[rows[first]] = bag[first]
        cluster = np.arange(len(self.codes)) if self.groups is None else self.groups
        held = HeldOut(
            offset=offset,
            values=values,
            y=self.y[rows],
            weight=self.weight[rows],
            fold=pd.factorize(fold_of[rows])[0],
            cluster=cluster[rows],
            binary=self.objective == "binary",
            noise=self._noise([whole.tables[k] for k in free], whole),
        )
        is_pair = np.array([len(whole.tables[k].place) == 2 for k in free], dtype=bool)
        found = rescale(held, is_pair, prune=prune)
        factors = np.ones(len(whole.tables))
        factors[free] = found.factors
        bound = [len(table.place) == 2 for table in whole.tables if self._bound(table)]
        curve = found.curve.assign(
            pairs=found.curve["pairs"] + sum(bound), terms=found.curve["terms"] + len(bound), refit=False
        )
        return replace(found, factors=factors, curve=curve)

    def _noise(self, tables: Sequence[BaggedTable], whole: CardTables) -> NDArray[np.float64]:
        """Return the covariance of terms between bags, a mean over rows weighted by the loss's curvature."""
        rows = self._sample[:: max(len(self._sample) // _NOISE_ROWS, 1)]
        codes, weight = self.codes[rows], self.weight[rows] / self.weight[rows].sum()
        if self.objective == "binary":
            decision = whole.intercept.mean() + whole.sum(codes, np.ones(len(whole.tables)))[:, 0]
            p = np.exp(-np.logaddexp(0, -decision))
            weight = weight * p * (1 - p)
        total = np.zeros((len(tables), len(tables)))
        apart = np.empty((len(rows), len(tables)))
        n_bags = len(whole.intercept)
        for bag in range(n_bags):
            for place, table in enumerate(tables):
                apart[:, place] = table.apart[bag, ..., 0].reshape(-1).take(table.rows(codes))
            total += (apart * weight[:, None]).T @ apart / n_bags
        return total

    def _strong_enough(self, whole: CardTables) -> NDArray[np.float64]:
        """Return 0 for the weakest pairs while the spread of all that is dropped stays negligible, else 1."""
        free = [k for k, table in enumerate(whole.tables) if len(table.place) == 2 and not self._bound(table)]
        free.sort(key=whole.spread)
        score = whole.sum(self.codes[self._sample], np.ones(len(whole.tables)))
        limit = _AUTO_SPREAD * float(_spread(score, self.weight[self._sample]).max())
        joint = np.sqrt(np.cumsum([whole.spread(k) ** 2 for k in free]))
        factors = np.ones(len(whole.tables))
        factors[free[: int(np.searchsorted(joint, limit, side="right"))]] = 0.0
        return factors

    # ---- report ----------------------------------------------------------------------------------------

    def _raw(self, bags: Sequence[Bag]) -> NDArray[np.float64]:
        """Return the decision of every held row, one entry a row and bag: shape (n, n_outputs)."""
        return self._relative(np.concatenate([bag.raw for bag in bags]))

    def _report(
        self,
        whole: CardTables,
        factors: NDArray[np.float64],
        rows: NDArray[np.intp],
        decision: NDArray[np.float64],
    ) -> BoostReport:
        """Return the report; `decision` holds what bags say of `rows` that they did not train on."""
        width = whole.intercept.shape[-1]
        total, times = np.zeros((len(self.codes), width)), np.bincount(rows, minlength=len(self.codes))
        np.add.at(total, rows, decision)
        seen = times > 0
        mean = total[seen] / times[seen, None]
        out = np.full((self.n_rows, width), np.nan)
        out[self.used[seen]] = mean
        loss, base = np.nan, np.nan
        if seen.any():
            loss = mean_loss(self.objective, mean, self.y[seen], self.weight[seen])
            base = base_loss(self.objective, self.y[seen], self.weight[seen])
        names = [one.name for one in self.bins]
        pairs = [k for k, table in enumerate(whole.tables) if len(table.place) == 2]
        pairs.sort(key=lambda k: -whole.spread(k))
        lines = [
            (*(names[j] for j in whole.tables[k].place), whole.spread(k), factors[k], factors[k] > 0)
            for k in pairs
        ]
        codes = self.codes[self._sample]
        change = whole.sum(codes, (factors == 0).astype(float)) if not factors.all() else np.zeros((1, 1))
        weight = self.weight[self._sample] if not factors.all() else np.ones(1)
        return BoostReport(
            out_of_bag=out[:, 0] if width == 1 else out,
            rounds=(),
            loss=loss,
            base_loss=base,
            pairs=pd.DataFrame(lines, columns=["feature_1", "feature_2", "spread", "factor", "kept"]),
            dropped_spread=float(_spread(change, weight).max()),
            dropped_features=tuple(
                names[table.place[0]]
                for table, factor in zip(whole.tables, factors, strict=True)
                if factor == 0 and len(table.place) == 1
            ),
            screened=False,
        )


def _entries(bags: Sequence[Bag]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and bag of every held row."""
    rows = np.concatenate([bag.held for bag in bags])
    return rows, np.repeat(np.arange(len(bags)), [len(bag.held) for bag in bags])


def _spread(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted standard deviation of every column."""
    mean = np.average(values, axis=0, weights=weight)
    return np.asarray(np.sqrt(np.average(np.square(values - mean), axis=0, weights=weight)))
