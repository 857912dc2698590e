"""The tables of client-months: interactions, facilities, projects, market values; and the clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ._constants import (
    BURN_IN_MONTHS,
    INDUSTRIES,
    INDUSTRY_NAMES,
    OWNERSHIP,
    REGIONS,
    SEGMENT_COST,
    SEGMENTS,
    Array,
    industry_column,
)
from ._rows import Rows, cents, event_dates, month_dates, texts

if TYPE_CHECKING:
    from ._book import Book

_TRADE_PRODUCTS = (
    "supply_chain_finance",
    "letter_of_credit",
    "guarantee",
    "guarantee",
    "guarantee",
    "guarantee",
    "fx_hedge",
    "supply_chain_finance",
    "receivables_factoring",
    "letter_of_credit",
    "guarantee",
    "guarantee",
)
_PHASES = ("pre_construction", "construction", "operation")
_SPONSORS = ("state", "private", "joint_venture", "foreign")


def levels(options: tuple[str, ...], codes: Array) -> object:
    """Return texts of `options` by code."""
    return texts(options).take(np.asarray(codes, dtype=np.int64))


def clients_table(book: Book, rng: np.random.Generator, ids: object) -> pd.DataFrame:
    """Return the `clients` table."""
    profile = book.profile
    n = len(book.joined)
    began = event_dates(book.start, book.joined, rng.random(n))
    age_days = (365 * (1.0 + rng.gamma(1.6, 6.0, n))).astype(np.int64)
    founded = (began.astype("datetime64[D]") - age_days).astype("datetime64[us]")
    founded = np.where(rng.random(n) < 0.03, np.datetime64("NaT"), founded)
    grouped = rng.random(n) < 0.18
    group = rng.integers(0, max(1, int(0.06 * n)), n)
    names = [
        f"{REGIONS[r]} {INDUSTRY_NAMES[i]} company {k}".replace("_", " ").title()
        for k, (r, i) in enumerate(zip(profile.region, profile.industry, strict=True))
    ]
    return pd.DataFrame(
        {
            "client_id": ids,
            "name": texts(names),
            "industry": levels(INDUSTRY_NAMES, profile.industry),
            "region": levels(REGIONS, profile.region),
            "segment": levels(SEGMENTS, profile.segment),
            "group_id": texts(
                [f"G{g:05d}" if is_in else None for g, is_in in zip(group, grouped, strict=True)]
            ),
            "ownership": levels(OWNERSHIP, profile.ownership),
            "founded": founded.astype("datetime64[us]"),
            "relationship_start": began,
            "consent": (rng.random(n) < 0.94).astype(float),
            "kyc_valid": (rng.random(n) < 0.97).astype(float),
        }
    )


def facilities_table(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `facilities` table: a line, a term loan and a trade product, where the client has them."""
    book, profile = rows.book, rows.book.profile
    line = rows.where(~profile.term_only[rows.client])
    term = rows.where(rows.get("term_drawn") > 0.02 * rows.get("line_limit"))
    trade = rows.where(profile.has_trade[rows.client])
    cover = np.clip(rng.normal(0.5, 0.35, len(book.joined)), 0.0, 1.5)
    cover = np.where(rng.random(len(cover)) < 0.05, np.nan, cover)
    specs = list(INDUSTRIES.values())
    products = np.array(
        [[s.line for s in specs], [s.term for s in specs], list(_TRADE_PRODUCTS)], dtype=object
    )
    usage = 1.0 / (1.0 + np.exp(-trade.book.profile.use[trade.client]))
    usage = np.clip(usage * np.exp(0.15 * rng.standard_normal(len(usage))), 0.0, 1.0)
    limits = (line.get("line_limit"), term.get("term_limit"), 0.5 * trade.get("line_limit"))
    drawn = (line.get("utilization") * limits[0], term.get("term_drawn"), usage * limits[2])
    clocks = (line.get("line_clock"), term.get("term_clock"), trade_clock(trade))
    # Arrears stand on the term loan where there is one, else on the line.
    on_term = term.get("dpd")
    on_line = np.where(line.get("term_drawn") > 0.02 * line.get("line_limit"), 0.0, line.get("dpd"))
    arrears = (on_line, on_term, np.zeros(len(trade.month)))
    parts = []
    for k, part in enumerate((line, term, trade)):
        parts.append(
            {
                "client": part.client,
                "kind": np.full(len(part.month), k),
                "month": part.dates(),
                "product": products[k][profile.industry[part.client]],
                "limit_amount": cents(np.round(limits[k], -2)),
                "drawn_amount": cents(np.minimum(drawn[k], np.round(limits[k], -2))),
                "rate": part.credit_rate() + 0.002 * (k == 2),
                "maturity_date": month_dates(book.start, part.month + clocks[k]) + np.timedelta64(19, "D"),
                "dpd_days": arrears[k],
                "collateral_amount": np.round(limits[k] * cover[part.client] * (0.6, 1.0, 0.3)[k], -2),
            }
        )
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    n_kinds = 3
    key = merged.pop("client") * n_kinds + merged.pop("kind")
    order = np.argsort(key, kind="stable")
    key = key[order]
    facility_ids = texts([f"C{i:06d}-{k + 1}" for i in range(len(book.joined)) for k in range(n_kinds)])
    table = {"client_id": rows.ids.take(key // n_kinds), "facility_id": facility_ids.take(key)}
    merged = {name: values[order] for name, values in merged.items()}
    merged["product"] = texts(merged["product"])
    merged["rate"] = np.round(merged["rate"], 4)
    return pd.DataFrame(table | merged)


def trade_clock(rows: Rows) -> Array:
    """Return the months to the review of a trade product, half a year away from the line's."""
    return 1 + (rows.get("line_clock") + 5) % 12


def interactions_table(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `interactions` table."""
    book, profile = rows.book, rows.book.profile
    segment = profile.segment[rows.client]
    drawn = np.where(profile.term_only[rows.client], 0.0, rows.get("utilization") * rows.get("line_limit"))
    drawn = drawn + rows.get("term_drawn")
    n = len(rows.month)
    fee = industry_column("fee")[profile.industry[rows.client]]
    managers = texts([f"M{i:03d}" for i in range(len(book.manager_quality))])
    return pd.DataFrame(
        {
            "client_id": rows.client_id(),
            "month": rows.dates(),
            "balance_amount": np.round(rows.get("balance")),
            "inflow_amount": np.round(rows.get("inflow")),
            "outflow_amount": np.round(rows.get("outflow")),
            "interest_income_amount": cents(drawn * rows.credit_rate() / 12.0),
            "fee_income_amount": cents(np.round(rows.get("inflow") * fee)),
            "cost_amount": cents(np.round(SEGMENT_COST[segment] * np.exp(0.25 * rng.standard_normal(n)))),
            "products_held": rows.get("products"),
            "response_hours": np.round(rows.get("hours"), 1),
            "approval_days": np.round(rows.get("days")),
            "complaints": rows.get("complaints").astype(float),
            "meetings": rows.get("meetings").astype(float),
            "manager_id": managers.take(rows.get("manager")),
        }
    )


def projects_table(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `projects` table: one project for every client of project finance."""
    book = rows.book
    part = rows.where(book.profile.segment[rows.client] == 3)
    n_clients = len(book.joined)
    slip = rng.poisson(2.0, n_clients)[part.client]
    sponsor = rng.integers(0, len(_SPONSORS), n_clients)[part.client]
    age = part.get("project_month")
    phase = (age >= 6).astype(int) + (age >= 30)
    planned = np.round(0.6 * np.exp(book.profile.log_assets[part.client]), -4)
    progress = np.clip((age - 5) / 25.0, 0.0, 1.0)
    announced = np.round(slip * np.clip((age - 10) / 15.0, 0.0, 1.0)).astype(np.int64)
    noise = 0.06 * rng.standard_normal(len(age))
    dscr = np.where(phase == 0, np.nan, 1.35 + (0.1 + 0.1 * (phase == 2)) * part.get("condition") + noise)
    project_ids = texts([f"P{i:06d}" for i in range(n_clients)])
    return pd.DataFrame(
        {
            "project_id": project_ids.take(part.client),
            "client_id": part.client_id(),
            "month": part.dates(),
            "phase": levels(_PHASES, phase),
            "capex_planned_amount": planned,
            "drawn_amount": cents(np.round(0.7 * planned * progress)),
            "completion_date": month_dates(book.start, part.month + 30 - age + announced),
            "dscr": np.round(dscr, 3),
            "llcr": np.round(dscr + 0.15 + 0.05 * rng.standard_normal(len(age)), 3),
            "sponsor": levels(_SPONSORS, sponsor),
        }
    )


def market_values_table(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `market_values` table of the listed clients."""
    book = rows.book
    part = rows.where(book.profile.listed[rows.client])
    growth = np.concatenate([market.growth for market in book.market[BURN_IN_MONTHS + 1 :]])
    local = growth[part.month, book.profile.industry[part.client]]
    noise = 0.05 * rng.standard_normal(len(local))
    value = 0.45 * np.exp(part.get("log_assets") + 0.5 * part.get("condition") + 0.25 * local + noise)
    return pd.DataFrame(
        {"client_id": part.client_id(), "month": part.dates(), "market_value": np.round(value, -4)}
    )
