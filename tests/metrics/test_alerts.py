from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.metrics import lead_time, plot_lead_time


def judgements(**alerts):
    """One client a keyword; its alerts at 0, 3, 6... as 0 or 1, a dot where it was not judged."""
    rows = [
        (client, 3 * place, sign == "1")
        for client, signs in alerts.items()
        for place, sign in enumerate(signs)
        if sign != "."
    ]
    return pd.DataFrame(rows, columns=["client_id", "as_of", "alert"])


def exits(**dates):
    return pd.DataFrame({"client_id": list(dates), "date": list(dates.values())})


def test_by_hand():
    alerts = judgements(
        early="01110",  # alerts at 3, 6, 9; called off at 12
        late="00001",  # alert at 12
        never="00000",
        off="11000",  # called off before the window of 6 periods
        twice="10011",  # the first run was called off, the second began at 9
    )
    events = exits(early=14, late=13, never=14, off=14, twice=14, unknown=5)
    found = lead_time(alerts, events, window_periods=6)
    table = found.frame().set_index("client_id")
    assert table["caught"].to_dict() == {
        "early": True,  # the alert at 9 stood five periods before
        "late": True,
        "never": False,
        "off": False,
        "twice": True,
        "unknown": False,
    }
    assert table.loc["early", "lead_periods"] == 14 - 3  # from the first alert of the run
    assert table.loc["late", "lead_periods"] == 1
    assert table.loc["twice", ["first_alert", "lead_periods"]].to_list() == [9, 5]
    assert not table.loc["unknown", "scored"]
    assert (found.n_scored, found.n_caught, found.share_caught) == (5, 3, 3 / 5)
    assert found.median_periods == 5
    assert found.to_dict()["n_exits"] == 6
    assert "3 of 5 scored exits caught (60.0%), median 5 periods" in repr(found)
    assert "<table" in found._repr_html_()


def test_an_alert_after_the_exit_or_at_it_counts_for_nothing():
    found = lead_time(judgements(a="0011"), exits(a=6))
    assert (found.n_scored, found.n_caught) == (1, 0)
    assert np.isnan(found.median_periods)


def test_a_client_with_two_exits_has_two_rows():
    alerts = judgements(a="0100110")
    events = pd.DataFrame({"client_id": ["a", "a"], "date": [16, 5]})
    table = lead_time(alerts, events, window_periods=4).frame()
    assert table["lead_periods"].to_list() == [4, 2]


def test_dates_count_as_in_the_labels():
    dates = pd.DataFrame({"client_id": list("abcdef"), "as_of": pd.Timestamp("2025-01-01"), "alert": True})
    events = pd.DataFrame(
        {
            "client_id": list("abcdef"),
            "date": ["2025-01-01", "2025-01-02", "2025-02-01", "2025-02-02", "2025-12-31", "2026-01-02"],
        }
    )
    table = lead_time(dates, events).frame()
    # an exit on the day itself is known already; period 1 ends one month later, that day included
    assert table["lead_periods"].to_list()[1:5] == [1, 1, 2, 12]
    assert table["caught"].to_list() == [False, True, True, True, True, False]
    quarters = lead_time(dates, events, period="quarter", window_periods=4).frame()
    assert quarters["lead_periods"].to_list()[1:5] == [1, 1, 1, 4]
    ends = pd.DataFrame({"client_id": ["a"], "as_of": ["2025-01-31"], "alert": [True]})
    february = lead_time(ends, pd.DataFrame({"client_id": ["a"], "date": ["2025-02-28"]}))
    assert february.median_periods == 1


def test_the_index_of_a_score_works_as_columns():
    alerts = judgements(a="011", b="000")
    events = exits(a=8, b=7)
    expected = lead_time(alerts, events).frame()
    pd.testing.assert_frame_equal(
        lead_time(alerts.set_index(["client_id", "as_of"]), events).frame(), expected
    )
    shuffled = alerts.sample(frac=1.0, random_state=0)
    pd.testing.assert_frame_equal(lead_time(shuffled, events).frame(), expected)


def test_warning_of_everybody_catches_all_and_of_nobody_none():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"client_id": np.repeat(np.arange(50).astype(str), 8), "as_of": np.tile(np.arange(0, 24, 3), 50)}
    )
    events = pd.DataFrame({"client_id": np.arange(50).astype(str), "date": rng.integers(1, 36, 50)})
    everybody = lead_time(table.assign(alert=True), events)
    assert everybody.share_caught == 1.0
    assert (everybody.frame().query("caught")["first_alert"] == 0).all()
    nobody = lead_time(table.assign(alert=False), events)
    assert nobody.share_caught == 0.0
    assert nobody.n_scored == everybody.n_scored
    none = lead_time(table.assign(alert=True), events.iloc[:0])
    assert np.isnan(none.share_caught)


def test_a_longer_window_never_catches_fewer():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"client_id": np.repeat(np.arange(80).astype(str), 8), "as_of": np.tile(np.arange(0, 24, 3), 80)}
    ).assign(alert=rng.random(640) < 0.2)
    events = pd.DataFrame({"client_id": np.arange(80).astype(str), "date": rng.integers(1, 36, 80)})
    caught = [lead_time(table, events, window_periods=window).n_caught for window in (1, 3, 6, 12, 24)]
    assert caught == sorted(caught)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda a, e: (a.drop(columns="alert"), e), MissingColumnError, "'alert' is missing"),
        (lambda a, e: (a, e.drop(columns="date")), MissingColumnError, "'date' is missing"),
        (lambda a, e: (pd.concat([a, a]), e), DataError, "3 rows repeat"),
        (lambda a, e: (a.assign(alert=0.3), e), DataError, r"alert must be True or False; got 0.3"),
        (lambda a, e: (a.assign(as_of=[0, None, 3]), e), DataError, "as_of is missing in 1 of 3"),
        (lambda a, e: (a, e.assign(date=None)), DataError, "date is missing in 1 of 1"),
        (lambda a, e: (a, e.assign(date="soon")), DataError, "date must hold dates"),
        (lambda a, e: (a, e.assign(date="2025-01-01")), DataError, "both be dates or both be numbers"),
    ],
)
def test_bad_tables_are_named(change, error, message):
    with pytest.raises(error, match=message):
        lead_time(*change(judgements(a="011"), exits(a=8)))


def test_bad_settings_are_named():
    with pytest.raises(InvalidParameterError, match="window_periods"):
        lead_time(judgements(a="01"), exits(a=8), window_periods=0)
    with pytest.raises(InvalidParameterError, match="period must be one of"):
        lead_time(judgements(a="01"), exits(a=8), period="week")


def test_the_picture_falls_from_the_share_caught():
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is an extra (report)")
    frame = lead_time(judgements(a="0111", b="0001", c="0000"), exits(a=11, b=10, c=9)).frame()
    area = plot_lead_time(frame)
    values, edges, _ = area.patches[0].get_data()
    assert values.tolist() == pytest.approx([2 / 3, 1 / 3])  # one stood 1 period, one 8 periods
    assert edges.tolist() == [0.0, 1.0, 8.0]
    own = plt.figure().add_subplot()
    assert plot_lead_time(frame[~frame["caught"]], ax=own) is own
    with pytest.raises(MissingColumnError, match="'scored' is missing"):
        plot_lead_time(frame.drop(columns="scored"))
    plt.close("all")


def test_a_year_of_fifty_thousand_clients_takes_a_moment():
    rng = np.random.default_rng(0)
    n = 50_000
    clients = np.char.add("c", np.arange(n).astype(str))
    alerts = pd.DataFrame(
        {
            "client_id": np.repeat(clients, 12),
            "as_of": np.tile(np.arange(12), n),
            "alert": rng.random(12 * n) < 0.1,
        }
    )
    events = pd.DataFrame({"client_id": clients[:8000], "date": rng.integers(1, 20, 8000)})
    start = time.process_time()
    lead_time(alerts, events)
    assert time.process_time() - start < 6.0
