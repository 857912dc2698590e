"""The stages in order for one client: two mappings in, one dict out, no frame on the way."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._words import PERIOD_MONTHS, SILENT
from clientscore.exceptions import DataError
from clientscore.value import client_value_one

from ._columns import COLUMNS, Kind
from ._intervals import values_with_groups
from ._stages import N_DRIVERS, N_REASONS, need_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clientscore.churn import ChurnModel
    from clientscore.hazard import CompetingHazard
    from clientscore.need import FinancingNeedForecaster
    from clientscore.scoring import ClientScorer
    from clientscore.value import ValueParameters

_OWN = ("client_id", "as_of", "silent", "exit_state", "tier")


def facts_of_one(
    heads: tuple[ClientScorer | None, ChurnModel | None, FinancingNeedForecaster | None],
    usual: CompetingHazard | None,
    features: Mapping[str, Any],
    context: Mapping[str, Any],
    shown: Mapping[int, int],
    period: str,
    figures: ValueParameters | None = None,
) -> dict[str, Any]:
    """Return id, context, the heads' answers and the client's value; what is missing is None."""
    scorer, churn, need = heads
    day = _day(_known(context.get("as_of")))
    gone = _exit_state(context)
    facts = {str(name): _known(value) for name, value in context.items() if name not in _OWN}
    facts |= _score(scorer, features)
    facts |= _churn(churn, usual, features, gone, shown, period)
    grouped = features if need is None else values_with_groups(need, features, context)
    facts |= _need(need, grouped, day, shown, period)
    facts |= {"client_id": _known(context.get("client_id")), "as_of": day}
    facts = {"pd": None, "size_amount": None} | facts  # not known: the tier says so, and is not evaluated
    worth = client_value_one(facts, figures)
    return facts | {"value": worth["value"], "value_basis": worth["value_basis"]}


def conform_one(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return exactly the columns of an assessment, in order, as plain values."""
    return {name: _plain(facts.get(name), kind) for name, kind in COLUMNS.items()}


def last_tier_of(previous: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Return the tier of the latest earlier run, None where there is none."""
    if not previous:
        return None
    tier = _known(max(previous, key=lambda run: np.datetime64(run["as_of"], "us"))["tier"])
    return None if tier is None else str(tier)


def _score(scorer: ClientScorer | None, features: Mapping[str, Any]) -> dict[str, Any]:
    if scorer is None:
        return {}
    one = scorer.score_one(features, n=N_REASONS)
    pillars = {f"{pillar}_points": points for pillar, points in one["pillar_points"].items()}
    reasons = _numbered("reason", one["reasons"], N_REASONS)
    figures = {name: one[name] for name in ("pd", "points", "grade")}
    return figures | {"base_points": scorer.base_points_} | pillars | reasons


def _churn(
    churn: ChurnModel | None,
    usual: CompetingHazard | None,
    features: Mapping[str, Any],
    gone: str | None,
    shown: Mapping[int, int],
    period: str,
) -> dict[str, Any]:
    if churn is None:
        return {}
    one = churn.predict_one(features, n=N_DRIVERS)
    risk = {f"churn_{months}m": one["churn"][horizon] for months, horizon in shown.items()}
    drivers = _numbered("churn_driver", one["drivers"], N_DRIVERS)
    if gone is not None:
        return {"churn_cause": gone}
    facts = risk | drivers | {"churn_cause": one["cause"]}
    facts["churn_lifetime_months"] = one["lifetime"] * PERIOD_MONTHS[period]
    if usual is not None:
        last = max(churn.horizons)
        base = usual.predict_one(features, [last]).incidence[0, np.isin(churn.causes_, churn.churn_causes_)]
        facts["churn_service_share"] = (one["churn"][last] - float(base.sum())) / one["churn"][last]
    return facts


def _need(
    need: FinancingNeedForecaster | None,
    features: Mapping[str, Any],
    day: dt.date | None,
    shown: Mapping[int, int],
    period: str,
) -> dict[str, Any]:
    if need is None:
        return {}
    forecast = need.predict_one(features, as_of=day)
    return {new: forecast[old] for old, new in need_names(shown, period).items() if old in forecast}


def _numbered(stem: str, names: Sequence[str], n: int) -> dict[str, str | None]:
    """Return stem_1 to stem_n, None where there are fewer names."""
    return {f"{stem}_{k + 1}": names[k] if k < len(names) else None for k in range(n)}


def _known(value: Any) -> Any:
    """Return a value, or None for any mark of a missing one."""
    missing = value is None or value is pd.NA or value != value  # noqa: PLR0124 -- NaN and NaT
    return None if missing else value


def _exit_state(context: Mapping[str, Any]) -> str | None:
    """Return the cause by which the client is gone by a rule, None where it is not."""
    state, silent = _known(context.get("exit_state")), _flag(context.get("silent"))
    if state is not None and not isinstance(state, str):
        raise DataError(f"exit_state must be a cause as text or missing; got {state!r}.")
    return state if state is not None else SILENT if silent else None


def _flag(value: Any) -> bool:
    """Return a yes or no; missing is no."""
    known = _known(value)
    if known is not None and not (isinstance(known, bool | np.bool_ | int | float) and known in (0, 1)):
        raise DataError(f"silent must be true, false or missing; got {value!r}.")
    return bool(known)


def _day(value: Any) -> dt.date | None:
    """Return a date from a date, a moment or ISO text."""
    if value is None:
        return None
    day = None
    if isinstance(value, str | dt.date | np.datetime64):
        with contextlib.suppress(ValueError):
            day = np.array([value], dtype="datetime64[D]")[0].item()
    if not isinstance(day, dt.date):
        raise DataError(f"as_of must be a date; got {value!r}. Write it as 2026-01-31.")
    return day


def _plain(value: Any, kind: Kind) -> Any:
    value = _known(value)
    if value is None:
        return None
    if kind == "number":
        return float(value)
    if kind == "date":
        return f"{value:%Y-%m-%d}"
    return bool(value) if kind == "flag" else str(value)
