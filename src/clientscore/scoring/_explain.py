"""What stands behind the points of clients: points by pillar, and reasons, from one reading of the card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import getitem
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.catalogue import PILLARS

from ._pillars import pillar_totals
from ._reasons import BLOCK_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard
    from clientscore.scale import ScoreScale

    from ._reasons import ReasonFinder


@dataclass(frozen=True, eq=False)
class Explainer:
    """A card with its pillars and its usual reasons; one client agrees with many to the last bit."""

    card: AdditiveCard
    finder: ReasonFinder
    pillars: Mapping[str, str]
    scale: ScoreScale

    def frame(self, codes: NDArray[Any], index: pd.Index, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the points by pillar and the n reasons of every row; n = 0 for the pillars alone."""
        points: dict[str, NDArray[np.float64]] = {pillar: np.empty(len(codes)) for pillar in PILLARS}
        places = np.empty((n, len(codes)), dtype=np.uint16)
        for start in range(0, len(codes), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            parts = self.card.feature_contributions_codes(codes[rows])
            columns = dict(zip(self.card.scored_features, parts.T, strict=True))
            for pillar, values in pillar_totals(columns, self.pillars, self._factor).items():
                points[pillar][rows] = values
            if n:
                places[:, rows] = self.finder.places(codes[rows], n, parts)
        return pd.DataFrame(points, index=index, copy=False), self.finder.name(places, index)

    def one(self, codes: Sequence[int], n: int) -> tuple[dict[str, float], list[str]]:
        """Return the points by pillar and the n reasons of one client."""
        if self._tables is None:
            parts = self.card.explain_codes_one(codes)
            pillars = pillar_totals(parts, self.pillars, self._factor)
            return pillars, self.finder.names_one(codes, n, list(parts.values()))
        tables, places = self._tables
        values, factor, points = list(map(getitem, tables, codes)), -self._factor, {}
        for pillar, columns in places:
            total = 0.0
            for column in columns:
                total += values[column]
            points[pillar] = factor * total
        return points, self.finder.names_one(codes, n)

    @cached_property
    def _factor(self) -> float:
        return self.scale.factor

    @cached_property
    def _tables(self) -> tuple[list[list[float]], list[tuple[str, list[int]]]] | None:
        """Values by column of the codes, and the columns of each pillar; None for a card with pairs."""
        tables = self.card.feature_tables()
        if tables is None:
            return None
        values = [[0.0] * one.n_rows for one in self.card.bins]
        for name, table in tables.items():
            values[self.card.features.index(name)] = table.tolist()
        places: list[tuple[str, list[int]]] = [
            (pillar, [self.card.features.index(name) for name in tables if self.pillars[name] == pillar])
            for pillar in PILLARS
        ]
        return values, places
