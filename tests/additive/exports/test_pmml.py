"""PMML: read by a small interpreter of our own, and by pypmml and jpmml-evaluator where installed."""

from __future__ import annotations

import math
import shutil
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term, boundary_frame, compare_export
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import ScoreScale

SPACE = "{http://www.dmg.org/PMML-4_4}"


# ---- an interpreter of the part of PMML 4.4 that cards use, written from the standard ----------------------


class InvalidError(Exception):
    pass


class Interpreter:
    def __init__(self, text: str) -> None:
        self.root = ET.fromstring(text)  # noqa: S314 - our own text
        self.model = self.find(self.root, "Scorecard")
        self.fields = {one.get("name"): one for one in self.all(self.root, "DataField")}

    @staticmethod
    def find(node: ET.Element, tag: str) -> ET.Element:
        found = node.find(f"{SPACE}{tag}")
        assert found is not None, tag
        return found

    @staticmethod
    def all(node: ET.Element, tag: str) -> list[ET.Element]:
        return list(node.iter(f"{SPACE}{tag}"))

    def score(self, values: dict[str, Any]) -> float:
        row = {name: self.read(field, values[name]) for name, field in self.fields.items()}
        for derived in self.all(self.model, "DerivedField"):
            row[derived.get("name")] = self.look_up(derived[0], row)
        total = float(self.model.get("initialScore", "nan"))
        for characteristic in self.all(self.model, "Characteristic"):
            attribute = next(one for one in characteristic if self.holds(one[0], row))
            score = attribute.get("partialScore")
            if score is None:
                score = self.look_up(self.find(attribute, "ComplexPartialScore")[0], row)
            if score is None:
                raise InvalidError("no partial score")
            total += float(score)
        return total

    def read(self, field: ET.Element, value: Any) -> Any:
        if value is None or value != value:  # noqa: PLR0124 - NaN is missing
            return None
        if field.get("dataType") == "string":
            return value
        inside = all(self.inside(one, value) for one in field.findall(f"{SPACE}Interval"))
        codes = [float(one.get("value", "")) for one in field.findall(f"{SPACE}Value")]
        if not inside or value in codes:
            raise InvalidError(f"{value} of {field.get('name')}")
        return float(value)

    @staticmethod
    def inside(interval: ET.Element, value: float) -> bool:
        low, high = (
            float(interval.get(f"{side}Margin", bound))
            for side, bound in (("left", "-inf"), ("right", "inf"))
        )
        closure = str(interval.get("closure"))
        above = value >= low if closure.startswith("closed") else value > low
        return above and (value <= high if closure.endswith("Closed") else value < high)

    def holds(self, predicate: ET.Element, row: dict[str | None, Any]) -> bool:
        tag = predicate.tag.removeprefix(SPACE)
        if tag in ("True", "CompoundPredicate"):
            return all(self.holds(one, row) for one in predicate)
        value, operator = row[predicate.get("field")], predicate.get("operator")
        if operator in ("isMissing", "isNotMissing"):
            return (value is None) == (operator == "isMissing")
        if value is None:
            return False  # unknown is not true
        text = predicate.get("value", "")
        given = text if isinstance(value, str) else float(text)
        return {"equal": value == given, "greaterThan": value > given, "lessOrEqual": value <= given}[
            str(operator)
        ]

    def look_up(self, node: ET.Element, row: dict[str | None, Any]) -> str | None:
        if node.tag == f"{SPACE}Discretize":
            value = row[node.get("field")]
            bins = self.all(node, "DiscretizeBin")
            found = [one.get("binValue") for one in bins if value is not None and self.inside(one[0], value)]
            assert len(found) <= 1, "bins must not overlap"
            return node.get("mapMissingTo") if value is None else (found or [node.get("defaultValue")])[0]
        pairs = {one.get("column"): row[one.get("field")] for one in self.all(node, "FieldColumnPair")}
        if any(value is None for value in pairs.values()):
            return node.get("mapMissingTo")
        for entry in self.all(node, "row"):
            cells = {cell.tag.removeprefix(SPACE): cell.text or "" for cell in entry}
            if all(cells[str(column)] == value for column, value in pairs.items()):
                return cells[str(node.get("outputColumn"))]
        return node.get("defaultValue")


def interpreted(
    card: AdditiveCard, frame: pd.DataFrame, scale: ScoreScale | None = None
) -> list[float | None]:
    model = Interpreter(card.to_pmml(scale))

    def one(row: dict[str, Any]) -> float | None:
        try:
            return model.score(row)
        except (InvalidError, StopIteration):
            return None

    return [one(row) for row in frame.to_dict("records")]


@pytest.mark.parametrize("seed", range(3))
def test_read_by_the_standard_a_card_with_pairs_agrees_to_the_bit(seed, card_of):
    card = card_of(seed)
    frame = boundary_frame(card)
    assert compare_export(card, frame, interpreted(card, frame), tolerance=0).empty


def test_points_are_those_of_the_scale(card_of):
    card, scale = card_of(1), ScoreScale(base_points=500, pdo=50)
    frame = boundary_frame(card)
    points = pd.Series(interpreted(card, frame, scale), dtype=float)
    assert compare_export(card, frame, scale.log_odds_from_points(points)).empty


def test_whole_points_add_up_and_the_pd_is_left_out(card_of):
    card, scale = card_of(1), ScoreScale(base_points=500, pdo=50)
    frame = boundary_frame(card)
    model = Interpreter(card.to_pmml(scale, rounded=True))
    outputs = [one.get("name") for one in model.all(model.root, "OutputField")]
    assert outputs[:2] == ["points", "reason_1"]
    whole, checked = card.in_points(scale, rounded=True), 0
    for row in frame.to_dict("records"):
        try:
            expected = whole.decision_one(row)
        except DataError:
            continue
        if not np.isinf(row["unread"]):
            assert model.score(row) == expected
            checked += 1
    assert checked > 100
    plain = Interpreter(card.to_pmml(with_pd=False))
    assert "pd" not in [one.get("name") for one in plain.all(plain.root, "OutputField")]


def test_a_feature_that_only_refuses_is_never_a_reason():
    bins = (FeatureBins("roa", "number"), FeatureBins("dscr", "number", edges=(1.0,), refuse=("missing",)))
    card = AdditiveCard(
        ("bad",), (0.0,), bins, (Term(("roa",), np.full((3, 1), -1.0), np.array([1.0, 0, 0])),)
    )
    for scale in (None, ScoreScale()):
        model = Interpreter(card.to_pmml(scale))
        guard = model.all(model.root, "Characteristic")[-1]
        assert guard.get("name") == "dscr"
        assert [one.get("partialScore") for one in guard] == ["0.0", "0.0"]
        shortfall = -float(guard.get("baselineScore")) * (1 if scale is None else -1)
        assert shortfall < -1e299
        assert model.score({"roa": 1.0, "dscr": 2.0}) == pytest.approx(
            -1.0 if scale is None else scale.points_from_log_odds(-1.0)
        )
        with pytest.raises(StopIteration):
            model.score({"roa": 1.0, "dscr": None})


def test_a_card_by_hand():
    bins = (FeatureBins("roa", "number", edges=(0.0,), specials=(-999.0,), missing=True),)
    term = Term(
        ("roa",), np.array([[0.7], [-0.2], [1.0], [0.1], [0.0]]), np.array([0.25, 0.5, 0.0, 0.25, 0.0])
    )
    card = AdditiveCard(("bad",), (-3.0,), bins, (term,))
    root = ET.fromstring(card.to_pmml())  # noqa: S314 - our own text
    (characteristic,) = root.iter(f"{SPACE}Characteristic")
    assert characteristic.get("reasonCode") == "roa"
    assert float(characteristic.get("baselineScore")) == pytest.approx(0.25 * 0.7 - 0.5 * 0.2 + 0.25 * 0.1)
    told = [(one.get("partialScore"), one[0].get("operator"), one[0].get("value")) for one in characteristic]
    assert told == [
        ("0.1", "isMissing", None),
        ("1.0", "equal", "-999.0"),
        ("0.7", "lessOrEqual", "0.0"),
        ("-0.2", "greaterThan", "0.0"),
    ]
    (model,) = root.iter(f"{SPACE}Scorecard")
    assert (model.get("initialScore"), model.get("reasonCodeAlgorithm")) == ("-3.0", "pointsAbove")
    points = ET.fromstring(card.to_pmml(ScoreScale())).find(f"{SPACE}Scorecard")  # noqa: S314 - our own text
    assert points.get("reasonCodeAlgorithm") == "pointsBelow"
    outputs = [one.get("name") for one in root.iter(f"{SPACE}OutputField")]
    assert outputs == ["log_odds", "pd", "reason_1"]


def test_text_that_xml_cannot_hold_is_an_error():
    bins = (FeatureBins("k", "category", levels=("a\x01b",)),)
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("k",), np.zeros((3, 1))),))
    with pytest.raises(InvalidParameterError, match=r"XML cannot hold .*'a\\x01b'"):
        card.to_pmml()


def test_only_one_output_in_log_odds():
    with pytest.raises(InvalidParameterError, match="link 'identity'"):
        AdditiveCard(("amount",), (0.0,), (), (), "identity").to_pmml()


# ---- evaluators of others ----------------------------------------------------------------------------------


def evaluate(name: str, path: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """Return what an evaluator gives for each row, None where it refuses."""
    if name == "pypmml":
        from pypmml import Model  # noqa: PLC0415 - may be absent

        score = Model.load(str(path)).predict
    else:
        from jpmml_evaluator import make_evaluator  # noqa: PLC0415 - may be absent

        score = make_evaluator(str(path), backend="jpype").verify().evaluate
    answers: list[dict[str, Any] | None] = []
    for row in rows:
        try:
            answers.append(dict(score(row)))
        except Exception:  # noqa: BLE001 - errors of Java have no class of their own
            answers.append(None)
    return answers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "bits"), [("pypmml", "pypmml", False), ("jpmml", "jpmml_evaluator", True)]
)
@pytest.mark.parametrize("pairs", [False, True])
def test_evaluators_agree(name, module, bits, pairs, card_of, tmp_path):
    pytest.importorskip(module, reason=f"{module} is not installed")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    card = card_of(2)
    if not pairs:
        card = AdditiveCard(card.outputs, card.intercept, card.bins, card.terms[:4])
    frame = boundary_frame(card)
    path = tmp_path / "card.pmml"
    path.write_text(card.to_pmml(), encoding="utf-8")
    rows = frame[list(card.features)].astype(object)
    answers = evaluate(name, path, rows.where(rows.notna(), None).to_dict("records"))
    log_odds = [None if answer is None else answer["log_odds"] for answer in answers]
    assert compare_export(card, frame, log_odds, tolerance=0 if bits else 1e-9).empty
    known = [answer for answer in answers if answer is not None and not math.isnan(answer["log_odds"])]
    assert [answer["pd"] for answer in known] == pytest.approx(
        [1 / (1 + math.exp(-answer["log_odds"])) for answer in known]
    )
    worst = card.contributions(frame.iloc[:1]).iloc[0]
    means = [
        0.0 if term.share is None else np.dot(term.share, term.values[:, 0]) / term.share.sum()
        for term in card.terms
    ]
    excess = (worst - means).sort_values(ascending=False)
    assert answers[0]["reason_1"] == excess.index[0]
