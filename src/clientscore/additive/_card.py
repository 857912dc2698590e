"""The additive card: a model that is a table."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from scipy.special import expit

from clientscore._checks import check_columns, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._bin_table import bin_table
from ._bins import FeatureBins, encode
from ._compiled import sum_terms_compiled
from ._export_methods import ExportableCard
from ._kernel import Engine, TermPlan, feature_values, profile, sum_terms, term_values
from ._observed import Observed
from ._one import RowReader, Split, explain_one, profile_one, shares_of, sum_one, views_of
from ._stability import Reference, StabilityReport, stability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._one import View
    from ._term import Term


class AdditiveCard(ExportableCard):
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
    edits : tuple of Edit, default ()
        What was changed by hand, oldest first.

    Raises
    ------
    InvalidParameterError
        If names repeat, or a table does not fit its bins; all faults are listed.

    Examples
    --------
    >>> from clientscore.additive import FeatureBins, Term
    >>> bins = (FeatureBins("roa", "number", edges=(0.0,), missing=True),)
    >>> term = Term(("roa",), np.array([[0.7], [-0.2], [0.1], [0.0]]))
    >>> card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
    >>> card.decision(pd.DataFrame({"roa": [-0.1, 0.2, None]})).round(6).tolist()
    [-2.3, -3.2, -2.9]
    >>> card.decision_one({"roa": -0.1})
    -2.3
    """

    @cached_property
    def _plans(self) -> tuple[TermPlan, ...]:
        return tuple(self._plan(term) for term in self.terms)

    @cached_property
    def _views(self) -> list[View]:
        return views_of(self._plans)

    @cached_property
    def _shares(self) -> dict[int, list[View]]:
        return {}

    @cached_property
    def _splits(self) -> dict[int, Split]:
        return {}

    @cached_property
    def _reader(self) -> RowReader:
        plain = [one.kind == "number" and not one.specials and not one.refuse for one in self.bins]
        edges = [one.edges if fast else None for fast, one in zip(plain, self.bins, strict=True)]
        return RowReader([(one.name, own, one) for own, one in zip(edges, self.bins, strict=True)])

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
        k = self._output(output)
        if k not in self._shares:
            self._shares[k] = shares_of(self._plans, k)
        totals = explain_one(self._shares[k], codes, len(self.bins))
        return {name: totals[self._column[name]] for name in self.scored_features}

    def row_counts(self, X: pd.DataFrame) -> pd.DataFrame:
        """Count how often rows beside the values in range are used for `X`.

        Returns
        -------
        DataFrame, one row a feature
            Columns rows, missing, special, unseen, below and above (out of range), declared (rows of a kind
            that had no example in training).
        """
        codes = self.encode(X)
        return pd.DataFrame(
            [_row_counts(one, codes[:, j]) for j, one in enumerate(self.bins)],
            index=pd.Index(self.features, name="feature"),
            columns=list(_COUNTED),
        ).astype("int64")

    # ---- on other data -------------------------------------------------------------------------------

    def bin_table(
        self,
        X: pd.DataFrame,
        y: ArrayLike | None = None,
        *,
        by: str | ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        pd_map: Any = None,
    ) -> pd.DataFrame:
        """Return every row of every term as these clients meet it.

        Parameters
        ----------
        X : DataFrame of shape (n, any number of columns)
            Holds the card's features by name; values that a policy refuses are counted too.
        y : array of shape (n,), default None
            1 for bad, 0 for good, missing where the outcome is not known yet.
        by : str or array of shape (n,), default None
            A level of X's index ("as_of"), or the period of each row; everything together if None.
        sample_weight : array of shape (n,), default None
            Weights >= 0.
        pd_map : object, default None
            Anything with ``pd(log_odds)``, such as a beta calibration beside the card; the logistic function
            if None.

        Returns
        -------
        DataFrame
            One line a period, term and row (of pairs only cells that clients meet): period (with `by`), term,
            feature_1, row_1, feature_2, row_2, value (log-odds), count (clients), share (of the period's
            weight), training_share (terms of one feature), bads (their weight), bad_rate, expected_bad_rate
            (mean PD by the card of the same clients; of all where no outcome of the period is known), woe
            (weight of evidence of bad on these clients).  Figures that nobody stands behind are missing.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit", or X's index has no such level.
        DataError
            If X has no rows, y is not 0, 1 or missing, or lengths differ.

        Examples
        --------
        >>> from clientscore.additive import FeatureBins, Term
        >>> bins = (FeatureBins("roa", "number", edges=(0.0,), missing=True),)
        >>> term = Term(("roa",), np.array([[0.7], [-0.2], [0.1], [0.0]]))
        >>> card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
        >>> table = card.bin_table(pd.DataFrame({"roa": [-0.1, -0.3, 0.2, 0.4]}), [1, 0, 0, 0])
        >>> table[["row_1", "count", "share", "bad_rate"]].head(2).values.tolist()
        [['<= 0', 2, 0.5, 0.5], ['> 0', 2, 0.5, 0.0]]
        """
        return bin_table(self, self._plans, self._observed(X, y, by, sample_weight, pd_map))

    def stability(
        self,
        X: pd.DataFrame,
        y: ArrayLike | None = None,
        *,
        by: str | ArrayLike | None = None,
        reference: Reference = "training",
        sample_weight: ArrayLike | None = None,
    ) -> StabilityReport:
        """Return how stable the rows of each scored feature are: who is in them, and who turns bad.

        The index of a feature is ``sum((share - before) * ln(share / before))`` over its rows (population, or
        characteristic, stability index); a share of less than .0001, or of half a client, counts as that.

        Parameters
        ----------
        X : DataFrame of shape (n, any number of columns)
            Holds the card's features by name.
        y : array of shape (n,), default None
            1 for bad, 0 for good, missing where the outcome is not known yet.
        by : str or array of shape (n,), default None
            A level of X's index ("as_of"), or the period of each row; one period if None.
        reference : {"training", "first"}, default "training"
            What shares are compared with: those the card keeps of its training (a feature without a term of
            its own has none), or those of the first period.
        sample_weight : array of shape (n,), default None
            Weights >= 0.

        Returns
        -------
        StabilityReport
            ``.frame()``: one line a feature; ``.by_period``: one a period and feature.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit", or X's index has no such level.
        DataError
            If X has no rows, y is not 0, 1 or missing, or lengths differ.

        Examples
        --------
        >>> from clientscore.additive import FeatureBins, Term
        >>> bins = (FeatureBins("roa", "number", edges=(0.0,)),)
        >>> values = np.array([[0.7], [-0.7], [0.0], [0.0]])
        >>> term = Term(("roa",), values, share=np.array([0.5, 0.5, 0.0, 0.0]))
        >>> card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
        >>> X = pd.DataFrame({"roa": [-1.0] * 50 + [1.0] * 50 + [-1.0] * 90 + [1.0] * 10})
        >>> card.stability(X, by=np.repeat([2024, 2025], 100)).frame()[["period", "state"]].values.tolist()
        [[2025, 'act']]
        """
        return stability(self, self._observed(X, y, by, sample_weight), reference)

    def _observed(
        self,
        X: pd.DataFrame,
        y: ArrayLike | None,
        by: Any,
        sample_weight: ArrayLike | None,
        pd_map: Any = None,
    ) -> Observed:
        """Read clients, those that a policy refuses too."""
        if len(self.outputs) != 1 or self.link != "logit":
            raise InvalidParameterError(
                f"The card must have one output with link 'logit'; got {len(self.outputs)}, {self.link!r}."
            )
        codes = encode([replace(one, refuse=()) for one in self.bins], X)
        if not len(codes):
            raise DataError("X must hold clients to look at; it has no rows.")
        log_odds = self.decision_codes(codes)
        chance = np.asarray(expit(log_odds) if pd_map is None else pd_map.pd(log_odds))
        return Observed.of(X, codes, chance, y, by, sample_weight)


_COUNTED = ("rows", "missing", "special", "unseen", "below", "above", "declared")


def _row_counts(bins: FeatureBins, codes: NDArray[Any]) -> tuple[int, ...]:
    """Return how often one feature's rows are met, in the order of `_COUNTED`."""
    counts = np.bincount(codes, minlength=bins.n_rows)
    below, above = (int(counts[row]) for row in bins.range_rows) if bins.bounded else (0, 0)
    return (
        int(counts.sum()),
        int(counts[bins.missing_code]),
        int(counts[list(bins.special_rows)].sum()),
        int(counts[bins.unseen_code]),
        below,
        above,
        int(counts[list(bins.declared)].sum()),
    )
