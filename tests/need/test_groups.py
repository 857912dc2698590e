from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import InvalidParameterError, MissingColumnError
from clientscore.need.groups import Grouping, IntervalGroups, candidate_names, named_groups

LOG_SCALE = np.log(np.arange(1.0, 10.0))
X = pd.DataFrame(
    {
        "log_assets": np.arange(9.0)[::-1],
        "tier": pd.Series(list("AAABBBCCC"), dtype="str"),
        "log_revenue": np.arange(9.0),
    }
)


def test_thirds_and_levels_by_hand():
    noise = named_groups("noise", X, LOG_SCALE, varies=True)
    assert noise.codes(X, LOG_SCALE).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert noise.labels == ["calm", "middle", "noisy"]
    size = named_groups("size", X, LOG_SCALE, varies=True)
    assert size.columns == ["log_assets"]
    assert size.codes(X, LOG_SCALE).tolist() == [2, 2, 2, 1, 1, 1, 0, 0, 0]
    tier = named_groups("tier", X, LOG_SCALE, varies=True)
    assert tier.labels == ["A", "B", "C", "other"]
    assert tier.codes(X, LOG_SCALE).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    calm = named_groups("noise", X, LOG_SCALE, varies=False)
    assert set(calm.codes(X, LOG_SCALE)) == {0}


def test_crossed_groups_name_their_cells_and_parents():
    both = named_groups(["noise", "tier"], X, LOG_SCALE, varies=True)
    assert both.labels[:5] == ["calm / A", "calm / B", "calm / C", "calm / other", "middle / A"]
    assert both.parents.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert both.codes(X, LOG_SCALE).tolist() == [0, 0, 0, 5, 5, 5, 10, 10, 10]


def test_missing_and_unmet_values_have_a_group_of_their_own():
    groups = named_groups(["log_assets", "tier"], X, LOG_SCALE, varies=True)
    odd = pd.DataFrame({"log_assets": [np.nan, 8.0], "tier": ["Z", None]})
    assert [groups.labels[code] for code in groups.codes(odd, LOG_SCALE[:2])] == [
        "log_assets missing / other",
        "log_assets high / other",
    ]


@pytest.mark.parametrize("names", ["noise", "size", "tier", ["noise", "tier", "log_revenue"]])
def test_one_client_is_in_the_group_of_the_batch_and_states_come_back(names):
    groups = named_groups(names, X, LOG_SCALE, varies=True)
    again = IntervalGroups.from_state(groups.to_state())
    assert again == groups
    frame = pd.concat([X, X.iloc[:1].assign(log_assets=np.nan, tier=None)], ignore_index=True)
    scale = np.append(LOG_SCALE, 0.5)
    one = [again.code_one(row, s) for row, s in zip(frame.to_dict("records"), scale, strict=True)]
    assert one == groups.codes(frame, scale).tolist()


def test_candidates_are_noise_size_and_words():
    assert candidate_names(X) == ["noise", "size", "tier"]
    assert candidate_names(X[["tier"]].assign(industry=1.0)) == ["noise", "tier"]


def test_bad_names_are_named():
    with pytest.raises(InvalidParameterError, match=r"one or more different groups; got \[\]"):
        named_groups([], X, LOG_SCALE, varies=True)
    with pytest.raises(InvalidParameterError, match="different groups"):
        named_groups(["noise", "noise"], X, LOG_SCALE, varies=True)
    with pytest.raises(InvalidParameterError, match="'size' needs one of the columns size_amount"):
        named_groups("size", X[["tier"]], LOG_SCALE, varies=True)
    with pytest.raises(
        MissingColumnError, match=r"(?s)interval_groups.*'teir' is missing. Did you mean 'tier'"
    ):
        named_groups("teir", X, LOG_SCALE, varies=True)
    with pytest.raises(InvalidParameterError, match="1 to 50 levels; got 60"):
        Grouping.of_column(pd.Series([f"s{i}" for i in range(60)], name="sector"))
