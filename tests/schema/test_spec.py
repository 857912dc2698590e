from __future__ import annotations

import dataclasses
import json
import pickle
import re
from pathlib import Path

import pytest

from clientscore.exceptions import SchemaError
from clientscore.schema import ClientSchema, ColumnSpec, TableSpec

DEFAULT = ClientSchema.default()

# The contract: tables and columns that other rooms read by name.
TABLES = {
    "clients": "client_id name industry region segment group_id ownership founded relationship_start consent "
    "kyc_valid valid_from",
    "statements": "client_id period_end published_at period_months revenue cost_of_sales operating_expenses "
    "depreciation ebitda ebit interest_expense net_income cash receivables inventory current_assets "
    "fixed_assets total_assets payables short_term_debt current_liabilities long_term_debt total_liabilities "
    "equity retained_earnings operating_cash_flow capex",
    "facilities": "client_id facility_id month product limit_amount drawn_amount rate maturity_date dpd_days "
    "collateral_amount",
    "market": "sector month sector_growth policy_rate credit_rate spread sector_default_rate",
    "market_values": "client_id month market_value",
    "interactions": "client_id month balance_amount inflow_amount outflow_amount interest_income_amount "
    "fee_income_amount cost_amount products_held response_hours approval_days complaints meetings manager_id",
    "surveys": "client_id answered_at satisfaction approval_satisfaction wants_reports "
    "planned_financing_amount",
    "projects": "project_id client_id month phase capex_planned_amount drawn_amount completion_date dscr "
    "llcr sponsor",
    "events": "client_id date event amount product purpose",
}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "schema.toml"
    path.write_text(text, encoding="utf-8")
    return path


# ---------------------------------------------------------------------------------------------- default
def test_the_default_has_the_tables_and_columns_of_the_contract() -> None:
    assert {name: " ".join(table.names) for name, table in DEFAULT.tables.items()} == TABLES


def test_the_default_words() -> None:
    assert DEFAULT.currency == "CNY"
    assert DEFAULT.period == "month"
    assert DEFAULT.publication_lag_days == 120
    assert DEFAULT.exit_events == {
        "closure": "hard_attrition",
        "default": "default",
        "repayment": "scheduled_repayment",
        "bank_exit": "bank_exit",
    }
    assert DEFAULT.default_events == ("default",)
    assert DEFAULT.drawing_events == ("drawing",)
    assert DEFAULT.churn_causes == ("hard_attrition", "silent_attrition")


def test_the_file_and_the_signature_agree() -> None:
    plain = ClientSchema(DEFAULT.tables)
    assert plain == DEFAULT


@pytest.mark.parametrize("table", TABLES)
def test_every_column_has_a_chinese_name(table: str) -> None:
    for column in DEFAULT.tables[table].columns:
        assert any(re.search("[\u4e00-\u9fff]", alias) for alias in column.aliases), (table, column.name)
    assert any(re.search("[\u4e00-\u9fff]", alias) for alias in DEFAULT.tables[table].aliases)


def test_every_level_has_a_chinese_word() -> None:
    for table in DEFAULT.tables.values():
        for column in table.columns:
            for level in column.levels:
                words = [word for word, target in column.level_aliases.items() if target == level]
                assert any(re.search("[\u4e00-\u9fff]", word) for word in words), (column.name, level)


def test_a_column_has_role_pillar_unit_and_range() -> None:
    dpd = DEFAULT.tables["facilities"].column("dpd_days")
    assert (dpd.kind, dpd.role, dpd.pillar, dpd.unit, dpd.low, dpd.high) == (
        "number",
        "feature",
        "credit",
        "days",
        0,
        20000,
    )
    assert "逾期天数" in dpd.aliases
    assert DEFAULT.tables["clients"].column("industry").role == "context"
    assert not DEFAULT.tables["events"].column("date").nullable


def test_every_amount_says_so_and_every_feature_has_a_pillar() -> None:
    for table in DEFAULT.tables.values():
        for column in table.columns:
            if column.name.endswith("_amount"):
                assert column.unit == "amount", column.name
            if column.role == "feature":
                assert column.pillar != "other", (table.name, column.name)


def test_the_time_of_each_table() -> None:
    assert {name: table.time for name, table in DEFAULT.tables.items()} == {
        "clients": "valid_from",
        "statements": "period_end",
        "facilities": "month",
        "market": "month",
        "market_values": "month",
        "interactions": "month",
        "surveys": "answered_at",
        "projects": "month",
        "events": "date",
    }


def test_two_defaults_share_nothing() -> None:
    one = ClientSchema.default()
    one.exit_events["mine"] = "other"  # type: ignore[index]
    assert "mine" not in ClientSchema.default().exit_events


def test_pillars_come_from_columns_then_the_catalogue() -> None:
    found = DEFAULT.pillars(["current_ratio", "satisfaction", "dpd_days", "policy_rate", "my_own", "amount"])
    assert found == {
        "current_ratio": "financial",
        "satisfaction": "relationship",
        "dpd_days": "credit",
        "policy_rate": "market",
        "my_own": "other",
        "amount": "other",
    }


# ------------------------------------------------------------------------------------------- round trips
def test_dict_round_trip_through_json() -> None:
    state = json.loads(json.dumps(DEFAULT.to_dict()))
    again = ClientSchema.from_dict(state)
    assert again == DEFAULT
    assert again.to_dict() == state


def test_a_changed_schema_survives_the_round_trip(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'period = "year"\n[events]\nexits = {"倒闭" = "bankrupt", default = "bankrupt"}\n'
        'drawing = ["new_bond"]\n[tables.clients.rename]\nKdNr = "client_id"\n',
    )
    text = path.read_text(encoding="utf-8").replace('period = "year"', 'period = "year"\nchurn_causes = []')
    path.write_text(text, encoding="utf-8")
    schema = ClientSchema.from_toml(path)
    assert ClientSchema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema
    assert pickle.loads(pickle.dumps(schema)) == schema  # noqa: S301 - our own bytes, as joblib workers do


def test_from_dict_lists_every_fault() -> None:
    state = DEFAULT.to_dict()
    state["perod"] = "month"
    state["tables"]["clients"]["columns"]["name"]["kind"] = "words"
    state["tables"]["statements"]["columns"]["revenue"]["low"] = "none"
    state["tables"]["market"]["key"] = ["sectr"]
    with pytest.raises(SchemaError) as caught:
        ClientSchema.from_dict(state)
    text = str(caught.value)
    assert "does not know 'perod'. Did you mean 'period'?" in text
    assert "tables.clients.columns.name: kind must be one of 'id', 'text'" in text
    assert "tables.statements.columns.revenue: low and high must be numbers; got 'none', None" in text
    assert "tables.market: key, unique or time names 'sectr'" in text
    assert len(caught.value.faults) == 4


# ------------------------------------------------------------------------------------------------- TOML
def test_a_yearly_book_of_other_words(tmp_path: Path) -> None:
    schema = ClientSchema.from_toml(
        write(
            tmp_path,
            """
            currency = "USD"
            period = "year"
            publication_lag_days = 1
            churn_causes = ["other"]
            [events]
            exits = { default = "bankrupt", closure = "other" }
            [tables.statements]
            aliases = ["company_years"]
            [tables.statements.rename]
            net_sales = "revenue"
            [tables.statements.columns]
            revenue = { low = 0, aliases = ["omzet"] }
            headcount = { kind = "number", unit = "count" }
            [tables.events.columns.event.levels]
            default = ["failed"]
            merger = []
            """,
        )
    )
    assert (schema.currency, schema.period, schema.publication_lag_days) == ("USD", "year", 1)
    assert schema.exit_events == {"default": "bankrupt", "closure": "other"}
    assert schema.churn_causes == ("other",)
    statements = schema.tables["statements"]
    assert "company_years" in statements.aliases
    assert statements.rename == {"net_sales": "revenue"}
    assert statements.column("revenue").low == 0
    assert {"omzet", "营业收入"} <= set(statements.column("revenue").aliases)
    assert statements.column("headcount").role == "context"
    event = schema.tables["events"].column("event")
    assert event.level_aliases["failed"] == "default"
    assert event.level_aliases["违约"] == "default"
    assert "merger" in event.levels


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert ClientSchema.from_toml(write(tmp_path, "")) == DEFAULT


def test_event_words_given_as_aliases_are_read_as_their_level(tmp_path: Path) -> None:
    schema = ClientSchema.from_toml(
        write(
            tmp_path,
            'churn_causes = ["gone"]\n[events]\n'
            'exits = {"违约" = "failed", "销户" = "gone", "merged" = "m"}\n',
        )
    )
    assert schema.exit_events == {"default": "failed", "closure": "gone", "merged": "m"}
    assert "merged" in schema.tables["events"].column("event").levels


def test_every_fault_of_a_file_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        curency = "USD"
        period = "week"
        publication_lag_days = -3
        churn_causes = ["hard_atrition"]
        [events]
        exits = { default = "default", closure = "hard_attrition" }
        default = ["insolvency"]
        drawing = "drawing"
        [tables.statement]
        aliases = ["x"]
        [tables.statements]
        renames = { a = "b" }
        [tables.statements.rename]
        net_sales = "revenu"
        [tables.facilities.columns]
        limt_amount = { low = 1 }
        rate = { low = 2, high = 1, kinds = "number" }
        """,
    )
    with pytest.raises(SchemaError) as caught:
        ClientSchema.from_toml(path)
    text = str(caught.value)
    for part in (
        "does not know 'curency'. Did you mean 'currency'?",
        "tables.statement is no table of the schema. Did you mean 'statements'?",
        "tables.statements does not know 'renames'. Did you mean 'rename'?",
        "rename of 'net_sales': 'revenu' is no column. Did you mean 'revenue'?",
        (
            "tables.facilities.columns.limt_amount is no column of the schema; a new one needs a kind. "
            "Did you mean 'limit_amount'?"
        ),
        "tables.facilities.columns.rate does not know 'kinds'. Did you mean 'kind'?",
        "events.drawing must be a list of text; got 'drawing'",
        "period must be one of 'month', 'quarter', 'year'; got 'week'",
        "publication_lag_days must be a whole number of at least 0; got -3",
        "churn cause 'hard_atrition' has no exit event",
        "default event 'insolvency' is no exit",
    ):
        assert part in text, part


def test_a_file_that_is_no_toml_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="is not TOML in UTF-8"):
        ClientSchema.from_toml(write(tmp_path, "currency = "))
    with pytest.raises(SchemaError, match="cannot be opened"):
        ClientSchema.from_toml(tmp_path / "nowhere.toml")


# ------------------------------------------------------------------------------------- columns and tables
def test_a_column_lists_all_its_faults() -> None:
    with pytest.raises(SchemaError) as caught:
        ColumnSpec("x", "date", role="key", low=3, levels=("a",), level_aliases={"b": "c"})  # type: ignore[arg-type]
    assert len(caught.value.faults) == 4
    with pytest.raises(SchemaError, match="low must not exceed high; got 3, 1"):
        ColumnSpec("x", "number", low=3, high=1)
    with pytest.raises(SchemaError, match="required and nullable must be true or false"):
        ColumnSpec("x", "number", required="yes")  # type: ignore[arg-type]


def test_a_name_may_not_mean_two_columns() -> None:
    a, b = ColumnSpec("a", "number", aliases=("Sales",)), ColumnSpec("b", "number", aliases=("sales ",))
    with pytest.raises(SchemaError, match="'sales' would name both column 'a' and column 'b'"):
        TableSpec("t", ("a",), "", (a, b))


def test_a_table_finds_its_columns() -> None:
    assert DEFAULT.tables["clients"].column("founded").kind == "date"
    with pytest.raises(SchemaError, match=r"has no column 'foundd'\. Did you mean 'founded'"):
        DEFAULT.tables["clients"].column("foundd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"currency": " "}, "currency must be a code"),
        ({"publication_lag_days": True}, "publication_lag_days must be a whole number"),
        ({"default_events": ("closing",)}, "default event 'closing' is no exit"),
        ({"drawing_events": ("default",)}, "'default' cannot be a drawing and an exit"),
        ({"exit_events": {"default": "need"}, "churn_causes": ()}, "a cause must be a word other than"),
        ({"drawing_events": ("放款",)}, "event word '放款' is read as 'drawing'; use 'drawing'"),
        ({"tables": {}}, "the table 'clients' is missing"),
    ],
)
def test_parts_that_do_not_fit_together(change: dict[str, object], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        dataclasses.replace(DEFAULT, **change)  # type: ignore[arg-type]
