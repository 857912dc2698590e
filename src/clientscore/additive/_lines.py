"""Evidence that runs in lines, not in steps, from the middle of each merged bin to that of the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 25


def interpolated(
    good: NDArray[np.float64],
    bad: NDArray[np.float64],
    base: float,
    segment: NDArray[np.intp],
    evidence: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the evidence of prebins on lines between the middles, in rank, of their merged bins.

    The height at each middle is fitted to the prebins' goods and bads by maximum likelihood; where that
    breaks the order of the merged bins, it is their own evidence.  The lines are taken only where they
    explain the prebins better than the merged bins do, whose every cut counts as a parameter: it was chosen
    on the same rows.

    Parameters
    ----------
    good, bad : ndarray of shape (m,)
        Weight in each prebin, in order.
    base : float
        Log-odds of bad where the evidence is 0.
    segment : ndarray of shape (m,)
        Merged bin of each prebin, from 0.
    evidence : ndarray of shape (m,)
        Evidence of the merged bin of each prebin.

    Returns
    -------
    ndarray of shape (m,)
    """
    mass = good + bad
    rank = np.cumsum(mass) - mass / 2
    middle = np.bincount(segment, mass * rank) / np.bincount(segment, mass)
    knots = len(middle)
    hats = np.column_stack([np.interp(rank, middle, np.eye(knots)[k]) for k in range(knots)])
    start = evidence[np.flatnonzero(np.diff(segment, prepend=-1))]
    heights = _fit_heights(hats, good, bad, base, start)
    if (np.diff(heights) * np.diff(start) < 0).any():
        heights = start
    line = hats @ heights
    gain = _log_likelihood(line, good, bad, base) - _log_likelihood(evidence, good, bad, base)
    return line if gain > 1 - knots else evidence


def _fit_heights(
    hats: NDArray[np.float64],
    good: NDArray[np.float64],
    bad: NDArray[np.float64],
    base: float,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the heights of the largest likelihood, with a pull of one row towards the evidence."""
    pull = 0.25 * np.eye(len(start))  # information of one row about its log-odds
    heights = start
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(base + hats @ heights)))
        gradient = hats.T @ (bad - (good + bad) * p) - pull @ (heights - start)
        hessian = hats.T @ (hats * ((good + bad) * p * (1 - p))[:, None]) + pull
        step = np.clip(np.linalg.solve(hessian, gradient), -1, 1)
        heights = heights + step
        if np.abs(step).max() < 1e-9:
            break
    return heights


def _log_likelihood(
    evidence: NDArray[np.float64], good: NDArray[np.float64], bad: NDArray[np.float64], base: float
) -> float:
    score = base + evidence
    return float(bad @ score - (good + bad) @ np.logaddexp(0, score))
