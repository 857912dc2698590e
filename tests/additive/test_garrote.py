from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from clientscore.additive._garrote import HeldOut, _Moments, _solve, rescale, standard_error


def entries(n=3000, seed=0, *, binary=True, noise=6):
    """Two terms that matter, one of them half as strong as it should be, and terms that say nothing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 2 + noise))
    values[:, 2:] *= 0.04  # what boosting makes of noise
    decision = -1 + 2 * values[:, 0] + values[:, 1]
    y = rng.random(n) < 1 / (1 + np.exp(-decision)) if binary else decision + rng.normal(size=n)
    return HeldOut(
        offset=np.full(n, -1.0),
        values=values.astype(np.float32),
        y=np.asarray(y, dtype=float),
        weight=np.ones(n),
        fold=np.arange(n) % 5,
        cluster=np.arange(n),
        binary=binary,
    )


@pytest.mark.parametrize("binary", [True, False])
def test_terms_that_say_nothing_are_dropped_and_weak_ones_grow(binary):
    held = entries(binary=binary)
    found = rescale(held, np.ones(8, dtype=bool), prune=True)
    assert found.factors[0] > 1.2
    assert found.factors[1] > 0.5
    assert (found.factors[2:] == 0).sum() >= 3
    assert found.factors[2:].max() < 0.5
    curve = found.curve
    assert curve["chosen"].sum() == 1
    assert curve.loc[0, ["pairs", "terms"]].tolist() == [8, 8]
    assert held.loss(found.decision).mean() == pytest.approx(curve.loc[curve["chosen"], "loss"].item())
    near = curve[curve["over_best"] <= curve["standard_error"]]
    assert curve.loc[curve["chosen"], "pairs"].item() == near["pairs"].min()


def test_without_pruning_every_term_stays():
    found = rescale(entries(), np.ones(8, dtype=bool), prune=False)
    assert found.factors.min() >= 0.1
    assert found.curve.loc[found.curve["chosen"], "over_best"].item() == 0


def test_terms_as_they_should_be_stay_as_they_are():
    rng = np.random.default_rng(1)
    held = entries(300, noise=0)
    decision = -1 + held.values.sum(axis=1)
    y = (rng.random(300) < 1 / (1 + np.exp(-decision))).astype(float)
    held = HeldOut(held.offset, held.values, y, held.weight, held.fold, held.cluster, binary=True)
    assert rescale(held, np.array([True, False]), prune=False).factors == pytest.approx([1, 1], abs=0.15)


def test_the_factors_are_those_of_a_general_optimizer():
    held = entries(800)
    moments = _Moments(held)
    for pull, price in ((10.0, 0.25), (1.0, 2.0), (3.0, 0.0)):
        factors = _solve(moments.gradient, moments.curvature, pull, price, 0.0, np.ones(8))
        ridge = pull * np.diag(moments.curvature) + 0.05

        def objective(c, ridge=ridge, price=price):
            d = c - 1
            return -moments.gradient @ d + d @ moments.curvature @ d / 2 + ridge @ d**2 / 2 + price * c.sum()

        best = minimize(objective, np.ones(8), bounds=[(0, None)] * 8, method="L-BFGS-B", tol=1e-12)
        assert objective(factors) == pytest.approx(best.fun, abs=1e-4)
        assert factors == pytest.approx(best.x, abs=0.01)


def test_entries_of_one_client_count_together():
    difference = np.repeat(np.random.default_rng(0).normal(size=50), 10)
    weight = np.full(500, 1 / 500)
    alone = standard_error(difference, weight, np.arange(500))
    together = standard_error(difference, weight, np.repeat(np.arange(50), 10))
    assert together == pytest.approx(alone * np.sqrt(10))
    assert alone == pytest.approx(difference.std() / np.sqrt(500))
