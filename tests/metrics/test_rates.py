from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.metrics import rate_interval


def past(sigma, dates, n, rng, rate=0.12):
    realized = rng.binomial(n, np.minimum(rate * np.exp(rng.normal(0, sigma, dates)), 1)) / n
    return pd.DataFrame({"predicted": rate, "realized": realized, "n": n})


def test_without_a_common_surprise_it_is_the_binomial_interval():
    low, high = rate_interval(0.1, 500, prior_dispersion=1e-9)
    assert (low, high) == (stats.binom.ppf(0.025, 500, 0.1) / 500, stats.binom.ppf(0.975, 500, 0.1) / 500)


def test_for_a_huge_portfolio_it_is_the_t_quantile_of_the_dispersion():
    low, high = rate_interval(0.1, 100_000_000, prior_dispersion=0.2, prior_dates=5.0)
    half = 0.2 * stats.t.ppf(0.975, 5)
    assert low == pytest.approx(0.1 * np.exp(-half), rel=0.01)
    assert high == pytest.approx(0.1 * np.exp(half), rel=0.01)


def test_it_holds_the_next_rate_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        rows = past(0.25, 9, 2000, rng)
        low, high = rate_interval(0.12, 2000, rows.iloc[:-1], step_periods=12)
        inside.append(low <= rows["realized"].iloc[-1] <= high)
    assert 0.91 <= np.mean(inside) <= 0.995


def test_overlapping_windows_count_for_less():
    rows = past(0.02, 12, 5000, np.random.default_rng(1))
    apart = rate_interval(0.12, 5000, rows, step_periods=12)
    overlapping = rate_interval(0.12, 5000, rows, step_periods=1)
    assert overlapping[0] < apart[0] < 0.12 < apart[1] < overlapping[1]  # nearer to the wider prior


def test_a_lasting_bias_widens_the_interval():
    right = pd.DataFrame({"predicted": [0.1] * 8, "realized": [0.1] * 8, "n": [5000] * 8})
    biased = right.assign(realized=0.15)
    narrow, wide = (rate_interval(0.1, 5000, rows, step_periods=12) for rows in (right, biased))
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])
    assert wide[1] > 0.15


def test_it_stays_inside_zero_and_one():
    low, high = rate_interval(0.001, 20)
    assert low == 0.0
    assert high <= 0.1
    assert rate_interval(0.98, 50)[1] == 1.0


def test_bad_history_is_named():
    good = pd.DataFrame({"predicted": [0.1], "realized": [0.1], "n": [10]})
    with pytest.raises(MissingColumnError, match=r"'realized' is missing. Did you mean 'realised'"):
        rate_interval(0.1, 10, good.rename(columns={"realized": "realised"}))
    with pytest.raises(DataError, match="predicted must lie in"):
        rate_interval(0.1, 10, good.assign(predicted=0.0, n=0))
    with pytest.raises(DataError, match="realized must lie in"):
        rate_interval(0.1, 10, good.assign(realized=1.5))
    with pytest.raises(InvalidParameterError, match="predicted"):
        rate_interval(0.0, 10)
