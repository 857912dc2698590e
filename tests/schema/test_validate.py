from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from clientscore.exceptions import (
    DataError,
    InvalidParameterError,
    MissingColumnError,
    RejectedTooMuchError,
    SchemaError,
)
from clientscore.schema import ClientSchema, ValidationReport, conform_tables, validate_clients

SCHEMA = ClientSchema.default()


def clients(*ids: object, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"client_id": list(ids), **columns})


def check(**tables: pd.DataFrame) -> ValidationReport:
    """Validate a book whose clients are a, b, c unless given."""
    return validate_clients({"clients": clients("a", "b", "c"), **tables}, SCHEMA)


def rules(report: ValidationReport, table: str | None = None) -> list[tuple[int, str, str]]:
    lines = report.rejects if table is None else report.rejects[report.rejects["table"] == table]
    return list(lines[["row", "column", "rule"]].itertuples(index=False, name=None))


def months(*texts: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts)))


# -------------------------------------------------------------------------------------- a whole good book
def english_book() -> dict[str, pd.DataFrame]:
    return {
        "clients": pd.DataFrame(
            {
                "client_id": ["00123", "NA"],
                "name": ["甲公司", "乙公司"],
                "industry": ["manufacturing", "technology"],
                "segment": ["large", "small"],
                "founded": months("2001-05-01", "2015-01-01"),
                "relationship_start": months("2010-03-01", "2018-01-01"),
                "consent": [1.0, 0.0],
            }
        ),
        "statements": pd.DataFrame(
            {
                "client_id": ["00123"],
                "period_end": months("2024-12-31"),
                "published_at": months("2025-04-20"),
                "revenue": [5e8],
                "total_assets": [8e8],
                "current_liabilities": [2e8],
            }
        ),
        "facilities": pd.DataFrame(
            {
                "client_id": ["00123"],
                "facility_id": ["F1"],
                "month": months("2025-01-01"),
                "product": ["equipment_loan"],
                "limit_amount": [1e8],
                "drawn_amount": [4e7],
                "rate": [0.045],
                "dpd_days": [0.0],
            }
        ),
        "market": pd.DataFrame(
            {
                "sector": ["manufacturing", "*"],
                "month": months("2025-01-01", "2025-01-01"),
                "policy_rate": [0.03, 0.03],
            }
        ),
        "interactions": pd.DataFrame(
            {"client_id": ["NA"], "month": months("2025-01-01"), "balance_amount": [1e6], "complaints": [2.0]}
        ),
        "surveys": pd.DataFrame(
            {
                "client_id": ["NA"],
                "answered_at": months("2025-02-03"),
                "satisfaction": [7.0],
                "wants_reports": [1.0],
            }
        ),
        "projects": pd.DataFrame(
            {
                "project_id": ["P1"],
                "client_id": ["00123"],
                "month": months("2025-01-01"),
                "phase": ["construction"],
                "dscr": [1.3],
            }
        ),
        "events": pd.DataFrame(
            {
                "client_id": ["00123", "NA"],
                "date": months("2025-03-05", "2025-06-30"),
                "event": ["drawing", "default"],
                "amount": [2e7, np.nan],
                "product": ["term_loan", None],
                "purpose": ["capex", None],
            }
        ),
    }


def chinese_book() -> dict[str, pd.DataFrame]:
    """The same book as a Chinese bank exports it: names of tables and columns, words, dates as text."""
    return {
        "客户": pd.DataFrame(
            {
                "客户编号": ["00123", "NA"],
                "客户名称": ["甲公司", "乙公司"],
                "所属行业": ["制造业", "信息传输、软件和信息技术服务业"],
                "企业规模": ["大型", "小微企业"],
                "成立日期": ["2001-05-01", "2015年1月1日"],
                "开户日期": ["2010/03/01", "20180101"],
                "是否授权": ["是", "否"],
            }
        ),
        "财务报表": pd.DataFrame(
            {
                "客户编号": ["00123"],
                "报告期": ["2024-12-31"],
                "披露日期": ["2025-04-20"],
                "营业收入（元）": [500000000],
                "资产总计": [Decimal("800000000.00")],
                "流动负债": [2e8],
            }
        ),
        "授信": pd.DataFrame(
            {
                "客户号": ["00123"],
                "授信编号": ["F1"],
                "月份": ["2025-01"],
                "业务品种": ["设备贷款"],
                "授信额度": [1e8],
                "用信余额": [4e7],
                "利率": [0.045],
                "逾期天数": [0],
            }
        ),
        "市场": pd.DataFrame(
            {"行业": ["制造业", "全行业"], "月份": ["2025年01月", "202501"], "政策利率": [0.03, 0.03]}
        ),
        "往来": pd.DataFrame(
            {"客户编号": ["NA"], "月份": ["2025-01-31"], "存款余额": [1e6], "投诉次数": [2]}
        ),
        "调查": pd.DataFrame(
            {"客户编号": ["NA"], "调查日期": ["2025-02-03"], "满意度": [7], "希望定期报告": [True]}
        ),
        "项目": pd.DataFrame(
            {
                "项目编号": ["P1"],
                "客户编号": ["00123"],
                "月份": [dt.date(2025, 1, 15)],
                "项目阶段": ["建设期"],
                "偿债备付率": [1.3],
            }
        ),
        "事件": pd.DataFrame(
            {
                "客户编号": ["00123", "NA"],
                "事件日期": ["2025-03-05", "2025-06-30"],
                "事件类型": ["提款", "违约"],
                "金额": [2e7, None],
                "产品": ["流动资金贷款", None],
                "用途": ["固定资产投资", None],
            }
        ),
    }


def test_a_good_book_passes_whole() -> None:
    report = validate_clients(english_book(), SCHEMA, as_of="2026-01-01")
    assert report.rejects.empty
    assert report.notes.empty
    for name, frame in conform_tables(english_book(), SCHEMA).items():
        pd.testing.assert_frame_equal(report.accepted[name], frame)


def test_a_chinese_book_is_the_same_book() -> None:
    report = validate_clients(chinese_book(), SCHEMA, as_of="2026-01-01")
    assert report.rejects.empty, report.rejects
    assert report.notes.empty, report.notes
    wanted = conform_tables(english_book(), SCHEMA)
    assert list(report.accepted) == list(wanted)
    for name, frame in wanted.items():
        pd.testing.assert_frame_equal(report.accepted[name], frame)


def test_canonical_types() -> None:
    accepted = validate_clients(chinese_book(), SCHEMA).accepted
    assert str(accepted["clients"]["client_id"].dtype) == "str"
    assert str(accepted["clients"]["industry"].dtype) == "str"
    assert accepted["clients"]["consent"].dtype == np.float64
    assert accepted["facilities"]["dpd_days"].dtype == np.float64
    assert accepted["facilities"]["month"].dtype == "datetime64[us]"


def test_only_clients_is_enough() -> None:
    report = validate_clients({"clients": clients("a")}, SCHEMA)
    assert report.counts.to_dict("records") == [{"table": "clients", "read": 1, "accepted": 1, "rejected": 0}]
    with pytest.raises(SchemaError, match="the table 'clients' is missing; tables given: 'events'"):
        validate_clients({"events": english_book()["events"]}, SCHEMA)


# ----------------------------------------------------------------------------------------- columns at fault
def test_missing_columns_are_all_named_with_the_nearest() -> None:
    book = english_book()
    book["events"] = book["events"].rename(columns={"date": "dat", "event": "evnt"})
    book["facilities"] = book["facilities"].drop(columns="month")
    with pytest.raises(MissingColumnError) as caught:
        validate_clients(book, SCHEMA)
    assert set(caught.value.faults) == {
        "table 'events': column 'date' is missing. Did you mean 'dat'?",
        "table 'events': column 'event' is missing. Did you mean 'evnt'?",
        "table 'facilities': column 'month' is missing.",
    }


def test_missing_columns_and_wrong_types_come_together() -> None:
    book = english_book()
    book["events"] = book["events"].drop(columns="event")
    book["interactions"]["balance_amount"] = book["interactions"]["month"]
    with pytest.raises(MissingColumnError) as caught:
        validate_clients(book, SCHEMA)
    assert len(caught.value.faults) == 2
    with pytest.raises(MissingColumnError) as caught:
        conform_tables(book, SCHEMA)
    assert len(caught.value.faults) == 2


def test_extra_columns_are_ignored_with_a_note() -> None:
    report = check(clients=clients("a", industri=["trade"], zzz=[1]))
    assert list(report.accepted["clients"].columns) == ["client_id"]
    notes = report.notes.set_index("column")["note"]
    assert notes["industri"] == "ignored: not in the schema. Did you mean 'industry'?"
    assert notes["zzz"] == "ignored: not in the schema."


def test_a_unit_in_a_header_is_not_guessed() -> None:
    frame = pd.DataFrame({"client_id": ["a"], "period_end": months("2024-12-31"), "资产总计(万元)": [8.0]})
    report = check(statements=frame)
    assert "total_assets" not in report.accepted["statements"]
    assert "it names a unit; convert it and call it '资产总计'" in report.notes["note"].iloc[0]


def test_duplicated_columns() -> None:
    frame = pd.DataFrame([["a", 1.0, 2.0]], columns=["client_id", "founded", "founded"])
    with pytest.raises(SchemaError, match="column 'founded' appears 2 times"):
        validate_clients({"clients": frame}, SCHEMA)


def test_two_names_of_one_column_compete_unless_one_is_canonical_or_renamed() -> None:
    frame = pd.DataFrame(
        {"client_id": ["a"], "period_end": months("2024-12-31"), "net_sales": [1.0], "turnover": [2.0]}
    )
    with pytest.raises(SchemaError, match="'net_sales' and 'turnover' both stand for 'revenue'; keep one"):
        check(statements=frame)
    report = check(statements=frame.rename(columns={"turnover": "revenue"}))
    assert report.accepted["statements"]["revenue"].tolist() == [2.0]
    assert report.notes["note"].tolist() == ["ignored: 'revenue' is read as 'revenue' already"]
    state = SCHEMA.to_dict()
    state["tables"]["statements"]["rename"] = {"net_sales": "revenue", "nowhere": "ebit"}
    renamed = ClientSchema.from_dict(state)
    report = validate_clients({"clients": clients("a"), "statements": frame}, renamed)
    assert report.accepted["statements"]["revenue"].tolist() == [1.0]
    assert "rename to 'ebit' names a column that is not in the table" in report.notes["note"].tolist()


def test_tables_that_compete_or_are_unknown() -> None:
    with pytest.raises(SchemaError, match="tables 'clients' and '客户' both stand for 'clients'"):
        validate_clients({"clients": clients("a"), "客户": clients("a")}, SCHEMA)
    with pytest.raises(SchemaError, match="table 'events' must be a DataFrame; got list"):
        validate_clients({"clients": clients("a"), "events": []}, SCHEMA)  # type: ignore[dict-item]
    report = validate_clients({"clients": clients("a"), "facilitys": clients("a")}, SCHEMA)
    assert report.notes["note"].tolist() == ["not in the schema. Did you mean 'facilities'?"]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("limit_amount", pd.Series([True, False]), "is of type bool, a number is needed"),
        (
            "limit_amount",
            pd.to_datetime(pd.Series(["2025-01-01"] * 2)),
            "is of type datetime64.*, a number is needed",
        ),
        ("limit_amount", pd.Series([1j, 2j]), "is of type complex128, a real number is needed"),
        ("maturity_date", pd.Series([20250101, 20250102]), "is of type int64, a date is needed"),
        (
            "maturity_date",
            pd.Series(pd.to_datetime(["2025-01-01"] * 2).tz_localize("Asia/Shanghai")),
            "has the time zone Asia/Shanghai; a book has calendar dates",
        ),
        ("product", pd.to_datetime(pd.Series(["2025-01-01"] * 2)), "is of type datetime64.*, text is needed"),
        ("facility_id", pd.Series([1.0, np.nan]), "is a float: long ids may be rounded"),
        ("facility_id", pd.Series([True, False]), "is of type bool, an id is needed"),
        ("limit_amount", pd.Series([[1], [2]]), None),
    ],
)
def test_a_column_of_the_wrong_type_is_a_clear_error(
    column: str, values: pd.Series, message: str | None
) -> None:
    frame = pd.DataFrame({"client_id": ["a", "b"], "facility_id": ["1", "2"], "month": "2025-01-01"})
    frame[column] = values
    if message is None:
        assert [rule for *_, rule in rules(check(facilities=frame))] == ["not a number"] * 2
        return
    with pytest.raises(SchemaError, match=f"column '{column}' {message}"):
        check(facilities=frame)
    with pytest.raises(SchemaError, match=f"column '{column}' {message}"):
        conform_tables({"clients": clients("a"), "facilities": frame}, SCHEMA)


def test_cells_that_are_lists_are_a_clear_error() -> None:
    with pytest.raises(SchemaError, match="column 'client_id' holds cells such as lists"):
        validate_clients({"clients": clients(["a"])}, SCHEMA)


def test_a_message_shows_the_name_in_the_file() -> None:
    with pytest.raises(SchemaError, match=r"column '授信额度' \(read as 'limit_amount'\) is of type bool"):
        check(
            facilities=pd.DataFrame(
                {"客户编号": ["a"], "授信编号": ["1"], "月份": ["2025-01"], "授信额度": [True]}
            )
        )


# --------------------------------------------------------------------------------------------- rows at fault
def facilities(**columns: Any) -> pd.DataFrame:
    size = max(len(values) for values in columns.values())
    frame = {
        "client_id": ["a"] * size,
        "facility_id": [f"F{i}" for i in range(size)],
        "month": ["2025-01-01"] * size,
    }
    return pd.DataFrame(frame | columns)


def test_numbers_strict() -> None:
    cells = [1, 2.5, Decimal("3.1"), "4", "5,5", True, np.inf, None, np.nan, "", dt.date(2025, 1, 1), 10**400]
    report = check(facilities=facilities(limit_amount=cells))
    assert sorted(rules(report)) == [
        (3, "limit_amount", "text in a number"),
        (4, "limit_amount", "text in a number"),
        (5, "limit_amount", "yes/no in a number"),
        (6, "limit_amount", "infinite"),
        (9, "limit_amount", "text in a number"),
        (10, "limit_amount", "not a number"),
        (11, "limit_amount", "infinite"),
    ]
    assert report.accepted["facilities"]["limit_amount"].tolist()[:3] == [1.0, 2.5, 3.1]
    assert report.accepted["facilities"]["limit_amount"].isna().sum() == 2
    lines = report.rejects.set_index("row")["value"]
    assert lines[4] == "5,5"
    assert lines[9] == ""


def test_infinity_in_a_float_column_is_rejected_not_scored() -> None:
    report = check(facilities=facilities(drawn_amount=[1.0, np.inf, -np.inf]))
    assert rules(report) == [
        (1, "drawn_amount", "infinite"),
        (2, "drawn_amount", "infinite"),
        (2, "drawn_amount", "below 0"),
    ]
    assert report.counts.set_index("table").loc["facilities"].tolist() == [3, 1, 2]


def test_ranges_hold_their_ends() -> None:
    report = check(facilities=facilities(rate=[-0.05, 1.0, 4.5, -0.06], dpd_days=[0, 20000, 0, 20001]))
    assert sorted(rules(report)) == [
        (2, "rate", "above 1"),
        (3, "dpd_days", "above 20000"),
        (3, "rate", "below -0.05"),
    ]


@pytest.mark.parametrize("dtype", ["int32", "Int64", "Float64", "float32", "uint8", "int64[pyarrow]"])
def test_every_number_type_is_read(dtype: str) -> None:
    report = check(facilities=facilities(limit_amount=pd.array([1, 2], dtype=dtype)))
    assert report.accepted["facilities"]["limit_amount"].tolist() == [1.0, 2.0]
    assert report.accepted["facilities"]["limit_amount"].dtype == np.float64


def test_missing_stays_missing_in_nullable_numbers() -> None:
    report = check(facilities=facilities(limit_amount=pd.array([1, None], dtype="Int64")))
    assert report.accepted["facilities"]["limit_amount"].isna().tolist() == [False, True]


def test_a_column_with_nothing_in_it_is_missing_of_its_kind() -> None:
    frame = facilities(limit_amount=[None, None], maturity_date=[np.nan, np.nan], product=[np.nan, np.nan])
    accepted = check(facilities=frame).accepted["facilities"]
    assert accepted["limit_amount"].dtype == np.float64
    assert accepted["maturity_date"].dtype == "datetime64[us]"
    assert str(accepted["product"].dtype) == "str"


def test_dates() -> None:
    cells = [
        "2025-01-31",
        "31.01.2025",
        "2025-02-30",
        dt.datetime(2025, 1, 31, 15, 0),
        None,
        "1700-01-01",
        "2025-01",
    ]
    cells += [pd.Timestamp("2025-01-31", tz="UTC"), np.datetime64("2025-01-31"), 20250131, "9999-12-31"]
    report = check(facilities=facilities(maturity_date=pd.Series(cells, dtype=object)))
    not_a_date = 'not a date (text has the year first: "2026-01-31")'
    assert sorted(rules(report)) == [
        (1, "maturity_date", not_a_date),
        (2, "maturity_date", "no such date"),
        (5, "maturity_date", "a date before 1800"),
        (6, "maturity_date", not_a_date),
        (7, "maturity_date", "a date with a time zone"),
        (9, "maturity_date", not_a_date),
    ]
    kept = report.accepted["facilities"]["maturity_date"].dt.strftime("%Y-%m-%d").tolist()
    assert kept == ["2025-01-31", "2025-01-31", np.nan, "2025-01-31", "9999-12-31"]


def test_months_become_their_first_day() -> None:
    cells = ["2025-01-31", "2025-02", "2025年3月"]
    accepted = check(facilities=facilities(month=cells)).accepted["facilities"]
    assert accepted["month"].dt.strftime("%Y-%m-%d").tolist() == ["2025-01-01", "2025-02-01", "2025-03-01"]
    periods = pd.Series(pd.period_range("2025-01", periods=2, freq="M"))
    assert check(facilities=facilities(month=periods)).accepted["facilities"]["month"][1] == pd.Timestamp(
        "2025-02-01"
    )


def test_the_time_of_day_is_dropped() -> None:
    frame = pd.DataFrame(
        {"client_id": ["a"], "date": [pd.Timestamp("2025-01-31 23:59")], "event": ["default"]}
    )
    assert check(events=frame).accepted["events"]["date"][0] == pd.Timestamp("2025-01-31")


def test_future_dates_are_rejected_when_the_date_of_the_run_is_known() -> None:
    tables = {
        "clients": clients("a"),
        "events": pd.DataFrame(
            {"client_id": "a", "date": months("2026-01-01", "2026-01-02"), "event": "drawing"}
        ),
        "facilities": facilities(maturity_date=["2030-01-01"]),
    }
    assert validate_clients(tables, SCHEMA).rejects.empty
    report = validate_clients(tables, SCHEMA, as_of="2026-01-01")
    assert rules(report) == [(1, "date", "after as_of")]
    with pytest.raises(InvalidParameterError, match="as_of must be a date, or text with the year first"):
        validate_clients(tables, SCHEMA, as_of="soon")
    for unclear in ("01/02/2026", 2026, "2026"):
        with pytest.raises(InvalidParameterError, match=f"got {unclear!r}"):
            validate_clients(tables, SCHEMA, as_of=unclear)
    with pytest.raises(InvalidParameterError, match="as_of must be one date without a time zone"):
        validate_clients(tables, SCHEMA, as_of=pd.Timestamp("2026-01-01", tz="UTC"))


def test_a_statement_may_not_be_published_before_its_period_ends() -> None:
    frame = pd.DataFrame(
        {
            "client_id": "a",
            "period_end": months("2024-12-31", "2023-12-31"),
            "published_at": months("2024-06-30", "2023-12-31"),
        }
    )
    assert rules(check(statements=frame)) == [(0, "published_at", "before period_end")]


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (["00123", "NA", "None", "9007199254740993"], ["00123", "NA", "None", "9007199254740993"]),
        ([9007199254740993, 7], ["9007199254740993", "7"]),
        (pd.array([9007199254740993, 7], dtype="uint64"), ["9007199254740993", "7"]),
        (pd.Categorical(["x", "y"]), ["x", "y"]),
        (["e\u0301", "é", "客户１"], ["e\u0301", "é", "客户１"]),
    ],
)
def test_ids_survive_byte_for_byte(cells: Any, kept: list[str]) -> None:
    report = validate_clients({"clients": pd.DataFrame({"client_id": cells})}, SCHEMA)
    assert report.accepted["clients"]["client_id"].tolist() == kept


def test_ids_that_cannot_be_used() -> None:
    cells = ["a", None, "", " ", "x\x00y", "x\u202ey", "l" * 129, "l" * 128, 1.5]
    report = validate_clients(
        {"clients": pd.DataFrame({"client_id": pd.Series(cells, dtype=object)})}, SCHEMA
    )
    assert sorted(rules(report)) == [
        (1, "client_id", "missing"),
        (2, "client_id", "an empty id"),
        (3, "client_id", "an empty id"),
        (4, "client_id", "a control character in an id"),
        (5, "client_id", "a control character in an id"),
        (6, "client_id", "an id longer than 128 characters"),
        (8, "client_id", "an id that is neither text nor a whole number"),
    ]
    assert report.rejects["value"].str.len().max() == 80


def test_integers_with_a_missing_id_keep_the_others() -> None:
    cells = pd.array([9007199254740993, None], dtype="Int64")
    report = validate_clients({"clients": pd.DataFrame({"client_id": cells})}, SCHEMA)
    assert report.accepted["clients"]["client_id"].tolist() == ["9007199254740993"]
    assert rules(report) == [(1, "client_id", "missing")]
    with pytest.raises(SchemaError, match=r"read ids as text \(dtype=str, keep_default_na=False\)"):
        validate_clients({"clients": pd.DataFrame({"client_id": [9007199254740993, None]})}, SCHEMA)


def test_a_repeated_key_keeps_the_first_good_row() -> None:
    frame = clients("a", "a", "b", "a", founded=["bad", "2001-01-01", "2002-01-01", "2003-01-01"])
    report = validate_clients({"clients": frame}, SCHEMA)
    assert report.accepted["clients"]["founded"].dt.year.tolist() == [2001, 2002]
    assert rules(report)[1:] == [(3, "client_id", "repeats the key of an earlier row")]


def test_versions_of_a_client_and_restatements_are_no_repeats() -> None:
    versions = clients("a", "a", "a", valid_from=["2020-01-01", "2021-01-01", "2021-01-01"])
    assert len(validate_clients({"clients": versions}, SCHEMA).accepted["clients"]) == 2
    statements = pd.DataFrame(
        {
            "client_id": "a",
            "period_end": months("2024-12-31", "2024-12-31", "2024-12-31", "2024-12-31"),
            "published_at": ["2025-03-01", "2025-06-01", None, None],
            "revenue": [1.0, 2.0, 3.0, 4.0],
        }
    )
    assert check(statements=statements).accepted["statements"]["revenue"].tolist() == [1.0, 2.0, 3.0]


def test_two_drawings_of_one_day_stay_and_a_copied_row_goes() -> None:
    frame = pd.DataFrame(
        {
            "client_id": "a",
            "date": months("2025-01-01", "2025-01-01", "2025-01-01"),
            "event": "drawing",
            "amount": [1.0, 2.0, 2.0],
        }
    )
    report = check(events=frame)
    assert report.accepted["events"]["amount"].tolist() == [1.0, 2.0]
    assert report.rejects["value"].tolist() == ["a | 2025-01-01 00:00:00 | drawing | 2.0"]


def test_orphans() -> None:
    frame = pd.DataFrame(
        {"client_id": ["a", "ghost", "bad\x00"], "date": months(*["2025-01-01"] * 3), "event": "default"}
    )
    report = validate_clients({"events": frame, "clients": clients("a", "bad\x00")}, SCHEMA)
    assert rules(report, "events") == [
        (2, "client_id", "a control character in an id"),
        (1, "client_id", "not among the accepted clients"),
    ]
    assert list(report.accepted) == ["clients", "events"]


def test_unknown_words_stay_and_are_counted() -> None:
    frame = clients("a", "b", "c", "d", industry=["trade", "space_mining", "space_mining", " "])
    report = validate_clients({"clients": frame}, SCHEMA)
    assert report.accepted["clients"]["industry"].tolist() == [
        "trade",
        "space_mining",
        "space_mining",
        np.nan,
    ]
    assert report.notes.to_dict("records") == [
        {
            "table": "clients",
            "column": "industry",
            "note": "unknown word, kept as it is",
            "count": 2,
            "value": "space_mining",
        }
    ]


def test_codes_as_numbers_are_words() -> None:
    report = validate_clients({"clients": clients("a", "b", region=[44.0, np.nan])}, SCHEMA)
    assert report.accepted["clients"]["region"].tolist() == ["44", np.nan]
    mixed = clients("a", "b", region=pd.Series(["x", True], dtype=object))
    assert rules(validate_clients({"clients": mixed}, SCHEMA)) == [(1, "region", "not text")]


def test_flags() -> None:
    cells = pd.Series(["是", "no", "1", 0, True, None, "maybe", 2], dtype=object)
    report = validate_clients({"clients": clients(*"abcdefgh", consent=cells)}, SCHEMA)
    assert report.accepted["clients"]["consent"].tolist()[:5] == [1.0, 0.0, 1.0, 0.0, 1.0]
    assert rules(report) == [(6, "consent", "not yes or no"), (7, "consent", "not yes or no")]
    plain = validate_clients({"clients": clients("a", "b", "c", consent=[1, 0, 3])}, SCHEMA)
    assert rules(plain) == [(2, "consent", "not yes or no")]


def test_a_row_with_several_faults_counts_once() -> None:
    report = check(facilities=facilities(rate=[5.0, 0.1], dpd_days=[-1, 1], limit_amount=[-1.0, 1.0]))
    assert len(rules(report)) == 3
    assert report.counts.set_index("table").loc["facilities"].tolist() == [2, 1, 1]


# --------------------------------------------------------------------------------------------- unit shifts
def test_thousands_beside_ones_are_noted() -> None:
    frame = pd.DataFrame(
        {
            "client_id": "a",
            "period_end": months("2022-12-31", "2023-12-31", "2024-12-31"),
            "total_assets": [5e8, 6e8, 6e5],
            "total_liabilities": [3e8, 3e8, 3e5],
            "equity": [2e8, 3e8, 9e5],
        }
    )
    notes = check(statements=frame).notes
    assert notes["count"].tolist() == [1, 1]
    assert "a factor of 200 or more from the client's own median" in notes["note"][0]
    assert notes["value"][0] == "a: 600000 against 5e+08"
    assert "differs from total_liabilities + equity by more than 5 %" in notes["note"][1]


def test_tables_out_of_scale_are_noted() -> None:
    book = english_book()
    book["statements"]["total_assets"] /= 1e4
    notes = validate_clients(book, SCHEMA).notes
    assert notes["note"].str.contains("limits are 1250 times total assets in the median").any()
    book["statements"]["total_assets"] *= 1e4 * 1e3
    notes = validate_clients(book, SCHEMA).notes
    assert notes["note"].str.contains("limits are 0.000125 times total assets in the median").any()


# ------------------------------------------------------------------------------------------------- empties
def test_empty_tables_have_all_columns() -> None:
    book = {"clients": pd.DataFrame(), "events": english_book()["events"].iloc[:0]}
    report = validate_clients(book, SCHEMA)
    for name in ("clients", "events"):
        assert list(report.accepted[name].columns) == list(SCHEMA.tables[name].names)
        assert len(report.accepted[name]) == 0
    assert report.accepted["events"]["date"].dtype == "datetime64[us]"
    assert report.counts["read"].tolist() == [0, 0]
    report.raise_if(0.0)
    assert report.frame().empty


# -------------------------------------------------------------------------------------------------- report
def test_raise_if() -> None:
    report = check(facilities=facilities(rate=[5.0, 0.1, 0.1, 0.1]))
    report.raise_if(0.25)
    with pytest.raises(RejectedTooMuchError) as caught:
        report.raise_if(0.2)
    assert caught.value.faults == ("facilities: 1 of 4 rows rejected (25.0%): rate: above 1 (1)",)
    with pytest.raises(InvalidParameterError, match="max_share must be a number in"):
        report.raise_if(2)


def test_the_report_shows_itself() -> None:
    report = check(facilities=facilities(rate=[5.0, 6.0, 0.1], zzz=[1, 1, 1]))
    frame = report.frame()
    assert list(frame.columns) == ["finding", "table", "column", "rule", "rows", "example"]
    assert frame.iloc[0].tolist() == ["rejected", "facilities", "rate", "above 1", 2, "5.0"]
    assert frame.iloc[1].tolist() == ["note", "facilities", "zzz", "ignored: not in the schema.", 3, ""]
    assert report.to_dict()["counts"][1] == {"table": "facilities", "read": 3, "accepted": 1, "rejected": 2}
    assert "facilities: 1 of 3 rows accepted" in repr(report)
    assert "above 1" in report._repr_html_()
    assert "<table" in check()._repr_html_()


def test_rejects_have_their_columns_even_when_empty() -> None:
    assert list(check().rejects.columns) == ["table", "row", "id", "column", "rule", "value"]
    assert list(check().notes.columns) == ["table", "column", "note", "count", "value"]


# ---------------------------------------------------------------------------------------------- properties
CELL = st.sampled_from([1.0, -1.0, np.inf, None, "x", True, Decimal(2), 3e9])
ROW = st.tuples(
    st.sampled_from(["a", "b", "ghost", None, "", "x\x00", 7]),
    st.sampled_from(["F1", "F2", None]),
    st.sampled_from(["2025-01-01", "2025-02", "2027-01-01", "soon", None]),
    CELL,
    CELL,
)


@given(st.lists(ROW, max_size=12))
@settings(deadline=None, max_examples=60)
def test_accepted_and_rejected_are_what_was_read(rows: list[tuple[Any, ...]]) -> None:
    names = ["client_id", "facility_id", "month", "limit_amount", "dpd_days"]
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    report = validate_clients(
        {"clients": clients("a", "b", "7"), "facilities": frame}, SCHEMA, as_of="2026-01-01"
    )
    read, accepted, rejected = report.counts.set_index("table").loc["facilities"]
    lines = report.rejects[report.rejects["table"] == "facilities"]
    assert read == len(frame) == accepted + rejected
    assert rejected == lines["row"].nunique()
    assert accepted == len(report.accepted["facilities"])
    kept = report.accepted["facilities"]
    assert not kept.duplicated(["client_id", "facility_id", "month"]).any()
    assert kept["limit_amount"].dropna().ge(0).all()
    again = validate_clients(report.accepted, SCHEMA, as_of="2026-01-01")
    assert again.rejects.empty
    pd.testing.assert_frame_equal(again.accepted["facilities"], kept)


def test_the_order_of_rows_and_columns_does_not_matter() -> None:
    book = english_book()
    turned = {name: frame[frame.columns[::-1]] for name, frame in book.items()}
    report = validate_clients(turned, SCHEMA)
    for name, frame in validate_clients(book, SCHEMA).accepted.items():
        pd.testing.assert_frame_equal(report.accepted[name][frame.columns], frame)


# ------------------------------------------------------------------------------------------------- conform
def test_conform_passes_canonical_frames_through() -> None:
    tables = validate_clients(english_book(), SCHEMA).accepted
    again = conform_tables(tables, SCHEMA)
    for name, frame in tables.items():
        assert again[name] is frame


def test_conform_says_which_cells_cannot_be_read() -> None:
    frame = facilities(limit_amount=[1, "5,5", np.inf], rate=[5.0, 0.1, 0.1])
    with pytest.raises(DataError) as caught:
        conform_tables({"clients": clients("a"), "facilities": frame}, SCHEMA)
    assert caught.value.faults == (
        "facilities.limit_amount: text in a number in 1 rows, first '5,5' in row 1",
        "facilities.limit_amount: infinite in 1 rows, first inf in row 2",
    )


def test_conform_leaves_ranges_to_validation() -> None:
    frame = facilities(rate=[5.0])
    assert (
        conform_tables({"clients": clients("a"), "facilities": frame}, SCHEMA)["facilities"]["rate"][0] == 5.0
    )


def test_conform_drops_unknown_tables_and_columns() -> None:
    result = conform_tables({"clients": clients("a", zzz=[1]), "more": clients("a")}, SCHEMA)
    assert list(result) == ["clients"]
    assert list(result["clients"].columns) == ["client_id"]


def test_a_large_clean_book_has_nothing_rejected() -> None:
    size, span = 1200, 72
    ids = np.repeat([f"c{i}" for i in range(size)], span)
    month = np.tile(pd.date_range("2020-01-01", periods=span, freq="MS").to_numpy(), size)
    numbers = np.random.default_rng(0).lognormal(10, 1, size * span)
    book = {
        "clients": clients(*[f"c{i}" for i in range(size)]),
        "facilities": pd.DataFrame(
            {"client_id": ids, "facility_id": "1", "month": month, "limit_amount": numbers}
        ),
        "interactions": pd.DataFrame({"client_id": ids, "month": month, "balance_amount": numbers}),
        "market_values": pd.DataFrame({"client_id": ids, "month": month, "market_value": numbers}),
    }
    report = validate_clients(book, SCHEMA, as_of="2026-01-01")
    assert report.rejects.empty
    assert report.counts["accepted"].sum() == size * (1 + 3 * span)
