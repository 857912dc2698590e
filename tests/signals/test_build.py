"""Own history, peers, states, the wall of time, parts of a book."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.datasets import make_portfolio
from clientscore.exceptions import DataError, InvalidParameterError, SchemaError
from clientscore.schema import ClientSchema
from clientscore.signals import (
    SignalReference,
    SignalRules,
    build_signal_reference,
    build_signals,
    default_signals,
)
from clientscore.timeline import known_at

SCHEMA = ClientSchema.default()
MONTHS = pd.date_range("2023-01-01", "2025-12-01", freq="MS")


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return make_portfolio(150, 48, 3).tables


def rules_of(**changes: Any) -> SignalRules:
    return SignalRules.default().changed(changes)


def balances(values: dict[str, list[float]], **clients: Any) -> dict[str, pd.DataFrame]:
    frames = [
        pd.DataFrame({"client_id": client, "month": MONTHS[-len(row) :], "balance_amount": row})
        for client, row in values.items()
    ]
    return {
        "clients": pd.DataFrame({"client_id": list(values), **clients}),
        "interactions": pd.concat(frames, ignore_index=True),
    }


# ------------------------------------------------------------------------------------------------ the frame
def test_one_row_a_client_and_signal_in_order() -> None:
    book = balances({"NA": [1.0] * 36, "007": [1.0] * 36, "9007199254740993": [1.0] * 36})
    frame = build_signals(book, SCHEMA, "2026-01-01")
    names = list(default_signals())
    assert list(frame.columns) == [
        "client_id", "signal", "value", "own_history", "peer_percentile", "peer_group", "state", "reason",
    ]  # fmt: skip
    assert frame["client_id"].tolist() == [i for i in ("NA", "007", "9007199254740993") for _ in names]
    assert frame["signal"].astype("str").tolist() == names * 3
    assert frame["client_id"].dtype == "str"
    assert (frame["state"].isna() == frame["reason"].notna()).all()
    dates = build_signals(book, SCHEMA, ["2026-01-01", "2025-07-15"], signals=["balance_change"])
    assert list(dates.columns[:2]) == ["client_id", "as_of"]
    assert dates["as_of"].tolist() == [pd.Timestamp("2026-01-01")] * 3 + [pd.Timestamp("2025-07-15")] * 3
    one = build_signals(book, SCHEMA, ["2026-01-01"], signals=["balance_change"])
    pd.testing.assert_frame_equal(one, dates.iloc[:3])


def test_every_date_alone_gives_what_all_dates_give(tables: dict[str, pd.DataFrame]) -> None:
    dates = ["2023-01-01", "2022-05-17"]
    together = build_signals(tables, SCHEMA, dates)
    for date in dates:
        part = together[together["as_of"] == date].drop(columns="as_of").reset_index(drop=True)
        alone = build_signals(tables, SCHEMA, date)
        for name in ("client_id", "value", "own_history", "peer_percentile"):
            pd.testing.assert_series_equal(part[name], alone[name])
        for name in ("signal", "state", "reason", "peer_group"):
            assert part[name].astype("str").equals(alone[name].astype("str"))


def test_who_is_in_it() -> None:
    book = balances({"a": [1.0] * 36, "gone": [1.0] * 36}, relationship_start=pd.Timestamp("2020-01-01"))
    book["events"] = pd.DataFrame(
        {"client_id": ["gone"], "date": [pd.Timestamp("2025-05-01")], "event": "closure"}
    )
    frame = build_signals(book, SCHEMA, "2026-01-01", signals=["balance_change"])
    assert frame["client_id"].tolist() == ["a"]
    frame = build_signals(book, SCHEMA, "2026-01-01", signals=["balance_change"], include=["gone"])
    assert frame["client_id"].tolist() == ["a", "gone"]
    nobody = build_signals(book, SCHEMA, "2019-01-01")
    assert len(nobody) == 0


# -------------------------------------------------------------------------------------- own history, states
def test_own_history_leaves_the_present_out() -> None:
    # complaints of six months: now 2, the months before 1 and then eleven times 0
    row = [0.0] * 34 + [1.0, 1.0]
    book = balances({"a": [1.0] * 36})
    book["interactions"] = book["interactions"].assign(complaints=row)
    found = build_signals(book, SCHEMA, "2026-01-01", signals=["complaints"]).iloc[0]
    assert found["value"] == 2.0
    assert found["own_history"] == pytest.approx(1 / 12)
    median = rules_of(history="median")
    found = build_signals(book, SCHEMA, "2026-01-01", median, signals=["complaints"]).iloc[0]
    assert found["own_history"] == 0.0
    short = rules_of(history_months=2, min_history_months=2)
    found = build_signals(book, SCHEMA, "2026-01-01", short, signals=["complaints"]).iloc[0]
    assert found["own_history"] == 0.5


def test_a_short_history_leaves_a_change_unjudged_but_not_a_value() -> None:
    book = balances({"a": [1.0] * 36})
    book["interactions"] = book["interactions"].assign(response_hours=20.0).iloc[-5:]
    found = build_signals(book, SCHEMA, "2026-01-01", signals=["response_hours"]).iloc[0]
    assert (found["value"], found["reason"]) == (20.0, "own history too short")
    assert np.isnan(found["own_history"])
    assert pd.isna(found["state"])
    slow = dict(book, interactions=book["interactions"].assign(response_hours=80.0))
    found = build_signals(slow, SCHEMA, "2026-01-01", signals=["response_hours"]).iloc[0]
    assert found["state"] == "alarm"  # its value alone says so
    slow = dict(book, interactions=book["interactions"].assign(response_hours=40.0))
    assert build_signals(slow, SCHEMA, "2026-01-01", signals=["response_hours"]).iloc[0]["state"] == "watch"


@pytest.mark.parametrize(
    ("value", "state"), [(0.0, "quiet"), (4.9, "quiet"), (5.0, "watch"), (29.0, "watch"), (30.0, "alarm")]
)
def test_limits_are_reached_at_the_limit(value: float, state: str) -> None:
    book = balances({"a": [1.0] * 36})
    book["facilities"] = pd.DataFrame(
        {"client_id": "a", "facility_id": "f", "month": MONTHS, "dpd_days": [0.0] * 35 + [value]}
    )
    assert build_signals(book, SCHEMA, "2026-01-01", signals=["dpd_days"]).iloc[0]["state"] == state


# ---------------------------------------------------------------------------------------------------- peers
def products(n: int, **clients: Any) -> dict[str, pd.DataFrame]:
    """Client i holds i products."""
    book = balances({f"c{i}": [1.0] * 36 for i in range(n)}, **clients)
    held = book["interactions"]["client_id"].str[1:].astype(float)
    return book | {"interactions": book["interactions"].assign(products_held=held)}


def percentiles(book: dict[str, pd.DataFrame], **changes: Any) -> pd.DataFrame:
    return build_signals(book, SCHEMA, "2026-01-01", rules_of(**changes), signals=["products_held"])


def test_percentiles_by_hand() -> None:
    found = percentiles(products(5), min_peers=5)
    assert found["peer_percentile"].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert set(found["peer_group"]) == {"whole book"}
    few = percentiles(products(5), min_peers=6)
    assert few["peer_percentile"].isna().all()
    assert few["peer_group"].isna().all()
    same = products(5)
    same["interactions"]["products_held"] = 2.0
    assert percentiles(same, min_peers=5)["peer_percentile"].tolist() == [0.5] * 5


def test_a_small_group_gives_way_to_the_book_and_says_so() -> None:
    book = products(9, industry=["energy"] * 5 + ["trade"] * 3 + [None])
    found = percentiles(book, min_peers=5).set_index("client_id")
    assert found["peer_group"].astype("str").tolist() == ["energy"] * 5 + ["whole book"] * 4
    assert found["peer_percentile"].tolist() == [0, 0.25, 0.5, 0.75, 1, 0.625, 0.75, 0.875, 1]
    whole = percentiles(book, min_peers=5, peers="book")
    assert whole["peer_percentile"].tolist() == [i / 8 for i in range(9)]
    sized = book | {"clients": book["clients"].assign(segment=["small"] * 4 + ["mid"] * 5)}
    found = percentiles(sized, min_peers=4, peers="industry_segment")
    groups = found["peer_group"].astype("str").tolist()
    assert groups == ["energy, small"] * 4 + ["energy"] + ["whole book"] * 4
    assert found["peer_percentile"].tolist()[:5] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])


def test_a_percentile_can_set_the_state_and_be_missing() -> None:
    limits = {"products_held": {"watch": {"percentile": 0.25}, "alarm": {"percentile": 0.0}}}
    found = percentiles(products(5), min_peers=5, signals=limits)
    assert found["state"].astype("str").tolist() == ["alarm", "watch", "quiet", "quiet", "quiet"]
    alone = percentiles(products(5), min_peers=20, signals=limits)
    assert alone["state"].isna().all()
    assert set(alone["reason"].astype("str")) == {"too few peers"}


def test_included_clients_are_nobodys_peers() -> None:
    book = products(6, relationship_start=[pd.Timestamp("2020-01-01")] * 5 + [pd.Timestamp("2030-01-01")])
    found = build_signals(
        book, SCHEMA, "2026-01-01", rules_of(min_peers=5), signals=["products_held"], include=["c5"]
    )
    assert found["peer_percentile"].tolist() == [0, 0.25, 0.5, 0.75, 1, 1]


def test_a_part_of_the_book_with_the_reference_gives_what_the_whole_gives(
    tables: dict[str, pd.DataFrame],
) -> None:
    dates = ["2023-07-01", "2023-04-01"]
    reference = build_signal_reference(tables, SCHEMA, dates)
    assert list(reference.as_of) == sorted(pd.to_datetime(dates))
    state = json.loads(json.dumps(reference.to_state() | {"grids": reference.grids.tolist()}))
    again = SignalReference.from_state(state)
    whole = build_signals(tables, SCHEMA, dates)
    chosen = whole["client_id"].drop_duplicates().iloc[::17].tolist()
    part = {
        name: table[table["client_id"].isin(chosen)] if "client_id" in table else table
        for name, table in tables.items()
    }
    found = build_signals(part, SCHEMA, dates, reference=again)
    wanted = whole[whole["client_id"].isin(chosen)].reset_index(drop=True)
    for name in ("client_id", "value", "own_history", "peer_percentile"):
        pd.testing.assert_series_equal(found[name], wanted[name], check_exact=True)
    for name in ("signal", "state", "reason", "peer_group"):
        assert found[name].astype("str").equals(wanted[name].astype("str"))
    with pytest.raises(
        DataError, match="must hold a population at or before 2023-03-31; its first is 2023-04-01"
    ):
        build_signals(part, SCHEMA, "2023-03-31", reference=reference)


def test_a_reference_is_checked() -> None:
    with pytest.raises(InvalidParameterError, match="grids must have the shape"):
        SignalReference(("a",), ("whole book",), (pd.Timestamp("2026-01-01"),), np.zeros((1, 1, 1)))
    dates = (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-01"))
    with pytest.raises(InvalidParameterError, match="as_of of a reference must increase"):
        SignalReference(("a",), ("whole book",), dates, np.zeros((2, 1, 1, 3)))


# ------------------------------------------------------------------------------------------------- the wall
@given(st.integers(0, 10**6), st.sampled_from(["2023-01-01", "2022-10-31", "2023-06-15", "2023-08-02"]))
@settings(deadline=None, max_examples=4)
def test_what_is_not_known_changes_nothing(tables: dict[str, pd.DataFrame], seed: int, date: str) -> None:
    rng = np.random.default_rng(seed)
    changed = {}
    for name, table in tables.items():
        late = (known_at(name, table, SCHEMA.publication_lag_days) > pd.Timestamp(date)).to_numpy()
        future = table[late].copy()
        for column in future.select_dtypes("number").columns.difference(["wants_reports"]):
            future[column] = future[column] * rng.uniform(0.0, 3.0, len(future))
        future = future[rng.random(len(future)) < 0.7]
        mixed = future.iloc[rng.permutation(len(future))]
        changed[name] = pd.concat([table[~late], mixed], ignore_index=True)
    pd.testing.assert_frame_equal(build_signals(tables, SCHEMA, date), build_signals(changed, SCHEMA, date))


def test_the_order_of_rows_does_not_matter(tables: dict[str, pd.DataFrame]) -> None:
    shuffled = {
        name: table if name == "clients" else table.sample(frac=1, random_state=0)
        for name, table in tables.items()
    }
    pd.testing.assert_frame_equal(
        build_signals(tables, SCHEMA, "2023-05-01"), build_signals(shuffled, SCHEMA, "2023-05-01")
    )


# ------------------------------------------------------------------------------------------------ bad input
def test_bad_input_says_so() -> None:
    book = balances({"a": [1.0] * 36})
    with pytest.raises(InvalidParameterError, match=r"(?s)signals must be names.*'dpd' is no signal"):
        build_signals(book, SCHEMA, "2026-01-01", signals=["dpd"])
    with pytest.raises(InvalidParameterError, match="signals must be a list of names; got 'dpd_days'"):
        build_signals(book, SCHEMA, "2026-01-01", signals="dpd_days")
    with pytest.raises(DataError, match="include names 1 ids"):
        build_signals(book, SCHEMA, "2026-01-01", include=["nobody"])
    infinite = book | {"interactions": book["interactions"].assign(balance_amount=np.inf)}
    with pytest.raises(DataError, match=r"(infinit|balance_amount)"):
        build_signals(infinite, SCHEMA, "2026-01-01")
    with pytest.raises(SchemaError, match="'clients' is missing"):
        build_signals({}, SCHEMA, "2026-01-01")


def test_empty_tables_evaluate_nobody() -> None:
    book = balances({"a": [1.0] * 36})
    for name in ("facilities", "statements", "market", "market_values", "projects", "surveys"):
        columns = [column.name for column in SCHEMA.tables[name].columns]
        book[name] = pd.DataFrame({column: [] for column in columns}, dtype=object)
    frame = build_signals(book, SCHEMA, "2026-01-01").set_index("signal")
    assert frame.loc["dpd_days", "reason"] == "value not known"
    assert frame.loc["balance_change", "state"] == "quiet"
    assert frame["state"].notna().sum() < 8
