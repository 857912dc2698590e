"""What a card holds: outputs, intercept, bins and terms; read, written and shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from clientscore._checks import check_option
from clientscore.exceptions import BundleFormatError, InvalidParameterError

from ._bins import FeatureBins
from ._edit import Edit, edited_cells, frozen_names
from ._feature_rule import check_rules
from ._policies import apply_policies, bags_by_policies
from ._term import Term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.scale import ScoreScale

    from ._bagged import CardBags
    from ._feature_rule import FeatureRule

Link = Literal["logit", "multilogit", "identity"]

_FORMAT = "clientscore.card"
_VERSION = 2
_READABLE = (1, 2)  # version 1 had no special codes and no range


@dataclass(frozen=True, eq=False, repr=False)
class CardData:
    """The parts of a card; :class:`AdditiveCard` describes them and scores with them."""

    outputs: tuple[str, ...]
    intercept: tuple[float, ...]
    bins: tuple[FeatureBins, ...]
    terms: tuple[Term, ...]
    link: Link = "logit"
    notes: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        check_option("link", self.link, Link)
        faults = list(_faults(self))
        if faults:
            raise InvalidParameterError("The parts of the card do not fit together.", faults)

    # ---- what it reads -------------------------------------------------------------------------------

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the columns the card reads, scored or not."""
        return tuple(one.name for one in self.bins)

    @cached_property
    def scored_features(self) -> tuple[str, ...]:
        """Names of the features that stand in at least one term."""
        used = {name for term in self.terms for name in term.features}
        return tuple(name for name in self.features if name in used)

    @cached_property
    def _column(self) -> dict[str, int]:
        return {one.name: j for j, one in enumerate(self.bins)}

    def __repr__(self) -> str:
        pairs = sum(len(term.features) == 2 for term in self.terms)
        return (
            f"{type(self).__name__}(outputs={self.outputs}, link={self.link!r}, {len(self.bins)} features, "
            f"{len(self.terms) - pairs} tables of one, {pairs} of two)"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.frame().head(200).to_html(index=False)}"

    def frame(self) -> pd.DataFrame:
        """Return the whole card, one line a row of a table and output.

        Returns
        -------
        DataFrame
            Columns term, feature_1, row_1, feature_2, row_2, output, value, share (of the training weight,
            terms of one feature), deviation (of the value over bags), declared (no training example of that
            row), edited (changed by hand; see :meth:`edit_log`).
        """
        edited = edited_cells(self.edits, self.terms)
        parts = [self._term_frame(term, edited[term.name]) for term in self.terms]
        places = ["term", "feature_1", "row_1", "feature_2", "row_2", "output"]
        columns = [*places, "value", "share", "deviation", "declared", "edited"]
        first = pd.DataFrame({"term": "intercept", "output": self.outputs, "value": self.intercept})
        first[["declared", "edited"]] = False
        return pd.concat([first, *parts], ignore_index=True).reindex(columns=columns)

    def _term_frame(self, term: Term, edited: NDArray[np.bool_]) -> pd.DataFrame:
        bins = [self.bins[self._column[name]] for name in term.features]
        places = np.indices(term.values.shape).reshape(term.values.ndim, -1)
        frame = pd.DataFrame({"term": term.name, "output": np.take(self.outputs, places[-1])})
        frame["value"] = term.values.ravel()
        declared = np.zeros(len(frame), dtype=bool)
        for j, one in enumerate(bins):
            frame[f"feature_{j + 1}"] = one.name
            frame[f"row_{j + 1}"] = np.take(one.labels(), places[j])
            declared |= np.isin(places[j], one.declared)
        if term.share is not None:
            frame["share"] = term.share[places[0]]
        if term.deviation is not None:
            frame["deviation"] = term.deviation.ravel()
        frame["declared"] = declared
        frame["edited"] = edited[tuple(places[:-1])]
        return frame

    @cached_property
    def frozen(self) -> tuple[str, ...]:
        """Features and pairs that neither edits nor a refit may change."""
        return frozen_names(self.edits)

    @cached_property
    def reason_words(self) -> dict[str, str]:
        """What a points table calls features when they are reasons; empty for a card that was learned."""
        heads = (edit for edit in reversed(self.edits) if edit.kind == "points_table")
        return dict(next((edit.detail.get("reasons", {}) for edit in heads), {}))

    def edit_log(self) -> pd.DataFrame:
        """Return who changed what by hand, oldest first.

        Returns
        -------
        DataFrame, one row an edit
            Columns kind, term, detail (JSON text), by, when, why.
        """
        rows = [{**edit.to_dict(), "detail": json.dumps(edit.detail)} for edit in self.edits]
        return pd.DataFrame(rows, columns=["kind", "term", "detail", "by", "when", "why"])

    def with_rules(self, rules: Mapping[str, FeatureRule]) -> Self:
        """Return the card whose missing, special, unseen and out-of-range rows score what people decided.

        Parameters
        ----------
        rules : mapping of str to FeatureRule
            Only the policies are read; the rows must exist already.

        Raises
        ------
        InvalidParameterError
            If a rule names no feature of the card, or the card has several outputs.
        """
        given = check_rules(rules, self.features)
        if len(self.outputs) > 1 and any(rule.policies() for rule in given.values()):
            raise InvalidParameterError(
                f"Policies for odd rows need a card of one output; this one has {len(self.outputs)}."
            )
        bins, terms, notes = apply_policies(self.bins, self.terms, given)
        return replace(self, bins=bins, terms=terms, notes=(*self.notes, *notes))

    def bags_with_rules(self, bags: CardBags, rules: Mapping[str, FeatureRule]) -> CardBags:
        """Return the bags of this card as :meth:`with_rules` leaves it: a row follows its policy in each.

        Parameters
        ----------
        bags : CardBags
            How far each bag lies from this card.
        rules : mapping of str to FeatureRule
            Only the policies are read.

        Raises
        ------
        InvalidParameterError
            If a rule names no feature of the card.
        """
        return bags_by_policies(self.bins, self.terms, bags, check_rules(rules, self.features))

    def recalibrated(
        self, intercept: float | Sequence[float] = 0.0, slope: float | Sequence[float] = 1.0
    ) -> Self:
        """Return the card whose decision is ``intercept + slope * decision``.

        Parameters
        ----------
        intercept : float or sequence of float, default 0.0
            Added; one number, or one an output.
        slope : float or sequence of float, default 1.0
            Multiplied; one number, or one an output.
        """
        shift = np.broadcast_to(np.asarray(intercept, dtype=float), len(self.outputs))
        factor = np.broadcast_to(np.asarray(slope, dtype=float), len(self.outputs))
        terms = tuple(term.scaled(factor) for term in self.terms)
        new = shift + factor * np.asarray(self.intercept)
        return replace(self, intercept=tuple(new.tolist()), terms=terms)

    def in_points(self, scale: ScoreScale, *, rounded: bool = False) -> Self:
        """Return the card in points: its decision is the sum of the points of the rows met.

        Parameters
        ----------
        scale : ScoreScale
            What points mean.
        rounded : bool, default False
            Whole numbers for every row and the intercept, so that every sum of them is whole, exactly.
        """
        finish = np.rint if rounded else np.asarray
        terms = tuple(
            replace(scaled, values=finish(scaled.values) + 0.0)  # no minus zero
            for scaled in (term.scaled(np.array([-scale.factor])) for term in self.terms)
        )
        base = float(finish(scale.points_from_log_odds(self.intercept[0])))
        return replace(self, outputs=("points",), intercept=(base,), terms=terms, link="identity")

    def to_state(self) -> dict[str, Any]:
        """Return the card as JSON scalars, lists, dicts and numpy arrays."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "link": self.link,
            "outputs": list(self.outputs),
            "intercept": list(self.intercept),
            "bins": [one.to_dict() for one in self.bins],
            "terms": [term.to_state() for term in self.terms],
            "notes": list(self.notes),
            "edits": [edit.to_dict() for edit in self.edits],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Build the card from :meth:`to_state`.

        Raises
        ------
        BundleFormatError
            If `state` is not a card, or a card of a newer version.
        """
        if state.get("format") != _FORMAT or state.get("version") not in _READABLE:
            raise BundleFormatError(
                f"A card must say format {_FORMAT!r} and a version of {_READABLE}; got "
                f"{state.get('format')!r}, {state.get('version')!r}. Write it again with this version."
            )
        try:
            return cls(
                outputs=tuple(str(name) for name in state["outputs"]),
                intercept=tuple(float(value) for value in state["intercept"]),
                bins=tuple(FeatureBins.from_dict(one) for one in state["bins"]),
                terms=tuple(Term.from_state(one) for one in state["terms"]),
                link=state["link"],
                notes=tuple(str(note) for note in state["notes"]),
                edits=tuple(Edit.from_dict(one) for one in state.get("edits", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleFormatError(f"The card cannot be read: {error}") from error

    def to_json(self) -> str:
        """Return the card as JSON; numbers are written so that they read back exactly."""
        return json.dumps(
            self.to_state(), ensure_ascii=False, allow_nan=False, default=lambda array: array.tolist()
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Build the card from :meth:`to_json`.

        Raises
        ------
        BundleFormatError
            If `text` is not JSON, or not a card.
        """
        try:
            state = json.loads(text)
        except json.JSONDecodeError as error:
            raise BundleFormatError(f"The card is not JSON: {error}") from error
        if not isinstance(state, dict):
            raise BundleFormatError(f"A card must be a JSON object; got {type(state).__name__}.")
        return cls.from_state(state)


def _faults(card: CardData) -> list[str]:
    """Return everything that does not fit, in words."""
    faults: list[str] = []
    rows = {one.name: one.n_rows for one in card.bins}
    if len(rows) != len(card.bins):
        faults.append("Feature names of the bins must differ.")
    if not card.outputs or len(card.intercept) != len(card.outputs):
        faults.append(f"{len(card.outputs)} outputs need as many intercepts; got {len(card.intercept)}.")
    if not np.isfinite(card.intercept).all():
        faults.append(f"The intercept must be finite; got {card.intercept}.")
    faults += [fault for term in card.terms for fault in term.faults(rows, len(card.outputs))]
    if card.edits and not faults:
        try:
            edited_cells(card.edits, card.terms)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            faults.append(f"The log of edits does not fit the rows: {type(error).__name__}, {error}.")
    return faults
