from __future__ import annotations

import numpy as np
import pandas as pd

from clientscore.need.timing import by_period, dates_of, expected_period, first_days


def test_periods_by_hand():
    curve = np.array([[0.1, 0.3, 0.4], [0.0, 0.0, 0.0], [0.2, 0.2, 0.2]])
    np.testing.assert_allclose(by_period(curve)[0], [0.1, 0.2, 0.1])
    expected = expected_period(curve)
    assert expected[0] == (0.1 * 1 + 0.2 * 2 + 0.1 * 3) / 0.4
    assert np.isnan(expected[1])
    assert expected[2] == 1.0


def test_dates_by_hand():
    dates = np.array(["2025-11", "2025-11", "NaT"], dtype="datetime64[M]")
    first = first_days(np.array([1.0, 3.0, 1.0]), dates, 1, "month")
    assert first.astype(str).tolist() == ["2025-12", "2026-02", "NaT"]
    assert first_days(np.array([2.0]), dates[:1], 0, "quarter").astype(str).tolist() == ["2026-02"]
    assert np.isnat(first_days(np.array([np.nan]), dates[:1], 1, "month")).all()


def test_dates_come_from_the_argument_or_the_index():
    index = pd.MultiIndex.from_tuples([("a", pd.Timestamp("2025-03-01"))], names=["client_id", "as_of"])
    assert dates_of(index, None).astype(str).tolist() == ["2025-03"]
    assert dates_of(index, "2026-01-15").astype(str).tolist() == ["2026-01"]
    assert np.isnat(dates_of(pd.RangeIndex(2), None)).all()
