from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.assessment._rates import forecast_rates, rate_history

DATES = pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01", "2023-01-01"])


def outcomes(defaults: list[int], clients: int = 10) -> pd.DataFrame:
    index = pd.MultiIndex.from_product(
        [[f"c{i}" for i in range(clients)], DATES], names=["client_id", "as_of"]
    )
    bad = [float(i < defaults[j]) for i in range(clients) for j in range(len(DATES))]
    return pd.DataFrame({"bad": bad}, index=index)


def test_the_running_mean_knows_only_closed_windows() -> None:
    history = rate_history(
        outcomes([1, 3, 2, 4]), horizon=12, lead=1, period="month", churn_causes=["hard_attrition"]
    )
    # A window of 13 months from 2020-01-01 closes on 2021-02-01: known in 2022 and 2023, not in 2021.
    assert history["as_of"].tolist() == list(DATES[2:])
    np.testing.assert_allclose(history["predicted"], [0.1, 0.2])
    np.testing.assert_allclose(history["realized"], [0.2, 0.4])


def test_no_dates_no_history() -> None:
    flat = pd.DataFrame({"bad": [0.0, 1.0]}, index=pd.Index(["a", "b"], name="client_id"))
    assert rate_history(flat, horizon=12, lead=1, period="month", churn_causes=[]).empty


def test_churn_counts_the_churn_causes_only() -> None:
    index = pd.MultiIndex.from_product([list("abcd"), DATES[:3]], names=["client_id", "as_of"])
    causes = {"a": "hard_attrition", "b": "default", "c": None, "d": None}
    y = pd.DataFrame(
        {
            "exit_duration": [5.0 if causes[c] else 12.0 for c, _ in index],
            "exit_cause": [causes[c] for c, _ in index],
        },
        index=index,
    )
    history = rate_history(y, horizon=12, lead=1, period="month", churn_causes=["hard_attrition"])
    assert history["realized"].tolist() == [pytest.approx(0.25)]


def test_yearly_rates_need_a_yearly_horizon() -> None:
    frame = pd.DataFrame({"pd": [0.1, 0.3]})
    history = pd.DataFrame(columns=["rate", "as_of", "predicted", "realized", "n"])
    rates = forecast_rates(frame, history, horizon=12, period="month", step_periods=3)
    assert rates["rate"].tolist() == ["default"]
    assert rates["predicted"].tolist() == [pytest.approx(0.2)]
    assert forecast_rates(frame, history, horizon=6, period="month", step_periods=3).empty
