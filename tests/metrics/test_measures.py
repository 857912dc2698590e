from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import (
    auc,
    brier,
    brier_skill,
    calibration_table,
    gini,
    interval_coverage,
    ks,
    log_loss,
    pinball,
)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(3)
    p = np.round(rng.beta(1, 6, 800), 2)  # rounded: many ties
    y = (rng.random(800) < p).astype(int)
    return y, p, rng.exponential(size=800)


def test_ranking_and_probability_measures_equal_scikit_learn_with_weights(sample):
    y, p, weight = sample
    assert auc(y, p, weight) == pytest.approx(oracle.roc_auc_score(y, p, sample_weight=weight), abs=1e-12)
    assert auc(y, p) == pytest.approx(oracle.roc_auc_score(y, p), abs=1e-12)
    assert gini(y, p) == pytest.approx(2 * oracle.roc_auc_score(y, p) - 1, abs=1e-12)
    assert brier(y, p, weight) == pytest.approx(
        oracle.brier_score_loss(y, p, sample_weight=weight), abs=1e-12
    )
    expected = oracle.log_loss(y, p, sample_weight=weight)
    assert log_loss(y, p, weight) == pytest.approx(expected, abs=1e-12)
    assert pinball(y, p, 0.9, weight) == pytest.approx(
        oracle.mean_pinball_loss(y, p, alpha=0.9, sample_weight=weight), abs=1e-12
    )


def test_ks_equals_scipy(sample):
    y, p, _ = sample
    assert ks(y, p) == pytest.approx(stats.ks_2samp(p[y == 1], p[y == 0]).statistic, abs=1e-12)


def test_whole_weights_are_repeated_rows(sample):
    y, p, _ = sample
    times = np.random.default_rng(0).integers(1, 4, len(y))
    for measure in (auc, ks, brier, log_loss, brier_skill):
        repeated = measure(np.repeat(y, times), np.repeat(p, times))
        assert measure(y, p, times) == pytest.approx(repeated, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auc_counts_pairs(rows):
    y = np.array([row[0] for row in rows], dtype=int)
    score = np.array([row[1] for row in rows])
    if y.min() == y.max():
        with pytest.raises(DataError, match="both outcomes"):
            auc(y, score)
        return
    gap = np.subtract.outer(score[y == 1], score[y == 0])
    assert auc(y, score) == pytest.approx(((gap > 0) + 0.5 * (gap == 0)).mean())


def test_brier_skill_by_hand():
    assert brier_skill([0, 1], [0.25, 0.75]) == pytest.approx(1 - 0.0625 / 0.25)
    assert brier_skill([0, 0, 0, 1], [0.5] * 4, base_rate=0.5) == pytest.approx(0.0)
    assert np.isnan(brier_skill([0, 0], [0.1, 0.1]))


def test_calibration_table_adds_up(sample):
    y, p, weight = sample
    table = calibration_table(y, p, n_bins=5, weight=weight)
    assert table["rows"].sum() == len(y)
    assert (table["weight"] * table["realized"]).sum() == pytest.approx((weight * y).sum())
    assert (table["weight"] * table["predicted"]).sum() == pytest.approx((weight * p).sum())
    assert (table["highest"].shift() < table["lowest"]).iloc[1:].all()  # equal probabilities share a bin
    assert (calibration_table(y, p, n_bins=5)["rows"] > 80).all()


def test_calibration_table_of_one_probability_has_one_bin():
    table = calibration_table([0, 1, 0, 0], [0.2] * 4)
    assert len(table) == 1
    assert table.loc[1, "standard_error"] == pytest.approx(np.sqrt(0.2 * 0.8 / 4))


def test_interval_coverage_by_group():
    table = interval_coverage([1, 2, 3, 9], [0, 0, 4, 0], [2, 2, 5, 3], groups=["b", "a", "b", "b"])
    assert list(table.index) == ["all", "a", "b"]
    assert table["rows"].to_list() == [4, 1, 3]
    assert table.loc["b", ["coverage", "below", "above"]].to_list() == pytest.approx([1 / 3] * 3)
    assert table.loc["all", "width"] == pytest.approx((2 + 2 + 1 + 3) / 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auc([0, 1], [0.1, np.nan]), "score must be finite"),
        (lambda: auc([0, 2], [0.1, 0.2]), "y must be 0 or 1; got 2"),
        (lambda: auc([], []), "at least one row"),
        (lambda: brier([0, 1], [0.1, 1.2]), "Pass probabilities, not scores"),
        (lambda: brier([0, 1], [0.1]), "must have 2 values"),
        (lambda: brier([0, 1], ["a", "b"]), "must hold numbers"),
        (lambda: brier(np.zeros((1, 2)), [0.1, 0.2]), "one-dimensional"),
        (lambda: brier([0, 1], [0.1, 0.2], [-1, 1]), "weight must be at least 0"),
        (lambda: interval_coverage([1.0], [2.0], [1.0]), "Swap them"),
        (lambda: interval_coverage([1.0], [0.0], [1.0], groups=["a", "b"]), "groups must have 1"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_bad_parameters_are_named():
    with pytest.raises(InvalidParameterError, match="level"):
        pinball([1.0], [1.0], level=1.0)
    with pytest.raises(InvalidParameterError, match="n_bins"):
        calibration_table([0, 1], [0.1, 0.2], n_bins=0)
    with pytest.raises(InvalidParameterError, match="base_rate"):
        brier_skill([0, 1], [0.1, 0.2], base_rate=2.0)


def test_a_frame_column_works_as_well_as_a_list(sample):
    y, p, _ = sample
    assert auc(pd.Series(y, dtype="Int64"), pd.Series(p)) == auc(list(y), list(p))
