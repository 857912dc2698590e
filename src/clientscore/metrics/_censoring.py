"""Outcomes with censoring, and the weights that stand in for the rows it hides.

All measures of survival share one Kaplan-Meier estimate G of the censoring distribution: at equal durations
an event comes before a censoring, so G(t) falls only for rows still there after the events of t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import numpy as np
import pandas as pd

from clientscore._checks import check_interval, check_option, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

from ._arrays import numbers
from ._curves import curves
from .incidence import encode_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from .incidence import Causes

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Train: TypeAlias = tuple[ArrayLike, ArrayLike] | pd.DataFrame | None
    Cause: TypeAlias = str | int | Sequence[str | int] | None

Ties = Literal["events_first", "strict"]
_SLACK = 1e-9  # sums of probabilities leave [0, 1] by rounding


class Measured(float):
    """A number and how far in time it reaches.

    Parameters
    ----------
    value : float
        The number; missing where it is not defined.
    tau : float, default inf
        Time up to which rows were judged, in the units of the durations.

    Examples
    --------
    >>> score = Measured(0.75, 12.0)
    >>> score + 0.25, score.tau
    (1.0, 12.0)
    """

    tau: float

    def __new__(cls, value: float, tau: float = float("inf")) -> Self:
        """Make the number."""
        made = super().__new__(cls, value)
        made.tau = tau
        return made


@dataclass(frozen=True)
class Outcomes:
    """Durations and coded events of the judged rows."""

    time: Floats
    code: NDArray[np.int64]
    names: tuple[str, ...]

    def is_cause(self, cause: Cause, also: tuple[str, ...] = ()) -> Flags:
        """Flag the events of a cause, of several, or of any (None); `also` holds further known names."""
        if cause is None:
            return np.asarray(self.code > 0)
        known = tuple(dict.fromkeys((*self.names, *also)))
        wanted = cause_names(cause)
        faults = [
            f"{name!r} does not occur.{did_you_mean(name, known)}" for name in wanted if name not in known
        ]
        if faults:
            raise DataError(f"cause must occur among the events; got events of {known}.", faults)
        return np.isin(self.code, [self.names.index(name) + 1 for name in wanted if name in self.names])

    def alive(self, t: float, ties: Ties) -> Flags:
        """Flag the rows known to be there at `t`."""
        if ties == "strict":
            return np.asarray(self.time > t)
        return np.asarray((self.time > t) | ((self.time == t) & (self.code == 0)))


@dataclass(frozen=True)
class Censoring:
    """Kaplan-Meier estimate of the time to censoring."""

    times: Floats
    after: Floats  # G just after each time, with 1 in front
    tau: float
    ties: Ties

    def survival(self, t: Floats) -> Floats:
        """Probability that a row is not censored too early to be seen at `t`; 0 where not known."""
        side: Literal["left", "right"] = "left" if self.ties == "events_first" else "right"
        found = self.after[np.searchsorted(self.times, t, side=side)]
        return np.where(t <= self.tau, found, 0.0)

    def weight(self, t: Floats) -> Floats:
        """Inverse probability of being seen at `t`; 0 where not known."""
        seen = self.survival(t)
        return np.divide(1.0, seen, out=np.zeros(len(seen)), where=seen > 0)


def read_outcomes(duration: ArrayLike, event: ArrayLike, causes: Causes = None, name: str = "") -> Outcomes:
    """Check durations and code events; `name` is put before them in messages."""
    time = numbers(f"{name}duration", duration)
    if not len(time):
        raise DataError(f"{name}duration must have at least one row; got none.")
    if (time <= 0).any():
        raise DataError(f"{name}duration must be greater than 0; got {time.min():g}. Leave those rows out.")
    codes, names = encode_events(event, causes)
    if len(codes) != len(time):
        raise DataError(f"{name}event must have {len(time)} values like duration; got {len(codes)}.")
    return Outcomes(time, codes, names)


def read_train(judged: Outcomes, train: Train) -> Outcomes:
    """Return the rows that give the censoring distribution: the judged ones when None."""
    if train is None:
        return judged
    if isinstance(train, pd.DataFrame):
        missing = [column for column in ("duration", "event") if column not in train.columns]
        if missing:
            raise DataError(f"train must have columns duration and event; {missing} are missing.")
        return read_outcomes(train["duration"], train["event"], name="train ")
    if not isinstance(train, tuple | list) or len(train) != 2:
        raise InvalidParameterError(f"train must be a pair (duration, event); got {type(train).__name__}.")
    return read_outcomes(train[0], train[1], name="train ")


def censoring(judged: Outcomes, train: Outcomes, ties: Ties) -> Censoring:
    """Estimate G; known up to its first zero, else up to the last duration seen, and no further than judged.

    Without a censored row G is 1 for ever.
    """
    check_option("ties", ties, Ties)
    follow_up = np.inf if (judged.code > 0).all() else judged.time.max()
    if (train.code > 0).all():
        return Censoring(np.zeros(0), np.ones(1), float(follow_up), ties)
    # the events of a time leave before its censorings are counted: put them half a rank earlier
    later = np.where(train.code > 0, 0.25, 0.75)
    rank = np.asarray(np.unique(train.time, return_inverse=True)[1] + later, dtype=np.float64)
    gone = curves(rank, (train.code == 0).astype(np.int64), 1)
    falls = gone.hazard[:, 0] > 0
    times = np.unique(train.time)[gone.times[falls].astype(np.int64)]
    after = np.concatenate([[1.0], gone.survival[1:][falls]])
    last = times[-1] if after[-1] == 0 else train.time.max()
    return Censoring(times, after, float(min(last, follow_up)), ties)


def cause_names(cause: Cause) -> tuple[str, ...]:
    """Names of one cause or several; a whole number k is ``cause_k``."""
    several = (cause,) if isinstance(cause, str | int) else tuple(cause or ())
    names = tuple(name if isinstance(name, str) else f"cause_{int(name)}" for name in several)
    if not names or not all(names):
        raise InvalidParameterError(f"cause must name at least one cause, or be None for any; got {cause!r}.")
    return names


def read_times(times: ArrayLike, at_least: int = 1) -> Floats:
    """Return the judged times, which must increase."""
    found = numbers("times", np.atleast_1d(np.asarray(times, dtype=np.float64)))
    if len(found) < at_least:
        raise InvalidParameterError(f"times must hold at least {at_least}; got {len(found)}.")
    if found[0] <= 0 or (np.diff(found) <= 0).any():
        raise InvalidParameterError(
            f"times must be greater than 0 and increase; got {found.tolist()}. Sort them and drop doubles."
        )
    return found


def read_curves(name: str, values: ArrayLike, n: int, times: Floats, cause: Cause = None) -> Floats:
    """Return predicted probabilities of shape (n, n_times).

    Columns of a frame are found by label where they are numbers or (cause, number), else by position.
    """
    table = _by_label(name, values, times, cause) if isinstance(values, pd.DataFrame) else np.asarray(values)
    try:
        table = np.asarray(table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers: {error}. Convert or drop the text.") from None
    if table.ndim == 1 and len(times) == 1:
        table = table[:, None]
    if table.shape != (n, len(times)):
        raise DataError(
            f"{name} must have shape {(n, len(times))}, a row each and a column a time; got {table.shape}."
        )
    bad = int((~np.isfinite(table)).sum())
    if bad:
        raise DataError(f"{name} must be finite; got {bad} missing or infinite values. Drop those rows.")
    outside = table[(table < -_SLACK) | (table > 1 + _SLACK)]
    if len(outside):
        raise DataError(f"{name} must lie in [0, 1]; got {outside[0]:g}. Pass probabilities, not scores.")
    return np.clip(table, 0.0, 1.0)


def _by_label(name: str, frame: pd.DataFrame, times: Floats, cause: Cause) -> Floats:
    """Pick the columns of the times (and cause) when the labels say which they are."""
    if isinstance(frame.columns, pd.MultiIndex):
        present = list(frame.columns.get_level_values(0).unique())
        wanted = present if cause is None else list(cause_names(cause))
        parts = [_pick(name, frame[one], times) for one in wanted if one in present]
        if len(parts) < len(wanted):
            faults = [f"{one!r} is missing." for one in wanted if one not in present]
            raise DataError(f"{name} must have a column for each cause; got {present}.", faults)
        return np.asarray(sum(parts))
    return _pick(name, frame, times)


def _pick(name: str, frame: pd.DataFrame, times: Floats) -> Floats:
    """Columns of the times, or all where labels are no numbers."""
    unnamed = isinstance(frame.columns, pd.RangeIndex) and frame.columns.start == 0
    if unnamed or not pd.api.types.is_numeric_dtype(frame.columns.dtype):
        return np.asarray(frame, dtype=np.float64)
    missing = [f"{t:g}" for t in times if t not in frame.columns]
    if missing:
        listed = list(frame.columns)
        raise DataError(f"{name} must have a column for every time; {missing} are missing from {listed}.")
    return np.asarray(frame[list(times)], dtype=np.float64)


def check_tau(tau: float | None) -> float:
    """Return the time to stop at, infinity when None."""
    if tau is None:
        return float("inf")
    check_interval("tau", tau, low=0.0, closed="neither")
    return float(tau)
