"""How much: the amount given need, its mean and its intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.additive import AdditiveCard, encode, fit_bins, learn_boosted
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_LEVELS = np.arange(1, 200) / 200.0
_MIN_AMOUNTS = 3
_MIN_CARD = 30  # fewer amounts: one mean, normal theory
_MIN_SCALE = 300  # fewer amounts: one spread for all
_MIN_GROUP = 30  # fewer calibration rows in a group: pooled
_LATEST = 500  # calibrate on the latest dates that hold this many amounts
_N_GROUPS = 3


class AmountModel:
    """Lognormal-type model of the amount given need, with conformal intervals.

    log amount = m(x) + s(x) z.  m is a card learned on log amounts, s one learned on the log of the size of
    its out-of-bag residuals.  The mean is exp(m) times a smearing factor in ratio form, sum of amounts over
    sum of exp(m) out of bag, by third of s: it keeps each third's total, where Duan's mean of exp(residual)
    falls short by a few percent because m is shrunk.  Quantiles come from the out-of-bag z of the latest
    dates, separately in thirds of s (Mondrian split conformal), so that calm and noisy clients are each
    covered; ranks carry the finite-sample correction.

    Attributes
    ----------
    card : AdditiveCard
        m, log of the amount.
    scale : AdditiveCard
        Log of the spread s.
    cuts : ndarray of shape (2,)
        Ends of the thirds of log s.
    quantiles : ndarray of shape (3, 199)
        Quantiles of z at levels .005 to .995, one row a group.
    ends : ndarray of shape (3, 2)
        z at the ends of the interval.
    smearing : ndarray of shape (3,)
        Factor from exp(m) to the mean.
    groups : DataFrame
        Index group: rows (calibration), pooled, method, smearing.
    coverage : float
        Share of amounts the interval must hold.
    """

    def __init__(
        self,
        card: AdditiveCard,
        scale: AdditiveCard,
        cuts: Floats,
        quantiles: Floats,
        ends: Floats,
        smearing: Floats,
        groups: pd.DataFrame,
        coverage: float,
    ) -> None:
        self.card = card
        self.scale = scale
        self.cuts = cuts
        self.quantiles = quantiles
        self.ends = ends
        self.smearing = smearing
        self.groups = groups
        self.coverage = coverage
        self._one_reading = card.bins == scale.bins

    @classmethod
    def fit(cls, X: pd.DataFrame, amount: Floats, clients: Ints, coverage: float, seed: int) -> AmountModel:
        """Learn from the rows with a need of known amount."""
        if len(amount) < _MIN_AMOUNTS:
            raise DataError(f"amount must be known for at least {_MIN_AMOUNTS} needs; got {len(amount)}.")
        log_amount = np.log(amount)
        bins = fit_bins(X)
        codes = encode(bins, X)
        card, fitted = _learn(codes, bins, log_amount, clients, _MIN_CARD, seed)
        residual = log_amount - fitted
        size = np.abs(residual)
        floor = max(0.05 * float(np.median(size)), 1e-6)
        scale, log_scale = _learn(codes, bins, np.log(size + floor), clients, _MIN_SCALE, seed + 1)
        z = residual / np.exp(log_scale)
        cuts = np.quantile(log_scale, [1 / 3, 2 / 3])
        if not scale.terms:
            cuts = np.array([np.inf, np.inf])
        group = np.searchsorted(cuts, log_scale, side="left")
        smearing = _smearing(amount, fitted, group)
        latest = _latest_rows(X.index)
        quantiles, ends, groups = _calibrate(z[latest], group[latest], coverage)
        groups["smearing"] = smearing
        return cls(card, scale, cuts, quantiles, ends, smearing, groups, coverage)

    def predict(self, X: pd.DataFrame, probability: Floats) -> pd.DataFrame:
        """Return amounts given need, the expected amount, and quantiles of the mixture with zero."""
        codes = self.card.encode(X)
        middle = self.card.decision_codes(codes)
        log_scale = self.scale.decision_codes(codes if self._one_reading else self.scale.encode(X))
        return pd.DataFrame(self._amounts(middle, log_scale, probability), index=X.index)

    def predict_one(self, values: Mapping[str, Any], probability: float) -> dict[str, float]:
        """Return the amounts of one client."""
        codes = self.card.codes_one(values)
        middle = np.array(self.card.decision_codes_one(codes))
        codes = codes if self._one_reading else self.scale.codes_one(values)
        log_scale = np.array(self.scale.decision_codes_one(codes))
        amounts = self._amounts(middle, log_scale, np.array([probability]))
        return {name: float(amount[0]) for name, amount in amounts.items()}

    def _amounts(self, middle: Floats, log_scale: Floats, probability: Floats) -> dict[str, Floats]:
        """Return amounts by column: the one sum behind a book and a client."""
        spread = np.exp(log_scale)
        group = np.searchsorted(self.cuts, log_scale, side="left")
        tail = (1.0 - self.coverage) / 2.0
        mean = np.exp(middle) * self.smearing[group]
        amounts = {
            "amount_lower": np.exp(middle + spread * self.ends[group, 0]),
            "amount_median": np.exp(middle + spread * self._quantile(group, np.full(len(middle), 0.5))),
            "amount_upper": np.exp(middle + spread * self.ends[group, 1]),
            "amount_mean": mean,
            "amount_expected": probability * mean,
        }
        for name, level in (("lower", tail), ("median", 0.5), ("upper", 1.0 - tail)):
            inner = (level - (1.0 - probability)) / np.maximum(probability, np.finfo(np.float64).tiny)
            value = np.exp(middle + spread * self._quantile(group, inner))
            amounts[f"mixture_{name}"] = np.where(inner > 0, value, 0.0)
        return amounts

    def _quantile(self, group: Ints, level: Floats) -> Floats:
        """Return z at a level, row by row, between the stored quantiles."""
        value = np.empty(len(level))
        for number in range(_N_GROUPS):
            rows = group == number
            value[rows] = np.interp(level[rows], _LEVELS, self.quantiles[number])
        return value

    def to_state(self) -> dict[str, Any]:
        """Return the model as dicts, lists and arrays."""
        return {
            "card": self.card.to_state(),
            "scale": self.scale.to_state(),
            "cuts": self.cuts,
            "quantiles": self.quantiles,
            "ends": self.ends,
            "smearing": self.smearing,
            "rows": self.groups["rows"].to_list(),
            "pooled": self.groups["pooled"].to_list(),
            "method": self.groups["method"].to_list(),
            "coverage": self.coverage,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> AmountModel:
        """Return the model that `to_state` wrote."""
        groups = _group_frame(state["rows"], state["pooled"], state["method"])
        groups["smearing"] = state["smearing"]
        return cls(
            AdditiveCard.from_state(state["card"]),
            AdditiveCard.from_state(state["scale"]),
            state["cuts"],
            state["quantiles"],
            state["ends"],
            state["smearing"],
            groups,
            float(state["coverage"]),
        )


def _learn(
    codes: NDArray[Any], bins: tuple[Any, ...], y: Floats, clients: Ints, least: int, seed: int
) -> tuple[AdditiveCard, Floats]:
    """Learn a card and its out-of-bag values; with fewer rows than `least` or one client, the mean."""
    mean = float(y.mean())
    if len(y) < least or len(np.unique(clients)) < least or np.ptp(y) == 0:
        return AdditiveCard(("amount",), (mean,), bins, (), "identity"), np.full(len(y), mean)
    card, report = learn_boosted(
        codes,
        bins,
        y,
        objective="regression",
        outputs=("amount",),
        groups=clients,
        n_bags=5,
        valid_share=0.2,  # five folds: every row is out of bag once
        max_rounds=400,
        learning_rate=0.1,
        random_state=seed,
    )
    return card, np.where(np.isnan(report.out_of_bag), mean, report.out_of_bag)


def _smearing(amount: Floats, fitted: Floats, group: Ints) -> Floats:
    """Sum of amounts over sum of exp(m), by group; small groups take that of all."""
    level = np.exp(fitted)
    factor = np.full(_N_GROUPS, float(amount.sum() / level.sum()))
    for number in range(_N_GROUPS):
        rows = group == number
        if rows.sum() >= _MIN_GROUP:
            factor[number] = float(amount[rows].sum() / level[rows].sum())
    return factor


def _latest_rows(index: pd.Index) -> NDArray[np.bool_]:
    """Rows of the latest dates that together hold enough amounts; all where there are no dates or too few."""
    everything = np.ones(len(index), dtype=bool)
    if "as_of" not in index.names:
        return everything
    dates = index.get_level_values("as_of")
    counts = dates.value_counts().sort_index(ascending=False).cumsum()
    enough = counts.index[counts.to_numpy() >= _LATEST]
    return np.asarray(dates >= enough[0]) if len(enough) else everything


def _calibrate(z: Floats, group: Ints, coverage: float) -> tuple[Floats, Floats, pd.DataFrame]:
    """Quantiles of z by group; groups with too few rows take those of all.

    An order statistic can bound a tail only where (n + 1) tail >= 1: fewer rows have no rank so far out, and
    their extremes would hold less than was promised.
    """
    tail = (1.0 - coverage) / 2.0
    least = max(_MIN_GROUP, int(np.ceil(1.0 / tail - 1e-9)) - 1)
    quantiles = np.empty((_N_GROUPS, len(_LEVELS)))
    ends = np.empty((_N_GROUPS, 2))
    rows, pooled, method = [], [], []
    for number in range(_N_GROUPS):
        own = z[group == number]
        rows.append(len(own))
        pooled.append(len(own) < least)
        sample = z if pooled[-1] else own
        exact = len(sample) >= least
        method.append("conformal" if exact else "normal")
        rank = _conformal if exact else _normal
        quantiles[number] = rank(sample, _LEVELS)
        ends[number] = rank(sample, np.array([tail, 1.0 - tail]))
    return quantiles, ends, _group_frame(rows, pooled, method)


def _conformal(sample: Floats, level: Floats) -> Floats:
    """Order statistics with rank (n + 1) level, rounded outwards."""
    ordered = np.sort(sample)
    rank = (len(ordered) + 1) * level
    outward = np.where(level < 0.5, np.floor(rank + 1e-9), np.ceil(rank - 1e-9))
    return ordered[np.clip(outward.astype(np.int64) - 1, 0, len(ordered) - 1)]


def _normal(sample: Floats, level: Floats) -> Floats:
    """Prediction quantiles of a normal sample of unknown mean and variance."""
    from scipy import stats  # noqa: PLC0415  slow to import, used here only

    n = len(sample)
    spread = max(float(sample.std(ddof=1)), 1e-6) * np.sqrt(1.0 + 1.0 / n)
    return np.asarray(sample.mean() + spread * stats.t.ppf(level, n - 1), dtype=np.float64)


def _group_frame(rows: list[int], pooled: list[bool], method: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {"rows": rows, "pooled": pooled, "method": method},
        index=pd.Index(["calm", "middle", "noisy"], name="group"),
    )
