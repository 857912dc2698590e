"""The learner of effects chosen inside training: a mixture of candidates by a doubly robust loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer, check_interval
from clientscore.exceptions import DataError, InvalidParameterError

from ._aipw import FEWEST_CLIENTS, doubly_robust
from ._design import frame_of
from ._learners import DRLearner, EffectLearner, SLearner, TLearner, XLearner
from ._sample import client_folds, sample_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

CONSTANT = "constant"  # the average effect for everybody


def default_candidates(random_state: int = 0) -> dict[str, EffectLearner]:
    """Return the candidates that `ChosenLearner` tries by default, by name."""
    same = {"random_state": random_state}
    return {
        "S additive": SLearner(base="additive", **same),
        "S boosted": SLearner(base="boosted", **same),
        "T linear": TLearner(base="linear", **same),
        "X additive": XLearner(base="additive", **same),
        "X boosted": XLearner(base="boosted", **same),
        "DR linear": DRLearner(base="linear", **same),
        "DR additive": DRLearner(base="additive", **same),
        "DR boosted": DRLearner(base="boosted", **same),
    }


class ChosenLearner(BaseEstimator):  # type: ignore[misc]
    r"""Conditional effects by a mixture of candidates, chosen by cross-validation inside training.

    Nobody sees a client's effect, and curves of uplift are too noisy to choose by.  Candidates are fitted
    on other clients and compared by the squared distance of their predictions :math:`\tau_k` from doubly
    robust scores :math:`\Gamma`; the weights minimize

    .. math:: \nu L\Bigl(\sum_k w_k \tau_k\Bigr) + (1-\nu) \sum_k w_k L(\tau_k),
        \quad L(\tau) = \mathrm{mean} (\Gamma - \tau)^2

    (Q-aggregation: between choosing the best one, :math:`\nu = 0`, and stacking, :math:`\nu = 1`).  The
    average effect for everybody is always among the candidates.

    Parameters
    ----------
    candidates : dict of str to EffectLearner, default None
        Learners by name; None: those of `default_candidates`.
    nu : float, default 0.5
        Share of the mixture's own loss, in [0, 1].
    n_folds : int, default 5
        Folds of clients on which candidates are compared.
    random_state : int, default 0
        Seed of the folds, and of the default candidates.

    Attributes
    ----------
    weights_ : Series
        Weight of each candidate, at least 0, adding to 1.
    losses_ : Series
        Loss of each candidate less that of the constant; below 0: better than the average effect for
        everybody.
    learners_ : dict of str to EffectLearner
        Candidates with weight, fitted on all rows.
    average_effect_ : float
        Doubly robust average effect.

    References
    ----------
    Lan and Syrgkanis (2024), Causal Q-aggregation for CATE model selection, AISTATS, PMLR 238.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, called = rng.normal(0, 1, (2000, 2)), rng.integers(0, 2, 2000)
    >>> bought = x[:, 1] + called * (1 + x[:, 0]) + rng.normal(0, 1, 2000)
    >>> candidates = {"T": TLearner(base="linear"), "DR": DRLearner(base="linear")}
    >>> chosen = ChosenLearner(candidates=candidates).fit(x, called, bought, propensity=0.5)
    >>> bool(np.corrcoef(chosen.predict_effect(x), 1 + x[:, 0])[0, 1] > 0.95)
    True
    >>> bool(chosen.losses_["DR"] < 0), round(chosen.weights_.sum(), 6)
    (True, np.float64(1.0))
    """

    def __init__(
        self,
        *,
        candidates: dict[str, EffectLearner] | None = None,
        nu: float = 0.5,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.candidates = candidates
        self.nu = nu
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
        X, treatment, outcome, propensity, clients
            As for :meth:`EffectLearner.fit`.

        Returns
        -------
        ChosenLearner
            Itself.
        """
        candidates = self._checked()
        frame = frame_of(X)
        sample = sample_of(outcome, treatment, clients, min_clients=2 * FEWEST_CLIENTS)
        if len(frame) != sample.n_rows:
            raise DataError(
                f"X must have {sample.n_rows} rows like outcome; got {len(frame)}. Align the rows."
            )
        chance = None if propensity is None else np.broadcast_to(np.asarray(propensity), sample.n_rows)
        rules: dict[str, Any] = {"base": "linear", "n_folds": self.n_folds, "clip": 0.01}
        scores = doubly_robust(sample, frame, chance, **rules, seed=self.random_state).effect
        folds = client_folds(sample.clients, sample.treatment, self.n_folds, self.random_state + 1)
        predicted = np.empty((sample.n_rows, len(candidates) + 1))
        for fold in range(self.n_folds):
            out, learn = folds == fold, np.flatnonzero(folds != fold)
            predicted[out, 0] = scores[learn].mean()
            for place, learner in enumerate(candidates.values(), start=1):
                fitted = clone(learner).fit(
                    frame.iloc[learn],
                    sample.treatment[learn],
                    sample.outcome[learn],
                    propensity=None if chance is None else chance[learn],
                    clients=sample.clients[learn],
                )
                predicted[out, place] = fitted.predict_effect(frame[out])
        names = [CONSTANT, *candidates]
        losses = ((scores[:, None] - predicted) ** 2).mean(axis=0)
        self.losses_ = pd.Series(losses - losses[0], index=names, name="loss")
        self.weights_ = pd.Series(_weights(scores, predicted, self.nu), index=names, name="weight")
        self.average_effect_ = float(scores.mean())
        self.learners_ = {
            name: clone(learner).fit(
                frame, sample.treatment, sample.outcome, propensity=chance, clients=sample.clients
            )
            for name, learner in candidates.items()
            if self.weights_[name] > 0
        }
        return self

    def predict_effect(self, X: Any) -> pd.Series:
        """Return the effect of the action on each row, in the outcome's unit, on the index of `X`."""
        check_is_fitted(self, "learners_")
        frame = frame_of(X)
        effect = pd.Series(self.weights_[CONSTANT] * self.average_effect_, index=frame.index, name="effect")
        for name, learner in self.learners_.items():
            effect += self.weights_[name] * learner.predict_effect(frame)
        return effect

    def to_state(self) -> dict[str, Any]:
        """Return the fitted mixture as plain data."""
        check_is_fitted(self, "learners_")
        return {
            "nu": self.nu,
            "n_folds": self.n_folds,
            "random_state": self.random_state,
            "weights": self.weights_.to_dict(),
            "losses": self.losses_.to_dict(),
            "average_effect": self.average_effect_,
            "learners": {name: learner.to_state() for name, learner in self.learners_.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ChosenLearner:
        """Return the mixture that `to_state` wrote; its candidates are those with weight."""
        learners = {name: EffectLearner.from_state(one) for name, one in state["learners"].items()}
        settings = {name: state[name] for name in ("nu", "n_folds", "random_state")}
        made = cls(candidates={name: clone(one) for name, one in learners.items()} or None, **settings)
        made.learners_, made.average_effect_ = learners, state["average_effect"]
        made.weights_ = pd.Series(state["weights"], name="weight", dtype=float)
        made.losses_ = pd.Series(state["losses"], name="loss", dtype=float)
        return made

    def _checked(self) -> dict[str, EffectLearner]:
        """Return the candidates."""
        check_interval("nu", self.nu, low=0.0, high=1.0)
        check_integer("n_folds", self.n_folds, low=2)
        found = default_candidates(self.random_state) if self.candidates is None else dict(self.candidates)
        strange = [name for name, one in found.items() if not hasattr(one, "predict_effect")]
        if not found or strange or CONSTANT in found:
            raise InvalidParameterError(
                f"candidates must map names other than {CONSTANT!r} to learners of effects; got "
                f"{self.candidates!r}. Use SLearner, TLearner, XLearner or DRLearner."
            )
        return found


def _weights(scores: Floats, predicted: Floats, nu: float) -> Floats:
    """Minimize the loss of Q-aggregation over the simplex; weights below 0.001 become 0."""
    scale = float(((predicted - predicted.mean()) ** 2).mean()) + 1e-12
    losses = ((scores[:, None] - predicted) ** 2).mean(axis=0)
    cross = predicted.T @ predicted / len(scores)
    moment = predicted.T @ scores / len(scores)

    def loss(w: Floats) -> tuple[float, Floats]:
        own = float(w @ cross @ w - 2 * moment @ w)
        slope = nu * (2 * cross @ w - 2 * moment) + (1 - nu) * (losses - losses[0])
        return (nu * own + (1 - nu) * float(w @ (losses - losses[0]))) / scale, slope / scale

    k = predicted.shape[1]
    found = minimize(
        loss,
        np.full(k, 1 / k),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * k,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 500, "ftol": 1e-10},
    )
    weight = np.where(found.x > 1e-3, found.x, 0.0)
    return np.asarray(weight / weight.sum())
