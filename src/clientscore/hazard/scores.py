"""The card as the hazard reads it: log odds over the periods, with features that move with the clock."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore.additive import Term, encode

from .panel import PERIOD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard, FeatureBins

    Floats = NDArray[np.float64]


WHEELS = {"as_of_month": 12.0}  # features that come round, from 1


class Block(NamedTuple):
    """Row numbers of some clients: (n, features), and of moving features by column, (n, periods)."""

    codes: NDArray[Any]
    moved: dict[int, NDArray[Any]]

    def at(self, period: int) -> NDArray[Any]:
        """Return the row numbers in one period, from 0."""
        if not self.moved:
            return self.codes
        codes = self.codes.copy(order="F")
        for column, rows in self.moved.items():
            codes[:, column] = rows[:, period]
        return codes


class CardScores:
    """Scores clients over the periods with a card.

    Parameters
    ----------
    card : AdditiveCard
        Log odds of each output; one of its features may be the period.
    starts : ndarray of shape (periods,)
        Time since the opening of the window at which each period begins.
    speeds : mapping of str to float
        Features that move with the clock, and by how much a unit of time.
    """

    def __init__(self, card: AdditiveCard, starts: Floats, speeds: Mapping[str, float]) -> None:
        self.card = card
        self.starts = starts
        self.speeds = dict(speeds)
        self.average = averaged_over_periods(card, len(starts))
        self.names = self.average.scored_features
        self._moving = {j: name for j, name in enumerate(self.average.features) if name in self.speeds}

    def encode(self, X: pd.DataFrame, n_periods: int) -> Block:
        """Return the row numbers of clients."""
        moved = {
            j: moved_codes(self.average.bins[j], X[name], self.speeds[name] * self.starts[:n_periods])
            for j, name in self._moving.items()
        }
        return Block(self.average.encode(X), moved)

    def log_odds(self, block: Block, n_periods: int) -> Floats:
        """Return the card's log odds in each period: (n, periods, outputs)."""
        if not block.moved:
            return self._profile(self._whole(block.codes), n_periods)
        fixed, moving = self._split
        shape = (len(block.codes), -1)
        base = fixed.decision_codes(block.codes).reshape(shape)
        total = np.empty((len(base), n_periods, base.shape[1]))
        for period in range(n_periods):
            codes = self._whole(block.at(period), period)
            total[:, period] = base + moving.decision_codes(codes).reshape(shape)
        return total

    def _profile(self, codes: NDArray[Any], n_periods: int) -> Floats:
        if PERIOD not in self.card.features:  # a card learned on a single period need not hold it
            fixed = self.card.decision_codes(codes).reshape(len(codes), 1, -1)
            return np.repeat(fixed, n_periods, axis=1)
        return self.card.decision_profile(codes, PERIOD, range(n_periods))

    def _whole(self, codes: NDArray[Any], period: int = 0) -> NDArray[Any]:
        """Return the codes with the column of the period."""
        if PERIOD not in self.card.features:
            return codes
        return np.insert(codes, self.card.features.index(PERIOD), period, axis=1)

    @cached_property
    def _split(self) -> tuple[AdditiveCard, AdditiveCard]:
        """The terms that stay over the periods, on the features alone, and those that move."""
        movers = {PERIOD, *self.speeds}
        still = tuple(term for term in self.card.terms if not movers & set(term.features))
        rest = tuple(term for term in self.card.terms if movers & set(term.features))
        zero = (0.0,) * len(self.card.outputs)
        fixed = replace(self.average, terms=still)
        return fixed, replace(self.card, terms=rest, intercept=zero)

    def shifted(self, shift: Floats) -> CardScores:
        """Return the scores with `shift`, (periods, outputs), added to the card."""
        return CardScores(shifted(self.card, shift), self.starts, self.speeds)

    def effects(self, block: Block, output: str) -> Floats:
        """Return what each of `names` adds to the log odds, a mean over periods: (n, n_names)."""
        if not block.moved:
            return self.average.feature_contributions_codes(block.codes, output=output)
        parts = [
            self.average.feature_contributions_codes(block.at(period), output=output)
            for period in range(len(self.starts))
        ]
        return np.asarray(np.mean(parts, axis=0))

    # ---- one client -----------------------------------------------------------------------------------

    def encode_one(self, values: Mapping[str, Any]) -> list[list[int]]:
        """Return the row numbers of one client, in each period where features move, else once."""
        codes = self.average.codes_one(values)
        if not self._moving:
            return [codes]
        found = []
        for start in self.starts:
            own = list(codes)
            for column, name in self._moving.items():
                value = values[name]
                moved = value
                if value is not None:
                    moved = turned(name, float(value) + self.speeds[name] * float(start))
                own[column] = self.average.bins[column].code(moved)
            found.append(own)
        return found

    def log_odds_one(self, codes: Sequence[list[int]]) -> Floats:
        """Return `log_odds` of one client over all periods: shape (periods, outputs)."""
        n_periods = len(self.starts)
        if PERIOD not in self.card.features:
            rows = [self.card.decision_codes_one(one) for one in codes]
            return np.array(rows if len(rows) == n_periods else rows * n_periods)
        place = self.card.features.index(PERIOD)
        if len(codes) == 1:
            whole = [*codes[0][:place], 0, *codes[0][place:]]
            return self.card.profile_one(whole, PERIOD, range(n_periods))
        rows = [
            self.card.decision_codes_one([*one[:place], period, *one[place:]])
            for period, one in enumerate(codes)
        ]
        return np.array(rows)

    def effects_one(self, codes: Sequence[list[int]], output: str) -> dict[str, float]:
        """Return `effects` of one client by name."""
        parts = [self.average.explain_codes_one(one, output=output) for one in codes]
        return {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}


def moved_codes(bins: FeatureBins, values: pd.Series, moves: Floats) -> NDArray[Any]:
    """Return the row numbers of a feature after each of several moves: (n, n_moves)."""
    rows = [
        encode((bins,), pd.DataFrame({bins.name: turned(bins.name, values + move)}))[:, 0]
        for move in moves.tolist()
    ]
    return np.stack(rows, axis=1)


def turned(name: str, values: Any) -> Any:
    """Return a feature after its move: the month of the year comes round, so that 13 is January again."""
    turn = WHEELS.get(name)
    return values if turn is None else (values - 1.0) % turn + 1.0


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


def shifted(card: AdditiveCard, shift: Floats) -> AdditiveCard:
    """Return the card with `shift`, (periods, outputs), added: to the intercept and the period's table."""
    mean = shift.mean(axis=0)
    card = replace(card, intercept=tuple((np.asarray(card.intercept) + mean).tolist()))
    apart = shift - mean
    if PERIOD not in card.features or not np.abs(apart).max() > 0:
        return card
    rows = card.bins[card.features.index(PERIOD)].n_rows
    table = np.zeros((rows, len(card.outputs)))
    table[: len(shift)] = apart
    terms = list(card.terms)
    own = [place for place, term in enumerate(terms) if term.features == (PERIOD,)]
    if own:
        terms[own[0]] = replace(terms[own[0]], values=terms[own[0]].values + table)
    else:
        terms.append(Term((PERIOD,), table))
    return replace(card, terms=tuple(terms))
