"""Sets of durations and causes, split into training and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd


class Rows(NamedTuple):
    """Rows to learn from: features, duration, event (0 = censored, else the cause), client, origin if any."""

    X: pd.DataFrame
    duration: np.ndarray
    event: np.ndarray
    groups: np.ndarray
    time: np.ndarray | None = None


@dataclass(frozen=True)
class Split:
    """One split: row numbers, and the times at which every model is asked."""

    train: np.ndarray
    test: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class SurvivalSet:
    """Features, durations and causes of one set; arrays are in the order of the rows of X.

    In `splits` a row may stand with a shorter follow-up in training than in the test: `known` holds, for
    each split, duration and event of every row as far as they were known when the training ended.
    """

    name: str
    X: pd.DataFrame
    duration: np.ndarray
    event: np.ndarray
    causes: tuple[str, ...]
    splits: tuple[Split, ...]
    groups: np.ndarray | None = None
    known: tuple[tuple[np.ndarray, np.ndarray], ...] | None = None
    n_periods: int | None = None  # whole periods; None: durations are continuous
    time: np.ndarray | None = None  # origin of each row

    def rows(self, place: int, *, train: bool) -> Rows:
        """Return the training or test rows of a split."""
        split = self.splits[place]
        picked = split.train if train else split.test
        duration, event = self.duration, self.event
        if train and self.known is not None:
            duration, event = self.known[place]
        groups = np.arange(len(duration)) if self.groups is None else self.groups
        time = None if self.time is None else self.time[picked]
        X = self.X.iloc[picked].reset_index(drop=True)
        return Rows(X, duration[picked], event[picked], groups[picked], time)

    @cached_property
    def digest(self) -> str:
        """Hash of features, durations and events, as known in each split too."""
        parts = [repr([(name, str(kind)) for name, kind in self.X.dtypes.items()]).encode()]
        parts.append(pd.util.hash_pandas_object(self.X, index=False).to_numpy().tobytes())
        arrays = [self.duration, self.event, self.groups]
        arrays += [part for pair in self.known or () for part in pair]
        arrays += [] if self.time is None else [self.time]
        parts += [b"" if one is None else np.asarray(one, dtype=float).tobytes() for one in arrays]
        return hashlib.sha256(b"|".join([*parts, repr([self.causes, self.n_periods]).encode()])).hexdigest()


def event_quantiles(duration: np.ndarray, event: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return quantiles of the times of events, each once."""
    return np.unique(np.quantile(duration[event > 0], levels))
