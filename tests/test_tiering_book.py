"""Tiers of a whole book: the matrix, groups, cut-offs under capacity, migration and stability."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError, PolicyError
from clientscore.tiering import TierMatrix, TierPolicy, migration, stability

HOURS = {"A": 60, "B": 20, "C": 2}
GAIN = {"A": 0.10, "B": 0.06, "C": 0.0}


def book(**columns):
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"size_amount": [0.0] * n, "pd": [0.01] * n, "value": [0.0] * n} | columns)
    return frame.set_index(pd.Index([f"C{i}" for i in range(n)], name="client_id"))


# ------------------------------------------------------------------ matrix


def test_matrix_by_hand():
    frame = book(
        value=[1e5, 1e5, 1e5, 4e5, 4e5, 4e5, 5e6, 5e6, 5e6], size_amount=[0.0, 2e8, 1e9] * 3
    )  # potential 0, 100,000, 500,000
    policy = TierPolicy(matrix=TierMatrix())
    result = policy.assign(frame)
    assert result["tier"].tolist() == ["C", "C", "B", "C", "B", "A", "B", "A", "A"]
    assert result["tier_reason"].iloc[3] == "value 400,000 in band 2 of 3 and potential 0 in band 1 of 3: C"
    gated = policy.assign(frame.assign(pd=0.05))
    assert gated["tier"].tolist() == ["C", "C", "B", "C", "B", "B", "B", "B", "B"]
    assert gated["tier_reason"].iloc[8].endswith(": A but PD 5.0% above the 3.0% gate of A")
    assert policy.assign(frame.assign(value=np.nan))["tier"].isna().all()
    for client in frame.index:
        assert policy.assign_one(frame.loc[client].to_dict())["tier"] == result.loc[client, "tier"]


def test_a_matrix_of_size_and_credit_standing():
    matrix = TierMatrix(
        rows="pd", columns="size_amount", row_edges=(0.05, 0.01), column_edges=(1e8,),
        cells=(("C", "C"), ("C", "B"), ("B", "A")),
    )  # fmt: skip
    frame = book(pd=[0.01, 0.0101, 0.05, 0.06], size_amount=[1e8] * 4)
    assert TierPolicy(matrix=matrix).assign(frame)["tier"].tolist() == ["A", "B", "B", "C"]


def test_a_matrix_has_a_buffer_and_a_stay_like_the_score():
    policy = TierPolicy(matrix=TierMatrix())
    frame = book(value=[310_000.0, 340_000.0, 290_000.0, 260_000.0], size_amount=[4e8] * 4)
    dates = pd.to_datetime(["2025-01-01", "2025-02-01"])
    before = pd.DataFrame(
        [(c, d, t) for c, t in zip(frame.index, "CCBB", strict=True) for d in dates],
        columns=["client_id", "as_of", "tier"],
    )
    result = policy.assign(frame, before, as_of="2025-03-01")
    assert result["tier"].tolist() == ["C", "B", "B", "C"]
    assert result["tier_reason"].iloc[0].endswith("held at C: inside the 10% buffer")


def test_a_matrix_survives_files():
    policy = TierPolicy(matrix=TierMatrix(rows="pd", row_edges=(0.1, 0.02)))
    again = TierPolicy.from_state(json.loads(json.dumps(policy.to_state())))
    assert again == policy
    assert (
        TierPolicy.from_state({k: v for k, v in TierPolicy().to_state().items() if k != "matrix"})
        == TierPolicy()
    )


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"rows": "valeu"}, "Did you mean 'value'"),
        ({"rows": "potential"}, "must differ; got 'potential' twice"),
        ({"row_edges": (2.0, 1.0)}, "matrix.row_edges must rise"),
        ({"rows": "pd", "row_edges": (0.01, 0.02)}, "matrix.row_edges must fall"),
        ({"row_edges": "x"}, "must be a list of finite numbers"),
        ({"row_edges": (1.0,)}, "must have 2 rows of 3 tiers"),
    ],
)
def test_faults_of_a_matrix(settings, fault):
    with pytest.raises(PolicyError, match="fault") as error:
        TierMatrix(**settings)
    assert any(fault in text for text in error.value.faults), error.value.faults


def test_cells_must_be_tiers_that_do_not_get_worse():
    with pytest.raises(PolicyError, match=r"'D' is not a tier"):
        TierPolicy(matrix=TierMatrix(cells=(("C", "C", "D"), ("C", "B", "A"), ("B", "A", "A"))))
    with pytest.raises(PolicyError, match="must not get worse from a worse band to a better one"):
        TierPolicy(matrix=TierMatrix(cells=(("C", "C", "B"), ("C", "B", "A"), ("B", "A", "B"))))
    with pytest.raises(PolicyError, match="unknown keys"):
        TierPolicy.from_dict({"matrix": {"row": "pd"}})
    with pytest.raises(PolicyError, match="matrix must be a TierMatrix; got 'x'"):
        TierPolicy(matrix="x")


def test_a_matrix_has_no_cut_offs_to_fit():
    policy, frame = TierPolicy(matrix=TierMatrix()), book(value=[1.0, 2.0, 3.0])
    with pytest.raises(InvalidParameterError, match="with a matrix only name the tiers"):
        policy.fit_cutoffs(frame)
    with pytest.raises(InvalidParameterError, match="with a matrix only name the tiers"):
        policy.optimize_cutoffs(frame, hours=HOURS, gain=GAIN, capacity_hours=1e3)


# ------------------------------------------------------------------ groups


def test_a_group_has_one_tier_of_its_figures_together():
    frame = book(value=[1.5e6, 6e5, 1e5, 1e5, np.nan], pd=[0.01, 0.02, 0.01, 0.01, 0.01])
    frame["group_id"] = ["G1", "G1", None, None, "G1"]
    policy = TierPolicy.default()
    assert policy.assign(frame)["tier"].tolist()[:4] == ["B", "B", "C", "C"]
    result = policy.assign(frame, group="group_id")
    assert result["tier"].tolist() == ["A", "A", "C", "C", "A"]
    assert result["tier_reason"].iloc[0].startswith("group G1 of 3, 1 without a value: score 2,100,000")
    assert result["tier_reason"].iloc[2].startswith("score 100,000")
    weak = policy.assign(frame.assign(pd=[0.01, 0.2, 0.01, 0.01, 0.01]), group="group_id")
    assert weak["tier"].tolist() == ["C", "C", "C", "C", "C"]  # a group is as strong as its weakest member
    assert weak["watch"].tolist() == [False, True, False, False, False]  # watch stays the entity's
    with pytest.raises(MissingColumnError, match="'group_id' is missing"):
        policy.assign(frame.drop(columns="group_id"), group="group_id")


def test_a_group_moves_together():
    frame = book(value=[1e6, 1.05e6], size_amount=[0.0, 0.0])
    frame["group_id"] = "G1"
    before = pd.DataFrame(
        {"client_id": ["C0", "C0"], "as_of": ["2025-01-01", "2025-02-01"], "tier": ["B", "B"]}
    )  # the second member is new
    result = TierPolicy.default().assign(frame, before, as_of="2025-03-01", group="group_id")
    assert result["tier"].tolist() == ["B", "B"]  # 2,050,000 is inside the buffer above 2,000,000
    alone = TierPolicy.default().assign(frame.assign(group_id=["G1", "G2"]), group="group_id")
    pd.testing.assert_frame_equal(alone, TierPolicy.default().assign(frame))


# ------------------------------------------------------------------ cut-offs under capacity


def worth(policy, frame):
    tiers, score = policy.assign(frame)["tier"], policy.score(frame)
    return float((tiers.map(GAIN) * score).sum()), float(tiers.map(HOURS).sum())


@pytest.mark.parametrize("seed", range(6))
def test_cut_offs_under_capacity_against_all_pairs_of_cut_offs(seed):
    rng = np.random.default_rng(seed)
    frame = book(value=rng.lognormal(12, 1.5, 40).round(), pd=rng.choice([0.01, 0.05, 0.2], 40))
    capacity = float(rng.integers(150, 1200))
    policy = TierPolicy().optimize_cutoffs(frame, hours=HOURS, gain=GAIN, capacity_hours=capacity)
    found, hours = worth(policy, frame)
    assert hours <= capacity
    score, gate = frame["value"].to_numpy(), np.digitize(frame["pd"], [0.03, 0.08])
    hours_of, gain_of = np.array([60, 20, 2]), np.array([0.10, 0.06, 0.0])
    best, lines = 0.0, [0.1, *np.sort(np.concatenate([score, score + 0.5])), 1e12]
    for low, high in itertools.combinations(lines, 2):
        rank = np.maximum(np.where(score >= high, 0, np.where(score >= low, 1, 2)), gate)
        if hours_of[rank].sum() <= capacity:
            best = max(best, float((gain_of[rank] * score).sum()))
    assert found >= 0.97 * best
    assert found <= best * (1 + 1e-9) or math.isclose(found, best)


def test_cut_offs_under_capacity_in_a_large_book():
    rng = np.random.default_rng(0)
    frame = book(value=rng.lognormal(12, 1.5, 20_000), pd=rng.beta(1, 40, 20_000))
    capacity = 200_000.0
    policy = TierPolicy().optimize_cutoffs(frame, hours=HOURS, gain=GAIN, capacity_hours=capacity)
    value, used = worth(policy, frame)
    assert 0.999 * capacity <= used <= capacity
    # The bound of the linear program at the price of an hour that the cut-offs stand for.
    price = policy.cutoffs["A"] * (GAIN["A"] - GAIN["B"]) / (HOURS["A"] - HOURS["B"])
    score = policy.score(frame).to_numpy()
    net = np.column_stack([GAIN[t] * score - price * HOURS[t] for t in "ABC"])
    net[frame["pd"] > 0.03, 0] = -np.inf
    net[frame["pd"] > 0.08, 1] = -np.inf
    assert value >= 0.999 * (net.max(axis=1).sum() + price * capacity)


def test_plenty_of_hours_serve_everybody_who_brings_something_best():
    frame = book(value=[5.0, 4.0, -1.0, 0.0])
    policy = TierPolicy().optimize_cutoffs(frame, hours=HOURS, gain=GAIN, capacity_hours=1e6)
    assert policy.assign(frame)["tier"].tolist() == ["A", "A", "C", "C"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"hours": {"A": 1}}, InvalidParameterError, "hours must give a number for each of A, B, C"),
        ({"hours": {"A": 1, "B": 2, "C": 3}}, InvalidParameterError, "hours must fall from the best"),
        ({"gain": {"A": 5, "B": 0.1, "C": 0}}, InvalidParameterError, r"gain\['A'\] must be a number"),
        ({"gain": {"A": 0.1, "B": 0.01, "C": 0.0}}, InvalidParameterError, "in between is never worth"),
        ({"capacity_hours": -1}, InvalidParameterError, "capacity_hours must be a number"),
        ({"capacity_hours": 3}, DataError, "must cover 2 clients in C, 4 hours; got 3"),
    ],
)  # fmt: skip
def test_bad_coverage_is_named(change, error, words):
    settings = {"hours": HOURS, "gain": GAIN, "capacity_hours": 100} | change
    with pytest.raises(error, match=words):
        TierPolicy().optimize_cutoffs(book(value=[1.0, 2.0]), **settings)


# ------------------------------------------------------------------ migration and stability


def run(**tiers):
    return pd.DataFrame({"tier": list(tiers.values())}, index=pd.Index(list(tiers), name="client_id"))


def test_migration_by_hand():
    before = run(a="A", b="A", c="B", d="B", e="C", f=None, g="C")
    after = run(a="A", b="C", c="A", d="B", e=None, f="B", h="C")
    moved = migration(before, after)
    counts = moved.counts
    assert counts.loc["A"].to_dict() == {"A": 1, "B": 0, "C": 1, "not evaluated": 0, "left": 0}
    assert counts.loc["C", "left"] == counts.loc["new", "C"] == counts.loc["C", "not evaluated"] == 1
    assert counts.to_numpy().sum() == 8
    told = moved.measures()
    assert told["n"] == 4
    assert (told["stayed"], told["up"], told["down"]) == (0.5, 0.25, 0.25)
    assert told["mean_notches"] == 0.75
    p, q = np.array([2, 2, 2]) / 6, np.array([2, 2, 2]) / 6
    assert told["psi"] == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert moved.shares().loc["A", "C"] == 0.5
    assert moved.frame()["clients"].sum() == 8
    assert moved.frame().query("before == 'B' and after == 'A'")["share"].item() == 0.5
    assert "4 clients, 50.0% stayed, 25.0% up, 25.0% down" in repr(moved)
    assert "<table" in moved._repr_html_()
    assert moved.to_dict()["measures"]["n"] == 4


def test_the_stability_index_is_that_of_the_shares():
    before, after = run(a="A", b="B", c="B", d="C"), run(a="A", b="A", c="B", d="C")
    p, q = np.array([0.25, 0.5, 0.25]), np.array([0.5, 0.25, 0.25])
    assert migration(before, after).measures()["psi"] == pytest.approx(((q - p) * np.log(q / p)).sum())
    empty = migration(before.iloc[:0], after).measures()
    assert empty["n"] == 0
    assert math.isnan(empty["psi"])


def test_stability_over_runs():
    rows = {
        "2026-01-01": {"a": "A", "b": "B", "c": "C"},
        "2026-02-01": {"a": "B", "b": "B", "c": "C"},
        "2026-03-01": {"a": "A", "b": "B", "c": "B"},
    }
    history = pd.DataFrame(
        [(c, d, t) for d, clients in rows.items() for c, t in clients.items()],
        columns=["client_id", "as_of", "tier"],
    )
    frame = stability(history)
    assert frame["stayed"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert math.isnan(frame["flipped"].iloc[0])
    assert frame["flipped"].iloc[1] == pytest.approx(1 / 3)
    assert stability(history.head(3)).empty


def test_bad_runs_are_named():
    twice = pd.DataFrame({"client_id": ["a", "a"], "tier": ["A", "B"]})
    with pytest.raises(DataError, match="previous must have one row a client; 1 occur again, the first is a"):
        migration(twice, run(a="A"))
    with pytest.raises(DataError, match="current must hold tiers A, B, C; got Z"):
        migration(run(a="A"), run(a="Z"))
    with pytest.raises(MissingColumnError, match="'tier'"):
        migration(run(a="A").rename(columns={"tier": "x"}), run(a="A"))
