"""Signs of a run-off month by month, beside the library's features, whose windows are three months and more.

Under the default rule a silent run-off is labeled when activity (three months over twelve) has been low for
three months; what is under way shows in the last single months.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURES = ("balance_amount", "inflow_amount")
LOW = 0.5


def run_off_features(tables: Mapping[str, pd.DataFrame], index: pd.MultiIndex) -> pd.DataFrame:
    """Return the features on an index (client_id, as_of); a month is known on the first of the next."""
    months = tables["interactions"].sort_values(["client_id", "month"], ignore_index=True)
    by = months["client_id"]
    columns: dict[str, pd.Series] = {}
    activity = []
    for name in MEASURES:
        values = months[name]
        before = _rolling(values.groupby(by).shift(3), by, 12)
        short = name.removesuffix("_amount")
        for back in range(3):
            columns[f"{short}_month_{back + 1}_to_before"] = values.groupby(by).shift(back) / before
        activity.append(_rolling(values, by, 3) / _rolling(values, by, 12))
    mean = pd.concat(activity, axis=1).mean(axis=1)
    low = (mean < LOW).astype(int)
    run = low.groupby([by, (low == 0).groupby(by).cumsum()]).cumsum()
    columns |= {"activity": mean, "low_months": run.astype(float)}
    known = pd.DataFrame(columns).replace([np.inf, -np.inf], np.nan)
    known.index = pd.MultiIndex.from_arrays(
        [by, months["month"] + pd.DateOffset(months=1)], names=["client_id", "as_of"]
    )
    return known.reindex(index)


def _rolling(values: pd.Series, by: pd.Series, window: int) -> pd.Series:
    mean = values.groupby(by).rolling(window, min_periods=int(np.ceil(0.65 * window))).mean()
    return mean.droplevel(0).sort_index()
