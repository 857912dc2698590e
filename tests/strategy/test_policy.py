from __future__ import annotations

import json

import pytest

from clientscore.exceptions import PolicyError
from clientscore.strategy import ServiceStrategy


def edited(*changes):
    """Return the default policy's text with some of it replaced."""
    text = ServiceStrategy.default_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def faults_of(text):
    with pytest.raises(PolicyError) as error:
        ServiceStrategy.from_text(text, name="bank.toml")
    return error.value.faults


def test_default_policy_is_clean(strategy):
    assert strategy.check().frame().empty
    assert strategy.check().ok
    assert list(strategy.layers) == ["basic", "value_added", "deep_cooperation", "strategic_partnership"]


def test_round_trips_keep_every_decision(strategy, book, tmp_path):
    sorted_json = json.loads(json.dumps(strategy.to_state(), sort_keys=True))
    again = ServiceStrategy.from_state(sorted_json)
    assert again == strategy
    assert again.recommend(book).equals(strategy.recommend(book))
    path = tmp_path / "bank.toml"
    path.write_text(ServiceStrategy.default_text(), encoding="utf-8")
    assert ServiceStrategy.from_toml(path) == strategy
    assert ServiceStrategy.from_dict(strategy.to_dict()) == strategy


def test_the_document_is_not_shared(strategy):
    strategy.to_dict()["layers"].clear()
    assert strategy.layers


def test_a_fault_names_file_line_key_and_the_nearest_name():
    text = edited(('when = { tier = "A", watch = true }', 'when = { teir = "A", watch = true }'))
    line = text[: text.index("teir")].count("\n") + 1
    expected = (
        f"bank.toml, line {line}: tables.layer.rules[1].when.teir names the column 'teir', "
        "which does not exist. Did you mean 'tier'?"
    )
    assert faults_of(text) == (expected,)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "stake_years",
            "stake_year",
            "the key 'stake_year', which does not exist. Did you mean 'stake_years'",
        ),
        ("lgd = 0.4", "lgd = 40", r"value.lgd must be a number in [0, 1]; got 40"),
        ("lgd = 0.4", 'lgd = "x"', "value.lgd must be a number"),
        (
            'then = { service_layer = "deep_cooperation" }',
            'then = { service_layer = "deep" }',
            "the layer 'deep'",
        ),
        ("sla_terms_days = 5, ", "", "must give sla_terms_days"),
        ('["maintenance_report"]', '["maintenance"]', "the report 'maintenance'"),
        ('tier = "A", watch = true', 'tier = "AA", watch = true', "the word 'AA'"),
        ("watch = true }", 'watch = "yes" }', "watch must be true or false; got 'yes'"),
        ('{ ">=" = 0.40, missing', '{ ">=" = 0.40, "<" = 0.3, missing', "can never hold"),
        ('{ ">=" = 0.40, missing', '{ "=>" = 0.40, missing', "uses '=>'; a number column takes =="),
        ('{ ">=" = 0.40, missing', '{ ">=" = true, missing', "must compare with a finite number"),
        ("hours = 3.0", "hours = -3.0", "hours must be a number of at least 0; got -3.0"),
        ("hours = 3.0", "hours = 1e400", "hours must be a number of at least 0; got inf"),
        ('kind = "growth"', 'kind = "sales"', "kind must be one of retention, growth, risk, compliance"),
        ("{ approval = 0.30", "{ aproval = 0.30", "Did you mean 'approval'"),
        ('blocks = ["products", "growth"]', "blocks = []", "must say what to `allow` and what it `blocks`"),
        ('purposes = ["capex"] }', 'purposes = ["capital"] }', "the purpose 'capital'"),
        (', "equipment_loan", "revolving_line", "leasing"', ', "robot_loan"', "the product 'robot_loan'"),
        ("other = [", "others = [", "must have a list `other`"),
        ('outputs = ["reports"]', 'outputs = ["report"]', "Did you mean 'reports'"),
        (
            'outputs = ["reports"]',
            'outputs = ["reports", "coverage"]',
            "decides coverage, which reports decides too",
        ),
        ('name = "top client"', 'name = "strategic partner"', "like an earlier rule"),
        ("[guardrails.kyc]", "[gardrails.kyc]", "Did you mean 'guardrails'"),
        ("required = true", 'required = "yes"', "required must be true or false"),
        ('"balance", "inflow"', '"balance", "rate_mean"', "holds 'rate_mean', which deposits holds too"),
    ],
)
def test_each_typo_is_found(old, new, expected):
    found = faults_of(edited((old, new)))
    assert any(expected in fault for fault in found), found
    assert all(fault.startswith("bank.toml, line ") or "tables decide" in fault for fault in found)


def test_all_faults_come_at_once_in_the_order_of_the_file():
    found = faults_of(
        edited(
            ("hours = 3.0", "hours = -3.0"),
            ("lgd = 0.4", "lgd = 40"),
            ('tier = "B", watch = true', 'teir = "B"'),
        )
    )
    assert [("lgd" in f, "teir" in f, "hours" in f) for f in found] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_a_circle_of_tables_is_a_fault():
    text = edited(('when = { tier = "C" }', 'when = { tier = "C", coverage = "remote_desk" }'))
    assert any("is part of a circle: layer, reports, service" in fault for fault in faults_of(text))


def test_a_product_without_industry_is_a_fault():
    assert any(
        "products.ip_pledge_loan is offered to no industry" in fault
        for fault in faults_of(edited(('technology = ["ip_pledge_loan", ', "technology = [")))
    )


def test_priorities_for_all_rules_or_none():
    text = edited(('name = "top client"\n', 'name = "top client"\npriority = 1\n'))
    assert any("must give all its rules a priority, or none" in fault for fault in faults_of(text))


def test_what_is_not_a_policy():
    with pytest.raises(PolicyError, match=r"bank\.toml must be TOML; .*line 2"):
        ServiceStrategy.from_text("x = 1\n= 3\n", name="bank.toml")
    with pytest.raises(PolicyError, match="The policy must be a table; got list"):
        ServiceStrategy([])
    assert any("tables decide everything but service_layer" in fault for fault in faults_of(""))
    for section in (
        "layers",
        "tables",
        "actions",
        "products",
        "product_map",
        "guardrails",
        "columns",
        "settings",
    ):
        assert any("must be a table" in fault for fault in faults_of(f"{section} = 3"))


def test_a_bank_can_declare_its_own_column():
    text = edited(
        ("[tables.layer]", '[columns.listed]\nkind = "flag"\n\n[tables.layer]'),
        ('when = { tier = "C" }', 'when = { tier = "C", listed = { "==" = true, missing = false } }'),
    )
    strategy = ServiceStrategy.from_text(text)
    assert "listed" in strategy.reads
    assert not strategy.check().ok  # an ordinary client that is not listed has no layer now


def test_a_file_that_is_absent_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"policy.toml cannot be opened \(No such file or directory\)"):
        ServiceStrategy.from_toml(tmp_path / "policy.toml")
