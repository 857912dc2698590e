"""The estimator: risk of leaving by cause and horizon, learned from durations and events."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from clientscore._checks import check_integer, did_you_mean
from clientscore.exceptions import InvalidParameterError
from clientscore.hazard import CompetingHazard, Form, check_horizons, check_reach, check_target

from ._answers import ChurnAnswers
from ._explain import MIN_EFFECT
from ._shapes import top_drivers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


class ChurnModel(ChurnAnswers, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Risk of leaving by cause and horizon, with its drivers.

    A discrete-time hazard with competing causes (`CompetingHazard`): incidences of all causes and survival
    add to 1.  Churn is the sum over `churn_causes`; default, scheduled repayment and bank-led exit compete
    and are not churn.

    Parameters
    ----------
    horizons : sequence of int, default (3, 6, 12)
        Horizons, in periods from the opening of the window, at least 1.
    causes : sequence of str or mapping, default None
        The causes and their order, or names of event values, for instance ``{1: "hard_attrition"}``; None:
        the causes that occur.
    churn_causes : sequence of str, default ("hard_attrition", "silent_attrition")
        Causes that count as churn; at least one of them must occur.
    max_rows : int, default 5_000_000
        Budget of person-period rows: above it stay rows are sampled and weighted, see `CompetingHazard`.
        A few hundred thousand rows learn nearly as much in a fraction of the time.
    min_events : int, default 40
        A cause that fewer clients left by gets the same hazard for every client and period.
    n_bags : int, default 4
        Bags of the boosted card.
    max_rounds : int, default 400
        Most boosting rounds of a bag.
    learning_rate : float, default 0.1
        Step of one round, in (0, 1].
    random_splits : bool, default False
        Whether nodes try one random threshold a feature, see `learn_boosted`: worth a try where features are
        many and a cause has thousands of events.
    form : {"card", "trees"}, default "card"
        "trees": bagged full trees behind the same predictions, to see what the card costs; no drivers.
    random_state : int, default None
        Seed; None: another one every time.

    Attributes
    ----------
    hazard_ : CompetingHazard
        The fitted hazards.
    causes_ : tuple of str
        All causes.
    churn_causes_ : tuple of str
        Those of `churn_causes` that occur.
    feature_names_in_ : ndarray of str
        Names of the features.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"complaints_sum_3m": rng.poisson(1.0, 2000).astype(float)})
    >>> rate = 0.02 * (1 + X["complaints_sum_3m"].to_numpy())
    >>> left = rng.random((2000, 6)) < rate[:, None]
    >>> target = pd.DataFrame({
    ...     "duration": np.where(left.any(axis=1), left.argmax(axis=1) + 1, 6),
    ...     "event": np.where(left.any(axis=1), "hard_attrition", None),
    ... })
    >>> churn = ChurnModel(horizons=(3, 6), random_state=0).fit(X, target)
    >>> churn.predict_churn(X).columns.to_list()
    [3, 6]
    >>> upset = X[X["complaints_sum_3m"] > 2]
    >>> churn.drivers(upset, n=1)["driver_1"].unique().tolist()
    ['complaints_sum_3m']
    >>> churn.explain(upset, lang="zh")["text"].iloc[0]
    '近三个月投诉次数'
    >>> share = churn.service_share(upset)["hard_attrition", 6, "fraction"]  # all that differs is service
    >>> bool((share > 0.2).all())
    True
    >>> bool((churn.what_if(upset, {"complaints_sum_3m": 0.0})["difference"] < 0).all(axis=None))
    True
    >>> bool((churn.lifetime(upset) < churn.lifetime(X).mean()).all())
    True
    >>> churn.alerts(X, value=1000.0, n_clients=5).frame()["driver_1"].unique().tolist()
    ['complaints_sum_3m']
    """

    def __init__(
        self,
        *,
        horizons: Sequence[int] = (3, 6, 12),
        causes: Sequence[str] | Mapping[Any, str] | None = None,
        churn_causes: Sequence[str] = ("hard_attrition", "silent_attrition"),
        max_rows: int = 5_000_000,
        min_events: int = 40,
        n_bags: int = 4,
        max_rounds: int = 400,
        learning_rate: float = 0.1,
        random_splits: bool = False,
        form: Form = "card",
        random_state: int | None = None,
    ) -> None:
        self.horizons = horizons
        self.causes = causes
        self.churn_causes = churn_causes
        self.max_rows = max_rows
        self.min_events = min_events
        self.n_bags = n_bags
        self.max_rounds = max_rounds
        self.learning_rate = learning_rate
        self.random_splits = random_splits
        self.form = form
        self.random_state = random_state

    def fit(
        self,
        X: pd.DataFrame,
        target: pd.DataFrame,
        groups: ArrayLike | None = None,
        *,
        clocks: Mapping[str, float] | None = None,
    ) -> ChurnModel:
        """Learn when and why clients leave.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features known at ``as_of``.
        target : DataFrame of shape (n, 2)
            Columns duration (whole periods, at least 1) and event (cause; missing, 0 or "" = censored), on
            the index of `X`; optionally entry, the periods already passed when the row begins to be at risk.
        groups : array-like of shape (n,), default None
            Client of each row; None: level ``client_id`` of the index where there is one.
        clocks : mapping of str to float, default None
            Features that move as time passes, and by how much a period: ``{"relationship_months": 1.0}``.

        Returns
        -------
        ChurnModel
            Itself.

        Raises
        ------
        InvalidParameterError
            When no cause of `churn_causes` occurs, or a horizon is longer than any duration.
        DataError
            When `target` is not on the index of `X`, durations are not positive, or all rows are censored.
        """
        check_horizons(self.horizons)
        check_target(X, target, ["duration", "event"])
        self.hazard_ = CompetingHazard(
            n_periods=max(self.horizons),
            causes=self.causes,
            max_rows=self.max_rows,
            min_events=self.min_events,
            n_bags=self.n_bags,
            max_rounds=self.max_rounds,
            learning_rate=self.learning_rate,
            random_splits=self.random_splits,
            form=self.form,
            random_state=self.random_state,
        ).fit(X, target["duration"], target["event"], groups, entry=target.get("entry"), clocks=clocks)
        self._describe()
        check_reach(self.hazard_.reach_, self.horizons)
        return self

    def recalibrate(self, X: pd.DataFrame, target: pd.DataFrame) -> ChurnModel:
        """Return a copy whose level is that of a later window, by horizon and cause.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features of a later window than training's.
        target : DataFrame of shape (n, 2)
            Columns duration and event, as in `fit`, on the index of `X`.

        Returns
        -------
        ChurnModel
            The copy; ``hazard_.recalibration_`` says what was done. The model agrees with Aalen-Johansen at
            those of its horizons that the window was followed to.

        Raises
        ------
        DataError
            When `target` is not on the index of `X`, or no cause has 20 events in the window.
        """
        self._check_fitted()
        check_target(X, target, ["duration", "event"])
        followed = target["duration"].max()
        model = copy.copy(self)
        model.hazard_ = self.hazard_.recalibrate(
            X,
            target["duration"],
            target["event"],
            horizons=[horizon for horizon in sorted(self.horizons) if horizon <= followed] or None,
            entry=target.get("entry"),
        )
        model._describe()  # noqa: SLF001 -- itself, copied
        return model

    def predict_cumulative_incidence(
        self, X: pd.DataFrame, horizons: Sequence[int] | None = None
    ) -> pd.DataFrame:
        """Return the probability of having left by each cause within each horizon.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int, default None
            Periods from 1 to the longest horizon; None: those of the model.

        Returns
        -------
        DataFrame
            On the index of `X`, columns (cause, horizon); adds to 1 with `predict_survival`.
        """
        self._check_fitted()
        wanted = self._wanted(horizons)
        gone = self.hazard_.predict_incidence(X, wanted)
        columns = pd.MultiIndex.from_product([self.causes_, wanted], names=["cause", "horizon"])
        return pd.DataFrame(
            gone.transpose(0, 2, 1).reshape(len(X), len(columns)), index=X.index, columns=columns
        )

    def predict_survival(self, X: pd.DataFrame, horizons: Sequence[int] | None = None) -> pd.DataFrame:
        """Return the probability of still being a client at the end of each horizon.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int, default None
            Periods from 1 to the longest horizon; None: those of the model.

        Returns
        -------
        DataFrame
            On the index of `X`, one column a horizon.
        """
        self._check_fitted()
        wanted = self._wanted(horizons)
        there = self.hazard_.predict_survival(X, wanted)
        return pd.DataFrame(there, index=X.index, columns=pd.Index(wanted, name="horizon"))

    def predict_churn(self, X: pd.DataFrame, horizons: Sequence[int] | None = None) -> pd.DataFrame:
        """Return the probability of churn within each horizon: the sum over the churn causes.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int, default None
            Periods from 1 to the longest horizon; None: those of the model.

        Returns
        -------
        DataFrame
            On the index of `X`, one column a horizon.
        """
        self._check_fitted()
        wanted = self._wanted(horizons)
        gone = self.hazard_.predict_incidence(X, wanted)[:, :, self._churn]
        return pd.DataFrame(gone.sum(axis=2), index=X.index, columns=pd.Index(wanted, name="horizon"))

    def predict_one(self, values: Mapping[str, Any], n: int = 3) -> dict[str, Any]:
        """Return risk, likeliest cause and drivers of one client, without pandas on the way.

        Parameters
        ----------
        values : mapping of str to float, str or None
            Every feature by name; None or NaN where missing.
        n : int, default 3
            Number of drivers, at least 1.

        Returns
        -------
        dict
            incidence (by cause, then by horizon), survival and churn (by horizon), lifetime (restricted mean,
            periods), cause (the likeliest churn cause at the longest horizon) and drivers (list of at most n
            features, of churn).

        Raises
        ------
        MissingColumnError
            If features are absent; each with its nearest match.
        """
        self._check_fitted()
        check_integer("n", n, low=1)
        horizons = [int(horizon) for horizon in self.horizons]
        periods = range(1, max(horizons) + 1)
        one = self.hazard_.predict_one(values, periods, self.churn_causes_)
        places = [horizon - 1 for horizon in horizons]
        left, there = one.incidence[places], one.survival[places]
        gone = {
            cause: dict(zip(horizons, curve, strict=True))
            for cause, curve in zip(self.causes_, left.T.tolist(), strict=True)
        }
        ranked = sorted(one.effects.items(), key=lambda pair: -pair[1])[:n]
        return {
            "incidence": gone,
            "survival": dict(zip(horizons, there.tolist(), strict=True)),
            "churn": dict(zip(horizons, left[:, self._churn].sum(axis=1).tolist(), strict=True)),
            "lifetime": 1.0 + float(one.survival[:-1].sum()),
            "cause": max(self.churn_causes_, key=lambda cause: gone[cause][max(horizons)]),
            "drivers": [name for name, effect in ranked if effect > MIN_EFFECT],
        }

    def summary(self) -> pd.DataFrame:
        """Return the causes: events, incidence in training, and how each is modeled.

        Returns
        -------
        DataFrame
            Index cause: events, incidence (Aalen-Johansen at the longest horizon, fraction), churn (whether
            it counts as churn), form ("card" or "constant"), level_shift (log odds), rows, sampled_share,
            drivers (up to three features whose own effect spreads most over the training book, comma between;
            missing for a constant cause).
        """
        self._check_fitted()
        table = self.hazard_.population_.rename(columns={"aalen_johansen": "incidence"})
        constant = table.index.isin(self.hazard_.constant_causes_)
        return table.assign(
            churn=table.index.isin(self.churn_causes_),
            form=np.where(constant, "constant", "card"),
            level_shift=pd.Series(self.hazard_.level_shift_),
            rows=self.hazard_.n_rows_,
            sampled_share=self.hazard_.sampled_share_,
            drivers=top_drivers(self.hazard_),
        )

    def to_state(self) -> dict[str, Any]:
        """Return the fitted model as JSON scalars, lists, dicts and arrays."""
        self._check_fitted()
        return {
            "horizons": [int(horizon) for horizon in self.horizons],
            "churn_causes": list(self.churn_causes),
            "hazard": self.hazard_.to_state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ChurnModel:
        """Return the model that `to_state` wrote; it predicts identically."""
        hazard = CompetingHazard.from_state(state["hazard"])
        shared = (
            "causes",
            "max_rows",
            "min_events",
            "n_bags",
            "max_rounds",
            "learning_rate",
            "random_splits",
            "form",
        )
        model = cls(
            horizons=tuple(state["horizons"]),
            churn_causes=tuple(state["churn_causes"]),
            random_state=hazard.random_state,
            **{name: getattr(hazard, name) for name in shared},
        )
        model.hazard_ = hazard
        model._describe()
        return model

    def _describe(self) -> None:
        """Set what follows from the hazards."""
        self.causes_ = self.hazard_.causes_
        self.churn_causes_ = tuple(cause for cause in self.churn_causes if cause in self.causes_)
        if not self.churn_causes_:
            hints = "".join(did_you_mean(cause, self.causes_) for cause in self.churn_causes)
            raise InvalidParameterError(
                f"churn_causes must name a cause that occurs, {self.causes_}; "
                f"got {tuple(self.churn_causes)}.{hints}"
            )
        self._churn: NDArray[np.bool_] = np.isin(self.causes_, self.churn_causes_)
        self.feature_names_in_ = self.hazard_.feature_names_in_

    def _wanted(self, horizons: Sequence[int] | None) -> list[int]:
        return list(self.horizons if horizons is None else horizons)
