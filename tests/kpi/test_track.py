from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.kpi import KpiTargets, Target, plot_targets, track
from clientscore.kpi._track import wilson

SHARE = KpiTargets({"satisfaction": Target("share", "satisfied", "answered", goal=0.9, tolerance=0.05)})
GROWTH = KpiTargets({"lending": Target("growth", "amount", goal=0.15, tolerance=0.05, periods_back=12)})


def test_a_share_rests_on_sums_not_on_means_of_means():
    facts = pd.DataFrame(
        {"period": 1, "team": ["n", "n", "s"], "satisfied": [9, 90, 50], "answered": [10, 190, 50]}
    )
    table = track(facts, SHARE, by=["team"]).frame().set_index("group")
    assert table.loc["n", "value"] == pytest.approx(99 / 200)
    assert table.loc["all", "value"] == pytest.approx(149 / 250)
    assert table["state"].to_dict() == {"all": "red", "n": "red", "s": "green"}


def test_growth_compares_with_the_same_month_a_year_before():
    months = pd.date_range("2024-01-01", periods=14, freq="MS")
    facts = pd.DataFrame({"period": months, "amount": [100.0] * 12 + [115.0, 108.0], "tier": "A"})
    table = track(facts, GROWTH, by=["tier"]).frame().query("group == 'A'")
    assert table["value"].isna().sum() == 12
    assert table["value"].iloc[-2:].tolist() == pytest.approx([0.15, 0.08])
    assert table["state"].iloc[-2:].tolist() == ["green", "red"]
    # a month that is lacking is not taken for the one beside it
    lacking = track(facts.drop(index=1), GROWTH, by=["tier"]).frame().query("group == 'A'")
    assert np.isnan(lacking["value"].iloc[-1])
    assert lacking["state"].iloc[-1] == "not evaluated"


def test_too_few_answers_are_not_evaluated():
    facts = pd.DataFrame({"period": [1, 1], "team": ["n", "s"], "satisfied": [0, 9], "answered": [2, 10]})
    table = track(facts, SHARE, by=["team"]).frame().set_index("group")
    assert table.loc["n", "state"] == "not evaluated"
    assert table.loc["s", "state"] == "green"
    shown = track(facts, SHARE, by=["team"], min_denominator=1).frame().set_index("group")
    assert shown.loc["n", "state"] == "red"


def test_missing_counts_leave_both_sums():
    facts = pd.DataFrame(
        {"period": 1, "team": "n", "satisfied": [9, np.nan, 9], "answered": [10, 10, np.nan]}
    )
    assert track(facts, SHARE, by=["team"]).frame()["value"].tolist() == [0.9, 0.9]


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_groups_add_up_to_everybody(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 50, 40)
    facts = pd.DataFrame(
        {
            "period": rng.integers(1, 4, 40),
            "team": rng.choice(["n", "s", "e"], 40),
            "satisfied": rng.binomial(n, 0.8),
            "answered": n,
        }
    )
    table = track(facts, SHARE, by=["team"], min_denominator=0).frame()
    sums = table.groupby(["dimension", "period"])[["numerator", "denominator"]].sum()
    pd.testing.assert_frame_equal(sums.loc["all"], sums.loc["team"])
    assert (table["lower"] <= table["value"] + 1e-12).all()
    assert (table["value"] <= table["upper"] + 1e-12).all()


def test_wilson_by_hand():
    # 9 of 10: (0.9 + z2/20 +- z sqrt(0.009 + z2/400)) / (1 + z2/10)
    lower, upper = wilson(np.array([0.9]), np.array([10.0]))
    assert (lower[0], upper[0]) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_the_default_targets_and_all_dimensions():
    rng = np.random.default_rng(0)
    months = pd.date_range("2024-01-01", periods=13, freq="MS")
    facts = pd.DataFrame({"period": np.repeat(months, 20)})
    facts = facts.assign(portfolio="sme", tier=np.tile(["A", "B"], 130), team="n", manager_id="rm1")
    for top, bottom in (
        ("satisfied", "answered"),
        ("retained", "at_start"),
        ("responses_within_sla", "responses"),
        ("reports_delivered", "reports_due"),
    ):
        facts[bottom] = 10
        facts[top] = rng.integers(8, 11, len(facts))
    facts["new_lending_amount"] = 100.0
    report = track(facts)
    assert report.frame()["kpi"].nunique() == 5
    assert report.frame()["dimension"].unique().tolist() == ["all", "portfolio", "tier", "team", "manager_id"]
    grid = report.latest()
    assert grid.columns.tolist() == list(KpiTargets.default().targets)
    assert grid.loc[("tier", "A"), "new_lending"] == "red"
    assert json.loads(json.dumps(report.to_dict()))["targets"]["satisfaction"]["goal"] == 0.9
    assert "new_lending" in report._repr_html_()
    ax = plot_targets(report.frame(), "satisfaction", "A")
    assert ax.get_title() == "A"
    with pytest.raises(InvalidParameterError, match="no rows of kpi 'calls'"):
        plot_targets(report.frame(), "calls")


def test_bad_facts():
    facts = pd.DataFrame({"period": [1, 1], "team": "n", "satisfied": [11, 1], "answered": [10, -1]})
    with pytest.raises(DataError, match="cannot be tracked") as caught:
        track(facts.assign(period=[1, None]), SHARE, by=["team"])
    text = str(caught.value)
    for part in (
        "period must not be missing",
        "answered must be at least 0",
        "satisfied must be at most answered",
    ):
        assert part in text
    with pytest.raises(MissingColumnError, match="Did you mean 'team'"):
        track(facts, SHARE, by=["teams"])
    with pytest.raises(DataError, match="at least one row"):
        track(facts.head(0), SHARE, by=["team"])
