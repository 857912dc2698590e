"""Forecast rates of the whole book, with intervals that know how its rates moved in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._words import NEED, PERIOD_MONTHS, Period
from clientscore.labels import churn_target, need_target
from clientscore.metrics import aalen_johansen, rate_interval
from clientscore.timeline import add_periods

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE_COLUMNS = {"default": "pd", "churn": "churn_12m", "need": "need_probability_12m"}
_HISTORY = ["rate", "as_of", "predicted", "realized", "n"]
_FORECAST = ["rate", "predicted", "lower", "upper", "n"]


def rate_history(
    outcomes: pd.DataFrame, *, horizon: int, lead: int, period: Period, churn_causes: Sequence[str]
) -> pd.DataFrame:
    """Return the book's realized rates by date beside the running mean of what was known by then.

    A head fitted on all dates has seen their rates, so its own predictions for them would flatter it. The
    running mean of the windows closed by a date is a forecast that anyone could have made; the spread of
    the realized rates around it is an honest upper mark for the head's surprise.
    """
    if outcomes.index.nlevels < 2:
        return pd.DataFrame(columns=_HISTORY)
    rows = [
        row
        for date, part in outcomes.groupby(level=1, sort=True)
        for row in _realized(part, pd.Timestamp(date), horizon, churn_causes)
    ]
    realized = pd.DataFrame(rows, columns=["rate", "as_of", "realized", "n"])
    parts = [
        _with_running_mean(part.reset_index(drop=True), lead + horizon, period)
        for _, part in realized.groupby("rate", sort=True)
    ]
    if not parts:
        return pd.DataFrame(columns=_HISTORY)
    return pd.concat(parts, ignore_index=True)[_HISTORY]


def _realized(
    part: pd.DataFrame, date: pd.Timestamp, horizon: int, churn_causes: Sequence[str]
) -> list[tuple[str, pd.Timestamp, float, int]]:
    rows = []
    if "bad" in part and part["bad"].notna().any():
        rows.append(("default", date, float(part["bad"].mean()), int(part["bad"].notna().sum())))
    if {"exit_duration", "exit_cause"} <= set(part):
        target = churn_target(part)
        rate = _incidence(target, horizon, churn_causes)
        if rate is not None:
            rows.append(("churn", date, rate, len(target)))
    if {"need_duration", "need_event"} <= set(part):
        target = need_target(part)
        rate = _incidence(target, horizon, [NEED])
        if rate is not None:
            rows.append(("need", date, rate, len(target)))
    return rows


def _incidence(target: pd.DataFrame, horizon: int, causes: Sequence[str]) -> float | None:
    """Return the share that had one of the causes by the horizon; None where no one was seen so long."""
    closed = (target["duration"] >= horizon) | target["event"].notna()
    if not closed.any():
        return None
    curve = aalen_johansen(target["duration"], target["event"], horizons=[horizon])
    return float(sum(curve.at[horizon, cause] for cause in causes if cause in curve))


def _with_running_mean(part: pd.DataFrame, window: int, period: Period) -> pd.DataFrame:
    closed_at = [add_periods(date, window, period) for date in part["as_of"]]
    predicted = []
    for date in part["as_of"]:
        known = np.array([end <= date for end in closed_at])
        weights = part["n"].to_numpy()[known]
        rates = part["realized"].to_numpy()[known]
        predicted.append(np.average(rates, weights=weights) if known.any() else np.nan)
    part = part.assign(predicted=predicted)
    return part[(part["predicted"] > 0) & (part["predicted"] < 1)]


def forecast_rates(
    frame: pd.DataFrame, history: pd.DataFrame, *, horizon: int, period: Period, step_periods: int
) -> pd.DataFrame:
    """Return the mean forecast of each rate over the book, with its 95 % interval."""
    months = horizon * PERIOD_MONTHS[period]
    rows = []
    for rate, column in RATE_COLUMNS.items():
        values = frame[column].dropna() if column in frame else pd.Series(dtype="float64")
        if not len(values) or months != 12 or not 0 < values.mean() < 1:
            continue
        past = history[history["rate"] == rate]
        lower, upper = rate_interval(
            float(values.mean()), len(values), past, horizon_periods=horizon, step_periods=step_periods
        )
        rows.append((rate, float(values.mean()), lower, upper, len(values)))
    return pd.DataFrame(rows, columns=_FORECAST)
