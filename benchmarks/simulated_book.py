"""The chain on simulated books, against the true law.

``mean``: books without a sector cycle. The mean predicted churn, default and need at the test dates beside
the true means (averages over futures simulated on from the state at the date), and the coverage of the 90 %
amount interval on the realized amounts.

``cycle``: books with a cycle. In how many the 95 % interval of the forecast rate holds the realized rate, and
its mean width beside that of the historical rate's own spread (1.96 standard deviations of the realized
rates of the training dates on each side, never narrower than the binomial interval).

Run ``python benchmarks/simulated_book.py mean`` or ``cycle``; ``--help`` shows the sizes.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

import clientscore as cs

TEST_DATES = ["2024-09-01", "2024-12-01"]
RATES = {"churn": "churn_12m", "default": "pd", "need": "need_probability_12m"}


def main() -> None:
    """Run one part and print its table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("part", choices=["mean", "cycle"])
    arguments.add_argument("--clients", type=int, help="clients a book; 20,000 for mean, 2,000 for cycle")
    arguments.add_argument("--books", type=int, help="books; 5 for mean, 40 for cycle")
    arguments.add_argument("--futures", type=int, default=20, help="futures a date for the true means")
    arguments.add_argument("--jobs", type=int, default=1, help="books at a time")
    options = arguments.parse_args()
    books = options.books or {"mean": 5, "cycle": 40}[options.part]
    clients = options.clients or {"mean": 20_000, "cycle": 2_000}[options.part]
    run = {"mean": one_mean, "cycle": one_cycle}[options.part]
    rows = Parallel(n_jobs=options.jobs)(
        delayed(run)(seed, clients, options.futures) for seed in range(books)
    )
    table = pd.concat(rows, ignore_index=True)
    print(table.round(4).to_string(index=False))
    {"mean": show_mean, "cycle": show_cycle}[options.part](table)


def one_mean(seed: int, clients: int, futures: int) -> pd.DataFrame:
    """Return predicted and true means, and amount coverage, of one book without a cycle."""
    book = cs.datasets.make_portfolio(n_clients=clients, n_months=72, random_state=seed, cycle=False)
    model = fit_before(book.tables, TEST_DATES[0])
    rows = []
    for date in TEST_DATES:
        forecast = model.assess(book.tables, as_of=date).frame().set_index("client_id")
        truth = book.truth.futures(date, futures, random_state=seed).mean().reindex(forecast.index)
        covered, drawings = amount_coverage(book.tables, model, forecast, date)
        for name, column in RATES.items():
            both = forecast[column].notna() & truth[column].notna()
            predicted, true = forecast.loc[both, column].mean(), truth.loc[both, column].mean()
            rows.append(
                {
                    "seed": seed,
                    "as_of": date,
                    "rate": name,
                    "predicted": predicted,
                    "true": true,
                    "relative_error": predicted / true - 1,
                    "amounts": drawings,
                    "amounts_covered": covered,
                }
            )
    return pd.DataFrame(rows)


def one_cycle(seed: int, clients: int, futures: int) -> pd.DataFrame:  # noqa: ARG001 - the same call for both parts
    """Return the forecast interval and the realized rate of one book with a cycle."""
    book = cs.datasets.make_portfolio(n_clients=clients, n_months=72, random_state=1000 + seed)
    date = TEST_DATES[-1]
    model = fit_before(book.tables, date)
    rates = model.assess(book.tables, as_of=date).rates.set_index("rate")
    realized = realized_rates(book.tables, model, date)
    rows = []
    for name in RATES:
        past = model.rate_history_.query("rate == @name")
        center = past["realized"].mean()
        binomial = np.sqrt(center * (1 - center) / rates.at[name, "n"])
        spread = max(past["realized"].std(ddof=1), binomial)
        row = rates.loc[name]
        rows.append(
            {
                "seed": seed,
                "rate": name,
                "predicted": row["predicted"],
                "lower": row["lower"],
                "upper": row["upper"],
                "realized": realized[name],
                "held": row["lower"] <= realized[name] <= row["upper"],
                "width": row["upper"] - row["lower"],
                "historical_width": 2 * 1.96 * spread,
            }
        )
    return pd.DataFrame(rows)


def fit_before(tables: dict[str, pd.DataFrame], date: str) -> cs.ClientModel:
    """Fit the default model on every default training date whose window had closed by a date."""
    model = cs.ClientModel(random_state=0)
    dates = model.training_dates(tables)
    return model.fit(tables, as_of=[d for d in dates if d + pd.DateOffset(months=13) <= pd.Timestamp(date)])


def realized_rates(tables: dict[str, pd.DataFrame], model: cs.ClientModel, date: str) -> dict[str, float]:
    """Return the realized default, churn and need rates of the clients at a date."""
    y = cs.build_labels(tables, model.schema_, [date])
    churn, need = cs.labels.churn_target(y), cs.labels.need_target(y)
    return {
        "churn": float(churn["event"].isin(model.schema_.churn_causes).mean()),
        "default": float(y["bad"].mean()),
        "need": float(need["event"].eq("need").mean()),
    }


def amount_coverage(
    tables: dict[str, pd.DataFrame], model: cs.ClientModel, forecast: pd.DataFrame, date: str
) -> tuple[float, int]:
    """Return the share of realized amounts inside their interval, and their number."""
    y = cs.build_labels(tables, model.schema_, date)
    amounts = y["need_amount"].dropna()
    inside = forecast.loc[amounts.index]
    held = amounts.between(inside["need_amount_lower"], inside["need_amount_upper"])
    return float(held.mean()), len(amounts)


def show_mean(table: pd.DataFrame) -> None:
    error = table.groupby("rate")["relative_error"].agg(["mean", "std", lambda e: e.abs().max()])
    error.columns = ["mean relative error (bar: within .05)", "standard deviation", "largest"]
    print(error.round(4).to_string())
    dates = table.drop_duplicates(["seed", "as_of"])
    covered = np.average(dates["amounts_covered"], weights=dates["amounts"])
    total = dates["amounts"].sum()
    print(f"amounts given need inside the 90 % interval: {covered:.4f} of {total:,} (bar: .87-.93)")


def show_cycle(table: pd.DataFrame) -> None:
    grouped = table.groupby("rate")
    summary = (
        grouped[["width", "historical_width"]].mean().assign(held=grouped["held"].sum(), books=grouped.size())
    )
    print(summary.round(4).to_string())


if __name__ == "__main__":
    main()
