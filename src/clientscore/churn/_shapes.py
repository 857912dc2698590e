"""Shapes of drivers, read off the card: a feature's effect on each cause, averaged over periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore.hazard import averaged_over_periods

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard
    from clientscore.hazard import CompetingHazard

    Floats = NDArray[np.float64]

_TOP = 3  # drivers named in a summary


def own_effects(card: AdditiveCard, reach: int) -> dict[str, Floats]:
    """Return the effect of each feature alone: rows of its bins x causes, in log odds.

    The mean over periods of a pair with the period is part of it; pairs with other features are not, their
    mean is 0.
    """
    average = averaged_over_periods(card, reach)
    effects: dict[str, Floats] = {}
    for term in average.terms:
        if len(term.features) == 1:
            name = term.features[0]
            effects[name] = effects.get(name, 0.0) + term.values
    return effects


def row_shares(card: AdditiveCard) -> dict[str, Floats]:
    """Return the shares of the training weight in each row, of features with a table of their own."""
    return {
        term.features[0]: term.share
        for term in card.terms
        if len(term.features) == 1 and term.share is not None
    }


def top_drivers(hazard: CompetingHazard) -> pd.Series:
    """Return by cause the features whose own effect spreads most over the training book, comma between.

    Missing for a cause with a constant hazard.
    """
    named: dict[str, str | None] = dict.fromkeys(hazard.causes_)
    if hazard.card_ is not None:
        effects, shares = own_effects(hazard.card_, int(hazard.reach_)), row_shares(hazard.card_)
        names = [name for name in effects if name in shares]
        spread = [shares[name] @ effects[name] ** 2 for name in names]
        table = np.reshape(spread, (len(names), len(hazard.card_.outputs)))
        for column, cause in enumerate(hazard.card_.outputs):
            order = np.argsort(-table[:, column], kind="stable")[:_TOP]
            named[cause] = ", ".join(names[place] for place in order if table[place, column] > 0) or None
    return pd.Series(named, dtype="str")
