from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.churn import Alerts, alerts
from clientscore.exceptions import DataError, InvalidParameterError


def clients(**columns):
    names = pd.Index([f"C{k}" for k in range(1, len(columns["probability"]) + 1)], name="client_id")
    return {name: pd.Series(values, index=names, dtype=float) for name, values in columns.items()}


def test_alerts_by_hand():
    book = clients(probability=[0.5, 0.1, 0.2, 0.9, 0.3, None], value=[100, 2000, 300, None, -50, 10])
    found = alerts(book["probability"], book["value"], n_clients=2)
    assert found.frame().index.tolist() == ["C2", "C3"]
    assert found.frame()["expected_loss"].tolist() == [200.0, 60.0]
    assert found.frame()["rank"].tolist() == [1, 2]
    assert found.rows.tolist() == [1, 2]
    assert found.left_out["why"].to_dict() == {
        "C1": "capacity",
        "C5": "no_loss",
        "C4": "not_evaluated",
        "C6": "not_evaluated",
    }
    assert found.left_out.loc["C4", "reason"] == "not evaluated: value missing"
    assert found.left_out.loc["C6", "reason"] == "not evaluated: probability missing"
    assert np.isnan(found.left_out.loc["C4", "expected_loss"])  # not zero
    assert found.expected_loss == 260.0
    assert found.share_of_loss == pytest.approx(260 / 310)
    assert found.frame().loc["C2", "reason"] == "churn 10.0% x 2,000 at stake = 200"
    assert len(found) == 2


def test_hours_are_spent_where_they_save_most():
    book = clients(probability=[0.5, 0.5, 0.5, 0.5], value=[1000, 800, 600, 100], hours=[10, 4, 3, 1])
    found = alerts(**book, hours_available=8)
    assert found.frame().index.tolist() == [
        "C2",
        "C3",
        "C4",
    ]  # 100, 100 and 50 an hour; C1 has 50, but 10 hours
    assert found.used == {"hours": 8.0}
    assert found.capacity == {"hours": 8.0}
    enough = alerts(**book, hours_available=18, n_clients=2)
    assert enough.frame().index.tolist() == ["C1", "C2"]  # hours are not scarce: the largest losses
    assert enough.used == {"n_clients": 2.0, "hours": 14.0}
    short = alerts(**book, hours_available=8, n_clients=1)
    assert short.frame().index.tolist() == ["C2"]
    unknown = alerts(**{**book, "hours": book["hours"].mask(book["hours"] == 4)}, hours_available=8)
    assert unknown.left_out.loc["C2", "reason"] == "not evaluated: hours missing"


def test_drivers_go_into_the_reasons():
    book = clients(probability=[0.5, 0.1], value=[1e6, 1e6])
    drivers = pd.DataFrame(
        {"driver_1": ["complaints_sum_3m", None], "driver_2": ["my_own", None]}, index=book["value"].index
    )
    frame = alerts(**book, n_clients=2, drivers=drivers).frame()
    assert frame["reason"].tolist() == [
        "churn 50.0% x 1,000,000 at stake = 500,000; because of complaints in 3 months, my own",
        "churn 10.0% x 1,000,000 at stake = 100,000",
    ]
    assert list(frame.columns[-3:]) == ["driver_1", "driver_2", "reason"]
    chinese = alerts(**book, n_clients=1, drivers=drivers, cause="hard_attrition", lang="zh")
    assert chinese.frame()["reason"].tolist() == [
        "显性流失概率50.0% × 风险价值1,000,000 = 500,000；驱动因素：近三个月投诉次数、my own"
    ]
    assert chinese.left_out["reason"].iloc[0].startswith("人力不足")


def test_ties_do_not_depend_on_the_order_of_rows():
    risk = pd.Series([0.2, 0.1, 0.2, 0.4], index=["9", "10", "8", "7"])
    value = pd.Series([100.0, 200.0, 100.0, 50.0], index=risk.index)
    first = alerts(risk, value, n_clients=4).frame().index.tolist()
    assert first == ["7", "8", "9", "10"]  # the larger probability, then the id as text
    turned = alerts(risk[::-1], value[::-1], n_clients=4).frame().index.tolist()
    assert turned == first


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(-1e4, 1e6), st.floats(0.25, 20)), min_size=1, max_size=40),
    st.integers(0, 40),
    st.floats(0, 200),
)
def test_capacity_holds_and_everybody_is_somewhere(rows, n_clients, hours_available):
    risk, value, hours = (pd.Series(column) for column in zip(*rows, strict=True))
    found = alerts(risk, value, n_clients=n_clients, hours=hours, hours_available=hours_available)
    chosen, left = found.frame(), found.left_out
    assert len(chosen) <= n_clients
    assert chosen["hours"].sum() <= hours_available * (1 + 1e-8) + 1e-8
    assert sorted([*chosen.index, *left.index]) == list(range(len(rows)))
    assert (chosen["expected_loss"] > 0).all()
    assert chosen["expected_loss"].is_monotonic_decreasing
    assert chosen.index.tolist() == risk.index[found.rows].tolist()
    room = hours_available - chosen["hours"].sum()
    if len(chosen) < n_clients:  # whoever is left out for capacity does not fit any more
        assert (left.loc[left["why"] == "capacity", "hours"] > room - 1e-6).all()


def test_result_is_plain_data_and_text():
    dates = pd.MultiIndex.from_tuples(
        [("C1", pd.Timestamp("2026-01-01")), ("C2", pd.Timestamp("2026-01-01"))], names=["client_id", "as_of"]
    )
    found = alerts(pd.Series([0.5, np.nan], index=dates), 100.0, n_clients=5)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["alerts"][0]["client_id"] == "C1"
    assert plain["alerts"][0]["as_of"] == "2026-01-01"
    assert plain["left_out"][0]["expected_loss"] is None
    assert plain["capacity"] == {"n_clients": 5.0}
    assert repr(found).startswith("Alerts: 1 clients with an expected loss of 50, 100% of all")
    assert "left out, not_evaluated: 1" in found._repr_html_()
    assert isinstance(found, Alerts)


def test_nobody():
    found = alerts(pd.Series([], dtype=float), 1.0, n_clients=3)
    assert len(found) == 0
    assert np.isnan(found.share_of_loss)
    assert found.to_dict()["share_of_loss"] is None


def test_bad_input_is_named_all_at_once():
    risk = pd.Series([0.5, 20.0], index=["C1", "C2"])
    with pytest.raises(InvalidParameterError, match="capacity must be given"):
        alerts(risk, 1.0)
    with pytest.raises(InvalidParameterError, match="hours_available needs hours"):
        alerts(risk, 1.0, hours_available=5)
    with pytest.raises(InvalidParameterError, match="hours needs hours_available"):
        alerts(risk, 1.0, hours=2.0, n_clients=1)
    with pytest.raises(InvalidParameterError, match="n_clients must be a whole number of at least 0"):
        alerts(risk, 1.0, n_clients=-1)
    with pytest.raises(InvalidParameterError, match="hours_available must be a number in"):
        alerts(risk, 1.0, hours=1.0, hours_available=-1.0)
    with pytest.raises(InvalidParameterError, match="lang must be one of"):
        alerts(risk, 1.0, n_clients=1, lang="fr")
    with pytest.raises(DataError, match="alerts cannot rank") as raised:
        alerts(risk, pd.Series([1.0, 2.0]), hours=[0.0, 1.0], hours_available=1.0)
    assert [fault.split(";")[0] for fault in raised.value.faults] == [
        "probability must be in [0, 1]",
        "value must have the index of probability. Reindex it.",
        "hours must be above 0 and finite",
    ]
    with pytest.raises(DataError, match="value must be a number or 2 numbers"):
        alerts(risk, ["many", "few"], n_clients=1)
    with pytest.raises(DataError, match="value must be finite"):
        alerts(risk, np.inf, n_clients=1)
    with pytest.raises(DataError, match="probability must be a Series"):
        alerts([0.5], 1.0, n_clients=1)
    with pytest.raises(DataError, match="drivers must have the index"):
        alerts(risk / 100, 1.0, n_clients=1, drivers=pd.DataFrame({"driver_1": ["a", "b"]}))
