from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from clientscore.exceptions import InvalidParameterError, MissingColumnError
from clientscore.labels import (
    NEED,
    SILENT,
    SilentRule,
    build_labels,
    churn_target,
    need_target,
    silent_spells,
    silent_state,
)
from clientscore.schema import ClientSchema
from clientscore.timeline import add_periods

SCHEMA = ClientSchema.default()
COLUMNS = [
    "bad",
    "exit_duration",
    "exit_cause",
    "need_duration",
    "need_event",
    "need_amount",
    "need_product",
    "need_purpose",
]


def events(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows (client, date, event[, amount[, product[, purpose]]])."""
    padded = [(*row, *(None,) * (6 - len(row))) for row in rows]
    frame = pd.DataFrame(padded, columns=["client_id", "date", "event", "amount", "product", "purpose"])
    return frame.assign(date=pd.to_datetime(frame["date"]), amount=frame["amount"].astype(float))


def book(*rows: tuple[Any, ...], ids: str = "abc") -> dict[str, pd.DataFrame]:
    return {"clients": pd.DataFrame({"client_id": list(ids)}), "events": events(*rows)}


def one(
    *rows: tuple[Any, ...], as_of: str = "2025-01-01", end: str = "2030-01-01", **options: Any
) -> dict[str, Any]:
    """Labels of client a; missing words as None."""
    y = build_labels(book(*rows), options.pop("schema", SCHEMA), as_of, data_end=end, **options)
    found = y.loc["a"].to_dict()
    return {name: None if pd.isna(value) else value for name, value in found.items()}


# ------------------------------------------------------------------------------------------- hand-made cases
def test_nothing_happens() -> None:
    assert one() == {
        "bad": 0.0,
        "exit_duration": 12,
        "exit_cause": None,
        "need_duration": 12,
        "need_event": None,
        "need_amount": None,
        "need_product": None,
        "need_purpose": None,
    }


@pytest.mark.parametrize(
    ("date", "duration", "bad"),
    [
        ("2025-01-02", 0, None),  # the day after as_of: inside the gap
        ("2025-02-01", 0, None),  # the day the gap ends belongs to the gap
        ("2025-02-02", 1, 1.0),
        ("2025-03-01", 1, 1.0),
        ("2025-03-02", 2, 1.0),
        ("2026-02-01", 12, 1.0),  # the last day of the window
        ("2026-02-02", 12, 0.0),  # the day after
    ],
)
def test_the_marks_of_the_window(date: str, duration: int, bad: float | None) -> None:
    found = one(("a", date, "default"))
    assert found["exit_duration"] == duration
    assert found["bad"] == bad
    assert found["exit_cause"] == (None if date == "2026-02-02" else "default")
    assert found["need_duration"] == duration


def test_an_event_on_the_day_is_known_so_the_client_is_out() -> None:
    y = build_labels(book(("a", "2025-01-01", "default")), SCHEMA, "2025-01-01", data_end="2030-01-01")
    assert y.index.tolist() == ["b", "c"]
    without_gap = one(("a", "2025-01-02", "default"), lead=0)
    assert (without_gap["exit_duration"], without_gap["bad"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("period", "date", "duration"),
    [
        ("quarter", "2025-04-02", 1),
        ("quarter", "2025-07-02", 2),
        ("year", "2026-01-02", 1),
        ("year", "2027-12-31", 2),
    ],
)
def test_quarters_and_years(period: str, date: str, duration: int) -> None:
    schema = dataclasses.replace(SCHEMA, period=period)
    found = one(("a", date, "default"), horizon=4, schema=schema)
    assert (found["exit_duration"], found["bad"]) == (duration, 1.0)


def test_a_year_right_after_the_statement_date() -> None:
    schema = dataclasses.replace(
        SCHEMA,
        period="year",
        exit_events={"default": "bankrupt", "closure": "other"},
        churn_causes=("other",),
    )
    found = one(("a", "2025-12-31", "closure"), horizon=1, lead=0, end="2026-01-01", schema=schema)
    assert (found["exit_duration"], found["exit_cause"], found["bad"]) == (1, "other", 0.0)
    late = one(("a", "2025-12-31", "closure"), horizon=1, lead=0, end="2025-12-31", schema=schema)
    assert (late["exit_duration"], late["exit_cause"], late["bad"]) == (0, None, None)


def test_default_after_another_exit_is_not_bad() -> None:
    found = one(("a", "2025-04-10", "closure"), ("a", "2025-06-10", "default"))
    assert (found["bad"], found["exit_cause"], found["exit_duration"]) == (0.0, "hard_attrition", 3)
    first = one(("a", "2025-04-10", "default"), ("a", "2025-06-10", "closure"))
    assert (first["bad"], first["exit_cause"]) == (1.0, "default")


def test_on_one_day_default_comes_first() -> None:
    found = one(("a", "2025-04-10", "closure"), ("a", "2025-04-10", "default"))
    assert (found["bad"], found["exit_cause"]) == (1.0, "default")


@pytest.mark.parametrize(
    ("word", "cause"),
    [("closure", "hard_attrition"), ("repayment", "scheduled_repayment"), ("bank_exit", "bank_exit")],
)
def test_causes(word: str, cause: str) -> None:
    found = one(("a", "2025-04-10", word))
    assert (found["exit_cause"], found["bad"], found["need_event"]) == (cause, 0.0, cause)


def test_need_sums_the_drawings_of_the_window_renewals_apart() -> None:
    found = one(
        ("a", "2025-02-01", "drawing", 1e9, "gap"),
        ("a", "2025-05-10", "drawing", 2e6, "term_loan", "capex"),
        ("a", "2025-05-10", "drawing", 1e6, "leasing", "growth"),
        ("a", "2025-06-10", "renewal", 9e6, "term_loan"),
        ("a", "2026-02-01", "drawing", 4e6, "revolving_line"),
        ("a", "2026-02-02", "drawing", 1e9, "after"),
        ("b", "2025-05-10", "drawing", 7e6, "other client"),
    )
    assert found["need_event"] == NEED
    assert found["need_duration"] == 4
    assert found["need_amount"] == 7e6
    assert (found["need_product"], found["need_purpose"]) == ("term_loan", "capex")
    assert (found["bad"], found["exit_duration"], found["exit_cause"]) == (0.0, 12, None)


def test_need_and_exit_compete() -> None:
    before = one(("a", "2025-05-10", "drawing", 2e6), ("a", "2025-05-20", "default"))
    assert (before["need_event"], before["need_duration"], before["need_amount"]) == (NEED, 4, 2e6)
    after = one(("a", "2025-05-30", "drawing", 2e6), ("a", "2025-05-20", "closure"))
    assert (after["need_event"], after["need_duration"], after["need_amount"]) == ("hard_attrition", 4, None)
    same_day = one(("a", "2025-05-20", "drawing", 2e6), ("a", "2025-05-20", "closure"))
    assert same_day["need_event"] == NEED


def test_a_drawing_without_amount() -> None:
    found = one(("a", "2025-05-10", "drawing", None))
    assert (found["need_event"], found["need_amount"]) == (NEED, None)
    partly = one(("a", "2025-05-10", "drawing", None), ("a", "2025-06-10", "drawing", 5.0))
    assert partly["need_amount"] == 5.0


def test_the_end_of_the_data_censors() -> None:
    # window 2025-02-01 .. 2026-02-01; whole periods seen to 2025-06-01: four
    found = one(("a", "2025-05-10", "drawing", 2e6, "term_loan"), end="2025-06-15")
    assert found["bad"] is None
    assert (found["exit_duration"], found["exit_cause"]) == (4, None)
    assert (found["need_duration"], found["need_event"], found["need_product"]) == (4, NEED, "term_loan")
    assert found["need_amount"] is None


def test_a_period_the_data_cover_in_part_does_not_count() -> None:
    found = one(("a", "2025-06-10", "default"), end="2025-06-15")
    assert (found["exit_duration"], found["exit_cause"], found["bad"]) == (4, None, None)


def test_the_last_day_of_the_window_closes_it() -> None:
    assert one(end="2026-02-01")["bad"] == 0.0
    assert one(end="2026-01-31")["bad"] is None
    assert one(("a", "2025-03-10", "default"), end="2026-01-31")["bad"] is None
    assert one(("a", "2025-03-10", "default"), end="2026-01-31")["exit_cause"] == "default"


def test_no_period_seen_is_duration_0() -> None:
    found = one(end="2025-01-15")
    assert (found["exit_duration"], found["need_duration"], found["bad"]) == (0, 0, None)


def test_the_end_of_the_data_is_taken_from_the_book() -> None:
    tables = book(("a", "2025-03-10", "default"), ("c", "2026-02-01", "renewal"))
    assert build_labels(tables, SCHEMA, "2025-01-01")["bad"].tolist() == [1.0, 0.0, 0.0]
    tables = book(("a", "2025-03-10", "default"), ("c", "2026-01-31", "renewal"))
    assert build_labels(tables, SCHEMA, "2025-01-01")["bad"].isna().all()


def test_without_events_nothing_is_observed_and_with_none_nothing_happened() -> None:
    tables = book()
    silent = build_labels({"clients": tables["clients"]}, SCHEMA, "2025-01-01", data_end="2030-01-01")
    assert silent["bad"].isna().all()
    assert silent[["exit_duration", "need_duration"]].eq(0).all(axis=None)
    quiet = build_labels(tables, SCHEMA, "2025-01-01", data_end="2030-01-01")
    assert quiet["bad"].eq(0).all()
    assert quiet[["exit_duration", "need_duration"]].eq(12).all(axis=None)


def test_scalar_and_list_dates() -> None:
    tables = book(("a", "2025-06-10", "default"))
    single = build_labels(tables, SCHEMA, "2025-01-01", data_end="2030-01-01")
    several = build_labels(tables, SCHEMA, ["2025-07-01", "2025-01-01"], data_end="2030-01-01")
    assert single.index.names == ["client_id"]
    assert several.index.names == ["client_id", "as_of"]
    assert several.index.get_level_values("client_id").tolist() == ["b", "c", "a", "b", "c"]
    pd.testing.assert_frame_equal(several.xs(pd.Timestamp("2025-01-01"), level="as_of"), single)
    assert list(single.columns) == COLUMNS


def test_types_and_an_empty_book() -> None:
    y = build_labels({"clients": pd.DataFrame()}, SCHEMA, "2025-01-01")
    assert len(y) == 0
    assert list(y.columns) == COLUMNS
    full = build_labels(book(("a", "2025-06-10", "default")), SCHEMA, "2025-01-01", data_end="2030-01-01")
    assert full.dtypes.astype(str).to_dict() == y.dtypes.astype(str).to_dict()
    assert str(full["exit_cause"].dtype) == "str"


def test_prospects_and_former_clients() -> None:
    tables = book(("b", "2024-06-10", "closure"), ("a", "2025-06-10", "drawing", 5.0))
    tables["clients"]["relationship_start"] = pd.to_datetime(["2025-03-01", "2020-01-01", "2020-01-01"])
    y = build_labels(tables, SCHEMA, "2025-01-01", include=["a", "b"], data_end="2030-01-01")
    assert y.index.tolist() == ["a", "b", "c"]
    assert y.loc["a", "need_event"] == NEED
    assert y.loc["b", "exit_duration"] == 0
    assert np.isnan(y.loc["b", "bad"])


def test_foreign_names_pass_through_the_schema() -> None:
    tables = {
        "客户": pd.DataFrame({"客户编号": ["a"]}),
        "事件": pd.DataFrame({"客户编号": ["a"], "事件日期": ["2025-06-10"], "事件类型": ["违约"]}),
    }
    assert build_labels(tables, SCHEMA, "2025-01-01", data_end="2030-01-01")["bad"].tolist() == [1.0]


@pytest.mark.parametrize(("horizon", "lead"), [(0, 1), (12, -1), (1.5, 1), (True, 1)])
def test_window_lengths_are_checked(horizon: Any, lead: Any) -> None:
    with pytest.raises(InvalidParameterError, match="must be a whole number of at least"):
        build_labels(book(), SCHEMA, "2025-01-01", horizon, lead)


# -------------------------------------------------------------------------------------------------- targets
def test_targets_leave_out_those_not_at_risk() -> None:
    tables = book(
        ("a", "2025-01-20", "closure"),
        ("b", "2025-04-10", "default"),
        ("c", "2025-05-10", "drawing", 3.0, "leasing"),
    )
    y = build_labels(tables, SCHEMA, "2025-01-01", data_end="2030-01-01")
    churn = churn_target(y)
    assert churn.index.tolist() == ["b", "c"]
    assert churn["duration"].tolist() == [3, 12]
    assert churn["event"].tolist() == ["default", np.nan]
    need = need_target(y)
    assert list(need.columns) == ["duration", "event", "amount", "product", "purpose"]
    assert need.loc["c"].tolist()[:4] == [4, NEED, 3.0, "leasing"]
    assert pd.isna(need.at["c", "purpose"])
    assert list(need_target(y.drop(columns="need_purpose")).columns) == list(need.columns)[:4]
    with pytest.raises(MissingColumnError, match="labels for churn_target needs 2 more columns"):
        churn_target(y[["bad"]])
    with pytest.raises(MissingColumnError, match="labels for need_target"):
        need_target(y[["bad"]])


# ------------------------------------------------------------------------------------------ an oracle by hand
def oracle(
    tables: dict[str, pd.DataFrame],
    client: str,
    as_of: pd.Timestamp,
    horizon: int,
    lead: int,
    end: pd.Timestamp,
):
    """Label one client by walking its events one by one, period by period."""
    mine = tables["events"][tables["events"]["client_id"] == client].sort_values("date", kind="stable")
    marks = [add_periods(as_of, lead + k, "month") for k in range(horizon + 1)]
    seen = sum(mark <= end for mark in marks[1:])

    def period(date: pd.Timestamp) -> int:
        return sum(date > mark for mark in marks)

    exits = [row for row in mine.itertuples() if row.event in SCHEMA.exit_events]
    first = min(exits, key=lambda row: (row.date, row.event != "default"), default=None)
    left = period(first.date) if first else horizon + 1
    last = first.date if first else pd.Timestamp.max
    result = {
        "exit_duration": min(left, seen),
        "exit_cause": SCHEMA.exit_events[first.event] if left <= seen else None,
    }
    closed = seen == horizon and left > 0
    result["bad"] = float(1 <= left <= horizon and first.event == "default") if closed else None
    draws = [
        row
        for row in mine.itertuples()
        if row.event == "drawing" and 1 <= period(row.date) <= seen and row.date <= last
    ]
    if draws:
        result |= {"need_duration": period(draws[0].date), "need_event": NEED}
        result["need_amount"] = sum(row.amount for row in draws) if seen == horizon else None
    else:
        result |= {"need_duration": min(left, seen), "need_event": result["exit_cause"], "need_amount": None}
    return result


@given(st.integers(0, 10**6), st.integers(1, 14), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_labels_equal_the_walk_through_the_events(seed: int, horizon: int, lead: int) -> None:
    rng = np.random.default_rng(seed)
    size = 25
    days = pd.Timestamp("2024-06-01") + pd.to_timedelta(rng.integers(0, 900, size), unit="D")
    firsts = pd.Series(days).dt.to_period("M").dt.start_time  # many events on the marks themselves
    frame = pd.DataFrame(
        {
            "client_id": rng.choice(list("abcdef"), size),
            "date": np.where(rng.random(size) < 0.5, firsts, days),
            "event": rng.choice(["drawing", "renewal", "closure", "default"], size, p=[0.5, 0.2, 0.15, 0.15]),
            "amount": rng.integers(1, 1000, size).astype(float),
        }
    )
    tables = {"clients": pd.DataFrame({"client_id": list("abcdef")}), "events": frame}
    end = pd.Timestamp("2024-09-01") + pd.to_timedelta(rng.integers(0, 900), unit="D")
    date = pd.Timestamp("2025-01-01")
    y = build_labels(tables, SCHEMA, date, horizon, lead, data_end=end)
    for client in y.index:
        wanted = oracle(tables, client, date, horizon, lead, end)
        found = {name: None if pd.isna(y.loc[client, name]) else y.loc[client, name] for name in wanted}
        assert found == wanted


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_what_comes_after_the_window_changes_no_label(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [("a", f"2025-{rng.integers(1, 13):02d}-10", "drawing", 5.0), ("b", "2025-07-10", "default")]
    later = [
        ("c", f"2026-02-{rng.integers(2, 28):02d}", str(rng.choice(["default", "closure", "drawing"])), 9.0)
    ]
    first = build_labels(book(*rows), SCHEMA, "2025-01-01", data_end="2026-02-01")
    second = build_labels(book(*rows, *later), SCHEMA, "2025-01-01", data_end="2026-02-01")
    pd.testing.assert_frame_equal(first, second)


# ------------------------------------------------------------------------------------------ silent attrition
def activity(
    balance: list[float], inflow: list[float] | None = None, client: str = "a", start: str = "2023-01-01"
) -> pd.DataFrame:
    months = pd.date_range(start, periods=len(balance), freq="MS")
    frame = pd.DataFrame({"client_id": client, "month": months, "balance_amount": balance})
    return frame if inflow is None else frame.assign(inflow_amount=inflow)


def starts(frame: pd.DataFrame, **options: Any) -> list[str]:
    return silent_spells(frame, SilentRule(**options))["start"].dt.strftime("%Y-%m-%d").tolist()


def ends(frame: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(end) else str(end.date()) for end in silent_spells(frame)["end"]]


def test_a_drop_to_a_fifth_by_hand() -> None:
    # 100 up to 2024-06, then 20. Ratios of 3- to 12-month means: 2024-07 73.3/93.3, 08 46.7/86.7 = .54,
    # 09 20/80 = .25, 10 20/73.3, 11 20/66.7: low in 09, 10, 11, known on 2024-12-01.
    frame = activity([100.0] * 18 + [20.0] * 12)
    assert starts(frame) == ["2024-12-01"]
    assert starts(frame, hold_months=1) == ["2024-10-01"]
    assert starts(frame, ratio=0.2) == []
    assert starts(frame, ratio=0.6) == ["2024-11-01"]


def test_a_small_drop_is_no_run_off() -> None:
    assert starts(activity([100.0] * 18 + [60.0] * 12)) == []


def test_two_low_months_are_not_three() -> None:
    # low in 2024-02 (33.3/83.3), 03 (0/75) and 04 (33.3/75 = .44); 05 would be .89
    assert starts(activity([100.0] * 13 + [0.0] * 3 + [100.0] * 10, start="2022-12-01")) == ["2024-05-01"]
    assert starts(activity([100.0] * 13 + [0.0] * 2 + [100.0] * 10, start="2022-12-01")) == []


def test_recovery_is_known_the_month_after_the_mean_is_back() -> None:
    # level before 100; after 2024-12 the mean over 12, 01, 02 is 20, 20, 70 -> 36.7; then 60, 90
    frame = activity([100.0] * 18 + [20.0] * 8 + [100.0] * 6)
    # 2025-03: (100, 20, 20) 46.7; 2025-04: 73.3; 2025-05: 100 > 80, known on 2025-06-01
    assert ends(frame) == ["2025-06-01"]
    assert ends(activity([100.0] * 18 + [20.0] * 8 + [75.0] * 8)) == [None]


def test_a_client_may_run_off_twice() -> None:
    frame = activity([100.0] * 18 + [10.0] * 8 + [100.0] * 18 + [10.0] * 8)
    spells = silent_spells(frame)
    assert len(spells) == 2
    assert spells["end"].notna().tolist() == [True, False]
    assert spells["start"].is_monotonic_increasing
    assert spells["end"][0] < spells["start"][1]


def test_less_than_twelve_months_are_not_evaluated() -> None:
    assert starts(activity([100.0] * 8 + [0.0] * 3)) == []
    assert starts(activity([100.0] * 9 + [0.0] * 4), hold_months=1) == ["2024-01-01"]


def test_both_measures_count_each_against_its_own_mean() -> None:
    flat, gone = [100.0] * 30, [1e6] * 18 + [0.0] * 12
    assert starts(activity(flat, gone)) == []  # half of the activity stays
    low = [100.0] * 18 + [
        20.0
    ] * 12  # 2024-08: 46.7/86.7 = .54; with gone, .33/.83 = .40, the mean .47 is low
    assert starts(activity(low)) == ["2024-12-01"]
    assert starts(activity(low, gone)) == ["2024-11-01"]
    assert starts(activity(low, [np.nan] * 30)) == ["2024-12-01"]


def test_a_missing_month_is_bridged_and_a_long_hole_is_not() -> None:
    balance = [100.0] * 18 + [20.0] * 12
    frame = activity(balance)
    assert starts(frame.drop(index=5)) == ["2024-12-01"]
    hole = frame.drop(index=range(19, 22))
    assert starts(hole) == ["2025-03-01"]  # not evaluated in the hole; low from 2024-12 on
    assert starts(activity([-5.0] * 30)) == []


def test_the_order_of_rows_does_not_matter_and_clients_are_apart() -> None:
    both = pd.concat([activity([100.0] * 18 + [20.0] * 12), activity([50.0] * 30, client="b")])
    shuffled = both.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(silent_spells(shuffled), silent_spells(both))
    assert silent_spells(both)["client_id"].tolist() == ["a"]


def test_nothing_to_evaluate() -> None:
    empty = activity([])
    assert list(silent_spells(empty).columns) == ["client_id", "start", "end"]
    assert silent_spells(activity([1.0])[["client_id", "month"]]).empty
    with pytest.raises(MissingColumnError, match="'month' is missing"):
        silent_spells(empty[["client_id"]])


def slow_season(ratios: list[float], t: int, years: int) -> float:
    """The season of one month by the words of the rule."""
    earlier = [ratios[t - 12 * k] for k in range(1, years + 2) if t - 12 * k >= 0]
    earlier = [ratio for ratio in earlier if not np.isnan(ratio)]
    if years == 0 or len(earlier) < years or min(earlier) <= 0:
        return 1.0
    if max(earlier) < 1:
        return max(earlier)
    return min(earlier) if min(earlier) > 1 else 1.0


def slow_spells(values: np.ndarray, rule: SilentRule) -> list[tuple[int, int]]:
    """The rule for one client and one measure, month by month, by its words."""
    found: list[tuple[int, int]] = []
    run, level, inside = 0, np.nan, False
    ratios: list[float] = []
    for t in range(len(values)):
        short = np.mean(values[max(0, t - rule.window_months + 1) : t + 1])
        base = np.mean(values[max(0, t - rule.base_months + 1) : t + 1])
        # a mean of fewer months than min_share of them is not known, and can show no season
        known = t + 1 >= np.ceil(rule.min_share * rule.base_months)
        ratios.append(short / base if known else np.nan)
        short = short / slow_season(ratios, t, rule.season_years)
        if inside and short / level > rule.recovery_ratio:
            found[-1] = (found[-1][0], t + 1)
            inside = False
        low = t + 1 >= rule.base_months and base > 0 and short / base < rule.ratio
        run = run + 1 if low and not inside else 0
        if run == rule.hold_months:
            stop = t - rule.hold_months + 1 - rule.window_months
            level = np.mean(values[max(0, stop - rule.base_months + 1) : stop + 1])
            found.append((t + 1, -1))
            inside, run = True, 0
    return found


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_spells_equal_the_rule_walked_month_by_month(seed: int) -> None:
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.choice([5.0, 20.0, 60.0, 100.0, 200.0], 8), rng.integers(3, 12, 8))
    season = 1.0 + rng.choice([0.0, 0.3, 0.9]) * np.cos(2 * np.pi * np.arange(len(level)) / 12)
    values = level * season * rng.lognormal(0, 0.2, len(level))
    frame = activity(list(values))
    origin = pd.Timestamp("2023-01-01")
    rule = SilentRule(season_years=int(rng.integers(0, 4)))
    wanted = slow_spells(values, rule)
    spells = silent_spells(frame, rule)
    assert [(add_periods(origin, s, "month")) for s, _ in wanted] == spells["start"].tolist()
    assert [None if e < 0 else add_periods(origin, e, "month") for _, e in wanted] == [
        None if pd.isna(end) else end for end in spells["end"]
    ]


@given(st.integers(0, 10**6), st.integers(14, 40))
@settings(deadline=None, max_examples=30)
def test_a_spell_is_found_from_the_past_alone(seed: int, cut: int) -> None:
    """The wall: months not known at a date change neither who is silent then nor when it began."""
    rng = np.random.default_rng(seed)
    values = np.repeat(rng.choice([10.0, 40.0, 100.0], 10), 5) * rng.lognormal(0, 0.1, 50)
    frame = activity(list(values))
    date = add_periods("2023-01-01", cut, "month")
    other = frame.copy()
    other.loc[frame.index >= cut, "balance_amount"] = rng.lognormal(3, 2, 50 - cut)
    tables = {"clients": pd.DataFrame({"client_id": ["a"]}), "events": events()}
    states = [silent_state(tables | {"interactions": f}, SCHEMA, date) for f in (frame, other, frame[:cut])]
    assert states[0].tolist() == states[1].tolist() == states[2].tolist()
    found = [silent_spells(f)["start"] for f in (frame, other, frame[:cut])]
    known = [start[start <= date].tolist() for start in found]
    assert known[0] == known[1] == known[2]


def silent_book(*rows: tuple[Any, ...]) -> dict[str, pd.DataFrame]:
    """Client a runs off, known on 2024-12-01; b stays."""
    months = pd.concat([activity([100.0] * 18 + [20.0] * 30), activity([50.0] * 48, client="b")])
    return book(*rows, ids="ab") | {"interactions": months}


def test_silent_state() -> None:
    found = silent_state(silent_book(), SCHEMA, ["2024-11-30", "2024-12-01"])
    assert found.name == "silent"
    assert found.dtype == bool
    assert found.tolist() == [False, False, True, False]
    assert silent_state(book(), SCHEMA, "2025-01-01").tolist() == [False, False, False]


def test_a_recovered_client_is_at_risk_again() -> None:
    tables = book(ids="a") | {"interactions": activity([100.0] * 18 + [20.0] * 8 + [100.0] * 22)}
    assert silent_state(tables, SCHEMA, ["2025-05-31", "2025-06-01"]).tolist() == [True, False]
    y = build_labels(tables, SCHEMA, ["2025-05-01", "2025-06-01"], data_end="2027-01-01")
    assert y["exit_duration"].tolist() == [0, 12]


@pytest.mark.parametrize(
    ("as_of", "duration"),
    [
        ("2024-12-01", 0),
        ("2024-11-15", 0),
        ("2024-11-01", 0),
        ("2024-10-01", 1),
        ("2024-09-01", 2),
        ("2024-01-01", 10),
    ],
)
def test_silent_attrition_ends_the_spell_of_the_client(as_of: str, duration: int) -> None:
    y = build_labels(silent_book(), SCHEMA, as_of)
    assert y.loc["a", "exit_duration"] == duration
    assert y.loc["a", "exit_cause"] == SILENT
    assert y.loc["a", "bad"] == 0.0
    assert y.loc["a", "need_duration"] == 12
    assert pd.isna(y.loc["a", "need_event"])
    assert y.loc["b", "exit_duration"] == 12


def test_a_silent_client_can_still_default_and_draw() -> None:
    tables = silent_book(("a", "2025-06-10", "default"), ("a", "2025-04-10", "drawing", 3.0))
    y = build_labels(tables, SCHEMA, "2025-01-01")
    assert y.loc["a", ["bad", "exit_duration", "need_duration", "need_event", "need_amount"]].tolist() == [
        1.0,
        0,
        3,
        NEED,
        3.0,
    ]
    before = build_labels(tables, SCHEMA, "2024-06-01").loc["a"]
    assert (before["exit_cause"], before["exit_duration"], before["bad"]) == (SILENT, 5, 1.0)


def test_a_closure_before_the_run_off_is_known_comes_first() -> None:
    y = build_labels(silent_book(("a", "2024-11-20", "closure")), SCHEMA, "2024-06-01")
    assert y.loc["a", ["exit_cause", "exit_duration"]].tolist() == ["hard_attrition", 5]
    y = build_labels(silent_book(("a", "2024-12-01", "closure")), SCHEMA, "2024-06-01")
    assert y.loc["a", "exit_cause"] == "hard_attrition"


def test_silent_attrition_after_the_data_end_is_not_seen() -> None:
    y = build_labels(silent_book(), SCHEMA, "2024-06-01", data_end="2024-11-15")
    assert y.loc["a", ["exit_duration", "bad"]].isna().tolist() == [False, True]
    assert (y.loc["a", "exit_duration"], pd.isna(y.loc["a", "exit_cause"])) == (4, True)


def test_exits_are_observed_no_longer_than_interactions() -> None:
    """Facilities go on, interactions stop: who goes silent then would look like one who stays."""
    months = pd.date_range("2023-01-01", "2026-06-01", freq="MS")
    tables = book(
        ("b", "2025-03-10", "closure"), ("c", "2025-08-10", "closure"), ("a", "2025-09-01", "drawing", 5)
    )
    tables["facilities"] = pd.DataFrame(
        {"client_id": np.repeat(list("abc"), len(months)), "facility_id": "f", "month": np.tile(months, 3)}
    )
    tables["interactions"] = tables["facilities"].query("month < '2025-05-01'").assign(balance_amount=1.0)
    y = build_labels(tables, SCHEMA, "2025-01-01")
    assert y["exit_duration"].tolist() == [3, 2, 3]  # to 1 May, the end of the interactions
    assert y["exit_cause"].fillna("").tolist() == ["", "hard_attrition", ""]
    assert y["bad"].tolist() == [0.0, 0.0, 0.0]
    assert y["need_duration"].tolist() == [7, 2, 7]
    quarters = dataclasses.replace(SCHEMA, period="quarter")
    y = build_labels(tables, quarters, "2025-01-01", horizon=4, lead=0)
    assert y["exit_duration"].tolist() == [2, 1, 2]  # the quarter begun is taken as covered
    told = build_labels(tables, SCHEMA, "2025-01-01", data_end="2026-07-01")
    assert told["exit_duration"].tolist() == [12, 2, 7]


def test_without_events_silent_attrition_is_still_observed() -> None:
    tables = silent_book()
    del tables["events"]
    y = build_labels(tables, SCHEMA, "2024-06-01")
    assert y["exit_cause"].tolist() == [SILENT, np.nan]
    assert y["bad"].isna().all()
    assert y["need_duration"].eq(0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_months": 0}, "window_months must be a whole number of at least 1"),
        ({"base_months": 3}, "base_months must be a whole number of at least 4"),
        ({"ratio": 1.0}, r"ratio must be a number in \(0, 1\)"),
        ({"hold_months": 0}, "hold_months must be"),
        ({"recovery_ratio": 0}, "recovery_ratio must be"),
        ({"min_share": 0}, r"min_share must be a number in \(0, 1\]"),
        ({"combine": "sum"}, "combine must be one of 'mean', 'any', 'all'; got 'sum'"),
        ({"season_years": -1}, "season_years must be a whole number of at least 0"),
        ({"sales_fall": 0.0}, r"sales_fall must be a number in \(0, 1\]"),
        ({"sales_age_months": 0}, "sales_age_months must be a whole number of at least 1"),
        ({"measures": {}}, "measures must name, for each measure, a list of columns"),
        ({"measures": {"balances": "balance_amount"}}, "measures must name, for each measure"),
        ({"measures": {"balances": []}}, "measures must name, for each measure"),
    ],
)
def test_the_rule_is_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        SilentRule(**options)


def test_a_large_book_has_a_label_for_every_client_and_date() -> None:
    rng = np.random.default_rng(0)
    size, span = 2000, 60
    ids = np.array([f"c{i}" for i in range(size)])
    months = pd.DataFrame(
        {
            "client_id": np.repeat(ids, span),
            "month": np.tile(pd.date_range("2020-01-01", periods=span, freq="MS").to_numpy(), size),
            "balance_amount": rng.lognormal(3, 1, size * span),
        }
    )
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1800, 6000), unit="D")
    frame = pd.DataFrame(
        {"client_id": rng.choice(ids, 6000), "date": days, "event": "drawing", "amount": 1.0}
    )
    tables = {"clients": pd.DataFrame({"client_id": ids}), "events": frame, "interactions": months}
    y = build_labels(tables, SCHEMA, list(pd.date_range("2021-01-01", periods=16, freq="QS")))
    assert len(y) == 16 * size
    assert y["need_event"].eq("need").any()
