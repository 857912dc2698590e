from __future__ import annotations

import pytest

from clientscore.exceptions import InvalidParameterError, PolicyError
from clientscore.kpi import KpiTargets, Target


def test_states_at_the_edges():
    share = Target("share", "a", "b", goal=0.9, tolerance=0.05)
    values = (0.9, 0.9 - 1e-15, 0.85, 0.8499, float("nan"))
    states = [share.state(value) for value in values]
    assert states == ["green", "green", "amber", "red", "not evaluated"]
    hours = Target("mean", "hours", "answers", goal=24.0, tolerance=12.0, better="low")
    assert [hours.state(value) for value in (20.0, 30.0, 40.0)] == ["green", "amber", "red"]


def test_the_defaults_are_those_of_the_page():
    targets = KpiTargets.default().targets
    goals = {name: one.goal for name, one in targets.items()}
    assert goals == {
        "satisfaction": 0.9,
        "new_lending": 0.15,
        "retention": 0.95,
        "response_within_sla": 0.95,
        "reports_delivered": 0.98,
    }
    assert targets["new_lending"].kind == "growth"


def test_state_and_file_come_back(tmp_path):
    targets = KpiTargets.default()
    assert KpiTargets.from_state(targets.to_state()) == targets
    path = tmp_path / "targets.toml"
    table = '[targets.calls]\nkind = "mean"\nnumerator = "calls"\ndenominator = "clients"\ngoal = 2\n'
    path.write_text(table, encoding="utf-8")
    assert KpiTargets.from_toml(path).targets["calls"] == Target("mean", "calls", "clients", goal=2)


def test_all_faults_of_a_file_at_once(tmp_path):
    path = tmp_path / "targets.toml"
    path.write_text(
        "[target]\n[targets.a]\nkind = 'share'\nnumerator = 'x'\ngoal = 0.9\n"
        "[targets.b]\nkind = 'shares'\nnumerator = 'x'\ndenominator = 'n'\ngoal = 0.9\n"
        "[targets.c]\nkind = 'share'\nnumeratr = 'x'\ndenominator = 'n'\n"
    )
    with pytest.raises(PolicyError, match=r"targets.toml has 6 faults") as caught:
        KpiTargets.from_toml(path)
    text = str(caught.value)
    for part in (
        "target is unknown. Did you mean 'targets'?",
        "targets.a.denominator must name a column",
        "targets.b.kind must be one of 'share'",
        "targets.c.numeratr is unknown. Did you mean 'numerator'?",
        "targets.c.numerator is missing",
        "targets.c.goal is missing",
    ):
        assert part in text
    path.write_text("[targets")
    with pytest.raises(PolicyError, match="cannot be read as TOML"):
        KpiTargets.from_toml(path)
    with pytest.raises(PolicyError, match="at least one table"):
        KpiTargets.from_state({})


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"kind": "share", "numerator": "a", "denominator": "b", "goal": 90}, "goal must be a number in"),
        ({"kind": "growth", "numerator": "a", "denominator": "b"}, "denominator must be left out of growth"),
        ({"kind": "mean", "numerator": "", "denominator": "b"}, "numerator must name a column"),
        ({"kind": "growth", "numerator": "a", "tolerance": -1}, "tolerance must be a number"),
        ({"kind": "growth", "numerator": "a", "periods_back": 0}, "periods_back must be"),
        ({"kind": "growth", "numerator": "a", "better": "more"}, "better must be one of"),
    ],
)
def test_settings_outside_their_rule(settings, match):
    with pytest.raises(InvalidParameterError, match=match):
        Target(**settings)


def test_targets_must_be_targets():
    with pytest.raises(InvalidParameterError, match="must map names to Target"):
        KpiTargets({"a": 0.9})
