"""What a fitted scorer shows of its card: points by row, reasons in full, how its inputs are met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from clientscore.exceptions import DataError

from ._details import reason_details
from ._exports import ScorerExports
from ._input_check import unusual_inputs
from ._inputs import known_outcomes, scoring_frame
from ._points import points_table, rounding_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from clientscore.additive import AdditiveCard, CardBags, StabilityReport
    from clientscore.scale import MasterScale, ScoreScale

    from ._calibration import PDMap
    from ._points import RoundingReport
    from ._reasons import ReasonMethod, ReasonReference


class CardViews(ScorerExports):
    """Tables of a fitted scorer; mixed into :class:`ClientScorer`."""

    card_: AdditiveCard
    scale_: ScoreScale
    master_scale_: MasterScale
    classes_: NDArray[Any]
    pillars_: dict[str, str]
    feature_names_in_: Any
    _named: bool
    _reference: ReasonReference
    pd_map_: PDMap | None
    bags_: CardBags | None
    reasons: Callable[..., pd.DataFrame]  # of the scorer

    def _frame(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self, "card_")
        return scoring_frame(X, list(self.feature_names_in_), self._named)

    def _pd(self, log_odds: Any) -> Any:
        """Return the PD of log-odds of the card, through the map where there is one."""
        return expit(log_odds) if self.pd_map_ is None else self.pd_map_.pd(log_odds)

    def uncertainty(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return how far the bags of the card lie apart for each row.

        Every bag was trained without other clients.  Where bags disagree, the score depends on whom it was
        taught on: few clients like this one, or a value never met.  They share most of their clients, so this
        is a sign of where the card is unsure, and no confidence interval of the rate of default.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.

        Returns
        -------
        DataFrame
            Columns log_odds, log_odds_deviation (standard deviation over bags), pd, pd_deviation (of each
            bag's PD).

        Raises
        ------
        DataError
            If the card has no bags: method "woe", an expert's or an edited card, a single bag.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> rng = np.random.default_rng(0)
        >>> X = pd.DataFrame({"dpd_max_3m": rng.poisson(2, 1000), "roa": rng.normal(size=1000)})
        >>> y = rng.random(1000) < 1 / (1 + np.exp(2 - X["dpd_max_3m"] / 2))
        >>> unsure = ClientScorer(random_state=0).fit(X, y).uncertainty(X)
        >>> bool((unsure["pd_deviation"] > 0).all())
        True
        """
        frame = self._frame(X)
        if self.bags_ is None or self.bags_.n_bags < 2:
            raise DataError(
                "The card has no bags to compare: it was not boosted with two or more, or it was edited by "
                'hand. Fit with method="boosted" and n_bags of 2 or more.'
            )
        codes = self.card_.encode(frame)
        log_odds = self.card_.decision_codes(codes)
        by_bag = log_odds[:, None] + self.bags_.deviations(codes)[:, :, 0]
        figures = {
            "log_odds": log_odds,
            "log_odds_deviation": by_bag.std(axis=1, ddof=1),
            "pd": self._pd(log_odds),
            "pd_deviation": np.asarray(self._pd(by_bag)).std(axis=1, ddof=1),
        }
        return pd.DataFrame(figures, index=frame.index)

    def reason_frame(
        self,
        X: pd.DataFrame,
        n: int = 4,
        method: ReasonMethod = "shortfall",
        cutoff_points: float | None = None,
    ) -> pd.DataFrame:
        """Return the reasons in full: words, the value behind each and the points it cost.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.
        n : int, default 4
            Most reasons of a client, 1 to 4.
        method : {"shortfall", "loss"}, default "shortfall"
            As in :meth:`reasons`.
        cutoff_points : float, default None
            As in :meth:`reasons`.

        Returns
        -------
        DataFrame
            One line a client and reason, on the index of X (repeated): rank (1 is the largest), code,
            text_en, text_zh, pillar, value (the client's own), row (of the card that it met), points_lost
            (against what it is compared with, > 0).  A client without reasons has no line.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> told = scorer.reason_frame(X.head(3))
        >>> told[["code", "text_zh", "value", "row"]].to_dict("records")
        [{'code': 'dpd_max_3m', 'text_zh': '近三个月最长逾期天数', 'value': 60.0, 'row': '(30, 60]'}]
        """
        frame = self._frame(X)
        codes = self.reasons(frame, n, method, cutoff_points)
        cutoff = None if cutoff_points is None else self.scale_.log_odds_from_points(cutoff_points)
        reference = self._reference.of(method, cutoff)
        return reason_details(self.card_, frame, codes, reference, self.scale_.factor, self.pillars_)

    def points_table(self, rounded: bool = False) -> pd.DataFrame:
        """Return the points of every row of every term of the card.

        Parameters
        ----------
        rounded : bool, default False
            Whole numbers, as ``points(X, rounded=True)`` adds them up.

        Returns
        -------
        DataFrame
            Columns term, feature_1, row_1, feature_2, row_2, points, share (of the training weight), declared
            (no training example); the intercept comes first.  The points of a client are the sum of the rows
            it meets.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> int(scorer.points_table(rounded=True)["points"].iloc[0])
        636
        """
        check_is_fitted(self, "card_")
        return points_table(self.card_, self.scale_, rounded=rounded)

    def rounding_report(self, X: pd.DataFrame) -> RoundingReport:
        """Return what whole points cost: a bound for every client, and the errors on X.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.

        Returns
        -------
        RoundingReport
            rows, bound, largest and mean absolute error in points; ``.frame()``: the largest by term.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> report = scorer.rounding_report(X)
        >>> report.largest <= report.bound <= 1.0
        True
        """
        frame = self._frame(X)
        return rounding_report(self.card_, self.scale_, self.card_.encode(frame))

    def row_counts(self, X: pd.DataFrame) -> pd.DataFrame:
        """Count how often rows beside the values in range are met; see :meth:`AdditiveCard.row_counts`.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.

        Returns
        -------
        DataFrame, one row a feature
            Columns rows, missing, special, unseen, below, above, declared.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> odd = pd.DataFrame({"dpd_max_3m": [0.0, None, 400.0]})
        >>> scorer.row_counts(odd)[["rows", "missing", "above"]].iloc[0].tolist()
        [3, 1, 1]
        """
        frame = self._frame(X)
        return self.card_.row_counts(frame)

    def bin_table(
        self,
        X: pd.DataFrame,
        y: ArrayLike | None = None,
        *,
        by: str | ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Return every row of every term as these clients meet it; see :meth:`AdditiveCard.bin_table`.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.
        y : array of shape (n_rows,), default None
            The two classes the scorer was fitted on, missing where the outcome is not known yet.
        by : str or array of shape (n_rows,), default None
            A level of X's index ("as_of"), or the period of each row; everything together if None.
        sample_weight : array of shape (n_rows,), default None
            Weights >= 0.

        Returns
        -------
        DataFrame
            As of the card, with points (of the row, on the scorer's scale) beside value, and
            expected_bad_rate through the map of the PD where there is one.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> y = (X["dpd_max_3m"] > 0) & (X.index % 2 > 0)
        >>> table = ClientScorer(method="woe").fit(X, y).bin_table(X, y)
        >>> table.loc[table["count"] > 0, ["row_1", "count", "bads", "bad_rate"]].values.tolist()
        [['[0, 30]', 400, 0.0, 0.0], ['(30, 60]', 200, 100.0, 0.5]]
        """
        frame = self._frame(X)
        outcome = known_outcomes(frame, y, self.classes_, isinstance(X, pd.DataFrame))
        table = self.card_.bin_table(frame, outcome, by=by, sample_weight=sample_weight, pd_map=self.pd_map_)
        table.insert(table.columns.get_loc("value") + 1, "points", -self.scale_.factor * table["value"] + 0.0)
        return table

    def stability(
        self,
        X: pd.DataFrame,
        y: ArrayLike | None = None,
        *,
        by: str | ArrayLike | None = None,
        reference: Literal["training", "first"] = "training",
        sample_weight: ArrayLike | None = None,
    ) -> StabilityReport:
        """Return how stable the rows of each scored feature are; see :meth:`AdditiveCard.stability`.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.
        y : array of shape (n_rows,), default None
            The two classes the scorer was fitted on, missing where the outcome is not known yet.
        by : str or array of shape (n_rows,), default None
            A level of X's index ("as_of"), or the period of each row; one period if None.
        reference : {"training", "first"}, default "training"
            What shares are compared with: those of training, or those of the first period.
        sample_weight : array of shape (n_rows,), default None
            Weights >= 0.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> report = scorer.stability(X, by=[2024, 2025] * 300)
        >>> report.frame()[["psi", "state"]].values.tolist()
        [[0.0, 'stable']]
        """
        frame = self._frame(X)
        outcome = known_outcomes(frame, y, self.classes_, isinstance(X, pd.DataFrame))
        return self.card_.stability(frame, outcome, by=by, reference=reference, sample_weight=sample_weight)

    def floored_pd(self, X: pd.DataFrame) -> pd.Series:
        """Return the probability of bad, no lower than the floor: Series on X's index, named "pd".

        The floor is ``master_scale_.pd_floor``, by default .0005, as capital rules ask of corporates; points,
        grades and :meth:`predict_proba` never take it.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 2000})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> bool(scorer.predict_proba(X)[:, 1].min() < 0.0005), float(scorer.floored_pd(X).min())
        (True, 0.0005)
        """
        frame = self._frame(X)
        chance = np.asarray(self._pd(self.card_.decision(frame).to_numpy()))
        return pd.Series(self.master_scale_.floored(chance), index=frame.index, name="pd")

    def check_inputs(self, X: pd.DataFrame) -> pd.DataFrame:
        """List what X holds far more of than training did: a wrong unit, swapped columns, an untold code.

        A row of a feature (missing, special code, unseen level, below or above the range) is listed where its
        share exceeds that of training by more than 5 points, and by more than chance brings once in 1,000
        times.  A number is listed as "shifted" where, of at least 50 values, the share up to some row differs
        by more than 40 points.  Only features with a term of their own are looked at; nothing is refused.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.

        Returns
        -------
        DataFrame
            Columns feature, kind ("missing", "special", "unseen", "out_of_range", "shifted"), row, rows
            (looked at), share (in that row; up to that row where shifted), training_share.  Empty where
            nothing is unusual.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"debt_amount": np.linspace(1, 9, 600)})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["debt_amount"] > 5) & (X.index % 2 > 0))
        >>> scorer.check_inputs(X * 1000)[["feature", "kind", "row", "share"]].to_dict("records")[0]
        {'feature': 'debt_amount', 'kind': 'out_of_range', 'row': '> 9', 'share': 1.0}
        """
        frame = self._frame(X)
        return unusual_inputs(self.card_, self.card_.encode(frame))
