"""All ways to a decision agree to the bit: numpy in blocks, compiled by numba, one client at a time."""

from __future__ import annotations

import sys
import tracemalloc
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clientscore.additive import AdditiveCard, FeatureBins, Term, encode
from clientscore.additive._compiled import compiled
from clientscore.additive._kernel import BLOCK_ROWS
from clientscore.exceptions import DataError, InvalidParameterError, MissingDependencyError

HAS_NUMBA = True
try:
    import numba  # noqa: F401
except ImportError:
    HAS_NUMBA = False
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")
ENGINES = ["numpy", pytest.param("numba", marks=needs_numba)]

TINY = 5e-324
ODD = [np.nan, 0.0, -0.0, TINY, -TINY, 2.2e-308, 1.7e308, -1.7e308, 1.0, 1e-300]


@cache
def card_of(seed, n_outputs=1, most_edges=40, n_features=5, n_pairs=6):
    """Numbers with edges (also 0, and a subnormal one), a category, pairs of any two."""
    rng = np.random.default_rng(seed)
    bins = []
    for j in range(n_features):
        edges = np.unique(
            np.concatenate([rng.normal(size=rng.integers(0, most_edges + 1)), [0.0, TINY][: j % 3]])
        )
        bins.append(FeatureBins(f"f{j}", "number", edges=tuple(edges.tolist()), missing=bool(j % 2)))
    bins.append(FeatureBins("k", "category", levels=("u", "v", "w")))
    terms = [Term((one.name,), rng.normal(size=(one.n_rows, n_outputs))) for one in bins]
    for _ in range(n_pairs):
        a, b = rng.choice(len(bins), 2, replace=False)
        shape = (bins[a].n_rows, bins[b].n_rows, n_outputs)
        terms.append(Term((bins[a].name, bins[b].name), rng.normal(size=shape)))
    order = rng.permutation(len(terms))
    outputs = tuple(f"o{k}" for k in range(n_outputs))
    link = "logit" if n_outputs == 1 else "multilogit"
    return AdditiveCard(
        outputs, tuple(rng.normal(size=n_outputs)), tuple(bins), tuple(terms[i] for i in order), link
    )


def boundary_frame(card, n, seed=0):
    """Rows on edges, one step beside them, missing, signed zeros, subnormal and huge numbers, levels."""
    rng = np.random.default_rng(seed)
    columns = {}
    for one in card.bins:
        if one.kind == "category":
            columns[one.name] = rng.choice(np.array([*one.levels, "new", None], dtype=object), n)
            continue
        edges = np.array([*one.edges, 0.5])
        near = np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), ODD])
        columns[one.name] = rng.choice(near, n)
    return pd.DataFrame(columns)


def plain_decision(card, values):
    """Count edges below x, look up, add in the card's order: no code of the package."""
    rows = {}
    for one in card.bins:
        x = values[one.name]
        if pd.isna(x):
            rows[one.name] = one.missing_code
        elif one.kind == "category":
            rows[one.name] = one.levels.index(x) if x in one.levels else one.unseen_code
        else:
            rows[one.name] = sum(edge < x for edge in one.edges)
    totals = list(card.intercept)
    for term in card.terms:
        found = term.values[tuple(rows[name] for name in term.features)]
        totals = [total + float(value) for total, value in zip(totals, found, strict=True)]
    return totals


def decisions(card, frame, engine):
    return np.asarray(card.decision(frame, engine=engine)).reshape(len(frame), len(card.outputs))


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 7),
    n_outputs=st.sampled_from([1, 2, 3]),
    most_edges=st.sampled_from([3, 40, 99, 101, 400]),
    n=st.integers(0, 40),
    rows=st.integers(0, 10**6),
)
def test_every_way_agrees_to_the_bit(engine, seed, n_outputs, most_edges, n, rows):
    card = card_of(seed, n_outputs, most_edges)
    frame = boundary_frame(card, n, rows)
    clients = frame.to_dict("records")
    expected = np.array([plain_decision(card, client) for client in clients]).reshape(n, n_outputs)
    assert (decisions(card, frame, engine) == expected).all()
    one = [card.decision_codes_one(card.codes_one(client)) for client in clients]
    assert (np.array(one).reshape(n, n_outputs) == expected).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("most_edges", [40, 400])
def test_edges_and_their_neighbors_fall_where_bisection_puts_them(engine, most_edges):
    card = card_of(1, 1, most_edges)
    frame = boundary_frame(card, 3000)
    codes = card.encode(frame, engine)
    assert codes.dtype == (np.uint16 if any(one.n_rows > 256 for one in card.bins) else np.uint8)
    for j, one in enumerate(card.bins):
        assert codes[:, j].tolist() == [one.code(value) for value in frame[one.name].tolist()]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n", [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_rows_around_the_size_of_a_block(engine, n):
    card = card_of(2)
    frame = boundary_frame(card, n)
    values = card.decision(frame, engine=engine)
    assert values.shape == (n,)
    ends = [*range(min(n, 3)), *range(max(n - 3, 0), n)]
    assert [values[i] for i in ends] == [card.decision_one(frame.iloc[i].to_dict()) for i in ends]


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 5), n_outputs=st.sampled_from([1, 2, 4]), wide=st.booleans())
def test_row_numbers_of_every_kind_of_table_add_up(engine, seed, n_outputs, wide):
    """Any row of a table, value or not (special codes, missing, unseen), is just a row to the kernel."""
    card = card_of(seed, n_outputs, 300 if wide else 40)
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, one.n_rows, 50) for one in card.bins])
    for kind in (np.uint16, np.int64) if wide else (np.uint8, np.uint16, np.int64):
        for order in "CF":
            given = np.array(codes, dtype=kind, order=order)
            found = card.decision_codes(given, engine).reshape(50, -1)
            assert found.tolist() == [card.decision_codes_one(row) for row in codes.tolist()]


@pytest.mark.parametrize("engine", ENGINES)
def test_infinity_is_counted_in_every_block_and_column(engine):
    card = card_of(3)
    frame = boundary_frame(card, 2 * BLOCK_ROWS)
    frame.loc[[3, BLOCK_ROWS + 5], "f1"] = [np.inf, -np.inf]
    frame.loc[7, "f2"] = np.inf
    with pytest.raises(DataError, match="2 of 6 columns") as caught:
        card.decision(frame, engine=engine)
    counts = [(fault[:4], fault.split(" in ")[1].split()[0]) for fault in caught.value.faults]
    assert counts == [("'f1'", "2"), ("'f2'", "1")]
    for value in (np.inf, -np.inf):
        with pytest.raises(DataError, match="'f0' must be finite"):
            card.decision_one({**frame.iloc[0].to_dict(), "f0": value})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_is_neither_copied_wrongly_nor_changed(engine):
    card = card_of(4)
    frame = boundary_frame(card, 500)
    numbers = [one.name for one in card.bins if one.kind == "number"]
    before, expected = frame.copy(), card.decision(frame)
    rowwise = pd.DataFrame(frame[numbers].to_numpy(copy=True), columns=numbers).assign(k=frame["k"])
    for same in (frame, frame[::-1], rowwise, frame.astype({"f0": "Float64"}), frame.astype({"f1": object})):
        assert card.decision(same, engine=engine).sort_index().equals(expected)
    pd.testing.assert_frame_equal(frame, before, check_exact=True)


def test_floats_of_32_bits_and_whole_numbers_of_one_client_go_the_slow_way_right():
    edges = tuple(np.sort(np.random.default_rng(0).normal(size=9)).tolist())
    card = AdditiveCard(
        ("bad",),
        (0.0,),
        (FeatureBins("a", "number", edges=edges), FeatureBins("b", "number", edges=(2.0**53,))),
        (Term(("a",), np.arange(12.0)[:, None]), Term(("b",), np.arange(4.0)[:, None] * 100)),
    )
    for a in np.array(edges, dtype=np.float32):
        frame = pd.DataFrame({"a": np.array([a]), "b": np.array([2**53 + 1])})
        assert card.decision_one({"a": a, "b": 2**53 + 1}) == card.decision(frame)[0]
    # The sum of two huge numbers is infinite, the numbers are not.
    huge = {"a": 1.7e308, "b": 1.7e308}
    assert card.decision_one(huge) == card.decision(pd.DataFrame([huge]))[0]


@needs_numba
def test_compiled_sums_refuse_row_numbers_outside_their_table():
    card = card_of(5)
    codes = np.zeros((3, len(card.bins)), dtype=np.int64)
    for wrong in (-1, 10**6):
        codes[1, 0] = wrong
        with pytest.raises(IndexError, match="outside the table"):
            card.decision_codes(codes, "numba")


def test_an_unknown_engine_is_named_and_an_absent_one_says_what_to_install(monkeypatch):
    card = card_of(0)
    frame = boundary_frame(card, 3)
    for call in (lambda: card.decision(frame, engine="cuda"), lambda: encode(card.bins, frame, "cuda")):
        with pytest.raises(InvalidParameterError, match="engine must be one of 'numpy', 'numba'; got 'cuda'"):
            call()
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"numba, which is not installed.*clientscore\[fast\]"):
        card.decision(frame, engine="numba")


def test_points_need_little_more_memory_than_row_numbers():
    card = card_of(6, n_features=20, n_pairs=60)
    frame = boundary_frame(card, 100_000)
    card.decision(frame.head(10))
    tracemalloc.start()
    card.decision(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One byte a cell, 8 the sum, and blocks; an array of rows x terms would be 65 MB.
    assert peak < 100_000 * (21 + 8) + 12e6
