"""The verbs that write a card in other words; the work is done by `exports`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._editable import EditableCard
from .exports import SqlDialect, to_pmml, to_sheet, to_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from clientscore.scale import ScoreScale


class ExportableCard(EditableCard):
    """Exports of a card with one output in log-odds."""

    def to_sql(
        self,
        table: str,
        dialect: SqlDialect = "ansi",
        id_columns: Sequence[str] = (),
        *,
        contributions: bool = False,
        scale: ScoreScale | None = None,
    ) -> str:
        """Return the card as one SELECT over a table that holds its features by name.

        The query has steps: columns as doubles and exact texts, row numbers, values of terms, and their sum
        in the card's order, so that log-odds agree with :meth:`decision` to the bit where the database adds
        doubles in the order written.  NULL is missing; so is NaN, where the database has it.

        Parameters
        ----------
        table : str
            Name of the table or view, with its schema if need be; quote parts that need it.
        dialect : {"ansi", "postgres", "duckdb", "spark", "mysql", "tsql", "oracle", "sqlite"}, default "ansi"
            The database.
        id_columns : sequence of str, default ()
            Columns of the table that come first, unchanged.
        contributions : bool, default False
            Whether to add the value of every term, named like the term.
        scale : ScoreScale, default None
            Adds the column points, before the last.

        Returns
        -------
        str
            Columns: ids, contributions, points, and last log_odds: NULL where a number is infinite or a row
            is refused.  Only features that stand in a term are read.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit", or names do not fit one SELECT.
        MissingDependencyError
            If sqlglot is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from clientscore.additive import AdditiveCard, FeatureBins, Term
        >>> bins = (FeatureBins("roa", "number", edges=(0.0,), missing=True),)
        >>> term = Term(("roa",), np.array([[0.7], [-0.2], [0.1], [0.0]]))
        >>> card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
        >>> print(card.to_sql("book", "mysql", ["client_id"]).split("SELECT")[-1])
        <BLANKLINE>
          `client_id`,
          -3.0E0 + `term_0` AS `log_odds`
        FROM `card_terms`
        """
        return to_sql(self, table, dialect, id_columns, contributions=contributions, scale=scale)

    def to_pmml(self, scale: ScoreScale | None = None) -> str:
        """Return the card as a PMML 4.4 Scorecard.

        A feature is a characteristic whose attributes are the rows of its table; a pair is a characteristic
        whose partial score is looked up by the row numbers of both features.  Reason codes are names of
        terms, ranked by how much worse a term is than its training average (the baseline score; 0 where the
        card keeps no shares, as for pairs).

        Parameters
        ----------
        scale : ScoreScale, default None
            Partial scores and total in points instead of log-odds of bad.

        Returns
        -------
        str
            XML with the outputs log_odds (or points), pd and reason_1 to reason_4.  Rows that are refused
            have no attribute, infinite numbers are invalid: an evaluator gives no score.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit".
        """
        return to_pmml(self, scale)

    def to_sheet(self, scale: ScoreScale | None = None) -> pd.DataFrame:
        """Return the card as rows for a spreadsheet: intercept, rows of features, cells of pairs.

        Parameters
        ----------
        scale : ScoreScale, default None
            Adds the column points.

        Returns
        -------
        DataFrame
            Columns feature, attribute, from (exclusive), to (inclusive), feature_2, attribute_2 (of pairs),
            value (log-odds of bad), points, share (of the training weight), declared (no training example).
            Text that a spreadsheet would run as a formula has an apostrophe before it.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit".
        """
        return to_sheet(self, scale)
