"""The page of the policy's keys says what the reader of the policy takes, no more and no less."""

from __future__ import annotations

import re

import pytest

from clientscore.strategy import ServiceStrategy
from clientscore.strategy._conditions import _OPERATORS
from clientscore.strategy._parts import KEYS, OUTPUTS, SETTINGS
from clientscore.strategy._rules import COLUMNS
from clientscore.value import ValueParameters


@pytest.fixture(scope="module")
def sections(request):
    page = request.config.rootpath / "docs" / "reference" / "policy.md"
    text = page.read_text(encoding="utf-8")
    parts = re.split(r"^#{2,3} (.+)$", text, flags=re.MULTILINE)
    return {name.strip("`"): body for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def keys_of(body):
    return re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)


def defaults_of(body):
    return dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", body, flags=re.MULTILINE))


@pytest.mark.parametrize("section", [name for name in KEYS if name])
def test_every_key_is_on_the_page_and_no_other(sections, section):
    assert sorted(keys_of(sections[section])) == sorted(KEYS[section])


def test_every_section_is_on_the_page(sections):
    assert sorted(keys_of(sections["the file"])) == sorted(KEYS[""])
    headings = {name.partition(".")[0] for name in sections}
    assert set(KEYS[""]) <= headings


def test_the_defaults_are_those_of_the_reader(sections):
    told = defaults_of(sections["settings"])
    assert {name: float(told[name]) for name in SETTINGS} == {k: float(v) for k, v in SETTINGS.items()}
    figures = ValueParameters().to_dict()
    written = defaults_of(sections["value"])
    assert {name: written[name].strip('"') for name in figures} == {k: str(v) for k, v in figures.items()}
    assert written["capital_method"] == '"irb"'
    document = ServiceStrategy.default().to_dict()
    del document["control"], document["settings"], document["value"]
    bare = ServiceStrategy(document)
    assert bare._parts.control.share == float(defaults_of(sections["control"])["share"])
    assert bare._parts.one_action_per_kind is True
    assert bare.value_parameters() == ValueParameters()


def test_columns_operators_and_outputs_are_on_the_page(sections):
    named = re.findall(r"`(\w+)`", sections["Columns"])
    assert sorted(named) == sorted(COLUMNS)
    tests = set(re.findall(r'`"?([\w=<>!]+)"?`', sections["Conditions"].split("Without")[0]))
    assert {operator for operators in _OPERATORS.values() for operator in operators} <= tests
    assert all(f"`{output}`" in sections["tables.*"] for output in OUTPUTS)


def test_the_default_policy_uses_every_section():
    assert set(ServiceStrategy.default().to_dict()) | {"columns"} == set(KEYS[""])
