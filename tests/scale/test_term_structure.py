from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import migration_matrix, term_structure_from_incidence, term_structure_from_matrix

STATES = ["A", "B", "D"]


def matrix_of(rows, states=STATES) -> pd.DataFrame:
    return pd.DataFrame(rows, index=states, columns=states)


def test_two_years_by_hand():
    found = term_structure_from_matrix(matrix_of([[0.9, 0.08, 0.02], [0.1, 0.8, 0.1], [0, 0, 1]]), years=2)
    assert found.index.names == ["grade", "year"]
    assert found.loc[("A", 2), "cumulative"] == pytest.approx(0.02 + 0.9 * 0.02 + 0.08 * 0.1)
    assert found.loc[("A", 2), "marginal"] == pytest.approx(0.026)
    assert found.loc[("A", 2), "forward"] == pytest.approx(0.026 / 0.98)
    assert found.loc[("B", 1)].tolist() == pytest.approx([0.1, 0.1, 0.1])


@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), min_size=3, max_size=3), st.integers(1, 12)
)
def test_cumulative_is_the_power_of_the_matrix_and_forward_compounds_to_it(rows, years):
    shares = np.vstack([np.array(rows) / np.sum(rows, axis=1, keepdims=True), [0, 0, 0, 1]])
    found = term_structure_from_matrix(matrix_of(shares, ["A", "B", "C", "D"]), years)
    cumulative = found["cumulative"].unstack()
    np.testing.assert_allclose(
        cumulative.to_numpy(),
        np.array([np.linalg.matrix_power(shares, year)[:3, 3] for year in range(1, years + 1)]).T,
        atol=1e-12,
    )
    assert (cumulative.diff(axis=1).iloc[:, 1:] >= -1e-12).all().all()
    survival = (1 - found["forward"].fillna(1)).unstack().cumprod(axis=1)
    np.testing.assert_allclose(survival, 1 - cumulative, atol=1e-6)


def test_withdrawal_is_an_exit_and_forward_counts_those_still_rated():
    states = ["A", "D", "withdrawn"]
    shares = matrix_of([[0.7, 0.1, 0.2], [0, 1, 0], [0, 0, 1]], states)
    found = term_structure_from_matrix(shares, years=3)
    assert found.index.get_level_values("grade").unique().tolist() == ["A"]
    assert found["cumulative"].tolist() == pytest.approx([0.1, 0.17, 0.219])
    assert found["forward"].tolist() == pytest.approx([0.1, 0.1, 0.1])


def test_a_printed_matrix_adds_to_one_only_nearly():
    found = term_structure_from_matrix(matrix_of([[0.9, 0.0799, 0.02], [0.1, 0.8, 0.1], [0, 0, 1]]), years=1)
    assert found.loc[("A", 1), "cumulative"] == pytest.approx(0.02 / 0.9999)


def test_faults_of_a_matrix_are_all_listed():
    with pytest.raises(DataError) as caught:
        term_structure_from_matrix(matrix_of([[0.9, -0.1, 0.2], [0.1, 0.8, 0.2], [0.1, 0, 0.9]]), years=1)
    assert [fault.split(";")[1] for fault in caught.value.faults] == [
        " not row(s) ['A']",
        " not row(s) ['B']",
        " not row(s) ['D']",
    ]
    with pytest.raises(DataError, match="must be square"):
        term_structure_from_matrix(matrix_of(np.eye(3)), years=1, default="default")
    with pytest.raises(InvalidParameterError, match="years"):
        term_structure_from_matrix(matrix_of(np.eye(3)), years=0)


MOVES = pd.DataFrame(
    [("A", "A")] * 6 + [("A", "B")] * 2 + [("A", None)] * 2 + [("B", "B")] * 3 + [("B", "D")] * 1,
    columns=["from", "to"],
)


def test_withdrawn_clients_are_left_out_or_a_state():
    out = migration_matrix(MOVES["from"], MOVES["to"], ["A", "B"])
    np.testing.assert_allclose(out, [[0.75, 0.25, 0], [0, 0.75, 0.25], [0, 0, 1]])
    state = migration_matrix(MOVES["from"], MOVES["to"], ["A", "B"], withdrawn="state")
    np.testing.assert_allclose(state.loc["A"], [0.6, 0.2, 0, 0.2])
    np.testing.assert_allclose(state.loc["withdrawn"], [0, 0, 0, 1])
    first = term_structure_from_matrix(state, years=1)["cumulative"]
    assert first.tolist() == pytest.approx([0, 0.25])


def test_weights_count_as_clients_and_the_cross_table_agrees():
    rng = np.random.default_rng(0)
    start, end = rng.choice(["A", "B"], 500), rng.choice(STATES, 500)
    found = migration_matrix(start, end, ["A", "B"])
    pd.testing.assert_frame_equal(
        found.loc[["A", "B"]], pd.crosstab(start, end, normalize="index"), check_names=False
    )
    times = rng.integers(0, 3, 500)
    weighted = migration_matrix(start, end, ["A", "B"], weight=times)
    repeated = migration_matrix(np.repeat(start, times), np.repeat(end, times), ["A", "B"])
    pd.testing.assert_frame_equal(weighted, repeated)


def test_moves_that_cannot_be_counted_are_all_listed():
    with pytest.raises(DataError) as caught:
        migration_matrix(["A", "X"], ["Y", "A"], ["A"], weight=[1, -1])
    assert len(caught.value.faults) == 3
    with pytest.raises(DataError, match="'B' has no client"):
        migration_matrix(["A"], ["A"], ["A", "B"])
    with pytest.raises(DataError, match="from_grade must be one of the grades"):
        migration_matrix(["D"], ["D"], ["A"])  # a client in default does not start
    with pytest.raises(InvalidParameterError, match="grades must differ"):
        migration_matrix(["A"], ["A"], ["A", "D"])
    with pytest.raises(DataError, match="one length; got 1, 2, 1"):
        migration_matrix(["A"], ["A", "B"], ["A"])


def incidences(rows, horizons=(12, 24)):
    columns = pd.MultiIndex.from_product([["default", "exit"], horizons], names=["cause", "horizon"])
    return pd.DataFrame(rows, columns=columns, index=pd.Index(["c1", "c2"][: len(rows)], name="client_id"))


def test_incidences_by_hand():
    found = term_structure_from_incidence(incidences([[0.1, 0.2, 0.3, 0.5], [0.0, 0.1, 0.9, 0.9]]))
    assert found.index.names == ["client_id", "horizon"]
    assert found.loc["c1", "marginal"].tolist() == pytest.approx([0.1, 0.1])
    assert found.loc["c1", "forward"].tolist() == pytest.approx([0.1, 0.1 / 0.6])
    assert found.loc[("c2", 24), "forward"] == pytest.approx(1.0)


def test_a_matrix_with_withdrawal_and_its_incidences_tell_the_same():
    shares = np.array([[0.7, 0.1, 0.2], [0, 1, 0], [0, 0, 1]])
    powers = [np.linalg.matrix_power(shares, year) for year in (1, 2, 3)]
    rows = [[*(power[0, 1] for power in powers), *(power[0, 2] for power in powers)]]
    by_cause = term_structure_from_incidence(incidences(rows, (1, 2, 3)))
    by_matrix = term_structure_from_matrix(matrix_of(shares, ["A", "D", "withdrawn"]), years=3)
    np.testing.assert_allclose(by_cause, by_matrix)


def test_missing_clients_stay_missing_and_levels_of_the_index_stay():
    frame = incidences([[0.1, 0.2, 0.3, 0.5], [np.nan] * 4])
    frame.index = pd.MultiIndex.from_tuples([("c1", 2024), ("c2", 2024)], names=["client_id", "as_of"])
    found = term_structure_from_incidence(frame)
    assert found.index.names == ["client_id", "as_of", "horizon"]
    assert found.loc["c2"].isna().all().all()


def test_faults_of_incidences():
    with pytest.raises(DataError) as caught:
        term_structure_from_incidence(incidences([[0.5, 0.2, 0.3, 0.9], [0.1, 1.1, 0.3, 0.5]]))
    assert len(caught.value.faults) == 3
    with pytest.raises(DataError, match="no cause 'loss'"):
        term_structure_from_incidence(incidences([[0.1, 0.2, 0.3, 0.5]]), cause="loss")
    with pytest.raises(DataError, match=r"\['exit'\] have others"):
        term_structure_from_incidence(incidences([[0.1, 0.2, 0.3, 0.5]]).iloc[:, :3])
    with pytest.raises(DataError, match="1 level"):
        term_structure_from_incidence(pd.DataFrame({"default": [0.1]}))
