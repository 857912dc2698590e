from __future__ import annotations

import numpy as np
import pytest

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.metrics import aalen_johansen, auc, bootstrap_by_client, uno_c


def test_whole_clients_are_drawn():
    clients = np.repeat(["a", "b", "c"], [1, 2, 3])
    seen = []

    def measure(rows):
        seen.append(rows)
        return float(len(rows))

    found = bootstrap_by_client(measure, clients, n=50, random_state=0)
    assert found.point == 6.0
    assert seen[0].tolist() == list(range(6))
    for rows in seen[1:]:
        times = np.bincount(rows, minlength=6)
        assert times[1] == times[2]
        assert times[3] == times[4] == times[5]
        assert times[0] + times[1] + times[3] == 3
    assert len({len(rows) for rows in seen}) > 2


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    rng = np.random.default_rng(0)
    own = np.repeat(rng.normal(size=400), 5)  # five rows a client, all alike
    clients = np.repeat(np.arange(400), 5)
    found = bootstrap_by_client(lambda rows: own[rows].mean(), clients, n=600, random_state=1)
    error = own[::5].std() / np.sqrt(400)
    assert found.standard_error == pytest.approx(error, rel=0.1)
    assert (found.upper - found.lower) / (2 * 1.96 * error) == pytest.approx(1.0, abs=0.1)
    by_row = bootstrap_by_client(lambda rows: own[rows].mean(), np.arange(2000), n=600, random_state=1)
    assert by_row.standard_error < 0.6 * found.standard_error  # rows taken for independent: too narrow


def test_it_covers_a_true_auc():
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        score = rng.normal(size=300)
        y = rng.random(300) < 1 / (1 + np.exp(-score))
        found = bootstrap_by_client(
            lambda rows, y=y, score=score: auc(y[rows], score[rows]), range(300), n=100, random_state=0
        )
        inside.append(found.lower <= 0.7395 <= found.upper)  # of four million draws
    assert np.mean(inside) >= 0.85


def test_it_unpacks_repeats_and_shows_itself():
    values = np.arange(10.0)
    call = {"clients": range(10), "n": 40}
    one = bootstrap_by_client(lambda rows: values[rows].mean(), **call, random_state=3)
    point, lower, upper = one
    assert (point, lower, upper) == (one.point, one.lower, one.upper)
    again = bootstrap_by_client(lambda rows: values[rows].mean(), **call, random_state=3)
    assert tuple(again) == tuple(one)
    assert tuple(bootstrap_by_client(lambda rows: values[rows].mean(), **call, random_state=4)) != tuple(one)
    assert "95% interval from 40 resamples" in repr(one)
    assert "<table" in one._repr_html_()
    assert one.to_dict()["point"] == 4.5


def test_a_curve_has_a_band():
    rng = np.random.default_rng(0)
    duration, event = rng.integers(1, 9, 300), rng.integers(0, 2, 300)

    def curve(rows):
        table = aalen_johansen(duration[rows], event[rows], horizons=[2, 5], causes={1: "exit"})
        return table["exit"].to_numpy()

    found = bootstrap_by_client(curve, range(300), n=200, random_state=0)
    assert found.point.shape == found.lower.shape == (2,)
    assert (found.lower < found.point).all()
    assert (found.point < found.upper).all()
    assert list(found.frame().columns) == ["point", "lower", "upper", "standard_error"]


def test_resamples_without_a_value_are_counted_and_too_many_void_the_interval():
    y, score = np.array([1] * 3 + [0] * 40), np.arange(43.0)
    found = bootstrap_by_client(lambda rows: auc(y[rows], score[rows]), range(43), n=300, random_state=0)
    assert 0 < found.n_failed < 30  # about exp(-3) of the resamples hold no event: auc says so with an error
    assert np.isfinite(found.lower)
    assert "of them without a value" in repr(found)
    strict = bootstrap_by_client(
        lambda rows: auc(y[rows], score[rows]), range(43), n=300, max_failed=0.0, random_state=0
    )
    assert np.isnan(strict.lower)
    assert np.isfinite(strict.standard_error)
    rare = np.array([1] + [0] * 42)
    risk, duration = -score, np.arange(1, 44)
    void = bootstrap_by_client(
        lambda rows: uno_c(duration[rows], rare[rows], risk[rows]), range(43), n=200, random_state=0
    )
    assert (
        void.n_failed > 40
    )  # here the measure is missing, not an error: a third of resamples lack the event
    assert np.isnan(void.lower)
    assert np.isnan(void.upper)
    assert void.point == 1.0


def test_other_errors_and_a_failure_on_all_rows_are_passed_on():
    with pytest.raises(ZeroDivisionError):
        bootstrap_by_client(lambda rows: 1 / (len(rows) - 3), ["a", "b", "c"], n=5, random_state=0)
    with pytest.raises(DataError, match="both outcomes"):
        bootstrap_by_client(lambda rows: auc(np.zeros(3)[rows], rows), ["a", "b", "c"], n=5)


def test_bad_input_is_named():
    with pytest.raises(DataError, match="at least one row"):
        bootstrap_by_client(len, [])
    with pytest.raises(DataError, match="1 of 2 are"):
        bootstrap_by_client(len, ["a", None])
    for name, value in {"n": 1, "level": 1.0, "max_failed": 2}.items():
        with pytest.raises(InvalidParameterError, match=name):
            bootstrap_by_client(len, ["a"], **{name: value})
