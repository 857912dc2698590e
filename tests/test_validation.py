from __future__ import annotations

import pandas as pd
import pytest

from clientscore.assessment import ClientModel
from clientscore.exceptions import DataError
from clientscore.validation import OutOfTime, out_of_time

TEST = "2022-12-01"


@pytest.fixture(scope="module")
def tested(small_book) -> OutOfTime:
    clients = small_book.tables["clients"]["client_id"]
    oracle = pd.DataFrame({"pd": 0.02, "churn_12m": 0.3, "need_probability_12m": 0.25}, index=clients)
    return out_of_time(ClientModel(random_state=0), small_book.tables, TEST, oracle=oracle)


def test_every_head_stands_beside_its_baseline(tested: OutOfTime) -> None:
    frame = tested.frame()
    assert {"default 12m", "churn 12m", "need 12m", "amount"} == set(frame["head"])
    judged = frame[frame["measure"] != "realized"]
    assert judged[["model", "baseline", "n"]].notna().all(axis=None)
    assert set(judged["baseline_name"]) == {
        "base rate",
        "Aalen-Johansen",
        "constant quantiles",
        "constant median",
        "zero",
    }


def test_a_constant_ranks_nothing(tested: OutOfTime) -> None:
    frame = tested.frame().query("measure == 'AUC'")
    assert (frame["baseline"] == 0.5).all()
    assert (frame["oracle"].dropna() == 0.5).all()  # this one was made constant


def test_no_training_window_reaches_past_the_test_date(tested: OutOfTime) -> None:
    assert (tested.model.as_of_ + pd.DateOffset(months=13) <= pd.Timestamp(TEST)).all()


def test_an_open_window_cannot_be_judged(small_book) -> None:
    with pytest.raises(DataError, match="is still open"):
        out_of_time(ClientModel(random_state=0), small_book.tables, "2023-06-01")


def test_a_date_before_any_closed_window_cannot_be_judged(small_book) -> None:
    with pytest.raises(DataError, match="No training window had closed"):
        out_of_time(ClientModel(random_state=0), small_book.tables, "2021-06-01")


def test_shown_as_text_table_and_plain_data(tested: OutOfTime) -> None:
    assert "Out of time at 2022-12-01" in repr(tested)
    assert "<table" in tested._repr_html_()
    assert tested.to_dict()["test_as_of"] == TEST
