"""Paths of a book from a date on: what will happen, many times, before it is labeled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._dynamics import Month, money, step
from ._state import posterior_frailty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._book import Book
    from ._constants import Array

_CHUNK = 200_000  # client-paths simulated at a time


@dataclass
class Paths:
    """Some futures of some clients; paths and clients are the last two axes."""

    balance: Array  # (months, paths, clients)
    inflow: Array
    exit_month: Array  # (paths, clients); the number of months simulated where there is no exit
    exit_cause: Array
    exit_time: Array
    drawings: tuple[Array, ...]  # month, path, client, time, amount
    default_chance: Array  # (months, paths, clients): of a default in the month, given the path until then

    @property
    def shape(self) -> tuple[int, int, int]:
        """Months, paths, clients."""
        months, paths, clients = self.balance.shape
        return months, paths, clients

    def between(self, begin: int, end: int) -> Paths:
        """Return the paths from `begin` to `end`."""
        month, path, client, time, amount = self.drawings
        kept = (path >= begin) & (path < end)
        return Paths(
            self.balance[:, begin:end],
            self.inflow[:, begin:end],
            self.exit_month[begin:end],
            self.exit_cause[begin:end],
            self.exit_time[begin:end],
            (month[kept], path[kept] - begin, client[kept], time[kept], amount[kept]),
            self.default_chance[:, begin:end],
        )

    def of(self, clients: Array) -> Paths:
        """Return some clients only."""
        month, path, client, time, amount = self.drawings
        number = np.full(self.shape[2], -1)
        number[clients] = np.arange(len(clients))
        kept = number[client] >= 0
        return Paths(
            self.balance[..., clients],
            self.inflow[..., clients],
            self.exit_month[:, clients],
            self.exit_cause[:, clients],
            self.exit_time[:, clients],
            (month[kept], path[kept], number[client[kept]], time[kept], amount[kept]),
            self.default_chance[..., clients],
        )

    @classmethod
    def none(cls, n_clients: int) -> Paths:
        """Return one path of no months."""
        flow = np.empty((0, 1, n_clients))
        stay = np.zeros((1, n_clients), dtype=np.int64)
        nothing = np.empty(0, dtype=np.int64)
        return cls(
            flow, flow, stay, stay, stay.astype(float), (nothing,) * 3 + (nothing.astype(float),) * 2, flow
        )


class _Recorder:
    """Collects the months of a block of paths; what a client does after its exit is left out."""

    def __init__(self, shape: tuple[int, ...], n_months: int) -> None:
        self.n_months = n_months
        self.exit_month = np.full(shape, n_months)
        self.exit_cause = np.zeros(shape, dtype=np.int64)
        self.exit_time = np.zeros(shape)
        self.balance = np.empty((n_months, *shape))
        self.inflow = np.empty((n_months, *shape))
        self.chance = np.empty((n_months, *shape))
        self.drawings: list[tuple[Array, ...]] = []

    def add(self, t: int, what: Month, chance: Array) -> None:
        """Add the events of month `t`."""
        here = self.exit_month == self.n_months
        self.chance[t] = np.where(here, chance, 0.0)
        path, client = what.drawing_at
        kept = here[path, client]
        drawn = (path[kept], client[kept], what.drawing_time[kept], what.drawing_amount[kept])
        self.drawings.append((np.full(len(drawn[0]), t), *drawn))
        leaves = here & (what.exit_cause > 0)
        self.exit_month[leaves] = t
        self.exit_cause[leaves] = what.exit_cause[leaves]
        self.exit_time[leaves] = what.exit_time[leaves]

    def paths(self) -> Paths:
        """Return the block."""
        drawings = tuple(np.concatenate(each) for each in zip(*self.drawings, strict=True))
        exits = (self.exit_month, self.exit_cause, self.exit_time)
        return Paths(self.balance, self.inflow, *exits, drawings, self.chance)


def simulate_on(book: Book, month: int, places: Array, n: int, n_months: int, seed: int) -> Iterator[Paths]:
    """Yield blocks of futures of the clients on `places` from the first of a month on.

    Frailties are redrawn from their posterior given the client's own history, the cycle from its state.
    """
    profile = book.profile.take(book.client[month, places])
    begin_state = book.state_at(month).take(places)
    per_block = max(1, _CHUNK // max(1, len(places)))
    for k, begin in enumerate(range(0, n, per_block)):
        rng = np.random.default_rng([seed, month, k])
        n_paths = min(per_block, n - begin)
        state = begin_state.tiled(n_paths)
        state.frailty = posterior_frailty(rng, state.counts, state.exposure)
        market = book.market_at(month).tiled(n_paths)
        recorder = _Recorder((n_paths, len(places)), n_months)
        for t in range(n_months):
            month_of_year = book.month_of_year(month + t)
            what = step(rng, profile, state, market.growth, book.manager_quality, month_of_year)
            recorder.add(t, what, what.default_chance(state.frailty))
            recorder.balance[t], recorder.inflow[t], _ = money(rng, profile, state, month_of_year)
            market = market.advanced(rng, cycle=book.cycle)
        yield recorder.paths()
