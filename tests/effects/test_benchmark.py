"""What the benchmark of effects computes by itself is right."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def part(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return lambda name: importlib.import_module(f"strategy_parts.{name}")


def test_the_simulated_book_is_one_of_probabilities(part):
    seeds = part("seeds")
    x = seeds.draw(20_000, np.random.default_rng(0))
    stay, chance = seeds.staying(x), seeds.chance(x)
    assert ((stay > 0) & (stay < 1)).all()
    assert chance.sum(axis=1) == pytest.approx(1.0)
    assert chance.min() >= 0.08
    assert x["value"].mean() == pytest.approx(1.0, abs=0.05)
    effect = stay[:, 1] - stay[:, 0]
    assert (effect < 0).mean() > 0.1  # some should not be woken
    worst = np.argsort(stay[:, 0])[:1000]
    best = np.argsort(-effect)[:1000]
    assert len(np.intersect1d(worst, best)) < 500  # the highest risk is not the best target


def test_a_seed_gives_every_figure(part):
    seeds = part("seeds")
    one = seeds.one_seed(0, {"effect": 0.0424, "policy": 0.864, "gain": 0.0378})
    again = seeds.one_seed(0, {"effect": 0.0424, "policy": 0.864, "gain": 0.0378})
    assert {**one, "seconds": 0} == {**again, "seconds": 0}
    assert one["gain oracle"] >= max(value for name, value in one.items() if name.startswith("gain "))
    assert abs(one["DR error"]) < 0.1
    assert one["effective sample"] > 500


def test_splits_take_half_of_each_arm_and_the_matrix_says_the_same(part):
    data = part("hillstrom_data")
    n = 400
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "recency": rng.integers(1, 13, n),
            "history": rng.gamma(2, 100, n),
            "mens": 1,
            "womens": 0,
            "zip_code": rng.choice(["Rural", "Surburban", "Urban"], n),
            "newbie": 0,
            "channel": rng.choice(["Multichannel", "Phone", "Web"], n),
        }
    ).assign(log_history=lambda one: np.log(one["history"]))
    mail = data.Mail(X, (np.arange(n) % 4 == 0).astype(float), np.zeros(n))
    first, second = mail.splits(2)
    assert (first[mail.treatment == 1].sum(), first[mail.treatment == 0].sum()) == (50, 150)
    assert (first != second).any()
    assert mail.matrix().shape == (n, 12)
    assert mail.matrix()[:, 5:8].sum(axis=1) == pytest.approx(1.0)


def test_without_econml_nothing_is_made_up(part, tmp_path, monkeypatch):
    data = part("hillstrom_data")
    monkeypatch.setattr(data.Mail, "matrix", lambda _: np.zeros((2, 12)))
    mail = data.Mail(pd.DataFrame(index=range(2)), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert data.Peers(tmp_path, None).effect(mail, data.PEERS[0], np.array([True, False])) is None
