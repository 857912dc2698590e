"""An early warning by rules alone, to stand beside the model: how many of eight simple signs are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def rule_score(X: pd.DataFrame) -> pd.Series:
    """Return the number of signs on, missing values counted as off."""
    signs = {
        "balances fall": X["balance_change_3m"] < -0.3,
        "payments fall": X["inflow_change_3m"] < -0.3,
        "fewer products": X["products_change_12m"] < 0,
        "complaints": X["complaints_sum_3m"] >= 1,
        "answers late": X["response_hours_mean_3m"] > 24.0,
        "answers slower": X["response_hours_mean_3m"] > 1.3 * X["response_hours_mean_12m"],
        "approvals slow": X["approval_days_mean_12m"] > 25.0,
        "new manager": X["manager_changed_6m"] > 0,
    }
    return sum(sign.fillna(False).astype(float) for sign in signs.values())
