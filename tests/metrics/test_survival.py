from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import (
    brier_incidence,
    brier_survival,
    calibration_by_horizon,
    ibs_incidence,
    ibs_survival,
    ici,
)

MONTHS = np.arange(1, 13)
ROWS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=25)


def test_brier_by_hand():
    # 4 clients: exit at 1, censored at 2, exit at 3 (G = 1 - 1/3 = 2/3), there at 4
    duration, event = [1, 2, 3, 4], ["a", None, "a", None]
    survival = np.array([[0.5, 0.2], [0.9, 0.8], [0.6, 0.4], [0.8, 0.7]])
    score = brier_survival(duration, event, survival, times=[2, 3])
    # at 2 the censored client is known to be there: G(2) = 1 for all
    first = (0.5**2 + 0.1**2 + 0.4**2 + 0.2**2) / 4
    second = (0.2**2 + 0.4**2 * 1.5 + 0.3**2 * 1.5) / 4
    assert score.to_list() == pytest.approx([first, second])
    assert score.attrs["tau"] == 4.0
    ibs = ibs_survival(duration, event, survival, times=[2, 3])
    assert ibs == pytest.approx((first + second) / 2)
    assert ibs.tau == 4.0


def test_strict_ties_by_hand():
    duration, event = [1, 2, 3, 4], ["a", None, "a", None]
    survival = np.array([[0.5], [0.9], [0.6], [0.8]])
    score = brier_survival(duration, event, survival, times=[2], ties="strict")
    assert score.to_list() == pytest.approx([(0.5**2 + (0.4**2 + 0.2**2) * 1.5) / 4])


def test_brier_of_a_cause_by_hand():
    # at 3: client 1 gone by another cause (outcome 0, weight 1), 3 gone by the cause (weight 3/2), 4 there
    duration, event = [1, 2, 3, 4], ["b", None, "a", None]
    incidence = np.array([[0.3], [0.1], [0.6], [0.2]])
    score = brier_incidence(duration, event, incidence, cause="a", times=[3])
    assert score.to_list() == pytest.approx([(0.3**2 + 0.4**2 * 1.5 + 0.2**2 * 1.5) / 4])


@given(ROWS)
def test_for_any_event_incidence_and_survival_score_alike(rows):
    duration, code = (np.array(column) for column in zip(*rows, strict=True))
    survival = np.random.default_rng(0).random((len(duration), 2))
    one = brier_survival(duration, code, survival, times=[1, 3])
    other = brier_incidence(duration, code, 1 - survival, cause=None, times=[1, 3])
    pd.testing.assert_series_equal(one, other)


@given(ROWS)
def test_without_censoring_it_is_the_plain_brier_score(rows):
    duration, code = (np.array(column) for column in zip(*rows, strict=True))
    code = np.maximum(code, 1)
    predicted = np.random.default_rng(0).random((len(duration), 2))
    found = brier_incidence(duration, code, predicted, cause=int(code[0]), times=[1, 9])
    plain = [
        np.mean((predicted[:, k] - ((duration <= t) & (code == code[0]))) ** 2) for k, t in enumerate((1, 9))
    ]
    assert found.to_list() == pytest.approx(plain)
    assert found.attrs["tau"] == np.inf


def book(n, rate, censored, seed):
    """Whole months: exits at `rate`, watched until `censored` and twelve months at most."""
    rng = np.random.default_rng(seed)
    exit_ = rng.geometric(rate, n)
    watched = np.minimum(rng.geometric(censored, n), 12)
    curves = (1 - np.broadcast_to(rate, n))[:, None] ** MONTHS
    return exit_, np.minimum(exit_, watched), (exit_ <= watched).astype(int), curves


def test_on_whole_months_only_events_first_is_without_bias():
    rate = np.where(np.random.default_rng(5).random(200_000) < 0.5, 0.1, 0.03)
    exit_, duration, event, curves = book(200_000, rate, 0.1, 6)
    whole = [np.mean((curves[:, t - 1] - (exit_ > t)) ** 2) for t in (3, 6, 12)]
    at = [2, 5, 11]
    ours = brier_survival(duration, event, curves[:, at], times=[3, 6, 12])
    np.testing.assert_allclose(ours, whole, atol=0.002)  # standard errors .0005, .0007, .0012
    strict = brier_survival(duration, event, curves[:, at], times=[3, 6, 12], ties="strict")
    assert strict.iloc[0] - whole[0] > 0.004  # exits of month t get the weight of those watched past t
    assert np.isnan(strict.iloc[2])  # nobody is watched past the end of the window


def incidence_frame(curves, months=(6, 12)):
    columns = pd.MultiIndex.from_product([["cause_1"], months], names=["cause", "horizon"])
    return pd.DataFrame(1 - curves[:, [month - 1 for month in months]], columns=columns)


def outside(table):
    """Rows whose mean prediction lies outside the interval of what was observed."""
    return (table["predicted"] < table["lower"]) | (table["predicted"] > table["upper"])


def test_trap_weights_of_longer_watched_rows_prefer_a_wrong_model_and_the_mean_curve_tells():
    rate = np.where(np.random.default_rng(0).random(20_000) < 0.5, 0.08, 0.02)
    _, duration, event, right = book(20_000, rate, 0.15, 1)
    _, *train, wrong = book(20_000, rate * 1.3, 1e-9, 2)
    train = tuple(train)
    score = [ibs_survival(duration, event, curves, times=MONTHS, train=train) for curves in (right, wrong)]
    assert score[1] < score[0] - 0.003  # the wrong model wins ...
    tables = [
        calibration_by_horizon(duration, event, incidence_frame(curves), horizons=[6, 12], n_groups=1)
        for curves in (right, wrong)
    ]
    everybody = [table[table["group"] == 0] for table in tables]
    assert not outside(everybody[0]).any()
    assert outside(everybody[1]).all()  # ... and the mean curve gives it away
    own = [ibs_survival(duration, event, curves, times=MONTHS) for curves in (right, wrong)]
    assert own[0] < own[1]  # weights of the judged rows themselves are right here


def test_trap_censoring_by_risk_prefers_a_wrong_model_and_groups_of_risk_tell():
    risky = np.random.default_rng(0).random(20_000) < 0.5
    rate = np.where(risky, 0.12, 0.02)
    _, duration, event, right = book(20_000, rate, np.where(risky, 0.25, 0.02), 1)
    wrong = (1 - 1.3 * rate)[:, None] ** MONTHS
    score = [ibs_survival(duration, event, curves, times=MONTHS) for curves in (right, wrong)]
    assert score[1] < score[0] - 0.002
    frames = [incidence_frame(curves) for curves in (right, wrong)]
    tables = [
        calibration_by_horizon(duration, event, frame, horizons=[6, 12], n_groups=2) for frame in frames
    ]
    groups = [table[table["group"] > 0] for table in tables]
    assert not outside(groups[0]).any()
    assert outside(groups[1]).all()
    assert ici(duration, event, frames[0], horizon=12) < 0.01
    assert ici(duration, event, frames[1], horizon=12) > 0.05
    # the mean over everybody is misled here: it rejects the truth
    assert outside(tables[0][tables[0]["group"] == 0]).all()


def test_limit_censoring_tied_to_the_exit_misleads_both():
    rng = np.random.default_rng(0)
    draw = -np.log(rng.random(20_000))  # the same chance moves exit and censoring
    exit_ = np.ceil(draw / 0.1)
    watched = np.minimum(np.ceil(draw / 0.08 * rng.uniform(0.5, 1.6, 20_000)), 12)
    duration, event = np.minimum(exit_, watched), (exit_ <= watched).astype(int)
    right, wrong = (np.tile(np.exp(-rate * MONTHS), (20_000, 1)) for rate in (0.1, 0.08))
    scores = [ibs_survival(duration, event, curves, times=MONTHS) for curves in (right, wrong)]
    assert scores[1] < scores[0]
    gaps = [ici(duration, event, incidence_frame(curves), horizon=12) for curves in (right, wrong)]
    assert gaps[1] < gaps[0]  # as documented: nothing in the data shows it


def test_the_truth_scores_better_than_a_sharper_or_a_flatter_model():
    rate = np.random.default_rng(3).beta(2, 40, 20_000)
    _, duration, event, right = book(20_000, rate, 0.05, 4)
    flat = np.tile(right.mean(axis=0), (20_000, 1))
    best = ibs_survival(duration, event, right, times=MONTHS)
    assert best < ibs_survival(duration, event, flat, times=MONTHS)
    assert best < ibs_survival(duration, event, np.clip(right**2, 0, 1), times=MONTHS)


def test_frames_are_read_by_label():
    duration, event = [1, 2, 3, 4], ["b", None, "a", None]
    values = np.array([[0.3, 0.4], [0.1, 0.2], [0.6, 0.7], [0.2, 0.3]])
    expected = brier_incidence(duration, event, values, cause="a", times=[2, 3])
    by_cause = pd.DataFrame(
        np.column_stack([values[:, ::-1], np.zeros((4, 2))]),
        columns=pd.MultiIndex.from_product([["a", "b"], [3, 2]], names=["cause", "horizon"]),
    )
    assert brier_incidence(duration, event, by_cause, cause="a", times=[2, 3]).equals(expected)
    by_time = pd.DataFrame(values, columns=[2, 3])[[3, 2]]
    assert brier_incidence(duration, event, by_time, cause="a", times=[2, 3]).equals(expected)
    by_place = pd.DataFrame(values)  # columns 0 and 1 are places, not times
    assert brier_incidence(duration, event, by_place, cause="a", times=[2, 3]).equals(expected)
    named = pd.DataFrame(values, columns=["p_2m", "p_3m"])
    assert brier_incidence(duration, event, named, cause="a", times=[2, 3]).equals(expected)
    with pytest.raises(DataError, match=r"\['4'\] are missing"):
        brier_incidence(duration, event, by_time, cause="a", times=[2, 4])
    with pytest.raises(DataError, match="'b' is missing"):
        brier_incidence(duration, event, by_cause[["a"]], cause="b", times=[2, 3])


def test_times_past_the_weights_are_missing_not_an_error():
    duration, event, half = [1, 2, 3], [1, 0, 0], np.full((3, 3), 0.5)
    score = brier_survival(duration, event, half, times=[1, 3, 8])
    assert score.isna().to_list() == [False, False, True]
    assert ibs_survival(duration, event, half, times=[1, 3, 8]) == pytest.approx(
        ibs_survival(duration, event, half[:, :2], times=[1, 3])
    )
    short = ([1, 1], [1, 0])
    beyond = ibs_incidence(duration, event, half, cause=1, times=[1, 3, 8], train=short)
    assert np.isnan(beyond)
    assert beyond.tau == 1.0
    # rows watched for three periods say nothing of the eighth, however long those of train were
    assert brier_survival(duration, event, half, times=[1, 3, 8], train=([9, 9], [0, 1])).attrs["tau"] == 3.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: brier_survival([1, 2], [1, 0], [[0.5]], times=[1]), DataError, r"shape \(2, 1\)"),
        (lambda: brier_survival([1, 2], [1, 0], [["a"], [1]], times=[1]), DataError, "hold numbers"),
        (lambda: brier_survival([1, 2], [1, 0], [1.5, 0.5], times=[1]), DataError, r"lie in \[0, 1\]"),
        (lambda: brier_survival([1, 2], [1, 0], [np.nan, 0.5], times=[1]), DataError, "finite; got 1"),
        (
            lambda: brier_incidence([1, 2], [1, 0], [0.1, 0.5], cause="cause_2", times=[1]),
            DataError,
            "'cause_2' does not occur",
        ),
        (
            lambda: ibs_survival([1, 2], [1, 0], [0.1, 0.5], times=[1]),
            InvalidParameterError,
            "at least 2; got 1",
        ),
        (
            lambda: ibs_incidence([1, 2], [1, 0], [[0.1, 0.5]] * 2, cause=1, times=[0, 1]),
            InvalidParameterError,
            "greater than 0",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_rounding_outside_zero_and_one_is_no_fault():
    score = brier_survival([1, 2], [1, 0], [-1e-12, 1 + 1e-12], times=[1])
    assert score.to_list() == [0.0]
