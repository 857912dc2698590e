"""What the card is compared with: each peer learns on one split and gives probabilities, on one thread.

Peers get every column of the set. Text goes to them in the form their own documentation asks for.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import clientscore as cs
from common import SEED

from .folds import LARGE

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(__file__).resolve().parents[2] / "src" / "clientscore"
EBM_CELLS = 300_000  # rows x columns above which EBM gets 4 outer bags and 15 pairs
HGB_LEVELS = 250  # the most that HistGradientBoosting takes is 255 in all
Groups = np.ndarray | None


@dataclass(frozen=True)
class Model:
    """A way to learn: `run` takes features, outcome, clients and test features and returns probabilities."""

    name: str
    run: Callable[[pd.DataFrame, np.ndarray, Groups, pd.DataFrame, dict[str, Any]], np.ndarray]
    settings: Callable[[int, int], dict[str, Any]]  # from rows and columns of the whole set
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = field(default=())  # files of our own that the result depends on
    ours: bool = False

    def identity(self, settings: dict[str, Any]) -> str:
        """Name, versions and settings as text: part of the key of a kept prediction."""
        versions = {package: version(package) for package in self.packages}
        digest = hashlib.sha256()
        for pattern in self.sources:
            for file in sorted(SOURCE.glob(pattern)):
                digest.update(file.read_bytes())
        return json.dumps([self.name, versions, settings, digest.hexdigest()], sort_keys=True)


@dataclass(frozen=True)
class Prediction:
    """What a model said of one split, or the error it ended with."""

    p: np.ndarray | None
    error: str
    seconds: float  # CPU of fit and prediction: for information, never a timing bar
    note: str = ""


def predict(
    model: Model,
    X: pd.DataFrame,
    y: np.ndarray,
    groups: Groups,
    X_test: pd.DataFrame,
    shape: tuple[int, int] | None = None,
) -> Prediction:
    """Learn and predict; a model that fails is recorded with its error; `shape` is that of the whole set."""
    settings = model.settings(*(shape or X.shape))
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            p = np.asarray(model.run(X, y, groups, X_test, settings), dtype=float)
        if p.shape != (len(X_test),) or not np.isfinite(p).all():
            raise ValueError(f"{int((~np.isfinite(p)).sum())} of {len(X_test)} probabilities are not numbers")  # noqa: TRY301
    except Exception as error:  # noqa: BLE001 - a benchmark reports how a peer fails
        text = f"{type(error).__name__}: {error}"[:300]
        return Prediction(None, text, time.process_time() - start, settings.get("note", ""))
    return Prediction(p, "", time.process_time() - start, settings.get("note", ""))


# ---- ours ------------------------------------------------------------------------------------------------


def run_card(
    X: pd.DataFrame, y: np.ndarray, groups: Groups, X_test: pd.DataFrame, settings: dict[str, Any]
) -> np.ndarray:
    scorer = cs.ClientScorer(**settings["parameters"])
    return scorer.fit(X, y, groups=groups).predict_proba(X_test)[:, 1]


def _card_settings(method: str) -> Callable[[int, int], dict[str, Any]]:
    given = {"random_state": 0} if method == "boosted" else {"random_state": 0, "method": method}
    return lambda _rows, _columns: {"parameters": given}


# ---- peers -----------------------------------------------------------------------------------------------


def run_base_rate(
    X: pd.DataFrame, y: np.ndarray, groups: Groups, X_test: pd.DataFrame, settings: dict[str, Any]
) -> np.ndarray:
    del X, groups, settings
    return np.full(len(X_test), y.mean())


def run_logistic(
    X: pd.DataFrame, y: np.ndarray, groups: Groups, X_test: pd.DataFrame, settings: dict[str, Any]
) -> np.ndarray:
    del groups
    text = _text_columns(X)
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=settings["min_frequency"])
    words = make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), levels)
    columns = ColumnTransformer(
        [("numbers", numbers, [name for name in X if name not in text]), ("text", words, text)]
    )
    model = make_pipeline(columns, LogisticRegression(C=settings["C"], max_iter=settings["max_iter"]))
    X, X_test = X.astype(dict.fromkeys(text, object)), X_test.astype(dict.fromkeys(text, object))
    return model.fit(X, y).predict_proba(X_test)[:, 1]


def run_optbinning(
    X: pd.DataFrame, y: np.ndarray, groups: Groups, X_test: pd.DataFrame, settings: dict[str, Any]
) -> np.ndarray:
    from optbinning import BinningProcess, Scorecard  # noqa: PLC0415 - only the environment of peers has it

    del groups
    text = _text_columns(X)
    X, X_test = X.astype(dict.fromkeys(text, object)), X_test.astype(dict.fromkeys(text, object))
    bins = BinningProcess(list(X), categorical_variables=text, n_jobs=1)
    card = Scorecard(bins, LogisticRegression(max_iter=settings["max_iter"]))
    card.fit(X, y.astype(int), metric_missing=settings["metric"], metric_special=settings["metric"])
    return card.predict_proba(X_test)[:, 1]


def run_hist_gradient_boosting(
    X: pd.DataFrame, y: np.ndarray, groups: Groups, X_test: pd.DataFrame, settings: dict[str, Any]
) -> np.ndarray:
    del groups
    X, X_test = as_categories(X, X_test, most=HGB_LEVELS)
    return HistGradientBoostingClassifier(**settings["parameters"]).fit(X, y).predict_proba(X_test)[:, 1]


def run_lightgbm(
    X: pd.DataFrame, y: np.ndarray, groups: Groups, X_test: pd.DataFrame, settings: dict[str, Any]
) -> np.ndarray:
    X, X_test = as_categories(X, X_test)
    boosters = fit_bags(X, y, groups, settings)
    raw = [booster.predict(X_test, raw_score=True, num_threads=1) for booster in boosters]
    return 1 / (1 + np.exp(-np.mean(raw, axis=0)))


def fit_bags(X: pd.DataFrame, y: np.ndarray, groups: Groups, settings: dict[str, Any]) -> list[lgb.Booster]:
    """Fit the bags, each stopped early on 15 % of the clients."""
    client = np.arange(len(y)) if groups is None else pd.factorize(groups)[0]
    most = int(client.max()) + 1
    boosters = []
    for bag in range(settings["bags"]):
        generator = np.random.default_rng([SEED, bag])
        held = np.isin(client, generator.permutation(most)[: max(1, int(settings["held"] * most))])
        booster = lgb.train(
            settings["parameters"] | {"seed": bag},
            lgb.Dataset(X[~held], y[~held]),
            num_boost_round=settings["rounds"],
            valid_sets=[lgb.Dataset(X[held], y[held])],
            callbacks=[lgb.early_stopping(settings["patience"], verbose=False)],
        )
        boosters.append(booster)
    return boosters


def lightgbm_settings(rows: int, columns: int) -> dict[str, Any]:
    """Return the settings of the example of the listed companies; smaller leaves for small sets."""
    del columns
    parameters = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.05, "num_threads": 1}
    parameters |= {"min_data_in_leaf": 50 if rows > LARGE else 20, "verbosity": -1}
    parameters |= {"deterministic": True, "force_col_wise": True}
    return {"bags": 4, "held": 0.15, "rounds": 1000, "patience": 30, "parameters": parameters}


def run_ebm(
    X: pd.DataFrame, y: np.ndarray, groups: Groups, X_test: pd.DataFrame, settings: dict[str, Any]
) -> np.ndarray:
    from interpret.glassbox import ExplainableBoostingClassifier  # noqa: PLC0415 - as above

    del groups
    text = _text_columns(X)
    X, X_test = X.astype(dict.fromkeys(text, object)), X_test.astype(dict.fromkeys(text, object))
    model = ExplainableBoostingClassifier(n_jobs=1, random_state=SEED, **settings["parameters"])
    return model.fit(X, y.astype(int)).predict_proba(X_test)[:, 1]


def _ebm_settings(rows: int, columns: int) -> dict[str, Any]:
    if rows * columns <= EBM_CELLS:
        return {"parameters": {}, "note": "default"}
    return {"parameters": {"outer_bags": 4, "interactions": 15}, "note": "4 outer bags, 15 pairs"}


def as_categories(
    X: pd.DataFrame, X_test: pd.DataFrame, most: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn text into categories met in training (the `most` frequent ones); others become missing."""
    kinds = {
        name: pd.CategoricalDtype(X[name].value_counts().index[:most].tolist()) for name in _text_columns(X)
    }
    return X.astype(kinds), X_test.astype(kinds)


def _text_columns(X: pd.DataFrame) -> list[str]:
    return [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]


def _fixed(settings: dict[str, Any]) -> Callable[[int, int], dict[str, Any]]:
    return lambda _rows, _columns: settings


_OURS = ("additive/**/*.py", "scoring/**/*.py", "scale.py", "scale/**/*.py", "_*.py")
_ENGINE = ("lightgbm", "scikit-learn", "numpy", "pandas")
MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model("card", run_card, _card_settings("boosted"), _ENGINE, _OURS, ours=True),
        Model("card (woe)", run_card, _card_settings("woe"), _ENGINE, _OURS, ours=True),
        Model("base rate", run_base_rate, _fixed({})),
        Model(
            "logistic",
            run_logistic,
            _fixed({"C": 1.0, "max_iter": 2000, "min_frequency": 20}),
            ("scikit-learn",),
        ),
        Model(
            "hist gradient boosting",
            run_hist_gradient_boosting,
            _fixed(
                {
                    "parameters": {
                        "early_stopping": True,
                        "categorical_features": "from_dtype",
                        "random_state": SEED,
                    }
                }
            ),
            ("scikit-learn",),
        ),
        Model("bagged lightgbm", run_lightgbm, lightgbm_settings, ("lightgbm",)),
        Model(
            "optbinning",
            run_optbinning,
            _fixed({"max_iter": 1000, "metric": "empirical"}),
            ("optbinning", "scikit-learn"),
        ),
        Model("ebm", run_ebm, _ebm_settings, ("interpret-core",)),
    )
}
PEERS = tuple(name for name, model in MODELS.items() if not model.ours)
