"""One term as every bag sees it: the mean table, and how far each bag lies from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ._fold import Pair


@dataclass(frozen=True, eq=False)
class BaggedTable:
    """A purified table, averaged over bags.

    Parameters
    ----------
    place : tuple of int
        Column numbers of its one or two features.
    mean : ndarray of shape (rows[, rows of the second], n_outputs)
        Mean over bags.
    apart : ndarray of shape (n_bags, *mean.shape), float32
        Table of each bag less the mean.
    """

    place: tuple[int, ...]
    mean: NDArray[np.float64]
    apart: NDArray[np.float32]

    @classmethod
    def of(cls, place: tuple[int, ...], sheets: NDArray[np.float64]) -> BaggedTable:
        """Average sheets of shape (rows[, rows of the second], n_bags, n_outputs)."""
        mean = sheets.mean(axis=-2)
        apart = np.moveaxis(sheets - mean[..., None, :], -2, 0)
        return cls(place, mean, np.ascontiguousarray(apart, dtype=np.float32))

    def rows(self, codes: NDArray[Any]) -> NDArray[np.intp]:
        """Return the row of the flat table for each row of codes."""
        first = codes[:, self.place[0]].astype(np.intp)
        return first if len(self.place) == 1 else first * self.mean.shape[1] + codes[:, self.place[1]]

    def held(self, codes: NDArray[Any], bag: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return what one bag a row says of it, for the first output: shape (n,)."""
        rows, cells = self.rows(codes), self.mean[..., 0].size
        apart = np.ascontiguousarray(self.apart[..., 0]).reshape(-1)
        return np.asarray(self.mean[..., 0].reshape(-1).take(rows) + apart.take(bag * cells + rows))

    def scaled(self, factor: float) -> BaggedTable:
        """Return the table times a factor."""
        return replace(self, mean=self.mean * factor, apart=self.apart * np.float32(factor))

    def deviation(self) -> NDArray[np.float64]:
        """Return the standard deviation over bags of every value, to six digits; 0 for a single bag."""
        return np.round(_deviation(self.apart.astype(float)), 6)


@dataclass(frozen=True, eq=False)
class CardTables:
    """All purified tables of the bags: intercept (n_bags, n_outputs), terms, and the spread of each pair."""

    intercept: NDArray[np.float64]
    tables: list[BaggedTable]
    spreads: dict[Pair, float]

    def spread(self, k: int) -> float:
        """Return the standard deviation over training rows of a pair."""
        first, second = self.tables[k].place
        return self.spreads[first, second]

    def sum(self, codes: NDArray[Any], factors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the mean tables, each times its factor: shape (n, n_outputs)."""
        total = np.zeros((len(codes), self.intercept.shape[-1]))
        for table, factor in zip(self.tables, factors.tolist(), strict=True):
            if factor:
                total += factor * table.mean.reshape(-1, total.shape[1])[table.rows(codes)]
        return total


@dataclass(frozen=True, eq=False)
class CardBags:
    """How far each bag lies from its card: the card's uncertainty about itself.

    The bags share most of their rows, so that the deviation shows how much the card depends on the clients it
    was taught on; it is no confidence interval of the rate of default.

    Parameters
    ----------
    intercept : ndarray of shape (n_bags, n_outputs)
        Intercept of each bag less the card's.
    terms : tuple of tuple of int
        Column numbers of each term's features, in the card's order.
    apart : tuple of ndarray of shape (n_bags, *values.shape), float32
        Table of each bag less the card's, in the card's order.
    """

    intercept: NDArray[np.float64]
    terms: tuple[tuple[int, ...], ...]
    apart: tuple[NDArray[np.float32], ...]

    @property
    def n_bags(self) -> int:
        """Number of bags."""
        return len(self.intercept)

    def deviations(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Return each bag's decision less the card's: shape (n, n_bags, n_outputs)."""
        total = np.repeat(self.intercept[None], len(codes), axis=0)
        for place, apart in zip(self.terms, self.apart, strict=True):
            table = BaggedTable(place, np.empty(apart.shape[1:]), apart)
            flat = apart.reshape(self.n_bags, -1, apart.shape[-1])
            total += np.swapaxes(flat[:, table.rows(codes)], 0, 1)
        return total

    def deviation(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Return the standard deviation of the decision over bags: shape (n, n_outputs)."""
        return _deviation(np.swapaxes(self.deviations(codes), 0, 1))

    def scaled(self, slope: float) -> CardBags:
        """Return the deviations of a card whose decision was multiplied by `slope`."""
        apart = tuple(table * np.float32(slope) for table in self.apart)
        return replace(self, intercept=self.intercept * slope, apart=apart)

    def to_state(self) -> dict[str, Any]:
        """Return numbers and arrays."""
        return {
            "intercept": self.intercept,
            "terms": [list(place) for place in self.terms],
            "apart": list(self.apart),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CardBags:
        """Build the deviations from :meth:`to_state`."""
        return cls(
            np.asarray(state["intercept"], dtype=float),
            tuple(tuple(int(j) for j in place) for place in state["terms"]),
            tuple(np.asarray(table, dtype=np.float32) for table in state["apart"]),
        )


def card_bags(intercept: NDArray[np.float64], tables: Sequence[BaggedTable]) -> CardBags:
    """Return the deviations of a card made of `tables`, in that order; `intercept` is (n_bags, n_outputs)."""
    return CardBags(
        intercept - intercept.mean(axis=0),
        tuple(table.place for table in tables),
        tuple(table.apart for table in tables),
    )


def _deviation(apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation over the first axis, of values that average 0."""
    return np.asarray(np.sqrt(np.square(apart).sum(axis=0) / max(len(apart) - 1, 1)))
