r"""Does a ranking by effect find the clients on whom the action works: targeting curve, AUUC, Qini.

One definition everywhere.  Clients are sorted by predicted effect, the highest first; of the first share
:math:`\varphi` of all rows,

.. math:: g(\varphi) = \varphi (\bar Y_1(\varphi) - \bar Y_0(\varphi))

with the mean outcomes of the treated and the control rows among them, each weighted by one over its
probability of the arm it was in.  :math:`g` is the gain a client of the whole book when the share
:math:`\varphi` gets the action, in the outcome's unit; :math:`g(1)` is the average effect.  Among equal
predictions the curve is straight. **AUUC** is the area under :math:`g` from 0 to 1, **Qini** the area between
:math:`g` and the straight line to :math:`g(1)`, which a random order has: Qini = AUUC - g(1) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._axes import axes
from clientscore._checks import check_integer, check_interval
from clientscore.exceptions import DataError

from ._overlap import known_propensity
from ._sample import numbers, sample_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from ._sample import Sample

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class UpliftScore:
    """Qini and AUUC of a ranking, with intervals that draw whole clients.

    Parameters
    ----------
    qini, qini_lower, qini_upper : float
        Area between the targeting curve and the line of a random order, outcome's unit a client.
    auuc, auuc_lower, auuc_upper : float
        Area under the targeting curve, same unit.
    average_effect : float
        End of the curve: everybody gets the action.
    level : float
        Probability of the intervals.
    n_clients, n_bootstrap : int
        Clients, and resamples of them.
    """

    qini: float
    qini_lower: float
    qini_upper: float
    auuc: float
    auuc_lower: float
    auuc_upper: float
    average_effect: float
    level: float
    n_clients: int
    n_bootstrap: int

    def frame(self) -> pd.DataFrame:
        """Return one row a measure: measure, value, lower, upper."""
        rows = [
            {
                "measure": name,
                "value": getattr(self, name),
                "lower": getattr(self, f"{name}_lower"),
                "upper": getattr(self, f"{name}_upper"),
            }
            for name in ("qini", "auuc")
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return dict(vars(self))

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False))


def qini(
    effect: ArrayLike,
    treatment: ArrayLike,
    outcome: ArrayLike,
    *,
    propensity: ArrayLike | float | None = None,
    clients: ArrayLike | None = None,
    n_bootstrap: int = 500,
    level: float = 0.95,
    random_state: int = 0,
) -> UpliftScore:
    r"""Qini and AUUC of predicted effects, with intervals.

    Of the first share :math:`\varphi` by predicted effect, :math:`g(\varphi) = \varphi (\bar Y_1 - \bar
    Y_0)`, the gain a client of the book when that share gets the action.  AUUC is the area under :math:`g`;
    Qini is AUUC less that of a random order, :math:`g(1)/2`.  Equal predictions share a straight piece.

    Parameters
    ----------
    effect : array-like of shape (n,)
        Predicted effects of rows that were not learned from; any number that is higher where the action is
        thought to work better.
    treatment : array-like of shape (n,)
        1 with the action, 0 without.
    outcome : array-like of shape (n,)
        Any unit.
    propensity : array-like of shape (n,) or float, default None
        Probability of the action; None: the same for all.
    clients : array-like of shape (n,), default None
        Client of each row; None: each row is a client.
    n_bootstrap : int, default 500
        Resamples of clients for the percentile intervals; 0: no intervals.
    level : float, default 0.95
        Probability of the intervals, in (0, 1).
    random_state : int, default 0
        Seed of the resamples.

    Returns
    -------
    UpliftScore

    Raises
    ------
    DataError
        With all faults: an arm without rows, missing values, lengths that differ.

    References
    ----------
    Radcliffe (2007), Direct Marketing Analytics Journal, 14-21: the curve, there in counts of the treated.
    Yadlowsky, Fleming, Shah, Brunskill and Wager (2025), JASA 120, 38-51: areas by priority of treatment.

    Examples
    --------
    >>> found = qini([4, 3, 2, 1], [1, 0, 1, 0], [1, 0, 0, 0], n_bootstrap=0)
    >>> found.auuc, found.average_effect, found.qini  # gains at 1/2, 3/4 and all: 1/2, 3/8, 1/2
    (0.34375, 0.5, 0.09375)
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    check_integer("n_bootstrap", n_bootstrap, low=0)
    ranked = _ranked(effect, treatment, outcome, propensity, clients)
    share, gain = ranked.curve(np.ones(ranked.sample.n_rows))
    areas = _areas(share, gain)
    drawn = ranked.draws(n_bootstrap, random_state, lambda share, gain: np.array(_areas(share, gain)))
    low, high = _quantiles(drawn, level, 2)
    return UpliftScore(
        areas[1],
        float(low[1]),
        float(high[1]),
        areas[0],
        float(low[0]),
        float(high[0]),
        float(gain[-1]),
        level,
        ranked.sample.n_clients,
        n_bootstrap,
    )


def compute_targeting_curve(
    effect: ArrayLike,
    treatment: ArrayLike,
    outcome: ArrayLike,
    *,
    propensity: ArrayLike | float | None = None,
    clients: ArrayLike | None = None,
    n_points: int = 50,
    n_bootstrap: int = 200,
    level: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Compute what the action gains when the first share of clients by predicted effect gets it.

    Parameters
    ----------
    effect, treatment, outcome
        As for :func:`qini`.
    propensity : array-like of shape (n,) or float, default None
        Probability of the action; None: the same for all.
    clients : array-like of shape (n,), default None
        Client of each row; None: each row is a client.
    n_points : int, default 50
        Shares after 0, evenly spaced to 1.
    n_bootstrap : int, default 200
        Resamples of clients for the pointwise interval; 0: none.
    level : float, default 0.95
        Probability of the interval, in (0, 1).
    random_state : int, default 0
        Seed of the resamples.

    Returns
    -------
    DataFrame
        One row a share: share (fraction), gain (outcome's unit a client of the book), lower, upper, random
        (the line of a random order).

    Examples
    --------
    >>> table = compute_targeting_curve([4, 3, 2, 1], [1, 0, 1, 0], [1, 0, 0, 0], n_points=2, n_bootstrap=0)
    >>> table[["share", "gain", "random"]].to_numpy().tolist()
    [[0.0, 0.0, 0.0], [0.5, 0.5, 0.25], [1.0, 0.5, 0.5]]
    """
    check_integer("n_points", n_points, low=1)
    check_integer("n_bootstrap", n_bootstrap, low=0)
    ranked = _ranked(effect, treatment, outcome, propensity, clients)
    points = np.linspace(0, 1, n_points + 1)
    share, gain = ranked.curve(np.ones(ranked.sample.n_rows))
    drawn = ranked.draws(n_bootstrap, random_state, lambda share, gain: np.interp(points, share, gain))
    low, high = _quantiles(drawn, level, len(points))
    height = np.interp(points, share, gain)
    return pd.DataFrame(
        {"share": points, "gain": height, "lower": low, "upper": high, "random": points * gain[-1]}
    )


def plot_targeting_curve(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot the table of `compute_targeting_curve`.

    Parameters
    ----------
    table : DataFrame
        As computed.
    ax : Axes, default None
        Where to draw; None: new axes.

    Returns
    -------
    Axes
    """
    ax = axes(ax, "plot_targeting_curve")
    ax.plot(table["share"], table["gain"], label="by predicted effect")
    ax.fill_between(table["share"], table["lower"], table["upper"], alpha=0.2)
    ax.plot(table["share"], table["random"], linestyle="--", color="gray", label="random order")
    ax.set(xlabel="share of clients that get the action", ylabel="gain a client of the book")
    ax.legend()
    return ax


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Rows sorted once; each curve is a running sum, straight among equal predictions."""

    sample: Sample
    order: NDArray[np.intp]
    ends: NDArray[np.intp]  # last row of each group of equal predictions
    inverse: Floats  # one over the probability of the row's arm

    def curve(self, count: Floats) -> tuple[Floats, Floats]:
        """Return shares and gains from (0, 0) on, rows counted as given."""
        weight = (count * self.inverse)[self.order]
        y, t = self.sample.outcome[self.order], self.sample.treatment[self.order]

        def running(values: Floats) -> Floats:
            return np.asarray(np.cumsum(values)[self.ends])

        share = running(count[self.order]) / count.sum()
        treated, control = running(weight * t), running(weight * (1 - t))
        both = (treated > 0) & (control > 0)
        if not both.any():
            raise DataError("uplift needs rows of both arms; a resample has one arm only.")
        means = (
            running(weight * t * y)[both] / treated[both]
            - running(weight * (1 - t) * y)[both] / control[both]
        )
        return np.r_[0.0, share[both]], np.r_[0.0, share[both] * means]

    def draws(self, n: int, seed: int, measure: Any) -> Floats:
        """Return the measure of the curve on `n` resamples of clients."""
        rng = np.random.default_rng(seed)
        n_clients = self.sample.n_clients
        found = []
        for _ in range(n):
            times = np.bincount(rng.integers(0, n_clients, n_clients), minlength=n_clients).astype(np.float64)
            try:
                found.append(measure(*self.curve(times[self.sample.clients])))
            except DataError:
                continue  # one arm only: the measure is undefined there
        return np.array(found)


def _ranked(
    effect: ArrayLike,
    treatment: ArrayLike,
    outcome: ArrayLike,
    propensity: ArrayLike | float | None,
    clients: ArrayLike | None,
) -> _Ranked:
    sample = sample_of(outcome, treatment, clients, subject="uplift")
    faults: list[str] = []
    score = numbers(effect, "effect", faults)
    if len(score) != sample.n_rows:
        faults.append(
            f"effect must have {sample.n_rows} rows like outcome; got {len(score)}. Align the rows."
        )
    if faults:
        raise DataError("uplift cannot be measured on these rows.", faults)
    inverse = np.ones(sample.n_rows)
    if propensity is not None:
        chance = known_propensity(propensity, sample.n_rows)
        inverse = 1.0 / np.where(sample.treatment == 1, chance, 1 - chance)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return _Ranked(sample, order, ends, inverse)


def _areas(share: Floats, gain: Floats) -> tuple[float, float]:
    """Return AUUC and Qini."""
    area = float(((gain[1:] + gain[:-1]) / 2 * np.diff(share)).sum())
    return area, area - float(gain[-1]) / 2


def _quantiles(drawn: Floats, level: float, k: int) -> tuple[Floats, Floats]:
    if len(drawn) < 2:
        return np.full(k, np.nan), np.full(k, np.nan)
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high
