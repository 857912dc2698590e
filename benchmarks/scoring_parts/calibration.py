"""Bar 5: slope and expected calibration error out of time, as fitted and calibrated on the latest window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit, logit

import clientscore as cs
from clientscore.scale import calibrate_logistic
from common import SEED
from common.chance import error_of_truth

from .quality import CARD

if TYPE_CHECKING:
    from .folds import LabelledSet, Split
    from .quality import SetResult

WINDOW = 0.2  # least share of the training rows in the latest window
SLOPES = (0.9, 1.1)
MOST_ECE = 0.01
N_BINS = 10


def calibrated(data: LabelledSet, split: Split) -> np.ndarray:
    """Return the probabilities of a card calibrated on the latest window of the training rows.

    The card learns from the rows before the window, as far before it as the test lies after the training;
    `recalibrate` then chooses a calibration on the window. A set without time holds out clients instead.
    """
    train, test = split
    early, late = latest_window(data, split)
    early, late = train[early], train[late]
    groups = None if data.groups is None else data.groups[early]
    scorer = cs.ClientScorer(random_state=0).fit(data.X.iloc[early], data.y[early], groups=groups)
    later = scorer.recalibrate(data.X.iloc[late], data.y[late], method="auto")
    return later.predict_proba(data.X.iloc[test])[:, 1]


def latest_window(data: LabelledSet, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Tell which training rows lie before the latest window, and which in it."""
    train, test = split
    if data.time is None:
        clients = np.unique(data.clusters[train])
        held = np.random.default_rng(SEED).permutation(clients)[: int(WINDOW * len(clients))]
        late = np.isin(data.clusters[train], held)
        return ~late, late
    time = data.time[train]
    gap = data.time[test].min() - time.max()
    start = np.sort(time)[int((1 - WINDOW) * len(time))]  # whole dates, so the window may be longer
    late = time >= start
    return time <= start - gap, late


def table(data: LabelledSet, result: SetResult) -> pd.DataFrame:
    """Return one row a split (the first only, without time): slope and ECE of the default and calibrated."""
    rows = []
    for fold, split in enumerate(data.splits if data.time is not None else data.splits[:1]):
        y, default, _ = result.parts[CARD][fold]
        row: dict[str, float] = {"split": fold + 1, "events": int(y.sum())}
        for name, p in {"default": default, "calibrated": calibrated(data, split)}.items():
            row[f"{name}_slope"], row[f"{name}_error"] = slope_of(y, p)
            row[f"{name}_ece"] = expected_error(y, p)
            row[f"{name}_shift"] = float(p.mean() - y.mean())
        row["ece_of_truth"] = error_of_truth(p, N_BINS)
        slope_holds = SLOPES[0] <= row["calibrated_slope"] <= SLOPES[1]
        rows.append({"set": data.name, **row, "met": slope_holds and row["calibrated_ece"] <= MOST_ECE})
    return pd.DataFrame(rows)


def slope_of(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Return the slope of a logistic regression of y on the log-odds, and its standard error."""
    x = logit(np.clip(p, 1e-12, 1 - 1e-12))
    intercept, slope = calibrate_logistic(x, y)
    fitted = expit(intercept + slope * x)
    design = np.column_stack([np.ones(len(x)), x])
    information = (design * (fitted * (1 - fitted))[:, None]).T @ design
    return slope, float(np.sqrt(np.linalg.inv(information)[1, 1]))


def expected_error(y: np.ndarray, p: np.ndarray) -> float:
    """Return the mean distance of predicted and realized rate over ten bins of equal size."""
    bins = cs.metrics.calibration_table(y, p, n_bins=N_BINS)
    distance = (bins["predicted"] - bins["realized"]).abs()
    return float(np.average(distance, weights=bins["weight"]))
