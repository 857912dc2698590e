"""From log odds to hazards, incidence and survival."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

BLOCK = 8_192


class OneClient(NamedTuple):
    """Incidence (horizons, causes), survival (horizons,) and effects by feature of one client."""

    incidence: Floats
    survival: Floats
    effects: dict[str, float]


def hazards(log_odds: Floats) -> Floats:
    """Softmax against staying, whose log odds are 0."""
    top = np.maximum(log_odds.max(axis=-1, keepdims=True), 0.0)
    odds = np.exp(log_odds - top)
    return np.asarray(odds / (np.exp(-top) + odds.sum(axis=-1, keepdims=True)))


def staying(hazard: Floats) -> Floats:
    """Return the probability of not leaving, at least 0 where hazards add to 1 but for rounding."""
    return np.asarray(np.maximum(1.0 - hazard.sum(axis=-1), 0.0))


def incidence(hazard: Floats) -> tuple[Floats, Floats]:
    """Cumulative incidence (rows, periods, causes) and survival (rows, periods) from hazards."""
    survival: Floats = np.cumprod(staying(hazard), axis=1, dtype=np.float64)
    at_risk = np.concatenate([np.ones((len(hazard), 1)), survival[:, :-1]], axis=1)
    return np.cumsum(at_risk[:, :, None] * hazard, axis=1), survival


def read_curves(hazard: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Return incidence (rows, m, causes) and survival (rows, m) at places of the clock.

    Between the ends of two periods the hazards are constant over places, so that survival falls
    geometrically and every cause has its share of what is lost.
    """
    curve, survival = incidence(hazard)
    period = np.maximum(np.ceil(places).astype(np.int64) - 1, 0)
    part = places - period
    if (part == 1.0).all():
        return curve[:, period], survival[:, period]
    n = len(hazard)
    before = np.concatenate([np.ones((n, 1)), survival], axis=1)[:, period]
    gone = np.concatenate([np.zeros((n, 1, hazard.shape[2])), curve], axis=1)[:, period]
    inside = hazard[:, period]
    leaving = inside.sum(axis=2)
    there = before * staying(inside) ** part
    share = np.divide(before - there, leaving, out=np.zeros_like(there), where=leaving > 0)
    return gone + share[:, :, None] * inside, there


def cause_shares(curve: Floats, causes: Sequence[str], names: Sequence[str]) -> Floats:
    """Share of each named cause in each client's incidence of them by the last period: (rows, causes)."""
    share = curve[:, -1] * np.isin(causes, names)
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def population_frame(causes: tuple[str, ...], events: ArrayLike, incidence_: ArrayLike) -> pd.DataFrame:
    """Events and Aalen-Johansen incidence by cause."""
    return pd.DataFrame(
        {"events": np.asarray(events), "aalen_johansen": np.asarray(incidence_)},
        index=pd.Index(list(causes), name="cause"),
    )
