from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.features import ReferencePopulation, build_features, build_reference
from clientscore.features._reference import N_POINTS, quantile_grid

DATE = pd.Timestamp("2026-01-01")


def reference_of(values, date=DATE):
    values = np.asarray(values, dtype=float)
    grid = quantile_grid({"roa": values}, np.ones(values.size, dtype=bool), ("roa",))
    return ReferencePopulation(("roa",), (date,), grid[np.newaxis])


def mid_rank(population, values):
    """The definition: share below plus half the share equal."""
    population = np.asarray(population)
    return np.array([np.mean(population < x) + np.mean(population == x) / 2 for x in values])


def test_constant_columns_rank_in_the_middle():
    assert reference_of([3.0] * 50).rank("roa", np.array([3.0]), DATE) == pytest.approx([0.5])


def test_one_client_alone_is_its_own_middle():
    assert reference_of([7.0]).rank("roa", np.array([7.0]), DATE) == pytest.approx([0.5])


def test_ties_take_the_middle_of_their_ranks_and_neighbors_do_not():
    population = [0.0] * 600 + list(np.linspace(1, 2, 400))
    ranks = reference_of(population).rank("roa", np.array([-1.0, 0.0, 1e-9, 1.5, 9.0]), DATE)
    assert ranks == pytest.approx([0.0, 0.3, 0.6, 0.8, 1.0], abs=0.006)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=300))
def test_ranks_agree_with_the_definition_to_the_width_of_the_grid(population):
    reference = reference_of(population)
    asked = np.unique(np.asarray(population, dtype=float))
    got = reference.rank("roa", asked, DATE)
    assert ((got >= 0) & (got <= 1)).all()
    assert (np.diff(got) >= 0).all()
    # Between the ends of a run of ties the grid is exact to one step on each side; the ends of the range
    # rank 0 and 1 where they are not tied.
    tolerance = 1.0 / (N_POINTS - 1) + 1.0 / len(population)
    assert np.abs(got - mid_rank(population, asked)).max() <= tolerance + 1e-12


def test_missing_values_and_missing_populations_have_no_rank():
    assert np.isnan(reference_of([1.0, 2.0]).rank("roa", np.array([np.nan]), DATE)).all()
    assert np.isnan(reference_of([np.nan, np.nan]).rank("roa", np.array([1.0]), DATE)).all()


def test_the_latest_earlier_population_is_used():
    old, new = reference_of([0.0, 1.0], pd.Timestamp("2025-01-01")), reference_of([10.0, 11.0])
    both = new.extended(old)
    assert both.as_of == (pd.Timestamp("2025-01-01"), DATE)
    values = np.array([0.5])
    assert both.rank("roa", values, "2025-12-31") == pytest.approx([0.5])
    assert both.rank("roa", values, "2026-05-01") == pytest.approx([0.0])


def test_a_population_of_the_future_is_refused():
    with pytest.raises(DataError, match=r"at or before 2025-12-31; its first is 2026-01-01\. Build one"):
        reference_of([1.0]).rank("roa", np.array([1.0]), "2025-12-31")


def test_an_unknown_feature_names_the_nearest():
    with pytest.raises(InvalidParameterError, match=r"no ranks of 'row'\. Did you mean 'roa'"):
        reference_of([1.0]).rank("row", np.array([1.0]), DATE)


def test_wrong_shapes_orders_and_joins_are_refused():
    with pytest.raises(InvalidParameterError, match="must have the shape"):
        ReferencePopulation(("roa",), (DATE,), np.zeros((1, 2, 5)))
    with pytest.raises(InvalidParameterError, match="must increase"):
        ReferencePopulation(("roa",), (DATE, DATE), np.zeros((2, 1, 5)))
    with pytest.raises(InvalidParameterError, match="same features"):
        reference_of([1.0]).extended(ReferencePopulation(("roe",), (DATE,), np.zeros((1, 1, N_POINTS))))


def test_state_round_trip(schema, make_book):
    reference = build_reference(make_book(3), schema, ["2025-06-01", "2025-01-01"])
    state = reference.to_state()
    back = ReferencePopulation.from_state(state)
    assert state["as_of"] == ["2025-01-01", "2025-06-01"]
    assert (back.features, back.as_of) == (reference.features, reference.as_of)
    np.testing.assert_array_equal(back.grids, reference.grids)


@pytest.mark.parametrize("as_of", ["2025-04-01", ["2024-07-01", "2025-04-01"]])
def test_the_reference_of_the_book_is_the_one_made_on_the_way(schema, make_book, as_of):
    tables = make_book(4)
    reference = build_reference(tables, schema, as_of)
    pd.testing.assert_frame_equal(
        build_features(tables, schema, as_of), build_features(tables, schema, as_of, reference=reference)
    )
