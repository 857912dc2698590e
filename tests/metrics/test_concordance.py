from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import Measured, auc, dynamic_auc, mean_dynamic_auc, uno_c

ROWS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2), st.integers(0, 4)), min_size=2, max_size=25)


def seen_at(t, duration, code):
    """Probability of not being censored before t: the product over earlier censorings, counted by hand."""
    product = 1.0
    for u in sorted(set(duration[code == 0])):
        if u < t:
            there = (duration > u) | ((duration == u) & (code == 0))
            product *= 1 - ((duration == u) & (code == 0)).sum() / there.sum()
    return product


def pair_by_pair(duration, code, risk, cause, tau=np.inf):
    """Uno's C with Wolbers' pairs, every pair looked at."""
    weight = [1 / seen_at(t, duration, code) if seen_at(t, duration, code) > 0 else 0 for t in duration]
    agreeing = pairs = 0.0
    for i in range(len(duration)):
        if code[i] == 0 or (cause is not None and code[i] != cause) or duration[i] > tau:
            continue
        for j in range(len(duration)):
            outlasts = duration[j] > duration[i] or (duration[j] == duration[i] and code[j] == 0)
            other = code[j] > 0 and cause is not None and code[j] != cause and duration[j] <= duration[i]
            if not (outlasts or other):
                continue
            w = weight[i] * (weight[i] if outlasts else weight[j])
            pairs += w
            agreeing += w * ((risk[j] < risk[i]) + 0.5 * (risk[j] == risk[i]))
    return agreeing / pairs if pairs else np.nan


def test_uno_c_by_hand():
    # exits at 1 and 3, censored at 2 and 4; one of three still there is censored at 2: G(3) = 1 - 1/3 = 2/3
    # pairs: (1; 2, 3, 4) weight 1, all agree; (3; 4) weight (3/2)^2 = 2.25, disagrees
    score = uno_c([1, 2, 3, 4], ["a", None, "a", None], [0.9, 0.1, 0.3, 0.4])
    assert score == pytest.approx(3 / (3 + 2.25))
    assert score.tau == 4.0


@given(ROWS, st.sampled_from([None, 1, 2]), st.sampled_from([None, 3]))
def test_uno_c_is_the_sum_over_pairs(rows, cause, tau):
    duration, code, risk = (np.array(column) for column in zip(*rows, strict=True))
    if cause is not None and cause not in code:
        with pytest.raises(DataError, match="does not occur"):
            uno_c(duration, code, risk, cause=cause, tau=tau)
        return
    expected = pair_by_pair(duration, code, risk, cause, np.inf if tau is None else tau)
    assert uno_c(duration, code, risk, cause=cause, tau=tau) == pytest.approx(
        expected, abs=1e-12, nan_ok=True
    )


@given(ROWS)
def test_turning_the_risk_round_turns_the_figures_round(rows):
    duration, code, risk = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert uno_c(duration, code, -risk) == pytest.approx(1 - uno_c(duration, code, risk), nan_ok=True)
    assert uno_c(duration, code, np.exp(risk)) == pytest.approx(uno_c(duration, code, risk), nan_ok=True)
    areas = dynamic_auc(duration, code, risk, times=[1, 3])
    np.testing.assert_allclose(dynamic_auc(duration, code, -risk, times=[1, 3]), 1 - areas)


def test_a_perfect_risk_scores_one_and_a_constant_one_half():
    rng = np.random.default_rng(0)
    exit_, censored = rng.exponential(5, 400), rng.exponential(8, 400)
    duration, event = np.minimum(exit_, censored), (exit_ <= censored).astype(int)
    for risk, expected in ((-exit_, 1.0), (exit_, 0.0), (np.zeros(400), 0.5)):
        assert uno_c(duration, event, risk) == pytest.approx(expected)
        assert mean_dynamic_auc(duration, event, risk, times=[1, 3, 5]) == pytest.approx(expected)
    assert uno_c(duration, event, rng.normal(size=400)) == pytest.approx(0.5, abs=0.06)


def test_the_figure_does_not_depend_on_who_was_watched():
    rng = np.random.default_rng(1)
    n = 20_000
    risk = rng.normal(size=n)
    exit_ = np.minimum(rng.geometric(np.clip(0.05 * np.exp(risk), 0, 1)), 10_000)
    whole = uno_c(exit_, np.ones(n), risk, tau=8)
    censored = rng.geometric(0.15, n)
    duration, event = np.minimum(exit_, censored), (exit_ <= censored).astype(int)
    assert uno_c(duration, event, risk, tau=8) == pytest.approx(whole, abs=0.006)
    later = dynamic_auc(duration, event, risk, times=[4, 8])
    np.testing.assert_allclose(later, [auc(exit_ <= t, risk) for t in (4, 8)], atol=0.01)


def test_without_censoring_the_area_is_the_plain_auc_of_the_cause():
    rng = np.random.default_rng(2)
    duration, code = rng.integers(1, 9, 500), rng.integers(1, 4, 500)
    risk = np.round(rng.normal(size=500) - duration / 8, 1)
    areas = dynamic_auc(duration, code, risk, times=[2, 5], cause=2)
    assert areas.to_list() == pytest.approx(
        [auc((duration <= t) & (code == 2), risk) for t in (2, 5)], abs=1e-12
    )
    both = dynamic_auc(duration, code, risk, times=[5], cause=["cause_1", 2])
    assert both.to_list() == pytest.approx([auc((duration <= 5) & (code < 3), risk)], abs=1e-12)


def test_a_risk_for_each_time_is_taken_column_by_column():
    duration, event = [1, 2, 3, 4], [1, 1, 1, 0]
    risk = np.array([[4, 1], [3, 1], [2, 1], [1, 1]])
    areas = dynamic_auc(duration, event, risk, times=[1, 2])
    assert areas.to_list() == [1.0, 0.5]
    assert areas.index.name == "time"
    # half of the clients still there leave at each time: the mean weighs both alike
    assert mean_dynamic_auc(duration, event, risk, times=[1, 2]) == pytest.approx(0.75)


def test_times_past_the_weights_are_missing_and_tau_says_where():
    duration, event = [1, 2, 3, 4, 4], [1, 0, 1, 0, 0]
    areas = dynamic_auc(duration, event, [5, 4, 3, 2, 1], times=[1, 4, 5])
    assert areas.isna().to_list() == [False, False, True]
    assert areas.attrs["tau"] == 4.0
    strict = dynamic_auc(duration, event, [5, 4, 3, 2, 1], times=[1, 4, 5], ties="strict")
    assert strict.isna().to_list() == [False, True, True]
    # censoring learned on rows followed for a shorter time: later exits carry no weight
    short = ([1, 2, 2], [1, 0, 0])
    score = uno_c(duration, event, [5, 4, 1, 2, 3], train=short)
    assert (score, score.tau) == (1.0, 2.0)
    assert mean_dynamic_auc(duration, event, [5, 4, 1, 2, 3], times=[1, 3], train=short).tau == 2.0


def test_without_an_event_nothing_can_be_compared():
    assert np.isnan(uno_c([1, 2], [0, 0], [1, 2]))
    assert np.isnan(mean_dynamic_auc([1, 2], [0, 0], [1, 2], times=[1]))


def test_a_frame_gives_the_censoring_too_and_a_cause_may_occur_there_only():
    train = pd.DataFrame({"duration": [1, 2, 9], "event": ["b", None, "a"]})
    assert uno_c([1, 2], ["a", None], [2, 1], train=train, cause="a") == 1.0
    assert np.isnan(uno_c([1, 2], ["a", None], [2, 1], train=train, cause="b"))


def test_a_measured_number_is_a_float_with_its_reach():
    import pickle  # noqa: PLC0415 -- a value must survive a worker process

    score = Measured(0.5, 3.0)
    assert isinstance(score, float)
    assert repr(score) == "0.5"
    again = pickle.loads(pickle.dumps(score))  # noqa: S301 -- our own bytes
    assert (again, again.tau) == (0.5, 3.0)


def test_fifty_thousand_rows_take_a_moment():
    rng = np.random.default_rng(0)
    duration, code = rng.exponential(size=50_000), rng.integers(0, 3, 50_000)
    start = time.process_time()
    uno_c(duration, code, rng.normal(size=50_000), cause=1)
    dynamic_auc(duration, code, rng.normal(size=50_000), times=np.linspace(0.1, 2, 12), cause=1)
    assert time.process_time() - start < 5.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: uno_c([0, 1], [1, 0], [1, 2]), DataError, "greater than 0; got 0"),
        (lambda: uno_c([], [], []), DataError, "at least one row"),
        (lambda: uno_c([1, 2], [1], [1, 2]), DataError, "event must have 2 values"),
        (lambda: uno_c([1, 2], [1, 0], [1, np.nan]), DataError, "risk must be finite"),
        (lambda: uno_c([1, 2], ["exit", 0], [1, 2], cause="exti"), DataError, "Did you mean 'exit'"),
        (lambda: uno_c([1, 2], [1, 0], [1, 2], cause=[]), InvalidParameterError, "at least one cause"),
        (lambda: uno_c([1, 2], [1, 0], [1, 2], tau=0), InvalidParameterError, "tau must be"),
        (lambda: uno_c([1, 2], [1, 0], [1, 2], ties="first"), InvalidParameterError, "ties must be one"),
        (lambda: uno_c([1, 2], [1, 0], [1, 2], train=[1]), InvalidParameterError, "a pair"),
        (
            lambda: uno_c([1, 2], [1, 0], [1, 2], train=([0], [1])),
            DataError,
            "train duration must be greater",
        ),
        (
            lambda: uno_c([1, 2], [1, 0], [1, 2], train=pd.DataFrame({"duration": [1]})),
            DataError,
            "columns duration and event",
        ),
        (lambda: dynamic_auc([1, 2], [1, 0], [1, 2], times=[2, 1]), InvalidParameterError, "increase"),
        (lambda: dynamic_auc([1, 2], [1, 0], [1, 2], times=[]), InvalidParameterError, "at least 1"),
        (lambda: dynamic_auc([1, 2], [1, 0], [[1, 2, 3]] * 2, times=[1]), DataError, "risk must have shape"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
