"""Whether the parts of a schema fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from clientscore._words import NEED, SILENT, Period

from .names import fold
from .spec import shared_aliases

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["coherence_faults"]


def coherence_faults(parts: Mapping[str, Any]) -> list[str]:
    """List what does not fit together among the arguments of a `ClientSchema`; absent ones are not judged."""
    faults = []
    currency = parts.get("currency", "CNY")
    if not isinstance(currency, str) or not currency.strip():
        faults.append(f'currency must be a code such as "CNY"; got {currency!r}')
    period = parts.get("period", "month")
    if period not in get_args(Period):
        faults.append(f"period must be one of {', '.join(map(repr, get_args(Period)))}; got {period!r}")
    lag = parts.get("publication_lag_days", 0)
    if not isinstance(lag, int) or isinstance(lag, bool) or lag < 0:
        faults.append(f"publication_lag_days must be a whole number of at least 0; got {lag!r}")
    tables = parts["tables"]
    if "clients" not in tables:
        faults.append("the table 'clients' is missing")
    faults += shared_aliases({name: table.aliases for name, table in tables.items()}, "table")
    if "exit_events" in parts:
        faults += _event_faults(parts)
    return faults


def _event_faults(parts: Mapping[str, Any]) -> list[str]:
    """List what is wrong with the words of events and causes."""
    exits = parts["exit_events"]
    drawing = parts.get("drawing_events", ())
    causes = [*dict.fromkeys(exits.values()), SILENT]
    faults = [
        f"default event {word!r} is no exit; add it to exits with its cause"
        for word in parts.get("default_events", ())
        if word not in exits
    ]
    faults += [f"{word!r} cannot be a drawing and an exit" for word in drawing if word in exits]
    faults += [
        f"churn cause {cause!r} has no exit event; causes are {', '.join(map(str, causes))}"
        for cause in parts.get("churn_causes", ())
        if cause not in causes
    ]
    faults += [
        f"a cause must be a word other than {NEED!r} and 'stay'; got {cause!r}"
        for cause in causes
        if not isinstance(cause, str) or cause in (NEED, "stay", "")
    ]
    events = parts["tables"].get("events")
    words = events.column("event").words() if events and "event" in events.names else {}
    levels = {word: words.get(fold(word), word) for word in (*exits, *drawing)}
    return faults + [
        f"event word {word!r} is read as {level!r}; use {level!r}"
        for word, level in levels.items()
        if level != word
    ]
