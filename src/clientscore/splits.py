"""Train and test rows of a panel, apart in time and, where asked, in clients.

A row of a panel is a client at a date; its label is read from a window after that date. Trained on a row
whose window is still open on the first test date, a model would know part of the test's future: such rows
are removed (*purge*), and `embargo` more periods before them where outcomes are recorded late.

References
----------
Lopez de Prado, M. (2018), Advances in Financial Machine Learning, Wiley, chapter 7: purging and embargo.
Bergmeir, C. and Benitez, J. M. (2012), On the use of cross-validation for time series predictor evaluation,
Information Sciences 191, doi:10.1016/j.ins.2011.12.028.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval, check_option
from clientscore._words import PERIOD_MONTHS, Period
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PanelSplit", "by_group", "out_of_time"]


def out_of_time(
    index: pd.Index,
    cutoff: Any,
    horizon: int = 12,
    lead: int = 1,
    embargo: int = 0,
    period: Period = "month",
    groups: Any = None,
    group_share: float = 0.5,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows to test on, before and from a date on.

    Parameters
    ----------
    index : MultiIndex
        With a level ``as_of``, as from `build_features` with a list of dates.
    cutoff : date or str
        First test date: test rows have ``as_of >= cutoff``.
    horizon : int, default 12
        Length of the label window in periods.
    lead : int, default 1
        Gap between ``as_of`` and the window in periods.
    embargo : int, default 0
        Periods between the end of a training row's window and `cutoff`, for outcomes recorded late.
    period : {"month", "quarter", "year"}, default "month"
        Length of a period.
    groups : array-like, default None
        Group of each row, such as its client or corporate group. Then a group is on one side only: some
        groups, chosen by a hash of their names, are tested and never trained on.
    group_share : float in (0, 1), default 0.5
        Share of the groups that is tested; only read with `groups`.

    Returns
    -------
    train, test : bool arrays
        A training row's window ends on or before `cutoff`, less the embargo. Rows between are in neither.

    Raises
    ------
    DataError
        When a side would be empty.

    Examples
    --------
    >>> dates = pd.date_range("2023-01-01", periods=4, freq="YS")
    >>> index = pd.MultiIndex.from_product([["a"], dates], names=["client_id", "as_of"])
    >>> train, test = out_of_time(index, "2026-01-01", horizon=12, lead=1)
    >>> train.tolist(), test.tolist()
    ([True, True, False, False], [False, False, False, True])
    """
    check_integer("horizon", horizon, low=1)
    check_integer("lead", lead, low=0)
    dates = _dates(index)
    start = pd.Timestamp(cutoff)
    if pd.isna(start) or start.tz is not None:
        raise InvalidParameterError(f"cutoff must be a date without a time zone; got {cutoff!r}.")
    train = _closed(dates, start, horizon + lead, embargo, period)
    test = np.asarray(dates >= start)
    if groups is not None:
        held_out = _held_out(groups, len(index), group_share)
        train, test = train & ~held_out, test & held_out
    for name, mask in (("training", train), ("test", test)):
        if not mask.any():
            span = f"{dates.min().date()} to {dates.max().date()}" if len(dates) else "none"
            raise DataError(
                f"no {name} rows at cutoff={start.date()}, horizon={horizon}, lead={lead}, embargo={embargo} "
                f"{period}s; dates are {span}. Move the cutoff or shorten the window."
            )
    return train, test


def by_group(
    index: pd.Index, share: float = 0.25, groups: Any = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and to test on so that each client is on one side.

    Parameters
    ----------
    index : Index or MultiIndex
        With a level ``client_id``.
    share : float in (0, 1), default 0.25
        Share of the groups that is tested.
    groups : array-like, default None
        Group of each row; None means its ``client_id``.
    seed : int, default 0
        Another seed chooses other groups. A group's side depends on its name and the seed alone, so it stays
        when rows are added.

    Returns
    -------
    train, test : bool arrays

    Examples
    --------
    >>> index = pd.Index([f"c{i}" for i in range(1000)], name="client_id")
    >>> train, test = by_group(index, share=0.25)
    >>> bool(200 < test.sum() < 300), bool((train ^ test).all())
    (True, True)
    """
    if groups is None:
        if "client_id" not in index.names:
            raise DataError(
                f"index needs a level 'client_id' where groups are not given; got {list(index.names)}."
            )
        groups = index.get_level_values("client_id")
    test = _held_out(groups, len(index), share, seed)
    return ~test, test


class PanelSplit:
    """Cross-validation over a panel, forward in time, for scikit-learn.

    The dates that can be tested (some row's window has closed by then) are cut into `n_splits` blocks in
    time order. A fold tests one block and trains on all rows whose window has closed, less the embargo, on
    the block's first date.

    Parameters
    ----------
    n_splits : int, default 4
        Number of folds.
    purge : int, default 13
        Periods from ``as_of`` to the end of the label window: lead + horizon.
    embargo : int, default 0
        Further periods between the end of a training row's window and the test.
    period : {"month", "quarter", "year"}, default "month"
        Length of a period.
    groups : bool, default False
        Whether a client is on one side of a fold only: fold k tests the groups whose hash falls in part k
        and trains on the others. Groups are those passed to `split`, else ``client_id``.

    Examples
    --------
    >>> dates = pd.date_range("2020-01-01", periods=5, freq="YS")
    >>> X = pd.DataFrame({"x": 0.0}, index=pd.MultiIndex.from_product(
    ...     [["a", "b"], dates], names=["client_id", "as_of"]))
    >>> for train, test in PanelSplit(n_splits=2, purge=12).split(X):
    ...     train.tolist(), test.tolist()
    ([0, 5], [1, 2, 6, 7])
    ([0, 1, 2, 5, 6, 7], [3, 4, 8, 9])
    """

    def __init__(
        self,
        n_splits: int = 4,
        *,
        purge: int = 13,
        embargo: int = 0,
        period: Period = "month",
        groups: bool = False,
    ) -> None:
        self.n_splits = n_splits
        self.purge = purge
        self.embargo = embargo
        self.period = period
        self.groups = groups

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"PanelSplit({shown})"

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002
        """Return the number of folds."""
        return self.n_splits

    def split(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002
        groups: Any = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions of training and test rows, fold by fold.

        Parameters
        ----------
        X : DataFrame, Series or MultiIndex
            Rows on ``(client_id, as_of)``.
        y : object, default None
            Not read.
        groups : array-like, default None
            Group of each row; then no group is on both sides of a fold.

        Raises
        ------
        DataError
            When there are fewer dates that can be tested than folds, or a fold has an empty side.
        """
        check_integer("n_splits", self.n_splits, low=1)
        check_integer("purge", self.purge, low=0)
        index = X if isinstance(X, pd.Index) else getattr(X, "index", None)
        if not isinstance(index, pd.Index):
            raise DataError(
                f"PanelSplit needs rows on (client_id, as_of); got {type(X).__name__}. Pass the DataFrame."
            )
        dates = _dates(index)
        part = self._parts(index, groups)
        for fold, block in enumerate(self._blocks(dates)):
            train = _closed(dates, block[0], self.purge, self.embargo, self.period)
            test = np.asarray(dates.isin(block))
            if part is not None:
                train, test = train & (part != fold), test & (part == fold)
            if not train.any() or not test.any():
                side = "test" if train.any() else "training"
                raise DataError(f"fold {fold} has no {side} rows; use fewer folds.")
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _parts(self, index: pd.Index, groups: Any) -> np.ndarray | None:
        """Return the fold in which each row's group is tested."""
        if groups is None and not self.groups:
            return None
        labels = index.get_level_values("client_id") if groups is None else groups
        return np.minimum((_hash(labels, len(index)) * self.n_splits).astype(np.int64), self.n_splits - 1)

    def _blocks(self, dates: pd.DatetimeIndex) -> list[pd.DatetimeIndex]:
        """Return the test dates of each fold."""
        days = dates.unique().sort_values()
        tested = [day for day in days if _closed(days, day, self.purge, self.embargo, self.period).any()]
        if len(tested) < self.n_splits:
            raise DataError(
                f"n_splits={self.n_splits} needs as many dates after the first closed window; {len(tested)} "
                f"of {len(days)} dates are. Use fewer folds, a shorter purge or more dates."
            )
        return [pd.DatetimeIndex(block) for block in np.array_split(np.array(tested), self.n_splits)]


def _dates(index: pd.Index) -> pd.DatetimeIndex:
    """Return the dates of the rows."""
    if "as_of" not in index.names:
        raise DataError(
            f"index needs a level 'as_of'; got {list(index.names)}. Build features with a list of dates."
        )
    return pd.DatetimeIndex(index.get_level_values("as_of"))


def _closed(
    dates: pd.DatetimeIndex, start: pd.Timestamp, window: int, embargo: int, period: Period
) -> np.ndarray:
    """Tell which rows' windows, with the embargo, have ended when the test starts."""
    check_option("period", period, Period)
    check_integer("embargo", embargo, low=0)
    step = pd.DateOffset(months=PERIOD_MONTHS[period] * (window + embargo))
    days = dates.unique()
    ended = np.array([day + step <= start and day < start for day in days], dtype=bool)
    return np.asarray(ended[days.get_indexer(dates)])


def _held_out(groups: Any, size: int, share: float, seed: int = 0) -> np.ndarray:
    """Tell which rows belong to the groups that are tested."""
    check_interval("share", share, low=0, high=1, closed="neither")
    return np.asarray(_hash(groups, size, seed) < share)


def _hash(groups: Any, size: int, seed: int = 0) -> np.ndarray:
    """Return a number in [0, 1) for each row, the same for rows of a group."""
    check_integer("seed", seed)
    labels = pd.Series(np.asarray(groups, dtype=object))
    if len(labels) != size:
        raise DataError(f"groups must have one entry for each row; got {len(labels)} for {size} rows.")
    if labels.isna().any():
        raise DataError(f"groups must not be missing; {int(labels.isna().sum())} rows have none.")
    codes, names = pd.factorize(labels.astype(str))
    keyed = np.array([f"{seed}:{name}" for name in names], dtype=object)
    numbers = pd.util.hash_array(keyed, categorize=False).astype(np.float64) / 2.0**64
    return np.asarray(numbers[codes])
