"""The record of the signals: what each would have caught, how often in vain, and how long before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer, check_option
from clientscore._words import PERIOD_MONTHS, SILENT, Period
from clientscore.exceptions import DataError, InvalidParameterError

from ._rules import SignalRules
from ._spec import Side
from ._summary import check_states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["signal_backtest"]

Level = Literal["watch", "alarm"]
_CAUSES = {"attrition": ("hard_attrition", SILENT), "credit": ("default",)}


def signal_backtest(
    signals: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    level: Level = "alarm",
    causes: Mapping[str, Sequence[str]] | None = None,
    horizon: int | None = None,
    lead: int = 1,
    period: Period = "month",
    rules: SignalRules | None = None,
) -> pd.DataFrame:
    """Judge each signal by the exits that came after it.

    Parameters
    ----------
    signals : DataFrame
        From `build_signals` at a list of dates: client_id, as_of, signal, state.
    labels : DataFrame
        From `build_labels` at the same dates: ``exit_duration`` and ``exit_cause`` on (client_id, as_of).
    level : {"watch", "alarm"}, default "alarm"
        From which state on a signal has spoken.
    causes : mapping of str to sequence of str, default None
        Causes of exit that each side warns of; None takes hard and silent attrition for "attrition" and
        "default" for "credit".
    horizon : int, default None
        Periods in which the exit must come; None takes the longest duration of the labels.
    lead : int, default 1
        The gap of the labels in periods; it counts to the lead time.
    period : {"month", "quarter", "year"}, default "month"
        Length of a period of the labels; dates of events are matched by it.
    rules : SignalRules, default None
        The signals; None takes the defaults.

    Returns
    -------
    DataFrame indexed by signal
        Signals with at least one evaluated row, in the order of the rules: ``side``, ``family``;
        ``evaluated``, client-dates with a state and a known outcome; ``flagged``, those on which it spoke;
        ``base_rate``, share of exits among ``evaluated``; ``precision``, among ``flagged``; ``lift``, the two
        divided; ``recall``, share of the exits' client-dates on which it spoke; ``events``, different exits,
        ``caught``, those flagged on at least one date, and ``median_lead``, periods from the first such date
        to the exit, median over ``caught``. Missing where nothing is there to divide.

    Raises
    ------
    MissingColumnError
        When a column is absent.
    DataError
        When the labels have no row of a date of the signals.

    Notes
    -----
    Client-dates not at risk when the window opens (duration 0) and those censored before `horizon` are left
    out: their outcome is not known. A competing exit counts as none of the side's.

    Examples
    --------
    >>> dates = pd.to_datetime(["2025-01-01", "2025-04-01"])
    >>> index = pd.MultiIndex.from_product([["a", "b"], dates], names=["client_id", "as_of"])
    >>> labels = pd.DataFrame({"exit_duration": [6, 3, 6, 6], "exit_cause": ["default"] * 2 + [None] * 2},
    ...                       index=index)
    >>> signals = pd.DataFrame({"client_id": list("aabb"), "as_of": [*dates, *dates], "signal": "dpd_days",
    ...                         "state": ["quiet", "alarm", "alarm", "quiet"]})
    >>> signal_backtest(signals, labels).loc["dpd_days", ["precision", "recall", "median_lead"]].tolist()
    [0.5, 0.5, 4.0]
    """
    rules = SignalRules() if rules is None else rules
    check_option("level", level, Level)
    check_option("period", period, Period)
    check_integer("lead", lead, low=0)
    causes = _causes(causes)
    check_states(signals, rules)
    check_columns(signals.columns, ["as_of"], subject="signals")
    outcomes = _outcomes(signals, labels, horizon, PERIOD_MONTHS[period], lead)
    spoke = signals["state"].astype("str").isin(["watch", "alarm"] if level == "watch" else ["alarm"])
    outcomes["spoke"] = spoke.to_numpy()
    outcomes = outcomes[signals["state"].notna().to_numpy() & outcomes["known"]]
    names = signals["signal"].astype("str").loc[outcomes.index]
    rows = {}
    for name, part in outcomes.groupby(names, sort=False):
        spec = rules.signals[str(name)]
        rows[name] = {"side": spec.side, "family": spec.family} | _figures(part, causes[spec.side])
    order = [name for name in rules.signals if name in rows]
    columns = ["side", "family", *_figures(outcomes.iloc[:0], ())]
    return pd.DataFrame(
        [rows[name] for name in order], index=pd.Index(order, dtype="str", name="signal"), columns=columns
    )


def _causes(given: Mapping[str, Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    """Return the causes of each side."""
    causes = dict(_CAUSES if given is None else given)
    if set(causes) != set(get_args(Side)) or any(isinstance(words, str) for words in causes.values()):
        raise InvalidParameterError(
            f"causes must give a list of causes for each of {', '.join(get_args(Side))}; got {given!r}."
        )
    return {side: tuple(words) for side, words in causes.items()}


def _outcomes(
    signals: pd.DataFrame, labels: pd.DataFrame, horizon: int | None, months: int, lead: int
) -> pd.DataFrame:
    """Return for each row of the signals what came after it."""
    check_columns(labels.columns, ["exit_duration", "exit_cause"], subject="labels")
    if list(labels.index.names) != ["client_id", "as_of"]:
        raise DataError(
            f"labels must be indexed by client_id and as_of; got {list(labels.index.names)}. "
            "Build them for a list of dates, even of one."
        )
    horizon = int(labels["exit_duration"].max()) if horizon is None else horizon
    check_integer("horizon", horizon, low=1)
    dates = pd.DatetimeIndex(pd.to_datetime(signals["as_of"]))
    known_dates = labels.index.get_level_values("as_of").unique()
    strange = dates.unique().difference(known_dates)
    if len(strange):
        raise DataError(f"labels have no row of {', '.join(str(day.date()) for day in strange[:5])}.")
    keys = pd.MultiIndex.from_arrays([signals["client_id"].astype("str"), dates])
    found = labels.index.get_indexer(keys)
    duration = np.where(found >= 0, labels["exit_duration"].to_numpy()[found], 0)
    cause = labels["exit_cause"].to_numpy(dtype=object, na_value=None)[found]
    exits = (found >= 0) & ~pd.isna(cause) & (duration >= 1) & (duration <= horizon)
    month = dates.year.to_numpy() * 12 + dates.month.to_numpy()
    return pd.DataFrame(
        {
            "client_id": signals["client_id"].to_numpy(),
            "cause": np.where(exits, cause, None),
            "known": (duration >= 1) & (exits | (duration >= horizon)),
            "lead": duration + lead,
            # Dates months apart see one exit in one period: as_of + lead + duration.
            "when": month + months * (duration + lead),
        },
        index=signals.index,
    )


def _figures(part: pd.DataFrame, causes: tuple[str, ...]) -> dict[str, Any]:
    """Return the figures of one signal."""
    hit = part["cause"].isin(causes).to_numpy()
    spoke = part["spoke"].to_numpy(dtype=bool)
    events = part[hit].drop_duplicates(["client_id", "when"])
    caught = part[hit & spoke].groupby(["client_id", "when"], observed=True)["lead"].max()
    base, precision = _share(hit.sum(), len(hit)), _share((hit & spoke).sum(), spoke.sum())
    return {
        "evaluated": len(part),
        "flagged": int(spoke.sum()),
        "base_rate": base,
        "precision": precision,
        "lift": _share(precision, base),
        "recall": _share((hit & spoke).sum(), hit.sum()),
        "events": len(events),
        "caught": len(caught),
        "median_lead": float(caught.median()) if len(caught) else np.nan,
    }


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole > 0 else float("nan")
