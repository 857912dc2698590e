from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError
from clientscore.metrics import crps_mixture, crps_mixture_rows, pinball

LEVELS = np.array([0.05, 0.25, 0.5, 0.8, 0.97])


def by_numbers(y, p, quantiles, levels):
    """The integral of the definition on a fine grid of x, F written out point by point."""
    x = np.linspace(0.0, max(y, quantiles[-1]) + 1.0, 40_001)
    given_need = np.interp(x, quantiles, levels)
    given_need[x < quantiles[0]] = 0.0
    given_need[x >= quantiles[-1]] = 1.0
    cdf = 1 - p + p * given_need
    return np.trapezoid((cdf - (y <= x)) ** 2, x)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1), st.sampled_from([0.0, 0.3, 1.7, 4.0, 30.0]))
def test_the_formula_is_the_integral(seed, p, y):
    quantiles = np.sort(np.random.default_rng(seed).lognormal(0.5, 0.8, len(LEVELS)))
    exact = crps_mixture([y], [p], quantiles[None, :], LEVELS)
    assert exact == pytest.approx(by_numbers(y, p, quantiles, LEVELS), abs=2e-3)


def test_a_sample_has_the_score_of_its_values():
    rng = np.random.default_rng(0)
    sample, other = rng.lognormal(size=40), rng.lognormal(size=40)
    p, y = 0.3, 1.2
    values = np.append(np.zeros(7 * 40), np.tile(sample, 3))  # .7 zeros, .3 the sample
    kernel = np.abs(values - y).mean() - np.abs(values[:, None] - values).mean() / 2
    assert crps_mixture([y], [p], sample[None, ::-1]) == pytest.approx(kernel)
    given = np.stack([sample, other])
    both = crps_mixture([y, y], [p, p], given, weight=[3.0, 1.0])
    np.testing.assert_array_equal(given[0], sample)  # the caller's rows keep their order
    assert both == pytest.approx(0.75 * kernel + 0.25 * crps_mixture([y], [p], other[None]))


def test_without_a_zero_it_is_twice_the_mean_pinball_loss():
    levels = (np.arange(2000) + 0.5) / 2000
    quantiles = np.exp(levels)[None, :]
    mean = np.mean([pinball([1.9], [q], u) for q, u in zip(quantiles[0], levels, strict=True)])
    assert crps_mixture([1.9], [1.0], quantiles, levels) == pytest.approx(2 * mean, rel=1e-3)


def test_the_true_distribution_has_the_lowest_score():
    rng = np.random.default_rng(1)
    n, levels = 10_000, np.arange(1, 100) / 100
    drawn = np.where(rng.random(n) < 0.3, rng.lognormal(size=n), 0.0)
    truth = np.quantile(rng.lognormal(size=200_000), levels)
    scores = [
        crps_mixture(drawn, np.full(n, p), np.tile(scale * truth, (n, 1)), levels)
        for p, scale in [(0.3, 1.0), (0.2, 1.0), (0.4, 1.0), (0.3, 0.8), (0.3, 1.25)]
    ]
    assert np.argmin(scores) == 0


def test_never_and_never_drawn_costs_nothing():
    assert crps_mixture([0.0], [0.0], [[3.0, 4.0]], [0.1, 0.9]) == 0.0
    assert crps_mixture([5.0], [0.0], [[3.0, 4.0]], [0.1, 0.9]) == pytest.approx(5.0)


def test_bad_input_is_named():
    with pytest.raises(DataError, match="y must be at least 0; got -1"):
        crps_mixture([-1.0], [0.5], [[1.0]])
    with pytest.raises(DataError, match="levels must rise"):
        crps_mixture([1.0], [0.5], [[1.0, 2.0]], [0.9, 0.1])
    with pytest.raises(DataError, match="levels must rise"):
        crps_mixture([1.0], [0.5], [[1.0, 2.0]], [0.0, 0.5])
    with pytest.raises(DataError, match="quantiles must rise"):
        crps_mixture([1.0], [0.5], [[2.0, 1.0]], [0.1, 0.9])
    with pytest.raises(DataError, match="one row for each of the 1"):
        crps_mixture([1.0], [0.5], [1.0, 2.0], [0.1, 0.9])
    with pytest.raises(DataError, match="finite and at least 0"):
        crps_mixture([1.0], [0.5], [[np.nan, 2.0]], [0.1, 0.9])
    with pytest.raises(DataError, match=r"p must lie in \[0, 1\]"):
        crps_mixture([1.0], [1.5], [[1.0]])


def test_each_row_alone_has_its_own_score():
    rng = np.random.default_rng(5)
    y, p = rng.gamma(1, 2, 20) * (rng.random(20) < 0.5), rng.random(20)
    quantiles = np.sort(rng.gamma(2, 2, (20, len(LEVELS))), axis=1)
    rows = crps_mixture_rows(y, p, quantiles, LEVELS)
    alone = [crps_mixture(y[[i]], p[[i]], quantiles[[i]], LEVELS) for i in range(20)]
    np.testing.assert_allclose(rows, alone, rtol=1e-12)
    assert crps_mixture(y, p, quantiles, LEVELS) == pytest.approx(rows.mean())
