from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import aalen_johansen, encode_events


def test_aalen_johansen_by_hand():
    # 6 clients; t=1: one "a" of 6; t=2: one "b" and one censored of 5; t=4: one "a", one "b" of 3
    duration = [1, 2, 2, 4, 4, 5]
    event = ["a", "b", None, "a", "b", np.nan]
    table = aalen_johansen(duration, event, horizons=[1, 3, 4, 5, 6])
    s1, s2 = 5 / 6, 5 / 6 * 4 / 5
    assert table.loc[1].to_list() == pytest.approx([1 / 6, 0, s1])
    assert table.loc[3].to_list() == pytest.approx([1 / 6, s1 / 5, s2])
    assert table.loc[4].to_list() == pytest.approx([1 / 6 + s2 / 3, s1 / 5 + s2 / 3, s2 / 3])
    assert table.loc[5].to_list() == table.loc[4].to_list()
    assert table.loc[6].isna().all()  # nobody was followed that far


def test_without_censoring_it_is_the_share():
    duration, event = [1, 1, 2, 3], [1, 2, 1, 1]
    table = aalen_johansen(duration, event, horizons=[1, 2, 3, 9], causes={1: "left", 2: "failed"})
    assert table["left"].to_list() == pytest.approx(
        [0.25, 0.5, 0.75, 0.75]
    )  # known for ever once all are gone
    assert table["failed"].to_list() == pytest.approx([0.25] * 4)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=30),
)
def test_incidences_and_survival_add_to_one_and_weights_repeat_rows(rows):
    duration, event, weight = (np.array(column) for column in zip(*rows, strict=True))
    causes = {1: "a", 2: "b", 3: "c"}
    table = aalen_johansen(duration, event, horizons=[1, 3, 6], causes=causes, weight=weight)
    known = table.dropna()
    np.testing.assert_allclose(known.sum(axis=1), 1.0, atol=1e-12)
    repeated = aalen_johansen(
        np.repeat(duration, weight), np.repeat(event, weight), horizons=[1, 3, 6], causes=causes
    )
    pd.testing.assert_frame_equal(table, repeated)


def test_events_are_read_by_name_number_and_missing():
    codes, names = encode_events(pd.array([0, 3, None, 10, 3], dtype="Int64"))
    assert names == ("cause_3", "cause_10")
    assert codes.tolist() == [0, 1, 0, 2, 1]
    codes, names = encode_events([np.nan, "", "b", None, "a"], causes=["b", "a", "c"])
    assert names == ("b", "a", "c")  # asked for, absent, kept
    assert codes.tolist() == [0, 0, 1, 0, 2]
    assert encode_events([True, False])[1] == ("cause_1",)
    assert encode_events([1.0, 0.0], causes={1: "left"})[0].tolist() == [1, 0]
    assert encode_events([None, None])[1] == ()


def test_bad_events_and_durations_are_named():
    with pytest.raises(DataError, match=r"'defautl' is not among the causes. Did you mean 'default'"):
        encode_events(["defautl"], causes=["default"])
    with pytest.raises(DataError, match="whole number"):
        encode_events([1.5])
    with pytest.raises(InvalidParameterError, match="list of names"):
        encode_events(["a"], causes="a")
    with pytest.raises(InvalidParameterError, match="must hold names"):
        encode_events(["a"], causes=[])
    with pytest.raises(DataError, match="greater than 0; got 0"):
        aalen_johansen([0, 1], [None, "a"], horizons=[1])
    with pytest.raises(DataError, match="at least one row"):
        aalen_johansen([], [], horizons=[1])
    with pytest.raises(DataError, match="event must have 2 values"):
        aalen_johansen([1, 2], ["a"], horizons=[1])
