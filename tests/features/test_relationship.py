from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.features import build_features

MONTHS = pd.date_range("2024-10-01", "2025-12-01", freq="MS")  # 15 months, the last one just ended


def book(interactions=None, *, surveys=None, clients=None):
    base = {"client_id": ["a"]} if clients is None else clients
    tables = {"clients": pd.DataFrame(base)}
    if interactions is not None:
        tables["interactions"] = pd.DataFrame({"client_id": "a", "month": MONTHS, **interactions})
    if surveys is not None:
        tables["surveys"] = pd.DataFrame({"client_id": "a", **surveys})
    return tables


def features(schema, tables, as_of="2026-01-01"):
    return build_features(tables, schema, as_of).loc["a"]


def series(**values):
    """Fifteen months of 1.0, but for the months named by their number back (1 = the last)."""
    out = np.ones(15)
    for name, value in values.items():
        out[-int(name.removeprefix("m"))] = value
    return out


def test_tenure_and_age(schema):
    clients = {
        "client_id": ["a", "b"],
        "relationship_start": pd.to_datetime(["2021-01-01", None]),
        "founded": pd.to_datetime(["2006-01-01", "2027-01-01"]),
    }
    X = build_features(book(clients=clients), schema, "2026-01-01")
    assert X.loc["a", "tenure_months"] == pytest.approx(60.0, abs=0.05)
    assert X.loc["a", "age_years"] == pytest.approx(20.0, abs=0.01)
    assert X.loc["b", ["tenure_months", "age_years"]].isna().all()


def test_flows_against_own_history(schema):
    balance = np.concatenate([[8.0, 8.0, 8.0], np.full(9, 10.0), [4.0, 5.0, 6.0]])
    inflow = np.concatenate([np.full(12, 30.0), [15.0, np.nan, 15.0]])
    x = features(
        schema,
        book({"balance_amount": balance, "inflow_amount": inflow, "outflow_amount": np.full(15, 10.0)}),
    )
    assert x["balance_change_3m"] == pytest.approx(-0.5)
    assert x["balance_change_12m"] == pytest.approx(-0.375)
    assert x["inflow_change_3m"] == pytest.approx(-0.5)
    assert x["inflow_change_12m"] == pytest.approx(-0.5)
    assert x["outflow_change_3m"] == pytest.approx(0.0)
    mean_in = (9 * 30 + 2 * 15) / 11
    assert x["net_flow_ratio"] == pytest.approx((mean_in - 10) / (mean_in + 10))


def test_turnover_share_is_a_year_of_payments_over_a_year_of_revenue(schema):
    tables = book({"inflow_amount": np.full(15, 25.0)})
    tables["statements"] = pd.DataFrame(
        {"client_id": ["a"], "period_end": pd.to_datetime(["2024-12-31"]), "revenue": [600.0]}
    )
    assert features(schema, tables)["turnover_share"] == pytest.approx(0.5)


def test_service_by_hand(schema):
    hours = series(m1=30.0, m2=24.0, m3=np.nan, m5=48.0)
    x = features(
        schema,
        book(
            {
                "response_hours": hours,
                "approval_days": series(m12=13.0, m13=99.0),
                "complaints": series(m1=3.0, m4=2.0, m13=50.0),
                "products_held": series(m1=4.0, m13=6.0),
            }
        ),
    )
    assert x["response_hours_mean_3m"] == pytest.approx(27.0)
    assert x["response_hours_mean_12m"] == pytest.approx((30 + 24 + 48 + 8) / 11)
    assert x["response_over_sla_share_12m"] == pytest.approx(2 / 11)
    assert x["approval_days_mean_12m"] == pytest.approx(2.0)
    assert x["complaints_sum_3m"] == 5.0
    assert x["complaints_sum_12m"] == 15.0
    assert (x["products_held"], x["products_change_12m"]) == (4.0, -2.0)


def test_meetings(schema):
    meetings = np.zeros(15)
    meetings[-8], meetings[-4] = 2.0, 1.0
    x = features(schema, book({"meetings": meetings}))
    assert x["meetings_sum_6m"] == 1.0
    assert x["months_since_meeting"] == 4.0
    assert np.isnan(features(schema, book({"meetings": np.zeros(15)}))["months_since_meeting"])
    long_ago = np.zeros(15)
    long_ago[-13] = 1.0
    assert np.isnan(features(schema, book({"meetings": long_ago}))["months_since_meeting"])


@pytest.mark.parametrize(
    ("first_new_month", "in_6m", "in_12m"), [(1, 1, 1), (6, 1, 1), (7, 0, 1), (13, 0, 0)]
)
def test_manager_change_counts_in_the_month_of_the_new_manager(schema, first_new_month, in_6m, in_12m):
    manager = np.array(["m1"] * (15 - first_new_month) + ["m2"] * first_new_month)
    x = features(schema, book({"manager_id": manager}))
    assert (x["manager_changed_6m"], x["manager_changed_12m"]) == (in_6m, in_12m)


def test_a_month_without_a_manager_is_no_change(schema):
    manager = pd.array(["m1"] * 12 + [None] + ["m1"] * 2, dtype="str")
    assert features(schema, book({"manager_id": manager}))["manager_changed_6m"] == 0
    nobody = pd.array([None] * 15, dtype="str")
    assert np.isnan(features(schema, book({"manager_id": nobody}))["manager_changed_12m"])


def test_surveys_keep_the_latest_answer_to_each_question(schema):
    tables = book(
        surveys={
            "answered_at": pd.to_datetime(["2025-09-01", "2024-03-01", "2026-01-02"]),
            "satisfaction": [np.nan, 7.0, 1.0],
            "approval_satisfaction": [3.0, 9.0, 1.0],
            "wants_reports": [True, False, False],
            "planned_financing_amount": [np.nan, 80.0, 1.0],
        }
    )
    x = features(schema, tables)
    assert (x["satisfaction"], x["approval_satisfaction"], x["wants_reports"]) == (7.0, 3.0, 1.0)


@pytest.mark.parametrize(
    ("as_of", "expected"), [("2025-03-01", 0.5), ("2025-03-02", 0.5), ("2026-03-02", np.nan)]
)
def test_a_financing_plan_counts_for_a_year(schema, as_of, expected):
    tables = book(surveys={"answered_at": pd.to_datetime(["2025-03-01"]), "planned_financing_amount": [50.0]})
    months = pd.date_range("2025-01-01", "2026-02-01", freq="MS")
    tables["facilities"] = pd.DataFrame(
        {"client_id": "a", "facility_id": "f", "month": months, "limit_amount": 100.0, "drawn_amount": 1.0}
    )
    assert features(schema, tables, as_of)["planned_financing_to_limit"] == pytest.approx(
        expected, nan_ok=True
    )
