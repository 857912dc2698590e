from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clientscore.exceptions import DataError
from clientscore.scale import MasterScale, grade_report
from clientscore.scale._grade_tests import holm

SCALE = MasterScale(grades=tuple("ABCEFGH"), bounds=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32))


def book():
    # Grade, PD, clients, defaults; two PDs in grade B.
    rows = [(0.005, 1000, 5), (0.015, 300, 2), (0.018, 200, 9), (0.03, 500, 10), (0.06, 400, 40)]
    pd = np.concatenate([np.full(n, p) for p, n, _ in rows])
    bad = np.concatenate([np.r_[np.ones(d), np.zeros(n - d)] for _, n, d in rows])
    return pd, bad


def test_the_figures_of_a_grade_by_hand_and_by_scipy():
    frame = grade_report(SCALE, *book()).frame().set_index("grade")
    assert frame["n"].tolist() == [1000, 500, 500, 400, 0, 0, 0]
    assert frame["defaults"].tolist() == [5, 11, 10, 40, 0, 0, 0]
    assert frame.loc["B", "pd_mean"] == pytest.approx((300 * 0.015 + 200 * 0.018) / 500)
    assert frame.loc["E", "jeffreys_p"] == pytest.approx(stats.beta.cdf(0.06, 40.5, 360.5))
    table = [[490, 360], [10, 40]]
    chi2 = stats.chi2_contingency(table, correction=False)
    assert frame.loc["C", "next_z"] ** 2 == pytest.approx(chi2.statistic)
    assert frame.loc["C", "next_p"] == pytest.approx(chi2.pvalue / 2)
    halves = stats.chi2_contingency([[2, 9], [298, 191]], correction=False)
    assert frame.loc["B", "split_p"] == pytest.approx(halves.pvalue)
    assert np.isnan(frame.loc["A", "split_p"])  # one PD only: no halves
    assert np.isnan(
        frame.loc["F", ["rate", "pd_mean", "jeffreys_p", "next_p", "split_p"]].astype(float)
    ).all()


def test_what_does_not_hold_is_listed():
    report = grade_report(SCALE, *book())
    assert report.faults == (
        "B: not clearly better than C (p 0.587)",
        "B: its halves differ (p 0.0042)",
        "E: PDs are too low (Jeffreys p 0.000907)",
        "F: no client",
        "G: no client",
        "H: no client",
    )
    assert report.herfindahl == pytest.approx((1000**2 + 2 * 500**2 + 400**2) / 2400**2)
    assert "Herfindahl" in repr(report)
    assert "<li>F: no client</li>" in report._repr_html_()
    assert report.to_dict()["grades"][0]["n"] == 1000


def test_holm_by_hand():
    found = holm(np.array([0.01, 0.04, np.nan, 0.03]))
    assert found[[0, 1, 3]] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(found[2])


def test_the_jeffreys_p_value_is_uniform_where_pds_are_true():
    rng = np.random.default_rng(0)
    counts = rng.binomial(2000, 0.05, 500)
    p = stats.beta.cdf(0.05, counts + 0.5, 2000 - counts + 0.5)
    report = grade_report(SCALE, np.full(2000, 0.05), np.arange(2000) < counts[0])
    assert report.frame().set_index("grade").loc["E", "jeffreys_p"] == pytest.approx(p[0])
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_bad_input():
    with pytest.raises(DataError, match="one value a client; got 2, 1"):
        grade_report(SCALE, [0.1, 0.2], [0])
