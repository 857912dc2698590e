"""The scorer among scikit-learn's own tools."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from clientscore.additive import FeatureRule
from clientscore.scale import ScoreScale
from clientscore.scoring import ClientScorer

NUMBERS = ["interest_cover", "dpd_max_3m", "noise"]


# No failure is expected. For "boosted" the check that a weight equals a repetition passes because its rows
# are too few for a tree; what holds of more rows stands below.
@parametrize_with_checks(
    [ClientScorer(method="woe"), ClientScorer(n_bags=2, max_rounds=60, random_state=0)],
)
def test_the_common_checks_of_estimators(estimator, check):
    check(estimator)


def test_tags_say_binary_missing_and_text():
    tags = get_tags(ClientScorer())
    assert tags.estimator_type == "classifier"
    assert not tags.classifier_tags.multi_class
    assert tags.input_tags.allow_nan
    assert tags.input_tags.categorical
    assert tags.input_tags.string
    assert tags.target_tags.required


def test_for_woe_a_weight_is_a_repetition(clients):
    X, y = clients[0].head(800), clients[1].head(800)
    times = np.random.default_rng(0).integers(0, 4, 800)
    weighted = ClientScorer(method="woe").fit(X, y, sample_weight=times)
    places = np.repeat(np.arange(800), times)
    repeated = ClientScorer(method="woe").fit(X.iloc[places], y.iloc[places])
    assert weighted.decision_function(X) == pytest.approx(repeated.decision_function(X), abs=1e-8)


def test_for_boosted_a_weight_is_a_repetition_where_bags_hold_both_out_together(clients):
    """Else a repeated row stands on both sides of a bag, and the two differ a little, as in any ensemble."""
    X, y = (part.reset_index(drop=True) for part in clients)
    times = np.where(np.arange(len(X)) % 2 == 0, 2, 1)
    places = np.repeat(np.arange(len(X)), times)
    settings = {"n_bags": 4, "max_rounds": 60, "random_state": 0, "interactions": 0}
    decisions = []
    for names in (np.arange(len(X)), None):
        weighted = ClientScorer(**settings).fit(X, y, sample_weight=times, groups=names)
        spread = None if names is None else names[places]
        repeated = ClientScorer(**settings).fit(X.iloc[places], y.iloc[places], groups=spread)
        decisions.append((weighted.decision_function(X), repeated.decision_function(X)))
    together, alone = decisions
    assert together[0] == pytest.approx(together[1], abs=1e-9)
    assert np.corrcoef(*alone)[0, 1] > 0.95
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


def test_cross_validation_pipelines_and_settings(clients):
    X, y = clients
    scorer = ClientScorer(method="woe")
    assert cross_val_score(scorer, X, y, cv=3, scoring="roc_auc").min() > 0.7
    pipeline = make_pipeline(FunctionTransformer(lambda frame: frame.drop(columns="noise")), scorer)
    assert pipeline.fit(X, y).predict_proba(X).shape == (len(X), 2)
    rules = {"dpd_max_3m": FeatureRule(monotone="increasing")}
    changed = clone(scorer).set_params(calibration=None, n_bags=2, rules=rules, challenger=True)
    assert (changed.calibration, changed.n_bags, scorer.n_bags, scorer.rules) == (None, 2, 7, None)
    assert clone(changed).get_params() == changed.get_params()
    assert len(changed.get_params()) <= 12


def test_a_grid_searches_settings_and_rules(clients):
    X, y = clients
    grid = {
        "rules": [None, {"dpd_max_3m": FeatureRule(monotone="decreasing")}],
        "scale": [ScoreScale(pdo=40)],
    }
    search = GridSearchCV(
        ClientScorer(n_bags=1, max_rounds=30, random_state=0), grid, scoring="roc_auc", cv=2
    ).fit(X, y)
    assert search.best_params_["rules"] is None
    assert search.best_estimator_.scale_.pdo == 40


@pytest.mark.slow
def test_processes_give_what_one_process_gives(clients):
    X, y = clients
    scorer = ClientScorer(method="woe", rules={"noise": FeatureRule(missing="average")})
    settings = {"cv": 2, "method": "predict_proba"}
    alone = cross_val_predict(scorer, X, y, **settings)
    assert cross_val_predict(scorer, X, y, n_jobs=2, **settings).tolist() == alone.tolist()


def test_transformers_may_hand_over_frames(clients):
    X, y = clients
    scale = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        ("passthrough", ["industry"]),
        verbose_feature_names_out=False,
    )
    found = {}
    for kind in ("pandas", "polars"):
        data = X if kind == "pandas" else pl.from_pandas(X.reset_index(drop=True))
        target = y if kind == "pandas" else y.to_numpy()
        pipeline = make_pipeline(clone(scale), ClientScorer(method="woe")).set_output(transform=kind)
        found[kind] = pipeline.fit(data, target).predict_proba(data)
        assert pipeline[-1].feature_names_in_.tolist() == [*NUMBERS, "industry"]
    assert found["polars"] == pytest.approx(found["pandas"], abs=1e-12)


def test_weights_and_groups_are_routed(clients):
    X, y = clients
    X, y = X.reset_index(drop=True), y.to_numpy()
    groups = np.asarray(clients[0].index.get_level_values("client_id"))
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    settings = {"n_bags": 2, "max_rounds": 20, "random_state": 0}
    with config_context(enable_metadata_routing=True):
        scorer = ClientScorer(**settings).set_fit_request(sample_weight=True, groups=True)
        scorer = scorer.set_score_request(sample_weight=True)
        result = cross_validate(
            make_pipeline(FunctionTransformer(), scorer),
            X,
            y,
            cv=GroupKFold(2),
            params={"sample_weight": weight, "groups": groups},
            return_estimator=True,
            return_indices=True,
        )
    for estimator, rows in zip(result["estimator"], result["indices"]["train"], strict=True):
        alone = ClientScorer(**settings).fit(
            X.iloc[rows], y[rows], sample_weight=weight[rows], groups=groups[rows]
        )
        assert estimator[-1].card_.to_json() == alone.card_.to_json()
        without = ClientScorer(**settings).fit(X.iloc[rows], y[rows])
        assert estimator[-1].card_.to_json() != without.card_.to_json()


def test_what_is_not_asked_for_is_not_routed(clients):
    X, y = clients
    with config_context(enable_metadata_routing=True), pytest.raises(ValueError, match="sample_weight"):
        cross_validate(ClientScorer(method="woe"), X, y, cv=2, params={"sample_weight": np.ones(len(X))})


def test_results_of_a_frame_stand_on_its_index(scorer, newer):
    X = newer[0].head(30).set_axis(pd.Index([f"c{k}" for k in range(30)], name="client"), axis=0)
    for result in (
        scorer.points(X),
        scorer.points(X, rounded=True),
        scorer.grade(X),
        scorer.pillar_points(X),
        scorer.reasons(X),
        scorer.score_frame(X),
    ):
        assert result.index.equals(X.index)
