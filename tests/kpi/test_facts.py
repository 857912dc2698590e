from __future__ import annotations

import pandas as pd
import pytest

import clientscore as cs
from clientscore.exceptions import DataError
from clientscore.kpi import KpiTargets, build_facts, track

SCHEMA = cs.ClientSchema.default()


def tables():
    months = pd.date_range("2024-01-01", periods=6, freq="MS")
    stays = pd.DataFrame({"client_id": "stays", "month": months, "response_hours": [12.0, 30.0, None] * 2})
    leaves = pd.DataFrame({"client_id": "leaves", "month": months[:3], "response_hours": 20.0})
    repays = leaves.assign(client_id="repays")
    return {
        "clients": pd.DataFrame(
            {"client_id": ["stays", "leaves", "repays"], "relationship_start": pd.Timestamp("2020-01-01")}
        ),
        "interactions": pd.concat([stays, leaves, repays]).assign(
            manager_id=lambda one: one["client_id"].map({"stays": "rm1"}).fillna("rm2")
        ),
        "surveys": pd.DataFrame(
            {
                "client_id": ["stays", "stays", "leaves"],
                "answered_at": pd.to_datetime(["2024-02-10", "2024-02-20", "2024-03-01"]),
                "satisfaction": [9.0, 5.0, 8.0],
            }
        ),
        "events": pd.DataFrame(
            {
                "client_id": ["leaves", "repays", "stays", "stays", "stays"],
                "date": pd.to_datetime(
                    ["2024-04-05", "2024-04-05", "2024-05-03", "2024-05-30", "2024-05-30"]
                ),
                "event": ["closure", "repayment", "drawing", "drawing", "renewal"],
                "amount": [None, None, 100.0, 50.0, 900.0],
            }
        ),
    }


def test_by_hand():
    facts = build_facts(tables(), SCHEMA, back_months=2)
    by = facts.set_index(["client_id", "period"])
    stays = by.loc["stays"]
    assert stays["responses"].tolist() == [1, 1, 0, 1, 1, 0]
    assert stays["responses_within_sla"].tolist() == [1, 0, 0, 1, 0, 0]
    assert stays.loc["2024-02-01", ["answered", "satisfied"]].tolist() == [2.0, 1.0]
    assert stays["new_lending_amount"].tolist() == [0, 0, 0, 0, 150.0, 0]
    assert stays["at_start"].tolist() == [0, 0, 1, 1, 1, 1]
    assert stays["retained"].tolist() == [0, 0, 1, 1, 1, 1]


def test_who_left_counts_against_retention_for_the_window_and_no_longer():
    by = build_facts(tables(), SCHEMA, back_months=2).set_index(["client_id", "period"])
    leaves, repays = by.loc["leaves"], by.loc["repays"]
    assert leaves.index.month.tolist() == [1, 2, 3, 4, 5]
    assert leaves["at_start"].tolist() == [0, 0, 1, 1, 1]
    assert leaves["retained"].tolist() == [0, 0, 1, 0, 0]
    assert repays["retained"].tolist() == [0, 0, 1, 1, 1]
    assert leaves["manager_id"].unique().tolist() == ["rm2"]


def test_absent_tables_give_zeros():
    few = {name: table for name, table in tables().items() if name in ("clients", "interactions")}
    few["interactions"] = few["interactions"].drop(columns="response_hours")
    facts = build_facts(few, SCHEMA, back_months=2)
    assert facts[["answered", "responses", "new_lending_amount"]].to_numpy().sum() == 0
    assert facts.loc[facts["at_start"] == 1, "retained"].eq(1).all()


def test_facts_feed_the_targets():
    groups = pd.DataFrame({"client_id": ["stays", "leaves", "repays"], "tier": ["A", "B", "B"]})
    facts = build_facts(tables(), SCHEMA, groups=groups, back_months=2)
    wanted = {name: KpiTargets.default().targets[name] for name in ("retention", "response_within_sla")}
    table = track(facts, KpiTargets(wanted), by=["tier", "manager_id"], min_denominator=1).frame()
    may = table[(table["kpi"] == "retention") & (table["period"] == pd.Timestamp("2024-05-01"))]
    may = may.set_index("group")
    assert may.loc["all", "value"] == pytest.approx(2 / 3)
    assert may["state"].to_dict() == {"all": "red", "A": "green", "B": "red", "rm1": "green", "rm2": "red"}


def test_bad_input():
    with pytest.raises(DataError, match="tables must hold interactions"):
        build_facts({"clients": tables()["clients"]}, SCHEMA)
    twice = pd.DataFrame({"client_id": ["stays", "stays"], "tier": "A"})
    with pytest.raises(DataError, match="each client once; 1 rows"):
        build_facts(tables(), SCHEMA, groups=twice)
