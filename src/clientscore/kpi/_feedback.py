"""360-degree feedback: what clients, peers and the person say of a relationship manager."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import check_columns, check_integer, check_interval
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

SOURCES = ("client", "peer", "self")


@dataclass(frozen=True)
class FeedbackRules:
    """How feedback is put together.

    Parameters
    ----------
    weights : mapping of str to float, optional
        Weight of each source in the overall score; the default clients .6, peers .4, self 0.
    low, high : float, default 1.0 and 5.0
        Ends of the scale.
    min_raters : int, default 3
        Fewer raters of a source and its score is not shown: few raters are known by name.  Self is one.
    blind_spot : float, default 1.0
        From such a gap on between self and the others, on the scale, a question is a blind spot.

    Examples
    --------
    >>> FeedbackRules(min_raters=5).weights["client"]
    0.6
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {"client": 0.6, "peer": 0.4, "self": 0.0})
    low: float = 1.0
    high: float = 5.0
    min_raters: int = 3
    blind_spot: float = 1.0

    def __post_init__(self) -> None:
        check_interval("low", self.low)
        check_interval("high", self.high, low=self.low, closed="neither")
        check_integer("min_raters", self.min_raters, low=1)
        check_interval("blind_spot", self.blind_spot, low=0.0)
        wrong = sorted(set(self.weights) - set(SOURCES))
        bad = [value for value in self.weights.values() if not value >= 0]
        if wrong or bad or not sum(self.weights.values()) > 0:
            raise InvalidParameterError(
                f"weights must be at least 0, not all 0, for {', '.join(SOURCES)}; got "
                f"{dict(self.weights)!r}."
            )


@dataclass(frozen=True)
class FeedbackReport:
    """Scores by person and question.

    Parameters
    ----------
    table : DataFrame
        One row a subject_id and question: client, peer, self (mean scores; missing where there are too few
        raters), overall (weighted over the sources that are there), gap (self less the others), blind_spot,
        n_client, n_peer.
    rules : FeedbackRules
        How it was put together.
    """

    table: pd.DataFrame
    rules: FeedbackRules

    def frame(self) -> pd.DataFrame:
        """Return one row a person and question."""
        return self.table

    def by_subject(self) -> pd.DataFrame:
        """Return one row a person: mean over the questions of each score, and the number of blind spots."""
        groups = self.table.groupby("subject_id", sort=True)
        means = groups[[*SOURCES, "overall", "gap"]].mean()
        return means.assign(blind_spots=groups["blind_spot"].sum().astype(int)).reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Return the rows as plain data."""
        return {"rows": self.table.to_dict("records"), "weights": dict(self.rules.weights)}

    def _repr_html_(self) -> str:
        return str(self.by_subject().to_html(index=False))


def feedback_360(table: pd.DataFrame, rules: FeedbackRules | None = None) -> FeedbackReport:
    """Put 360-degree feedback together.

    Parameters
    ----------
    table : DataFrame
        One row a rating: subject_id (whom it is about), source ("client", "peer" or "self"), rater_id,
        question and score on the scale; a missing score is no answer.
    rules : FeedbackRules, default None
        None: the default ones.

    Returns
    -------
    FeedbackReport

    Raises
    ------
    MissingColumnError
        With all columns that `table` lacks.
    DataError
        With every fault: unknown sources, scores off the scale, a rater who answers twice.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({
    ...     "subject_id": "rm1", "question": "answers fast",
    ...     "source": ["client"] * 3 + ["peer"] * 2 + ["self"],
    ...     "rater_id": ["c1", "c2", "c3", "p1", "p2", "rm1"], "score": [3, 4, 2, 5, 5, 5],
    ... })
    >>> report = feedback_360(ratings)
    >>> report.frame()[["client", "peer", "self", "overall", "gap", "blind_spot"]].to_numpy().tolist()
    [[3.0, nan, 5.0, 3.0, 2.0, True]]
    """
    rules = FeedbackRules() if rules is None else rules
    _check(table, rules)
    known = table[table["score"].notna()]
    keys = ["subject_id", "question"]
    groups = known.groupby([*keys, "source"], sort=True)["score"]
    means, counts = groups.mean().unstack("source"), groups.size().unstack("source")
    means = means.reindex(columns=list(SOURCES)).astype("float64")
    counts = counts.reindex(columns=list(SOURCES)).fillna(0).astype(int)
    for source in ("client", "peer"):
        means[source] = means[source].where(counts[source] >= rules.min_raters)
    weight = np.array([rules.weights.get(source, 0.0) for source in SOURCES]) * means.notna().to_numpy()
    total = weight.sum(axis=1)
    summed = (weight * np.nan_to_num(means.to_numpy())).sum(axis=1)
    overall = np.divide(summed, total, out=np.full(len(means), np.nan), where=total > 0)
    others = _others(means, rules)
    gap = means["self"].to_numpy() - others
    found = means.assign(
        overall=overall,
        gap=gap,
        blind_spot=gap >= rules.blind_spot,
        n_client=counts["client"],
        n_peer=counts["peer"],
    ).reset_index()
    found.columns.name = None
    return FeedbackReport(found, rules)


def _others(means: pd.DataFrame, rules: FeedbackRules) -> np.ndarray:
    """Return the weighted mean of clients and peers."""
    columns = means[["client", "peer"]].to_numpy()
    weight = np.array([rules.weights.get(source, 0.0) for source in ("client", "peer")])
    weight = np.where(weight.sum() > 0, weight, 1.0) * ~np.isnan(columns)
    total = weight.sum(axis=1)
    summed = (weight * np.nan_to_num(columns)).sum(axis=1)
    return np.asarray(np.divide(summed, total, out=np.full(len(means), np.nan), where=total > 0))


def _check(table: pd.DataFrame, rules: FeedbackRules) -> None:
    names = ("subject_id", "source", "rater_id", "question", "score")
    check_columns(table.columns, names, subject="feedback_360")
    faults = []
    unknown = sorted({str(one) for one in table["source"].unique()} - set(SOURCES))
    if unknown:
        faults.append(f"source must be one of {', '.join(SOURCES)}; got {', '.join(unknown)}.")
    off = int((~table["score"].dropna().between(rules.low, rules.high)).sum())
    if off:
        faults.append(f"score must lie in [{rules.low:g}, {rules.high:g}]; {off} rows do not.")
    keys = ["subject_id", "source", "rater_id", "question"]
    faults += [
        f"{name} must not be missing; {int(table[name].isna().sum())} rows have none."
        for name in ("subject_id", "rater_id", "question")
        if table[name].isna().any()
    ]
    twice = int(table.duplicated(keys).sum())
    if twice:
        faults.append(f"a rater must answer a question once; {twice} rows are further answers.")
    other = table["source"].eq("self") & table["subject_id"].ne(table["rater_id"])
    if other.any():
        faults.append(f"self must be rated by the person; in {int(other.sum())} rows rater_id is another.")
    if faults:
        raise DataError("the feedback cannot be put together.", faults)
