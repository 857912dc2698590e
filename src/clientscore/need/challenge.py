"""Card or trees: which form the amount takes, and what the card costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore.metrics import bootstrap_by_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Form = Literal["card", "trees", "auto"]
MARGIN = 0.02  # of the card's squared error, that trees must win by
MIN_TREES = 300  # fewer amounts: a card
_RESAMPLES = 300


@dataclass(frozen=True)
class AmountComparison:
    """One measure of card and trees on the same amounts.

    Parameters
    ----------
    measure : {"squared_error", "absolute_error"}
        Mean error of log amounts; lower is better.
    card, trees : float
        Its value.
    difference : float
        Card minus trees.
    lower, upper : float
        95 % interval of the difference, clients resampled.
    """

    measure: str
    card: float
    trees: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True, repr=False)
class AmountChallenge:
    """What the card of the amount gives up, or does not, against bagged full trees.

    Attributes
    ----------
    chosen : {"card", "trees"}
        The form that was taken.
    evidence : str
        Which rows judged, of models that had not seen them.
    amounts, clients : int
        Amounts judged, and their clients.
    comparisons : tuple of AmountComparison
        Squared and absolute error of log amounts.
    """

    chosen: str
    evidence: str
    amounts: int
    clients: int
    comparisons: tuple[AmountComparison, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row a measure: card, trees, difference (card minus trees), lower, upper."""
        return pd.DataFrame([asdict(one) for one in self.comparisons]).set_index("measure")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON scalars, lists and dicts."""
        return {**asdict(self), "comparisons": [asdict(one) for one in self.comparisons]}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> AmountChallenge:
        """Build the report from :meth:`to_dict`."""
        comparisons = tuple(AmountComparison(**one) for one in state["comparisons"])
        return cls(**{**state, "comparisons": comparisons})

    def _headline(self) -> str:
        return (
            f"Amount given need, {self.chosen} taken: card against bagged full trees, {self.evidence}: "
            f"{self.amounts} amounts, {self.clients} clients; 95 % intervals"
        )

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.frame().round(5).to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline()}</p>{self.frame().round(5).to_html()}"


def compare_forms(
    form: Form, errors: Mapping[str, Floats], clients: Ints, evidence: str, seed: int
) -> AmountChallenge:
    """Compare errors of log amounts of both forms on the same rows, and choose.

    "auto" takes the trees where their squared error is lower by 2 % of the card's and the 95 % interval of
    the difference, whole clients resampled, lies above 0.
    """
    comparisons = []
    for measure, size in (("squared_error", np.square), ("absolute_error", np.abs)):
        card, trees = size(errors["card"]), size(errors["trees"])
        gap = card - trees
        found = bootstrap_by_client(partial(_mean_of, gap), clients, n=_RESAMPLES, random_state=seed)
        lower, upper = found.lower, found.upper
        means = float(card.mean()), float(trees.mean()), float(gap.mean())
        comparisons.append(AmountComparison(measure, *means, float(lower), float(upper)))
    first = comparisons[0]
    wins = first.difference > MARGIN * first.card and first.lower > 0
    chosen = "trees" if form == "trees" or (form == "auto" and wins) else "card"
    n_clients = len(np.unique(clients))
    return AmountChallenge(chosen, evidence, len(clients), n_clients, tuple(comparisons))


def _mean_of(values: Floats, rows: NDArray[np.intp]) -> float:
    return float(values[rows].mean())
