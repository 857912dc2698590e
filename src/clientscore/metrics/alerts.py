"""How long before an exit the alert stood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer, check_option
from clientscore.exceptions import DataError

from ._axes import axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Period = Literal["month", "quarter", "year"]
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_COLUMNS = ["client_id", "date", "scored", "caught", "first_alert", "lead_periods"]


@dataclass(frozen=True)
class LeadTime:
    """Exits and how long before each its alert stood.

    Parameters
    ----------
    table : DataFrame
        One row an exit: client_id, date, scored (was the client judged in the window before), caught (did an
        alert stand), first_alert (its as_of), lead_periods.
    window_periods : int
        Periods before the exit in which an alert counts.
    """

    table: pd.DataFrame
    window_periods: int

    @property
    def n_scored(self) -> int:
        """Exits that could have been caught: the client was judged in the window before."""
        return int(self.table["scored"].sum())

    @property
    def n_caught(self) -> int:
        """Exits with an alert in the window before."""
        return int(self.table["caught"].sum())

    @property
    def share_caught(self) -> float:
        """Share of the scored exits that were caught; missing without one."""
        return self.n_caught / self.n_scored if self.n_scored else float("nan")

    @property
    def median_periods(self) -> float:
        """Median lead of the caught exits, in periods; missing without one."""
        return float(self.table["lead_periods"].median())

    def frame(self) -> pd.DataFrame:
        """Return one row an exit."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        names = ("median_periods", "share_caught", "n_caught", "n_scored", "window_periods")
        return {name: getattr(self, name) for name in names} | {"n_exits": len(self.table)}

    def __repr__(self) -> str:
        return (
            f"Lead time: {self.n_caught} of {self.n_scored} scored exits caught ({self.share_caught:.1%}), "
            f"median {self.median_periods:g} periods before; {len(self.table)} exits in all"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.table.head(10).to_html(index=False)}"


def lead_time(
    alerts: pd.DataFrame,
    events: pd.DataFrame,
    *,
    window_periods: int = 12,
    period: Period = "month",
) -> LeadTime:
    """Periods from an alert to the exit it was right about, and the share of exits caught.

    For each exit, an alert counts that stood at an ``as_of`` before it, at most `window_periods` ahead.  The
    last such alert belongs to a run: the client's consecutive judgements, each with an alert.  The lead is
    counted from the **first alert of that run**, which may lie before the window; an earlier run, broken by a
    judgement without alert, counts for nothing, since the alarm had been called off.

    A list that warns of everybody always catches all exits, early: read it beside `precision_at_capacity`.

    Parameters
    ----------
    alerts : DataFrame
        One row a client and date of judgement: client_id, as_of and alert (True or False), quiet ones too;
        client_id and as_of may be the index.
    events : DataFrame
        One row an exit: client_id and date.  A client may have several.
    window_periods : int, default 12
        Periods before the exit in which an alert must stand, at least 1.
    period : {"month", "quarter", "year"}, default "month"
        Length of a period where as_of and date are dates; then an exit within the first period after as_of
        has lead 1, as in the labels.  Numbers are taken as periods as they are: date - as_of.

    Returns
    -------
    LeadTime
        ``median_periods``, ``share_caught`` and, by ``frame()``, one row an exit.

    Raises
    ------
    MissingColumnError
        When a column is missing.
    DataError
        When values are missing, alerts are not True or False, a client is judged twice at one date, or dates
        are mixed with numbers.

    Examples
    --------
    >>> alerts = pd.DataFrame({
    ...     "client_id": ["a", "a", "a", "b", "b"], "as_of": [0, 3, 6, 0, 3],
    ...     "alert": [False, True, True, False, False],
    ... })
    >>> found = lead_time(alerts, pd.DataFrame({"client_id": ["a", "b"], "date": [8, 5]}))
    >>> found
    Lead time: 1 of 2 scored exits caught (50.0%), median 5 periods before; 2 exits in all
    """
    check_integer("window_periods", window_periods, low=1)
    check_option("period", period, Period)
    judged = _runs(_judgements(alerts))
    exits = _exits(events)
    if pd.api.types.is_numeric_dtype(judged["as_of"]) != pd.api.types.is_numeric_dtype(exits["date"]):
        raise DataError(
            "as_of and date must both be dates or both be numbers of periods. Convert one of them."
        )
    pairs = exits.reset_index(names="exit").merge(judged, on="client_id")
    ahead = _periods(pairs["as_of"], pairs["date"], period)
    pairs = pairs[(ahead > 0) & (ahead <= window_periods)]
    scored = pairs.groupby("exit").size()
    last = pairs[pairs["alert"]].drop_duplicates("exit", keep="last").set_index("exit")
    table = exits.assign(scored=exits.index.isin(scored.index), caught=exits.index.isin(last.index))
    table["first_alert"] = last["run_start"].reindex(exits.index)
    table["lead_periods"] = pd.Series(
        _periods(last["run_start"], last["date"], period), index=last.index, dtype=np.float64
    ).reindex(exits.index)
    return LeadTime(table[_COLUMNS], window_periods)


def plot_lead_time(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the share of exits whose alert stood at least so many periods before.

    Parameters
    ----------
    frame : DataFrame
        As from ``lead_time(...).frame()``.
    ax : Axes, default None
        Where to draw; None = a new figure.

    Returns
    -------
    Axes
        A falling step curve, from the share caught; the median lead is marked.

    Raises
    ------
    MissingColumnError
        When `frame` lacks a column.
    MissingDependencyError
        When matplotlib is not installed.
    """
    check_columns(frame.columns, _COLUMNS, subject="frame")
    area = axes(ax, "plot_lead_time")
    lead = np.sort(frame["lead_periods"].dropna().to_numpy(dtype=np.float64))
    n_scored = max(1, int(frame["scored"].sum()))
    steps = np.unique(lead)
    share = (len(lead) - np.searchsorted(lead, steps, side="left")) / n_scored
    # between two leads the curve has the height of the later one: as many stood at least that long before
    area.stairs(share, np.concatenate([[0.0], steps]), baseline=None, linewidth=1.8)
    if len(lead):
        middle = float(np.median(lead))
        area.axvline(middle, color="0.5", linestyle="--", linewidth=1.0)
        area.annotate(
            f" median {middle:g}", (middle, 0.98), xycoords=("data", "axes fraction"), color="0.35", va="top"
        )
    area.locator_params(axis="x", integer=True)
    area.set(
        xlabel="Periods before the exit",
        ylabel="Share of exits with an alert standing at least so long",
        ylim=(0.0, 1.0),
        xlim=(0.0, None),
    )
    return area


def _judgements(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return client_id, as_of and alert, in order, checked."""
    wanted = ["client_id", "as_of", "alert"]
    at_hand = alerts.reset_index() if set(wanted) & set(alerts.index.names) else alerts
    check_columns(at_hand.columns, wanted, subject="alerts")
    table = at_hand[wanted]
    faults = _missing(table)
    flags = table["alert"].dropna().isin([True, False])
    if not flags.all():
        faults.append(f"alert must be True or False; got {table['alert'].dropna()[~flags].iloc[0]}.")
    twice = int(table.duplicated(["client_id", "as_of"]).sum())
    if twice:
        faults.append(f"client_id and as_of must name a row; {twice} rows repeat an earlier one.")
    if faults:
        raise DataError("alerts must hold one judgement a client and date.", faults)
    table = table.assign(as_of=_clock("as_of", table["as_of"]), alert=table["alert"].astype(bool))
    return table.sort_values(["client_id", "as_of"], kind="stable", ignore_index=True)


def _exits(events: pd.DataFrame) -> pd.DataFrame:
    """Return client_id and date, checked."""
    at_hand = events.reset_index() if {"client_id", "date"} & set(events.index.names) else events
    check_columns(at_hand.columns, ["client_id", "date"], subject="events")
    table = at_hand[["client_id", "date"]].reset_index(drop=True)
    faults = _missing(table)
    if faults:
        raise DataError("events must hold one exit a row.", faults)
    return table.assign(date=_clock("date", table["date"]))


def _missing(table: pd.DataFrame) -> list[str]:
    """Name the columns with missing values."""
    counts = table.isna().sum()
    return [f"{name} is missing in {n} of {len(table)} rows." for name, n in counts.items() if n]


def _clock(name: str, values: pd.Series) -> pd.Series:
    """Return times as numbers or as dates."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype(np.float64)
    try:
        return pd.to_datetime(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold dates or numbers of periods: {error}.") from None


def _runs(judged: pd.DataFrame) -> pd.DataFrame:
    """Add the as_of at which each row's run of alerts began."""
    before = judged["alert"].shift(fill_value=False) & (judged["client_id"] == judged["client_id"].shift())
    run = (judged["alert"] & ~before).cumsum()
    return judged.assign(run_start=judged.groupby(run)["as_of"].transform("first").where(judged["alert"]))


def _periods(start: pd.Series, end: pd.Series, period: Period) -> Floats:
    """Periods from start to end; of dates, the number of the period that the end falls into, from 1."""
    if pd.api.types.is_numeric_dtype(start):
        return np.asarray(end - start, dtype=np.float64)
    months = 12 * (end.dt.year - start.dt.year) + end.dt.month - start.dt.month
    months += (end.dt.day > start.dt.day).astype(months.dtype)
    number = np.ceil(months.to_numpy(dtype=np.float64) / _MONTHS[period])
    return np.asarray(np.where((end > start).to_numpy(), number, 0.0))
