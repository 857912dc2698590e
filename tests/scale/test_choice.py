from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import log_loss
from clientscore.scale import BetaCalibration, choose_calibration, fit_calibration
from clientscore.scale._choice import _folds, _Rows


def years(seed: int, n: int, law, n_years: int = 3):
    rng = np.random.default_rng(seed)
    x = rng.normal(-1, 2, n * n_years)
    as_of = np.repeat(np.array([f"{2019 + i}-01-01" for i in range(n_years)], dtype="datetime64[D]"), n)
    return x, (rng.random(len(x)) < law(x)).astype(float), as_of


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (lambda x: expit(x + 1), "mean"),
        (lambda x: expit(x / 3 + 1), "logistic"),
        (BetaCalibration(a=2.0, b=0.1, c=1.0).pd, "beta"),
    ],
)
def test_the_simplest_sufficient_calibration_is_taken(law, expected):
    # Chance alone passes one standard error in about one draw of six.
    taken = [choose_calibration(*years(seed, 3000, law)).method for seed in range(10)]
    assert taken.count(expected) >= 7


def test_steps_need_the_isotonic_one():
    law = lambda x: np.select([x < -1, x < 2], [0.02, 0.3], 0.35)  # noqa: E731
    assert choose_calibration(*years(3, 20_000, law)).method == "isotonic"


def test_the_latest_date_judges_and_only_the_earlier_ones_fit():
    x, y, as_of = years(4, 2000, lambda x: expit(x / 2))
    weight = np.random.default_rng(4).uniform(0.5, 2, len(x))
    choice = choose_calibration(x, y, as_of, weight=weight)
    latest = as_of == as_of.max()
    frame = choice.frame()
    for method in ("mean", "logistic", "beta", "isotonic"):
        fitted = fit_calibration(method, x[~latest], y[~latest], weight[~latest])
        expected = log_loss(y[latest], fitted.pd(x[latest]), weight[latest])
        assert frame.loc[method, "loss"] == pytest.approx(expected, rel=1e-9)
    assert frame.loc["none", "loss"] == pytest.approx(log_loss(y[latest], expit(x[latest]), weight[latest]))
    assert choice.evidence == (
        "out of time: fitted on 4000 rows to 2020-01-01, judged on 2000 rows of 2021-01-01 with "
        f"{int(y[latest].sum())} bads"
    )
    assert choice.calibration == fit_calibration(choice.method, x, y, weight)


def test_the_paired_standard_error_by_hand():
    # Equal weights, no groups: the standard error of a mean of independent differences.
    x, y, as_of = years(5, 500, lambda x: expit(x / 2), n_years=2)
    choice = choose_calibration(x, y, as_of, methods=["mean", "logistic"])
    latest = as_of == as_of.max()
    losses = {}
    for method in ("mean", "logistic"):
        p = fit_calibration(method, x[~latest], y[~latest]).pd(x[latest])
        losses[method] = -np.log(np.where(y[latest] == 1, p, 1 - p))
    difference = losses["mean"] - losses["logistic"]
    frame = choice.frame()
    assert frame["loss"].drop("none").idxmin() == "logistic"
    assert frame.loc["mean", "difference"] == pytest.approx(difference.mean(), rel=1e-6)
    assert frame.loc["mean", "standard_error"] == pytest.approx(
        difference.std(ddof=1) / np.sqrt(len(difference)), rel=1e-6
    )


def test_rows_of_one_client_are_one_piece_of_evidence():
    x, y, as_of = years(6, 400, lambda x: expit(x / 2), n_years=2)
    times = 4
    groups = np.tile(np.arange(len(x)), times)
    methods = ["mean", "logistic", "beta"]
    alone = choose_calibration(x, y, as_of, methods=methods).frame()
    copied = (np.tile(part, times) for part in (x, y, as_of))
    together = choose_calibration(*copied, groups=groups, methods=methods).frame()
    for name in alone.index:
        found = together.loc[name, "standard_error"]
        assert found == pytest.approx(alone.loc[name, "standard_error"], rel=1e-3)


def test_without_dates_folds_keep_groups_together():
    x, y, _ = years(7, 300, expit)
    groups = np.repeat(np.arange(300), 3)
    choice = choose_calibration(x, y, groups=groups)
    assert choice.evidence.startswith("in 5 folds by groups: 900 rows")
    assert "by rows (one date only)" in choose_calibration(x, y, as_of=np.full(len(x), 2020)).evidence
    early = np.where(y == 1, 2020, 2021)
    assert "(dates leave one class on a side)" in choose_calibration(x, y, as_of=early).evidence


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda groups: len(set(groups)) > 1))
def test_folds_judge_every_row_once_and_split_no_group(groups):
    cluster = np.unique(groups, return_inverse=True)[1]
    y = (cluster % 3 == 0).astype(float)
    folds = _folds(_Rows(y, y, np.ones(len(y)), cluster), 5, seed=0)
    assert (sum(fold.astype(int) for fold in folds) == 1).all()
    for fold in folds:
        assert not set(cluster[fold]) & set(cluster[~fold])
    events = [len(set(cluster[fold & (y == 1)])) for fold in folds]
    assert max(events) - min(events) <= 1  # groups with bads are dealt out evenly


def test_a_candidate_that_cannot_be_fitted_is_listed_with_its_fault():
    x, y, as_of = years(9, 2000, lambda x: expit(-x))
    choice = choose_calibration(x, y, as_of)
    assert choice.method == "mean"
    assert "must rise" in choice.frame().loc["logistic", "fault"]
    assert json.loads(json.dumps(choice.to_dict()["calibration"]))["kind"] == "affine"
    assert "mean" in choice._repr_html_()
    assert "out of time" in repr(choice)
    with pytest.raises(DataError, match="No calibration can be fitted") as caught:
        choose_calibration(x, y, as_of, methods=["logistic", "beta"])
    assert len(caught.value.faults) == 2


def test_the_level_is_set_after_the_choice():
    x, y, as_of = years(10, 2000, lambda x: expit(x / 2))
    free, asked = (choose_calibration(x, y, as_of, rate=rate) for rate in (None, 0.02))
    assert free.frame().equals(asked.frame())
    assert asked.calibration.pd(x).mean() == pytest.approx(0.02, rel=1e-9)


def test_bad_input():
    x, y, as_of = years(11, 50, expit)
    with pytest.raises(InvalidParameterError, match="at least one"):
        choose_calibration(x, y, methods=[])
    with pytest.raises(DataError, match="as_of must hold one value for each of the 150 rows; got 149"):
        choose_calibration(x, y, as_of[:-1])
    with pytest.raises(DataError, match="groups must be known"):
        choose_calibration(x, y, groups=[None, *range(149)])
    with pytest.raises(DataError, match="one group"):
        choose_calibration(x, y, groups=np.zeros(150))
    with pytest.raises(DataError, match="both classes"):
        choose_calibration(x, np.zeros(150))
