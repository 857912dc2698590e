"""The book simulated on from a date many times, and the outcomes of every future."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._words import NEED
from clientscore.labels import build_labels, silent_state

from ._constants import EXIT_WORDS, Array, industry_column
from ._paths import Paths, simulate_on
from ._rows import event_dates, month_dates, texts

if TYPE_CHECKING:
    from clientscore.schema import ClientSchema

    from ._book import Book

_LABELED = 24_000  # client-paths labeled at a time
# The rule of silent attrition looks back twelve months from the first low one, and takes its season from the
# same month up to three years before: past enough for a client that is not in a run-off at the date.
_MEMORY = 60


@dataclass(frozen=True)
class Futures:
    """Outcomes of many futures of a book.

    Attributes
    ----------
    as_of : Timestamp
        Where the futures begin.
    n : int
        Number of futures.
    paths : DataFrame of shape (n, rates)
        Rates of the whole book in each future: ``pd``, ``churn_3m`` ..., ``need_probability_3m`` ...; its
        spread is what a forecast interval of the rate has to hold.
    labels : tuple of DataFrame
        The labels of every future as from ``build_labels``; empty unless they were kept.
    """

    as_of: pd.Timestamp
    n: int
    paths: pd.DataFrame
    labels: tuple[pd.DataFrame, ...] = field(default=(), repr=False)
    means: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    def mean(self) -> pd.DataFrame:
        """Return the true means, one row a client.

        Returns
        -------
        DataFrame indexed by client_id
            ``pd``: probability of a default in the window; ``pd_smooth`` estimates the same from the chance
            of a default in every month of every future instead of counting defaults, with far less noise.
            ``churn_3m`` ...: hard or silent attrition by the horizon; ``hard_attrition_12m`` ...: each cause
            by the longest horizon. ``need_probability_3m`` ...: a first drawing by the horizon;
            ``need_amount_expected``: mean of all drawings of the window, 0 without need. Fractions in [0, 1],
            amounts in currency units. Churn and need are among the futures in which the client is at risk
            when the window opens, ``at_risk`` is their share; missing where there is none, as for a silent
            run-off already under way.
        """
        return self.means.copy()


class _Sums:
    """Sums over futures, one of each rate, and the mean of every future."""

    def __init__(self, ids: pd.Index, horizons: tuple[int, ...], schema: ClientSchema) -> None:
        self.ids, self.horizons, self.schema = ids, horizons, schema
        self.hits: dict[str, Array] = {}
        self.trials: dict[str, Array] = {}
        self.paths: list[pd.DataFrame] = []

    def add(self, y: pd.DataFrame, chance: Array) -> None:
        """Add the labels of some futures, path by path, and the chances of a default in the window."""
        n_paths = len(chance)
        outcomes = self._outcomes(y)
        outcomes["pd_smooth"] = (chance.reshape(-1), outcomes["pd"][1])
        means = {}
        for name, (values, counted) in outcomes.items():
            hit = np.where(counted, values, 0.0).reshape(chance.shape)
            trial = counted.reshape(chance.shape)
            self.hits[name] = self.hits.get(name, 0.0) + hit.sum(axis=0)
            self.trials[name] = self.trials.get(name, 0.0) + trial.sum(axis=0)
            means[name] = _ratio(hit.sum(axis=1), trial.sum(axis=1))
        self.paths.append(pd.DataFrame(means, index=range(n_paths)))

    def _outcomes(self, y: pd.DataFrame) -> dict[str, tuple[Array, Array]]:
        """Return for each rate the outcomes and where they count."""
        bad = y["bad"].to_numpy(dtype="float64")
        exit_month = y["exit_duration"].to_numpy(dtype="float64")
        need_month = y["need_duration"].to_numpy(dtype="float64")
        cause = y["exit_cause"].to_numpy(dtype=object)
        at_risk, can_need = exit_month > 0, need_month > 0
        churned = np.isin(cause, self.schema.churn_causes)
        needs = y["need_event"].to_numpy(dtype=object) == NEED
        amount = np.where(needs, y["need_amount"].fillna(0.0).to_numpy(dtype="float64"), 0.0)
        outcomes = {"pd": (bad, ~np.isnan(bad)), "at_risk": (at_risk.astype(float), np.full(len(y), True))}
        for h in self.horizons:
            by = needs & (need_month <= h)
            outcomes[f"churn_{h}m"] = ((churned & (exit_month <= h)).astype(float), at_risk)
            outcomes[f"need_probability_{h}m"] = (by.astype(float), can_need)
        outcomes["need_amount_expected"] = (amount, can_need)
        for name in dict.fromkeys((*self.schema.churn_causes, *self.schema.exit_events.values())):
            outcomes[f"{name}_{self.horizons[-1]}m"] = ((cause == name).astype(float), at_risk)
        return outcomes

    def mean(self) -> pd.DataFrame:
        """Return the means, missing where nothing counted."""
        columns = {name: _ratio(hit, self.trials[name]) for name, hit in self.hits.items()}
        return pd.DataFrame(columns, index=self.ids)


def _ratio(hits: Array, trials: Array) -> Array:
    return np.asarray(np.divide(hits, trials, out=np.full(len(hits), np.nan), where=trials > 0))


@dataclass(frozen=True)
class _Group:
    """Clients labeled together: their numbers, and the first month of the past they need."""

    clients: Array
    since: int


class FutureLabels:
    """Labels of futures by ``build_labels``, on the past and each future together.

    The futures of a batch stand side by side in one set of tables, under ids of their own.
    """

    def __init__(
        self, book: Book, clients: pd.DataFrame, month: int, places: Array, schema: ClientSchema
    ) -> None:
        self.book, self.month, self.schema = book, month, schema
        client = book.client[month, places]
        self.clients = clients.iloc[client].reset_index(drop=True)
        self.ids = pd.Index(self.clients["client_id"], name="client_id")
        self.here = book.client[:month, places] == client
        self.balance = np.round(book.record["balance"][:month, places])
        self.inflow = np.round(book.record["inflow"][:month, places])
        self.fee = industry_column("fee")[book.profile.industry[client]]
        self.as_of = pd.Timestamp(month_dates(book.start, np.array([month]))[0])
        everyone = _Group(np.arange(len(places)), 0)
        tables = self._tables(Paths.none(len(places)), everyone, self.clients["client_id"].array)
        silent = (
            silent_state(tables, schema, self.as_of).reindex(self.ids, fill_value=False).to_numpy(dtype=bool)
        )
        groups = (
            _Group(np.flatnonzero(silent), 0),
            _Group(np.flatnonzero(~silent), max(0, month - _MEMORY)),
        )
        self.groups = [group for group in groups if len(group.clients)]

    def labels(self, paths: Paths, horizon: int, lead: int) -> pd.DataFrame:
        """Return the labels of all futures, path by path; rows are numbered."""
        n_months, n_paths, n_clients = paths.shape
        end = pd.Timestamp(month_dates(self.book.start, np.array([self.month + n_months]))[0])
        parts = []
        for group in self.groups:
            base = self.ids.to_numpy(dtype=object)[group.clients]
            ids = texts(np.concatenate([base + f"/{path}" for path in range(n_paths)]))
            tables = self._tables(paths.of(group.clients), group, ids)
            y = build_labels(tables, self.schema, self.as_of, horizon, lead, data_end=end)
            y = y.reindex(pd.Index(ids))
            number = np.arange(n_paths)[:, None] * n_clients + group.clients
            parts.append(y.set_axis(number.reshape(-1)))
        return pd.concat(parts).sort_index()

    def _tables(self, paths: Paths, group: _Group, ids: Any) -> dict[str, pd.DataFrame]:
        """Return the tables that labels need, of the past and some futures of a group."""
        clients = self.clients.iloc[np.tile(group.clients, paths.shape[1])].reset_index(drop=True)
        clients["client_id"] = ids
        return {
            "clients": clients,
            "interactions": self._interactions(paths, group, ids),
            "events": self._events(paths, ids),
        }

    def _interactions(self, paths: Paths, group: _Group, ids: Any) -> pd.DataFrame:
        n_months, n_paths, n = paths.shape
        past = slice(group.since, self.month)
        n_past = self.month - group.since

        def joined(old: Array, new: Array) -> Array:
            """Return past and futures, (paths, clients, months), in one row."""
            before = np.broadcast_to(old[past, group.clients].T, (n_paths, n, n_past))
            return np.concatenate([before, new], axis=2).reshape(-1)

        stays = np.arange(n_months) < paths.exit_month[..., None]
        kept = np.flatnonzero(joined(self.here, stays))
        dates = month_dates(self.book.start, np.arange(group.since, self.month + n_months))
        owner = kept // len(dates)
        inflow = joined(self.inflow, np.moveaxis(paths.inflow, 0, 2))[kept]
        return pd.DataFrame(
            {
                "client_id": ids.take(owner),
                "month": dates[kept % len(dates)],
                "balance_amount": joined(self.balance, np.moveaxis(paths.balance, 0, 2))[kept],
                "inflow_amount": inflow,
                "fee_income_amount": np.round(inflow * self.fee[group.clients][owner % n]),
            }
        )

    def _events(self, paths: Paths, ids: Any) -> pd.DataFrame:
        n = paths.shape[2]
        path, client = np.nonzero(paths.exit_cause)
        month, draw_path, draw_client, time, amount = paths.drawings
        words = np.array(EXIT_WORDS, dtype=object)[paths.exit_cause[path, client]]
        when = np.concatenate([paths.exit_month[path, client], month]) + self.month
        moment = np.concatenate([paths.exit_time[path, client], time])
        code = np.concatenate([path * n + client, draw_path * n + draw_client])
        return pd.DataFrame(
            {
                "client_id": ids.take(code),
                "date": event_dates(self.book.start, when, moment),
                "event": texts(np.concatenate([words, np.full(len(month), "drawing", dtype=object)])),
                "amount": np.concatenate([np.full(len(path), np.nan), amount]),
            }
        )


def simulate_futures(
    labeler: FutureLabels,
    places: Array,
    n: int,
    *,
    horizon: int,
    lead: int,
    seed: int,
    keep_labels: bool,
) -> Futures:
    """Simulate, label and average `n` futures."""
    horizons = (*(h for h in (3, 6) if h < horizon), horizon)
    sums = _Sums(labeler.ids, horizons, labeler.schema)
    kept: list[pd.DataFrame] = []
    n_clients = len(places)
    at_once = max(1, _LABELED // max(1, n_clients))
    for block in simulate_on(labeler.book, labeler.month, places, n, lead + horizon, seed):
        for begin in range(0, block.shape[1], at_once):
            part = block.between(begin, begin + at_once)
            y = labeler.labels(part, horizon, lead)
            sums.add(y, part.default_chance[lead:].sum(axis=0))
            if keep_labels:
                rows = range(0, len(y), n_clients)
                kept += [y.iloc[first : first + n_clients].set_axis(labeler.ids) for first in rows]
    paths = pd.concat(sums.paths, ignore_index=True)
    return Futures(labeler.as_of, n, paths, tuple(kept), sums.mean())
