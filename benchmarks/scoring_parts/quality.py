"""Bars 1 and 2: log loss, AUC and Brier of every model on every set, ranks, and paired differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import clientscore as cs
from common.paired import Difference, auc_difference, loss_difference, row_loss

from .folds import N_FOLDS
from .peers import MODELS, PEERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cache import Cache
    from .folds import LabelledSet

CARD, WOE, TREES, EBM = "card", "card (woe)", "bagged lightgbm", "ebm"
NOT_YET = "not fitted yet"
LARGE_GAP = 0.006  # of the best peer's log loss
US_BARS = {  # most that the card's log loss may stand above the trees'
    "us_bankruptcy": {"plain": 0.0003, "own": 0.0003},
    "us_exit": {"plain": 0.0005, "own": 0.0005},
    "us_debt_growth": {"plain": 0.002, "own": 0.003},
}


@dataclass(frozen=True)
class SetResult:
    """What every model did on one set; models that failed in a split are in `errors` only."""

    name: str
    how: str
    rows: int
    columns: int
    large: bool
    folds: pd.DataFrame  # model, fold, rows, events, auc, log_loss, brier, seconds, note
    losses: dict[str, np.ndarray]  # mean log loss of each tested row
    clusters: np.ndarray  # of the tested rows
    parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]  # y, probability, clusters a fold
    errors: dict[str, str]

    def log_loss(self, model: str) -> float:
        """Mean log loss over the tested rows; missing where the model failed."""
        return float(self.losses[model].mean()) if model in self.losses else float("nan")

    def auc(self, model: str) -> float:
        """Mean AUC over the splits; missing where the model failed."""
        found = self.folds.loc[self.folds["model"] == model, "auc"]
        return float(found.mean()) if model in self.losses else float("nan")

    @property
    def events(self) -> int:
        """Events among the tested rows, each counted once a split."""
        return int(self.folds.loc[self.folds["model"] == self.folds["model"].iloc[0], "events"].sum())

    def best_peer(self) -> str:
        """Name of the peer with the lowest log loss."""
        return min((name for name in self.losses if name in PEERS), key=self.log_loss)

    def difference(self, ours: str, theirs: str) -> Difference:
        """Log loss of `ours` less that of `theirs`."""
        return loss_difference(self.losses[ours], self.losses[theirs], self.clusters)

    def auc_difference(self, ours: str, theirs: str) -> Difference:
        """AUC of `ours` less that of `theirs`."""
        pairs = zip(self.parts[ours], self.parts[theirs], strict=True)
        return auc_difference([(y, p, q, who) for (y, p, who), (_, q, _) in pairs])


def measure(data: LabelledSet, models: Sequence[str], cache: Cache, *, fit_peers: bool = True) -> SetResult:
    """Run or look up every model on every split of a set; a peer that may not be fitted must be kept."""
    if not fit_peers:
        data = first_round(data, models, cache)
    rows: list[dict[str, object]] = []
    losses: dict[str, np.ndarray] = {}
    parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    errors: dict[str, str] = {}
    times = np.bincount(np.concatenate([test for _, test in data.splits]), minlength=len(data.y))
    tested = times > 0
    for model in models:
        total, done = np.zeros(len(data.y)), []
        for fold, split in enumerate(data.splits):
            made = cache.get(MODELS[model], data, split, fit=fit_peers or MODELS[model].ours)
            if made is None or made.p is None:
                rows = [row for row in rows if row["model"] != model]
                errors[model] = NOT_YET if made is None else made.error
                break
            y = data.y[split[1]]
            total[split[1]] += row_loss(y, made.p)
            done.append((y, made.p, data.clusters[split[1]]))
            rows.append({"model": model, "fold": fold, **figures(y, made.p), "seconds": made.seconds})
            rows[-1]["note"] = made.note
        else:
            losses[model], parts[model] = total[tested] / times[tested], done
    return SetResult(
        data.name,
        data.how,
        len(data.y),
        data.X.shape[1],
        data.large,
        pd.DataFrame(rows),
        losses,
        data.clusters[tested],
        parts,
        errors,
    )


def first_round(data: LabelledSet, models: Sequence[str], cache: Cache) -> LabelledSet:
    """Return the set with its first round of folds alone where some peer was not kept on the second.

    All models are then judged on that round, and the words of the split say so.
    """
    if len(data.splits) <= N_FOLDS:
        return data
    late = [
        name
        for name in models
        if not MODELS[name].ours
        and all(cache.path(MODELS[name], data, split).exists() for split in data.splits[:N_FOLDS])
        and not all(cache.path(MODELS[name], data, split).exists() for split in data.splits[N_FOLDS:])
    ]
    if not late:
        return data
    how = f"{data.how}; judged on the first time, {', '.join(late)} was not fitted on the second"
    return replace(data, splits=data.splits[:N_FOLDS], how=how)


def figures(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """Return the measures of one test part."""
    return {
        "rows": len(y),
        "events": int(y.sum()),
        "auc": cs.metrics.auc(y, p),
        "log_loss": cs.metrics.log_loss(y, p),
        "brier": cs.metrics.brier(y, p),
    }


def ranks(results: Sequence[SetResult], ours: str, measure: str) -> pd.Series:
    """Return the mean rank over the sets of one of our cards and the peers; a failure ranks last.

    Sets on which a peer is still to be fitted are left out.
    """
    results = [one for one in results if NOT_YET not in one.errors.values()]
    names = [ours, *(name for name in PEERS if any(name in one.losses for one in results))]
    worst = np.inf if measure == "log_loss" else -np.inf
    table = pd.DataFrame(
        [{name: getattr(one, measure)(name) for name in names} for one in results],
    ).fillna(worst)
    return table.rank(axis=1, ascending=measure == "log_loss").mean().sort_values()


def compare(results: Sequence[SetResult]) -> pd.DataFrame:
    """Return one row a set: the card against its best peer by log loss, and whether its bar holds.

    Small sets: the interval is not wholly worse. Large ones: the gap is at most .6 % of the peer's loss.
    """
    rows = []
    for one in results:
        if CARD not in one.losses or not set(one.losses) & set(PEERS):
            continue
        peer = one.best_peer()
        gap = one.difference(CARD, peer)
        relative = gap.value / one.log_loss(peer)
        rows.append(
            {
                "set": one.name,
                "rows": one.rows,
                "card": one.log_loss(CARD),
                "best_peer": peer,
                "peer": one.log_loss(peer),
                "gap": gap.value,
                "low": gap.low,
                "high": gap.high,
                "relative": relative,
                "wholly_worse": gap.low > 0,
                "met": relative <= LARGE_GAP if one.large else gap.low <= 0,
            }
        )
    return pd.DataFrame(rows)


def compare_us(results: Sequence[SetResult]) -> pd.DataFrame:
    """Return the card against bagged trees and EBM on the listed companies, with the bars of the trees."""
    rows = []
    for one in results:
        target, _, features = one.name.rpartition("_")
        for peer in (TREES, EBM):
            if target not in US_BARS or not {CARD, peer} <= set(one.losses):
                continue
            loss, auc = one.difference(CARD, peer), one.auc_difference(CARD, peer)
            most = US_BARS[target][features] if peer == TREES else 0.0
            rows.append(
                {
                    "set": one.name,
                    "against": peer,
                    "auc": auc.value,
                    "auc_low": auc.low,
                    "auc_high": auc.high,
                    "loss": loss.value,
                    "low": loss.low,
                    "high": loss.high,
                    "most": most,
                    "met": loss.value <= most if peer == TREES else loss.value < 0,
                }
            )
    return pd.DataFrame(rows)
