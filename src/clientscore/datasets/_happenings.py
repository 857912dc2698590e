"""The tables of dated happenings: events and surveys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore._words import PURPOSES

from ._constants import EXIT_WORDS, INDUSTRIES, INDUSTRY_NAMES, Array
from ._rows import Rows, cents, event_dates, texts

if TYPE_CHECKING:
    from ._book import Book

_WORKING, _REFINANCING, _CAPEX, _TRADE, _GROWTH, _STRESS = range(6)
_PROJECT_PRODUCTS = ("project_loan", "bridge_loan", "syndicated_loan")
SURVEY_ANSWERED = 0.65


def _drawing_purposes(book: Book, rng: np.random.Generator, month: Array, place: Array) -> Array:
    """Draw what new money is for, from the client's industry and state."""
    client = book.client[month, place]
    profile = book.profile
    industry = profile.industry[client]
    record = {
        name: book.record[name][month, place] for name in ("condition", "plan", "term_clock", "utilization")
    }
    stressed = (record["condition"] < -0.8) & (record["utilization"] > 0.6)
    names = np.array(INDUSTRY_NAMES)[industry]
    weight = np.empty((len(client), len(PURPOSES)))
    weight[:, _WORKING] = 1.0
    weight[:, _REFINANCING] = np.where(profile.has_term[client] & (record["term_clock"] == 12), 2.5, 0.05)
    heavy = np.isin(names, ["manufacturing", "energy", "infrastructure", "transport", "construction"])
    weight[:, _CAPEX] = np.where(record["plan"], 1.8, 0.2) * np.where(heavy, 1.6, 0.8)
    weight[:, _TRADE] = np.where(
        np.isin(names, ["trade", "export"]), 1.2, np.where(profile.has_trade[client], 0.6, 0.05)
    )
    weight[:, _GROWTH] = 0.35 * np.exp(0.6 * record["condition"]) * np.where(names == "technology", 2.0, 1.0)
    weight[:, _STRESS] = np.where(stressed, 3.0, 0.01)
    bounds = np.cumsum(weight, axis=1)
    pick = rng.random((len(client), 1)) * bounds[:, -1:]
    return np.asarray((pick > bounds[:, :-1]).sum(axis=1))


def _drawing_products(book: Book, rng: np.random.Generator, client: Array, purpose: Array) -> Array:
    """Draw the product of new money, given the industry and the purpose."""
    industry = book.profile.industry[client]
    specs = list(INDUSTRIES.values())
    line = np.array([s.line for s in specs], dtype=object)[industry]
    term = np.array([s.term for s in specs], dtype=object)[industry]
    width = max(len(s.extra) for s in specs)
    extras = np.array([(s.extra * width)[:width] for s in specs], dtype=object)
    extra = extras[industry, rng.integers(0, width, len(client))]
    usual = np.where(np.isin(purpose, [_WORKING, _STRESS]), line, term)
    usual = np.where(purpose == _TRADE, extra, usual)
    other = rng.random(len(client)) < np.where(np.isin(purpose, [_STRESS, _REFINANCING]), 0.05, 0.3)
    product = np.where(other, extra, usual)
    project = np.array(_PROJECT_PRODUCTS, dtype=object)[rng.choice(3, len(client), p=[0.7, 0.2, 0.1])]
    return np.where(book.profile.segment[client] == 3, project, product)


def events_table(book: Book, ids: object, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `events` table: final events, drawings, renewals."""
    profile = book.profile
    month, place, time, amount = book.drawings
    purpose = _drawing_purposes(book, rng, month, place)
    drawing_client = book.client[month, place]
    product = _drawing_products(book, rng, drawing_client, purpose)
    left = book.exits
    left_client = book.client[left.month, left.place]
    owed = book.record["term_drawn"][left.month, left.place]
    line = book.record["utilization"] * book.record["line_limit"] * ~profile.term_only[book.client[:-1]]
    owed = owed + line[left.month, left.place]
    again, where, is_term = book.renewals
    again_client = book.client[again, where]
    again_industry = profile.industry[again_client]
    limit = np.where(
        is_term, book.record["term_limit"][again, where], book.record["line_limit"][again, where]
    )
    specs = list(INDUSTRIES.values())
    lines = np.array([s.line for s in specs], dtype=object)[again_industry]
    terms = np.array([s.term for s in specs], dtype=object)[again_industry]
    words = np.array(EXIT_WORDS, dtype=object)[left.cause]
    blank = np.full(max(len(left_client), len(again)), None, dtype=object)
    client = np.concatenate([left_client, drawing_client, again_client])
    moment = np.concatenate([left.time, time, rng.random(len(again))])
    said = [np.full(len(month), "drawing", dtype=object), np.full(len(again), "renewal", dtype=object)]
    owed = np.where(np.isin(words, ["default", "repayment"]), owed, np.nan)
    frame = {
        "date": event_dates(book.start, np.concatenate([left.month, month, again]), moment),
        "event": np.concatenate([words, *said]),
        "amount": np.concatenate([cents(owed), cents(amount), np.round(limit, -2)]),
        "product": np.concatenate([blank[: len(left_client)], product, np.where(is_term, terms, lines)]),
        "purpose": np.concatenate(
            [blank[: len(left_client)], np.array(PURPOSES, dtype=object)[purpose], blank[: len(again)]]
        ),
    }
    order = np.lexsort((frame["date"], client))
    columns = {name: values[order] for name, values in frame.items()}
    columns |= {name: texts(columns[name]) for name in ("event", "product", "purpose")}
    return pd.DataFrame({"client_id": ids.take(client[order])} | columns)  # type: ignore[attr-defined]


def surveys_table(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `surveys` table: once a year, in a month of the client's own, most answer."""
    book = rows.book
    n_clients = len(book.joined)
    asked = rng.integers(0, 12, n_clients)[rows.client] == rows.month % 12
    part = rows.where(asked & (rng.random(len(rows.month)) < SURVEY_ANSWERED))
    n = len(part.month)
    profile = book.profile
    service, approval = part.get("service_seen"), part.get("approval_seen")
    satisfaction = 7.4 - 1.3 * service - 0.6 * part.get("complaints_seen") + 1.1 * rng.standard_normal(n)
    speed = 4.70 - 1.6 * approval + 1.6 * rng.standard_normal(n)
    wants = profile.wants_reports[part.client]
    plan = np.where(part.get("plan"), rng.random(n) < 0.85, rng.random(n) < 0.04)
    amount = part.get("amount_median") * np.exp(0.6 * rng.standard_normal(n))
    amount = np.where(plan, np.round(amount, -4), 0.0)
    return pd.DataFrame(
        {
            "client_id": part.client_id(),
            "answered_at": event_dates(book.start, part.month, rng.random(n)),
            "satisfaction": np.clip(np.round(satisfaction), 0.0, 10.0),
            "approval_satisfaction": np.clip(np.round(speed), 0.0, 10.0),
            "wants_reports": wants.astype(float),
            "planned_financing_amount": np.where(rng.random(n) < 0.1, np.nan, amount),
        }
    )
