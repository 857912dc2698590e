"""The benchmark of the score runs, and its paired differences are right."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import clientscore as cs


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
