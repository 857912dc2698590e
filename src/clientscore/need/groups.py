"""Which clients share an interval's calibration: thirds of the noise or of a number, levels of a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns
from clientscore.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NOISE, SIZE, AUTO = "noise", "size", "auto"
SIZE_FEATURES = ("size_amount", "log_assets", "log_revenue")
NAMED_COLUMNS = ("tier", "industry", "segment")  # looked for by "auto", where they are words
_MAX_LEVELS = 50
_THIRDS = (1 / 3, 2 / 3)


@dataclass(frozen=True)
class Grouping:
    """One way to put clients into groups.

    Parameters
    ----------
    source : str
        "noise" (the spread that the model expects), or a column of the features.
    cuts : tuple of float, default ()
        Ends of the groups of a number, upper ends included; empty for words.
    levels : tuple of str, default ()
        Words that are a group each; empty for numbers.
    """

    source: str
    cuts: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the groups; the last of a column is for what is missing or was not met in training."""
        if self.source == NOISE:
            return ("calm", "middle", "noisy")
        if self.levels:
            return (*self.levels, "other")
        return tuple(f"{self.source} {word}" for word in ("low", "middle", "high", "missing"))

    @classmethod
    def of_noise(cls, log_scale: Floats, *, varies: bool) -> Grouping:
        """Cut at the thirds of the expected spread; where it is one for all, all are calm."""
        return cls(NOISE, tuple(np.quantile(log_scale, _THIRDS).tolist()) if varies else (np.inf, np.inf))

    @classmethod
    def of_column(cls, column: pd.Series) -> Grouping:
        """Cut a number at its thirds; words are a group each."""
        name = str(column.name)
        if pd.api.types.is_numeric_dtype(column.dtype):
            values = column.to_numpy(np.float64, na_value=np.nan)
            values = values[np.isfinite(values)]
            cuts = np.quantile(values, _THIRDS) if len(values) else np.array([0.0, 0.0])
            return cls(name, tuple(cuts.tolist()))
        levels = sorted(column.dropna().astype(str).unique())
        if not 1 <= len(levels) <= _MAX_LEVELS:
            raise InvalidParameterError(
                f"interval_groups={name!r} must have 1 to {_MAX_LEVELS} levels; got {len(levels)}. Join some."
            )
        return cls(name, levels=tuple(levels))

    def codes(self, values: Any) -> Ints:
        """Return the group's number of each value."""
        if self.levels:
            found = pd.Index(self.levels).get_indexer(pd.Series(values).astype("str"))
            return np.where(found < 0, len(self.levels), found).astype(np.int64)
        numbers = np.asarray(pd.array(values, dtype="Float64").to_numpy(np.float64, na_value=np.nan))
        code = np.searchsorted(self.cuts, numbers, side="left")
        return np.where(np.isnan(numbers), len(self.labels) - 1, code).astype(np.int64)

    def code_one(self, value: Any) -> int:
        """Return the group's number of one value."""
        missing = value is None or value is pd.NA or value != value  # noqa: PLR0124 -- NaN
        if self.levels:
            text = None if missing else str(value)
            return self.levels.index(text) if text in self.levels else len(self.levels)
        return len(self.labels) - 1 if missing else int(np.searchsorted(self.cuts, value, side="left"))


@dataclass(frozen=True)
class IntervalGroups:
    """One grouping, or several crossed: "calm / log_assets low".

    Parameters
    ----------
    groupings : tuple of Grouping
        At least one; a cell that is too small falls back to the first one's group, then to all.
    """

    groupings: tuple[Grouping, ...]

    @property
    def labels(self) -> list[str]:
        """Names of the cells, in the order of their numbers."""
        names = [""]
        for one in self.groupings:
            names = [f"{name} / {label}" if name else label for name in names for label in one.labels]
        return names

    @property
    def columns(self) -> list[str]:
        """Columns of the features that are read."""
        return [one.source for one in self.groupings if one.source != NOISE]

    @property
    def parents(self) -> Ints:
        """Number of each cell's group in the first grouping."""
        first = len(self.groupings[0].labels)
        return np.repeat(np.arange(first), len(self.labels) // first)

    def codes(self, X: pd.DataFrame, log_scale: Floats) -> Ints:
        """Return the cell's number of every row."""
        check_columns(X.columns, self.columns, subject="X")
        total = np.zeros(len(X), dtype=np.int64)
        for one in self.groupings:
            values = log_scale if one.source == NOISE else X[one.source]
            total = total * len(one.labels) + one.codes(values)
        return total

    def code_one(self, values: Mapping[str, Any], log_scale: float) -> int:
        """Return the cell's number of one client."""
        check_columns(values.keys(), self.columns, subject="The client")
        total = 0
        for one in self.groupings:
            value = log_scale if one.source == NOISE else values[one.source]
            total = total * len(one.labels) + one.code_one(value)
        return total

    def to_state(self) -> list[dict[str, Any]]:
        """Return the groupings as lists and dicts."""
        return [
            {"source": one.source, "cuts": list(one.cuts), "levels": list(one.levels)}
            for one in self.groupings
        ]

    @classmethod
    def from_state(cls, state: Sequence[Mapping[str, Any]]) -> IntervalGroups:
        """Return the groups that `to_state` wrote."""
        return cls(
            tuple(
                Grouping(str(one["source"]), tuple(map(float, one["cuts"])), tuple(map(str, one["levels"])))
                for one in state
            )
        )


def size_column(X: pd.DataFrame) -> str | None:
    """Return the column that tells a client's size, None where there is none."""
    return next((name for name in SIZE_FEATURES if name in X), None)


def named_groups(
    names: str | Sequence[str], X: pd.DataFrame, log_scale: Floats, *, varies: bool
) -> IntervalGroups:
    """Return the groups that a user asked for."""
    asked = [names] if isinstance(names, str) else list(names)
    if not asked or len(set(asked)) < len(asked):
        raise InvalidParameterError(f"interval_groups must name one or more different groups; got {names!r}.")
    groupings = []
    for name in asked:
        if name == NOISE:
            groupings.append(Grouping.of_noise(log_scale, varies=varies))
            continue
        column = size_column(X) if name == SIZE else name
        if column is None:
            raise InvalidParameterError(
                f"interval_groups='size' needs one of the columns {', '.join(SIZE_FEATURES)}; "
                "X has none. Name the column that tells the size."
            )
        check_columns(X.columns, [column], subject="X, for interval_groups,")
        groupings.append(Grouping.of_column(X[column]))
    return IntervalGroups(tuple(groupings))


def candidate_names(X: pd.DataFrame) -> list[str]:
    """Return what "auto" chooses from, the noise first."""
    sized = [SIZE] if size_column(X) is not None else []
    words = [
        name
        for name in NAMED_COLUMNS
        if name in X
        and not pd.api.types.is_numeric_dtype(X[name].dtype)
        and 2 <= X[name].nunique() <= _MAX_LEVELS
    ]
    return [NOISE, *sized, *words]


def as_number(value: Any) -> float:
    """Return one client's value as a number, missing as NaN."""
    return np.nan if value is None or value is pd.NA else float(value)
