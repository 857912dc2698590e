from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.hazard import CompetingHazard


@pytest.fixture
def book():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 2)), columns=["response", "tenure"])
    return X, rng.integers(2, 9, 120), rng.choice([0, 1], 120)


def small(**settings):
    return CompetingHazard(max_rounds=5, n_bags=1, min_rows_leaf=10, random_state=0, **settings)


def test_cut_durations_need_only_be_above_zero(book):
    X, duration, event = book
    broken = duration + 0.5
    broken[:3] = [0.0, -1.0, np.nan]
    with pytest.raises(DataError, match=r"(?s)1 missing or infinite.*2 zero or negative"):
        small(n_time_bins=4).fit(X, broken, event)
    with pytest.raises(DataError, match="numbers above 0; got text"):
        small(n_time_bins=4).fit(X, ["soon"] * 120, event)
    with pytest.raises(DataError, match="one column"):
        small(n_time_bins=4).fit(X, np.ones((120, 2)), event)
    with pytest.raises(DataError, match="within the durations given; all rows are censored"):
        small(n_time_bins=4).fit(X, duration, np.zeros(120))
    with pytest.raises(InvalidParameterError, match="n_time_bins"):
        small(n_time_bins=0).fit(X, duration, event)


def test_entry_must_come_before_the_end(book):
    X, duration, event = book
    entry = np.zeros(120)
    entry[3] = duration[3]
    with pytest.raises(DataError, match="1 rows enter when they are gone"):
        small().fit(X, duration, event, entry=entry)
    with pytest.raises(DataError, match="some are not whole periods"):
        small().fit(X, duration, event, entry=np.full(120, 0.5))
    with pytest.raises(DataError, match="120 are negative"):
        small().fit(X, duration, event, entry=np.full(120, -1))
    with pytest.raises(DataError, match="120 are missing or infinite"):
        small().fit(X, duration, event, entry=np.full(120, np.nan))
    with pytest.raises(DataError, match="entry must have 120 values"):
        small().fit(X, duration, event, entry=[0])
    with pytest.raises(DataError, match="entry must hold numbers"):
        small().fit(X, duration, event, entry=["now"] * 120)


def test_an_interval_must_lie_between_entry_and_end(book):
    X, duration, event = book
    with pytest.raises(DataError, match="rows have duration_low >= duration"):
        small().fit(X, duration, event, duration_low=duration)
    with pytest.raises(DataError, match="rows have duration_low < entry"):
        small().fit(X, duration, event, entry=np.ones(120), duration_low=np.zeros(120))


def test_features_that_move_must_be_numbers_of_x(book):
    X, duration, event = book
    with pytest.raises(MissingColumnError, match="Did you mean 'tenure'"):
        small().fit(X, duration, event, clocks={"tenur": 1.0})
    with pytest.raises(InvalidParameterError, match=r"finite number other than 0 for each of \['tenure'\]"):
        small().fit(X, duration, event, clocks={"tenure": 0.0})
    with pytest.raises(DataError, match=r"must be numbers; \['industry'\] are not"):
        small().fit(X.assign(industry="trade"), duration, event, clocks={"industry": 1.0})


def test_a_form_must_be_known(book):
    X, duration, event = book
    with pytest.raises(InvalidParameterError, match="form"):
        small(form="forest").fit(X, duration, event)


def test_horizons_of_cut_durations_end_with_the_follow_up(book):
    X, duration, event = book
    model = small(n_time_bins=4).fit(X, duration, event)
    assert model.reach_ == duration.max()
    assert model.predict_survival(X, [0.1, model.reach_]).shape == (120, 2)
    for horizons in ([0.0], [model.reach_ + 0.1], [np.nan], [], ["soon"]):
        with pytest.raises(InvalidParameterError, match="above 0 and at most 8"):
            model.predict_survival(X, horizons)


def test_recalibration_refuses_what_says_too_little(book):
    X, duration, event = book
    model = small().fit(X, duration, event)
    few = np.where(np.arange(120) < 19, 1, 0)
    with pytest.raises(DataError, match=r"at least 20 events.*got \{'cause_1': 19\}"):
        model.recalibrate(X, duration, few)
    with pytest.raises(DataError, match="'cause_2' is not among the causes"):
        model.recalibrate(X, duration, np.full(120, 2))
    with pytest.raises(InvalidParameterError, match="at most 5, as far as the window was followed"):
        model.recalibrate(X, np.minimum(duration, 5), event, horizons=[3, 6])
    for horizons in ([3, 3], [1.5], [], [0, 3]):
        with pytest.raises(InvalidParameterError, match="horizons must rise"):
            model.recalibrate(X, duration, event, horizons=horizons)
