"""Every row of every term as other clients meet it: how many, how bad, and how bad the card says they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._kernel import TermRows
from ._partition import woe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._card_data import CardData
    from ._kernel import TermPlan
    from ._observed import Observed, RowCounts
    from ._term import Term

COLUMNS = (
    *("term", "feature_1", "row_1", "feature_2", "row_2", "value", "count", "share", "training_share"),
    *("bads", "bad_rate", "expected_bad_rate", "woe"),
)


def bin_table(card: CardData, plans: tuple[TermPlan, ...], seen: Observed) -> pd.DataFrame:
    """Return the table; :meth:`AdditiveCard.bin_table` tells what it holds."""
    parts = [_term_lines(card, *one, seen) for one in zip(card.terms, plans, strict=True)]
    empty = pd.DataFrame(columns=["period", *COLUMNS])
    table = pd.concat(parts, ignore_index=True) if parts else empty
    table = table.sort_values("period", kind="stable", ignore_index=True)
    names = pd.Series(seen.periods).take(table["period"].astype(int)).array
    table["period"] = names
    columns = ["period", *COLUMNS] if seen.periods != [None] else list(COLUMNS)
    return table.reindex(columns=columns).astype({"count": "int64"})


def _term_lines(card: CardData, term: Term, plan: TermPlan, seen: Observed) -> pd.DataFrame:
    cells = term.values[..., 0]
    counts = seen.counts(TermRows(seen.codes).of(plan), cells.size)
    lines = pd.DataFrame({name: table.ravel() for name, table in _figures(counts).items()})
    lines.insert(0, "period", np.repeat(np.arange(len(seen.periods)), cells.size))
    lines.insert(1, "term", term.name)
    bins = {one.name: one for one in card.bins}
    for j, (name, place) in enumerate(zip(term.features, np.indices(cells.shape), strict=True), 1):
        labels = np.array(bins[name].labels(), dtype=object)
        lines[f"feature_{j}"] = name
        lines[f"row_{j}"] = np.tile(labels[place.ravel()], len(seen.periods))
    lines["value"] = np.tile(cells.ravel(), len(seen.periods))
    if cells.ndim > 1:
        return lines[lines["count"] > 0]
    if term.share is not None:
        lines["training_share"] = np.tile(term.share / term.share.sum(), len(seen.periods))
    return lines


def _figures(counts: RowCounts) -> dict[str, NDArray[Any]]:
    """Return the figures of one term by name, each of shape (n_periods, n_rows)."""
    goods = np.maximum(counts.known - counts.bads, 0.0)
    evidence = np.full(goods.shape, np.nan)
    for place, (good, bad) in enumerate(zip(goods, counts.bads, strict=True)):
        if good.sum() > 0 and bad.sum() > 0:
            found = woe(good, bad, float(good.sum()), float(bad.sum()))
            evidence[place] = np.where(good + bad > 0, found, np.nan)
    told = counts.known.sum(axis=1, keepdims=True) > 0
    return {
        "count": counts.count,
        "share": counts.share,
        "bads": np.where(told, counts.bads, np.nan),
        "bad_rate": counts.bad_rate,
        "expected_bad_rate": counts.expected_rate,
        "woe": evidence,
    }
