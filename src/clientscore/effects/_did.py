"""Difference in differences for a policy introduced at a date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import chi2
from scipy.stats import t as student

from clientscore._axes import axes
from clientscore._checks import check_interval, check_one_meaning
from clientscore.exceptions import DataError

from ._estimate import EffectEstimate
from ._sample import by_client, client_codes, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_FEW_CLUSTERS = 20  # below, the interval of clustered errors is too short
_TREND_ALARM = 0.05
_SWEEPS = 2_000


@dataclass(frozen=True, eq=False)
class _Panel:
    """Rows of clients and periods; `treated` is a client's own and never changes."""

    outcome: Floats
    treated: Floats
    clients: Ints
    periods: Ints  # number of the period in time order
    labels: pd.Index  # of the periods
    start: int  # number of the first period with the policy
    clusters: Ints

    def within(self, values: Floats) -> Floats:
        """Take the means of clients and periods out, by turns until nothing moves."""
        left: Floats = values - values.mean()
        counts = [np.bincount(codes) for codes in (self.clients, self.periods)]
        for _ in range(_SWEEPS):
            before = left
            for codes, count in zip((self.clients, self.periods), counts, strict=True):
                left = left - (np.bincount(codes, left) / count)[codes]
            if np.abs(left - before).max() < 1e-10 * (1 + np.abs(values).max()):
                break
        return left


def difference_in_differences(
    outcome: ArrayLike,
    treated: ArrayLike,
    period: ArrayLike,
    start: Any,
    *,
    clients: ArrayLike,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    name: str = "outcome",
) -> EffectEstimate:
    r"""Average effect on the treated of a policy that starts for some clients at one date.

    .. math:: y_{it} = \alpha_i + \gamma_t + \tau \, d_i 1[t \ge t_0] + \varepsilon_{it}

    by least squares with an effect of every client and of every period; errors are clustered by client, or by
    `clusters` where the policy was decided for whole groups (teams, regions).  Clients and periods may be
    missing.

    Assumes that without the policy both kinds of clients would have moved in parallel.  What can be checked
    is reported: whether they did before (`details["pre_trend"]`), and a low p-value there is a note.

    Parameters
    ----------
    outcome : array-like of shape (n,)
        One row a client and period, any unit.
    treated : array-like of shape (n,)
        1 for clients under the policy from `start` on, in all their rows; 0 for clients never under it.
    period : array-like of shape (n,)
        Date or number of the period.
    start : date, str or number
        First period with the policy.
    clients : array-like of shape (n,)
        Client of each row.
    clusters : array-like of shape (n,), default None
        Group for which the policy was decided; None: the client.
    level : float, default 0.95
        Probability of the interval, in (0, 1).
    name : str, default "outcome"
        What the outcome is called in the result.

    Returns
    -------
    EffectEstimate
        `details["pre_trend"]` holds slope (difference of trends before, outcome's unit a period), lower,
        upper, p_value, joint_p_value (all differences before are 0) and n_periods.

    Raises
    ------
    DataError
        With all faults: an arm without clients, no period before or after, a client that is treated in some
        rows only (the policy must start for all at one date), two rows of a client in one period.

    References
    ----------
    Bertrand, Duflo and Mullainathan (2004), QJE 119(1), 249-275, doi:10.1162/003355304772839588.
    Roth (2022), AER: Insights 4(3), 305-322, doi:10.1257/aeri.20210236: what a check of trends cannot tell.

    Examples
    --------
    >>> import numpy as np
    >>> client, month = np.repeat(np.arange(60), 8), np.tile(np.arange(8), 60)
    >>> treated = (client < 30).astype(int)
    >>> noise = np.random.default_rng(0).normal(0, 1, 480)
    >>> balance = client + 0.5 * month + 2.0 * treated * (month >= 5) + noise
    >>> found = difference_in_differences(balance, treated, month, 5, clients=client)
    >>> bool(found.lower < 2.0 < found.upper), bool(found.details["pre_trend"]["p_value"] > 0.05)
    (True, True)
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    panel = _panel(outcome, treated, period, start, clients, clusters)
    post = (panel.periods >= panel.start).astype(np.float64)
    effect, error = _regression(panel, (panel.treated * post)[:, None])
    n_clusters = int(panel.clusters.max()) + 1
    rows = panel.treated == 1
    # what the treated would have been after the start
    baseline = float(panel.outcome[rows & (post == 1)].mean() - effect[0])
    trend = _pre_trend(panel, level)
    few = min(len(np.unique(panel.clusters[panel.treated == arm])) for arm in (0, 1))
    notes = []
    if trend is None:
        notes.append("only one period before the start: whether trends were parallel cannot be checked.")
    elif min(trend["p_value"], trend["joint_p_value"]) < _TREND_ALARM:
        notes.append(
            f"the trends before the start differ (slope {trend['slope']:+.3g} a period, p = "
            f"{trend['p_value']:.2g}; "
            f"jointly p = {trend['joint_p_value']:.2g}): the effect may be what was under way already."
        )
    if few < _FEW_CLUSTERS:
        notes.append(f"the smaller arm has {few} clusters: the interval is likely too short.")
    return EffectEstimate(
        outcome=name,
        method="difference in differences",
        effect=float(effect[0]),
        standard_error=float(np.sqrt(error[0, 0])),
        degrees_of_freedom=float(n_clusters - 1),
        level=level,
        baseline=baseline,
        n_treated=int(rows.sum()),
        n_control=int((~rows).sum()),
        n_clients=n_clusters,
        details={"pre_trend": trend, "start": str(panel.labels[panel.start]), "periods": len(panel.labels)},
        notes=tuple(notes),
    )


def compute_event_study(
    outcome: ArrayLike,
    treated: ArrayLike,
    period: ArrayLike,
    start: Any,
    *,
    clients: ArrayLike,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compute how treated and other clients differ in every period; the last before the start is 0.

    Parameters
    ----------
    outcome, treated, period, start, clients
        As for :func:`difference_in_differences`.
    clusters : array-like of shape (n,), default None
        Group for which the policy was decided; None: the client.
    level : float, default 0.95
        Probability of each interval, in (0, 1).

    Returns
    -------
    DataFrame
        One row a period: period, since_start (periods), effect (outcome's unit), lower, upper.

    Examples
    --------
    >>> import numpy as np
    >>> client, month = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    >>> treated = (client < 2).astype(int)
    >>> table = compute_event_study(client + 2.0 * treated * (month == 2), treated, month, 2, clients=client)
    >>> table["effect"].abs().round(6).tolist(), table["since_start"].tolist()
    ([0.0, 0.0, 2.0], [-2, -1, 0])
    """
    check_interval("level", level, low=0.0, high=1.0, closed="neither")
    panel = _panel(outcome, treated, period, start, clients, clusters)
    numbers_ = np.arange(len(panel.labels))
    others = numbers_[numbers_ != panel.start - 1]
    effect, error = _regression(panel, _dummies(panel, others))
    half = student.ppf((1 + level) / 2, int(panel.clusters.max())) * np.sqrt(np.diag(error))
    values, widths = np.zeros(len(numbers_)), np.zeros(len(numbers_))
    values[others], widths[others] = effect, half
    return pd.DataFrame(
        {
            "period": panel.labels,
            "since_start": numbers_ - panel.start,
            "effect": values,
            "lower": values - widths,
            "upper": values + widths,
        }
    )


def plot_event_study(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot the table of `compute_event_study`.

    Parameters
    ----------
    table : DataFrame
        As computed.
    ax : Axes, default None
        Where to draw; None: new axes.

    Returns
    -------
    Axes
    """
    ax = axes(ax, "plot_event_study")
    spread = [table["effect"] - table["lower"], table["upper"] - table["effect"]]
    ax.errorbar(table["since_start"], table["effect"], yerr=spread, fmt="o", capsize=3)
    ax.axhline(0.0, color="gray", linewidth=0.8)
    ax.axvline(-0.5, color="gray", linestyle="--")
    ax.set(xlabel="periods since the start", ylabel="difference, treated less others")
    return ax


def _panel(
    outcome: ArrayLike,
    treated: ArrayLike,
    period: ArrayLike,
    start: Any,
    clients: ArrayLike,
    clusters: ArrayLike | None,
) -> _Panel:
    """Check the rows; all faults at once."""
    faults: list[str] = []
    y, d = numbers(outcome, "outcome", faults), numbers(treated, "treated", faults)
    client = client_codes(clients, len(y), faults)
    cluster = client if clusters is None else client_codes(clusters, len(y), faults)
    when, first = _times(period, start)
    lengths = {"treated": len(d), "period": len(when)}
    faults += [
        f"{name} must have {len(y)} rows like outcome; got {n}." for name, n in lengths.items() if n != len(y)
    ]
    if not faults:
        faults += _panel_faults(d, when, first, client, cluster)
    if faults:
        raise DataError("the effect of the policy cannot be estimated from these rows.", faults)
    codes, labels = pd.factorize(when, sort=True)
    at = int(np.searchsorted(np.asarray(labels), np.asarray(pd.Index([first]))[0]))
    return _Panel(y, d, client, codes.astype(np.int64), labels, at, cluster)


def _times(period: ArrayLike, start: Any) -> tuple[pd.Index, Any]:
    """Return the periods and the start in one kind: dates, or numbers."""
    when = pd.Index(pd.Series(period))
    if pd.api.types.is_numeric_dtype(when):
        return when, start
    check_one_meaning("start", start)
    return pd.DatetimeIndex(pd.to_datetime(when)), pd.Timestamp(start)


def _panel_faults(treated: Floats, when: pd.Index, start: Any, client: Ints, cluster: Ints) -> list[str]:
    if when.isna().any():
        return [f"period must not be missing; {int(when.isna().sum())} rows have none."]
    strange = np.setdiff1d(treated, [0.0, 1.0])
    if len(strange):
        return [f"treated must be 0 or 1; got {strange[0]:g}. Code clients under the policy as 1."]
    faults = []
    arms = [treated == 0, treated == 1]
    share = by_client(treated, client) / np.bincount(client)
    mixed = int(((share > 0) & (share < 1)).sum())
    if mixed:
        faults.append(
            f"treated must be the same in all rows of a client; {mixed} clients change. Give 1 in all rows "
            "of a client that is ever under the policy; where it starts at several dates, compare each start "
            "with clients never under it."
        )
    twice = int(pd.MultiIndex.from_arrays([client, when]).duplicated().sum())
    if twice:
        faults.append(f"a client must have one row a period; {twice} rows are further ones. Aggregate them.")
    for name, rows in zip(("other", "treated"), arms, strict=True):
        count = len(np.unique(cluster[rows]))
        if count < 2:
            faults.append(f"{name} clients must form at least 2 clusters; got {count}.")
        sides = {"before": rows & (when < start), "from": rows & (when >= start)}
        faults += [
            f"{name} clients must have rows {side} the start {start}; there are none."
            for side, there in sides.items()
            if rows.any() and not there.any()
        ]
    return faults


def _dummies(panel: _Panel, periods: NDArray[np.integer[Any]]) -> Floats:
    return np.column_stack([panel.treated * (panel.periods == number) for number in periods]).astype(
        np.float64
    )


def _regression(panel: _Panel, columns: Floats) -> tuple[Floats, Floats]:
    """Return coefficients and their clustered covariance, effects of clients and periods taken out."""
    X = np.column_stack([panel.within(column) for column in columns.T])
    y = panel.within(panel.outcome)
    gram = X.T @ X
    if np.linalg.matrix_rank(gram) < len(gram):
        raise DataError(
            "the effect of the policy cannot be told from clients and periods: after taking their means "
            "out nothing "
            "is left. Give clients with rows on both sides of the start."
        )
    inverse = np.linalg.inv(gram)
    beta = inverse @ (X.T @ y)
    moments = by_client(X * (y - X @ beta)[:, None], panel.clusters)
    n_clusters = len(moments)
    spread = inverse @ (moments.T @ moments) @ inverse * n_clusters / max(n_clusters - 1, 1)
    return beta, spread


def _pre_trend(panel: _Panel, level: float) -> dict[str, float] | None:
    """Compare the trends before the start, None where there is one period."""
    if panel.start < 2:
        return None
    rows = panel.periods < panel.start
    client = pd.factorize(panel.clients[rows])[0].astype(np.int64)
    cluster = pd.factorize(panel.clusters[rows])[0].astype(np.int64)
    before = _Panel(
        panel.outcome[rows],
        panel.treated[rows],
        client,
        panel.periods[rows],
        panel.labels[: panel.start],
        panel.start,
        cluster,
    )
    slope, spread = _regression(before, (before.treated * before.periods)[:, None].astype(np.float64))
    freedom = int(cluster.max())
    error = float(np.sqrt(spread[0, 0]))
    half = float(student.ppf((1 + level) / 2, freedom)) * error
    effect, covariance = _regression(before, _dummies(before, np.arange(panel.start - 1)))
    wald = float(effect @ np.linalg.pinv(covariance) @ effect) if len(effect) <= freedom // 2 else np.nan
    value = float(slope[0])
    p_value = float(2 * student.sf(abs(value) / error, freedom)) if error > 0 else float(value == 0)
    return {
        "slope": value,
        "lower": value - half,
        "upper": value + half,
        "p_value": p_value,
        "joint_p_value": p_value if np.isnan(wald) else float(chi2.sf(wald, len(effect))),
        "n_periods": float(panel.start),
    }
