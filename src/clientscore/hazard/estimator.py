"""The estimator: exits with competing causes as one multinomial additive hazard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer, check_interval
from clientscore.additive import AdditiveCard, encode, fit_bins, learn_boosted
from clientscore.exceptions import InvalidParameterError
from clientscore.metrics import aalen_johansen, encode_events

from .checks import check_causes, check_counts, check_features, check_rows, client_numbers, whole_durations
from .curves import (
    BLOCK,
    OneClient,
    averaged_over_periods,
    cause_shares,
    hazards,
    incidence,
    level_shift,
    over_periods,
    over_periods_one,
    population_frame,
)
from .panel import PersonPeriods, expand, period_bins, with_period

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_LEVEL_ROWS = 50_000  # rows that carry the level correction


class CompetingHazard(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Discrete-time hazard with competing causes on an additive card.

    In period t a client still there leaves by cause k with probability
    ``h_k(t, x) = exp(f_k(t, x)) / (1 + sum_j exp(f_j(t, x)))``, f an additive card whose features are
    those of `x` and the period itself.  Survival ``S(t) = prod_{s <= t} (1 - sum_k h_k(s))``, incidence
    ``F_k(t) = sum_{s <= t} S(s - 1) h_k(s)``; S and all F add to 1.  Assumes that censoring is independent
    of the causes given `x`.

    The level is corrected once: a shift of each cause's log odds makes the mean incidence over the training
    rows at the longest period equal the Aalen-Johansen incidence of the same rows.  This uses the training
    window itself, so it corrects the fit, not a drift after it.

    Parameters
    ----------
    n_periods : int, default 12
        Longest horizon, in periods; later events count as censored there.
    causes : sequence of str or mapping, default None
        The causes and their order, or names of event values, for instance ``{1: "hard_attrition"}``; None:
        the causes that occur.
    max_rows : int, default 200_000
        Budget of person-period rows.  Above it stay rows are sampled uniformly and weighted; event rows are
        all kept, and at least as many stay rows as event rows.
    min_events : int, default 40
        A cause that fewer clients left by gets the same hazard for every client and period.
    max_bins : int, default 63
        Bins of a feature.
    n_bags : int, default 2
        Bags of the boosted card.
    max_rounds : int, default 400
        Most boosting rounds of a bag; early stopping on held-out clients usually ends it sooner.
    learning_rate : float, default 0.1
        Step of one round, in (0, 1].
    min_rows_leaf : int, default 100
        Fewest person-period rows of a leaf; events are rare, so leaves must be wide.
    random_state : int, default None
        Seed of sampling and bags; None: another one every time.

    Attributes
    ----------
    causes_ : tuple of str
        Causes, in the order of every output.
    reach_ : int
        Last period with clients at risk in training; horizons end here.
    card_ : AdditiveCard or None
        Log odds of each cause against staying; None when every cause is constant.
    constant_causes_ : tuple of str
        Causes that fewer than `min_events` clients left by.
    sampled_share_ : float
        Share of stay rows used, in (0, 1].
    level_shift_ : dict of str to float
        Shift of the log odds by cause that the level correction made.
    population_ : DataFrame
        Index cause: events, and the Aalen-Johansen incidence at `reach_`.
    n_rows_ : int
        Number of training rows.
    feature_names_in_ : ndarray of str
        Names of the features.

    References
    ----------
    Tutz and Schmid (2016), Modeling Discrete Time-to-Event Data, doi:10.1007/978-3-319-28158-2, chapter 8.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"complaints_sum_3m": rng.poisson(1.0, 2000).astype(float)})
    >>> left = rng.random((2000, 6)) < 0.02 * (1 + X[["complaints_sum_3m"]].to_numpy())
    >>> event = np.where(left.any(axis=1), "closure", None)
    >>> duration = np.where(left.any(axis=1), left.argmax(axis=1) + 1, 6)
    >>> model = CompetingHazard(n_periods=6, random_state=0).fit(X, duration, event)
    >>> model.causes_
    ('closure',)
    >>> risk = model.predict_incidence(X, [3, 6])[:, :, 0]
    >>> bool(risk[X["complaints_sum_3m"] > 2, 1].mean() > risk[X["complaints_sum_3m"] < 1, 1].mean())
    True
    """

    def __init__(
        self,
        *,
        n_periods: int = 12,
        causes: Sequence[str] | Mapping[Any, str] | None = None,
        max_rows: int = 200_000,
        min_events: int = 40,
        max_bins: int = 63,
        n_bags: int = 2,
        max_rounds: int = 400,
        learning_rate: float = 0.1,
        min_rows_leaf: int = 100,
        random_state: int | None = None,
    ) -> None:
        self.n_periods = n_periods
        self.causes = causes
        self.max_rows = max_rows
        self.min_events = min_events
        self.max_bins = max_bins
        self.n_bags = n_bags
        self.max_rounds = max_rounds
        self.learning_rate = learning_rate
        self.min_rows_leaf = min_rows_leaf
        self.random_state = random_state

    def fit(
        self, X: pd.DataFrame, duration: ArrayLike, event: ArrayLike, groups: ArrayLike | None = None
    ) -> CompetingHazard:
        """Learn the hazards.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features known when the window opens.
        duration : array-like of shape (n,)
            Periods seen, whole, at least 1: the event's period, or the last one seen of a censored client.
        event : array-like of shape (n,)
            Cause by name or number; missing, 0 or "" = censored.
        groups : array-like of shape (n,), default None
            Client of each row, so that early stopping holds whole clients out; None: level ``client_id`` of
            the index where there is one, else each row is its own.

        Returns
        -------
        CompetingHazard
            Itself.

        Raises
        ------
        DataError
            When durations are not whole periods of at least 1, all rows are censored, or a named cause is
            absent.
        InvalidParameterError
            When a setting is outside its rule or a feature is called "period".
        """
        self._check_parameters()
        check_features(X)
        periods = whole_durations(duration)
        in_time = pd.Series(np.asarray(event, dtype=object))
        check_rows(X, periods, in_time)
        in_time[periods > self.n_periods] = None
        codes_event, causes = encode_events(in_time, self.causes)
        periods = np.minimum(periods, self.n_periods)
        counts = np.bincount(codes_event, minlength=len(causes) + 1)[1:]
        check_counts(causes, counts, self.n_periods)

        rng = np.random.default_rng(self.random_state)
        bins = fit_bins(X, max_bins=self.max_bins)
        codes = encode(bins, X)
        panel = expand(periods, codes_event, self.max_rows, rng)
        self.causes_ = causes
        self.reach_ = int(periods.max())
        self.n_rows_ = len(X)
        self.sampled_share_ = panel.share
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        clients = client_numbers(X, groups)
        self.constant_causes_ = tuple(
            name
            for code, name in enumerate(causes, start=1)
            if len(np.unique(clients[codes_event == code])) < self.min_events
        )
        stays = float(panel.weight[panel.outcome == 0].sum())
        self._constant = np.log(np.maximum(counts, 1) / max(stays, 1.0))
        self.card_ = self._learn(codes, bins, panel, clients, rng)
        self._set_tables()
        self._correct_level(X, periods, codes_event, rng)
        return self

    def predict_hazard(self, X: pd.DataFrame) -> Floats:
        """Probability of leaving in each period by each cause, of a client still there.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        ndarray of shape (n, reach_, n_causes)
            In [0, 1]; the sum over causes is below 1.
        """
        blocks = [hazards(values) for *_, values in self._blocks(X, self.reach_)]
        return np.concatenate(blocks) if blocks else np.empty((0, self.reach_, len(self.causes_)))

    def predict_incidence(self, X: pd.DataFrame, horizons: Sequence[int]) -> Floats:
        """Probability of having left by each cause within each horizon.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int
            Periods, from 1 to `reach_`.

        Returns
        -------
        ndarray of shape (n, n_horizons, n_causes)
            Adds to 1 with `predict_survival`.

        Raises
        ------
        InvalidParameterError
            When a horizon lies past the fitted periods.
        """
        return self.predict_curves(X, horizons)[0]

    def predict_survival(self, X: pd.DataFrame, horizons: Sequence[int]) -> Floats:
        """Probability of still being there at the end of each horizon.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int
            Periods, from 1 to `reach_`.

        Returns
        -------
        ndarray of shape (n, n_horizons)
            In [0, 1], falling with the horizon.
        """
        return self.predict_curves(X, horizons)[1]

    def predict_curves(self, X: pd.DataFrame, horizons: Sequence[int]) -> tuple[Floats, Floats]:
        """Incidence and survival together, at the cost of one.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int
            Periods, from 1 to `reach_`.

        Returns
        -------
        tuple of ndarray
            As `predict_incidence`, as `predict_survival`.
        """
        wanted = self._check_horizons(horizons)
        gone = np.empty((len(X), len(wanted), len(self.causes_)))
        there = np.empty((len(X), len(wanted)))
        for rows, _, values in self._blocks(X, int(wanted.max())):
            curve, survival = incidence(hazards(values))
            gone[rows], there[rows] = curve[:, wanted - 1], survival[:, wanted - 1]
        return gone, there

    def predict_one(
        self, values: Mapping[str, Any], horizons: Sequence[int], cause: Sequence[str] = ()
    ) -> OneClient:
        """Return curves and drivers of one client, a mapping in, without pandas on the way.

        Parameters
        ----------
        values : mapping of str to float, str or None
            Every feature by name; None or NaN where missing.
        horizons : sequence of int
            Periods, from 1 to `reach_`.
        cause : sequence of str, default ()
            Causes to explain; none: no effects.

        Returns
        -------
        OneClient
            The client's row of `predict_curves`, and of `drivers` for the features in the card.
        """
        wanted = self._check_horizons(horizons)
        codes = [] if self.card_ is None else self._average.codes_one(values)
        log_odds = np.tile(self._constant, (1, self.reach_, 1))
        if self.card_ is not None:
            log_odds[0][:, self._learned] = over_periods_one(self.card_, codes, self.reach_)
        curve, survival = incidence(hazards(log_odds))
        effects: dict[str, float] = {}
        if cause:
            check_causes(cause, self.causes_)
            share = cause_shares(curve, self.causes_, cause)[0]
            for column in np.flatnonzero(self._learned & (share > 0)):
                part = self._average.explain_codes_one(codes, output=self.causes_[column])
                weight = float(share[column])
                effects = {name: effects.get(name, 0.0) + weight * value for name, value in part.items()}
        return OneClient(curve[0, wanted - 1], survival[0, wanted - 1], effects)

    def drivers(self, X: pd.DataFrame, cause: str | Sequence[str]) -> pd.DataFrame:
        """Return what moves each client's risk away from the average, feature by feature.

        The mean over periods of the terms' log-odds contributions; pairs half and half.  For several causes
        the contributions are weighted by the client's own incidence of each.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        cause : str or sequence of str
            Cause or causes to explain.

        Returns
        -------
        DataFrame of shape (n, n_features)
            Log odds; positive raises the risk.  A cause with a constant hazard contributes 0.
        """
        self._check_fitted()
        names = [cause] if isinstance(cause, str) else list(cause)
        check_causes(names, self.causes_)
        columns = pd.Index(self.feature_names_in_, dtype="str")
        parts = [pd.DataFrame(index=X.index[:0], columns=columns, dtype=np.float64)]
        for rows, codes, log_odds in self._blocks(X, self.reach_):
            share = cause_shares(incidence(hazards(log_odds))[0], self.causes_, names)
            effects = self._effects(codes, X.index[rows], share)
            parts.append(effects.reindex(columns=columns, fill_value=0.0))
        return pd.concat(parts) if len(parts) > 1 else parts[0]

    def to_state(self) -> dict[str, Any]:
        """Return the fitted model as JSON scalars, lists, dicts and arrays."""
        self._check_fitted()
        return {
            "parameters": {**self.get_params(), "causes": list(self.causes_)},
            "reach": self.reach_,
            "n_rows": self.n_rows_,
            "sampled_share": self.sampled_share_,
            "constant_causes": list(self.constant_causes_),
            "constant": self._constant,
            "features": [str(name) for name in self.feature_names_in_],
            "level_shift": [self.level_shift_[name] for name in self.causes_],
            "events": self.population_["events"].to_numpy(np.int64),
            "incidence": self.population_["aalen_johansen"].to_numpy(np.float64),
            "card": None if self.card_ is None else self.card_.to_state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CompetingHazard:
        """Return the model that `to_state` wrote; it predicts identically."""
        model = cls(**state["parameters"])
        model.causes_ = tuple(state["parameters"]["causes"])
        model.reach_ = int(state["reach"])
        model.n_rows_ = int(state["n_rows"])
        model.sampled_share_ = float(state["sampled_share"])
        model.constant_causes_ = tuple(state["constant_causes"])
        model._constant = np.asarray(state["constant"], dtype=np.float64)
        model.feature_names_in_ = np.asarray(state["features"], dtype=object)
        model.level_shift_ = dict(zip(model.causes_, map(float, state["level_shift"]), strict=True))
        model.population_ = population_frame(model.causes_, state["events"], state["incidence"])
        model.card_ = None if state["card"] is None else AdditiveCard.from_state(state["card"])
        model._set_tables()
        return model

    def _check_parameters(self) -> None:
        check_integer("n_periods", self.n_periods, low=1, high=200)
        check_integer("max_rows", self.max_rows, low=1)
        check_integer("min_events", self.min_events, low=1)
        check_integer("max_bins", self.max_bins, low=2, high=250)
        check_integer("n_bags", self.n_bags, low=1)
        check_integer("max_rounds", self.max_rounds, low=1)
        check_integer("min_rows_leaf", self.min_rows_leaf, low=1)
        check_interval("learning_rate", self.learning_rate, low=0.0, high=1.0, closed="high")

    def _check_fitted(self) -> None:
        check_is_fitted(self, "causes_")

    def _check_horizons(self, horizons: Sequence[int]) -> NDArray[np.int64]:
        self._check_fitted()
        wanted = np.asarray(list(horizons))
        whole = len(wanted) > 0 and np.issubdtype(wanted.dtype, np.integer)
        if not whole or wanted.min() < 1 or wanted.max() > self.reach_:
            raise InvalidParameterError(
                f"horizons must be whole periods from 1 to {self.reach_}, as far as this model reaches "
                f"(n_periods={self.n_periods}, longest duration seen {self.reach_}); got {list(horizons)}."
            )
        return wanted.astype(np.int64)

    @property
    def _learned(self) -> NDArray[np.bool_]:
        """Which causes the card holds."""
        return ~np.isin(self.causes_, self.constant_causes_)

    def _learn(
        self,
        codes: NDArray[Any],
        bins: tuple[Any, ...],
        panel: PersonPeriods,
        groups: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> AdditiveCard | None:
        """Learn the card of the causes with enough events; rows that end by another cause are left out."""
        outputs = [name for name in self.causes_ if name not in self.constant_causes_]
        if not outputs:
            return None
        target = np.full(len(self.causes_) + 1, -1)
        target[0] = 0
        target[1:][self._learned] = np.arange(1, len(outputs) + 1)
        outcome = target[panel.outcome]
        used = np.flatnonzero(outcome >= 0)
        card, _ = learn_boosted(
            with_period(codes, panel.row[used], panel.period[used]),
            (*bins, period_bins(self.reach_)),
            outcome[used],
            objective="multiclass",
            outputs=outputs,
            sample_weight=panel.weight[used],
            groups=groups[panel.row[used]],
            n_bags=self.n_bags,
            max_rounds=self.max_rounds,
            learning_rate=self.learning_rate,
            min_rows_leaf=self.min_rows_leaf,
            random_state=int(rng.integers(2**31 - 1)),
        )
        return card

    def _effects(self, codes: NDArray[Any], index: pd.Index, share: Floats) -> pd.DataFrame:
        """Contributions of the features in the card, causes mixed by `share`."""
        explained = np.flatnonzero(self._learned & (share > 0).any(axis=0))
        if not len(explained):
            return pd.DataFrame(index=index)
        parts = [
            share[:, [column]] * self._average.feature_contributions_codes(codes, output=self.causes_[column])
            for column in explained
        ]
        total = sum(parts[1:], start=parts[0])
        return pd.DataFrame(total, index=index, columns=list(self._average.scored_features))

    def _set_tables(self) -> None:
        if self.card_ is not None:
            self._average = averaged_over_periods(self.card_, self.reach_)

    def _log_odds(self, codes: NDArray[Any], n_periods: int) -> Floats:
        """Log odds of all causes, (rows, periods, causes)."""
        total = np.empty((len(codes), n_periods, len(self.causes_)))
        total[:] = self._constant
        if self.card_ is not None:
            total[:, :, self._learned] = over_periods(self.card_, codes, n_periods)
        return total

    def _blocks(self, X: pd.DataFrame, n_periods: int) -> Iterator[tuple[slice, NDArray[Any], Floats]]:
        """Rows, their row numbers and their log odds, a block at a time."""
        self._check_fitted()
        for start in range(0, len(X), BLOCK):
            rows = slice(start, start + BLOCK)
            part = X.iloc[rows]
            none = np.empty((len(part), 0), np.uint8)
            codes = none if self.card_ is None else self._average.encode(part)
            yield rows, codes, self._log_odds(codes, n_periods)

    def _correct_level(
        self, X: pd.DataFrame, periods: NDArray[np.int64], event: NDArray[np.int64], rng: np.random.Generator
    ) -> None:
        """Shift every cause so that its mean incidence at the longest period is Aalen-Johansen's."""
        names = dict(enumerate(self.causes_, start=1))
        curve = aalen_johansen(periods, event, horizons=[self.reach_], causes=names)
        target = curve.loc[self.reach_, list(self.causes_)].to_numpy(np.float64)
        if len(X) > _LEVEL_ROWS:
            X = X.iloc[np.sort(rng.choice(len(X), _LEVEL_ROWS, replace=False))]
        log_odds = np.concatenate([values for *_, values in self._blocks(X, self.reach_)])
        shift = level_shift(log_odds, target)
        self._constant = self._constant + shift
        self.level_shift_ = dict(zip(self.causes_, shift.tolist(), strict=True))
        if self.card_ is not None:
            self.card_ = self.card_.recalibrated(shift[self._learned].tolist(), 1.0)
            self._set_tables()
        counts = np.bincount(event, minlength=len(self.causes_) + 1)[1:]
        self.population_ = population_frame(self.causes_, counts, target)
