"""What service does to leaving: planted in the simulated book, and read back from a fitted hazard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import clientscore as cs
from clientscore.hazard import CompetingHazard

if TYPE_CHECKING:
    from collections.abc import Sequence

EFFECT_DATES = tuple(pd.date_range("2021-04-01", "2024-10-01", freq="3MS"))
# Months from the state to the period of the event. A fall of balances that begins in the month after the
# state is labeled, four times in five, on the first day five months after it: the fifth period closes there.
LEADS = {"hard_attrition": 0, "silent_attrition": 4}
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
SAMPLE = 5_000
CONTROLS = ["products_held", "tenure_months", "balance_change_3m", "inflow_change_3m"]
FADING, SEEN = 0.85, 0.25  # as the units of the planted effects say: fading by 15 % a month, recent mean


def planted_effects(
    book: cs.datasets.Portfolio, dates: Sequence[pd.Timestamp] = EFFECT_DATES
) -> pd.DataFrame:
    """Return for each driver and cause the planted and the found effect of one unit on the log rate."""
    schema = cs.ClientSchema.default()
    features = cs.build_features(book.tables, schema, list(dates))
    X = driver_table(book.tables, features).join(features[CONTROLS])
    planted = book.truth.service_effects
    rows = []
    for cause, lead in LEADS.items():
        y = cs.build_labels(book.tables, schema, list(dates), horizon=1, lead=lead)
        y = y[y["exit_duration"] == 1]
        hazard = CompetingHazard(n_periods=1, random_state=0).fit(
            X.loc[y.index], y["exit_duration"], y["exit_cause"]
        )
        linear = regression(X.loc[y.index], y["exit_cause"], cause)
        for driver in planted.index:
            found = slope(hazard, X.loc[y.index], driver, cause)
            truth = float(planted.at[driver, cause])
            rows.append(
                {
                    "driver": driver,
                    "cause": cause,
                    "planted": truth,
                    "found": found,
                    "error": found / truth - 1,
                    "regression": linear[driver],
                }
            )
    return pd.DataFrame(rows)


def regression(X: pd.DataFrame, event: pd.Series, cause: str) -> dict[str, float]:
    """Return the coefficients of a plain logistic regression of the cause against staying, drivers linear.

    What a model of the right form finds: clients that were likely to leave have left, and what is left of the
    frailties hides a part of every effect.
    """
    kept = event.isna() | event.eq(cause)
    Z = X[kept].fillna(X[kept].median())
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e6, max_iter=1000))
    model.fit(Z, event[kept].eq(cause))
    found = model[-1].coef_[0] / model[0].scale_
    return dict(zip(Z.columns, found.tolist(), strict=True))


def slope(hazard: CompetingHazard, X: pd.DataFrame, driver: str, cause: str) -> float:
    """Return the least-squares slope of the mean log odds of the cause against staying over the driver."""
    part = X.sample(min(SAMPLE, len(X)), random_state=0)
    values = X[driver].dropna()
    points = np.unique([0.0, 1.0] if values.nunique() == 2 else values.quantile(list(LEVELS)))
    place = hazard.causes_.index(cause)
    means = []
    for point in points:
        h = hazard.predict_hazard(part.assign(**{driver: point}))[:, 0]
        means.append(float(np.log(h[:, place] / (1 - h.sum(axis=1))).mean()))
    return float(np.polyfit(points, means, 1)[0])


def driver_table(tables: dict[str, pd.DataFrame], features: pd.DataFrame) -> pd.DataFrame:
    """Return the five drivers at each date from the tables alone, on the index of the features."""
    months = tables["interactions"][
        ["client_id", "month", "response_hours", "approval_days", "complaints", "manager_id"]
    ].sort_values(["client_id", "month"], ignore_index=True)
    segment = months["client_id"].map(tables["clients"].set_index("client_id")["segment"])
    by = months["client_id"]
    columns = {}
    for name in ("response_hours", "approval_days"):
        log = np.log(months[name])
        log = log - log.groupby(segment).transform("median")
        seen = log.groupby(by).ewm(alpha=SEEN, ignore_na=True).mean().droplevel(0)
        columns[name] = seen.sort_index().groupby(by).ffill()
    weight = pd.Series(1.0, index=months.index)
    complaints = months["complaints"].groupby(by).ewm(alpha=1 - FADING, adjust=True).mean().droplevel(0)
    age = weight.groupby(by).cumsum()
    total = (1 - FADING**age) / (1 - FADING)  # the mean's weights sum to this
    columns["complaints"] = np.minimum(complaints.sort_index() * total, 4.0)
    new = (months["manager_id"] != months["manager_id"].groupby(by).shift(1)) & (by == by.shift(1))
    columns["manager_change"] = new.astype(float).groupby(by).rolling(6, min_periods=1).max().droplevel(0)
    known = pd.DataFrame(columns).sort_index()
    known["client_id"], known["as_of"] = by, months["month"] + pd.DateOffset(months=1)
    known = known.set_index(["client_id", "as_of"])
    # Price: percentage points above what the clients of the segment pay at the date.
    rate = 100.0 * features["rate_mean"]
    ids = features.index.get_level_values("client_id")
    kind = tables["clients"].set_index("client_id")["segment"].reindex(ids).to_numpy()
    date = features.index.get_level_values("as_of")
    price = rate - rate.groupby([kind, date]).transform("median")
    return known.reindex(features.index).assign(price=price)
