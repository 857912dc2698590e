"""What another policy would have earned, from the log of the one that ran."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from clientscore._checks import check_integer, check_interval, check_option
from clientscore.exceptions import DataError, OverlapError

from ._aipw import mean_error
from ._design import aligned_frame
from ._estimate import plain
from ._models import Base, design_for, fit_mean, is_binary
from ._overlap import effective_size
from ._sample import client_codes, client_folds, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._sample import Ints

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PolicyValue:
    """Mean reward of a policy, estimated from a log of another one.

    Parameters
    ----------
    estimates : DataFrame
        One row a method (IPS, SNIPS and, with covariates, DR): method, value (reward a decision),
        standard_error, lower, upper, gain (value less the log's mean reward), gain_lower, gain_upper.
    logged_value : float
        Mean reward of the policy that ran.
    overlap : dict
        effective_sample, matched_share (decisions on which both agree, weighed by the policy),
        largest_weight, mean_weight (near 1 where logged probabilities are right), unsupported_share.
    level : float
        Probability of the intervals.
    n_rows, n_clients : int
        Decisions, and clients whose decisions count together.
    """

    estimates: pd.DataFrame
    logged_value: float
    overlap: dict[str, float]
    level: float
    n_rows: int
    n_clients: int

    def frame(self) -> pd.DataFrame:
        """Return one row a method."""
        return self.estimates

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {name: plain(value) for name, value in vars(self).items()}

    def best(self) -> pd.Series:
        """Return the estimate to quote: DR where there is one, else SNIPS."""
        return self.estimates.iloc[-1]

    def __str__(self) -> str:
        row = self.best()
        return (
            f"policy value {row['value']:.4g} a decision ({self.level:.0%} interval {row['lower']:.4g} to "
            f"{row['upper']:.4g}, {row['method']}); the log earned {self.logged_value:.4g}; effective sample "
            f"{self.overlap['effective_sample']:,.0f} of {self.n_rows:,}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.estimates.to_html(index=False)}"


def off_policy_value(
    reward: ArrayLike,
    action: ArrayLike,
    propensity: ArrayLike,
    policy: ArrayLike | pd.DataFrame,
    *,
    covariates: Any = None,
    clients: ArrayLike | None = None,
    base: Base = "linear",
    n_folds: int = 5,
    min_effective_sample: float = 100.0,
    level: float = 0.95,
    random_state: int = 0,
) -> PolicyValue:
    r"""Mean reward of a policy from logged decisions of another: IPS, SNIPS and DR, or a refusal.

    With weights :math:`w = \pi(a|x) / p(a|x)` of the policy over the logged probability of the action taken,

    .. math:: IPS = \overline{w r}, \quad SNIPS = \overline{w r} / \overline{w}, \quad
        DR = \overline{\textstyle\sum_a \pi(a|x) q(x, a) + w (r - q(x, a))}

    where the reward model :math:`q` of each action is learned on other clients.

    Assumes that the log holds the true probability of the action taken, and that every action the policy
    would take had a chance.

    Parameters
    ----------
    reward : array-like of shape (n,)
        What the decision earned, any unit.
    action : array-like of shape (n,)
        Action taken; text or numbers.
    propensity : array-like of shape (n,)
        Probability with which the log took that action, in (0, 1].
    policy : DataFrame of shape (n, n_actions) or array-like of shape (n,)
        Probability of each action under the policy, columns named by action, rows adding to 1; or the one
        action it would take.
    covariates : DataFrame or array of shape (n, k), default None
        What was known at the decision; needed for DR.
    clients : array-like of shape (n,), default None
        Client of each decision; None: each is a client of its own.
    base : {"linear", "additive", "boosted"}, default "linear"
        The reward models.
    n_folds : int, default 5
        Folds of clients for the reward models.
    min_effective_sample : float, default 100.0
        Effective decisions, (sum of w)^2 / (sum of w^2), below which the answer is refused.
    level : float, default 0.95
        Probability of the intervals, in (0, 1).
    random_state : int, default 0
        Seed of folds and trees.

    Returns
    -------
    PolicyValue

    Raises
    ------
    DataError
        With all faults of the rows: missing rewards, probabilities outside (0, 1], policies that do not add
        to 1.
    OverlapError
        The policy takes actions that the log never took, or the effective sample is too small.

    References
    ----------
    Dudik, Langford and Li (2011), ICML, 1097-1104: doubly robust policy evaluation.
    Swaminathan and Joachims (2015), NeurIPS 28: the self-normalized estimator.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> size = rng.normal(0, 1, 4000)
    >>> called = rng.random(4000) < 0.3
    >>> earned = size * called + rng.normal(0, 1, 4000)  # a call pays for large clients only
    >>> action = np.where(called, "call", "none")
    >>> found = off_policy_value(
    ...     earned, action, np.where(called, 0.3, 0.7), np.where(size > 0, "call", "none"), covariates=size
    ... )
    >>> dr = found.frame().set_index("method").loc["DR"]
    >>> bool(dr["lower"] < 0.4 < dr["upper"]), bool(dr["gain_lower"] > 0)  # E[max(size, 0)] = 0.399
    (True, True)
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    check_interval("min_effective_sample", min_effective_sample, low=2.0)
    check_option("base", base, Base)
    check_integer("n_folds", n_folds, low=2)
    log = _Log.of(reward, action, propensity, policy, clients)
    overlap = log.overlap()
    _refuse(log, overlap, min_effective_sample)
    w, r = log.weight, log.reward
    snips = float((w * r).sum() / w.sum())
    parts: dict[str, tuple[float, Floats]] = {
        "IPS": (float((w * r).mean()), w * r),
        "SNIPS": (snips, snips + w * (r - snips) / w.mean()),
    }
    if covariates is not None:
        scores = log.doubly_robust(covariates, base, n_folds, random_state)
        parts["DR"] = (float(scores.mean()), scores)
    rows = [_row(name, value, scores, log, level) for name, (value, scores) in parts.items()]
    return PolicyValue(
        pd.DataFrame(rows), float(r.mean()), overlap, level, len(r), int(log.clients.max()) + 1
    )


def _row(name: str, value: float, scores: Floats, log: _Log, level: float) -> dict[str, Any]:
    """Return one method's value and gain over the log, with intervals."""
    quantile = float(student.ppf((1 + level) / 2, max(int(log.clients.max()), 1)))
    error, gain = mean_error(scores, log.clients), value - float(log.reward.mean())
    gain_error = mean_error(scores - log.reward, log.clients)
    return {
        "method": name,
        "value": value,
        "standard_error": error,
        "lower": value - quantile * error,
        "upper": value + quantile * error,
        "gain": gain,
        "gain_lower": gain - quantile * gain_error,
        "gain_upper": gain + quantile * gain_error,
    }


@dataclass(frozen=True, eq=False)
class _Log:
    """Decisions: `target` holds the policy's probability of every action, `taken` the column taken."""

    reward: Floats
    propensity: Floats
    actions: tuple[str, ...]
    taken: NDArray[np.intp]
    target: Floats
    clients: Ints

    @property
    def weight(self) -> Floats:
        return np.asarray(self.target[np.arange(len(self.reward)), self.taken] / self.propensity)

    @classmethod
    def of(
        cls,
        reward: ArrayLike,
        action: ArrayLike,
        propensity: ArrayLike,
        policy: ArrayLike | pd.DataFrame,
        clients: ArrayLike | None,
    ) -> _Log:
        """Check the rows; all faults at once."""
        faults: list[str] = []
        r = numbers(reward, "reward", faults)
        p = numbers(propensity, "propensity", faults)
        names = pd.Series(np.asarray(action, dtype=object))
        codes = client_codes(clients, len(r), faults)
        outside = int((~((p > 0) & (p <= 1))).sum())
        if outside:
            faults.append(
                f"propensity must lie in (0, 1]; {outside} of {len(p)} rows do not. Give the probability "
                "with which "
                "the log took the action it took."
            )
        if names.isna().any():
            faults.append(f"action must not be missing; {int(names.isna().sum())} rows have none.")
        target = _policy_frame(policy, faults)
        lengths = {"action": len(names), "propensity": len(p), "policy": len(target)}
        faults += [
            f"{name} must have {len(r)} rows like reward; got {n}. Align the rows."
            for name, n in lengths.items()
            if n != len(r)
        ]
        if faults:
            raise DataError("the policy cannot be valued from this log.", faults)
        text = names.map(str)
        actions = tuple(sorted({*text, *target.columns}))
        columns = target.reindex(columns=list(actions), fill_value=0.0).to_numpy(dtype=np.float64)
        taken = pd.Index(actions).get_indexer(text)
        return cls(r, p, actions, taken, columns, codes)

    def overlap(self) -> dict[str, float]:
        """Return how much of the log speaks for the policy."""
        w = self.weight
        logged = np.isin(np.arange(len(self.actions)), self.taken)
        return {
            "effective_sample": effective_size(w),
            "matched_share": float(self.target[np.arange(len(w)), self.taken].mean()),
            "largest_weight": float(w.max()),
            "mean_weight": float(w.mean()),
            "unsupported_share": float(self.target[:, ~logged].sum(axis=1).mean()),
        }

    def doubly_robust(self, covariates: Any, base: Base, n_folds: int, seed: int) -> Floats:
        """Return the scores of DR, reward models from other clients."""
        X = aligned_frame(covariates, len(self.reward), like="reward")
        matrix = design_for(base, X).matrix(X)
        folds = client_folds(self.clients, self.taken.astype(np.float64), n_folds, seed)
        q = np.zeros(self.target.shape)
        binary = is_binary(self.reward)
        for fold in range(n_folds):
            out = folds == fold
            for column in range(len(self.actions)):
                rows = ~out & (self.taken == column)
                if rows.sum() < 2:
                    q[out, column] = self.reward[~out].mean()
                    continue
                model = fit_mean(base, matrix[rows], self.reward[rows], seed=seed + fold, binary=binary)
                q[out, column] = model.predict(matrix[out])
        direct = (self.target * q).sum(axis=1)
        residual = self.reward - q[np.arange(len(q)), self.taken]
        return np.asarray(direct + self.weight * residual)


def _policy_frame(policy: ArrayLike | pd.DataFrame, faults: list[str]) -> pd.DataFrame:
    """Return the policy's probabilities, one column an action."""
    if not isinstance(policy, pd.DataFrame):
        chosen = pd.Series(np.asarray(policy, dtype=object))
        if chosen.isna().any():
            faults.append(f"policy must name an action in each row; {int(chosen.isna().sum())} have none.")
        return pd.get_dummies(chosen.map(str)).astype(np.float64)
    table = policy.set_axis([str(name) for name in policy.columns], axis=1)
    try:
        values = table.astype("float64").to_numpy()
    except (TypeError, ValueError) as error:
        faults.append(f"policy must hold probabilities; {error}.")
        return table
    wrong = int((~((values >= -1e-12).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-6))).sum())
    if wrong:
        faults.append(
            f"policy must have rows of probabilities that add to 1; {wrong} of {len(table)} do not."
        )
    return table.astype("float64")


def _refuse(log: _Log, overlap: dict[str, float], least: float) -> None:
    """Raise where the log cannot say what the policy would earn."""
    faults = []
    logged = np.isin(np.arange(len(log.actions)), log.taken)
    for name, mass in zip(log.actions, log.target.mean(axis=0), strict=True):
        if mass > 0 and not logged[log.actions.index(name)]:
            faults.append(f"the policy takes {name!r} in {mass:.1%} of the rows; the log never did.")
    if overlap["effective_sample"] < least:
        faults.append(
            f"the effective sample is {overlap['effective_sample']:.1f} of {len(log.reward)} decisions, at "
            f"least {least:g} are needed; the largest weight is {overlap['largest_weight']:.3g}."
        )
    if faults:
        raise OverlapError(
            "the log cannot tell what the policy would earn. Value a policy nearer to the one that ran, "
            "mix it with "
            "that one, or try it on a share of clients.",
            faults,
        )
