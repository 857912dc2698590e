"""The measures of survival against scikit-survival and hazardous, to 1e-8.

Where they disagree: scikit-survival reads equal times strictly (``ties="strict"``); hazardous also counts the
events of a time as still at risk of censoring at it and keeps G at .05 or more.  Ours agrees with both where
exits and censorings never share a time and G stays above .05, and with scikit-survival on any data when read
strictly.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.metrics import (
    aalen_johansen,
    brier_incidence,
    brier_survival,
    calibration_by_horizon,
    dynamic_auc,
    ibs_incidence,
    ibs_survival,
    mean_dynamic_auc,
    uno_c,
)

TIMES = np.array([2.0, 3.0, 5.0, 7.2, 9.0])
SAME = {"atol": 1e-8, "rtol": 0.0}


@pytest.fixture
def sksurv():
    pytest.importorskip(
        "sksurv", reason="scikit-survival is not installed; it is an oracle of these tests only"
    )
    import sksurv.metrics  # noqa: PLC0415 -- an oracle that users need not have
    import sksurv.nonparametric  # noqa: PLC0415
    import sksurv.util  # noqa: PLC0415

    return sksurv


@pytest.fixture
def hazardous():
    pytest.importorskip("hazardous", reason="hazardous is not installed; it is an oracle of these tests only")
    import hazardous._ipcw  # noqa: PLC0415 -- an oracle that users need not have
    import hazardous.metrics  # noqa: PLC0415

    return hazardous


def outcomes(n, rng, *, apart):
    """Return durations full of ties and three causes; exits and censorings share times unless `apart`."""
    exit_ = np.ceil(rng.weibull(1.3, n) * 8)
    censored = np.ceil(rng.exponential(14, n)) + (0.5 if apart else 0.0)
    cause = rng.choice([1, 2, 3], n, p=[0.5, 0.3, 0.2])
    return np.minimum(exit_, censored), np.where(exit_ <= censored, cause, 0)


def case(seed, *, apart, far=True):
    """Judged rows, rows for the censoring (followed for longer), risks with ties and falling curves."""
    rng = np.random.default_rng(seed)
    duration, code = outcomes(300, rng, apart=apart)
    train = outcomes(500, rng, apart=apart)
    if far:
        train = (np.append(train[0], [60.0, 61.0]), np.append(train[1], [0, 1]))
    risk = np.round(rng.normal(size=(300, len(TIMES))), 1)
    curves = np.sort(rng.random((300, len(TIMES))), axis=1)[:, ::-1]
    return duration, code, train, risk, curves


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("apart", [True, False])
def test_scikit_survival(sksurv, seed, apart):
    duration, code, train, risk, curves = case(seed, apart=apart)
    ties = "events_first" if apart else "strict"
    surv, metrics = sksurv.util.Surv.from_arrays, sksurv.metrics
    judged, given = surv(code > 0, duration), surv(train[1] > 0, train[0])
    options = {"train": train, "ties": ties}

    one = risk[:, 0]
    found = [uno_c(duration, code, one, **options), uno_c(duration, code, one, tau=7.2, **options)]
    expected = [metrics.concordance_index_ipcw(given, judged, one, tau=tau)[0] for tau in (None, 7.2)]
    np.testing.assert_allclose(found, expected, **SAME)
    for score in (one, risk):
        areas, mean = metrics.cumulative_dynamic_auc(given, judged, score, TIMES)
        np.testing.assert_allclose(dynamic_auc(duration, code, score, times=TIMES, **options), areas, **SAME)
        assert mean_dynamic_auc(duration, code, score, times=TIMES, **options) == pytest.approx(
            mean, abs=1e-8
        )
    _, error = metrics.brier_score(given, judged, curves, TIMES)
    np.testing.assert_allclose(brier_survival(duration, code, curves, times=TIMES, **options), error, **SAME)
    ibs = metrics.integrated_brier_score(given, judged, curves, TIMES)
    assert ibs_survival(duration, code, curves, times=TIMES, **options) == pytest.approx(ibs, abs=1e-8)


def test_scikit_survival_with_a_whole_tau(sksurv):
    duration, code, train, risk, _ = case(7, apart=False)
    surv = sksurv.util.Surv.from_arrays
    judged, given = surv(code > 0, duration), surv(train[1] > 0, train[0])
    expected = sksurv.metrics.concordance_index_ipcw(given, judged, risk[:, 0], tau=7.0)[0]
    found = uno_c(duration, code, risk[:, 0], train=train, tau=7.0, ties="strict")
    assert found == pytest.approx(expected, abs=1e-8)
    assert found.tau == 7.0
    # exits in period 7 count when events come first
    assert abs(uno_c(duration, code, risk[:, 0], train=train, tau=7.0) - expected) > 1e-4


def test_where_scikit_survival_gives_up_ours_stops_at_tau(sksurv):
    duration, code, *_, risk, curves = case(3, apart=False)
    surv = sksurv.util.Surv.from_arrays
    judged = surv(code > 0, duration)
    short = (duration[duration <= 5], code[duration <= 5])
    given = surv(short[1] > 0, short[0])
    with pytest.raises(ValueError, match="censoring survival function is zero"):
        sksurv.metrics.concordance_index_ipcw(given, judged, risk[:, 0])
    with pytest.raises(ValueError, match="censoring survival function is zero"):
        sksurv.metrics.cumulative_dynamic_auc(given, judged, risk[:, 0], TIMES)
    score = uno_c(duration, code, risk[:, 0], train=short)
    assert 0 < score < 1
    assert score.tau == 5.0
    error = brier_survival(duration, code, curves, times=TIMES, train=short)
    assert error.notna().to_list() == [True, True, True, False, False]
    assert error.attrs["tau"] == 5.0


@pytest.mark.parametrize("seed", range(6))
def test_hazardous(hazardous, seed):
    duration, code, train, _, curves = case(seed, apart=True, far=False)
    judged = pd.DataFrame({"event": code, "duration": duration})
    given = pd.DataFrame({"event": train[1], "duration": train[0]})
    metrics = hazardous.metrics
    options = {"times": TIMES, "train": train}
    np.testing.assert_allclose(
        brier_survival(duration, code, curves, **options),
        metrics.brier_score_survival(given, judged, curves, TIMES),
        **SAME,
    )
    assert ibs_survival(duration, code, curves, **options) == pytest.approx(
        metrics.integrated_brier_score_survival(given, judged, curves, TIMES), abs=1e-8
    )
    gone = 1 - curves
    for cause in (1, 2, 3):
        np.testing.assert_allclose(
            brier_incidence(duration, code, gone, cause=cause, **options),
            metrics.brier_score_incidence(given, judged, gone, TIMES, cause),
            **SAME,
        )
        assert ibs_incidence(duration, code, gone, cause=cause, **options) == pytest.approx(
            metrics.integrated_brier_score_incidence(given, judged, gone, TIMES, cause), abs=1e-8
        )


@pytest.mark.parametrize("seed", range(3))
def test_hazardous_concordance_of_a_cause(hazardous, seed):
    duration, code, train, risk, _ = case(seed, apart=True, far=False)
    tau = 9.2  # weights are the same for both up to here: hazardous keeps G at .05 or more
    found = hazardous.metrics.concordance_index_incidence(
        pd.DataFrame({"event": code, "duration": duration}),
        np.column_stack([risk[:, 0], risk[:, 0]]),
        y_train=pd.DataFrame({"event": train[1], "duration": train[0]}),
        time_grid=[1.0, 20.0],
        taus=[tau],
        event_of_interest=2,
        ipcw_estimator="km",
    )
    ours = uno_c(duration, code, risk[:, 0], train=train, tau=tau, cause=2)
    assert ours == pytest.approx(float(np.ravel(found)[0]), abs=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_of_aalen_johansen(sksurv, seed):
    duration, code = case(seed, apart=False)[2]  # ends with a censoring: theirs divides by 0 once all left
    duration, code = duration[:-1], code[:-1]
    at, curves, interval = sksurv.nonparametric.cumulative_incidence_competing_risks(
        code, duration, conf_type="log-log", var_type="Dinse_Approx"
    )
    columns = pd.MultiIndex.from_product([[f"cause_{k}" for k in (1, 2, 3)], [3, 8]])
    constant = pd.DataFrame(0.2, index=range(len(code)), columns=columns)
    table = calibration_by_horizon(duration, code, constant, horizons=[3, 8], n_groups=1)
    everybody = table[table["group"] == 0].set_index(["cause", "horizon"])
    for cause in (1, 2, 3):
        for horizon in (3, 8):
            step = np.searchsorted(at, horizon, side="right") - 1
            row = everybody.loc[(f"cause_{cause}", horizon)]
            expected = [curves[cause, step], *interval[cause, :, step]]
            np.testing.assert_allclose(row[["observed", "lower", "upper"]], expected, **SAME)
    table = aalen_johansen(duration, code, horizons=[3, 8])
    assert table["cause_1"].to_list() == pytest.approx(everybody.loc["cause_1", "observed"].to_list())
