"""One change of a card by hand, as the card keeps it; which cells such changes have touched."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clientscore._checks import check_option
from clientscore.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ._term import Term

EditKind = Literal["merge_bins", "split_bin", "set_points", "freeze", "unfreeze", "refit", "points_table"]
Moment = str | dt.date | None


@dataclass(frozen=True)
class Edit:
    """Who changed what in a card, when and why.

    Parameters
    ----------
    kind : {"merge_bins", "split_bin", "set_points", "freeze", "unfreeze", "refit", "points_table"}
        What was done.
    term : str
        The feature or the pair ("a x b") it was done to; empty where it concerns the whole card.
    detail : mapping
        What exactly, in JSON values: rows, values before and after.
    by : str
        Who decided it.
    when : str
        ISO date, or date and time.
    why : str
        The reason.

    Raises
    ------
    InvalidParameterError
        If `by` or `why` is empty, `when` is no ISO date, or `detail` is not JSON; all faults are listed.

    Examples
    --------
    >>> Edit("freeze", "roa", {}, by="A. Chen", when="2026-03-31", why="signed off").when
    '2026-03-31'
    """

    kind: EditKind
    term: str
    detail: Mapping[str, Any]
    by: str
    when: str
    why: str

    def __post_init__(self) -> None:
        check_option("kind", self.kind, EditKind)
        faults = signature_faults(self.by, self.why, self.when)
        try:
            object.__setattr__(self, "detail", json.loads(json.dumps(dict(self.detail), allow_nan=False)))
        except (TypeError, ValueError) as error:
            faults.append(f"detail must be JSON values; {error}.")
        if faults:
            raise InvalidParameterError("The edit cannot be recorded.", faults)

    def to_dict(self) -> dict[str, Any]:
        """Return the edit as JSON scalars, lists and dicts."""
        return {
            "kind": self.kind,
            "term": self.term,
            "detail": json.loads(json.dumps(self.detail)),
            "by": self.by,
            "when": self.when,
            "why": self.why,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Edit:
        """Build the edit from :meth:`to_dict`."""
        texts = {name: str(state[name]) for name in ("term", "by", "when", "why")}
        return cls(kind=state["kind"], detail=state["detail"], **texts)


def signature_faults(by: object, why: object, when: object) -> list[str]:
    """Return what is wrong with who, why and when, in words."""
    faults = [
        f"{name} must say {what}; got {value!r}."
        for name, value, what in (("by", by, "who decided the change"), ("why", why, "the reason"))
        if not isinstance(value, str) or not value.strip()
    ]
    if not (when is None or isinstance(when, dt.date) or _is_iso(when)):
        faults.append(f'when must be a date such as "2026-03-31", or date and time; got {when!r}.')
    return faults


def _is_iso(when: object) -> bool:
    try:
        dt.datetime.fromisoformat(when)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def moment(when: Moment) -> str:
    """Return a date, or now (UTC, to the second) for None, as ISO text."""
    if when is None:
        return dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds")
    return when if isinstance(when, str) else when.isoformat()


def frozen_names(edits: Sequence[Edit]) -> tuple[str, ...]:
    """Return the features and pairs that are frozen at the end of the log."""
    names: dict[str, None] = {}
    for edit in edits:
        if edit.kind == "freeze":
            names[edit.term] = None
        elif edit.kind == "unfreeze":
            names.pop(edit.term, None)
    return tuple(names)


def is_frozen(term: Term, names: Sequence[str]) -> bool:
    """Return whether a term, or one of its features, stands in a list of frozen names."""
    return bool({term.name, *term.features} & set(names))


_Cells = dict[str, set[tuple[int | None, ...]]]  # None stands for every row of that feature


def edited_cells(edits: Sequence[Edit], terms: Sequence[Term]) -> dict[str, NDArray[np.bool_]]:
    """Return, by term, which cells were changed by hand: the log is played from its beginning.

    A merge or a split renumbers the rows behind it, so earlier marks move along.
    """
    cells: _Cells = {term.name: set() for term in terms}
    for edit in edits:
        if edit.kind == "set_points" and edit.term in cells:
            cells[edit.term] |= {tuple(place) for place in edit.detail["places"]}
        elif edit.kind in ("merge_bins", "split_bin"):
            _play_rows(edit, terms, cells)
    masks = {}
    for term in terms:
        mask = np.zeros(term.values.shape[:-1], dtype=bool)
        for place in cells[term.name]:
            mask[tuple(slice(None) if row is None else row for row in place)] = True
        masks[term.name] = mask
    return masks


def _play_rows(edit: Edit, terms: Sequence[Term], cells: _Cells) -> None:
    """Renumber the marks of a feature after a merge or a split, and mark the rows it made."""
    now: dict[int, list[int]] = {}
    for row, old in enumerate(edit.detail["from_rows"]):
        now.setdefault(old, []).append(row)
    for term in terms:
        if edit.term not in term.features:
            continue
        axis = term.features.index(edit.term)
        moved: set[tuple[int | None, ...]] = set()
        for place in cells[term.name]:
            old = place[axis]
            rows = [None] if old is None else now.get(old, [])
            moved |= {(*place[:axis], row, *place[axis + 1 :]) for row in rows}
        every: list[int | None] = [None] * len(term.features)
        for row in edit.detail["into_rows"]:  # holds the marks of rows that are no more
            moved.add((*every[:axis], row, *every[axis + 1 :]))
        cells[term.name] = moved
