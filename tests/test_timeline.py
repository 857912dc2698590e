from __future__ import annotations

import datetime as dt

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.timeline import (
    PERIOD_MONTHS,
    Timeline,
    add_periods,
    as_of_list,
    data_end,
    known_at,
    output_index,
    population,
    visible,
)

LAG = 120
EXITS = {"closure": "hard_attrition", "default": "default"}


def dates(*texts: str | None) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts))).astype("datetime64[us]")


def make_book(seed: int = 0, rows: int = 40) -> dict[str, pd.DataFrame]:
    """Return a small book with every table that has a rule of time."""
    rng = np.random.default_rng(seed)

    def days(start: str = "2022-01-01", span: int = 1200) -> pd.Series:
        return pd.Series(pd.Timestamp(start) + pd.to_timedelta(rng.integers(0, span, rows), unit="D"))

    ids = pd.Series([f"c{i}" for i in rng.integers(0, 6, rows)])
    end = days().dt.to_period("Q").dt.end_time.dt.normalize()
    published = (end + pd.to_timedelta(rng.integers(20, 200, rows), unit="D")).where(rng.random(rows) < 0.6)
    value = pd.Series(rng.normal(size=rows))
    return {
        "clients": pd.DataFrame(
            {"client_id": ids, "valid_from": days("2020-01-01").where(rng.random(rows) < 0.8), "name": value}
        ),
        "statements": pd.DataFrame(
            {"client_id": ids, "period_end": end, "published_at": published, "revenue": value}
        ),
        "facilities": pd.DataFrame({"client_id": ids, "month": days(), "limit_amount": value}),
        "market": pd.DataFrame({"sector": "*", "month": days(), "policy_rate": value}),
        "market_values": pd.DataFrame({"client_id": ids, "month": days(), "market_value": value}),
        "interactions": pd.DataFrame({"client_id": ids, "month": days(), "balance_amount": value}),
        "surveys": pd.DataFrame({"client_id": ids, "answered_at": days(), "satisfaction": value}),
        "projects": pd.DataFrame({"client_id": ids, "month": days(), "dscr": value}),
        "events": pd.DataFrame({"client_id": ids, "date": days(), "amount": value}),
    }


# ------------------------------------------------------------------------------------------------ dates
@pytest.mark.parametrize("one", ["2026-01-01", dt.date(2026, 1, 1), pd.Timestamp("2026-01-01 15:30")])
def test_one_date_is_a_scalar(one: object) -> None:
    found, scalar = as_of_list(one)
    assert scalar
    assert found.tolist() == [pd.Timestamp("2026-01-01")]


@pytest.mark.parametrize(
    "text", ["2026-02-01", "2026/02/01", "20260201", "2026-2-1", "2026-02", "2026-02-01 08:00"]
)
def test_text_with_the_year_first_has_one_meaning(text: str) -> None:
    assert as_of_list(text)[0].tolist() == [pd.Timestamp("2026-02-01")]


def test_a_list_of_one_is_no_scalar_and_keeps_its_order() -> None:
    assert as_of_list(["2026-01-01"])[1] is False
    found, _ = as_of_list(pd.DatetimeIndex(["2026-01-01", "2025-01-01"]))
    assert found.tolist() == [pd.Timestamp("2026-01-01"), pd.Timestamp("2025-01-01")]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("soon", "must be a date, or text with the year first"),
        ("2026-13-01", "must be dates such as"),
        (2026, "text with the year first .* got 2026"),
        ([np.int64(20260101)], "got np.int64"),
        ("2026", "got '2026'"),
        ("01/02/2026", "got '01/02/2026'"),
        (pd.Period("2026-01", "M"), "got Period"),
        ([], "at least one date"),
        (["2026-01-01", "2026-01-01"], "must not repeat a date; got 2026-01-01"),
        ([None], "None is missing"),
        (["2026-01-01T00:00+08:00"], "has a time zone"),
    ],
)
def test_dates_that_cannot_be_used(wrong: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        as_of_list(wrong)


@pytest.mark.parametrize(
    ("start", "n", "period", "moved"),
    [
        ("2026-01-31", 1, "month", "2026-02-28"),
        ("2026-01-01", 13, "month", "2027-02-01"),
        ("2026-01-01", 1, "quarter", "2026-04-01"),
        ("2024-02-29", 1, "year", "2025-02-28"),
        ("2026-01-01", 0, "year", "2026-01-01"),
        ("2026-01-01", -2, "month", "2025-11-01"),
    ],
)
def test_add_periods(start: str, n: int, period: str, moved: str) -> None:
    assert add_periods(start, n, period) == pd.Timestamp(moved)  # type: ignore[arg-type]


def test_add_periods_refuses_an_unknown_period() -> None:
    with pytest.raises(InvalidParameterError, match="period must be one of 'month', 'quarter', 'year'"):
        add_periods("2026-01-01", 1, "week")  # type: ignore[arg-type]
    assert PERIOD_MONTHS == {"month": 1, "quarter": 3, "year": 12}


# --------------------------------------------------------------------------------------------- known_at
def test_a_statement_is_known_when_published_else_after_the_lag() -> None:
    frame = pd.DataFrame(
        {"period_end": dates("2024-12-31", "2024-12-31"), "published_at": dates("2025-03-31", None)}
    )
    assert known_at("statements", frame, 120).tolist() == [
        pd.Timestamp("2025-03-31"),
        pd.Timestamp("2025-04-30"),
    ]
    assert known_at("statements", frame[["period_end"]], 1).tolist() == [pd.Timestamp("2025-01-01")] * 2


@pytest.mark.parametrize("table", ["facilities", "market", "market_values", "interactions", "projects"])
def test_a_month_is_known_on_the_first_day_of_the_next(table: str) -> None:
    frame = pd.DataFrame({"month": dates("2025-12-01", "2025-12-31", "2024-02-15")})
    assert known_at(table, frame, LAG).dt.strftime("%Y-%m-%d").tolist() == [
        "2026-01-01",
        "2026-01-01",
        "2024-03-01",
    ]


def test_events_and_surveys_are_known_on_their_day() -> None:
    assert known_at("events", pd.DataFrame({"date": dates("2025-12-07")}), LAG)[0] == pd.Timestamp(
        "2025-12-07"
    )
    assert known_at("surveys", pd.DataFrame({"answered_at": dates("2025-12-07")}), LAG)[0] == pd.Timestamp(
        "2025-12-07"
    )


def test_a_client_without_version_was_always_known() -> None:
    frame = pd.DataFrame({"client_id": ["a", "b"], "valid_from": dates(None, "2025-01-01")})
    assert known_at("clients", frame, LAG)[0] < pd.Timestamp("1700-01-01")
    assert known_at("clients", frame[["client_id"]], LAG)[1] < pd.Timestamp("1700-01-01")
    assert known_at("clients", frame, LAG)[1] == pd.Timestamp("2025-01-01")


def test_a_row_without_a_time_is_never_known() -> None:
    frame = pd.DataFrame({"client_id": ["a", "b"], "date": dates(None, "2025-01-01"), "event": "default"})
    assert visible({"events": frame}, "2200-01-01", LAG)["events"]["client_id"].tolist() == ["b"]


def test_known_at_needs_a_rule_and_the_column() -> None:
    with pytest.raises(InvalidParameterError, match="Did you mean 'interactions'"):
        known_at("interaction", pd.DataFrame(), LAG)
    with pytest.raises(MissingColumnError, match="'month' is missing"):
        known_at("facilities", pd.DataFrame({"moth": []}), LAG)


# ---------------------------------------------------------------------------------------------- visible
def test_a_row_is_seen_from_the_day_it_is_known() -> None:
    tables = {"interactions": pd.DataFrame({"client_id": "a", "month": dates("2025-12-31")})}
    assert len(visible(tables, "2025-12-31", LAG)["interactions"]) == 0
    assert len(visible(tables, "2026-01-01", LAG)["interactions"]) == 1


def test_a_restatement_shows_only_after_it_is_published() -> None:
    frame = pd.DataFrame(
        {
            "client_id": "a",
            "period_end": dates("2024-12-31", "2024-12-31"),
            "published_at": dates("2025-09-30", "2025-03-31"),
            "revenue": [90.0, 100.0],
        }
    )
    assert visible({"statements": frame}, "2025-06-01", LAG)["statements"]["revenue"].tolist() == [100.0]
    assert visible({"statements": frame}, "2025-10-01", LAG)["statements"]["revenue"].tolist() == [
        100.0,
        90.0,
    ]


def test_the_latest_version_of_a_client_known_then() -> None:
    frame = pd.DataFrame(
        {
            "client_id": ["a", "a", "b", "c"],
            "segment": ["mid", "small", "large", "mid"],
            "valid_from": dates("2025-01-01", "2020-01-01", None, "2026-01-01"),
        }
    )
    early = visible({"clients": frame}, "2024-12-31", LAG)["clients"].set_index("client_id")["segment"]
    late = visible({"clients": frame}, "2025-01-01", LAG)["clients"].set_index("client_id")["segment"]
    assert early.to_dict() == {"a": "small", "b": "large"}
    assert late.to_dict() == {"a": "mid", "b": "large"}


def test_the_input_is_not_changed() -> None:
    book = make_book()
    before = {name: frame.copy() for name, frame in book.items()}
    timeline = Timeline(book, LAG)
    seen = timeline.visible("2023-06-01")["events"]
    seen["amount"] = 0.0
    for name, frame in book.items():
        pd.testing.assert_frame_equal(frame, before[name])
    assert timeline.visible("2023-06-01")["events"]["amount"].ne(0.0).all()


@given(st.integers(0, 5), st.dates(dt.date(2021, 6, 1), dt.date(2026, 1, 1)))
@settings(deadline=None, max_examples=30)
def test_the_cut_equals_a_row_by_row_oracle(seed: int, day: dt.date) -> None:
    book = make_book(seed)
    seen = visible(book, day, LAG)
    for name, frame in book.items():
        kept = [i for i, known in known_at(name, frame, LAG).items() if known <= pd.Timestamp(day)]
        if name == "clients":
            order = known_at(name, frame, LAG)[kept].sort_values(kind="stable").index
            kept = list(frame.loc[order].drop_duplicates("client_id", keep="last").index)
        assert set(seen[name].index) == set(kept), name
    sliced = Timeline(book, LAG).visible(day)
    for name in book:
        pd.testing.assert_frame_equal(sliced[name], seen[name])


@given(
    st.integers(0, 5),
    st.dates(dt.date(2021, 6, 1), dt.date(2026, 1, 1)),
    st.sampled_from(["change", "delete", "add"]),
    st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=40)
def test_what_is_not_known_yet_changes_nothing(seed: int, day: dt.date, how: str, luck: int) -> None:
    """The wall: rows not known at as_of may change, go or come, and the cut stays the same."""
    book = make_book(seed)
    rng = np.random.default_rng(luck)
    later = make_book(seed + 100)
    other = {}
    for name, frame in book.items():
        hidden = (known_at(name, frame, LAG) > pd.Timestamp(day)).to_numpy()
        touched = hidden & (rng.random(len(frame)) < 0.7)
        changed = frame.copy()
        if how == "change":
            changed.loc[touched, frame.columns[-1]] = -999.0
            changed.loc[touched, "client_id" if "client_id" in frame else "sector"] = "someone_else"
        elif how == "delete":
            changed = frame[~touched]
        else:
            new = later[name][(known_at(name, later[name], LAG) > pd.Timestamp(day)).to_numpy()]
            new = new.set_axis(range(1000, 1000 + len(new)))
            changed = pd.concat([frame, new])
        other[name] = changed
    first, second = visible(book, day, LAG), visible(other, day, LAG)
    for name in book:
        pd.testing.assert_frame_equal(first[name], second[name])


def test_visible_takes_one_date() -> None:
    with pytest.raises(InvalidParameterError, match="as_of must be one date here; got 2"):
        Timeline(make_book(), LAG).visible(["2025-01-01", "2025-02-01"])
    with pytest.raises(
        InvalidParameterError, match="publication_lag_days must be a whole number of at least 0"
    ):
        Timeline({}, -1)


# ------------------------------------------------------------------------------------------- population
def people() -> dict[str, pd.DataFrame]:
    return {
        "clients": pd.DataFrame(
            {
                "client_id": ["z", "new", "left", "old", "unknown_start"],
                "relationship_start": dates("2020-01-01", "2026-01-02", "2019-01-01", "2026-01-01", None),
            }
        ),
        "events": pd.DataFrame(
            {
                "client_id": ["left", "z", "z", "old"],
                "date": dates("2025-12-31", "2025-06-01", "2026-01-02", "2025-01-01"),
                "event": ["closure", "drawing", "default", "renewal"],
            }
        ),
    }


def test_the_population_has_begun_and_not_ended() -> None:
    ids = population(visible(people(), "2026-01-01", LAG), "2026-01-01", EXITS)
    assert ids.tolist() == ["z", "old", "unknown_start"]
    assert ids.name == "client_id"
    later = population(visible(people(), "2026-01-02", LAG), "2026-01-02", EXITS)
    assert later.tolist() == ["new", "old", "unknown_start"]


def test_prospects_join_by_name_only() -> None:
    seen = visible(people(), "2026-01-01", LAG)
    assert population(seen, "2026-01-01", EXITS, include=["new"]).tolist() == [
        "z",
        "new",
        "old",
        "unknown_start",
    ]
    with pytest.raises(InvalidParameterError, match=r"include must be a list of ids; got 'a'"):
        population(seen, "2026-01-01", EXITS, include="a")
    with pytest.raises(DataError, match=r"include names 1 ids that are not in the table 'clients' .* nobody"):
        population(seen, "2026-01-01", EXITS, include=["new", "nobody"])


def test_population_without_events_or_start() -> None:
    assert population({"clients": pd.DataFrame({"client_id": ["a"]})}, "2026-01-01", EXITS).tolist() == ["a"]


# --------------------------------------------------------------------------------------------- the rest
def test_output_index_has_one_or_two_levels() -> None:
    found, scalar = as_of_list("2026-01-01")
    assert output_index(pd.Index(["a", "b"]), found[0], scalar).names == ["client_id"]
    index = output_index(pd.Index(["a", "b"]), found[0], False)
    assert index.names == ["client_id", "as_of"]
    assert index.tolist() == [("a", pd.Timestamp("2026-01-01")), ("b", pd.Timestamp("2026-01-01"))]


def test_output_index_runs_date_by_date() -> None:
    found, scalar = as_of_list(["2026-01-01", "2025-01-01"])
    index = output_index([pd.Index(["a", "b"]), pd.Index(["c"])], found, scalar)
    assert index.get_level_values(0).tolist() == ["a", "b", "c"]
    assert index.get_level_values(1).tolist() == [found[0], found[0], found[1]]
    with pytest.raises(InvalidParameterError, match="got 1 groups, 2 dates"):
        output_index([pd.Index(["a"])], found, scalar)


def test_data_end_is_the_last_day_known() -> None:
    months = pd.DataFrame({"client_id": "a", "month": dates("2025-11-30", "2025-10-01")})
    events = pd.DataFrame({"client_id": "a", "date": dates("2025-12-15"), "event": "drawing"})
    assert data_end({"facilities": months}, LAG) == pd.Timestamp("2025-12-01")
    assert data_end({"facilities": months, "events": events}, LAG) == pd.Timestamp("2025-12-15")
    assert pd.isna(data_end({"clients": pd.DataFrame({"client_id": ["a"]})}, LAG))


def test_a_statement_is_not_known_before_its_period_ends() -> None:
    """Published in 2024 for 2025: a slip, which `validate_clients` rejects; the cut must hold without it."""
    frame = pd.DataFrame({"period_end": dates("2025-12-31"), "published_at": dates("2024-04-30")})
    assert known_at("statements", frame, LAG).tolist() == [pd.Timestamp("2025-12-31")]


def test_a_few_rows_dated_far_ahead_do_not_move_the_end() -> None:
    months = pd.DataFrame({"client_id": "a", "month": pd.date_range("2024-01-01", periods=24, freq="MS")})
    months = pd.concat([months.assign(client_id=f"c{i}") for i in range(40)], ignore_index=True)
    typed = pd.DataFrame({"client_id": ["c1"], "month": dates("2031-05-01")})
    event = pd.DataFrame({"client_id": ["c1"], "date": dates("2031-05-05"), "event": "drawing"})
    end = pd.Timestamp("2026-01-01")
    assert data_end({"facilities": months, "events": event}, LAG) == end
    assert data_end({"facilities": pd.concat([months, typed])}, LAG) == end
    soon = pd.DataFrame({"client_id": ["c1"], "date": dates("2026-01-20"), "event": "drawing"})
    assert data_end({"facilities": months, "events": soon}, LAG) == pd.Timestamp("2026-01-20")
    gap = months[(months["month"] < "2024-10-01") | (months["month"] > "2025-03-01")]
    assert data_end({"facilities": gap}, LAG) == end


def test_an_estimated_publication_does_not_move_the_end_of_a_monthly_book() -> None:
    months = pd.DataFrame({"client_id": "a", "month": dates("2025-12-01")})
    statements = pd.DataFrame(
        {"period_end": dates("2025-12-31", "2025-06-30"), "published_at": dates(None, None)}
    )
    assert data_end({"interactions": months, "statements": statements}, LAG) == pd.Timestamp("2026-01-01")
    assert data_end({"statements": statements}, LAG) == pd.Timestamp("2026-04-30")
    assert data_end({"statements": statements}, 1) == pd.Timestamp("2026-01-01")
    statements["published_at"] = dates(None, "2026-02-01")
    assert data_end({"interactions": months, "statements": statements}, LAG) == pd.Timestamp("2026-02-01")
