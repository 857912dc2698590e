from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.value import (
    ValueParameters,
    client_value,
    client_value_one,
    economic_capital,
    eva,
    expected_loss,
    expected_need_value,
    exposure_at_default,
    raroc,
    save_value,
)

# Illustrative corporate risk weights (LGD 45 %, M 2.5 years) printed in Basel II (2006), annex 5.
PUBLISHED_RISK_WEIGHTS = {0.0005: 19.65, 0.0025: 49.47, 0.005: 69.61, 0.01: 92.32, 0.02: 114.86, 0.1: 193.09}


@pytest.mark.parametrize(("pd_value", "weight"), PUBLISHED_RISK_WEIGHTS.items())
def test_capital_reproduces_the_published_risk_weights(pd_value, weight):
    assert economic_capital(pd_value, 0.45, 1.0) * 1250 == pytest.approx(weight, abs=0.006)


def test_capital_at_the_ends_of_the_pd_range():
    assert economic_capital(0.0, 0.4, 1.0) == economic_capital(0.0005, 0.4, 1.0)
    assert economic_capital(1.0, 0.4, 1.0) == 0.0
    assert np.isnan(economic_capital(np.nan, 0.4, 1.0))


def test_formulas_by_hand():
    assert exposure_at_default(120.0, 100.0) == 120.0  # nothing undrawn beyond the limit
    assert expected_loss(0.03, 0.5, 200.0) == pytest.approx(3.0)
    assert raroc(100.0, 30.0, 20.0, 400.0, funding=10.0, capital_return=8.0) == pytest.approx(0.12)
    assert eva(0.12, 400.0, hurdle_rate=0.1) == pytest.approx(8.0)
    assert expected_need_value(1000.0, 0.1, spread=0.02, win_rate=0.5, lgd=0.4) == pytest.approx(-10.0)
    assert save_value(0.1, 500.0, 20.0) == pytest.approx(30.0)


def test_missing_stays_missing_and_series_keep_their_index():
    index = pd.Index(["00123", "NA"], name="client_id")
    loss = expected_loss(pd.Series([0.1, np.nan], index=index), 0.4, 100.0)
    assert loss.index.equals(index)
    assert loss.iloc[0] == pytest.approx(4.0)
    assert np.isnan(loss.iloc[1])


def test_raroc_is_missing_without_capital():
    assert np.isnan(raroc(1.0, 0.0, 0.0, 0.0))
    result = raroc(pd.Series([1.0, 1.0]), 0.0, 0.0, pd.Series([0.0, 2.0]))
    assert np.isnan(result[0])
    assert result[1] == 0.5


@settings(deadline=None, max_examples=40)
@given(
    income=st.floats(0, 1e7),
    cost=st.floats(0, 1e7),
    loss=st.floats(0, 1e6),
    capital=st.floats(1, 1e7),
    hurdle=st.floats(0, 1),
)
def test_eva_is_profit_after_the_capital_charge(income, cost, loss, capital, hurdle):
    direct = income - cost - loss - hurdle * capital
    scale = max(1.0, income, cost, capital)
    assert eva(raroc(income, cost, loss, capital), capital, hurdle) == pytest.approx(direct, abs=1e-9 * scale)


def test_client_value_adds_up_and_says_what_it_stands_on():
    frame = pd.DataFrame(
        {
            "pd": [0.01, 0.01, 0.02, np.nan, 0.01],
            "income_amount": [100.0, np.nan, np.nan, 50.0, np.nan],
            "cost_amount": [30.0, 5.0, np.nan, 1.0, np.nan],
            "drawn_amount": [600.0, 500.0, np.nan, 1.0, np.nan],
            "limit_amount": [1000.0, np.nan, np.nan, 1.0, np.nan],
            "balance_amount": [10.0, 250.0, np.nan, 1.0, np.nan],
            "need_amount_expected": [200.0, np.nan, 1000.0, 1.0, np.nan],
        },
        index=list("abcde"),
    )
    parameters = ValueParameters(capital_method="flat")
    result = client_value(frame, parameters)
    assert result.loc["a", "value_expected_loss"] == pytest.approx(0.01 * 0.4 * 760)
    assert result.loc["a", "value_capital_charge"] == pytest.approx(0.1 * 0.08 * 760)
    assert result.loc["a", "value_need"] == pytest.approx(200 * 0.35 * (0.02 - 0.004))
    assert result.loc["b", "value_income"] == pytest.approx(500 * 0.018 + 250 * 0.008)
    parts = ["value_cost", "value_expected_loss", "value_capital_charge"]
    total = result["value_income"] - result[parts].sum(axis=1) + result["value_need"].fillna(0)
    known = result["value"].notna()
    assert result.loc[known, "value"].to_numpy() == pytest.approx(total[known].to_numpy())
    assert result["value_basis"].tolist() == [
        "income",
        "balances; need not evaluated",
        "need",
        "not evaluated: pd missing",
        "not evaluated: income_amount missing",
    ]
    assert known.tolist() == [True, True, True, False, False]


def test_client_value_of_an_empty_book_has_all_columns():
    empty = client_value(pd.DataFrame({"pd": pd.Series(dtype="float64")}))
    assert len(empty) == 0
    assert list(empty.columns) == [
        "value",
        "value_income",
        "value_cost",
        "value_expected_loss",
        "value_capital_charge",
        "value_need",
        "value_eva",
        "value_raroc",
        "value_basis",
    ]


def test_bad_input_is_named():
    with pytest.raises(DataError, match=r"pd must be a fraction in \[0, 1\]; 1 values .* 2\. Divide"):
        expected_loss(np.array([0.1, 2.0]), 0.4, 1.0)
    with pytest.raises(MissingColumnError, match="'pd' is missing"):
        client_value(pd.DataFrame({"income_amount": [1.0]}))
    with pytest.raises(DataError, match="cost_amount must hold numbers"):
        client_value(pd.DataFrame({"pd": [0.1], "cost_amount": ["much"]}))
    with pytest.raises(InvalidParameterError, match="capital_method must be one of 'irb', 'flat'"):
        ValueParameters(capital_method="irp")
    with pytest.raises(InvalidParameterError, match="'hurdle' is unknown"):
        ValueParameters.from_dict({"hurdle": 0.1})


def test_parameters_round_trip():
    parameters = ValueParameters(lgd=0.45, win_rate=0.2)
    assert ValueParameters.from_dict(parameters.to_dict()) == parameters


@pytest.mark.parametrize("capital_method", ["irb", "flat"])
def test_one_client_is_worth_what_it_is_worth_in_the_book(capital_method):
    rng = np.random.default_rng(0)
    amounts = ["income_amount", "cost_amount", "need_amount_expected", "drawn_amount", "limit_amount"]
    amounts += ["exposure_amount", "balance_amount"]
    book = pd.DataFrame(rng.uniform(0, 1e6, (300, 7)), columns=amounts).assign(pd=rng.random(300))
    book = book.mask(rng.random(book.shape) < 0.4)
    parameters = ValueParameters(capital_method=capital_method)
    whole = client_value(book, parameters)
    assert whole["value_basis"].nunique() > 8
    for row, client in zip(whole.to_dict("records"), book.to_dict("records"), strict=True):
        one = client_value_one({**client, "name": "C1"}, parameters)
        assert list(one) == list(whole.columns)
        assert one.pop("value_basis") == row.pop("value_basis")
        assert one == {name: None if pd.isna(v) else pytest.approx(v, rel=1e-12) for name, v in row.items()}


def test_one_client_may_lack_amounts_but_not_the_pd():
    lone = client_value_one({"pd": 0.01, "income_amount": None, "need_amount_expected": 1000.0})
    assert lone["value_basis"] == "need"
    assert lone["value"] == pytest.approx(1000 * 0.35 * (0.02 - 0.01 * 0.4))
    with pytest.raises(MissingColumnError, match="'pd' is missing"):
        client_value_one({"income_amount": 1.0})
    with pytest.raises(DataError, match="cost_amount must hold a number"):
        client_value_one({"pd": 0.1, "cost_amount": "much"})
