"""Intervals for measures: whole clients are drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval
from clientscore.exceptions import ClientScoreError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Value = float | Floats


@dataclass(frozen=True)
class BootstrapInterval:
    """A measure on all rows and its interval; unpacks as point, lower, upper.

    Parameters
    ----------
    point : float or ndarray
        The measure on all rows.
    lower, upper : float or ndarray
        Percentile interval over the resamples; missing where too many of them failed.
    standard_error : float or ndarray
        Standard deviation over the resamples that gave a value.
    n : int
        Resamples drawn.
    n_failed : int
        Resamples without a value (of an array: without one in the worst place).
    level : float
        Probability of the interval.
    """

    point: Value
    lower: Value
    upper: Value
    standard_error: Value
    n: int
    n_failed: int
    level: float

    def __iter__(self) -> Iterator[Value]:
        """Go through point, lower, upper."""
        return iter((self.point, self.lower, self.upper))

    def frame(self) -> pd.DataFrame:
        """Return one row a place of the measure: point, lower, upper, standard_error."""
        names = ("point", "lower", "upper", "standard_error")
        return pd.DataFrame({name: np.atleast_1d(getattr(self, name)).ravel() for name in names})

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        names = ("point", "lower", "upper", "standard_error")
        figures = {name: np.asarray(getattr(self, name)).tolist() for name in names}
        return figures | {"n": self.n, "n_failed": self.n_failed, "level": self.level}

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.frame().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline()}</p>{self.frame().to_html(index=False)}"

    def _headline(self) -> str:
        failed = f", {self.n_failed} of them without a value" if self.n_failed else ""
        return f"{self.level:.0%} interval from {self.n} resamples of clients{failed}"


def bootstrap_by_client(
    measure: Callable[[NDArray[np.intp]], ArrayLike],
    clients: ArrayLike,
    *,
    n: int = 500,
    level: float = 0.95,
    max_failed: float = 0.1,
    random_state: int | None = None,
) -> BootstrapInterval:
    """Percentile interval of a measure when clients, with all their rows, are drawn with replacement.

    Rows of one client err together; an interval that takes them for independent is too narrow.

    A resample may leave a measure undefined (no event of the cause, say): then the measure raises an error of
    this library or gives a missing value.  Such a resample counts as failed, and the interval, taken over the
    others, holds only given that the measure is defined; where more than `max_failed` fail, it is missing.
    Other errors are passed on, and so is a failure on all rows.

    Parameters
    ----------
    measure : callable
        Takes positions of rows (an integer array, rows repeated as drawn) and returns a number or an array of
        always the same shape, for instance ``lambda rows: auc(y[rows], score[rows])``, the difference of two
        models, or a curve.
    clients : array-like of shape (n_rows,)
        Client of each row.
    n : int, default 500
        Resamples, at least 2; an interval of 95 % wants some hundreds.
    level : float, default 0.95
        Probability of the interval, in (0, 1).
    max_failed : float, default 0.1
        Share of resamples without a value from which the interval is missing, in [0, 1].
    random_state : int, default None
        Seed; None: another one every time.

    Returns
    -------
    BootstrapInterval
        Unpacks as ``point, lower, upper = ...``; also standard_error, n_failed.

    Raises
    ------
    DataError
        When there is no row or a client is missing.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.

    Examples
    --------
    >>> import numpy as np
    >>> value = np.array([1.0, 1.0, 3.0, 5.0])
    >>> found = bootstrap_by_client(
    ...     lambda rows: value[rows].mean(), ["a", "a", "b", "c"], n=200, random_state=0
    ... )
    >>> point, lower, upper = found
    >>> point, bool(1.0 <= lower < point < upper <= 5.0), found.n_failed
    (2.5, True, 0)
    """
    check_integer("n", n, low=2)
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    check_interval("max_failed", max_failed, low=0.0, high=1.0)
    rows, starts, sizes = _rows_by_client(clients)
    point = np.asarray(measure(np.sort(rows)), dtype=np.float64)
    rng = np.random.default_rng(random_state)
    drawn = np.full((n, *point.shape), np.nan)
    for k in range(n):
        chosen = rng.integers(0, len(sizes), len(sizes))
        try:
            drawn[k] = measure(_positions(rows, starts[chosen], sizes[chosen]))
        except ClientScoreError:
            continue  # undefined on this resample: counted below
    missing = ~np.isfinite(drawn)
    failed = missing.sum(axis=0)
    lower, upper, error = _spread(drawn, missing, level, failed > max_failed * n)
    return BootstrapInterval(
        _plain(point), _plain(lower), _plain(upper), _plain(error), n, int(failed.max(initial=0)), level
    )


def _rows_by_client(
    clients: ArrayLike,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows sorted by client, where each client's begin, and how many it has."""
    codes, distinct = pd.factorize(pd.Series(clients).astype(object), use_na_sentinel=True)
    if not len(codes):
        raise DataError("clients must have at least one row; got none.")
    if (codes < 0).any():
        raise DataError(f"clients must not be missing; {int((codes < 0).sum())} of {len(codes)} are.")
    sizes = np.bincount(codes, minlength=len(distinct))
    return np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes, sizes


def _positions(rows: NDArray[np.intp], start: NDArray[np.intp], size: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return all rows of the clients drawn."""
    offset = np.repeat(start - (np.cumsum(size) - size), size)
    return np.asarray(rows[offset + np.arange(len(offset))])


def _spread(
    drawn: Floats, missing: NDArray[np.bool_], level: float, too_many: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Quantiles and standard deviation over the resamples with a value, place by place."""
    tail = (1.0 - level) / 2.0
    places = drawn.reshape(len(drawn), -1)
    figures = np.full((3, places.shape[1]), np.nan)
    for place in range(places.shape[1]):
        there = places[~missing.reshape(places.shape)[:, place], place]
        if len(there) > 1:
            figures[:2, place] = np.quantile(there, [tail, 1.0 - tail])
            figures[2, place] = there.std(ddof=1)
    figures[:2, too_many.ravel()] = np.nan
    lower, upper, error = (figure.reshape(drawn.shape[1:]) for figure in figures)
    return lower, upper, error


def _plain(values: Floats) -> Value:
    """Return a float for a single number."""
    return float(values) if values.ndim == 0 else values
