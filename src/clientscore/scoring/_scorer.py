"""The scorer: a card, its calibration and its scales behind one estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer, check_interval, check_option
from clientscore.additive import AdditiveCard, encode, fit_bins, learn_boosted, learn_woe
from clientscore.exceptions import BundleFormatError, DataError, InvalidParameterError
from clientscore.scale import MasterScale, ScoreScale

from ._calibration import Calibration, calibration_of
from ._explain import Explainer
from ._inputs import (
    binary_target,
    check_events,
    client_groups,
    feature_frame,
    feature_pillars,
    row_weights,
    scoring_frame,
)
from ._reasons import ReasonFinder, ReasonReference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._reasons import ReasonMethod

Method = Literal["boosted", "woe"]

_MAX_REASONS = 4


class ClientScorer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Probability of default as an additive card: points, pillars, reasons, grades.

    The log-odds of bad are an intercept plus one looked-up value a feature (and a pair of features, method
    "boosted"); see :class:`clientscore.additive.AdditiveCard`.  Calibration is folded into the card, so that
    the card, its points and its exports all carry it.

    Parameters
    ----------
    method : {"boosted", "woe"}, default "boosted"
        How the card is learned: bagged boosting of depth 2, or weight of evidence and logistic regression.
    interactions : "auto", "all", int or sequence of (str, str), default "auto"
        Pairs of features, method "boosted"; see :func:`clientscore.additive.learn_boosted`.
    monotone : mapping of str to {"increasing", "decreasing"}, default None
        Direction in which the log-odds of bad must move with a feature.
    n_bags : int, default 4
        Bags, method "boosted".
    max_rounds : int, default 1000
        Most boosting rounds of a bag, method "boosted".
    max_bins : int, default 63
        Most bins of a feature, method "boosted"; "woe" starts from at most 20 and merges them into at most 8.
    calibration : {"logistic", "mean"} or None, default "logistic"
        On out-of-bag log-odds, method "boosted": intercept and slope ("mean" where fewer than 50 bads or
        goods are out of bag), intercept only, or none.  "woe" is calibrated by its own logistic regression.
    scale : ScoreScale, default None
        Points; None for 600 points at odds 50 : 1, 20 to double.
    master_scale : MasterScale, default None
        Grades; None for nine grades, R1 to R9.
    min_events : int, default 1
        Fewest rows of each class, bad and good, that fit accepts.
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
        rows, events, rows left out because y was missing, and what boosting reported.
    report_ : BoostReport or None
        Full report of boosting; None for "woe" and for a scorer that was loaded.

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
        method: Method = "boosted",
        interactions: str | int | Sequence[tuple[str, str]] = "auto",
        monotone: Mapping[str, str] | None = None,
        n_bags: int = 4,
        max_rounds: int = 1000,
        max_bins: int = 63,
        calibration: Calibration | None = "logistic",
        scale: ScoreScale | None = None,
        master_scale: MasterScale | None = None,
        min_events: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.method = method
        self.interactions = interactions
        self.monotone = monotone
        self.n_bags = n_bags
        self.max_rounds = max_rounds
        self.max_bins = max_bins
        self.calibration = calibration
        self.scale = scale
        self.master_scale = master_scale
        self.min_events = min_events
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
            Weights >= 0.
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
            If a parameter lies outside its rule.
        DataError
            If X holds infinity, or y fewer than `min_events` of a class.
        """
        self._check_parameters()
        frame, named = feature_frame(X)
        if not len(frame) or not frame.shape[1]:
            raise DataError(
                f"Found array with {len(frame)} sample(s) and {frame.shape[1]} feature(s) "
                f"(shape={frame.shape}) while a minimum of 1 is required."
            )
        target, known, classes = binary_target(frame, y, named)
        weight = row_weights(sample_weight, len(frame))
        used = known if weight is None else known & (weight > 0)
        groups = client_groups(frame, groups)
        frame, target = frame[used], target[used]
        weight = None if weight is None else weight[used]
        groups = None if groups is None else np.asarray(groups)[used]
        check_events(target, self.min_events)

        self.classes_ = classes
        self.feature_names_in_ = np.array(list(frame.columns), dtype=object)
        self.n_features_in_ = frame.shape[1]
        self._named = named
        self.pillars_ = feature_pillars(list(frame.columns), pillars)
        self.base_rate_ = float(np.average(target, weights=weight))
        self.summary_: dict[str, Any] = {
            "rows": len(frame),
            "events": int(target.sum()),
            "rows_without_y": int((~known).sum()),
        }
        card = self._learn(frame, target, weight, groups)
        self._set_card(card)
        self._reference = ReasonReference.measure(card, frame, weight)
        return self

    def _check_parameters(self) -> None:
        check_option("method", self.method, Method)
        if self.calibration is not None:
            check_option("calibration", self.calibration, Calibration)
        check_integer("min_events", self.min_events, low=1)
        for name, kind in (("scale", ScoreScale), ("master_scale", MasterScale)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise InvalidParameterError(f"{name} must be a {kind.__name__} or None; got {value!r}.")

    def _learn(
        self,
        X: pd.DataFrame,
        y: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
        groups: NDArray[Any] | None,
    ) -> AdditiveCard:
        """Return the calibrated card."""
        if self.method == "woe":
            self.report_ = None
            self.calibration_: dict[str, Any] = {
                "method": "own",
                "intercept": 0.0,
                "slope": 1.0,
                "rows": len(y),
            }
            return learn_woe(X, y, sample_weight=weight, monotone=self.monotone or "auto")
        bins = fit_bins(X, max_bins=self.max_bins, weight=weight)
        codes = encode(bins, X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        card, self.report_ = learn_boosted(
            codes,
            bins,
            y,
            sample_weight=weight,
            groups=groups,
            n_bags=self.n_bags,
            max_rounds=self.max_rounds,
            interactions=self.interactions,  # type: ignore[arg-type]  # scikit-learn keeps what was given
            monotone=self.monotone,
            random_state=seed,
        )
        self.summary_ |= self.report_.to_dict()
        return self._calibrated(card, codes, y, weight)

    def _calibrated(
        self,
        card: AdditiveCard,
        codes: NDArray[Any],
        y: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
    ) -> AdditiveCard:
        """Fold the calibration into the card and record it."""
        raw = np.asarray(self.report_.out_of_bag if self.report_ else np.full(len(y), np.nan))
        self.calibration_ = calibration_of(self.calibration, raw, card.decision_codes(codes), y, weight)
        return card.recalibrated(self.calibration_["intercept"], self.calibration_["slope"])

    def _set_card(self, card: AdditiveCard) -> None:
        self.card_ = card
        self.scale_ = self.scale or ScoreScale()
        self.master_scale_ = self.master_scale or MasterScale()
        self.base_points_ = float(self.scale_.points_from_log_odds(card.intercept[0]))

    # ---- scoring -------------------------------------------------------------------------------------

    def _frame(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self, "card_")
        return scoring_frame(X, list(self.feature_names_in_), self._named)

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the calibrated log-odds of bad: shape (n,)."""
        frame = self._frame(X)
        return np.asarray(self.card_.decision(frame).to_numpy())

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probabilities of good and of bad: shape (n, 2)."""
        bad = expit(self.decision_function(X))
        return np.column_stack([1 - bad, bad])

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Return the likelier class of each row: shape (n,)."""
        log_odds = self.decision_function(X)
        return np.asarray(self.classes_[(log_odds > 0).astype(int)])

    def points(self, X: pd.DataFrame) -> pd.Series:
        """Return the points of each row, higher is better: Series on X's index, named "points"."""
        frame = self._frame(X)
        log_odds = self.card_.decision(frame)
        return self.scale_.points_from_log_odds(log_odds).rename("points")

    def grade(self, X: pd.DataFrame) -> pd.Series:
        """Return the grade of each row's probability of default: Series on X's index, named "grade"."""
        frame = self._frame(X)
        log_odds = self.card_.decision(frame)
        return self.master_scale_.grade(pd.Series(expit(log_odds.to_numpy()), index=log_odds.index))

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
            Compare with the average of the training clients near these points instead (method "shortfall").

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
        bad = expit(log_odds)
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
        check_integer("n", n, low=1, high=_MAX_REASONS)
        codes = self.card_.codes_one(values)
        log_odds = self.card_.decision_codes_one(codes)[0]
        probability = float(expit(log_odds))
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
        parameters = self.get_params(deep=False)
        for name in ("scale", "master_scale"):
            parameters[name] = None if parameters[name] is None else parameters[name].to_dict()
        parameters["monotone"] = None if self.monotone is None else dict(self.monotone)
        if not isinstance(self.interactions, str | int):
            parameters["interactions"] = [list(pair) for pair in self.interactions]
        seed = self.random_state
        parameters["random_state"] = int(seed) if isinstance(seed, int | np.integer) else None
        return {
            "parameters": parameters,
            "card": self.card_.to_state(),
            "classes": self.classes_.tolist(),
            "named": self._named,
            "pillars": dict(self.pillars_),
            "base_rate": self.base_rate_,
            "calibration": dict(self.calibration_),
            "summary": dict(self.summary_),
            "reference": self._reference.to_state(),
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
            parameters = dict(state["parameters"])
            if parameters["scale"] is not None:
                parameters["scale"] = ScoreScale.from_dict(parameters["scale"])
            if parameters["master_scale"] is not None:
                parameters["master_scale"] = MasterScale.from_dict(parameters["master_scale"])
            if isinstance(parameters["interactions"], list):
                parameters["interactions"] = [tuple(pair) for pair in parameters["interactions"]]
            scorer = cls(**parameters)
            scorer._restore(state)
        except (KeyError, TypeError, AttributeError) as error:
            raise BundleFormatError(f"The state is not that of a ClientScorer: {error!r}.") from error
        return scorer

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._set_card(AdditiveCard.from_state(state["card"]))
        self.classes_ = np.array(state["classes"])
        self.feature_names_in_ = np.array(self.card_.features, dtype=object)
        self.n_features_in_ = len(self.card_.features)
        self._named = bool(state["named"])
        self.pillars_ = feature_pillars(self.card_.features, dict(state["pillars"]))
        self.base_rate_ = float(state["base_rate"])
        self.calibration_ = dict(state["calibration"])
        self.summary_ = dict(state["summary"])
        self.report_ = None
        self._reference = ReasonReference.from_state(state["reference"])
