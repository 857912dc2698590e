from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.strategy._allocate import allocate


def problem(n, actions=6, seed=0):
    rng = np.random.default_rng(seed)
    m = n * actions
    return pd.DataFrame(
        {
            "client_id": np.repeat([f"{i:05d}" for i in range(n)], actions),
            "action": np.tile([f"a{j}" for j in range(actions)], n),
            "value": rng.lognormal(8, 1.2, m) - 1500,
            "hours": rng.integers(1, 11, m).astype(float),
            "cost": rng.uniform(0, 3000, m),
            "credit": rng.lognormal(3, 1, m),
        }
    )


def linear_optimum(candidates, limits):
    m = len(candidates)
    clients = candidates["client_id"].factorize()[0]
    one_each = sparse.csr_matrix((np.ones(m), (clients, np.arange(m))))
    weights = sparse.csr_matrix(candidates[list(limits)].to_numpy().T)
    right = np.r_[np.ones(clients.max() + 1), list(limits.values())]
    solved = linprog(-candidates["value"], A_ub=sparse.vstack([one_each, weights]), b_ub=right, bounds=(0, 1))
    return -solved.fun


@pytest.mark.parametrize("seed", [0, 1])
def test_close_to_the_linear_optimum(seed):
    candidates = problem(2000, seed=seed)
    result = allocate(candidates, {"rm_hours": 2400, "budget": 900_000, "credit": 10_000})
    optimum = linear_optimum(candidates, {"hours": 2400, "cost": 900_000, "credit": 10_000})
    assert result.bound == pytest.approx(optimum, rel=1e-5)
    assert 0.999 * optimum <= result.value <= result.bound * (1 + 1e-9)
    assert all(result.used[name] <= limit * (1 + 1e-9) for name, limit in result.capacity.items())
    assert all(price > 0 for price in result.prices.values())


def test_prices_say_what_one_more_hour_is_worth():
    candidates = problem(1500, seed=3)
    low, high = (linear_optimum(candidates, {"hours": hours}) for hours in (1000.0, 1010.0))
    price = allocate(candidates, {"rm_hours": 1000}).prices["rm_hours"]
    assert price == pytest.approx((high - low) / 10, rel=0.05)


def test_free_capacity_has_no_price_and_everyone_gets_the_best():
    candidates = problem(300)
    result = allocate(candidates, {"rm_hours": 1e6})
    best = candidates.groupby("client_id")["value"].max().clip(lower=0)
    assert result.prices == {"rm_hours": 0.0}
    assert result.value == pytest.approx(best.sum())
    assert result.value == pytest.approx(result.bound)
    assert len(result.frame()) == (best > 0).sum()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), hours=st.integers(0, 25))
def test_small_problems_against_every_choice(seed, hours):
    candidates = problem(4, actions=2, seed=seed)
    result = allocate(candidates, {"rm_hours": hours, "budget": 3000})
    best = 0.0
    for choice in itertools.product([None, 0, 1], repeat=4):
        rows = candidates.iloc[[2 * i + j for i, j in enumerate(choice) if j is not None]]
        if rows["hours"].sum() <= hours and rows["cost"].sum() <= 3000:
            best = max(best, rows["value"].sum())
    assert result.value <= best + 1e-6
    assert result.bound >= best - 1e-6
    assert result.frame()["client_id"].is_unique
    assert result.frame()["hours"].sum() <= hours
    assert (result.frame()["value"] > 0).all()


def test_equal_clients_fill_the_capacity():
    clients = [str(i) for i in range(100)]
    same = pd.DataFrame({"client_id": clients, "action": "call", "value": 5.0, "hours": 2.0})
    result = allocate(same, {"rm_hours": 51})
    assert (len(result.frame()), result.value) == (25, 125.0)


def test_order_of_rows_does_not_matter_and_unknown_values_are_left_out():
    candidates = problem(200)
    shuffled = candidates.sample(frac=1, random_state=0)
    shuffled.loc[shuffled.index[:5], "value"] = np.nan
    result = allocate(shuffled, {"rm_hours": 200})
    assert result.frame()["value"].notna().all()
    again = allocate(candidates.sample(frac=1, random_state=1), {"rm_hours": 200})
    assert again.value == pytest.approx(allocate(candidates, {"rm_hours": 200}).value)


def test_from_a_book(strategy, book):
    result = strategy.allocate(book, {"rm_hours": 1200})
    frame = result.frame()
    assert result.used["rm_hours"] == pytest.approx(frame["hours"].sum())
    assert result.used["rm_hours"] <= 1200
    assert result.value == pytest.approx(frame["value"].sum())
    assert frame["surplus"].to_numpy() == pytest.approx((frame["value"] - frame["price_paid"]).to_numpy())
    assert "one more is worth" in repr(result)
    assert "<table" in result._repr_html_()
    assert len(result.to_dict()["chosen"]) == len(frame)
    same = strategy.allocate(strategy.candidates(book), {"rm_hours": 1200})
    assert same.value == result.value


def test_empty_book_and_no_capacity(strategy, book):
    assert strategy.allocate(book.iloc[:0], {"rm_hours": 10}).value == 0
    assert allocate(problem(20), {"rm_hours": 0}).frame().empty


def test_bad_input_is_named():
    candidates = problem(5)
    with pytest.raises(InvalidParameterError, match="2 faults") as error:
        allocate(candidates, {"rm_hours": -1, "credits": 5})
    assert "must be a number in [0, inf); got -1" in str(error.value)
    assert "Did you mean 'credit'" in str(error.value)
    with pytest.raises(InvalidParameterError, match="at least one resource"):
        allocate(candidates, {})
    with pytest.raises(InvalidParameterError, match="got nan"):
        allocate(candidates, {"rm_hours": float("nan")})
    with pytest.raises(DataError, match=r"hours must be at least 0 .* got -2.0 for client 00000, action a0"):
        allocate(candidates.assign(hours=-2.0), {"rm_hours": 5})
    with pytest.raises(MissingColumnError, match="'value' is missing"):
        allocate(candidates.drop(columns="value"), {"rm_hours": 5})


@pytest.mark.parametrize("capacity", [None, [("rm_hours", 5)], 5])
def test_a_capacity_of_another_kind_is_named(capacity):
    with pytest.raises(InvalidParameterError, match="capacity must map resources to amounts, such as"):
        allocate(problem(3), capacity)
