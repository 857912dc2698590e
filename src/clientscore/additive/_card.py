"""The additive card: a model that is a table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_option
from clientscore.exceptions import BundleFormatError, InvalidParameterError

from ._bins import FeatureBins, encode
from ._compiled import sum_terms_compiled
from ._kernel import Engine, TermPlan, feature_values, profile, sum_terms, term_values
from ._one import RowReader, Split, explain_one, profile_one, sum_one, views_of
from ._term import Term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ._one import View

Link = Literal["logit", "multilogit", "identity"]

_FORMAT = "clientscore.card"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class AdditiveCard:
    """Intercept plus a sum of looked-up values; data, not code.

    The decision is ``intercept + sum over terms of value[row of the features]``: the log-odds of the outcome
    for the link "logit", log-odds of each outcome against the reference for "multilogit", the expected
    outcome for "identity".  Rows for missing values and unseen levels are part of every table.  Where
    training held none, that row is *declared*: its value is 0, the training average of a purified term.

    Parameters
    ----------
    outputs : tuple of str
        Names of the outputs, one or more.
    intercept : tuple of float
        One an output.
    bins : tuple of FeatureBins
        One a feature, names unique; these are the columns the card reads.
    terms : tuple of Term
        Tables, in the fixed order in which they are added.
    link : {"logit", "multilogit", "identity"}, default "logit"
        What the decision means.
    notes : tuple of str, default ()
        What a reader must know: features left out, fallbacks taken.

    Raises
    ------
    InvalidParameterError
        If names repeat, or a table does not fit its bins; all faults are listed.

    Examples
    --------
    >>> bins = (FeatureBins("roa", "number", edges=(0.0,), missing=True),)
    >>> term = Term(("roa",), np.array([[0.7], [-0.2], [0.1], [0.0]]))
    >>> card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
    >>> card.decision(pd.DataFrame({"roa": [-0.1, 0.2, None]})).round(6).tolist()
    [-2.3, -3.2, -2.9]
    >>> card.decision_one({"roa": -0.1})
    -2.3
    """

    outputs: tuple[str, ...]
    intercept: tuple[float, ...]
    bins: tuple[FeatureBins, ...]
    terms: tuple[Term, ...]
    link: Link = "logit"
    notes: tuple[str, ...] = ()

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

    @cached_property
    def _plans(self) -> tuple[TermPlan, ...]:
        return tuple(self._plan(term) for term in self.terms)

    @cached_property
    def _views(self) -> list[View]:
        return views_of(self._plans)

    @cached_property
    def _splits(self) -> dict[int, Split]:
        return {}

    @cached_property
    def _reader(self) -> RowReader:
        return RowReader([(one.name, one.edges if one.kind == "number" else None, one) for one in self.bins])

    def _plan(self, term: Term) -> TermPlan:
        width = len(self.outputs)
        flat = np.ascontiguousarray(term.values, dtype=float).reshape(-1, width)
        first = self._column[term.features[0]]
        second = self._column[term.features[1]] if len(term.features) == 2 else -1
        stride = self.bins[second].n_rows if second >= 0 else 1
        return TermPlan(first, second, stride, flat[:, 0].copy() if width == 1 else flat)

    def _output(self, output: str | None) -> int:
        if output is None and len(self.outputs) == 1:
            return 0
        check_option("output", output, self.outputs)
        return self.outputs.index(cast("str", output))

    # ---- scoring -------------------------------------------------------------------------------------

    def encode(self, X: pd.DataFrame, engine: Engine = "numpy") -> NDArray[Any]:
        """Return row numbers of the card's features: shape (n, n_features); see :func:`encode`."""
        return encode(self.bins, X, engine)

    def decision(self, X: pd.DataFrame, engine: Engine = "numpy") -> pd.Series | pd.DataFrame:
        """Return the decision of every row of `X`.

        Parameters
        ----------
        X : DataFrame of shape (n, any number of columns)
            Holds the card's features by name, in any order.
        engine : {"numpy", "numba"}, default "numpy"
            What computes it, equal to the bit; "numba" needs the extra "fast" and compiles at its first call.

        Returns
        -------
        Series of shape (n,) for one output, else DataFrame of shape (n, n_outputs)
            On the index of `X`.

        Raises
        ------
        MissingColumnError
            If features are absent; each with its nearest match.
        DataError
            If numbers are infinite or text.
        MissingDependencyError
            If the engine is "numba" and numba is not installed.
        """
        values = self.decision_codes(self.encode(X, engine), engine)
        if len(self.outputs) == 1:
            return pd.Series(values, index=X.index, name=self.outputs[0])
        return pd.DataFrame(values, index=X.index, columns=list(self.outputs))

    def decision_codes(self, codes: NDArray[Any], engine: Engine = "numpy") -> NDArray[np.float64]:
        """Return the decision of row numbers: shape (n,) for one output, else (n, n_outputs)."""
        check_option("engine", engine, Engine)
        add = sum_terms if engine == "numpy" else sum_terms_compiled
        return add(np.asarray(self.intercept), self._plans, codes)

    def decision_profile(
        self, codes: NDArray[Any], feature: str, at: Sequence[int] | NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return the decision of every row with one feature set to each of several row numbers.

        The terms without that feature are added once, so a path over 12 periods costs little more than one
        decision.  Equal to setting the column and calling :meth:`decision_codes`, up to the order of terms.

        Parameters
        ----------
        codes : ndarray of shape (n, n_features)
            Row numbers; the column of `feature` is not read.
        feature : str
            The feature that varies.
        at : sequence of int
            Its row numbers, m of them.

        Returns
        -------
        ndarray of shape (n, m, n_outputs)
        """
        check_option("feature", feature, self.features)
        return profile(np.asarray(self.intercept), self._plans, codes, self._column[feature], at)

    def decision_one(self, values: Mapping[str, Any]) -> float | dict[str, float]:
        """Return the decision of one client given as a mapping; agrees with :meth:`decision` to the bit.

        Parameters
        ----------
        values : mapping of str to float, str or None
            Every feature of the card; None or NaN where missing.  Other keys are ignored.

        Returns
        -------
        float, or dict of output to float where there are several outputs

        Raises
        ------
        MissingColumnError
            If features are absent; each with its nearest match.
        DataError
            If a number is infinite or text.
        """
        totals = self.decision_codes_one(self.codes_one(values))
        return totals[0] if len(totals) == 1 else dict(zip(self.outputs, totals, strict=True))

    def codes_one(self, values: Mapping[str, Any]) -> list[int]:
        """Return the row numbers of one client given as a mapping."""
        try:
            return self._reader(values)
        except KeyError:
            check_columns(values.keys(), self.features, subject="The client")
            raise

    def decision_codes_one(self, codes: Sequence[int]) -> list[float]:
        """Return the decision of row numbers as from :meth:`codes_one`, one number an output."""
        return sum_one(self.intercept, self._views, codes)

    def profile_one(self, codes: Sequence[int], feature: str, at: Sequence[int]) -> NDArray[np.float64]:
        """Return :meth:`decision_profile` of the row numbers of one client: shape (m, n_outputs).

        Parameters
        ----------
        codes : sequence of int
            Row numbers as from :meth:`codes_one`; that of `feature` is not read.
        feature : str
            The feature that varies.
        at : sequence of int
            Its row numbers, m of them.
        """
        check_option("feature", feature, self.features)
        column = self._column[feature]
        if column not in self._splits:
            self._splits[column] = Split.at(column, self._plans, self._views)
        return profile_one(self.intercept, self._splits[column], codes, column, at)

    # ---- reasons -------------------------------------------------------------------------------------

    def contributions(self, X: pd.DataFrame, output: str | None = None) -> pd.DataFrame:
        """Return the value of every term: one column a term, named "a" or "a x b".

        With the intercept they add up to the decision.

        Parameters
        ----------
        X : DataFrame of shape (n, any number of columns)
            Holds the card's features by name.
        output : str, default None
            Which output; needed only where there are several.
        """
        values = term_values(self._plans, self.encode(X), self._output(output))
        return pd.DataFrame(values, index=X.index, columns=[term.name for term in self.terms])

    def feature_contributions(self, X: pd.DataFrame, output: str | None = None) -> pd.DataFrame:
        """Return the value of every feature, a pair's value shared half and half by its two features.

        Parameters
        ----------
        X : DataFrame of shape (n, any number of columns)
            Holds the card's features by name.
        output : str, default None
            Which output; needed only where there are several.

        Returns
        -------
        DataFrame of shape (n, number of scored features)
        """
        values = self.feature_contributions_codes(self.encode(X), output)
        return pd.DataFrame(values, index=X.index, columns=list(self.scored_features))

    def feature_contributions_codes(
        self, codes: NDArray[Any], output: str | None = None
    ) -> NDArray[np.float64]:
        """Return :meth:`feature_contributions` of row numbers: shape (n, number of scored features)."""
        columns = [self._column[name] for name in self.scored_features]
        return feature_values(self._plans, codes, self._output(output), columns)

    def feature_tables(self) -> dict[str, NDArray[np.float64]] | None:
        """Return the value of every row of each scored feature; None where a term has two features.

        For a card of one output.
        """
        tables: dict[str, NDArray[np.float64]] = {}
        for plan in self._plans:
            if plan.second >= 0:
                return None
            name = self.features[plan.first]
            tables[name] = tables.get(name, 0.0) + plan.table
        return {name: tables[name] for name in self.scored_features}

    def explain_one(self, values: Mapping[str, Any], output: str | None = None) -> dict[str, float]:
        """Return the contribution of every scored feature of one client, pairs shared half and half."""
        return self.explain_codes_one(self.codes_one(values), output)

    def explain_codes_one(self, codes: Sequence[int], output: str | None = None) -> dict[str, float]:
        """Return :meth:`explain_one` of row numbers as from :meth:`codes_one`."""
        k, width = self._output(output), len(self.outputs)
        totals = explain_one(self._views, codes, k, width, len(self.bins))
        return {name: totals[self._column[name]] for name in self.scored_features}

    def row_counts(self, X: pd.DataFrame) -> pd.DataFrame:
        """Count how often missing, unseen and declared rows are used for `X`.

        Returns
        -------
        DataFrame, one row a feature
            Columns rows, missing, unseen, declared (rows whose missing or unseen value had no example in
            training).
        """
        codes = self.encode(X)
        missing = np.array([(codes[:, j] == one.missing_code).sum() for j, one in enumerate(self.bins)])
        unseen = np.array([(codes[:, j] == one.unseen_code).sum() for j, one in enumerate(self.bins)])
        declared = [
            missing[j] * (not one.missing) + unseen[j] * (not one.other) for j, one in enumerate(self.bins)
        ]
        columns = {"rows": len(X), "missing": missing, "unseen": unseen, "declared": declared}
        return pd.DataFrame(columns, index=pd.Index(self.features, name="feature")).astype("int64")

    # ---- the card as data ----------------------------------------------------------------------------

    def frame(self) -> pd.DataFrame:
        """Return the whole card, one line a row of a table and output.

        Returns
        -------
        DataFrame
            Columns term, feature_1, row_1, feature_2, row_2, output, value, share (of the training weight,
            terms of one feature), declared (no training example of that missing or unseen row).
        """
        parts = [self._term_frame(term) for term in self.terms]
        columns = ["term", "feature_1", "row_1", "feature_2", "row_2", "output", "value", "share", "declared"]
        first = pd.DataFrame(
            {"term": "intercept", "output": self.outputs, "value": self.intercept, "declared": False}
        )
        return pd.concat([first, *parts], ignore_index=True).reindex(columns=columns)

    def _term_frame(self, term: Term) -> pd.DataFrame:
        bins = [self.bins[self._column[name]] for name in term.features]
        places = np.indices(term.values.shape).reshape(term.values.ndim, -1)
        frame = pd.DataFrame({"term": term.name, "output": np.take(self.outputs, places[-1])})
        frame["value"] = term.values.ravel()
        declared = np.zeros(len(frame), dtype=bool)
        for j, one in enumerate(bins):
            frame[f"feature_{j + 1}"] = one.name
            frame[f"row_{j + 1}"] = np.take(one.labels(), places[j])
            declared |= (places[j] == one.missing_code) & (not one.missing)
            declared |= (places[j] == one.unseen_code) & (not one.other)
        if term.share is not None:
            frame["share"] = term.share[places[0]]
        frame["declared"] = declared
        return frame

    def recalibrated(
        self, intercept: float | Sequence[float] = 0.0, slope: float | Sequence[float] = 1.0
    ) -> AdditiveCard:
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
        terms = tuple(replace(term, values=term.values * factor) for term in self.terms)
        new = shift + factor * np.asarray(self.intercept)
        return replace(self, intercept=tuple(new.tolist()), terms=terms)

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
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> AdditiveCard:
        """Build the card from :meth:`to_state`.

        Raises
        ------
        BundleFormatError
            If `state` is not a card, or a card of a newer version.
        """
        if state.get("format") != _FORMAT or state.get("version") != _VERSION:
            raise BundleFormatError(
                f"A card must say format {_FORMAT!r} and version {_VERSION}; got "
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
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleFormatError(f"The card cannot be read: {error}") from error

    def to_json(self) -> str:
        """Return the card as JSON; numbers are written so that they read back exactly."""
        return json.dumps(
            self.to_state(), ensure_ascii=False, allow_nan=False, default=lambda array: array.tolist()
        )

    @classmethod
    def from_json(cls, text: str) -> AdditiveCard:
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


def _faults(card: AdditiveCard) -> list[str]:
    """Return everything that does not fit, in words."""
    faults: list[str] = []
    rows = {one.name: one.n_rows for one in card.bins}
    if len(rows) != len(card.bins):
        faults.append("Feature names of the bins must differ.")
    if not card.outputs or len(card.intercept) != len(card.outputs):
        faults.append(f"{len(card.outputs)} outputs need as many intercepts; got {len(card.intercept)}.")
    if not np.isfinite(card.intercept).all():
        faults.append(f"The intercept must be finite; got {card.intercept}.")
    return faults + [fault for term in card.terms for fault in term.faults(rows, len(card.outputs))]
