from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import pluto_tasche

LEVELS = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


@pytest.mark.parametrize(
    ("defaults", "rho", "percent"),
    [
        (
            [0, 0, 0],
            0.0,
            [
                [0.09, 0.17, 0.29, 0.37, 0.57, 0.86],
                [0.10, 0.20, 0.33, 0.43, 0.66, 0.98],
                [0.23, 0.46, 0.76, 0.99, 1.52, 2.28],
            ],
        ),
        (
            [0, 0, 0],
            0.12,
            [
                [0.15, 0.40, 0.86, 1.31, 2.65, 5.29],
                [0.17, 0.45, 0.96, 1.45, 2.92, 5.77],
                [0.37, 0.92, 1.89, 2.78, 5.30, 9.84],
            ],
        ),
    ],
)
def test_the_tables_of_pluto_and_tasche(defaults, rho, percent):
    found = pluto_tasche([100, 400, 300], defaults, LEVELS, rho=rho)
    # printed to two digits; the correlated ones were integrated with two digits of error
    np.testing.assert_allclose(100 * found.to_numpy(), percent, atol=0.005 if rho == 0 else 0.011)


def test_the_bound_published_with_a_spreadsheet_for_9810_correlated_clients():
    # Windridge, "Fast Pluto-Tasche PD calculator": 35 defaults, rho 0.15, PD 0.0334 at 95 %.
    assert pluto_tasche([9810], [35], [0.95], rho=0.15).iloc[0, 0] == pytest.approx(0.0334, abs=5e-6)


def test_the_example_of_the_r_package_ldpd():
    found = pluto_tasche([10, 40, 30, 20, 10], [0, 0, 0, 2, 1], [0.5])[0.5]
    expected = [0.03330381, 0.03659702, 0.06086968, 0.12106991, 0.16226172]
    np.testing.assert_allclose(found, expected, atol=3e-5)  # its root finder stops at 1e-4


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3)), min_size=1, max_size=5),
    st.floats(0.05, 0.999),
)
def test_without_correlation_it_is_the_exact_bound_of_the_pool(grades, level):
    n = np.array([clients for clients, _ in grades])
    d = np.minimum(n, [defaults for _, defaults in grades])
    found = pluto_tasche(n, d, [level])[level].to_numpy()
    assert (np.diff(found) >= 0).all()
    pool_n, pool_d = int(n.sum()), int(d.sum())
    if pool_d < pool_n:
        assert stats.binom.cdf(pool_d, pool_n, found[0]) == pytest.approx(1 - level, abs=1e-9)
        exact = stats.binomtest(pool_d, pool_n, alternative="less").proportion_ci(level, method="exact").high
        assert found[0] == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(("n", "defaults", "rho"), [(50, 0, 0.05), (300, 2, 0.2), (5000, 12, 0.5)])
def test_with_correlation_the_probability_is_met_by_adaptive_quadrature(n, defaults, rho):
    bound = pluto_tasche([n], [defaults], [0.9], rho=rho).iloc[0, 0]

    def few(state):
        p = stats.norm.cdf((stats.norm.ppf(bound) - np.sqrt(rho) * state) / np.sqrt(1 - rho))
        return stats.binom.cdf(defaults, n, p) * stats.norm.pdf(state)

    total = sum(integrate.quad(few, low, low + 0.5)[0] for low in np.arange(-9, 9, 0.5))
    assert total == pytest.approx(0.1, abs=1e-6)


def test_correlation_fades_into_independence():
    apart = pluto_tasche([100, 400], [0, 1])
    np.testing.assert_allclose(pluto_tasche([100, 400], [0, 1], rho=1e-9), apart, rtol=1e-4)


def test_bounds_scale_to_the_portfolio_and_keep_the_grades():
    n, d = pd.Series([100, 400, 300], index=["A", "B", "C"]), pd.Series([0, 2, 1], index=["A", "B", "C"])
    found = pluto_tasche(n, d, portfolio_rate=3 / 800)
    assert found.index.tolist() == ["A", "B", "C"]
    assert (n @ found / n.sum()).to_numpy() == pytest.approx([3 / 800] * 3)


def test_an_inversion_lifts_the_worse_grade_and_all_defaults_give_one():
    found = pluto_tasche([100, 100], [20, 0])
    assert (found.loc[1] == found.loc[0]).all()
    assert pluto_tasche([5], [5]).to_numpy().tolist() == [[1, 1, 1]]
    assert np.isfinite(pluto_tasche([0, 5], [0, 0]).to_numpy()).all()


def test_bad_input():
    with pytest.raises(DataError) as caught:
        pluto_tasche([10, 5, 0], [-1, 6, 0])
    assert [fault.split("(s)")[1] for fault in caught.value.faults] == [" [0]", " [1]", " [2]"]
    with pytest.raises(DataError, match="one count a grade; got 2, 1"):
        pluto_tasche([1, 2], [0])
    with pytest.raises(InvalidParameterError, match="rho"):
        pluto_tasche([10], [0], rho=1.0)
    with pytest.raises(InvalidParameterError, match="confidence"):
        pluto_tasche([10], [0], [1.0])
    with pytest.raises(InvalidParameterError, match="levels that differ"):
        pluto_tasche([10], [0], [0.5, 0.5])
    with pytest.raises(InvalidParameterError, match="portfolio_rate"):
        pluto_tasche([10], [0], portfolio_rate=0.0)
