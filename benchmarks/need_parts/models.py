"""Ours and its peers on the panel of companies: probability of a need, and the amount given one."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import pandas as pd

import clientscore as cs
from clientscore import metrics
from clientscore.hazard import CompetingHazard
from common import SEED
from scoring_parts.peers import fit_bags

from .cache import HAZARD_SOURCES, OUR_SOURCES, Cache, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .data import Fold, Panel

CARD, TREES = "clientscore, card", "clientscore, trees"
OURS = (CARD, TREES)
TUNED, TUNED_OWN, EBM = "bagged LightGBM, plain", "bagged LightGBM, own features", "EBM, plain"
BASE, LAST = "base rate", "last change"
LEVELS = np.arange(1, 40) / 40.0  # of the amount given need
# On 2012-14 thirds of the spread alone left small companies at .864 and large ones at .930.
INTERVAL_GROUPS = ("size", "noise")
DECILES = np.arange(1, 10) / 10.0
COVERAGE = 0.9

# Ours: the same budget of settings as the peer's grid, less.
OUR_GRID = tuple({"learning_rate": rate, "min_rows_leaf": leaf} for rate, leaf in product((0.1,), (50, 200)))
PEER_GRID = tuple(
    {"learning_rate": rate, "num_leaves": leaves, "feature_fraction": share}
    for rate, leaves, share in product((0.03, 0.06), (7, 15, 31), (0.3, 0.6))
)
SEARCH_BAGS, AMOUNT_BAGS, FULL_BAGS = 2, 4, 8
_OUR_FIT = {"max_rounds": 2000, "max_rows": 1_000_000, "random_splits": True}
_ENGINE = ("lightgbm", "numpy", "pandas")


def our_forecaster(form: str, settings: dict[str, Any], bags: int) -> cs.FinancingNeedForecaster:
    """Return the forecaster of one year, in the form asked for."""
    return cs.FinancingNeedForecaster(
        horizons=(1,),
        period="year",
        lead_periods=0,
        coverage=COVERAGE,
        interval_groups=INTERVAL_GROUPS,
        hazard_form=form,
        n_bags=bags,
        check_units=False,  # amounts are shares of assets
        random_state=0,
        **_OUR_FIT,
        **settings,
    )


def target_of(panel: Panel, train: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return what the forecaster learns from: one year, a need or none, its amount."""
    event = np.where(panel.y[rows] == 1, "need", None)
    return pd.DataFrame({"duration": 1, "event": event, "amount": panel.amount[rows]}, index=train.index)


def run_hazard(
    panel: Panel, fold: Fold, form: str, settings: dict[str, Any], bags: int
) -> dict[str, np.ndarray]:
    """Fit the forecaster's hazard alone, as `FinancingNeedForecaster` does, without the amounts."""
    train, test = panel.indexed(fold.train), panel.indexed(fold.test)
    target = target_of(panel, train, fold.train)
    model = CompetingHazard(n_periods=1, form=form, n_bags=bags, random_state=0, **_OUR_FIT, **settings)
    model.fit(train, target["duration"], target["event"])
    return {"p": model.predict_incidence(test, [1])[:, 0, 0]}


def run_ours(
    panel: Panel, fold: Fold, form: str, settings: dict[str, Any], bags: int
) -> dict[str, np.ndarray]:
    """Fit ours on a fold: probability, quantiles and interval of the amount given need, means."""
    train, test = panel.indexed(fold.train), panel.indexed(fold.test)
    model = our_forecaster(form, settings, bags).fit(train, target_of(panel, train, fold.train))
    said = model.predict(test)
    return {
        "p": said["need_probability_1y"].to_numpy(),
        "quantiles": model.predict_quantiles(test, LEVELS).to_numpy(),
        "lower": said["amount_lower"].to_numpy(),
        "upper": said["amount_upper"].to_numpy(),
        "mean": said["amount_mean"].to_numpy(),
    }


def run_peer(
    panel: Panel, fold: Fold, kind: str, settings: dict[str, Any], bags: int
) -> dict[str, np.ndarray]:
    """Fit bagged LightGBM, each bag stopped early on 15 % of the companies."""
    X, y = panel.features(kind), panel.y
    parameters = {"objective": "binary", "min_data_in_leaf": 50, "num_threads": 1, "verbosity": -1}
    parameters |= {"deterministic": True, "force_col_wise": True, **settings}
    rules = {"bags": bags, "held": 0.15, "rounds": 2000, "patience": 40, "parameters": parameters}
    train = X.iloc[fold.train].reset_index(drop=True)
    boosters = fit_bags(train, y[fold.train], panel.company[fold.train], rules)
    raw = [booster.predict(X.iloc[fold.test], raw_score=True, num_threads=1) for booster in boosters]
    return {"p": 1 / (1 + np.exp(-np.mean(raw, axis=0)))}


def run_ebm(panel: Panel, fold: Fold, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    from interpret.glassbox import ExplainableBoostingClassifier  # noqa: PLC0415 - an environment of peers has it

    model = ExplainableBoostingClassifier(n_jobs=1, random_state=SEED, **settings)
    model.fit(panel.plain.iloc[fold.train], panel.y[fold.train].astype(int))
    return {"p": model.predict_proba(panel.plain.iloc[fold.test])[:, 1]}


def ours(
    panel: Panel, fold: Fold, name: str, settings: dict[str, Any], cache: Cache, bags: int = FULL_BAGS
) -> dict[str, np.ndarray] | None:
    """Return what ours says of a fold: the probability."""
    form = "trees" if name == TREES else "card"
    told = {**_OUR_FIT, **settings, "bags": bags, "form": form, "target": panel.target}
    work = Work(name, told, panel.digest("own", fold), _ENGINE, sources=HAZARD_SOURCES)
    return cache.get(work, lambda: run_hazard(panel, fold, form, settings, bags))


def our_forecast(
    panel: Panel, fold: Fold, settings: dict[str, Any], cache: Cache, form: str = "card"
) -> dict[str, np.ndarray] | None:
    """Return what the whole forecaster says of a fold, amounts too."""
    told = {**_OUR_FIT, **settings, "form": form, "levels": len(LEVELS), "target": panel.target}
    told |= {"bags": AMOUNT_BAGS, "groups": list(INTERVAL_GROUPS)}
    name = f"{CARD}, amounts" if form == "card" else f"clientscore, {form}"
    work = Work(name, told, panel.digest("own", fold), _ENGINE, sources=OUR_SOURCES)
    return cache.get(work, lambda: run_ours(panel, fold, form, settings, AMOUNT_BAGS))


def peer(
    panel: Panel, fold: Fold, name: str, settings: dict[str, Any], cache: Cache, bags: int = FULL_BAGS
) -> dict[str, np.ndarray] | None:
    """Return what a peer says of a fold."""
    kind = "own" if name == TUNED_OWN else "plain"
    told = {**settings, "bags": bags, "target": panel.target}
    if name == EBM:
        work = Work(name, told, panel.digest(kind, fold), ("interpret-core",))
        return cache.get(work, lambda: run_ebm(panel, fold, settings))
    work = Work(name, told, panel.digest(kind, fold), ("lightgbm", "numpy"))
    return cache.get(work, lambda: run_peer(panel, fold, kind, settings, bags))


def naive(panel: Panel, fold: Fold, name: str) -> dict[str, np.ndarray]:
    """Return the base rate, or the rate of those that grew, or did not, the year before."""
    y, grown = panel.y[fold.train], panel.last_change > 0.10
    p = np.full(len(fold.test), y.mean())
    if name == LAST:
        rates = [y[grown[fold.train] == one].mean() for one in (False, True)]
        p = np.where(grown[fold.test], rates[1], rates[0])
    return {"p": p}


def search(panel: Panel, name: str, cache: Cache) -> pd.DataFrame:
    """Return the mean AUC and log loss on the two inner folds of every setting of a grid."""
    rows = []
    for settings in OUR_GRID if name in OURS else PEER_GRID:
        found = []
        for fold in panel.inner:
            fit = ours if name in OURS else peer
            made = fit(panel, fold, name, settings, cache, SEARCH_BAGS)
            y = panel.y[fold.test]
            found.append((metrics.auc(y, made["p"]), metrics.log_loss(y, made["p"])))
        auc, loss = np.mean(found, axis=0)
        rows.append({"settings": settings, "auc": auc, "log_loss": loss})
    return pd.DataFrame(rows)


def best(table: pd.DataFrame) -> dict[str, Any]:
    """Return the settings with the highest AUC inside training."""
    return dict(table.loc[table["auc"].idxmax(), "settings"])


# ---- the amount given need -------------------------------------------------------------------------------


def lgb_quantiles(
    X: pd.DataFrame, amount: np.ndarray, X_test: pd.DataFrame, levels: Sequence[float]
) -> np.ndarray:
    """Fit one quantile LightGBM a level on log amounts; rows are sorted, so that quantiles do not cross."""
    columns = []
    for level in levels:
        parameters = {"objective": "quantile", "alpha": float(level), "num_leaves": 15, "learning_rate": 0.05}
        parameters |= {"min_data_in_leaf": 50, "feature_fraction": 0.3, "num_threads": 1, "verbosity": -1}
        parameters |= {"seed": 0, "deterministic": True, "force_col_wise": True}
        booster = lgb.train(parameters, lgb.Dataset(X, np.log(amount)), num_boost_round=100)
        columns.append(booster.predict(X_test, num_threads=1))
    return np.sort(np.exp(np.column_stack(columns)), axis=1)


def hurdle_amounts(
    X: pd.DataFrame, amount: np.ndarray, groups: np.ndarray, X_test: pd.DataFrame, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit bagged LightGBM on log amounts; quantiles and mean by the pooled errors of companies held out."""
    parameters = {"objective": "l2", "num_leaves": 15, "learning_rate": 0.05, "min_data_in_leaf": 50}
    parameters |= {
        "feature_fraction": 0.3,
        "num_threads": 1,
        "verbosity": -1,
        "seed": 0,
        "deterministic": True,
    }
    parameters |= {"force_col_wise": True}
    y, fold = np.log(amount), np.random.default_rng([SEED, 5]).integers(0, 5, groups.max() + 1)[groups]
    middle, errors = np.zeros(len(X_test)), np.empty(len(y))
    for one in range(5):
        out = fold == one
        booster = lgb.train(
            parameters,
            lgb.Dataset(X[~out], y[~out]),
            num_boost_round=1000,
            valid_sets=[lgb.Dataset(X[out], y[out])],
            callbacks=[lgb.early_stopping(40, verbose=False)],
        )
        errors[out] = y[out] - booster.predict(X[out], num_threads=1)
        middle += booster.predict(X_test, num_threads=1) / 5
    quantiles = np.exp(middle[:, None] + np.quantile(errors, levels)[None])
    return quantiles, np.exp(middle) * np.exp(errors).mean()


def lgb_tweedie(X: pd.DataFrame, amount: np.ndarray, groups: np.ndarray, X_test: pd.DataFrame) -> np.ndarray:
    """Fit bagged Tweedie LightGBM (power 1.5) on the amount with its zeros; the expected amount."""
    parameters = {"objective": "tweedie", "tweedie_variance_power": 1.5, "num_leaves": 15}
    parameters |= {"learning_rate": 0.05, "min_data_in_leaf": 50, "feature_fraction": 0.3, "num_threads": 1}
    parameters |= {"verbosity": -1, "deterministic": True, "force_col_wise": True}
    rules = {"bags": 4, "held": 0.15, "rounds": 1000, "patience": 30, "parameters": parameters}
    boosters = fit_bags(X.reset_index(drop=True), amount, groups, rules)
    return np.mean([booster.predict(X_test, num_threads=1) for booster in boosters], axis=0)
