"""The wall of time around the whole chain: what comes after may change nothing."""

from __future__ import annotations

import pandas as pd
import pytest

from clientscore.assessment import ClientModel
from clientscore.timeline import visible

TRAIN = ["2021-07-01", "2022-01-01"]
CLOSED = "2023-02-01"  # 2022-01-01, a lead of one month and a window of twelve


@pytest.fixture(scope="module")
def whole(small_book) -> ClientModel:
    return ClientModel(random_state=0).fit(small_book.tables, as_of=TRAIN)


def test_a_model_learns_nothing_from_after_its_last_window(small_book, whole) -> None:
    known_then = visible(small_book.tables, CLOSED, 120)
    assert sum(map(len, known_then.values())) < 0.85 * sum(map(len, small_book.tables.values()))
    then = ClientModel(random_state=0).fit(known_then, as_of=TRAIN)
    assert then.model_version_ == whole.model_version_


def test_the_check_can_fail(small_book, whole) -> None:
    too_early = visible(small_book.tables, "2022-12-01", 120)  # the last window has lost two months
    then = ClientModel(random_state=0).fit(too_early, as_of=TRAIN)
    assert then.model_version_ != whole.model_version_


@pytest.mark.parametrize("when", ["2022-06-15", "2023-03-01"])
def test_an_assessment_reads_nothing_of_what_was_not_known(small_book, small_model, when: str) -> None:
    whole = small_model.assess(small_book.tables, as_of=when).frame()
    known = visible(small_book.tables, when, 120)
    pd.testing.assert_frame_equal(small_model.assess(known, as_of=when).frame(), whole, check_exact=True)
