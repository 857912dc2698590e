from __future__ import annotations

import itertools
import json

import pytest
import zen

from clientscore.exceptions import PolicyError
from clientscore.strategy import ServiceStrategy, import_tables

ROWS = [
    ("'A','B'", "[0.1..0.2)", "", "'deep_cooperation'"),
    ("not in ['C']", "> 0.2 and <= 0.5", "true", "'strategic_partnership'"),
    ('"C"', ">= 0.5", "false", "'value_added'"),
    ("!= 'A'", "0.25", "", "'value_added'"),
    ("", "", "", "'basic'"),
]


def jdm(rows=ROWS, hit="first"):
    keys = ("i1", "i2", "i3", "o1")
    node = {
        "id": "t", "type": "decisionTableNode", "name": "layer", "position": {"x": 0, "y": 0},
        "content": {
            "hitPolicy": hit,
            "inputs": [
                {"id": key, "name": key, "field": field}
                for key, field in zip(keys, ("tier", "pd", "watch"), strict=False)
            ],
            "outputs": [{"id": "o1", "name": "layer", "field": "service_layer"}],
            "rules": [{"_id": f"r{k}"} | dict(zip(keys, row, strict=True)) for k, row in enumerate(rows)],
        },
    }  # fmt: skip
    ends = [
        {"id": name, "type": f"{name}Node", "name": name, "position": {"x": 0, "y": 0}}
        for name in ("input", "output")
    ]
    edges = [
        {"id": "1", "sourceId": "input", "targetId": "t", "type": "edge"},
        {"id": "2", "sourceId": "t", "targetId": "output", "type": "edge"},
    ]
    return {"nodes": [ends[0], node, ends[1]], "edges": edges}


def strategy_of(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    document = ServiceStrategy.default().to_dict()
    document["tables"] |= import_tables(path)
    del document["examples"]
    return ServiceStrategy(document)


CLIENTS = [
    {"tier": tier, "pd": pd, "watch": watch}
    for tier, pd, watch in itertools.product(
        ("A", "B", "C", None), (0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 0.7, None), (True, False, None)
    )
]


def test_rules_by_hand(tmp_path):
    strategy = strategy_of(tmp_path / "bank.json", jdm())
    table = next(one for one in strategy.tables if one.name == "layer")
    assert [rule.name for rule in table.rules] == [f"rule {k}" for k in range(1, 6)]
    for client, layer in (
        ({"tier": "A", "pd": 0.1, "watch": False}, "deep_cooperation"),
        ({"tier": "A", "pd": 0.2, "watch": False}, "basic"),
        ({"tier": "B", "pd": 0.3, "watch": True}, "strategic_partnership"),
        ({"tier": None, "pd": 0.3, "watch": True}, "strategic_partnership"),
        ({"tier": "C", "pd": 0.6, "watch": False}, "value_added"),
        ({"tier": None, "pd": 0.25, "watch": False}, "value_added"),
        ({"tier": None, "pd": None, "watch": None}, "basic"),
    ):
        assert strategy.recommend_one(client)["service_layer"] == layer, client


def test_the_same_answers_as_the_engine_it_was_written_for(tmp_path):
    strategy = strategy_of(tmp_path / "bank.json", jdm())
    engine = zen.ZenEngine().create_decision(json.dumps(jdm()))
    for client in CLIENTS:
        theirs = engine.evaluate(client)["result"]["service_layer"]
        assert strategy.recommend_one(client)["service_layer"] == theirs, client


DMN = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" name="bank">
  <decision id="d1" name="layer">
    <decisionTable hitPolicy="{policy}">
      <input id="i1"><inputExpression><text>tier</text></inputExpression></input>
      <input id="i2"><inputExpression><text>pd</text></inputExpression></input>
      <output id="o1" name="service_layer"/>
      <rule><description>good</description>
        <inputEntry><text>"A","B"</text></inputEntry><inputEntry><text>[0..0.05]</text></inputEntry>
        <outputEntry><text>"deep_cooperation"</text></outputEntry></rule>
      <rule><inputEntry><text>not("C")</text></inputEntry><inputEntry><text>-</text></inputEntry>
        <outputEntry><text>"value_added"</text></outputEntry></rule>
      <rule><inputEntry><text>-</text></inputEntry><inputEntry><text>-</text></inputEntry>
        <outputEntry><text>"basic"</text></outputEntry></rule>
    </decisionTable>
  </decision>
</definitions>"""


def test_a_dmn_table(tmp_path):
    path = tmp_path / "bank.dmn"
    path.write_text(DMN.format(policy="FIRST"), encoding="utf-8")
    table = import_tables(path)["layer"]
    assert table["rules"][0] == {
        "name": "good",
        "when": {
            "tier": {"in": ["A", "B"], "missing": False},
            "pd": {">=": 0, "<=": 0.05, "missing": False},
        },
        "then": {"service_layer": "deep_cooperation"},
    }
    assert table["rules"][1]["when"] == {"tier": {"not_in": ["C"], "missing": True}}
    assert table["rules"][2]["when"] == {}
    path.write_text(DMN.format(policy="COLLECT"), encoding="utf-8")
    with pytest.raises(PolicyError, match="hit policy 'COLLECT'; only 'first' can be read"):
        import_tables(path)
    path.write_text(
        DMN.format(policy="FIRST").replace("<definitions", "<!DOCTYPE x><definitions", 1), encoding="utf-8"
    )
    with pytest.raises(PolicyError, match="no document type or entities"):
        import_tables(path)


def test_what_cannot_be_said_here_is_a_fault(tmp_path):
    rows = [("$.tier == customer.tier", "> 0.1", "", "'basic'"), ("'A'", "", "", "lower(tier)")]
    path = tmp_path / "bank.json"
    path.write_text(json.dumps(jdm(rows, hit="collect")), encoding="utf-8")
    with pytest.raises(PolicyError, match="3 faults") as error:
        import_tables(path)
    text = "\n".join(error.value.faults)
    assert "layer.rules[1].tier has a cell that cannot be read: '$.tier == customer.tier'" in text
    assert "layer.rules[2].service_layer must give a constant; got 'lower(tier)'" in text
    assert "hit policy 'collect'" in text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "{", "must be JSON"),
        ("a.json", "[]", "must be a JDM document"),
        ("a.json", '{"nodes": []}', "holds no decision table"),
        (
            "a.json",
            '{"nodes": [{"type": "decisionTableNode", "name": "t", "content": {}}]}',
            "must have inputs",
        ),
        ("a.dmn", "<a", "must be XML"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PolicyError, match=words):
        import_tables(path)
    with pytest.raises(PolicyError, match="cannot be opened"):
        import_tables(tmp_path / "absent.json")
