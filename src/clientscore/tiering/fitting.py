"""Cut-offs from a book: by shares, or so that the hours of coverage earn most."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clientscore._checks import check_interval
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inputs import Floats


def check_no_matrix(matrix: object) -> None:
    """Raise where the tiers are cells of a matrix, which has edges and no cut-offs to fit."""
    if matrix is not None:
        raise InvalidParameterError(
            "Cut-offs of a policy with a matrix only name the tiers; fit them on a policy without one."
        )


def by_shares(score: Floats, tiers: Sequence[str], shares: Mapping[str, float]) -> dict[str, float]:
    """Return cut-offs that split the known scores into the given shares."""
    if set(shares) != set(tiers) or not 0 < sum(shares.values()) < 1 or min(shares.values()) <= 0:
        raise InvalidParameterError(
            f"shares must name {', '.join(tiers)} with positive shares that add to less than 1; "
            f"got {dict(shares)!r}."
        )
    known = score[~np.isnan(score)]
    if len(np.unique(known)) <= len(tiers):
        raise DataError(
            f"fit_cutoffs needs more different scores than cut-offs; got {len(np.unique(known))} "
            f"scores for {len(tiers)} cut-offs. Give cutoffs by hand."
        )
    top = np.cumsum([shares[tier] for tier in tiers])
    return dict(zip(tiers, map(float, np.quantile(known, 1 - top)), strict=True))


@dataclass(frozen=True)
class Coverage:
    """What each tier takes and brings, best first: hours a client, share of the score the service adds."""

    hours: np.ndarray
    gain: np.ndarray
    capacity: float

    def steps(self) -> np.ndarray:
        """Return hours per unit of gain from each tier to the one above, best first."""
        result: np.ndarray = -np.diff(self.hours) / -np.diff(self.gain)
        return result


def coverage_of(
    tiers: Sequence[str], hours: Mapping[str, float], gain: Mapping[str, float], capacity: float
) -> Coverage:
    """Check what tiers take and bring; all faults are listed."""
    faults = []
    for name, given, high in (("hours", hours, np.inf), ("gain", gain, 1.0)):
        if not isinstance(given, Mapping) or set(given) != set(tiers):
            faults.append(f"{name} must give a number for each of {', '.join(tiers)}; got {given!r}.")
            continue
        for tier in tiers:
            faults += _number_fault(f"{name}[{tier!r}]", given[tier], high)
        numbers = [given[tier] for tier in tiers]
        if not faults and any(one <= two for one, two in itertools.pairwise(numbers)):
            faults.append(f"{name} must fall from the best tier down; got {dict(given)!r}.")
    faults += _number_fault("capacity_hours", capacity, np.inf)
    if faults:
        raise InvalidParameterError("The coverage has faults.", faults)
    result = Coverage(
        np.array([float(hours[tier]) for tier in tiers]),
        np.array([float(gain[tier]) for tier in tiers]),
        capacity,
    )
    if (np.diff(result.steps()) >= 0).any():
        raise InvalidParameterError(
            "Hours per unit of gain must fall from the best tier down, or a tier in between is never worth "
            f"its hours; got {result.steps().round(1).tolist()}. Lower its hours or raise its gain."
        )
    return result


def _number_fault(name: str, value: object, high: float) -> list[str]:
    try:
        check_interval(name, value, low=0.0, high=high)
    except InvalidParameterError as error:
        return [error.message]
    return []


def by_capacity(
    score: Floats, gate: np.ndarray, tiers: Sequence[str], coverage: Coverage
) -> dict[str, float]:
    r"""Return the cut-offs at which the hours of coverage earn most.

    At a price :math:`\lambda` of an hour a client is worth the better of two tiers where
    :math:`score \ge \lambda \, \Delta hours / \Delta gain`: the least price at which all hours fit gives the
    cut-offs, which are then lowered as far as hours are left.
    """
    known = ~np.isnan(score)
    score, gate = score[known], gate[known]
    lowest = coverage.hours[-1] * len(score)
    if lowest > coverage.capacity:
        raise DataError(
            f"capacity_hours must cover {len(score)} clients in {tiers[-1]}, {lowest:,.0f} hours; "
            f"got {coverage.capacity:,.0f}."
        )
    steps = coverage.steps()
    prices = np.unique(np.concatenate([[0.0], *(np.maximum(score, 0.0) / step for step in steps)]))
    low, high = 0, len(prices) - 1  # above the last price nobody is worth a better tier
    while low < high:
        middle = (low + high) // 2
        fits = (
            _hours(score, gate, np.nextafter(prices[middle], np.inf) * steps, coverage) <= coverage.capacity
        )
        low, high = (low, middle) if fits else (middle + 1, high)
    cuts = np.nextafter(prices[low], np.inf) * steps
    if prices[low] == 0:
        cuts = np.maximum(cuts, 1e-6 * np.arange(len(cuts), 0, -1))
    return dict(zip(tiers, map(float, _lowered(score, gate, cuts, coverage)), strict=False))


def _hours(score: Floats, gate: np.ndarray, cuts: np.ndarray, coverage: Coverage) -> float:
    """Return the hours that the book takes at these cut-offs."""
    rank = np.maximum((score[:, None] < cuts).sum(axis=1), gate)
    return float(coverage.hours[rank].sum())


def _lowered(score: Floats, gate: np.ndarray, cuts: np.ndarray, coverage: Coverage) -> np.ndarray:
    """Lower each cut-off as far as hours are left, the lowest first: it takes the fewest hours a client."""
    cuts = cuts.copy()
    for place in range(len(cuts) - 1, -1, -1):
        floor = cuts[place + 1] if place + 1 < len(cuts) else 0.0
        steps = np.unique(score[(score < cuts[place]) & (score > floor)])[::-1]
        low, high = -1, len(steps) - 1
        while low < high:
            middle = (low + high + 1) // 2
            tried = cuts.copy()
            tried[place] = steps[middle]
            fits = _hours(score, gate, tried, coverage) <= coverage.capacity
            low, high = (middle, high) if fits else (low, middle - 1)
        if low >= 0:
            cuts[place] = steps[low]
    return cuts
