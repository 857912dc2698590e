"""Learn a card the classical way: weight of evidence over optimal bins, then a logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from clientscore._checks import check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._bins import FeatureBins, encode
from ._card import AdditiveCard
from ._fit_bins import MOST_BINS, fit_bins
from ._logistic import fit_signed
from ._rules import check_weight, directions
from ._term import Term
from ._woe_bins import Binned, MergeRules, bin_feature
from ._woe_report import WoeReport
from ._woe_settings import Monotone, WoeSettings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._feature_rule import FeatureRule


def learn_woe(
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    rules: Mapping[str, FeatureRule] | None = None,
    monotone: Monotone | Mapping[str, str] = "auto_shape",
    otherwise: Monotone = "auto_shape",
    max_prebins: int = 50,
    max_bins: int = 12,
    min_share: float = 0.02,
    min_events: float = 0.0,
    rare_share: float = 0.01,
    interpolate: bool = False,
    penalty: float = 1.0,
) -> tuple[AdditiveCard, WoeReport]:
    """Learn a scorecard: prebins, exact optimal merging, weight of evidence, logistic regression.

    Numbers are cut into (weighted) quantile prebins, which an exact dynamic program merges into the bins of
    the largest information value under the trend, sizes and number asked for; levels of a category are
    merged in the order of their bad rate, rare ones first pooled in the row "unseen".  Missing, each special
    code, and numbers out of a given range are bins of their own with their own weight of evidence.  A feature
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
    rules : mapping of str to FeatureRule, default None
        Special codes and range of features; directions are read from `monotone`, and policies are applied by
        :meth:`AdditiveCard.with_rules`.
    monotone : {"auto", "auto_shape", "none", "increasing", "decreasing", "peak", "valley"} or mapping of \
str to one of these, default "auto_shape"
        Trend of the bad rate over a number's bins, for all features or by feature (`otherwise` for those
        not named).  A peak rises and then falls, a valley falls and then rises; either part may be empty.
        "auto" takes increasing or decreasing, "auto_shape" peak or valley, by the larger information value.
    otherwise : {"auto", "auto_shape", "none", "increasing", "decreasing", "peak", "valley"}, \
default "auto_shape"
        Trend of numbers that a mapping does not name.
    max_prebins : int, default 50
        Most prebins of a feature, 2 to 60,000.
    max_bins : int, default 12
        Most bins of a feature (missing and special codes apart), at least 2.
    min_share : float, default 0.02
        Least share of the feature's known weight in a bin, in [0, 0.5].
    min_events : float, default 0.0
        Least weight of bads, and of goods, in a bin, >= 0.
    rare_share : float, default 0.01
        Levels with less than this share of the feature's known weight share the row "unseen"; in [0, 0.5].
    interpolate : bool, default False
        Whether a number's evidence runs linearly, in rank, from the middle of each bin to that of the next,
        flat beyond the outer two.  The card holds it as steps, one a prebin, and is fitted on those steps.
    penalty : float, default 1.0
        L2 penalty on coefficients, >= 0: the objective is log loss summed over rows + penalty / 2 * |coef|^2.

    Returns
    -------
    card : AdditiveCard
        Main effects only, one output "bad", centered: each term's training mean is 0.  `notes` names every
        feature left out, and every one that a rule left with one bin.
    report : WoeReport
        Bins, information value and coefficient of every feature.

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
    >>> X = pd.DataFrame({"roa": [-0.2] * 20 + [0.1] * 20})
    >>> card, report = learn_woe(X, [1] * 10 + [0] * 10 + [1] * 2 + [0] * 18)
    >>> bool(card.decision_one({"roa": -0.2}) > card.decision_one({"roa": 0.1}))
    True
    >>> report.frame()[["feature", "bins", "trend"]].values.tolist()
    [['roa', 2, 'decreasing']]
    """
    set_up = WoeSettings(
        otherwise, max_prebins, max_bins, min_share, min_events, rare_share, interpolate, penalty
    )
    target, weight = _check_rows(X, y, sample_weight)
    limits = MergeRules(max_bins, min_share, min_events, rare_share, max_prebins, bool(interpolate))
    prebins = _prebins(X, max_prebins, None if sample_weight is None else weight, rules)
    trends = _trends(monotone, prebins, set_up.monotone)
    codes = encode(prebins, X)
    faults: list[str] = []
    binned = [
        bin_feature(one, codes[:, j], target, weight, trends[j], limits, faults)
        for j, one in enumerate(prebins)
    ]
    if faults:
        raise InvalidParameterError("A trend cannot be met. Take 'auto', or leave the feature out.", faults)
    columns = [j for j, one in enumerate(binned) if one.varies]
    design = np.ones((len(target), 1 + len(columns)))
    for place, j in enumerate(columns):
        design[:, place + 1] = binned[j].evidence[binned[j].lookup].take(codes[:, j])
    intercept, *fitted = fit_signed(design, target, weight, penalty).tolist()
    coefficients = {j: value for j, value in zip(columns, fitted, strict=True) if not np.isnan(value)}
    report = _report(binned, coefficients)
    return _card(binned, coefficients, intercept, report), report


def _prebins(
    X: pd.DataFrame,
    max_prebins: int,
    weight: NDArray[np.float64] | None,
    rules: Mapping[str, FeatureRule] | None,
) -> list[FeatureBins]:
    """Return quantile bins of numbers and all levels of categories."""
    bins = list(fit_bins(X, max_bins=max_prebins, weight=weight, rules=rules))
    places = [j for j, one in enumerate(bins) if one.kind == "category" and one.other]
    for j, one in zip(places, fit_bins(X.iloc[:, places], max_bins=MOST_BINS, weight=weight), strict=True):
        bins[j] = one
    return bins


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


def _trends(monotone: str | Mapping[str, str], bins: list[FeatureBins], otherwise: str) -> list[str]:
    if not isinstance(monotone, Mapping):
        check_option("monotone", monotone, Monotone)
        return [str(monotone)] * len(bins)
    return directions(monotone, bins, get_args(Monotone), otherwise)


def _report(binned: list[Binned], coefficients: Mapping[int, float]) -> WoeReport:
    lines = []
    for j, one in enumerate(binned):
        left_out = ""
        if not one.varies:
            left_out = f"{one.bins.name}: left out, no two bins differ."
        elif j not in coefficients:
            left_out = f"{one.bins.name}: left out, its coefficient has the wrong sign."
        lines.append(
            {
                "feature": one.bins.name,
                "bins": len(one.merged),
                "trend": one.trend,
                "iv": float(one.merged["iv"].sum()),
                "coefficient": coefficients.get(j, np.nan),
                "note": " ".join(filter(None, [one.note, left_out])),
            }
        )
    columns = ["feature", "bins", "trend", "iv", "coefficient", "note"]
    merged = pd.concat([one.merged for one in binned], ignore_index=True)
    return WoeReport(pd.DataFrame(lines, columns=columns), merged)


def _card(
    binned: list[Binned], coefficients: Mapping[int, float], intercept: float, report: WoeReport
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
    notes = tuple(note for note in report.features["note"] if note)
    return AdditiveCard(("bad",), (float(intercept),), bins, tuple(terms), "logit", notes)
