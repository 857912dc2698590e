"""Reasons: the features that cost a client the most points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import getitem
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_option
from clientscore.catalogue import in_words
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard

ReasonMethod = Literal["shortfall", "loss"]
Language = Literal["en", "zh"]

BLOCK_ROWS = 16_384  # their losses stay in cache
_MIN_LOSS = 1e-9  # log-odds; less is no loss
_BANDS = 20
_SAMPLE_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class ReasonReference:
    """What other clients' features contribute, in log-odds: the measure of a shortfall.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Average over the training clients.
    best : ndarray of shape (n_features,)
        Lowest contribution that any training client had.
    decision : ndarray of shape (n_bands,)
        Mean log-odds of bands of training clients of equal size, increasing.
    by_band : ndarray of shape (n_bands, n_features)
        Average over each band.
    """

    mean: NDArray[np.float64]
    best: NDArray[np.float64]
    decision: NDArray[np.float64]
    by_band: NDArray[np.float64]

    @classmethod
    def measure(
        cls, card: AdditiveCard, X: pd.DataFrame, weight: NDArray[np.float64] | None
    ) -> ReasonReference:
        """Summarize the contributions of training rows, of a fixed sample where there are many.

        Raises
        ------
        DataError
            If there is no row.
        """
        if not len(X):
            raise DataError(
                "X must hold clients whose averages the reasons compare with; no row is left (a weight of "
                "zero does not count)."
            )
        rows = np.arange(len(X))
        if len(rows) > _SAMPLE_ROWS:
            rows = np.sort(np.random.default_rng(0).choice(rows, _SAMPLE_ROWS, replace=False))
        codes = card.encode(X.iloc[rows])
        contributions, decision = card.feature_contributions_codes(codes), card.decision_codes(codes)
        w = np.ones(len(rows)) if weight is None else weight[rows]
        bands = np.array_split(np.argsort(decision, kind="stable"), min(_BANDS, len(decision)))
        centers = np.array([decision[rows].mean() for rows in bands])
        return cls(
            mean=w @ contributions / w.sum(),
            best=contributions.min(axis=0),
            decision=centers,
            by_band=np.array([contributions[rows].mean(axis=0) for rows in bands]),
        )

    def of(self, method: str, cutoff: float | None) -> NDArray[np.float64]:
        """Return the contribution each feature is compared with; `cutoff` in log-odds."""
        check_option("method", method, ReasonMethod)
        if method == "loss":
            return self.best
        if cutoff is None:
            return self.mean
        columns = [np.interp(cutoff, self.decision, column) for column in self.by_band.T]
        return np.array(columns, dtype=float)

    def to_state(self) -> dict[str, Any]:
        """Return the arrays."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ReasonReference:
        """Build the reference from :meth:`to_state`."""
        return cls(**{name: np.asarray(state[name], dtype=float) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class ReasonFinder:
    """Finds the features that lose most against a reference, for many clients or for one.

    A loss and the place of its feature travel as one number: the last bits of the loss hold the place, so
    that minimum and maximum sort both at once.  Losses equal to about 12 digits tie, and the earlier feature
    goes first.  Where no term has two features, every loss stands in the card: losses are ranked once, and
    ranks looked up.

    Parameters
    ----------
    card : AdditiveCard
        A card of one output.
    reference : ndarray of shape (number of scored features,)
        The contribution each scored feature is compared with.
    """

    card: AdditiveCard
    reference: NDArray[np.float64]

    def frame(self, codes: NDArray[Any], index: pd.Index, n: int) -> pd.DataFrame:
        """Return the names of the n largest losses of each row; missing where fewer features lose."""
        places = np.empty((n, len(codes)), dtype=np.uint16)
        for start in range(0, len(codes), BLOCK_ROWS):
            places[:, start : start + BLOCK_ROWS] = self.places(codes[start : start + BLOCK_ROWS], n)
        return self.name(places, index)

    def name(self, places: NDArray[Any], index: pd.Index) -> pd.DataFrame:
        """Return the frame of reasons from :meth:`places`."""
        names = pd.Series([*self.card.scored_features, None], dtype="str").array
        columns = {f"reason_{k + 1}": names.take(row) for k, row in enumerate(places)}
        return pd.DataFrame(columns, index=index, copy=False)

    def places(
        self, codes: NDArray[Any], n: int, parts: NDArray[np.float64] | None = None
    ) -> NDArray[np.intp]:
        """Return the places of the n largest losses of each row: shape (n, rows), the largest first.

        Places count the scored features; where fewer lose anything it is their number.  `parts` are the
        card's feature contributions of `codes`, where they are at hand; they are overwritten.
        """
        if self._ranks is not None:
            tables, place_of = self._ranks
            ranks = (table.take(codes[:, column]) for column, table in tables)
            return place_of.take(_largest(ranks, n, np.zeros(len(codes), dtype=place_of.dtype)))
        if parts is None:
            parts = self.card.feature_contributions_codes(codes)
        losses = (self._pack(part, self.reference[j], j) for j, part in enumerate(parts.T))
        return self._unpack(_largest(losses, n, np.zeros(len(codes))))

    def names_one(self, codes: Sequence[int], n: int, parts: Sequence[float] | None = None) -> list[str]:
        """Return the n features that cost one client most, the largest loss first; see :meth:`places`."""
        if self._ranks_one is not None:
            tables, name_of = self._ranks_one
            ranks = sorted(map(getitem, tables, codes), reverse=True)
            return [name_of[rank] for rank in ranks[:n] if rank]
        names = self.card.scored_features
        if parts is None:
            parts = list(self.card.explain_codes_one(codes).values())
        losses = self._pack(np.array(parts), self.reference, np.arange(len(names)))
        places = self._unpack(np.sort(losses)[: -n - 1 : -1])
        return [names[place] for place in places.tolist() if place < len(names)]

    @cached_property
    def _bits(self) -> int:
        return max(len(self.reference) - 1, 0).bit_length()

    def _pack(self, parts: NDArray[np.float64], base: Any, place: Any) -> NDArray[np.float64]:
        """Turn contributions into losses that carry a place in their last bits, the earlier the larger."""
        losses = parts
        losses -= base
        bits = losses.view(np.int64)
        bits &= -1 << self._bits
        bits |= len(self.reference) - 1 - place
        return losses

    def _unpack(self, losses: NDArray[np.float64]) -> NDArray[np.intp]:
        last = len(self.reference) - 1
        place = last - (losses.view(np.int64) & ((1 << self._bits) - 1))
        return np.where(losses > _MIN_LOSS, place, last + 1)

    @cached_property
    def _ranks(self) -> tuple[list[tuple[int, NDArray[Any]]], NDArray[Any]] | None:
        """The column of each scored feature with the ranks of its rows; and the place of each rank."""
        values = self.card.feature_tables()
        if values is None:
            return None
        tables = [self._pack(table, self.reference[j], j) for j, table in enumerate(values.values())]
        losses = np.concatenate([np.zeros(1), *tables])
        losses[losses <= _MIN_LOSS] = 0.0
        distinct, ranks = np.unique(losses, return_inverse=True)
        kind = np.uint16 if len(distinct) <= 1 << 16 else np.uint32
        parts = np.split(ranks[1:].astype(kind), np.cumsum([len(table) for table in tables], dtype=int))[:-1]
        columns = [self.card.features.index(name) for name in self.card.scored_features]
        return list(zip(columns, parts, strict=True)), self._unpack(distinct).astype(kind)

    @cached_property
    def _ranks_one(self) -> tuple[list[list[int]], list[str]] | None:
        """Ranks by column of the codes, zero where it is not scored; and the name of each rank."""
        if self._ranks is None:
            return None
        tables, place_of = self._ranks
        by_column = [[0] * one.n_rows for one in self.card.bins]
        for column, table in tables:
            by_column[column] = table.tolist()
        names = [*self.card.scored_features, ""]
        return by_column, [names[place] for place in place_of.tolist()]


def _largest(keys: Iterable[NDArray[Any]], n: int, least: NDArray[Any]) -> NDArray[Any]:
    """Return the n largest of the keys of each row, at least `least`: shape (n, rows), the largest first.

    Overwrites the keys.
    """
    top = np.repeat(least[np.newaxis], n, axis=0)
    *upper, last = top
    spare = np.empty_like(least)
    for key in keys:
        less = key
        for row in upper:
            np.minimum(row, less, out=spare)
            np.maximum(row, less, out=row)
            less, spare = spare, less
        np.maximum(last, less, out=last)
    return top


def reason_text(code: str | None, lang: Language = "en") -> str:
    """Return a reason code in words.

    Parameters
    ----------
    code : str or None
        A reason code: the name of the feature; missing where a client has fewer reasons.
    lang : {"en", "zh"}, default "en"
        English or Chinese.

    Returns
    -------
    str
        The catalogue's words; for a feature of your own its name, underscores as blanks; for a missing code
        an empty text.

    Examples
    --------
    >>> reason_text("interest_cover", lang="zh")
    '利息保障倍数'
    >>> reason_text("years_in_chamber")
    'years in chamber'
    """
    check_option("lang", lang, Language)
    if code is None or code is pd.NA or code != code:  # noqa: PLR0124 -- NaN differs from itself
        return ""
    return in_words(code, lang)
