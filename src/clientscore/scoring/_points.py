"""Points of every row of the card, exact or rounded, and what rounding costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard
    from clientscore.scale import ScoreScale


def points_table(card: AdditiveCard, scale: ScoreScale, *, rounded: bool) -> pd.DataFrame:
    """Return the points of every row of every term; the intercept comes first."""
    table = card.in_points(scale, rounded=rounded).frame()
    table = table.drop(columns="output").rename(columns={"value": "points"})
    return table.astype({"points": "int64"}) if rounded else table


@dataclass(frozen=True, eq=False, repr=False)
class RoundingReport:
    """What whole points cost: an error no client can exceed, and the errors of given clients.

    Attributes
    ----------
    rows : int
        Clients looked at.
    bound : float
        Points that no client's rounded points can be off: the largest rounding error of each term, and that
        of the intercept, added up.
    largest, mean : float
        Largest and mean absolute error of the clients, in points; NaN without any.
    terms : DataFrame
        Columns term, largest_error (of any of its rows, in points); "intercept" first.
    """

    rows: int
    bound: float
    largest: float
    mean: float
    terms: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return the largest rounding error of each term."""
        return self.terms

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON scalars."""
        return {"rows": self.rows, "bound": self.bound, "largest": self.largest, "mean": self.mean}

    def __repr__(self) -> str:
        return (
            f"RoundingReport(rows={self.rows}, bound={self.bound:.3g}, largest={self.largest:.3g}, "
            f"mean={self.mean:.3g})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.terms.to_html(index=False)}"


def rounding_report(card: AdditiveCard, scale: ScoreScale, codes: NDArray[Any]) -> RoundingReport:
    """Return the bound of the rounding error and the errors of some row numbers."""
    exact, whole = (card.in_points(scale, rounded=rounded) for rounded in (False, True))
    errors = replace(
        whole,
        intercept=(whole.intercept[0] - exact.intercept[0],),
        terms=tuple(
            replace(one, values=one.values - other.values)
            for one, other in zip(whole.terms, exact.terms, strict=True)
        ),
    )
    names = ["intercept", *(term.name for term in card.terms)]
    largest = [abs(errors.intercept[0]), *(float(np.abs(term.values).max()) for term in errors.terms)]
    # Errors are added in the order of the bound, so that no client passes it by a rounding of its own.
    off = np.abs(errors.decision_codes(codes))
    return RoundingReport(
        rows=len(off),
        bound=float(sum(largest)),
        largest=float(off.max()) if len(off) else float("nan"),
        mean=float(off.mean()) if len(off) else float("nan"),
        terms=pd.DataFrame({"term": names, "largest_error": largest}),
    )
