"""Bar 5: a simulated book whose law is known, without a sector cycle.

The model learns on a large book and is judged on a fresh one of the same law, whose true incidences are the
means over many futures simulated on from the state at the date. Log scores are expectations under the truth:
``E[p log q + (1 - p) log(1 - q)]`` is linear in the true p, so an unbiased estimate of p gives an unbiased
score of any model. The oracle's own score is not linear: half of the futures judge the other half (biased
down) and themselves (biased up by as much, to first order), and the mean of both is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

import clientscore as cs
from clientscore import metrics
from clientscore.labels import silent_spells
from common.page import Page, grid, short

from .rules import rule_score
from .run_off import run_off_features

if TYPE_CHECKING:
    from collections.abc import Sequence

CAUSES = ("hard_attrition", "silent_attrition", "default")
CHURN = ("hard_attrition", "silent_attrition")
TRAIN_DATES = ("2021-07-01", "2022-01-01", "2022-07-01", "2023-01-01", "2023-07-01", "2024-01-01")
TRUTH_DATES = ("2022-07-01", "2024-01-01")
ALERT_DATES = tuple(pd.date_range("2022-01-01", "2024-10-01", freq="QS"))
CAPACITIES = (0.02, 0.05, 0.10)
LEAST_SHARE = 0.85
FIT = {"max_rows": 600_000}  # of a large book: every exit, and a sample of the months that clients stayed
DERIVED = ("_rank", "_vs_history", "_change_1y", "_change_3y")  # of statements; service and flows stay whole


class Size(NamedTuple):
    """Clients at a time of both books, and futures a date (two halves)."""

    train: int
    test: int
    futures: int


@dataclass(frozen=True)
class Fresh:
    """The book that judges: features, labels and true incidences at the dates of the truth."""

    book: cs.datasets.Portfolio
    X: pd.DataFrame
    labels: pd.DataFrame
    halves: tuple[pd.DataFrame, pd.DataFrame]


def features(book: cs.datasets.Portfolio, dates: Sequence[object]) -> pd.DataFrame:
    """Return the library's features, ratios of statements without changes and ranks, and single months."""
    X = cs.build_features(book.tables, cs.ClientSchema.default(), list(dates))
    X = X.loc[:, [name for name in X if not name.endswith(DERIVED)]]
    return X.join(run_off_features(book.tables, X.index))


def learn(book: cs.datasets.Portfolio, dates: Sequence[str]) -> tuple[cs.ChurnModel, pd.DataFrame]:
    """Fit the churn model on the dates; returns it with the base rates by cause."""
    schema = cs.ClientSchema.default()
    X = features(book, dates)
    target = cs.labels.churn_target(cs.build_labels(book.tables, schema, list(dates)))
    X = X.loc[target.index]
    model = cs.ChurnModel(horizons=(3, 6, 12), random_state=0, **FIT).fit(X, target)
    return model, target["event"].value_counts() / len(target)


def fresh_book(size: Size, seed: int = 1) -> Fresh:
    """Simulate the book that judges."""
    schema = cs.ClientSchema.default()
    book = cs.datasets.make_portfolio(size.test, random_state=seed, cycle=False)
    dates = list(TRUTH_DATES)
    X = features(book, dates)
    labels = cs.build_labels(book.tables, schema, dates)
    halves = []
    for half in (0, 1):
        parts = {
            pd.Timestamp(date): book.truth.futures(date, size.futures, random_state=10 * seed + half).mean()
            for date in dates
        }
        halves.append(pd.concat(parts, names=["as_of"]).swaplevel())
    return Fresh(book, X, labels, (halves[0], halves[1]))


def log_score(p: np.ndarray, q: np.ndarray) -> float:
    """Return the expected log score of q where the truth is p, in nats a client."""
    return float((p * np.log(q) + (1 - p) * np.log1p(-q)).mean())


def shrunk(p: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return shares of few futures drawn towards their mean, as a beta law with their spread asks."""
    mean = np.average(p, weights=trials)
    noise = mean * (1 - mean) / np.mean(trials)
    spread = max(np.var(p) - noise, 1e-3 * mean * (1 - mean))
    prior = max(mean * (1 - mean) / spread - 1, 0.5)
    return (p * trials + mean * prior) / (trials + prior)


def shares(model: cs.ChurnModel, base: pd.Series, fresh: Fresh, futures: int) -> pd.DataFrame:
    """Return by cause the gain over the base rate of the model and of the oracle."""
    rows = []
    gone = model.predict_cumulative_incidence(fresh.X)
    a, b = (half.reindex(fresh.X.index) for half in fresh.halves)
    risk = [half["at_risk"].to_numpy(dtype=float) for half in (a, b)]
    at_risk = (np.minimum(*risk) > 0.5) & (fresh.labels["exit_duration"].to_numpy() > 0)
    for cause in CAUSES:
        column = f"{cause}_12m"
        pa, pb = (half.loc[at_risk, column].to_numpy(dtype=float) for half in (a, b))
        q = gone.loc[at_risk, (cause, 12)].to_numpy()
        p = (pa + pb) / 2
        flat = np.full(len(p), base[cause])
        halves = [shrunk(half, futures * one[at_risk]) for half, one in zip((pa, pb), risk, strict=True)]
        cross = (log_score(pb, halves[0]) + log_score(pa, halves[1])) / 2
        own = (log_score(pa, halves[0]) + log_score(pb, halves[1])) / 2
        floor = log_score(p, flat)
        oracle, ours = (cross + own) / 2 - floor, log_score(p, q) - floor
        y = fresh.labels.loc[at_risk, "exit_cause"].eq(cause).to_numpy(dtype=float)
        rows.append(
            {
                "cause": cause,
                "ours": ours,
                "oracle": oracle,
                "oracle_low": cross - floor,
                "oracle_high": own - floor,
                "share": ours / oracle,
                "mean": q.mean(),
                "true_mean": p.mean(),
                "auc": metrics.auc(y, q),
                "oracle_auc": metrics.auc(y, p),
                "clients": len(p),
            }
        )
    return pd.DataFrame(rows)


def kept_apart(model: cs.ChurnModel, fresh: Fresh) -> dict[str, float]:
    """Return how well the ratio of both incidences tells silent from hard leavers: ours and the oracle's."""
    gone = model.predict_cumulative_incidence(fresh.X)
    cause = fresh.labels["exit_cause"]
    left = cause.isin(CHURN).to_numpy()
    y = cause[left].eq("hard_attrition").to_numpy(dtype=float)
    ratio = np.log(gone[("hard_attrition", 12)] / gone[("silent_attrition", 12)]).to_numpy()[left]
    a, b = (half.reindex(fresh.X.index) for half in fresh.halves)
    hard, soft = (((a + b) / 2)[f"{cause}_12m"].to_numpy(dtype=float)[left] + 1e-3 for cause in CHURN)
    both = np.isfinite(hard) & np.isfinite(soft)
    return {
        "ours": metrics.auc(y, ratio),
        "oracle": metrics.auc(y[both], np.log(hard[both] / soft[both])),
        "leavers": float(left.sum()),
    }


def alerts(model: cs.ChurnModel, book: cs.datasets.Portfolio) -> pd.DataFrame:
    """Return precision, recall and lead time at capacities, of the model and of rules alone."""
    schema, dates = cs.ClientSchema.default(), list(ALERT_DATES)
    X = features(book, dates)
    target = cs.labels.churn_target(cs.build_labels(book.tables, schema, dates, lead=0))
    X = X.loc[target.index]
    y = target["event"].isin(CHURN).to_numpy(dtype=float)
    as_of = X.index.get_level_values("as_of")
    exits = churn_dates(book)
    scores = {"clientscore": model.predict_churn(X)[12].to_numpy(), "rules": rule_score(X).to_numpy()}
    rows = []
    for name, score in scores.items():
        for capacity in CAPACITIES:
            by_date = [as_of == date for date in dates]
            many = [capacity * d.sum() for d in by_date]
            pairs = list(zip(by_date, many, strict=True))
            precision = [metrics.precision_at_capacity(y[d], score[d], most) for d, most in pairs]
            recall = [metrics.recall_at_capacity(y[d], score[d], most) for d, most in pairs]
            # Equal scores of the rules are handled in the order of a fixed draw.
            order = pd.Series(score + 1e-9 * np.random.default_rng(0).random(len(score)), index=X.index)
            place = order.groupby(as_of).rank(pct=True, method="first")
            told = pd.DataFrame({"alert": (place > 1 - capacity).to_numpy()}, index=X.index)
            lead = metrics.lead_time(told, exits, window_periods=12)
            row = {"who": name, "capacity": capacity, "precision": float(np.mean(precision))}
            row |= {"recall": float(np.mean(recall)), "lead_months": lead.median_periods}
            rows.append({**row, "caught": lead.share_caught, "base": float(y.mean())})
    return pd.DataFrame(rows)


def churn_dates(book: cs.datasets.Portfolio) -> pd.DataFrame:
    """Return the exits in the time of the alerts: closures, and the start of each silent run-off."""
    events = book.tables["events"]
    closed = events.loc[events["event"] == "closure", ["client_id", "date"]]
    silent = silent_spells(book.tables["interactions"])[["client_id", "start"]].set_axis(
        ["client_id", "date"], axis=1
    )
    exits = pd.concat([closed, silent], ignore_index=True)
    first, last = ALERT_DATES[0], ALERT_DATES[-1]
    return exits[(exits["date"] > first) & (exits["date"] <= last)]


def run(size: Size, *, effects: bool = True) -> dict[str, object]:
    """Return everything the page shows."""
    from .book_effects import planted_effects  # noqa: PLC0415 - both read this module's dates

    book = cs.datasets.make_portfolio(size.train, random_state=0, cycle=False)
    model, base = learn(book, TRAIN_DATES)
    table = planted_effects(book) if effects else None
    del book
    fresh = fresh_book(size)
    return {
        "size": size,
        "shares": shares(model, base, fresh, size.futures),
        "apart": kept_apart(model, fresh),
        "alerts": alerts(model, fresh.book),
        "effects": table,
    }


def add(page: Page, found: dict[str, object]) -> None:
    """Add tables and bars."""
    table, size, apart = found["shares"], found["size"], found["apart"]
    rows = [
        [
            one.cause,
            f"{1000 * one.ours:.2f}",
            f"{1000 * one.oracle:.2f} [{1000 * one.oracle_low:.2f}, {1000 * one.oracle_high:.2f}]",
            f"{100 * one.share:.1f} %",
            f"{short(one.mean)} / {short(one.true_mean)}",
            f"{short(one.auc)} / {short(one.oracle_auc)}",
        ]
        for one in table.itertuples()
    ]
    note = (
        f"Learned on a book of {size.train:,} clients at {len(TRAIN_DATES)} dates, judged on a fresh one of "
        f"{size.test:,} at {len(TRUTH_DATES)} dates with 2 x {size.futures} futures. Gain in log score over "
        "the base rate, thousandths of a nat a client; the oracle's in brackets: halves of the futures "
        "judged by each other, and by themselves."
    )
    head = ["cause", "ours", "oracle", "share", "mean / true", "AUC, ours / oracle"]
    told = (
        f"Among {apart['leavers']:.0f} leavers the ratio of both incidences tells hard from silent with an "
        f"AUC of {short(apart['ours'])}; the oracle's ratio with {short(apart['oracle'])}."
    )
    page.add("A simulated book: share of the oracle", note, grid(head, rows), told)
    for one in table.itertuples():
        page.bar(
            f"5: {one.cause}, at least 85 % of the oracle's gain",
            f"{100 * one.share:.1f} %",
            bool(one.share >= LEAST_SHARE),
        )
    _add_effects(page, found["effects"])
    rows = [
        [
            one.who,
            f"{one.capacity:.0%}",
            short(one.precision, 3),
            short(one.recall, 3),
            f"{one.lead_months:.0f}",
            short(one.caught, 3),
        ]
        for one in found["alerts"].itertuples()
    ]
    base = found["alerts"]["base"].iloc[0]
    note = (
        f"Quarterly judgements on the fresh book, an exit within twelve months (base rate {short(base, 3)}); "
        "lead time from the first of the run of alerts that reaches the exit."
    )
    head = ["who", "capacity", "precision", "recall", "median lead, months", "exits caught"]
    page.add("A simulated book: alerts", note, grid(head, rows))


def _add_effects(page: Page, table: pd.DataFrame | None) -> None:
    if table is None:
        return
    rows = [
        [
            one.driver,
            one.cause,
            short(one.planted, 2),
            short(one.found, 3),
            f"{100 * one.error:+.0f} %",
            short(one.regression, 3),
        ]
        for one in table.itertuples()
    ]
    note = (
        "Effect of one unit on the log rate of leaving: what the simulator plants, and what a hazard of one "
        "month reads off the drivers at the month's start (silent leaving: its label in the fifth month). "
        "Beside it a logistic regression on the same drivers: frailties hide a part of every effect from it "
        "too, since the clients likeliest to leave have left."
    )
    head = ["driver", "cause", "planted", "found", "error", "regression"]
    page.add("A simulated book: planted effects", note, grid(head, rows))
    service = table[table["driver"] != "price"]
    within = service["error"].abs() <= 0.15
    page.bar(
        "5: planted service effects within 15 %", f"{int(within.sum())} of {len(within)}", bool(within.all())
    )
