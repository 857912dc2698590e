"""Groups of clients whose amounts calibrate each other's intervals, where they are no features.

Industry, segment and the like stand in the context of `build_context`.  A tier in the context (of the last
run, say) is taken as it is; without one it is what the policy gives to the figures of the date, earlier runs
aside, in training as in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from clientscore.need import FinancingNeedForecaster
    from clientscore.tiering import TierPolicy

TIER = "tier"
_AUTO = ("industry", "segment")  # what "auto" may choose from beside the features
_INTERVAL = ("amount_lower", "amount_median", "amount_upper")


def groups_of_context(
    need: FinancingNeedForecaster, X: pd.DataFrame, context: pd.DataFrame | None
) -> pd.DataFrame | None:
    """Return what may group intervals beside the features, None where nothing may; tiers come later."""
    asked = need.interval_groups
    names = [asked] if isinstance(asked, str) else list(asked)
    wanted = _AUTO if names == ["auto"] else names
    about = pd.DataFrame(index=X.index)
    if context is not None:
        about = context[[name for name in wanted if name in context and name not in X]]
    if TIER in wanted and TIER not in X and TIER not in about:
        about = about.assign(**{TIER: "not known yet"})
    return about if len(about.columns) else None


def with_groups(need: FinancingNeedForecaster | None, X: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
    """Return features and, beside them, the columns of the context that group intervals."""
    if need is None:
        return X
    names = [name for name in need.amount_.interval_groups.columns if name in context and name not in X]
    return pd.concat([X, context[names]], axis=1) if names else X


def group_by_tier(
    need: FinancingNeedForecaster | None,
    tiers: TierPolicy,
    X: pd.DataFrame,
    context: pd.DataFrame | None,
    facts_of: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    """Calibrate the intervals by the tier at each date of training, where that was asked for."""
    about = pd.DataFrame(index=X.index) if context is None else context
    if need is None or not _needs_tier(need, X, about):
        return
    tier = tiers.assign(facts_of(about))[TIER]
    if tier.isna().all():
        raise DataError(
            "interval_groups names a tier, and no client of training has one: size_amount, pd or value is "
            "missing in all rows. Give a context with size_amount, or group by other columns."
        )
    need.regroup(with_groups(need, X, about).assign(**{TIER: tier}))


def by_tier(
    need: FinancingNeedForecaster | None,
    tiers: TierPolicy,
    facts: pd.DataFrame,
    X: pd.DataFrame,
    context: pd.DataFrame,
) -> pd.DataFrame:
    """Return an assessment's facts with the intervals of each client's tier, where that was asked for."""
    if need is None or not _needs_tier(need, X, context):
        return facts
    seen = with_groups(need, X, context).assign(**{TIER: tiers.assign(facts)[TIER]})
    said = need.predict(seen)
    return facts.assign(**{f"need_{name}": said[name] for name in _INTERVAL})


def values_with_groups(
    need: FinancingNeedForecaster, features: Mapping[str, Any], context: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return one client's features and, beside them, what the context says of its group."""
    names = [name for name in need.amount_.interval_groups.columns if name not in features]
    found = {name: context[name] for name in names if name in context}
    return {**features, **found} if found else features


def by_tier_one(
    need: FinancingNeedForecaster | None,
    tiers: TierPolicy,
    facts: dict[str, Any],
    features: Mapping[str, Any],
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """Return one client's facts with the interval of its tier, where that was asked for."""
    if need is None or not _needs_tier(need, features, context):
        return facts
    values = {**values_with_groups(need, features, context), TIER: tiers.assign_one(facts)[TIER]}
    said = need.predict_one(values)
    return {**facts, **{f"need_{name}": said[name] for name in _INTERVAL}}


def _needs_tier(need: FinancingNeedForecaster, features: Container[Any], context: Container[Any]) -> bool:
    """Tell whether intervals go by a tier that is not given."""
    asked = TIER in need.amount_.interval_groups.columns
    return asked and TIER not in features and TIER not in context
