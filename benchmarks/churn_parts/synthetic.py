"""Bar 2: three competing causes whose true curves are known.

The generator of hazardous draws a shape and a scale of a Weibull law for each cause and client, and shows
them as features: the cause-specific hazards are known, so survival is ``exp(-sum of (t / scale)^shape)`` and
the incidences are its integrals. The seed is a RandomState object: an integer is handed on to the draw of
events and to that of censoring, which are then dependent. Features are not rounded, so that the truth is
that of the features shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore import metrics
from common.intervals import over_splits
from common.page import Page, grid, short

from .curves import survival
from .data import Split, SurvivalSet
from .models import MODELS, OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cache import Cache

SEEDS = 10
ROWS = 10_000  # half of them for training
N_CAUSES = 3
N_TIMES = 30
STEPS = 2_000  # of the integral of the true incidence
HAZARD = "lightgbm hazard"


def make(seed: int, rows: int = ROWS) -> SurvivalSet:
    """Draw one set; its times lie evenly up to the .95 quantile of the training events' times."""
    from hazardous.data import make_synthetic_competing_weibull  # noqa: PLC0415 - only where it is asked for

    X, y = make_synthetic_competing_weibull(
        n_events=N_CAUSES,
        n_samples=rows,
        return_X_y=True,
        feature_rounding=None,
        target_rounding=None,
        random_state=np.random.RandomState(seed),
    )
    duration, event = y["duration"].to_numpy(), y["event"].to_numpy()
    train, test = np.arange(rows // 2), np.arange(rows // 2, rows)
    gone = event[train] > 0
    last = float(np.quantile(duration[train][gone], 0.95))
    times = last * np.arange(1, N_TIMES + 1) / N_TIMES
    causes = tuple(f"cause_{k}" for k in range(1, N_CAUSES + 1))
    return SurvivalSet(f"weibull_{seed}", X, duration, event, causes, (Split(train, test, times),))


def true_incidence(X: pd.DataFrame, times: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Return the true incidences (rows, times, causes).

    The integral of S dH over even steps in sqrt(time), each cause's own increment with S at the middle.
    """
    shape = X[[f"shape_{k}" for k in range(1, N_CAUSES + 1)]].to_numpy()[:, None]
    scale = X[[f"scale_{k}" for k in range(1, N_CAUSES + 1)]].to_numpy()[:, None]
    out = np.empty((len(X), len(times), N_CAUSES))
    gone, before = np.zeros((len(X), N_CAUSES)), np.zeros((len(X), N_CAUSES))
    points = np.unique(np.concatenate([times[-1] * (np.arange(1, steps + 1) / steps) ** 2, times]))
    place = {time: number for number, time in enumerate(times)}
    for point in points:
        now = ((point / scale) ** shape)[:, 0]
        step = now - before
        total = step.sum(axis=1)
        left = np.exp(-before.sum(axis=1)) * -np.expm1(-total)
        share = np.divide(step, total[:, None], out=np.zeros_like(step), where=total[:, None] > 0)
        gone = gone + left[:, None] * share
        before = now
        if point in place:
            out[:, place[point]] = gone
    return out


def measure(seeds: Sequence[int], rows: int, models: Sequence[str], cache: Cache) -> pd.DataFrame:
    """Return one row a model and seed: mean integrated squared errors, and the IBS of any event."""
    found = []
    for seed in seeds:
        data = make(seed, rows)
        test, split = data.rows(0, train=False), data.splits[0]
        truth = true_incidence(test.X, split.times)
        train = data.rows(0, train=True)
        oracle = {"model": "truth", "seed": seed, "error": "", "mise_survival": 0.0, "mise_incidence": 0.0}
        at = {"times": split.times, "train": (train.duration, train.event)}
        found.append(
            {**oracle, "ibs": metrics.ibs_survival(test.duration, test.event, survival(truth), **at)}
        )
        for name in models:
            made = cache.get(MODELS[name], data, 0)
            row = {"model": name, "seed": seed, "error": made.error}
            if made.incidence is not None:
                alive = survival(made.incidence)
                row["mise_survival"] = float(((alive - survival(truth)) ** 2).mean())
                row["mise_incidence"] = float(((made.incidence - truth) ** 2).mean())
                row["ibs"] = metrics.ibs_survival(test.duration, test.event, alive, **at)
                row["late_shift"] = float((alive - survival(truth))[:, -1].mean())
                row["fit_seconds"] = made.fit_seconds
            found.append(row)
    return pd.DataFrame(found)


def add(page: Page, table: pd.DataFrame) -> None:
    """Add tables and bars."""
    names = ["mise_survival", "mise_incidence", "ibs", "late_shift", "fit_seconds"]
    mean = table.groupby("model", sort=False)[names].mean()
    rows = [
        [
            name,
            f"{1000 * mean.at[name, 'mise_survival']:.3f}",
            f"{1000 * mean.at[name, 'mise_incidence']:.3f}",
            short(mean.at[name, "ibs"], 5),
            f"{mean.at[name, 'late_shift']:+.4f}" if name != "truth" else "",
            short(mean.at[name, "fit_seconds"], 2),
        ]
        for name in mean.index
    ]
    head = ["model", "MISE of S x 1000", "MISE of incidence x 1000", "IBS", "late S - truth", "fit, CPU s"]
    note = (
        f"{table['seed'].nunique()} seeds, half of the rows to learn from; {N_TIMES} even times up to the "
        ".95 quantile of the events. MISE: mean squared error against the true curves over clients and "
        "times, of incidence over causes too. The seed is a RandomState object; with an integer, events and "
        "censoring would be dependent."
    )
    errors = table.loc[table["error"].ne(""), ["model", "error"]].drop_duplicates()
    failed = "\n".join(f"- {one.model}: {one.error}" for one in errors.itertuples())
    gaps, bars = [], {}
    for one in ("mise_survival", "mise_incidence"):
        wide = table.pivot(index="seed", columns="model", values=one).drop(columns="truth")
        for name in wide.columns.drop(OURS):
            gap = over_splits(wide[OURS].to_numpy(), wide[name].to_numpy())
            bars.setdefault(one, {})[name] = gap
    for name in bars["mise_survival"]:
        cells = [bars[one][name] for one in ("mise_survival", "mise_incidence")]
        gaps.append(
            [name, *(f"{1000 * g.value:+.3f} [{1000 * g.low:+.3f}, {1000 * g.high:+.3f}]" for g in cells)]
        )
    page.add(
        "Competing causes with known curves",
        note,
        grid(head, rows),
        "Ours - peer (x 1000), 95 % interval of the mean over the seeds:",
        grid(["against", "MISE of S", "MISE of incidence"], gaps),
        failed,
    )
    for one, words in (("mise_survival", "S"), ("mise_incidence", "incidence")):
        peers = mean[one].drop([OURS, "truth"]).dropna()
        figure = f"{1000 * mean.at[OURS, one]:.3f}, best other {peers.idxmin()} {1000 * peers.min():.3f}"
        page.bar(
            f"2: MISE of {words} below every peer and the plain hazard",
            figure,
            bool(mean.at[OURS, one] < peers.min()),
        )
