"""The card as rows for a spreadsheet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._scored import check_rounded, scored_bins

if TYPE_CHECKING:
    from clientscore.additive._bins import FeatureBins
    from clientscore.additive._card_data import CardData
    from clientscore.additive._term import Term
    from clientscore.scale import ScoreScale

_COLUMNS = (
    "feature", "attribute", "from", "to", "feature_2", "attribute_2", "value", "points", "share", "declared",
)  # fmt: skip

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_CONTROLS = ("\t", "\r", "\n")


def to_sheet(card: CardData, scale: ScoreScale | None = None, *, rounded: bool = False) -> pd.DataFrame:
    """Return the card as rows; :meth:`AdditiveCard.to_sheet` tells what they hold."""
    bins = {one.name: one for one in scored_bins(card)}
    check_rounded(scale, rounded=rounded)
    first = pd.DataFrame({"feature": ["intercept"], "value": [card.intercept[0]], "declared": [False]})
    ordered = sorted(card.terms, key=lambda term: len(term.features))
    parts = [_rows(term, [bins[name] for name in term.features]) for term in ordered]
    frame = pd.concat([first, *parts], ignore_index=True).reindex(columns=list(_COLUMNS))
    if scale is None:
        return frame.drop(columns="points")
    frame["points"] = -scale.factor * frame["value"]
    frame.loc[0, "points"] = scale.points_from_log_odds(card.intercept[0])
    if rounded:
        frame["points"] = np.rint(frame["points"]).astype("int64")
    return frame


def _rows(term: Term, bins: list[FeatureBins]) -> pd.DataFrame:
    values = term.values[..., 0]
    places = np.indices(values.shape).reshape(values.ndim, -1)
    texts = [np.array([safe_text(label) for label in one.labels()], dtype=object) for one in bins]
    frame = pd.DataFrame({"feature": safe_text(term.features[0]), "attribute": texts[0][places[0]]})
    low, high = _limits(bins[0])
    frame["from"], frame["to"] = low[places[0]], high[places[0]]
    if len(bins) == 2:
        frame["feature_2"], frame["attribute_2"] = safe_text(term.features[1]), texts[1][places[1]]
    frame["value"] = values.ravel()
    if term.share is not None:
        frame["share"] = term.share
    frame["declared"] = [
        any(row in one.declared for row, one in zip(cell, bins, strict=True)) for cell in places.T
    ]
    return frame


def _limits(one: FeatureBins) -> tuple[Any, Any]:
    """Return the limits of each row, NaN where it has none."""
    low, high = np.full(one.n_rows, math.nan), np.full(one.n_rows, math.nan)
    edges = one.edges
    low[1 : len(edges) + 1], high[: len(edges)] = edges, edges
    codes = list(one.special_rows)
    low[codes], high[codes] = one.specials, one.specials
    return low, high


def safe_text(text: str) -> str:
    """Return text that a spreadsheet shows instead of running it as a formula.

    References
    ----------
    OWASP (2023), "CSV Injection": cells that begin with ``= + - @`` (wide or narrow) or a control.

    Examples
    --------
    >>> safe_text("=1+1"), safe_text("SME")
    ("'=1+1", 'SME')
    """
    risky = text.lstrip()[:1] in _FORMULA or text[:1] in _CONTROLS
    return f"'{text}" if risky and text.strip() else text
