"""The verbs with which people change a card; the work is done by functions of `_edit_rows` and `_refit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from clientscore._checks import check_option

from ._card_data import CardData
from ._edit_rows import Signature, merge_bins, set_frozen, set_values, split_bin
from ._points_table import PointsTable
from ._refit import RefitSettings, refit

Form = Literal["toml", "csv"]

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike

    from clientscore.scale import ScoreScale

    from ._edit import Moment
    from ._edit_rows import Row
    from ._refit import Keep


class EditableCard(CardData):
    """Edits of a card: each returns a new card and is recorded in its log, signed and dated."""

    def merge_bins(
        self, feature: str, rows: Sequence[Row], *, by: str, why: str, when: Moment = None
    ) -> Self:
        """Return the card in which several rows of a feature score alike.

        In every table of the feature they take their average, weighted by the rows' shares of the training
        weight (equal where the card has none).  Neighboring intervals become one; levels keep a row each,
        with equal values.

        Parameters
        ----------
        feature : str
            A feature of the card.
        rows : sequence of int or str
            Two or more rows of values in range, by number or label; of numbers, neighbors.
        by : str
            Who decided it.
        why : str
            The reason.
        when : str or date, default None
            Date, or date and time, of the decision; now if None.

        Raises
        ------
        InvalidParameterError
            If rows are unknown, out of range or no neighbors, or the feature is frozen; all are listed.

        Examples
        --------
        >>> import numpy as np
        >>> from clientscore.additive import AdditiveCard, FeatureBins, Term
        >>> bins = (FeatureBins("debt", "number", edges=(2.0, 4.0)),)
        >>> share = np.array([0.5, 0.3, 0.2, 0.0, 0.0])
        >>> term = Term(("debt",), np.array([[-1.0], [0.5], [1.0], [0.0], [0.0]]), share)
        >>> card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
        >>> merged = card.merge_bins("debt", ["(2, 4]", "> 4"], by="A. Chen", why="few clients above 4")
        >>> merged.bins[0].labels()[:2], merged.terms[0].values[:2, 0].round(6).tolist()
        (['<= 2', '> 2'], [-1.0, 0.7])
        """
        return merge_bins(self, feature, rows, Signature(by, why, when))

    def split_bin(self, feature: str, at: float, *, by: str, why: str, when: Moment = None) -> Self:
        """Return the card with one more edge in a feature; both new rows score what the old one scored.

        The share of the training weight of the old row is given half and half to the new ones.

        Parameters
        ----------
        feature : str
            A number of the card.
        at : float
            The new edge, in range; numbers up to it, itself included, lie in the first of the new rows.
        by : str
            Who decided it.
        why : str
            The reason.
        when : str or date, default None
            Date, or date and time, of the decision; now if None.

        Raises
        ------
        InvalidParameterError
            If the edge exists or lies out of range, or the feature is a category or frozen.
        """
        return split_bin(self, feature, at, Signature(by, why, when))

    def set_points(
        self,
        term: str | Sequence[str],
        rows: Any,
        points: float | Sequence[float] | None = None,
        *,
        log_odds: float | Sequence[float] | None = None,
        scale: ScoreScale | None = None,
        output: str | None = None,
        by: str,
        why: str,
        when: Moment = None,
    ) -> Self:
        """Return the card with values of rows given by hand.

        Rows out of range that training never met go on scoring as the nearest row in range, if they did.

        Parameters
        ----------
        term : str or sequence of str
            A feature, or a pair as "a x b" or ("a", "b").
        rows : int, str or list
            Row number or label (also of "missing", "unseen" or "code -999"), or a list of them; of a pair a
            tuple of two rows, or a list of such tuples.
        points : float or sequence of float, default None
            Points of the row itself, higher is better: ``-pdo / ln 2`` times its log-odds.  One, or one
            a row.
        log_odds : float or sequence of float, default None
            Value in log-odds of bad (or the outcome's unit) instead of points.
        scale : ScoreScale, default None
            Scale of the points; ``ScoreScale()`` if None.
        output : str, default None
            Which output; needed only where there are several.
        by : str
            Who decided it.
        why : str
            The reason.
        when : str or date, default None
            Date, or date and time, of the decision; now if None.

        Raises
        ------
        InvalidParameterError
            If the term or a row is unknown, values are not finite, or the term is frozen; all are listed.
        """
        signature = Signature(by, why, when)
        return set_values(
            self,
            term,
            rows,
            points=points,
            log_odds=log_odds,
            scale=scale,
            output=output,
            signature=signature,
        )

    def freeze(self, features: str | Sequence[str], *, by: str, why: str, when: Moment = None) -> Self:
        """Return the card in which edits and refits leave some tables as they are.

        Parameters
        ----------
        features : str or sequence of str
            Features, each with all its tables, or pairs as "a x b".
        by : str
            Who decided it.
        why : str
            The reason.
        when : str or date, default None
            Date, or date and time, of the decision; now if None.

        Raises
        ------
        InvalidParameterError
            If a name is unknown or frozen already; all are listed.
        """
        return set_frozen(self, features, Signature(by, why, when), frozen=True)

    def unfreeze(self, features: str | Sequence[str], *, by: str, why: str, when: Moment = None) -> Self:
        """Return the card in which frozen tables may be changed again.

        Parameters
        ----------
        features : str or sequence of str
            Names as they were given to :meth:`freeze`.
        by : str
            Who decided it.
        why : str
            The reason.
        when : str or date, default None
            Date, or date and time, of the decision; now if None.

        Raises
        ------
        InvalidParameterError
            If a name is unknown or not frozen; all are listed.
        """
        return set_frozen(self, features, Signature(by, why, when), frozen=False)

    def refit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        monotone: Keep | Mapping[str, str] | None = "keep",
        ridge: float = 16.0,
        by: str,
        why: str,
        when: Moment = None,
    ) -> Self:
        """Return the card with the tables that are not frozen fitted anew.

        Each gets one factor >= 0, and the intercept moves; the training loss never rises.  The frozen tables
        are an offset and stay as they are, to the bit.  Rows set by hand in a table that is not frozen are
        scaled like the others.

        Parameters
        ----------
        X : DataFrame of shape (n, any number of columns)
            Holds the card's features by name.
        y : array of shape (n,)
            1 for bad, 0 for good; both must occur.
        sample_weight : array of shape (n,), default None
            Weight of each row; equal if None.
        monotone : "keep", mapping of str to {"increasing", "decreasing"}, or None, default "keep"
            Directions that must hold, pairs included: of every number that has one now ("keep"), of those
            named, or none.
        ridge : float, default 16.0
            How strongly factors are drawn to 1, > 0: the penalty is ``ridge / 2 * (factor - 1) ** 2`` beside
            the log loss summed over clients, so few clients move little.
        by : str
            Who decided it.
        why : str
            The reason.
        when : str or date, default None
            Date, or date and time, of the decision; now if None.

        Raises
        ------
        InvalidParameterError
            If the card is not of one output with the link "logit", everything is frozen, or a direction does
            not hold before the refit.
        DataError
            If lengths differ, y is not 0 and 1 with both classes, or weights are negative.
        """
        settings = RefitSettings(monotone, ridge)
        return refit(self, X, y, sample_weight, settings=settings, signature=Signature(by, why, when))

    @classmethod
    def from_points(cls, source: str | os.PathLike[str], scale: ScoreScale | None = None) -> Self:
        """Return the card of a points table written by hand; :func:`expert_card` describes the form.

        Parameters
        ----------
        source : str or path
            A TOML or CSV file, or the text itself where it has several lines.
        scale : ScoreScale, default None
            Instead of the scale of the table.

        Raises
        ------
        InvalidParameterError
            If the table has faults; all are listed.
        """
        return cls(**PointsTable.read(source, scale).parts())

    def to_points_table(self, scale: ScoreScale | None = None, *, form: Form = "toml") -> str:
        """Return the card as a points table that :func:`expert_card` reads back.

        Parameters
        ----------
        scale : ScoreScale, default None
            Scale of the points; if None that of the table the card was made of, else ``ScoreScale()``.
        form : {"toml", "csv"}, default "toml"
            Form of the text.

        Raises
        ------
        InvalidParameterError
            If the card has pairs, several outputs or another link than "logit".
        """
        check_option("form", form, Form)
        table = PointsTable.of(self, scale)
        return table.to_toml() if form == "toml" else table.to_csv()
