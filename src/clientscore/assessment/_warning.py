"""Early warning in an assessment: the state of each side for tiers, and the alarms in words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.signals import signal_summary, signal_text

if TYPE_CHECKING:
    from clientscore.signals import SignalReference, SignalRules

_log = logging.getLogger(__name__)
_SHOWN = ("value", "own_history", "peer_percentile", "peer_group")


def peers_for_part(kept: SignalReference | None, date: pd.Timestamp) -> SignalReference | None:
    """Return the peers kept with a model, for a part of a book; None, and logged, where they are later."""
    if kept is not None and any(day <= date for day in kept.as_of):
        return kept
    _log.warning(
        "no early warning at %s: a part of a book needs the peers of the whole. Give "
        "signal_reference=build_signal_reference(tables, schema, as_of).",
        f"{date:%Y-%m-%d}",
    )
    return None


def warning_columns(signals: pd.DataFrame, rules: SignalRules, ids: pd.Index) -> pd.DataFrame:
    """Return the state of each side and the alarms of each client, in the order of `ids`."""
    summary = signal_summary(signals, rules).set_index("client_id").reindex(ids)
    alarm = signals[signals["state"].eq("alarm")]
    names = alarm["signal"].astype("str").groupby(alarm["client_id"], sort=False).agg(", ".join)
    evaluated = summary["evaluated"].gt(0).to_numpy()
    return pd.DataFrame(
        {
            "credit_signal_state": summary["credit_state"].astype("str").to_numpy(dtype=object),
            "attrition_signal_state": summary["attrition_state"].astype("str").to_numpy(dtype=object),
            "alarms": np.where(evaluated, names.reindex(ids, fill_value="").to_numpy(dtype=object), None),
        }
    ).astype("str")


def count_alarms(signals: pd.DataFrame | None, rules: SignalRules) -> pd.DataFrame:
    """Return the signals in alarm with the number of clients, the most frequent first."""
    columns = ["signal", "side", "family", "clients", "en", "zh"]
    if signals is None:
        return pd.DataFrame(columns=columns)
    counts = signals.loc[signals["state"].eq("alarm"), "signal"].astype("str").value_counts()
    specs = [rules.signals[name] for name in counts.index]
    rows = [
        (spec.name, spec.side, spec.family, int(n), spec.en, spec.zh)
        for spec, n in zip(specs, counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def alarms_in_words(signals: pd.DataFrame, rules: SignalRules, client_id: str) -> list[dict[str, Any]]:
    """Return the signals of a client that are in alarm, in the order of the rules, in words."""
    mine = signals[signals["client_id"].eq(client_id) & signals["state"].eq("alarm")]
    return [
        {
            "signal": name,
            "side": rules.signals[name].side,
            "en": signal_text(name, "en", rules),
            "zh": signal_text(name, "zh", rules),
            **{column: row[column] for column in _SHOWN},
        }
        for name, row in zip(mine["signal"].astype("str"), mine.to_dict("records"), strict=True)
    ]
