from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from clientscore.effects import action_values, plot_effects, service_effect
from clientscore.effects._service import _holm, balance_p_value
from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.strategy import ServiceStrategy


def book(seed=0, n=1200):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    chance = 1 / (1 + np.exp(-size))
    table = pd.DataFrame(
        {
            "client_id": [f"c{i}" for i in range(n)],
            "size": size,
            "satisfied_before": (rng.random(n) < 0.8).astype(float),
            "given": rng.integers(0, 2, n),
            "chosen": (rng.random(n) < chance).astype(int),
            "chance": chance,
        }
    )
    up = 0.1 * table["given"] + 0.1 * table["chosen"]
    table["satisfied"] = (rng.random(n) < 0.1 + 0.6 * table["satisfied_before"] + up).astype(float)
    table["lending_amount"] = 10 + 2 * size + 1.0 * table["chosen"] + rng.normal(size=n)
    return table


def test_control_cells_lead_to_cuped():
    report = service_effect(
        book(), treatment="given", outcomes=["satisfied", "lending_amount"], covariates=["size"],
        before={"satisfied": "satisfied_before"}, propensity=0.5,
    )  # fmt: skip
    table = report.frame().set_index("outcome")
    assert report.design == "randomized"
    assert table["method"].unique().tolist() == ["difference in means, CUPED"]
    assert table["answer"].to_dict() == {"satisfied": "raised", "lending_amount": "no clear effect"}
    assert report["satisfied"].lower < 0.1 < report["satisfied"].upper
    assert report["satisfied"].details["variance_reduction"] > 0.1
    assert (table["p_adjusted"] >= table["p_value"]).all()


def test_logged_decisions_lead_to_aipw():
    for propensity, words in ((None, "learned"), ("chance", "logged")):
        report = service_effect(
            book(1),
            treatment="chosen",
            outcomes=["lending_amount"],
            covariates=["size"],
            propensity=propensity,
        )
        assert (report.design, report["lending_amount"].method) == ("logged", "AIPW")
        assert f"{words} probabilities" in report.why
        assert report["lending_amount"].lower < 1.0 < report["lending_amount"].upper
        assert report["lending_amount"].details["unadjusted_effect"] > 2


def test_a_date_leads_to_differences():
    rng = np.random.default_rng(2)
    client, month = np.repeat(np.arange(80), 6), np.tile(np.arange(6), 80)
    policy = (client < 40).astype(int)
    frame = pd.DataFrame({"client_id": client, "month": month, "policy": policy, "team": client // 4})
    frame["retained"] = client % 7 + month + 3.0 * policy * (month >= 4) + rng.normal(size=len(frame))
    report = service_effect(
        frame, treatment="policy", outcomes=["retained"], period="month", start=4, cluster="team"
    )
    assert report.design == "dated policy"
    assert report["retained"].n_clients == 20
    assert report["retained"].lower < 3.0 < report["retained"].upper
    with pytest.raises(InvalidParameterError, match="client must name the column"):
        service_effect(
            frame.drop(columns="client_id"),
            treatment="policy",
            outcomes=["retained"],
            period="month",
            start=4,
        )


def test_a_claim_of_randomization_is_checked():
    report = service_effect(
        book(3), treatment="chosen", outcomes=["lending_amount"], covariates=["size"], randomized=True
    )
    assert "were they drawn at random?" in report["lending_amount"].notes[0]
    shares = [
        balance_p_value(book(seed)[["size"]], book(seed)["given"].to_numpy(float)) < 0.05
        for seed in range(40)
    ]
    assert np.mean(shares) <= 0.15


def test_missing_answers_are_refused_or_told():
    table = book(4)
    table.loc[(table["given"] == 1) & (table.index % 3 == 0), "satisfied"] = np.nan
    ask = {"treatment": "given", "outcomes": ["satisfied"], "randomized": True}
    with pytest.raises(DataError, match="missing or infinite"):
        service_effect(table, **ask)
    report = service_effect(table, **ask, options={"missing": "drop"})
    (note,) = report["satisfied"].notes
    assert "0.0% of other rows" in note
    assert "may have moved who is seen" in note
    table["satisfied"] = table["satisfied"].where(table["given"] == 0)
    with pytest.raises(DataError, match="known are 0 treated"):
        service_effect(table, **ask, options={"missing": "drop"})


def test_rows_of_one_client_count_together():
    table = book(5, 300)
    often = pd.concat([table] * 4)
    ask = {"treatment": "given", "outcomes": ["satisfied"], "randomized": True}
    one, four = (service_effect(frame, **ask)["satisfied"] for frame in (table, often))
    assert four.standard_error == pytest.approx(one.standard_error)
    indexed = service_effect(often.set_index("client_id"), **ask)["satisfied"]
    assert indexed.standard_error == pytest.approx(one.standard_error)


def test_teams_that_were_drawn_count_as_one():
    table = book(8, 1200)
    table["team"] = np.arange(1200) // 40
    table["given"] = table["team"] % 2
    table["satisfied"] += np.random.default_rng(0).normal(size=30)[table["team"]]
    ask = {"treatment": "given", "outcomes": ["satisfied"], "randomized": True}
    rows, teams = (service_effect(table, **ask, **more)["satisfied"] for more in ({}, {"cluster": "team"}))
    assert teams.n_clients == 30
    assert teams.standard_error > 3 * rows.standard_error


def test_the_report_is_plain_data_and_a_picture():
    report = service_effect(book(6), treatment="given", outcomes=["satisfied"], randomized=True)
    assert json.loads(json.dumps(report.to_dict()))["effects"][0]["outcome"] == "satisfied"
    assert "control cells drawn at random" in str(report)
    assert "satisfied" in report._repr_html_()
    assert [one.outcome for one in report] == ["satisfied"]
    assert plot_effects(report.frame()).get_yticklabels()[0].get_text() == "satisfied"
    with pytest.raises(KeyError, match="'retained' is not an outcome"):
        report["retained"]


def test_settings_that_do_not_go_together():
    table = book(7, 100)
    ask = {"treatment": "given", "outcomes": ["satisfied"]}
    with pytest.raises(MissingColumnError, match="2 more columns"):
        service_effect(table, treatment="givn", outcomes=["satisfeid"])
    for extra, match in (
        ({}, "covariates are needed"),
        ({"start": 3}, "period and start must be given together"),
        ({"start": 3, "period": "size", "randomized": True}, "start means a dated policy"),
        ({"randomized": True, "propensity": "chance"}, "randomized means one probability"),
        ({"randomized": True, "options": {"levle": 0.9}}, "options must be among"),
        ({"randomized": True, "options": {"level": 2}}, "level must be a number"),
    ):
        with pytest.raises(InvalidParameterError, match=match):
            service_effect(table, **ask, **extra)
    with pytest.raises(InvalidParameterError, match="outcomes must name"):
        service_effect(table, treatment="given", outcomes=[])
    with pytest.raises(DataError, match="treated arm must have at least 10 clients"):
        service_effect(table.assign(given=(table.index < 4).astype(int)), **ask, randomized=True)


def test_holm_by_hand():
    assert _holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])


def test_action_values_by_hand_and_into_allocation():
    effects = pd.DataFrame({"call": [0.02, 0.10, np.nan], "visit": [0.03, 0.11, 0.2]}, index=["a", "b", "c"])
    stake = pd.Series([50_000.0, 4_000.0, 1_000.0], index=["c", "b", "a"])[["a", "b", "c"]]
    table = action_values(
        effects, stake, cost={"call": 50, "visit": 300}, hours={"call": 1.0, "visit": 4.0}, loss_change=10.0
    )
    by = table.set_index(["client_id", "action"])["value"]
    assert by["b", "call"] == pytest.approx(0.10 * 4000 - 50 - 10)
    assert np.isnan(by["c", "call"])
    assert table["value"].iloc[:-1].is_monotonic_decreasing
    allocation = ServiceStrategy.default().allocate(table, {"rm_hours": 5.0})
    assert allocation.used["rm_hours"] <= 5.0
    assert allocation.value <= table["value"].clip(lower=0).sum()
    assert set(allocation.frame()["client_id"]) <= {"a", "b", "c"}


def test_action_values_with_faults():
    effects = pd.DataFrame({"call": [0.1, 0.2]}, index=["a", "a"])
    with pytest.raises(DataError, match="cannot be valued") as caught:
        action_values(effects, pd.Series([1.0], index=["b"]), cost={"cal": 1}, hours=-1.0, loss_change="much")
    text = str(caught.value)
    for part in (
        "each client once",
        "lacks 2 clients",
        "Did you mean 'cal'",
        "hours must be at least 0",
        "'much'",
    ):
        assert part in text
    series = action_values(pd.Series([0.1], index=["a"]), pd.DataFrame({"action": [10.0]}, index=["a"]))
    assert series["value"].tolist() == [1.0]
