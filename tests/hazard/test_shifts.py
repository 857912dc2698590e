from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError
from clientscore.hazard.curves import hazards, incidence
from clientscore.hazard.shifts import Segment, Shifts, segments_of, to_events, to_incidence


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_shifts_are_found_again(seed):
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-3, 1, (60, 8, 3))
    segments = [Segment(0, 0, 3), Segment(0, 3, 8), Segment(1, 0, 8), Segment(2, 0, 2), Segment(2, 2, 6)]
    shifts = Shifts.of(segments, 8, 3)
    true = rng.normal(0, 1, 5)
    hazard = hazards(log_odds + shifts.table(true))
    mean = incidence(hazard)[0].mean(axis=0)
    target = np.array([mean[one.end - 1, one.cause] for one in segments])
    np.testing.assert_allclose(to_incidence(log_odds, shifts, target), true, atol=1e-6)
    there = rng.random((60, 8))
    events = [(there[:, o.first : o.end] * hazard[:, o.first : o.end, o.cause]).sum() for o in segments]
    np.testing.assert_allclose(to_events(log_odds, there, shifts, np.array(events)), true, atol=1e-6)


def test_a_causes_last_shift_moves_the_periods_after_it_and_a_cause_without_one_stays():
    table = Shifts.of([Segment(0, 0, 2), Segment(0, 2, 3)], 5, 2).table(np.array([1.0, -2.0]))
    np.testing.assert_array_equal(table[:, 0], [1, 1, -2, -2, -2])
    np.testing.assert_array_equal(table[:, 1], 0)


def test_segments_with_few_events_join_the_next_and_the_last_the_one_before():
    counts = np.array([[30.0, 5], [5, 5], [20, 5], [3, 4]])
    found = segments_of(counts, [1, 2, 3, 4], np.array([20.0, 20.0]))
    assert found == [Segment(0, 0, 1), Segment(0, 1, 4)]
    assert segments_of(counts, [2, 4], np.array([20.0, 10.0])) == [
        Segment(0, 0, 2),
        Segment(0, 2, 4),
        Segment(1, 0, 4),  # 10 events by the second period, 9 after it
    ]


def test_what_cannot_be_reached_is_an_error():
    log_odds = np.random.default_rng(0).normal(-3, 1, (50, 4, 2))
    shifts = Shifts.of([Segment(0, 0, 4), Segment(1, 0, 4)], 4, 2)
    with pytest.raises(DataError, match="could not be brought to that of the population"):
        to_incidence(log_odds, shifts, np.array([0.7, 0.6]))  # adds to more than 1
