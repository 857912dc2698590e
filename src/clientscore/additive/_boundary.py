"""The boundary frame: the values at which an export could differ from the card, and the comparison."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike

    from ._bins import FeatureBins
    from ._card import AdditiveCard

    #: Two features, and for each of their cells a value of the first and one of the second.
    Cells = tuple[str, str, list[tuple[Any, Any]]]

_HUGE = 1.7976931348623157e308
_NUMBERS = (0.0, -0.0, 5e-324, -5e-324, _HUGE, -_HUGE, 1e300, -1e300, float(2**53 + 2))
_TEXTS = (
    *("no such level", "", " ", "NULL", "null", "NaN", "None", "0", "007", "1.0", "100%", "_"),
    *("it's", '"quoted"', "a\\b", "\\'", "x'; DROP TABLE t; --", "line\nbreak", "tab\t", "<&>", "]]>"),
    *("n\u00e9", "ne\u0301", "\u4e2d\u6587", "\U0001f600", "\u00a0"),
)


def boundary_frame(card: AdditiveCard, max_rows: int = 50_000) -> pd.DataFrame:
    """Return rows at every value where an export of the card could go wrong.

    Every feature meets each of its edges and special codes and their two neighbors one unit in the last place
    away, numbers beyond every edge, zeros of both signs, the least and the greatest doubles, infinity,
    missing; every level, the same level in other letters and with blanks, levels never seen, and texts that
    are traps in SQL and XML.  Every pair of the card meets each of its cells that values can reach.
    A value that the card refuses stands in a row of its own, so that it hides no other.

    Parameters
    ----------
    card : AdditiveCard
        Of any number of outputs.
    max_rows : int, default 50_000
        Most rows for cells of pairs, at least 1; the frame stops there and says so in
        ``frame.attrs["cells_left"]``, the number of cells not met (0 for all but very large cards).

    Returns
    -------
    DataFrame
        The card's features; numbers as float64 (NaN where missing), categories as text (None where missing).

    Examples
    --------
    >>> from clientscore.additive import AdditiveCard, FeatureBins, Term
    >>> bins = (FeatureBins("roa", "number", edges=(0.1,)),)
    >>> card = AdditiveCard(("bad",), (-3.0,), bins, (Term(("roa",), np.ones((4, 1))),))
    >>> frame = boundary_frame(card)
    >>> bool(frame["roa"].isin([0.1, np.nextafter(0.1, 1.0)]).any())
    True
    """
    check_integer("max_rows", max_rows, low=1)
    values = {one.name: _values(one) for one in card.bins}
    kept = {
        one.name: [value for value in values[one.name] if _row(one, value) is not None] for one in card.bins
    }
    if not all(kept.values()):
        raise InvalidParameterError("Every feature must have a value that is scored.")
    longest = max(map(len, kept.values()), default=0)
    rows = [_at(kept, i) for i in range(longest)]
    pairs = [_cells(card, term.features, kept) for term in card.terms if len(term.features) == 2]
    rows += _crossed(pairs, kept, max_rows)
    rows += [
        {**_at(kept, i), one.name: value}
        for one in card.bins
        for i, value in enumerate(values[one.name])
        if _row(one, value) is None
    ]
    frame = pd.DataFrame(
        {one.name: _column(one, [row[one.name] for row in rows]) for one in card.bins},
        columns=list(card.features),
    )
    frame.attrs["cells_left"] = sum(len(cells) for _, _, cells in pairs)
    return frame


def compare_export(
    card: AdditiveCard, rows: pd.DataFrame, log_odds: ArrayLike, tolerance: float = 1e-9
) -> pd.DataFrame:
    """Return the rows in which an export and the card differ; none if the export is right.

    Rows that the card refuses (infinite numbers, rows with the policy "refuse") must have no value.  Features
    that are in no term and refuse nothing are not looked at: no export reads them.

    Parameters
    ----------
    card : AdditiveCard
        With one output.
    rows : DataFrame of shape (n, any number of columns)
        Such as from :func:`boundary_frame`.
    log_odds : array of shape (n,)
        What the export says, in the order of `rows`; None or NaN where it says nothing.
    tolerance : float, default 1e-9
        Most difference in log-odds, >= 0; 0 asks for the same bits.

    Returns
    -------
    DataFrame
        Columns expected, found, difference, then the features; on the index of `rows`.

    Raises
    ------
    DataError
        If the lengths differ.
    """
    check_interval("tolerance", tolerance, low=0)
    found = pd.to_numeric(pd.Series(list(np.asarray(log_odds, dtype=object)), dtype=object)).to_numpy(float)
    if len(found) != len(rows):
        raise DataError(f"log_odds must have one value a row, {len(rows)}; got {len(found)}.")
    scored = set(card.scored_features)
    narrow = replace(card, bins=tuple(one for one in card.bins if one.name in scored or one.refuse))
    columns = rows[list(narrow.features)]
    expected = np.array([_decision(narrow, row) for row in columns.to_dict("records")], dtype=float)
    difference = np.abs(found - expected)
    right = (difference <= tolerance) | (np.isnan(found) & np.isnan(expected))
    report = columns.copy()
    for place, (name, figures) in enumerate(
        {"expected": expected, "found": found, "difference": difference}.items()
    ):
        report.insert(place, name, figures, allow_duplicates=True)
    return report[~right]


def _decision(card: AdditiveCard, row: Mapping[Any, Any]) -> Any:
    try:
        return card.decision_one(row)
    except DataError:
        return math.nan


def _row(bins: FeatureBins, value: Any) -> int | None:
    """Return the row of a value, None where it is refused."""
    try:
        return bins.code(value)
    except DataError:
        return None


def _values(bins: FeatureBins) -> list[Any]:
    """Return the values to try, None for missing, each once."""
    found: dict[Any, None] = {None: None}
    if bins.kind == "number":
        marks = (*bins.edges, *bins.specials)
        near = [math.nextafter(mark, side) for mark in marks for side in (-math.inf, mark, math.inf)]
        middles = [low / 2 + high / 2 for low, high in pairwise(marks)]
        numbers = [*near, *middles, *_NUMBERS, math.inf, -math.inf]
        found |= {(number, math.copysign(1, number)): None for number in numbers}
        return [None if pair is None else pair[0] for pair in found]
    for level in (*bins.levels, *_TEXTS):
        found[level] = None
    for level in bins.levels:
        other = (f"{level} ", f" {level}", level.upper(), level.lower(), level.swapcase(), f"{level}\x01")
        found |= dict.fromkeys(other)
    return list(found)


def _at(values: Mapping[str, Sequence[Any]], i: int) -> dict[str, Any]:
    """Return the i-th row of values; every feature starts again where its values end."""
    return {name: found[(i + shift) % len(found)] for shift, (name, found) in enumerate(values.items())}


def _cells(card: AdditiveCard, features: Sequence[str], values: Mapping[str, Sequence[Any]]) -> Cells:
    """Return a value for every row of two features, crossed."""
    bins = {one.name: one for one in card.bins}
    sides = [{bins[name].code(value): value for value in values[name]} for name in features]
    first, second = features
    return first, second, [(a, b) for a in sides[0].values() for b in sides[1].values()]


def _crossed(pairs: Sequence[Cells], values: Mapping[str, Sequence[Any]], limit: int) -> list[dict[str, Any]]:
    """Return rows that meet every cell of every pair, several pairs in a row where they share no feature."""
    rows: list[dict[str, Any]] = []
    while len(rows) < limit and any(cells for _, _, cells in pairs):
        rows.append({**_at(values, len(rows)), **dict(_one_cell_each(pairs))})
    return rows


def _one_cell_each(pairs: Sequence[Cells]) -> Iterator[tuple[str, Any]]:
    """Take a cell of each pair whose features are still free, the pair with the most cells left first."""
    taken: set[str] = set()
    for first, second, cells in sorted(pairs, key=lambda pair: -len(pair[2])):
        if cells and not taken & {first, second}:
            taken |= {first, second}
            a, b = cells.pop()
            yield first, a
            yield second, b


def _column(bins: FeatureBins, values: list[Any]) -> pd.Series:
    if bins.kind == "number":
        return pd.Series([math.nan if value is None else value for value in values], dtype=float)
    return pd.Series(values, dtype=object)
