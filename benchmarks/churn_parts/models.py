"""Ours and its peers: each learns from rows and gives incidences by cause at given times, on one thread."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import pandas as pd

import clientscore as cs
from clientscore.hazard import CompetingHazard
from common import SEED
from common.repository import REPOSITORY

from .curves import at_times, time_bins, to_bins
from .peers import fit_cox, fit_forest, fit_gradient, fit_lifelines, fit_survival_boost

if TYPE_CHECKING:
    from collections.abc import Callable

    from .data import Rows, SurvivalSet

    Predict = Callable[[pd.DataFrame, np.ndarray], np.ndarray]
    Fit = Callable[[Rows, int, dict[str, Any]], Predict]

OURS = "clientscore"
N_BINS = 20  # of a continuous clock


@dataclass(frozen=True)
class Model:
    """A way to learn: `fit` takes rows, the number of causes and settings, and returns what predicts."""

    name: str
    fit: Fit
    settings: dict[str, Any]
    packages: tuple[str, ...] = ()
    ours: bool = False

    def identity(self, settings: dict[str, Any]) -> str:
        """Name, versions, settings and own sources as text: part of the key of a kept prediction."""
        versions = {package: version(package) for package in self.packages}
        digest = hashlib.sha256()
        source = REPOSITORY / "src" / "clientscore"
        patterns = ("hazard/**/*.py", "hazard.py", "additive/**/*.py", "churn*.py", "churn/**/*.py", "_*.py")
        for pattern in patterns if self.ours else ():
            for file in sorted(source.glob(pattern)):
                digest.update(file.read_bytes())
        return json.dumps([self.name, versions, settings, digest.hexdigest()], sort_keys=True)

    def settings_for(self, data: SurvivalSet) -> dict[str, Any]:
        """Return the settings with what the set says of its clock."""
        return {**self.settings, "n_periods": data.n_periods}


@dataclass(frozen=True)
class Prediction:
    """Incidences (rows, times, causes), or the error a model ended with; CPU seconds of both steps."""

    incidence: np.ndarray | None
    error: str
    fit_seconds: float
    predict_seconds: float


def predict(model: Model, data: SurvivalSet, place: int) -> Prediction:
    """Learn on one split and predict at its times; a model that fails is recorded with its error."""
    rows, test = data.rows(place, train=True), data.rows(place, train=False)
    times = data.splits[place].times
    start = fitted = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            settings = model.settings_for(data)
            rows = thinned(rows, settings.get("most_rows", len(rows.X)))
            learned = model.fit(rows, len(data.causes), settings)
            fitted = time.process_time()
            made = np.asarray(learned(test.X, times), dtype=np.float64)
        end = time.process_time()
        if made.shape != (len(test.X), len(times), len(data.causes)) or not np.isfinite(made).all():
            raise ValueError(f"{int((~np.isfinite(made)).sum())} values of shape {made.shape}")  # noqa: TRY301
    except Exception as error:  # noqa: BLE001 - a benchmark reports how a peer fails
        text = f"{type(error).__name__}: {error}"[:300]
        return Prediction(None, text, time.process_time() - start, 0.0)
    return Prediction(made, "", fitted - start, end - fitted)


def thinned(rows: Rows, most: int) -> Rows:
    """Draw clients, with all their rows, until about so many rows are there."""
    if len(rows.X) <= most:
        return rows
    clients, number = np.unique(rows.groups, return_inverse=True)
    drawn = np.random.default_rng(SEED).random(len(clients)) < most / len(rows.X)
    kept = np.flatnonzero(drawn[number])
    return rows._replace(
        X=rows.X.iloc[kept].reset_index(drop=True),
        duration=rows.duration[kept],
        event=rows.event[kept],
        groups=rows.groups[kept],
        time=None if rows.time is None else rows.time[kept],
    )


# ---- ours ------------------------------------------------------------------------------------------------


def fit_ours(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    """Fit the hazard of the library: whole periods as they are, a continuous clock in bins."""
    names = {k: f"cause_{k}" for k in range(1, n_causes + 1)}
    given = {"causes": names, "random_state": 0, **settings["parameters"]}
    if settings["n_periods"]:
        hazard = CompetingHazard(n_periods=settings["n_periods"], **given)
        hazard.fit(rows.X, rows.duration, rows.event, rows.groups)
        if settings.get("latest"):
            late = rows.time > rows.time.max() - settings["latest"]
            hazard = hazard.recalibrate(rows.X[late], rows.duration[late], rows.event[late])
        return lambda X, times: hazard.predict_incidence(X, times.astype(int))
    hazard = CompetingHazard(n_time_bins=settings["n_bins"], **given)
    hazard.fit(rows.X, rows.duration, rows.event, rows.groups)
    return hazard.predict_incidence


def _binned(rows: Rows, n_bins: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    edges = time_bins(rows.duration, rows.event, n_bins)
    period, event, kept = to_bins(rows.duration, rows.event, edges)
    return edges, (period, event), kept


# ---- peers without a package of their own ----------------------------------------------------------------


def fit_population(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    """Give everybody the curves of the population: Kaplan-Meier, Aalen-Johansen where causes compete."""
    del settings
    grid = np.unique(rows.duration)
    curves = cs.metrics.aalen_johansen(
        rows.duration,
        rows.event,
        horizons=grid.tolist(),
        causes={k: f"cause_{k}" for k in range(1, n_causes + 1)},
    )
    values = curves.drop(columns="survival").ffill().to_numpy()

    def predicts(X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        place = np.searchsorted(grid, times, side="right")
        found = np.vstack([np.zeros(n_causes), values])[place]
        return np.broadcast_to(found, (len(X), *found.shape))

    return predicts


def fit_lightgbm_hazard(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    """Fit one multinomial LightGBM on client-periods, untuned, without early stopping."""
    if settings["n_periods"]:
        edges = np.arange(1.0, settings["n_periods"] + 1)
        period, event, kept = rows.duration.astype(int), rows.event, np.ones(len(rows.event), dtype=bool)
        event = np.where(period > settings["n_periods"], 0, event)
        period = np.minimum(period, settings["n_periods"])
    else:
        edges, (period, event), kept = _binned(rows, settings["n_bins"])
    row = np.repeat(np.flatnonzero(kept), period[kept])
    at = np.concatenate([np.arange(1, n + 1) for n in period[kept]])
    y = np.where(at == period[row], event[row], 0)
    X = as_categories(rows.X)
    table = X.iloc[row].assign(period=at)
    objective = {"objective": "multiclass", "num_class": n_causes + 1}
    booster = lgb.train(
        {**objective, **settings["parameters"]}, lgb.Dataset(table, y), num_boost_round=settings["rounds"]
    )
    last = int(period[kept].max())

    def predicts(X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        X = as_categories(X, like=table)
        left, gone = np.ones(len(X)), np.zeros((len(X), n_causes))
        curves = []
        for one in range(1, last + 1):
            hazard = booster.predict(X.assign(period=one), num_threads=1)[:, 1:]
            gone = gone + left[:, None] * hazard
            left = left * (1 - hazard.sum(axis=1))
            curves.append(gone)
        return at_times(edges[:last], np.stack(curves, axis=1), times)

    return predicts


def as_categories(X: pd.DataFrame, like: pd.DataFrame | None = None) -> pd.DataFrame:
    """Turn text into categories, those of `like` where given."""
    text = [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]
    kinds = {name: "category" if like is None else like[name].dtype for name in text}
    return X.astype(kinds)


_ENGINE = ("lightgbm", "scikit-learn", "numpy", "pandas")
_TREES = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 50,
    "verbosity": -1,
    "num_threads": 1,
    "seed": SEED,
}
_TREES |= {"deterministic": True, "force_col_wise": True}
# Fits of these grow faster than the rows; larger sets are thinned by client, and the page says so.
_MOST_ROWS = {"most_rows": 15_000}
MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(OURS, fit_ours, {"n_bins": N_BINS, "parameters": {}}, _ENGINE, ours=True),
        Model("population", fit_population, {}),
        Model("cox (scikit-survival)", fit_cox, {"alpha": 1e-3}, ("scikit-survival",)),
        # With .001 and .01 some splits of flchain end without convergence, said in a warning only.
        Model("cox (lifelines)", fit_lifelines, {"penalizer": 0.1}, ("lifelines",)),
        Model(
            "gbsa", fit_gradient, {"n_estimators": 100, "random_state": 0} | _MOST_ROWS, ("scikit-survival",)
        ),
        Model(
            "rsf",
            fit_forest,
            {"n_estimators": 100, "min_samples_leaf": 15, "min_samples_split": 10, "random_state": 0}
            | {"time_points": 100}
            | _MOST_ROWS,
            ("scikit-survival",),
        ),
        Model(
            "survivalboost",
            fit_survival_boost,
            {"n_iter": 100, "ipcw_strategy": "kaplan-meier", "random_state": 0} | _MOST_ROWS,
            ("hazardous", "scikit-learn"),
        ),
        Model(
            "lightgbm hazard",
            fit_lightgbm_hazard,
            {"n_bins": N_BINS, "rounds": 100, "parameters": _TREES},
            ("lightgbm",),
        ),
    )
}
