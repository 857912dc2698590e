"""Timed lines of a page: CPU seconds on one thread, with the bars they have."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Line:
    """One measured line of the page; `bar` is the most (or least) allowed, None where only printed."""

    what: str
    value: float
    unit: str
    bar: str = ""
    met: bool | None = None

    @property
    def figure(self) -> str:
        """The value with its unit."""
        return f"{self.value:.3g} {self.unit}"


def cpu(*steps: Callable[[], object], repeats: int = 3) -> list[float]:
    """Return the median CPU seconds of each step; the steps take turns, so that noise meets all alike."""
    seconds: list[list[float]] = [[] for _ in steps]
    for _ in range(repeats):
        for step, taken in zip(steps, seconds, strict=True):
            start = time.process_time()
            step()
            taken.append(time.process_time() - start)
    return [statistics.median(taken) for taken in seconds]


def at_most(what: str, value: float, most: float, unit: str = "x") -> Line:
    """Return a line whose bar is an upper bound."""
    return Line(what, value, unit, f"at most {most:g}", value <= most)
