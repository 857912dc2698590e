"""A page of figures in Markdown: tables, and a line for each bar."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from . import SEED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .timing import Line

# Where the module is not called like the package.
MODULES = {
    "scikit-learn": "sklearn",
    "interpret-core": "interpret",
    "scikit-survival": "sksurv",
    "zen-engine": "zen",
}


@dataclass
class Page:
    """Sections in order, and what each bar came to."""

    title: str
    sections: list[str] = field(default_factory=list)
    bars: list[tuple[str, str, bool | None]] = field(default_factory=list)

    def add(self, heading: str, *parts: str) -> None:
        """Add a section; empty parts are left out."""
        self.sections.append("\n\n".join([f"## {heading}", *(part for part in parts if part)]))

    def bar(self, what: str, figure: str, met: bool | None) -> None:
        """Add the outcome of one bar; None where it could not be measured."""
        self.bars.append((what, figure, met))

    def text(self, introduction: str) -> str:
        """Return the whole page."""
        words = {True: "met", False: "**not met**", None: "not measured"}
        rows = [[what, figure, words[met]] for what, figure, met in self.bars]
        bars = grid(["bar", "figure", ""], rows) if rows else ""
        return "\n\n".join([f"# {self.title}", introduction, bars, *self.sections]).strip() + "\n"


def short(value: float, digits: int = 4) -> str:
    """Return a number without the zero before the point."""
    if not np.isfinite(value):
        return "-"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def introduction(command: str, commit: str, packages: Sequence[str]) -> str:
    """Return how the page was made: command, machine, versions, date, commit, seed."""
    cpu = next((line for line in _cpu_info() if line.startswith("model name")), "model name: unknown")
    versions = ", ".join(f"{name} {version(name)}" for name in packages if find_spec(MODULES.get(name, name)))
    return (
        "Every figure on this page is printed by the command below; settings are defaults unless said.\n\n"
        f"```sh\n{command}\n```\n\n"
        f"{pd.Timestamp.now():%Y-%m-%d}, commit {commit}; {cpu.partition(':')[2].strip()}, one thread, "
        f"{platform.system()}, Python {platform.python_version()}; {versions}. Seed {SEED}."
    )


def _cpu_info() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def add_lines(page: Page, heading: str, note: str, lines: Sequence[Line], *, prefix: str) -> None:
    """Add a section of timed lines, and a bar for each that has one."""
    words = {True: "met", False: "**not met**", None: ""}
    rows = [[one.what, one.figure, one.bar, words[one.met]] for one in lines]
    page.add(heading, note, grid(["what", "figure", "bar", ""], rows))
    for one in lines:
        if one.met is not None:
            page.bar(f"{prefix}{one.what}", f"{one.figure}, {one.bar}", one.met)
