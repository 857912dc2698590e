"""The models inside the estimators: of an outcome, of an effect, of the probability of the action.

"linear" and "additive" are ridge regressions whose penalty is chosen by the exact leave-one-out error (the
additive one is a card over bins); "boosted" are small LightGBM trees of depth at most 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import lightgbm as lgb
import numpy as np
from scipy.special import expit, logit

from clientscore.hazard.forest import Forest

from ._design import Design

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ._design import Form

    Floats = NDArray[np.float64]

Base = Literal["linear", "additive", "boosted"]
FORM_OF: dict[str, Form] = {"linear": "linear", "additive": "additive", "boosted": "trees"}

_PENALTIES = 10.0 ** np.arange(-1.0, 5.5, 0.5)  # of the sum of squares of the coefficients
_LOGISTIC_PENALTY = 1.0
_LOGISTIC_PENALTIES = 10.0 ** np.arange(0.0, 4.0, 0.75)
_NEWTON_STEPS = 30
_ROUNDS, _RATE, _LEAVES = 100, 0.05, 6


@dataclass(frozen=True, eq=False)
class Ridge:
    """Intercept + matrix @ slopes, through the logistic function where `logistic`."""

    intercept: float
    slopes: Floats
    penalty: float
    logistic: bool = False
    loss: float = float("nan")  # leave-one-out, a row

    def scaled(self, scale: Floats) -> Ridge:
        """Return the same model of columns divided by `scale`."""
        return replace(self, slopes=self.slopes * scale)

    def predict(self, matrix: Floats) -> Floats:
        """Return the predictions of rows."""
        linear = self.intercept + matrix @ self.slopes
        return np.asarray(expit(linear) if self.logistic else linear)

    def to_state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "ridge", **vars(self)}


class _Trees(Forest):
    """One output: a mean, or the log-odds of a probability."""

    least_outputs = 1


@dataclass(frozen=True, eq=False)
class Boosted:
    """Small trees; their sum goes through the logistic function where `logistic`."""

    forest: Forest
    logistic: bool = False

    def predict(self, matrix: Floats) -> Floats:
        """Return the predictions of rows."""
        raw = self.forest.raw_scores(matrix)[:, 0]
        return np.asarray(expit(raw) if self.logistic else raw)

    def to_state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "boosted", "forest": self.forest.to_state(), "logistic": self.logistic}


Model = Ridge | Boosted


def model_from_state(state: Mapping[str, Any]) -> Model:
    """Return the model that `to_state` wrote."""
    if state["kind"] == "boosted":
        return Boosted(_Trees.from_state(state["forest"]), bool(state["logistic"]))
    slopes, logistic = np.asarray(state["slopes"]), bool(state["logistic"])
    return Ridge(state["intercept"], slopes, state["penalty"], logistic, state["loss"])


def fit_mean(
    base: Base,
    matrix: Floats,
    y: Floats,
    *,
    seed: int,
    binary: bool = False,
    max_depth: int = 3,
    logistic: bool = False,
) -> Model:
    """Learn the mean of `y` given the matrix of the base's form; `logistic`: ridge on the log-odds."""
    if base == "boosted":
        return _fit_boosted(matrix, y, seed=seed, binary=binary, max_depth=max_depth)
    if logistic and binary and 0.0 < y.mean() < 1.0:
        return fit_logistic_ridge(matrix, y)
    return fit_ridge(matrix, y)


def fit_ridge(matrix: Floats, y: Floats) -> Ridge:
    """Least squares with a penalty on the slopes, chosen by the leave-one-out error.

    With the singular values of the centered matrix that error has a closed form (Golub, Heath and Wahba,
    1979, Technometrics 21, 215-223).
    """
    center, mean = matrix.mean(axis=0), float(y.mean())
    X, residual = matrix - center, y - mean
    values, vectors = np.linalg.eigh(X.T @ X)
    values = np.maximum(values, 0.0)
    turned = X @ vectors
    moment = turned.T @ residual
    squares = turned**2
    best = (np.inf, np.zeros(matrix.shape[1]), float(_PENALTIES[-1]))
    for penalty in _PENALTIES:
        weight = moment / (values + penalty)
        leverage = np.minimum(squares @ (1.0 / (values + penalty)) + 1.0 / len(y), 1 - 1e-9)
        error = float((((residual - turned @ weight) / (1.0 - leverage)) ** 2).mean())
        if error < best[0]:
            best = (error, vectors @ weight, float(penalty))
    return Ridge(mean - float(center @ best[1]), best[1], best[2], loss=best[0])


def fit_logistic(matrix: Floats, y: Floats, penalty: float = _LOGISTIC_PENALTY) -> Ridge:
    """Logistic regression with a small penalty on the slopes."""
    X = np.column_stack([np.ones(len(y)), matrix])
    beta, _ = _newton(X, y, penalty, None)
    return Ridge(float(beta[0]), beta[1:], penalty, logistic=True)


def fit_logistic_ridge(matrix: Floats, y: Floats) -> Ridge:
    """Logistic regression whose penalty is chosen by the leave-one-out deviance.

    One Newton step from the fit on all rows gives the log-odds of a row without itself (Rad and Maleki, 2020,
    JRSS-B 82, 965-996).
    """
    X = np.column_stack([np.ones(len(y)), matrix])
    beta: Floats | None = None
    best = (np.inf, np.zeros(X.shape[1]), float(_LOGISTIC_PENALTIES[-1]))
    for penalty in _LOGISTIC_PENALTIES[::-1]:  # from the smoothest on, each from the one before
        beta, curve = _newton(X, y, penalty, beta)
        p = expit(X @ beta)
        leverage = ((X @ np.linalg.inv(curve)) * X).sum(axis=1)
        out = X @ beta - (y - p) * leverage / np.maximum(1 - p * (1 - p) * leverage, 1e-9)
        deviance = float((np.logaddexp(0, out) - y * out).mean())
        if deviance < best[0]:
            best = (deviance, beta, float(penalty))
    return Ridge(float(best[1][0]), best[1][1:], best[2], logistic=True, loss=best[0])


def _newton(X: Floats, y: Floats, penalty: float, start: Floats | None) -> tuple[Floats, Floats]:
    """Return the coefficients and the curvature; the first column is the intercept."""
    ridge = np.r_[0.0, np.full(X.shape[1] - 1, penalty)]
    first = np.r_[logit(np.clip(y.mean(), 1e-6, 1 - 1e-6)), np.zeros(X.shape[1] - 1)]
    beta = first if start is None else start
    for _ in range(_NEWTON_STEPS):
        p = expit(X @ beta)
        slope = X.T @ (y - p) - ridge * beta
        curve = (X.T * (p * (1 - p))) @ X + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curve, slope)
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        beta = beta + step
        if np.abs(step).max() < 1e-5:
            break
    return beta, curve


def fit_propensity(base: Base, matrix: Floats, treatment: Floats, *, seed: int) -> Model:
    """Learn the probability of the action."""
    if base == "boosted":
        return _fit_boosted(matrix, treatment, seed=seed, binary=True, max_depth=3)
    return fit_logistic(matrix, treatment)


def _fit_boosted(matrix: Floats, y: Floats, *, seed: int, binary: bool, max_depth: int) -> Boosted:
    """Grow few, small, slow trees: what is learned here is a correction, or a small effect."""
    both = 0.0 < y.mean() < 1.0
    params = {
        "objective": "binary" if binary and both else "regression",
        "learning_rate": _RATE,
        "num_leaves": min(_LEAVES, 2**max_depth),
        "max_depth": max_depth,
        "min_data_in_leaf": max(10, min(200, len(y) // 50)),
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "num_threads": 1,
        "force_col_wise": True,
        "deterministic": True,
        "seed": seed % (2**31 - 1),
        "verbosity": -1,
    }
    data = lgb.Dataset(matrix, y, params=params)
    booster = lgb.train(params, data, num_boost_round=_ROUNDS)
    return Boosted(_Trees.from_text(booster.model_to_string()), logistic=binary and bool(both))


def design_for(base: Base, X: Any) -> Design:
    """Return the design that a base reads."""
    return Design.of(X, FORM_OF[base])


def is_binary(y: Floats) -> bool:
    """Tell whether an outcome takes only 0 and 1."""
    return bool(np.isin(y, (0.0, 1.0)).all())
