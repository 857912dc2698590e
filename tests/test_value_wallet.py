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
    economic_capital,
    eva,
    peer_wallet,
    raroc,
    share_of_wallet,
    wallet,
)  # fmt: skip


def test_wallet_by_hand_and_its_share():
    volumes = pd.DataFrame(
        {"loans": [1000.0, np.nan, np.nan], "deposits": [500.0, 500.0, np.nan]}, index=["a", "b", "c"]
    )
    found = wallet(volumes, {"loans": 0.02, "deposits": 0.01})
    assert found.tolist()[:2] == [25.0, 5.0]
    assert np.isnan(found["c"])
    share = share_of_wallet(pd.Series([5.0, 7.0, 1.0], index=volumes.index), found)
    assert share.tolist()[:2] == [0.2, 1.0]  # more than the whole is the whole
    assert np.isnan(share["c"])
    assert share.index.equals(volumes.index)
    assert np.isnan(share_of_wallet(1.0, 0.0))


def test_bad_volumes_are_named():
    with pytest.raises(MissingColumnError, match="'cards'"):
        wallet(pd.DataFrame({"loans": [1.0]}), {"cards": 0.1})
    with pytest.raises(DataError, match="loans must be at least 0; it is negative in 1 rows"):
        wallet(pd.DataFrame({"loans": [-1.0]}), {"loans": 0.1})
    with pytest.raises(
        InvalidParameterError, match=r"margins\['loans'\] must be a number in \[0, 1\]; got 2"
    ):
        wallet(pd.DataFrame({"loans": [1.0]}), {"loans": 2})
    with pytest.raises(InvalidParameterError, match="at least one product"):
        wallet(pd.DataFrame({"loans": [1.0]}), {})


def test_peers_of_industry_and_size():
    rng = np.random.default_rng(0)
    n = 4000
    size = rng.lognormal(15, 1, n)
    industry = rng.choice(["trade", "energy"], n)
    rate = np.where(industry == "trade", 0.01, 0.002)
    share = rng.uniform(0, 1, n)  # what each client does with us
    frame = pd.DataFrame({"industry": industry, "size_amount": size, "income_amount": size * rate * share})
    found = peer_wallet(frame, quantile=0.95)
    truth = size * rate
    assert np.median(found / truth) == pytest.approx(0.95, abs=0.02)
    assert (found >= frame["income_amount"]).all()
    ours = share_of_wallet(frame["income_amount"], found)
    assert np.corrcoef(ours, share)[0, 1] > 0.99
    by_hand = frame[frame["industry"] == "trade"]
    ratio = (by_hand["income_amount"] / by_hand["size_amount"]).quantile(0.95)
    low = by_hand.index[by_hand["income_amount"] < 0.5 * ratio * by_hand["size_amount"]]
    assert found[low].to_numpy() == pytest.approx(ratio * by_hand.loc[low, "size_amount"].to_numpy())


def test_few_peers_take_the_book_and_a_small_book_knows_nothing():
    frame = pd.DataFrame(
        {"industry": ["a"] * 30 + ["b", None], "size_amount": 100.0, "income_amount": [1.0] * 30 + [0.0, 0.0]}
    )
    found = peer_wallet(frame, min_peers=20)
    assert found.tolist() == [1.0] * 32
    assert peer_wallet(frame, min_peers=40).isna().all()
    assert peer_wallet(frame.assign(size_amount=[0.0] + [100.0] * 31)).isna().sum() == 1
    assert peer_wallet(frame, by=()).tolist() == [1.0] * 32
    with pytest.raises(InvalidParameterError, match=r"quantile must be a number in \(0, 1\); got 1"):
        peer_wallet(frame, quantile=1)
    with pytest.raises(MissingColumnError, match="'region'"):
        peer_wallet(frame, by=("region",))


@settings(max_examples=40, deadline=None)
@given(
    pd_value=st.floats(0.001, 0.5),
    income=st.floats(-100, 1000),
    cost=st.floats(0, 500),
    drawn=st.floats(1, 10_000),
)
def test_the_parts_of_value_agree_with_the_formulas(pd_value, income, cost, drawn):
    book = pd.DataFrame(
        {"pd": [pd_value], "income_amount": [income], "cost_amount": [cost], "drawn_amount": [drawn]}
    )
    figures = ValueParameters(hurdle_rate=0.12)
    one = client_value(book, figures).iloc[0]
    capital = economic_capital(pd_value, figures.lgd, drawn)
    rate = raroc(income, cost, one["value_expected_loss"], capital)
    assert one["value_raroc"] == pytest.approx(rate)
    assert one["value_eva"] == pytest.approx(eva(rate, capital, 0.12), abs=1e-6)
    assert one["value"] == pytest.approx(one["value_eva"], abs=1e-6)
