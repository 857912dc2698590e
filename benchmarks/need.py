"""Financing need against its peers: listed companies, a wholesaler, a simulated book, speed.

Run ``OMP_NUM_THREADS=1 CLIENTSCORE_DATA=/path/to/data python benchmarks/need.py all --write`` in an
environment that has interpret-core and MAPIE beside the library; a peer that is not installed is left out.
Predictions are kept in ``--cache`` by versions, settings, split and data (ours: by source), so that a rerun
fits only what has changed. The test periods (companies from 2015, the wholesaler from March 2011) are read
only with ``--final``, which adds date, commit and every figure to ``docs/benchmarks/readings.csv``; without
it the same is run on earlier years and months.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from common.command import clean_commit, publish, read_times, run_parts
from common.page import Page
from common.repository import REPOSITORY, count_readings
from need_parts import amounts, book, chance, retail, speed
from need_parts.cache import Cache
from need_parts.data import TARGETS, load_panel

PAGE = REPOSITORY / "docs" / "benchmarks" / "need.md"
SOURCE = "benchmarks/need.py"
PARTS = ("chance", "amounts", "retail", "book", "speed")
PACKAGES = ("numpy", "pandas", "scikit-learn", "lightgbm", "interpret-core", "mapie")


def main() -> None:
    """Run what is asked for, print the page, and write it where wanted."""
    options = read_options()
    commit, page = clean_commit(options), Page("Financing need, measured")
    run_parts(page, options, RUN, source=SOURCE, commit=commit)
    said = [read_times(count_readings(SOURCE))]
    publish(page, options, PAGE, source=SOURCE, commit=commit, packages=PACKAGES, said=said)


def read_options() -> argparse.Namespace:
    """Return the options of the command line, with parts as a list."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("what", nargs="?", default="all", choices=(*PARTS, "all"))
    arguments.add_argument("--parts", help="parts, with commas between; default all, or the one named")
    arguments.add_argument("--final", action="store_true", help="read the test periods, and log it")
    arguments.add_argument("--targets", default=",".join(TARGETS), help="of the companies; default both")
    arguments.add_argument("--clients", type=int, default=50_000, help="clients of the simulated book")
    arguments.add_argument("--fresh", type=int, default=50_000, help="clients of the book that judges")
    arguments.add_argument("--futures", type=int, default=20, help="futures a date")
    arguments.add_argument(
        "--seeds", default="100,101", help="of the book that learns and the one that judges"
    )
    arguments.add_argument("--quick", action="store_true", help="few companies, clients and rows")
    arguments.add_argument("--no-ebm", action="store_true", help="leave EBM out")
    arguments.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    arguments.add_argument("--data", default=os.environ.get("CLIENTSCORE_DATA", "../shared/data"))
    arguments.add_argument("--cache", default="out/benchmarks/need-cache")
    options = arguments.parse_args()
    named = PARTS if options.what == "all" else (options.what,)
    options.parts = options.parts.split(",") if options.parts else list(named)
    unknown = {*options.parts} - {*PARTS}
    if unknown:
        arguments.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    return options


def run_chance(page: Page, options: argparse.Namespace) -> list[dict[str, object]]:
    logged: list[dict[str, object]] = []
    for target in options.targets.split(","):
        panel, cache = _panel(options, target)
        ebm = target == "debt" and not (options.no_ebm or options.quick)
        found = chance.measure(panel, cache, ebm=ebm)
        chance.add(page, found, cache, final=options.final)
        logged += chance.readings(found)
    return logged if options.final else []


def run_amounts(page: Page, options: argparse.Namespace) -> list[dict[str, object]]:
    panel, cache = _panel(options, "debt")
    found = amounts.measure(panel, cache)
    amounts.add(page, found, cache, final=options.final)
    return amounts.readings(found) if options.final else []


def _panel(options: argparse.Namespace, target: str) -> tuple[object, Cache]:
    folder = Path(options.cache)
    few = 800 if options.quick else None
    panel = load_panel(Path(options.data), folder, target, final=options.final, n_companies=few)
    return panel, Cache(folder / "companies")


def run_retail(page: Page, options: argparse.Namespace) -> list[dict[str, object]]:
    found = retail.measure(Path(options.data), Cache(Path(options.cache) / "retail"), final=options.final)
    retail.add(page, found, final=options.final)
    return retail.readings(found) if options.final else []


def run_book(page: Page, options: argparse.Namespace) -> None:
    learns, judges = map(int, options.seeds.split(","))
    counts = (1_500, 400, 10) if options.quick else (options.clients, options.fresh, options.futures)
    book.add(page, book.run(book.Size(*counts, (learns, judges))))


def run_speed(page: Page, options: argparse.Namespace) -> None:
    rows, train = (20_000, 5_000) if options.quick else (1_000_000, speed.TRAIN_ROWS)
    speed.add(page, rows, train)


RUN = {
    "chance": run_chance,
    "amounts": run_amounts,
    "retail": run_retail,
    "book": run_book,
    "speed": run_speed,
}

if __name__ == "__main__":
    main()
