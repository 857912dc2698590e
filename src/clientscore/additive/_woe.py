"""Learn a card the classical way: weight of evidence over optimal bins, then a logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from clientscore._checks import check_integer, check_interval, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._bins import FeatureBins, encode
from ._card import AdditiveCard
from ._fit_bins import fit_bins
from ._partition import Trend, best_partition, woe
from ._rules import check_weight, directions
from ._term import Term

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from ._feature_rule import FeatureRule

Monotone = Literal["auto", "none", "increasing", "decreasing"]

_MAX_STEPS = 50


@dataclass(frozen=True, eq=False)
class _Binned:
    """One feature: its final bins, and for each row of them the prebin rows, evidence and weight."""

    bins: FeatureBins
    lookup: NDArray[np.intp]  # row number in `bins` of every prebin row
    evidence: NDArray[np.float64]  # (rows,), 0 where training held none
    weight: NDArray[np.float64]  # (rows,)

    @property
    def varies(self) -> bool:
        return len(np.unique(self.evidence[self.weight > 0])) > 1


def learn_woe(
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    monotone: Monotone | Mapping[str, str] = "auto",
    max_prebins: int = 20,
    max_bins: int = 8,
    min_share: float = 0.05,
    penalty: float = 1.0,
    rules: Mapping[str, FeatureRule] | None = None,
    outputs: tuple[str] = ("bad",),
) -> AdditiveCard:
    """Learn a scorecard: prebins, exact optimal merging, weight of evidence, logistic regression.

    Numbers are cut into (weighted) quantile prebins, which an exact dynamic program merges into the bins of
    the largest information value under the trend, size and number asked for; levels of a category are merged
    in the order of their bad rate.  Missing is a bin of its own with its own weight of evidence.  A feature
    whose coefficient has the wrong sign (evidence of bad that lowers the log-odds) is taken out, the worst
    first, and named in the card's notes.

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        Features; missing values allowed.
    y : array of shape (n,)
        1 for bad, 0 for good; both must occur.
    sample_weight : array of shape (n,), default None
        Weights >= 0; a weight counts like that many rows.
    monotone : {"auto", "none", "increasing", "decreasing"} or mapping of str to one of these, default "auto"
        Trend of the bad rate over a number's bins, for all features or by feature ("auto" for those not
        named).  "auto" takes the direction of the larger information value.
    max_prebins : int, default 20
        Most prebins of a feature, at least 2.
    max_bins : int, default 8
        Most bins of a feature (missing apart), at least 2.
    min_share : float, default 0.05
        Least share of the feature's known weight in a bin, in [0, 0.5].
    penalty : float, default 1.0
        L2 penalty on coefficients, >= 0: the objective is log loss summed over rows + penalty / 2 * |coef|^2.
    rules : mapping of str to FeatureRule, default None
        Special codes and range of features; their policies are applied by :meth:`AdditiveCard.with_rules`.
    outputs : tuple of one str, default ("bad",)
        Name of the card's output.

    Returns
    -------
    AdditiveCard
        Main effects only, centered: each term's training mean is 0.  `notes` names every feature left out.

    Raises
    ------
    InvalidParameterError
        If a parameter lies outside its rule, or a named direction leaves one bin of a feature that has more
        without it; all are listed.
    DataError
        If `y` or weights cannot be used.

    References
    ----------
    Siddiqi, N. (2017). Intelligent Credit Scoring, 2nd ed. https://doi.org/10.1002/9781119282396
    Navas-Palencia, G. (2020). Optimal binning: mathematical programming formulation.
    https://doi.org/10.48550/arXiv.2001.08025

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"roa": [-0.2] * 20 + [0.1] * 20})
    >>> card = learn_woe(X, [1] * 10 + [0] * 10 + [1] * 2 + [0] * 18)
    >>> bool(card.decision_one({"roa": -0.2}) > card.decision_one({"roa": 0.1}))
    True
    """
    check_integer("max_prebins", max_prebins, low=2)
    check_integer("max_bins", max_bins, low=2)
    check_interval("min_share", min_share, low=0, high=0.5)
    check_interval("penalty", penalty, low=0)
    target, weight = _check_rows(X, y, sample_weight)
    weighted = None if sample_weight is None else weight
    prebins = fit_bins(X, max_bins=max_prebins, weight=weighted, rules=rules)
    trends = _trends(monotone, prebins)
    codes = encode(prebins, X)
    faults: list[str] = []
    binned = [
        _bin_feature(one, codes[:, j], target, weight, trends[j], max_bins, min_share, faults)
        for j, one in enumerate(prebins)
    ]
    if faults:
        raise InvalidParameterError("A trend cannot be met. Take 'auto', or leave the feature out.", faults)
    notes = [f"{one.bins.name}: left out, no two bins differ." for one in binned if not one.varies]
    columns = [j for j, one in enumerate(binned) if one.varies]
    design = np.empty((len(target), len(columns)))
    for place, j in enumerate(columns):
        design[:, place] = binned[j].evidence[binned[j].lookup].take(codes[:, j])
    intercept, kept = _fit_signed(design, target, weight, penalty)
    for place, j in enumerate(columns):
        if place not in kept:
            notes.append(f"{binned[j].bins.name}: left out, its coefficient has the wrong sign.")
    coefficients = {columns[place]: value for place, value in kept.items()}
    return _card(binned, coefficients, intercept, tuple(outputs), tuple(notes))


def _check_rows(
    X: pd.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    target = np.asarray(y, dtype=float)
    if target.shape != (len(X),) or not np.isin(target, (0.0, 1.0)).all():
        raise DataError(f"y must hold 0 or 1 for each of the {len(X)} rows of X.")
    weight = check_weight(sample_weight, len(X))
    for value, word in ((1.0, "bad"), (0.0, "good")):
        if not weight[target == value].sum() > 0:
            raise DataError(f"y must hold both classes with weight; no row is {word} ({value:.0f}).")
    return target, weight


def _trends(monotone: str | Mapping[str, str], bins: tuple[FeatureBins, ...]) -> list[str]:
    if not isinstance(monotone, Mapping):
        check_option("monotone", monotone, Monotone)
        return [str(monotone)] * len(bins)
    return directions(monotone, bins, get_args(Monotone), "auto")


def _bin_feature(
    prebins: FeatureBins,
    codes: NDArray[Any],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    trend: str,
    max_bins: int,
    min_share: float,
    faults: list[str],
) -> _Binned:
    """Merge the prebins of one feature and give each row its evidence."""
    bad = _mass(codes, weight * y, prebins.n_rows)
    good = _mass(codes, weight, prebins.n_rows) - bad
    order = _merge_order(prebins, good, bad)
    starts = [0]
    if len(order):
        starts = _merge(prebins, good[order], bad[order], trend, max_bins, min_share, faults)
    segment = np.zeros(len(order), dtype=np.intp)
    segment[starts[1:]] = 1
    segment = np.cumsum(segment)
    final, lookup = _final_bins(prebins, starts)
    groups = np.full(prebins.n_rows, -1)
    groups[order] = segment
    alone = np.flatnonzero(groups < 0)  # missing, and whatever training never met
    groups[alone] = len(starts) + np.arange(len(alone))
    in_good, in_bad = (_mass(groups, part, len(starts) + len(alone)) for part in (good, bad))
    evidence = woe(in_good, in_bad, float(good.sum()), float(bad.sum()))
    evidence[in_good + in_bad <= 0] = 0.0
    by_row = np.zeros(final.n_rows)
    by_row[lookup] = evidence[groups]
    return _Binned(final, lookup, by_row, _mass(lookup, good + bad, final.n_rows))


def _mass(rows: NDArray[Any], weight: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Return the weight in each row."""
    return np.bincount(rows, weights=weight, minlength=n_rows).astype(float)


def _merge_order(
    prebins: FeatureBins, good: NDArray[np.float64], bad: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the prebin rows that may be merged, in the order in which they are neighbors."""
    if prebins.kind == "number":
        inner = np.array(prebins.inner_rows, dtype=np.intp)
        return inner if (good + bad)[inner].any() else inner[:0]
    rows = np.array([row for row in range(prebins.n_rows) if row != prebins.missing_code])
    rows = rows[(good + bad)[rows] > 0]
    rate = (bad[rows] + 0.5) / (good[rows] + bad[rows] + 1)
    return np.asarray(rows[np.argsort(rate, kind="stable")])


def _merge(
    prebins: FeatureBins,
    good: NDArray[np.float64],
    bad: NDArray[np.float64],
    trend: str,
    max_bins: int,
    min_share: float,
    faults: list[str],
) -> list[int]:
    def best(direction: Trend) -> tuple[list[int], float]:
        least = min_share * float(good.sum() + bad.sum())
        return best_partition(good, bad, trend=direction, max_bins=max_bins, min_weight=least)

    if prebins.kind == "category" or trend == "none":
        return best("none")[0]
    if trend == "auto":
        return max(best("increasing"), best("decreasing"), key=lambda found: found[1])[0]
    starts = best("increasing" if trend == "increasing" else "decreasing")[0]
    if len(starts) == 1 and len(best("none")[0]) > 1:
        faults.append(f"{prebins.name!r} has no two bins with a bad rate that is {trend}.")
    return starts


def _final_bins(prebins: FeatureBins, starts: list[int]) -> tuple[FeatureBins, NDArray[np.intp]]:
    """Return the merged bins and, for every prebin row, its row in them; levels keep a row each."""
    if prebins.kind == "category":
        return prebins, np.arange(prebins.n_rows)
    first = int(prebins.bounded)  # place of the first edge between rows in range
    edges = tuple(prebins.edges[first + start - 1] for start in starts[1:])
    if prebins.bounded:
        edges = (prebins.edges[0], *edges, prebins.edges[-1])
    removed = len(prebins.edges) - len(edges)
    unmet = tuple(row - removed if row else row for row in prebins.unmet)
    final = replace(prebins, edges=edges, unmet=unmet)
    lookup = np.arange(prebins.n_rows) - removed
    inner = np.array(prebins.inner_rows, dtype=np.intp)
    lookup[:first] = 0
    lookup[inner] = first + np.searchsorted(starts, np.arange(len(inner)), side="right") - 1
    return final, lookup


def _fit_signed(
    design: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], penalty: float
) -> tuple[float, dict[int, float]]:
    """Fit the logistic regression, taking out the most negative coefficient until none is left."""
    columns = list(range(design.shape[1]))
    beta = np.zeros(len(columns) + 1)
    rate = np.average(y, weights=weight)
    beta[0] = np.log(rate / (1 - rate))
    while True:
        beta = _fit_logistic(design[:, columns], y, weight, penalty, beta)
        if not columns or beta[1:].min() >= 0:
            return float(beta[0]), dict(zip(columns, beta[1:].tolist(), strict=True))
        worst = int(beta[1:].argmin())
        columns.pop(worst)
        beta = np.delete(beta, worst + 1)


def _fit_logistic(
    design: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: float,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return intercept and coefficients of the penalized maximum likelihood, by Newton's method."""
    full = np.column_stack([np.ones(len(y)), design])
    ridge = np.full(full.shape[1], penalty + 1e-8)
    ridge[0] = 0.0

    def loss(beta: NDArray[np.float64]) -> float:
        score = full @ beta
        return float(weight @ (np.logaddexp(0, score) - y * score) + ridge @ beta**2 / 2)

    beta, current = start, loss(start)
    for _ in range(_MAX_STEPS):
        p = np.exp(-np.logaddexp(0, -(full @ beta)))
        gradient = full.T @ (weight * (y - p)) - ridge * beta
        hessian = full.T @ (full * (weight * p * (1 - p))[:, None]) + np.diag(ridge)
        hessian[0, 0] += 1e-12
        step = np.linalg.solve(hessian, gradient)
        following = loss(beta + step)
        while following > current + 1e-9 * abs(current) and np.abs(step).max() > 1e-12:
            step = step / 2
            following = loss(beta + step)
        beta, current = beta + step, following
        if np.abs(step).max() < 1e-9:
            break
    return beta


def _card(
    binned: list[_Binned],
    coefficients: Mapping[int, float],
    intercept: float,
    outputs: tuple[str, ...],
    notes: tuple[str, ...],
) -> AdditiveCard:
    terms = []
    for j, coefficient in coefficients.items():
        one = binned[j]
        share = one.weight / one.weight.sum()
        mean = float(share @ one.evidence)
        values = coefficient * (one.evidence - mean)
        values[list(one.bins.declared)] = 0.0
        values = values[list(one.bins.nearest)]
        intercept += coefficient * mean
        terms.append(Term((one.bins.name,), values[:, None], share=share))
    bins = tuple(one.bins for one in binned)
    return AdditiveCard(outputs, (float(intercept),), bins, tuple(terms), "logit", notes)
