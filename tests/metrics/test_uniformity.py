from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import d_calibration

MONTHS = np.arange(1, 13)


def months(n, seed, factor=1.0):
    """Whole months, twelve at most, censored at random; curves of `factor` times the true rates."""
    rng = np.random.default_rng(seed)
    rate = np.clip(np.exp(rng.normal(-4.0, 0.6, n)), 0, 0.4)
    exit_ = rng.geometric(rate)
    watched = np.where(rng.random(n) < 0.5, rng.integers(1, 13, n), 12)
    return (
        np.minimum(exit_, watched),
        exit_ <= watched,
        (1 - rate * factor)[:, None] ** MONTHS,
    )


def test_contributions_by_hand():
    # two bins. Client 1 leaves between times at S = 0.75: top bin. Client 2 is censored at S = 0.8: spread
    # over [0, .8]. Client 3 leaves on time 2, its curve steps from .6 to .4: half and half. Client 4 outlasts
    # the last time at S = .4: bottom bin.
    survival = [[0.5, 0.25], [0.8, 0.6], [0.6, 0.4], [0.6, 0.4]]
    found = d_calibration([0.5, 1, 2, 9], [1, 0, 1, 1], survival, times=[1, 2], n_bins=2)
    low = (0 + 0.5 / 0.8 + 0.5 + 1) / 4
    assert found.frame()["observed"].to_list() == pytest.approx([low, 1 - low])
    statistic = 4 * 2 * 2 * (low - 0.5) ** 2
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, 1))


def test_without_censoring_it_is_the_chi_square_test_of_equal_counts():
    rng = np.random.default_rng(0)
    duration, times = rng.exponential(size=500), np.linspace(0.001, 12, 20_000)
    survival = np.tile(np.exp(-1.1 * times), (500, 1))
    found = d_calibration(duration, np.ones(500), survival, times=times)
    counts = np.histogram(np.exp(-1.1 * duration), np.linspace(0, 1, 11))[0]
    expected = stats.chisquare(counts)
    assert found.frame()["observed"].to_list() == pytest.approx((counts / 500).tolist())
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 6), st.booleans(), st.floats(0, 1), st.floats(0, 1)),
        min_size=1,
        max_size=20,
    ),
    st.integers(2, 12),
)
def test_every_client_counts_once(rows, n_bins):
    duration, event, first, share = (np.array(column) for column in zip(*rows, strict=True))
    survival = np.column_stack([first, first * share])
    found = d_calibration(duration, event, survival, times=[1, 3], n_bins=n_bins).frame()
    assert found["observed"].sum() == pytest.approx(1.0)
    assert (found["observed"] >= 0).all()


def test_right_curves_pass_and_wrong_ones_do_not():
    right = [d_calibration(*months(1500, seed), times=MONTHS) for seed in range(60)]
    wrong = [d_calibration(*months(1500, seed, 1.5), times=MONTHS) for seed in range(10)]
    assert np.mean([found.wald_p_value < 0.05 for found in right]) <= 0.12
    assert np.mean([found.wald_p_value < 0.05 for found in wrong]) >= 0.9
    # where few leave within the year, Pearson's test passes nearly everything: hence the other
    assert not any(found.p_value < 0.05 for found in right)
    assert right[0].wald_degrees < 9


def test_continuous_times_with_censoring():
    rng = np.random.default_rng(1)
    rate = np.exp(rng.normal(0, 0.5, 2000))
    exit_, censored = rng.exponential(1 / rate), rng.exponential(1.5, 2000)
    times = np.linspace(0.02, 6, 300)
    duration, event = np.minimum(exit_, censored), exit_ <= censored
    assert d_calibration(duration, event, np.exp(-np.outer(rate, times)), times=times).wald_p_value > 0.05
    slow = d_calibration(duration, event, np.exp(-np.outer(0.7 * rate, times)), times=times)
    assert slow.p_value < 1e-6
    assert slow.frame()["observed"].iloc[-1] > 0.1  # they leave while the curve is still high


def test_the_result_shows_itself():
    found = d_calibration(*months(300, 0), times=MONTHS, n_bins=4)
    assert "D-calibration: p = " in repr(found)
    assert "<table" in found._repr_html_()
    figures = found.to_dict()
    assert figures["p_value"] == found.p_value
    assert len(figures["bins"]) == 4


def test_a_certain_curve_has_no_direction_to_test():
    found = d_calibration([2.0, 2.0], [0, 0], np.ones((2, 1)), times=[1])
    assert found.wald_degrees == 0
    assert np.isnan(found.wald_p_value)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: d_calibration([1], [1], [[0.5]], times=[1], n_bins=1), InvalidParameterError, "n_bins"),
        (lambda: d_calibration([0], [1], [[0.5]], times=[1]), DataError, "greater than 0"),
        (lambda: d_calibration([1], [1], [[1.5]], times=[1]), DataError, r"lie in \[0, 1\]"),
        (lambda: d_calibration([1], [1], [[0.5]], times=[1, 2]), DataError, "shape"),
        (lambda: d_calibration([1], [1], [[0.5, 0.7]], times=[1, 2]), DataError, "must not rise"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
