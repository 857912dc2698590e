"""Ids, context, the heads' answers and the client's value, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore.value import client_value

from ._inputs import check_on_index, exit_states
from ._intervals import with_groups
from ._stages import churn_columns, need_columns, score_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.churn import ChurnModel
    from clientscore.hazard import CompetingHazard
    from clientscore.need import FinancingNeedForecaster
    from clientscore.scoring import ClientScorer
    from clientscore.value import ValueParameters

    Heads = tuple[ClientScorer | None, ChurnModel | None, FinancingNeedForecaster | None]


def client_facts(
    heads: Heads,
    usual: CompetingHazard | None,
    X: pd.DataFrame,
    context: pd.DataFrame,
    shown: Mapping[int, int],
    period: str,
    figures: ValueParameters | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all that tiers and plans read, one row a client; and the drivers of churn in full."""
    check_on_index("context", context, X)
    scorer, churn, need = heads
    leaving, drivers = churn_columns(churn, usual, X, exit_states(context), shown, period)
    needed = need_columns(need, with_groups(need, X, context), shown, period)
    parts = [score_columns(scorer, X), leaving, needed]
    return _joined(X, context, parts, figures), drivers


def tier_facts(
    heads: Heads,
    X: pd.DataFrame,
    context: pd.DataFrame,
    shown: Mapping[int, int],
    period: str,
    figures: ValueParameters | None = None,
) -> pd.DataFrame:
    """Return what a tier is made from and no more: reasons and drivers cost most of the time."""
    scorer, _, need = heads
    score = pd.DataFrame(index=X.index)
    if scorer is not None:
        score["pd"] = scorer.predict_proba(X)[:, 1]
    return _joined(X, context, [score, need_columns(need, X, shown, period)], figures)


def _joined(
    X: pd.DataFrame, context: pd.DataFrame, parts: list[pd.DataFrame], figures: ValueParameters | None
) -> pd.DataFrame:
    known = context.drop(columns=["silent", "exit_state", "tier"], errors="ignore")
    frame = pd.concat([known, *parts], axis=1)
    frame["client_id"] = X.index.get_level_values(0).astype("str")
    frame["as_of"] = X.index.get_level_values(1) if X.index.nlevels > 1 else pd.NaT
    for name in {"pd", "size_amount"} - set(frame):
        frame[name] = np.nan  # not known: the tier says so, and is not evaluated
    frame[["value", "value_basis"]] = client_value(frame, figures)[["value", "value_basis"]]
    return frame
