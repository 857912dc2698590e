"""Change a card by hand: merge and split rows, set values, freeze; every change is a new card."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from clientscore._checks import did_you_mean
from clientscore.exceptions import InvalidParameterError
from clientscore.scale import ScoreScale

from ._card_data import CardData
from ._edit import Edit, EditKind, Moment, frozen_names, is_frozen, moment, signature_faults

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._bins import FeatureBins
    from ._term import Term

Card = TypeVar("Card", bound=CardData)
Row = int | str


@dataclass(frozen=True)
class Signature:
    """Who, why and when of an edit, as the caller gave them."""

    by: str
    why: str
    when: Moment = None

    def faults(self) -> list[str]:
        """Return what is wrong, in words."""
        return signature_faults(self.by, self.why, self.when)

    def edit(self, kind: EditKind, term: str, **detail: Any) -> Edit:
        """Return the edit, signed."""
        return Edit(kind, term, detail, by=self.by, when=moment(self.when), why=self.why)


@dataclass(frozen=True, eq=False)
class _Change:
    """How the rows of a feature change: new bins, the old row of each new row, what is averaged."""

    old: FeatureBins
    new: FeatureBins
    origin: NDArray[np.intp]  # (new rows,): the old row that a new row was
    into: tuple[int, ...] = ()  # new rows that take the average of old rows
    rows: tuple[int, ...] = ()  # those old rows
    weights: NDArray[np.float64] | None = None  # of the average

    def term(self, term: Term) -> Term:
        """Return a term with the rows changed."""
        if self.old.name not in term.features:
            return term
        axis = term.features.index(self.old.name)
        deviation = None if term.deviation is None else self.table(term.deviation, axis)
        return replace(term, values=self.table(term.values, axis), deviation=deviation)

    def table(self, values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        """Return a table with the rows of one axis changed."""
        before = np.moveaxis(values, axis, 0)
        after = before[self.origin]
        if self.weights is not None:
            after[list(self.into)] = np.tensordot(self.weights, before[list(self.rows)], axes=1)
        follow(self.old, self.new, before, after)
        return np.ascontiguousarray(np.moveaxis(after, 0, axis))


def follow(
    old: FeatureBins,
    new: FeatureBins,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    given: Sequence[int] = (),
) -> None:
    """Let rows out of range that training never met go on scoring as the nearest in range, if they did."""
    for row, row_now in zip(old.range_rows, new.range_rows, strict=True):
        near = old.nearest[row]
        if near != row and row not in given and np.array_equal(before[row], before[near]):
            after[row_now] = after[new.nearest[row_now]]


def merge_bins(card: Card, feature: str, rows: Sequence[Row], signature: Signature) -> Card:
    """Return the card in which several rows of a feature score alike; see :meth:`EditableCard.merge_bins`."""
    faults = signature.faults()
    one = _bins_of(card, feature, faults)
    found = _rows_of(one, rows, faults) if one else []
    if one and not faults:
        faults += _merge_faults(one, found)
    _refuse(f"Rows of {feature!r} cannot be merged.", faults)
    assert one is not None  # noqa: S101 -- an unknown feature has been refused
    rows_at = sorted(found)
    weights = _weights(card, one, rows_at)
    first, removed = rows_at[0], len(rows_at) - 1
    origin, into, new = np.arange(one.n_rows), tuple(rows_at), one
    if one.kind == "number":
        origin, into = np.delete(origin, rows_at[1:]), (first,)
        unmet = tuple(row - removed if row > first else row for row in one.unmet)
        new = replace(one, edges=(*one.edges[:first], *one.edges[first + removed :]), unmet=unmet)
    change = _Change(one, new, origin, into, tuple(rows_at), weights)
    labels = one.labels()
    edit = signature.edit(
        "merge_bins",
        feature,
        rows=rows_at,
        labels=[labels[row] for row in rows_at],
        weights=weights.tolist(),
        before=_own(card, feature, rows_at),
        from_rows=origin.tolist(),
        into_rows=list(into),
        into=new.labels()[first] if one.kind == "number" else " or ".join(labels[row] for row in rows_at),
    )
    return _changed(card, change, edit)


def split_bin(card: Card, feature: str, at: float, signature: Signature) -> Card:
    """Return the card with one more edge in a feature; see :meth:`EditableCard.split_bin`."""
    faults = signature.faults()
    one = _bins_of(card, feature, faults)
    if one and not faults:
        faults += _split_faults(one, at)
    _refuse(f"A row of {feature!r} cannot be split.", faults)
    assert one is not None  # noqa: S101 -- an unknown feature has been refused
    at = float(at)
    row = bisect_left(one.edges, at)
    unmet = tuple(other + 1 if other > row else other for other in one.unmet)
    new = replace(one, edges=(*one.edges[:row], at, *one.edges[row:]), unmet=unmet)
    origin = np.insert(np.arange(one.n_rows), row, row)
    edit = signature.edit(
        "split_bin",
        feature,
        at=at,
        rows=[row],
        labels=[one.labels()[row]],
        before=_own(card, feature, [row]),
        from_rows=origin.tolist(),
        into_rows=[row, row + 1],
        into=new.labels()[row : row + 2],
    )
    return _changed(card, _Change(one, new, origin), edit)


def set_values(
    card: Card,
    term: str | Sequence[str],
    rows: Any,
    *,
    points: Any,
    log_odds: Any,
    scale: ScoreScale | None,
    output: str | None,
    signature: Signature,
) -> Card:
    """Return the card with values of rows given by hand; see :meth:`EditableCard.set_points`."""
    faults = signature.faults()
    table = _term_of(card, term, faults)
    places = _places_of(card, table, rows, faults) if table else []
    if table:
        faults += _frozen_faults(card, [table])
    numbers = _values_of(card, points, log_odds, len(places), faults)
    column = _output_of(card, output, by_points=points is not None, faults=faults)
    _refuse(f"Values of {term!r} cannot be set.", faults)
    assert table is not None  # noqa: S101 -- an unknown term has been refused
    unit = scale or ScoreScale()
    values = numbers if points is None else -numbers / unit.factor
    after = table.values.copy()
    for place, value in zip(places, values, strict=True):
        after[(*place, column)] = value
    for axis, name in enumerate(table.features):
        one = card.bins[card.features.index(name)]
        given = [place[axis] for place in places]
        follow(one, one, np.moveaxis(table.values, axis, 0), np.moveaxis(after, axis, 0), given)
    touched = [*places, *map(tuple, np.argwhere((after != table.values).any(axis=-1)).tolist())]
    touched = sorted(set(touched))
    edit = signature.edit(
        "set_points",
        table.name,
        places=touched,
        labels=[_place_label(card, table, place) for place in touched],
        output=card.outputs[column],
        before=[float(table.values[(*place, column)]) for place in touched],
        after=[float(after[(*place, column)]) for place in touched],
        **({} if points is None else {"points": numbers.tolist(), "pdo": unit.pdo}),
    )
    new = replace(table, values=after, deviation=_decided(table, touched, column))
    terms = tuple(new if one is table else one for one in card.terms)
    return replace(card, terms=terms, edits=(*card.edits, edit))


def _decided(term: Term, places: Sequence[tuple[int, ...]], column: int) -> NDArray[np.float64] | None:
    """Return the deviations over bags: none in cells that people decided."""
    if term.deviation is None:
        return None
    deviation = term.deviation.copy()
    for place in places:
        deviation[(*place, column)] = 0.0
    return deviation


def set_frozen(card: Card, names: str | Sequence[str], signature: Signature, *, frozen: bool) -> Card:
    """Return the card with features or pairs frozen or free; see :meth:`EditableCard.freeze`."""
    faults = signature.faults()
    given = (names,) if isinstance(names, str) else tuple(names)
    known = {*card.scored_features, *(term.name for term in card.terms)}
    now = frozen_names(card.edits)
    for name in given:
        if name not in known:
            faults.append(f"{name!r} is no feature or pair of the card.{did_you_mean(str(name), known)}")
        elif (name in now) == frozen:
            faults.append(f"{name!r} is {'frozen already' if frozen else 'not frozen'}.")
    if not given:
        faults.append("Name at least one feature.")
    kind: EditKind = "freeze" if frozen else "unfreeze"
    _refuse(f"The card cannot {kind} {names!r}.", faults)
    edits = tuple(signature.edit(kind, name) for name in dict.fromkeys(given))
    return replace(card, edits=(*card.edits, *edits))


def _changed(card: Card, change: _Change, edit: Edit) -> Card:
    """Return the card with the rows of one feature changed in its bins and in every table."""
    bins = tuple(change.new if one is change.old else one for one in card.bins)
    terms = []
    for term in card.terms:
        new = change.term(term)
        if term.share is not None and new is not term:
            new = replace(new, share=_shares(term.share, change))
        terms.append(new)
    return replace(card, bins=bins, terms=tuple(terms), edits=(*card.edits, edit))


def _shares(share: NDArray[np.float64], change: _Change) -> NDArray[np.float64]:
    """Return the share of each new row: added up where rows merge, halved where one is split."""
    new = share[change.origin] / np.bincount(change.origin, minlength=len(share))[change.origin]
    if len(change.into) == 1:
        new[change.into[0]] = share[list(change.rows)].sum()
    return new


def _weights(card: CardData, one: FeatureBins, rows: Sequence[int]) -> NDArray[np.float64]:
    """Return the weight of each row in an average: its share of the training weight, else equal."""
    own = [term.share for term in card.terms if term.features == (one.name,) and term.share is not None]
    share = own[0][list(rows)] if own else np.zeros(len(rows))
    total = float(share.sum())
    return share / total if total > 0 else np.full(len(rows), 1 / len(rows))


def _own(card: CardData, feature: str, rows: Sequence[int]) -> list[list[float]]:
    """Return the main effect of rows before an edit, one list a row; empty where there is none."""
    own = [term for term in card.terms if term.features == (feature,)]
    values: list[list[float]] = own[0].values[list(rows)].tolist() if own else []
    return values


# ---- checks ------------------------------------------------------------------------------------------


def _refuse(message: str, faults: Sequence[str]) -> None:
    if faults:
        raise InvalidParameterError(message, faults)


def _bins_of(card: CardData, feature: str, faults: list[str]) -> FeatureBins | None:
    bins = {one.name: one for one in card.bins}
    if feature not in bins:
        faults.append(f"{feature!r} is no feature of the card.{did_you_mean(str(feature), bins)}")
        return None
    faults += _frozen_faults(card, [term for term in card.terms if feature in term.features])
    return bins[feature]


def _frozen_faults(card: CardData, terms: Sequence[Term]) -> list[str]:
    names = frozen_names(card.edits)
    return [f"{term.name!r} is frozen; unfreeze it first." for term in terms if is_frozen(term, names)]


def _rows_of(one: FeatureBins, rows: Sequence[Row], faults: list[str]) -> list[int]:
    """Return row numbers of row numbers or labels."""
    if isinstance(rows, str) or not isinstance(rows, Sequence | np.ndarray | range):
        faults.append(f"rows must be a list of row numbers or labels; got {rows!r}.")
        return []
    return [found for row in rows if (found := row_of(one, row, faults)) is not None]


def row_of(one: FeatureBins, row: Row, faults: list[str]) -> int | None:
    """Return the number of a row given by number or label; append to `faults` where there is none."""
    labels = one.labels()
    if isinstance(row, Integral) and not isinstance(row, bool):
        if 0 <= row < one.n_rows:
            return int(row)
        faults.append(f"{one.name!r} has rows 0 to {one.n_rows - 1}; got {row}.")
    elif labels.count(str(row)) == 1 and isinstance(row, str):
        return labels.index(row)
    elif labels.count(str(row)) > 1:
        faults.append(f"{one.name!r} has several rows {row!r}; give the row number.")
    else:
        hint = did_you_mean(str(row), labels) or f" Its rows: {', '.join(map(repr, labels[:12]))}."
        faults.append(f"{one.name!r} has no row {row!r}.{hint}")
    return None


def _merge_faults(one: FeatureBins, rows: Sequence[int]) -> list[str]:
    labels, inner = one.labels(), one.inner_rows
    if len(set(rows)) < max(2, len(rows)):
        return [f"Give two or more different rows; got {[labels[row] for row in rows]}."]
    faults = [
        f"Only rows of values in range merge; {labels[row]!r} is none. Set its points instead."
        for row in rows
        if row not in inner
    ]
    between = sorted(set(range(min(rows), max(rows))) - set(rows))
    if one.kind == "number" and between and not faults:
        faults.append(
            f"Rows of numbers must be neighbors; between {labels[min(rows)]!r} and {labels[max(rows)]!r} lie "
            f"{', '.join(repr(labels[row]) for row in between)}."
        )
    return faults


def _split_faults(one: FeatureBins, at: object) -> list[str]:
    if one.kind != "number":
        return ["Each level has a row of its own already; set its points instead."]
    if not isinstance(at, Real) or isinstance(at, bool) or not math.isfinite(at):
        return [f"at must be a finite number; got {at!r}."]
    if float(at) in one.edges:
        return [f"{at:g} is an edge already."]
    if bisect_left(one.edges, float(at)) not in one.inner_rows:
        return [f"at must lie in range, from {one.least:g} to {one.greatest:g}; got {at:g}."]
    return []


def _term_of(card: CardData, term: str | Sequence[str], faults: list[str]) -> Term | None:
    terms = {one.name: one for one in card.terms}
    name = term if isinstance(term, str) else " x ".join(map(str, term))
    if name not in terms:
        faults.append(f"The card has no table {name!r}.{did_you_mean(name, terms)}")
    return terms.get(name)


def _places_of(card: CardData, term: Term, rows: Any, faults: list[str]) -> list[tuple[int, ...]]:
    """Return the cells that rows (of a feature) or tuples of two rows (of a pair) mean."""
    bins = [card.bins[card.features.index(name)] for name in term.features]
    several = isinstance(rows, list | range | np.ndarray) or (isinstance(rows, tuple) and len(bins) == 1)
    places = []
    for place in list(rows) if several else [rows]:
        parts = (place,) if len(bins) == 1 else place
        if not isinstance(parts, tuple) or len(parts) != len(bins):
            faults.append(f"A cell of {term.name!r} is a tuple of two rows; got {place!r}.")
            continue
        found = [row_of(one, row, faults) for one, row in zip(bins, parts, strict=True)]
        places.append(tuple(row for row in found if row is not None))
    if len(set(places)) < len(places) and not faults:
        faults.append(f"Rows must differ; got {rows!r}.")
    if several and not len(rows):
        faults.append("Give at least one row.")
    return places


def _place_label(card: CardData, term: Term, place: Sequence[int]) -> str:
    bins = [card.bins[card.features.index(name)] for name in term.features]
    return " x ".join(one.labels()[row] for one, row in zip(bins, place, strict=True))


def _values_of(card: CardData, points: Any, log_odds: Any, n: int, faults: list[str]) -> NDArray[np.float64]:
    """Return one finite value a cell."""
    if (points is None) == (log_odds is None):
        faults.append("Give either points or log_odds.")
        return np.zeros(n)
    if points is not None and card.link != "logit":
        faults.append(f"Points need a card of the link 'logit'; this one is {card.link!r}. Give log_odds.")
    given = log_odds if points is None else points
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        faults.append(f"Values must be numbers; got {given!r}.")
        return np.zeros(n)
    if not np.isfinite(values).all():
        faults.append(f"Values must be finite; got {given!r}.")
    if values.shape not in ((), (n,)):
        faults.append(f"{n} rows need one value, or {n}; got {values.size}.")
        return np.zeros(n)
    return np.broadcast_to(values, (n,)).copy()


def _output_of(card: CardData, output: str | None, *, by_points: bool, faults: list[str]) -> int:
    if output is None and len(card.outputs) == 1:
        return 0
    if output in card.outputs and not (by_points and len(card.outputs) > 1):
        return card.outputs.index(output)
    faults.append(f"output must be one of {card.outputs}; got {output!r}.")
    return 0
