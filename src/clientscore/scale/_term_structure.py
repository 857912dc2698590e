"""PD by horizon: from one-year migrations between grades, or from incidences by cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._master import DEFAULT_GRADE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Withdrawn = Literal["exclude", "state"]

WITHDRAWN = "withdrawn"
_ROUNDING = 1e-8
_PRINTED = 1e-4  # published matrices add to 1 to about this


def migration_matrix(
    from_grade: ArrayLike,
    to_grade: ArrayLike,
    grades: Sequence[str],
    withdrawn: Withdrawn = "exclude",
    weight: ArrayLike | None = None,
    default: str = DEFAULT_GRADE,
) -> pd.DataFrame:
    """Return the shares of clients that moved from each grade to each other within a year: the cohort method.

    Parameters
    ----------
    from_grade : array of str of shape (n,)
        Grade of each performing client at the start of the year.
    to_grade : array of str of shape (n,)
        Grade a year later, `default` where it defaulted at any time of the year; missing where it was
        withdrawn: repaid, left, no longer rated.
    grades : sequence of str
        Performing grades, best first.
    withdrawn : {"exclude", "state"}, default "exclude"
        "exclude" counts only clients whose grade at the end is known, which takes withdrawal as
        uninformative (clients leave before they default: PDs come out too low); "state" gives them a last
        column "withdrawn" of their own, absorbing.
    weight : array of shape (n,), default None
        Weight of each client; 1 if None.
    default : str, default "D"
        Name of default, absorbing.

    Returns
    -------
    DataFrame
        Square, on grades and default (and withdrawn): rows add to 1.

    Raises
    ------
    DataError
        If a grade is unknown, or no client starts in a grade so that nothing is known about it; all listed.

    References
    ----------
    Lando, D. and Skodeberg, T. (2002). Analyzing rating transitions and rating drift with continuous
    observations, doi:10.1016/S0378-4266(01)00228-X: the cohort method and what it loses within the year.

    Examples
    --------
    >>> migration_matrix(["A", "A", "B", "B"], ["A", "B", "B", "D"], grades=["A", "B"])
            A    B    D
    from
    A     0.5  0.5  0.0
    B     0.0  0.5  0.5
    D     0.0  0.0  1.0
    """
    check_option("withdrawn", withdrawn, Withdrawn)
    performing = [str(grade) for grade in grades]
    states = [*performing, default, *([WITHDRAWN] if withdrawn == "state" else [])]
    if len({*performing, default, WITHDRAWN}) != len(performing) + 2 or not performing:
        raise InvalidParameterError(
            f"grades must differ from each other, from {default!r} and from {WITHDRAWN!r}; got {performing}."
        )
    start, end = (np.asarray(part, dtype=object) for part in (from_grade, to_grade))
    w = np.ones(len(start)) if weight is None else np.asarray(weight, dtype=float)
    if not start.shape == end.shape == w.shape:
        raise DataError(
            f"from_grade, to_grade and weight must have one length; got {len(start)}, {len(end)}, {len(w)}."
        )
    gone = pd.isna(end)
    row = pd.Index(performing).get_indexer(start)
    column = pd.Index(states).get_indexer(np.where(gone, WITHDRAWN, end))
    counted = ~gone | (withdrawn == "state")
    _check_moves(start, end, row, column, counted, w)
    counts = np.zeros((len(states), len(states)))
    np.add.at(counts, (row[counted], column[counted]), w[counted])
    sums = counts[: len(performing)].sum(axis=1)
    if (sums <= 0).any():
        empty = [
            f"{grade!r} has no client" for grade, total in zip(performing, sums, strict=True) if total <= 0
        ]
        raise DataError("Every grade needs clients that start in it. Merge grades or add years.", empty)
    matrix = np.eye(len(states))
    matrix[: len(performing)] = counts[: len(performing)] / sums[:, None]
    return pd.DataFrame(matrix, index=pd.Index(states, name="from"), columns=states)


def _check_moves(
    start: NDArray[Any],
    end: NDArray[Any],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    counted: NDArray[np.bool_],
    weight: Floats,
) -> None:
    faults = []
    for name, given, strange in (("from_grade", start, row < 0), ("to_grade", end, counted & (column < 0))):
        if strange.any():
            faults.append(
                f"{name} must be one of the grades; got {given[strange][0]!r} in {strange.sum()} rows"
            )
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        faults.append("weight must be finite and >= 0")
    if faults:
        raise DataError("Migrations cannot be counted.", faults)


def term_structure_from_matrix(
    matrix: pd.DataFrame, years: int, default: str = DEFAULT_GRADE
) -> pd.DataFrame:
    """Return the PD of each grade by year, from powers of a one-year migration matrix.

    Takes migrations as alike in every year (no cycle) and as depending on the grade alone (no momentum).

    Parameters
    ----------
    matrix : DataFrame of shape (n_states, n_states)
        Shares that move from the state of the row to that of the column within a year; rows add to 1 (to
        1e-4, as printed matrices do, and are then divided by their sum).  Default absorbs; other states that
        absorb, such as "withdrawn", are exits.
    years : int
        Longest horizon, at least 1.
    default : str, default "D"
        Name of default.

    Returns
    -------
    DataFrame
        On (grade, year), the grades that do not absorb: cumulative, the probability of default within so many
        years; marginal, in that year; forward, in that year for a client still in a grade at its start
        (missing where none can be).

    Raises
    ------
    DataError
        If the matrix is not square on its own names, holds shares outside [0, 1], its rows do not add to 1,
        or default does not absorb; all faults are listed.

    References
    ----------
    Jarrow, R., Lando, D. and Turnbull, S. (1997). A Markov model for the term structure of credit risk
    spreads, doi:10.1093/rfs/10.2.481.

    Examples
    --------
    >>> matrix = pd.DataFrame([[0.9, 0.1], [0.0, 1.0]], index=["A", "D"], columns=["A", "D"])
    >>> term_structure_from_matrix(matrix, years=2).round(3)
                cumulative  marginal  forward
    grade year
    A     1           0.10      0.10      0.1
          2           0.19      0.09      0.1
    """
    check_integer("years", years, low=1)
    shares = _checked_matrix(matrix, default)
    names = [str(name) for name in matrix.index]
    target = names.index(default)
    absorbing = np.isclose(np.diag(shares), 1.0, rtol=0, atol=_ROUNDING)
    power, there, cumulative = np.eye(len(names)), [], []
    for _ in range(years):
        there.append(power[:, ~absorbing].sum(axis=1))
        power = power @ shares
        cumulative.append(power[:, target])
    grades = [name for name, still in zip(names, ~absorbing, strict=True) if still]
    index = pd.MultiIndex.from_product([grades, range(1, years + 1)], names=["grade", "year"])
    return _structure(np.array(cumulative).T[~absorbing], np.array(there).T[~absorbing], index)


def _checked_matrix(matrix: pd.DataFrame, default: str) -> Floats:
    shares = np.asarray(matrix, dtype=float)
    if shares.ndim != 2 or list(matrix.index) != list(matrix.columns) or default not in list(matrix.index):
        raise DataError(
            f"matrix must be square, with the same states on both sides and {default!r} among them; got rows "
            f"{list(matrix.index)} and columns {list(matrix.columns)}."
        )
    sums = shares.sum(axis=1)
    home = list(matrix.index).index(default)
    rules = {
        "shares must lie in [0, 1]": ((shares >= 0) & (shares <= 1)).all(axis=1),
        "a row must add to 1": np.abs(sums - 1) <= _PRINTED,
        f"{default!r} must absorb": (np.arange(len(sums)) != home) | (shares[:, home] == 1),
    }
    faults = [f"{rule}; not row(s) {list(matrix.index[~ok])}" for rule, ok in rules.items() if not ok.all()]
    if faults:
        raise DataError("matrix is no migration matrix.", faults)
    return np.asarray(shares / sums[:, None])


def term_structure_from_incidence(frame: pd.DataFrame, cause: str = "default") -> pd.DataFrame:
    """Return the PD of each client by horizon, from cumulative incidences of competing exits.

    Parameters
    ----------
    frame : DataFrame of shape (n, n_causes * n_horizons)
        Columns (cause, horizon), as :meth:`clientscore.ChurnModel.predict_cumulative_incidence` returns: the
        probability of having left by that cause within that horizon.
    cause : str, default "default"
        The cause whose term structure is wanted.

    Returns
    -------
    DataFrame
        On the index of `frame` and "horizon": cumulative, the incidence itself; marginal, since the horizon
        before; forward, the same for a client that had left by no cause at that horizon (missing where none
        is left).  Steps are as long as the horizons are apart: not yearly unless those are.

    Raises
    ------
    DataError
        If there is no such cause, or incidences lie outside [0, 1], fall with the horizon, add to more than
        1, or causes have different horizons; all faults are listed.

    References
    ----------
    Kalbfleisch, J. and Prentice, R. (2002). The Statistical Analysis of Failure Time Data, section 8.2.

    Examples
    --------
    >>> columns = pd.MultiIndex.from_product([["default", "exit"], [12, 24]], names=["cause", "horizon"])
    >>> clients = pd.Index(["c1"], name="client_id")
    >>> frame = pd.DataFrame([[0.1, 0.15, 0.4, 0.5]], index=clients, columns=columns)
    >>> term_structure_from_incidence(frame).round(3)
                       cumulative  marginal  forward
    client_id horizon
    c1        12             0.10      0.10      0.1
              24             0.15      0.05      0.1
    """
    if frame.columns.nlevels != 2:
        raise DataError(f"frame must have columns (cause, horizon); got {frame.columns.nlevels} level(s).")
    causes = list(dict.fromkeys(frame.columns.get_level_values(0)))
    if cause not in causes:
        raise DataError(f"frame holds no cause {cause!r}; got {causes}.")
    horizons = sorted(frame[cause].columns)
    uneven = [name for name in causes if sorted(frame[name].columns) != horizons]
    if uneven:
        raise DataError(f"All causes must have the horizons {horizons} of {cause!r}; {uneven} have others.")
    gone = np.stack([frame[name][horizons].to_numpy(dtype=float) for name in causes])
    _check_incidences(gone)
    left_before = np.concatenate([np.zeros((len(frame), 1)), gone.sum(axis=0)[:, :-1]], axis=1)
    levels = frame.index.nlevels
    old = [np.repeat(frame.index.get_level_values(level), len(horizons)) for level in range(levels)]
    index = pd.MultiIndex.from_arrays(
        [*old, np.tile(horizons, len(frame))], names=[*frame.index.names, "horizon"]
    )
    return _structure(gone[causes.index(cause)], 1.0 - left_before, index)


def _check_incidences(gone: Floats) -> None:
    """Raise unless incidences, shape (causes, n, horizons), are such; missing rows pass."""
    known = ~np.isnan(gone).any(axis=(0, 2))
    part = gone[:, known]
    rules = {
        "must lie in [0, 1]": ((part >= 0) & (part <= 1)).all(axis=(0, 2)),
        "must not fall with the horizon": (np.diff(part, axis=2) >= -_ROUNDING).all(axis=(0, 2)),
        "must not add to more than 1": (part.sum(axis=0) <= 1 + _ROUNDING).all(axis=1),
    }
    faults = [f"{rule}; not in {int((~ok).sum())} rows" for rule, ok in rules.items() if not ok.all()]
    if faults:
        raise DataError("Cumulative incidences cannot be used.", faults)


def _structure(cumulative: Floats, there: Floats, index: pd.MultiIndex) -> pd.DataFrame:
    """Build the frame from arrays of shape (n, horizons); `there` is the share left at each step's start."""
    marginal = np.maximum(np.diff(cumulative, axis=1, prepend=0.0), 0.0)
    left = np.where(there > _ROUNDING, there, np.nan)
    columns = {"cumulative": cumulative, "marginal": marginal, "forward": np.minimum(marginal / left, 1.0)}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index)
