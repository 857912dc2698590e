"""The bounds of a master scale, chosen so that its grades differ: an exact dynamic program."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from clientscore._checks import check_integer, check_interval, check_option
from clientscore.exceptions import DataError

from ._grade_tests import GradeReport, grade_report, graded_arrays, rate_z
from ._master import MIN_GRADES, MasterScale, Philosophy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Criterion = Literal["information", "homogeneity"]
Correction = Literal["none", "bonferroni"]

FEWEST_FAILURES = "fewest failures"
_FINE_BINS = 60  # by clients, and as many again by expected defaults
_FAILURE = 1e3  # price of a broken rule: more than any criterion can bring
_INVERSION = 1000  # broken rules that a falling default rate outweighs: more than there can be
_LOWEST_PD = 1e-9


@dataclass(frozen=True)
class MasterScaleFit:
    """A master scale chosen on data, and whether its grades hold there.

    Parameters
    ----------
    scale : MasterScale
        The scale.
    report : GradeReport
        Tests on the rows the bounds were chosen on, so flattering: repeat them on later rows.
    criterion : {"information", "homogeneity"}
        What was made as large as possible.
    value : float
        Its value.
    fallback : str or None
        "fewest failures" where no bounds keep all rules, else None.
    faults : tuple of str
        The rules that `scale` breaks; empty without a fallback.
    candidates : DataFrame
        One row a number of grades tried: failures (rules that its best bounds break), value, chosen.
    """

    scale: MasterScale
    report: GradeReport
    criterion: str
    value: float
    fallback: str | None
    faults: tuple[str, ...]
    candidates: pd.DataFrame

    @property
    def herfindahl(self) -> float:
        """Concentration: sum of squared shares of the grades."""
        return self.report.herfindahl

    def frame(self) -> pd.DataFrame:
        """Return one row a grade, as :func:`grade_report`."""
        return self.report.frame()

    def to_dict(self) -> dict[str, Any]:
        """Return scale, tests and choice as plain data."""
        return {
            "scale": self.scale.to_dict(),
            "report": self.report.to_dict(),
            "criterion": self.criterion,
            "value": self.value,
            "fallback": self.fallback,
            "faults": list(self.faults),
            "candidates": self.candidates.reset_index().to_dict("records"),
        }

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.frame().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline()}</p>{self.frame().to_html(index=False)}"

    def _headline(self) -> str:
        text = f"{len(self.scale.grades)} grades, {self.criterion} {self.value:.4f}"
        if self.fallback is None:
            return f"{text}; all rules hold"
        return f"{text}; fallback {self.fallback!r}: " + "; ".join(self.faults)


class _Rules(NamedTuple):
    min_share: float
    min_defaults: int
    least_z: float


class _Bins(NamedTuple):
    """Fine bins of PD, lowest first; all arrays of one length."""

    n: Floats
    bad: Floats
    total: Floats  # sum of log-odds of PD
    square: Floats  # and of their squares
    low: Floats
    high: Floats


def optimize_master_scale(
    pd: ArrayLike,
    bad: ArrayLike,
    *,
    n_grades: int | None = None,
    min_grades: int = 7,
    max_grades: int = 12,
    alpha: float = 0.05,
    correction: Correction = "none",
    min_share: float = 0.01,
    min_defaults: int = 5,
    criterion: Criterion = "information",
    pd_floor: float = 0.0005,
    philosophy: Philosophy = "hybrid",
) -> MasterScaleFit:
    """Choose the bounds of a master scale so that default rates rise and neighbors differ.

    Over fine bins of the PD (60 quantiles of clients and 60 of expected defaults) a dynamic program finds the
    best bounds there are under four rules: each grade's default rate lies above the one before; each pair of
    neighbors differs by a one-sided test of two proportions; each grade holds `min_share` of the clients and
    `min_defaults` defaults.  Where no bounds keep them all, it takes those with the fewest falling default
    rates and of these the fewest broken rules, says so in ``fallback`` and lists in ``faults`` what is
    broken; it never returns fewer grades than asked for.

    The tests see the rows the bounds were chosen on and take clients as independent: their p values flatter.
    Judge the scale on later rows with :func:`grade_report`.

    Parameters
    ----------
    pd : array of shape (n,)
        Calibrated PDs of performing clients, in [0, 1].
    bad : array of shape (n,)
        1 where the client defaulted within the horizon of the PD, else 0; both must occur.
    n_grades : int, default None
        Number of grades beside "D"; None takes the number between `min_grades` and `max_grades` that keeps
        all rules with the largest criterion.
    min_grades, max_grades : int, default 7 and 12
        Fewest (at least 7) and most grades; not read with `n_grades`.
    alpha : float, default 0.05
        Level of the test between neighbors, in (0, 0.5).
    correction : {"none", "bonferroni"}, default "none"
        "bonferroni" tests each of the k - 1 pairs at alpha / (k - 1); Holm's adjusted p values are in the
        frame either way.
    min_share : float, default 0.01
        Least share of the clients in a grade, in [0, 1).
    min_defaults : int, default 5
        Fewest defaults in a grade; below about 5 the test of proportions is no good approximation.
    criterion : {"information", "homogeneity"}, default "information"
        Information value of the grades, or the share of the variance of log-odds of PD that lies between
        them (the smaller the variance within, the larger).
    pd_floor : float, default 0.0005
        Floor of the scale, in [0, 1), applied to `pd` first: no grade lies below it.
    philosophy : {"pit", "ttc", "hybrid"}, default "hybrid"
        Recorded in the scale.

    Returns
    -------
    MasterScaleFit

    Raises
    ------
    InvalidParameterError
        If a parameter lies outside its rule.
    DataError
        If outcomes are all alike, or there are fewer distinct PDs than grades.

    References
    ----------
    Basel Committee on Banking Supervision, CRE36 (2023): at least seven grades, no undue concentration.
    European Banking Authority, EBA/GL/2017/16, section 5.2: homogeneity of obligor grades.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(0.6, 12, 40_000)
    >>> fit = optimize_master_scale(p, rng.random(40_000) < p, n_grades=7)
    >>> fit.fallback is None, len(fit.scale.grades)
    (True, 7)
    """
    low, high = (n_grades, n_grades) if n_grades is not None else (min_grades, max_grades)
    check_integer("min_grades" if n_grades is None else "n_grades", low, low=MIN_GRADES)
    check_integer("max_grades", high, low=low)
    check_interval("alpha", alpha, low=0, high=0.5, closed="neither")
    check_option("correction", correction, Correction)
    check_interval("min_share", min_share, low=0, high=1, closed="low")
    check_integer("min_defaults", min_defaults, low=0)
    check_option("criterion", criterion, Criterion)
    check_interval("pd_floor", pd_floor, low=0, high=1, closed="low")
    values, outcome = graded_arrays(pd, bad)
    values = np.maximum(values, pd_floor)
    bins = _fine_bins(values, outcome, low)
    worth = _worth(bins, criterion)
    found = {}
    for k in range(low, min(high, len(bins.n)) + 1):
        level = alpha / (k - 1) if correction == "bonferroni" else alpha
        rules = _Rules(min_share, min_defaults, -float(ndtri(level)))
        found[k] = (*_best_bounds(bins, worth, k, rules), rules)
    taken = min(found, key=lambda k: (found[k][1], -found[k][2]))
    starts, broken, value, rules = found[taken]
    ends = np.array(starts[1:]) - 1
    bounds = tuple(_shortest(bins.high[end], bins.low[end + 1]) for end in ends)
    names = tuple(f"R{number}" for number in range(1, taken + 1))
    scale = MasterScale(grades=names, bounds=bounds, pd_floor=pd_floor, philosophy=philosophy)
    report = grade_report(scale, values, outcome, alpha)
    return MasterScaleFit(
        scale,
        report,
        criterion,
        value,
        FEWEST_FAILURES if broken else None,
        _broken(report.table, rules),
        _candidates(found, taken),
    )


def _candidates(found: dict[int, tuple[list[int], int, float, _Rules]], taken: int) -> pd.DataFrame:
    rows = [(broken % _INVERSION, value, k == taken) for k, (_, broken, value, _) in found.items()]
    index = pd.Index(list(found), name="n_grades")
    return pd.DataFrame(rows, columns=["failures", "value", "chosen"], index=index)


def _fine_bins(values: Floats, outcome: Floats, n_grades: int) -> _Bins:
    if outcome.min() == outcome.max():
        raise DataError("bad must hold both 0 and 1: grades are told apart by their default rates.")
    distinct = np.unique(values)
    if len(distinct) < n_grades:
        raise DataError(f"{n_grades} grades need as many distinct PDs above the floor; got {len(distinct)}.")
    ordered = np.sort(values)
    mass = np.cumsum(ordered)
    steps = np.arange(1, _FINE_BINS) / _FINE_BINS
    by_clients = ordered[(steps * len(ordered)).astype(int)]
    by_defaults = ordered[np.searchsorted(mass, steps * mass[-1])]
    edges = np.unique([*by_clients, *by_defaults]) if len(distinct) > 2 * _FINE_BINS else distinct
    code = np.searchsorted(edges[edges < distinct[-1]], values, side="left")
    inside = np.clip(values, _LOWEST_PD, 1 - _LOWEST_PD)
    log_odds = np.log(inside) - np.log1p(-inside)
    n = np.asarray(np.bincount(code), dtype=float)
    used = n > 0
    low, high = np.full(len(n), np.inf), np.full(len(n), -np.inf)
    np.minimum.at(low, code, values)
    np.maximum.at(high, code, values)
    bad, total, square = (
        np.bincount(code, weights=part).astype(float) for part in (outcome, log_odds, log_odds**2)
    )
    if used.sum() < n_grades:
        raise DataError(f"{n_grades} grades need as many groups of PDs; ties leave {int(used.sum())}.")
    return _Bins(*(part[used] for part in (n, bad, total, square, low, high)))


def _segments(part: Floats) -> Floats:
    """Return the sum over bins i to j at [i, j]; 0 below the diagonal."""
    sums = np.concatenate([[0.0], np.cumsum(part)])
    return np.asarray(np.triu(sums[None, 1:] - sums[:-1, None]))


def _worth(bins: _Bins, criterion: str) -> Floats:
    """Return what a grade of bins i to j adds to the criterion, at [i, j]."""
    n, bad = _segments(bins.n), _segments(bins.bad)
    upper = np.triu(np.ones_like(n)) > 0
    if criterion == "information":
        good, all_bad, all_good = n - bad, bins.bad.sum(), (bins.n - bins.bad).sum()
        odds = (bad + 0.5) / (good + 0.5) * (all_good + 0.5) / (all_bad + 0.5)
        worth = (bad / all_bad - good / all_good) * np.log(odds)
    else:
        total, mean = _segments(bins.total), bins.total.sum() / bins.n.sum()
        spread = bins.square.sum() - bins.total.sum() * mean
        n_safe = np.where(upper, n, 1.0)
        worth = n * np.square(total / n_safe - mean) / spread
    return np.where(upper, worth, -np.inf)


def _best_bounds(bins: _Bins, worth: Floats, n_grades: int, rules: _Rules) -> tuple[list[int], int, float]:
    """Return first bins of the best grades, rules broken (an inversion as many more), and the criterion.

    ``best[k, i, j]`` is the best total of bins 0..j in k + 1 grades of which the last is i..j; a broken rule
    costs more than any criterion can bring.
    """
    m = len(bins.n)
    n, bad = _segments(bins.n), _segments(bins.bad)
    alone = (n < rules.min_share * bins.n.sum()).astype(float) + (bad < rules.min_defaults)
    score = worth - _FAILURE * alone
    best = np.full((n_grades, m, m), -np.inf)
    before = np.zeros(best.shape, dtype=np.intp)
    best[0, 0] = score[0]
    for i in range(1, m):
        previous = best[:-1, :i, i - 1]  # (grades so far, start of the last grade)
        z = rate_z(bad[:i, i - 1, None], n[:i, i - 1, None], bad[None, i, i:], n[None, i, i:])
        broken = (~(z >= rules.least_z)).astype(float) + _INVERSION * ~(z > 0)
        candidates = previous[:, :, None] - _FAILURE * broken[None]
        before[1:, i, i:] = candidates.argmax(axis=1)
        best[1:, i, i:] = candidates.max(axis=1) + score[i, i:]
    start = int(best[n_grades - 1, :, m - 1].argmax())
    total, starts, end = float(best[n_grades - 1, start, m - 1]), [start], m - 1
    for k in range(n_grades - 1, 0, -1):
        earlier = int(before[k, starts[-1], end])
        end = starts[-1] - 1
        starts.append(earlier)
    starts.reverse()
    ends = [*(start - 1 for start in starts[1:]), m - 1]
    value = float(sum(worth[start, end] for start, end in zip(starts, ends, strict=True)))
    return starts, round((value - total) / _FAILURE), value


def _shortest(low: float, high: float) -> float:
    """Return the shortest decimal in [low, high) near their geometric middle, so that bounds can be read."""
    middle = math.sqrt(low * high) if low > 0 else high / 2
    for digits in range(17):
        bound = float(f"{middle:.{digits}e}")
        if low <= bound < high and bound > 0:
            return bound
    return low


def _broken(table: pd.DataFrame, rules: _Rules) -> tuple[str, ...]:
    faults = []
    rows = list(table.itertuples())
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        if row.share < rules.min_share:
            least = f"{rules.min_share:.2%}"
            faults.append(f"{row.grade} holds {row.share:.2%} of the clients, less than {least}")
        if row.defaults < rules.min_defaults:
            faults.append(f"{row.grade} holds {row.defaults} defaults, fewer than {rules.min_defaults}")
        if after is not None and not row.next_z > 0:
            faults.append(f"{after.grade} does not default more often than {row.grade}")
        elif after is not None and not row.next_z >= rules.least_z:
            faults.append(f"{row.grade} and {after.grade} do not differ clearly (p {row.next_p:.3g})")
    return tuple(faults)
