from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.value import lifetime_value

THERE = pd.DataFrame({1: [0.9, 1.0], 2: [0.8, 1.0]}, index=["C1", "C2"])
FAILED = pd.DataFrame({1: [0.02, 0.0], 2: [0.05, 0.0]}, index=["C1", "C2"])


def test_by_hand():
    d = 1 / 1.1
    table = lifetime_value(
        THERE, FAILED, 100.0, ead_amount=1000.0, lgd=0.4, discount_rate=0.1, periods_per_year=1
    )
    margin = 100 * (0.9 * d + 0.8 * d**2)
    loss = 400 * (0.02 * d + 0.03 * d**2)
    assert table.loc["C1", "lifetime_value_margin"] == pytest.approx(margin)
    assert table.loc["C1", "lifetime_value_loss"] == pytest.approx(loss)
    assert table.loc["C1", "lifetime_value"] == pytest.approx(margin - loss)
    assert table.loc["C2"].tolist() == pytest.approx([100 * (d + d**2), 100 * (d + d**2), 0.0])


def test_amounts_a_client_and_a_period():
    margin = pd.DataFrame({1: [100.0, 10.0], 2: [200.0, 10.0]}, index=THERE.index)
    ead = pd.Series([1000.0, 0.0], index=THERE.index)
    table = lifetime_value(
        THERE, FAILED, margin, ead_amount=ead, lgd=[0.5, 0.4], discount_rate=0.0, periods_per_year=1
    )
    assert table["lifetime_value_margin"].tolist() == pytest.approx([90 + 160, 20])
    assert table["lifetime_value_loss"].tolist() == pytest.approx([25, 0])
    monthly = lifetime_value(THERE, FAILED, margin, discount_rate=0.0)  # amounts are a year
    np.testing.assert_allclose(monthly["lifetime_value_margin"] * 12, table["lifetime_value_margin"])


def test_between_horizons_hazard_and_mixture_are_constant():
    """The rule by hand: survival falls by one factor, defaults take one share of the exits."""
    full = pd.DataFrame({t: [0.9**t] for t in range(1, 7)})
    failed = pd.DataFrame({t: [0.25 * (1 - 0.9**t)] for t in range(1, 7)})
    few = lifetime_value(full[[2, 6]], failed[[2, 6]], 1200.0, ead_amount=500.0, discount_rate=0.2)
    every = lifetime_value(full, failed, 1200.0, ead_amount=500.0, discount_rate=0.2)
    np.testing.assert_allclose(few, every, rtol=1e-12)


def test_ends_of_the_range():
    nobody = pd.DataFrame({3: [0.0], 6: [0.0]})
    all_failed = pd.DataFrame({3: [1.0], 6: [1.0]})
    table = lifetime_value(nobody, all_failed, 1200.0, ead_amount=100.0, lgd=1.0, discount_rate=0.0)
    assert table["lifetime_value_margin"].tolist() == [0.0]
    assert table["lifetime_value_loss"].tolist() == [100.0]
    loyal = lifetime_value(1.0 - nobody, all_failed * 0.0, 1200.0, ead_amount=100.0, discount_rate=0.0)
    assert loyal["lifetime_value"].tolist() == pytest.approx([600.0])


def test_missing_stays_missing():
    margin = pd.Series([np.nan, 12.0], index=THERE.index)
    table = lifetime_value(THERE, FAILED, margin)
    assert np.isnan(table.loc["C1", "lifetime_value"])
    assert np.isfinite(table.loc["C2"]).all()
    silent = lifetime_value(THERE.drop("C2").reindex(THERE.index), FAILED, 12.0)
    assert np.isnan(silent.loc["C2", "lifetime_value"])
    assert len(lifetime_value(THERE.iloc[:0], FAILED.iloc[:0], 1.0)) == 0


@given(hnp.arrays(float, (5, 4, 3), elements=st.floats(0.001, 0.3)), st.floats(0, 0.5))
def test_value_falls_with_hazard_rate_and_exposure(hazard, rate):
    """Hazards of default, another exit and staying make proper curves; a higher rate or LGD costs."""
    exits = hazard[:, :, :2]
    there = np.cumprod(1 - exits.sum(axis=2), axis=1)
    before = np.hstack([np.ones((5, 1)), there[:, :-1]])
    failed = np.cumsum(before * exits[:, :, 0], axis=1)
    survival, default = (pd.DataFrame(curve, columns=[1, 4, 5, 12]) for curve in (there, failed))
    table = lifetime_value(survival, default, 1000.0, ead_amount=500.0, discount_rate=rate)
    assert (table["lifetime_value_margin"] <= 1000.0 + 1e-9).all()
    assert (table["lifetime_value_loss"] >= 0).all()
    assert (table["lifetime_value_loss"] <= 200.0 * failed[:, -1] + 1e-9).all()
    dearer = lifetime_value(survival, default, 1000.0, ead_amount=500.0, discount_rate=rate + 0.1)
    assert (dearer["lifetime_value_margin"] <= table["lifetime_value_margin"]).all()
    undiscounted = lifetime_value(survival, default, 0.0, ead_amount=500.0, discount_rate=0.0)
    np.testing.assert_allclose(undiscounted["lifetime_value"], -200.0 * failed[:, -1], rtol=1e-9)


def test_bad_input_is_named():
    with pytest.raises(DataError, match="probabilities of one model") as raised:
        lifetime_value(THERE[[2, 1]].set_axis([1, 2], axis=1), 2 * FAILED + 0.5, 1.0)
    assert [fault.rsplit(" in ", 1)[0] for fault in raised.value.faults] == [
        "survival rises with the horizon",
        "survival and default_incidence add to more than 1",
    ]
    with pytest.raises(DataError, match=r"survival lies outside \[0, 1\] in 1 of 2 rows"):
        lifetime_value(THERE - 0.85, FAILED * 0, 1.0)
    with pytest.raises(DataError, match="default_incidence falls with the horizon in 1 of 2"):
        lifetime_value(THERE, FAILED[[2, 1]].set_axis([1, 2], axis=1), 1.0)
    with pytest.raises(DataError, match="default_incidence must be a DataFrame with the rows and columns"):
        lifetime_value(THERE, FAILED.iloc[::-1], 1.0)
    with pytest.raises(DataError, match="survival must be a DataFrame"):
        lifetime_value([0.9], FAILED, 1.0)
    with pytest.raises(InvalidParameterError, match="must increase"):
        lifetime_value(THERE[[2, 1]], FAILED[[2, 1]], 1.0)
    with pytest.raises(InvalidParameterError, match="columns of survival must be a whole number"):
        lifetime_value(THERE.set_axis(["3m", "6m"], axis=1), FAILED, 1.0)
    with pytest.raises(DataError, match="amounts and fractions") as raised:
        lifetime_value(THERE, FAILED, 1.0, ead_amount=-1.0, lgd=40.0)
    assert len(raised.value.faults) == 2
    with pytest.raises(DataError, match="margin_amount must hold numbers"):
        lifetime_value(THERE, FAILED, "much")
    with pytest.raises(DataError, match="margin_amount must be finite"):
        lifetime_value(THERE, FAILED, np.inf)
    with pytest.raises(DataError, match="margin_amount must have the index of survival"):
        lifetime_value(THERE, FAILED, pd.Series([1.0, 2.0]))
    with pytest.raises(DataError, match="must be a number or have 2 values; got shape"):
        lifetime_value(THERE, FAILED, [1.0, 2.0, 3.0])
    with pytest.raises(InvalidParameterError, match="discount_rate must be"):
        lifetime_value(THERE, FAILED, 1.0, discount_rate=-0.1)
    with pytest.raises(InvalidParameterError, match="periods_per_year must be"):
        lifetime_value(THERE, FAILED, 1.0, periods_per_year=0)
