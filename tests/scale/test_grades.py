from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import MasterScale, grade_report, optimize_master_scale
from clientscore.scale._grade_tests import rate_z
from clientscore.scale._grades import _best_bounds, _Bins, _fine_bins, _Rules, _shortest, _worth


def clients(seed: int, n: int, a: float = 0.6, b: float = 12):
    rng = np.random.default_rng(seed)
    p = rng.beta(a, b, n)
    return p, (rng.random(n) < p).astype(float)


def test_grades_of_a_good_score_keep_every_rule():
    p, bad = clients(0, 60_000)
    fit = optimize_master_scale(p, bad)
    frame = fit.frame()
    assert (fit.fallback, fit.faults) == (None, ())
    assert 7 <= len(frame) <= 12
    assert (frame["rate"].diff().dropna() > 0).all()
    assert (frame["next_p"].dropna() <= 0.05).all()
    assert (frame["share"] >= 0.01).all()
    assert (frame["defaults"] >= 5).all()
    assert frame["n"].sum() == 60_000
    assert fit.scale.pd_floor == 0.0005
    assert fit.scale.bounds[0] > 0.0005
    assert fit.herfindahl == pytest.approx((frame["share"] ** 2).sum())
    graded = fit.scale.grade(p).value_counts()
    assert frame.set_index("grade")["n"].to_dict() == graded.to_dict()
    assert fit.candidates.query("chosen").index.tolist() == [len(frame)]
    held = fit.candidates.query("failures == 0")
    assert held["value"].idxmax() == len(frame)


def test_the_grades_hold_on_clients_not_seen():
    fit = optimize_master_scale(*clients(1, 60_000), n_grades=7)
    later = grade_report(fit.scale, *clients(2, 60_000)).frame()
    assert (later["next_p"].dropna() <= 0.05).all()
    assert (later["jeffreys_p"] > 0.001).all()  # the PDs are the true ones


def test_too_few_defaults_fall_back_by_name_and_say_what_is_broken():
    p, bad = clients(3, 1500, a=1, b=60)
    fit = optimize_master_scale(p, bad)
    assert fit.fallback == "fewest failures"
    assert len(fit.scale.grades) == 7
    assert fit.faults
    assert fit.candidates["failures"].min() == fit.candidates.loc[7, "failures"]
    assert "fallback 'fewest failures'" in repr(fit)
    assert fit.faults[0] in repr(fit)
    assert fit.faults[0] in fit._repr_html_()
    told = json.loads(json.dumps(fit.to_dict(), default=float))
    assert told["faults"] == list(fit.faults)
    assert len(fit.faults) == fit.candidates.loc[7, "failures"]
    assert (fit.frame()["rate"].diff().dropna() > 0).all()  # what breaks last is the order


def bins_of(rows) -> _Bins:
    n, bad = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    m = np.arange(1.0, len(n) + 1)
    return _Bins(n, np.minimum(bad, n), n * m, n * m**2, m - 0.4, m + 0.4)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)), min_size=4, max_size=8),
    st.integers(2, 4),
    st.sampled_from(["information", "homogeneity"]),
)
def test_the_dynamic_program_finds_what_trying_everything_finds(rows, n_grades, criterion):
    bins = bins_of(rows)
    if not 0 < bins.bad.sum() < bins.n.sum():
        return
    rules, worth, m = _Rules(0.1, 2, 0.8), _worth(bins, criterion), len(bins.n)

    def judge(starts):
        ends = [*starts[1:], m]
        n = [bins.n[i:j].sum() for i, j in zip(starts, ends, strict=True)]
        bad = [bins.bad[i:j].sum() for i, j in zip(starts, ends, strict=True)]
        broken = sum(part < 0.1 * bins.n.sum() for part in n) + sum(part < 2 for part in bad)
        for low, high in itertools.pairwise(zip(bad, n, strict=True)):
            z = rate_z(*low, *high)
            broken += (not z >= 0.8) + 1000 * (not z > 0)
        return broken, -sum(worth[i, j - 1] for i, j in zip(starts, ends, strict=True))

    best = min(judge((0, *cuts)) for cuts in itertools.combinations(range(1, m), n_grades - 1))
    starts, failures, value = _best_bounds(bins, worth, n_grades, rules)
    assert (failures, -value) == pytest.approx(best, abs=1e-9)
    assert judge(tuple(starts)) == pytest.approx(best, abs=1e-9)


def test_homogeneity_is_the_share_of_variance_between_grades():
    p, bad = clients(4, 20_000)
    fit = optimize_master_scale(p, bad, n_grades=7, criterion="homogeneity", min_defaults=0, alpha=0.49)
    floored = np.maximum(p, 0.0005)
    log_odds = np.log(floored / (1 - floored))
    grade = fit.scale.grade(p).to_numpy()
    within = sum(((log_odds[grade == g] - log_odds[grade == g].mean()) ** 2).sum() for g in set(grade))
    assert fit.value == pytest.approx(1 - within / ((log_odds - log_odds.mean()) ** 2).sum(), rel=1e-9)


def test_a_correction_for_many_pairs_is_stricter():
    p, bad = clients(5, 20_000)
    plain = optimize_master_scale(p, bad, n_grades=8)
    strict = optimize_master_scale(p, bad, n_grades=8, correction="bonferroni")
    assert 0.05 / 7 < plain.frame()["next_p"].max() <= 0.05
    assert strict.fallback is None
    assert (strict.frame()["next_p"].dropna() <= 0.05 / 7).all()
    assert (strict.frame()["next_p_holm"].dropna() <= 0.05).all()
    assert strict.value < plain.value


@given(st.floats(1e-7, 0.5), st.floats(1.0001, 3))
def test_a_bound_is_short_and_keeps_both_sides(low, ratio):
    high = low * ratio
    bound = _shortest(low, high)
    assert low <= bound < high


def test_a_bound_is_read_easily():
    assert _shortest(0.0119, 0.0123) == 0.012
    assert _shortest(0.0, 0.004) == 0.002
    assert _shortest(0.009, 0.01) == 0.009  # a grade holds its bound
    assert _shortest(0.0095, 0.01) == 0.0097  # but not the next grade's best client


def test_fine_bins_lose_no_client_and_never_part_equal_ones():
    p, bad = clients(6, 5000)
    p = np.round(p, 3)
    bins = _fine_bins(p, bad, 7)
    assert (bins.n.sum(), bins.bad.sum()) == (5000, bad.sum())
    assert (bins.low[1:] > bins.high[:-1]).all()
    assert len(bins.n) <= 120


def test_bad_input():
    p, bad = clients(7, 500)
    with pytest.raises(InvalidParameterError, match="n_grades must be a whole number of at least 7; got 5"):
        optimize_master_scale(p, bad, n_grades=5)
    with pytest.raises(InvalidParameterError, match="max_grades"):
        optimize_master_scale(p, bad, min_grades=9, max_grades=8)
    with pytest.raises(InvalidParameterError, match="alpha"):
        optimize_master_scale(p, bad, alpha=0.5)
    with pytest.raises(InvalidParameterError, match="criterion"):
        optimize_master_scale(p, bad, criterion="gini")
    with pytest.raises(DataError, match="both 0 and 1"):
        optimize_master_scale(p, np.zeros(500))
    with pytest.raises(DataError, match="as many distinct PDs above the floor; got 2"):
        optimize_master_scale(np.where(p > 0.05, 0.1, 0.01), bad)
    with pytest.raises(DataError) as caught:
        grade_report(MasterScale(), [0.1, np.nan, 2.0], [0, 1, 2])
    assert caught.value.faults == (
        "pd must lie in [0, 1]; not in 2 rows",
        "bad must be 0 or 1; not in 1 rows",
    )
