"""Targets over periods and groups: the figure, the goal, red, amber or green."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from clientscore._axes import axes
from clientscore._checks import check_columns, check_integer, check_interval
from clientscore.exceptions import DataError, InvalidParameterError

from ._targets import KpiTargets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ._targets import Target

EVERYBODY = "all"
_COLORS = {"green": "tab:green", "amber": "tab:orange", "red": "tab:red", "not evaluated": "lightgray"}


@dataclass(frozen=True)
class KpiReport:
    """Every target in every group and period.

    Parameters
    ----------
    table : DataFrame
        One row a kpi, dimension, group and period: kpi, dimension, group, period, value, numerator,
        denominator (of growth: the amount compared with), goal, gap (value - goal), state, change (value less
        that of the period before), lower, upper (95 % Wilson interval, of shares only).
    targets : KpiTargets
        What was to be reached.
    """

    table: pd.DataFrame
    targets: KpiTargets

    def frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    def latest(self) -> pd.DataFrame:
        """Return the last period as a grid: groups in rows, kpis in columns, states in the cells."""
        last = self.table[self.table["period"] == self.table["period"].max()]
        grid = last.pivot_table(
            index=["dimension", "group"], columns="kpi", values="state", aggfunc="first", sort=False
        )
        return grid.reindex(columns=list(self.targets.targets))

    def to_dict(self) -> dict[str, Any]:
        """Return targets and rows as plain data."""
        rows = self.table.astype({"period": str}).to_dict("records")
        return {**self.targets.to_state(), "rows": rows}

    def _repr_html_(self) -> str:
        return str(self.latest().to_html())


def track(
    facts: pd.DataFrame,
    targets: KpiTargets | None = None,
    *,
    by: Sequence[str] = ("portfolio", "tier", "team", "manager_id"),
    period: str = "period",
    min_denominator: float = 5.0,
) -> KpiReport:
    """Track targets over periods for everybody and for each group.

    A figure rests on sums over a group's rows, so that groups add up: never a mean of means.

    Parameters
    ----------
    facts : DataFrame
        One row a client and period (or any finer grain): the period, the columns of `by` and those that the
        targets name.  Missing counts are left out of both sums.
    targets : KpiTargets, default None
        None: `KpiTargets.default()`.
    by : sequence of str, default ("portfolio", "tier", "team", "manager_id")
        Columns that make groups, each by itself.
    period : str, default "period"
        Column with the period: dates or numbers, of equal steps.
    min_denominator : float, default 5.0
        Below it (answers, clients) a share or mean is "not evaluated": too few to judge anybody by.

    Returns
    -------
    KpiReport

    Raises
    ------
    MissingColumnError
        With all columns that `facts` lack.
    DataError
        With every fault: negative denominators, shares above 1, missing periods.

    References
    ----------
    Wilson (1927), JASA 22, 209-212, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> from clientscore.kpi import Target
    >>> facts = pd.DataFrame({
    ...     "period": [1, 1, 2, 2], "team": ["north", "south"] * 2,
    ...     "satisfied": [80, 95, 92, 90], "answered": [100, 100, 100, 100],
    ... })
    >>> satisfied = Target("share", "satisfied", "answered", goal=0.9, tolerance=0.05)
    >>> table = track(facts, KpiTargets({"satisfaction": satisfied}), by=["team"]).frame()
    >>> table.query("period == 2")[["group", "value", "state", "change"]].round(3).to_numpy().tolist()
    [['all', 0.91, 'green', 0.035], ['north', 0.92, 'green', 0.12], ['south', 0.9, 'green', -0.05]]
    """
    chosen = KpiTargets.default() if targets is None else targets
    check_interval("min_denominator", min_denominator, low=0.0)
    _check(facts, chosen, [*by], period)
    parts = []
    for dimension in (None, *by):
        groups = pd.Series(EVERYBODY, index=facts.index) if dimension is None else facts[dimension]
        for name, target in chosen.targets.items():
            sums = _sums(facts, groups, period, target)
            part = _measure(sums, target, min_denominator)
            part.insert(0, "kpi", name)
            part.insert(1, "dimension", EVERYBODY if dimension is None else dimension)
            parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return KpiReport(table, chosen)


def plot_targets(table: pd.DataFrame, kpi: str, group: str = EVERYBODY, ax: Axes | None = None) -> Axes:
    """Plot one kpi of one group over the periods, points in the color of their state.

    Parameters
    ----------
    table : DataFrame
        As from `KpiReport.frame`.
    kpi : str
        Which one.
    group : str, default "all"
        Which group.
    ax : Axes, default None
        Where to draw; None: new axes.

    Returns
    -------
    Axes
    """
    rows = table[(table["kpi"] == kpi) & (table["group"].astype(str) == str(group))].sort_values("period")
    if not len(rows):
        raise InvalidParameterError(
            f"table has no rows of kpi {kpi!r} and group {group!r}; correct the name."
        )
    ax = axes(ax, "plot_targets")
    ax.plot(rows["period"], rows["value"], color="gray", zorder=1)
    ax.scatter(rows["period"], rows["value"], c=[_COLORS[state] for state in rows["state"]], zorder=2)
    ax.axhline(float(rows["goal"].iloc[0]), color="black", linestyle="--", linewidth=0.8)
    ax.set(xlabel="period", ylabel=kpi, title=str(group))
    return ax


def _check(facts: pd.DataFrame, targets: KpiTargets, by: list[str], period: str) -> None:
    named = [
        column
        for one in targets.targets.values()
        for column in (one.numerator, one.denominator)
        if column is not None
    ]
    check_columns(facts.columns, dict.fromkeys([period, *by, *named]), subject="track")
    faults = []
    if not len(facts):
        faults.append("facts must have at least one row; got none.")
    if facts[period].isna().any():
        faults.append(f"{period} must not be missing; {int(facts[period].isna().sum())} rows have none.")
    for name, one in targets.targets.items():
        if one.denominator is None:
            continue
        low = int((facts[one.denominator] < 0).sum())
        if low:
            faults.append(f"{one.denominator} must be at least 0; {low} rows are below.")
        above = int((facts[one.numerator] > facts[one.denominator]).sum()) if one.kind == "share" else 0
        if above:
            faults.append(
                f"{one.numerator} must be at most {one.denominator} ({name}); {above} rows are above."
            )
    if faults:
        raise DataError("the targets cannot be tracked on these facts.", list(dict.fromkeys(faults)))


def _sums(facts: pd.DataFrame, groups: pd.Series, period: str, target: Target) -> pd.DataFrame:
    """Return numerator and denominator by group and period."""
    top = facts[target.numerator].astype("float64")
    bottom = top if target.denominator is None else facts[target.denominator].astype("float64")
    known = top.notna() & bottom.notna()
    table = pd.DataFrame(
        {
            "group": groups[known],
            "period": facts.loc[known, period],
            "numerator": top[known],
            "denominator": bottom[known],
        }
    )
    sums = table.groupby(["group", "period"], sort=True, observed=True).sum().reset_index()
    if target.kind == "growth":
        sums["denominator"] = _earlier(sums, facts[period], target.periods_back)
    return sums


def _earlier(sums: pd.DataFrame, periods: pd.Series, back: int) -> np.ndarray:
    """Return the amount of the same group `back` periods before, missing where there is none."""
    order = _steps(periods)
    place = pd.Series(order).reindex(sums["period"]).to_numpy()
    keys = zip(sums["group"], place, strict=True)
    past = dict(zip(keys, sums["numerator"], strict=True))
    return np.array(
        [past.get((group, now - back), np.nan) for group, now in zip(sums["group"], place, strict=True)]
    )


def _steps(periods: pd.Series) -> dict[Any, int]:
    """Return the number of each period: months between dates, steps between numbers; a gap counts."""
    distinct = sorted(periods.unique())
    if pd.api.types.is_datetime64_any_dtype(periods):
        months = {one: 12 * pd.Timestamp(one).year + pd.Timestamp(one).month for one in distinct}
        gaps = np.diff(sorted(months.values()))
        step = int(np.gcd.reduce(gaps)) if len(gaps) else 1
        first = min(months.values())
        return {one: (month - first) // max(step, 1) for one, month in months.items()}
    if pd.api.types.is_integer_dtype(periods):
        return {one: int(one) for one in distinct}
    return {one: number for number, one in enumerate(distinct)}


def _measure(sums: pd.DataFrame, target: Target, least: float) -> pd.DataFrame:
    """Return the figures of one target."""
    top, bottom = sums["numerator"].to_numpy(dtype=float), sums["denominator"].to_numpy(dtype=float)
    enough = bottom > 0 if target.kind == "growth" else (bottom > 0) & (bottom >= least)
    value = np.full(len(sums), np.nan)
    value[enough] = top[enough] / bottom[enough] - (1.0 if target.kind == "growth" else 0.0)
    lower = upper = np.full(len(sums), np.nan)
    if target.kind == "share":
        lower, upper = wilson(value, bottom)
    table = sums.assign(value=value, goal=target.goal, gap=value - target.goal, lower=lower, upper=upper)
    table["state"] = [target.state(one) for one in value.tolist()]
    table["change"] = table.groupby("group", observed=True)["value"].diff()
    order = [
        "group",
        "period",
        "value",
        "numerator",
        "denominator",
        "goal",
        "gap",
        "state",
        "change",
        "lower",
        "upper",
    ]
    return table[order]


def wilson(share: np.ndarray, n: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval of shares of `n`; missing where the share is."""
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    z2 = float(norm.ppf((1 + level) / 2)) ** 2
    count = np.where(n > 0, n, np.nan)
    center = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return center - half, center + half


def previous_period(periods: pd.Series, back: int = 1) -> Any:
    """Return the period `back` places before the last one.

    Raises
    ------
    DataError
        There are not as many periods.
    """
    check_integer("back", back, low=1)
    distinct = sorted(periods.dropna().unique())
    if len(distinct) <= back:
        raise DataError(
            f"facts must have more than {back} periods; got {len(distinct)}. Give `start` and `end`."
        )
    return distinct[-1 - back]
