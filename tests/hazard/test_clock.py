from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.hazard.clock import Clock, at_risk, nelson_aalen, quantile_clock, whole_clock


def test_whole_periods_are_their_own_places():
    clock = whole_clock(12)
    assert (clock.n_periods, clock.reach) == (12, 12.0)
    np.testing.assert_array_equal(clock.place([1, 5, 12]), [1, 5, 12])
    np.testing.assert_array_equal(clock.starts(), np.arange(12))


def test_bins_end_at_quantiles_of_the_events():
    duration = np.arange(1.0, 9.0)
    clock = quantile_clock(duration, np.ones(8, dtype=bool), np.zeros(8), 4)
    assert clock.n_periods == 4
    np.testing.assert_allclose(clock.place([0, 2, 4, 6, 8]), [0, 1, 2, 3, 4])
    np.testing.assert_allclose(clock.starts(), [0, 2, 4, 6])


def test_after_the_last_event_the_place_stays():
    duration, happened = np.array([1.0, 2.0, 3.0, 9.0]), np.array([True, True, False, False])
    clock = quantile_clock(duration, happened, np.zeros(4), 2)
    assert clock.reach == 9.0
    np.testing.assert_allclose(clock.place([2, 3, 9]), 2.0)


def test_inside_a_bin_the_place_follows_the_population():
    rng = np.random.default_rng(0)
    duration = rng.exponential(1.0, 4000) ** 2  # a hazard that falls with time
    happened = np.ones(4000, dtype=bool)
    clock = quantile_clock(duration, happened, np.zeros(4000), 2)
    low, high = clock.knots[np.isin(clock.places, [0, 1])]
    middle = np.interp(0.5, clock.places, clock.knots)
    # The cumulative hazard is the root of time, so that half of it is spent in a quarter of the time.
    assert (middle - low) / (high - low) == pytest.approx(0.25, abs=0.03)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 30))
def test_places_rise_and_every_bin_holds_an_event(seed, n_bins):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 80))
    duration = rng.choice([rng.random(n), rng.integers(1, 6, n)]) + 0.1
    happened = rng.random(n) < 0.5
    happened[rng.integers(n)] = True
    entry = np.where(rng.random(n) < 0.3, duration * rng.random(n) * 0.9, 0.0)
    clock = quantile_clock(duration, happened, entry, n_bins)
    assert 1 <= clock.n_periods <= n_bins
    assert (np.diff(clock.knots) > 0).all()
    assert (np.diff(clock.places) >= 0).all()
    held = np.bincount(np.ceil(clock.place(duration[happened])).astype(int) - 1, minlength=clock.n_periods)
    assert held.min() >= 1
    assert len(held) == clock.n_periods
    again = Clock.from_state(clock.to_state())
    np.testing.assert_array_equal(again.place(duration), clock.place(duration))


def test_cumulative_hazard_with_delayed_entry_by_hand():
    duration, entry = np.array([2.0, 3.0, 5.0]), np.array([0.0, 2.0, 1.0])
    happened = np.array([True, True, False])
    np.testing.assert_array_equal(at_risk(np.array([2.0, 3.0]), duration, entry), [2, 2])  # not yet entered
    times, hazard = nelson_aalen(duration, happened, entry)
    np.testing.assert_array_equal(times, [0, 2, 3])
    np.testing.assert_allclose(hazard, [0, 1 / 2, 1 / 2 + 1 / 2])
