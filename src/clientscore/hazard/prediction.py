"""What a fitted hazard says: hazards, incidence, survival and drivers, of many clients or of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from clientscore.exceptions import InvalidParameterError

from .checks import check_causes
from .curves import BLOCK, OneClient, cause_shares, hazards, incidence, read_curves
from .scores import CardScores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .clock import Clock
    from .scores import Block
    from .trees import TreeScores

    Floats = NDArray[np.float64]


class HazardPrediction(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The predictions of :class:`CompetingHazard`, which learns what they need."""

    causes_: tuple[str, ...]
    constant_causes_: tuple[str, ...]
    feature_names_in_: NDArray[Any]
    reach_: float
    _clock: Clock
    _constant: Floats  # log odds of every cause, (periods, causes); read for constant causes
    _scores: CardScores | TreeScores | None

    def predict_hazard(self, X: pd.DataFrame) -> Floats:
        """Probability of leaving in each period by each cause, of a client still there.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        ndarray of shape (n, n_periods, n_causes)
            In [0, 1]; the sum over causes is below 1.  The periods are those up to `reach_`, or the bins that
            durations were cut into.
        """
        self._check_fitted()
        n_periods = self._clock.n_periods
        blocks = [hazards(values) for *_, values in self._blocks(X, n_periods)]
        return np.concatenate(blocks) if blocks else np.empty((0, n_periods, len(self.causes_)))

    def predict_incidence(self, X: pd.DataFrame, horizons: Sequence[float]) -> Floats:
        """Probability of having left by each cause within each horizon.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int or float
            Periods from 1 to `reach_`, or durations above 0 where durations were cut into bins.

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

    def predict_survival(self, X: pd.DataFrame, horizons: Sequence[float]) -> Floats:
        """Probability of still being there at the end of each horizon.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int or float
            Periods from 1 to `reach_`, or durations above 0 where durations were cut into bins.

        Returns
        -------
        ndarray of shape (n, n_horizons)
            In [0, 1], falling with the horizon.
        """
        return self.predict_curves(X, horizons)[1]

    def predict_curves(self, X: pd.DataFrame, horizons: Sequence[float]) -> tuple[Floats, Floats]:
        """Incidence and survival together, at the cost of one.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        horizons : sequence of int or float
            Periods from 1 to `reach_`, or durations above 0 where durations were cut into bins.

        Returns
        -------
        tuple of ndarray
            As `predict_incidence`, as `predict_survival`.
        """
        places = self._places(horizons)
        gone = np.empty((len(X), len(places), len(self.causes_)))
        there = np.empty((len(X), len(places)))
        for rows, _, values in self._blocks(X, int(np.ceil(places.max()))):
            gone[rows], there[rows] = read_curves(hazards(values), places)
        return gone, there

    def predict_one(
        self, values: Mapping[str, Any], horizons: Sequence[float], cause: Sequence[str] = ()
    ) -> OneClient:
        """Return curves and drivers of one client, a mapping in, without pandas on the way.

        Parameters
        ----------
        values : mapping of str to float, str or None
            Every feature by name; None or NaN where missing.
        horizons : sequence of int or float
            Periods from 1 to `reach_`, or durations above 0 where durations were cut into bins.
        cause : sequence of str, default ()
            Causes to explain; none: no effects.

        Returns
        -------
        OneClient
            The client's row of `predict_curves`, and of `drivers` for the features in the card.
        """
        places = self._places(horizons)
        log_odds = self._constant[None].copy()
        codes: list[list[int]] = []
        if self._scores is not None:
            codes = self._scores.encode_one(values)
            log_odds[0][:, self._learned] = self._scores.log_odds_one(codes)
        hazard = hazards(log_odds)
        gone, there = read_curves(hazard, places)
        effects: dict[str, float] = {}
        if cause:
            check_causes(cause, self.causes_)
            share = cause_shares(incidence(hazard)[0], self.causes_, cause)[0]
            for column in np.flatnonzero(self._learned & (share > 0)):
                part = self._explaining().effects_one(codes, self.causes_[column])
                weight = float(share[column])
                effects = {name: effects.get(name, 0.0) + weight * value for name, value in part.items()}
        return OneClient(gone[0], there[0], effects)

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

        Raises
        ------
        InvalidParameterError
            When a cause is unknown, or the model is made of trees, which have no table to read.
        """
        self._check_fitted()
        names = [cause] if isinstance(cause, str) else list(cause)
        check_causes(names, self.causes_)
        if self._scores is not None:
            self._explaining()
        place = {name: j for j, name in enumerate(self.feature_names_in_)}
        total = np.zeros((len(X), len(place)), order="F")
        for rows, block, log_odds in self._blocks(X, self._clock.n_periods):
            share = cause_shares(incidence(hazards(log_odds))[0], self.causes_, names)
            for column in np.flatnonzero(self._learned & (share > 0).any(axis=0)):
                scores = self._explaining()
                part = share[:, [column]] * scores.effects(block, self.causes_[column])
                for j, name in enumerate(scores.names):
                    total[rows, place[name]] += part[:, j]
        columns = pd.Index(self.feature_names_in_, dtype="str")
        return pd.DataFrame(total, index=X.index, columns=columns)

    def _explaining(self) -> CardScores:
        """Return the scores that can be explained, or raise."""
        scores = self._scores
        if not isinstance(scores, CardScores):
            raise InvalidParameterError(
                "drivers need form='card'; trees have no table to read. Fit a card for the reasons."
            )
        return scores

    def _check_fitted(self) -> None:
        check_is_fitted(self, "causes_")

    def _places(self, horizons: Sequence[float]) -> Floats:
        """Return the places of horizons on the clock, or raise."""
        self._check_fitted()
        wanted = np.asarray(list(horizons))
        if not self._clock.whole:
            return self._clock.place(self._durations(wanted, horizons))
        whole = len(wanted) > 0 and np.issubdtype(wanted.dtype, np.integer)
        if not whole or wanted.min() < 1 or wanted.max() > self.reach_:
            raise InvalidParameterError(
                f"horizons must be whole periods from 1 to {self.reach_:g}, as far as this model reaches "
                f"(longest duration seen {self.reach_:g}); got {list(horizons)}."
            )
        return wanted.astype(np.float64)

    def _durations(self, wanted: NDArray[Any], horizons: Sequence[float]) -> Floats:
        number = len(wanted) > 0 and np.issubdtype(wanted.dtype, np.number)
        values = wanted.astype(np.float64) if number else np.zeros(1)
        if not (values > 0).all() or not (values <= self.reach_).all():
            raise InvalidParameterError(
                f"horizons must be durations above 0 and at most {self.reach_:g}, the longest that training "
                f"saw; got {list(horizons)}."
            )
        return values

    @property
    def _learned(self) -> NDArray[np.bool_]:
        """Which causes are learned from features."""
        return ~np.isin(self.causes_, self.constant_causes_)

    def _log_odds(self, block: Block | None, n: int, n_periods: int) -> Floats:
        """Log odds of all causes, (rows, periods, causes)."""
        learned = self._learned
        if self._scores is not None and block is not None and learned.all():
            return self._scores.log_odds(block, n_periods)
        total = np.empty((n, n_periods, len(self.causes_)))
        total[:] = self._constant[:n_periods]
        if self._scores is not None and block is not None:
            total[:, :, learned] = self._scores.log_odds(block, n_periods)
        return total

    def _blocks(self, X: pd.DataFrame, n_periods: int) -> Iterator[tuple[slice, Any, Floats]]:
        """Rows, their row numbers and their log odds, a block at a time."""
        self._check_fitted()
        for start in range(0, len(X), BLOCK):
            rows = slice(start, start + BLOCK)
            part = X.iloc[rows]
            block = None if self._scores is None else self._scores.encode(part, n_periods)
            yield rows, block, self._log_odds(block, len(part), n_periods)
