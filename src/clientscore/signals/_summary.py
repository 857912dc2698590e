"""Several weak signals together: each client red, amber or green, on the side of attrition and of credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, did_you_mean
from clientscore.exceptions import DataError

from ._rules import SignalRules
from ._spec import Side

if TYPE_CHECKING:
    from ._panel import Counts, Numbers

__all__ = ["COLORS", "check_states", "signal_summary"]

COLORS = ("green", "amber", "red")
_SIDES = get_args(Side)
_POINTS = {"watch": 1.0, "alarm": 2.0}


def signal_summary(signals: pd.DataFrame, rules: SignalRules | None = None) -> pd.DataFrame:
    """Return the state of every client from its signals.

    Parameters
    ----------
    signals : DataFrame
        From `build_signals`: client_id, signal, state, and as_of where there are several dates.
    rules : SignalRules, default None
        Families, and from how many points on a side is amber or red; None takes the defaults.

    Returns
    -------
    DataFrame
        One row a client (and date), in the order of their first rows: ``client_id``, ``as_of`` where given;
        ``state``, the worse of ``attrition_state`` and ``credit_state`` ("green", "amber", "red"; missing
        where no signal of the side was evaluated); ``evaluated``, ``watches`` and ``alarms``, numbers of
        signals; ``attrition_points`` and ``credit_points`` (a watch 1, an alarm 2); ``speaking``, the names
        of the signals that are not quiet, alarms first; and ``alarms_<family>`` for every family.

    Raises
    ------
    MissingColumnError
        When a column is absent.
    DataError
        When a signal is not in the rules, or a state is not one of theirs.

    Examples
    --------
    >>> found = pd.DataFrame({"client_id": ["a", "a", "a", "b"],
    ...                       "signal": ["dpd_days", "utilization", "equity_ratio", "dpd_days"],
    ...                       "state": ["alarm", "watch", "watch", "quiet"]})
    >>> signal_summary(found)[["client_id", "state", "credit_points", "speaking"]].values.tolist()
    [['a', 'amber', 4.0, 'dpd_days, utilization, equity_ratio'], ['b', 'green', 0.0, '']]
    """
    rules = SignalRules() if rules is None else rules
    check_states(signals, rules)
    keys = ["client_id", "as_of"] if "as_of" in signals else ["client_id"]
    code, clients = _keys(signals, keys)
    names = signals["signal"].astype("str")
    state = signals["state"].astype("str")
    evaluated = state.notna().to_numpy()
    points = state.map(_POINTS).fillna(0.0).to_numpy(dtype=np.float64)
    side = names.map({name: spec.side for name, spec in rules.signals.items()}).to_numpy()
    family = names.map({name: spec.family for name, spec in rules.signals.items()}).to_numpy()
    n = len(clients)
    columns: dict[str, Any] = {}
    for one in _SIDES:
        mine = side == one
        total = np.bincount(code[mine], points[mine], minlength=n)
        seen = np.bincount(code[mine & evaluated], minlength=n)
        spoke = _families(code, family, mine & (points > 0), n)
        columns[f"{one}_points"] = total
        columns[f"{one}_state"] = _colors(total, spoke, seen, rules)
    worse = np.maximum(*(columns[f"{one}_state"] for one in _SIDES))
    frame = clients.assign(state=_named(worse))
    for one in _SIDES:
        frame[f"{one}_state"] = _named(columns[f"{one}_state"])
    frame["evaluated"] = np.bincount(code[evaluated], minlength=n)
    for label, worth in (("watches", 1.0), ("alarms", 2.0)):
        frame[label] = np.bincount(code[points == worth], minlength=n)
    for one in _SIDES:
        frame[f"{one}_points"] = columns[f"{one}_points"]
    frame["speaking"] = _speaking(code, names, points, n)
    for one in dict.fromkeys(spec.family for spec in rules.signals.values()):
        alarm = (family == one) & (points == _POINTS["alarm"])
        frame[f"alarms_{one}"] = np.bincount(code[alarm], minlength=n)
    return frame


def check_states(signals: pd.DataFrame, rules: SignalRules) -> None:
    """Raise unless a frame holds signals of the rules and their states."""
    check_columns(signals.columns, ["client_id", "signal", "state"], subject="signals")
    strange = [name for name in signals["signal"].unique() if name not in rules.signals]
    faults = [
        f"signal {name!r} is not in the rules.{did_you_mean(str(name), rules.signals)}" for name in strange
    ]
    states = [state for state in signals["state"].dropna().unique() if state not in ("quiet", *_POINTS)]
    faults += [f"state {state!r} is none of quiet, watch, alarm" for state in states]
    if faults:
        raise DataError("signals cannot be added up; take them from build_signals with these rules.", faults)


def _keys(signals: pd.DataFrame, keys: list[str]) -> tuple[Counts, pd.DataFrame]:
    """Return the number of each row's client (and date), and their table."""
    groups = signals.groupby(keys, sort=False, observed=True)
    code = groups.ngroup().to_numpy()
    first = np.unique(code, return_index=True)[1]
    return code, signals[keys].iloc[first].reset_index(drop=True)


def _families(code: Counts, family: np.ndarray, speaks: np.ndarray, n: int) -> Counts:
    """Return in how many families something speaks."""
    numbers, found = pd.factorize(family[speaks])
    pairs = np.unique(code[speaks] * max(len(found), 1) + numbers)
    return np.bincount(pairs // max(len(found), 1), minlength=n)


def _colors(points: Numbers | Counts, families: Counts, seen: Counts, rules: SignalRules) -> Counts:
    """Return 0, 1, 2 for green, amber, red and -1 where nothing was evaluated."""
    together = families >= rules.min_families
    color = np.where(together & (points >= rules.amber_points), 1, 0)
    color = np.where(together & (points >= rules.red_points), 2, color)
    return np.where(seen > 0, color, -1)


def _named(color: Counts) -> pd.Categorical:
    return pd.Categorical.from_codes(
        color.astype(np.int64), categories=pd.Index(COLORS, dtype="str"), ordered=True
    )


def _speaking(code: Counts, names: pd.Series, points: Numbers, n: int) -> Any:
    """Return the names of the signals that speak, alarms first."""
    rows = np.flatnonzero(points > 0)
    rows = rows[np.lexsort((rows, -points[rows], code[rows]))]
    text = np.full(n, "", dtype=object)
    owners, starts = np.unique(code[rows], return_index=True)
    words = names.to_numpy(dtype=object)[rows]
    for owner, part in zip(owners, np.split(words, starts)[1:], strict=True):
        text[owner] = ", ".join(part)
    return pd.array(text, dtype="str")
