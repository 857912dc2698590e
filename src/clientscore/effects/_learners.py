"""Conditional effects: how much more (or less) an action does for one client than for another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer, check_interval, check_option
from clientscore.exceptions import BundleFormatError

from ._aipw import FEWEST_CLIENTS, doubly_robust
from ._design import Design, aligned_frame, frame_of
from ._models import (
    FORM_OF,
    Base,
    Model,
    design_for,
    fit_logistic_ridge,
    fit_mean,
    fit_propensity,
    fit_ridge,
    is_binary,
    model_from_state,
)
from ._overlap import clipped, known_propensity
from ._sample import sample_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from ._sample import Sample

    Floats = NDArray[np.float64]


# Scale of interactions beside main effects; a tenth is a hundred times the penalty.
_SIZES = (1.0, 0.3, 0.1)


class EffectLearner(BaseEstimator, ABC):  # type: ignore[misc]
    """What the learners of conditional effects share; use one of them.

    Parameters
    ----------
    base : {"linear", "additive", "boosted"}, default "additive"
        The models: ridge, ridge over bins of about equal size (an additive card), small LightGBM trees.
    n_folds : int, default 5
        Folds of clients for cross-fitting, where the learner needs it.
    clip : float, default 0.01
        Probabilities of the action are kept in [clip, 1 - clip].
    random_state : int, default 0
        Seed of folds and trees.

    Attributes
    ----------
    average_effect_ : float
        Mean of the predicted effects of the rows learned from.
    n_rows_ : int
        Rows learned from.
    """

    def __init__(
        self, *, base: Base = "additive", n_folds: int = 5, clip: float = 0.01, random_state: int = 0
    ) -> None:
        self.base = base
        self.n_folds = n_folds
        self.clip = clip
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        treatment: ArrayLike,
        outcome: ArrayLike,
        *,
        propensity: ArrayLike | float | None = None,
        clients: ArrayLike | None = None,
    ) -> Self:
        """Learn from randomised or logged actions.

        Parameters
        ----------
        X : DataFrame or array of shape (n, k)
            What was known when the action was decided; numbers or text, missing values may occur.
        treatment : array-like of shape (n,)
            1 with the action, 0 without.
        outcome : array-like of shape (n,)
            Any unit.
        propensity : array-like of shape (n,) or float, default None
            Probability of the action where the log holds it; None: learned where the learner needs it.
        clients : array-like of shape (n,), default None
            Client of each row, kept on one side of a fold; None: each row is a client.

        Returns
        -------
        EffectLearner
            Itself.
        """
        check_option("base", self.base, Base)
        check_integer("n_folds", self.n_folds, low=2)
        check_interval("clip", self.clip, low=0.0, high=0.5, closed="neither")
        sample = sample_of(outcome, treatment, clients, min_clients=FEWEST_CLIENTS)
        frame = aligned_frame(X, sample.n_rows, name="X")
        self.design_ = design_for(self.base, frame)
        self.models_ = self._learn(frame, self.design_.matrix(frame), sample, propensity)
        self.n_rows_ = sample.n_rows
        self.average_effect_ = float(self._effect(self.design_.matrix(frame)).mean())
        return self

    def predict_effect(self, X: Any) -> pd.Series:
        """Return the effect of the action on each row, in the outcome's unit, on the index of `X`."""
        check_is_fitted(self, "models_")
        frame = frame_of(X)
        return pd.Series(self._effect(self.design_.matrix(frame)), index=frame.index, name="effect")

    def to_state(self) -> dict[str, Any]:
        """Return the fitted learner as plain data."""
        check_is_fitted(self, "models_")
        return {
            "kind": type(self).__name__,
            "settings": self.get_params(deep=False),
            "design": self.design_.to_state(),
            "models": {name: model.to_state() for name, model in self.models_.items()},
            "n_rows": self.n_rows_,
            "average_effect": self.average_effect_,
        }

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> EffectLearner:
        """Return the learner that `to_state` wrote."""
        kinds = {kind.__name__: kind for kind in (SLearner, TLearner, XLearner, DRLearner)}
        if state.get("kind") not in kinds:
            raise BundleFormatError(f"No learner of effects is called {state.get('kind')!r}. Fit it anew.")
        learner: EffectLearner = kinds[state["kind"]](**state["settings"])
        learner.design_ = Design.from_state(state["design"])
        learner.models_ = {name: model_from_state(one) for name, one in state["models"].items()}
        learner.n_rows_, learner.average_effect_ = state["n_rows"], state["average_effect"]
        return learner

    @abstractmethod
    def _learn(
        self, frame: pd.DataFrame, matrix: Floats, sample: Sample, propensity: ArrayLike | float | None
    ) -> dict[str, Model]:
        """Return the fitted models by name."""

    @abstractmethod
    def _effect(self, matrix: Floats) -> Floats:
        """Return the effect on each row of the design's matrix."""

    def _mean(self, matrix: Floats, y: Floats, *, binary: bool = False) -> Model:
        return fit_mean(self.base, matrix, y, seed=self.random_state, binary=binary, logistic=binary)

    def _arm(self, matrix: Floats, sample: Sample, arm: int) -> Model:
        rows = sample.arm(arm)
        return self._mean(matrix[rows], sample.outcome[rows], binary=is_binary(sample.outcome))


class SLearner(EffectLearner):
    """One model of the outcome in which the action is a feature; effect = with it less without it.

    The linear and additive forms let the action interact with every column.  Effects differ less between
    clients than outcomes do, so interactions may be penalized more than main effects, by a factor that the
    leave-one-out error chooses: differences of effects shrink to nothing where the data do not show them.
    Parameters and methods are those of :class:`EffectLearner`.

    References
    ----------
    Kuenzel, Sekhon, Bickel and Yu (2019), PNAS 116(10), 4156-4165, doi:10.1073/pnas.1804597116.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, called = rng.normal(0, 1, (2000, 2)), rng.integers(0, 2, 2000)
    >>> bought = x[:, 1] + called * (1 + x[:, 0]) + rng.normal(0, 1, 2000)
    >>> effect = SLearner(base="linear").fit(x, called, bought).predict_effect(x)
    >>> bool(np.corrcoef(effect, 1 + x[:, 0])[0, 1] > 0.95)
    True
    """

    def _learn(
        self,
        frame: pd.DataFrame,  # noqa: ARG002
        matrix: Floats,
        sample: Sample,
        propensity: ArrayLike | float | None,  # noqa: ARG002
    ) -> dict[str, Model]:
        binary = is_binary(sample.outcome)
        wide = self._wide(matrix, sample.treatment)
        if FORM_OF[self.base] == "trees":
            return {"outcome": self._mean(wide, sample.outcome, binary=binary)}
        scales = [np.r_[np.ones(matrix.shape[1] + 1), np.full(matrix.shape[1], size)] for size in _SIZES]
        fit = fit_logistic_ridge if binary and 0 < sample.outcome.mean() < 1 else fit_ridge
        fits = [fit(wide * scale, sample.outcome).scaled(scale) for scale in scales]
        return {"outcome": min(fits, key=lambda one: one.loss)}

    def _effect(self, matrix: Floats) -> Floats:
        model, ones = self.models_["outcome"], np.ones(len(matrix))
        with_, without = (self._wide(matrix, arm) for arm in (ones, 0 * ones))
        return np.asarray(model.predict(with_) - model.predict(without))

    def _wide(self, matrix: Floats, treatment: Floats) -> Floats:
        if FORM_OF[self.base] == "trees":
            return np.column_stack([matrix, treatment])
        side = (treatment - 0.5)[:, None]
        # the main effect of the action is of the size of an outcome's spread: hardly penalized
        return np.column_stack([matrix, side * 10.0, side * matrix])


class TLearner(EffectLearner):
    """Two models of the outcome, one an arm; effect = their difference.

    Parameters and methods are those of :class:`EffectLearner`.

    References
    ----------
    Kuenzel, Sekhon, Bickel and Yu (2019), PNAS 116(10), 4156-4165, doi:10.1073/pnas.1804597116.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, called = rng.normal(0, 1, (2000, 2)), rng.integers(0, 2, 2000)
    >>> bought = x[:, 1] + called * (1 + x[:, 0]) + rng.normal(0, 1, 2000)
    >>> effect = TLearner(base="linear").fit(x, called, bought).predict_effect(x)
    >>> bool(np.corrcoef(effect, 1 + x[:, 0])[0, 1] > 0.95)
    True
    """

    def _learn(
        self,
        frame: pd.DataFrame,  # noqa: ARG002
        matrix: Floats,
        sample: Sample,
        propensity: ArrayLike | float | None,  # noqa: ARG002
    ) -> dict[str, Model]:
        return {name: self._arm(matrix, sample, arm) for arm, name in enumerate(("control", "treated"))}

    def _effect(self, matrix: Floats) -> Floats:
        return self.models_["treated"].predict(matrix) - self.models_["control"].predict(matrix)


class XLearner(EffectLearner):
    """Each arm's surprises against the other arm's model, regressed and put together.

    The arms are weighted by the probability of the action.  Meant for arms of very different size.
    Parameters and methods are those of :class:`EffectLearner`.

    References
    ----------
    Kuenzel, Sekhon, Bickel and Yu (2019), PNAS 116(10), 4156-4165, doi:10.1073/pnas.1804597116.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, called = rng.normal(0, 1, (2000, 2)), rng.integers(0, 2, 2000)
    >>> bought = x[:, 1] + called * (1 + x[:, 0]) + rng.normal(0, 1, 2000)
    >>> effect = XLearner(base="linear").fit(x, called, bought).predict_effect(x)
    >>> bool(np.corrcoef(effect, 1 + x[:, 0])[0, 1] > 0.95)
    True
    """

    def _learn(
        self,
        frame: pd.DataFrame,  # noqa: ARG002
        matrix: Floats,
        sample: Sample,
        propensity: ArrayLike | float | None,
    ) -> dict[str, Model]:
        treated = sample.arm(1)
        control_model, treated_model = (self._arm(matrix, sample, arm) for arm in (0, 1))
        gained = sample.outcome[treated] - control_model.predict(matrix[treated])
        missed = treated_model.predict(matrix[~treated]) - sample.outcome[~treated]
        if propensity is not None:
            clipped(known_propensity(propensity, sample.n_rows), sample.treatment, self.clip, known=True)
        return {
            "treated": self._mean(matrix[treated], gained),
            "control": self._mean(matrix[~treated], missed),
            "propensity": fit_propensity(self.base, matrix, sample.treatment, seed=self.random_state),
        }

    def _effect(self, matrix: Floats) -> Floats:
        chance = np.clip(self.models_["propensity"].predict(matrix), self.clip, 1 - self.clip)
        treated, control = (self.models_[name].predict(matrix) for name in ("treated", "control"))
        return np.asarray(chance * control + (1 - chance) * treated)


class DRLearner(EffectLearner):
    """Regression of cross-fitted doubly robust scores (see `aipw`) on the covariates.

    Parameters
    ----------
    base : {"linear", "additive", "boosted"}, default "additive"
        The regression of the scores.
    nuisance : {"linear", "additive", "boosted"}, default "linear"
        The models of outcome and action inside the scores.
    max_depth : int, default 3
        Depth of boosted trees: 1 is additive, at most 3.
    n_folds : int, default 5
        Folds of clients for cross-fitting.
    clip : float, default 0.01
        Probabilities of the action are kept in [clip, 1 - clip].
    random_state : int, default 0
        Seed of folds and trees.

    Attributes
    ----------
    average_effect_ : float
        Mean of the predicted effects of the rows learned from.
    n_rows_ : int
        Rows learned from.

    References
    ----------
    Kennedy (2023), Electronic Journal of Statistics 17(2), 3008-3049, doi:10.1214/23-EJS2157.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, called = rng.normal(0, 1, (2000, 2)), rng.integers(0, 2, 2000)
    >>> bought = x[:, 1] + called * (1 + x[:, 0]) + rng.normal(0, 1, 2000)
    >>> effect = DRLearner(base="linear").fit(x, called, bought).predict_effect(x)
    >>> bool(np.corrcoef(effect, 1 + x[:, 0])[0, 1] > 0.95)
    True
    """

    def __init__(
        self,
        *,
        base: Base = "additive",
        nuisance: Base = "linear",
        max_depth: int = 3,
        n_folds: int = 5,
        clip: float = 0.01,
        random_state: int = 0,
    ) -> None:
        super().__init__(base=base, n_folds=n_folds, clip=clip, random_state=random_state)
        self.nuisance = nuisance
        self.max_depth = max_depth

    def _learn(
        self,
        frame: pd.DataFrame,
        matrix: Floats,
        sample: Sample,
        propensity: ArrayLike | float | None,
    ) -> dict[str, Model]:
        check_integer("max_depth", self.max_depth, low=1, high=3)
        scores = doubly_robust(
            sample,
            frame,
            propensity,
            base=self.nuisance,
            n_folds=self.n_folds,
            clip=self.clip,
            seed=self.random_state,
        )
        return {
            "effect": fit_mean(
                self.base, matrix, scores.effect, seed=self.random_state, max_depth=self.max_depth
            )
        }

    def _effect(self, matrix: Floats) -> Floats:
        return self.models_["effect"].predict(matrix)
