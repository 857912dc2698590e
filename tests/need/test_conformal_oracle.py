"""The intervals beside those of crepes on the same errors."""

from __future__ import annotations

import crepes
import numpy as np
import pytest

from clientscore.need.conformal import calibrate

GROUPS = ["calm", "middle", "noisy"]


def errors(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return errors whose spread depends on the group, and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    return rng.standard_t(5, n) * (1.0 + group), group


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_ends_are_those_of_a_mondrian_predictive_system(coverage: float) -> None:
    z, group = errors(0, 1500)
    _, ends, _ = calibrate(z, group, coverage, GROUPS)
    system = crepes.ConformalPredictiveSystem().fit(residuals=z, bins=group)
    theirs = system.predict_int(y_hat=np.zeros(3), bins=np.arange(3), confidence=coverage)
    for number in range(3):
        ordered = np.sort(z[group == number])
        ours, other = (np.searchsorted(ordered, one[number]) for one in (ends, theirs))
        assert np.abs(ours - other).max() <= 1  # order statistics side by side: how ranks are rounded


def test_coverage_by_group_is_that_of_the_oracle() -> None:
    z, group = errors(1, 3000)
    _, ends, _ = calibrate(z, group, 0.9, GROUPS)
    new, where = errors(2, 30_000)
    system = crepes.ConformalPredictiveSystem().fit(residuals=z, bins=group)
    theirs = system.predict_int(y_hat=np.zeros(len(new)), bins=where, confidence=0.9)
    for number in range(3):
        rows = where == number
        ours = ((new >= ends[where, 0]) & (new <= ends[where, 1]))[rows].mean()
        other = ((new >= theirs[:, 0]) & (new <= theirs[:, 1]))[rows].mean()
        assert ours == pytest.approx(other, abs=0.005)
        assert ours == pytest.approx(0.9, abs=0.025)
