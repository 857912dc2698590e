"""Do the grades hold?  Default rate, calibration, distance to the next grade, likeness within each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betainc, erfc, ndtr

from clientscore._checks import check_interval
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from ._master import MasterScale

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GradeReport:
    """A master scale beside the clients it graded.

    Parameters
    ----------
    table : DataFrame
        One row a performing grade, best first: see :func:`grade_report`.
    herfindahl : float
        Sum of squared shares of the grades, 1 / n_grades (even) to 1 (all in one grade).
    faults : tuple of str
        What does not hold, grade by grade, as a rule would report it; empty if all does.
    """

    table: pd.DataFrame
    herfindahl: float
    faults: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row a grade."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return grades, concentration and faults as plain data."""
        return {
            "grades": self.table.to_dict("records"),
            "herfindahl": self.herfindahl,
            "faults": list(self.faults),
        }

    def __repr__(self) -> str:
        head = f"Grades, Herfindahl {self.herfindahl:.3f}"
        return "\n".join([head, self.table.to_string(index=False), *self.faults])

    def _repr_html_(self) -> str:
        faults = "".join(f"<li>{fault}</li>" for fault in self.faults)
        return f"<p>Herfindahl {self.herfindahl:.3f}</p>{self.table.to_html(index=False)}<ul>{faults}</ul>"


def grade_report(scale: MasterScale, pd: ArrayLike, bad: ArrayLike, alpha: float = 0.05) -> GradeReport:
    """Test a master scale on clients, best on ones it was not made from.

    Every test takes clients as independent.  Clients of one year share its economy, and a client seen in
    several years counts once each: p values are then too small.

    Parameters
    ----------
    scale : MasterScale
        The scale.
    pd : array of shape (n,)
        PDs of performing clients, in [0, 1]; the floor of the scale is applied.
    bad : array of shape (n,)
        1 where the client defaulted within the horizon of the PD, else 0.
    alpha : float, default 0.05
        Level below which a p value is reported as a fault (above which, for the distance to the next grade),
        in (0, 1).

    Returns
    -------
    GradeReport
        Its frame: grade, pd_above, pd_up_to, n, share, defaults, rate, pd_mean; jeffreys_p, the probability
        that the true rate is at most pd_mean given the defaults (Beta(defaults + 1/2, n - defaults + 1/2));
        small says that PDs are too low; next_z and next_p, one-sided test that the next grade's rate is
        higher, two pooled proportions; next_p_holm, next_p adjusted for the number of pairs (Holm);
        split_p, two-sided test that the halves of the grade below and above its median PD have one rate:
        small says that the grade mixes clients.  Missing where a grade or a half is empty.

    Raises
    ------
    DataError
        If arrays do not fit, a PD lies outside [0, 1] or an outcome is not 0 or 1.

    References
    ----------
    European Central Bank (2019). Instructions for reporting the validation results of internal models,
    section 2.5 (Jeffreys test, Herfindahl index).
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scand. J. Statist. 6, 65-70.

    Examples
    --------
    >>> from clientscore.scale import MasterScale
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(0.5, 20, 20_000)
    >>> report = grade_report(MasterScale(), p, rng.random(20_000) < p)
    >>> bool((report.frame()["rate"].diff().dropna() > 0).all())
    True
    """
    check_interval("alpha", alpha, low=0, high=1, closed="neither")
    values, outcome = graded_arrays(pd, bad)
    values = np.maximum(values, scale.pd_floor)
    grade = np.searchsorted(scale.bounds, values, side="left")
    table = scale.frame().iloc[:-1].assign(**_figures(values, outcome, grade, len(scale.grades)))
    return GradeReport(table, float(table["share"] @ table["share"]), _faults(table, alpha))


def graded_arrays(pd: ArrayLike, bad: ArrayLike) -> tuple[Floats, Floats]:
    """Return checked PDs and outcomes."""
    values, outcome = np.asarray(pd, dtype=float), np.asarray(bad, dtype=float)
    if values.ndim != 1 or values.shape != outcome.shape or not len(values):
        raise DataError(f"pd and bad must hold one value a client; got {values.size}, {outcome.size}.")
    rules = {
        "pd must lie in [0, 1]": (values >= 0) & (values <= 1),
        "bad must be 0 or 1": np.isin(outcome, (0, 1)),
    }
    faults = [f"{rule}; not in {int((~ok).sum())} rows" for rule, ok in rules.items() if not ok.all()]
    if faults:
        raise DataError("Clients cannot be graded. Leave out rows that are missing or still open.", faults)
    return values, outcome


def rate_z(bad_low: Any, n_low: Any, bad_high: Any, n_high: Any) -> Floats:
    """Return the z value of "the second rate is higher", two proportions, pooled; NaN where undefined."""
    n_low, n_high = np.asarray(n_low, dtype=float), np.asarray(n_high, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (bad_low + bad_high) / (n_low + n_high)
        spread = np.sqrt(pooled * (1 - pooled) * (1 / n_low + 1 / n_high))
        return np.asarray((bad_high / n_high - bad_low / n_low) / spread)


def holm(p: Floats) -> Floats:
    """Return Holm's adjusted p values; missing ones stay missing and do not count."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def _figures(values: Floats, outcome: Floats, grade: NDArray[np.intp], n_grades: int) -> dict[str, Floats]:
    n = np.bincount(grade, minlength=n_grades).astype(float)
    defaults = np.bincount(grade, weights=outcome, minlength=n_grades)
    total = np.bincount(grade, weights=values, minlength=n_grades)
    with np.errstate(invalid="ignore"):
        rate, mean = defaults / n, total / n
    z = np.append(rate_z(defaults[:-1], n[:-1], defaults[1:], n[1:]), np.nan)
    p = ndtr(-z)
    jeffreys = betainc(defaults + 0.5, n - defaults + 0.5, np.nan_to_num(mean))
    return {
        "n": n.astype(int),
        "share": n / len(values),
        "defaults": defaults.astype(int),
        "rate": rate,
        "pd_mean": mean,
        "jeffreys_p": np.where(n > 0, jeffreys, np.nan),
        "next_z": z,
        "next_p": p,
        "next_p_holm": holm(p),
        "split_p": np.array([_split_p(values[grade == k], outcome[grade == k]) for k in range(n_grades)]),
    }


def _split_p(values: Floats, outcome: Floats) -> float:
    """Return the p value of one rate in both halves of a grade: the chi-square of two pooled proportions."""
    if not len(values):
        return np.nan
    above = values > np.median(values)
    n_high, bad_high = float(above.sum()), float(outcome[above].sum())
    z = rate_z(outcome.sum() - bad_high, len(values) - n_high, bad_high, n_high)
    return float(erfc(abs(z) / np.sqrt(2)))


def _faults(table: pd.DataFrame, alpha: float) -> tuple[str, ...]:
    faults = []
    rows = list(table.itertuples())
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        if not row.n:
            faults.append(f"{row.grade}: no client")
            continue
        if row.jeffreys_p < alpha:
            faults.append(f"{row.grade}: PDs are too low (Jeffreys p {row.jeffreys_p:.3g})")
        if after is not None and after.n and not row.next_p <= alpha:
            faults.append(f"{row.grade}: not clearly better than {after.grade} (p {row.next_p:.3g})")
        if row.split_p < alpha:
            faults.append(f"{row.grade}: its halves differ (p {row.split_p:.3g})")
    return tuple(faults)
