"""Bar 1: one event on a continuous clock, the serum free light chains of 7,874 people.

``chapter`` is the cause of death, a leak, and is dropped. Ten splits by seed, 30 % test; every model is asked
at 15 quantiles of the training events' times, .05 to .95.

``sample_yr`` sets the date of censoring: everyone was followed to about the same day. The usual weights take
one law of censoring for all and are wrong here: at late times somebody sampled late counts only once dead, so
that a model gains by calling all of them dead. The score with weights by year of sampling stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from clientscore import metrics
from common.chance import error_of_truth
from common.intervals import over_splits
from common.page import Page, grid, short

from .curves import risk_of, survival
from .data import Split, SurvivalSet, event_quantiles
from .models import MODELS, OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.paired import Difference

    from .cache import Cache
    from .models import Prediction

SEEDS = 10
TEST_SHARE = 0.3
LEVELS = np.linspace(0.05, 0.95, 15)
YEAR, LEAST_ROWS, LATE_YEAR = "sample_yr", 40, 2000
MEASURES = {
    "ibs": ("IBS", 5),
    "ibs_by_year": ("IBS by year", 5),
    "late_survival": ("S of late years", 3),
    "uno_c": ("Uno C", 4),
    "mean_auc": ("mean AUC", 4),
    "ici": ("ICI", 4),
    "fit_seconds": ("fit, CPU s", 2),
    "predict_seconds": ("predict, CPU s", 2),
}
COMPARED = ("ibs", "ibs_by_year", "uno_c", "mean_auc")
BOOST = "survivalboost"
MOST_ICI, MOST_TIME = 0.015, 0.1


def load_flchain(n_seeds: int = SEEDS, n_rows: int | None = None) -> SurvivalSet:
    """Load the set; durations of zero days count as half a day."""
    from sksurv.datasets import load_flchain as load  # noqa: PLC0415 - only where it is asked for

    X, y = load()
    # Years and counts are numbers; sex, MGUS and the group of the light chain are text.
    text = ["sex", "mgus", "flc.grp"]
    X = X.drop(columns="chapter")
    X = X.assign(**{name: X[name].astype(str) for name in text if name in X})
    X = X.astype({name: float for name in X if name not in text}).reset_index(drop=True)
    X.columns = [name.replace(".", "_") for name in X]
    event, duration = y["death"].astype(int), np.maximum(y["futime"].astype(float), 0.5)
    if n_rows is not None:
        X, event, duration = X.head(n_rows), event[:n_rows], duration[:n_rows]
    splits = []
    for seed in range(n_seeds):
        train, test = train_test_split(
            np.arange(len(X)), test_size=TEST_SHARE, random_state=seed, stratify=event
        )
        splits.append(Split(train, test, event_quantiles(duration[train], event[train], LEVELS)))
    return SurvivalSet("flchain", X, duration, event, ("death",), tuple(splits))


def measure(data: SurvivalSet, models: Sequence[str], cache: Cache) -> pd.DataFrame:
    """Return one row a model and split; a model that fails has its error and no figures."""
    rows = []
    for name in models:
        for place in range(len(data.splits)):
            made = cache.get(MODELS[name], data, place)
            figures = {} if made.incidence is None else judge(data, place, made)
            rows.append({"model": name, "split": place, "error": made.error, **figures})
    return pd.DataFrame(rows)


def judge(data: SurvivalSet, place: int, made: Prediction) -> dict[str, float]:
    """Return every measure of one split."""
    train, test = data.rows(place, train=True), data.rows(place, train=False)
    times = data.splits[place].times
    follow_up = (train.duration, train.event)
    alive = survival(made.incidence)
    middle = len(times) // 2
    at = {"times": times, "train": follow_up}
    return {
        "ibs": metrics.ibs_survival(test.duration, test.event, alive, **at),
        "ibs_by_year": ibs_by_year(data, place, alive),
        "late_survival": float(alive[(test.X[YEAR] >= LATE_YEAR).to_numpy(), -1].mean()),
        "uno_c": metrics.uno_c(
            test.duration, test.event, risk_of(made.incidence), train=follow_up, tau=times[-1]
        ),
        "mean_auc": metrics.mean_dynamic_auc(test.duration, test.event, 1 - alive, **at),
        "ici": metrics.ici(test.duration, test.event, 1 - alive[:, middle], horizon=times[middle]),
        "ici_of_truth": error_of_truth(1 - alive[:, middle]),
        "fit_seconds": made.fit_seconds,
        "predict_seconds": made.predict_seconds,
    }


def ibs_by_year(data: SurvivalSet, place: int, alive: np.ndarray) -> float:
    """Return the IBS with the weights of each row's own year of sampling, over the years still in sight."""
    train, test = data.rows(place, train=True), data.rows(place, train=False)
    times = np.asarray(data.splits[place].times)
    total, rows = np.zeros(len(times)), np.zeros(len(times))
    for year, judged in test.X.groupby(YEAR).indices.items():
        known = (train.X[YEAR] == year).to_numpy()
        in_sight = times < train.duration[known].max()
        if len(judged) < LEAST_ROWS or not in_sight.any():
            continue
        score = metrics.brier_survival(
            test.duration[judged],
            test.event[judged],
            alive[np.ix_(judged, in_sight)],
            times=times[in_sight],
            train=(train.duration[known], train.event[known]),
        ).to_numpy()
        there = np.flatnonzero(in_sight)[np.isfinite(score)]
        total[there] += len(judged) * score[np.isfinite(score)]
        rows[there] += len(judged)
    return float(np.trapezoid(total / rows, times) / np.ptp(times))


def differences(table: pd.DataFrame, measure: str) -> dict[str, Difference]:
    """Return ours less each peer, paired over the splits."""
    wide = table.pivot(index="split", columns="model", values=measure)
    whole = wide.columns[wide.notna().all()]
    ours = wide[OURS].to_numpy()
    return {name: over_splits(ours, wide[name].to_numpy()) for name in whole if name != OURS}


def add(page: Page, table: pd.DataFrame) -> None:
    """Add tables and bars."""
    mean = table.groupby("model", sort=False)[list(MEASURES)].mean()
    rows = [
        [name, *(short(mean.at[name, one], digits) for one, (_, digits) in MEASURES.items())]
        for name in mean.index
    ]
    gaps = {one: differences(table, one) for one in COMPARED}
    pairs = [
        [name, *(_interval(gaps[one][name]) for one in gaps)] for name in gaps["ibs"] if name in gaps["uno_c"]
    ]
    note = (
        f"{table['split'].nunique()} splits by seed, 30 % test, times at 15 quantiles of the training "
        "events; means over the splits. Uno C ranks by the mean over the times of 1 - S, for every model. "
        "ICI: mean absolute error of deciles against Kaplan-Meier at the middle time. IBS by year: with "
        "weights by year of sampling, which sets the date of censoring. S of late years: mean survival at "
        f"the last time given to those sampled from {LATE_YEAR} on (of all rows about .7 are alive then)."
    )
    errors = table.loc[table["error"].ne(""), ["model", "error"]].drop_duplicates()
    failed = "\n".join(f"- {one.model}: {one.error}" for one in errors.itertuples())
    differ = "Ours - peer, 95 % interval of the mean over the splits:"
    page.add(
        "One event: flchain",
        note,
        grid(["model", *(words for words, _ in MEASURES.values())], rows),
        differ,
        grid(["against", *(MEASURES[one][0] for one in COMPARED)], pairs),
        failed,
    )
    _bars(page, table, mean, gaps)


def _bars(
    page: Page, table: pd.DataFrame, mean: pd.DataFrame, gaps: dict[str, dict[str, Difference]]
) -> None:
    if BOOST in gaps["ibs"]:
        gap = gaps["ibs"][BOOST]
        page.bar("1: mean IBS not above SurvivalBoost's", _interval(gap), bool(gap.low <= 0))
        gap = gaps["ibs_by_year"][BOOST]
        page.bar("1: the same, weights by year of sampling", _interval(gap), bool(gap.low <= 0))
        share = mean.at[OURS, "fit_seconds"] / mean.at[BOOST, "fit_seconds"]
        figure = f"{mean.at[OURS, 'fit_seconds']:.2f} s, {share:.3f} of SurvivalBoost's"
        page.bar("1: fit at most 1/10 of SurvivalBoost's CPU", figure, bool(share <= MOST_TIME))
    for one, words in (("uno_c", "Uno C"), ("mean_auc", "mean AUC")):
        peers = mean[one].drop(OURS).dropna()
        best = peers.idxmax()
        gap = gaps[one][best]
        figure = f"{short(mean.at[OURS, one])}, {best} {short(peers[best])}, {_interval(gap)}"
        page.bar(f"1: {words} not below the best peer's", figure, bool(gap.high >= 0))
    ici = mean.at[OURS, "ici"]
    chance = table.loc[table["model"].eq(OURS), "ici_of_truth"].mean()
    figure = f"{short(ici)} (a true forecast has {short(chance)} by chance)"
    page.bar("1: ICI at most .015", figure, bool(ici <= MOST_ICI))


def _interval(gap: Difference) -> str:
    return f"{gap.value:+.5f} [{gap.low:+.5f}, {gap.high:+.5f}]"
