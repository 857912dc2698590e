from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import pit_from_ttc, ttc_from_pit


def test_the_basel_formula_is_the_bad_year_of_one_in_a_thousand():
    # Conditional PD of the IRB formula: pd 1 %, rho 0.12 (1 + exp(-50 pd)), 99.9 % quantile.
    rho = 0.12 * (1 - np.exp(-0.5)) / (1 - np.exp(-50)) + 0.24 * (1 - (1 - np.exp(-0.5)) / (1 - np.exp(-50)))
    found = pit_from_ttc(0.01, rho, z=stats.norm.ppf(0.001))
    assert found == pytest.approx(0.1403, abs=5e-5)


@pytest.mark.parametrize("pd_", [0.0005, 0.01, 0.3])
@pytest.mark.parametrize("rho", [0.0, 0.12, 0.6])
def test_the_mean_over_the_economy_is_the_ttc_pd(pd_, rho):
    mean, _ = integrate.quad(lambda z: pit_from_ttc(pd_, rho, z) * stats.norm.pdf(z), -12, 12, limit=200)
    assert mean == pytest.approx(pd_, rel=1e-6)


@given(st.floats(1e-6, 1 - 1e-6), st.floats(0, 0.9), st.floats(-3, 3))
def test_there_and_back(pd_, rho, z):
    there = pit_from_ttc(pd_, rho, z)
    if 1e-12 < there < 1 - 1e-9:
        assert ttc_from_pit(there, rho, z) == pytest.approx(pd_, rel=1e-5)


def test_series_keep_their_index_and_missing_stays_missing():
    found = pit_from_ttc(pd.Series([0.01, np.nan, 0.0, 1.0], index=list("abcd"), name="pd"), 0.1, z=1.0)
    assert found.index.tolist() == list("abcd")
    assert np.isnan(found["b"])
    assert found[["c", "d"]].tolist() == [0, 1]
    assert found["a"] < 0.01


def test_bad_input():
    with pytest.raises(InvalidParameterError, match="rho"):
        pit_from_ttc(0.1, 1.0, 0.0)
    with pytest.raises(DataError, match="1 of 2"):
        ttc_from_pit(np.array([0.1, 1.1]), 0.1, 0.0)
    with pytest.raises(DataError, match="z must be finite"):
        pit_from_ttc(0.1, 0.1, np.inf)
