"""Peers from scikit-survival, lifelines and hazardous, with the preparation their documentation asks for.

Where causes compete, a model of one event is fitted once a cause, the other causes censored; its cumulative
hazards are put together by the product rule (`curves.combine_causes`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .curves import at_times, combine_causes, step_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from .data import Rows

    Predict = Callable[[pd.DataFrame, np.ndarray], np.ndarray]

GRID = 200  # points at which cause-specific hazards are put together


def numbers(X: pd.DataFrame) -> tuple[ColumnTransformer, np.ndarray]:
    """Fit medians for missing values, unit variance and indicators of levels; constant columns leave."""
    text = [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]
    rest = [name for name in X if name not in text and X[name].nunique() > 1]
    steps = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    levels = OneHotEncoder(handle_unknown="ignore", drop="first", sparse_output=False)
    columns = ColumnTransformer([("numbers", steps, rest), ("text", levels, text)])
    return columns, columns.fit_transform(X.astype(dict.fromkeys(text, object)))


def apply(columns: ColumnTransformer, X: pd.DataFrame) -> np.ndarray:
    text = [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]
    return columns.transform(X.astype(dict.fromkeys(text, object)))


def _by_cause(
    rows: Rows, n_causes: int, learn: Callable[[np.ndarray, np.ndarray, np.ndarray], Any], read: Any
) -> Predict:
    """Fit one model a cause; `read(model, Z, times)` gives survival for one cause, else cumulative hazard."""
    columns, Z = numbers(rows.X)
    fitted = [learn(Z, rows.duration, rows.event == k) for k in range(1, n_causes + 1)]
    grid = np.unique(np.quantile(rows.duration, np.linspace(0, 1, GRID + 1)[1:]))

    def predicts(X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        Z = apply(columns, X)
        if n_causes == 1:
            return 1.0 - read(fitted[0], Z, times, "survival")[:, :, None]
        hazards = [read(one, Z, grid, "hazard") for one in fitted]
        return at_times(grid, combine_causes(hazards), times)

    return predicts


def _structured(duration: np.ndarray, event: np.ndarray) -> np.ndarray:
    return np.array(list(zip(event, duration, strict=True)), dtype=[("event", bool), ("duration", float)])


def _read_sksurv(model: Any, Z: np.ndarray, times: np.ndarray, what: str) -> np.ndarray:
    if what == "survival":
        return step_columns(
            model.unique_times_, model.predict_survival_function(Z, return_array=True), times, 1.0
        )
    found = model.predict_cumulative_hazard_function(Z, return_array=True)
    return step_columns(model.unique_times_, found, times, 0.0)


def fit_cox(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    from sksurv.linear_model import CoxPHSurvivalAnalysis  # noqa: PLC0415 - only where it is asked for

    def learn(Z: np.ndarray, duration: np.ndarray, event: np.ndarray) -> Any:
        return CoxPHSurvivalAnalysis(alpha=settings["alpha"]).fit(Z, _structured(duration, event))

    return _by_cause(rows, n_causes, learn, _read_sksurv)


def fit_gradient(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    from sksurv.ensemble import GradientBoostingSurvivalAnalysis  # noqa: PLC0415 - as above

    given = {name: settings[name] for name in ("n_estimators", "random_state")}

    def learn(Z: np.ndarray, duration: np.ndarray, event: np.ndarray) -> Any:
        return GradientBoostingSurvivalAnalysis(**given).fit(Z, _structured(duration, event))

    return _by_cause(rows, n_causes, learn, _read_sksurv)


def fit_forest(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    """Fit a forest; durations go up to one of 100 quantiles, since each leaf keeps a curve of all times."""
    from sksurv.ensemble import RandomSurvivalForest  # noqa: PLC0415 - as above

    names = ("n_estimators", "min_samples_leaf", "min_samples_split", "random_state")
    points = np.unique(np.quantile(rows.duration, np.linspace(0, 1, settings["time_points"] + 1)[1:]))

    def learn(Z: np.ndarray, duration: np.ndarray, event: np.ndarray) -> Any:
        coarse = points[np.searchsorted(points, duration)]
        model = RandomSurvivalForest(**{name: settings[name] for name in names}, n_jobs=1)
        return model.fit(Z, _structured(coarse, event))

    return _by_cause(rows, n_causes, learn, _read_sksurv)


def fit_lifelines(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    from lifelines import CoxPHFitter  # noqa: PLC0415 - as above

    def learn(Z: np.ndarray, duration: np.ndarray, event: np.ndarray) -> Any:
        frame = pd.DataFrame(Z).assign(duration=duration, event=event.astype(int))
        frame.columns = frame.columns.astype(str)
        return CoxPHFitter(penalizer=settings["penalizer"]).fit(frame, "duration", "event")

    def read(model: Any, Z: np.ndarray, times: np.ndarray, what: str) -> np.ndarray:
        frame = pd.DataFrame(Z)
        frame.columns = frame.columns.astype(str)
        if what == "survival":
            return model.predict_survival_function(frame, times=times).to_numpy().T
        return model.predict_cumulative_hazard(frame, times=times).to_numpy().T

    return _by_cause(rows, n_causes, learn, read)


def fit_survival_boost(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Predict:
    from hazardous import SurvivalBoost  # noqa: PLC0415 - as above

    del n_causes
    names = ("n_iter", "ipcw_strategy", "random_state")
    model = SurvivalBoost(**{name: settings[name] for name in names}, show_progressbar=False)
    text = [name for name in rows.X if not pd.api.types.is_numeric_dtype(rows.X[name])]
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("text", levels, text)], remainder="passthrough")
    Z = columns.fit_transform(rows.X.astype(dict.fromkeys(text, object)))
    target = pd.DataFrame({"event": rows.event.astype(int), "duration": rows.duration.astype(float)})
    model.fit(Z, target)

    def predicts(X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        Z = columns.transform(X.astype(dict.fromkeys(text, object)))
        return np.moveaxis(model.predict_cumulative_incidence(Z, times=times)[:, 1:], 1, 2)

    return predicts
