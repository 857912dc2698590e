"""Churn against its peers: one event, competing causes, companies, a wholesaler, a simulated book, speed.

Run ``OMP_NUM_THREADS=1 CLIENTSCORE_DATA=/path/to/data python benchmarks/churn.py all --write`` in the
environment for development. Predictions are kept in ``--cache`` by versions, settings, split and data (ours:
by source), so that a rerun fits only what has changed; ``fill`` fits what is missing and prints nothing else.
The test periods (companies from 2015, the wholesaler from March 2011) are read only with ``--final``, which
adds date, commit and every figure to ``docs/benchmarks/readings.csv``; without it the same is run on earlier
years and months.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from churn_parts import book, companies, flchain, retail, speed, synthetic
from churn_parts.cache import Cache
from churn_parts.models import MODELS, OURS
from common.command import clean_commit, publish, read_times, run_parts
from common.page import Page, add_lines
from common.repository import REPOSITORY, count_readings

PAGE = REPOSITORY / "docs" / "benchmarks" / "churn.md"
SOURCE = "benchmarks/churn.py"
PARTS = ("flchain", "synthetic", "companies", "retail", "book", "speed")
PACKAGES = ("numpy", "pandas", "scikit-learn", "lightgbm", "scikit-survival", "hazardous", "lifelines")
QUICK_MODELS = (OURS, "population", "cox (scikit-survival)", "lightgbm hazard")


def main() -> None:
    """Run what is asked for, print the page, and write it where wanted."""
    options = read_options()
    commit, page = clean_commit(options), Page("Churn, measured")
    run_parts(page, options, RUN, source=SOURCE, commit=commit)
    if options.what == "fill":
        return
    said = [read_times(count_readings(SOURCE))]
    publish(page, options, PAGE, source=SOURCE, commit=commit, packages=PACKAGES, said=said)


def read_options() -> argparse.Namespace:
    """Return the options of the command line, with parts and models as lists."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("what", nargs="?", default="all", choices=(*PARTS, "all", "fill"))
    arguments.add_argument("--parts", help="parts, with commas between; default all, or the one named")
    arguments.add_argument("--models", help="models, with commas between; default all")
    arguments.add_argument("--final", action="store_true", help="read the test periods, and log it")
    arguments.add_argument(
        "--seeds", type=int, default=10, help="splits of flchain, draws of the synthetic set"
    )
    arguments.add_argument("--clients", type=int, default=50_000, help="clients of the simulated book")
    arguments.add_argument("--fresh", type=int, default=4_000, help="clients of the book that judges")
    arguments.add_argument("--futures", type=int, default=150, help="futures a date and half")
    arguments.add_argument("--jobs", type=int, default=1, help="splits fitted side by side")
    arguments.add_argument("--quick", action="store_true", help="few rows, splits and models")
    arguments.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    arguments.add_argument("--data", default=os.environ.get("CLIENTSCORE_DATA", "../shared/data"))
    arguments.add_argument("--cache", default="out/benchmarks/churn-cache")
    options = arguments.parse_args()
    named = PARTS if options.what in ("all", "fill") else (options.what,)
    options.parts = options.parts.split(",") if options.parts else list(named)
    known = QUICK_MODELS if options.quick else tuple(MODELS)
    options.models = options.models.split(",") if options.models else list(known)
    unknown = [*({*options.parts} - {*PARTS}), *({*options.models} - {*MODELS})]
    if unknown:
        arguments.error(f"unknown: {', '.join(unknown)}; known: {', '.join([*PARTS, *MODELS])}")
    if OURS not in options.models:
        options.models.insert(0, OURS)
    return options


def run_flchain(page: Page, options: argparse.Namespace) -> None:
    data = flchain.load_flchain(2 if options.quick else options.seeds, 1_500 if options.quick else None)
    cache = Cache(Path(options.cache))
    cache.fill(data, options.models, options.jobs)
    flchain.add(page, flchain.measure(data, options.models, cache))


def run_synthetic(page: Page, options: argparse.Namespace) -> None:
    seeds, rows = (range(2), 2_000) if options.quick else (range(options.seeds), synthetic.ROWS)
    synthetic.add(page, synthetic.measure(seeds, rows, options.models, Cache(Path(options.cache))))


def run_companies(page: Page, options: argparse.Namespace) -> list[dict[str, object]]:
    cache, folder = Cache(Path(options.cache)), Path(options.data)
    few = 800 if options.quick else None
    data, test = companies.load(folder, cache.folder, final=options.final, n_companies=few)
    tables = companies.measure(data, test, options.models, cache)
    companies.add(page, tables, final=options.final)
    return companies.readings(tables) if options.final else []


def run_retail(page: Page, options: argparse.Namespace) -> list[dict[str, object]]:
    trade, panel = retail.load(Path(options.data), final=options.final)
    table = retail.measure(trade, panel, final=options.final)
    retail.add(page, table, final=options.final)
    return retail.readings(table) if options.final else []


def run_book(page: Page, options: argparse.Namespace) -> None:
    size = (
        book.Size(800, 200, 10)
        if options.quick
        else book.Size(options.clients, options.fresh, options.futures)
    )
    book.add(page, book.run(size, effects=not options.quick))


def run_speed(page: Page, options: argparse.Namespace) -> None:
    rows, train = (20_000, 5_000) if options.quick else (1_000_000, speed.TRAIN_ROWS)
    note = "CPU seconds on one thread, once, in a process of its own."
    add_lines(page, "Speed", note, speed.lines(rows, train), prefix="6: ")


RUN = {
    "flchain": run_flchain,
    "synthetic": run_synthetic,
    "companies": run_companies,
    "retail": run_retail,
    "book": run_book,
    "speed": run_speed,
}

if __name__ == "__main__":
    main()
