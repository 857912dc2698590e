"""What a fitted model answers: lifetime, drivers in words, the part of service, what-if, alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer, check_option, did_you_mean
from clientscore.exceptions import InvalidParameterError

from ._alerts import Alerts, alerts
from ._explain import Language, driver_frame, effect_blocks, strongest
from ._service import at_average, chosen_features, service_features
from ._what_if import changed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.hazard import CompetingHazard

    Floats = NDArray[np.float64]

CHURN = "churn"


class ChurnAnswers:
    """Answers of a fitted churn model; mixed into :class:`ChurnModel`."""

    horizons: Sequence[int]
    hazard_: CompetingHazard
    causes_: tuple[str, ...]
    churn_causes_: tuple[str, ...]
    feature_names_in_: Any
    _churn: NDArray[np.bool_]

    def _check_fitted(self) -> None:
        check_is_fitted(self, "hazard_")

    def _columns_of(self, cause: str | None) -> tuple[str, list[str], NDArray[np.bool_]]:
        """Return the name, the causes and the places of a cause, or of churn where it is None or "churn"."""
        if cause is None or (cause == CHURN and cause not in self.causes_):
            return CHURN, list(self.churn_causes_), self._churn
        if cause not in self.causes_:
            hint = did_you_mean(str(cause), self.causes_)
            raise InvalidParameterError(f"cause must be None or one of {self.causes_}; got {cause!r}.{hint}")
        return cause, [cause], np.isin(self.causes_, [cause])

    def _risk(self, X: pd.DataFrame, which: NDArray[np.bool_]) -> Floats:
        """Return the incidence of some causes together by horizon: shape (n, n_horizons)."""
        gone = self.hazard_.predict_incidence(X, self.horizons)
        return np.asarray(gone[:, :, which].sum(axis=2))

    def expected_month(self, X: pd.DataFrame) -> pd.Series:
        """Return the mean period of churn, of a client that churns within the longest horizon.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        Series
            Periods (months on monthly data) from the opening of the window, from 1 to the longest horizon.
        """
        self._check_fitted()
        last = max(self.horizons)
        curve = self.hazard_.predict_incidence(X, list(range(1, last + 1)))[:, :, self._churn].sum(axis=2)
        mass = np.diff(curve, axis=1, prepend=0.0)
        mean = (mass * np.arange(1, last + 1)).sum(axis=1) / mass.sum(axis=1)
        return pd.Series(mean, index=X.index, name="expected_month")

    def lifetime(self, X: pd.DataFrame, horizon: int | None = None) -> pd.Series:
        r"""Return the restricted mean lifetime: how long each client is expected to stay, up to a horizon.

        .. math:: E[\min(T, H)] = \sum_{t=0}^{H-1} S(t), \quad S(0) = 1

        with `T` the period of the exit, whatever its cause.  An exit in period t counts as t whole periods,
        so a client that is sure to leave in the first period has a lifetime of 1 and one that is sure to
        stay has `H`.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizon : int, default None
            Periods to count to, from 1 to the longest horizon; None: the longest.

        Returns
        -------
        Series
            Periods (months on monthly data) from the opening of the window, from 1 to `horizon`.

        References
        ----------
        Royston and Parmar (2013), Restricted mean survival time, BMC Medical Research Methodology 13:152,
        doi:10.1186/1471-2288-13-152.
        """
        self._check_fitted()
        last = max(self.horizons) if horizon is None else horizon
        check_integer("horizon", last, low=1, high=int(self.hazard_.reach_))
        there = self.hazard_.predict_survival(X, list(range(1, last + 1)))
        return pd.Series(1.0 + there[:, :-1].sum(axis=1), index=X.index, name="lifetime")

    def drivers(self, X: pd.DataFrame, cause: str | None = None, n: int = 3) -> pd.DataFrame:
        """Return the features that raise each client's risk most above the average.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        cause : str, default None
            Cause to explain; None: churn, its causes weighted by the client's incidence of each.
        n : int, default 3
            Number of drivers, at least 1.

        Returns
        -------
        DataFrame
            On the index of `X`, columns driver_1 ... driver_n: names of features, the strongest first;
            missing where no further feature raises the risk.
        """
        self._check_fitted()
        check_integer("n", n, low=1)
        _, causes, _ = self._columns_of(cause)
        names = np.full((len(X), n), None, dtype=object)
        for rows, effects in effect_blocks(self.hazard_, X, causes):
            order, raises = strongest(effects, n)
            chosen = self.feature_names_in_[order]
            names[rows, : order.shape[1]] = np.where(raises, chosen, None)
        columns = [f"driver_{rank}" for rank in range(1, n + 1)]
        return pd.DataFrame(names, index=X.index, columns=columns).astype("str")

    def explain(
        self, X: pd.DataFrame, cause: str | None = None, n: int = 3, lang: Language = "en"
    ) -> pd.DataFrame:
        """Return the drivers in full: words, the value behind each and how much risk it adds.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        cause : str, default None
            Cause to explain; None: churn, its causes weighted by the client's incidence of each.
        n : int, default 3
            Most drivers of a client, at least 1.
        lang : {"en", "zh"}, default "en"
            Language of text and sentence.

        Returns
        -------
        DataFrame
            One line a client and driver, on the index of `X` (repeated; a client without raised risk has no
            line): cause, rank (1 is the strongest), code (name of the feature), text (its words), pillar,
            value (the client's own), log_odds (how much it raises the log odds of leaving in a period above
            the average, mean over periods), share (of all that raises this client's risk above the average,
            so the shares of all its raising features add to 1), sentence.
        """
        self._check_fitted()
        check_integer("n", n, low=1)
        check_option("lang", lang, Language)
        name, causes, _ = self._columns_of(cause)
        return driver_frame(self.hazard_, X, causes, name, n, lang)

    @property
    def service_features_(self) -> tuple[str, ...]:
        """Features of the model that measure service; see `service_features`."""
        self._check_fitted()
        return service_features(self.feature_names_in_)

    def service_share(
        self, X: pd.DataFrame, cause: str | None = None, features: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return how much of each client's risk comes from the service it received.

        The risk is compared with that of the same client, all else as it is, whose service is worth the
        average of the training book in log odds.  On a purified card that is exact: the terms that hold a
        service feature, alone or in a pair, are left out, and the incidence is computed anew, so competing
        causes and all periods count.  The average is the reference because it needs no direction for any
        feature and no choice of a level that is good enough, a feature without effect gets 0, and it is the
        average that `drivers` count from.  Better service than average has a negative share.  As risk bends
        upward in the log odds, the points of a whole book add to more than 0: what it loses to service that
        is uneven.

        The share is the part that the model lays to these features, not the proven effect of an action:
        service that is poor because the client is leaving counts too.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        cause : str, default None
            A cause, or "churn" for the churn causes together; None: churn and each of its causes.
        features : sequence of str, default None
            The features whose part is asked for; None: `service_features_` (response time, complaints,
            approval time, change of manager, meetings).

        Returns
        -------
        DataFrame
            On the index of `X`, columns (cause, horizon, measure), sorted, with the measures incidence,
            average_service (the incidence at average service), points (incidence - average_service, a
            difference of probabilities) and fraction (points / incidence; at most 1, negative where service
            keeps risk away). ``attrs["features"]`` lists the features.

        Raises
        ------
        InvalidParameterError
            A feature is unknown, or the model has none of service.
        """
        self._check_fitted()
        names = chosen_features([str(name) for name in self.feature_names_in_], features)
        asked = [*self.churn_causes_, None] if cause is None else [cause]
        wanted = [self._columns_of(one) for one in asked]
        reference = at_average(self.hazard_, names)
        actual, usual = (one.predict_incidence(X, self.horizons) for one in (self.hazard_, reference))
        columns: dict[tuple[str, int, str], Floats] = {}
        for name, _, which in wanted:
            risk, base = actual[:, :, which].sum(axis=2), usual[:, :, which].sum(axis=2)
            for place, horizon in enumerate(self.horizons):
                points = risk[:, place] - base[:, place]
                columns |= {
                    (name, horizon, "incidence"): risk[:, place],
                    (name, horizon, "average_service"): base[:, place],
                    (name, horizon, "points"): points,
                    (name, horizon, "fraction"): points / risk[:, place],
                }
        frame = pd.DataFrame(columns, index=X.index)
        frame.columns = frame.columns.set_names(["cause", "horizon", "measure"])
        frame = frame.sort_index(axis=1)  # pandas warns where parts of unsorted names are asked for
        frame.attrs["features"] = list(names)
        return frame

    def average_service(self) -> CompetingHazard | None:
        """Return the hazards of the same clients whose service is worth the average of the training book.

        What `service_share` compares with, ready for one client after the other.

        Returns
        -------
        CompetingHazard or None
            None where the model has no feature of service, or no card to read its part off.
        """
        self._check_fitted()
        learned = self.hazard_.card_ is not None or set(self.hazard_.constant_causes_) == set(self.causes_)
        return (
            at_average(self.hazard_, self.service_features_) if learned and self.service_features_ else None
        )

    def what_if(self, X: pd.DataFrame, changes: Mapping[str, Any], cause: str | None = None) -> pd.DataFrame:
        """Return the risk before and after a change of drivers, by scoring the changed clients anew.

        Pairs of features are met as they are, nothing is extrapolated.  All else is held: change features
        that move together together (the mean hours to answer of 3 and of 12 months).  The answer is what the
        model says of a client like that, not the proven effect of an action.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        changes : mapping of str to value or callable
            Feature to its new value (one for all, or one a row), or to a function of the old column:
            ``{"response_hours_mean_3m": lambda hours: hours.clip(upper=24.0)}``.
        cause : str, default None
            Whose incidence is shown; None: churn, the sum over its causes.

        Returns
        -------
        DataFrame
            On the index of `X`, columns (moment, horizon) with the moments before, after and difference
            (after - before): probabilities.

        Raises
        ------
        InvalidParameterError
            A feature is unknown, or none is given.
        DataError
            A new value lies outside the range, or is a level, that training never saw; all are listed.
        """
        self._check_fitted()
        _, _, which = self._columns_of(cause)
        names = [str(name) for name in self.feature_names_in_]
        after_X = changed(X, changes, names, self.hazard_.card_)
        before, after = self._risk(X, which), self._risk(after_X, which)
        moments = ["before", "after", "difference"]
        columns = pd.MultiIndex.from_product([moments, self.horizons], names=["moment", "horizon"])
        return pd.DataFrame(np.hstack([before, after, after - before]), index=X.index, columns=columns)

    def alerts(
        self,
        X: pd.DataFrame,
        value: Any,
        *,
        horizon: int | None = None,
        n_clients: int | None = None,
        hours: Any = None,
        hours_available: float | None = None,
        n: int = 3,
        lang: Language = "en",
    ) -> Alerts:
        """Return the clients whose churn would cost most, with their drivers; see `clientscore.churn.alerts`.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        value : float, Series or array of shape (n,)
            What the bank loses if the client leaves, currency units; missing is not evaluated.
        horizon : int, default None
            Within which churn is counted, one of `horizons`; None: the longest.
        n_clients : int, default None
            Most clients that the team can look after.
        hours : float, Series or array of shape (n,), default None
            Hours that one client takes.
        hours_available : float, default None
            Hours of the team.
        n : int, default 3
            Most drivers of an alert.
        lang : {"en", "zh"}, default "en"
            Language of the reasons.

        Returns
        -------
        Alerts
            Drivers are computed for the chosen clients only.
        """
        self._check_fitted()
        chosen = max(self.horizons) if horizon is None else horizon
        check_option("horizon", chosen, tuple(self.horizons))
        risk = self._risk(X, self._churn)[:, list(self.horizons).index(chosen)]
        found = alerts(
            pd.Series(risk, index=X.index, name="probability"),
            value,
            n_clients=n_clients,
            hours=hours,
            hours_available=hours_available,
            lang=lang,
        )
        return found.with_drivers(self.drivers(X.iloc[found.rows], n=n))
