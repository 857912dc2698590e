"""Bar 4: a simulated book whose law is known: expected amounts, totals, months, purposes and products.

The forecaster learns on a large book and is judged on a fresh one of the same law.  The true expected amount
of a client is its mean over futures simulated on from the state at the date; the noise of few futures adds
the same to the squared error of every model, and is estimated from two halves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

import clientscore as cs
from clientscore import metrics
from common.page import Page, grid, short
from scoring_parts.peers import lightgbm_settings, run_lightgbm

from .models import LEVELS, hurdle_amounts

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAIN_DATES = ("2021-04-01", "2021-07-01", "2021-10-01", "2022-01-01", "2022-04-01", "2022-07-01")
TRUTH_DATES = ("2023-07-01", "2024-01-01")
HORIZONS = (3, 6, 12)
DERIVED = ("_rank", "_vs_history", "_change_1y", "_change_3y")  # of statements; conduct and flows stay whole
MOST_TOTAL = 0.03
ENOUGH_ROWS = 60_000  # client-dates the hurdle learns on, as many as ours reads person-periods of
OURS, HURDLE, BASE = "clientscore", "hurdle LightGBM", "base rate and mean"


class Size(NamedTuple):
    """Clients of both books, futures a date, and the seeds of the books."""

    train: int
    test: int
    futures: int
    seeds: tuple[int, int] = (0, 1)


def table(book: cs.datasets.Portfolio, dates: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return features with the industry, and what happened."""
    schema = cs.ClientSchema.default()
    X = cs.build_features(book.tables, schema, list(dates))
    X = X.loc[:, [name for name in X if not name.endswith(DERIVED) and X[name].notna().any()]]
    X["industry"] = cs.build_context(book.tables, schema, list(dates))["industry"]
    target = cs.labels.need_target(cs.build_labels(book.tables, schema, list(dates)))
    return X, target


def run(size: Size) -> dict[str, Any]:
    """Learn, forecast the fresh book, and judge."""
    book = cs.datasets.make_portfolio(size.train, random_state=size.seeds[0], cycle=False)
    X, target = table(book, TRAIN_DATES)
    X = X.loc[target.index]
    need = cs.FinancingNeedForecaster(horizons=HORIZONS, max_rows=150_000, random_state=0)
    need.fit(X, target)
    fresh = cs.datasets.make_portfolio(size.test, random_state=size.seeds[1], cycle=False)
    X_test, happened = table(fresh, TRUTH_DATES)
    X_test = X_test.reindex(columns=X.columns)
    halves = [_truth(fresh, size.futures, half).reindex(X_test.index) for half in (0, 1)]
    said = need.predict(X_test)
    hurdle = _hurdle(X, target, X_test)
    drawn = target["event"].eq("need")
    usual = float(drawn.mean() * target.loc[drawn, "amount"].mean())
    expected = {
        OURS: said["amount_expected"].to_numpy(),
        HURDLE: hurdle,
        BASE: np.full(len(X_test), usual),
    }
    return {
        "size": size,
        "amounts": _amounts(expected, halves, pd.factorize(X_test.index.get_level_values(0))[0]),
        "months": _months(need, X_test, happened),
        "hits": _hits(need, book, X, target, fresh, X_test, happened),
        "coverage": _coverage(said, happened),
    }


def _truth(book: cs.datasets.Portfolio, futures: int, half: int) -> pd.DataFrame:
    parts = {
        pd.Timestamp(date): book.truth.futures(date, futures // 2, random_state=10 + half).mean()
        for date in TRUTH_DATES
    }
    return pd.concat(parts, names=["as_of"]).swaplevel()


def _hurdle(X: pd.DataFrame, target: pd.DataFrame, X_test: pd.DataFrame) -> np.ndarray:
    """Return the expected amount by bagged LightGBM: chance of a need, times its mean."""
    known = target["event"].notna() | (target["duration"] >= max(HORIZONS))
    rows = known[known].sample(min(int(known.sum()), ENOUGH_ROWS), random_state=0).index
    levels = pd.CategoricalDtype(sorted(X["industry"].dropna().unique()))
    coded = [
        one.assign(industry=one["industry"].astype(levels).cat.codes.astype(float)) for one in (X, X_test)
    ]
    y = target.loc[rows, "event"].eq("need").to_numpy(dtype=float)
    train = coded[0].loc[rows].reset_index(drop=True)
    clients = pd.factorize(rows.get_level_values(0))[0]
    p = run_lightgbm(train, y, clients, coded[1].reset_index(drop=True), lightgbm_settings(10**5, 1))
    drawn = target["event"].eq("need") & target["amount"].notna()
    amounts = target.loc[drawn, "amount"].to_numpy()
    who = pd.factorize(target.index[drawn].get_level_values(0))[0]
    _, mean = hurdle_amounts(coded[0].loc[drawn].reset_index(drop=True), amounts, who, coded[1], LEVELS)
    return p * mean


def _amounts(
    expected: dict[str, np.ndarray], halves: list[pd.DataFrame], clients: np.ndarray
) -> pd.DataFrame:
    """Return root mean squared errors to the true expected amount, less the noise of the futures; totals.

    The standard error of the ratio of totals is by client of the fresh book: what no table shows of a client
    (its frailty) makes the totals of two books of one law differ.
    """
    a, b = (half["need_amount_expected"].to_numpy() for half in halves)
    known = ~np.isnan(a) & ~np.isnan(b)
    true, noise = (a + b)[known] / 2, float(np.mean((a - b)[known] ** 2) / 4)
    rows = []
    for name, values in expected.items():
        error = float(np.mean((values[known] - true) ** 2))
        row = {"model": name, "rmse": np.sqrt(max(error - noise, 0.0)), "raw": np.sqrt(error)}
        ratio = metrics.total_ratio(true, values[known])
        pull = np.bincount(clients[known], (values[known] - ratio * true) / true.sum())
        row |= {"ratio": ratio, "error": np.sqrt(np.sum(pull**2)), "clients": int(known.sum())}
        rows.append(row | {"rank": stats.spearmanr(values[known], true).statistic})
    return pd.DataFrame(rows).assign(noise=np.sqrt(noise))


def _months(need: cs.FinancingNeedForecaster, X: pd.DataFrame, happened: pd.DataFrame) -> pd.DataFrame:
    """Return predicted and realized needs by month of the window, over all clients."""
    rows = X.index.intersection(happened.index)
    predicted = need.predict_month(X.loc[rows]).sum()
    drawn = happened.loc[rows, "event"].eq("need")
    realized = happened.loc[rows, "duration"][drawn].value_counts().reindex(predicted.index, fill_value=0)
    found = pd.DataFrame({"predicted": predicted, "realized": realized})
    found["errors_away"] = (found["realized"] - found["predicted"]) / np.sqrt(found["predicted"])
    return found


def _coverage(said: pd.DataFrame, happened: pd.DataFrame) -> tuple[float, int]:
    amount = happened["amount"].dropna()
    inside = said.loc[said.index.intersection(amount.index)]
    held = amount.loc[inside.index].between(inside["amount_lower"], inside["amount_upper"])
    return float(held.mean()), len(held)


def _first_drawings(book: cs.datasets.Portfolio, happened: pd.DataFrame) -> pd.DataFrame:
    """Return purpose and product of the first drawing of each row with a need."""
    drawn = happened[happened["event"].eq("need")].reset_index()
    events = book.tables["events"]
    events = events[events["event"] == "drawing"]
    joined = drawn[["client_id", "as_of"]].merge(
        events[["client_id", "date", "purpose", "product"]], on="client_id"
    )
    start = joined["as_of"] + pd.DateOffset(months=1)
    joined = joined[(joined["date"] >= start) & (joined["date"] < joined["as_of"] + pd.DateOffset(months=13))]
    return joined.sort_values("date").groupby(["client_id", "as_of"])[["purpose", "product"]].first()


def _hits(
    need: cs.FinancingNeedForecaster,
    book: cs.datasets.Portfolio,
    X: pd.DataFrame,
    target: pd.DataFrame,
    fresh: cs.datasets.Portfolio,
    X_test: pd.DataFrame,
    happened: pd.DataFrame,
) -> pd.DataFrame:
    """Return how often purpose and product are among the two likeliest: ours, and the industry alone."""
    past, now = _first_drawings(book, target), _first_drawings(fresh, happened)
    now = now.loc[now.index.intersection(X_test.index)]
    said = need.predict(X_test.loc[now.index])
    past = past.join(X["industry"])
    rows = []
    for kind in ("purpose", "product"):
        names = sorted(past[kind].dropna().unique())
        real = now[kind]
        columns = [f"{kind}_{name}" for name in names if f"{kind}_{name}" in said]
        ours = said[columns].to_numpy(dtype=float)
        labels = np.array([name.removeprefix(f"{kind}_") for name in columns], dtype=object)
        top = labels[np.argsort(-np.nan_to_num(ours, nan=-1.0), axis=1)[:, :2]]
        map_ = past.groupby("industry")[kind].agg(lambda s: tuple(s.value_counts().index[:2]))
        by_industry = X_test.loc[now.index, "industry"].map(map_)
        known = real.notna().to_numpy()
        hit = (top == real.to_numpy()[:, None]).any(axis=1)
        alone = [
            one in pair if isinstance(pair, tuple) else False
            for one, pair in zip(real, by_industry, strict=True)
        ]
        row = {"what": kind, "ours": hit[known].mean(), "industry": np.mean(np.array(alone)[known])}
        rows.append({**row, "needs": int(known.sum()), "names": len(names)})
    return pd.DataFrame(rows)


def add(page: Page, found: dict[str, Any]) -> None:
    """Add tables and bars."""
    size, amounts, months = found["size"], found["amounts"], found["months"]
    noise = amounts["noise"].iloc[0]
    rows = [
        [
            one.model,
            f"{one.rmse:,.0f}",
            f"{one.raw:,.0f}",
            short(one.ratio, 4),
            short(one.error, 4),
            short(one.rank, 3),
        ]
        for one in amounts.itertuples()
    ]
    note = (
        f"Learned on {size.train:,} clients at {len(TRAIN_DATES)} dates, judged on {size.test:,} others at "
        f"{len(TRUTH_DATES)}; truth: the mean over {size.futures} futures, with a noise of {noise:,.0f}. "
        f"Books {size.seeds[0]} and {size.seeds[1]}; the standard error of the total is by client judged; "
        "those learned from add their own."
    )
    head = ["model", "RMSE to the truth", "with the futures' noise", "total / true total", "standard error"]
    head.append("rank correlation")
    page.add("A simulated book: the expected amount of twelve months", note, grid(head, rows))
    by = amounts.set_index("model")
    figure = f"{by.at[OURS, 'rmse']:,.0f} against {by.at[HURDLE, 'rmse']:,.0f}"
    page.bar(
        "4: RMSE to the true expected amount below hurdle LightGBM",
        figure,
        bool(by.at[OURS, "rmse"] < by.at[HURDLE, "rmse"]),
    )
    ratio, error = by.at[OURS, "ratio"], by.at[OURS, "error"]
    figure = f"{short(ratio, 4)}, standard error {short(error, 4)}"
    page.bar("4: total within 3 % of the true", figure, bool(abs(ratio - 1) <= MOST_TOTAL))
    _add_months(page, months)
    rows = [
        [one.what, f"{one.ours:.1%}", f"{one.industry:.1%}", f"{one.names}", f"{one.needs:,}"]
        for one in found["hits"].itertuples()
    ]
    share, n = found["coverage"]
    note = f"Hit rate of the two likeliest. The 90 % interval of the amount holds {share:.1%} of {n:,}."
    head = ["what", "ours", "the two most frequent of the industry", "names", "needs"]
    page.add("A simulated book: purpose and product", note, grid(head, rows))


def _add_months(page: Page, months: pd.DataFrame) -> None:
    rows = [
        [str(one.Index), f"{one.predicted:.0f}", f"{one.realized:.0f}", f"{one.errors_away:+.1f}"]
        for one in months.itertuples()
    ]
    chi = float((months["errors_away"] ** 2).sum())
    p = float(stats.chi2.sf(chi, len(months)))
    note = "Needs by month of the window, predicted and realized, in Poisson standard errors."
    page.add(
        "A simulated book: the month of need",
        note,
        grid(["month", "predicted", "realized", "errors away"], rows),
    )
    page.bar(
        "4: month of need calibrated, chi-squared over the months",
        f"{chi:.1f} on {len(months)}, p = {p:.2f}",
        bool(p > 0.01),
    )
