"""Conformal calibration of amounts: which rows, which ranks, which groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError
from clientscore.splits import out_of_time

from .groups import AUTO, NOISE, candidate_names, named_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clientscore._words import Period

    from .groups import IntervalGroups

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

LEVELS = np.arange(1, 200) / 200.0
MIN_GROUP = 30  # fewer calibration rows in a group: pooled
_LATEST = 1000  # calibrate on the latest dates that hold this many amounts
_FOLDS = 5
_MARGIN = 0.01  # groups other than noise must narrow the interval score by this share


class Window(NamedTuple):
    """How far a label reaches: horizon and lead in periods."""

    horizon: int
    lead: int
    period: Period


class Scored(NamedTuple):
    """Calibration rows: z of each, which rows they are of all, and their clients."""

    z: Floats
    rows: Mask
    clients: Ints


class Calibration(NamedTuple):
    """Quantiles of z: (groups, 199), ends of the interval (groups, 2), and what each group rests on."""

    quantiles: Floats
    ends: Floats
    groups: pd.DataFrame


def latest_rows(index: pd.Index) -> Mask:
    """Rows of the latest dates that together hold enough amounts; all where there are no dates or too few."""
    everything = np.ones(len(index), dtype=bool)
    if "as_of" not in index.names:
        return everything
    dates = index.get_level_values("as_of")
    counts = dates.value_counts().sort_index(ascending=False).cumsum()
    enough = counts.index[counts.to_numpy() >= _LATEST]
    return np.asarray(dates >= enough[0]) if len(enough) else everything


def rows_before(index: pd.Index, latest: Mask, window: Window | None) -> Mask | None:
    """Rows whose windows had closed when the latest dates begin; None where they are fewer than those.

    A card learned on few rows would be worse than the model, and its residuals too wide.
    """
    if window is None or latest.all() or "as_of" not in index.names:
        return None
    start = index.get_level_values("as_of")[latest].min()
    try:
        before, _ = out_of_time(index, start, window.horizon, window.lead, period=window.period)
    except DataError:  # no window had closed
        return None
    return before if before.sum() >= latest.sum() else None


def least_rows(coverage: float) -> int:
    """Fewest rows that calibrate a group by rank.

    An order statistic can bound a tail only where (n + 1) tail >= 1: fewer rows have no rank so far out, and
    their extremes would hold less than was promised.
    """
    tail = (1.0 - coverage) / 2.0
    return max(MIN_GROUP, int(np.ceil(1.0 / tail - 1e-9)) - 1)


def calibrate(
    z: Floats, group: Ints, coverage: float, labels: Sequence[str], parents: Ints | None = None
) -> Calibration:
    """Quantiles of z by group; a group with too few rows takes those of its parent, or of all."""
    tail = (1.0 - coverage) / 2.0
    least = least_rows(coverage)
    quantiles, ends = np.empty((len(labels), len(LEVELS))), np.empty((len(labels), 2))
    table: dict[str, list[object]] = {"rows": [], "pooled": [], "method": [], "rows_used": []}
    for number in range(len(labels)):
        own = z[group == number]
        sample = own
        if len(sample) < least and parents is not None:
            sample = z[parents[group] == parents[number]]
        if len(sample) < least:
            sample = z
        exact = len(sample) >= least
        rank = conformal_quantiles if exact else normal_quantiles
        quantiles[number] = rank(sample, LEVELS)
        ends[number] = rank(sample, np.array([tail, 1.0 - tail]))
        method = "conformal" if exact else "normal"
        for name, value in zip(table, (len(own), len(own) < least, method, len(sample)), strict=True):
            table[name].append(value)
    return Calibration(quantiles, ends, group_frame(table, labels))


def group_frame(table: dict[str, list[object]], labels: Sequence[str]) -> pd.DataFrame:
    """Return what each group rests on, one row a group."""
    return pd.DataFrame(table, index=pd.Index(list(labels), name="group", dtype="str"))


def conformal_quantiles(sample: Floats, level: Floats) -> Floats:
    """Order statistics with rank (n + 1) level, rounded outwards."""
    ordered = np.sort(sample)
    rank = (len(ordered) + 1) * level
    outward = np.where(level < 0.5, np.floor(rank + 1e-9), np.ceil(rank - 1e-9))
    return ordered[np.clip(outward.astype(np.int64) - 1, 0, len(ordered) - 1)]


def normal_quantiles(sample: Floats, level: Floats) -> Floats:
    """Prediction quantiles of a normal sample of unknown mean and variance."""
    from scipy import stats  # noqa: PLC0415  slow to import, used here only

    n = len(sample)
    spread = max(float(sample.std(ddof=1)), 1e-6) * np.sqrt(1.0 + 1.0 / n)
    return np.asarray(sample.mean() + spread * stats.t.ppf(level, n - 1), dtype=np.float64)


def choose_groups(
    names: str | Sequence[str],
    X: pd.DataFrame,
    log_scale: Floats,
    scored: Scored,
    coverage: float,
    *,
    varies: bool,
) -> IntervalGroups:
    """Return the groups asked for; for "auto" those with the narrowest intervals for what they hold.

    Candidates are judged by the interval score of log amounts on clients that did not calibrate them, in the
    calibration rows; noise stays unless another is better by 1 %.
    """
    if names != AUTO:
        return named_groups(names, X, log_scale, varies=varies)
    best, least = named_groups(NOISE, X, log_scale, varies=varies), np.inf
    for name in candidate_names(X):
        groups = named_groups(name, X, log_scale, varies=varies)
        codes = groups.codes(X, log_scale)[scored.rows]
        score = interval_score(scored, np.exp(log_scale[scored.rows]), codes, coverage, groups.labels)
        if name == NOISE:
            least = score * (1.0 - _MARGIN)
        elif score < least:
            best, least = groups, score
    return best


def interval_score(
    scored: Scored, scale: Floats, codes: Ints, coverage: float, labels: Sequence[str]
) -> float:
    """Mean width of the intervals of log amounts, and 2 / (1 - coverage) times what lies outside.

    Each fold of clients is judged by the others.  Gneiting and Raftery (2007),
    doi:10.1198/016214506000001437, section 6.2.
    """
    z = scored.z
    fold = np.unique(scored.clients, return_inverse=True)[1] % _FOLDS
    score = np.empty(len(z))
    for k in range(_FOLDS):
        inside, out = fold != k, fold == k
        if inside.sum() < MIN_GROUP or not out.any():
            return np.inf
        low, high = calibrate(z[inside], codes[inside], coverage, labels).ends[codes[out]].T
        outside = np.maximum(low - z[out], 0.0) + np.maximum(z[out] - high, 0.0)
        score[out] = scale[out] * (high - low + 2.0 / (1.0 - coverage) * outside)
    return float(score.mean())
