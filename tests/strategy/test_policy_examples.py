from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import PolicyError
from clientscore.strategy import ServiceStrategy
from clientscore.value import ValueParameters, client_value


def text_with(*changes):
    text = ServiceStrategy.default_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def test_an_example_that_no_longer_holds_is_a_finding():
    text = text_with(('then = { service_layer = "basic" }', 'then = { service_layer = "value_added" }'))
    frame = ServiceStrategy.from_text(text).check().frame().query("finding == 'example'")
    assert frame["rule"].tolist() == ["small technology company is answered fast"]
    assert "expects service_layer 'basic', the policy gives 'value_added'" in frame["message"].iloc[0]
    assert frame["line"].iloc[0] == text[: text.index('name = "small technology company is')].count("\n")
    assert "tier = C" in frame["counter_example"].iloc[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('client = { tier = "A"', 'client = { teir = "A"', "names the column 'teir'"),
        ('client = { tier = "A", watch = false,', 'client = { tier = "A",', "must give watch"),
        ('expect = { service_layer = "strategic', 'expect = { layer = "strategic', "names the key 'layer'"),
        ('name = "large top client"', 'nane = "large top client"', "Did you mean 'name'"),
        ("churn_12m = 0.05, need", "churn_12m = [0.05], need", "must be a word, number or flag; got [0.05]"),
        ('products = ["cash_management", "payroll"]', 'products = "payroll"', "must be a list of names"),
        (
            'expect = { service_layer = "strategic_partnership", coverage = "dedicated_team", sla_hours = 4',
            "expect = { sla_hours = []",
            "a word or number",
        ),
    ],
)
def test_faults_of_an_example_are_named(old, new, expected):
    with pytest.raises(PolicyError, match="fault") as error:
        ServiceStrategy.from_text(text_with((old, new)))
    assert any(expected in fault for fault in error.value.faults)


def test_an_example_with_an_impossible_value_is_a_finding():
    text = text_with(
        ('client = { tier = "A", watch = false, segment', 'client = { tier = "Z", watch = false, segment')
    )
    (message,) = ServiceStrategy.from_text(text).check().frame()["message"]
    assert "tier must be one of A, B, C; got 'Z'" in message


def test_one_error_lists_faults_of_every_kind(tmp_path):
    rule = """[[tables.reports.rules]]
name = "never"
when = { watch = true }
then = { reports = ["maintenance_report"] }

[[tables.reports.rules]]
name = "reports of a strategic partner"
"""
    text = text_with(
        ("[policy]", "[polciy]"),
        ("hours = 3.0", "huors = 3.0"),
        ('when = { service_layer = "basic" }', 'when = { service_layre = "basic" }'),
        ('[[tables.reports.rules]]\nname = "reports of a strategic partner"\n', rule),
        ("payroll = {", 'payrol = { text = "x", purposes = [] }\npayroll = {'),
        ("per_manager = 40.0 ", "per_manager = -40.0 "),
    )
    path = tmp_path / "bank.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match="6 faults") as error:
        ServiceStrategy.from_toml(path)
    faults = error.value.faults
    expected = (
        "Did you mean 'policy'", "Did you mean 'hours'", "Did you mean 'service_layer'",
        "'never', never decides",
        "payrol is offered to no industry", "must be a number of at least 0; got -40.0",
    )  # fmt: skip
    for words in expected:
        assert any(words in fault for fault in faults), words
    assert all(fault.startswith("bank.toml, line ") for fault in faults)
    lines = [int(fault.split("line ")[1].split(":")[0]) for fault in faults]
    assert lines == sorted(lines)


def test_overlapping_rules_and_gaps_are_refused_where_asked(tmp_path):
    start, end = (
        ServiceStrategy.default_text().index(word) for word in ("[tables.layer]", "[tables.service]")
    )
    body = ServiceStrategy.default_text()[start:end]
    flat = body.replace("[[tables.layer.rules]]", "[[tables.layer.rules]]\npriority = 1")
    text = ServiceStrategy.default_text().replace(body, flat)
    draft = ServiceStrategy.from_text(text)  # a draft can be read, and looked at
    found = set(draft.check().frame()["finding"])
    assert "conflict" in found
    with pytest.raises(PolicyError, match=r"finding") as error:
        draft.check().raise_if()
    assert any(fault.startswith("line ") for fault in error.value.faults)
    path = tmp_path / "bank.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"at equal priority\. Give one of them priority"):
        ServiceStrategy.from_toml(path)
    assert ServiceStrategy.from_toml(path, strict=False).check().frame().equals(draft.check().frame())
    ServiceStrategy.default().check().raise_if()


def test_a_circle_does_not_hide_other_faults():
    text = text_with(
        ('when = { tier = "A", watch = true }', 'when = { tier = "A", sla_hours = 4 }'),
        ("[policy]", "[polic]"),
    )
    with pytest.raises(PolicyError, match="2 faults") as error:
        ServiceStrategy.from_text(text, strict=True)
    assert any("read each other's outputs" in fault for fault in error.value.faults)


def test_a_book_in_millions_is_noticed(strategy, book):
    assert strategy.check(book).ok
    small = book.assign(
        **{name: book[name] / 1e6 for name in ("value", "need_amount_expected", "exposure_amount")}
    )
    (finding,) = strategy.check(small).findings
    assert finding.finding == "scale"
    assert "is the policy in the book's currency unit" in finding.message
    plans, usual = strategy.recommend(small), strategy.recommend(book)
    assert (plans["policy_warning"] != "").mean() > 0.3
    assert (usual["policy_warning"] != "").mean() < 0.01
    chinese = strategy.recommend(small, lang="zh")["policy_warning"]
    assert chinese.str.contains("货币单位").any()


def test_the_policy_is_the_one_source_of_figures(client):
    text = text_with(("lgd = 0.4  ", "lgd = 0.6  "), ("win_rate = 0.35", "win_rate = 0.5"))
    strategy = ServiceStrategy.from_text(text)
    assert strategy.value_parameters() == ValueParameters(lgd=0.6, win_rate=0.5)
    assert ServiceStrategy.default().value_parameters() == ValueParameters()
    growth = client | {"need_probability_12m": 0.6, "need_amount_expected": 3e6}
    frame = strategy.candidates(pd.DataFrame([growth | {"client_id": "C1"}]))
    proposal = frame.set_index("action").loc["financing_proposal"]
    assert proposal["expected_loss_change"] == pytest.approx(0.1 * 3e6 * 0.01 * 0.6 * 2.5)
    assert proposal["new_lending"] == pytest.approx(0.1 * 3e6)


def test_older_states_go_on_being_read():
    state = ServiceStrategy.default().to_state()
    for key in ("value", "control", "capacities", "examples"):
        del state[key]
    state["settings"] |= {"lgd": 0.55, "need_spread": 0.03}
    old = ServiceStrategy.from_state(state)
    assert (old.value_parameters().lgd, old.value_parameters().need_spread) == (0.55, 0.03)
    assert old.value_parameters().ccf == ValueParameters().ccf
    with pytest.raises(PolicyError, match=r"settings.lgd has moved. Write it under \[value\]: lgd = 0.55"):
        ServiceStrategy(state)


def test_funding_is_taken_off_a_known_income():
    book = pd.DataFrame(
        {"pd": [0.0, 0.0], "income_amount": [100.0, np.nan], "drawn_amount": [1000.0, 1000.0]}
    )
    plain = client_value(book)["value_income"]
    paid = client_value(book, ValueParameters(funding_rate=0.03))["value_income"]
    assert (plain - paid).tolist() == pytest.approx([30.0, 0.0])  # margins are after funding already


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ccf = 0.4", "ccf = 4", "value.ccf must be a number in [0, 1]; got 4"),
        ('capital_method = "irb"', 'capital_method = "ibr"', "value.capital_method must be"),
        ("share = 0.05", "share = 5", "control.share must be a number in [0, 1]; got 5"),
        (
            'uses = "hours"\nper_manager = 40.0 ',
            'uses = "hours"\nlimit = 1\nper_manager = 40.0 ',
            "exactly one of limit",
        ),
        ("per_manager = 60.0", "limits = { a = 1 }", "has limits but not `by`"),
        ("per_manager = 60.0", 'limit = 5\nby = "team"', "has one limit for all groups of `by`"),
        ("one_action_per_kind = true", "one_action_per_kind = 1", "must be true or false"),
    ],
)
def test_faults_of_the_new_sections(old, new, expected):
    with pytest.raises(PolicyError, match="fault") as error:
        ServiceStrategy.from_text(text_with((old, new)))
    assert any(expected in fault for fault in error.value.faults), error.value.faults
