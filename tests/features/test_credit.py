from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.features import build_context, build_features


def book(facilities=None, *, projects=None, events=None, ids=("a", "b")):
    tables = {"clients": pd.DataFrame({"client_id": list(ids)})}
    for name, rows in (("facilities", facilities), ("projects", projects), ("events", events)):
        if rows is not None:
            frame = pd.DataFrame(rows)
            for column in ("month", "maturity_date", "completion_date", "date"):
                if column in frame:
                    frame[column] = pd.to_datetime(frame[column])
            tables[name] = frame
    return tables


def facility(month, limit, drawn, name="f", **more):
    return {
        "client_id": "a",
        "facility_id": name,
        "month": month,
        "limit_amount": limit,
        "drawn_amount": drawn,
        **more,
    }


def test_limits_and_trends_by_hand(schema):
    rows = [
        facility("2024-12-01", 100.0, 20.0),
        facility("2025-09-01", 100.0, 50.0),
        facility("2025-12-01", 100.0, 60.0),
        facility("2025-12-01", 50.0, 45.0, "g"),
    ]
    X = build_features(book(rows), schema, "2026-01-01")
    x = X.loc["a"]
    assert x["utilization"] == pytest.approx(0.7)
    assert x["utilization_change_3m"] == pytest.approx(0.2)
    assert x["utilization_change_12m"] == pytest.approx(0.5)
    assert x["limit_change_12m"] == pytest.approx(0.5)
    assert x["facilities_count"] == 2
    assert X.loc["b", "facilities_count"] == 0
    assert np.isnan(X.loc["b", "utilization"])


def test_the_present_is_the_latest_month_while_it_is_fresh(schema):
    tables = book([facility("2025-10-01", 100.0, 30.0)])
    X = build_features(tables, schema, ["2025-11-01", "2026-01-01", "2026-02-01"]).loc["a"]
    assert X["utilization"].tolist()[:2] == [0.3, 0.3]
    assert np.isnan(X["utilization"].iloc[2])
    assert X["facilities_count"].tolist() == [1, 1, 0]


def test_arrears_are_the_longest_of_any_facility_inside_the_window(schema):
    rows = [
        facility("2025-01-01", 1.0, 1.0, dpd_days=90.0),
        facility("2025-07-01", 1.0, 1.0, dpd_days=31.0),
        facility("2025-07-01", 1.0, 1.0, "g", dpd_days=12.0),
        facility("2025-11-01", 1.0, 1.0, dpd_days=5.0),
        facility("2025-12-01", 1.0, 1.0, dpd_days=np.nan),
    ]
    X = build_features(book(rows), schema, ["2026-01-01", "2026-02-01"]).loc["a"]
    assert X["dpd_max_3m"].tolist() == [5.0, 5.0]
    assert X["dpd_max_6m"].tolist() == [31.0, 5.0]
    assert X["dpd_max_12m"].tolist() == [90.0, 31.0]


def test_maturity_wall_is_weighted_by_what_is_drawn(schema):
    rows = [
        facility("2025-12-01", 100.0, 10.0, "past", maturity_date="2025-11-30", rate=0.04),
        facility("2025-12-01", 100.0, 20.0, "soon", maturity_date="2026-04-01", rate=0.06),
        facility("2025-12-01", 100.0, 30.0, "year", maturity_date="2026-12-01", rate=np.nan),
        facility("2025-12-01", 100.0, 40.0, "open", maturity_date=None, rate=0.06),
    ]
    x = build_features(book(rows), schema, "2026-01-01").loc["a"]
    assert x["maturity_share_3m"] == pytest.approx(30 / 60)
    assert x["maturity_share_6m"] == pytest.approx(30 / 60)
    assert x["maturity_share_12m"] == pytest.approx(1.0)
    assert x["rate_mean"] == pytest.approx((0.04 * 10 + 0.06 * 20 + 0.06 * 40) / 70)


def test_limits_weigh_where_nothing_is_drawn(schema):
    rows = [
        facility("2025-12-01", 100.0, 0.0, "soon", maturity_date="2026-02-01"),
        facility("2025-12-01", 300.0, 0.0, "later", maturity_date="2028-02-01"),
    ]
    x = build_features(book(rows), schema, "2026-01-01").loc["a"]
    assert x["maturity_share_3m"] == pytest.approx(0.25)
    assert np.isnan(x["collateral_cover"])


def test_collateral_and_share_of_debt_here(schema):
    tables = book([facility("2025-12-01", 100.0, 40.0, collateral_amount=60.0)])
    tables["statements"] = pd.DataFrame(
        {"client_id": ["a"], "period_end": pd.to_datetime(["2024-12-31"]), "long_term_debt": [160.0]}
    )
    x = build_features(tables, schema, "2026-01-01").loc["a"]
    assert x["collateral_cover"] == pytest.approx(1.5)
    assert x["debt_here_share"] == pytest.approx(0.25)


def test_exposure_takes_the_larger_of_limit_and_drawn_of_each_facility(schema):
    rows = [facility("2025-12-01", 100.0, 40.0, dpd_days=7.0), facility("2025-12-01", 50.0, 55.0, "g")]
    C = build_context(book(rows), schema, "2026-01-01")
    assert C.loc["a", ["limit_amount", "drawn_amount", "exposure_amount", "dpd_days"]].tolist() == [
        150,
        95,
        155,
        7,
    ]
    assert C.loc["b", ["limit_amount", "drawn_amount", "exposure_amount", "dpd_days"]].isna().all()


def test_projects_by_their_latest_rows(schema):
    rows = [
        {"project_id": "p", "client_id": "a", "month": "2025-11-01", "phase": "pre_construction", "dscr": 9.0,
         "llcr": 9.0, "completion_date": "2030-01-01"},
        {"project_id": "p", "client_id": "a", "month": "2025-12-01", "phase": "construction", "dscr": 1.4,
         "llcr": 1.8, "completion_date": "2027-01-01"},
        {"project_id": "q", "client_id": "a", "month": "2025-12-01", "phase": "operation", "dscr": 1.2,
         "llcr": 2.0, "completion_date": "2029-01-01"},
    ]  # fmt: skip
    X = build_features(book(projects=rows), schema, "2026-01-01")
    x = X.loc["a"]
    assert x["project_phase_code"] == 1
    assert (x["project_dscr"], x["project_llcr"]) == (1.2, 1.8)
    assert x["project_months_to_completion"] == pytest.approx(12.0, abs=0.02)
    assert X.loc["b", ["project_phase_code", "project_dscr"]].isna().all()


def test_drawings_by_hand(schema):
    events = [
        {"client_id": "a", "date": "2024-12-31", "event": "drawing", "amount": 500.0},
        {"client_id": "a", "date": "2025-01-02", "event": "drawing", "amount": 10.0},
        {"client_id": "a", "date": "2025-07-02", "event": "drawing", "amount": 20.0},
        {"client_id": "a", "date": "2025-10-01", "event": "renewal", "amount": 99.0},
    ]
    X = build_features(book([facility("2025-12-01", 100.0, 40.0)], events=events), schema, "2026-01-01")
    x = X.loc["a"]
    assert x["drawings_count_12m"] == 2
    assert x["drawings_amount_12m_to_limit"] == pytest.approx(0.3)
    assert x["months_since_drawing"] == pytest.approx(6.0, abs=0.05)
    assert X.loc["b", "drawings_count_12m"] == 0
    assert np.isnan(X.loc["b", "months_since_drawing"])


def test_a_drawing_of_long_ago_is_none_so_that_a_longer_record_changes_nothing(schema):
    events = [{"client_id": "a", "date": "2024-12-31", "event": "drawing", "amount": 500.0}]
    X = build_features(book([facility("2025-12-01", 100.0, 40.0)], events=events), schema, "2026-01-01")
    assert np.isnan(X.loc["a", "months_since_drawing"])


def test_a_drawing_of_unknown_amount_is_counted_but_not_summed_as_zero(schema):
    events = [{"client_id": "a", "date": "2025-07-02", "event": "drawing", "amount": np.nan}]
    x = build_features(book([facility("2025-12-01", 100.0, 40.0)], events=events), schema, "2026-01-01").loc[
        "a"
    ]
    assert x["drawings_count_12m"] == 1
    assert np.isnan(x["drawings_amount_12m_to_limit"])
