from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.need import AdaptiveCoverage, coverage_report


def forecast(lower, upper):
    return pd.DataFrame({"amount_lower": lower, "amount_upper": upper})


def test_the_report_by_hand():
    table = coverage_report(
        [2.0, 9.0, np.nan, 0.5, 2.0],
        forecast([1.0] * 5, [4.0, 4.0, 4.0, 4.0, 4.0]),
        groups=["A", "A", "A", "B", None],
        period=[2024, 2025, 2024, 2024, 2024],
    )
    assert table.loc[("all", "all"), ["rows", "coverage", "below", "above"]].tolist() == [4, 0.5, 0.25, 0.25]
    assert table.loc[("A", "all"), "coverage"] == 0.5
    assert table.loc[("A", "2025"), "coverage"] == 0.0
    assert table.loc[("missing", "2024"), "coverage"] == 1.0
    assert table["width"].eq(3.0).all()
    np.testing.assert_allclose(table["log_width"], np.log(4.0))
    assert table.index[0] == ("all", "all")


def test_the_binomial_interval_is_exact():
    actual = np.where(np.arange(50) < 43, 2.0, 9.0)
    row = coverage_report(actual, forecast(np.ones(50), np.full(50, 4.0))).iloc[0]
    expected = stats.binomtest(43, 50).proportion_ci(0.95, method="exact")
    assert (row["lower"], row["upper"]) == pytest.approx((expected.low, expected.high))
    every = coverage_report(np.full(20, 2.0), forecast(np.ones(20), np.full(20, 4.0)), level=0.9).iloc[0]
    assert every["upper"] == 1.0
    assert every["lower"] == pytest.approx(0.05 ** (1 / 20))


def test_dates_are_periods_too():
    dates = pd.to_datetime(["2025-01-01", "2025-04-01"])
    table = coverage_report([2.0, 2.0], forecast([1.0, 1.0], [3.0, 1.5]), period=dates)
    assert table.loc[("all", "2025-04-01"), "coverage"] == 0.0


def test_the_report_names_bad_input():
    with pytest.raises(MissingColumnError, match="amount_upper"):
        coverage_report([1.0], pd.DataFrame({"amount_lower": [1.0]}))
    with pytest.raises(DataError, match="must have 1 values like forecast; got 2"):
        coverage_report([1.0, 2.0], forecast([1.0], [2.0]))
    with pytest.raises(DataError, match="groups must have 1 values"):
        coverage_report([1.0], forecast([1.0], [2.0]), groups=["a", "b"])
    with pytest.raises(DataError, match="at least one amount above 0"):
        coverage_report([0.0], forecast([1.0], [2.0]))
    with pytest.raises(DataError, match="must not lie above amount_upper; it does in 1"):
        coverage_report([1.0], forecast([3.0], [2.0]))
    with pytest.raises(InvalidParameterError, match="level"):
        coverage_report([1.0], forecast([1.0], [2.0]), level=1.0)


def test_the_update_is_the_rule():
    adaptive = AdaptiveCoverage(target=0.8, rate=0.5)
    assert adaptive.realized != adaptive.realized  # none yet
    # a' = a + rate (.2 - 1/4): more than promised inside, so the level falls
    assert adaptive.update([1.0, 2.0, 3.0, 9.0], np.zeros(4), np.full(4, 5.0)) == pytest.approx(0.825)
    assert adaptive.update([np.nan], [0.0], [1.0]) == pytest.approx(0.825)  # nothing happened
    assert adaptive.update(position=[0.5, 0.5]) == pytest.approx(0.725)
    assert (adaptive.periods, adaptive.amounts) == (2, 6)
    assert adaptive.realized == pytest.approx(0.875)
    assert "6 amounts in 2 periods" in repr(adaptive)


def test_over_time_the_promise_is_kept_whatever_happens():
    """Amounts drift out of a fixed distribution: fixed intervals fail, asked ones follow."""
    rng = np.random.default_rng(0)
    periods, rate, target = 400, 0.05, 0.9
    adaptive = AdaptiveCoverage(target, rate)
    fixed = []
    for t in range(periods):
        z = rng.normal(size=40) * (1.0 + 0.5 * t / periods)
        position = stats.norm.cdf(z)
        fixed.append(np.mean(np.abs(position - 0.5) <= target / 2))
        adaptive.update(position=position)
    assert np.mean(fixed) < 0.83
    bound = (target + rate) / (rate * periods)  # Gibbs and Candes (2021), proposition 4.1
    assert abs(adaptive.realized - target) < bound
    assert abs(adaptive.realized - target) < 0.02


def test_the_level_leaves_the_unit_interval_and_the_coverage_does_not():
    adaptive = AdaptiveCoverage(target=0.9, rate=1.0)
    adaptive.update(position=[1.0])
    assert adaptive.level == pytest.approx(1.8)
    assert adaptive.coverage == 0.99
    again = AdaptiveCoverage.from_state(adaptive.to_state())
    assert again.to_state() == adaptive.to_state()


def test_the_update_names_bad_input():
    adaptive = AdaptiveCoverage()
    with pytest.raises(InvalidParameterError, match="y, lower and upper, or position alone"):
        adaptive.update([1.0], [0.0])
    with pytest.raises(InvalidParameterError, match="or position alone"):
        adaptive.update([1.0], [0.0], [2.0], position=[0.5])
    with pytest.raises(DataError, match=r"position must lie in \[0, 1\]; got 2"):
        adaptive.update(position=[2.0])
    with pytest.raises(DataError, match="as many values; got 2, 1, 2"):
        adaptive.update([1.0, 1.0], [0.0], [2.0, 2.0])
    with pytest.raises(DataError, match="known for every amount"):
        adaptive.update([1.0], [np.nan], [2.0])
    with pytest.raises(InvalidParameterError, match="rate"):
        AdaptiveCoverage(rate=0.0)
