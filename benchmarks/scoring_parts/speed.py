"""Bars 3 and 4: CPU seconds of fits and scores, medians of 3, every ratio within one run on one thread."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

import clientscore as cs
from clientscore.additive import AdditiveCard, Term, fit_bins, learn_woe
from common import SEED
from common.timing import Line, at_most, cpu

from .peers import fit_bags, lightgbm_settings, run_ebm

if TYPE_CHECKING:
    from .folds import LabelledSet

BLOCK = 16_384
N_FEATURES, N_EDGES, N_PAIRS = 40, 40, 100
EBM_SETS = ("german", "bank_churners")  # where EBM's default finishes in a few minutes


# ---- fits ------------------------------------------------------------------------------------------------


def synthetic(rows: int, columns: int = 20) -> tuple[pd.DataFrame, np.ndarray]:
    """Return numbers with 5 % missing in half the columns, and about 8 % bads from additive log-odds."""
    generator = np.random.default_rng(SEED)
    values = generator.standard_normal((rows, columns))
    bent = np.where(np.arange(columns) % 2, values, np.abs(values) - 0.8)
    log_odds = -2.9 + bent @ np.linspace(0.05, 0.5, columns)
    values[generator.random(values.shape) < 0.05 * (np.arange(columns) < columns // 2)] = np.nan
    y = (generator.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return pd.DataFrame(values, columns=[f"x{j}" for j in range(columns)]), y


def woe_lines(rows: int) -> list[Line]:
    """Time the fit of `woe` and of optbinning, and compare information values on the same edges."""
    from optbinning import BinningProcess, Scorecard  # noqa: PLC0415 - only the environment of peers has it

    X, y = synthetic(rows)
    whole = y.astype(int)

    def peer() -> None:
        bins = BinningProcess(list(X), n_jobs=1)
        Scorecard(bins, LogisticRegression(max_iter=1000)).fit(X, whole)

    ours, theirs = cpu(lambda: cs.ClientScorer(method="woe", random_state=0).fit(X, y), peer)
    values = [information_pair(X[name], y) for name in X]
    least = min(one / other for one, other in values)
    where = f"{rows:,} x {X.shape[1]}"
    return [
        Line(f"optbinning, fit of {where}", theirs, "s"),
        Line(f"`woe`, fit of {where}", ours, "s"),
        at_most("`woe` / optbinning", ours / theirs, 0.2),
        Line(
            f"least information value / optbinning's on the same edges, {len(values)} features",
            least,
            "x",
            "at least 1",
            least >= 1 - 1e-9,
        ),
    ]


def information_pair(x: pd.Series, y: np.ndarray) -> tuple[float, float]:
    """Return information values of `woe` and of optbinning, both merging the same prebins of known rows.

    Both get at most 8 bins of at least 5 % of the rows, monotone; optbinning gets the better direction.
    """
    from optbinning import OptimalBinning  # noqa: PLC0415 - as above

    known = x.notna().to_numpy()
    frame, target = x[known].to_frame().reset_index(drop=True), y[known]
    values = frame.iloc[:, 0].to_numpy()
    prebins = inner_edges(fit_bins(frame, max_bins=20)[0].edges, values)
    card, _ = learn_woe(frame, target, monotone="auto", max_prebins=20, max_bins=8, min_share=0.05)
    ours = inner_edges(card.bins[0].edges, values)
    if not set(ours) <= set(prebins):
        raise ValueError(f"{x.name}: `woe` did not start from the prebins of fit_bins(max_bins=20).")
    theirs = []
    for trend in ("ascending", "descending"):
        peer = OptimalBinning(
            x.name, user_splits=prebins, monotonic_trend=trend, max_n_bins=8, min_bin_size=0.05
        )
        peer.fit(values, target.astype(int))
        theirs.append(information_value(values, target, list(peer.splits)))
    return information_value(values, target, ours), max(theirs)


def inner_edges(edges: tuple[float, ...], values: np.ndarray) -> list[float]:
    """Leave out edges with no row on one side: rows for values outside the range of training."""
    return [edge for edge in edges if values.min() <= edge < values.max()]


def information_value(values: np.ndarray, y: np.ndarray, edges: list[float]) -> float:
    """Return the plain information value of intervals."""
    rows = np.searchsorted(edges, values, side="left")
    bad = np.bincount(rows, y, len(edges) + 1) / y.sum()
    good = np.bincount(rows, 1 - y, len(edges) + 1) / (1 - y).sum()
    return float(((bad - good) * np.log(np.maximum(bad, 1e-12) / np.maximum(good, 1e-12))).sum())


def ebm_lines(data: LabelledSet) -> list[Line]:
    """Time one fit of EBM's default and the median of 3 of the card's, on the first split."""
    train, test = data.splits[0]
    X, y = data.X.iloc[train], data.y[train]
    groups = None if data.groups is None else data.groups[train]
    few = data.X.iloc[test[:10]]
    (theirs,) = cpu(lambda: run_ebm(X, y, groups, few, {"parameters": {}}), repeats=1)
    (ours,) = cpu(lambda: cs.ClientScorer(random_state=0).fit(X, y, groups=groups))
    return [
        Line(f"EBM default, fit of {data.name} ({len(X):,} x {X.shape[1]}), once", theirs, "s"),
        Line(f"card, fit of {data.name}", ours, "s"),
        at_most(f"card / EBM default, {data.name}", ours / theirs, 0.1),
    ]


# ---- scores ----------------------------------------------------------------------------------------------


def big_card(pairs: int) -> tuple[AdditiveCard, pd.DataFrame]:
    """Return a card of 40 features with about 40 edges each and so many pairs, and rows it was binned on."""
    generator = np.random.default_rng(SEED)
    names = [f"x{j}" for j in range(N_FEATURES)]
    sample = pd.DataFrame(generator.standard_normal((20_000, N_FEATURES)), columns=names)
    bins = fit_bins(sample, max_bins=N_EDGES + 1)
    rows = {one.name: one.n_rows for one in bins}
    terms = [Term((name,), generator.normal(0, 0.2, (rows[name], 1))) for name in names]
    both = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    for place in generator.permutation(len(both))[:pairs]:
        a, b = both[place]
        terms.append(Term((a, b), generator.normal(0, 0.05, (rows[a], rows[b], 1))))
    return AdditiveCard(("bad",), (-3.0,), bins, tuple(terms)), sample


def bare_loop(card: AdditiveCard, X: pd.DataFrame) -> np.ndarray:
    """Score with the least that numpy needs: count edges below x, take from tables, block by block.

    No missing values, no checks, no index: the floor that the library is compared with.
    """
    columns = {one.name: j for j, one in enumerate(card.bins)}
    mains = [
        (columns[term.features[0]], term.values[:, 0].copy())
        for term in card.terms
        if len(term.features) == 1
    ]
    pairs = [
        (columns[term.features[0]], columns[term.features[1]], term.values.shape[1], term.values.ravel())
        for term in card.terms
        if len(term.features) == 2
    ]
    arrays = [X[one.name].to_numpy() for one in card.bins]
    edges = [one.edges for one in card.bins]
    total = np.empty(len(X))
    for start in range(0, len(X), BLOCK):
        rows = slice(start, min(start + BLOCK, len(X)))
        total[rows] = _bare_block(card.intercept[0], [x[rows] for x in arrays], edges, mains, pairs)
    return total


def _bare_block(
    intercept: float,
    block: list[np.ndarray],
    edges: list[tuple[float, ...]],
    mains: list[tuple[int, np.ndarray]],
    pairs: list[tuple[int, int, int, np.ndarray]],
) -> np.ndarray:
    n = len(block[0])
    codes, flag = np.zeros((len(block), n), dtype=np.uint8), np.empty(n, dtype=bool)
    for x, cuts, code in zip(block, edges, codes, strict=True):
        for edge in cuts:
            np.less(edge, x, out=flag)
            np.add(code, flag.view(np.uint8), out=code)
    total = np.full(n, intercept)
    for j, values in mains:
        total += values.take(codes[j])
    wide = codes.astype(np.int16)  # cells of a pair fit, and multiplying small numbers is cheaper
    for a, b, width, values in pairs:
        place = wide[a] * np.int16(width)
        place += wide[b]
        total += values.take(place)
    return total


def kernel_lines(rows: int) -> list[Line]:
    """Time `card.decision` against the bare loop, without and with 100 pairs, and 400 trees of 31 leaves."""
    generator = np.random.default_rng(SEED + 1)
    lines = []
    for pairs in (0, N_PAIRS):
        card, sample = big_card(pairs)
        X = pd.DataFrame(generator.standard_normal((rows, N_FEATURES)), columns=list(sample))
        X = X.clip(sample.min(), sample.max(), axis=1)
        if not np.allclose(bare_loop(card, X.head(1000)), card.decision(X.head(1000)), atol=1e-9):
            raise ValueError("The bare loop and the card disagree.")
        bare, ours = cpu(lambda: bare_loop(card, X), lambda: card.decision(X))  # noqa: B023 - run here
        what = f"{rows:,} x {N_FEATURES} x {N_EDGES} edges, {pairs} pairs"
        lines.append(Line(f"bare loop, {what}", bare, "s"))
        lines.append(Line(f"`card.decision`, {what}", ours, "s"))
        lines.append(at_most(f"card / bare loop, {pairs} pairs", ours / bare, 1.3))
    trees = _many_trees(sample, X.head(rows // 20)) * 20
    lines.append(Line(f"400 trees of 31 leaves, {rows // 20:,} rows, scaled to {rows:,}", trees, "s"))
    lines.append(Line(f"400 trees / card with {N_PAIRS} pairs", trees / ours, "x"))
    return lines


def _many_trees(sample: pd.DataFrame, X: pd.DataFrame) -> float:
    """Return the CPU seconds of scoring with 400 trees of 31 leaves, fitted on noise around a sum."""
    generator = np.random.default_rng(SEED)
    y = (sample.sum(axis=1) + 3 * generator.standard_normal(len(sample)) > 6).astype(int)
    settings = {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 1}
    settings |= {"min_data_in_leaf": 20, "learning_rate": 0.02}
    booster = lgb.train(settings, lgb.Dataset(sample, y), num_boost_round=400)
    return cpu(lambda: booster.predict(X, raw_score=True, num_threads=1))[0]


def us_lines(data: LabelledSet, rows: int) -> list[Line]:
    """Time points, reasons and one row of the card of a target of the listed companies, and its trees."""
    train, test = data.splits[-1]
    X, y, groups = data.X.iloc[train], data.y[train], data.groups[train]
    scorer = cs.ClientScorer(random_state=0).fit(X, y, groups=groups)
    boosters = fit_bags(X, y, groups, lightgbm_settings(*data.X.shape))
    many = data.X.iloc[np.resize(test, rows)].reset_index(drop=True)

    def trees() -> None:
        for booster in boosters:
            booster.predict(many, raw_score=True, num_threads=1)

    points, reasons, forest = cpu(lambda: scorer.points(many), lambda: scorer.reasons(many), trees)
    pairs = sum(len(term.features) == 2 for term in scorer.card_.terms)
    count = sum(booster.num_trees() for booster in boosters)
    single = cs.ClientScorer(random_state=0, interactions=0).fit(X, y, groups=groups)
    what = f"{data.name}, {rows:,} rows"
    return [
        Line(f"points, {what}, {len(scorer.card_.scored_features)} features, {pairs} pairs", points, "s"),
        Line(f"bagged lightgbm, {what}, {count} trees", forest, "s"),
        Line(
            f"bagged lightgbm / points, {data.name}",
            forest / points,
            "x",
            "at least 10",
            forest / points >= 10,
        ),
        at_most(f"reasons / points, {data.name}", reasons / points, 1.5),
        *one_row_lines(scorer, many, data.name),
        *one_row_lines(single, many, f"{data.name} without pairs"),
    ]


def one_row_lines(scorer: cs.ClientScorer, X: pd.DataFrame, name: str) -> list[Line]:
    """Return one row with reasons beside the bisect loop over the same card."""
    one, bare = one_row(scorer, X.head(300))
    return [
        Line(f"one row with reasons, {name}", one * 1e6, "us"),
        Line(f"one row, plain bisect loop over {len(scorer.card_.terms)} terms", bare * 1e6, "us"),
        at_most(f"one row with reasons / plain bisect loop, {name}", one / bare, 3),
    ]


def one_row(scorer: cs.ClientScorer, X: pd.DataFrame) -> tuple[float, float]:
    """Return CPU seconds a row of `score_one` and of a plain bisect loop over the same card."""
    card = scorer.card_
    rows = X.to_dict("records")
    edges = [(one.name, one.edges, one.missing_code) for one in card.bins]
    mains = [(t.features[0], t.values[:, 0].tolist()) for t in card.terms if len(t.features) == 1]
    pairs = [(*t.features, t.values[:, :, 0].tolist()) for t in card.terms if len(t.features) == 2]

    def plain(values: dict[str, float]) -> float:
        codes = {
            name: bisect_left(cuts, values[name]) if values[name] == values[name] else missing
            for name, cuts, missing in edges
        }
        total = card.intercept[0]
        for name, table in mains:
            total += table[codes[name]]
        for first, second, table in pairs:
            total += table[codes[first]][codes[second]]
        return total

    scorer.score_one(rows[0])
    ours, bare = cpu(
        lambda: [scorer.score_one(row) for row in rows], lambda: [plain(row) for row in rows], repeats=5
    )
    return ours / len(rows), bare / len(rows)
