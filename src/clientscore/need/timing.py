"""When: the likeliest and the expected period of a need, as dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._words import PERIOD_MONTHS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clientscore._words import Period

    Floats = NDArray[np.float64]
    Dates = NDArray[np.datetime64]


def by_period(curve: Floats) -> Floats:
    """Return P(need in each period) from P(need by each period): (n, periods)."""
    return np.diff(curve, axis=1, prepend=0.0)


def expected_period(curve: Floats) -> Floats:
    """Return the mean period given need, from 1 to the number of periods: (n,)."""
    last = curve[:, -1]
    mean = (last[:, None] - curve[:, :-1]).sum(axis=1)  # sum over k of P(later than k)
    expected: Floats = 1.0 + np.divide(mean, last, out=np.full(len(curve), np.nan), where=last > 0)
    return expected


def first_days(period: Floats | NDArray[np.intp], dates: Dates, lead: int, length: Period) -> Dates:
    """Return the first day of a period (1 is the first after the lead gap), from the month of each date."""
    months = (
        np.nan_to_num(np.asarray(period, dtype=np.float64)).astype(np.int64) - 1 + lead
    ) * PERIOD_MONTHS[length]
    first: Dates = dates + months.astype("timedelta64[M]")
    return np.where(np.isnan(period), np.datetime64("NaT"), first).astype("datetime64[M]")


def dates_of(index: pd.Index, as_of: object) -> Dates:
    """Return the month of each row's date; missing where neither a date nor a level ``as_of`` is given."""
    if as_of is not None:
        return np.full(len(index), pd.Timestamp(as_of).to_datetime64()).astype("datetime64[M]")
    if "as_of" in index.names:
        return np.asarray(index.get_level_values("as_of"), dtype="datetime64[M]")
    return np.full(len(index), np.datetime64("NaT"), dtype="datetime64[M]")
