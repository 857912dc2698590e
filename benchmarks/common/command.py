"""What the commands of the benchmarks share: parts in order, readings logged, the page published."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .page import introduction
from .repository import current_commit, log_readings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .page import Page

    Part = Callable[[Page, argparse.Namespace], list[dict[str, object]] | None]


def clean_commit(options: argparse.Namespace) -> str:
    """Return the commit; a reading of test periods belongs to one, so it needs a clean tree."""
    commit = current_commit()
    if options.final and "+" in commit:
        sys.exit("--final reads the test periods once for a state of the code: commit first.")
    return commit


def run_parts(
    page: Page, options: argparse.Namespace, run: Mapping[str, Part], *, source: str, commit: str
) -> None:
    """Run the parts asked for, and log what they read of test periods."""
    logged: list[dict[str, object]] = []
    for part in options.parts:
        logged += run[part](page, options) or []
        print(f"{part} done", file=sys.stderr, flush=True)
    if options.final and logged:
        log_readings(logged, commit=commit, source=source)


def publish(
    page: Page,
    options: argparse.Namespace,
    path: Path,
    *,
    source: str,
    commit: str,
    packages: Sequence[str],
    said: Sequence[str] = (),
) -> None:
    """Print the page with the command that made it, and write it where wanted."""
    command = " ".join(["OMP_NUM_THREADS=1 CLIENTSCORE_DATA=... python", source, *sys.argv[1:]])
    text = page.text("\n\n".join([introduction(command, commit, packages), *said]))
    print(text)
    if options.write:
        path.write_text(text, encoding="utf-8")


def read_times(count: int) -> str:
    """Return how often the test periods were read, in a sentence."""
    return f"The test periods have been read {count} times by this script."
