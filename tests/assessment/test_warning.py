"""Early warning in the chain: signals at the date, watch, alarms in words, and chunks of a book."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from clientscore.assessment import Assessment, ClientModel
from clientscore.features import build_reference
from clientscore.schema import ClientSchema
from clientscore.signals import SignalRules, build_signals, signal_summary, signal_text

AS_OF = "2024-01-01"
SCHEMA = ClientSchema.default()


@pytest.fixture(scope="module")
def signals(small_book) -> pd.DataFrame:
    return build_signals(small_book.tables, SCHEMA, [AS_OF])


def part_of(tables, clients) -> dict[str, pd.DataFrame]:
    return {
        name: table[table["client_id"].isin(clients)] if "client_id" in table else table
        for name, table in tables.items()
    }


def test_the_signals_are_those_of_the_date(small_result: Assessment, signals: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(small_result.signals, signals)


def test_the_states_are_the_summary_of_each_client(small_result: Assessment, signals: pd.DataFrame) -> None:
    frame = small_result.frame().set_index("client_id")
    summary = signal_summary(signals).set_index("client_id").reindex(frame.index)
    for side in ("credit", "attrition"):
        assert frame[f"{side}_signal_state"].tolist() == summary[f"{side}_state"].astype("str").tolist()
        assert frame[f"{side}_signal_state"].nunique() == 3
    number = frame["alarms"].map(lambda names: len(names.split(", ")) if names else 0)
    assert number.tolist() == summary["alarms"].tolist()
    assert number.max() > 1


def test_red_on_the_credit_side_is_watch_and_gets_no_growth_offer(
    small_book, small_model: ClientModel, small_result: Assessment
) -> None:
    frame = small_result.frame().set_index("client_id")
    without = small_model.assess(small_book.tables, as_of=AS_OF, signals=False).frame().set_index("client_id")
    red = frame["credit_signal_state"].eq("red")
    assert frame.loc[red, "watch"].all()
    assert frame.loc[red, "products"].fillna("").eq("").all()
    fresh = red & ~without["watch"].astype(bool)
    assert fresh.sum() > 3
    assert without.loc[fresh, "products"].fillna("").ne("").any()
    # May leave is no reason to bar an offer, and nothing else differs.
    only = frame["attrition_signal_state"].eq("red") & ~red
    assert only.any()
    assert frame.loc[~red, "watch"].tolist() == without.loc[~red, "watch"].tolist()
    assert frame["tier"].tolist() == without["tier"].tolist()
    assert without[["credit_signal_state", "alarms"]].isna().all(axis=None)


def test_a_client_page_has_its_drivers_and_alarms_in_words(small_result: Assessment) -> None:
    frame = small_result.frame()
    row = frame[frame["alarms"].ne("") & frame["churn_driver_1"].notna()].iloc[0]
    page = small_result.client(row["client_id"])
    assert ", ".join(one["signal"] for one in page["signals"]) == row["alarms"]
    for one in page["signals"]:
        assert one["zh"] == signal_text(one["signal"], "zh")
        assert one["en"] == signal_text(one["signal"])
        assert one["side"] in ("credit", "attrition")
        assert isinstance(one["value"], float)
    drivers = page["churn_drivers"]
    assert drivers[0]["code"] == row["churn_driver_1"]
    assert drivers[0]["zh"] != drivers[0]["en"]
    assert drivers[0]["en"] in drivers[0]["sentence"]
    assert all(0 < one["share"] <= 1 and one["log_odds"] > 0 for one in drivers)


def test_a_page_without_tables_has_no_signals(small_book, small_model: ClientModel) -> None:
    X = pd.DataFrame(0.5, index=pd.Index(["a"], name="client_id"), columns=small_model.feature_names_in_)
    result = small_model.assess_features(X)
    assert result.signals is None
    assert result.client("a")["signals"] is None
    assert result.early_warning().empty
    assert result.alarms().empty


def test_the_counts_add_up(small_result: Assessment) -> None:
    counts = small_result.early_warning()
    assert list(counts.index) == ["credit", "attrition"]
    assert (counts.sum(axis=1) == len(small_result)).all()
    alarms = small_result.alarms()
    assert alarms["clients"].is_monotonic_decreasing
    assert alarms["clients"].sum() == small_result.signals["state"].eq("alarm").sum()
    assert alarms["en"].is_unique


def test_the_models_own_rules_decide(small_book, small_model: ClientModel) -> None:
    strict = SignalRules(red_points=4, amber_points=1, min_families=1)
    state = small_model.to_state() | {"signal_rules": strict.to_state()}
    model = ClientModel.from_state(state)
    counts = model.assess(small_book.tables, as_of=AS_OF).early_warning()
    usual = small_model.assess(small_book.tables, as_of=AS_OF).early_warning()
    assert (counts["red"] > usual["red"]).all()


def test_a_part_of_a_book_takes_the_peers_kept_with_the_model(small_book, small_model: ClientModel) -> None:
    reference = build_reference(small_book.tables, SCHEMA, [AS_OF])
    assert [f"{date:%Y-%m-%d}" for date in small_model.signal_reference_.as_of] == ["2022-07-01"]
    some = small_book.tables["clients"]["client_id"].iloc[:40]
    part = small_model.assess(part_of(small_book.tables, some), as_of=AS_OF, reference=reference)
    kept = build_signals(small_book.tables, SCHEMA, [AS_OF], reference=small_model.signal_reference_)
    mine = kept[kept["client_id"].isin(part.frame()["client_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.signals, mine, check_categorical=False)


def test_a_part_before_the_kept_peers_has_no_signals_and_says_so(
    small_book, small_model: ClientModel, caplog: pytest.LogCaptureFixture
) -> None:
    when = "2022-01-01"
    reference = build_reference(small_book.tables, SCHEMA, [when])
    some = small_book.tables["clients"]["client_id"].iloc[:40]
    with caplog.at_level(logging.WARNING):
        part = small_model.assess(part_of(small_book.tables, some), as_of=when, reference=reference)
    assert part.signals is None
    assert part.frame()["credit_signal_state"].isna().all()
    assert "no early warning at 2022-01-01: a part of a book needs the peers of the whole" in caplog.text
