"""Which action is chosen, which comes second, and why not."""

from __future__ import annotations

import numpy as np
import pytest

from clientscore.strategy import ServiceStrategy
from clientscore.strategy._explain import _NAMES_ZH, WORDS
from clientscore.strategy._rules import COLUMNS


def with_settings(**settings):
    document = ServiceStrategy.default().to_dict()
    document["settings"] |= settings
    del document["examples"]
    return ServiceStrategy(document)


@pytest.fixture
def needy(client):
    return client | {"need_probability_12m": 0.6, "need_amount_expected": 6e7}


def test_a_barred_action_is_the_runner_up_with_its_guardrail(strategy, needy):
    free = strategy.recommend_one(needy)
    assert free["actions"] == "financing_proposal"
    barred = strategy.recommend_one(needy | {"consent": False})
    assert barred["actions"] == "complaint_resolution"
    gain = 0.1 * 6e7 * (0.02 - 0.01 * 0.4) * 2.5 - (1500 + 8 * 400)
    assert barred["runner_up"] == (
        f"proposal for the expected financing need ({gain:,.0f}: barred, client has not agreed to offers)"
    )
    chinese = strategy.recommend_one(needy | {"consent": False}, lang="zh")["runner_up"]
    assert chinese == f"针对预期融资需求的方案（{gain:,.0f}：受限，客户未同意营销）"
    unknown = strategy.recommend_one(needy | {"consent": None})["runner_up"]
    assert unknown.endswith("barred, consent not evaluated: consent missing)")


def test_contact_policy_leaves_what_needs_no_contact(strategy, client):
    tired = strategy.recommend_one(client | {"contacts_30d": 9})
    assert tired["actions"] == "fast_track_approval"  # inside the bank
    assert "senior manager resolves" in tired["runner_up"]
    assert tired["runner_up"].endswith("barred, contacted often enough this month)")
    assert strategy.recommend_one(client | {"contacts_30d": 2})["actions"] == "complaint_resolution"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sector_limit_used_ratio": 1.0}, "the bank's limit for the sector is used up"),
        ({"group_limit_used_ratio": 1.2}, "the limit of the client's group is used up"),
        ({"group_limit_used_ratio": None}, "group_limit not evaluated: group_limit_used_ratio missing"),
    ],
)
def test_limits_of_sector_and_group(strategy, needy, change, words):
    plan = strategy.recommend_one(needy | change)
    assert plan["products"] == ""
    assert f"No offers: {words}" in plan["strategy_reason"]
    assert "financing_proposal" not in plan["actions"]
    assert strategy.recommend_one(needy | {"sector_limit_used_ratio": 0.99})["products"] != ""


def test_suitability_stops_one_product_and_no_more(strategy, client):
    exporter = client | {
        "industry": "export",
        "need_probability_12m": 0.39,
        "need_purpose": "trade",
        "tier": "A",
    }
    offered = strategy.recommend_one(exporter | {"suitability_valid": True})["products"].split("; ")
    assert offered == ["export_finance", "letter_of_credit", "receivables_factoring"]
    wide = ServiceStrategy.default().to_dict()
    wide["layers"]["deep_cooperation"]["max_products"] = 9
    wide = ServiceStrategy(wide)
    allowed = wide.recommend_one(exporter | {"suitability_valid": True})["products"].split("; ")
    stopped = wide.recommend_one(exporter | {"suitability_valid": None})["products"].split("; ")
    assert "fx_hedge" in allowed
    assert stopped == [name for name in allowed if name != "fx_hedge"]


def test_one_action_a_kind(needy):
    two = with_settings(max_actions=2).recommend_one(needy)
    assert two["actions"] == "financing_proposal; complaint_resolution"
    assert two["runner_up"].endswith("less)")
    three = with_settings(max_actions=3).recommend_one(needy)
    assert three["actions"] == two["actions"]  # a third of another kind does not pay
    assert three["runner_up"].startswith("put the next request on the fast approval track")
    free = with_settings(max_actions=3, one_action_per_kind=False).recommend_one(needy)
    assert free["actions"] == "financing_proposal; complaint_resolution; fast_track_approval"


def test_whatever_is_chosen_beats_the_runner_up_or_excludes_it(book):
    for settings in (
        {"max_actions": 1},
        {"max_actions": 3},
        {"max_actions": 2, "one_action_per_kind": False},
    ):
        plans = with_settings(**settings).recommend(book)
        said = plans["runner_up"]
        ends = said.str.contains("less|costs more than it brings|barred, |of the same kind") | (said == "")
        assert ends.all()


@pytest.mark.parametrize("cause", ["silent_attrition", "hard_attrition"])
def test_a_client_inactive_by_rule_is_won_back(strategy, client, cause):
    gone = client | {"churn_12m": None, "churn_cause": cause}
    assert strategy.recommend_one(gone)["actions"] == "win_back_call"
    assert strategy.recommend_one(gone | {"value": 10_000.0})["actions"] == ""  # not worth the call
    assert strategy.recommend_one(client | {"churn_cause": cause})["actions"] == "complaint_resolution"


def test_both_languages_have_every_word_and_every_column():
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    outputs = {"service_layer"}
    assert set(COLUMNS) | outputs <= set(_NAMES_ZH)


def test_costs_that_dwarf_all_value_are_doubted_for_one_client(strategy, client):
    plan = strategy.recommend_one(client | {"value": 0.4})
    assert (
        plan["policy_warning"] == "costs dwarf what is at stake: is the policy in the book's currency unit?"
    )
    assert strategy.recommend_one(client)["policy_warning"] == ""
    assert strategy.recommend_one(client | {"value": -5.0})["policy_warning"] == ""
    assert np.isfinite(strategy.recommend_one(client)["action_value"])
