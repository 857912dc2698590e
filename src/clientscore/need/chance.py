"""Whether and when: the hazard of a need as a card or as trees, and what the card costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore._words import NEED, PERIOD_MONTHS
from clientscore.hazard import CompetingHazard
from clientscore.metrics import PairedReport

from .challenge import chosen_form, paired
from .conformal import rows_before

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .challenge import Form
    from .conformal import Window

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

SKILL_MARGIN = 0.01  # of what the card gains on the base rate, that trees must gain more
MIN_NEEDS = 300  # fewer needs to judge by: a card
_HELD_SHARE = 0.25
_TINY = 1e-6
_MONTH = "as_of_month"


class History(NamedTuple):
    """What a hazard is learned from: features, whole periods, "need" or "exit" or None, client numbers."""

    X: pd.DataFrame
    duration: pd.Series
    event: NDArray[Any]
    clients: Ints

    def part(self, rows: Mask) -> History:
        """Return some rows."""
        return History(self.X[rows], self.duration[rows], self.event[rows], self.clients[rows])


@dataclass(frozen=True)
class ChanceComparison:
    """One measure of card and trees on the same rows; lower is better.

    Parameters
    ----------
    measure : {"log_loss", "brier"}
        Mean over the rows, of a need within the longest horizon.
    base_rate, card, trees : float
        Its value for the share of needs in training, and for either form.
    difference : float
        Card minus trees.
    lower, upper : float
        95 % interval of the difference, clients resampled.
    """

    measure: str
    base_rate: float
    card: float
    trees: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True, repr=False)
class ChanceChallenge(PairedReport):
    """What the card of the probability gives up, or does not, against bagged full trees.

    Attributes
    ----------
    chosen : {"card", "trees"}
        The form that was taken.
    evidence : str
        Which rows judged, of models that had not seen them.
    rows, needs, clients : int
        Rows judged, the needs among them, and their clients.
    comparisons : tuple of ChanceComparison
        Log loss and Brier score.
    """

    comparison_kind = ChanceComparison

    chosen: str
    evidence: str
    rows: int
    needs: int
    clients: int
    comparisons: tuple[ChanceComparison, ...]

    @property
    def headline(self) -> str:
        """What was compared, on which rows, in one line."""
        return (
            f"Probability of need, {self.chosen} taken: card against bagged full trees, {self.evidence}: "
            f"{self.rows} rows, {self.needs} needs, {self.clients} clients; 95 % intervals"
        )


def fit_chance(
    form: Form, settings: Mapping[str, Any], history: History, window: Window
) -> tuple[CompetingHazard, ChanceChallenge | None]:
    """Learn the hazard in the form asked for; for "trees" and "auto" both forms are compared first.

    "auto" takes the trees where they gain over the base rate, in log loss, by 1 % more than the card, and the
    95 % interval of the difference, whole clients resampled, lies above 0.
    """
    challenge = None if form == "card" else _challenge(form, settings, history, window)
    chosen = "card" if challenge is None else challenge.chosen
    return _learn(chosen, settings, history, window), challenge


def _learn(form: str, settings: Mapping[str, Any], history: History, window: Window) -> CompetingHazard:
    model = CompetingHazard(form="trees" if form == "trees" else "card", **settings)
    clocks = season(history.X, window)
    return model.fit(history.X, history.duration, history.event, history.clients, clocks=clocks)


def season(X: pd.DataFrame, window: Window) -> dict[str, float] | None:
    """Return the month of the year as a clock, so that each period of a window has its own season.

    With training dates of one month only, the season and the time since the date cannot be told apart: None.
    """
    if _MONTH not in X or not pd.api.types.is_numeric_dtype(X[_MONTH].dtype):
        return None
    months = PERIOD_MONTHS[window.period]
    return {_MONTH: float(months)} if months < 12 and X[_MONTH].nunique() > 1 else None


def _challenge(
    form: Form, settings: Mapping[str, Any], history: History, window: Window
) -> ChanceChallenge | None:
    """Compare both forms on rows that neither has seen; None where there are too few needs among them."""
    judged, before, words = _split(history, window, int(settings.get("random_state") or 0))
    y, known = _outcome(history, window.horizon)
    judged &= known
    if y[judged].sum() < MIN_NEEDS or (history.event[before] == NEED).sum() < MIN_NEEDS:
        return _unjudged(form)
    past, rows = history.part(before), np.flatnonzero(judged)
    chances = {}
    for one in ("card", "trees"):
        learned = _learn(one, settings, past, window)
        column = learned.causes_.index(NEED)
        last = min(window.horizon, int(learned.reach_))
        chances[one] = learned.predict_incidence(history.X.iloc[rows], [last])[:, 0, column]
    base = float(y[before & known].mean())
    return _compare(form, words, base, chances, (y[rows], history.clients[rows]))


def _unjudged(form: Form) -> ChanceChallenge | None:
    """Return nothing where a card is taken for want of needs; trees asked for are taken unjudged."""
    return ChanceChallenge("trees", "too few needs to judge by", 0, 0, 0, ()) if form == "trees" else None


def _split(history: History, window: Window, seed: int) -> tuple[Mask, Mask, str]:
    """Return the rows that judge, those learned from, and how they were parted."""
    latest = _latest(history, window)
    before = None if latest is None else rows_before(history.X.index, latest, window)
    if latest is not None and before is not None:
        return latest, before, "out of time, purged"
    number = np.unique(history.clients, return_inverse=True)[1]
    held = np.random.default_rng(seed).random(number.max() + 1) < _HELD_SHARE
    return held[number], ~held[number], "other clients"


def _latest(history: History, window: Window) -> Mask | None:
    """Return the rows of the latest dates that hold enough known needs, None where there are no dates."""
    index = history.X.index
    if "as_of" not in index.names:
        return None
    dates = index.get_level_values("as_of")
    y, _ = _outcome(history, window.horizon)
    counts = pd.Series(y).groupby(np.asarray(dates)).sum().sort_index(ascending=False).cumsum()
    enough = counts.index[counts.to_numpy() >= 2 * MIN_NEEDS]
    return np.asarray(dates >= enough[0]) if len(enough) else None


def _outcome(history: History, horizon: int) -> tuple[Floats, Mask]:
    """Return who had a need within the horizon, and in which rows that is known."""
    duration = history.duration.to_numpy(np.float64)
    inside = duration <= horizon
    y = ((history.event == NEED) & inside).astype(np.float64)
    ended = np.array([event is not None for event in history.event], dtype=bool)
    return y, (ended & inside) | (duration >= horizon)


def _compare(
    form: Form, evidence: str, base: float, chances: Mapping[str, Floats], judged: tuple[Floats, Ints]
) -> ChanceChallenge:
    y, clients = judged
    comparisons = []
    for measure, loss in (("log_loss", _log_losses), ("brier", _squares)):
        floor = float(loss(y, np.full(len(y), base)).mean())
        values = paired(loss(y, chances["card"]), loss(y, chances["trees"]), clients, seed=0)
        comparisons.append(ChanceComparison(measure, floor, *values))
    first = comparisons[0]
    wins = first.difference > SKILL_MARGIN * max(first.base_rate - first.card, 0.0) and first.lower > 0
    facts = evidence, len(y), int(y.sum()), len(np.unique(clients))
    return ChanceChallenge(chosen_form(form, wins=wins), *facts, tuple(comparisons))


def _log_losses(y: Floats, p: Floats) -> Floats:
    p = np.clip(p, _TINY, 1.0 - _TINY)
    return -np.asarray(y * np.log(p) + (1.0 - y) * np.log1p(-p))


def _squares(y: Floats, p: Floats) -> Floats:
    return np.asarray((y - p) ** 2)
