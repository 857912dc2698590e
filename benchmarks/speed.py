"""How long the steps take: CPU seconds on one thread, medians of 3 (the import: wall, median of 5).

Run ``OMP_NUM_THREADS=1 python benchmarks/speed.py``; ``--clients`` sets the size of the book.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import clientscore as cs

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

IMPORT = "import time; a = time.perf_counter(); import clientscore; print(time.perf_counter() - a)"
AS_OF = "2026-01-01"


def main() -> None:
    """Time the steps of the chain on a simulated book and print one line each."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--clients", type=int, default=1200, help="clients at a time, 72 months")
    clients = arguments.parse_args().clients
    book = cs.datasets.make_portfolio(clients, 72, random_state=0)
    schema = cs.ClientSchema.default()
    model = cs.ClientModel(schema=schema, random_state=0)
    dates = list(model.training_dates(book.tables))
    fit_seconds = cpu(lambda: model.fit(book.tables), repeats=1)
    X = cs.build_features(book.tables, schema, [AS_OF])
    context = cs.build_context(book.tables, schema, [AS_OF])
    steps: dict[str, float] = {
        "bare import (wall)": bare_import(),
        "validate the book": cpu(lambda: cs.validate_clients(book.tables, schema)),
        f"features at {len(dates)} dates": cpu(lambda: cs.build_features(book.tables, schema, dates)),
        f"labels at {len(dates)} dates": cpu(lambda: cs.build_labels(book.tables, schema, dates)),
        f"fit at {len(dates)} dates (once)": fit_seconds,
        f"assess {len(X):,} clients from tables": cpu(lambda: model.assess(book.tables, as_of=AS_OF)),
        "assess one client of a request": one_client(model, X, context),
    }
    print(f"{clients:,} clients x 72 months, {X.shape[1]} features")
    for step, seconds in steps.items():
        print(f"{step:<40} {seconds:10.4f} s")


def cpu(step: Callable[[], object], repeats: int = 3) -> float:
    """Return the median CPU seconds of a step."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def bare_import() -> float:
    """Return the median seconds of `import clientscore` in a fresh interpreter."""
    runs = [
        subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)  # noqa: S603
        for _ in range(5)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def one_client(model: cs.ClientModel, X: pd.DataFrame, context: pd.DataFrame) -> float:
    """Return the median CPU seconds of `assess_one` over 200 clients."""
    rows = zip(
        X.head(200).to_dict("records"),
        context.head(200).reset_index().to_dict("records"),
        strict=True,
    )
    seconds = []
    for features, facts in rows:
        start = time.process_time()
        model.assess_one(features, facts)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
