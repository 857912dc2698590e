from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError
from clientscore.scoring import ClientScorer


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(3000, 4)), columns=list("abcd"))
    y = (rng.random(3000) < 1 / (1 + np.exp(2 - X["a"] - X["a"] * X["b"]))).astype(int)
    return ClientScorer(n_bags=5, max_rounds=150, random_state=0).fit(X, y), X, y


def test_the_deviation_is_that_of_the_bags(fitted):
    scorer, X, _ = fitted
    told = scorer.uncertainty(X)
    assert told.index.equals(X.index)
    assert told["log_odds"].tolist() == scorer.decision_function(X).tolist()
    assert told["pd"].tolist() == scorer.predict_proba(X)[:, 1].tolist()
    codes = scorer.card_.encode(X)
    apart = scorer.report_.bags.deviations(codes)[:, :, 0] * scorer.calibration_["slope"]
    assert told["log_odds_deviation"].to_numpy() == pytest.approx(apart.std(axis=1, ddof=1), rel=1e-4)
    by_bag = 1 / (1 + np.exp(-(told["log_odds"].to_numpy()[:, None] + apart)))
    assert told["pd_deviation"].to_numpy() == pytest.approx(by_bag.std(axis=1, ddof=1), rel=1e-3)


def test_bags_disagree_more_where_few_clients_are(fitted):
    scorer = fitted[0]
    middle = scorer.uncertainty(pd.DataFrame(0.0, index=[0], columns=list("abcd")))
    edge = scorer.uncertainty(pd.DataFrame([[3.5, 3.0, 0.0, 0.0]], columns=list("abcd")))
    assert edge["log_odds_deviation"].item() > 2 * middle["log_odds_deviation"].item()


def test_it_is_saved_recalibrated_and_left_behind_by_other_cards(fitted):
    scorer, X, y = fitted
    again = ClientScorer.from_state(scorer.to_state())
    pd.testing.assert_frame_equal(again.uncertainty(X), scorer.uncertainty(X))
    later = scorer.recalibrate(X, y)
    ratio = later.uncertainty(X)["log_odds_deviation"] / scorer.uncertainty(X)["log_odds_deviation"]
    assert ratio.to_numpy() == pytest.approx(later.calibration_["slope"], rel=1e-4)
    for other in (
        scorer.with_card(scorer.card_, X),
        ClientScorer(method="woe").fit(X, y),
        ClientScorer(n_bags=1, max_rounds=20, random_state=0).fit(X, y),
    ):
        with pytest.raises(DataError, match="no bags to compare"):
            other.uncertainty(X)
