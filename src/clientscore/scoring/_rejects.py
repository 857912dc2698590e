"""Applicants that were turned down: how to refit with them, and how much that changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.validation import has_fit_parameter

from clientscore._checks import check_columns, check_integer, check_interval, check_option
from clientscore.exceptions import DataError
from clientscore.metrics import auc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._scorer import ClientScorer

    Floats = NDArray[np.float64]

RejectMethod = Literal["hard_cutoff", "parcelling", "fuzzy"]


class Augmented(NamedTuple):
    """Accepted and rejected applicants to refit on: ``fit(X, y, sample_weight=weight, groups=groups)``.

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        Accepted rows first, then rejected ones.
    y : ndarray of shape (n,)
        1 for bad, 0 for good, inferred for rejects.
    weight : ndarray of shape (n,)
        1 for accepted rows.
    groups : ndarray of shape (n,)
        Number of the applicant, so that the two halves of one reject stay together.
    """

    X: pd.DataFrame
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    groups: NDArray[np.intp]


def reject_hard_cutoff(
    X_accepted: pd.DataFrame, y: ArrayLike, X_rejected: pd.DataFrame, pd_rejected: ArrayLike, cutoff_pd: float
) -> Augmented:
    """Call a reject bad where its PD lies above a cutoff, else good.

    Assumes that the accepted-only model is right about rejects and sure of it: the labels are its own
    opinion, sharpened.  The crudest of the three; it mostly makes the refit more certain of what it thought.

    Parameters
    ----------
    X_accepted : DataFrame of shape (n_accepted, n_features)
        Features of accepted applicants.
    y : array of shape (n_accepted,)
        1 for bad, 0 for good.
    X_rejected : DataFrame of shape (n_rejected, at least n_features)
        Features of rejected applicants; the columns of `X_accepted` are taken.
    pd_rejected : array of shape (n_rejected,)
        PDs of a model of accepted applicants, in [0, 1].
    cutoff_pd : float
        Highest PD of a reject called good, in [0, 1].

    Returns
    -------
    Augmented

    Raises
    ------
    DataError
        If arrays do not fit, an outcome is not 0 or 1, or a PD lies outside [0, 1].

    References
    ----------
    Hand, D. and Henley, W. (1993). Can reject inference ever work? doi:10.1093/imaman/5.1.45.

    Examples
    --------
    >>> accepted, rejected = pd.DataFrame({"dscr": [2.0, 1.5]}), pd.DataFrame({"dscr": [1.0, 0.5]})
    >>> reject_hard_cutoff(accepted, [0, 1], rejected, [0.1, 0.4], cutoff_pd=0.2).y.tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    check_interval("cutoff_pd", cutoff_pd, low=0, high=1)
    outcome, p = _applicants(X_accepted, y, X_rejected, pd_rejected)
    return _joined(X_accepted, outcome, X_rejected, (p > cutoff_pd).astype(float))


def reject_parcelling(
    X_accepted: pd.DataFrame,
    y: ArrayLike,
    X_rejected: pd.DataFrame,
    pd_rejected: ArrayLike,
    pd_accepted: ArrayLike,
    factor: float = 1.0,
    n_bands: int = 10,
    random_state: int = 0,
) -> Augmented:
    """Draw the outcome of each reject at the bad rate of accepted applicants of its PD band, times a factor.

    Assumes that within a band rejects are `factor` times as risky as those accepted: at 1 that the features
    tell all (missing at random), above 1 that the desk saw more than they do.  No data says which; the
    factor is yours.  The rate of a band is (bads + mean PD of its rejects) / (accepted + 1), so that a band
    without accepted applicants takes the model's word.

    Parameters
    ----------
    X_accepted : DataFrame of shape (n_accepted, n_features)
        Features of accepted applicants.
    y : array of shape (n_accepted,)
        1 for bad, 0 for good.
    X_rejected : DataFrame of shape (n_rejected, at least n_features)
        Features of rejected applicants; the columns of `X_accepted` are taken.
    pd_rejected, pd_accepted : array of shape (n_rejected,) and (n_accepted,)
        PDs of a model of accepted applicants, in [0, 1].
    factor : float, default 1.0
        Bad rate of rejects over that of accepted applicants of the band, >= 0; rates stop at 1.
    n_bands : int, default 10
        Bands of equal numbers of applicants, at least 1.
    random_state : int, default 0
        Seed of the draws.

    Returns
    -------
    Augmented

    Raises
    ------
    DataError
        If arrays do not fit, an outcome is not 0 or 1, or a PD lies outside [0, 1].

    References
    ----------
    Crook, J. and Banasik, J. (2004). Does reject inference really improve the performance of application
    scoring models? doi:10.1016/S0378-4266(03)00203-6.

    Examples
    --------
    >>> accepted, rejected = pd.DataFrame({"dscr": [2.0, 1.5]}), pd.DataFrame({"dscr": [1.0, 0.5]})
    >>> reject_parcelling(accepted, [0, 1], rejected, [0.3, 0.3], [0.1, 0.3], factor=9.0).y.tolist()
    [0.0, 1.0, 1.0, 1.0]
    """
    check_interval("factor", factor, low=0, closed="low")
    check_integer("n_bands", n_bands, low=1)
    outcome, p = _applicants(X_accepted, y, X_rejected, pd_rejected)
    known = _probabilities("pd_accepted", pd_accepted, len(X_accepted))
    edges = np.unique(np.quantile(np.concatenate([known, p]), np.arange(1, n_bands) / n_bands))
    band, band_known = (np.searchsorted(edges, part, side="left") for part in (p, known))
    size = len(edges) + 1
    rejects = np.maximum(np.bincount(band, minlength=size), 1)
    opinion = np.bincount(band, weights=p, minlength=size) / rejects
    bads = np.bincount(band_known, weights=outcome, minlength=size)
    rate = (bads + opinion) / (np.bincount(band_known, minlength=size) + 1)
    drawn = np.random.default_rng(random_state).random(len(p)) < np.minimum(1.0, factor * rate)[band]
    return _joined(X_accepted, outcome, X_rejected, drawn.astype(float))


def reject_fuzzy(
    X_accepted: pd.DataFrame,
    y: ArrayLike,
    X_rejected: pd.DataFrame,
    pd_rejected: ArrayLike,
    factor: float = 1.0,
) -> Augmented:
    """Count each reject twice: bad with its PD (times a factor) as weight, good with the rest.

    Assumes the model's PDs of rejects, times the factor; nothing is drawn.  At factor 1 the refit is told
    what the first model said, so little can change but the weight of the region where rejects lie.

    Parameters
    ----------
    X_accepted : DataFrame of shape (n_accepted, n_features)
        Features of accepted applicants.
    y : array of shape (n_accepted,)
        1 for bad, 0 for good.
    X_rejected : DataFrame of shape (n_rejected, at least n_features)
        Features of rejected applicants; the columns of `X_accepted` are taken.
    pd_rejected : array of shape (n_rejected,)
        PDs of a model of accepted applicants, in [0, 1].
    factor : float, default 1.0
        Multiplies the PD of a reject, >= 0; products stop at 1.

    Returns
    -------
    Augmented
        Accepted rows, all rejects as bad, all rejects as good.

    Raises
    ------
    DataError
        If arrays do not fit, an outcome is not 0 or 1, or a PD lies outside [0, 1].

    References
    ----------
    Banasik, J. and Crook, J. (2007). Reject inference, augmentation, and sample selection,
    doi:10.1016/j.ejor.2006.06.072.

    Examples
    --------
    >>> accepted, rejected = pd.DataFrame({"dscr": [2.0]}), pd.DataFrame({"dscr": [1.0]})
    >>> reject_fuzzy(accepted, [0], rejected, [0.3], factor=2.0).weight.tolist()
    [1.0, 0.6, 0.4]
    """
    check_interval("factor", factor, low=0, closed="low")
    outcome, p = _applicants(X_accepted, y, X_rejected, pd_rejected)
    bad = np.minimum(1.0, factor * p)
    return _joined(X_accepted, outcome, X_rejected, np.ones(len(p)), bad, 1.0 - bad)


@dataclass(frozen=True)
class RejectSensitivity:
    """What a refit with inferred rejects changes.

    Parameters
    ----------
    table : DataFrame
        One row a refit: see :func:`reject_sensitivity`.
    cutoff_pd : float
        Highest PD that is accepted.
    """

    table: pd.DataFrame
    cutoff_pd: float

    def frame(self) -> pd.DataFrame:
        """Return one row a refit."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {"cutoff_pd": self.cutoff_pd, "refits": self.table.to_dict("records")}

    def __repr__(self) -> str:
        return (
            f"Reject inference, cutoff at a PD of {self.cutoff_pd:.4f}\n{self.table.to_string(index=False)}"
        )

    def _repr_html_(self) -> str:
        return f"<p>Cutoff at a PD of {self.cutoff_pd:.4f}</p>{self.table.to_html(index=False)}"


def reject_sensitivity(
    scorer: ClientScorer,
    X_accepted: pd.DataFrame,
    y: ArrayLike,
    X_rejected: pd.DataFrame,
    *,
    methods: Sequence[RejectMethod] = ("hard_cutoff", "parcelling", "fuzzy"),
    factors: Sequence[float] = (1.0, 1.5, 2.0),
    cutoff_pd: float | None = None,
    n_bands: int = 10,
    n_splits: int = 3,
    random_state: int = 0,
) -> RejectSensitivity:
    """Refit under several assumptions about rejects and compare with the model of accepted applicants.

    No method here creates information: outcomes of rejects were never seen, and the figures below cannot say
    which assumption is true.  They say how much hangs on it.  A table that barely moves allows the
    accepted-only model; one that moves calls for a sample of rejects that is accepted on purpose, or for
    outcomes from elsewhere (a credit register).

    Parameters
    ----------
    scorer : ClientScorer
        Settings to fit with; it is cloned, never changed.  Without a random_state it gets `random_state`, so
        that refits differ by their rows alone.
    X_accepted : DataFrame of shape (n_accepted, n_features)
        Features of accepted applicants.
    y : array of shape (n_accepted,)
        1 for bad, 0 for good.
    X_rejected : DataFrame of shape (n_rejected, at least n_features)
        Features of rejected applicants; the columns of `X_accepted` are taken.
    methods : sequence of str, default ("hard_cutoff", "parcelling", "fuzzy")
        Methods to try.
    factors : sequence of float, default (1.0, 1.5, 2.0)
        Risk of rejects over that of accepted applicants alike, for parcelling and fuzzy.
    cutoff_pd : float, default None
        Highest PD that is accepted, in (0, 1); None takes the one at which the accepted-only model would
        accept as many of all applicants as were accepted.
    n_bands : int, default 10
        Bands of parcelling.
    n_splits : int, default 3
        Folds of the AUC, at least 2; all refits are repeated in each.
    random_state : int, default 0
        Seed of folds and draws.

    Returns
    -------
    RejectSensitivity
        Its frame, first row the accepted-only model: method, factor, mean_pd_accepted, mean_pd_rejected,
        rank_correlation (Spearman, of the scores of all applicants with the accepted-only model's),
        auc_accepted (accepted applicants, out of fold: those of a client of the index level client_id stay
        together), flipped_share (of all applicants whose decision at the cutoff changes).

    Raises
    ------
    DataError
        If arrays do not fit, or fewer bads or goods than folds were accepted.

    References
    ----------
    Hand, D. and Henley, W. (1993). Can reject inference ever work? doi:10.1093/imaman/5.1.45.
    Crook, J. and Banasik, J. (2004), doi:10.1016/S0378-4266(03)00203-6.
    Banasik, J. and Crook, J. (2007), doi:10.1016/j.ejor.2006.06.072.

    Examples
    --------
    >>> from clientscore.scoring import ClientScorer
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"dscr": rng.normal(1.5, 0.5, 1500), "dpd_max_3m": rng.poisson(2.0, 1500)})
    >>> bad = rng.random(1500) < 1 / (1 + np.exp(2 * X["dscr"] - X["dpd_max_3m"] / 2 + 0.5))
    >>> kept = X["dpd_max_3m"] < 4
    >>> found = reject_sensitivity(
    ...     ClientScorer(method="woe"), X[kept], bad[kept], X[~kept], methods=["fuzzy"], factors=[1.0, 2.0]
    ... )
    >>> found.frame()["method"].tolist()
    ['accepted only', 'fuzzy', 'fuzzy']
    """
    for method in methods:
        check_option("methods", method, RejectMethod)
    for factor in factors:
        check_interval("factors", factor, low=0, closed="low")
    check_integer("n_splits", n_splits, low=2)
    if cutoff_pd is not None:
        check_interval("cutoff_pd", cutoff_pd, low=0, high=1, closed="neither")
    outcome, _ = _applicants(X_accepted, y, X_rejected, np.zeros(len(X_rejected)))
    rarest = int(min(outcome.sum(), (1 - outcome).sum()))
    if rarest < n_splits:
        raise DataError(
            f"{n_splits} folds need as many bads and goods among the accepted; the rarer are {rarest}."
        )
    runs = [(m, f) for m in methods for f in ((np.nan,) if m == "hard_cutoff" else factors)]
    study = _Study(scorer, X_rejected[list(X_accepted.columns)], runs, cutoff_pd, n_bands, random_state)
    scores, cutoff = study.refit(X_accepted, outcome)
    held_out = np.full((len(runs) + 1, len(outcome)), np.nan)
    for train, test in _folds(X_accepted, outcome, n_splits, random_state):
        fold_scores, _ = study.refit(X_accepted.iloc[train], outcome[train], X_accepted.iloc[test])
        held_out[:, test] = fold_scores
    return RejectSensitivity(_compared(runs, scores, held_out, outcome, cutoff), cutoff)


class _Study(NamedTuple):
    """The refits of a sensitivity table, on all accepted applicants or on those of a fold."""

    scorer: Any
    X_rejected: pd.DataFrame
    runs: list[tuple[RejectMethod, float]]
    cutoff_pd: float | None
    n_bands: int
    seed: int

    def refit(self, X: pd.DataFrame, y: Floats, X_score: pd.DataFrame | None = None) -> tuple[Floats, float]:
        """Return the PDs of `X_score` (None: accepted, then rejected) by each model, and the cutoff."""
        everybody = [X, self.X_rejected]
        wanted = everybody if X_score is None else [X_score]
        first = self._fit(X, y)
        known, p = (first.predict_proba(part)[:, 1] for part in everybody)
        cutoff = self.cutoff_pd
        if cutoff is None:
            cutoff = float(np.quantile(np.concatenate([known, p]), len(X) / (len(X) + len(p))))
        models = [first]
        for method, factor in self.runs:
            if method == "hard_cutoff":
                rows = reject_hard_cutoff(X, y, self.X_rejected, p, cutoff)
            elif method == "parcelling":
                rows = reject_parcelling(X, y, self.X_rejected, p, known, factor, self.n_bands, self.seed)
            else:
                rows = reject_fuzzy(X, y, self.X_rejected, p, factor)
            models.append(self._fit(rows.X, rows.y, rows.weight, rows.groups))
        scores = [np.concatenate([model.predict_proba(part)[:, 1] for part in wanted]) for model in models]
        return np.array(scores), cutoff

    def _fit(
        self, X: pd.DataFrame, y: Floats, weight: Floats | None = None, groups: ArrayLike | None = None
    ) -> Any:
        model = clone(self.scorer)
        if model.get_params().get("random_state", 0) is None:
            model.set_params(random_state=self.seed)
        extra = {} if groups is None or not has_fit_parameter(model, "groups") else {"groups": groups}
        return model.fit(X, y, sample_weight=weight, **extra)


def _compared(
    runs: list[tuple[RejectMethod, float]], scores: Floats, held_out: Floats, y: Floats, cutoff: float
) -> pd.DataFrame:
    n = len(y)
    ranks = [pd.Series(row).rank().to_numpy() for row in scores]
    rows = [
        {
            "method": method,
            "factor": factor,
            "mean_pd_accepted": row[:n].mean(),
            "mean_pd_rejected": row[n:].mean(),
            "rank_correlation": np.corrcoef(ranks[0], rank)[0, 1],
            "auc_accepted": auc(y, apart),
            "flipped_share": ((row > cutoff) != (scores[0] > cutoff)).mean(),
        }
        for (method, factor), row, rank, apart in zip(
            [("accepted only", np.nan), *runs], scores, ranks, held_out, strict=True
        )
    ]
    return pd.DataFrame(rows)


def _folds(X: pd.DataFrame, y: Floats, n_splits: int, seed: int) -> list[tuple[Any, Any]]:
    if "client_id" in X.index.names:
        by_client = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
        return list(by_client.split(X, y, groups=X.index.get_level_values("client_id")))
    return list(StratifiedKFold(n_splits, shuffle=True, random_state=seed).split(X, y))


def _applicants(
    X_accepted: pd.DataFrame, y: Any, X_rejected: pd.DataFrame, pd_rejected: Any
) -> tuple[Floats, Floats]:
    """Return checked outcomes and PDs."""
    check_columns(X_rejected.columns, list(X_accepted.columns), subject="X_rejected")
    if X_accepted.index.nlevels != X_rejected.index.nlevels:
        raise DataError(
            "X_accepted and X_rejected must have the same index levels; got "
            f"{list(X_accepted.index.names)} and {list(X_rejected.index.names)}."
        )
    outcome = np.asarray(y, dtype=float)
    if outcome.shape != (len(X_accepted),) or not np.isin(outcome, (0, 1)).all():
        raise DataError(f"y must hold 0 or 1 for each of the {len(X_accepted)} accepted rows.")
    if not len(X_rejected):
        raise DataError("X_rejected must hold at least one row; without rejects there is nothing to infer.")
    return outcome, _probabilities("pd_rejected", pd_rejected, len(X_rejected))


def _probabilities(name: str, values: Any, n: int) -> Floats:
    p = np.asarray(values, dtype=float)
    if p.shape != (n,) or not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"{name} must hold a probability in [0, 1] for each of the {n} rows.")
    return p


def _joined(
    X_accepted: pd.DataFrame, y: Floats, X_rejected: pd.DataFrame, label: Floats, *weights: Floats
) -> Augmented:
    """Put rejects below the accepted; two weights give each reject twice, as `label` and as good."""
    rejects = X_rejected[list(X_accepted.columns)]
    copies = max(len(weights), 1)
    X = pd.concat([X_accepted, *([rejects] * copies)])
    inferred = [label, np.zeros(len(label))][:copies]
    weight = np.concatenate([np.ones(len(y)), *(weights or [np.ones(len(label))])])
    if "client_id" in X.index.names:
        groups = pd.factorize(X.index.get_level_values("client_id"))[0]
    else:
        groups = np.concatenate([np.arange(len(y)), np.tile(len(y) + np.arange(len(label)), copies)])
    return Augmented(X, np.concatenate([y, *inferred]), weight, groups)
