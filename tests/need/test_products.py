from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.need.encoded import Encoded
from clientscore.need.products import RARE, ProductModel, product_shares


def needs(n, seed=0):
    """Products that follow two features; one of them in 2 needs of 100."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"dio_days": rng.normal(size=n), "capex_to_depreciation": rng.normal(size=n)})
    score = np.stack([np.zeros(n), 1.5 * X["dio_days"], 1.5 * X["capex_to_depreciation"]], axis=1)
    odds = np.exp(score)
    names = np.array(["revolving_line", "letter_of_credit", "term_loan"], dtype=object)
    pick = (rng.random((n, 1)) > np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    product = names[pick]
    product[rng.random(n) < 0.01] = "guarantee"
    product[rng.random(n) < 0.01] = "bridge_loan"
    return X, pd.Series(product, dtype="str"), odds / odds.sum(axis=1, keepdims=True)


def blank(n):
    return pd.Series([None] * n, dtype="str")


def test_product_shares_by_hand():
    purpose = pd.Series(["capex"] * 20 + ["trade"] * 20)
    product = pd.Series(["term_loan"] * 20 + ["term_loan"] * 10 + ["guarantee"] * 10)
    table = product_shares(purpose, product)
    assert table.loc["all"].to_dict() == {"guarantee": 0.25, "term_loan": 0.75}
    assert table.loc["capex", "term_loan"] == pytest.approx((20 + 20 * 0.75) / 40)
    assert table.loc["growth"].to_dict() == table.loc["all"].to_dict()
    np.testing.assert_allclose(table.sum(axis=1), 1.0)


@pytest.fixture(scope="module")
def model():
    X, product, _ = needs(2500)
    return ProductModel.fit(Encoded.of(X), product, blank(2500), np.arange(2500), 0)


def test_the_card_learns_propensities_near_the_truth(model):
    X, _, truth = needs(4000, seed=1)
    assert model.method == "card on 2 features, from 2500 needs"
    shares = pd.DataFrame(model.predict(X, np.zeros(4000, dtype=int)), columns=model.names)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    for k, name in enumerate(["revolving_line", "letter_of_credit", "term_loan"]):
        assert np.corrcoef(shares[name], truth[:, k])[0, 1] > 0.95
        assert shares[name].mean() == pytest.approx(0.98 * truth[:, k].mean(), abs=0.03)


def test_rare_products_are_one_class_divided_by_their_shares(model):
    assert RARE in model.card.outputs
    assert not {"guarantee", "bridge_loan"} & set(model.card.outputs)
    X, product, _ = needs(2500)
    shares = pd.DataFrame(model.predict(X, np.zeros(2500, dtype=int)), columns=model.names)
    counts = product.value_counts()
    ratio = counts["guarantee"] / counts["bridge_loan"]
    np.testing.assert_allclose(shares["guarantee"] / shares["bridge_loan"], ratio)
    assert shares["guarantee"].mean() == pytest.approx(counts["guarantee"] / 2500, rel=0.3)


def test_one_client_and_a_loaded_model_agree(model):
    X, _, _ = needs(5, seed=2)
    again = ProductModel.from_state(model.to_state())
    table = again.predict(X, np.zeros(5, dtype=int))
    for row, values in enumerate(X.to_dict("records")):
        assert list(again.predict_one(values, None).values()) == pytest.approx(table[row].tolist(), rel=1e-12)
    np.testing.assert_array_equal(table, model.predict(X, np.zeros(5, dtype=int)))


def test_few_needs_fall_back_to_shares_by_purpose_and_say_so():
    X, product, _ = needs(299)
    purpose = pd.Series(np.where(X["dio_days"] > 0, "trade", "capex"), dtype="str")
    model = ProductModel.fit(Encoded.of(X), product, purpose, np.arange(299), 0)
    assert model.card is None
    assert model.method.startswith("shares by purpose, from 299 needs: a card takes 300")
    rows = model.rows(pd.Series(["trade", None, "capex"], dtype=object))
    table = model.predict(X.head(3), rows)
    np.testing.assert_allclose(table[0], model.shares.loc["trade"])
    np.testing.assert_allclose(table[1], model.shares.loc["all"])
    assert model.predict_one({}, "capex") == model.shares.loc["capex"].to_dict()


def test_a_card_that_is_no_better_is_not_used():
    rng = np.random.default_rng(0)
    purpose = pd.Series(rng.choice(["trade", "capex"], 600), dtype="str")
    product = pd.Series(np.where(purpose == "trade", "letter_of_credit", "term_loan"), dtype="str")
    X = pd.DataFrame({"noise": rng.normal(size=600)})  # the purpose tells all, the feature nothing
    model = ProductModel.fit(Encoded.of(X), product, purpose, np.arange(600), 0)
    assert model.card is None
    assert "no better out of bag" in model.method


def test_states_without_a_card_are_read():
    state = {"purposes": ["all"], "products": ["term_loan"], "shares": np.ones((1, 1))}
    assert ProductModel.from_state(state).predict_one({}, None) == {"term_loan": 1.0}
