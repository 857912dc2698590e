"""The total of a portfolio, with the interval that a sum of clients under one calendar has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore._words import PERIOD_MONTHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .conformal import Window

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_NODES = 101  # equally likely values of the calendar's surprise
_PRIOR_DISPERSION = 0.15
_PRIOR_DATES = 1.0
_LEAST_DEGREES = 3.0  # fewer give a t distribution without variance
_OPEN_SHARE = 0.01  # more rows cut off before the horizon: the date's total is not known
_LEAST_SKEW = 1e-3
_STEPS = 45  # of the bisection: a total to 1 part in 10^13 of its range


class Sums(NamedTuple):
    """First three cumulants of a sum over independent clients."""

    mean: float
    variance: float
    third: float


class Surprise(NamedTuple):
    """What the calendar adds to all clients alike: standard deviation of the log, and degrees of freedom."""

    dispersion: float
    degrees: float


@dataclass(frozen=True, eq=False)
class Calendar:
    """Past totals by training date, and what they say about the surprise of a window.

    Parameters
    ----------
    dates : DataFrame
        Index as_of; clients, needs_predicted, needs_realized, amount_predicted, amount_realized.
    needs, amount : Surprise
        Of the number of needs, and of the total amount.
    """

    dates: pd.DataFrame
    needs: Surprise
    amount: Surprise

    def to_state(self) -> dict[str, Any]:
        """Return everything as lists and arrays."""
        return {
            "dates": [f"{date:%Y-%m-%d}" for date in self.dates.index],
            "columns": list(self.dates.columns),
            "totals": self.dates.to_numpy(np.float64),
            "needs": list(self.needs),
            "amount": list(self.amount),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Calendar:
        """Return the calendar that `to_state` wrote."""
        index = pd.DatetimeIndex(pd.to_datetime(list(state["dates"])), name="as_of").as_unit("us")
        dates = pd.DataFrame(
            np.asarray(state["totals"]).reshape(-1, len(state["columns"])), index, list(state["columns"])
        )
        return cls(dates, Surprise(*map(float, state["needs"])), Surprise(*map(float, state["amount"])))


@dataclass(frozen=True, eq=False, repr=False)
class NeedPortfolio:
    """Needs and amounts of groups of clients within the longest horizon, with intervals.

    Parameters
    ----------
    table : DataFrame
        Index group, ``all`` first: clients, needs_expected, needs_lower, needs_upper, amount_expected,
        amount_lower, amount_median, amount_upper.
    coverage : float
        Share of windows whose total the interval holds.
    needs_dispersion, amount_dispersion : float
        Standard deviation of the calendar's common surprise, of logs.
    dates : int
        Training dates that its estimate rests on, beside the prior of 0.15 worth one date.
    """

    table: pd.DataFrame
    coverage: float
    needs_dispersion: float
    amount_dispersion: float
    dates: int

    def frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON scalars and dicts."""
        return {
            "groups": self.table.to_dict("index"),
            "coverage": self.coverage,
            "needs_dispersion": self.needs_dispersion,
            "amount_dispersion": self.amount_dispersion,
            "dates": self.dates,
        }

    def _headline(self) -> str:
        return (
            f"Needs of a portfolio, {self.coverage:.0%} intervals: independent clients, and a surprise of "
            f"the calendar common to all of {self.amount_dispersion:.0%} of the amount "
            f"({self.needs_dispersion:.0%} of the number), from {self.dates} training dates"
        )

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.table.to_string(float_format=lambda value: f'{value:,.1f}')}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline()}</p>{self.table.to_html(float_format=lambda value: f'{value:,.1f}')}"


def need_sums(probability: Floats) -> Sums:
    """Return the cumulants of the number of needs."""
    variance = probability * (1.0 - probability)
    third = variance * (1.0 - 2.0 * probability)
    return Sums(float(probability.sum()), float(variance.sum()), float(third.sum()))


def amount_sums(probability: Floats, mean: Floats, second: Floats, third: Floats) -> Sums:
    """Return the cumulants of the total amount; second and third moment in units of the mean."""
    first = probability * mean
    square = probability * second * mean**2
    cube = probability * third * mean**3
    return Sums(
        float(first.sum()),
        float((square - first**2).sum()),
        float((cube - 3.0 * first * square + 2.0 * first**3).sum()),
    )


def total_quantiles(sums: Sums, surprise: Surprise, levels: tuple[float, ...]) -> list[float]:
    """Return quantiles of a sum times exp(e), e the calendar's surprise.

    The sum has the distribution of a shifted gamma with its three cumulants; e follows a t distribution, cut
    into equally likely values.
    """
    from scipy import special  # noqa: PLC0415  slow to import, used here only

    if sums.mean <= 0:
        return [0.0] * len(levels)
    middle = (np.arange(_NODES) + 0.5) / _NODES
    factor = np.exp(surprise.dispersion * special.stdtrit(surprise.degrees, middle))
    deviation = max(float(np.sqrt(sums.variance)), 1e-9 * sums.mean)
    wanted = np.array(levels)
    low = np.zeros(len(wanted))
    high = np.full(len(wanted), factor[-1] * (sums.mean + 60.0 * deviation))
    for _ in range(_STEPS):
        at = (low + high) / 2.0
        z = (at[:, None] / factor - sums.mean) / deviation
        enough = _shifted_gamma(z, sums.third / deviation**3).mean(axis=1) >= wanted
        low, high = np.where(enough, low, at), np.where(enough, at, high)
    return [float(value) for value in high]


def _shifted_gamma(z: Floats, skew: float) -> Floats:
    """Distribution function of a gamma moved and scaled to mean 0 and variance 1; normal without skew."""
    from scipy import special  # noqa: PLC0415

    if skew < _LEAST_SKEW:
        return np.asarray(special.ndtr(z))
    shape = 4.0 / skew**2
    return np.asarray(special.gammainc(shape, np.maximum(shape + np.sqrt(shape) * z, 0.0)))


def learn_calendar(
    dates: pd.DatetimeIndex | None,
    target: pd.DataFrame,
    drawn: NDArray[np.bool_],
    law: tuple[Floats, ...],
    window: Window,
) -> Calendar:
    """Compare what was predicted with what happened, date by date, where the window had closed.

    `law` is the probability of need of every row and the three moments of its amount.
    """
    lines, needs, amounts = {}, [], []
    for date in [] if dates is None else sorted(dates.unique()):
        here = np.asarray(dates == date)
        realized = float(target.loc[here & drawn, "amount"].sum())
        if not realized > 0 or not _closed(target[here], drawn[here], window.horizon):
            continue
        probability, *moments = (one[here] for one in law)
        own, total = need_sums(probability), amount_sums(probability, *moments)
        count = float(drawn[here].sum())
        lines[date] = [float(here.sum()), own.mean, count, total.mean, realized]
        needs.append((own, count))
        amounts.append((total, realized))
    columns = ["clients", "needs_predicted", "needs_realized", "amount_predicted", "amount_realized"]
    index = pd.DatetimeIndex(list(lines), name="as_of").as_unit("us")
    table = pd.DataFrame(list(lines.values()), index=index, columns=columns, dtype=np.float64)
    worth = _independent_dates(index, window)
    return Calendar(table, _surprise(needs, worth), _surprise(amounts, worth))


def _closed(target: pd.DataFrame, drawn: NDArray[np.bool_], horizon: int) -> bool:
    """Tell whether the outcome of nearly every row of a date is known."""
    cut = target["event"].isna().to_numpy() & (target["duration"].to_numpy() < horizon)
    unknown = drawn & target["amount"].isna().to_numpy()
    return float((cut | unknown).mean()) <= _OPEN_SHARE


def _surprise(pairs: list[tuple[Sums, float]], worth: float) -> Surprise:
    """Systematic variance of log(realized / predicted) around zero, averaged with the prior.

    Method of moments: what independent clients explain is taken off.  The level was fitted on these dates: it
    has taken one of them for itself, and is as far from the truth as a mean of all.
    """
    variance = 0.0
    if pairs:
        excess = [np.log(seen / own.mean) ** 2 - own.variance / own.mean**2 for own, seen in pairs]
        variance = max(0.0, float(np.mean(excess)))
    weight = _PRIOR_DATES + max(worth - 1.0, 0.0)
    pooled = (_PRIOR_DATES * _PRIOR_DISPERSION**2 + worth * variance) / weight
    ahead = pooled * (1.0 + 1.0 / (_PRIOR_DATES + worth))
    return Surprise(float(np.sqrt(ahead)), float(max(_LEAST_DEGREES, weight)))


def _independent_dates(index: pd.DatetimeIndex, window: Window) -> float:
    """Return how many dates without overlap the windows are worth: T^2 / sum of squared overlaps."""
    if not len(index):
        return 0.0
    months = (index.year * 12 + index.month).to_numpy(np.float64)
    distance = np.abs(np.subtract.outer(months, months)) / PERIOD_MONTHS[window.period]
    overlap = np.maximum(0.0, 1.0 - distance / window.horizon)
    return float(len(index) ** 2 / (overlap**2).sum())


def portfolio_table(
    groups: dict[str, Ints],
    probability: Floats,
    moments: tuple[Floats, ...],
    calendar: Calendar,
    coverage: float,
) -> pd.DataFrame:
    """Return one row a group of rows: clients, needs and amounts with their intervals."""
    tail = (1.0 - coverage) / 2.0
    lines = {}
    for name, rows in groups.items():
        chance = probability[rows]
        needs, total = need_sums(chance), amount_sums(chance, *(one[rows] for one in moments))
        count_low, count_high = total_quantiles(needs, calendar.needs, (tail, 1.0 - tail))
        low, middle, high = total_quantiles(total, calendar.amount, (tail, 0.5, 1.0 - tail))
        lines[name] = {
            "clients": len(rows),
            "needs_expected": needs.mean,
            "needs_lower": count_low,
            "needs_upper": min(count_high, float(len(rows))),
            "amount_expected": total.mean,
            "amount_lower": low,
            "amount_median": middle,
            "amount_upper": high,
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("group")
