from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive import FeatureBins, FeatureRule, encode, fit_bins
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
    assert bins.edges == (np.nextafter(1.0, 0), 1.5, 2.5, 3.0)
    assert bins.missing


def test_quantile_bins_hold_about_equal_weight_and_fine_tails():
    x = np.random.default_rng(0).normal(size=20_000)
    bins = fit_bins(pd.DataFrame({"x": x}), max_bins=40)
    share = np.bincount(encode(bins, pd.DataFrame({"x": x})).ravel()) / len(x)
    assert len(bins[0].inner_rows) <= 40
    assert share.max() < 0.03
    assert share[0] == 0
    assert share[1] == pytest.approx(0.0025, rel=0.1)


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
    assert encode(bins, pd.DataFrame({"x": [low, high]})).ravel().tolist() == [1, 2]


@pytest.mark.parametrize("column", [[None, None], [np.nan, np.nan], [7.0, 7.0], [True, True]])
def test_columns_without_variation_have_one_row_in_range(column):
    bins = fit_bins(pd.DataFrame({"x": column}))[0]
    assert len(bins.inner_rows) == 1
    assert bins.n_rows == (5 if bins.bounded else 3)
    assert bins.bounded == (column[0] in (7.0, True))


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


# ---- special codes, range, refusal -------------------------------------------------------------------------


def test_numbers_out_of_range_have_rows_of_their_own():
    bins = fit_bins(pd.DataFrame({"x": [1.0, 2.0, 3.0]}))[0]
    x = [0.999, np.nextafter(1.0, 0), 1.0, 3.0, np.nextafter(3.0, 4), 1e9, np.nan]
    assert encode([bins], pd.DataFrame({"x": x})).ravel().tolist() == [0, 0, 1, 3, 4, 4, 5]
    assert [bins.code(value) for value in x] == [0, 0, 1, 3, 4, 4, 5]
    assert bins.labels() == ["< 1", "[1, 1.5]", "(1.5, 2.5]", "(2.5, 3]", "> 3", "missing", "unseen"]
    assert (bins.least, bins.greatest) == (1.0, 3.0)
    assert bins.declared == (0, 4, 5, 6)
    assert bins.nearest == (1, 1, 2, 3, 3, 5, 6)


def test_a_rule_sets_the_range_and_training_may_leave_it():
    rules = {"x": FeatureRule(low=0.0, high=2.0)}
    bins = fit_bins(pd.DataFrame({"x": [-5.0, 0.5, 1.0, 1.5]}), rules=rules)[0]
    assert (bins.least, bins.greatest) == (0.0, 2.0)
    assert bins.declared == (4, 5, 6)
    assert bins.nearest[0] == 0
    assert bins.nearest[4] == 3


def test_a_special_code_has_its_row_even_inside_the_range():
    rules = {"x": FeatureRule(specials=(2.0, -999.0, -998.0))}
    bins = fit_bins(pd.DataFrame({"x": [1.0, 2.0, 3.0, -999.0, None]}), rules=rules)[0]
    assert bins.least == 1.0
    assert bins.labels() == [
        "< 1",
        "[1, 2]",
        "(2, 3]",
        "> 3",
        "code 2",
        "code -999",
        "code -998",
        "missing",
        "unseen",
    ]
    x = [2.0, np.nextafter(2.0, 3), -999.0, -998.0, -997.0, np.nan]
    assert encode([bins], pd.DataFrame({"x": x})).ravel().tolist() == [4, 2, 5, 6, 0, 7]
    assert [bins.code(value) for value in x] == [4, 2, 5, 6, 0, 7]
    assert bins.declared == (0, 3, 6, 8)
    assert bins == FeatureBins.from_dict(bins.to_dict())


def test_refused_rows_are_named_and_counted():
    bins = FeatureBins("x", "number", edges=(0.0, 1.0), bounded=True, refuse=("missing", "out_of_range"))
    with pytest.raises(DataError, match="X cannot be scored") as caught:
        encode([bins], pd.DataFrame({"x": [0.5, np.nan, 7.0, 8.0]}))
    assert caught.value.faults == (
        "'x' is not scored where it is > 1; 2 of 4 rows are.",
        "'x' is not scored where it is missing; 1 of 4 rows are.",
    )
    with pytest.raises(DataError, match="not scored where it is missing; got None"):
        bins.code(None)
    assert encode([bins], pd.DataFrame({"x": [0.5]})).tolist() == [[1]]


def test_bins_that_cannot_be_are_errors():
    with pytest.raises(InvalidParameterError, match="Special codes of 'x' must be finite"):
        FeatureBins("x", "number", specials=(1.0, 1.0))
    with pytest.raises(InvalidParameterError, match="Special codes of 'k'"):
        FeatureBins("k", "category", levels=("a",), specials=(1.0,))
    with pytest.raises(InvalidParameterError, match="needs two edges"):
        FeatureBins("x", "number", edges=(1.0,), bounded=True)
    with pytest.raises(InvalidParameterError, match="never met must lie in 0 to 1"):
        FeatureBins("x", "number", edges=(1.0,), unmet=(2,))
    with pytest.raises(InvalidParameterError, match="refuse must be one of"):
        FeatureBins("x", "number", refuse=("odd",))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([-9.0, -8.0, 0.0, 0.5, 1.0, 2.0, 5.0]), min_size=1, max_size=30))
def test_codes_and_one_value_agree_with_specials(values):
    rules = {"x": FeatureRule(specials=(-9.0, 0.5))}
    bins = fit_bins(pd.DataFrame({"x": values}), rules=rules)[0]
    x = [*values, -9.0, 0.5, 77.0, -77.0]
    assert encode([bins], pd.DataFrame({"x": x})).ravel().tolist() == [bins.code(value) for value in x]
    met = bins.met(np.bincount(encode([bins], pd.DataFrame({"x": values})).ravel(), minlength=bins.n_rows))
    assert met == bins


def test_every_way_to_be_missing_is_missing_in_one_row_as_in_many():
    bins = (
        FeatureBins("k", "category", levels=("NaT", "nan", "u")),
        FeatureBins("x", "number", edges=(0.0,)),
    )
    odd = (np.float32("nan"), np.datetime64("NaT"), Decimal("NaN"))
    for value in (None, np.nan, pd.NA, pd.NaT, *odd):
        frame = pd.DataFrame({"k": pd.Series([value, "u"], dtype=object)})
        assert encode(bins[:1], frame)[0, 0] == bins[0].code(value) == bins[0].missing_code, value
    for value in (None, np.nan, pd.NA, pd.NaT):
        frame = pd.DataFrame({"x": pd.Series([value, 1.0], dtype=object)})
        assert encode(bins[1:], frame)[0, 0] == bins[1].code(value) == bins[1].missing_code, value
    assert bins[0].code("NaT") == 0  # a text is a level, whatever it says
    assert bins[0].code("nan") == 1


def test_more_rows_than_16_bits_are_an_error_and_never_wrap():
    X = pd.DataFrame({"x": np.arange(70_000.0)})
    with pytest.raises(InvalidParameterError, match=r"max_bins must be .* from 2 to 60000; got 65536"):
        fit_bins(X, max_bins=65_536)
    most = fit_bins(X, max_bins=60_000)
    codes = encode(most, X)[:, 0]
    assert codes.dtype == np.uint16
    assert (np.diff(codes.astype(int)) >= 0).all()  # increasing numbers, rows that never fall back
    assert codes.max() == most[0].n_values - 2 > 59_000
    with pytest.raises(InvalidParameterError, match=r"'x' may have 65,536 rows, .* got 65,537"):
        FeatureBins("x", "number", edges=tuple(np.arange(65_534.0)))
