from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataNotFoundError, InvalidParameterError, SchemaError
from clientscore.schema import ClientSchema, read_tables, validate_clients

SCHEMA = ClientSchema.default()


def put(folder: Path, name: str, text: str, encoding: str = "utf-8") -> None:
    (folder / name).write_text(text, encoding=encoding)


def test_ids_of_a_csv_stay_text(tmp_path: Path) -> None:
    put(
        tmp_path,
        "clients.csv",
        "client_id,name,consent\n00123,A,1\nNA,B,0\nNone,C,NA\n9007199254740993,NA,yes\n,E,1\n",
    )
    tables = read_tables(tmp_path)
    report = validate_clients(tables, SCHEMA)
    assert report.accepted["clients"]["client_id"].tolist() == ["00123", "NA", "None", "9007199254740993"]
    assert report.accepted["clients"]["name"].tolist() == ["A", "B", "C", "NA"]
    assert report.accepted["clients"]["consent"].tolist()[:2] == [1.0, 0.0]
    assert report.accepted["clients"]["consent"].isna().tolist() == [False, False, True, False]
    assert report.rejects[["row", "rule"]].values.tolist() == [[4, "missing"]]


def test_text_in_a_number_of_a_csv_is_rejected_by_its_row(tmp_path: Path) -> None:
    put(tmp_path, "clients.csv", "client_id\na\n")
    put(
        tmp_path,
        "facilities.csv",
        'client_id,facility_id,month,limit_amount,dpd_days\na,1,2025-01-31,1e6, 3 \na,2,2025-01-31,"1,5",NA\n'
        "a,3,2025-01-31,abc,\na,4,2025-01-31,inf,0\na,5,2025-01-31,True,0\n",
    )
    tables = read_tables(tmp_path)
    report = validate_clients(tables, SCHEMA)
    assert report.accepted["facilities"]["limit_amount"].tolist() == [1e6]
    assert report.accepted["facilities"]["dpd_days"].tolist() == [3.0]
    assert report.rejects[["row", "rule", "value"]].values.tolist() == [
        [1, "text in a number", "1,5"],
        [2, "text in a number", "abc"],
        [4, "text in a number", "True"],
        [3, "infinite", "inf"],
    ]


@pytest.mark.parametrize(
    ("decimal", "thousands", "cells", "numbers"),
    [
        (",", ".", ["1.234.567,89", "12,5", "12.5", "7"], [1234567.89, 12.5, None, 7.0]),
        (".", ",", ["1,234,567.89", "12.5", "12,5", "-1,000"], [1234567.89, 12.5, None, -1000.0]),
        (",", "", ["12,5", "1.5", "3"], [12.5, None, 3.0]),
        (".", "", ["12.5", "1,000"], [12.5, None]),
        (".", " ", ["1 000.5", "10"], [1000.5, 10.0]),
    ],
)
def test_marks_of_a_locale(
    tmp_path: Path, decimal: str, thousands: str, cells: list[str], numbers: list[float | None]
) -> None:
    lines = [f'a,{i},2025-01-31,"{cell}"' for i, cell in enumerate(cells)]
    put(tmp_path, "clients.csv", "client_id\na\n")
    put(tmp_path, "facilities.csv", "\n".join(["client_id,facility_id,month,rate", *lines]))
    column = read_tables(tmp_path, decimal=decimal, thousands=thousands)["facilities"]["rate"]
    for cell, found, number in zip(cells, column, numbers, strict=True):
        assert found == (cell if number is None else pytest.approx(number))


def test_a_chinese_folder(tmp_path: Path) -> None:
    put(tmp_path, "客户.csv", "客户编号,所属行业\n001,制造业\n", encoding="gb18030")
    put(tmp_path, "财务报表.csv", "客户编号,报告期,营业收入\n001,2024-12-31,500\n", encoding="gb18030")
    with pytest.raises(
        SchemaError, match=r"客户\.csv is not in utf-8-sig; .* encoding=\"gb18030\""
    ) as caught:
        read_tables(tmp_path)
    assert len(caught.value.faults) == 2
    tables = read_tables(tmp_path, encoding="gb18030")
    assert list(tables) == ["clients", "statements"]
    accepted = validate_clients(tables, SCHEMA).accepted
    assert accepted["clients"].iloc[0].tolist() == ["001", "manufacturing"]
    assert accepted["statements"]["revenue"].tolist() == [500.0]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    put(tmp_path, "clients.csv", "client_id\na\n", encoding="utf-8-sig")
    assert list(read_tables(tmp_path)["clients"].columns) == ["client_id"]


def test_parquet_round_trip(tmp_path: Path) -> None:
    frame = pd.DataFrame({"client_id": ["00123", "NA"], "founded": pd.to_datetime(["2001-01-01", None])})
    frame.to_parquet(tmp_path / "clients.parquet")
    read = validate_clients(read_tables(tmp_path), SCHEMA).accepted["clients"]
    assert read["client_id"].tolist() == ["00123", "NA"]
    assert read["founded"].isna().tolist() == [False, True]


def test_a_repeated_header_is_an_error_not_a_new_name(tmp_path: Path) -> None:
    put(tmp_path, "clients.csv", "client_id,name,name\na,b,c\n")
    with pytest.raises(SchemaError, match=r"clients\.csv repeats the columns 'name' in its header"):
        read_tables(tmp_path)


def test_broken_files_are_all_named(tmp_path: Path) -> None:
    put(tmp_path, "clients.parquet", "no parquet")
    put(tmp_path, "events.csv", "client_id,date,event\na,2025-01-01,default,more\n")
    with pytest.raises(SchemaError) as caught:
        read_tables(tmp_path)
    assert [fault.split(" cannot")[0] for fault in caught.value.faults] == ["clients.parquet", "events.csv"]


def test_two_files_of_one_table(tmp_path: Path) -> None:
    put(tmp_path, "clients.csv", "client_id\na\n")
    put(tmp_path, "客户.csv", "client_id\na\n")
    with pytest.raises(SchemaError, match="are both the table 'clients'; keep one"):
        read_tables(tmp_path)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="is no folder"):
        read_tables(tmp_path / "nowhere")
    with pytest.raises(DataNotFoundError, match=r"found no \.csv or \.parquet files"):
        read_tables(tmp_path)
    put(tmp_path, "clint.csv", "client_id\na\n")
    put(tmp_path, "readme.txt", "")
    with pytest.raises(DataNotFoundError, match=r"found clint\.csv\. .* Did you mean 'client'"):
        read_tables(tmp_path)


def test_an_empty_file_is_an_empty_table(tmp_path: Path) -> None:
    put(tmp_path, "clients.csv", "client_id\na\n")
    put(tmp_path, "events.csv", "")
    put(tmp_path, "surveys.csv", "client_id,answered_at,satisfaction\n")
    report = validate_clients(read_tables(tmp_path), SCHEMA)
    assert list(report.accepted["events"].columns) == list(SCHEMA.tables["events"].names)
    assert len(report.accepted["surveys"]) == 0


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="decimal must be one of"):
        read_tables(tmp_path, decimal=";")
    with pytest.raises(InvalidParameterError, match="thousands must be one of"):
        read_tables(tmp_path, decimal=",", thousands=",")


def test_a_table_written_and_read_again_is_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "client_id": [f"{i:05d}" for i in range(50)],
            "founded": pd.to_datetime("2000-01-01") + pd.to_timedelta(rng.integers(0, 5000, 50), unit="D"),
            "consent": rng.integers(0, 2, 50).astype(float),
        }
    )
    accepted = validate_clients({"clients": frame}, SCHEMA).accepted["clients"]
    accepted.to_csv(tmp_path / "clients.csv", index=False)
    again = validate_clients(read_tables(tmp_path), SCHEMA).accepted["clients"]
    pd.testing.assert_frame_equal(again, accepted)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_cells_may_stand_between_other_marks(tmp_path: Path, mark: str) -> None:
    text = '客户编号,客户名称,关系备注\n00123,"甲,乙;丙",x\n'.replace(",", mark, 2)
    text = text.replace("00123,", f"00123{mark}").replace('",x', f'"{mark}x')
    put(tmp_path, "客户.csv", text, encoding="utf-8-sig")
    frame = read_tables(tmp_path)["clients"]
    assert frame.columns.tolist() == ["客户编号", "客户名称", "关系备注"]
    assert frame.iloc[0].tolist() == ["00123", "甲,乙;丙", "x"]


def test_an_unknown_encoding_is_named(tmp_path: Path) -> None:
    put(tmp_path, "clients.csv", "client_id\na\n")
    with pytest.raises(InvalidParameterError, match=r"encoding must be one such as .* got 'klingon'"):
        read_tables(tmp_path, encoding="klingon")
