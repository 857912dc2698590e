"""The learner of effects chosen inside training: a mixture of candidates by a doubly robust loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer
from clientscore.exceptions import InvalidParameterError

from ._aipw import FEWEST_CLIENTS, doubly_robust
from ._design import aligned_frame, frame_of
from ._learners import DRLearner, EffectLearner, SLearner
from ._sample import by_client, client_folds, sample_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_LEAST_SLOPE = 0.05  # keeps an order of clients where the data show none
_LEAST_WEIGHT = 1e-3
_TEMPERATURE = 4.0  # times the variance of the scores: Leung and Barron's bound


def default_candidates(random_state: int = 0) -> dict[str, EffectLearner]:
    """Return the candidates that `ChosenLearner` tries by default, by name."""
    return {
        "S linear": SLearner(base="linear", random_state=random_state),
        "S additive": SLearner(base="additive", random_state=random_state),
        "S boosted": SLearner(base="boosted", random_state=random_state),
        "DR linear": DRLearner(base="linear", random_state=random_state),
        "DR boosted": DRLearner(base="boosted", max_depth=2, random_state=random_state),
    }


class ChosenLearner(BaseEstimator):  # type: ignore[misc]
    r"""Conditional effects by a mixture of candidates, weighed by cross-validation inside training.

    Nobody sees a client's effect, and curves of uplift are too noisy to choose by.  Candidates are fitted on
    other clients; with their predictions :math:`d_k`, less the mean, and doubly robust scores :math:`\Gamma`,
    less the mean, each gets a slope in [0.05, 1] and a weight,

    .. math:: b_k = \frac{\sum d_k \Gamma}{\sum d_k^2}, \quad L_k = \mathrm{mean} (\Gamma - b_k d_k)^2,
        \quad w_k \propto \exp(-n L_k / (4 \sigma^2))

    so that a candidate that exaggerates is shrunk towards the average effect, and candidates that the data
    cannot tell apart are averaged.  The effect is the average effect plus :math:`\sum_k w_k b_k d_k(x)`.

    Parameters
    ----------
    candidates : dict of str to EffectLearner, default None
        Learners by name; None: those of `default_candidates`.
    n_folds : int, default 5
        Folds of clients on which candidates are compared.
    random_state : int, default 0
        Seed of the folds, and of the default candidates.

    Attributes
    ----------
    weights_ : Series
        Weight of each candidate, at least 0, adding to 1.
    slopes_ : Series
        By how much each candidate's differences between clients are shrunk.
    losses_ : Series
        Loss of each candidate after shrinking less that of the average effect for everybody; below 0: better.
    heterogeneity_p_value_ : float
        One-sided p-value of no relation between the mixture's predictions for other clients and the scores:
        above .05 the data do not show that the effect differs between clients.
    learners_ : dict of str to EffectLearner
        Candidates with weight, fitted on all rows.
    average_effect_ : float
        Doubly robust average effect.

    References
    ----------
    Leung and Barron (2006), IEEE Transactions on Information Theory 52(8), 3396-3410: the weights.
    Chernozhukov, Demirer, Duflo and Fernandez-Val (2025), Econometrica 93(4), 1121-1164: slope and test.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, called = rng.normal(0, 1, (2000, 2)), rng.integers(0, 2, 2000)
    >>> bought = x[:, 1] + called * (1 + x[:, 0]) + rng.normal(0, 1, 2000)
    >>> candidates = {"S": SLearner(base="linear"), "DR": DRLearner(base="linear")}
    >>> chosen = ChosenLearner(candidates=candidates).fit(x, called, bought, propensity=0.5)
    >>> bool(np.corrcoef(chosen.predict_effect(x), 1 + x[:, 0])[0, 1] > 0.95)
    True
    >>> bool(chosen.losses_["DR"] < 0), bool(chosen.heterogeneity_p_value_ < 0.001)
    (True, True)
    """

    def __init__(
        self,
        *,
        candidates: dict[str, EffectLearner] | None = None,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.candidates = candidates
        self.n_folds = n_folds
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
        """Compare the candidates, weigh them, and fit those with weight on all rows.

        Parameters
        ----------
        X, treatment, outcome
            As for :meth:`EffectLearner.fit`.
        propensity : array-like of shape (n,) or float, default None
            Probability of the action where the log holds it; None: learned from the covariates.
        clients : array-like of shape (n,), default None
            Client of each row, kept on one side of a fold; None: each row is a client.

        Returns
        -------
        ChosenLearner
            Itself.
        """
        candidates = self._checked()
        sample = sample_of(outcome, treatment, clients, min_clients=2 * FEWEST_CLIENTS)
        frame = aligned_frame(X, sample.n_rows, name="X")
        chance = None if propensity is None else np.broadcast_to(np.asarray(propensity), sample.n_rows)
        rules: dict[str, Any] = {"base": "linear", "n_folds": self.n_folds, "clip": 0.01}
        scores = doubly_robust(sample, frame, chance, **rules, seed=self.random_state).effect
        folds = client_folds(sample.clients, sample.treatment, self.n_folds, self.random_state + 1)
        predicted = np.empty((sample.n_rows, len(candidates)))
        centered = np.empty(sample.n_rows)
        for fold in range(self.n_folds):
            out, learn = folds == fold, np.flatnonzero(folds != fold)
            centered[out] = scores[out] - scores[learn].mean()
            for place, learner in enumerate(candidates.values()):
                fitted = clone(learner).fit(
                    frame.iloc[learn],
                    sample.treatment[learn],
                    sample.outcome[learn],
                    propensity=None if chance is None else chance[learn],
                    clients=sample.clients[learn],
                )
                predicted[out, place] = fitted.predict_effect(frame[out]) - fitted.average_effect_
        self._weigh(list(candidates), centered, predicted, sample.clients)
        self.average_effect_ = float(scores.mean())
        self.learners_ = {
            name: clone(learner).fit(
                frame, sample.treatment, sample.outcome, propensity=chance, clients=sample.clients
            )
            for name, learner in candidates.items()
            if self.weights_[name] > 0
        }
        return self

    def _weigh(self, names: list[str], scores: Floats, predicted: Floats, clients: NDArray[np.int64]) -> None:
        """Set slopes, losses and weights from predictions for other clients, and test the mixture."""
        squares = np.maximum((predicted**2).sum(axis=0), 1e-300)
        slopes = np.clip(predicted.T @ scores / squares, _LEAST_SLOPE, 1.0)
        losses = ((scores[:, None] - slopes * predicted) ** 2).mean(axis=0)
        weight = np.exp(-len(scores) * (losses - losses.min()) / (_TEMPERATURE * scores.var() + 1e-300))
        weight = np.where(weight >= _LEAST_WEIGHT * weight.sum(), weight, 0.0)
        weight = weight / weight.sum()
        self.slopes_ = pd.Series(slopes, index=names, name="slope")
        self.losses_ = pd.Series(losses - (scores**2).mean(), index=names, name="loss")
        self.weights_ = pd.Series(weight, index=names, name="weight")
        mixed = predicted @ (weight * slopes)
        moments = by_client(mixed * scores, clients)
        error = float(np.sqrt((moments**2).sum()))
        self.heterogeneity_p_value_ = float(norm.sf(moments.sum() / error)) if error > 0 else 1.0

    def predict_effect(self, X: Any) -> pd.Series:
        """Return the effect of the action on each row, in the outcome's unit, on the index of `X`."""
        check_is_fitted(self, "learners_")
        frame = frame_of(X)
        effect = pd.Series(self.average_effect_, index=frame.index, name="effect")
        for name, learner in self.learners_.items():
            difference = learner.predict_effect(frame) - learner.average_effect_
            effect += self.weights_[name] * self.slopes_[name] * difference
        return effect

    def to_state(self) -> dict[str, Any]:
        """Return the fitted mixture as plain data."""
        check_is_fitted(self, "learners_")
        return {
            "n_folds": self.n_folds,
            "random_state": self.random_state,
            "weights": self.weights_.to_dict(),
            "slopes": self.slopes_.to_dict(),
            "losses": self.losses_.to_dict(),
            "heterogeneity_p_value": self.heterogeneity_p_value_,
            "average_effect": self.average_effect_,
            "learners": {name: learner.to_state() for name, learner in self.learners_.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ChosenLearner:
        """Return the mixture that `to_state` wrote; its candidates are those with weight."""
        learners = {name: EffectLearner.from_state(one) for name, one in state["learners"].items()}
        settings = {name: state[name] for name in ("n_folds", "random_state")}
        made = cls(candidates={name: clone(one) for name, one in learners.items()} or None, **settings)
        made.learners_, made.average_effect_ = learners, state["average_effect"]
        made.weights_ = pd.Series(state["weights"], name="weight", dtype=float)
        made.slopes_ = pd.Series(state["slopes"], name="slope", dtype=float)
        made.heterogeneity_p_value_ = state["heterogeneity_p_value"]
        made.losses_ = pd.Series(state["losses"], name="loss", dtype=float)
        return made

    def _checked(self) -> dict[str, EffectLearner]:
        """Return the candidates."""
        check_integer("n_folds", self.n_folds, low=2)
        found = default_candidates(self.random_state) if self.candidates is None else dict(self.candidates)
        strange = [name for name, one in found.items() if not hasattr(one, "predict_effect")]
        if not found or strange:
            raise InvalidParameterError(
                "candidates must map names to learners of effects; got "
                f"{self.candidates!r}. Use SLearner, TLearner, XLearner or DRLearner."
            )
        return found
