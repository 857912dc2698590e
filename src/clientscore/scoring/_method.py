"""What a scorer is told to do: learn a card in one of two ways, or keep one that people wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from clientscore._checks import check_columns, check_option
from clientscore.additive import AdditiveCard, PointsTable, WoeSettings
from clientscore.exceptions import DataError, InvalidParameterError

from ._fit import unrefused
from ._inputs import check_both_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._fit import ReadRows, TrainingRows

Learned = Literal["boosted", "woe"]


class Method(NamedTuple):
    """The way to a card."""

    name: Literal["boosted", "woe", "given"]
    woe: WoeSettings
    card: AdditiveCard | None  # given


def method_of(method: Any, decided: bool) -> Method:
    """Return the way to a card; `decided` tells whether directions or rules are asked of it.

    Raises
    ------
    InvalidParameterError
        If there is no such way, or a card that is given does not fit, or is asked for anything.
    """
    if isinstance(method, WoeSettings):
        return Method("woe", method, None)
    card = AdditiveCard(**method.parts()) if isinstance(method, PointsTable) else method
    if isinstance(card, AdditiveCard):
        check_given_card(card, card.features)
        if decided:
            raise InvalidParameterError(
                "monotone and rules are for cards that are learned; the card given holds its own decisions. "
                "Leave them out, or give card.with_rules(rules)."
            )
        return Method("given", WoeSettings(), card)
    if isinstance(method, str) and method == "expert":
        raise InvalidParameterError(
            "The card of an expert is given itself: method=PointsTable.read(...), of TOML, CSV or a frame."
        )
    check_option("method", method, Learned)
    return Method(method, WoeSettings(), None)


def default_scale(method: Any) -> Any:
    """Return the scale of the points table that a scorer was given, None where it was given none."""
    return method.scale if isinstance(method, PointsTable) else None


def check_given_card(card: AdditiveCard, features: Sequence[str]) -> None:
    """Raise unless the card gives the log-odds of one outcome from these features."""
    faults = [f"It reads {name!r}, which is no feature." for name in card.features if name not in features]
    if len(card.outputs) != 1 or card.link != "logit":
        faults.append(f"It must have one output in log-odds; it has {card.outputs} by link {card.link!r}.")
    if faults:
        raise InvalidParameterError("The card cannot be this scorer's.", faults)


def rows_of_card(card: AdditiveCard, read: ReadRows) -> TrainingRows:
    """Return the rows that a card given scores, and of their columns those it reads.

    Raises
    ------
    MissingColumnError
        If X lacks a feature of the card.
    DataError
        If X has no names, or refused rows leave one class only.
    """
    rows = read.rows
    if not read.named:
        raise DataError("X must be a DataFrame: a card that is given finds its features by name.")
    check_columns(rows.X.columns, card.features, subject="X")
    rows = replace(rows, X=rows.X[list(card.features)])
    codes, scored = unrefused(card).encode(rows.X), np.ones(len(rows.y), dtype=bool)
    for j, one in enumerate(card.bins):
        refused = [row for row in range(one.n_rows) if one.row_kind(row) in one.refuse]
        scored &= ~np.isin(codes[:, j], refused)
    rows = rows.take(scored)
    check_both_classes(rows.y)
    return rows
