"""Several signals together, and their record against later exits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from clientscore.datasets import make_portfolio
from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.labels import build_labels
from clientscore.schema import ClientSchema
from clientscore.signals import SignalRules, build_signals, signal_backtest, signal_summary

DATES = pd.to_datetime(["2025-01-01", "2025-04-01", "2025-07-01"])


def frame_of(rows: list[tuple[Any, ...]], columns: str = "client_id signal state") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


# --------------------------------------------------------------------------------------------- the summary
def test_points_and_colors_by_hand() -> None:
    signals = frame_of(
        [
            ("one", "dpd_days", "alarm"),  # one alarm alone is no amber
            ("one", "utilization", "quiet"),
            ("two", "dpd_days", "alarm"),  # 4 points, two families
            ("two", "interest_cover", "alarm"),
            ("same", "dpd_days", "alarm"),  # 4 points, one family
            ("same", "utilization", "alarm"),
            ("red", "dpd_days", "alarm"),
            ("red", "interest_cover", "alarm"),
            ("red", "profit_margin", "alarm"),
            ("red", "utilization", "alarm"),
            ("red", "complaints", "watch"),
            ("blind", "dpd_days", None),
        ]
    )
    table = signal_summary(signals).set_index("client_id")
    assert table["credit_points"].tolist() == [2, 4, 4, 8, 0]
    assert table["credit_state"].astype(object).tolist()[:4] == ["green", "amber", "green", "red"]
    assert table["state"].isna().tolist() == [False, False, False, False, True]
    assert table["attrition_state"].isna().tolist() == [True, True, True, False, True]
    assert table.loc["red", ["attrition_state", "state"]].tolist() == ["green", "red"]
    assert table.loc["red", ["evaluated", "watches", "alarms"]].tolist() == [5, 1, 4]
    assert table.loc["red", "speaking"] == "dpd_days, interest_cover, profit_margin, utilization, complaints"
    assert table.loc["red", ["alarms_financial", "alarms_behavior", "alarms_service"]].tolist() == [2, 2, 0]
    assert table.loc["blind", "evaluated"] == 0
    strict = SignalRules(amber_points=9, red_points=9)
    assert signal_summary(signals, strict)["state"].dropna().eq("green").all()


def test_dates_are_apart_and_ids_stay_text() -> None:
    rows = [
        ("007", DATES[0], "dpd_days", "alarm"),
        ("007", DATES[1], "dpd_days", "quiet"),
        ("NA", DATES[0], "dpd_days", "quiet"),
    ]
    table = signal_summary(frame_of(rows, "client_id as_of signal state"))
    assert table[["client_id", "as_of", "alarms"]].to_numpy().tolist() == [
        ["007", DATES[0], 1],
        ["007", DATES[1], 0],
        ["NA", DATES[0], 0],
    ]


def test_the_summary_of_a_book_is_ordered_like_it_and_counts_right() -> None:
    tables = make_portfolio(80, 30, 2).tables
    signals = build_signals(tables, ClientSchema.default(), ["2022-01-01", "2022-07-01"])
    table = signal_summary(signals)
    keys = signals[["client_id", "as_of"]].drop_duplicates().reset_index(drop=True)
    pd.testing.assert_frame_equal(table[["client_id", "as_of"]], keys)
    counted = signals.groupby(["client_id", "as_of"], sort=False)["state"].agg(
        lambda states: (states == "alarm").sum()
    )
    assert table["alarms"].tolist() == counted.tolist()
    families = [column for column in table if column.startswith("alarms_")]
    assert (table[families].sum(axis=1) == table["alarms"]).all()
    points = table["attrition_points"] + table["credit_points"]
    assert (points == table["watches"] + 2 * table["alarms"]).all()
    assert signal_summary(signals.iloc[:0]).empty


@pytest.mark.parametrize("judge", [signal_summary, lambda s: signal_backtest(s, None)])
def test_signals_that_cannot_be_added_up(judge: Any) -> None:
    with pytest.raises(DataError, match=r"'dpd_day' is not in the rules. Did you mean 'dpd_days'"):
        judge(frame_of([("a", "dpd_day", "alarm")]))
    with pytest.raises(DataError, match="state 'red' is none of quiet, watch, alarm"):
        judge(frame_of([("a", "dpd_days", "red")]))
    with pytest.raises(MissingColumnError, match="'state' is missing"):
        judge(pd.DataFrame({"client_id": ["a"], "signal": ["dpd_days"]}))


# ---------------------------------------------------------------------------------------------- the record
def labels_of(rows: dict[tuple[str, int], tuple[int, str | None]]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(
        [(client, DATES[k]) for client, k in rows], names=["client_id", "as_of"]
    )
    return pd.DataFrame(list(rows.values()), index=index, columns=["exit_duration", "exit_cause"])


# a defaults in October 2025, c leaves, d is censored early, e is not at risk, b stays
LABELS = labels_of(
    {
        ("a", 0): (8, "default"), ("a", 1): (5, "default"), ("a", 2): (2, "default"),
        ("b", 0): (8, None), ("b", 1): (8, None), ("b", 2): (8, None),
        ("c", 0): (3, "hard_attrition"), ("d", 0): (4, None), ("e", 0): (0, "default"),
    }
)  # fmt: skip
SIGNALS = frame_of(
    [
        ("a", DATES[0], "dpd_days", "quiet"), ("a", DATES[1], "dpd_days", "watch"),
        ("a", DATES[2], "dpd_days", "alarm"), ("b", DATES[0], "dpd_days", "alarm"),
        ("b", DATES[1], "dpd_days", "quiet"), ("b", DATES[2], "dpd_days", None),
        ("c", DATES[0], "dpd_days", "quiet"), ("d", DATES[0], "dpd_days", "alarm"),
        ("e", DATES[0], "dpd_days", "alarm"), ("c", DATES[0], "complaints", "alarm"),
        ("b", DATES[0], "complaints", "quiet"), ("stranger", DATES[0], "complaints", "alarm"),
    ],
    "client_id as_of signal state",
)  # fmt: skip


def test_the_record_by_hand() -> None:
    table = signal_backtest(SIGNALS, LABELS)
    dpd = table.loc["dpd_days"]
    assert dpd[["evaluated", "flagged", "events", "caught"]].tolist() == [6, 2, 1, 1]
    assert dpd[["base_rate", "precision", "lift"]].tolist() == [0.5, 0.5, 1.0]
    assert dpd["recall"] == pytest.approx(1 / 3)
    assert dpd["median_lead"] == 3  # 2 periods and the gap
    complaints = table.loc["complaints"]
    assert complaints[["evaluated", "precision", "recall", "median_lead"]].tolist() == [2, 1.0, 1.0, 4.0]
    watch = signal_backtest(SIGNALS, LABELS, level="watch", lead=0).loc["dpd_days"]
    assert watch[["flagged", "caught", "median_lead"]].tolist() == [3, 1, 5.0]  # the first of two dates
    assert watch["recall"] == pytest.approx(2 / 3)
    assert list(table.index) == ["complaints", "dpd_days"]  # the order of the rules


def test_a_horizon_makes_later_exits_stays_and_shorter_windows_known() -> None:
    table = signal_backtest(SIGNALS, LABELS, horizon=4)
    assert table.loc["dpd_days", ["evaluated", "events", "flagged"]].tolist() == [7, 1, 3]  # d is known to 4
    assert table.loc["dpd_days", "base_rate"] == pytest.approx(1 / 7)


def test_causes_can_be_named() -> None:
    own = {"attrition": ["default"], "credit": ["hard_attrition"]}
    table = signal_backtest(SIGNALS, LABELS, causes=own)
    assert table.loc["complaints", "base_rate"] == 0.0
    assert np.isnan(table.loc["complaints", "lift"])
    assert np.isnan(table.loc["complaints", "recall"])


def test_wrong_records_say_so() -> None:
    with pytest.raises(InvalidParameterError, match="level must be one of 'watch', 'alarm'; got 'red'"):
        signal_backtest(SIGNALS, LABELS, level="red")  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="causes must give a list of causes for each of"):
        signal_backtest(SIGNALS, LABELS, causes={"credit": "default"})  # type: ignore[dict-item]
    with pytest.raises(InvalidParameterError, match="horizon must be a whole number of at least 1"):
        signal_backtest(SIGNALS, LABELS, horizon=0)
    with pytest.raises(DataError, match="labels must be indexed by client_id and as_of"):
        signal_backtest(SIGNALS, LABELS.reset_index("as_of"))
    with pytest.raises(DataError, match="labels have no row of 2025-01-01"):
        signal_backtest(SIGNALS, LABELS.drop(index=DATES[0], level="as_of"))
    with pytest.raises(MissingColumnError, match="'as_of' is missing"):
        signal_backtest(SIGNALS.drop(columns="as_of"), LABELS)


def test_the_record_of_a_simulated_book_is_better_than_chance() -> None:
    tables = make_portfolio(500, 48, 5).tables
    schema = ClientSchema.default()
    dates = ["2022-01-01", "2022-07-01"]
    names = ["balance_change", "inflow_change", "response_hours", "profit_margin"]
    signals = build_signals(tables, schema, dates, signals=names)
    table = signal_backtest(signals, build_labels(tables, schema, dates), level="watch")
    assert set(table.index) == set(names)
    assert (table.loc[["balance_change", "inflow_change", "response_hours"], "lift"] > 1.15).all()
    assert (table["caught"] <= table["events"]).all()
