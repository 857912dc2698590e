"""Exits by cause over time: reading event columns, and the Aalen-Johansen incidence."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

from ._arrays import numbers, weights
from ._curves import curves

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Causes = Sequence[str] | Mapping[Any, str] | None


def encode_events(event: ArrayLike, causes: Causes = None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Read an event column: 0 for censored, k for the k-th cause.

    Missing, 0, False and "" are censored; text is the name of a cause; an integer without a name becomes
    ``cause_1``, ``cause_2``...

    Parameters
    ----------
    event : array-like of shape (n,)
        Causes by name or number.
    causes : sequence of str or mapping, default None
        The causes and their order.  A mapping names values, for instance ``{1: "hard_attrition"}``.  None:
        those that occur, in ascending order.

    Returns
    -------
    codes : ndarray of shape (n,)
        0 = censored, otherwise 1 + position in `names`.
    names : tuple of str
        The causes.  A cause asked for but absent is kept.

    Raises
    ------
    DataError
        When an event occurs that `causes` does not name.

    Examples
    --------
    >>> encode_events(["default", None, "closure"])
    (array([2, 0, 1]), ('closure', 'default'))
    >>> encode_events([0, 2, 1], causes={1: "closure", 2: "default"})
    (array([0, 2, 1]), ('closure', 'default'))
    """
    series = pd.Series(event).astype(object)
    codes, distinct = pd.factorize(series, use_na_sentinel=True)
    mapping = dict(causes) if isinstance(causes, Mapping) else {}
    labels = [_cause_name(value, mapping) for value in distinct]
    present = sorted({label for label in labels if label is not None}, key=_natural)
    names = _ordered_names(causes, present)
    unknown = [label for label in present if label not in names]
    if unknown:
        faults = [f"{label!r} is not among the causes.{did_you_mean(label, names)}" for label in unknown]
        raise DataError(
            f"event holds causes that `causes` does not name; got {names}. Name them all.", faults
        )
    table = np.array(
        [0 if label is None else names.index(label) + 1 for label in labels] + [0], dtype=np.int64
    )
    return table[codes], names


def aalen_johansen(
    duration: ArrayLike,
    event: ArrayLike,
    *,
    horizons: Sequence[int],
    causes: Causes = None,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Cumulative incidence of each cause in the population, and survival (Aalen-Johansen estimator).

    Incidences and survival add to 1.  Censoring is taken to be independent of the causes; an event and a
    censoring at the same duration: the event comes first.

    Parameters
    ----------
    duration : array-like of shape (n,)
        Time of event or censoring, greater than 0.
    event : array-like of shape (n,)
        Missing, 0 or "" = censored, otherwise the cause by name or number (see `encode_events`).
    horizons : sequence of int
        Times at which to read the curves.
    causes : sequence of str or mapping, default None
        Causes and their order; None: those that occur.
    weight : array-like of shape (n,), default None
        Row weights; None = 1 each.

    Returns
    -------
    DataFrame
        Index horizon; one column a cause, then ``survival``.  Missing where a horizon lies beyond the last
        duration seen while clients were still at risk.

    Raises
    ------
    DataError
        When durations are not positive, or events are not among `causes`.

    References
    ----------
    Aalen and Johansen (1978), Scandinavian Journal of Statistics 5(3), 141-150.

    Examples
    --------
    >>> aalen_johansen([1, 2, 2, 3], ["exit", "default", None, None], horizons=[1, 2])
             default  exit  survival
    horizon
    1           0.00  0.25      0.75
    2           0.25  0.25      0.50
    """
    time = numbers("duration", duration)
    if not len(time):
        raise DataError("duration must have at least one row; got none.")
    if (time <= 0).any():
        raise DataError(f"duration must be greater than 0; got {time.min():g}. Leave those rows out.")
    codes, names = encode_events(event, causes)
    if len(codes) != len(time):
        raise DataError(f"event must have {len(time)} values like duration; got {len(codes)}.")
    found = curves(time, codes, len(names), weights(weight, len(time)))
    table = found.at(np.asarray(list(horizons), dtype=np.float64))
    return pd.DataFrame(table, index=pd.Index(list(horizons), name="horizon"), columns=[*names, "survival"])


def _cause_name(value: Hashable, mapping: dict[Any, str]) -> str | None:
    """Name of one event value, None when it means censored."""
    if isinstance(value, Real):
        number = float(value)
        if number == 0:
            return None
        if number != int(number) or number < 0:
            raise DataError(f"event must be a cause's name or a whole number from 0; got {value!r}.")
        return mapping.get(int(number), f"cause_{int(number)}")
    text = str(value)
    return mapping.get(text, text) if text else None


def _natural(label: str) -> tuple[str, int]:
    """Order cause_2 before cause_10."""
    stem, _, tail = label.rpartition("_")
    return (stem, int(tail)) if tail.isdecimal() else (label, 0)


def _ordered_names(causes: Causes, present: list[str]) -> tuple[str, ...]:
    """Causes in the caller's order, or those that occur."""
    if causes is None:
        return tuple(present)
    if isinstance(causes, str):
        raise InvalidParameterError(f"causes must be a list of names or a mapping; got the text {causes!r}.")
    names = tuple(dict.fromkeys(causes.values() if isinstance(causes, Mapping) else causes))
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidParameterError(f"causes must hold names (text), at least one; got {causes!r}.")
    return names
