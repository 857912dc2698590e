"""The stages in order, on tables, on a feature table, or on one client."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from clientscore._state import digest
from clientscore.catalogue import pillar_of
from clientscore.exceptions import InvalidParameterError
from clientscore.features import build_context, build_features, build_reference
from clientscore.labels import ExitRules, build_labels, exit_state
from clientscore.schema import ClientSchema, ValidationReport, validate_clients
from clientscore.signals import SignalRules, build_signal_reference, build_signals
from clientscore.strategy import ServiceStrategy
from clientscore.tiering import TierPolicy
from clientscore.timeline import as_of_list

from ._calendar import STEP_PERIODS, dates_of, warn_if_stale, window_starts
from ._columns import conform
from ._facts import client_facts, tier_facts
from ._heads import default_heads, fit_heads
from ._inputs import (
    check_feature_table,
    check_on_index,
    check_previous,
    check_settings,
    mapping_of,
    runs_of,
)
from ._intervals import by_tier, by_tier_one, group_by_tier
from ._one import conform_one, facts_of_one, last_tier_of
from ._prospects import ProspectRanking
from ._rates import forecast_rates, rate_history
from ._result import Assessment
from ._saving import content_of, restore, settings_of, state_of
from ._stages import last_tier, shown_horizons
from ._warning import peers_for_part, warning_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clientscore.churn import ChurnModel
    from clientscore.features import ReferencePopulation
    from clientscore.hazard import CompetingHazard
    from clientscore.need import FinancingNeedForecaster
    from clientscore.scoring import ClientScorer
    from clientscore.signals import SignalReference

    from ._facts import Heads

_log = logging.getLogger(__name__)
_HORIZONS = {"month": (3, 6, 12), "quarter": (1, 2, 4), "year": (1,)}


class ClientModel(ProspectRanking, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The whole chain: tables in; score, churn, need, value, tier and service plan out.

    Parameters
    ----------
    schema : ClientSchema, optional
        The tables' columns, units, currency and calendar; None is ``ClientSchema.default()``.
    scorer, churn, need : estimator, optional
        Heads with settings of your own; None takes each with its defaults.
    tiers : TierPolicy, optional
        Cut-offs of your own; None takes the default policy with its cut-offs set to the book's quantiles at
        the last date of training, where the fit knows the clients' context.
    strategy : ServiceStrategy, optional
        A service policy of your own; None is the default policy.
    exit_rules : ExitRules, optional
        What counts as leaving where no event says so, in the outcomes learned from and at `assess`; None
        takes the defaults.
    signal_rules : SignalRules, optional
        Early-warning signals and their thresholds; None takes the defaults.
    horizons : sequence of int, optional
        Horizons of churn and need in periods of the schema; None is 3, 6, 12 months, 1, 2, 4 quarters or
        1 year. The longest is the horizon of the score too.
    lead : int, default 1
        Periods between ``as_of`` and the start of the outcome windows, in which the bank can act.
    n_jobs : int, optional
        Heads learned at a time, at most 3; the answer does not depend on it. None is one.
    random_state : int or None, default None
        Seed of every random choice in training.

    Attributes
    ----------
    scorer_, churn_, need_ : fitted heads, or None where there was no outcome to learn from
    skipped_ : dict of str to str
        What could not be learned, and why: "score", "churn", "need", "tiers" (cut-offs of the default policy
        stay). Each is logged as a warning too.
    tiers_, strategy_, exit_rules_, signal_rules_ : the policies and rules in use
    reference_ : ReferencePopulation or None
        The percentiles of the training dates.
    signal_reference_ : SignalReference or None
        The peers of the early-warning signals at the last date of training.
    as_of_ : DatetimeIndex
        The dates of training.
    rate_history_ : DataFrame
        Realized rates by training date beside their running mean: rate, as_of, predicted, realized, n.
    model_version_ : str
        The first 12 digits of the SHA-256 of the model's state.

    Examples
    --------
    >>> import clientscore as cs
    >>> book = cs.datasets.make_portfolio(n_clients=150, n_months=48, random_state=0)
    >>> model = cs.ClientModel(random_state=0).fit(book.tables, as_of=["2022-01-01", "2022-07-01"])
    >>> result = model.assess(book.tables, as_of="2024-01-01")
    >>> result.frame().loc[:, ["pd", "churn_12m", "need_probability_12m"]].notna().all().tolist()
    [True, False, True]
    """

    def __init__(
        self,
        *,
        schema: ClientSchema | None = None,
        scorer: ClientScorer | None = None,
        churn: ChurnModel | None = None,
        need: FinancingNeedForecaster | None = None,
        tiers: TierPolicy | None = None,
        strategy: ServiceStrategy | None = None,
        exit_rules: ExitRules | None = None,
        signal_rules: SignalRules | None = None,
        horizons: Sequence[int] | None = None,
        lead: int = 1,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.schema = schema
        self.scorer = scorer
        self.churn = churn
        self.need = need
        self.tiers = tiers
        self.strategy = strategy
        self.exit_rules = exit_rules
        self.signal_rules = signal_rules
        self.horizons = horizons
        self.lead = lead
        self.n_jobs = n_jobs
        self.random_state = random_state

    reference_: ReferencePopulation | None
    signal_reference_: SignalReference | None

    # ---------------------------------------------------------------- learning

    def fit(self, tables: Mapping[str, pd.DataFrame], as_of: object = None) -> Self:
        """Learn from a book's tables.

        Parameters
        ----------
        tables : mapping of DataFrame
            The tables of the schema; rows that break a rule are put aside (`validation_`).
        as_of : date or sequence of dates, optional
            The training dates; None takes every third month start (every period on quarterly and yearly
            data) that a year of history, the lead and the horizon allow, counted back from the last.

        Raises
        ------
        SchemaError
            The tables do not fit the schema.
        DataError
            No date leaves room for history, lead and horizon, or no outcome can be learned; a book from which
            some can be learned is fitted without the others, see `skipped_`.
        """
        self._settle()
        self.validation_: ValidationReport = validate_clients(tables, self.schema_)
        accepted = self.validation_.accepted
        dates = self.training_dates(accepted) if as_of is None else as_of_list(as_of)[0]
        reference = build_reference(accepted, self.schema_, dates)
        X = build_features(accepted, self.schema_, list(dates), reference=reference)
        outcomes = build_labels(
            accepted,
            self.schema_,
            list(dates),
            horizon=max(self.horizons_),
            lead=self.lead,
            rules=self.exit_rules_,
        )
        context = build_context(accepted, self.schema_, list(dates))
        self.fit_features(X, outcomes, context=context)
        self.reference_ = reference
        self.signal_reference_ = build_signal_reference(
            accepted, self.schema_, dates.max(), self.signal_rules_
        )
        return self

    def training_dates(self, tables: Mapping[str, pd.DataFrame]) -> pd.DatetimeIndex:
        """Return the default training dates of a book: see ``as_of`` of `fit`."""
        self._settle()
        return window_starts(tables, self.schema_, self.lead + max(self.horizons_))

    def fit_features(
        self,
        X: pd.DataFrame,
        outcomes: pd.DataFrame,
        pillars: Mapping[str, str] | None = None,
        *,
        context: pd.DataFrame | None = None,
    ) -> Self:
        """Learn from a feature table of your own.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            Features, by preference indexed by (client_id, as_of).
        outcomes : DataFrame
            On X's index, columns as from `build_labels`; a head whose columns are absent is skipped.
        pillars : mapping, optional
            Feature to pillar; features not named, and None, take the pillar of the catalogue, else "other".
        context : DataFrame, optional
            On X's index, as from `build_context`; with it the default tier cut-offs are set to this book.

        Raises
        ------
        DataError
            X repeats a row of its index, outcomes stand on another, or there is no outcome to learn from.
        """
        self._settle()
        check_feature_table(X)
        check_on_index("outcomes", outcomes, X)
        if context is not None:
            check_on_index("context", context, X)
        own = {} if pillars is None else mapping_of("pillars", pillars)
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.pillars_ = {name: own.get(name, pillar_of(name)) for name in X.columns}
        self.skipped_: dict[str, str] = {}
        self._fit_heads(X, outcomes, context)
        self.reference_ = self.signal_reference_ = None
        self.as_of_ = dates_of(X.index)
        self.strategy_ = self.strategy or ServiceStrategy.default()
        self.tiers_ = self.tiers or TierPolicy.default()
        if self.tiers is None and context is not None:
            self.tiers_ = self._tiers_of_book(X, context)
        group_by_tier(self.need_, self.tiers_, X, context, lambda about: self._tier_facts(X, about))
        self.rate_history_ = rate_history(
            outcomes,
            horizon=max(self.horizons_),
            lead=self.lead,
            period=self.schema_.period,
            churn_causes=self.schema_.churn_causes,
        )
        self.model_version_ = digest(content_of(self))[:12]
        self._average_service()
        for part, reason in self.skipped_.items():
            _log.warning("%s not learned: %s", part, reason)
        return self

    def _settle(self) -> None:
        """Check the settings, and fill in what was left to the defaults."""
        check_settings(self.get_params(deep=False))
        self.schema_ = self.schema or ClientSchema.default()
        self.exit_rules_ = self.exit_rules or ExitRules()
        self.signal_rules_ = self.signal_rules or SignalRules()
        horizons = self.horizons if self.horizons is not None else _HORIZONS[self.schema_.period]
        self.horizons_ = tuple(sorted({int(horizon) for horizon in horizons}))

    def _fit_heads(self, X: pd.DataFrame, outcomes: pd.DataFrame, context: pd.DataFrame | None) -> None:
        """Fit each head that has outcomes to learn from."""
        scorer, churn, need = default_heads(
            self.schema_, outcomes, self.horizons_, self.lead, self.random_state
        )
        given = (self.scorer or scorer, self.churn or churn, self.need or need)
        heads, skipped = fit_heads(given, X, outcomes, self.pillars_, self.n_jobs, context)
        self.scorer_, self.churn_, self.need_ = heads
        self.skipped_ |= skipped

    def _tier_facts(self, X: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        return tier_facts(self._heads(), X, context, *self._shown(), self.strategy_.value_parameters())

    def _tiers_of_book(self, X: pd.DataFrame, context: pd.DataFrame) -> TierPolicy:
        """Set the default cut-offs to the book's quantiles at the last date of training."""
        last = self.as_of_.max() if len(self.as_of_) else None
        rows = X.index.get_level_values(-1) == last if last is not None else np.ones(len(X), dtype=bool)
        facts = self._tier_facts(X[rows], context[rows])
        policy = TierPolicy.default()
        scores = policy.score(facts).nunique()
        if scores <= len(policy.cutoffs):
            self.skipped_["tiers"] = (
                f"{scores} different scores at the last date; the default cut-offs stay. They need "
                "size_amount, pd and value; statements bring the size"
            )
            return policy
        return policy.fit_cutoffs(facts)

    # ---------------------------------------------------------------- assessing

    def assess(
        self,
        tables: Mapping[str, pd.DataFrame],
        as_of: object,
        previous: pd.DataFrame | None = None,
        *,
        reference: ReferencePopulation | None = None,
        signal_reference: SignalReference | None = None,
        signals: bool = True,
    ) -> Assessment:
        """Assess every client of the population at one date.

        Parameters
        ----------
        tables : mapping of DataFrame
            The book; only what is known at `as_of` is read.
        as_of : date
            The date of the assessment.
        previous : DataFrame, optional
            Tiers of the last two runs: client_id, as_of, tier.
        reference : ReferencePopulation, optional
            The whole book's percentiles, for a chunk or one client; None makes them from `tables`, which
            then must be the whole book.
        signal_reference : SignalReference, optional
            The same for the peers of the early-warning signals; None makes them from `tables`, or, where
            `reference` says that these are a part of the book, takes ``signal_reference_``.
        signals : bool, default True
            Whether to build the early-warning signals, one row a client and signal; without them no client
            is on watch because of them.

        Returns
        -------
        Assessment
            One row a client; the population at a date without clients gives no rows and all columns.
        """
        check_is_fitted(self, "model_version_")
        dates, scalar = as_of_list(as_of)
        if not scalar:
            raise InvalidParameterError(f"as_of must be one date; got {len(dates)}. Call assess for each.")
        report = validate_clients(tables, self.schema_)
        accepted, when = report.accepted, [dates[0]]
        warn_if_stale(accepted, self.schema_, dates[0])
        X = build_features(accepted, self.schema_, when, reference=reference)
        context = build_context(accepted, self.schema_, when)
        ids = context.index.get_level_values(0)
        state = exit_state(accepted, self.schema_, dates[0], self.exit_rules_)
        context["exit_state"] = state.reindex(ids).to_numpy()
        if reference is not None and signal_reference is None:
            signal_reference = peers_for_part(self.signal_reference_, dates[0])
            signals = signals and signal_reference is not None
        found = None
        if signals:
            found = build_signals(
                accepted, self.schema_, when, self.signal_rules_, reference=signal_reference
            )
            context = context.join(warning_columns(found, self.signal_rules_, ids).set_axis(context.index))
        result = self.assess_features(X, context=context, previous=previous)
        return replace(result, rejects=report.rejects, signals=found)

    def assess_features(
        self,
        X: pd.DataFrame,
        context: pd.DataFrame | None = None,
        previous: pd.DataFrame | None = None,
    ) -> Assessment:
        """Assess clients from a feature table.

        Parameters
        ----------
        X : DataFrame of shape (n_clients, n_features)
            The features of training, by name, indexed by client_id or (client_id, as_of).
        context : DataFrame, optional
            On X's index, as from `build_context`; without it there is no tier and no plan, since size is
            not known. A column ``exit_state`` holds the cause by which a client is gone by a rule, as from
            `clientscore.labels.exit_state` (or ``silent``: whether it is in silent run-off); the columns
            ``credit_signal_state`` and ``attrition_signal_state`` its early warning.
        previous : DataFrame, optional
            Tiers of the last two runs: client_id, as_of, tier.

        Returns
        -------
        Assessment
            One row a client.
        """
        check_is_fitted(self, "model_version_")
        check_feature_table(X)
        check_previous(previous)
        context = pd.DataFrame(index=X.index) if context is None else context
        figures = self.strategy_.value_parameters()
        facts, drivers = client_facts(
            self._heads(), self._average_service(), X, context, *self._shown(), figures
        )
        facts = by_tier(self.need_, self.tiers_, facts, X, context)
        tiers = self.tiers_.assign(facts, previous=previous)
        frame = pd.concat([facts, tiers], axis=1)
        plan = self.strategy_.recommend(frame)
        frame = pd.concat([frame, plan], axis=1)
        frame["tier_previous"] = last_tier(previous, frame["client_id"])
        frame["currency"] = self.schema_.currency
        frame["model_version"] = self.model_version_
        table = conform(frame)
        rates = forecast_rates(
            table,
            self.rate_history_,
            horizon=max(self.horizons_),
            period=self.schema_.period,
            step_periods=STEP_PERIODS[self.schema_.period],
        )
        return Assessment(table=table, rates=rates, drivers=drivers, signal_rules=self.signal_rules_)

    def assess_one(
        self,
        features: Mapping[str, Any],
        context: Mapping[str, Any] | None = None,
        previous: Sequence[Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Assess one client, two mappings in and a dict out, without pandas on the way.

        Parameters
        ----------
        features : mapping of str to float, str or None
            The features of training, by name; None or NaN where missing. Other keys are ignored.
        context : mapping, optional
            Values as in a row of `build_context`, and ``client_id``, ``as_of``, ``exit_state`` and the early
            warning where known, see `assess_features`; without it there is no tier and no plan, since size
            is not known.
        previous : sequence of mapping, optional
            The client's last two runs: as_of, tier.

        Returns
        -------
        dict
            The client's row of `assess_features`: the columns of an assessment, dates as text, None where
            missing.

        Raises
        ------
        MissingColumnError
            A feature is absent; each is named with its nearest match.
        DataError
            A value is infinite, or not of its kind.

        Examples
        --------
        >>> import clientscore as cs
        >>> X = pd.DataFrame({"interest_cover": [0.5, 1.0, 4.0, 6.0] * 50})
        >>> model = cs.ClientModel(random_state=0).fit_features(X, pd.DataFrame({"bad": [1, 0, 0, 0] * 50}))
        >>> one = model.assess_one({"interest_cover": 0.5}, {"client_id": "C1", "as_of": "2026-01-01"})
        >>> one["client_id"], one["as_of"], one["reason_1"], one["tier_reason"]
        ('C1', '2026-01-01', 'interest_cover', 'not evaluated: size_amount, value missing')
        """
        check_is_fitted(self, "model_version_")
        own = mapping_of("features", features)
        about = {} if context is None else mapping_of("context", context)
        runs = runs_of(previous)
        figures = self.strategy_.value_parameters()
        facts = facts_of_one(self._heads(), self._average_service(), own, about, *self._shown(), figures)
        facts = by_tier_one(self.need_, self.tiers_, facts, own, about)
        facts |= self.tiers_.assign_one(facts, runs)
        facts |= self.strategy_.recommend_one(facts)
        facts["tier_previous"] = last_tier_of(runs)
        facts |= {"currency": self.schema_.currency, "model_version": self.model_version_}
        return conform_one(facts)

    def _heads(self) -> Heads:
        return self.scorer_, self.churn_, self.need_

    def _shown(self) -> tuple[dict[int, int], str]:
        """Return the horizons shown by their months, and the period."""
        return shown_horizons(self.horizons_, self.schema_.period), self.schema_.period

    def _average_service(self) -> CompetingHazard | None:
        """Return the hazards at average service, made once for each churn model."""
        made_of, made = getattr(self, "_at_average", (None, None))
        if made_of is not self.churn_:
            made = None if self.churn_ is None else self.churn_.average_service()
            self._at_average = (self.churn_, made)
        return made

    # ---------------------------------------------------------------- state

    def to_state(self) -> dict[str, Any]:
        """Return the fitted model as plain data, see ``clientscore.bundle``."""
        check_is_fitted(self, "model_version_")
        return state_of(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ClientModel:
        """Return the model that `to_state` described.

        Parameters
        ----------
        state : dict
            What `to_state` returned; exit and signal rules that an older one does not hold are the defaults.
        """
        model = cls(**settings_of(state))
        restore(model, state)
        model._average_service()
        return model
