"""What each head says of a feature table, as columns of one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clientscore._words import PERIOD_MONTHS, SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.churn import ChurnModel
    from clientscore.need import FinancingNeedForecaster
    from clientscore.scoring import ClientScorer

N_REASONS, N_DRIVERS = 4, 3
_SHOWN_MONTHS = (3, 6, 12)


def period_suffix(period: str) -> str:
    """Return the letter that ends a horizon's column: m, q or y."""
    return period[0]


def shown_horizons(horizons: tuple[int, ...], period: str) -> dict[int, int]:
    """Return the horizons (in periods) that an assessment shows, by their length in months."""
    months = {horizon * PERIOD_MONTHS[period]: horizon for horizon in horizons}
    return {length: months[length] for length in _SHOWN_MONTHS if length in months}


def score_columns(scorer: ClientScorer | None, X: pd.DataFrame) -> pd.DataFrame:
    """Return pd, points, grade, pillar points and reasons."""
    if scorer is None:
        return pd.DataFrame(index=X.index)
    return scorer.score_frame(X, n=N_REASONS)


def churn_columns(
    churn: ChurnModel | None, X: pd.DataFrame, silent: pd.Series, shown: dict[int, int]
) -> pd.DataFrame:
    """Return churn by horizon, its likeliest cause and its drivers; missing for clients in silent run-off."""
    columns = pd.DataFrame(index=X.index)
    if churn is None:
        return columns
    incidence = churn.predict_cumulative_incidence(X)
    causes = list(churn.churn_causes_)
    for months, horizon in shown.items():
        columns[f"churn_{months}m"] = incidence.loc[:, [(cause, horizon) for cause in causes]].sum(axis=1)
    last = max(churn.horizons)
    longest = incidence.loc[:, [(cause, last) for cause in causes]]
    likeliest = longest.droplevel(1, axis=1).idxmax(axis=1) if len(X) else pd.Series(index=X.index)
    columns["churn_cause"] = likeliest.astype("str")
    drivers = churn.drivers(X, n=N_DRIVERS)
    drivers.columns = [f"churn_driver_{i + 1}" for i in range(drivers.shape[1])]
    columns = columns.join(drivers)
    columns = columns.mask(silent)
    columns["churn_cause"] = columns["churn_cause"].where(~silent, SILENT)
    return columns


def need_names(shown: Mapping[int, int], period: str) -> dict[str, str]:
    """Return the columns of a need forecast by the names that an assessment gives them."""
    probabilities = {
        f"need_probability_{horizon}{period_suffix(period)}": f"need_probability_{months}m"
        for months, horizon in shown.items()
    }
    return probabilities | {
        "need_month": "need_month",
        "amount_expected": "need_amount_expected",
        "amount_lower": "need_amount_lower",
        "amount_median": "need_amount_median",
        "amount_upper": "need_amount_upper",
        "purpose": "need_purpose",
        "product": "need_product",
    }


def need_columns(
    need: FinancingNeedForecaster | None, X: pd.DataFrame, shown: dict[int, int], period: str
) -> pd.DataFrame:
    """Return the need forecast under the names of an assessment."""
    if need is None:
        return pd.DataFrame(index=X.index)
    forecast = need.predict(X)
    present = {old: new for old, new in need_names(shown, period).items() if old in forecast}
    return forecast[list(present)].rename(columns=present)


def last_tier(previous: pd.DataFrame | None, client_ids: pd.Series) -> pd.Series:
    """Return each client's tier in the latest previous run, missing where there is none."""
    if previous is None or previous.empty:
        return pd.Series(None, index=client_ids.index, dtype="str")
    last = (
        previous.sort_values("as_of").drop_duplicates("client_id", keep="last").set_index("client_id")["tier"]
    )
    return client_ids.map(last).astype("str")
