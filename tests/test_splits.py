from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.splits import PanelSplit, by_group, out_of_time
from clientscore.timeline import add_periods


def panel(clients: int = 10, dates: int = 12, freq: str = "QS", start: str = "2022-01-01") -> pd.MultiIndex:
    days = pd.date_range(start, periods=dates, freq=freq)
    return pd.MultiIndex.from_product([[f"c{i}" for i in range(clients)], days], names=["client_id", "as_of"])


def days_of(index: pd.MultiIndex, mask: np.ndarray) -> list[str]:
    return sorted(index[mask].get_level_values("as_of").strftime("%Y-%m-%d").unique())


# --------------------------------------------------------------------------------------------- out of time
def test_a_window_must_have_closed_by_the_cutoff() -> None:
    index = panel(dates=16)
    train, test = out_of_time(index, "2025-02-01", horizon=12, lead=1)
    # 2024-01-01 + 13 months = 2025-02-01: closed on the day; 2024-04-01 is not
    assert days_of(index, train)[-1] == "2024-01-01"
    assert days_of(index, test) == ["2025-04-01", "2025-07-01", "2025-10-01"]
    assert not (train & test).any()
    assert days_of(index, out_of_time(index, "2025-01-31", horizon=12, lead=1)[0])[-1] == "2023-10-01"


def test_the_embargo_takes_more() -> None:
    index = panel(dates=16)
    assert days_of(index, out_of_time(index, "2025-02-01", embargo=1)[0])[-1] == "2023-10-01"
    assert days_of(index, out_of_time(index, "2025-02-01", embargo=3)[0])[-1] == "2023-10-01"
    assert days_of(index, out_of_time(index, "2025-02-01", embargo=4)[0])[-1] == "2023-07-01"


@pytest.mark.parametrize(("period", "last"), [("quarter", "2023-10-01"), ("year", "2023-01-01")])
def test_longer_periods(period: str, last: str) -> None:
    index = panel(dates=16)
    train, _ = out_of_time(
        index, "2025-01-01", horizon=4 if period == "quarter" else 1, lead=1, period=period
    )
    assert days_of(index, train)[-1] == last


def test_yearly_books_without_a_gap() -> None:
    index = panel(dates=5, freq="YS", start="2014-01-01")
    train, test = out_of_time(index, "2016-01-01", horizon=1, lead=0, period="year")
    assert days_of(index, train) == ["2014-01-01", "2015-01-01"]
    assert days_of(index, test) == ["2016-01-01", "2017-01-01", "2018-01-01"]


@given(
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.integers(0, 3),
    st.integers(0, 4),
    st.sampled_from(["month", "quarter"]),
)
@settings(deadline=None, max_examples=40)
def test_no_training_window_reaches_into_the_test(
    seed: int, horizon: int, lead: int, embargo: int, period: Any
) -> None:
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 3000, 60), unit="D")
    index = pd.MultiIndex.from_arrays([[f"c{i % 7}" for i in range(60)], days], names=["client_id", "as_of"])
    cutoff = pd.Timestamp("2024-06-15")
    try:
        train, test = out_of_time(index, cutoff, horizon, lead, embargo, period)
    except DataError:
        return
    for (_, day), trains, tests in zip(index, train, test, strict=True):
        assert tests == (day >= cutoff)
        assert trains == (add_periods(day, lead + horizon + embargo, period) <= cutoff)


def test_groups_are_on_one_side() -> None:
    index = panel(clients=200, dates=16)
    train, test = out_of_time(index, "2025-02-01", groups=index.get_level_values("client_id"))
    trained, tested = (set(index[mask].get_level_values(0)) for mask in (train, test))
    assert not trained & tested
    assert len(trained | tested) == 200
    assert 70 < len(tested) < 130
    plain_train, plain_test = out_of_time(index, "2025-02-01")
    assert not (train & ~plain_train).any()
    assert not (test & ~plain_test).any()


def test_a_side_may_not_be_empty() -> None:
    index = panel()
    with pytest.raises(DataError, match="no training rows at cutoff=2022-06-01, horizon=12, lead=1"):
        out_of_time(index, "2022-06-01")
    with pytest.raises(DataError, match="no test rows at cutoff=2030-01-01"):
        out_of_time(index, "2030-01-01")


def test_inputs_are_checked() -> None:
    with pytest.raises(DataError, match="index needs a level 'as_of'"):
        out_of_time(pd.Index(["a"], name="client_id"), "2025-01-01")
    with pytest.raises(InvalidParameterError, match="cutoff must be a date"):
        out_of_time(panel(), None)
    with pytest.raises(InvalidParameterError, match="period must be one of"):
        out_of_time(panel(), "2025-01-01", period="week")  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="horizon must be"):
        out_of_time(panel(), "2025-01-01", horizon=0)
    with pytest.raises(InvalidParameterError, match="embargo must be"):
        out_of_time(panel(), "2025-01-01", embargo=-1)
    with pytest.raises(DataError, match="one entry for each row; got 1 for 120 rows"):
        out_of_time(panel(), "2024-06-01", groups=["a"])
    with pytest.raises(DataError, match="groups must not be missing; 120 rows"):
        out_of_time(panel(), "2024-06-01", groups=[None] * 120)


# ------------------------------------------------------------------------------------------------ by group
def test_a_group_keeps_its_side_when_rows_are_added() -> None:
    small, large = panel(clients=50), panel(clients=500)
    sides = []
    for index in (small, large):
        train, test = by_group(index, share=0.3)
        assert (train ^ test).all()
        sides.append(set(index[test].get_level_values(0)))
    assert sides[0] == {client for client in sides[1] if int(client[1:]) < 50}
    assert 110 < len(sides[1]) < 190
    other = by_group(large, share=0.3, seed=1)[1]
    assert set(large[other].get_level_values(0)) != sides[1]


def test_own_groups_and_bad_input() -> None:
    index = panel(clients=40)
    groups = np.repeat(np.arange(20), 24)
    _, test = by_group(index, share=0.5, groups=groups)
    assert not set(groups[test]) & set(groups[~test])
    with pytest.raises(InvalidParameterError, match="share must be a number in"):
        by_group(index, share=1.0)
    with pytest.raises(DataError, match="index needs a level 'client_id'"):
        by_group(pd.RangeIndex(3))


# -------------------------------------------------------------------------------------------- PanelSplit
def test_folds_go_forward_and_cover_each_test_date_once() -> None:
    index = panel(dates=20)
    X = pd.DataFrame({"x": 0.0}, index=index)
    splitter = PanelSplit(n_splits=4, purge=13)
    seen: list[str] = []
    before = 0
    for train, test in splitter.split(X):
        train_days, test_days = (
            days_of(index, np.isin(np.arange(200), train)),
            days_of(index, np.isin(np.arange(200), test)),
        )
        assert add_periods(train_days[-1], 13, "month") <= pd.Timestamp(test_days[0])
        assert len(train) > before
        before = len(train)
        seen += test_days
    assert seen == [str(day.date()) for day in index.levels[1] if day >= pd.Timestamp("2023-02-01")]
    assert splitter.get_n_splits() == 4


def test_embargo_and_period_in_folds() -> None:
    index = panel(dates=12, freq="YS", start="2005-01-01")
    X = pd.DataFrame({"x": 0.0}, index=index)
    folds = list(PanelSplit(n_splits=2, purge=1, embargo=1, period="year").split(X))
    train, test = (days_of(index, np.isin(np.arange(120), rows)) for rows in folds[0])
    assert (train, test[0]) == (["2005-01-01"], "2007-01-01")


def test_groups_in_folds() -> None:
    index = panel(clients=60, dates=20)
    X = pd.DataFrame({"x": 0.0}, index=index)
    for options, groups in (({"groups": True}, None), ({}, index.get_level_values(0))):
        tested = set()
        for train, test in PanelSplit(n_splits=3, **options).split(X, groups=groups):
            clients = [set(index[rows].get_level_values(0)) for rows in (train, test)]
            assert not clients[0] & clients[1]
            tested |= clients[1]
        assert len(tested) == 60


def test_it_works_inside_scikit_learn() -> None:
    index = panel(clients=30, dates=20)
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=len(index))}, index=index)
    y = rng.integers(0, 2, len(index))
    scores = cross_val_score(DummyClassifier(), X, y, cv=PanelSplit(n_splits=3))
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    assert repr(PanelSplit(3)) == "PanelSplit(n_splits=3, purge=13, embargo=0, period='month', groups=False)"


def test_folds_that_cannot_be_made() -> None:
    X = pd.DataFrame({"x": 0.0}, index=panel(dates=6))
    with pytest.raises(
        DataError, match="n_splits=4 needs as many dates after the first closed window; 1 of 6"
    ):
        list(PanelSplit(n_splits=4).split(X))
    with pytest.raises(DataError, match=r"needs rows on \(client_id, as_of\); got ndarray"):
        list(PanelSplit().split(X.to_numpy()))
    with pytest.raises(InvalidParameterError, match="n_splits must be"):
        list(PanelSplit(n_splits=0).split(X))
    with pytest.raises(DataError, match=r"fold \d has no (test|training) rows"):
        list(PanelSplit(n_splits=3, purge=3, groups=True).split(X[X.index.get_level_values(0) == "c0"]))


def test_the_splitter_takes_an_index_or_a_series() -> None:
    index = panel(dates=20)
    series = pd.Series(0.0, index=index)
    first = [test.tolist() for _, test in PanelSplit().split(index)]
    assert first == [test.tolist() for _, test in PanelSplit().split(series)]
