from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import FeatureRule, choose_bins, encode, fit_bins
from clientscore.exceptions import DataError, InvalidParameterError


def book(n: int, seed: int = 0, *, sharp: bool = False) -> tuple[pd.DataFrame, np.ndarray]:
    """A number that matters (smoothly, or in stripes 1/40 wide), one that does not, a category."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"x": rng.random(n), "noise": rng.random(n), "branch": rng.choice(list("pqr"), n)})
    p = np.where((X["x"] * 40).astype(int) % 2 > 0, 0.6, 0.1) if sharp else 0.1 + 0.4 * X["x"]
    return X, (rng.random(n) < p).astype(float)


def chosen(curve: pd.DataFrame) -> int:
    assert curve["chosen"].sum() == 1
    return int(curve.loc[curve["chosen"], "max_bins"].iloc[0])


def test_fine_bins_are_taken_where_they_are_needed() -> None:
    X, y = book(9000, sharp=True)
    bins, curve = choose_bins(X, y, random_state=0)
    assert chosen(curve) == 127
    assert bins == fit_bins(X, max_bins=127)
    assert curve["max_bins"].tolist() == [31, 63, 127]
    assert curve["loss"].is_monotonic_decreasing
    best = curve["loss"].min()
    assert curve["over_best"].tolist() == pytest.approx((curve["loss"] - best).tolist())
    assert curve["standard_error"].iloc[-1] == 0
    assert (curve["over_best"] > curve["standard_error"]).tolist() == [True, True, False]


def test_few_bins_are_taken_where_more_gain_nothing() -> None:
    X, y = book(4000)
    bins, curve = choose_bins(X, y, random_state=0)
    assert chosen(curve) == 31
    assert bins == fit_bins(X, max_bins=31)
    assert curve["loss"].isna().tolist() == [False, True, False]  # nothing between was tried
    assert curve["over_best"].iloc[0] <= curve["standard_error"].iloc[0]


def test_sizes_that_make_the_same_bins_are_tried_once_and_one_size_not_at_all() -> None:
    X, y = book(900)
    X["x"] = (X["x"] * 40).round()
    X["noise"] = (X["noise"] * 20).round()
    _, curve = choose_bins(X, y, random_state=0)
    assert curve["max_bins"].tolist() == [31, 63]
    bins, curve = choose_bins(X, y, sizes=[50])
    assert bins == fit_bins(X, max_bins=50)
    assert curve.to_dict("list")["max_bins"] == [50]
    assert curve["loss"].isna().all()


def test_levels_of_a_category_do_not_follow_the_size() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.random(3000), "town": rng.integers(0, 90, 3000).astype(str)})
    bins, _ = choose_bins(X, rng.random(3000) < 0.3, sizes=[31], max_levels=63)
    assert (len(bins[0].inner_rows), len(bins[1].levels)) == (31, 63)
    wide, _ = choose_bins(X, rng.random(3000) < 0.3, sizes=[31], max_levels=None)
    assert len(wide[1].levels) == 31


def test_clients_rules_weights_and_the_seed() -> None:
    X, y = book(3000)
    X.loc[::7, "x"] = -999.0
    groups, weight = np.arange(3000) // 5, np.repeat([2.0, 1.0, 0.0], 1000)
    rules = {"x": FeatureRule(specials=(-999.0,))}
    given = {"groups": groups, "weight": weight, "rules": rules, "monotone": {"x": "increasing"}}
    bins, curve = choose_bins(X, y, random_state=3, **given)
    assert bins[0].specials == (-999.0,)
    spoiled = np.where(weight > 0, y, 1 - y)
    again, same = choose_bins(X, spoiled, random_state=3, **given)
    assert again == bins
    assert same.equals(curve)
    alone = choose_bins(X, y, random_state=3, **{**given, "groups": None})[1]
    assert not alone["loss"].equals(curve["loss"])
    # Held out whole, ten copies of one client tell no more than one: the error is that of clients.
    tenfold = choose_bins(
        pd.concat([X] * 10), np.tile(y, 10), groups=np.tile(np.arange(3000), 10), random_state=3
    )[1]
    assert tenfold["standard_error"].max() > curve["standard_error"].max() / 3


@pytest.mark.parametrize("n", [1, 2, 30])
def test_hardly_any_rows_give_bins_all_the_same(n: int) -> None:
    X = pd.DataFrame({"x": np.arange(float(n))})
    bins, curve = choose_bins(X, np.arange(n) % 2, sizes=(2, 8), random_state=0)
    assert curve["chosen"].sum() == 1
    assert encode(bins, X).shape == (n, 1)


def test_bad_input() -> None:
    X, y = book(300)
    with pytest.raises(InvalidParameterError, match=r"sizes must be .* 2"):
        choose_bins(X, y, sizes=(1, 31))
    with pytest.raises(InvalidParameterError, match="sizes must name at least one"):
        choose_bins(X, y, sizes=())
    with pytest.raises(InvalidParameterError, match="'dsr' is no feature"):
        choose_bins(X, y, monotone={"dsr": "increasing"})
    with pytest.raises(DataError, match="y must hold one finite number"):
        choose_bins(X, y[:-1])
    with pytest.raises(DataError, match="whole numbers from 0 to 1"):
        choose_bins(X, y + 1)
    with pytest.raises(DataError, match="sample_weight must hold 300"):
        choose_bins(X, y, weight=-np.ones(300))
