from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError
from clientscore.labels import build_labels, need_target
from clientscore.need import censor_elsewhere
from clientscore.need.checks import InputRange, check_currency, check_size, one_currency
from clientscore.schema import ClientSchema


def test_amounts_in_thousands_against_sizes_in_units_are_an_error():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"log_assets": rng.normal(18, 1, 200)})
    amount = np.exp(X["log_assets"].to_numpy() - 3 + rng.normal(size=200))
    check_size(X, amount)
    with pytest.raises(DataError, match=r"one unit; amounts are 4.1e-05 times.*Are some in thousands"):
        check_size(X, amount / 1000)
    with pytest.raises(DataError, match="more than 20 times in 78%"):
        check_size(X, amount * 1000)
    with pytest.raises(DataError, match="more than 20 times in 1"):  # some rows only
        check_size(X, np.where(np.arange(200) < 30, amount * 1000, amount))
    check_size(X.head(20), amount[:20] / 1000)  # too few to tell
    check_size(X.rename(columns={"log_assets": "roa"}), amount / 1000)  # no size to compare with
    plain = pd.DataFrame({"size_amount": np.exp(X["log_assets"])})
    with pytest.raises(DataError, match="size_amount"):
        check_size(plain, amount / 1000)


def test_the_range_of_training_finds_shifts_and_units():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "log_assets": rng.normal(18, 1, 500),
            "exposure_amount": rng.lognormal(10, 1, 500),
            "roa": rng.normal(size=500),
            "sector": pd.Series(["a"] * 500, dtype="str"),
            "empty": np.nan,
        }
    )
    known = InputRange.of(X)
    assert known.shifts(X).empty
    other = X.assign(
        log_assets=X["log_assets"] - np.log(1000), exposure_amount=X["exposure_amount"] / 1000, roa=9.0
    )
    table = known.shifts(other).set_index("feature")
    assert table["kind"].to_dict() == {"log_assets": "unit", "exposure_amount": "unit", "roa": "shift"}
    assert table.loc["roa", "median"] == 9.0
    with pytest.raises(DataError, match=r"(?s)unit of training.*log_assets: median.*exposure_amount"):
        known.check_units(other)
    known.check_units(other.head(29))  # too few rows for a median
    known.check_units(X.assign(roa=9.0))


def test_one_currency_or_an_error():
    frame = pd.DataFrame({"currency": ["CNY", None, "CNY"]})
    assert one_currency({"X": frame, "target": pd.DataFrame({"amount": [1.0]})}) == "CNY"
    assert one_currency({"X": pd.DataFrame()}) is None
    with pytest.raises(
        DataError, match=r"(?s)one currency; got CNY, USD.*target: CNY in 2 rows, USD in 1 rows"
    ):
        one_currency({"target": pd.DataFrame({"currency": ["CNY", "USD", "CNY"]})})
    with pytest.raises(DataError, match="got CNY, EUR"):
        one_currency({"X": frame, "target": pd.DataFrame({"currency": ["EUR"]})})
    check_currency(["CNY", None], "CNY")
    check_currency(["USD"], None)  # training named none
    with pytest.raises(DataError, match="currency must be CNY as in training; got USD"):
        check_currency(["CNY", "USD"], "CNY")


def test_needs_met_elsewhere_censor_by_hand():
    index = pd.Index(list("abcd"), name="client_id")
    target = pd.DataFrame(
        {
            "duration": [12, 5, 5, 8],
            "event": ["need", "need", "closure", None],
            "amount": [9.0, 7.0, None, None],
            "product": ["term_loan", "leasing", None, None],
        },
        index=index,
    )
    given = target.copy()
    table = censor_elsewhere(target, pd.Series([3.0, 5.0, 2.0, np.nan], index))
    assert table["duration"].tolist() == [3, 5, 2, 8]
    assert table["event"].isna().tolist() == [True, False, True, True]
    assert table.loc["b", ["amount", "product"]].tolist() == [7.0, "leasing"]
    assert table.loc["a", ["amount", "product"]].isna().all()
    pd.testing.assert_frame_equal(target, given)
    with pytest.raises(DataError, match="index of target"):
        censor_elsewhere(target, pd.Series([1.0]))
    with pytest.raises(DataError, match="at least 1, inside the window; got 0"):
        censor_elsewhere(target, pd.Series([0.0, 1.0, 1.0, 1.0], index))


def test_a_renewal_is_no_need_and_no_part_of_an_amount():
    tables = {
        "clients": pd.DataFrame({"client_id": ["a", "b", "c"]}),
        "events": pd.DataFrame(
            {
                "client_id": ["a", "a", "b"],
                "date": pd.to_datetime(["2025-03-10", "2025-05-10", "2025-03-10"]),
                "event": ["renewal", "drawing", "renewal"],
                "amount": [100.0, 7.0, 50.0],
                "product": ["term_loan", "revolving_line", "term_loan"],
            }
        ),
    }
    labels = build_labels(tables, ClientSchema.default(), "2025-01-01", data_end="2026-07-01")
    target = need_target(labels)
    assert target["event"].eq("need").tolist() == [True, False, False]
    assert target.loc["a", ["duration", "amount", "product"]].tolist() == [4, 7.0, "revolving_line"]
