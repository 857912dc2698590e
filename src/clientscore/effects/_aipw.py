"""Augmented inverse-probability weighting with cross-fitting: averages from logged actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import check_integer, check_interval, check_option

from ._design import aligned_frame
from ._estimate import EffectEstimate
from ._models import Base, design_for, fit_mean, fit_propensity, is_binary
from ._overlap import Overlap, clipped, known_propensity
from ._sample import by_client, client_folds, sample_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._sample import Ints, Sample

    Floats = NDArray[np.float64]

FEWEST_CLIENTS = 20  # that cross-fitting can learn from, in an arm


@dataclass(frozen=True, eq=False)
class Scores:
    """Doubly robust scores of rows: the mean is the average effect, a regression the conditional one."""

    effect: Floats
    without: Floats  # scores of the outcome without the action
    overlap: Overlap


def aipw(
    outcome: ArrayLike,
    treatment: ArrayLike,
    covariates: Any,
    *,
    propensity: ArrayLike | float | None = None,
    clients: ArrayLike | None = None,
    base: Base = "linear",
    n_folds: int = 5,
    clip: float = 0.01,
    level: float = 0.95,
    random_state: int = 0,
    name: str = "outcome",
) -> EffectEstimate:
    r"""Average effect of an action from logged decisions, doubly robust.

    The mean of the scores

    .. math:: \Gamma = \mu_1(x) - \mu_0(x) + \frac{t (y - \mu_1(x))}{e(x)}
        - \frac{(1-t)(y - \mu_0(x))}{1-e(x)}

    with the outcome models :math:`\mu` and, where it is not given, the probability of the action :math:`e`
    learned on other clients than those they are applied to.  It is right when either is: a known propensity
    makes it unbiased whatever the outcome models are.

    Assumes that `covariates` hold whatever both led to the action and moved the outcome, and that every
    client could have been in either arm.

    Parameters
    ----------
    outcome : array-like of shape (n,)
        Any unit.
    treatment : array-like of shape (n,)
        1 with the action, 0 without.
    covariates : DataFrame or array of shape (n, k)
        What was known when the action was decided; numbers or text, missing values may occur.
    propensity : array-like of shape (n,) or float, default None
        Probability of the action, in (0, 1), where the log holds it; None: learned from the covariates.
    clients : array-like of shape (n,), default None
        Client of each row: on one side of a fold, and counted together; None: each row is a client.
    base : {"linear", "additive", "boosted"}, default "linear"
        The models: ridge, ridge over bins, small trees.
    n_folds : int, default 5
        Folds of clients, at least 2.
    clip : float, default 0.01
        Probabilities are kept in [clip, 1 - clip]; `details["overlap"]` counts the rows that were moved.
    level : float, default 0.95
        Probability of the interval, in (0, 1).
    random_state : int, default 0
        Seed of folds and trees.
    name : str, default "outcome"
        What the outcome is called in the result.

    Returns
    -------
    EffectEstimate
        `details["overlap"]` tells the range of the probabilities, the rows clipped and the effective sizes.

    Raises
    ------
    DataError
        With all faults of the rows; fewer than 20 clients in an arm.
    OverlapError
        A given probability is 0 or 1, or the arms do not overlap.

    References
    ----------
    Robins, Rotnitzky and Zhao (1994), JASA 89, 846-866, doi:10.1080/01621459.1994.10476818.
    Chernozhukov et al. (2018), Econometrics Journal 21, C1-C68, doi:10.1111/ectj.12097.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> size = rng.normal(0, 1, 2000)
    >>> called = (rng.random(2000) < 1 / (1 + np.exp(-size))).astype(int)  # larger clients are called more
    >>> bought = size + 0.5 * called + rng.normal(0, 1, 2000)
    >>> found = aipw(bought, called, size)
    >>> bool(found.lower < 0.5 < found.upper), round(found.details["unadjusted_effect"], 1)
    (True, 1.4)
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    sample = sample_of(outcome, treatment, clients, min_clients=FEWEST_CLIENTS)
    scores = doubly_robust(
        sample, covariates, propensity, base=base, n_folds=n_folds, clip=clip, seed=random_state
    )
    effect = float(scores.effect.mean())
    error = mean_error(scores.effect, sample.clients)
    treated = sample.arm(1)
    return EffectEstimate(
        outcome=name,
        method="AIPW",
        effect=effect,
        standard_error=error,
        degrees_of_freedom=float(sample.n_clients - 1),
        level=level,
        baseline=float(scores.without.mean()),
        n_treated=int(treated.sum()),
        n_control=int((~treated).sum()),
        n_clients=sample.n_clients,
        details={
            "overlap": scores.overlap.to_dict(),
            "unadjusted_effect": float(sample.outcome[treated].mean() - sample.outcome[~treated].mean()),
        },
        notes=scores.overlap.notes,
    )


def mean_error(values: Floats, clients: Ints) -> float:
    """Return the standard error of a mean over rows whose clients are drawn."""
    n_clients = int(clients.max()) + 1
    sums = by_client(values - values.mean(), clients)
    return float(np.sqrt((sums**2).sum() * n_clients / max(n_clients - 1, 1))) / len(values)


def doubly_robust(
    sample: Sample,
    covariates: Any,
    propensity: ArrayLike | float | None,
    *,
    base: Base,
    n_folds: int,
    clip: float,
    seed: int,
) -> Scores:
    """Return the scores of every row, from models of other clients."""
    check_option("base", base, Base)
    check_integer("n_folds", n_folds, low=2)
    check_interval("clip", clip, low=0.0, high=0.5, closed="neither")
    X = aligned_frame(covariates, sample.n_rows)
    matrix = design_for(base, X).matrix(X)
    folds = client_folds(sample.clients, sample.treatment, n_folds, seed)
    given = None if propensity is None else known_propensity(propensity, sample.n_rows)
    chance = np.empty(sample.n_rows) if given is None else given
    means = np.empty((2, sample.n_rows))
    binary = is_binary(sample.outcome)
    for fold in range(n_folds):
        out, learn = folds == fold, folds != fold
        if given is None:
            model = fit_propensity(base, matrix[learn], sample.treatment[learn], seed=seed + fold)
            chance[out] = model.predict(matrix[out])
        for arm in (0, 1):
            rows = learn & sample.arm(arm)
            mean = fit_mean(base, matrix[rows], sample.outcome[rows], seed=seed + fold, binary=binary)
            means[arm, out] = mean.predict(matrix[out])
    inside, overlap = clipped(chance, sample.treatment, clip, known=given is not None)
    t, y = sample.treatment, sample.outcome
    with_ = means[1] + t * (y - means[1]) / inside
    without = means[0] + (1 - t) * (y - means[0]) / (1 - inside)
    return Scores(with_ - without, without, overlap)
