from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.effects import compute_event_study, difference_in_differences, plot_event_study
from clientscore.exceptions import DataError, InvalidParameterError


def panel(seed=0, n=60, periods=8, start=5, effect=2.0, trend=0.0):
    rng = np.random.default_rng(seed)
    client, when = np.repeat(np.arange(n), periods), np.tile(np.arange(periods), n)
    treated = (client < n // 2).astype(int)
    shock = rng.normal(size=n)[client]
    y = shock + 0.3 * when + treated * (effect * (when >= start) + trend * when)
    return y + rng.normal(size=n * periods), treated, when, client


def test_two_by_two_by_hand():
    y, treated = np.array([1.0, 4.0, 2.0, 7.0, 0.0, 1.0, 1.0, 2.0]), np.repeat([1, 0], 4)
    when, client = np.tile([0, 1], 4), np.repeat(np.arange(4), 2)
    found = difference_in_differences(y, treated, when, 1, clients=client)
    assert found.effect == pytest.approx((3 + 5) / 2 - (1 + 1) / 2)
    assert found.baseline == pytest.approx((4 + 7) / 2 - 3)
    # changes of the treated are 3 and 5, of the others 1 and 1; clusters: sqrt(G / (G - 1)) * sqrt(2 * 1) / 2
    assert found.standard_error == pytest.approx(np.sqrt(4 / 3 * 2) / 2)
    assert "cannot be checked" in found.notes[0]


def test_it_is_the_regression_with_dummies_also_where_rows_are_missing():
    y, treated, when, client = panel(1, n=12, periods=6, start=3)
    kept = np.random.default_rng(0).random(len(y)) < 0.8
    y, treated, when, client = y[kept], treated[kept], when[kept], client[kept]
    found = difference_in_differences(y, treated, when, 3, clients=client)
    X = np.column_stack(
        [treated * (when >= 3), pd.get_dummies(client), pd.get_dummies(when).iloc[:, 1:]]
    ).astype(float)
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    assert found.effect == pytest.approx(beta[0])
    bread = np.linalg.pinv(X.T @ X)
    scores = pd.DataFrame(X * (y - X @ beta)[:, None]).groupby(client).sum().to_numpy()
    clustered = bread @ scores.T @ scores @ bread * 12 / 11
    assert found.standard_error == pytest.approx(np.sqrt(clustered[0, 0]))


def test_the_interval_covers():
    covered = 0
    for seed in range(60):
        y, treated, when, client = panel(seed)
        found = difference_in_differences(y, treated, when, 5, clients=client)
        covered += found.lower <= 2.0 <= found.upper
    assert covered >= 52


def test_trends_that_differ_before_are_noted():
    y, treated, when, client = panel(2, trend=0.5)
    found = difference_in_differences(y, treated, when, 5, clients=client)
    assert found.details["pre_trend"]["lower"] < 0.5 < found.details["pre_trend"]["upper"]
    assert any("trends before the start differ" in note for note in found.notes)
    y, treated, when, client = panel(3)
    calm = difference_in_differences(y, treated, when, 5, clients=client)
    assert calm.details["pre_trend"]["p_value"] > 0.05
    assert calm.notes == ()


def test_few_clusters_are_noted():
    y, treated, when, client = panel(4)
    found = difference_in_differences(y, treated, when, 5, clients=client, clusters=client // 10)
    assert found.n_clients == 6
    assert any("3 clusters" in note for note in found.notes)


def test_dates_and_numbers_are_the_same():
    y, treated, when, client = panel(5)
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(31 * when, unit="D")
    by_number = difference_in_differences(y, treated, when, 5, clients=client)
    by_date = difference_in_differences(y, treated, dates, dates[5], clients=client)
    assert by_date.effect == pytest.approx(by_number.effect)
    assert by_date.standard_error == pytest.approx(by_number.standard_error)


def test_bad_panels():
    y, treated, when, client = panel(6)
    with pytest.raises(DataError, match="clients change"):
        difference_in_differences(y, treated * (when >= 5), when, 5, clients=client)
    with pytest.raises(DataError, match="treated clients must have rows before"):
        difference_in_differences(y, treated, when, 0, clients=client)
    with pytest.raises(DataError, match="other clients must form at least 2 clusters; got 0"):
        difference_in_differences(y, np.ones_like(treated), when, 5, clients=client)
    with pytest.raises(DataError, match="one row a period"):
        difference_in_differences(np.r_[y, 1], np.r_[treated, 1], np.r_[when, 0], 5, clients=np.r_[client, 0])
    with pytest.raises(DataError, match="clients must have 480 rows"):
        difference_in_differences(y, treated, when, 5, clients=client[:3])
    with pytest.raises(InvalidParameterError, match="start must be a date"):
        difference_in_differences(y, treated, pd.to_datetime(when, unit="D"), "01/02/2024", clients=client)
    one_sided = np.where(treated == 1, client * 2 + (when < 5), client * 2)
    with pytest.raises(DataError, match="cannot be told from clients and periods"):
        difference_in_differences(y, treated, when, 5, clients=one_sided)


def test_event_study_and_its_picture():
    y, treated, when, client = panel(7, n=200)
    table = compute_event_study(y, treated, when, 5, clients=client)
    assert table["since_start"].tolist() == list(range(-5, 3))
    assert table.set_index("since_start").loc[-1, ["effect", "lower", "upper"]].tolist() == [0.0, 0.0, 0.0]
    assert (table.query("since_start >= 0")["lower"] > 1).all()
    assert plot_event_study(table).get_xlabel() == "periods since the start"
