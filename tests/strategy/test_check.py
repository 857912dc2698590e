from __future__ import annotations

from itertools import product

import pytest

from clientscore.strategy import ServiceStrategy

THEN = (
    'then = { coverage = "dedicated_team", sla_hours = 4, sla_terms_days = 2, sla_decision_days = 10, '
    "contact_cadence_days = 30, review_days = 30 }"
)


def edited(*changes):
    text = ServiceStrategy.default_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return ServiceStrategy.from_text(text)


def only_finding(strategy):
    frame = strategy.check().frame()
    assert len(frame) == 1, frame["message"].tolist()
    return frame.iloc[0]


def test_a_gap_is_found_with_a_client_who_falls_into_it():
    strategy = edited(('when = { tier = "C" }', 'when = { tier = "C", segment = "small" }'))
    finding = only_finding(strategy)
    assert (finding["table"], finding["finding"]) == ("layer", "uncovered")
    assert "tier = C" in finding["counter_example"]
    client = dict(part.split(" = ") for part in finding["counter_example"].split(", ") if " = " in part)
    plan = strategy.recommend_one({"tier": client["tier"], "watch": False, "segment": "mid"})
    assert plan["service_layer"] is None
    assert "No rule applies" in plan["strategy_reason"]


def test_a_gap_between_numbers_is_found():
    old = 'when = { tier = "B", watch = false }\n'
    new = 'when = { tier = "B", watch = false, need_probability_12m = { "<" = 0.39, missing = true } }\n'
    finding = only_finding(edited((old, new)))
    assert finding["finding"] == "uncovered"
    low, high = 0.39, 0.40
    share = float(finding["counter_example"].split("need_probability_12m = ")[1].split(",")[0])
    assert low <= share < high


def test_missing_values_count_as_combinations():
    text = ServiceStrategy.default_text().replace('not_evaluated = { service_layer = "basic" }\n', "", 1)
    finding = only_finding(ServiceStrategy.from_text(text))
    assert finding["finding"] == "uncovered"
    assert "tier missing" in finding["counter_example"] or "watch missing" in finding["counter_example"]


def test_a_rule_behind_another_is_unreachable():
    old = 'when = { tier = "A", watch = false, segment = { in = ["large", "project"], missing = false } }'
    finding = only_finding(edited((old, 'when = { tier = "A", watch = false }')))
    assert (finding["finding"], finding["rule"], finding["other_rule"]) == (
        "unreachable",
        "top client",
        "strategic partner",
    )
    assert "tier = A" in finding["counter_example"]
    text = ServiceStrategy.default_text()
    assert finding["line"] == text[: text.index('name = "top client"\n')].count("\n")


def test_a_rule_against_an_earlier_table_is_unreachable():
    # The joint grid knows that the watch rule of the layer table never gives a strategic partnership.
    rule = f"""[[tables.service.rules]]
name = "strategic on watch"
when = {{ service_layer = "strategic_partnership", watch = true }}
{THEN}

[[tables.service.rules]]
name = "watch service"
"""
    finding = only_finding(edited(('[[tables.service.rules]]\nname = "watch service"\n', rule)))
    assert (finding["finding"], finding["rule"]) == ("unreachable", "strategic on watch")


def with_priorities(*priorities):
    head, tail = ServiceStrategy.default_text().split("[tables.layer]")
    body, rest = tail.split("[tables.service]")
    pieces = body.split("[[tables.layer.rules]]")
    body = pieces[0] + "".join(
        f"[[tables.layer.rules]]\npriority = {priority}{piece}"
        for priority, piece in zip(priorities, pieces[1:], strict=True)
    )
    return ServiceStrategy.from_text(f"{head}[tables.layer]{body}[tables.service]{rest}")


def test_rules_of_equal_priority_that_disagree_are_a_conflict():
    assert with_priorities(1, 1, 2, 3, 4, 5, 6, 7).check().ok  # A and B on watch never meet
    finding = only_finding(with_priorities(1, 2, 3, 3, 4, 5, 6, 7))
    assert finding["finding"] == "conflict"
    assert {finding["rule"], finding["other_rule"]} == {"strategic partner", "top client"}
    assert "segment = large" in finding["counter_example"]


def test_an_impossible_range_is_unreachable_and_an_unused_layer_named():
    old = '{ ">=" = 0.50, missing = false }'
    finding = only_finding(edited((old, '{ ">" = 1.0, missing = false }')))
    assert finding["finding"] == "unreachable"
    assert "cannot hold" in finding["message"]
    unused = only_finding(edited(("[layers.basic]", "[layers.idle]\nrank = 0\n\n[layers.basic]")))
    assert (unused["finding"], unused["message"]) == ("unused", "layer idle is given by no rule.")


@pytest.mark.parametrize("dropped", range(8))
def test_dropping_any_rule_is_noticed_or_harmless(dropped):
    """Independent oracle: thousands of drawn clients fall into a gap only if the check says there is one."""
    document = ServiceStrategy.default().to_dict()
    del document["tables"]["layer"]["rules"][dropped]
    strategy = ServiceStrategy(document)
    values = {
        "tier": ["A", "B", "C", None],
        "watch": [True, False, None],
        "segment": ["large", "mid", None],
        "need_probability_12m": [0.1, 0.4, 0.45, 0.5, 0.9, None],
    }
    plans = [
        strategy.recommend_one(dict(zip(values, row, strict=True)))["service_layer"]
        for row in product(*values.values())
    ]
    found = strategy.check().frame()
    gaps = found[(found["table"] == "layer") & (found["finding"] == "uncovered")]
    assert (None in plans) == (len(gaps) > 0)


def test_report_forms(strategy):
    report = edited(('when = { tier = "C" }', 'when = { tier = "C", segment = "small" }')).check()
    assert report.to_dict()["findings"][0]["finding"] == "uncovered"
    assert "1 findings" in report._repr_html_()
    assert "complete" in strategy.check()._repr_html_()
    assert list(strategy.check().frame().columns) == list(report.frame().columns)
