from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import long_run_rate


def test_years_count_alike_whatever_their_clients():
    found = long_run_rate([1, 30], [100, 1000])
    assert found.average == pytest.approx((0.01 + 0.03) / 2)
    assert found.rate == found.average
    weighted = long_run_rate([1, 30], [100, 1000], weights=[3, 1])
    assert weighted.average == pytest.approx(0.015)
    assert weighted.frame()["weight"].tolist() == [0.75, 0.25]


def test_the_margin_for_estimation_error_is_students_upper_bound():
    rates = np.array([0.01, 0.02, 0.015, 0.04, 0.01])
    found = long_run_rate(rates * 1000, np.full(5, 1000), margin=0.001, confidence=0.9)
    bound = stats.ttest_1samp(rates, 0, alternative="less").confidence_interval(0.9).high
    assert found.standard_error == pytest.approx(stats.sem(rates))
    assert found.rate == pytest.approx(bound + 0.001)


def test_the_frame_keeps_the_years():
    defaults = pd.Series([1, 2], index=[2020, 2021])
    found = long_run_rate(defaults, [50, 50])
    assert found.frame().index.tolist() == [2020, 2021]
    assert found.to_dict()["years"][1]["rate"] == pytest.approx(0.04)
    assert "Long-run default rate 3.0000%" in found._repr_html_()
    assert np.isnan(long_run_rate([1], [100]).standard_error)


def test_all_faults_of_a_history_are_listed():
    with pytest.raises(DataError) as caught:
        long_run_rate([5, -1], [0, 10], weights=[0, 0], confidence=0.9)
    assert len(caught.value.faults) == 4
    assert "not in year(s) [0]" in caught.value.faults[0]
    with pytest.raises(DataError, match="one value a year"):
        long_run_rate([1, 2], [1])
    with pytest.raises(InvalidParameterError, match="confidence"):
        long_run_rate([1, 2], [10, 10], confidence=0.3)
