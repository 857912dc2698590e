from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from clientscore.effects import difference_in_means
from clientscore.exceptions import DataError, InvalidParameterError


def test_by_hand():
    found = difference_in_means([3, 5, 1, 3], [1, 1, 0, 0], min_clients=2)
    assert found.effect == pytest.approx(2.0)
    assert found.baseline == pytest.approx(2.0)
    assert found.relative_effect == pytest.approx(1.0)
    assert found.standard_error == pytest.approx(np.sqrt(2 / 2 + 2 / 2))
    assert (found.n_treated, found.n_control, found.n_clients) == (2, 2, 4)


@given(st.integers(0, 10_000), st.integers(12, 60), st.integers(12, 60))
@settings(max_examples=25, deadline=None)
def test_without_covariates_it_is_welchs_test(seed, n_treated, n_control):
    rng = np.random.default_rng(seed)
    y, t = rng.normal(size=n_treated + n_control), np.repeat([1, 0], [n_treated, n_control])
    found, oracle = difference_in_means(y, t), ttest_ind(y[t == 1], y[t == 0], equal_var=False)
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert (found.lower, found.upper) == pytest.approx(tuple(oracle.confidence_interval()))


def test_cuped_is_the_regression_with_interactions():
    rng = np.random.default_rng(1)
    x, t = rng.normal(5, 2, 500), (rng.random(500) < 0.3).astype(float)
    y = 2 * x + t * (1 + 0.5 * x) + rng.normal(size=500)
    found = difference_in_means(y, t, covariates=x)
    c = x - x.mean()
    X = np.column_stack([np.ones(500), t, c, t * c])
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    assert found.effect == pytest.approx(beta[1])
    # sandwich errors of the same regression, and the spread of the effect over the covariate
    bread = np.linalg.inv(X.T @ X)
    residual = y - X @ beta
    sandwich = bread @ (X.T * residual**2) @ X @ bread
    expected = np.sqrt(sandwich[1, 1] + beta[3] ** 2 * c.var() / 500)
    assert found.standard_error == pytest.approx(expected, rel=0.02)  # theirs: no small-sample factor


def test_a_client_with_many_rows_counts_once():
    rng = np.random.default_rng(2)
    y, t = rng.normal(size=60), np.repeat([0, 1], 30)
    alone = difference_in_means(y, t)
    often = difference_in_means(np.repeat(y, 4), np.repeat(t, 4), clients=np.repeat(np.arange(60), 4))
    assert often.effect == pytest.approx(alone.effect)
    assert often.standard_error == pytest.approx(alone.standard_error)
    assert often.n_clients == 60


def test_a_constant_added_to_the_treated_moves_the_effect_alone():
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=200), np.tile([0, 1], 100)
    y = x + rng.normal(size=200)
    first, second = (difference_in_means(y + shift * t, t, covariates=x) for shift in (0.0, 7.0))
    assert second.effect == pytest.approx(first.effect + 7.0)
    assert second.standard_error == pytest.approx(first.standard_error)


def test_cuped_covers_the_truth_with_text_and_missing_covariates():
    covered, ratio = 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        before = rng.normal(size=300)
        kind = np.where(before > 0.5, "large", "small").astype(object)
        t = (rng.random(300) < 0.5).astype(int)
        y = before + 0.3 * t * (1 + before) + 0.5 * rng.normal(size=300)
        seen = np.where(rng.random(300) < 0.1, np.nan, before)
        found = difference_in_means(y, t, covariates=pd.DataFrame({"before": seen, "kind": kind}))
        covered += found.lower <= 0.3 <= found.upper
        ratio.append(found.details["variance_reduction"])
    assert 180 <= covered <= 199  # 95 % of 200, within three standard errors
    assert np.mean(ratio) > 0.5


def test_bad_input_tells_all_faults():
    with pytest.raises(DataError, match="cannot be estimated") as caught:
        difference_in_means([1.0, np.nan, 2.0], [1, 0], clients=["a", None, "b"])
    text = str(caught.value)
    assert "1 of 3 are missing" in text
    assert "treatment must have 3 rows" in text
    assert "clients must not be missing" in text


@pytest.mark.parametrize(
    ("treatment", "match"),
    [
        (np.ones(40), "no row is control"),
        (np.zeros(40), "no row is treated"),
        (np.repeat([0, 1], [5, 35]), "control arm must have at least 10 clients; got 5"),
        (np.repeat([0, 2], 20), "must be 0 or 1; got 2"),
        (["a"] * 40, "treatment must hold numbers"),
    ],
)
def test_arms_that_cannot_be_compared(treatment, match):
    with pytest.raises(DataError, match=match):
        difference_in_means(np.arange(40.0), treatment)


def test_more_covariates_than_the_rows_carry_are_told():
    rng = np.random.default_rng(4)
    found = difference_in_means(rng.normal(size=40), np.tile([0, 1], 20), covariates=rng.normal(size=(40, 9)))
    assert found.notes == ("the smaller arm carries 4 of 9 columns of covariates: the first were used.",)


def test_covariates_that_cannot_be_read():
    y, t = np.arange(40.0), np.tile([0, 1], 20)
    with pytest.raises(DataError, match="covariates must have 40 rows"):
        difference_in_means(y, t, covariates=y[:5])
    with pytest.raises(DataError, match="holds infinity"):
        difference_in_means(y, t, covariates=np.full(40, np.inf))
    with pytest.raises(DataError, match="got a date"):
        difference_in_means(y, t, covariates=pd.DataFrame({"d": pd.date_range("2024-01-01", periods=40)}))
    with pytest.raises(InvalidParameterError, match="level must be a number"):
        difference_in_means(y, t, level=95)


def test_the_result_is_plain_data():
    found = difference_in_means([3, 5, 1, 3], [1, 1, 0, 0], min_clients=2, name="paid")
    assert found.frame().loc[0, "outcome"] == "paid"
    assert found.to_dict()["effect"] == pytest.approx(2.0)
    assert "paid" in found._repr_html_()
    same = difference_in_means([1, 1, 1, 1], [1, 1, 0, 0], min_clients=2)
    assert (same.effect, same.standard_error, same.p_value) == (0.0, 0.0, 1.0)
