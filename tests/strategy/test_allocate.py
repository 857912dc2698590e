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
from clientscore.strategy import ServiceStrategy, control_cells
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
    result = strategy.allocate(book, {"rm_hours": 4000})
    frame = result.frame()
    done = frame[frame["allocated"]]
    assert result.used["rm_hours"] == pytest.approx(done["hours"].sum())
    assert result.used["rm_hours"] <= 4000
    assert result.value == pytest.approx(done["value"].sum())
    assert frame["surplus"].to_numpy() == pytest.approx(
        (frame["value"] - frame["price_paid"]).to_numpy(), nan_ok=True
    )
    assert "one more is worth" in repr(result)
    assert "<table" in result._repr_html_()
    assert len(result.to_dict()["chosen"]) == len(done) == len(result.chosen)
    same = strategy.allocate(strategy.candidates(book), {"rm_hours": 4000})
    assert same.value == result.value


def test_required_actions_come_first_and_those_without_capacity_are_named(strategy, book):
    required = strategy.candidates(book).query("required")
    result = strategy.allocate(book, {"rm_hours": 12_000})
    assert result.frame().query("required and allocated").shape[0] == len(required)
    short = strategy.allocate(book, {"rm_hours": 500})
    frame = short.frame()
    assert frame.query("required and not allocated").shape[0] > 0
    assert short.used["rm_hours"] <= 500
    assert (
        f"required actions without capacity: {frame.query('not allocated and not control').shape[0]}"
        in repr(short)
    )
    assert result.value <= result.bound * (1 + 1e-9)


def test_control_cells_keep_the_record_and_take_no_capacity(strategy, book):
    result = strategy.allocate(book, {"rm_hours": 1e6}, control_share=0.1, control_salt="x")
    frame = result.frame()
    cells = control_cells(frame["client_id"], 0.1, "x")
    assert frame["control"].sum() > 100
    assert not (frame["control"] & frame["allocated"]).any()
    assert (cells == frame["control"])[~frame["required"]].all()
    assert frame.loc[cells & frame["required"], "allocated"].all()  # what must be done is done
    held = frame[frame["control"]].set_index("client_id")
    whole = strategy.allocate(book, {"rm_hours": 1e6}, control_share=0.0).frame()
    same = whole[~whole["required"]].set_index("client_id").loc[held.index, "action"]
    assert (same == held["action"]).all()  # with capacity for all: what the client would have got
    assert set(frame["propensity"]) == {0.1, 0.9, 1.0}
    assert len(result.to_dict()["held"]) == len(held)
    assert "not done, on purpose" in repr(result)
    assert strategy.allocate(book, {"rm_hours": 1e6}).control_share == 0.05


def test_control_cells_are_a_property_of_the_client_and_the_word(strategy):
    ids = [f"C{i}" for i in range(20_000)]
    cells = control_cells(ids, 0.08, "a")
    assert cells.mean() == pytest.approx(0.08, abs=0.006)
    assert (control_cells(ids[::-1], 0.08, "a")[::-1] == cells).all()
    assert control_cells(ids, 0.2, "a")[cells].all()  # a larger share keeps the smaller cell
    other = control_cells(ids, 0.08, "b")
    assert (cells & other).mean() == pytest.approx(0.08**2, abs=0.002)  # a new word, a new draw
    assert control_cells(ids, 0.0).sum() == 0
    assert control_cells(ids, 1.0).all()
    named = strategy.control(ids)
    assert named.loc["C5"] == control_cells(["C5"], 0.05, "2026")[0]
    with pytest.raises(InvalidParameterError, match="share must be a number in"):
        control_cells(ids, 5)


def grouped(n, seed=0):
    rng = np.random.default_rng(seed)
    team = np.repeat(rng.choice(["north", "south", "east"], n), 6)
    region = np.where(team == "north", "R1", "R2")
    return problem(n, seed=seed).assign(team=team, region=region, contacts=1.0)


def test_capacities_by_team_and_region_against_the_linear_program():
    candidates = grouped(1500)
    capacity = {
        "rm_hours": {"team": {"north": 500, "south": 300, "east": float("inf")}},
        "calls": {"region": {"R1": 150, "R2": 250}},
        "budget": 400_000,
    }
    result = allocate(candidates, capacity)
    columns, right = [], []
    for name, by, group, limit in (
        ("hours", "team", "north", 500), ("hours", "team", "south", 300), ("contacts", "region", "R1", 150),
        ("contacts", "region", "R2", 250), ("cost", None, None, 400_000),
    ):  # fmt: skip
        weight = candidates[name] if by is None else candidates[name] * (candidates[by] == group)
        columns.append(weight.to_numpy())
        right.append(limit)
    optimum = linear_optimum(
        candidates.assign(**{f"w{k}": weight for k, weight in enumerate(columns)}),
        {f"w{k}": limit for k, limit in enumerate(right)},
    )
    assert result.bound == pytest.approx(optimum, rel=1e-5)
    assert result.value >= 0.999 * optimum
    table = result.capacities().set_index("group")
    assert table.loc["east", "price"] == 0
    assert table.loc["R2", "used"] <= 250
    done = result.chosen
    assert done.loc[done["team"] == "north", "hours"].sum() == pytest.approx(table.loc["north", "used"])
    assert result.prices["calls[region=R2]"] == table.loc["R2", "price"] > 0


@pytest.mark.parametrize("one_per_kind", [True, False])
def test_several_actions_a_client(one_per_kind):
    candidates = problem(800, seed=5)
    candidates["kind"] = np.where(candidates["action"].isin(["a0", "a1", "a2"]), "growth", "retention")
    result = allocate(candidates, {"rm_hours": 3000}, max_actions=2, one_per_kind=one_per_kind)
    done = result.chosen
    assert done.groupby("client_id").size().max() == 2
    assert done.duplicated(["client_id", "kind"]).any() != one_per_kind
    m = len(candidates)
    clients = candidates["client_id"].factorize()[0]
    kinds = candidates["kind"].factorize()[0] + 2 * clients
    parts = [sparse.csr_matrix((np.ones(m), (clients, np.arange(m))))]
    right = [np.full(clients.max() + 1, 2.0)]
    if one_per_kind:
        parts.append(sparse.csr_matrix((np.ones(m), (kinds, np.arange(m)))))
        right.append(np.ones(kinds.max() + 1))
    parts.append(sparse.csr_matrix(candidates[["hours"]].to_numpy().T))
    right.append([3000.0])
    solved = linprog(
        -candidates["value"], A_ub=sparse.vstack(parts), b_ub=np.concatenate(right), bounds=(0, 1)
    )
    assert result.bound == pytest.approx(-solved.fun, rel=1e-5)
    assert result.value >= 0.999 * -solved.fun


def test_a_small_problem_is_solved_exactly():
    candidates = problem(60, seed=7)
    result = allocate(candidates, {"rm_hours": 40, "budget": 9_000})
    assert result.method == "exact"
    assert result.value == pytest.approx(result.bound)
    assert allocate(problem(600), {"rm_hours": 400, "budget": 90_000}).method == "prices"


def test_the_capacities_of_the_policy_follow_the_book(strategy, book):
    result = strategy.allocate(book)
    assert set(result.capacity) == {"rm_hours", "calls"}
    plans = strategy.recommend(book)
    per = {name: item.more["clients_per_manager"] for name, item in strategy._parts.coverage.items()}
    managers = (1 / plans["coverage"].map(per)).sum()
    assert result.capacity["rm_hours"] == pytest.approx(40 * managers)
    with pytest.raises(InvalidParameterError, match="depends on the book; give the book"):
        strategy.allocate(strategy.candidates(book.head(5)))


def test_a_policy_may_state_its_teams(book):
    text = ServiceStrategy.default_text()
    start = text.index("[capacities.rm_hours]")
    end = text.index("# --- the four layers")
    teams = """[capacities.calls]
uses = "contacts"
by = "team"
limits = { north = 3, south = 5 }

[capacities.rm_hours]
by = "team"
per_client = 2.0

"""
    strategy = ServiceStrategy.from_text(text[:start] + teams + text[end:])
    some = book.head(200).assign(team=np.where(np.arange(200) < 90, "north", "south"))
    result = strategy.allocate(some)
    assert result.capacity["rm_hours[team=north]"] == 180
    assert result.used["calls[team=north]"] <= 3
    with pytest.raises(InvalidParameterError, match="split by 'team', a column that the clients lack"):
        strategy.allocate(some.drop(columns="team"), {"calls": {"team": {"north": 1}}})
    with pytest.raises(InvalidParameterError, match=r"must give every team an amount; west has none"):
        strategy.allocate(some.assign(team="west"), {"calls": {"team": {"north": 1}}})
    with pytest.raises(InvalidParameterError, match="2 faults") as error:
        strategy.allocate(some, {"calls": {"team": {"north": -1, "south": None}}})
    assert "of team 'south' must be a number in [0, inf); got None" in str(error.value)
    with pytest.raises(MissingColumnError, match="'team' is missing"):
        strategy.allocate(some.drop(columns="team"))


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


def test_the_record_names_its_policy(strategy, book):
    result = strategy.allocate(book.head(50), {"rm_hours": 40})
    assert result.policy_id == strategy.policy_id == ServiceStrategy.from_dict(strategy.to_dict()).policy_id
    assert result.policy_id.startswith("corporate bank, default 1 ")
    assert result.to_dict()["policy_id"] == result.policy_id
    document = strategy.to_dict()
    document["settings"]["hour_cost_amount"] = 401.0
    assert ServiceStrategy(document).policy_id != strategy.policy_id


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000), hours=st.integers(0, 120), most=st.integers(0, 3),
    share=st.sampled_from([0.0, 0.2, 1.0]), one=st.booleans(),
)  # fmt: skip
def test_what_holds_for_every_allocation(seed, hours, most, share, one):
    candidates = grouped(30, seed=seed)
    rng = np.random.default_rng(seed)
    candidates["kind"] = rng.choice(["growth", "retention"], len(candidates))
    candidates["required"] = rng.random(len(candidates)) < 0.03
    candidates.loc[rng.random(len(candidates)) < 0.05, "value"] = np.nan
    capacity = {"rm_hours": {"team": {"north": hours, "south": 20, "east": 30}}, "budget": 20_000}
    result = allocate(
        candidates, capacity, max_actions=most, one_per_kind=one, control_share=share, control_salt="s"
    )
    frame, done = result.frame(), result.chosen
    assert all(result.used[name] <= limit + 1e-6 for name, limit in result.capacity.items())
    assert result.value <= result.bound + 1e-6
    free = done[~done["required"]]
    assert free.groupby("client_id").size().max() <= most or free.empty
    assert not (one and free.duplicated(["client_id", "kind"]).any())
    assert (free["value"] > 0).all()
    assert not frame.duplicated(["client_id", "action"]).any()
    assert frame["required"].sum() == candidates["required"].sum()
    assert not (frame["control"] & (frame["allocated"] | frame["required"])).any()
    assert frame.loc[frame["required"], "propensity"].eq(1.0).all()
    if share == 1.0:
        assert free.empty
