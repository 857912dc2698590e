"""Who is moved by a mail: effects on the test of Hillstrom (2008) against EconML's learners.

Women's mail against none, outcome visit; 20 times half of each arm trains and the other half measures. Ours
is `ChosenLearner` with its defaults: the weights of its candidates come from the training half alone. Its
candidates and their settings were tried on the other arm of the same test (men's mail against none), never on
women's mail. EconML runs in an environment of its own (``--econml-python``, or CLIENTSCORE_ECONML_PYTHON);
its predictions are kept by versions, settings, split and data.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from clientscore.effects import ChosenLearner, qini
from common.intervals import over_splits
from common.page import grid, short

from .hillstrom_data import PEERS, TRAIN_SHARE, Peers, load

if TYPE_CHECKING:
    import argparse

    from common.page import Page

    from .hillstrom_data import Mail

SPLITS, QUICK_SPLITS = 20, 2
OURS = "chosen learner"
RANDOM = "random order"


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Add the interpreter of EconML."""
    arguments.add_argument(
        "--econml-python",
        default=os.environ.get("CLIENTSCORE_ECONML_PYTHON"),
        help="python of an environment with econml; without it kept predictions alone",
    )


def run(page: Page, options: argparse.Namespace) -> None:
    """Measure every split, add the table, and the bar."""
    mail = load(Path(options.data))
    peers = Peers(Path(options.cache) / "hillstrom", options.econml_python)
    splits = mail.splits(QUICK_SPLITS if options.quick else SPLITS)
    work = (delayed(one_split)(mail, train, peers, number) for number, train in enumerate(splits))
    rows, weights = zip(*Parallel(n_jobs=options.jobs)(work), strict=True)
    add(page, pd.DataFrame(rows), pd.DataFrame(weights), peers.versions)


def one_split(
    mail: Mail, train: np.ndarray, peers: Peers, number: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the Qini of every learner on the rows that did not train, and the weights of ours."""
    learner = ChosenLearner(random_state=number)
    learner.fit(mail.X[train], mail.treatment[train], mail.outcome[train], propensity=0.5)
    found = {OURS: learner.predict_effect(mail.X[~train]).to_numpy()}
    for name in PEERS:
        effect = peers.effect(mail, name, train)
        if effect is not None:
            found[name] = effect
    found[RANDOM] = np.random.default_rng(number).random(int((~train).sum()))
    figures = {
        name: qini(effect, mail.treatment[~train], mail.outcome[~train], n_bootstrap=0).qini
        for name, effect in found.items()
    }
    told = {**learner.weights_, "p-value of differences": learner.heterogeneity_p_value_}
    return figures, told


def add(page: Page, table: pd.DataFrame, weights: pd.DataFrame, versions: dict[str, str]) -> None:
    """Add the section and the bar."""
    rows = []
    for name in table.columns:
        gap = over_splits(table[OURS].to_numpy(), table[name].to_numpy())
        told = f"{short(gap.value, 5)} ({short(gap.low, 5)} to {short(gap.high, 5)})" if name != OURS else ""
        rows.append([name, short(table[name].mean(), 5), short(table[name].std(), 5), told])
    peers = [name for name in PEERS if name in table and table[name].notna().all()]
    if peers:
        best = table[peers].mean().idxmax()
        gap = over_splits(table[OURS].to_numpy(), table[best].to_numpy())
        figure = (
            f"{short(table[OURS].mean(), 5)} against {short(table[best].mean(), 5)} of {best}, difference "
            f"{short(gap.value, 5)} ({short(gap.low, 5)} to {short(gap.high, 5)}), not below 0"
        )
        page.bar("3: mean Qini on women's mail, not below the best of EconML", figure, bool(gap.high >= 0))
    else:
        page.bar("3: mean Qini on women's mail", short(table[OURS].mean(), 5), None)
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    mean = ", ".join(f"{name} {short(value, 2)}" for name, value in weights.mean().items())
    page.add(
        "Women's mail against none, visit",
        f"{len(table)} splits, {TRAIN_SHARE:.0%} of each arm train; peers: {listed or 'kept predictions'}. "
        "Qini: area "
        "between the targeting curve and a random order, visits a client. Splits share rows: intervals "
        "tell the "
        "noise of splitting.",
        grid(["learner", "mean Qini", "SD over splits", "chosen learner is above by"], rows),
        f"Mean weights of the candidates: {mean}.",
    )
