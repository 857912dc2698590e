"""Plots and the tables behind them: incidence over time, shapes of drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from clientscore._axes import axes
from clientscore._checks import check_columns, check_integer, check_interval, did_you_mean
from clientscore._words import cause_in_words
from clientscore.catalogue import in_words
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.hazard import check_target, client_numbers
from clientscore.metrics import aalen_johansen, encode_events

from ._shapes import own_effects, row_shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from clientscore.additive import FeatureBins

    from ._model import ChurnModel

    Floats = NDArray[np.float64]

_BLOCK = 65_536  # rows predicted at a time


def compute_incidence_curves(
    model: ChurnModel,
    X: pd.DataFrame,
    target: pd.DataFrame | None = None,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
    n_bootstrap: int = 200,
    random_state: int = 0,
) -> pd.DataFrame:
    """Compute the mean predicted incidence of a population by cause and period, beside what happened.

    What happened is the Aalen-Johansen estimate of the same rows with a pointwise percentile interval from a
    bootstrap of whole clients.  Where the mean curve leaves the band, the model is off in level for that
    cause and period.

    Parameters
    ----------
    model : ChurnModel
        A fitted model.
    X : DataFrame of shape (n, n_features)
        Features of the population.
    target : DataFrame of shape (n, 2), default None
        Columns duration and event, on the index of `X`; None: predictions alone.
    groups : array-like of shape (n,), default None
        Client of each row; None: level ``client_id`` of the index where there is one.
    level : float, default 0.95
        Coverage of the band at each period, in (0, 1).
    n_bootstrap : int, default 200
        Bootstrap samples of clients.
    random_state : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One line a cause and period (from 1 to the longest horizon): cause, period, predicted, observed,
        lower, upper (fractions; the last three missing without a target and past the last duration).

    Raises
    ------
    DataError
        `target` is not on the index of `X`, or there is no row.

    References
    ----------
    Aalen and Johansen (1978), Scandinavian Journal of Statistics 5(3), 141-150.
    """
    check_is_fitted(model, "hazard_")
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    check_integer("n_bootstrap", n_bootstrap, low=1)
    if not len(X):
        raise DataError("X must have at least one row; got none.")
    periods = list(range(1, int(model.hazard_.reach_) + 1))
    total = np.zeros((len(periods), len(model.causes_)))
    for start in range(0, len(X), _BLOCK):
        total += model.hazard_.predict_incidence(X.iloc[start : start + _BLOCK], periods).sum(axis=0)
    observed = lower = upper = np.full(total.shape, np.nan)
    if target is not None:
        check_target(X, target, ["duration", "event"])
        causes = model.causes_ if model.causes is None else model.causes
        event = encode_events(target["event"], causes)[0]
        rng = np.random.default_rng(random_state)
        weights = _client_weights(client_numbers(X, groups), n_bootstrap, rng)
        observed, *samples = _observed(target["duration"], event, model, periods, weights)
        tail = (1.0 - level) / 2.0
        lower, upper = np.quantile(samples, [tail, 1.0 - tail], axis=0)
    return pd.DataFrame(
        {
            "cause": pd.Series(np.repeat(model.causes_, len(periods)), dtype="str"),
            "period": np.tile(periods, len(model.causes_)),
            "predicted": (total / len(X)).T.ravel(),
            "observed": observed.T.ravel(),
            "lower": lower.T.ravel(),
            "upper": upper.T.ravel(),
        }
    )


def _client_weights(
    clients: NDArray[np.int64], n_bootstrap: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield the weight of every row: 1 each, then how often its client is drawn in each sample."""
    yield np.ones_like(clients)
    n = int(clients.max()) + 1
    for _ in range(n_bootstrap):
        yield np.bincount(rng.integers(0, n, n), minlength=n)[clients]


def _observed(
    duration: pd.Series,
    event: NDArray[np.int64],
    model: ChurnModel,
    periods: list[int],
    weights: Iterator[NDArray[np.int64]],
) -> Iterator[Floats]:
    """Yield the Aalen-Johansen incidence for each weight of the rows: shape (periods, causes)."""
    names = dict(enumerate(model.causes_, start=1))
    # Rows that agree count as one, so that a sample costs little more than a count.
    cells, cell = np.unique(np.column_stack([duration, event]), axis=0, return_inverse=True)
    for weight in weights:
        mass = np.bincount(cell.ravel(), weights=weight, minlength=len(cells))
        curves = aalen_johansen(cells[:, 0], cells[:, 1], horizons=periods, causes=names, weight=mass)
        yield np.asarray(curves[list(model.causes_)], dtype=np.float64)


def plot_incidence_curves(curves: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the curves of `compute_incidence_curves`: predicted as lines, observed as dots in their band.

    Parameters
    ----------
    curves : DataFrame
        As from `compute_incidence_curves`.
    ax : Axes, default None
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
    """
    check_columns(curves.columns, ["cause", "period", "predicted"], subject="curves")
    ax = axes(ax, "plot_incidence_curves")
    for cause, part in curves.groupby("cause", sort=False):
        (line,) = ax.plot(part["period"], part["predicted"], label=cause_in_words(str(cause)))
        if "observed" in part and part["observed"].notna().any():
            color = line.get_color()
            ax.fill_between(part["period"], part["lower"], part["upper"], color=color, alpha=0.15, lw=0)
            ax.plot(part["period"], part["observed"], "o", ms=3, color=color)
    ax.set(xlabel="period", ylabel="cumulative incidence", ylim=(0, None))
    ax.legend(frameon=False, title="lines predicted, dots observed")
    return ax


def compute_driver_shape(model: ChurnModel, feature: str) -> pd.DataFrame:
    """Compute a feature's own effect on each cause, row by row of the card, averaged over periods.

    Pairs with other features are not part of it; their mean over the training book is 0.

    Parameters
    ----------
    model : ChurnModel
        A fitted model.
    feature : str
        A feature of the model.

    Returns
    -------
    DataFrame
        One line a cause and row: feature, cause, row (its label), low and high (ends of an interval, missing
        for levels and missing values), log_odds (above the average), share (of the training weight, missing
        where the feature has no table of its own). Rows that training never met are left out; causes with a
        constant hazard have no line.

    Raises
    ------
    InvalidParameterError
        The model does not have the feature.
    """
    check_is_fitted(model, "hazard_")
    names = [str(name) for name in model.feature_names_in_]
    if feature not in names:
        raise InvalidParameterError(
            f"feature must be a feature of the model; got {feature!r}.{did_you_mean(str(feature), names)}"
        )
    columns = ["feature", "cause", "row", "low", "high", "log_odds", "share"]
    card = model.hazard_.card_
    if card is None or feature not in card.features:
        return pd.DataFrame(columns=columns)
    bins = card.bins[card.features.index(feature)]
    rows = [row for row in range(bins.n_rows) if row not in bins.declared]
    nothing = np.zeros((bins.n_rows, len(card.outputs)))
    values = own_effects(card, int(model.hazard_.reach_)).get(feature, nothing)[rows]
    share = row_shares(card).get(feature, np.full(bins.n_rows, np.nan))[rows]
    low, high = _ends(bins)
    labels = np.array(bins.labels(), dtype=object)[rows]
    n_causes = len(card.outputs)
    return pd.DataFrame(
        {
            "feature": pd.Series([feature] * len(rows) * n_causes, dtype="str"),
            "cause": pd.Series(np.repeat(card.outputs, len(rows)), dtype="str"),
            "row": pd.Series(np.tile(labels, n_causes), dtype="str"),
            "low": np.tile(low[rows], n_causes),
            "high": np.tile(high[rows], n_causes),
            "log_odds": values.T.ravel(),
            "share": np.tile(share, n_causes),
        },
        columns=columns,
    )


def _ends(bins: FeatureBins) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of each row in range, missing for all other rows."""
    low, high = np.full(bins.n_rows, np.nan), np.full(bins.n_rows, np.nan)
    if bins.bounded:
        inner = slice(1, bins.n_values - 1)
        low[inner], high[inner] = (bins.least, *bins.edges[1:-1]), bins.edges[1:]
    return low, high


def plot_driver_shape(shape: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the shape of `compute_driver_shape`: steps for numbers, dots for levels and missing values.

    Parameters
    ----------
    shape : DataFrame
        As from `compute_driver_shape`, of one feature.
    ax : Axes, default None
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
    """
    check_columns(shape.columns, ["feature", "cause", "row", "low", "high", "log_odds"], subject="shape")
    ax = axes(ax, "plot_driver_shape")
    if not len(shape):
        raise DataError("shape has no line to draw: no cause of the model has a table.")
    numbers = shape["low"].notna()
    span = shape["high"].max() - shape["low"].min() if numbers.any() else 0.0
    for cause, part in shape.groupby("cause", sort=False):
        label = cause_in_words(str(cause))
        steps = part[part["low"].notna()].sort_values("low")
        if len(steps):
            edges = np.append(steps["low"].to_numpy(), steps["high"].to_numpy()[-1])
            (line,) = ax.plot(
                edges,
                np.append(steps["log_odds"], steps["log_odds"].iloc[-1]),
                drawstyle="steps-post",
                label=label,
            )
            others = part[part["low"].isna()]
            at = np.full(len(others), shape["high"].max() + 0.06 * (span or 1.0))
            ax.plot(at, others["log_odds"], "D", ms=4, color=line.get_color())
        else:
            ax.plot(part["row"], part["log_odds"], "o", label=label)
    if numbers.any() and (~numbers).any():
        ax.text(
            shape["high"].max() + 0.06 * (span or 1.0),
            0.01,
            "missing",
            ha="center",
            va="bottom",
            transform=ax.get_xaxis_transform(),
            fontsize="small",
        )
    ax.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    feature = str(shape["feature"].iloc[0])
    ax.set(xlabel=in_words(feature), ylabel="log odds of leaving, against the average")
    ax.legend(frameon=False)
    return ax
