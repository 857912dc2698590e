from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest


@pytest.mark.slow
def test_listed_companies_run_through_the_public_api(
    repository: Path, real_data_dir: Path, tmp_path: Path
) -> None:
    script = repository / "examples" / "us_companies" / "run.py"
    years = [
        "--train-to",
        "2006",
        "--test-to",
        "2008",
    ]  # far from the test period, which is read on purpose only
    done = subprocess.run(  # noqa: S603 - our own example
        [sys.executable, str(script), *years, "--out", str(tmp_path)],
        env={**os.environ, "CLIENTSCORE_DATA": str(real_data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "reading added" not in done.stdout
    for target in ("bankruptcy", "exit (other)", "debt growth"):
        figures = {
            model: [float(word) for word in line.split(model)[1].split()]
            for line in done.stdout.splitlines()
            for model in ("clientscore", "bagged LightGBM", "base rate")
            if line.strip().startswith(target) and model in line
        }
        auc, brier, log_loss, *_ = figures["clientscore"]
        assert auc > 0.6
        assert brier < figures["base rate"][1]
        assert log_loss < figures["base rate"][2]
    frame = pd.read_parquet(tmp_path / "assessments.parquet")
    assert len(frame) > 3000
    assert frame[["pd", "churn_12m", "need_probability_12m"]].notna().all(axis=None)
    assert frame[["churn_3m", "churn_6m", "need_probability_3m"]].isna().all(axis=None)  # never interpolated
    assert {path.name for path in tmp_path.iterdir()} == {
        "assessments.parquet",
        "model.clientscore",
        "portfolio.html",
    }
