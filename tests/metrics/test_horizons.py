from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.metrics import (
    aalen_johansen,
    calibration_by_horizon,
    ici,
    plot_calibration_by_horizon,
)

CAUSES = ("closure", "default")
HORIZONS = (3, 6, 12)


def book(n, seed=0, factor=1.0):
    """Twelve months, two causes, censoring at random; predictions `factor` times the true rates."""
    rng = np.random.default_rng(seed)
    rate = rng.beta(2, 60, (n, 2))
    chance = rng.random((n, 12))
    exit_ = np.where(chance.min(axis=1) < rate.sum(axis=1), 0, 13)
    event = np.full(n, None, dtype=object)
    for month in range(12, 0, -1):
        hit = chance[:, month - 1]
        exit_ = np.where(hit < rate.sum(axis=1), month, exit_)
    cause = chance[np.arange(n), np.minimum(exit_, 12) - 1] < rate[:, 0]
    watched = np.minimum(rng.geometric(0.05, n), 12)
    seen = exit_ <= watched
    event[seen] = np.where(cause[seen], *CAUSES)
    wrong = rate * factor
    stay = (1 - wrong.sum(axis=1))[:, None] ** np.array(HORIZONS)
    incidence = (wrong / wrong.sum(axis=1, keepdims=True))[:, :, None] * (1 - stay)[:, None, :]
    columns = pd.MultiIndex.from_product([CAUSES, HORIZONS], names=["cause", "horizon"])
    frame = pd.DataFrame(incidence.reshape(n, -1), columns=columns)
    return np.minimum(exit_, watched), event, frame


def test_groups_hold_what_aalen_johansen_finds_in_them():
    duration, event, frame = book(2000)
    table = calibration_by_horizon(duration, event, frame, horizons=HORIZONS, n_groups=5)
    assert table.shape == (2 * 3 * 6, 8)
    rows = table[(table["cause"] == "default") & (table["horizon"] == 6)].set_index("group")
    predicted = frame[("default", 6)].to_numpy()
    assert rows.loc[0, "predicted"] == pytest.approx(predicted.mean())
    assert rows.loc[1:, "rows"].to_list() == [400] * 5
    top = predicted >= np.sort(predicted)[-400]
    assert rows.loc[5, "predicted"] == pytest.approx(predicted[top].mean())
    for chosen, group in ((np.ones(2000, dtype=bool), 0), (top, 5)):
        found = aalen_johansen(duration[chosen], event[chosen], horizons=[6], causes=CAUSES)
        assert rows.loc[group, "observed"] == pytest.approx(found.loc[6, "default"])
    assert (rows["lower"] < rows["observed"]).all()
    assert (rows["observed"] < rows["upper"]).all()


def test_without_censoring_the_variance_is_binomial():
    event = np.array(["a"] * 30 + ["b"] * 20 + [None] * 50, dtype=object)
    duration = np.array([1] * 10 + [2] * 20 + [1] * 15 + [3] * 5 + [9] * 50)
    frame = pd.DataFrame(0.3, index=range(100), columns=pd.MultiIndex.from_tuples([("a", 2)]))
    row = calibration_by_horizon(duration, event, frame, horizons=[2], causes=["a"], n_groups=1).iloc[0]
    assert row["observed"] == pytest.approx(0.3)
    spread = 1.959963984540054 * np.sqrt(0.3 * 0.7 / 100) / (0.3 * -np.log(0.3))
    assert row["lower"] == pytest.approx(0.3 ** np.exp(spread))
    assert row["upper"] == pytest.approx(0.3 ** np.exp(-spread))


def test_no_event_and_nothing_but_events_have_exact_intervals():
    frame = pd.DataFrame([[0.1]] * 4 + [[0.9]] * 4, columns=pd.MultiIndex.from_tuples([("cause_1", 2)]))
    table = calibration_by_horizon([3] * 4 + [1] * 4, [0] * 4 + [1] * 4, frame, horizons=[2], n_groups=2)
    none, all_ = table.iloc[1], table.iloc[2]
    assert (none["observed"], none["lower"]) == (0.0, 0.0)
    assert none["upper"] == pytest.approx(1 - 0.025 ** (1 / 4))
    assert (all_["observed"], all_["upper"]) == (1.0, 1.0)
    assert all_["lower"] == pytest.approx(0.025 ** (1 / 4))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    inside = []
    for seed in range(60):
        duration, event, frame = book(400, seed)
        table = calibration_by_horizon(duration, event, frame, horizons=[6, 12], n_groups=1)
        table = table[table["group"] == 0]
        inside += ((table["lower"] <= table["predicted"]) & (table["predicted"] <= table["upper"])).to_list()
    assert 0.92 <= np.mean(inside) <= 0.98


def test_a_right_model_has_a_small_ici_and_a_wrong_one_its_error():
    duration, event, right = book(20_000)
    wrong = book(20_000, factor=1.5)[2]
    for cause in CAUSES:
        gap = float((wrong[(cause, 12)] - right[(cause, 12)]).mean())
        assert ici(duration, event, right, horizon=12, cause=cause) < 0.008
        assert ici(duration, event, wrong, horizon=12, cause=cause) == pytest.approx(gap, abs=0.008)
    any_ = ici(duration, event, right, horizon=12)
    total = right.T.groupby(level="horizon").sum().T[12].to_numpy()
    assert any_ == pytest.approx(ici(duration, event, total, horizon=12), abs=1e-12)


def test_ici_by_hand_and_from_the_table():
    # group 1: predicted .2, observed 0; group 2: predicted .6, observed .5
    score = ici([3, 3, 1, 2], [None, None, "a", None], [0.2, 0.2, 0.6, 0.6], horizon=2, n_groups=2)
    assert score == pytest.approx((0.2 + 0.1) / 2)
    duration, event, frame = book(1000)
    table = calibration_by_horizon(duration, event, frame, horizons=[6], n_groups=7)
    rows = table[(table["cause"] == "closure") & (table["group"] > 0)]
    expected = ((rows["predicted"] - rows["observed"]).abs() * rows["rows"]).sum() / 1000
    assert ici(duration, event, frame, horizon=6, cause="closure", n_groups=7) == pytest.approx(expected)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 5),
)
def test_groups_split_the_rows_and_keep_equal_predictions_together(rows, n_groups):
    duration, code, level = (np.array(column) for column in zip(*rows, strict=True))
    columns = pd.MultiIndex.from_product([["cause_1", "cause_2"], [2]])
    frame = pd.DataFrame(np.column_stack([level / 10, level / 20]), columns=columns)
    table = calibration_by_horizon(duration, code, frame, horizons=[2], n_groups=n_groups)
    for _, part in table.groupby("cause"):
        groups = part[part["group"] > 0]
        assert groups["rows"].sum() == part["rows"].iloc[0] == len(rows)
        assert (groups["predicted"].diff().dropna() > 0).all()
        assert len(groups) <= min(n_groups, len(set(level)))
        known = part.dropna()
        assert ((known["lower"] <= known["observed"]) & (known["observed"] <= known["upper"])).all()


def test_a_horizon_past_the_follow_up_is_missing():
    frame = pd.DataFrame([[0.2, 0.3]] * 3, columns=pd.MultiIndex.from_product([["cause_1"], [2, 9]]))
    table = calibration_by_horizon([1, 2, 3], [1, 0, 0], frame, horizons=[2, 9], n_groups=1)
    assert table["observed"].isna().to_list() == [False, False, True, True]
    assert table["lower"].isna().to_list() == [False, False, True, True]
    assert np.isnan(ici([1, 2, 3], [1, 0, 0], frame, horizon=9, cause=1))


def test_causes_choose_name_and_compete():
    frame = pd.DataFrame([[0.3], [0.3]], columns=pd.MultiIndex.from_tuples([("hard", 2)]))
    by_number = calibration_by_horizon(
        [1, 2], [1, 2], frame, horizons=[2], causes={1: "hard", 2: "default"}, n_groups=1
    )
    assert by_number["cause"].unique().tolist() == ["hard"]
    assert by_number["observed"].to_list() == pytest.approx([0.5, 0.5])
    by_name = calibration_by_horizon(
        [1, 2], ["hard", "default"], frame, horizons=[2], causes=["hard"], n_groups=1
    )
    pd.testing.assert_frame_equal(by_name, by_number)
    nobody = calibration_by_horizon([1, 2], [0, 0], frame, horizons=[2], n_groups=1)
    assert nobody["observed"].to_list() == [0.0, 0.0]
    with pytest.raises(DataError, match=r"'hrad' has no prediction. Did you mean 'hard'"):
        calibration_by_horizon([1, 2], ["hrad", None], frame, horizons=[2])
    with pytest.raises(InvalidParameterError, match="'soft' has no column"):
        calibration_by_horizon([1, 2], ["hard", None], frame, horizons=[2], causes=["soft"])
    with pytest.raises(InvalidParameterError, match="'soft' has no column"):
        calibration_by_horizon([1, 2], [1, None], frame, horizons=[2], causes={1: "soft"})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d, e, f: calibration_by_horizon(d, e, f.to_numpy(), horizons=[3]), DataError, "cause, hor"),
        (lambda d, e, f: calibration_by_horizon(d, e, f, horizons=[4]), DataError, r"\['4'\] are missing"),
        (lambda d, e, f: calibration_by_horizon(d, e, f * 9, horizons=[3]), DataError, r"lie in \[0, 1\]"),
        (lambda d, e, f: calibration_by_horizon(d, e, f.iloc[1:], horizons=[3]), DataError, "shape"),
        (
            lambda d, e, f: calibration_by_horizon(d, e, f, horizons=[6, 3]),
            InvalidParameterError,
            "increase",
        ),
        (
            lambda d, e, f: calibration_by_horizon(d, e, f, horizons=[3], n_groups=0),
            InvalidParameterError,
            "n_groups",
        ),
        (
            lambda d, e, f: calibration_by_horizon(d, e, f, horizons=[3], level=1),
            InvalidParameterError,
            "level",
        ),
        (lambda d, e, f: ici(d, e, f, horizon=3, cause="closer"), DataError, "'closer' is missing"),
        (lambda d, e, f: ici(d, e, f, horizon=3, n_groups=0), InvalidParameterError, "n_groups"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(*book(50))


def test_the_picture_shows_groups_everybody_and_the_diagonal():
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is an extra (report)")
    duration, event, frame = book(3000)
    table = calibration_by_horizon(duration, event, frame, horizons=[3, 12], n_groups=5)
    area = plot_calibration_by_horizon(table)
    assert area.get_xlabel() == "Predicted incidence"
    labels = [text.get_text() for text in area.get_legend().get_texts()]
    assert labels == ["closure, 3", "closure, 12", "default, 3", "default, 12"]
    points = np.concatenate([line.get_xdata() for line in area.get_lines() if line.get_linestyle() == "None"])
    assert set(np.round(table["predicted"], 12)) <= set(np.round(points.astype(float), 12))
    own = plt.figure().add_subplot()
    assert plot_calibration_by_horizon(table.assign(observed=np.nan), ax=own) is own
    with pytest.raises(MissingColumnError, match="'observed' is missing"):
        plot_calibration_by_horizon(table.drop(columns="observed"))
    plt.close("all")


def test_fifty_thousand_rows_take_a_moment():
    duration, event, frame = book(50_000)
    start = time.process_time()
    calibration_by_horizon(duration, event, frame, horizons=HORIZONS)
    assert time.process_time() - start < 5.0
