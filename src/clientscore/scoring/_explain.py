"""What stands behind the points of clients: points by pillar, and reasons, from one reading of the card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.additive import BLOCK_ROWS
from clientscore.catalogue import PILLARS

from ._pillars import pillar_totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard

    from ._reasons import ReasonFinder

    #: A pillar, and the column and values of each of its features.
    PillarTables = tuple[str, list[tuple[int, list[float]]]]


@dataclass(frozen=True, eq=False)
class Explainer:
    """A card with its pillars and its usual reasons; one client agrees with many to the last bit."""

    card: AdditiveCard
    finder: ReasonFinder
    pillars: Mapping[str, str]
    factor: float  # points for one unit of log-odds

    def frame(self, codes: NDArray[Any], index: pd.Index, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the points by pillar and the n reasons of every row; n = 0 for the pillars alone."""
        points = {pillar: np.empty(len(codes)) for pillar in PILLARS}
        places = np.empty((n, len(codes)), dtype=np.uint16)
        for start in range(0, len(codes), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            parts = self.card.feature_contributions_codes(codes[rows])
            columns = dict(zip(self.card.scored_features, parts.T, strict=True))
            for pillar, values in pillar_totals(columns, self.pillars, self.factor).items():
                points[pillar][rows] = values
            if n:
                places[:, rows] = self.finder.places(codes[rows], n, parts)
        return pd.DataFrame(points, index=index, copy=False), self.finder.name(places, index)

    def one(self, codes: Sequence[int], n: int) -> tuple[dict[str, float], list[str]]:
        """Return the points by pillar and the n reasons of one client."""
        if self._tables is None:
            parts = self.card.explain_codes_one(codes)
            pillars = pillar_totals(parts, self.pillars, self.factor)
            return pillars, self.finder.names_one(codes, n, list(parts.values()))
        points = {}
        for pillar, tables in self._tables:
            total = 0.0
            for column, table in tables:
                total += table[codes[column]]
            points[pillar] = -self.factor * total
        return points, self.finder.names_one(codes, n)

    @cached_property
    def _tables(self) -> list[PillarTables] | None:
        """The card by pillar; None where terms have two features."""
        tables = self.card.feature_tables()
        if tables is None:
            return None
        found: dict[str, list[tuple[int, list[float]]]] = {pillar: [] for pillar in PILLARS}
        for name, table in tables.items():
            found[self.pillars[name]].append((self.card.features.index(name), table.tolist()))
        return list(found.items())
