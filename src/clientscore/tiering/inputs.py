"""What a tier is made from: the columns of a book or the values of one client, and the earlier runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    #: Position of each client's last tier, and whether it has stood there long enough to move.
    History = tuple[NDArray[np.intp], NDArray[np.bool_]]

MISSING = -1
#: Sides of early warning; the state of each stands in the column ``<side>_signal_state``.
SIGNAL_SIDES = ("credit", "attrition")
_STATES = ("green", "amber", "red")


def run_date(frame: pd.DataFrame, as_of: Any) -> pd.Timestamp | None:
    """Return the one day of the run, or None where nothing says it."""
    if as_of is not None:
        return pd.Timestamp(as_of)
    if "as_of" in frame.columns:
        dates = pd.to_datetime(frame["as_of"]).unique()
    elif "as_of" in frame.index.names:
        dates = pd.to_datetime(frame.index.get_level_values("as_of")).unique()
    else:
        return None
    if len(dates) > 1:
        raise DataError(f"assign takes one as_of at a time; got {len(dates)}. Group the frame by as_of.")
    return pd.Timestamp(dates[0]) if len(dates) and not pd.isna(dates[0]) else None


def history(
    ids: np.ndarray, previous: pd.DataFrame, run: pd.Timestamp | None, tiers: Sequence[str], periods: int
) -> History:
    """Last tier of each client (or missing) and whether it has stood there for `periods` runs."""
    check_columns(previous.columns, ("client_id", "as_of", "tier"), subject="previous")
    known = previous.loc[previous["tier"].notna(), ["client_id", "as_of", "tier"]]
    _check_tiers(known["tier"], tiers)
    known = known.assign(as_of=pd.to_datetime(known["as_of"]))
    if run is not None:
        known = known[known["as_of"] < run]
    known = known.sort_values("as_of", kind="stable").groupby("client_id").tail(periods)
    order = {tier: float(i) for i, tier in enumerate(tiers)}
    known = known.assign(rank=known["tier"].map(order).astype("float64"))
    groups = known.groupby("client_id")["rank"]
    summary = pd.DataFrame({"last": groups.last(), "steady": groups.nunique() == 1})
    summary = summary.reindex(ids)
    last = summary["last"].fillna(MISSING).to_numpy(dtype=np.intp)
    return last, (summary["steady"] == True).to_numpy(dtype=bool)  # noqa: E712 -- missing is not steady


def history_of(
    previous: Sequence[Mapping[str, Any]], run: Any, tiers: Sequence[str], periods: int
) -> History:
    """Return the history of one client from its earlier runs, as arrays of length 1."""
    known = []
    for one in previous:
        if not {"as_of", "tier"} <= one.keys():
            check_columns(one, ("as_of", "tier"), subject="previous")
        tier, date = one["tier"], _day(one["as_of"])
        if isinstance(tier, str) and (run is None or date < _day(run)):
            known.append((date, tier))
    _check_tiers([tier for _, tier in known], tiers)
    known.sort(key=lambda pair: pair[0])
    latest = [tier for _, tier in known][-periods:]
    last = tiers.index(latest[-1]) if latest else MISSING
    return np.array([last]), np.array([len(set(latest)) == 1])


def _day(date: Any) -> np.datetime64:
    try:
        day: np.datetime64 = np.array([date], dtype="datetime64[us]")[0]
    except (TypeError, ValueError) as error:
        raise DataError(f"as_of must be a date; got {date!r}. Write it as 2026-01-31.") from error
    return day


def _check_tiers(given: Iterable[str], tiers: Sequence[str]) -> None:
    unknown = sorted(set(given) - set(tiers))
    if unknown:
        raise DataError(f"previous must hold tiers {', '.join(tiers)}; got {', '.join(unknown)}.")


def red_signals(frame: pd.DataFrame, sides: Sequence[str]) -> NDArray[np.bool_]:
    """Return which clients are red on one of the sides of early warning; absent and missing are not."""
    red = np.zeros(len(frame), dtype=bool)
    for side in sides:
        name = f"{side}_signal_state"
        if name in frame.columns:
            _check_states(name, frame[name].dropna().unique())
            red |= frame[name].eq("red").fillna(value=False).to_numpy(dtype=bool)
    return red


def red_of(facts: Mapping[str, Any], sides: Sequence[str]) -> bool:
    """Return whether one client is red on one of the sides of early warning."""
    states = {name: facts.get(name) for name in (f"{side}_signal_state" for side in sides)}
    known = {name: state for name, state in states.items() if isinstance(state, str)}
    for name, state in known.items():
        _check_states(name, [state])
    return "red" in known.values()


def _check_states(name: str, given: Iterable[Any]) -> None:
    unknown = sorted(str(state) for state in given if state not in _STATES)
    if unknown:
        raise DataError(f"{name} must hold {', '.join(_STATES)} or be missing; got {', '.join(unknown[:5])}.")


def lacking(parts: Mapping[str, np.ndarray]) -> list[str]:
    """Return for each row the sentence that names its missing inputs, or an empty text."""
    codes = np.zeros(len(next(iter(parts.values()))), dtype=np.intp)
    for bit, values in enumerate(parts.values()):
        codes |= np.isnan(values) << bit
    texts = [""]
    for code in range(1, 2 ** len(parts)):
        names = [name for bit, name in enumerate(parts) if code >> bit & 1]
        texts.append(f"not evaluated: {', '.join(names)} missing")
    return [texts[code] for code in codes.tolist()]
