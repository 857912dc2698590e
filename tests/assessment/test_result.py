from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from clientscore.assessment import Assessment
from clientscore.exceptions import InvalidParameterError


def test_summary_counts_every_client_once_and_in_all(small_result: Assessment) -> None:
    summary = small_result.summary()
    assert summary.at["all", "clients"] == len(small_result)
    assert summary.drop(index="all")["clients"].sum() == len(small_result)
    assert summary.at["all", "pd"] == pytest.approx(small_result.frame()["pd"].mean())


def test_one_client_as_a_dict(small_result: Assessment) -> None:
    row = small_result.frame().iloc[0]
    client = small_result.client(row["client_id"])
    assert client["points"] == row["points"]
    assert client["as_of"] == "2024-01-01"
    assert client["tier_previous"] is None


def test_an_unknown_client_is_named(small_result: Assessment) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"client_id must be one of the .* assessed clients; got 'nobody'"
    ):
        small_result.client("nobody")


def test_the_clients_to_call_first_are_in_order_of_worth(small_result: Assessment) -> None:
    calls = small_result.call_first(10)
    assert len(calls) == 10
    assert calls["action_value"].is_monotonic_decreasing
    assert calls["strategy_reason"].notna().all()


def test_plain_data_goes_through_json(small_result: Assessment) -> None:
    text = json.dumps(small_result.to_dict(), allow_nan=False)
    assert len(json.loads(text)["clients"]) == len(small_result)


def test_parquet_keeps_the_frame(small_result: Assessment, tmp_path: Path) -> None:
    small_result.to_parquet(tmp_path / "folder" / "a.parquet")
    back = pd.read_parquet(tmp_path / "folder" / "a.parquet")
    pd.testing.assert_frame_equal(back, small_result.frame(), check_dtype=False)


def test_the_forecast_rates_lie_inside_their_intervals(small_result: Assessment) -> None:
    rates = small_result.rates.set_index("rate")
    assert set(rates.index) == {"default", "churn", "need"}
    assert ((rates["lower"] <= rates["predicted"]) & (rates["predicted"] <= rates["upper"])).all()
    assert rates.at["default", "predicted"] == pytest.approx(small_result.frame()["pd"].mean())


def test_shown_in_a_notebook_as_a_table(small_result: Assessment) -> None:
    assert "<table" in small_result._repr_html_()
