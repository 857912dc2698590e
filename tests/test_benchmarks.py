"""The benchmarks run, and what they compute by themselves is right."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import clientscore as cs


@pytest.fixture
def benchmark(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def paired(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module("common.paired")


def test_auc_difference_is_that_of_the_measure(paired: ModuleType) -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(500) < 0.3).astype(float)
    ours, theirs = np.round(y + rng.normal(0, 1, 500), 1), rng.normal(0, 1, 500)  # ours has ties
    found = paired.auc_difference([(y, ours, theirs, np.arange(500))])
    assert found.value == pytest.approx(cs.metrics.auc(y, ours) - cs.metrics.auc(y, theirs), abs=1e-12)
    assert found.low < found.value < found.high


def test_a_client_counts_once_however_many_rows_it_has(paired: ModuleType) -> None:
    rng = np.random.default_rng(0)
    gap = rng.normal(0, 1, 200)
    alone = paired.loss_difference(gap, np.zeros(200), np.arange(200))
    often = paired.loss_difference(np.repeat(gap, 10), np.zeros(2000), np.repeat(np.arange(200), 10))
    rows = paired.loss_difference(np.repeat(gap, 10), np.zeros(2000), np.arange(2000))
    assert often.high - often.low == pytest.approx(alone.high - alone.low)
    assert rows.high - rows.low < (alone.high - alone.low) / 2


@pytest.mark.slow
def test_the_page_of_one_set(repository: Path, real_data_dir: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(repository / "benchmarks" / "scoring.py"), "quality", "--sets", "german"]
    command += ["--models", "card,logistic", "--cache", str(tmp_path)]
    environment = os.environ | {"CLIENTSCORE_DATA": str(real_data_dir)}
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("| german | ."))
    card, logistic = (float(cell) for cell in row.split("|")[2:4])
    assert 0.45 < card < 0.55
    assert 0.45 < logistic < 0.55
    assert len(list((tmp_path / "german").glob("logistic-*.npz"))) == 10


def test_a_peer_kept_on_the_first_round_alone_is_judged_there(
    benchmark: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    folds, quality, cache = (benchmark(f"scoring_parts.{name}") for name in ("folds", "quality", "cache"))
    X = pd.DataFrame({"a": np.arange(200.0)})
    data = folds.by_folds("tiny", X, np.arange(200) % 2)
    kept = cache.Cache(tmp_path)
    models = ["base rate", "logistic"]
    for name, number in (("base rate", 10), ("logistic", 7)):
        for split in data.splits[:number]:
            kept.get(quality.MODELS[name], data, split)
    judged = quality.first_round(data, models, kept)
    assert len(judged.splits) == 5
    assert judged.how.endswith("judged on the first time, logistic was not fitted on the second")
    assert quality.first_round(data, ["base rate"], kept) is data
    result = quality.measure(data, models, kept, fit_peers=False)
    assert result.folds.groupby("model").size().to_dict() == {"base rate": 5, "logistic": 5}


def test_cause_specific_hazards_are_put_together(benchmark: Callable[[str], ModuleType]) -> None:
    curves = benchmark("churn_parts.curves")
    grid = np.linspace(0.001, 2, 4000)
    rates = (0.3, 0.7)
    found = curves.combine_causes([rate * grid[None] for rate in rates])[0]
    for column, rate in enumerate(rates):  # constant rates: incidence = share x (1 - exp(-t))
        np.testing.assert_allclose(found[:, column], rate * -np.expm1(-grid), atol=1e-12)


def test_a_censored_row_counts_a_bin_of_which_half_was_seen(benchmark: Callable[[str], ModuleType]) -> None:
    curves = benchmark("churn_parts.curves")
    edges = np.array([1.0, 2.0, 4.0])
    period, _, kept = curves.to_bins(
        np.array([0.2, 0.4, 0.6, 1.4, 3.0, 3.5]), np.array([1, 0, 0, 0, 0, 2]), edges
    )
    assert period[kept].tolist() == [1, 1, 1, 3, 3]
    assert kept.tolist() == [True, False, True, True, True, True]


def test_true_incidence_of_one_shape_is_in_closed_form(benchmark: Callable[[str], ModuleType]) -> None:
    synthetic = benchmark("churn_parts.synthetic")
    scales = {1: 2.0, 2: 3.0, 3: 6.0}
    X = pd.DataFrame({f"shape_{k}": [1.5] for k in scales} | {f"scale_{k}": [v] for k, v in scales.items()})
    times = np.array([0.5, 1.0, 4.0])
    found = synthetic.true_incidence(X, times)[0]
    weight = np.array([scale**-1.5 for scale in scales.values()])
    total = -np.expm1(-weight.sum() * times**1.5)
    np.testing.assert_allclose(found, np.outer(total, weight / weight.sum()), atol=1e-12)


def test_features_of_a_wholesalers_client_do_not_look_ahead(benchmark: Callable[[str], ModuleType]) -> None:
    features = benchmark("churn_parts.retail_features")
    rng = np.random.default_rng(0)
    date = pd.Timestamp("2010-09-01")
    day = pd.Timestamp("2010-01-04") + pd.to_timedelta(rng.integers(0, 400, 900), unit="D")
    lines = pd.DataFrame({"customer_id": rng.integers(0, 40, 900), "day": day})
    lines = lines.assign(amount=rng.gamma(2, 50, 900), item=rng.integers(0, 60, 900))
    lines = lines.sort_values(["customer_id", "day"], ignore_index=True)

    def made(sales: pd.DataFrame) -> pd.DataFrame:
        orders = sales.groupby(["customer_id", "day"], as_index=False).agg(
            amount=("amount", "sum"), lines=("item", "size")
        )
        country = pd.Series("United Kingdom", index=pd.Index(range(40)))
        trade = features.Trade(sales, sales[sales["item"] % 9 == 0], orders, country)
        return features.client_features(trade, date)

    whole = made(lines)
    pd.testing.assert_frame_equal(whole, made(lines[lines["day"] < date]))
    assert (whole["recency_days"] >= 1).all()
    assert not whole.equals(made(lines[lines["day"] < date - pd.Timedelta(days=30)]))


def test_the_law_of_orders_that_stop_is_found_again(benchmark: Callable[[str], ModuleType]) -> None:
    features = benchmark("churn_parts.retail_features")
    rng = np.random.default_rng(0)
    n, span = 4000, 360.0
    rate, stop = rng.gamma(1.5, 1 / 60.0, n), rng.beta(1.0, 4.0, n)
    repeats, last, silent = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
    for one in range(n):
        now, there = 0.0, True
        while there:
            now += rng.exponential(1 / rate[one])
            if now > span:
                break
            repeats[one], last[one], there = repeats[one] + 1, now, rng.random() > stop[one]
        silent[one] = not there or now > span + features.WINDOW_DAYS
    law = features.fit_law(repeats, last, np.full(n, span))
    p = features.no_order(law, repeats, last, np.full(n, span))
    assert p.mean() == pytest.approx(silent.mean(), abs=0.03)
    for part in np.array_split(np.argsort(p), 5):
        assert p[part].mean() == pytest.approx(silent[part].mean(), abs=0.06)


def test_the_page_of_churn(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(repository / "benchmarks" / "churn.py"), "--quick", "--parts"]
    command += ["flchain,synthetic", "--models", "population,cox (scikit-survival)", "--cache", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stdout, done.stdout
    rows = {line.split("|")[1].strip(): line.split("|") for line in done.stdout.splitlines() if "|" in line}
    assert 0.05 < float(rows["clientscore"][4]) < 0.3  # IBS on the synthetic causes
    assert rows["truth"][2].strip() == "0.000"
    assert len(list((tmp_path / "flchain").glob("population-*.npz"))) == 2
