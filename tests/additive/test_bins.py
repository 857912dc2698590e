from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive import FeatureBins, encode, fit_bins
from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError


def number(edges, name="x"):
    return FeatureBins(name, "number", edges=tuple(edges))


def test_a_value_on_an_edge_lies_left_of_it():
    bins = number([1.0, 2.0])
    X = pd.DataFrame({"x": [0.5, 1.0, np.nextafter(1.0, 2), 2.0, 3.0, np.nan]})
    assert encode([bins], X).ravel().tolist() == [0, 0, 1, 1, 2, 3]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=160, unique=True),
    st.lists(st.floats(-2e6, 2e6) | st.just(float("nan")), min_size=1, max_size=40),
)
def test_counting_edges_equals_a_binary_search(edges, values):
    bins = number(sorted(edges))
    x = np.array([*values, *edges[:5]])
    expected = np.where(np.isnan(x), len(edges) + 1, np.searchsorted(sorted(edges), x, side="left"))
    assert encode([bins], pd.DataFrame({"x": x})).ravel().tolist() == expected.tolist()
    assert [bins.code(value) for value in x.tolist()] == expected.tolist()


def test_long_columns_are_coded_block_by_block():
    x = np.random.default_rng(0).normal(size=40_000)
    bins = number([-1.0, 0.0, 1.0])
    codes = encode([bins], pd.DataFrame({"x": x})).ravel()
    assert (codes == np.searchsorted(bins.edges, x)).all()


def test_columns_are_found_by_name_in_any_order():
    bins = [number([0.0], "a"), number([5.0], "b")]
    X = pd.DataFrame({"extra": ["?"], "b": [6.0], "a": [-1.0]})
    codes = encode(bins, X)
    assert codes.tolist() == [[0, 1]]
    assert codes.dtype == np.uint8
    assert codes.flags.f_contiguous


def test_every_absent_column_is_named_with_its_nearest():
    with pytest.raises(MissingColumnError, match="Did you mean 'dpd_max_3m'") as caught:
        encode([number([0.0], "dpd_max_3"), number([0.0], "zzz")], pd.DataFrame({"dpd_max_3m": [1.0]}))
    assert len(caught.value.faults) == 2


def test_every_column_that_cannot_be_scored_is_named():
    X = pd.DataFrame({"a": [np.inf, -np.inf, 1.0], "b": ["x", "1", "2"], "c": [1.0, 2.0, 3.0]})
    bins = [number([0.0], name) for name in "abc"]
    with pytest.raises(DataError) as caught:
        encode(bins, X)
    assert len(caught.value.faults) == 2
    assert "infinity in 2 of 3" in caught.value.faults[0]
    assert "must hold numbers; got 'x'" in caught.value.faults[1]
    with pytest.raises(DataError, match="2 of 3 columns"):
        fit_bins(X.assign(b=[1, "x", None], c=[1.0, 2.0, 3.0]).astype({"b": object}))


def test_repeated_column_names_are_an_error():
    X = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    for act in (lambda: fit_bins(X), lambda: encode([number([0.0], "a")], X)):
        with pytest.raises(DataError, match="repeated: a"):
            act()


def test_levels_missing_and_unseen_have_rows_of_their_own():
    bins = fit_bins(pd.DataFrame({"k": ["b", "a", None, "b"]}))
    assert bins[0].levels == ("a", "b")
    assert (bins[0].missing, bins[0].other) == (True, False)
    codes = encode(bins, pd.DataFrame({"k": ["b", None, "new", "a"]}))
    assert codes.ravel().tolist() == [1, 2, 3, 0]
    assert [bins[0].code(value) for value in ("b", None, "new", float("nan"), pd.NA)] == [1, 2, 3, 2, 2]


@pytest.mark.parametrize("dtype", ["category", object, "str"])
def test_levels_do_not_depend_on_the_dtype(dtype):
    bins = fit_bins(pd.DataFrame({"k": pd.Series(["a", "b"], dtype=dtype)}))
    scored = pd.DataFrame({"k": pd.Series(["b", "c", None], dtype=dtype)})
    assert encode(bins, scored).ravel().tolist() == [1, 3, 2]


def test_a_category_of_numbers_reads_floats_too():
    bins = fit_bins(pd.DataFrame({"k": pd.Categorical([1, 2, 2])}))
    assert encode(bins, pd.DataFrame({"k": [1.0, np.nan, 3.0]})).ravel().tolist() == [0, 2, 3]


def test_many_levels_pool_the_rare_ones():
    levels = [f"c{j}" for j in range(10_000)] + ["big"] * 50
    bins = fit_bins(pd.DataFrame({"k": levels}), max_bins=20)[0]
    assert len(bins.levels) == 20
    assert "big" in bins.levels
    assert bins.other
    assert bins.code("c9999") == bins.unseen_code


def test_few_distinct_values_get_a_bin_each():
    bins = fit_bins(pd.DataFrame({"x": [3, 1, 2, 2, None]}))[0]
    assert bins.edges == (1.5, 2.5)
    assert bins.missing


def test_quantile_bins_hold_about_equal_weight_and_fine_tails():
    x = np.random.default_rng(0).normal(size=20_000)
    bins = fit_bins(pd.DataFrame({"x": x}), max_bins=40)
    share = np.bincount(encode(bins, pd.DataFrame({"x": x})).ravel()) / len(x)
    assert bins[0].n_values <= 40
    assert share.max() < 0.03
    assert share[0] == pytest.approx(0.0025, rel=0.1)


def test_weights_count_like_repeated_rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=300), "k": rng.choice(list("abcdefg"), 300)})
    times = rng.integers(0, 4, 300)
    repeated = X.loc[X.index.repeat(times)]
    assert fit_bins(X, max_bins=5, weight=times) == fit_bins(repeated, max_bins=5)


def test_edges_of_neighboring_floats_still_tell_them_apart():
    low = 1.0
    high = np.nextafter(low, 2)
    bins = fit_bins(pd.DataFrame({"x": [low, high]}))
    assert encode(bins, pd.DataFrame({"x": [low, high]})).ravel().tolist() == [0, 1]


@pytest.mark.parametrize("column", [[None, None], [np.nan, np.nan], [7.0, 7.0], [True, True]])
def test_columns_without_variation_have_one_row_of_values(column):
    bins = fit_bins(pd.DataFrame({"x": column}))[0]
    assert bins.n_values == 1
    assert bins.n_rows == 3


def test_bins_without_order_are_an_error():
    for edges in ([1.0, 1.0], [2.0, 1.0], [0.0, np.inf], [np.nan]):
        with pytest.raises(InvalidParameterError, match="strictly increasing"):
            number(edges)
    with pytest.raises(InvalidParameterError, match="Levels of 'k' must differ"):
        FeatureBins("k", "category", levels=("a", "a"))
    with pytest.raises(InvalidParameterError, match="kind must be one of"):
        FeatureBins("k", "text")


def test_labels_tell_all_edges_apart():
    edges = (1.00001, 1.00002, 1.00003)
    labels = number(edges).labels()
    assert len(set(labels)) == 6
    assert FeatureBins("k", "category", levels=("a",)).labels() == ["a", "missing", "unseen"]


def test_no_rows_give_no_codes():
    assert encode([number([0.0])], pd.DataFrame({"x": []})).shape == (0, 1)


def test_more_than_256_rows_need_wider_codes():
    bins = number(np.arange(300.0))
    codes = encode([bins], pd.DataFrame({"x": [299.5, np.nan]}))
    assert codes.dtype == np.uint16
    assert codes.ravel().tolist() == [300, 301]
