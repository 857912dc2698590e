"""Bar 6: incidence by horizon and cause, and drivers, of a million clients on one core."""

from __future__ import annotations

import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import clientscore as cs
from common import SEED
from common.timing import Line

if TYPE_CHECKING:
    from collections.abc import Callable

N_FEATURES = 40
CAUSES = ("hard_attrition", "silent_attrition", "default", "scheduled_repayment")
HORIZONS = (3, 6, 12)
TRAIN_ROWS = 30_000
MOST_SECONDS, MOST_GIGABYTES, MOST_DRIVER_SECONDS = 15.0, 2.0, 30.0


def features(rows: int, seed: int) -> pd.DataFrame:
    """Return normal features."""
    values = np.random.default_rng([SEED, seed]).standard_normal((rows, N_FEATURES))
    return pd.DataFrame(values, columns=[f"x{j}" for j in range(N_FEATURES)])


def fitted(rows: int) -> cs.ChurnModel:
    """Fit the model on exits of four causes whose log rates are sums over ten features each."""
    X = features(rows, 0)
    generator = np.random.default_rng(SEED)
    values = X.to_numpy()
    rate = np.stack(
        [0.012 * np.exp(0.25 * values[:, 5 * k : 5 * k + 10].sum(axis=1)) for k in range(len(CAUSES))]
    )
    time_left = generator.standard_exponential(rows) / rate.sum(axis=0)
    cause = (generator.random(rows) * rate.sum(axis=0) > np.cumsum(rate, axis=0)[:-1]).sum(axis=0)
    gone = time_left < max(HORIZONS)
    duration = np.where(gone, np.ceil(time_left), max(HORIZONS)).astype(int)
    event = np.where(gone, np.array(CAUSES, dtype=object)[cause], None)
    target = pd.DataFrame({"duration": np.maximum(duration, 1), "event": event}, index=X.index)
    return cs.ChurnModel(horizons=HORIZONS, random_state=0).fit(X, target)


def lines(rows: int, train_rows: int = TRAIN_ROWS) -> list[Line]:
    """Time prediction and drivers in a process of their own, whose peak of memory is theirs."""
    state = fitted(train_rows).to_state()
    with get_context("spawn").Pool(1) as pool:
        found = pool.apply(_measure, (state, rows))
    what = f"{rows:,} clients x {len(HORIZONS)} horizons x {len(CAUSES)} causes, {N_FEATURES} features"
    made = [
        ("incidence and survival", found["seconds"], "s", MOST_SECONDS),
        ("peak memory of the process, the features in it", found["gigabytes"], "GB", MOST_GIGABYTES),
        ("drivers, three a client", found["driver_seconds"], "s", MOST_DRIVER_SECONDS),
    ]
    out = [
        Line(f"{words}, {what}", value, unit, f"at most {most:g}", value <= most)
        for words, value, unit, most in made
    ]
    out.append(Line("peak memory with the drivers", found["driver_gigabytes"], "GB"))
    out.append(Line("the features alone", found["features_gigabytes"], "GB"))
    return out


def _measure(state: dict[str, object], rows: int) -> dict[str, float]:
    model, X = cs.ChurnModel.from_state(state), features(rows, 1)
    found = {"features_gigabytes": _peak()}
    found["seconds"] = _seconds(lambda: model.predict_cumulative_incidence(X))
    found["gigabytes"] = _peak()
    found["driver_seconds"] = _seconds(lambda: model.drivers(X, n=3))
    found["driver_gigabytes"] = _peak()
    return found


def _seconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def _peak() -> float:
    """Return the most memory this process has held so far, in GB; `getrusage` counts the parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024**2
