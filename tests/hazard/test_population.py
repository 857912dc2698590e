from __future__ import annotations

import numpy as np
import pytest
from sksurv.nonparametric import kaplan_meier_estimator

from clientscore.hazard.panel import Spells, chances
from clientscore.hazard.population import exposure, incidence_of, life_table, population_incidence
from clientscore.metrics import aalen_johansen


@pytest.fixture
def delayed():
    rng = np.random.default_rng(0)
    entry = np.where(rng.random(400) < 0.5, rng.integers(0, 5, 400), 0).astype(float)
    return entry + rng.integers(1, 9, 400), rng.choice([0, 1, 2], 400), entry


def test_incidence_without_entry_is_aalen_johansen():
    rng = np.random.default_rng(1)
    duration, event = rng.exponential(size=300).round(2) + 0.01, rng.choice([0, 1, 2], 300)
    times = np.array([0.1, 0.5, 1.0, 2.0])
    found = population_incidence(duration, event, np.zeros(300), 2, times)
    other = aalen_johansen(duration, event, horizons=times.tolist())
    np.testing.assert_allclose(found, other[["cause_1", "cause_2"]], atol=1e-12)


def test_survival_with_delayed_entry_is_that_of_scikit_survival(delayed):
    duration, event, entry = delayed
    times, other = kaplan_meier_estimator(event > 0, duration, time_enter=entry)
    found = 1 - population_incidence(duration, event, entry, 2, times).sum(axis=1)
    np.testing.assert_allclose(found, other, atol=1e-12)


def test_the_life_table_of_whole_periods_is_the_same_curve(delayed):
    duration, event, entry = delayed
    spells = Spells(entry, duration, event, None)
    last = int(duration.max())
    curve = incidence_of(life_table(spells, chances(spells), last, 2))
    times = np.arange(1.0, last + 1)
    np.testing.assert_allclose(curve, population_incidence(duration, event, entry, 2, times), atol=1e-12)


def test_exposure_counts_parts_of_periods_by_hand():
    event = np.array([0, 1, 0])
    spells = Spells(np.array([0.0, 0.0, 0.5]), np.array([1.25, 1.5, 3.0]), event, None)
    np.testing.assert_allclose(exposure(spells, chances(spells), 3), [2.5, 2.25, 1.0])
