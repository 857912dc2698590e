from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import MissingColumnError
from clientscore.need.amount import AmountModel, AmountSettings
from clientscore.need.size import SizeLine


def book(n, seed=0, slope=1.0, sigma=0.5):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"log_assets": rng.normal(18.0, 1.5, n), "roa": rng.normal(size=n)})
    return X, slope * X["log_assets"].to_numpy() - 3.0 + sigma * rng.normal(size=n)


def test_a_line_by_hand():
    X = pd.DataFrame({"log_assets": np.arange(40.0)})
    line = SizeLine.of(X, 2.0 * np.arange(40.0) + 1.0)
    assert (line.slope, line.low, line.high, line.usual) == (pytest.approx(2.0), 0.0, 39.0, 19.5)
    far = pd.DataFrame({"log_assets": [3.0, np.nan, 1e6, -1e6]})
    ten = np.log(10.0)
    np.testing.assert_allclose(line.values(far), [6.0, 39.0, 2 * (39.0 + ten), -2 * ten])


def test_the_size_that_says_most_is_taken_and_amounts_become_logs():
    X, log_amount = book(500)
    rng = np.random.default_rng(1)
    X["log_revenue"] = X["log_assets"] + 2.0 * rng.normal(size=500)
    assert SizeLine.of(X, log_amount).column == "log_assets"
    plain = pd.DataFrame({"size_amount": np.exp(X["log_assets"])})
    plain.iloc[0, 0] = -5.0  # no size
    line = SizeLine.of(plain, log_amount)
    assert line.column == "size_amount"
    assert line.slope == pytest.approx(1.0, abs=0.05)
    assert line.values(plain)[0] == pytest.approx(line.slope * line.usual)


def test_no_line_where_size_says_little():
    X, log_amount = book(500, slope=0.0)
    assert SizeLine.of(X, log_amount) is None  # amounts in shares of assets
    assert SizeLine.of(X[["roa"]], log_amount) is None
    assert SizeLine.of(X.head(20), log_amount[:20]) is None
    assert SizeLine.of(X.assign(log_assets="large"), log_amount) is None


def test_one_client_is_the_row_of_a_book_and_states_come_back():
    X, log_amount = book(200)
    line = SizeLine.from_state(SizeLine.of(X, log_amount).to_state())
    one = [line.value_one(row) for row in X.head(5).to_dict("records")]
    np.testing.assert_allclose(one, line.values(X.head(5)))
    assert line.value_one({"log_assets": None}) == pytest.approx(line.slope * line.usual)
    with pytest.raises(MissingColumnError, match="log_assets"):
        line.value_one({"roa": 1.0})


def test_the_largest_clients_are_not_taken_for_the_average_of_their_bin():
    X, log_amount = book(3000)
    model = AmountModel.fit(X, np.exp(log_amount), np.arange(3000), AmountSettings(0.9))
    giant = pd.DataFrame({"log_assets": [X["log_assets"].max() + 1.0], "roa": [0.0]})
    true = np.exp(giant["log_assets"].iloc[0] - 3.0 + 0.5**2 / 2)
    mean = model.amounts(giant, np.ones(1))["amount_mean"][0]
    assert mean == pytest.approx(true, rel=0.25)
    again = AmountModel.from_state(model.to_state())
    assert again.amounts(giant, np.ones(1))["amount_mean"][0] == mean
    assert again.predict_one(giant.iloc[0].to_dict(), 1.0)["amount_mean"] == pytest.approx(mean)
    fresh, later = book(3000, seed=1)
    total = model.amounts(fresh, np.ones(3000))["amount_mean"].sum()
    assert total / np.exp(later).sum() == pytest.approx(1.0, abs=0.15)
