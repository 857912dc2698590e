"""What can be wrong with the parameters of a tier policy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from clientscore._checks import check_interval, did_you_mean
from clientscore.exceptions import InvalidParameterError

from .inputs import SIGNAL_SIDES
from .matrix import TierMatrix


def faults_of(policy: Any) -> list[str]:
    """List every way in which the parameters contradict the rules."""
    faults = [
        f"{name} must map tiers to numbers, such as {{'A': 1.0}}; got {getattr(policy, name)!r}."
        for name in ("cutoffs", "pd_gates")
        if not isinstance(getattr(policy, name), Mapping)
    ]
    if faults:
        return faults
    if isinstance(policy.watch_grades, str):
        faults.append(f"watch_grades must be a list of grades; got {policy.watch_grades!r}.")
    sides = policy.watch_signals
    if isinstance(sides, str) or not isinstance(sides, Sequence) or not set(sides) <= set(SIGNAL_SIDES):
        faults.append(f"watch_signals must be a list out of {', '.join(SIGNAL_SIDES)}; got {sides!r}.")
    amounts = [policy.cutoffs[tier] for tier in policy.cutoffs]
    if not amounts or not all(isinstance(a, int | float) and math.isfinite(a) for a in amounts):
        faults.append(f"cutoffs must be finite amounts, one a tier; got {dict(policy.cutoffs)!r}.")
    elif any(high <= low for high, low in itertools.pairwise(amounts)):
        listed = ", ".join(f"{tier}={amount:g}" for tier, amount in policy.cutoffs.items())
        faults.append(f"cutoffs must fall from the best tier down; got {listed}. Swap them?")
    if policy.otherwise in policy.cutoffs:
        faults.append(f"otherwise must be a tier without a cut-off; got {policy.otherwise!r}.")
    faults += [
        f"pd_gates: {tier!r} is not a tier with a cut-off.{did_you_mean(tier, policy.cutoffs)}"
        for tier in policy.pd_gates
        if tier not in policy.cutoffs
    ]
    if isinstance(policy.matrix, TierMatrix):
        faults += policy.matrix.faults_of_order((*policy.cutoffs, policy.otherwise))
    elif policy.matrix is not None:
        faults.append(f"matrix must be a TierMatrix; got {policy.matrix!r}.")
    rates = {f"pd_gates.{tier}": gate for tier, gate in policy.pd_gates.items()}
    rates |= {name: getattr(policy, name) for name in ("size_rate", "need_rate", "buffer", "watch_pd")}
    for name, rate in rates.items():
        faults += _interval_fault(name, rate, high=1.0)
    faults += _interval_fault("watch_dpd_days", policy.watch_dpd_days)
    faults += _interval_fault("periods", policy.periods, low=1.0)
    return faults


def _interval_fault(name: str, value: Any, low: float = 0.0, high: float = math.inf) -> list[str]:
    try:
        check_interval(name, value, low=low, high=high)
    except InvalidParameterError as error:
        return [error.message]
    return []
