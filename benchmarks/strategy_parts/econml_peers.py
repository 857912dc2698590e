"""Effects of EconML's learners, fitted in an environment of its own.

Run ``python econml_peers.py in.npz out.npz "learner" seed``, or ``--versions``.

EconML is no dependency of this project, so this file imports nothing of it: arrays come in (X, treatment,
outcome, one row of `train` a split) and predicted effects of the other rows go out, one array a learner.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import numpy as np
from econml.dml import CausalForestDML
from econml.dr import DRLearner, LinearDRLearner
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.linear_model import LogisticRegression

PACKAGES = ("econml", "scikit-learn", "lightgbm", "numpy")


def nuisance(kind: type, seed: int) -> object:
    """Return the outcome model that every peer gets: small trees, many rows in a leaf."""
    return kind(
        n_estimators=100,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=100,
        random_state=seed,
        n_jobs=1,
        verbosity=-1,
    )


def dr_linear(seed: int) -> object:
    return LinearDRLearner(
        model_propensity=LogisticRegression(),
        model_regression=nuisance(LGBMClassifier, seed),
        discrete_outcome=True,
        cv=5,
        random_state=seed,
    )


def dr_boosted(seed: int) -> object:
    return DRLearner(
        model_propensity=LogisticRegression(),
        model_regression=nuisance(LGBMClassifier, seed),
        model_final=nuisance(LGBMRegressor, seed),
        discrete_outcome=True,
        cv=5,
        random_state=seed,
    )


def forest(seed: int, **settings: int) -> object:
    return CausalForestDML(
        model_y=nuisance(LGBMClassifier, seed),
        model_t=LogisticRegression(),
        discrete_treatment=True,
        discrete_outcome=True,
        cv=5,
        n_jobs=1,
        random_state=seed,
        **settings,
    )


LEARNERS = {
    "EconML DR, linear": dr_linear,
    "EconML DR, boosted": dr_boosted,
    "EconML causal forest": forest,
    "EconML causal forest, large leaves": lambda seed: forest(seed, n_estimators=400, min_samples_leaf=100),
}


def main() -> None:
    """Fit every learner named on every split asked for."""
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps({name: version(name) for name in PACKAGES}))
        return
    source, target, name, seed = sys.argv[1:5]
    with np.load(source) as file:
        X, treatment, outcome, train = (file[key] for key in ("X", "treatment", "outcome", "train"))
    learner = LEARNERS[name](int(seed))
    learner.fit(outcome[train], treatment[train], X=X[train])
    np.savez_compressed(target, effect=np.asarray(learner.effect(X[~train])).ravel())


if __name__ == "__main__":
    main()
