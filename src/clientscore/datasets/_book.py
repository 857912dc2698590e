"""The book: months of the dynamics in a row, each leaver's place taken by a newcomer, everything recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._constants import BURN_IN_MONTHS, SEGMENT_APPROVAL_DAYS, SEGMENT_HOURS, SEGMENT_MEETINGS, Array
from ._dynamics import Month, amount_law, money, step
from ._market import Market
from ._state import MANAGER_QUALITY_SD, Profile, State, draw_profile, opening_state

if TYPE_CHECKING:
    import pandas as pd

# Streams of random numbers, one generator per stream and month, so that any month can be run again.
_MARKET, _OPENING, _STEP, _NEWCOMERS, _OBSERVED = range(5)
_CHECKPOINT_EVERY = 12

# What a month leaves behind for the tables and the truth, each (months, places).
RECORDED = (
    "condition", "log_assets", "manager", "price", "products", "dpd", "plan", "line_clock", "term_clock",
    "line_limit", "term_limit", "term_drawn", "fall_age", "project_month", "service_seen", "approval_seen",
    "complaints_seen", "manager_months",
)  # fmt: skip


class Exit(NamedTuple):
    """Final events of the book, one entry each."""

    month: Array
    place: Array
    cause: Array
    time: Array


@dataclass
class Book:
    """A simulated book of `n_places` clients at a time; arrays of shape (months, places) unless said."""

    seed: int
    cycle: bool
    start: pd.Timestamp
    n_months: int
    manager_quality: Array
    market: list[Market] = field(default_factory=list)  # month 0 .. n_months - 1
    client: Array = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    profile: Profile = None  # type: ignore[assignment]  # of every client ever, set by the run
    joined: Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # first month of every client
    record: dict[str, Array] = field(default_factory=dict)
    exits: Exit = None  # type: ignore[assignment]
    drawings: tuple[Array, ...] = ()  # month, place, time, amount
    renewals: tuple[Array, ...] = ()  # month, place, is the term loan
    checkpoints: dict[int, State] = field(default_factory=dict)

    @property
    def stayed(self) -> Array:
        """True where the client is still a client at the end of the month."""
        return np.asarray(self.record["exit_cause"] == 0)

    def generator(self, stream: int, month: int) -> np.random.Generator:
        """Return the generator of a stream in a month, the burn-in counted from 0."""
        return np.random.default_rng([self.seed, stream, month + BURN_IN_MONTHS])

    def market_at(self, month: int) -> Market:
        """Return the market known at the first of a month."""
        return self.market[month + BURN_IN_MONTHS]

    def month_of_year(self, month: int) -> int:
        """Return the calendar month of a month number, 0 = January."""
        return int((self.start.month - 1 + month) % 12)

    def state_at(self, month: int) -> State:
        """Return the state of all places at the first of a month, run again from the last checkpoint."""
        begin = max(t for t in self.checkpoints if t <= month)
        state = self.checkpoints[begin].copied()
        for t in range(begin, month):
            profile = self.profile.take(self.client[t])
            what = step(
                self.generator(_STEP, t),
                profile,
                state,
                self.growth(t),
                self.manager_quality,
                self.month_of_year(t),
            )
            left = np.flatnonzero(what.exit_cause[0])
            if len(left):
                self.newcomers(t, state, left)
        return state

    def growth(self, month: int) -> Array:
        """Return the cycle that drives the rates of a month, shape (1, sectors)."""
        return self.market_at(month).growth

    def newcomers(self, month: int, state: State, places: Array) -> Profile:
        """Put a newcomer on every place left in a month; it begins with the next one."""
        rng = self.generator(_NEWCOMERS, month)
        profile = draw_profile(rng, len(places), opening=False)
        state.put(places, opening_state(rng, profile, self.manager_quality))
        return profile


def run_book(seed: int, n_clients: int, n_months: int, start: pd.Timestamp, *, cycle: bool) -> Book:
    """Simulate a book of `n_clients` places over `n_months` months after a burn-in."""
    rng = np.random.default_rng([seed, _OPENING, 0])
    quality = MANAGER_QUALITY_SD * rng.standard_normal(max(6, n_clients // 35))
    book = Book(seed, cycle, start, n_months, quality)
    # The market of a month is known at its end; entry BURN_IN + t drives the rates of month t.
    market = Market.opening(np.random.default_rng([seed, _MARKET, 0]), cycle=cycle)
    book.market.append(market)
    for t in range(-BURN_IN_MONTHS, n_months):
        market = market.advanced(book.generator(_MARKET, t + 1), cycle=cycle)
        book.market.append(market)
    profile = draw_profile(rng, n_clients, opening=True)
    state = opening_state(rng, profile, quality)
    _run(book, profile, state)
    return book


def _run(book: Book, profile: Profile, state: State) -> None:
    n_places = len(profile.industry)
    n_months = book.n_months
    parts: list[Profile] = []
    joined: list[Array] = []
    client = np.arange(n_places)
    first = -profile.tenure.astype(np.int64) - BURN_IN_MONTHS
    n_clients = n_places
    book.client = np.empty((n_months + 1, n_places), dtype=np.int64)  # the last row: after the book
    events: list[tuple[Array, ...]] = []
    for t in range(-BURN_IN_MONTHS, n_months):
        if t == 0:  # those who left before the book opens are not part of it
            parts, joined = [profile.copied()], [first.copy()]
            client, n_clients = np.arange(n_places), n_places
        if t >= 0:
            book.client[t] = client
            if t % _CHECKPOINT_EVERY == 0:
                book.checkpoints[t] = state.copied()
        law, fallen = amount_law(profile, state), state.fall_age[0] > 0
        what = step(
            book.generator(_STEP, t),
            profile,
            state,
            book.growth(t),
            book.manager_quality,
            book.month_of_year(t),
        )
        if t >= 0:
            _record(book, t, profile, state, what, law, fallen)
            events.append(_events(t, what))
        left = np.flatnonzero(what.exit_cause[0])
        if len(left):
            new = book.newcomers(t, state, left)
            profile.put(left, new)
            first[left] = t + 1
            client = client.copy()
            client[left] = n_clients + np.arange(len(left))
            n_clients += len(left)
            parts.append(new)
            joined.append(np.full(len(left), t + 1))
    book.client[n_months] = client
    book.checkpoints[n_months] = state.copied()
    book.profile = Profile.joined(parts)
    book.joined = np.concatenate(joined)
    stacked = [np.concatenate(columns) for columns in zip(*events, strict=True)]
    book.exits = Exit(*stacked[:4])
    book.drawings = tuple(stacked[4:8])
    book.renewals = tuple(stacked[8:])


def _events(t: int, what: Month) -> tuple[Array, ...]:
    left = np.flatnonzero(what.exit_cause[0])
    line = np.flatnonzero(what.line_renewed[0] & (what.exit_cause[0] == 0))
    term = np.flatnonzero(what.term_renewed[0] & (what.exit_cause[0] == 0))
    place = what.drawing_at[1]
    return (
        np.full(len(left), t), left, what.exit_cause[0, left], what.exit_time[0, left],
        np.full(len(place), t), place, what.drawing_time, what.drawing_amount,
        np.full(len(line) + len(term), t), np.concatenate([line, term]),
        np.repeat([False, True], [len(line), len(term)]),
    )  # fmt: skip


def _record(
    book: Book, t: int, profile: Profile, state: State, what: Month, law: tuple[Array, Array], fallen: Array
) -> None:
    """Keep a month: state, observations, rates."""
    rng = book.generator(_OBSERVED, t)
    n = len(profile.industry)
    balance, inflow, outflow = money(rng, profile, state, book.month_of_year(t))
    segment = profile.segment
    asked = what.approval_asked[0]
    meetings = SEGMENT_MEETINGS[segment] * np.exp(-0.3 * state.service[0]) + 0.4 * state.plan[0]
    hours = SEGMENT_HOURS[segment] * np.exp(state.service[0])
    days = SEGMENT_APPROVAL_DAYS[segment] * np.exp(state.approval[0])
    now: dict[str, Array] = {name: getattr(state, name)[0] for name in RECORDED}
    now |= {
        "balance": balance[0],
        "inflow": inflow[0],
        "outflow": outflow[0],
        "utilization": what.utilization[0],
        "complaints": what.complaints[0],
        "meetings": rng.poisson(meetings),
        "hours": np.where(rng.random(n) < 0.92, hours, np.nan),
        "days": np.where(asked, days, np.nan),
        "exit_cause": what.exit_cause[0],
        "fallen": fallen,
        "eta": what.eta[:, 0],
        "frailty": state.frailty[:, 0],
        "repayment_rate": what.repayment_rate[0],
        "bank_exit_rate": what.bank_exit_rate[0],
        "amount_median": law[0][0],
        "amount_sigma": law[1],
    }
    for name, values in now.items():
        if name not in book.record:
            kind = np.float32 if name in ("eta", "frailty") else values.dtype
            book.record[name] = np.empty((book.n_months, *values.shape), dtype=kind)
        book.record[name][t] = values
