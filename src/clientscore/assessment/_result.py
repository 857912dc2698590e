"""The result of an assessment: one row a client, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from clientscore._checks import check_integer, did_you_mean
from clientscore._files import replacing
from clientscore.catalogue import in_words
from clientscore.exceptions import InvalidParameterError
from clientscore.signals import SignalRules

from ._warning import alarms_in_words, count_alarms

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, repr=False)
class Assessment:
    """What the model says of every client at one date: score, churn, need, tier and service plan.

    Parameters
    ----------
    table : DataFrame
        One row a client, the columns of `clientscore.assessment.COLUMNS`.
    rejects : DataFrame, optional
        Rows of the input that could not be used: table, row, id, column, rule, value. Empty when the
        assessment was made from a feature table.
    rates : DataFrame, optional
        Forecast rates of the whole book with their intervals: rate, predicted, lower, upper, n.
    signals : DataFrame, optional
        The early-warning signals, one row a client and signal, as from `clientscore.signals.build_signals`;
        None where the assessment was made without tables.
    drivers : DataFrame, optional
        What raises each client's risk of leaving, one row a client and driver: client_id, rank, code, text,
        value, log_odds, share, sentence, see `ChurnModel.explain`.
    signal_rules : SignalRules, optional
        The rules that know the words of the signals; None takes the defaults.

    Notes
    -----
    Amounts are in the currency and unit of the schema; ``pd``, ``churn_*`` and ``need_probability_*`` are
    fractions in [0, 1]; ``churn_*`` and ``need_*`` count from the end of the lead gap. A client that is gone
    by a rule (in silent run-off, or six months without business) has missing ``churn_*``, and
    ``churn_cause`` says by which. ``churn_lifetime_months`` is the mean of the months to the exit, cut at
    the longest horizon; ``churn_service_share`` the fraction of the client's churn risk that comes from
    service being other than average, negative where service keeps risk away.
    """

    table: pd.DataFrame
    rejects: pd.DataFrame = field(default_factory=pd.DataFrame)
    rates: pd.DataFrame = field(default_factory=pd.DataFrame)
    signals: pd.DataFrame | None = None
    drivers: pd.DataFrame = field(default_factory=pd.DataFrame)
    signal_rules: SignalRules | None = None

    def frame(self) -> pd.DataFrame:
        """Return one row a client, always with all columns."""
        return self.table.copy()

    def client(self, client_id: str) -> dict[str, Any]:
        """Return one client's row, drivers and alarms as a dict; missing values are None.

        Parameters
        ----------
        client_id : str
            The client.

        Returns
        -------
        dict
            The columns of `frame`; ``churn_drivers``, a dict for each driver: code, en and zh (its words),
            value, log_odds, share (of all that raises the risk) and sentence; and ``signals``, a dict for
            each signal in alarm: signal, side, en, zh, value, own_history, peer_percentile, peer_group. None
            where no signals were built.

        Raises
        ------
        InvalidParameterError
            The client is not in this assessment.
        """
        rows = self.table.loc[self.table["client_id"] == client_id]
        if rows.empty:
            hint = did_you_mean(str(client_id), self.table["client_id"])
            raise InvalidParameterError(
                f"client_id must be one of the {len(self.table):,} assessed clients; got {client_id!r}.{hint}"
            )
        row = _plain(rows.iloc[-1].to_dict())
        return row | {"churn_drivers": self._drivers_of(client_id), "signals": self._alarms_of(client_id)}

    def _drivers_of(self, client_id: str) -> list[dict[str, Any]]:
        if self.drivers.empty:
            return []
        mine = self.drivers.loc[self.drivers["client_id"] == client_id].to_dict("records")
        return [
            {"code": row["code"], "en": in_words(row["code"]), "zh": in_words(row["code"], "zh")}
            | _plain({name: row[name] for name in ("value", "log_odds", "share", "sentence")})
            for row in mine
        ]

    def _alarms_of(self, client_id: str) -> list[dict[str, Any]] | None:
        if self.signals is None:
            return None
        return [_plain(row) for row in alarms_in_words(self.signals, self._rules(), client_id)]

    def _rules(self) -> SignalRules:
        return SignalRules() if self.signal_rules is None else self.signal_rules

    def summary(self) -> pd.DataFrame:
        """Return the book by tier: clients, mean PD, churn, need and value.

        Returns
        -------
        DataFrame
            Indexed by tier ("A", "B", "C", "not evaluated" where present, "all"): clients, watch, pd,
            churn_12m, need_probability_12m (means of fractions), need_amount_expected, value (sums, amount).
        """
        frame = self.table.assign(tier=self.table["tier"].fillna("not evaluated"))
        parts = [frame, frame.assign(tier="all")] if len(frame) else [frame]
        grouped = pd.concat(parts).groupby("tier", sort=True)
        summary = grouped.agg(
            clients=("client_id", "size"),
            watch=("watch", "sum"),
            pd=("pd", "mean"),
            churn_12m=("churn_12m", "mean"),
            need_probability_12m=("need_probability_12m", "mean"),
            need_amount_expected=("need_amount_expected", "sum"),
            value=("value", "sum"),
        )
        order = [tier for tier in ("A", "B", "C", "not evaluated", "all") if tier in summary.index]
        return summary.loc[[*order, *summary.index.difference(order)]]

    def call_first(self, n: int = 10) -> pd.DataFrame:
        """Return the clients whose recommended actions are worth most, and why.

        Parameters
        ----------
        n : int, default 10
            How many.

        Raises
        ------
        InvalidParameterError
            n is no whole number of at least 0.
        """
        check_integer("n", n, low=0)
        columns = ["client_id", "industry", "tier", "watch", "action_value", "actions", "strategy_reason"]
        ranked = self.table.dropna(subset=["action_value"]).nlargest(n, "action_value")
        return ranked[columns].reset_index(drop=True)

    def early_warning(self) -> pd.DataFrame:
        """Return how many clients are green, amber and red on each side of early warning.

        Returns
        -------
        DataFrame
            Indexed by side ("credit", "attrition"): green, amber, red, not_evaluated. Empty where no client's
            signals are known.
        """
        columns = ["green", "amber", "red", "not_evaluated"]
        states = {side: self.table[f"{side}_signal_state"] for side in ("credit", "attrition")}
        rows = {
            side: state.fillna("not_evaluated").value_counts().reindex(columns, fill_value=0)
            for side, state in states.items()
            if state.notna().any()
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype="int64")
        return table.rename_axis("side")

    def alarms(self) -> pd.DataFrame:
        """Return the signals in alarm, the most frequent first, in words.

        Returns
        -------
        DataFrame
            One row a signal: signal, side, family, clients (in alarm), en, zh. Empty where no signals were
            built.
        """
        return count_alarms(self.signals, self._rules())

    def to_dict(self) -> dict[str, Any]:
        """Return the assessment as plain lists and dicts, ready for JSON."""
        return {
            "clients": [_plain(row) for row in self.table.to_dict("records")],
            "rates": [_plain(row) for row in self.rates.to_dict("records")],
            "rejected_rows": len(self.rejects),
        }

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the frame to one Parquet file; an old file stays until the new one is complete.

        Parameters
        ----------
        path : path-like
            The file to write.
        """
        with replacing(path) as temporary:
            self.table.to_parquet(temporary, index=False)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        dates = self.table["as_of"].drop_duplicates()
        when = f"{dates.min():%Y-%m-%d}" if len(dates) else "no date"
        lost = f"; {len(self.rejects):,} faults in rejected rows" if len(self.rejects) else ""
        return f"Assessment of {len(self.table):,} clients at {when}{lost}\n{self.summary().to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>Assessment of {len(self.table):,} clients</p>{self.summary().to_html()}"


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Return a row with None for what is missing, text for dates, Python numbers for numbers."""
    return {str(key): _plain_value(value) for key, value in row.items()}


def _plain_value(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return value.item() if hasattr(value, "item") else value
