"""What every export asks first: whether the card gives log-odds, and which features it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clientscore.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from clientscore.additive._bins import FeatureBins
    from clientscore.additive._card_data import CardData
    from clientscore.scale import ScoreScale


def scored_bins(card: CardData) -> tuple[FeatureBins, ...]:
    """Return the bins of the features that an export reads, in the card's order.

    They are those that stand in a term, and those of which some values are refused: a client whom the card
    refuses has no score in an export either.

    Raises
    ------
    InvalidParameterError
        If the card has several outputs, or its decision is not log-odds.
    """
    if len(card.outputs) != 1 or card.link != "logit":
        raise InvalidParameterError(
            f"Exports need a card of one output with link 'logit'; got {len(card.outputs)} with link "
            f"{card.link!r}. Export to_json instead, which carries every card."
        )
    used = set(card.scored_features)
    return tuple(one for one in card.bins if one.name in used or one.refuse)


def refused_rows(bins: FeatureBins) -> frozenset[int]:
    """Return the rows of a feature that are not scored."""
    return frozenset(row for row in range(bins.n_rows) if bins.row_kind(row) in bins.refuse)


def check_rounded(scale: ScoreScale | None, *, rounded: bool) -> None:
    """Raise where whole points are asked for without a scale."""
    if rounded and scale is None:
        raise InvalidParameterError("rounded=True needs a scale: points are whole, log-odds are not.")
