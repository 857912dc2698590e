"""Scorers made from a card, or from a scorer: recalibrated, with an edited card, with a map of the PD."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_option
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import MasterScale, ScoreScale, fit_calibration

from ._calibration import Calibration, PDMap, calibrated
from ._fit import judged_rows, read_rows, unrefused
from ._inputs import day_text, feature_frame, feature_pillars, row_weights
from ._method import check_given_card, default_scale
from ._reasons import ReasonReference
from ._views import CardViews

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from clientscore.additive import AdditiveCard, BoostReport, WoeReport

    from ._challenger import ChallengerReport


class CardRevisions(CardViews):
    """New scorers from old ones; mixed into :class:`ClientScorer`.  None of them changes the old one."""

    method: Any
    scale: ScoreScale | None
    master_scale: MasterScale | None
    classes_: NDArray[Any]
    n_features_in_: int
    base_points_: float
    base_rate_: float
    calibration_: dict[str, Any]
    summary_: dict[str, Any]
    report_: BoostReport | WoeReport | None
    challenger_report_: ChallengerReport | None

    def _take(self, card: AdditiveCard, reference: ReasonReference) -> None:
        """Score by this card from now on; a map of the PD, and bags, belonged to the card before."""
        self.card_, self._reference, self.pd_map_, self.bags_ = card, reference, None, None
        self.scale_ = self.scale or default_scale(self.method) or ScoreScale()
        self.master_scale_ = self.master_scale or MasterScale()
        self.__dict__.pop("_explains", None)
        self.base_points_ = float(self.scale_.points_from_log_odds(card.intercept[0]))

    def recalibrate(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        method: Calibration = "logistic",
        sample_weight: ArrayLike | None = None,
        target: float | None = None,
    ) -> Self:
        """Return a new scorer, its card calibrated on these rows: a later window, or a long-run rate.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name, best of rows the card did not learn from.
        y : array of shape (n_rows,)
            The two classes the scorer was fitted on.  Rows with a missing y are left out.
        method : {"auto", "mean", "logistic", "beta", "isotonic"}, default "logistic"
            Intercept alone, or with the slope of the log-odds; "beta" and "isotonic" map PD and grade only,
            beside a card moved by its intercept; "auto" takes one by log loss, see
            :func:`clientscore.scale.choose_calibration`.
        sample_weight : array of shape (n_rows,), default None
            Weights >= 0.
        target : float, default None
            Mean PD wanted instead of the share of bads in y (a long-run average), in (0, 1).

        Returns
        -------
        ClientScorer
            Points, PD, grades and exports all carry the calibration; ``calibration_`` tells method, intercept
            and slope, rows and events, target, first and last date (of the level as_of, where there is one),
            and the calibration before.  An earlier map of the PD is left behind.

        Raises
        ------
        InvalidParameterError
            If the method or the target lies outside its rule.
        DataError
            If y holds other classes, or the bad rate does not rise with the log-odds.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> y = (X["dpd_max_3m"] > 0) & (X.index % 2 > 0)
        >>> scorer = ClientScorer(method="woe").fit(X, y)
        >>> later = scorer.recalibrate(X, y, method="mean", target=0.05)
        >>> round(float(later.predict_proba(X)[:, 1].mean()), 6), later.calibration_["before"]["method"]
        (0.05, 'own')
        """
        check_is_fitted(self, "card_")
        check_option("method", method, Calibration)
        self._frame(X)  # an array of another width, or without the names learned, is refused
        read = read_rows(X, y, sample_weight, None)
        if not np.array_equal(read.classes, self.classes_):
            raise DataError(f"y must hold the classes {self.classes_.tolist()}; got {read.classes.tolist()}.")
        rows = read.rows
        raw = self.card_.decision_codes(unrefused(self.card_).encode(rows.X))
        if method in ("logistic", "beta", "isotonic"):
            fit_calibration(method, raw, rows.y, rows.weight)  # raises where the bad rate does not rise
        found = calibrated(method, judged_rows(rows, raw), raw, target)
        new = copy(self)
        card = self.card_.recalibrated(found.intercept, found.slope)
        new._take(card, _recalibrated(self._reference, found.intercept, found.slope))  # noqa: SLF001 -- itself
        new.pd_map_ = found.pd_map
        new.bags_ = None if self.bags_ is None else self.bags_.scaled(found.slope)
        new.calibration_ = {
            **found.record,
            "target": target,
            **_dates(rows.X.index),
            "before": dict(self.calibration_),
        }
        return new

    def with_pd_map(self, pd_map: PDMap | None) -> Self:
        """Return a new scorer whose PD and grade pass through a map; points and the card stay as they are.

        Parameters
        ----------
        pd_map : PDMap or None
            Anything with ``pd(log_odds)``, rising, such as an isotonic or beta calibration; None for none.

        Returns
        -------
        ClientScorer

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> class Halved:
        ...     def pd(self, log_odds):
        ...         return 0.5 / (1 + np.exp(-log_odds))
        ...     def to_state(self):
        ...         return {"kind": "halved"}
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> halved = scorer.with_pd_map(Halved())
        >>> bool(halved.points(X).equals(scorer.points(X))), float(halved.predict_proba(X)[:, 1].max()) < 0.5
        (True, True)
        """
        check_is_fitted(self, "card_")
        if pd_map is not None and not isinstance(pd_map, PDMap):
            raise InvalidParameterError(
                f"pd_map must have the methods pd and to_state, or be None; got {pd_map!r}."
            )
        new = copy(self)
        new.pd_map_ = pd_map
        return new

    def with_card(self, card: AdditiveCard, X: pd.DataFrame, sample_weight: ArrayLike | None = None) -> Self:
        """Return a new scorer with another card of the same features: one that was edited by hand.

        Parameters
        ----------
        card : AdditiveCard
            One output, log-odds of bad.
        X : DataFrame of shape (n_rows, any number of columns)
            Clients whose averages the reasons compare with: the training rows.
        sample_weight : array of shape (n_rows,), default None
            Weights >= 0.

        Returns
        -------
        ClientScorer
            Scales, pillars and classes are kept; a map of the PD is left behind.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs, another link, or features the scorer does not know.

        Examples
        --------
        >>> import pandas as pd
        >>> from clientscore.scoring import ClientScorer
        >>> X = pd.DataFrame({"dpd_max_3m": [0.0, 0.0, 60.0] * 200})
        >>> scorer = ClientScorer(method="woe").fit(X, (X["dpd_max_3m"] > 0) & (X.index % 2 > 0))
        >>> milder = scorer.with_card(scorer.card_.recalibrated(slope=0.5), X)
        >>> bool(milder.points(X).std() < scorer.points(X).std())
        True
        """
        check_is_fitted(self, "card_")
        check_given_card(card, list(self.feature_names_in_))
        frame = self._frame(X)
        weight = row_weights(sample_weight, len(frame))
        if weight is not None:
            frame, weight = frame[weight > 0], weight[weight > 0]
        reference = ReasonReference.measure(unrefused(card), frame, weight)
        new = copy(self)
        new._take(card, reference)  # noqa: SLF001 -- itself, copied
        new.calibration_ = {"method": None, "intercept": 0.0, "slope": 1.0, "before": dict(self.calibration_)}
        new.report_ = None
        return new

    @classmethod
    def from_card(
        cls,
        card: AdditiveCard,
        X: pd.DataFrame,
        *,
        scale: ScoreScale | None = None,
        master_scale: MasterScale | None = None,
        pillars: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a scorer around a card that was not learned here: written by experts, or read from a file.

        Parameters
        ----------
        card : AdditiveCard
            One output, log-odds of bad.
        X : DataFrame of shape (n_rows, any number of columns)
            Clients whose averages the reasons compare with; no outcome is needed.
        scale : ScoreScale, default None
            Points; None for 600 points at odds 50 : 1, 20 to double.
        master_scale : MasterScale, default None
            Grades; None for nine grades, R1 to R9.
        pillars : mapping of str to str, default None
            Pillar of features that the catalogue does not know; unknown ones count as "other".

        Returns
        -------
        ClientScorer
            Fitted, classes 0 and 1; ``base_rate_`` is missing (NaN).  Its method is the card, so that `fit`,
            of a clone too, keeps the card and only calibrates it.

        Raises
        ------
        InvalidParameterError
            If the card has several outputs, or another link.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from clientscore.additive import AdditiveCard, FeatureBins, Term
        >>> from clientscore.scoring import ClientScorer
        >>> bins = (FeatureBins("roa", "number", edges=(0.0,)),)
        >>> term = Term(("roa",), np.array([[0.7], [-0.2], [0.0], [0.0]]))
        >>> card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
        >>> scorer = ClientScorer.from_card(card, pd.DataFrame({"roa": [0.1, -0.1]}))
        >>> scorer.reasons(pd.DataFrame({"roa": [-0.3]}), n=1).iloc[0].tolist()
        ['roa']
        """
        check_given_card(card, card.features)
        new = cls()
        new.method = card
        new.scale, new.master_scale = scale, master_scale
        new.classes_ = np.array([0, 1])
        new.feature_names_in_ = np.array(card.features, dtype=object)
        new.n_features_in_ = len(card.features)
        new._named = True
        new.pillars_ = feature_pillars(card.features, pillars)
        frame = feature_frame(X)[0]
        new._take(card, ReasonReference.measure(unrefused(card), frame, None))
        new.base_rate_ = float("nan")
        new.summary_ = {"rows": len(frame)}
        new.calibration_ = {"method": None, "intercept": 0.0, "slope": 1.0, "rows": 0, "events": 0}
        new.report_ = new.challenger_report_ = None
        return new


def _recalibrated(reference: ReasonReference, intercept: float, slope: float) -> ReasonReference:
    """Return what the reference becomes when the card's log-odds do: ``intercept + slope * log_odds``."""
    return ReasonReference(
        mean=slope * reference.mean,
        best=slope * reference.best,
        decision=intercept + slope * reference.decision,
        by_band=slope * reference.by_band,
    )


def _dates(index: pd.Index) -> dict[str, str | None]:
    """Return the first and the last date of the rows, None where the index has none."""
    if "as_of" not in index.names:
        return {"from": None, "to": None}
    dates = index.get_level_values("as_of")
    return {"from": day_text(dates.min()), "to": day_text(dates.max())}
