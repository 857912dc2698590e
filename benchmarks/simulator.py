"""The simulated book against the facts it is calibrated to, and what its oracle can do.

Prints, for a large book without a cycle: rates a year by cause and by sector, attrition in a twelve-month
window, silent labels that no fall of balances explains, the part of service and of price in the variance of
the log rate of leaving, survey shares; then the oracle's AUC and Brier score (the mean over futures from the
state at the date, own frailty unknown), with the cycle off and on. No model is fitted here: the constants
were fixed from these figures alone.

    python benchmarks/simulator.py --clients 3000 --futures 100
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import clientscore as cs

DATES = ("2022-01-01", "2023-01-01", "2024-01-01")
SEEDS = (0, 1, 2)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--clients", type=int, default=3000, help="clients at a time")
    arguments.add_argument("--futures", type=int, default=100, help="futures a date")
    options = arguments.parse_args()
    print(f"simulator version {cs.datasets.SIMULATOR_VERSION}")
    begin = time.process_time()
    book = cs.datasets.make_portfolio(options.clients, random_state=0, cycle=False)
    print(f"{options.clients:,} clients x 72 months in {time.process_time() - begin:.1f} CPU s\n")
    show_rates(book)
    show_window(book)
    show_service(book)
    show_surveys(book)
    for cycle in (False, True):
        show_oracle(options.clients, options.futures, cycle=cycle)


def show_rates(book: cs.datasets.Portfolio) -> None:
    """Print events a client-year: by cause, by year, defaults by sector."""
    interactions, events, clients = (book.tables[name] for name in ("interactions", "events", "clients"))
    years = len(interactions) / 12
    finals = events[events["event"].isin(["closure", "default", "repayment", "bank_exit"])]
    print("final events a client-year (facts: closure .10-.11, default .01-.03)")
    print((finals["event"].value_counts() / years).round(4).to_string(), "\n")
    by_year = pd.crosstab(finals["date"].dt.year, finals["event"])
    print((by_year.div(interactions["month"].dt.year.value_counts() / 12, axis=0)).round(4).to_string(), "\n")
    sector = clients.set_index("client_id")["industry"]
    defaults = finals.loc[finals["event"] == "default", "client_id"].map(sector).value_counts()
    exposure = interactions["client_id"].map(sector).value_counts() / 12
    print("defaults a client-year by sector (fact: .01-.03)")
    print((defaults / exposure).round(4).to_string(), "\n")


def show_window(book: cs.datasets.Portfolio) -> None:
    """Print what happens to the clients of a date in the twelve months after a month's lead."""
    y = cs.build_labels(book.tables, cs.ClientSchema.default(), list(DATES))
    churn, need = cs.labels.churn_target(y), cs.labels.need_target(y)
    print("in a window of twelve months, of the clients at risk (facts: silent twice hard; need .25)")
    shares = churn["event"].value_counts() / len(churn)
    print(shares.round(4).to_string())
    print(f"need {need['event'].eq('need').mean():.4f}, default {y['bad'].mean():.4f}")
    ratio = shares["silent_attrition"] / shares["hard_attrition"]
    amounts = np.log(need["amount"].dropna())
    print(f"silent / hard {ratio:.2f}; log amount: mean {amounts.mean():.2f}, sd {amounts.std():.2f}")
    spells = cs.labels.silent_spells(book.tables["interactions"])
    unexplained = unexplained_spells(book, spells)
    years = len(book.tables["interactions"]) / 12
    print(f"spells {len(spells):,}, without a fall behind them {unexplained / years:.5f} a client-year\n")


def unexplained_spells(book: cs.datasets.Portfolio, spells: pd.DataFrame) -> int:
    """Return the number of spells of silent attrition in whose last eight months no fall was under way."""
    rates = book.truth.hazards()
    fallen = rates.loc[rates["silent_attrition"] == 0, ["client_id", "month"]]
    explained = np.zeros(len(spells), dtype=bool)
    pairs = pd.MultiIndex.from_frame(fallen)
    for back in range(1, 9):
        month = spells["start"] - pd.DateOffset(months=back)
        explained |= pd.MultiIndex.from_arrays([spells["client_id"], month]).isin(pairs)
    return int((~explained).sum())


def show_service(book: cs.datasets.Portfolio) -> None:
    """Print effects and variance of the drivers of leaving."""
    variance = book.truth.service_variance()
    print("drivers of leaving: effect of a unit on the log rate, and variance of their part of it")
    print(book.truth.service_effects.join(variance.add_suffix(" variance").round(3)).to_string())
    share = 1 - variance.loc["price"] / variance.sum()
    told = ", ".join(f"{cause} {value:.0%}" for cause, value in share.items())
    print(f"service's share of it: {told}\n")


def show_surveys(book: cs.datasets.Portfolio) -> None:
    """Print what the surveys say."""
    surveys = book.tables["surveys"]
    unhappy = surveys["approval_satisfaction"].le(5).mean()
    print(f"want regular reports {surveys['wants_reports'].mean():.3f} (fact .70)")
    print(f"unhappy with approval speed {unhappy:.3f} (fact .65)\n")


def show_oracle(clients: int, futures: int, *, cycle: bool) -> None:
    """Print what the oracle reaches, several seeds."""
    print(f"oracle, cycle {'on' if cycle else 'off'}, {futures} futures a date")
    print("aims for the AUC: default .75-.85, attrition and need .70-.80")
    for seed in SEEDS:
        book = cs.datasets.make_portfolio(clients, random_state=seed, cycle=cycle)
        table = book.truth.oracle(DATES, futures, random_state=seed)
        print(f"seed {seed}")
        print(table.round(4).to_string())
    print()


if __name__ == "__main__":
    main()
