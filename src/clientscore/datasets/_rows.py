"""From places and months to rows of a table: order, dates, texts, missing cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._constants import BURN_IN_MONTHS, Array

if TYPE_CHECKING:
    from ._book import Book


def texts(values: Any) -> Any:
    """Return a text array."""
    return pd.array(np.asarray(values, dtype=object), dtype="str")


def client_ids(n: int) -> Any:
    """Return the ids of the first `n` clients."""
    return texts([f"C{i:06d}" for i in range(n)])


def month_dates(start: pd.Timestamp, months: Array) -> Array:
    """Return the first days of months counted from `start`."""
    first = np.datetime64(start, "M") + np.asarray(months, dtype=np.int64)
    return np.asarray(first.astype("datetime64[us]"))


def event_dates(start: pd.Timestamp, months: Array, time: Array) -> Array:
    """Return days inside months, never the first: what happens in a month is not known when it begins."""
    first = np.datetime64(start, "M") + np.asarray(months, dtype=np.int64)
    days = (first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")
    day = 1 + np.floor(time * (days.astype(np.int64) - 1)).astype(np.int64)
    return np.asarray((first.astype("datetime64[D]") + day).astype("datetime64[us]"))


def cents(values: Array) -> Array:
    """Round amounts to cents."""
    return np.round(values, 2)


@dataclass(frozen=True)
class Rows:
    """The client-months of a book in the order of the tables: by client, then month."""

    book: Book
    month: Array
    place: Array
    client: Array
    ids: Any

    @classmethod
    def of(cls, book: Book) -> Rows:
        """Return every month at whose end a client was still a client."""
        month, place = np.nonzero(book.stayed)
        client = book.client[month, place]
        order = np.argsort(client, kind="stable")
        ids = client_ids(len(book.joined))
        return cls(book, month[order], place[order], client[order], ids)

    def where(self, mask: Array) -> Rows:
        """Return the rows where `mask` is true."""
        return Rows(self.book, self.month[mask], self.place[mask], self.client[mask], self.ids)

    def get(self, name: str) -> Array:
        """Return a recorded quantity, one value a row."""
        return np.asarray(self.book.record[name][self.month, self.place])

    def client_id(self) -> Any:
        """Return the ids of the rows."""
        return self.ids.take(self.client)

    def dates(self) -> Array:
        """Return the first days of the rows' months."""
        return month_dates(self.book.start, self.month)

    def credit_rate(self) -> Array:
        """Return the rate of credit each client pays, a fraction a year."""
        path = self.book.market[BURN_IN_MONTHS + 1 :]
        policy = np.concatenate([market.policy for market in path])
        common = np.concatenate([market.common for market in path])
        margin = np.array([0.012, 0.006, 0.0, 0.004])[self.book.profile.segment[self.client]]
        base = policy + 0.018 * np.exp(-0.3 * common)
        return np.asarray(
            np.round(np.maximum(base[self.month] + margin + 0.01 * self.get("price"), 0.005), 4)
        )
