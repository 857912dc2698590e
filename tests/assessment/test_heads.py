from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from clientscore.assessment import ClientModel
from clientscore.assessment._heads import panel_rows
from clientscore.bundle import load_model, save_model
from clientscore.churn import ChurnModel
from clientscore.exceptions import DataError

DATES = ["2021-07-01", "2022-01-01", "2022-07-01"]
AS_OF = "2024-01-01"


def without(tables: dict[str, pd.DataFrame], *events: str) -> dict[str, pd.DataFrame]:
    happened = tables["events"]
    return {**tables, "events": happened[~happened["event"].isin(events)]}


@pytest.mark.slow
def test_a_book_without_defaults_has_no_score_and_says_so(
    small_book, tmp_path, caplog: pytest.LogCaptureFixture
) -> None:
    tables = without(small_book.tables, "default")
    with caplog.at_level(logging.WARNING):
        model = ClientModel(random_state=0).fit(tables, as_of=DATES)
    assert model.scorer_ is None
    assert model.churn_ is not None
    assert model.need_ is not None
    assert "bad is 0.0 in all of" in model.skipped_["score"]
    assert "score not learned: bad is 0.0" in caplog.text
    frame = model.assess(tables, as_of=AS_OF).frame()
    assert frame[["pd", "tier"]].isna().all(axis=None)
    assert frame["need_probability_12m"].notna().all()
    save_model(model, tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert again.skipped_ == model.skipped_
    pd.testing.assert_frame_equal(again.assess(tables, as_of=AS_OF).frame(), frame)


def test_a_book_without_statements_keeps_the_default_cut_offs(small_book) -> None:
    tables = {name: small_book.tables[name] for name in ("clients", "facilities", "events")}
    model = ClientModel(random_state=0).fit(tables, as_of=DATES)
    assert list(model.skipped_) == ["tiers"]
    assert "statements bring the size" in model.skipped_["tiers"]
    frame = model.assess(tables, as_of=AS_OF).frame()
    assert frame[["pd", "churn_12m", "need_probability_12m", "service_layer"]].notna().all(axis=None)
    assert frame["tier_reason"].str.startswith("not evaluated: size_amount").all()


def test_a_book_in_which_nothing_happened_cannot_teach(small_book) -> None:
    stays = {name: table for name, table in small_book.tables.items() if name != "interactions"}
    with pytest.raises(DataError) as caught:
        ClientModel(random_state=0).fit({**stays, "events": stays["events"].iloc[:0]}, as_of=DATES)
    heads = [fault.split(":")[0] for fault in caught.value.faults]
    assert heads == ["score", "churn", "need"]
    assert "drawing with its amount" in caught.value.faults[2]


def test_dates_whose_windows_are_open_are_named(small_book) -> None:
    with pytest.raises(DataError, match="windows are still open at every date") as caught:
        ClientModel(random_state=0).fit(small_book.tables, as_of=["2033-01-01"])
    assert len(caught.value.faults) == 3


def test_exits_numbered_by_the_user_are_the_heads_to_name() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"alpha": rng.normal(size=200)})
    outcomes = pd.DataFrame({"exit_duration": 1 + np.arange(200) % 12, "exit_cause": np.arange(200) % 3})
    churn = ChurnModel(causes={1: "hard_attrition", 2: "default"}, random_state=0)
    model = ClientModel(churn=churn).fit_features(X, outcomes)
    assert model.churn_ is not None
    assert model.skipped_ == {}


def test_exits_of_other_causes_only_are_no_churn() -> None:
    X = pd.DataFrame({"alpha": np.arange(40.0)})
    outcomes = pd.DataFrame({"bad": [0, 1] * 20, "exit_duration": 3, "exit_cause": "default"})
    model = ClientModel(random_state=0).fit_features(X, outcomes)
    assert "left for a cause of churn (hard_attrition, silent_attrition)" in model.skipped_["churn"]


def test_the_default_hazards_read_stays_in_proportion_to_events() -> None:
    few = pd.DataFrame({"exit_cause": ["default"] * 100 + [None] * 900})
    many = pd.DataFrame({"exit_cause": ["default"] * 5_000 + [None] * 900})
    assert panel_rows(few, "exit_cause", 200_000) == 10_000
    assert panel_rows(many, "exit_cause", 200_000) == 40_000
    assert panel_rows(many, "exit_cause", 30_000) == 30_000
    assert panel_rows(few, "need_event", 50_000) == 10_000
