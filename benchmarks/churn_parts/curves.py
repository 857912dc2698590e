"""Curves of one form: incidence by cause at given times, from whatever a model gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def survival(incidence: np.ndarray) -> np.ndarray:
    """Return 1 - the sum of the incidences: (rows, times) from (rows, times, causes)."""
    return np.clip(1.0 - incidence.sum(axis=2), 0.0, 1.0)


def risk_of(incidence: np.ndarray) -> np.ndarray:
    """Return one risk a row, the same rule for every model: the mean over the times of having left."""
    return incidence.sum(axis=2).mean(axis=1)


def at_times(grid: np.ndarray, values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Read curves (rows, grid, causes) between their points, from 0 at time 0; flat past the last point."""
    grid = np.concatenate([[0.0], grid])
    values = np.concatenate([np.zeros_like(values[:, :1]), values], axis=1)
    place = np.clip(np.searchsorted(grid, times, side="right"), 1, len(grid) - 1)
    share = np.clip((times - grid[place - 1]) / (grid[place] - grid[place - 1]), 0.0, 1.0)[:, None]
    return values[:, place - 1] * (1 - share) + values[:, place] * share


def step_columns(grid: np.ndarray, values: np.ndarray, times: np.ndarray, start: float) -> np.ndarray:
    """Read step functions (rows, grid) at times; `start` before the first step."""
    place = np.searchsorted(grid, times, side="right")
    return np.column_stack([np.full(len(values), start), values])[:, place]


def combine_causes(cumulative: Sequence[np.ndarray]) -> np.ndarray:
    """Return incidences (rows, grid, causes) from cause-specific cumulative hazards on one grid.

    The chance of leaving in a step is 1 - exp(-sum of the increments), shared as the increments are.
    """
    steps = np.diff(np.stack(cumulative, axis=2), axis=1, prepend=0.0)
    total = steps.sum(axis=2)
    gone = -np.expm1(-total)
    left = np.cumprod(1.0 - gone, axis=1)
    before = np.concatenate([np.ones((len(left), 1)), left[:, :-1]], axis=1)
    share = np.divide(steps, total[:, :, None], out=np.zeros_like(steps), where=total[:, :, None] > 0)
    return np.cumsum((before * gone)[:, :, None] * share, axis=1)


def time_bins(duration: np.ndarray, event: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the upper edges of bins with about as many events each; the last holds the longest duration."""
    edges = np.unique(np.quantile(duration[event > 0], np.arange(1, n_bins) / n_bins))
    return np.append(edges[edges < duration.max()], duration.max())


def to_bins(
    duration: np.ndarray, event: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return periods, events, and which rows remain; a censored row counts a bin of which half was seen."""
    period = np.searchsorted(edges, duration, side="left") + 1
    lower = np.concatenate([[0.0], edges])[period - 1]
    half = (duration - lower) >= 0.5 * (edges[period - 1] - lower)
    seen = np.where(event > 0, period, period - 1 + half)
    return seen, event, seen > 0
