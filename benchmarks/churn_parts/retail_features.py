"""What is known of a wholesaler's client at a date, from the raw invoices before it.

Most of the features stand on windows, so that a client seen for six months and one seen for eighteen are
told apart by what they did, not by how long the file is. Each client's silence is held against its own
rhythm: by the gaps between its orders, and by the law of orders that stop (Fader, Hardie and Lee, 2005,
doi:10.1287/mksc.1040.0098), whose four constants are learned from the orders before the date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

if TYPE_CHECKING:
    from pathlib import Path

WINDOW_DAYS = 90
ACTIVE_DAYS = 180  # a client of a date has ordered within them


@dataclass(frozen=True)
class Trade:
    """Sales and returns, line by line, and orders: one row a client and day with a sale."""

    sales: pd.DataFrame  # customer_id, day, amount, item
    returns: pd.DataFrame  # customer_id, day, amount
    orders: pd.DataFrame  # customer_id, day, amount, lines
    country: pd.Series

    def before(self, date: pd.Timestamp) -> Trade:
        """Return what was known at a date: days before it. The only cut; every feature passes it."""
        cut = (frame[frame["day"] < date] for frame in (self.sales, self.returns, self.orders))
        return Trade(*cut, self.country)


def read_trade(folder: Path) -> Trade:
    """Read the invoices of known customers; a line of zero or fewer pieces is a return."""
    columns = ["description", "quantity", "invoice_date", "price", "customer_id", "country"]
    rows = pd.read_parquet(folder / "online_retail_ii_transactions.parquet", columns=columns)
    rows = rows[rows["customer_id"].notna()]
    rows = pd.DataFrame(
        {
            "customer_id": rows["customer_id"].astype("int64"),
            "day": rows["invoice_date"].dt.normalize(),
            "amount": rows["quantity"] * rows["price"],
            "item": pd.factorize(rows["description"])[0],
            "sold": rows["quantity"] > 0,
            "country": rows["country"].astype(str),
        }
    ).sort_values(["customer_id", "day"], kind="stable", ignore_index=True)
    sales = rows[rows["sold"]]
    orders = sales.groupby(["customer_id", "day"], as_index=False).agg(
        amount=("amount", "sum"), lines=("item", "size")
    )
    country = rows.groupby("customer_id")["country"].first()
    return Trade(sales, rows[~rows["sold"]], orders, country)


@dataclass(frozen=True)
class Season:
    """How the number of ordering clients changes over the year, as the past year showed it.

    For a day of the year: log of the clients ordering in the 90 days from it over those in the 90 days
    before it, in the last year that was wholly known when the training ended.
    """

    orders: pd.DataFrame
    end: pd.Timestamp

    def at(self, date: pd.Timestamp) -> float:
        """Return the index of a date, from the same day of the latest year known; missing if none is."""
        span, day = pd.Timedelta(days=WINDOW_DAYS), date
        while day + span > self.end:
            day -= pd.DateOffset(years=1)
        after, before = self._clients(day, day + span), self._clients(day - span, day)
        return float(np.log(after / before)) if after and before else float("nan")

    def _clients(self, start: pd.Timestamp, end: pd.Timestamp) -> int:
        inside = (self.orders["day"] >= start) & (self.orders["day"] < end)
        return self.orders.loc[inside, "customer_id"].nunique()


def client_features(trade: Trade, date: pd.Timestamp) -> pd.DataFrame:
    """Return the features at a date, index customer_id, of the clients with an order in 180 days."""
    known = trade.before(date)
    orders = known.orders.assign(age=(date - known.orders["day"]).dt.days)
    by = orders.groupby("customer_id")
    age = by["age"]
    frame = pd.DataFrame({"recency_days": age.min(), "orders": by.size()})
    frame = frame[frame["recency_days"] <= ACTIVE_DAYS]
    parts = [_rhythm(orders, frame), _law(age), _size(orders), _assortment(known)]
    for part in parts:
        frame = frame.join(part)
    returned = known.returns.groupby("customer_id")["day"].nunique()
    frame["return_days"] = returned.reindex(frame.index).fillna(0.0)
    frame["domestic"] = (trade.country.reindex(frame.index) == "United Kingdom").astype(float)
    return frame.astype(float)


def _rhythm(orders: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Gaps between orders, how many of them were longer than the present silence, and months with orders."""
    gap = -orders.groupby("customer_id")["age"].diff()
    client = orders["customer_id"]
    silence = client.map(frame["recency_days"])
    longer = (gap > silence).groupby(client).sum()
    recent = orders[orders["age"] <= ACTIVE_DAYS]
    month = recent["age"] // 30
    fading = np.exp(-orders["age"] / 45.0)
    return pd.DataFrame(
        {
            "gap_mean_days": gap.groupby(client).mean(),
            "longer_gaps_share": (longer + 0.5) / client.groupby(client).size(),
            "orders_90d": (orders["age"] <= 90).groupby(client).sum(),
            "active_months_6m": month.groupby(recent["customer_id"]).nunique(),
            "orders_fading": fading.groupby(client).sum(),
        }
    )


def _size(orders: pd.DataFrame) -> pd.DataFrame:
    """Amounts: of an order, of the last one, of 90 days, and fading with age."""
    client = orders["customer_id"]
    by = orders.groupby("customer_id")
    near = orders[orders["age"] <= 90].groupby("customer_id")["amount"].sum()
    fading = np.exp(-orders["age"] / 120.0) * orders["amount"]
    return pd.DataFrame(
        {
            "amount_mean": by["amount"].mean(),
            "amount_last": by["amount"].last(),
            "amount_90d": near.reindex(by.size().index).fillna(0.0),
            "amount_fading": fading.groupby(client).sum(),
            "lines_mean": by["lines"].mean(),
        }
    )


def _assortment(known: Trade) -> pd.DataFrame:
    """Different articles, and the share of lines whose article the client had bought before."""
    again = known.sales.duplicated(["customer_id", "item"])
    by = known.sales.groupby("customer_id")
    return pd.DataFrame(
        {"articles": by["item"].nunique(), "repeated_share": again.groupby(known.sales["customer_id"]).mean()}
    )


# ---- orders that stop --------------------------------------------------------------------------------------


def _law(age: pd.core.groupby.SeriesGroupBy) -> pd.DataFrame:
    """Log odds of no order in 90 days under the law of orders that stop."""
    span, recency, repeats = age.max(), age.min(), age.size() - 1
    law = fit_law(*(one.to_numpy(dtype=float) for one in (repeats, span - recency, span)))
    p = no_order(law, *(one.to_numpy(dtype=float) for one in (repeats, span - recency, span)))
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return pd.DataFrame({"no_order_log_odds": np.log(p / (1 - p))}, index=span.index)


def fit_law(repeats: np.ndarray, last: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Fit r, alpha, a, b: order rates are Gamma(r, alpha); after each order a client stops, Beta(a, b).

    `repeats` orders after the first, the last of them `last` days after it, `span` days seen in all.
    """

    def loss(logs: np.ndarray) -> float:
        r, alpha, a, b = np.exp(logs)
        common = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
        common += betaln(a, b + repeats) - betaln(a, b)
        there = -(r + repeats) * np.log(alpha + span)
        stopped = np.log(a / (b + np.maximum(repeats, 1) - 1)) - (r + repeats) * np.log(alpha + last)
        total = np.logaddexp(there, np.where(repeats > 0, stopped, -np.inf))
        return float(-(common + total).mean() + 1e-3 * (logs**2).sum())

    start = np.log([1.0, 60.0, 1.0, 3.0])
    return np.exp(minimize(loss, start, method="Nelder-Mead", options={"maxiter": 600}).x)


def no_order(law: np.ndarray, repeats: np.ndarray, last: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Probability of no order in the 90 days after: stopped, or there and silent."""
    r, alpha, a, b = law
    odds = a / (b + np.maximum(repeats, 1) - 1) * ((alpha + span) / (alpha + last)) ** (r + repeats)
    there = 1.0 / (1.0 + np.where(repeats > 0, odds, 0.0))
    silent = ((alpha + span) / (alpha + span + WINDOW_DAYS)) ** (r + repeats)
    return 1.0 - there + there * silent
