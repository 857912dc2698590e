"""A labelled set and how it is split: by time where there is time, else in repeated folds by client."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from common import SEED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGE = 20_000  # rows from which a set counts as large: one round of folds, and a point gap as its bar
N_FOLDS = 5

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class LabelledSet:
    """Features, outcome and splits of one set; all arrays are in the order of the rows of X."""

    name: str
    X: pd.DataFrame  # numbers, and text columns as text; no index that means anything
    y: np.ndarray  # 0 or 1
    groups: np.ndarray | None  # client of each row
    time: np.ndarray | None  # what the rows are ordered by, where they are
    splits: tuple[Split, ...]  # row numbers of training and test
    how: str  # the split in words

    @property
    def large(self) -> bool:
        """Whether the set has more than 20,000 rows."""
        return len(self.y) > LARGE

    @property
    def text_columns(self) -> list[str]:
        """Names of the columns that hold text."""
        return [name for name in self.X if not pd.api.types.is_numeric_dtype(self.X[name])]

    @cached_property
    def digest(self) -> str:
        """Hash of features and outcome."""
        parts = [repr([(name, str(kind)) for name, kind in self.X.dtypes.items()]).encode()]
        parts.append(pd.util.hash_pandas_object(self.X, index=False).to_numpy().tobytes())
        parts.append(np.asarray(self.y, dtype=np.int8).tobytes())
        parts.append(b"" if self.groups is None else np.asarray(self.groups, dtype=np.int64).tobytes())
        return hashlib.sha256(b"|".join(parts)).hexdigest()

    @property
    def clusters(self) -> np.ndarray:
        """Client number of each row; the row itself where there is no client."""
        return np.arange(len(self.y)) if self.groups is None else self.groups


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read one file of the public data."""
    return pd.read_parquet(folder / f"{name}.parquet")


def by_folds(
    name: str, X: pd.DataFrame, y: Sequence[float] | pd.Series, groups: pd.Series | None = None
) -> LabelledSet:
    """Build a set without time: 5 stratified folds by client, twice for at most 20,000 rows."""
    X, target, client, _ = _arrays(X, y, groups, None)
    rounds = 1 if len(target) > LARGE else 2
    splits: list[Split] = []
    for repeat in range(rounds):
        kind = StratifiedKFold if client is None else StratifiedGroupKFold
        folds = kind(n_splits=N_FOLDS, shuffle=True, random_state=SEED + repeat)
        splits += [(train, test) for train, test in folds.split(target, target, client)]
    who = "rows" if client is None else "clients"
    how = f"{N_FOLDS} folds of {who}" + (f", {rounds} times" if rounds > 1 else "")
    return LabelledSet(name, X, target, client, None, tuple(splits), how)


def by_time(
    name: str,
    X: pd.DataFrame,
    y: Sequence[float] | pd.Series,
    time: pd.Series,
    windows: Sequence[tuple[object, object, object]],
    groups: pd.Series | None = None,
) -> LabelledSet:
    """Build a set with forward splits; each window is (training to, test from, test to), all inclusive."""
    X, target, client, when = _arrays(X, y, groups, time)
    splits = tuple(
        (np.flatnonzero(when <= last), np.flatnonzero((when >= first) & (when <= end)))
        for last, first, end in windows
    )
    how = "; ".join(f"to {_word(last)}, test {_span(first, end)}" for last, first, end in windows)
    return LabelledSet(name, X, target, client, when, splits, how)


def _arrays(
    X: pd.DataFrame, y: Sequence[float] | pd.Series, groups: pd.Series | None, time: pd.Series | None
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray | None, np.ndarray | None]:
    target = np.asarray(y, dtype=float)
    if not np.isin(target, (0, 1)).all():
        raise ValueError("y must hold 0 and 1 only.")
    client = None if groups is None else pd.factorize(groups)[0].astype(np.int64)
    numbers = X.select_dtypes("number").columns
    X = X.astype(dict.fromkeys(numbers, float)).reset_index(drop=True)
    values = X[numbers].to_numpy()
    if np.isinf(values).any():
        raise ValueError("Features must be finite or missing.")
    return X, target, client, None if time is None else np.asarray(time)


def _span(first: object, last: object) -> str:
    return _word(first) if first == last else f"{_word(first)} to {_word(last)}"


def _word(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)
