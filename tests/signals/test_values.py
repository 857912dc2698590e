"""Every signal by a case computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clientscore.schema import ClientSchema
from clientscore.signals import FORMULAS, build_signals, default_signals

AS_OF = "2026-01-01"
MONTHS = pd.date_range("2023-01-01", "2025-12-01", freq="MS")  # the last 36 that are known
Tables = dict[str, pd.DataFrame]

COLUMNS = {
    "interactions": (
        "term_deposit_amount", "counterparties", "payroll_amount", "card_turnover_amount", "trade_tickets",
        "portal_logins", "open_tickets", "invitations_declined", "dpd_elsewhere_days",
    ),
    "facilities": ("discounting_excess_amount",),
    "market": ("commodity_price", "exchange_rate"),
}  # fmt: skip
WORDS = sorted(
    {word for spec in default_signals().values() if "events" in spec.tables for word in spec.words}
)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> ClientSchema:
    """A schema with a place for everything the signals read."""
    lines = [
        f'[tables.{table}.columns.{column}]\nkind = "number"\n'
        for table, columns in COLUMNS.items()
        for column in columns
    ]
    lines.append("[tables.events.columns.event.levels]")
    lines += [f"{word} = []" for word in WORDS if word != "renewal"]
    path = Path(tmp_path_factory.mktemp("schema")) / "schema.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return ClientSchema.from_toml(path)


def interactions(**columns: Any) -> Tables:
    return {"interactions": pd.DataFrame({"client_id": "007", "month": MONTHS, **columns})}


def facilities(facility: str = "f", **columns: Any) -> Tables:
    table = pd.DataFrame({"client_id": "007", "facility_id": facility, "month": MONTHS, **columns})
    return {"facilities": table}


def statements(**items: list[float]) -> Tables:
    """One value a year, the last for 2024; each is published after ninety days."""
    n = len(next(iter(items.values())))
    ends = pd.to_datetime([f"{2025 - n + k}-12-31" for k in range(n)])
    rows = {"client_id": "007", "period_end": ends, "published_at": ends + pd.Timedelta(days=90)}
    return {"statements": pd.DataFrame(rows | items)}


def events(*rows: tuple[str, str]) -> Tables:
    table = pd.DataFrame(rows, columns=["date", "event"]).assign(client_id="007", amount=1.0)
    return {"events": table.astype({"date": "datetime64[us]"})}


def market(**columns: list[float]) -> Tables:
    return {"market": pd.DataFrame({"sector": "energy", "month": MONTHS, **columns})}


def projects(project: str = "p", **columns: Any) -> Tables:
    return {"projects": pd.DataFrame({"client_id": "007", "project_id": project, "month": MONTHS, **columns})}


def step(before: float, after: float, months: int = 3) -> list[float]:
    """36 months at one value, the last few at another."""
    return [before] * (36 - months) + [after] * months


def both(*parts: Tables) -> Tables:
    joined: Tables = {}
    for part in parts:
        for name, table in part.items():
            joined[name] = pd.concat([joined[name], table], ignore_index=True) if name in joined else table
    return joined


def debts(*amounts: float) -> Tables:
    return statements(short_term_debt=list(amounts), long_term_debt=[0.0] * len(amounts))


LINE = facilities(limit_amount=100.0, drawn_amount=50.0)
TWO_LINES = both(
    facilities("a", product="term_loan"),
    {"facilities": facilities("b", product="cash_management")["facilities"].iloc[:34]},
)
NO_EVENT = events(("2020-01-01", "renewal"))

# signal: tables, value, state
CASES: dict[str, tuple[Tables, float, str | None]] = {
    "balance_change": (interactions(balance_amount=step(100.0, 40.0)), -0.6, "alarm"),
    "balance_lowest": (interactions(balance_amount=[100.0] * 33 + [50.0, 20.0, 30.0]), 0.2, "watch"),
    "net_outflow": (interactions(inflow_amount=[100.0] * 36, outflow_amount=[150.0] * 36), 0.2, "watch"),
    "term_deposit_change": (interactions(term_deposit_amount=step(100.0, 60.0)), -0.4, "watch"),
    "inflow_change": (interactions(inflow_amount=step(100.0, 75.0)), -0.25, "watch"),
    "outflow_change": (interactions(outflow_amount=step(100.0, 40.0)), -0.6, "alarm"),
    # the same three months a year before at 200
    "inflow_change_year": (
        interactions(inflow_amount=[100.0] * 21 + [200.0] * 3 + [100.0] * 9 + [80.0] * 3),
        -0.6,
        "alarm",
    ),
    # twelve months at 30 make 360 of 1000; k months before, k of them were at 50: history .36 + .02 x 6.5
    "wallet_share": (
        both(interactions(inflow_amount=step(50.0, 30.0, 12)), statements(revenue=[1000.0, 1000.0])),
        0.36,
        "alarm",
    ),
    "counterparties_change": (interactions(counterparties=step(20.0, 14.0)), -0.3, "watch"),
    "payroll_change": (interactions(payroll_amount=step(10.0, 2.0)), -0.8, "alarm"),
    "card_turnover_change": (interactions(card_turnover_amount=step(10.0, 9.0)), -0.1, "quiet"),
    "trade_tickets_change": (interactions(trade_tickets=step(10.0, 6.0)), -0.4, "watch"),
    "utilization_fall": (
        both(facilities(limit_amount=100.0, drawn_amount=step(60.0, 30.0)), debts(80.0, 80.0)),
        -0.3,
        "watch",
    ),
    "unused_limit_share": (facilities(limit_amount=100.0, drawn_amount=10.0), 0.9, "watch"),
    # due on 15 April, within six months; the other line of the same size falls due in 2030
    "maturity_without_renewal": (
        both(
            facilities("a", limit_amount=100.0, drawn_amount=0.0, maturity_date=pd.Timestamp("2026-04-15")),
            facilities("b", limit_amount=20.0, drawn_amount=25.0, maturity_date=pd.Timestamp("2030-01-01")),
            NO_EVENT,
        ),
        0.8,
        "watch",
    ),
    "prepayment": (
        facilities(drawn_amount=step(100.0, 50.0, 1), maturity_date=pd.Timestamp("2030-01-01")),
        0.5,
        "watch",
    ),
    "limit_change": (facilities(limit_amount=step(100.0, 80.0)), -0.2, "watch"),
    "debt_here_share": (
        both(facilities(drawn_amount=step(50.0, 40.0, 1)), debts(100.0, 100.0, 100.0)),
        0.4,
        "alarm",
    ),
    "quote_without_drawing": (events(("2025-11-10", "quote"), ("2025-06-30", "quote")), 1.0, "watch"),
    "products_change": (interactions(products_held=step(4.0, 2.0)), -2.0, "alarm"),
    "products_held": (interactions(products_held=[1.0] * 36), 1.0, "watch"),
    "cash_management_lost": (TWO_LINES, 1.0, "alarm"),
    "portal_logins_change": (interactions(portal_logins=step(50.0, 25.0)), -0.5, "watch"),
    "complaints": (interactions(complaints=[5.0] * 30 + [0.0] * 3 + [1.0, 0.0, 1.0]), 2.0, "watch"),
    "open_tickets": (interactions(open_tickets=step(0.0, 5.0, 1)), 5.0, "alarm"),
    # history: 35, 30, then ten of 25 make 26.25, and the change 13.75
    "response_hours": (interactions(response_hours=step(25.0, 40.0)), 40.0, "watch"),
    "approval_days": (interactions(approval_days=[20.0] * 36), 20.0, "quiet"),
    "rejections": (events(("2025-07-02", "rejection"), ("2025-07-01", "rejection")), 1.0, "watch"),
    "fee_rate_change": (
        interactions(inflow_amount=[100.0] * 36, fee_income_amount=step(1.0, 1.3)),
        0.3,
        "watch",
    ),
    "price_over_market": (
        both(facilities(rate=step(0.05, 0.065, 1), drawn_amount=100.0), market(credit_rate=[0.04] * 36)),
        0.025,
        "alarm",
    ),
    "manager_changes": (interactions(manager_id=["m1"] * 34 + ["m2"] * 2), 1.0, "watch"),
    "manager_vacant_months": (interactions(manager_id=["m1"] * 35 + [None]), 1.0, "watch"),
    "months_since_meeting": (interactions(meetings=[1.0] * 26 + [0.0] * 10), 10.0, "watch"),
    "contact_changes": (events(("2025-02-01", "contact_change")), 1.0, "watch"),
    "invitations_declined": (interactions(invitations_declined=step(0.0, 1.0)), 3.0, "watch"),
    "satisfaction": (
        {
            "surveys": pd.DataFrame(
                {
                    "client_id": "007",
                    "satisfaction": [9.0, 3.0],
                    "answered_at": pd.to_datetime(["2024-12-01", "2025-12-31"]),
                }
            )
        },
        3.0,
        "watch",
    ),
    "new_lender_pledge": (
        events(("2025-12-31", "pledge_registered"), ("2025-10-01", "pledge_registered")),
        2.0,
        "alarm",
    ),
    "new_bank": (events(("2025-01-02", "new_bank")), 1.0, "watch"),
    "group_refinancing": (events(("2025-06-01", "group_refinancing")), 0.0, "quiet"),
    "ownership_change": (events(("2025-06-01", "merger"), ("2025-06-02", "new_owner")), 2.0, "alarm"),
    "competitor_branch": (events(("2025-06-01", "competitor_branch")), 1.0, "watch"),
    "securities_issued": (events(("2025-06-01", "bond_issue")), 1.0, "watch"),
    "sector_growth": (market(sector_growth=step(0.03, -0.02, 1)), -0.02, "watch"),
    # the level asks for .04, its change of .02 against twelve months at .03 for .01
    "sector_default_rate": (market(sector_default_rate=step(0.03, 0.05, 1)), 0.05, "watch"),
    "spread_change": (market(spread=step(0.02, 0.03)), 0.01, "watch"),
    "policy_rate_change": (market(policy_rate=step(0.03, 0.045)), 0.015, "watch"),
    "commodity_price_change": (market(commodity_price=step(100.0, 70.0)), -0.3, "watch"),
    "exchange_rate_change": (market(exchange_rate=step(7.0, 7.7)), 0.1, "watch"),
    "regional_events": (events(("2025-03-01", "regional_event")), 1.0, "watch"),
    "equity_ratio": (statements(equity=[8.0], total_assets=[100.0]), 0.08, "watch"),
    "debt_growth": (debts(100.0, 140.0), 0.4, "watch"),
    "ebitda_to_debt": (
        both(statements(ebitda=[15.0], short_term_debt=[60.0], long_term_debt=[40.0])),
        0.15,
        "watch",
    ),
    "interest_cover": (statements(ebit=[12.0], interest_expense=[10.0]), 1.2, "watch"),
    "revenue_growth": (statements(revenue=[1000.0, 800.0]), -0.2, "watch"),
    "ebitda_margin_change": (statements(ebitda=[100.0, 45.0], revenue=[1000.0, 1000.0]), -0.055, "watch"),
    "profit_margin": (statements(net_income=[-5.0], revenue=[1000.0]), -0.005, "watch"),
    "loss_years": (statements(net_income=[-9.0, 2.0, -1.0, -1.0]), 2.0, "watch"),
    "current_ratio": (statements(current_assets=[80.0], current_liabilities=[100.0]), 0.8, "watch"),
    "receivable_days_change": (
        statements(receivables=[100.0, 200.0], revenue=[1000.0, 1000.0]),
        36.5,
        "watch",
    ),
    "statement_age_days": (statements(total_assets=[1.0]), 366.0, "quiet"),
    "accounts_qualified": (events(("2025-05-01", "auditor_change")), 1.0, "watch"),
    "forecast_missed": (
        events(("2025-05-01", "forecast_missed"), ("2025-08-01", "forecast_missed")),
        2.0,
        "alarm",
    ),
    "project_delay_days": (
        both(
            projects(
                "p", completion_date=[pd.Timestamp("2026-06-01")] * 33 + [pd.Timestamp("2026-09-01")] * 3
            ),
            projects("q", completion_date=pd.Timestamp("2027-01-01")),
        ),
        92.0,
        "watch",
    ),
    "project_dscr": (both(projects("p", dscr=1.4), projects("q", dscr=1.1)), 1.1, "watch"),
    "dpd_days": (facilities(dpd_days=[0.0] * 33 + [10.0, 3.0, 0.0]), 10.0, "watch"),
    "excess_months": (facilities(limit_amount=100.0, drawn_amount=step(90.0, 110.0, 2)), 2.0, "watch"),
    "overdraft_months": (interactions(balance_amount=step(50.0, -1.0, 1)), 1.0, "watch"),
    "balance_collapse": (interactions(balance_amount=step(100.0, 10.0, 1)), -0.9, "watch"),
    "balance_to_debt": (both(interactions(balance_amount=[0.1] * 36), debts(100.0)), 0.001, "watch"),
    "utilization": (facilities(limit_amount=100.0, drawn_amount=90.0), 0.9, "watch"),
    "utilization_rise": (facilities(limit_amount=100.0, drawn_amount=step(30.0, 60.0)), 0.3, "watch"),
    "undrawn_change": (facilities(limit_amount=100.0, drawn_amount=step(20.0, 70.0)), -0.625, "watch"),
    "receivable_lines_change": (
        both(
            facilities("a", product="receivables_factoring", limit_amount=step(100.0, 70.0)),
            facilities("b", product="term_loan", limit_amount=500.0),
        ),
        -0.3,
        "watch",
    ),
    "discounting_excess": (facilities(discounting_excess_amount=step(0.0, 5.0)), 5.0, "watch"),
    "collateral_cover_change": (
        facilities(collateral_amount=step(200.0, 120.0), drawn_amount=100.0),
        -0.4,
        "watch",
    ),
    "debt_elsewhere_growth": (both(facilities(drawn_amount=50.0), debts(150.0, 200.0)), 0.5, "watch"),
    "dpd_elsewhere_days": (interactions(dpd_elsewhere_days=step(0.0, 31.0)), 31.0, "alarm"),
    "market_value_change": (
        {
            "market_values": pd.DataFrame(
                {"client_id": "007", "month": MONTHS, "market_value": step(100.0, 70.0)}
            )
        },
        -0.3,
        "watch",
    ),
    "guarantor_default": (events(("2025-05-01", "guarantor_default")), 1.0, "alarm"),
    "legal_action": (events(("2025-05-01", "legal_action")), 1.0, "watch"),
    "rating_downgrade": (
        events(("2025-05-01", "rating_downgrade"), ("2025-06-01", "rating_downgrade")),
        2.0,
        "alarm",
    ),
    "partner_news": (events(("2025-08-01", "partner_news")), 1.0, "watch"),
    "tax_arrears": (events(("2026-01-01", "tax_arrears")), 1.0, "watch"),
    "management_changes": (
        events(("2025-05-01", "management_change"), ("2025-06-01", "structure_change")),
        2.0,
        "watch",
    ),
    "contract_lost": (events(("2025-05-01", "contract_lost")), 1.0, "watch"),
    "insurance_lapse": (events(("2025-08-01", "insurance_lapse")), 1.0, "watch"),
    "non_cooperation": (events(("2025-08-01", "non_cooperation")), 1.0, "watch"),
    "covenant_breaches": (
        events(("2025-05-01", "covenant_breach"), ("2025-06-01", "covenant_waiver")),
        2.0,
        "alarm",
    ),
}


def one(tables: Tables, schema: ClientSchema, name: str, as_of: str = AS_OF) -> dict[str, Any]:
    clients = pd.DataFrame({"client_id": ["007"], "industry": ["energy"]})
    frame = build_signals({"clients": clients, **tables}, schema, as_of, signals=[name])
    assert frame[["client_id", "signal"]].to_numpy().tolist() == [["007", name]]
    return frame.iloc[0].to_dict()


@pytest.mark.parametrize("name", default_signals())
def test_every_signal_by_hand(name: str, schema: ClientSchema) -> None:
    tables, value, state = CASES[name]
    found = one(tables, schema, name)
    assert found["value"] == pytest.approx(value, abs=1e-12)
    assert found["state"] == state
    assert pd.isna(found["reason"])


def test_every_formula_is_used() -> None:
    assert {spec.formula for spec in default_signals().values()} == set(FORMULAS)
    assert set(CASES) == set(default_signals())


@pytest.mark.parametrize("name", default_signals())
def test_a_signal_without_its_columns_is_not_evaluated_and_says_why(name: str, schema: ClientSchema) -> None:
    spec = default_signals()[name]
    found = one({}, schema, name)
    assert np.isnan(found["value"])
    assert pd.isna(found["state"])
    assert found["reason"] == f"no table {spec.tables[0]}"
    table, column = spec.columns[0]
    if column in ("event", "completion_date"):
        return
    bare = CASES[name][0]
    bare = bare | {table: bare[table].drop(columns=column)}
    assert one(bare, schema, name)["reason"] == f"no column {table}.{column}"


EXTRA: list[tuple[str, Callable[[], Tables], float]] = [
    (
        "utilization_fall",
        lambda: both(facilities(limit_amount=100.0, drawn_amount=step(60.0, 30.0)), debts(80.0, 70.0)),
        0.0,
    ),  # the client pays debt back everywhere
    (
        "utilization_fall",
        lambda: both(facilities(limit_amount=100.0, drawn_amount=step(60.0, 30.0)), debts(80.0)),
        np.nan,
    ),  # nobody knows its debt of before
    (
        "utilization_fall",
        lambda: both(facilities(limit_amount=100.0, drawn_amount=step(30.0, 60.0)), debts(80.0)),
        0.3,
    ),  # no fall, nothing to explain
    (
        "maturity_without_renewal",
        lambda: both(
            facilities(limit_amount=9.0, drawn_amount=0.0, maturity_date=pd.Timestamp("2026-04-15")),
            events(("2025-10-05", "renewal")),
        ),
        0.0,
    ),
    (
        "maturity_without_renewal",
        lambda: both(
            facilities(limit_amount=9.0, drawn_amount=0.0, maturity_date=pd.Timestamp("2026-04-15")),
            events(("2025-10-05", "drawing")),
        ),
        0.0,
    ),
    ("quote_without_drawing", lambda: events(("2025-11-10", "quote"), ("2025-12-10", "drawing")), 0.0),
    (
        "months_since_meeting",
        lambda: {"interactions": interactions(meetings=[0.0] * 36)["interactions"].iloc[-5:]},
        5.0,
    ),  # as long as the record
    ("months_since_meeting", lambda: interactions(meetings=[0.0] * 36), 24.0),
    ("months_since_meeting", lambda: interactions(meetings=step(0.0, 1.0, 1)), 0.0),
    ("manager_changes", lambda: interactions(manager_id=["a"] * 32 + ["b", None, "b", "a"]), 2.0),
    ("loss_years", lambda: statements(net_income=[-1.0]), 1.0),
    ("debt_growth", lambda: debts(100.0), np.nan),
    (
        "ebitda_to_debt",
        lambda: statements(ebitda=[-15.0], short_term_debt=[60.0], long_term_debt=[np.nan]),
        -0.25,
    ),
    ("interest_cover", lambda: statements(ebit=[-12.0], interest_expense=[10.0]), -1.2),
    ("cash_management_lost", lambda: facilities(product="term_loan"), np.nan),  # nothing to lose
    ("cash_management_lost", lambda: facilities(product="cash_management"), 0.0),
    ("balance_change", lambda: interactions(balance_amount=[np.nan] * 36), np.nan),
    ("balance_change", lambda: interactions(balance_amount=step(0.0, 5.0)), np.nan),
    (
        "wallet_share",
        lambda: both(interactions(inflow_amount=[900.0] * 36), statements(revenue=[1000.0])),
        1.0,
    ),
    (
        "satisfaction",
        lambda: {
            "surveys": pd.DataFrame(
                {"client_id": ["007"], "satisfaction": [1.0], "answered_at": [pd.Timestamp("2023-12-31")]}
            )
        },
        np.nan,
    ),
]


@pytest.mark.parametrize(("name", "tables", "value"), EXTRA)
def test_edges_by_hand(name: str, tables: Callable[[], Tables], value: float, schema: ClientSchema) -> None:
    found = one(tables(), schema, name)
    assert found["value"] == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert pd.isna(found["state"]) == np.isnan(value)


def test_half_years_and_old_statements(schema: ClientSchema) -> None:
    ends = pd.to_datetime(["2023-06-30", "2023-12-31", "2024-06-30", "2024-12-31"])
    table = pd.DataFrame(
        {"client_id": "007", "period_end": ends, "period_months": 6.0, "revenue": [10.0, 90.0, 10.0, 45.0]}
    )
    tables = {"statements": table}
    assert one(tables, schema, "revenue_growth")["value"] == pytest.approx(-0.5)  # 45 against 90, not 10
    assert one(tables, schema, "revenue_growth", "2024-11-01")["value"] == pytest.approx(0.0)
    assert one(tables, schema, "revenue_growth", "2026-11-30")["value"] == pytest.approx(-0.5)
    late = one(tables, schema, "revenue_growth", "2026-12-01")
    assert (np.isnan(late["value"]), late["reason"]) == (True, "value not known")
    aged = one({"statements": table.assign(total_assets=1.0)}, schema, "statement_age_days", "2026-12-31")
    assert (aged["value"], aged["state"]) == (730.0, "alarm")


def test_a_month_is_known_on_the_first_of_the_next_and_an_event_on_its_day(schema: ClientSchema) -> None:
    tables = interactions(balance_amount=step(100.0, 10.0, 1))
    assert one(tables, schema, "balance_collapse", "2025-12-31")["value"] == 0.0
    assert one(tables, schema, "balance_collapse", "2026-01-01")["value"] == pytest.approx(-0.9)
    assert one(tables, schema, "balance_collapse", "2026-01-15")["value"] == pytest.approx(-0.9)
    tables = events(("2025-11-20", "tax_arrears"))
    assert [one(tables, schema, "tax_arrears", day)["value"] for day in ("2025-11-19", "2025-11-20")] == [
        0,
        1,
    ]
    assert [one(tables, schema, "tax_arrears", day)["value"] for day in ("2026-11-19", "2026-11-20")] == [
        1,
        0,
    ]
