"""Exits by rule: inactivity, season and sales in the silent rule, share of wallet, and how they overlap."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.datasets import make_portfolio
from clientscore.exceptions import InvalidParameterError, PolicyError
from clientscore.labels import (
    SILENT,
    ExitRules,
    HardRule,
    PartialRule,
    SilentRule,
    build_labels,
    definition_table,
    exit_spells,
    exit_state,
    silent_spells,
    silent_state,
)
from clientscore.schema import ClientSchema
from clientscore.timeline import add_periods

SCHEMA = ClientSchema.default()
HARD = "hard_attrition"


def months_of(
    balance: list[float], client: str = "a", start: str = "2023-01-01", **more: list[Any]
) -> pd.DataFrame:
    months = pd.date_range(start, periods=len(balance), freq="MS")
    return pd.DataFrame({"client_id": client, "month": months, "balance_amount": balance, **more})


def book_of(*interactions: pd.DataFrame, **tables: pd.DataFrame) -> dict[str, pd.DataFrame]:
    rows = pd.concat(interactions, ignore_index=True)
    clients = pd.DataFrame({"client_id": rows["client_id"].unique()})
    return {"clients": clients, "interactions": rows, **tables}


def spells_of(tables: dict[str, pd.DataFrame], rules: ExitRules | None = None) -> list[tuple[str, ...]]:
    spells = exit_spells(tables, SCHEMA, rules)
    return [
        (row.client_id, str(row.start.date()), "" if pd.isna(row.end) else str(row.end.date()), row.cause)
        for row in spells.itertuples()
    ]


STAYS = months_of([50.0] * 36, client="stays")


# ---------------------------------------------------------------------------------------------- inactivity
def test_six_months_without_business_by_hand() -> None:
    # nothing left from 2024-01 on: the sixth such month is 2024-06, known on 2024-07-01
    tables = book_of(months_of([9.0] * 12 + [0.0] * 24), STAYS)
    assert spells_of(tables) == [("a", "2024-07-01", "", HARD)]
    early = ExitRules(hard=HardRule(inactive_months=3))
    assert spells_of(tables, early) == [("a", "2024-04-01", "", HARD)]


def test_a_sudden_stop_is_hard_and_a_run_off_with_business_left_is_silent() -> None:
    tables = book_of(months_of([100.0] * 18 + [20.0] * 18), months_of([100.0] * 18 + [0.0] * 18, client="b"))
    assert spells_of(tables) == [("a", "2024-12-01", "", SILENT), ("b", "2025-01-01", "", HARD)]
    events_alone = ExitRules(hard=HardRule(inactive_months=0))
    assert [spell[3] for spell in spells_of(tables, events_alone)] == [SILENT, SILENT]


def test_business_again_ends_inactivity_the_month_after() -> None:
    tables = book_of(months_of([9.0] * 12 + [0.0] * 8 + [9.0] * 16), STAYS)
    assert spells_of(tables) == [("a", "2024-07-01", "2024-10-01", HARD)]
    five = book_of(months_of([9.0] * 12 + [0.0] * 5 + [9.0] + [0.0] * 5 + [9.0] * 13), STAYS)
    assert spells_of(five) == []


@pytest.mark.parametrize(
    ("more", "rule", "found"),
    [
        ({"inflow_amount": [1.0] * 36}, {}, False),
        ({"outflow_amount": [1.0] * 36}, {}, False),
        ({"products_held": [1.0] * 36}, {}, False),
        ({"products_held": [1.0] * 36}, {"products_count": False}, True),
        ({"inflow_amount": [0.0] * 36, "products_held": [0.0] * 36}, {}, True),
        ({"inflow_amount": [np.nan] * 36}, {}, True),
    ],
)
def test_flows_and_products_are_business(more: dict[str, Any], rule: dict[str, Any], found: bool) -> None:
    tables = book_of(months_of([9.0] * 12 + [0.0] * 24, **more), STAYS)
    hard = [spell for spell in spells_of(tables, ExitRules(hard=HardRule(**rule))) if spell[3] == HARD]
    assert bool(hard) is found


def test_an_overdraft_is_business_and_small_change_need_not_be() -> None:
    tables = book_of(months_of([9.0] * 12 + [-3.0] * 24), months_of([900.0] * 12 + [3.0] * 24, client="b"))
    assert [spell[3] for spell in spells_of(tables) if spell[3] == HARD] == []
    small = ExitRules(hard=HardRule(dormant_amount=3.0))
    hard = [spell[:2] for spell in spells_of(tables, small) if spell[3] == HARD]
    assert hard == [("a", "2024-07-01"), ("b", "2024-07-01")]


@pytest.mark.parametrize(
    ("columns", "rule", "found"),
    [
        ({"limit_amount": 100.0, "drawn_amount": 0.0}, {}, False),
        ({"limit_amount": 0.0, "drawn_amount": 0.0}, {}, True),
        ({"limit_amount": 0.0, "drawn_amount": 5.0}, {}, False),
        ({"limit_amount": 100.0, "drawn_amount": 0.0}, {"products_count": False}, True),
        ({}, {}, False),  # a row without amounts is a product
        ({"limit_amount": np.nan, "drawn_amount": np.nan}, {}, False),
    ],
)
def test_a_line_open_is_business(columns: dict[str, float], rule: dict[str, Any], found: bool) -> None:
    loans = STAYS[["month"]].assign(client_id="a", facility_id="f", **columns)
    tables = book_of(months_of([9.0] * 12 + [0.0] * 24), STAYS, facilities=loans)
    hard = [spell for spell in spells_of(tables, ExitRules(hard=HardRule(**rule))) if spell[3] == HARD]
    assert bool(hard) is found


def test_absent_months_count_unless_told_otherwise() -> None:
    tables = book_of(months_of([9.0] * 12), STAYS)
    assert spells_of(tables) == [("a", "2024-07-01", "", HARD)]
    assert spells_of(tables, ExitRules(hard=HardRule(absent_counts=False))) == []
    alone = book_of(months_of([9.0] * 12))
    assert spells_of(alone) == []  # the table ends there: nobody knows
    late = book_of(months_of([9.0] * 19, start="2024-06-01"), STAYS)
    assert spells_of(late) == []  # before its first row there is no client


def test_a_month_that_is_not_known_breaks_the_run() -> None:
    balance = [9.0] * 12 + [0.0] * 5 + [np.nan] + [0.0] * 18
    assert spells_of(book_of(months_of(balance), STAYS)) == [("a", "2025-01-01", "", HARD)]


def test_months_before_the_end_of_a_month_say_nothing_of_it() -> None:
    """The trap of a date inside a month: June is known on 1 July, not on 15 June."""
    tables = book_of(months_of([9.0] * 12 + [0.0] * 24), STAYS)
    dates = ["2024-06-15", "2024-06-30", "2024-07-01"]
    state = exit_state(tables, SCHEMA, dates).xs("a", level="client_id")
    assert state.fillna("").tolist() == ["", "", HARD]


def test_an_inactive_client_leaves_hard_in_the_labels_and_is_then_not_at_risk() -> None:
    tables = book_of(months_of([9.0] * 24 + [0.0] * 12), STAYS)  # known on 2025-07-01
    tables["events"] = pd.DataFrame(
        {"client_id": ["a"], "date": [pd.Timestamp("2025-09-10")], "event": "drawing", "amount": 5.0}
    )
    y = build_labels(tables, SCHEMA, ["2025-01-01", "2025-07-01"], horizon=6, lead=0)
    first, second = y.xs("a", level="client_id").to_dict("records")
    assert (first["exit_duration"], first["exit_cause"], first["bad"]) == (6, HARD, 0.0)
    assert (second["exit_duration"], second["exit_cause"]) == (0, HARD)
    assert (second["need_duration"], second["need_event"]) == (3, "need")  # it may still draw
    kept = build_labels(
        tables, SCHEMA, "2025-01-01", horizon=6, lead=0, rules=ExitRules(hard=HardRule(inactive_months=9))
    )
    assert pd.isna(kept.loc["a", "exit_cause"])
    closed = tables | {"events": tables["events"].assign(event="closure", date=pd.Timestamp("2025-03-10"))}
    y = build_labels(closed, SCHEMA, "2025-01-01", horizon=6, lead=0)
    assert y.loc["a", ["exit_duration", "exit_cause"]].tolist() == [3, HARD]  # the event came first


def test_the_hard_cause_is_the_schemas_word() -> None:
    schema = dataclasses.replace(
        SCHEMA, exit_events={**SCHEMA.exit_events, "closure": "left"}, churn_causes=("left", SILENT)
    )
    tables = book_of(months_of([9.0] * 12 + [0.0] * 24), STAYS)
    assert exit_spells(tables, schema)["cause"].tolist() == ["left"]


# ------------------------------------------------------------------------------------------ season and sales
def test_a_season_that_comes_every_year_is_no_run_off() -> None:
    # Half a year at 100 and half at 2, mean 51: the 3-month mean over it is .68 in August, .04 in September
    # to December: low for the third time in November, known on 1 December, back in March. The ratios of
    # 2019 (a mean of at least eight months) and 2020 tell the season from August 2021 on.
    wave = months_of(([100.0] * 6 + [2.0] * 6) * 7, start="2019-01-01")
    plain = silent_spells(wave, SilentRule(season_years=0))["start"].astype(str).tolist()
    assert plain == [f"{year}-12-01" for year in range(2020, 2026)]
    assert silent_spells(wave)["start"].astype(str).tolist() == ["2020-12-01"]
    # and a run-off that is no season is still found in such a client
    gone = wave.assign(balance_amount=wave["balance_amount"].where(wave["month"] < "2025-01-01", 2.0))
    assert "2025" in silent_spells(gone)["start"].astype(str).iloc[-1]


def test_a_season_seen_once_is_no_season() -> None:
    values = (
        [100.0] * 20 + [10.0] * 5 + [100.0] * 7 + [10.0] * 16
    )  # low from 2024-09 and for good a year later
    frame = months_of(values)
    assert (
        silent_spells(frame)["start"].tolist()
        == silent_spells(frame, SilentRule(season_years=0))["start"].tolist()
    )


def statements_of(*sales: float, published: str | None = None, **more: Any) -> pd.DataFrame:
    ends = [pd.Timestamp(f"{2022 + k}-12-31") for k in range(len(sales))]
    days = [end + pd.Timedelta(days=90) for end in ends]
    if published:
        days[-1] = pd.Timestamp(published)
    return pd.DataFrame(
        {
            "client_id": "a",
            "period_end": ends,
            "published_at": days,
            "period_months": 12.0,
            "revenue": sales,
            **more,
        }
    )


def test_a_fall_of_reported_sales_explains_as_large_a_fall_of_business() -> None:
    # 100 to 2024-06, then 40: 3- over 12-month means 2024-09 40/85 = .47, 10 40/80 = .5, so take 30:
    # 09 30/82.5 = .36, 10 .39, 11 .43: known on 2024-12-01. Sales of 2023 are 60 of 100: .36 / .6 = .61.
    frame = months_of([100.0] * 18 + [30.0] * 18)
    assert silent_spells(frame)["start"].astype(str).tolist() == ["2024-12-01"]
    assert silent_spells(frame, statements=statements_of(100.0, 60.0)).empty
    assert len(silent_spells(frame, statements=statements_of(100.0, 85.0))) == 1  # a small fall tells nothing
    assert len(silent_spells(frame, statements=statements_of(100.0, 130.0))) == 1
    off = SilentRule(sales_fall=1.0)
    assert len(silent_spells(frame, off, statements=statements_of(100.0, 60.0))) == 1
    assert len(silent_spells(frame, statements=statements_of(60.0))) == 1  # no year before
    gone = statements_of(100.0, 0.0)
    assert silent_spells(frame, statements=gone).empty  # no sales at all explain everything


def test_only_statements_known_then_explain() -> None:
    frame = months_of([100.0] * 18 + [30.0] * 18)
    known_in_time = silent_spells(frame, statements=statements_of(100.0, 60.0, published="2024-12-01"))
    known_too_late = silent_spells(frame, statements=statements_of(100.0, 60.0, published="2024-12-02"))
    assert known_in_time.empty  # November is judged on 1 December
    assert known_too_late["start"].astype(str).tolist() == ["2024-12-01"]
    old = SilentRule(sales_age_months=6)  # November lies 11 months after the year's end
    assert len(silent_spells(frame, old, statements=statements_of(100.0, 60.0))) == 1


def test_half_years_are_compared_with_the_half_year_before() -> None:
    frame = months_of([100.0] * 18 + [30.0] * 18)
    halves = pd.DataFrame(
        {
            "client_id": "a",
            "period_end": pd.to_datetime(["2022-12-31", "2023-06-30", "2023-12-31", "2024-06-30"]),
            "published_at": pd.to_datetime(["2023-03-01", "2023-09-01", "2024-03-01", "2024-09-01"]),
            "period_months": 6.0,
            "revenue": [90.0, 10.0, 90.0, 10.0],  # a season, no fall
        }
    )
    assert len(silent_spells(frame, statements=halves)) == 1
    assert silent_spells(frame, statements=halves.assign(revenue=[90.0, 10.0, 90.0, 5.0])).empty


def test_measures_and_how_they_count_together() -> None:
    half = months_of([100.0] * 18 + [100.0] * 18, inflow_amount=[100.0] * 18 + [10.0] * 18)
    assert silent_spells(half).empty
    assert len(silent_spells(half, SilentRule(combine="any"))) == 1
    both = half.assign(balance_amount=half["inflow_amount"], fee_income_amount=100.0)
    assert len(silent_spells(both, SilentRule(combine="any"))) == 1
    assert silent_spells(both, SilentRule(combine="all")).empty
    own = SilentRule(measures={"turnover": ["inflow_amount", "outflow_amount"]})
    assert own.measures == {"turnover": ("inflow_amount", "outflow_amount")}
    assert len(silent_spells(half, own)) == 1
    assert silent_spells(half, SilentRule(measures={"x": ["unheard_of"]})).empty


# --------------------------------------------------------------------------------------------------- the wall
@given(st.integers(0, 10**6), st.integers(14, 55))
@settings(deadline=None, max_examples=25)
def test_what_is_not_known_at_a_date_changes_no_state(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    date = add_periods("2021-01-01", cut, "month")

    def book(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
        frames = []
        for client in "abc":
            level = np.repeat(rng.choice([0.0, 10.0, 40.0, 100.0], 12), 5)
            values = level * rng.lognormal(0, 0.1, 60)
            frame = months_of(list(values), client, "2021-01-01", inflow_amount=list(values[::-1]))
            frames.append(frame[rng.random(60) > 0.1])
        tables = [
            statements_of(*rng.lognormal(3, 0.6, 4)).assign(
                client_id=client, period_end=lambda f: f["period_end"] - pd.DateOffset(years=2)
            )
            for client in "abc"
        ]
        published = pd.concat(tables, ignore_index=True)
        published["published_at"] = published["period_end"] + pd.to_timedelta(
            rng.integers(10, 300, len(published)), unit="D"
        )
        return book_of(*frames, statements=published)

    one, other = book(rng), book(np.random.default_rng(seed + 1))
    other["clients"] = one["clients"]
    mixed = dict(one)
    for name, known in (("interactions", "month"), ("statements", "published_at")):
        late = other[name][known] >= date if name == "interactions" else other[name][known] > date
        early = ~(one[name][known] >= date if name == "interactions" else one[name][known] > date)
        mixed[name] = pd.concat([one[name][early], other[name][late]], ignore_index=True)
    states = [exit_state(tables, SCHEMA, date) for tables in (one, mixed)]
    pd.testing.assert_series_equal(*states)
    spells = [exit_spells(tables, SCHEMA) for tables in (one, mixed)]
    known = [s[s["start"] <= date][["client_id", "start", "cause"]].reset_index(drop=True) for s in spells]
    pd.testing.assert_frame_equal(*known)


def test_states_of_nothing() -> None:
    tables = {"clients": pd.DataFrame({"client_id": ["007", "NA"]})}
    assert exit_state(tables, SCHEMA, "2025-01-01").isna().all()
    state = silent_state(tables, SCHEMA, ["2025-01-01"])
    assert state.index.names == ["client_id", "as_of"]
    assert state.tolist() == [False, False]
    assert state.dtype == bool


def test_a_silent_client_without_any_business_left_counts_as_hard_then() -> None:
    tables = book_of(months_of([100.0] * 18 + [20.0] * 6 + [0.0] * 12), STAYS)
    state = exit_state(tables, SCHEMA, ["2024-12-01", "2025-06-01", "2025-07-01"]).xs("a", level="client_id")
    assert state.tolist() == [SILENT, SILENT, HARD]
    assert silent_state(tables, SCHEMA, "2025-07-01").loc["a"] == False  # noqa: E712


# ---------------------------------------------------------------------------------------- definitions' table
def wallet_book() -> dict[str, pd.DataFrame]:
    """Client a: turnover 600 a year of sales 1000, from 2025 on 360: a share of .60, then .36."""
    flows = months_of([50.0] * 36, inflow_amount=[50.0] * 24 + [30.0] * 12)
    return book_of(flows, STAYS, statements=statements_of(1000.0, 1000.0, 1000.0))


def test_a_fall_of_the_share_of_wallet_by_hand() -> None:
    # twelve months to 2025-05: 7 x 50 + 5 x 30 = 500 of 1000, against 600: -10 points, known on 2025-06-01
    table = definition_table(wallet_book(), SCHEMA, ["2025-04-01"], horizon=1, lead=1)
    assert table.loc[(pd.Timestamp("2025-04-01"), "partial"), "clients"] == 1
    assert (
        definition_table(wallet_book(), SCHEMA, "2025-04-01", horizon=1, lead=0).loc["partial", "clients"]
        == 0
    )
    later = definition_table(wallet_book(), SCHEMA, "2025-06-01", horizon=3, lead=0)
    assert later.loc["partial", ["already", "clients", "evaluated"]].tolist() == [1, 0, 1]
    strict = ExitRules(partial=PartialRule(drop=0.3))
    assert definition_table(wallet_book(), SCHEMA, "2025-01-01", strict).loc["partial", "clients"] == 0


def test_the_share_of_debt_stands_in_where_turnover_is_not_known() -> None:
    tables = wallet_book()
    tables["interactions"] = tables["interactions"].drop(columns="inflow_amount")
    tables["statements"] = tables["statements"].assign(short_term_debt=100.0, long_term_debt=np.nan)
    months = pd.date_range("2023-01-01", periods=36, freq="MS")
    drawn = [80.0] * 24 + [50.0] * 12
    tables["facilities"] = pd.DataFrame(
        {"client_id": "a", "facility_id": "f", "month": months, "drawn_amount": drawn}
    )
    assert definition_table(tables, SCHEMA, "2025-01-01", lead=0).loc["partial", "clients"] == 1
    turnover = ExitRules(partial=PartialRule(basis="turnover"))
    row = definition_table(tables, SCHEMA, "2025-01-01", turnover, lead=0).loc["partial"]
    assert row[["evaluated", "clients"]].tolist() == [0, 0]


def test_the_definitions_overlap_as_told() -> None:
    tables = book_of(
        months_of([100.0] * 26 + [20.0] * 10, client="runs off"),
        months_of([100.0] * 26 + [0.0] * 10, client="stops"),
        months_of([100.0] * 26, client="closed"),
        months_of([100.0] * 36, client="stays"),
    )
    tables["events"] = pd.DataFrame(
        {"client_id": ["closed"], "date": [pd.Timestamp("2025-03-05")], "event": "closure"}
    )
    table = definition_table(tables, SCHEMA, "2025-01-01")
    assert list(table.index) == ["closure", "inactive", "silent", "partial"]
    assert table["clients"].tolist() == [1, 2, 1, 0]
    assert table["evaluated"].tolist() == [4, 4, 4, 0]
    assert table["share"].tolist()[:3] == [0.25, 0.5, 0.25]
    overlaps = table[["closure", "inactive", "silent", "partial"]].to_numpy()
    assert (overlaps == overlaps.T).all()
    assert (np.diag(overlaps) == table["clients"]).all()
    assert table.loc["closure", "inactive"] == 1  # the closed client has no business afterwards
    assert table.loc["silent", "inactive"] == 0
    bare = definition_table({"clients": tables["clients"]}, SCHEMA, "2025-01-01")
    assert bare["evaluated"].tolist() == [0, 0, 0, 0]
    assert bare["share"].isna().all()


# -------------------------------------------------------------------------------------------------- the rules
def test_rules_are_checked_and_come_back_from_their_state(tmp_path: Path) -> None:
    rules = ExitRules(HardRule(9, 1.5, False, False), SilentRule(ratio=0.4), PartialRule(basis="debt"))
    assert ExitRules.from_state(json.loads(json.dumps(rules.to_state()))) == rules
    assert hash(rules) == hash(ExitRules.from_state(rules.to_state()))
    path = tmp_path / "rules.toml"
    path.write_text("[silent]\nratio = 0.4\n[hard]\ninactive_months = 9\n", encoding="utf-8")
    read = ExitRules.from_toml(path)
    assert (read.silent.ratio, read.hard.inactive_months, read.partial) == (0.4, 9, PartialRule())
    with pytest.raises(
        PolicyError, match=r"(?s)2 faults.*hard.inactive_month is unknown.*'silence' is no table"
    ):
        ExitRules.from_state({"hard": {"inactive_month": 3}, "silence": {}})
    with pytest.raises(PolicyError, match="cannot be read as TOML"):
        ExitRules.from_toml(tmp_path / "nothing.toml")
    with pytest.raises(InvalidParameterError, match=r"silent must be a SilentRule; got 0.4"):
        ExitRules(silent=0.4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (HardRule, {"inactive_months": -1}, "inactive_months must be a whole number of at least 0"),
        (HardRule, {"dormant_amount": -1.0}, r"dormant_amount must be a number in \[0, inf\)"),
        (HardRule, {"absent_counts": "no"}, "absent_counts must be one of True, False"),
        (PartialRule, {"drop": 0.0}, r"drop must be a number in \(0, 1\]"),
        (PartialRule, {"months": 0}, "months must be a whole number of at least 1"),
        (PartialRule, {"basis": "loans"}, "basis must be one of 'auto', 'turnover', 'debt'"),
        (PartialRule, {"sales_age_months": 0}, "sales_age_months must be"),
    ],
)
def test_a_wrong_rule_says_so(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        kind(**options)


# ----------------------------------------------------------------------------------------- against the truth
def agreement(book: Any, rule: SilentRule) -> tuple[float, float]:
    """Precision and recall of spells against the simulator's falls of balances that last seven months."""
    rates = book.truth.hazards()
    fallen = rates.assign(fallen=rates["silent_attrition"].eq(0)).pivot(
        index="month", columns="client_id", values="fallen"
    )
    spells = silent_spells(book.tables["interactions"], rule, statements=book.tables["statements"])
    under_way = fallen.eq(True)
    run = under_way.astype(int)
    start_of_fall = under_way & ~under_way.shift(1, fill_value=False)
    lasts = run[::-1].rolling(7).sum()[::-1].eq(7)
    history = fallen.notna().cumsum().gt(12)
    seen_on = fallen.shift(-8).notna()
    lasting = (start_of_fall & lasts & history & seen_on).stack()
    lasting = lasting[lasting].index
    starts = pd.MultiIndex.from_frame(spells[["start", "client_id"]])
    found = np.zeros(len(lasting), dtype=bool)
    for later in range(9):
        month = lasting.get_level_values(0) + pd.DateOffset(months=later)
        found |= pd.MultiIndex.from_arrays([month, lasting.get_level_values(1)]).isin(starts)
    here = spells[
        pd.MultiIndex.from_frame(spells[["start", "client_id"]]).isin(fallen.stack().dropna().index)
    ]
    true = under_way.stack().reindex(pd.MultiIndex.from_frame(here[["start", "client_id"]])).to_numpy(bool)
    return float(true.mean()), float(found.mean())


def test_season_sales_and_fees_agree_with_the_truth_no_less_than_balances_and_inflows_alone() -> None:
    plain = SilentRule(
        measures={"balances": ("balance_amount",), "payments": ("inflow_amount",)},
        season_years=0,
        sales_fall=1.0,
    )
    scores = np.array(
        [
            [agreement(book, rule) for rule in (plain, SilentRule())]
            for book in (make_portfolio(1000, 72, seed) for seed in (11, 12))
        ]
    ).mean(axis=0)
    (before_precision, before_recall), (precision, recall) = scores
    assert precision > 0.95
    assert recall > 0.85
    f1_before = 2 * before_precision * before_recall / (before_precision + before_recall)
    assert 2 * precision * recall / (precision + recall) > f1_before - 0.004
