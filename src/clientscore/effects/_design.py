"""Covariates as a matrix of numbers: text one-hot, numbers standardized, missing values with a flag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_columns
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Form = Literal["linear", "additive", "trees"]

_MOST_LEVELS = 20  # of a text column; rarer ones share the row of "none of these"
_MIN_SHARE = 0.002  # of the rows, for a level or a flag to have a column
_BINS = 10  # of a number in the additive form


@dataclass(frozen=True)
class Column:
    """How one covariate becomes columns of the matrix."""

    name: str
    levels: tuple[str, ...] = ()  # of text
    center: float = 0.0
    scale: float = 1.0
    edges: tuple[float, ...] = ()  # inner edges of bins
    flags_missing: bool = False

    def transform(self, values: pd.Series, form: Form) -> list[Floats]:
        """Return the columns of rows."""
        if self.levels:
            text = values.astype(object).map(str).to_numpy(dtype=object)
            text[values.isna().to_numpy()] = None
            return [np.asarray(text == level, dtype=np.float64) for level in self.levels]
        number = as_numbers(values, self.name)
        if form == "trees":
            return [number]
        missing = np.isnan(number)
        flag = [missing.astype(np.float64)] if self.flags_missing else []
        if form == "additive" and self.edges:
            place = np.searchsorted(self.edges, number, side="right")
            return [
                *((place == bin_).astype(np.float64) * ~missing for bin_ in range(1, len(self.edges) + 1)),
                *flag,
            ]
        return [np.where(missing, 0.0, (number - self.center) / self.scale), *flag]


@dataclass(frozen=True)
class Design:
    """The columns of a matrix, as seen where it was made; outcomes play no part.

    Parameters
    ----------
    form : {"linear", "additive", "trees"}
        Numbers standardized; cut into bins of about equal size; or as they are, missing left missing.
    columns : tuple of Column
        In order.
    """

    form: Form
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, X: Any, form: Form) -> Design:
        """Return the design of a frame."""
        frame = frame_of(X)
        return cls(form, tuple(_column(values, str(name), form) for name, values in frame.items()))

    def matrix(self, X: Any) -> Floats:
        """Return the matrix of rows, shape (n, k)."""
        frame = frame_of(X)
        check_columns(frame.columns, [one.name for one in self.columns], subject="the effect's covariates")
        given = dict(frame.items())
        parts = [part for one in self.columns for part in one.transform(given[one.name], self.form)]
        return np.column_stack(parts) if parts else np.zeros((len(frame), 0))

    def to_state(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "form": self.form,
            "columns": [
                {**vars(one), "levels": list(one.levels), "edges": list(one.edges)} for one in self.columns
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Design:
        """Return the design that `to_state` wrote."""
        columns = [
            Column(**{**one, "levels": tuple(one["levels"]), "edges": tuple(one["edges"])})
            for one in state["columns"]
        ]
        return cls(state["form"], tuple(columns))


def aligned_frame(X: Any, n_rows: int, *, name: str = "covariates", like: str = "outcome") -> pd.DataFrame:
    """Return covariates as a frame with the rows of `like`.

    Raises
    ------
    DataError
        When there are more or fewer rows, or the covariates are no table.
    """
    frame = frame_of(X)
    if len(frame) != n_rows:
        raise DataError(f"{name} must have {n_rows} rows like {like}; got {len(frame)}. Align the rows.")
    return frame


def frame_of(X: Any) -> pd.DataFrame:
    """Return covariates as a frame whose columns are text."""
    frame = X if isinstance(X, pd.DataFrame) else X.to_frame() if isinstance(X, pd.Series) else None
    if frame is None:
        array = np.asarray(X)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            raise DataError(f"covariates must be a table; got shape {array.shape}. Pass rows and columns.")
        frame = pd.DataFrame(array)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"covariates must have each name once; {twice[0]!r} occurs again. Rename or drop it.")
    if all(isinstance(name, str) for name in frame.columns):
        return frame
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def as_numbers(values: pd.Series, name: str) -> Floats:
    """Return a column as floats; missing stays missing, infinity is an error."""
    try:
        number = values.to_numpy()
        number = number if number.dtype == np.float64 else values.astype("float64").to_numpy()
    except (TypeError, ValueError) as error:
        raise DataError(f"covariate {name!r} must hold numbers or text; {error}.") from error
    infinite = int(np.isinf(number).sum())
    if infinite:
        raise DataError(f"covariate {name!r} holds infinity in {infinite} rows; make it missing.")
    return np.asarray(number, dtype=np.float64)


def _column(values: pd.Series, name: str, form: Form) -> Column:
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        if pd.api.types.is_datetime64_any_dtype(values):
            raise DataError(
                f"covariate {name!r} must be a number or text; got a date. Give days since a date."
            )
        counts = values.dropna().map(str).value_counts()
        counts = counts[counts >= max(2, _MIN_SHARE * len(values))]
        # all levels but the most common, which is what is left
        return Column(name, levels=tuple(sorted(counts.index[1 : _MOST_LEVELS + 1])) or ("",))
    number = as_numbers(values, name)
    known = number[~np.isnan(number)]
    flags = len(number) - len(known) > _MIN_SHARE * len(number) and len(known) > 0
    if not len(known):
        return Column(name)
    edges: tuple[float, ...] = ()
    if form == "additive":
        cuts = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS))
        edges = tuple(cuts[cuts > known.min()].tolist())
    spread = float(known.std())
    return Column(name, (), float(known.mean()), spread if spread > 0 else 1.0, edges, bool(flags))
