"""Difference in means of a randomised trial, with CUPED."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import check_interval

from ._design import Design, aligned_frame
from ._estimate import EffectEstimate
from ._sample import by_client, sample_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._sample import Sample

    Floats = NDArray[np.float64]


def difference_in_means(
    outcome: ArrayLike,
    treatment: ArrayLike,
    *,
    covariates: Any = None,
    clients: ArrayLike | None = None,
    level: float = 0.95,
    min_clients: int = 10,
    name: str = "outcome",
) -> EffectEstimate:
    r"""Average effect of an action given at random: mean with it less mean without it.

    With `covariates` known before the action (CUPED), each arm's mean is moved to the covariates of
    everybody,

    .. math:: \hat\mu_a = \bar Y_a - \hat\theta_a (\bar X_a - \bar X)

    with the least-squares slope :math:`\hat\theta_a` of the arm: the bias stays nil and the interval gets
    shorter by the share of the variance that the covariates explain.  Without covariates and with one row a
    client this is Welch's test.

    Assumes that the action was given at random, with one probability for all.

    Parameters
    ----------
    outcome : array-like of shape (n,)
        Any unit; 0/1 gives a difference of shares.
    treatment : array-like of shape (n,)
        1 with the action, 0 without.
    covariates : DataFrame or array of shape (n, k), default None
        What was known before: best the same outcome of the period before.  Text and missing values may occur.
    clients : array-like of shape (n,), default None
        Client of each row, whose rows count together; None: each row is a client.
    level : float, default 0.95
        Probability of the interval, in (0, 1).
    min_clients : int, default 10
        Clients that each arm must have.
    name : str, default "outcome"
        What the outcome is called in the result.

    Returns
    -------
    EffectEstimate
        `details` holds variance_reduction (a fraction) and unadjusted_effect.

    Raises
    ------
    DataError
        With all faults: an arm without rows or too small, outcomes missing, lengths that differ.

    References
    ----------
    Deng, Xu, Kohavi and Walker (2013), WSDM, 123-132, doi:10.1145/2433396.2433413.
    Lin (2013), Annals of Applied Statistics 7(1), 295-318, doi:10.1214/12-AOAS583.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> before = rng.normal(50, 10, 400)
    >>> called = np.repeat([0, 1], 200)
    >>> after = before + 2 * called + rng.normal(0, 3, 400)
    >>> plain = difference_in_means(after, called)
    >>> cuped = difference_in_means(after, called, covariates=before)
    >>> bool(cuped.standard_error < plain.standard_error / 2), round(cuped.effect, 1)
    (True, 1.9)
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    sample = sample_of(outcome, treatment, clients, min_clients=min_clients)
    matrix: Floats = np.zeros((sample.n_rows, 0))
    notes: tuple[str, ...] = ()
    if covariates is not None:
        matrix, notes = _covariates(covariates, sample)
    raw = _adjusted(sample, np.zeros((sample.n_rows, 0)))
    effect, error, freedom = raw if not matrix.shape[1] else _adjusted(sample, matrix)
    reduction = 1 - (error / raw[1]) ** 2 if raw[1] > 0 else 0.0
    treated = sample.arm(1)
    return EffectEstimate(
        outcome=name,
        method="difference in means" + (", CUPED" if matrix.shape[1] else ""),
        effect=effect,
        standard_error=error,
        degrees_of_freedom=freedom,
        level=level,
        baseline=float(sample.outcome[~treated].mean()),
        n_treated=int(treated.sum()),
        n_control=int((~treated).sum()),
        n_clients=sample.n_clients,
        details={"variance_reduction": reduction, "unadjusted_effect": raw[0]},
        notes=notes,
    )


def _covariates(covariates: Any, sample: Sample) -> tuple[Floats, tuple[str, ...]]:
    """Return the columns that vary in both arms, as few as leave 5 rows for each, and what was left out."""
    frame = aligned_frame(covariates, sample.n_rows)
    matrix = Design.of(frame, "linear").matrix(frame)
    arms = [sample.arm(0), sample.arm(1)]
    varies = np.array([all(column[arm].std() > 1e-12 for arm in arms) for column in matrix.T], dtype=bool)
    matrix = matrix[:, varies]
    most = min(int(arm.sum()) for arm in arms) // 5
    if matrix.shape[1] <= most:
        return matrix, ()
    note = f"the smaller arm carries {most} of {matrix.shape[1]} columns of covariates: the first were used."
    return matrix[:, :most], (note,)


def _adjusted(sample: Sample, matrix: Floats) -> tuple[float, float, float]:
    """Return effect, standard error and degrees of freedom."""
    center = matrix - matrix.mean(axis=0)
    n = sample.n_rows
    means, slopes, variances, freedoms = [], [], [], []
    influence = np.zeros(n)
    for arm in (0, 1):
        rows = sample.arm(arm)
        size = int(rows.sum())
        X = np.column_stack([np.ones(size), center[rows]])
        y = sample.outcome[rows]
        beta = np.linalg.lstsq(X, y, rcond=None)[0] if X.shape[1] > 1 else np.array([y.mean()])
        clients = len(np.unique(sample.clients[rows]))
        freedom = max(clients - X.shape[1], 1)
        residual = (y - X @ beta) * np.sqrt(clients / freedom)
        part = np.zeros(n)
        part[rows] = residual / size
        influence += part if arm else -part
        means.append(float(beta[0]))
        slopes.append(beta[1:])
        variances.append(float((by_client(part, sample.clients) ** 2).sum()))
        freedoms.append(freedom)
    influence += center @ (slopes[1] - slopes[0]) / n
    error = float(np.sqrt((by_client(influence, sample.clients) ** 2).sum()))
    total = sum(variances)
    spread = sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return means[1] - means[0], error, total**2 / spread if spread > 0 else float(sum(freedoms))
