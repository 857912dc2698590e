"""The scorer: a card, its calibration and its scales behind one estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer, check_interval, check_option
from clientscore.additive import AdditiveCard, BoostReport, CardBags, PointsTable, WoeSettings
from clientscore.exceptions import BundleFormatError, InvalidParameterError
from clientscore.scale import MasterScale, ScoreScale

from ._calibration import Calibration, pd_map_from_state
from ._challenger import ChallengerReport, challenge
from ._explain import Explainer
from ._fit import CardSettings, directions_of, learn_card, read_rows, unrefused
from ._inputs import feature_pillars
from ._method import Learned, method_of, rows_of_card
from ._reasons import ReasonFinder, ReasonReference
from ._revisions import CardRevisions
from ._state import parameters_from_state, parameters_to_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from clientscore.additive import FeatureRule

    from ._reasons import ReasonMethod

_MAX_REASONS = 4


class ClientScorer(CardRevisions, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Probability of default as an additive card: points, pillars, reasons, grades.

    The log-odds of bad are an intercept plus one looked-up value a feature (and a pair of features, method
    "boosted"); see :class:`clientscore.additive.AdditiveCard`.  Calibration is folded into the card, so that
    the card, its points and its exports all carry it.

    Parameters
    ----------
    method : {"boosted", "woe"}, WoeSettings, AdditiveCard or PointsTable, default "boosted"
        How the card is learned: bagged boosting of two features a path, or weight of evidence and logistic
        regression (with settings of its own as a :class:`clientscore.additive.WoeSettings`).  Or a card that
        people wrote, as :class:`clientscore.additive.PointsTable` (read from TOML, CSV or a frame) or as the
        card: then `fit` keeps it and only calibrates it.
    interactions : "auto", "all", int or sequence of (str, str), default "auto"
        Pairs of features, method "boosted"; see :func:`clientscore.additive.learn_boosted`.
    monotone : mapping of str to {"increasing", "decreasing"}, default None
        Direction in which the log-odds of bad must move with a feature; "woe" also takes the shapes of
        :func:`clientscore.additive.learn_woe`, such as "peak".
    rules : mapping of str to FeatureRule, default None
        What people decide about a feature: direction, special codes, range, and what missing, special, unseen
        and out-of-range values score; see :class:`clientscore.additive.FeatureRule`.
    n_bags : int, default 7
        Bags, method "boosted".
    max_rounds : int, default 3000
        Most boosting rounds of a bag, method "boosted".
    max_bins : "auto" or int, default "auto"
        Most bins of a number, method "boosted"; "auto" takes the fewest of 31, 63 and 127 that lose nothing
        on clients held out, see :func:`clientscore.additive.choose_bins`.  A category lists its 63 most
        frequent levels.  "woe" merges at most 50 bins into at most 12.
    calibration : {"auto", "mean", "logistic", "beta", "isotonic"} or None, default "auto"
        On out-of-bag log-odds, method "boosted": intercept, or intercept and slope, both folded into the
        card; or a map of the PD beside it, which points and exports do not carry.  "auto" takes the slope
        where it beats the intercept by more than one standard error, on the latest date or in folds by
        client; only the intercept is fitted where fewer than 50 bads or goods are out of bag.  "woe" is
        calibrated by its own logistic regression.
    scale : ScoreScale, default None
        Points; None for those of the PointsTable given, else 600 points at odds 50 : 1, 20 to double.
    master_scale : MasterScale, default None
        Grades; None for nine grades, R1 to R9.
    challenger : bool, default False
        Whether to fit bagged full trees beside the card and report what interpretability costs, in
        `challenger_report_`: out of time by the level as_of of X's index, else on five folds; about six more
        fits.
    random_state : int or RandomState, default None
        Seed of bags; None draws one.

    Attributes
    ----------
    card_ : AdditiveCard
        The calibrated card; its decision is the log-odds of bad.
    classes_ : ndarray of shape (2,)
        The two classes; the second is bad.
    feature_names_in_ : ndarray of str
        Columns the scorer reads; x0, x1, ... where it was fitted on an array.
    n_features_in_ : int
        Their number.
    base_points_ : float
        Points of the intercept alone: of a client average in every term.
    base_rate_ : float
        Weighted share of bads among the training rows.
    calibration_ : dict
        method used, intercept, slope, and the rows and bads it was fitted on.
    pillars_ : dict of str to str
        Pillar of each feature.
    summary_ : dict
        rows, events, rows left out because y was missing (or a card given refuses them), and what boosting
        reported.
    report_ : BoostReport, WoeReport or None
        Full report of learning; None for a card that was given, or a scorer that was loaded.
    bags_ : CardBags or None
        How far each bag of a boosted card lies from it; see :meth:`uncertainty`.
    pd_map_ : PDMap or None
        Map of the PD that the card cannot carry; PD and grades pass through it, points do not.
    challenger_report_ : ChallengerReport or None
        Card against bagged full trees on rows that neither has seen; None unless asked for.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"interest_cover": rng.normal(3, 2, 2000), "dpd_max_3m": rng.poisson(2, 2000)})
    >>> log_odds = X["dpd_max_3m"] / 2 - X["interest_cover"] / 2 - 2
    >>> bad = rng.random(2000) < 1 / (1 + np.exp(-log_odds))
    >>> scorer = ClientScorer(method="woe").fit(X, bad)
    >>> client = pd.DataFrame({"dpd_max_3m": [6], "interest_cover": [4.0]})
    >>> scorer.reasons(client, n=2).iloc[0].tolist()
    ['dpd_max_3m', nan]
    """

    def __init__(
        self,
        *,
        method: Learned | WoeSettings | AdditiveCard | PointsTable = "boosted",
        interactions: str | int | Sequence[tuple[str, str]] = "auto",
        monotone: Mapping[str, str] | None = None,
        rules: Mapping[str, FeatureRule] | None = None,
        n_bags: int = 7,
        max_rounds: int = 3000,
        max_bins: Literal["auto"] | int = "auto",
        calibration: Calibration | None = "auto",
        scale: ScoreScale | None = None,
        master_scale: MasterScale | None = None,
        challenger: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.method = method
        self.interactions = interactions
        self.monotone = monotone
        self.rules = rules
        self.n_bags = n_bags
        self.max_rounds = max_rounds
        self.max_bins = max_bins
        self.calibration = calibration
        self.scale = scale
        self.master_scale = master_scale
        self.challenger = challenger
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    # ---- fitting -------------------------------------------------------------------------------------

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        pillars: Mapping[str, str] | None = None,
    ) -> ClientScorer:
        """Learn and calibrate the card.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_features)
            Features; missing values and text columns allowed.
        y : array of shape (n,)
            Two classes, the greater one bad.  Rows with a missing y are left out and counted.
        sample_weight : array of shape (n,), default None
            Weights >= 0; a weight counts like that many rows, so give weights around 1 and not shares.
        groups : array of shape (n,), default None
            Client of each row, so that a bag holds out whole clients; None takes the level client_id of X's
            index where there is one.
        pillars : mapping of str to str, default None
            Pillar of features that the catalogue does not know; unknown ones count as "other".

        Returns
        -------
        ClientScorer
            Itself.

        Raises
        ------
        InvalidParameterError
            If a parameter lies outside its rule, or a rule contradicts `monotone`.
        DataError
            If X holds infinity, or y not both classes.
        """
        settings = self._settings()
        read = read_rows(X, y, sample_weight, groups)
        rows = read.rows if settings.card is None else rows_of_card(settings.card, read)
        self.classes_ = read.classes
        self.feature_names_in_ = np.array(list(rows.X.columns), dtype=object)
        self.n_features_in_ = rows.X.shape[1]
        self._named = read.named
        self.pillars_ = feature_pillars(list(rows.X.columns), pillars)
        self.base_rate_ = float(np.average(rows.y, weights=rows.weight))
        learned = learn_card(settings, rows)
        self.calibration_, self.report_ = learned.calibration, learned.report
        self.summary_: dict[str, Any] = {
            "rows": len(rows.y),
            "events": int(rows.y.sum()),
            "rows_without_y": read.rows_without_y,
        }
        if settings.card is not None:
            self.summary_["rows_refused"] = len(read.rows.y) - len(rows.y)
        if isinstance(self.report_, BoostReport):
            self.summary_ |= self.report_.to_dict()
        self._take(learned.card, ReasonReference.measure(unrefused(learned.card), rows.X, rows.weight))
        self.pd_map_, self.bags_ = learned.pd_map, learned.bags
        self.challenger_report_ = challenge(settings, rows) if self.challenger else None
        return self

    def _settings(self) -> CardSettings:
        """Return the checked settings of learning, the seed drawn."""
        way = method_of(self.method, bool(self.monotone or self.rules))
        for name in ("n_bags", "max_rounds"):
            check_integer(name, getattr(self, name), low=1)
        if self.max_bins != "auto":
            check_integer("max_bins", self.max_bins, low=2, high=60_000)
        if self.calibration is not None:
            check_option("calibration", self.calibration, Calibration)
        for name, kind in (("scale", ScoreScale), ("master_scale", MasterScale)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise InvalidParameterError(f"{name} must be a {kind.__name__} or None; got {value!r}.")
        return CardSettings(
            method=way.name,
            interactions=self.interactions,
            monotone=directions_of(self.monotone, self.rules),
            rules=self.rules or {},
            n_bags=self.n_bags,
            max_rounds=self.max_rounds,
            max_bins=self.max_bins,
            calibration=self.calibration,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            woe=way.woe,
            card=way.card,
        )

    # ---- scoring -------------------------------------------------------------------------------------

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the calibrated log-odds of bad: shape (n,)."""
        frame = self._frame(X)
        return np.asarray(self.card_.decision(frame).to_numpy())

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probabilities of good and of bad: shape (n, 2)."""
        bad = self._pd(self.decision_function(X))
        return np.column_stack([1 - bad, bad])

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Return the likelier class of each row: shape (n,)."""
        log_odds = self.decision_function(X)
        bad = log_odds > 0 if self.pd_map_ is None else self._pd(log_odds) > 0.5
        return np.asarray(self.classes_[bad.astype(int)])

    def points(self, X: pd.DataFrame, rounded: bool = False) -> pd.Series:
        """Return the points of each row, higher is better: Series on X's index, named "points".

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.
        rounded : bool, default False
            Add up the whole points of the card's rows (dtype int64); see :meth:`rounding_report` for what
            that costs.  PD and grade are never rounded.
        """
        frame = self._frame(X)
        if rounded:
            whole = self.card_.in_points(self.scale_, rounded=True)
            return whole.decision(frame).astype("int64")
        log_odds = self.card_.decision(frame)
        return self.scale_.points_from_log_odds(log_odds).rename("points")

    def grade(self, X: pd.DataFrame) -> pd.Series:
        """Return the grade of each row's probability of default: Series on X's index, named "grade"."""
        frame = self._frame(X)
        log_odds = self.card_.decision(frame)
        return self.master_scale_.grade(pd.Series(self._pd(log_odds.to_numpy()), index=log_odds.index))

    def pillar_points(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the points of each pillar: columns financial, credit, market, relationship, other.

        Each row adds up to ``points - base_points_``.  A pair's points are shared half and half by its two
        features.
        """
        frame = self._frame(X)
        return self._explainer().frame(self.card_.encode(frame), frame.index, 0)[0]

    # ---- reasons -------------------------------------------------------------------------------------

    def reasons(
        self,
        X: pd.DataFrame,
        n: int = 4,
        method: ReasonMethod = "shortfall",
        cutoff_points: float | None = None,
    ) -> pd.DataFrame:
        """Return the features that cost each client the most points.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.
        n : int, default 4
            Number of reasons, 1 to 4.
        method : {"shortfall", "loss"}, default "shortfall"
            What a feature's points are compared with: the average of the training clients, or the most
            points that feature gave any of them.
        cutoff_points : float, default None
            Compare with the average of the training clients near these points instead (method "shortfall");
            beyond the points of all clients, with the band next to them.

        Returns
        -------
        DataFrame
            Columns reason_1 to reason_n: names of features, largest loss first; missing where no further
            scored feature loses points.
        """
        frame = self._frame(X)
        check_integer("n", n, low=1, high=_MAX_REASONS)
        if cutoff_points is not None:
            check_interval("cutoff_points", cutoff_points, closed="neither")
            if method == "loss":
                raise InvalidParameterError(
                    f"cutoff_points is for the method 'shortfall'; got {cutoff_points} with 'loss'."
                )
        cutoff = None if cutoff_points is None else self.scale_.log_odds_from_points(cutoff_points)
        finder = ReasonFinder(self.card_, self._reference.of(method, cutoff))
        return finder.frame(self.card_.encode(frame), frame.index, n)

    def _explainer(self) -> Explainer:
        """Return what explains the card as it is now; built once."""
        known: Explainer | None = self.__dict__.get("_explains")
        if known is None or known.card is not self.card_ or known.scale is not self.scale_:
            finder = ReasonFinder(self.card_, self._reference.of("shortfall", None))
            self._explains = known = Explainer(self.card_, finder, self.pillars_, self.scale_)
        return known

    def score_frame(self, X: pd.DataFrame, n: int = 4) -> pd.DataFrame:
        """Score clients with one reading of X.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, any number of columns)
            Features by name.
        n : int, default 4
            Number of reasons, 1 to 4.

        Returns
        -------
        DataFrame
            pd, points, grade, base_points, financial_points and the other pillars, reason_1 to reason_n (by
            shortfall): what the methods for each of them return.
        """
        frame = self._frame(X)
        check_integer("n", n, low=1, high=_MAX_REASONS)
        codes, index = self.card_.encode(frame), frame.index
        log_odds = self.card_.decision_codes(codes)
        pillars, reasons = self._explainer().frame(codes, index, n)
        bad = self._pd(log_odds)
        figures = {
            "pd": bad,
            "points": self.scale_.points_from_log_odds(log_odds),
            "grade": self.master_scale_.grade(pd.Series(bad, index=index)),
            "base_points": self.base_points_,
        }
        return pd.concat([pd.DataFrame(figures, index=index), pillars.add_suffix("_points"), reasons], axis=1)

    def score_one(self, values: Mapping[str, Any], n: int = 4) -> dict[str, Any]:
        """Score one client given as a mapping, without building a frame.

        Parameters
        ----------
        values : mapping of str to float, str or None
            Every feature by name; None or NaN where missing.
        n : int, default 4
            Number of reasons, 1 to 4.

        Returns
        -------
        dict
            pd, points, grade, pillar_points (by pillar), and reasons (list of at most n features, by
            shortfall).
        """
        if "card_" not in self.__dict__:
            check_is_fitted(self, "card_")
        if type(n) is not int or not 1 <= n <= _MAX_REASONS:
            check_integer("n", n, low=1, high=_MAX_REASONS)
        codes = self.card_.codes_one(values)
        log_odds = self.card_.decision_codes_one(codes)[0]
        probability = float(self._pd(log_odds))
        pillars, reasons = self._explainer().one(codes, n)
        return {
            "pd": probability,
            "points": float(self.scale_.points_from_log_odds(log_odds)),
            "grade": self.master_scale_.grade_one(probability),
            "pillar_points": pillars,
            "reasons": reasons,
        }

    # ---- as data -------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return the fitted scorer as JSON scalars, lists, dicts and numpy arrays."""
        check_is_fitted(self, "card_")
        return {
            "parameters": parameters_to_state(self.get_params(deep=False)),
            "card": self.card_.to_state(),
            "classes": self.classes_.tolist(),
            "named": self._named,
            "pillars": dict(self.pillars_),
            "base_rate": self.base_rate_,
            "calibration": dict(self.calibration_),
            "summary": dict(self.summary_),
            "reference": self._reference.to_state(),
            "pd_map": None if self.pd_map_ is None else self.pd_map_.to_state(),
            "bags": None if self.bags_ is None else self.bags_.to_state(),
            "challenger": None if self.challenger_report_ is None else self.challenger_report_.to_dict(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClientScorer:
        """Build the fitted scorer from :meth:`to_state`; it scores identically.

        Raises
        ------
        BundleFormatError
            If `state` is not a scorer.
        """
        try:
            scorer = cls(**parameters_from_state(state["parameters"]))
            scorer._restore(state)
        except (KeyError, TypeError, AttributeError) as error:
            raise BundleFormatError(f"The state is not that of a ClientScorer: {error!r}.") from error
        return scorer

    def _restore(self, state: Mapping[str, Any]) -> None:
        reference = ReasonReference.from_state(state["reference"])
        self._take(AdditiveCard.from_state(state["card"]), reference)
        self.pd_map_ = pd_map_from_state(state["pd_map"])
        self.bags_ = None if state["bags"] is None else CardBags.from_state(state["bags"])
        self.classes_ = np.array(state["classes"])
        self.feature_names_in_ = np.array(self.card_.features, dtype=object)
        self.n_features_in_ = len(self.card_.features)
        self._named = bool(state["named"])
        self.pillars_ = feature_pillars(self.card_.features, dict(state["pillars"]))
        self.base_rate_ = float(state["base_rate"])
        self.calibration_ = dict(state["calibration"])
        self.summary_ = dict(state["summary"])
        self.report_ = None
        told = state["challenger"]
        self.challenger_report_ = None if told is None else ChallengerReport.from_dict(told)
