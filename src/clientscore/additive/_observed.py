"""Clients a card looks at: row numbers, outcomes where known, weights, periods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_option
from clientscore.exceptions import DataError

from ._rules import check_weight

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observed:
    """Clients by period, as a card meets them.

    Parameters
    ----------
    codes : ndarray of shape (n, n_features)
        Row numbers; refused rows too.
    chance : ndarray of shape (n,)
        Probability of bad by the card.
    weight : ndarray of shape (n,)
        Weights >= 0.
    bad : ndarray of shape (n,)
        1 for bad, 0 for good and where the outcome is not known.
    known : ndarray of shape (n,), bool
        Whether the outcome is known.
    period : ndarray of shape (n,)
        Number of the period.
    periods : list
        Its name: dates or whatever was given, in order; one that is None without periods.
    """

    codes: NDArray[Any]
    chance: Floats
    weight: Floats
    bad: Floats
    known: NDArray[np.bool_]
    period: NDArray[np.intp]
    periods: list[Any]

    @classmethod
    def of(
        cls,
        X: pd.DataFrame,
        codes: NDArray[Any],
        chance: Floats,
        y: ArrayLike | None,
        by: Any,
        sample_weight: ArrayLike | None,
    ) -> Observed:
        """Put clients, their row numbers and their probabilities together.

        Raises
        ------
        InvalidParameterError
            If X's index has no such level.
        DataError
            If y is not 0, 1 or missing, or lengths differ.
        """
        bad, known = _outcomes(X, y)
        period, periods = _periods(X, by)
        return cls(codes, chance, check_weight(sample_weight, len(codes)), bad, known, period, periods)

    def sums(self, rows: NDArray[Any], n_rows: int, values: Floats) -> Floats:
        """Return sums of values by period and row: shape (n_periods, n_rows)."""
        place = self.period * n_rows + rows
        total = np.bincount(place, weights=values, minlength=len(self.periods) * n_rows)
        return np.asarray(total.reshape(len(self.periods), n_rows))

    def counts(self, rows: NDArray[Any], n_rows: int) -> RowCounts:
        """Return what is known of every row of one table."""
        known = self.weight * self.known
        any_known = np.bincount(self.period, known, len(self.periods)) > 0
        judged = np.where(any_known[self.period], known, self.weight)  # nobody known: everybody expected
        return RowCounts(
            count=self.sums(rows, n_rows, np.ones(len(rows))),
            mass=self.sums(rows, n_rows, self.weight),
            known=self.sums(rows, n_rows, known),
            bads=self.sums(rows, n_rows, known * self.bad),
            judged=self.sums(rows, n_rows, judged),
            expected=self.sums(rows, n_rows, judged * self.chance),
        )

    def effective(self) -> Floats:
        """Return how many clients of equal weight each period is worth: shape (n_periods,)."""
        mass = np.bincount(self.period, self.weight, len(self.periods))
        square = np.bincount(self.period, self.weight**2, len(self.periods))
        return np.asarray(np.divide(mass**2, square, out=np.zeros_like(mass), where=square > 0))


@dataclass(frozen=True, eq=False)
class RowCounts:
    """Clients, weights and outcomes by period and row, each of shape (n_periods, n_rows)."""

    count: Floats
    mass: Floats
    known: Floats
    bads: Floats
    judged: Floats
    expected: Floats

    @property
    def share(self) -> Floats:
        """Share of a period's weight in each row."""
        return ratio(self.mass, np.broadcast_to(self.mass.sum(axis=1, keepdims=True), self.mass.shape))

    @property
    def bad_rate(self) -> Floats:
        """Share of bads among those whose outcome is known, NaN where there are none."""
        return ratio(self.bads, self.known)

    @property
    def expected_rate(self) -> Floats:
        """Mean probability of bad of the same clients, NaN where there are none."""
        return ratio(self.expected, self.judged)


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0))


def _outcomes(X: pd.DataFrame, y: ArrayLike | None) -> tuple[Floats, NDArray[np.bool_]]:
    """Return y with 0 where it is missing, and where it is known."""
    if y is None:
        return np.zeros(len(X)), np.zeros(len(X), dtype=bool)
    if isinstance(y, pd.Series):
        if len(y) == len(X) and not y.index.equals(X.index):
            raise DataError("y must stand on X's index, in the same order. Give y.loc[X.index].")
        values = y.to_numpy(dtype=float, na_value=np.nan)
    else:
        values = np.asarray(y, dtype=float)
    known = ~np.isnan(values)
    if values.shape != (len(X),) or not np.isin(values[known], (0.0, 1.0)).all():
        raise DataError(f"y must hold 0, 1 or missing for each of the {len(X)} rows of X.")
    return np.where(known, values, 0.0), known


def _periods(X: pd.DataFrame, by: Any) -> tuple[NDArray[np.intp], list[Any]]:
    """Return the number of each row's period, and their names in order."""
    if by is None:
        return np.zeros(len(X), dtype=np.intp), [None]
    if isinstance(by, str):
        check_option("by", by, [name for name in X.index.names if name is not None] or ["(no level)"])
        names: Any = X.index.get_level_values(by)
    else:
        names = pd.Index(by)
    if len(names) != len(X):
        raise DataError(f"by must hold one value for each of the {len(X)} rows of X; got {len(names)}.")
    missing = int(names.isna().sum())
    if missing:
        raise DataError(f"Every row needs its period; {missing} of {len(names)} have none.")
    period, periods = pd.factorize(names, sort=True)
    return period, list(periods)
