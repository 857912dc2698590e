from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.metrics import auc
from clientscore.scoring import (
    ClientScorer,
    reject_fuzzy,
    reject_hard_cutoff,
    reject_parcelling,
    reject_sensitivity,
)


def applicants(seed: int = 0, n: int = 3000):
    """Applicants of whom the desk turned down the riskier half, seeing a little more than the features."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"dscr": rng.normal(1.5, 0.5, n), "dpd_max_3m": rng.poisson(2.0, n).astype(float)})
    hidden = rng.normal(size=n)
    log_odds = -2 * X["dscr"] + X["dpd_max_3m"] / 2 + 0.7 * hidden - 0.5
    bad = (rng.random(n) < expit(log_odds)).astype(float)
    kept = (log_odds + rng.normal(size=n) < -2.2).to_numpy()
    return X[kept], bad[kept], X[~kept], bad[~kept]


def test_a_hard_cutoff_labels_by_the_models_opinion():
    accepted, y, rejected, _ = applicants()
    p = np.linspace(0, 1, len(rejected))
    found = reject_hard_cutoff(accepted, y, rejected, p, cutoff_pd=0.25)
    assert (
        len(found.X)
        == len(found.y)
        == len(found.weight)
        == len(found.groups)
        == len(accepted) + len(rejected)
    )
    np.testing.assert_array_equal(found.y[: len(y)], y)
    np.testing.assert_array_equal(found.y[len(y) :], p > 0.25)
    assert (found.weight == 1).all()
    assert len(set(found.groups)) == len(found.X)


def test_parcelling_draws_at_the_rate_of_the_band_times_the_factor():
    rng = np.random.default_rng(1)
    n = 40_000
    frame = pd.DataFrame({"x": np.zeros(n)})
    p_accepted, p_rejected = rng.uniform(0, 0.4, n), rng.uniform(0, 0.4, n)
    y = (rng.random(n) < p_accepted / 2).astype(float)  # the model is twice too high
    for factor in (1.0, 1.5):
        found = reject_parcelling(frame, y, frame, p_rejected, p_accepted, factor, n_bands=4)
        drawn = found.y[n:]
        for low in (0.0, 0.1, 0.2, 0.3):
            band = (p_rejected >= low) & (p_rejected < low + 0.1)
            expected = factor * (low + 0.05) / 2
            assert drawn[band].mean() == pytest.approx(
                expected, abs=4 * np.sqrt(expected / band.sum()) + 0.003
            )
    again = reject_parcelling(frame, y, frame, p_rejected, p_accepted, 1.5, n_bands=4)
    np.testing.assert_array_equal(again.y, found.y)
    other = reject_parcelling(frame, y, frame, p_rejected, p_accepted, 1.5, n_bands=4, random_state=1)
    assert (other.y != found.y).any()


def test_a_band_that_nobody_was_accepted_in_takes_the_models_word():
    accepted, rejected = pd.DataFrame({"x": np.zeros(500)}), pd.DataFrame({"x": np.zeros(20_000)})
    found = reject_parcelling(
        accepted, np.zeros(500), rejected, np.full(20_000, 0.6), np.full(500, 0.1), n_bands=2
    )
    # bands by quantiles: all lie below 0.6, so one band of 500 goods and one pseudo-client of 0.6
    assert found.y[500:].mean() == pytest.approx(0.6 / 501, abs=0.001)
    apart = reject_parcelling(
        accepted, np.zeros(500), rejected[:500], np.full(500, 0.6), np.full(500, 0.1), n_bands=2
    )
    assert apart.y[500:].mean() == pytest.approx(0.6, abs=0.07)


def test_fuzzy_weights_of_a_reject_add_to_one_and_a_logistic_refit_keeps_the_fuzzy_rate():
    accepted, y, rejected, _ = applicants()
    p = LogisticRegression(C=np.inf).fit(accepted, y).predict_proba(rejected)[:, 1]
    found = reject_fuzzy(accepted, y, rejected, p, factor=1.5)
    n, m = len(y), len(p)
    np.testing.assert_allclose(found.weight[n : n + m] + found.weight[n + m :], 1)
    np.testing.assert_allclose(found.weight[n : n + m], np.minimum(1, 1.5 * p))
    assert found.y[n:].tolist() == [1] * m + [0] * m
    np.testing.assert_array_equal(found.groups[n : n + m], found.groups[n + m :])
    refit = LogisticRegression(C=np.inf, tol=1e-8).fit(found.X, found.y, sample_weight=found.weight)
    mean = np.average(refit.predict_proba(found.X)[:, 1], weights=found.weight)
    assert mean == pytest.approx((y.sum() + np.minimum(1, 1.5 * p).sum()) / (n + m), rel=1e-4)


def test_at_factor_one_fuzzy_tells_a_logistic_model_nothing_new():
    accepted, y, rejected, _ = applicants()
    first = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(accepted, y)
    rows = reject_fuzzy(accepted, y, rejected, first.predict_proba(rejected)[:, 1])
    again = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        rows.X, rows.y, sample_weight=rows.weight
    )
    np.testing.assert_allclose(again.coef_, first.coef_, atol=1e-3)


def test_clients_stay_together_and_the_index_stays():
    accepted, y, rejected, _ = applicants(n=400)
    accepted.index = pd.Index([f"a{i // 2}" for i in range(len(accepted))], name="client_id")
    rejected.index = pd.Index([f"r{i}" for i in range(len(rejected))], name="client_id")
    found = reject_fuzzy(accepted, y, rejected, np.full(len(rejected), 0.5))
    assert found.X.index.names == ["client_id"]
    assert found.groups[0] == found.groups[1] != found.groups[2]
    table = pd.Series(found.groups, index=found.X.index)
    assert (table.groupby(level=0).nunique() == 1).all()


@pytest.fixture(scope="module")
def sensitivity():
    accepted, y, rejected, _ = applicants()
    scorer = ClientScorer(method="woe")
    return scorer, accepted, y, rejected, reject_sensitivity(scorer, accepted, y, rejected, n_splits=2)


def test_the_sensitivity_table_says_how_much_hangs_on_the_assumption(sensitivity):
    scorer, *_, found = sensitivity
    frame = found.frame()
    assert frame["method"].tolist() == ["accepted only", "hard_cutoff", *["parcelling"] * 3, *["fuzzy"] * 3]
    assert frame["factor"].tolist()[2:] == [1.0, 1.5, 2.0] * 2
    first = frame.iloc[0]
    assert (first["rank_correlation"], first["flipped_share"]) == (pytest.approx(1), 0)
    for method in ("parcelling", "fuzzy"):
        pds = frame.loc[frame["method"] == method, "mean_pd_rejected"]
        assert pds.is_monotonic_increasing
        assert pds.iloc[-1] > 1.3 * first["mean_pd_rejected"]
    assert (frame["mean_pd_rejected"] > frame["mean_pd_accepted"]).all()
    assert frame["rank_correlation"].between(0.5, 1.0001).all()
    assert frame["auc_accepted"].between(0.5, 1).all()
    assert not hasattr(scorer, "card_")


def test_figures_of_a_row_by_hand(sensitivity):
    _, accepted, y, rejected, found = sensitivity
    first = ClientScorer(method="woe").fit(accepted, y)
    everybody = pd.concat([accepted, rejected])
    p, q = first.predict_proba(everybody)[:, 1], first.predict_proba(rejected)[:, 1]
    assert found.cutoff_pd == pytest.approx(np.quantile(p, len(accepted) / len(everybody)))
    rows = reject_fuzzy(accepted, y, rejected, q, factor=2.0)
    again = ClientScorer(method="woe").fit(rows.X, rows.y, sample_weight=rows.weight, groups=rows.groups)
    last, r = found.frame().iloc[-1], again.predict_proba(everybody)[:, 1]
    assert last["mean_pd_rejected"] == pytest.approx(r[len(accepted) :].mean())
    assert last["rank_correlation"] == pytest.approx(stats.spearmanr(p, r).statistic)
    assert last["flipped_share"] == pytest.approx(((p > found.cutoff_pd) != (r > found.cutoff_pd)).mean())
    in_sample = auc(y, first.predict_proba(accepted)[:, 1])
    assert found.frame().loc[0, "auc_accepted"] < in_sample + 0.005
    assert f"{found.cutoff_pd:.4f}" in repr(found)
    assert "parcelling" in found._repr_html_()
    assert found.to_dict()["refits"][0]["method"] == "accepted only"


def test_a_seedless_boosted_scorer_gets_one_seed_for_all_refits():
    accepted, y, rejected, _ = applicants(n=800)
    scorer = ClientScorer(n_bags=2, max_rounds=20)
    runs = [
        reject_sensitivity(
            scorer, accepted, y, rejected, methods=["fuzzy"], factors=[1.0], n_splits=2, cutoff_pd=0.1
        ).frame()
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(*runs)
    assert scorer.random_state is None


def test_bad_input():
    accepted, y, rejected, _ = applicants(n=400)
    p = np.full(len(rejected), 0.5)
    with pytest.raises(MissingColumnError, match="'dscr' is missing"):
        reject_fuzzy(accepted, y, rejected[["dpd_max_3m"]], p)
    with pytest.raises(DataError, match="y must hold 0 or 1"):
        reject_fuzzy(accepted, y * 2, rejected, p)
    with pytest.raises(DataError, match="pd_rejected must hold a probability"):
        reject_hard_cutoff(accepted, y, rejected, p[:-1], cutoff_pd=0.5)
    with pytest.raises(DataError, match="pd_accepted must hold a probability"):
        reject_parcelling(accepted, y, rejected, p, np.full(len(y), 1.5))
    with pytest.raises(DataError, match="at least one row"):
        reject_fuzzy(accepted, y, rejected[:0], p[:0])
    with pytest.raises(DataError, match="same index levels"):
        reject_fuzzy(accepted, y, pd.concat({"a": rejected}), p)
    with pytest.raises(InvalidParameterError, match="factor"):
        reject_fuzzy(accepted, y, rejected, p, factor=-1)
    with pytest.raises(InvalidParameterError, match="methods must be one of"):
        reject_sensitivity(ClientScorer(method="woe"), accepted, y, rejected, methods=["em"])
    with pytest.raises(DataError, match="3 folds need as many bads and goods"):
        reject_sensitivity(ClientScorer(method="woe"), accepted, np.arange(len(y)) < 2, rejected)
