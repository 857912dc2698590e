from __future__ import annotations

import json

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import BundleFormatError, InvalidParameterError
from clientscore.need import AmountChallenge, FinancingNeedForecaster
from clientscore.need.amount import AmountModel, AmountSettings
from clientscore.need.challenge import compare_forms
from clientscore.need.encoded import Encoded
from clientscore.need.trees import AmountForest, AmountTrees, learn_trees


def triples(n, seed, depth):
    """Log amounts that need three features at once (depth 3), or each alone (depth 1)."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["log_assets", "dio_days", "roa"])
    X["region"] = pd.Series(rng.choice(["north", "south"], n), dtype="str")
    X.iloc[rng.random(n) < 0.05, 1] = np.nan
    sign = np.sign(X[["log_assets", "dio_days", "roa"]].fillna(0.0))
    middle = 1.2 * sign.prod(axis=1) if depth == 3 else sign.sum(axis=1)
    middle += X["region"].eq("south") * 0.5
    return X, np.exp(middle.to_numpy() + 0.5 * rng.normal(size=n))


def settings(form):
    return AmountSettings(coverage=0.9, form=form)


def test_trees_are_scored_as_lightgbm_scores_them_and_come_back():
    X, amount = triples(800, 0, 3)
    encoded = Encoded.of(X)
    trees, out_of_bag = learn_trees(encoded, np.log(amount), np.arange(800), 0)
    scores = trees.decision_codes(encoded.codes)
    boosters = [lgb.Booster(model_str=one.to_text()) for one in trees.forests]
    matrix = np.column_stack(
        [position[encoded.codes[:, j]] for j, position in enumerate(trees.positions)]
    ).astype(np.float32)
    np.testing.assert_allclose(scores, np.mean([one.predict(matrix) for one in boosters], axis=0))
    assert np.corrcoef(out_of_bag, np.log(amount))[0, 1] > 0.6
    state = trees.to_state()
    json.dumps(state, default=np.ndarray.tolist)
    again = AmountTrees.from_state(state)
    np.testing.assert_array_equal(again.decision_codes(encoded.codes), scores)
    one = again.decision_codes_one(again.codes_one(X.iloc[5].to_dict()))
    assert one == [scores[5]]
    assert again.decision_codes(encoded.codes[:0]).shape == (0,)
    state["forests"][0]["left"] = state["forests"][0]["left"] * 0
    with pytest.raises(BundleFormatError, match="do not fit together"):
        AmountTrees.from_state(state)


def test_a_split_of_all_numbers_from_missing_has_an_end():
    X, amount = triples(400, 0, 1)
    trees, _ = learn_trees(Encoded.of(X), np.log(amount), np.arange(400), 0)
    first, rest = trees.forests[0].to_text().split("threshold=", 1)
    endless = AmountForest.from_text(f"{first}threshold=inf {rest.split(' ', 1)[1]}")
    assert endless.threshold[0] == 1e300
    assert AmountForest.from_state(endless.to_state()).to_text() == endless.to_text()
    row = np.zeros((1, 4), dtype=np.float32)
    row[0, endless.feature[0]] = 3e38  # the largest number still goes left
    np.testing.assert_array_equal(
        endless.raw_scores(row), lgb.Booster(model_str=endless.to_text()).predict(row)[:, None]
    )


@pytest.mark.parametrize(("depth", "chosen"), [(3, "trees"), (1, "card")])
def test_auto_takes_trees_only_where_they_win(depth, chosen):
    X, amount = triples(3000, 0, depth)
    model = AmountModel.fit(X, amount, np.arange(3000), settings("auto"))
    report = model.challenge
    assert report.chosen == chosen
    assert isinstance(model.card, AmountTrees) == (chosen == "trees")
    table = report.frame()
    assert list(table.index) == ["squared_error", "absolute_error"]
    np.testing.assert_allclose(table["difference"], table["card"] - table["trees"])
    assert (table["lower"] < table["difference"]).all()
    assert (table["difference"] < table["upper"]).all()
    held, later = triples(2000, 1, depth)
    ends = model.amounts(held, np.ones(2000))
    inside = (ends["amount_lower"] <= later) & (later <= ends["amount_upper"])
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    again = AmountModel.from_state(model.to_state())
    np.testing.assert_array_equal(again.amounts(held, np.ones(2000))["amount_upper"], ends["amount_upper"])
    assert again.challenge == report
    one = again.predict_one(held.iloc[3].to_dict(), 1.0)
    assert one["amount_mean"] == pytest.approx(ends["amount_mean"][3], rel=1e-12)


def test_the_margin_by_hand():
    errors = {"card": np.full(100, 1.0), "trees": np.full(100, 0.995)}
    clients = np.arange(100)
    small = compare_forms("auto", errors, clients, "out of bag", 0)
    assert small.chosen == "card"  # better by 1 %, and that is not enough
    errors["trees"] = np.full(100, 0.98)
    assert compare_forms("auto", errors, clients, "out of bag", 0).chosen == "trees"
    assert compare_forms("trees", {**errors, "trees": np.full(100, 2.0)}, clients, "x", 0).chosen == "trees"
    noisy = {"card": np.ones(100), "trees": np.where(np.arange(100) < 3, 0.0, 1.0)}
    report = compare_forms("auto", noisy, np.repeat(np.arange(34), 3)[:100], "out of bag", 0)
    assert report.frame().loc["squared_error", "difference"] == pytest.approx(0.03)
    assert report.chosen == "card"  # one client alone: the interval holds 0
    assert AmountChallenge.from_dict(report.to_dict()) == report
    assert "card taken: card against bagged full trees, out of bag: 100 amounts, 34 clients" in repr(report)
    assert "<table" in report._repr_html_()


def test_the_forecaster_takes_a_form():
    X, amount = triples(1200, 0, 3)
    need = np.arange(1200) % 2 == 0
    target = pd.DataFrame({"duration": 3, "event": np.where(need, "need", None), "amount": amount})
    given = {"horizons": (3,), "check_units": False, "max_rounds": 20, "random_state": 0}
    model = FinancingNeedForecaster(form="trees", **given).fit(X, target)
    assert model.form_ == "trees"
    assert model.challenger_report_.evidence == "out of bag"
    again = FinancingNeedForecaster.from_state(model.to_state())
    pd.testing.assert_frame_equal(again.predict(X), model.predict(X))
    plain = FinancingNeedForecaster(**given).fit(X, target)
    assert plain.form_ == "card"
    assert plain.challenger_report_ is None
    few = FinancingNeedForecaster(form="trees", **given).fit(X.head(500), target.head(500))
    assert few.form_ == "card"  # 250 amounts
    with pytest.raises(InvalidParameterError, match="form must be one of 'card', 'trees', 'auto'"):
        FinancingNeedForecaster(form="forest").fit(X, target)
