"""The signals of every client at every date: value, own history, place among peers, state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.schema import ClientSchema, conform_tables
from clientscore.timeline import Timeline, as_of_list, population

from ._formulas import FORMULAS
from ._panel import Panel
from ._peers import BOOK, SignalReference, group_names, measured, percentiles
from ._rules import SignalRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._panel import Counts, Flags, Numbers
    from ._spec import SignalSpec, Threshold

__all__ = ["REASONS", "STATES", "build_signal_reference", "build_signals"]

STATES = ("quiet", "watch", "alarm")
#: Why a client's signal is not evaluated though its columns are there.
REASONS = ("value not known", "own history too short", "too few peers")


def build_signals(
    tables: Mapping[str, pd.DataFrame],
    schema: ClientSchema,
    as_of: Any,
    rules: SignalRules | None = None,
    *,
    reference: SignalReference | None = None,
    include: Iterable[str] | None = None,
    signals: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return every early-warning signal of every client, from what was known at each date; no model needed.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of the schema; any but ``clients`` may be absent, its signals are then not evaluated.
    schema : ClientSchema
        Names, units and rules of time.
    as_of : date, str or sequence of them
        One date, or a list: the frame then has the column ``as_of``.
    rules : SignalRules, default None
        Signals, thresholds, history and peers; None takes the defaults.
    reference : SignalReference, default None
        Peers' quantiles from the whole book. None makes them from `tables`, which must then be the whole
        book; for a part of it pass the reference of the whole, and the signals are the same.
    include : iterable of str, default None
        Clients outside the population to add, such as prospects; they are nobody's peers.
    signals : sequence of str, default None
        Names of the signals wanted; None takes all of the rules.

    Returns
    -------
    DataFrame
        One row a client and signal, by date, client and the order of the rules:
        ``client_id`` (text); ``as_of`` for a list of dates; ``signal`` (categorical); ``value``;
        ``own_history``, mean or median of the value over the months before, the present one left out;
        ``peer_percentile``, the share of the peers below the value, in [0, 1], of equal ones half;
        ``peer_group``, the group it refers to ("whole book" where the client's own is too small); ``state``,
        "quiet", "watch" or "alarm", missing where the signal is not evaluated; and ``reason`` why not.

    Raises
    ------
    SchemaError
        When a table cannot be brought into the schema's form.
    DataError
        When a number is infinite, `include` names an unknown client, or every population of `reference` lies
        after an `as_of`.
    InvalidParameterError
        When `signals` names one that the rules do not hold.

    Notes
    -----
    A state is reached when one limit of it is. It is quiet only when every limit of the signal could be
    evaluated and none is reached; otherwise it is missing.

    Examples
    --------
    >>> months = pd.date_range("2023-01-01", periods=30, freq="MS")
    >>> tables = {"clients": pd.DataFrame({"client_id": ["007"]}),
    ...           "interactions": pd.DataFrame({"client_id": "007", "month": months,
    ...                                         "balance_amount": [100.0] * 29 + [10.0]})}
    >>> found = build_signals(tables, ClientSchema.default(), "2025-07-01", signals=["balance_change"])
    >>> found[["client_id", "value", "own_history", "state"]].values.tolist()
    [['007', -0.3, 0.0, 'watch']]
    """
    rules = SignalRules() if rules is None else rules
    dates, scalar = as_of_list(as_of)
    specs = _chosen(rules, signals)
    book = _Book(tables, schema, rules, include)
    frames = []
    for date in dates:
        panel, member = book.panel(date)
        values = {spec.name: _values(panel, spec) for spec in specs if book.lacks(spec) is None}
        grids = _reference(panel, values, member, rules) if reference is None else reference
        frame = _frame(panel, specs, values, rules, grids, date, book)
        if not scalar:
            frame.insert(1, "as_of", date)
        frames.append(frame)
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def build_signal_reference(
    tables: Mapping[str, pd.DataFrame], schema: ClientSchema, as_of: Any, rules: SignalRules | None = None
) -> SignalReference:
    """Make the quantiles that percentiles among peers refer to, from the whole book.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of the schema, all clients in them.
    schema : ClientSchema
        Names, units and rules of time.
    as_of : date, str or sequence of them
        The dates; for each, the clients of the population then.
    rules : SignalRules, default None
        Signals and peers; None takes the defaults.

    Returns
    -------
    SignalReference
        Dates increasing, whatever the order asked for.
    """
    rules = SignalRules() if rules is None else rules
    book = _Book(tables, schema, rules, None)
    parts = []
    for date in as_of_list(as_of)[0].sort_values():
        panel, member = book.panel(date)
        values = {
            spec.name: _values(panel, spec)[:1] for spec in rules.signals.values() if book.lacks(spec) is None
        }
        parts.append(_reference(panel, values, member, rules))
    groups = tuple(dict.fromkeys(group for part in parts for group in part.groups))
    grids = np.full((len(parts), len(parts[0].signals), len(groups), parts[0].grids.shape[3]), np.nan)
    for place, part in enumerate(parts):
        grids[place][:, [groups.index(group) for group in part.groups]] = part.grids[0]
    return SignalReference(parts[0].signals, groups, tuple(part.as_of[0] for part in parts), grids)


class _Book:
    """Tables made ready once, to be cut at every date."""

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        schema: ClientSchema,
        rules: SignalRules,
        include: Iterable[str] | None,
    ) -> None:
        self.schema = schema
        self.rules = rules
        self.include = None if include is None else tuple(include)
        conform = conform_tables(tables, schema)
        _check_finite(conform, rules)
        self.columns = {name: set(frame.columns) for name, frame in conform.items()}
        levels = next(c.levels for c in schema.tables["events"].columns if c.name == "event")
        self.recorded = set(levels)
        self._timeline = Timeline(conform, schema.publication_lag_days)

    def lacks(self, spec: SignalSpec) -> str | None:
        """Return why the signal cannot be evaluated for anyone; None where it can."""
        for table, column in spec.columns:
            if table not in self.columns:
                return f"no table {table}"
            if column not in self.columns[table]:
                return f"no column {table}.{column}"
        if spec.words and "events" in spec.tables and not self.recorded.intersection(spec.words):
            return f"no event {' or '.join(spec.words)} in the schema"
        return None

    def panel(self, date: pd.Timestamp) -> tuple[Panel, Flags]:
        """Cut the book at a date; tell who belongs to the population."""
        seen = self._timeline.visible(date)
        core = population(seen, date, self.schema.exit_events)
        ids = core if self.include is None else population(seen, date, self.schema.exit_events, self.include)
        return Panel(seen, self.schema, date, ids, self.rules.history_months), np.asarray(ids.isin(core))


def _chosen(rules: SignalRules, names: Sequence[str] | None) -> list[SignalSpec]:
    """Return the signals asked for, in the order of the rules."""
    if names is None:
        return list(rules.signals.values())
    if isinstance(names, str):
        raise InvalidParameterError(f"signals must be a list of names; got {names!r}. Give [{names!r}].")
    unknown = [name for name in names if name not in rules.signals]
    if unknown:
        faults = [
            f"{name!r} is no signal of the rules.{did_you_mean(name, rules.signals)}" for name in unknown
        ]
        raise InvalidParameterError("signals must be names of the rules.", faults)
    return [spec for name, spec in rules.signals.items() if name in set(names)]


def _check_finite(book: Mapping[str, pd.DataFrame], rules: SignalRules) -> None:
    """Raise when a number that a signal reads is infinite."""
    faults = []
    for table, column in dict.fromkeys(place for spec in rules.signals.values() for place in spec.columns):
        if column in book.get(table, ()) and book[table][column].dtype == np.float64:
            count = int(np.isinf(book[table][column].to_numpy()).sum())
            if count:
                faults.append(f"{table}.{column} holds infinity in {count} of {len(book[table])} rows")
    if faults:
        raise DataError("numbers must be finite; validate_clients sorts such rows out.", faults)


def _values(panel: Panel, spec: SignalSpec) -> Numbers:
    """Return a signal at the date and at each month before, shape (dates, clients)."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = FORMULAS[spec.formula](panel, spec)
    return np.where(np.isfinite(values), values, np.nan)


def _reference(
    panel: Panel, values: Mapping[str, Numbers], member: Flags, rules: SignalRules
) -> SignalReference:
    """Take the quantiles of the population of one date."""
    levels = [
        pd.Series(names, dtype=object).where(member, None).to_numpy() for names in _levels(panel, rules)
    ]
    named = [name for names in levels for name in pd.unique(names) if name is not None]
    groups = tuple(sorted(set(named) | {BOOK}))
    grids = [measured(one[0], levels, groups, rules.min_peers) for one in values.values()]
    stacked = np.stack(grids) if grids else np.empty((0, len(groups), 2))
    return SignalReference(tuple(values), groups, (panel.as_of,), stacked[np.newaxis])


def _levels(panel: Panel, rules: SignalRules) -> list[np.ndarray]:
    """Return the names of each client's groups of peers, the narrowest kind first."""
    clients = panel.book["clients"].set_index("client_id").reindex(panel.ids)
    return group_names(clients, rules.peers)


@dataclass(frozen=True)
class _Judged:
    """One signal of one date; `state` is -1 where it is not evaluated, and `reason` then says why."""

    value: Numbers
    own: Numbers
    percentile: Numbers
    group: Counts
    state: Counts
    reason: Counts


def _frame(
    panel: Panel,
    specs: list[SignalSpec],
    values: Mapping[str, Numbers],
    rules: SignalRules,
    reference: SignalReference,
    date: pd.Timestamp,
    book: _Book,
) -> pd.DataFrame:
    """Lay the signals of one date out in rows, client by client."""
    lacking = {spec.name: book.lacks(spec) for spec in specs}
    words = [*REASONS, *dict.fromkeys(why for why in lacking.values() if why is not None)]
    grids = reference.at(date)
    index = pd.Index(reference.groups)
    codes = [index.get_indexer(pd.Index(names)) for names in _levels(panel, rules)]
    judged = []
    for spec in specs:
        if spec.name in values:
            judged.append(_judge(spec, values[spec.name], codes, grids.get(spec.name), rules))
        else:
            judged.append(_unjudged(panel.n_clients, words.index(str(lacking[spec.name]))))

    def column(name: str) -> Any:
        return np.stack([getattr(one, name) for one in judged], axis=1).reshape(-1)

    def categories(codes: Any, levels: Sequence[str], *, ordered: bool = False) -> pd.Categorical:
        return pd.Categorical.from_codes(codes, categories=pd.Index(levels, dtype="str"), ordered=ordered)

    n, names = panel.n_clients, [spec.name for spec in specs]
    rows = np.repeat(np.arange(n), len(names))
    return pd.DataFrame(
        {
            "client_id": pd.Series(panel.ids, dtype="str").array.take(rows),
            "signal": categories(np.tile(np.arange(len(names)), n), names),
            "value": column("value"),
            "own_history": column("own"),
            "peer_percentile": column("percentile"),
            "peer_group": categories(column("group"), reference.groups),
            "state": categories(column("state"), STATES, ordered=True),
            "reason": categories(column("reason"), words),
        }
    )


def _judge(
    spec: SignalSpec, values: Numbers, codes: list[Counts], grid: Numbers | None, rules: SignalRules
) -> _Judged:
    """Compare a signal with its limits."""
    now, own = values[0], _own_history(values[1:], rules)
    percentile, group = percentiles(now, codes, grid)
    # What moved by less than rounding has not moved.
    change = np.where(np.isclose(now, own, rtol=1e-9, atol=0.0), 0.0, now - own)
    measures = {"value": now, "change": change, "percentile": percentile}
    state = np.zeros(len(now), dtype=np.int64)
    for code, threshold in ((1, spec.watch), (2, spec.alarm)):
        state[_reached(measures, threshold, spec.direction == "high")] = code
    unknown = {name: np.isnan(measures[name]) for name in (*spec.watch.limits(), *spec.alarm.limits())}
    reason = np.full(len(now), -1, dtype=np.int64)
    for code, name in ((2, "percentile"), (1, "change")):
        if name in unknown:
            reason[unknown[name]] = code
    reason[np.isnan(now)] = 0
    reason[state == 2] = -1
    # A watch stands though an alarm may have gone unseen; quiet must be seen in full.
    reason[state == 1] = -1
    return _Judged(now, own, percentile, group, np.where(reason >= 0, -1, state), reason)


def _reached(measures: Mapping[str, Numbers], threshold: Threshold, high: bool) -> Flags:
    """Tell where one of the limits is reached; a missing measure reaches none."""
    reached = np.zeros(len(measures["value"]), dtype=bool)
    for name, limit in threshold.limits().items():
        slack = 1e-9 * max(1.0, abs(limit))
        reached |= measures[name] >= limit - slack if high else measures[name] <= limit + slack
    return reached


def _own_history(before: Numbers, rules: SignalRules) -> Numbers:
    """Return the mean or median of the months before, missing where too few are known."""
    known = ~np.isnan(before)
    count = known.sum(axis=0)
    enough = count >= rules.min_history_months
    own = np.full(before.shape[1], np.nan)
    if rules.history == "mean":
        total = np.where(known, before, 0.0).sum(axis=0)
        return np.asarray(np.divide(total, count, out=own, where=enough))
    own[enough] = np.nanmedian(before[:, enough], axis=0)
    return own


def _unjudged(n_clients: int, reason: int) -> _Judged:
    """Return a signal that is not evaluated for anyone."""
    none, code = np.full(n_clients, np.nan), np.full(n_clients, -1, dtype=np.int64)
    return _Judged(none, none, none, code, code, np.full(n_clients, reason, dtype=np.int64))
