"""Whatever stands in a policy, it is read or refused with PolicyError, never with another error."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from clientscore.exceptions import PolicyError
from clientscore.strategy import ServiceStrategy

JUNK = (
    *(None, 1, -1, 1.5, float("nan"), float("inf"), True, "x", "", 10**30, [], {}, [1], ["x"], {"a": 1}),
    *([{}], [[]], {"==": 1}, {"in": [1]}, {"missing": 2}, {"between": [2, 1]}, {"<": "a"}),
)


def paths_of(node, path=()):
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths_of(value, (*path, key))


@pytest.mark.parametrize("seed", range(3))
def test_junk_anywhere_is_a_fault_or_harmless(seed):
    base = ServiceStrategy.default().to_dict()
    places, rng, refused = list(paths_of(base)), np.random.default_rng(seed), 0
    for _ in range(80):
        document = copy.deepcopy(base)
        path = places[rng.integers(len(places))]
        owner = document
        for key in path[:-1]:
            owner = owner[key]
        if rng.random() < 0.15:
            del owner[path[-1]]
        else:
            owner[path[-1]] = copy.deepcopy(JUNK[rng.integers(len(JUNK))])
        try:
            strategy = ServiceStrategy(document)
        except PolicyError:
            refused += 1
            continue
        strategy.check()
        strategy.recommend_one(
            {"tier": "A", "watch": False, "industry": "trade", "need_probability_12m": 0.5}
        )
    assert refused > 40
