"""From log odds to hazards, incidence and survival; the card without its clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore.additive import Term

from .panel import PERIOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from clientscore.additive import AdditiveCard

    Floats = NDArray[np.float64]

BLOCK = 8_192


class OneClient(NamedTuple):
    """Incidence (horizons, causes), survival (horizons,) and effects by feature of one client."""

    incidence: Floats
    survival: Floats
    effects: dict[str, float]


def averaged_over_periods(card: AdditiveCard, n_periods: int) -> AdditiveCard:
    """Return the card of the features alone, tables that move with the period replaced by their mean."""
    terms = []
    for term in card.terms:
        if PERIOD not in term.features:
            terms.append(term)
        elif len(term.features) == 2:
            place = term.features.index(PERIOD)
            mean = np.moveaxis(term.values, place, 0)[:n_periods].mean(axis=0)
            terms.append(Term((term.features[1 - place],), mean))
    bins = tuple(one for one in card.bins if one.name != PERIOD)
    return replace(card, bins=bins, terms=tuple(terms))


def over_periods(card: AdditiveCard, codes: NDArray[Any], n_periods: int) -> Floats:
    """Return the card's log odds in each period, (rows, periods, outputs); `codes` lack the period."""
    if PERIOD not in card.features:  # a card learned on a single period need not hold it
        fixed = card.decision_codes(codes).reshape(len(codes), 1, -1)
        return np.repeat(fixed, n_periods, axis=1)
    place = card.features.index(PERIOD)
    whole = codes if place == codes.shape[1] else np.insert(codes, place, 0, axis=1)
    return card.decision_profile(whole, PERIOD, range(n_periods))


def over_periods_one(card: AdditiveCard, codes: list[int], n_periods: int) -> Floats:
    """Return `over_periods` of one client's row numbers: shape (periods, outputs)."""
    if PERIOD not in card.features:
        return np.tile(card.decision_codes_one(codes), (n_periods, 1))
    place = card.features.index(PERIOD)
    return card.profile_one([*codes[:place], 0, *codes[place:]], PERIOD, range(n_periods))


def hazards(log_odds: Floats) -> Floats:
    """Softmax against staying, whose log odds are 0."""
    top = np.maximum(log_odds.max(axis=-1, keepdims=True), 0.0)
    odds = np.exp(log_odds - top)
    return np.asarray(odds / (np.exp(-top) + odds.sum(axis=-1, keepdims=True)))


def incidence(hazard: Floats) -> tuple[Floats, Floats]:
    """Cumulative incidence (rows, periods, causes) and survival (rows, periods) from hazards."""
    survival = np.cumprod(1.0 - hazard.sum(axis=-1), axis=1)
    at_risk = np.concatenate([np.ones((len(hazard), 1)), survival[:, :-1]], axis=1)
    return np.cumsum(at_risk[:, :, None] * hazard, axis=1), survival


def cause_shares(curve: Floats, causes: Sequence[str], names: Sequence[str]) -> Floats:
    """Share of each named cause in each client's incidence of them by the last period: (rows, causes)."""
    share = curve[:, -1] * np.isin(causes, names)
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def level_shift(log_odds: Floats, target: Floats, rounds: int = 50) -> Floats:
    """Shift of each cause's log odds that makes the mean incidence of the last period equal `target`."""
    shift = np.zeros(log_odds.shape[-1])
    for _ in range(rounds):
        mean = incidence(hazards(log_odds + shift))[0][:, -1].mean(axis=0)
        step = np.log(target / mean)
        shift += step
        if np.abs(step).max() < 1e-7:
            break
    return shift


def population_frame(causes: tuple[str, ...], events: ArrayLike, incidence_: ArrayLike) -> pd.DataFrame:
    """Events and Aalen-Johansen incidence by cause."""
    return pd.DataFrame(
        {"events": np.asarray(events), "aalen_johansen": np.asarray(incidence_)},
        index=pd.Index(list(causes), name="cause"),
    )
