from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clientscore.datasets import load_us_companies
from clientscore.exceptions import DataNotFoundError


def test_no_folder_named_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLIENTSCORE_DATA", raising=False)
    with pytest.raises(DataNotFoundError, match="set the environment variable CLIENTSCORE_DATA"):
        load_us_companies()


def test_a_folder_without_the_files_names_them(tmp_path: Path) -> None:
    with pytest.raises(
        DataNotFoundError, match=r"us_company_panel\.parquet and us_company_labels\.parquet not found"
    ):
        load_us_companies(tmp_path)


def test_the_tables_hold_every_company_and_every_outcome(real_data_dir: Path) -> None:
    tables = load_us_companies(real_data_dir)
    assert tables["clients"]["company_name"].nunique() == 8971
    assert len(tables["statements"]) == 77_477
    counts = tables["events"]["event"].value_counts()
    assert counts["default"] == 589
    assert counts["closure"] == 5592
    assert "status_label" not in tables["statements"]
    assert tables["statements"]["total_assets"].max() == pytest.approx(531_864e6)  # USD, not millions
    assert tables["market_values"]["market_value"].max() == pytest.approx(1_073_390.54e6)


def test_the_folder_can_come_from_the_environment(
    real_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENTSCORE_DATA", str(real_data_dir))
    assert len(load_us_companies()["clients"]) == 8971


def test_no_company_lives_on_after_its_exit(real_data_dir: Path) -> None:
    tables = load_us_companies(real_data_dir)
    exits = tables["events"].query("event != 'drawing'").set_index("company_name")["date"]
    last = tables["statements"].groupby("company_name")["period_end"].max()
    assert exits.index.is_unique
    assert (exits > last.loc[exits.index]).all()


def test_a_drawing_is_more_than_a_tenth_of_the_assets_before(real_data_dir: Path) -> None:
    tables = load_us_companies(real_data_dir)
    drawings = tables["events"].query("event == 'drawing'")
    assets = tables["statements"][["company_name", "period_end", "total_assets"]].copy()
    assets["date"] = assets["period_end"] + pd.DateOffset(years=1)
    joined = drawings.merge(assets, on=["company_name", "date"], validate="one_to_one")
    assert len(joined) == len(drawings)
    assert (joined["amount"] > 0.1 * joined["total_assets"]).all()
