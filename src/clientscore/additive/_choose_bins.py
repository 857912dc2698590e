"""How finely numbers are cut: chosen on rows held out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._checks import check_integer
from clientscore.exceptions import InvalidParameterError

from ._bags import BoostSettings, Design, held_folds, met_bins, train_bags
from ._bins import encode
from ._fit_bins import fit_bins
from ._garrote import pointwise_loss, standard_error
from ._rules import check_outcome, check_weight, monotone_signs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._bins import FeatureBins
    from ._feature_rule import FeatureRule

# Coarse steps rank the sizes as fine ones do, in half the rounds.
_TRIAL = BoostSettings(max_rounds=1500, learning_rate=0.1, feature_fraction=0.3, min_rows_leaf=20)
_BAGS = 4
BIN_SIZES = (31, 63, 127)
_HELD_SHARE = 0.15


def choose_bins(
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    sizes: Sequence[int] = BIN_SIZES,
    max_levels: int | None = 63,
    weight: ArrayLike | None = None,
    rules: Mapping[str, FeatureRule] | None = None,
    groups: ArrayLike | None = None,
    monotone: Mapping[str, str] | None = None,
    random_state: int | None = None,
) -> tuple[tuple[FeatureBins, ...], pd.DataFrame]:
    """Cut numbers into the fewest bins that lose nothing on clients held out.

    Four bags of boosted trees of depth 2 are trained with the fewest bins, four with the most, and judged on
    the clients they hold out.  The fewest are taken unless the most are clearly better: by more than one
    standard error (of the paired difference, by client).  Then sizes between are tried as well, and the
    fewest bins taken whose loss is within one standard error of the best.

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        Numbers, booleans, text or categories; missing values allowed.
    y : array of shape (n,)
        0 or 1.
    sizes : sequence of int, default (31, 63, 127)
        Most bins of a number to try, each 2 to 60,000.  A single one needs no trial.
    max_levels : int, default 63
        Most levels of a category, whatever the size; as the size if None.
    weight : array of shape (n,), default None
        Weights >= 0; rows of weight 0 are not used.
    rules : mapping of str to FeatureRule, default None
        Special codes and range of features.
    groups : array of shape (n,), default None
        Client of each row: rows of one client are held out together.  Each row alone if None.
    monotone : mapping of str to {"increasing", "decreasing"}, default None
        Directions that the trees keep.
    random_state : int, default None
        Seed of folds and trees; None draws one.

    Returns
    -------
    bins : tuple of FeatureBins
        One a column.
    curve : DataFrame
        One line a size that makes other bins than the size before: max_bins, loss (mean over the clients held
        out), over_best, standard_error, chosen.  Figures are NaN where no trial was needed or possible.

    Raises
    ------
    InvalidParameterError
        If a parameter lies outside its rule.
    DataError
        If a column cannot be binned, or `y` or weights cannot be used.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"day_of_loan": rng.random(6000)})
    >>> y = rng.random(6000) < np.where((40 * X["day_of_loan"]).astype(int) % 2 > 0, 0.6, 0.1)
    >>> bins, curve = choose_bins(X, y, random_state=0)  # stripes that 31 bins cannot follow
    >>> curve.loc[curve["chosen"], "max_bins"].tolist()
    [127]
    """
    if not len(sizes):
        raise InvalidParameterError("sizes must name at least one number of bins; got none.")
    many: list[tuple[FeatureBins, ...]] = []
    kept: list[int] = []
    for size in sorted(set(sizes)):
        check_integer("sizes", size, low=2)
        bins = fit_bins(X, max_bins=size, max_levels=max_levels, weight=weight, rules=rules)
        if not many or bins != many[-1]:
            many.append(bins)
            kept.append(int(size))
    trial = _Trial(X, y, weight, groups, monotone, random_state)
    curve = trial.curve(many) if len(many) > 1 else _untried(len(many))
    curve.insert(0, "max_bins", kept)
    return many[int(np.flatnonzero(curve["chosen"])[0])], curve


class _Trial:
    """The rows that are held out, the same for every size."""

    def __init__(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        weight: ArrayLike | None,
        groups: ArrayLike | None,
        monotone: Mapping[str, str] | None,
        random_state: int | None,
    ) -> None:
        weight = check_weight(weight, len(X))
        self.used = np.flatnonzero(weight > 0)
        self.X, self.monotone = X, monotone
        self.y, self.weight = check_outcome(y, len(X), "binary", 1)[self.used], weight[self.used]
        self.groups = None if groups is None else pd.factorize(np.asarray(groups)[self.used])[0]
        rng = np.random.default_rng(random_state)
        self.held = held_folds(self.y, self.groups, _BAGS, _HELD_SHARE, rng)
        self.seeds = [int(seed) for seed in rng.integers(2**31 - 1, size=_BAGS)]
        watched = [out for out in self.held if out.any() and not out.all()]  # as bags are
        self.rows = np.concatenate([np.flatnonzero(out) for out in watched] or [np.empty(0, dtype=np.intp)])

    def curve(self, many: Sequence[tuple[FeatureBins, ...]]) -> pd.DataFrame:
        """Judge sets of bins, from coarse to fine; those between only where the coarsest falls short."""
        last = len(many) - 1
        found = {k: self._losses(many[k]) for k in (0, last)}
        table = self._compared(found, len(many))
        if len(many) > 2 and table["over_best"].iloc[0] > table["standard_error"].iloc[0]:
            found |= {k: self._losses(many[k]) for k in range(1, last)}
            table = self._compared(found, len(many))
        return table

    def _compared(self, found: Mapping[int, NDArray[np.float64]], n: int) -> pd.DataFrame:
        """Return the curve of `n` sizes, of which some have losses of the rows held out."""
        weight = self.weight[self.rows]
        if not weight.sum():
            return _untried(n)
        weight = weight / weight.sum()
        cluster = self.rows if self.groups is None else self.groups[self.rows]
        mean = {k: float(weight @ loss) for k, loss in found.items()}
        best = min(mean, key=lambda k: mean[k])
        table = _untried(n)
        for k, loss in found.items():
            error = standard_error(loss - found[best], weight, cluster)
            table.loc[k, ["loss", "over_best", "standard_error"]] = mean[k], mean[k] - mean[best], error
        near = table["over_best"] <= table["standard_error"]
        table["chosen"] = np.arange(n) == int(np.flatnonzero(near)[0])
        return table

    def _losses(self, bins: tuple[FeatureBins, ...]) -> NDArray[np.float64]:
        """Return the loss of every row held out."""
        codes = encode(bins, self.X.iloc[self.used])
        met = met_bins(bins, codes, self.weight)
        signs = monotone_signs(self.monotone, bins, "binary")
        design = Design(met, codes, self.y, self.weight, "binary", 1, signs)
        bags = train_bags(design, self.held, replace(_TRIAL, monotone=signs), self.seeds)
        raw = np.concatenate([bag.raw[:, 0] for bag in bags])
        return pointwise_loss(raw, self.y[self.rows], "binary")


def _untried(n: int) -> pd.DataFrame:
    """Return the curve without a trial: the coarsest is chosen."""
    unknown = np.full(n, np.nan)
    return pd.DataFrame(
        {"loss": unknown, "over_best": unknown, "standard_error": unknown, "chosen": np.arange(n) == 0}
    )
