from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError, MissingColumnError
from clientscore.kpi import Target, contribution, plot_contribution

SHARE = Target("share", "satisfied", "answered", goal=0.9)
GROWTH = Target("growth", "amount", goal=0.15, periods_back=1)


def test_by_hand():
    # A: weight .5 -> .25, rate .9 -> .8; B: weight .5 -> .75, rate .7 -> .7; everybody .80 -> .725
    facts = pd.DataFrame(
        {
            "period": [1, 1, 2, 2],
            "tier": ["A", "B"] * 2,
            "satisfied": [90, 70, 40, 105],
            "answered": [100, 100, 50, 150],
        }
    )
    found = contribution(facts, SHARE, by="tier")
    table = found.frame().set_index("segment")
    middle = (0.80 + 0.725) / 2
    assert found.change == pytest.approx(-0.075)
    assert table.loc["A", "rate"] == pytest.approx(0.375 * -0.1)
    assert table.loc["B", "rate"] == pytest.approx(0.0)
    assert table.loc["A", "mix"] == pytest.approx(-0.25 * (0.85 - middle))
    assert table.loc["B", "mix"] == pytest.approx(0.25 * (0.70 - middle))
    assert table["total"].sum() == pytest.approx(-0.075)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_nothing_is_left_over(seed, growth):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 40, 30)
    facts = pd.DataFrame(
        {
            "period": rng.integers(1, 3, 30),
            "tier": rng.choice(list("ABCD"), 30),  # often there in one period only
            "satisfied": rng.binomial(n, 0.7),
            "answered": n,
            "amount": rng.gamma(1, 100, 30),
            "clients": n,
        }
    ).sort_values("period")
    if facts["period"].nunique() < 2:
        return
    target, size = (GROWTH, "clients") if growth else (SHARE, None)
    found = contribution(facts, target, by="tier", size=size)
    assert found.frame()["total"].sum() == pytest.approx(found.change)
    assert (found.frame()[["mix", "rate"]].sum(axis=1) - found.frame()["total"]).abs().max() < 1e-12
    sums = facts.groupby("period")[["satisfied", "answered", "amount"]].sum()
    if growth:
        assert found.change == pytest.approx(sums["amount"].loc[2] / sums["amount"].loc[1] - 1)
    else:
        share = sums["satisfied"] / sums["answered"]
        assert found.change == pytest.approx(share.loc[2] - share.loc[1])


def test_growth_by_hand_with_and_without_size():
    facts = pd.DataFrame(
        {
            "period": [1, 1, 2, 2],
            "tier": ["A", "B"] * 2,
            "amount": [100.0, 100.0, 180.0, 90.0],
            "clients": [10, 10, 12, 9],
        }
    )
    plain = contribution(facts, GROWTH, by="tier").frame().set_index("segment")
    assert plain["total"].to_dict() == pytest.approx({"A": 0.4, "B": -0.05})
    assert (plain["mix"] == 0).all()
    split = contribution(facts, GROWTH, by="tier", size="clients").frame().set_index("segment")
    assert split.loc["A", "mix"] == pytest.approx(2 * (10 + 15) / 2 / 200)
    assert split.loc["A", "rate"] == pytest.approx(11 * 5 / 200)


def test_a_new_segment_is_all_mix_and_without_size_all_rate():
    facts = pd.DataFrame(
        {
            "period": [1, 2, 2],
            "tier": ["A", "A", "B"],
            "satisfied": [80, 80, 50],
            "answered": [100, 100, 100],
            "amount": 1.0,
        }
    )
    table = contribution(facts, SHARE, by="tier").frame().set_index("segment")
    assert (table["rate"] == 0).all()
    assert table["total"].sum() == pytest.approx(0.65 - 0.8)
    growth = contribution(facts, GROWTH, by="tier").frame().set_index("segment")
    assert growth.loc["B", ["mix", "rate"]].tolist() == [0.0, 1.0]


def test_periods_are_chosen():
    facts = pd.DataFrame({"period": [1, 2, 3], "tier": "A", "satisfied": [80, 85, 99], "answered": 100})
    assert contribution(facts, SHARE, by="tier").start == 2
    assert contribution(facts, SHARE, by="tier", start=1, end=2).change == pytest.approx(0.05)
    assert contribution(facts, SHARE, by="tier", end=2).change == pytest.approx(0.05)


def test_what_is_shown():
    facts = pd.DataFrame({"period": [1, 2], "tier": "A", "satisfied": [80, 85], "answered": 100})
    found = contribution(facts, SHARE, by="tier")
    assert "A: +0.05 (mix" in str(found)
    assert found.to_dict()["change"] == pytest.approx(0.05)
    assert "tier" not in found._repr_html_()
    assert plot_contribution(found.frame()).get_xlabel() == "contribution to the change"


def test_bad_input():
    facts = pd.DataFrame({"period": [1, 2], "tier": "A", "satisfied": [80, 85], "answered": [100, 0]})
    with pytest.raises(MissingColumnError, match="'amount' is missing"):
        contribution(facts, GROWTH, by="tier")
    with pytest.raises(DataError, match="more than 1 periods; got 1"):
        contribution(facts.head(1), SHARE, by="tier")
    with pytest.raises(DataError, match="2 has none"):
        contribution(facts, SHARE, by="tier")
    zero = pd.DataFrame({"period": [1, 2], "tier": "A", "amount": [0.0, 5.0]})
    with pytest.raises(DataError, match="amount must add to more than 0"):
        contribution(zero, GROWTH, by="tier")
