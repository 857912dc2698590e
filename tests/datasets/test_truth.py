"""The truth of the simulated book: posterior of the frailties, futures, oracle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.datasets import Portfolio, _futures, make_portfolio
from clientscore.datasets._constants import DEFAULT, FRAILTY_VARIANCE, HARD, NEED, SILENT
from clientscore.datasets._state import posterior_frailty
from clientscore.exceptions import InvalidParameterError
from clientscore.labels import build_labels, churn_target, need_target
from clientscore.schema import ClientSchema

DATE = "2023-07-01"
SCHEMA = ClientSchema.default()


@pytest.fixture(scope="module")
def book() -> Portfolio:
    return make_portfolio(1500, 72, 2, cycle=False)


@pytest.fixture(scope="module")
def futures(book: Portfolio) -> _futures.Futures:
    return book.truth.futures(DATE, 30, random_state=1)


def test_the_posterior_of_a_frailty_by_hand() -> None:
    # Need: theta = 0.9; three drawings where 1.5 were to be expected: Gamma(1/0.9 + 3, 1/0.9 + 1.5).
    counts, exposure = np.zeros((4, 1, 40_000)), np.zeros((4, 1, 40_000))
    counts[NEED], exposure[NEED] = 3.0, 1.5
    draws = posterior_frailty(np.random.default_rng(0), counts, exposure)
    assert FRAILTY_VARIANCE[NEED] == 0.9
    assert draws[NEED].mean() == pytest.approx((1 / 0.9 + 3) / (1 / 0.9 + 1.5), rel=0.01)
    assert draws[NEED].var() == pytest.approx((1 / 0.9 + 3) / (1 / 0.9 + 1.5) ** 2, rel=0.03)
    assert draws[HARD].mean() == pytest.approx(1.0, rel=0.02)
    assert draws[HARD].var() == pytest.approx(FRAILTY_VARIANCE[HARD], rel=0.05)


def test_the_posterior_mean_is_the_mean_of_the_true_frailty_of_such_clients() -> None:
    state = make_portfolio(12_000, 40, 4, cycle=False).truth.book.state_at(40)
    precision = (1.0 / FRAILTY_VARIANCE)[:, None]
    posterior = (precision + state.counts[:, 0]) / (precision + state.exposure[:, 0])
    for cause in (HARD, SILENT, DEFAULT, NEED):
        order = np.argsort(posterior[cause])
        for group in np.array_split(order, 5):
            true, stated = state.frailty[cause, 0, group], posterior[cause, group]
            error = true.std() / np.sqrt(len(group))
            assert abs(true.mean() - stated.mean()) < 4.0 * error, cause


def test_a_month_run_again_from_a_checkpoint_is_the_same(book: Portfolio) -> None:
    records = book.truth.book
    for month in (17, 24, 71):
        state = records.state_at(month)
        stayed = records.stayed[month - 1]
        assert (state.condition[0, stayed] == records.record["condition"][month - 1, stayed]).all()
        assert (state.term_drawn[0, stayed] == records.record["term_drawn"][month - 1, stayed]).all()


def test_futures_know_nothing_of_what_came_after() -> None:
    short = make_portfolio(80, 30, 6).truth.futures("2022-07-01", 4).mean()
    long = make_portfolio(80, 50, 6).truth.futures("2022-07-01", 4).mean()
    pd.testing.assert_frame_equal(short, long)


def test_the_futures_cover_the_population_and_mean_what_they_say(
    book: Portfolio, futures: _futures.Futures
) -> None:
    y = build_labels(book.tables, SCHEMA, DATE)
    mean = futures.mean()
    assert set(mean.index) == set(y.index)
    assert len(futures.paths) == futures.n == 30
    rates = mean.drop(columns="need_amount_expected").stack().dropna()
    assert rates.between(0, 1).all()
    assert (mean["churn_3m"].dropna() <= mean["churn_12m"].dropna() + 1e-12).all()
    assert (mean["need_probability_3m"] <= mean["need_probability_12m"] + 1e-12).all()
    assert futures.paths["pd"].mean() == pytest.approx(mean["pd"].mean(), rel=0.02)
    both = mean["hard_attrition_12m"] + mean["silent_attrition_12m"]
    pd.testing.assert_series_equal(both, mean["churn_12m"], check_names=False)


def test_the_smooth_pd_agrees_with_the_counted_one(futures: _futures.Futures) -> None:
    mean, paths = futures.mean(), futures.paths
    error = paths["pd"].std() / np.sqrt(futures.n)
    assert abs(mean["pd"].mean() - mean["pd_smooth"].mean()) < 4.0 * error
    assert paths["pd_smooth"].std() < paths["pd"].std()


def test_clients_in_a_run_off_are_not_at_risk_of_leaving_silently(
    book: Portfolio, futures: _futures.Futures
) -> None:
    y = build_labels(book.tables, SCHEMA, DATE)
    already = y.index[(y["exit_duration"] == 0) & (y["exit_cause"] == "silent_attrition")]
    mean = futures.mean()
    assert len(already) > 50
    assert mean.loc[already, "at_risk"].mean() < 0.2
    assert mean.loc[mean["at_risk"] == 0, "churn_12m"].isna().all()


def test_realized_rates_lie_among_the_futures() -> None:
    shares = {"pd": [], "churn_12m": [], "need_probability_12m": []}
    for seed in range(4):
        book = make_portfolio(1200, 60, 100 + seed, cycle=False)
        y = build_labels(book.tables, SCHEMA, DATE)
        paths = book.truth.futures(DATE, 20, random_state=seed).paths
        churn, need = churn_target(y), need_target(y)
        realized = {
            "pd": y["bad"].mean(),
            "churn_12m": churn["event"].isin(SCHEMA.churn_causes).mean(),
            "need_probability_12m": need["event"].eq("need").mean(),
        }
        for name, value in realized.items():
            shares[name].append((value - paths[name].mean()) / paths[name].std())
    for name, z in shares.items():
        assert abs(np.mean(z)) < 2.0, name  # four books: standard error one half
        assert np.max(np.abs(z)) < 4.5, name


def test_a_short_past_labels_like_the_whole_one(book: Portfolio, monkeypatch) -> None:
    short = book.truth.futures("2025-01-01", 3).mean()
    monkeypatch.setattr(_futures, "_MEMORY", 1000)
    pd.testing.assert_frame_equal(short, book.truth.futures("2025-01-01", 3).mean())


def test_kept_labels_average_to_the_mean(book: Portfolio) -> None:
    futures = book.truth.futures("2026-01-01", 5, keep_labels=True)
    assert len(futures.labels) == 5
    needs = pd.concat(
        [y["need_event"].eq("need").where(y["need_duration"] > 0) for y in futures.labels], axis=1
    )
    expected = needs.astype("float64").mean(axis=1).rename("need_probability_12m")
    pd.testing.assert_series_equal(futures.mean()["need_probability_12m"], expected, check_names=False)


def test_the_cycle_widens_the_spread_of_the_books_rate() -> None:
    spread = {}
    for cycle in (False, True):
        truth = make_portfolio(2500, 24, 9, cycle=cycle).truth
        spread[cycle] = truth.futures("2022-01-01", 24).paths["pd_smooth"].std()
    assert spread[True] > 1.5 * spread[False]


def test_hazards_are_rates_and_frailty_has_mean_one_among_newcomers(book: Portfolio) -> None:
    hazards, plain = book.truth.hazards(), book.truth.hazards(frailty=False)
    assert len(hazards) == len(book.tables["interactions"])
    rates = hazards.drop(columns=["client_id", "month", "amount_median", "amount_sigma"])
    assert (rates >= 0).all(axis=None)
    assert rates["default"].mean() == pytest.approx(0.0015, rel=0.35)
    starts = book.tables["clients"].set_index("client_id")["relationship_start"]
    new = hazards["client_id"].map(starts) >= "2020-01-01"
    first = new & ~hazards["client_id"].duplicated()
    frailty = hazards.loc[first, "need"] / plain.loc[first, "need"]
    assert frailty.mean() == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("as_of", ["2020-01-01", "2023-07-02", "2026-02-01"])
def test_a_date_outside_the_book_says_so(book: Portfolio, as_of: str) -> None:
    message = "as_of must be the first day of a month from 2020-02-01 to 2026-01-01; got"
    with pytest.raises(InvalidParameterError, match=message):
        book.truth.futures(as_of, 1)


@pytest.mark.slow
def test_the_oracle_ranks_as_designed() -> None:
    auc = []
    for seed in range(3):
        book = make_portfolio(3000, 72, seed, cycle=False)
        auc.append(book.truth.oracle(["2022-01-01", "2023-07-01"], 120, random_state=seed)["auc"])
    mean = pd.concat(auc, axis=1).mean(axis=1)
    assert 0.75 < mean["default"] < 0.85
    assert 0.70 < mean["attrition"] < 0.80
    assert 0.70 < mean["need"] < 0.80
