"""Which segments moved a figure: an exact decomposition into mix and rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._axes import axes
from clientscore._checks import check_columns
from clientscore.exceptions import DataError

from ._track import previous_period

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._targets import Target


@dataclass(frozen=True)
class Contribution:
    """The change of a figure between two periods, segment by segment.

    Parameters
    ----------
    table : DataFrame
        One row a segment: segment, value_start, value_end, weight_start, weight_end, mix, rate, total (= mix
        + rate), by falling size of total.
    value_start, value_end : float
        The figure of everybody; the totals add up to their difference.
    kind : str
        Kind of the target.
    start, end
        The periods.
    """

    table: pd.DataFrame
    value_start: float
    value_end: float
    kind: str
    start: Any
    end: Any

    @property
    def change(self) -> float:
        """What the totals add up to; of growth: the growth from start to end."""
        return self.value_end if self.kind == "growth" else self.value_end - self.value_start

    def frame(self) -> pd.DataFrame:
        """Return one row a segment."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "start": str(self.start),
            "end": str(self.end),
            "value_start": self.value_start,
            "value_end": self.value_end,
            "change": self.change,
            "segments": self.table.to_dict("records"),
        }

    def __str__(self) -> str:
        lines = [f"{self.start} to {self.end}: {self.change:+.4g}"]
        lines += [
            f"  {row['segment']}: {row['total']:+.4g} (mix {row['mix']:+.4g}, rate {row['rate']:+.4g})"
            for _, row in self.table.iterrows()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<p>{self.start} to {self.end}: {self.change:+.4g}</p>{self.table.to_html(index=False)}"


def contribution(
    facts: pd.DataFrame,
    target: Target,
    by: str,
    *,
    start: Any = None,
    end: Any = None,
    period: str = "period",
    size: str | None = None,
) -> Contribution:
    r"""Decompose the change of a figure between two periods into segments, exactly.

    A share or mean :math:`R = \sum_s w_s r_s`, :math:`w_s` the segment's share of the denominator, moves by

    .. math:: \Delta R = \sum_s \underbrace{\bar w_s \Delta r_s}_{rate}
        + \underbrace{\Delta w_s (\bar r_s - \bar R)}_{mix}

    with means over the two periods; nothing is left over.  Growth of an amount :math:`A = \sum_s n_s a_s`
    (`size` counts :math:`n`: clients, requests) splits into :math:`\bar n_s \Delta a_s` (rate) and
    :math:`\bar a_s \Delta n_s` (mix), over the amount at the start; without `size` all of it is rate.  A
    segment that is there in one period only is all mix.

    Parameters
    ----------
    facts : DataFrame
        As for `track`.
    target : Target
        The figure.
    by : str
        Column with the segment.
    start, end : object, default None
        Periods; None: the last one, and the one `periods_back` before it for growth, 1 before it else.
    period : str, default "period"
        Column with the period.
    size : str, default None
        Of growth: column whose sum is the size of a segment.

    Returns
    -------
    Contribution

    Raises
    ------
    MissingColumnError
        With all columns that `facts` lack.
    DataError
        A period without rows, or a sum of 0 to divide by.

    References
    ----------
    Marshall (1890s) and Bennet (1920), JRSS 83, 455-462: the symmetric decomposition.

    Examples
    --------
    >>> from clientscore.kpi import Target
    >>> facts = pd.DataFrame({
    ...     "period": [1, 1, 2, 2], "tier": ["A", "B"] * 2,
    ...     "satisfied": [90, 80, 45, 120], "answered": [100, 100, 50, 150],
    ... })
    >>> found = contribution(facts, Target("share", "satisfied", "answered", goal=0.9), by="tier")
    >>> round(found.change, 4), found.frame()[["segment", "mix", "rate"]].round(4).to_numpy().tolist()
    (-0.025, [['A', -0.0156, 0.0], ['B', -0.0094, 0.0]])
    """
    named = [period, by, target.numerator, *(one for one in (target.denominator, size) if one is not None)]
    check_columns(facts.columns, dict.fromkeys(named), subject="contribution")
    back = target.periods_back if target.kind == "growth" else 1
    last = max(facts[period].dropna().unique()) if end is None else end
    first = previous_period(facts.loc[facts[period] <= last, period], back) if start is None else start
    sums = {when: _sums(facts[facts[period] == when], target, by, size) for when in (first, last)}
    empty = [when for when, table in sums.items() if not len(table)]
    if empty:
        raise DataError(
            f"facts must have rows in both periods; {empty[0]} has none. Name a period that is there."
        )
    segments = sums[first].index.union(sums[last].index)
    top, bottom = (
        np.array([sums[when][name].reindex(segments, fill_value=0.0) for when in (first, last)], dtype=float)
        for name in ("top", "bottom")
    )
    if target.kind == "growth" and size is None:
        bottom = np.ones_like(bottom)  # a segment's size does not move: all is rate
    if (bottom.sum(axis=1) <= 0).any() or (target.kind == "growth" and top[0].sum() <= 0):
        raise DataError(f"{target.denominator or target.numerator} must add to more than 0 in both periods.")
    columns = (_amount if target.kind == "growth" else _ratio)(top, bottom)
    table = pd.DataFrame({"segment": segments, **columns, "total": columns["mix"] + columns["rate"]})
    order = table["total"].abs().sort_values(ascending=False, kind="stable").index
    totals = (
        (0.0, top[1].sum() / top[0].sum() - 1.0)
        if target.kind == "growth"
        else tuple(top.sum(axis=1) / bottom.sum(axis=1))
    )
    return Contribution(
        table.loc[order].reset_index(drop=True), float(totals[0]), float(totals[1]), target.kind, first, last
    )


def plot_contribution(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot the table of `Contribution.frame`: a bar a segment, mix and rate.

    Parameters
    ----------
    table : DataFrame
        Columns segment, mix, rate.
    ax : Axes, default None
        Where to draw; None: new axes.

    Returns
    -------
    Axes
    """
    ax = axes(ax, "plot_contribution")
    place = np.arange(len(table))[::-1]
    for shift, name in ((0.2, "rate"), (-0.2, "mix")):
        ax.barh(place + shift, table[name], height=0.4, label=name)
    ax.axvline(0.0, color="gray", linewidth=0.8)
    ax.set_yticks(place, [str(one) for one in table["segment"]])
    ax.set(xlabel="contribution to the change")
    ax.legend()
    return ax


def _sums(facts: pd.DataFrame, target: Target, by: str, size: str | None) -> pd.DataFrame:
    top = facts[target.numerator].astype("float64")
    if target.kind == "growth":
        bottom = pd.Series(1.0, index=facts.index) if size is None else facts[size].astype("float64")
    else:
        bottom = facts[str(target.denominator)].astype("float64")
    known = top.notna() & bottom.notna() & facts[by].notna()
    table = pd.DataFrame({"segment": facts[by], "top": top, "bottom": bottom})[known]
    sums = table.groupby("segment", observed=True).sum()
    return sums[sums["bottom"] > 0] if target.kind != "growth" else sums


def _rates(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Return each segment's rate; where it is there in one period only, that period's in both."""
    rate = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return np.asarray(np.where(np.isnan(rate), rate[::-1], rate))


def _ratio(top: np.ndarray, bottom: np.ndarray) -> dict[str, np.ndarray]:
    weight = bottom / bottom.sum(axis=1, keepdims=True)
    rate = np.nan_to_num(_rates(top, bottom))
    overall = float((top.sum(axis=1) / bottom.sum(axis=1)).mean())
    return {
        "value_start": rate[0],
        "value_end": rate[1],
        "weight_start": weight[0],
        "weight_end": weight[1],
        "mix": (weight[1] - weight[0]) * (rate.mean(axis=0) - overall),
        "rate": weight.mean(axis=0) * (rate[1] - rate[0]),
    }


def _amount(top: np.ndarray, bottom: np.ndarray) -> dict[str, np.ndarray]:
    rate = np.nan_to_num(_rates(top, bottom))
    total = top[0].sum()
    # an amount without size in a period (size missing there) is kept whole as rate
    mix = (bottom[1] - bottom[0]) * rate.mean(axis=0) / total
    return {
        "value_start": top[0],
        "value_end": top[1],
        "weight_start": top[0] / total,
        "weight_end": top[1] / max(top[1].sum(), 1e-300),
        "mix": mix,
        "rate": (top[1] - top[0]) / total - mix,
    }
