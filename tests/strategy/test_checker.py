"""The checker on generated policies: every planted fault is found, nothing else is."""

from __future__ import annotations

import importlib

import pytest

from clientscore.strategy import ServiceStrategy


@pytest.fixture
def checker(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module("strategy_parts.checker")


def test_all_planted_faults_are_found_and_none_else(checker):
    planted = 0
    for seed in range(20):
        policy = checker.generate(seed)
        assert checker.judge(policy) == (set(), set(), 0), seed
        planted += len(policy.truth)
    assert planted > 60
    assert checker.generate(10).truth == set()


def test_a_plan_of_a_generated_policy_is_that_of_its_regions(checker):
    policy = checker.generate(3)
    strategy = ServiceStrategy(policy.document)
    table = next(one for one in strategy.tables if one.name == "layer")
    clients = [
        {"tier": tier, "segment": segment, "pd": pd, "churn_12m": churn, "watch": watch}
        for tier in ("A", "C", None)
        for segment in ("mid", "micro", None)
        for pd in (0.0, 0.33, 1.0, None)
        for churn in (0.21, 0.8, None)
        for watch in (True, False, None)
    ]
    for client in clients:
        regions = [policy.rules["layer", rule.name] for rule in table.rules]
        first = next((k for k, region in enumerate(regions) if region.holds(client)), None)
        expected = None if first is None else table.rules[first].outputs["service_layer"]
        assert strategy.recommend_one(client)["service_layer"] == expected


def test_many_columns_are_no_obstacle():
    """A grid of these rules would have billions of cells."""
    document = ServiceStrategy.default().to_dict()
    columns = (
        "pd",
        "churn_3m",
        "churn_6m",
        "churn_12m",
        "need_probability_3m",
        "need_probability_12m",
        "dpd_days",
    )
    rules = [
        {
            "name": f"{column} {k}",
            "when": {column: {"<": (k + 1) / 10, "missing": False}},
            "then": {"service_layer": "basic" if k % 2 else "value_added"},
        }
        for column in columns
        for k in range(6)
    ]
    document["tables"]["layer"] = {"outputs": ["service_layer"], "rules": rules}
    found = ServiceStrategy(document).check().frame().query("table == 'layer'")
    assert found["finding"].tolist() == ["uncovered"]
    document["tables"]["layer"]["otherwise"] = {"service_layer": "deep_cooperation"}
    document["tables"]["layer"]["rules"] += [
        {"name": "late", "when": {"pd": {"==": 0.7, "missing": False}}, "then": {"service_layer": "basic"}}
    ]
    late = ServiceStrategy(document).check().frame().query("table == 'layer'")
    assert late["finding"].tolist() == []  # pd = 0.7 reaches it where every other value is high or missing
    document["tables"]["layer"]["rules"][-1]["when"] = {"pd": {"==": 0.05, "missing": False}}
    late = ServiceStrategy(document).check().frame().query("table == 'layer'")
    assert late[["finding", "rule"]].values.tolist() == [["unreachable", "late"]]
