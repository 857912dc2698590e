"""A scorer in other words: its card with its points and its PD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from clientscore.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from clientscore.additive import AdditiveCard
    from clientscore.scale import ScoreScale

    from ._calibration import PDMap


class ScorerExports:
    """Exports of a fitted scorer; mixed into :class:`ClientScorer`."""

    card_: AdditiveCard
    scale_: ScoreScale
    pd_map_: PDMap | None

    def to_sql(
        self,
        table: str,
        dialect: Any = "ansi",
        id_columns: Sequence[str] = (),
        *,
        contributions: bool = False,
        rounded: bool = False,
    ) -> str:
        """Return the scorer as one SELECT: the card, points on its scale, and the PD through its map.

        Parameters
        ----------
        table : str
            Name of the table or view.
        dialect : {"ansi", "postgres", "duckdb", "spark", "mysql", "tsql", "oracle", "sqlite"}, default "ansi"
            The database.
        id_columns : sequence of str, default ()
            Columns of the table that come first, unchanged.
        contributions : bool, default False
            Whether to add the value of every term.
        rounded : bool, default False
            Whether points are whole, as ``points(X, rounded=True)``.

        Returns
        -------
        str
            Columns: ids, contributions, points, pd, log_odds; see :meth:`AdditiveCard.to_sql`.

        Raises
        ------
        InvalidParameterError
            If names do not fit one SELECT, or the map of the PD is none that SQL can say.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> print(scorer.to_sql("book", "duckdb", ["client_id"]).split("SELECT")[-1])
        <BLANKLINE>
          "client_id",
          "points",
          1.0E0 / (
            1.0E0 + EXP(
              -(
                CASE
                  WHEN "mapped_log_odds" > 700.0E0
                  THEN 700.0E0
                  WHEN "mapped_log_odds" < -700.0E0
                  THEN -700.0E0
                  ELSE "mapped_log_odds"
                END
              )
            )
          ) AS "pd",
          "log_odds"
        FROM "card_map"
        """
        check_is_fitted(self, "card_")
        return self.card_.to_sql(
            table,
            dialect,
            id_columns,
            contributions=contributions,
            scale=self.scale_,
            rounded=rounded,
            pd=True,
            pd_map=self.pd_map_,
        )

    def to_pmml(self, *, points: bool = True, rounded: bool = False) -> str:
        """Return the scorer as a PMML 4.4 Scorecard; see :meth:`AdditiveCard.to_pmml`.

        Parameters
        ----------
        points : bool, default True
            Whether the score is points on the scorer's scale; log-odds of bad if not.
        rounded : bool, default False
            Whether points are whole; the PD is left out then.

        Raises
        ------
        InvalidParameterError
            If the PD passes through a map, which PMML does not carry: give ``rounded=True`` for points alone,
            or export ``card_.to_pmml(with_pd=False)``.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> 'initialScore="636.0"' in scorer.to_pmml(rounded=True)
        True
        """
        check_is_fitted(self, "card_")
        if self.pd_map_ is not None and not rounded:
            raise InvalidParameterError(
                f"PMML carries no map of the PD, and this scorer has one ({type(self.pd_map_).__name__}). "
                "Give rounded=True for points alone, or export card_.to_pmml(with_pd=False) for log-odds."
            )
        return self.card_.to_pmml(self.scale_ if points or rounded else None, rounded=rounded)

    def to_sheet(self, *, rounded: bool = False) -> pd.DataFrame:
        """Return the card as rows for a spreadsheet, with points; see :meth:`AdditiveCard.to_sheet`.

        Parameters
        ----------
        rounded : bool, default False
            Whether points are whole.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> scorer.to_sheet(rounded=True)[["attribute", "points"]].values.tolist()[2:4]
        [['[0, 30]', 74], ['(30, 60]', -149]]
        """
        check_is_fitted(self, "card_")
        return self.card_.to_sheet(self.scale_, rounded=rounded)
