"""The population without features: incidence by cause with delayed entry and intervals (Aalen-Johansen)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .clock import at_risk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .panel import Chances, Spells

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def population_incidence(
    duration: Floats, event: Ints, entry: Floats, n_causes: int, times: Floats
) -> Floats:
    """Return the Aalen-Johansen incidence at `times`, (n_times, n_causes); rows count from their entry on."""
    distinct, place = np.unique(duration[event > 0], return_inverse=True)
    counts = np.zeros((len(distinct), n_causes))
    np.add.at(counts, (place, event[event > 0] - 1), 1.0)
    hazard = counts / at_risk(distinct, duration, entry)[:, None]
    curve = np.vstack([np.zeros(n_causes), incidence_of(hazard)])
    return np.asarray(curve[np.searchsorted(distinct, times, side="right")])


def incidence_of(hazard: Floats) -> Floats:
    """Return the incidence (times, causes) from hazards of the same shape."""
    stays = np.concatenate([[1.0], np.cumprod(1.0 - hazard.sum(axis=1))[:-1]])
    return np.asarray(np.cumsum(stays[:, None] * hazard, axis=0))


def life_table(spells: Spells, events: Chances, n_periods: int, n_causes: int) -> Floats:
    """Return the hazard of each period and cause, (periods, causes): events among those at risk."""
    happened = np.zeros((n_periods, n_causes))
    np.add.at(happened, (events.period, spells.event[events.row] - 1), events.mass)
    return np.asarray(happened / np.maximum(exposure(spells, events, n_periods), 1e-300)[:, None])


def exposure(spells: Spells, events: Chances, n_periods: int) -> Floats:
    """Return how many are at risk in each period, those there for a part of it counting that part."""
    leaves = spells.event > 0
    # Entered by the end of the period, less those gone: censored rows in part, rows that leave when they may.
    ends = np.where(leaves, spells.first_chance.astype(np.float64), spells.end)
    there = _ramp(spells.entry, n_periods) - _ramp(np.maximum(ends, spells.entry), n_periods)
    still = events.mass + events.after()
    return np.asarray(there + np.bincount(events.period, still, minlength=n_periods))


def _ramp(start: Floats, n: int) -> Floats:
    """Return, summed over rows, the share of each of n periods that lies after `start`."""
    total = np.zeros(n)
    whole = np.floor(start).astype(np.int64)
    inside = whole < n
    np.add.at(total, whole[inside], 1.0 - (start - whole)[inside])
    later = np.cumsum(np.bincount(np.minimum(whole + 1, n), minlength=n + 1))[:n]
    return np.asarray(total + later)
