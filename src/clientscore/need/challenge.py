"""Card or trees: which form the amount takes, and what the card costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from clientscore.metrics import PairedReport, bootstrap_by_client

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
class AmountChallenge(PairedReport):
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

    comparison_kind = AmountComparison

    chosen: str
    evidence: str
    amounts: int
    clients: int
    comparisons: tuple[AmountComparison, ...]

    @property
    def headline(self) -> str:
        """What was compared, on which rows, in one line."""
        return (
            f"Amount given need, {self.chosen} taken: card against bagged full trees, {self.evidence}: "
            f"{self.amounts} amounts, {self.clients} clients; 95 % intervals"
        )


def compare_forms(
    form: Form, errors: Mapping[str, Floats], clients: Ints, evidence: str, seed: int
) -> AmountChallenge:
    """Compare errors of log amounts of both forms on the same rows, and choose.

    "auto" takes the trees where their squared error is lower by 2 % of the card's and the 95 % interval of
    the difference, whole clients resampled, lies above 0.
    """
    comparisons = []
    for measure, size in (("squared_error", np.square), ("absolute_error", np.abs)):
        values = paired(size(errors["card"]), size(errors["trees"]), clients, seed)
        comparisons.append(AmountComparison(measure, *values))
    first = comparisons[0]
    wins = first.difference > MARGIN * first.card and first.lower > 0
    facts = evidence, len(clients), len(np.unique(clients))
    return AmountChallenge(chosen_form(form, wins=wins), *facts, tuple(comparisons))


def paired(card: Floats, trees: Floats, clients: Ints, seed: int) -> tuple[float, float, float, float, float]:
    """Return the mean losses of both, their difference and its 95 % interval, whole clients resampled."""
    gap = card - trees
    found = bootstrap_by_client(partial(_mean_of, gap), clients, n=_RESAMPLES, random_state=seed)
    means = float(card.mean()), float(trees.mean()), float(gap.mean())
    return *means, float(found.lower), float(found.upper)


def chosen_form(form: Form, *, wins: bool) -> str:
    """Return the form that is taken: what was asked for, or the trees where they win."""
    return "trees" if form == "trees" or (form == "auto" and wins) else "card"


def _mean_of(values: Floats, rows: NDArray[np.intp]) -> float:
    return float(values[rows].mean())
