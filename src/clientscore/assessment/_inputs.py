"""What the chain accepts: settings of the right kind, tables on one index, flags and earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer
from clientscore._words import SILENT
from clientscore.churn import ChurnModel
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.labels import ExitRules
from clientscore.need import FinancingNeedForecaster
from clientscore.schema import ClientSchema
from clientscore.scoring import ClientScorer
from clientscore.signals import SignalRules
from clientscore.strategy import ServiceStrategy
from clientscore.tiering import TierPolicy

_KINDS: dict[str, tuple[type, str]] = {
    "schema": (ClientSchema, 'ClientSchema.default() or ClientSchema.from_toml("schema.toml")'),
    "scorer": (ClientScorer, "ClientScorer(...)"),
    "churn": (ChurnModel, "ChurnModel(...)"),
    "need": (FinancingNeedForecaster, "FinancingNeedForecaster(...)"),
    "tiers": (TierPolicy, "TierPolicy(...)"),
    "strategy": (ServiceStrategy, 'ServiceStrategy.from_toml("policy.toml")'),
    "exit_rules": (ExitRules, 'ExitRules(...) or ExitRules.from_toml("exits.toml")'),
    "signal_rules": (SignalRules, 'SignalRules(...) or SignalRules.from_toml("signals.toml")'),
}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise unless each setting of the model is of its kind; all that are not are listed."""
    faults = [
        f"{name} must be a {kind.__name__} or None; got {settings[name]!r}. Give {remedy}."
        for name, (kind, remedy) in _KINDS.items()
        if settings[name] is not None and not isinstance(settings[name], kind)
    ]
    horizons = settings["horizons"]
    listed = isinstance(horizons, Sequence | np.ndarray) and not isinstance(horizons, str)
    if horizons is not None and not (listed and len(horizons) and all(map(_is_period, horizons))):
        faults.append(f"horizons must be whole periods of at least 1, such as (3, 6, 12); got {horizons!r}.")
    n_jobs, seed = settings["n_jobs"], settings["random_state"]
    if n_jobs is not None and (not _is_whole(n_jobs) or n_jobs == 0):
        faults.append(f"n_jobs must be a whole number other than 0, or None; got {n_jobs!r}.")
    if not (seed is None or (_is_whole(seed) and seed >= 0)):  # a generator would not fit into a model file
        faults.append(f"random_state must be a whole number of at least 0, or None; got {seed!r}.")
    if faults:
        raise InvalidParameterError("ClientModel cannot use its settings.", faults)
    check_integer("lead", settings["lead"], low=0)


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_period(value: Any) -> bool:
    return _is_whole(value) and value >= 1


def check_feature_table(X: Any) -> None:
    """Raise unless X is a frame with text names, one row for each client_id or (client_id, as_of)."""
    if not isinstance(X, pd.DataFrame):
        raise DataError(f"X must be a DataFrame, features by name; got {type(X).__name__}.")
    odd = [name for name in X.columns if not isinstance(name, str)]
    if odd:
        raise DataError(f"Feature names must be text; got {odd[:5]}. Give X.rename(columns=str).")
    _check_index(X.index)


def _check_index(index: pd.Index) -> None:
    rule = "X's index must be client_id, or (client_id, as_of)"
    if index.nlevels > 2:
        raise DataError(f"{rule}; got {index.nlevels} levels: {list(index.names)}. Drop the others.")
    if index.nlevels == 2 and (index.names[0] == "as_of" or index.names[1] == "client_id"):
        raise DataError(f"{rule}; got {tuple(index.names)}. Give X.swaplevel().")
    if index.nlevels == 2 and not _holds_dates(index.levels[1]):
        raise DataError(f"{rule} with dates as as_of; got {index[0][1]!r}. Give dates, or client_id alone.")
    missing = int(index.get_level_values(0).isna().sum())
    if missing:
        raise DataError(
            f"{rule}; the id is missing in {missing} of {len(index)} rows. Give ids, or drop them."
        )
    if index.has_duplicates:
        first = index[index.duplicated()][0]
        raise DataError(
            f"{rule}, each once; {first!r} stands in several rows. Keep one row a client and date; with "
            "several dates a client, index by (client_id, as_of)."
        )


def _holds_dates(level: pd.Index) -> bool:
    if pd.api.types.is_datetime64_any_dtype(level.dtype):
        return True
    if pd.api.types.is_numeric_dtype(level.dtype):
        return False
    return bool(pd.to_datetime(pd.Series(level), errors="coerce", format="ISO8601").notna().all())


def check_on_index(name: str, frame: Any, X: pd.DataFrame) -> None:
    """Raise unless a frame stands on X's index."""
    if isinstance(frame, pd.Series):
        raise DataError(f"{name} must be a DataFrame; got a Series. Give its to_frame(), with column names.")
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{name} must be a DataFrame on X's index; got {type(frame).__name__}.")
    if not X.index.equals(frame.index):
        raise DataError(f"{name} must stand on X's index; reindex one to the other.")


def check_previous(previous: Any) -> None:
    """Raise unless the earlier runs are a frame."""
    if previous is not None and not isinstance(previous, pd.DataFrame):
        raise DataError(
            f"previous must be a DataFrame with client_id, as_of and tier; got {type(previous).__name__}. "
            "Give the frame() of an earlier assessment."
        )


def exit_states(context: pd.DataFrame) -> pd.Series:
    """Return by which cause each client is gone by a rule: ``exit_state``, else ``silent``; or missing."""
    gone = pd.Series(None, index=context.index, dtype="str")
    if "exit_state" in context:
        given = context["exit_state"]
        odd = [word for word in given.dropna().unique().tolist() if not isinstance(word, str)]
        if odd:
            raise DataError(f"exit_state must hold causes as text or be missing; got {odd[0]!r}.")
        gone = given.astype("str")
    if "silent" not in context:
        return gone
    try:
        silent = context["silent"].astype("boolean").fillna(value=False).astype(bool)
    except (TypeError, ValueError):
        raise DataError(
            f"silent must hold true, false or missing; got {context['silent'].dropna().iloc[0]!r}."
        ) from None
    return gone.mask(silent & gone.isna(), SILENT)


def mapping_of(name: str, given: Any) -> Mapping[str, Any]:
    """Return one client's values as a mapping; a row of a frame is one too."""
    if isinstance(given, Mapping):
        return given
    if isinstance(given, pd.Series):
        return {str(key): value for key, value in given.items()}
    raise DataError(f"{name} must be a mapping of names to values; got {type(given).__name__}.")


def runs_of(previous: Any) -> Sequence[Mapping[str, Any]] | None:
    """Return one client's earlier runs as mappings."""
    if previous is None:
        return None
    if isinstance(previous, Sequence) and all(isinstance(run, Mapping) for run in previous):
        return previous
    raise DataError(
        f"previous must be a list of mappings with as_of and tier; got {type(previous).__name__}. "
        'Of a frame, give frame.to_dict("records").'
    )
