"""What each head says of a feature table, as columns of one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._words import PERIOD_MONTHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.churn import ChurnModel
    from clientscore.hazard import CompetingHazard
    from clientscore.need import FinancingNeedForecaster
    from clientscore.scoring import ClientScorer

N_REASONS, N_DRIVERS = 4, 3
DRIVER_COLUMNS = ["client_id", "rank", "code", "text", "value", "log_odds", "share", "sentence"]
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
    churn: ChurnModel | None,
    usual: CompetingHazard | None,
    X: pd.DataFrame,
    gone: pd.Series,
    shown: Mapping[int, int],
    period: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return churn by horizon, its cause, drivers, lifetime and part of service; and the drivers in full.

    `usual` are the hazards at average service. For clients who are gone by a rule the cause says by which,
    and all else is missing. The second frame has one line a client and driver, see `ChurnModel.explain`.
    """
    columns = pd.DataFrame(index=X.index)
    if churn is None:
        return columns, pd.DataFrame(columns=DRIVER_COLUMNS)
    incidence = churn.predict_cumulative_incidence(X)
    causes = list(churn.churn_causes_)
    for months, horizon in shown.items():
        columns[f"churn_{months}m"] = incidence.loc[:, [(cause, horizon) for cause in causes]].sum(axis=1)
    last = max(churn.horizons)
    longest = incidence.loc[:, [(cause, last) for cause in causes]]
    likeliest = longest.droplevel(1, axis=1).idxmax(axis=1) if len(X) else pd.Series(index=X.index)
    columns["churn_cause"] = likeliest.astype("str")
    explained = churn.explain(X[gone.isna()], n=N_DRIVERS)
    columns = columns.join(_named_drivers(explained, X.index))
    columns["churn_lifetime_months"] = churn.lifetime(X) * PERIOD_MONTHS[period]
    if usual is not None:
        risk = longest.sum(axis=1)
        base = usual.predict_incidence(X, [last])[:, 0, np.isin(churn.causes_, causes)].sum(axis=1)
        columns["churn_service_share"] = (risk - base) / risk
    columns = columns.where(gone.isna())
    columns["churn_cause"] = columns["churn_cause"].fillna(gone)
    ids = pd.Series(explained.index.get_level_values(0).astype("str"), index=explained.index)
    return columns, explained.assign(client_id=ids)[DRIVER_COLUMNS].reset_index(drop=True)


def _named_drivers(explained: pd.DataFrame, index: pd.Index) -> pd.DataFrame:
    """Return the names of the drivers side by side, missing where there are fewer."""
    names = np.full((len(index), N_DRIVERS), None, dtype=object)
    names[index.get_indexer(explained.index), explained["rank"].to_numpy() - 1] = explained["code"]
    columns = [f"churn_driver_{rank}" for rank in range(1, N_DRIVERS + 1)]
    return pd.DataFrame(names, index=index, columns=columns, dtype="str")


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
    need: FinancingNeedForecaster | None, X: pd.DataFrame, shown: Mapping[int, int], period: str
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
