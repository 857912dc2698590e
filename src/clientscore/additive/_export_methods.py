"""The verbs that write a card in other words; the work is done by `exports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._editable import EditableCard
from .exports import SqlDialect, Wanted, to_pmml, to_sheet, to_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas import DataFrame

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
        rounded: bool = False,
        pd: bool = False,
        pd_map: Any = None,
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
            Adds the column points.
        rounded : bool, default False
            Whether points are whole numbers: the sum of each row's whole points, as
            ``scorer.points(X, rounded=True)``.
        pd : bool, default False
            Adds the column pd, which agrees to about 1e-12.
        pd_map : AffineCalibration, BetaCalibration or IsotonicCalibration, default None
            Map of the PD that stands beside the card; the logistic function of log_odds if None.

        Returns
        -------
        str
            Columns: ids, contributions, points, pd, and last log_odds: NULL where a number is infinite or a
            row is refused.  Features that stand in a term are read, and those of which some values are
            refused.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit", names do not fit one SELECT, whole
            points have no scale, or SQL cannot say the map.
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
        wanted = Wanted(contributions, scale, rounded, pd or pd_map is not None, pd_map)
        return to_sql(self, table, dialect, id_columns, wanted)

    def to_pmml(self, scale: ScoreScale | None = None, *, rounded: bool = False, with_pd: bool = True) -> str:
        """Return the card as a PMML 4.4 Scorecard.

        A feature is a characteristic whose attributes are the rows of its table; a pair is a characteristic
        whose partial score is looked up by the row numbers of both features.  Reason codes are names of
        terms, ranked by how much worse a term is than its training average (the baseline score; 0 where the
        card keeps no shares, as for pairs).

        Parameters
        ----------
        scale : ScoreScale, default None
            Partial scores and total in points instead of log-odds of bad.
        rounded : bool, default False
            Whether points are whole numbers; the PD, which is never rounded, is left out then.
        with_pd : bool, default True
            Whether pd is an output: the logistic function of the log-odds.  PMML carries no map of the PD.

        Returns
        -------
        str
            XML with the outputs log_odds (or points), pd and reason_1 to reason_4.  Rows that are refused
            have no attribute, infinite numbers are invalid: an evaluator gives no score.  A feature that is
            in no term but refuses values is a characteristic that adds 0.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit", or whole points have no scale.
        """
        return to_pmml(self, scale, rounded=rounded, with_pd=with_pd)

    def to_sheet(self, scale: ScoreScale | None = None, *, rounded: bool = False) -> DataFrame:
        """Return the card as rows for a spreadsheet: intercept, rows of features, cells of pairs.

        Parameters
        ----------
        scale : ScoreScale, default None
            Adds the column points.
        rounded : bool, default False
            Whether points are whole numbers (int64), which add up to ``scorer.points(X, rounded=True)``.

        Returns
        -------
        DataFrame
            Columns feature, attribute, from (exclusive), to (inclusive), feature_2, attribute_2 (of pairs),
            value (log-odds of bad), points, share (of the training weight), declared (no training example).
            Text that a spreadsheet would run as a formula has an apostrophe before it.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs or another link than "logit", or whole points have no scale.
        """
        return to_sheet(self, scale, rounded=rounded)
