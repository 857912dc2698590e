from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import MasterScale


def test_grades_hold_their_upper_bound():
    grades = MasterScale().grade(pd.Series([0.0, 0.001, 0.0011, 0.128, 0.2, 1.0, np.nan]))
    assert grades[:6].tolist() == ["R1", "R1", "R2", "R8", "R9", "R9"]
    assert grades.isna().tolist() == [False] * 6 + [True]


def test_a_client_in_default_has_a_grade_of_its_own():
    assert MasterScale().grade([0.01, 0.01], defaulted=[False, True]).tolist() == ["R5", "D"]


def test_the_grade_frame_covers_zero_to_one_without_gaps():
    frame = MasterScale().frame()
    performing = frame[frame["grade"] != "D"]
    assert performing["pd_above"].tolist()[1:] == performing["pd_up_to"].tolist()[:-1]
    assert (performing["pd_above"].iloc[0], performing["pd_up_to"].iloc[-1]) == (0, 1)


def test_no_grades_for_no_clients():
    assert MasterScale().grade(pd.Series([], dtype=float)).empty


def test_every_fault_of_a_master_scale_is_listed():
    with pytest.raises(InvalidParameterError) as caught:
        MasterScale(grades=("A", "D"), bounds=(0.5, 0.1))
    assert len(caught.value.faults) == 4
    with pytest.raises(DataError, match=r"must lie in \[0, 1\]; 1 of 2"):
        MasterScale().grade([0.5, 1.5])


def test_the_floor_lifts_small_probabilities_only():
    floored = MasterScale().floored(pd.Series([0.0001, 0.01, np.nan]))
    assert floored[:2].tolist() == [0.0005, 0.01]
    assert floored.isna()[2]
    assert MasterScale().floored(0.0) == 0.0005


def test_a_scale_comes_back_from_its_dict_also_from_one_without_a_philosophy():
    master = MasterScale(pd_floor=0.0003, philosophy="ttc")
    assert MasterScale.from_dict(master.to_dict()) == master
    old = {name: value for name, value in master.to_dict().items() if name != "philosophy"}
    assert MasterScale.from_dict(old).philosophy == "hybrid"


def test_a_philosophy_is_one_of_three():
    with pytest.raises(InvalidParameterError, match="philosophy must be one of 'pit', 'ttc', 'hybrid'"):
        MasterScale(philosophy="cycle")


def test_one_client_is_graded_as_in_a_book():
    scale = MasterScale()
    values = [0.0, *scale.bounds, *np.nextafter(scale.bounds, 1), 1.0]
    assert [scale.grade_one(value) for value in values] == scale.grade(values).tolist()
    assert scale.grade_one(float("nan")) is None
    with pytest.raises(DataError, match=r"must lie in \[0, 1\]; got 1.5"):
        scale.grade_one(1.5)
