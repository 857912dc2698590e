"""Pictures of a forecast of need, and the tables behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._axes import axes
from clientscore._checks import check_columns, check_integer, check_interval
from clientscore._words import NEED
from clientscore.exceptions import DataError
from clientscore.hazard import check_target
from clientscore.metrics import calibration_by_horizon, plot_calibration_by_horizon

from .checks import events
from .timing import by_period, dates_of, first_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from .forecaster import FinancingNeedForecaster

    Floats = NDArray[np.float64]

_FAN = (0.05, 0.25, 0.5, 0.75, 0.95)
_SHOWN_PRODUCTS = 7
_ANY = "any product"


def compute_need_calibration(
    model: FinancingNeedForecaster, X: pd.DataFrame, target: pd.DataFrame, n_groups: int = 10
) -> pd.DataFrame:
    """Compare predicted and observed probabilities of need, by horizon and group of predicted probability.

    Parameters
    ----------
    model : FinancingNeedForecaster
        A fitted model.
    X : DataFrame of shape (n, n_features)
        Features of clients that the model has not seen.
    target : DataFrame of shape (n, at least 2)
        duration and event, on the index of `X`.
    n_groups : int, default 10
        Groups of about equal size by predicted probability.

    Returns
    -------
    DataFrame
        As from `metrics.calibration_by_horizon`: cause ("need"), horizon, group (0 = all clients), rows,
        predicted (mean), observed (Aalen-Johansen), lower, upper.
    """
    check_target(X, target, ["duration", "event"])
    curve = model.need_curve(X)
    horizons = list(model.horizons)
    columns = pd.MultiIndex.from_product([[NEED], horizons], names=["cause", "horizon"])
    predicted = pd.DataFrame(curve[:, [horizon - 1 for horizon in horizons]], columns=columns)
    table: pd.DataFrame = calibration_by_horizon(
        target["duration"],
        events(target["event"]),
        predicted,
        horizons=horizons,
        causes=[NEED],
        n_groups=n_groups,
    )
    return table


def plot_need_calibration(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the table of `compute_need_calibration`: observed against predicted probability of need.

    Parameters
    ----------
    table : DataFrame
        As from `compute_need_calibration`.
    ax : Axes, default None
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
    """
    ax = plot_calibration_by_horizon(table, axes(ax, "plot_need_calibration"))
    ax.set(xlabel="predicted probability of need", ylabel="observed share with a need")
    return ax


def plot_coverage(report: pd.DataFrame, target: float = 0.9, ax: Axes | None = None) -> Axes:
    """Draw a `coverage_report`: the coverage of each group and period with its binomial interval.

    Parameters
    ----------
    report : DataFrame
        As from `coverage_report`; lines of a group and a period together are left out.
    target : float, default 0.9
        Coverage that was promised, in (0, 1).
    ax : Axes, default None
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
    """
    check_columns(report.columns, ["rows", "coverage", "lower", "upper"], subject="report")
    check_interval("target", target, low=0.0, high=1.0, closed="neither")
    ax = axes(ax, "plot_coverage")
    group, period = (report.index.get_level_values(name).astype(str) for name in ("group", "period"))
    table = report[(group == "all") | (period == "all")].iloc[::-1]
    names = [
        f"{first if second == 'all' else second} ({rows:,})"
        for (first, second), rows in zip(table.index, table["rows"], strict=True)
    ]
    places = np.arange(len(table))
    reach = [table["coverage"] - table["lower"], table["upper"] - table["coverage"]]
    ax.axvline(target, color="0.6", lw=1, zorder=0)
    ax.errorbar(table["coverage"], places, xerr=reach, fmt="o", ms=5, elinewidth=1)
    ax.set_yticks(places, names)
    ax.set(xlabel=f"share of amounts inside their interval (promised {target:.0%})")
    return ax


def compute_need_fan(
    model: FinancingNeedForecaster,
    X: pd.DataFrame,
    as_of: object = None,
    levels: Sequence[float] = _FAN,
) -> pd.DataFrame:
    """Compute the need of one client, period by period.

    Parameters
    ----------
    model : FinancingNeedForecaster
        A fitted model.
    X : DataFrame of shape (1, n_features)
        Features of the client.
    as_of : date, default None
        Date of the features; None: the index level ``as_of`` where there is one.
    levels : sequence of float, default (0.05, 0.25, 0.5, 0.75, 0.95)
        Levels of the amount given need, in [.005, .995].

    Returns
    -------
    DataFrame
        One line a period, 1 to the longest horizon: period, month (its first day), probability (of the first
        need in this period), cumulative (by its end), expected (amount by then: cumulative x mean given need,
        the amount taken as independent of the period), and amount_<level> given need, the same in each line.
    """
    if len(X) != 1:
        raise DataError(f"X must hold one client; got {len(X)} rows. Take X.loc[[client]].")
    curve = model.need_curve(X)[0]
    periods = np.arange(1, len(curve) + 1)
    dates = np.repeat(dates_of(X.index, as_of), len(periods))
    table = pd.DataFrame(
        {
            "period": periods,
            "month": first_days(periods.astype(float), dates, model.lead_periods, model.period).astype(
                "datetime64[us]"
            ),
            "probability": by_period(curve[None])[0],
            "cumulative": curve,
            "expected": curve * float(model.amount_.moments(X)[0][0]),
        }
    )
    amounts = model.predict_quantiles(X, levels).iloc[0]
    return table.assign(**{f"amount_{level:g}": float(amounts[level]) for level in levels})


def plot_need_fan(fan: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the fan of `compute_need_fan`: bars of probability by period, beside them the amount given need.

    Parameters
    ----------
    fan : DataFrame
        As from `compute_need_fan`.
    ax : Axes, default None
        Where to draw; None: a new figure. The amount stands in a strip at its right, in logs.

    Returns
    -------
    Axes
        That of the probabilities.
    """
    check_columns(fan.columns, ["period", "month", "probability"], subject="fan")
    ax = axes(ax, "plot_need_fan")
    ax.bar(fan["period"], fan["probability"], width=0.7, color="C0")
    ax.set_xticks(fan["period"], _period_names(fan))
    ax.tick_params(axis="x", labelrotation=45)
    ax.set(ylabel=f"probability of the next need (all together {fan['probability'].sum():.0%})")
    strip = ax.inset_axes((1.03, 0.0, 0.1, 1.0))
    names = [name for name in fan.columns if name.startswith("amount_")]
    amounts = [float(fan[name].iloc[0]) for name in names]
    for k in range(len(names) // 2):
        strip.fill_between([0.0, 1.0], amounts[k], amounts[-1 - k], color="C1", alpha=0.3, lw=0)
    if len(names) % 2:
        strip.axhline(amounts[len(names) // 2], color="C1", lw=2)
    strip.set_yscale("log")
    strip.minorticks_off()
    strip.yaxis.tick_right()
    strip.set_yticks(
        amounts, [f"{_level(name)}: {_short(value)}" for name, value in zip(names, amounts, strict=True)]
    )
    strip.set_xticks([])
    strip.set_title("amount\ngiven need", fontsize="medium")
    return ax


def compute_pipeline(model: FinancingNeedForecaster, X: pd.DataFrame, as_of: object = None) -> pd.DataFrame:
    """Compute the expected needs of a portfolio by period and product.

    Each client's expected amount is put into the period of its first need and divided by the shares of the
    products, so that all lines add up to the portfolio's expected total.

    Parameters
    ----------
    model : FinancingNeedForecaster
        A fitted model.
    X : DataFrame of shape (n, n_features)
        Features of the portfolio, each client once.
    as_of : date, default None
        Date of the features; None: the index level ``as_of`` where there is one.

    Returns
    -------
    DataFrame
        One line a period and product: period, month (its first day; missing where clients differ in date),
        product ("any product" where none was learned), needs (expected number), amount (expected).
    """
    if not len(X):
        raise DataError("X must have at least one row; got none.")
    each = by_period(model.need_curve(X))
    mean = model.amount_.moments(X)[0]
    names, shares = [_ANY], np.ones((len(X), 1))
    if model.product_model_ is not None:
        names, shares = model.product_model_.names, model.need_shares(X)
    needs, amounts = each.T @ shares, (each * mean[:, None]).T @ shares
    dates = dates_of(X.index, as_of)
    same = dates if (dates == dates[0]).all() else np.full(1, np.datetime64("NaT"), dtype="datetime64[M]")
    periods = np.repeat(np.arange(1, each.shape[1] + 1), len(names))
    first = first_days(
        periods.astype(float), np.repeat(same[:1], len(periods)), model.lead_periods, model.period
    )
    return pd.DataFrame(
        {
            "period": periods,
            "month": first.astype("datetime64[us]"),
            "product": pd.Series(names * each.shape[1], dtype="str"),
            "needs": needs.ravel(),
            "amount": amounts.ravel(),
        }
    )


def plot_pipeline(pipeline: pd.DataFrame, n_products: int = _SHOWN_PRODUCTS, ax: Axes | None = None) -> Axes:
    """Draw the pipeline of `compute_pipeline`: expected amounts by period, products stacked.

    Parameters
    ----------
    pipeline : DataFrame
        As from `compute_pipeline`.
    n_products : int, default 7
        Largest products with a colour of their own, at least 1; the rest are "other".
    ax : Axes, default None
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
    """
    check_columns(pipeline.columns, ["period", "month", "product", "amount"], subject="pipeline")
    check_integer("n_products", n_products, low=1)
    ax = axes(ax, "plot_pipeline")
    total = pipeline.groupby("product")["amount"].sum().sort_values(ascending=False)
    shown = list(total.index[:n_products])
    name = pipeline["product"].where(pipeline["product"].isin(shown), "other")
    table = pipeline.groupby(["period", name])["amount"].sum().unstack(fill_value=0.0)
    bottom = np.zeros(len(table))
    for k, product in enumerate([*shown, *(["other"] if "other" in table else [])]):
        color: Any = "0.75" if product == "other" else f"C{k % 10}"
        label = str(product).replace("_", " ")
        ax.bar(table.index, table[product], bottom=bottom, width=0.75, color=color, label=label)
        bottom += table[product].to_numpy()
    ax.set_xticks(table.index, _period_names(pipeline.drop_duplicates("period")))
    ax.tick_params(axis="x", labelrotation=45)
    ax.set(ylabel="expected amount of new needs", ylim=(0, 1.05 * bottom.max()))
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def _period_names(table: pd.DataFrame) -> list[str]:
    """Return the months, or where they are missing the numbers of the periods."""
    if table["month"].isna().any():
        return [f"{period}" for period in table["period"]]
    return [f"{month:%Y-%m}" for month in table["month"]]


def _level(name: str) -> str:
    return f"{float(name.removeprefix('amount_')):.0%}"


def _short(value: float) -> str:
    """Return an amount with three digits that count."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"
