"""The catalogue of signals and what people decide about it."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import pytest

from clientscore.exceptions import InvalidParameterError, PolicyError
from clientscore.schema import ClientSchema
from clientscore.signals import (
    SignalRules,
    SignalSpec,
    Threshold,
    default_signals,
    signal_catalogue,
    signal_text,
)

FAMILIES = {
    "attrition": {"deposits", "payments", "lending", "products", "service", "people", "outside"},
    "credit": {"macro", "financial", "behavior", "third_party", "operations"},
}
DPD: dict[str, Any] = {
    "side": "credit",
    "family": "behavior",
    "direction": "high",
    "formula": "highest",
    "reads": ["facilities.dpd_days"],
    "en": "days past due",
    "zh": "逾期天数",
    "alarm": {"value": 30},
}


@pytest.mark.parametrize("spec", default_signals().values(), ids=lambda spec: spec.name)
def test_every_signal_is_told_in_full_and_in_two_languages(spec: SignalSpec) -> None:
    assert spec.family in FAMILIES[spec.side]
    assert len(spec.en) > 10
    assert set(spec.en) & set(string.ascii_letters)
    assert not re.search(r"[一-鿿]", spec.en)
    assert len(re.findall(r"[一-鿿]", spec.zh)) >= 4
    assert len(spec.source) > 20
    assert spec.lead_months[1] > 0
    tables = ClientSchema.default().tables
    assert all(table in tables for table in spec.tables)


def test_every_family_has_signals_and_words_differ() -> None:
    table = signal_catalogue()
    assert {side: set(part["family"]) for side, part in table.groupby("side")} == FAMILIES
    for column in ("en", "zh"):
        assert table[column].is_unique
    assert table.index.is_unique
    assert len(table) >= 80
    assert table.loc["balance_change", ["watch", "alarm"]].tolist() == ["value <= -0.25", "value <= -0.5"]
    assert table.loc["response_hours", "alarm"] == "value >= 72 or change >= 24"
    assert table.loc["competitor_branch", "alarm"] == ""


def test_words() -> None:
    assert signal_text("complaints") == "complaints of six months"
    assert signal_text("complaints", lang="zh") == "近六个月投诉次数"
    with pytest.raises(InvalidParameterError, match=r"'complaint' is not known. Did you mean 'complaints'\?"):
        signal_text("complaint")
    with pytest.raises(InvalidParameterError, match="lang must be one of 'en', 'zh'; got 'fr'"):
        signal_text("complaints", "fr")  # type: ignore[arg-type]


def test_a_file_changes_adds_and_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "signals.toml"
    path.write_text(
        """
min_peers = 50
peers = "book"
[signals.dpd_days]
watch = { value = 1 }
[signals.complaints]
enabled = false
[signals.visits]
side = "attrition"
family = "people"
direction = "low"
formula = "sum"
months = 6
reads = ["interactions.meetings"]
en = "meetings of six months"
zh = "近六个月会面次数"
watch = { value = 0, percentile = 0.1 }
""",
        encoding="utf-8",
    )
    rules = SignalRules.from_toml(path)
    assert (rules.min_peers, rules.peers) == (50, "book")
    assert rules.signals["dpd_days"].watch == Threshold(value=1.0)
    assert rules.signals["dpd_days"].alarm == Threshold(value=30.0)
    assert "complaints" not in rules.signals
    assert rules.signals["visits"].watch.limits() == {"value": 0.0, "percentile": 0.1}
    assert SignalRules.from_state(rules.to_state()) == rules
    assert "complaints" in SignalRules.default().signals


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "signals.toml"
    path.write_text(
        "min_pears = 5\n[signals.dpd_days]\nwatch = { value = 90 }\n[signals.mine]\nside = 'credit'\n",
        encoding="utf-8",
    )
    with pytest.raises(PolicyError, match="3 faults") as error:
        SignalRules.from_toml(path)
    text = str(error.value)
    assert "'min_pears' is unknown. Did you mean 'min_peers'?" in text
    assert "alarm.value = 30 comes before watch.value = 90; swap them" in text
    assert "'formula' is missing" in text
    with pytest.raises(PolicyError, match="cannot be read as TOML"):
        SignalRules.from_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"history_months": 0}, "history_months must be a whole number of at least 1 and at most 24; got 0"),
        ({"min_history_months": 20}, "min_history_months = 20 must not exceed history_months = 12"),
        ({"history": "mode"}, "history must be one of 'mean', 'median'; got 'mode'"),
        ({"peers": "city"}, "peers must be one of 'industry_segment', 'industry', 'book'; got 'city'"),
        ({"min_peers": 1}, "min_peers must be a whole number of at least 2; got 1"),
        ({"amber_points": True}, "amber_points must be a whole number of at least 1; got True"),
        ({"red_points": 2}, "amber_points = 4 must not exceed red_points = 2"),
        ({"min_families": 0}, "min_families must be a whole number of at least 1"),
        ({"signals": {}}, "signals must hold at least one signal by name"),
        ({"signals": {"a": 1}}, r"signals\['a'\] must be the SignalSpec of that name; got 1"),
    ],
)
def test_wrong_rules_say_so(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        SignalRules(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": "both"}, "side must be one of 'attrition', 'credit'; got 'both'"),
        ({"direction": "up"}, "direction must be one of 'high', 'low'; got 'up'"),
        ({"family": ""}, "family must be text; got ''"),
        ({"zh": 1}, "zh must be text; got 1"),
        ({"reads": []}, "reads must list columns as"),
        ({"reads": "dpd_days"}, "reads must list columns as"),
        ({"words": [1]}, "words must be a list of text"),
        ({"months": 13}, "months must be a whole number from 1 to 12; got 13"),
        ({"lead_months": [6, 1]}, "lead_months must be two whole numbers, the shorter first"),
        ({"alarm": {}}, "watch or alarm must set a limit"),
        ({"alarm": {"value": "30"}}, "alarm.value must be a number; got '30'"),
        ({"alarm": {"percentile": 95}}, r"alarm.percentile must lie in \[0, 1\]; got 95"),
        ({"alarm": {"values": 30}}, r"alarm.values is unknown. Did you mean 'value'\?"),
        ({"alarm": 30}, "alarm must be a table of value, change, percentile; got 30"),
        ({"watch": {"value": 31}}, "alarm.value = 30 comes before watch.value = 31; swap them"),
        ({"formulas": "sum"}, r"'formulas' is unknown. Did you mean 'formula'\?"),
    ],
)
def test_a_wrong_signal_says_so(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        SignalSpec.of("dpd", DPD | changes)


def test_an_unknown_formula_says_so() -> None:
    with pytest.raises(PolicyError, match=r"formula 'highst' is not known. Did you mean 'highest'\?"):
        SignalRules(signals={"dpd": SignalSpec.of("dpd", DPD | {"formula": "highst"})})
    with pytest.raises(PolicyError, match="must be a table of names and values; got 3"):
        SignalSpec.of("dpd", 3)
    with pytest.raises(PolicyError, match="'en' is missing"):
        SignalSpec.of("dpd", {"side": "credit"})
