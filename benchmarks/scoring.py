"""The score against its peers: quality, the listed companies, calibration, speed.

Run ``OMP_NUM_THREADS=1 CLIENTSCORE_DATA=/path/to/data python benchmarks/scoring.py all --write`` in the
environment of ``requirements/bench.lock``. Predictions are kept in ``--cache`` by versions, settings, split
and data (ours: by source), so that a rerun fits only what has changed; ``fill`` fits what is missing and
prints nothing else. Only folds before 2015 of the listed companies are read, unless ``--final``, which reads
the test years and adds date, commit and every figure to ``docs/benchmarks/readings.csv``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from common.command import clean_commit, publish
from common.page import Page
from common.repository import REPOSITORY, count_readings, log_readings
from scoring_parts import calibration, speed
from scoring_parts.cache import Cache
from scoring_parts.page import PACKAGES, add_calibration, add_quality, add_speed, add_us
from scoring_parts.peers import MODELS
from scoring_parts.quality import CARD, SetResult, measure
from scoring_parts.sets import load, set_names

if TYPE_CHECKING:
    from common.timing import Line

PAGE = REPOSITORY / "docs" / "benchmarks" / "scoring.md"
SOURCE = "benchmarks/scoring.py"
EXAMPLE = "examples/us_companies/run.py"  # reads the same test years
QUICK_SETS = ("german", "ibrd_cancellation", "berka_card")
QUICK_MODELS = (CARD, "base rate", "logistic", "hist gradient boosting")


def main() -> None:
    """Run what is asked for, print the page, and write it where wanted."""
    options = read_options()
    if options.what == "fill":
        fill(options)
        return
    commit, page = clean_commit(options), Page("The score, measured")
    if options.what in ("quality", "us", "calibration", "all"):
        add_results(page, options, commit)
    if options.what in ("speed", "all"):
        add_speed(page, time_all(options))
    publish(page, options, PAGE, source=SOURCE, commit=commit, packages=PACKAGES)


def read_options() -> argparse.Namespace:
    """Return the options of the command line, with sets and models as lists."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = ("quality", "us", "calibration", "speed", "all", "fill")
    arguments.add_argument("what", nargs="?", default="quality", choices=parts)
    arguments.add_argument("--sets", help="names, with commas between; default all")
    arguments.add_argument("--models", help="names, with commas between; default all")
    arguments.add_argument("--final", action="store_true", help="read the test years, and log it")
    arguments.add_argument("--jobs", type=int, default=1, help="sets measured side by side")
    arguments.add_argument("--quick", action="store_true", help="small sets, quick models, few rows")
    arguments.add_argument("--kept", action="store_true", help="fit no peer: count only what is kept")
    arguments.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    arguments.add_argument("--data", default=os.environ.get("CLIENTSCORE_DATA", "../shared/data"))
    arguments.add_argument("--cache", default="out/benchmarks/scoring-cache")
    options = arguments.parse_args()
    names = QUICK_SETS if options.quick else set_names()
    models = QUICK_MODELS if options.quick else tuple(MODELS)
    options.sets = options.sets.split(",") if options.sets else list(names)
    options.models = options.models.split(",") if options.models else list(models)
    unknown = [*({*options.sets} - {*set_names()}), *({*options.models} - {*MODELS})]
    if unknown:
        arguments.error(f"unknown: {', '.join(unknown)}; known: {', '.join([*set_names(), *MODELS])}")
    return options


def fill(options: argparse.Namespace) -> None:
    """Fit what is not kept, model by model, and print CPU seconds for information."""
    cache, total = Cache(Path(options.cache)), 0.0
    for model in options.models:
        for name in options.sets:
            data = load(name, Path(options.data), cache.folder, final=options.final)
            made = [cache.get(MODELS[model], data, split) for split in data.splits]
            found = [one for one in made if one is not None]
            seconds = sum(one.seconds for one in found)
            total += seconds
            errors = "; ".join({one.error for one in found if one.error})
            print(f"{name:<24}{model:<24}{seconds:8.1f} s {found[0].note} {errors}", flush=True)
    print(f"total {total:.0f} CPU s, kept ones included")


def add_results(page: Page, options: argparse.Namespace, commit: str) -> None:
    """Add bars 1, 2 and 5: everything that needs predictions."""
    names = [name for name in options.sets if options.what != "us" or name.startswith("us_")]
    results = measure_all(options, names)
    if options.final:
        log_reading([one for one in results if one.name.startswith("us_")], commit)
    if options.what in ("quality", "all"):
        add_quality(page, results)
    if options.what in ("quality", "us", "all"):
        add_us(page, results, count_readings(SOURCE, EXAMPLE), final=options.final)
    if options.what in ("calibration", "all"):
        cache = Path(options.cache)
        large = [one for one in results if one.large and CARD in one.parts]
        tables = [
            calibration.table(load(one.name, Path(options.data), cache, final=options.final), one)
            for one in large
        ]
        if tables:
            add_calibration(page, tables)


def measure_all(options: argparse.Namespace, names: list[str]) -> list[SetResult]:
    """Measure the sets, side by side where asked."""
    from joblib import Parallel, delayed  # noqa: PLC0415 - only here

    work = (delayed(measure_one)(name, options) for name in names)
    return list(Parallel(n_jobs=options.jobs)(work))


def measure_one(name: str, options: argparse.Namespace) -> SetResult:
    """Measure one set; for the calibration alone, only the card."""
    cache = Cache(Path(options.cache))
    data = load(name, Path(options.data), cache.folder, final=options.final)
    models = [CARD] if options.what == "calibration" else options.models
    result = measure(data, models, cache, fit_peers=not options.kept)
    print(f"{name}: {', '.join(result.losses)}", file=sys.stderr, flush=True)
    return result


def time_all(options: argparse.Namespace) -> list[Line]:
    """Run the timings."""
    cache, folder = Path(options.cache), Path(options.data)
    rows = 100_000 if options.quick else 1_000_000
    lines = speed.woe_lines(10_000 if options.quick else 100_000)
    lines += speed.kernel_lines(rows)
    targets = [name for name in set_names() if name.endswith("_plain")]
    for name in targets[:1] if options.quick else targets:
        lines += speed.us_lines(load(name, folder, cache), rows // 10)
    for name in () if options.quick else speed.EBM_SETS:
        lines += speed.ebm_lines(load(name, folder, cache))
    return lines


def log_reading(results: list[SetResult], commit: str) -> None:
    """Add a reading of the test years to the log: date, commit and every figure."""
    rows = []
    for one in results:
        target, _, features = one.name.removeprefix("us_").rpartition("_")
        for fold in one.folds.itertuples():
            figures = {"auc": fold.auc, "brier": fold.brier, "log_loss": fold.log_loss}
            row = {"target": f"{target.replace('_', ' ')} ({features} features)", "model": fold.model}
            rows.append({**row, **figures, "events": fold.events, "rows": fold.rows})
    log_readings(rows, commit=commit, source=SOURCE)


if __name__ == "__main__":
    main()
