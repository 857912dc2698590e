"""Where the repository stands: its commit, and the log of readings of test periods."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
READINGS = REPOSITORY / "docs" / "benchmarks" / "readings.csv"


def current_commit() -> str:
    """Return the commit, with a plus where sources differ from it."""
    git = ["git", "-C", str(REPOSITORY)]
    parts = ["src", "benchmarks", "examples"]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    state = subprocess.run(  # noqa: S603
        [*git, "status", "--porcelain", "--", *parts], capture_output=True, text=True, check=False
    )
    return (head.stdout.strip() or "unknown") + ("+" if state.stdout.strip() else "")


def log_readings(rows: Sequence[dict[str, Any]], *, commit: str, source: str) -> None:
    """Add a reading of a test period to the log: date, commit and every figure.

    A row holds target, model, events, rows, and auc, brier and log_loss as far as they were measured; further
    figures go to ``measures`` as text.
    """
    columns = pd.read_csv(READINGS, nrows=0).columns.tolist() if READINGS.exists() else []
    stamp = {"date": f"{pd.Timestamp.now():%Y-%m-%d}", "commit": commit, "source": source}
    table = pd.DataFrame([{**stamp, **row} for row in rows]).round(6)
    if set(table) <= set(columns):
        table.reindex(columns=columns).to_csv(READINGS, mode="a", index=False, header=False)
        return
    old = pd.read_csv(READINGS, dtype=str) if columns else pd.DataFrame()
    pd.concat([old, table.astype(object)], ignore_index=True).to_csv(READINGS, index=False)


def count_readings(*sources: str) -> int:
    """Return how often some sources have read test periods: one reading a date, commit and source."""
    log = pd.read_csv(READINGS)
    log = log[log["source"].isin(sources)]
    return len(log[["date", "commit", "source"]].drop_duplicates())
