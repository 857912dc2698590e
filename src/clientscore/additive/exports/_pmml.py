"""The card as a PMML 4.4 Scorecard."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from clientscore.exceptions import InvalidParameterError

from ._scored import check_rounded, refused_rows, scored_bins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clientscore.additive._bins import FeatureBins
    from clientscore.additive._card_data import CardData
    from clientscore.additive._term import Term
    from clientscore.scale import ScoreScale

_SPACE = "http://www.dmg.org/PMML-4_4"
_GREATEST = 1.7976931348623157e308
_REASONS = 4
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_pmml(
    card: CardData, scale: ScoreScale | None = None, *, rounded: bool = False, with_pd: bool = True
) -> str:
    """Return the card as PMML; :meth:`AdditiveCard.to_pmml` tells what it holds."""
    bins = scored_bins(card)
    check_rounded(scale, rounded=rounded)
    _check_texts(bins)
    told = card if scale is None else card.in_points(scale, rounded=rounded)
    root = ET.Element("PMML", xmlns=_SPACE, version="4.4")
    header = ET.SubElement(root, "Header", description="Additive card: log-odds of bad")
    ET.SubElement(header, "Application", name="clientscore")
    fields = ET.SubElement(root, "DataDictionary", numberOfFields=str(len(bins)))
    for one in bins:
        _data_field(fields, one)
    model = ET.SubElement(
        root,
        "Scorecard",
        modelName="card",
        functionName="regression",
        initialScore=repr(told.intercept[0]),
        useReasonCodes="true",
        reasonCodeAlgorithm="pointsAbove" if scale is None else "pointsBelow",
        baselineMethod="mean",
    )
    mining = ET.SubElement(model, "MiningSchema")
    for one in bins:
        ET.SubElement(mining, "MiningField", name=one.name, invalidValueTreatment="returnInvalid")
    output = ET.SubElement(model, "Output")
    _output(output, scale, min(_REASONS, len(card.terms)), with_pd=with_pd and not rounded)
    by_name = {one.name: one for one in bins}
    crossed = {name for term in card.terms if len(term.features) == 2 for name in term.features}
    if crossed:
        local = ET.SubElement(model, "LocalTransformations")
        for one in bins:
            if one.name in crossed:
                _row_number(local, one)
    characteristics = ET.SubElement(model, "Characteristics")
    for term in told.terms:
        _characteristic(characteristics, term, [by_name[name] for name in term.features])
    for one in bins:
        if one.name not in card.scored_features:
            _guard(characteristics, one, 1.0 if scale is None else -1.0)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _check_texts(bins: Sequence[FeatureBins]) -> None:
    texts = [text for one in bins for text in (one.name, *one.levels) if _NOT_XML.search(text)]
    if texts:
        raise InvalidParameterError(
            f"XML cannot hold control characters in names and levels; got {texts!r}. Rename them in the data."
        )


def _data_field(parent: ET.Element, one: FeatureBins) -> None:
    if one.kind == "category":
        ET.SubElement(parent, "DataField", name=one.name, optype="categorical", dataType="string")
        return
    field = ET.SubElement(parent, "DataField", name=one.name, optype="continuous", dataType="double")
    finite = {"leftMargin": _margin(-math.inf), "rightMargin": _margin(math.inf)}
    ET.SubElement(field, "Interval", finite, closure="closedClosed")
    if "special" in one.refuse:
        for code in one.specials:
            ET.SubElement(field, "Value", value=_number(code), property="invalid")


def _output(parent: ET.Element, scale: ScoreScale | None, reasons: int, *, with_pd: bool) -> None:
    """Write log_odds or points, pd, and the reason codes."""
    name = "log_odds" if scale is None else "points"
    figure = {"optype": "continuous", "dataType": "double"}
    ET.SubElement(parent, "OutputField", figure, name=name, feature="predictedValue")
    if with_pd:
        _pd_field(ET.SubElement(parent, "OutputField", figure, name="pd", feature="transformedValue"), scale)
    for rank in range(1, reasons + 1):
        text = {"optype": "categorical", "dataType": "string", "feature": "reasonCode", "rank": str(rank)}
        ET.SubElement(parent, "OutputField", text, name=f"reason_{rank}")


def _pd_field(field: ET.Element, scale: ScoreScale | None) -> None:
    # pd = 1 / (1 + exp(-log_odds)); -log_odds = (points - base_points) / factor + ln base_odds
    power = ET.SubElement(_apply(_apply(field, "/", 1.0), "+", 1.0), "Apply", function="exp")
    if scale is None:
        _field(_apply(power, "*", -1.0), "log_odds")
    else:
        sum_ = _apply(power, "+", math.log(scale.base_odds))
        ratio = ET.SubElement(sum_, "Apply", function="/")
        difference = ET.SubElement(ratio, "Apply", function="-")
        _field(difference, "points")
        _constant(difference, scale.base_points)
        _constant(ratio, scale.factor)


def _apply(parent: ET.Element, function: str, first: float) -> ET.Element:
    """Apply a function to a constant and to what is added to the element returned."""
    apply = ET.SubElement(parent, "Apply", function=function)
    _constant(apply, first)
    return apply


def _constant(parent: ET.Element, value: float) -> None:
    ET.SubElement(parent, "Constant", dataType="double").text = _number(value)


def _field(parent: ET.Element, name: str) -> None:
    ET.SubElement(parent, "FieldRef", field=name)


def _guard(parent: ET.Element, one: FeatureBins, worse: float) -> None:
    """Read a feature that no term reads: it adds nothing, and has no attribute where it is refused.

    Its baseline is so much worse than 0 that it is the last of all reasons, never one that is shown.
    """
    character = ET.SubElement(
        parent, "Characteristic", name=one.name, reasonCode=one.name, baselineScore=_number(worse * 1e300)
    )
    for _, predicate in _predicates(one):
        ET.SubElement(character, "Attribute", partialScore="0.0").append(predicate)


def _characteristic(parent: ET.Element, term: Term, bins: Sequence[FeatureBins]) -> None:
    table = term.values[..., 0]
    mean = 0.0 if term.share is None else float(np.dot(term.share, table) / term.share.sum())
    character = ET.SubElement(
        parent, "Characteristic", name=term.name, reasonCode=term.name, baselineScore=_number(mean)
    )
    if len(bins) == 1:
        for row, predicate in _predicates(bins[0]):
            attribute = ET.SubElement(character, "Attribute", partialScore=_number(table[row]))
            attribute.append(predicate)
        return
    attribute = ET.SubElement(character, "Attribute")
    ET.SubElement(attribute, "True")
    score = ET.SubElement(attribute, "ComplexPartialScore")
    look_up = ET.SubElement(score, "MapValues", outputColumn="value", dataType="double")
    for column, one in zip(("first", "second"), bins, strict=True):
        ET.SubElement(look_up, "FieldColumnPair", field=_row_name(one), column=column)
    cells = ET.SubElement(look_up, "InlineTable")
    refused = [refused_rows(one) for one in bins]
    for cell in np.ndindex(*table.shape):
        if cell[0] in refused[0] or cell[1] in refused[1]:
            continue
        entry = ET.SubElement(cells, "row")
        for tag, text in zip(("first", "second"), map(str, cell), strict=True):
            ET.SubElement(entry, tag).text = text
        ET.SubElement(entry, "value").text = _number(float(table[cell]))


def _predicates(one: FeatureBins) -> Iterator[tuple[int, ET.Element]]:
    """Yield each row of a feature and when it holds; the first that holds counts."""
    refused = refused_rows(one)
    if one.missing_code not in refused:
        yield one.missing_code, ET.Element("SimplePredicate", field=one.name, operator="isMissing")
    if one.kind == "category":
        for level, row in one.level_codes.items():
            yield row, _compare(one, "equal", level)
        if one.unseen_code not in refused:
            yield one.unseen_code, ET.Element("SimplePredicate", field=one.name, operator="isNotMissing")
        return
    for code, row in one.special_codes.items():
        if row not in refused:
            yield row, _compare(one, "equal", _number(code))
    for row, (low, high) in enumerate(pairwise((-math.inf, *one.edges, math.inf))):
        if row in refused:
            continue
        sides = {"greaterThan": low, "lessOrEqual": high}
        parts = [_compare(one, side, _number(edge)) for side, edge in sides.items() if math.isfinite(edge)]
        if len(parts) == 2:
            both = ET.Element("CompoundPredicate", booleanOperator="and")
            both.extend(parts)
            parts = [both]
        yield (
            row,
            parts[0] if parts else ET.Element("SimplePredicate", field=one.name, operator="isNotMissing"),
        )


def _compare(one: FeatureBins, operator: str, value: str) -> ET.Element:
    return ET.Element("SimplePredicate", field=one.name, operator=operator, value=value)


def _row_name(one: FeatureBins) -> str:
    return f"row of {one.name}"


def _row_number(parent: ET.Element, one: FeatureBins) -> None:
    """Derive the row number of a feature, missing where the row is refused."""
    refused = refused_rows(one)
    field = ET.SubElement(
        parent, "DerivedField", name=_row_name(one), optype="categorical", dataType="integer"
    )
    codes = {"dataType": "integer"}
    if one.missing_code not in refused:
        codes["mapMissingTo"] = str(one.missing_code)
    if one.kind == "category":
        if one.unseen_code not in refused:
            codes["defaultValue"] = str(one.unseen_code)
        levels = ET.SubElement(field, "MapValues", codes, outputColumn="code")
        ET.SubElement(levels, "FieldColumnPair", field=one.name, column="level")
        table = ET.SubElement(levels, "InlineTable")
        for level, row in one.level_codes.items():
            entry = ET.SubElement(table, "row")
            ET.SubElement(entry, "level").text = level
            ET.SubElement(entry, "code").text = str(row)
        return
    intervals = ET.SubElement(field, "Discretize", codes, field=one.name)
    for row, closure, margins in _intervals(one):
        if row not in refused:
            entry = ET.SubElement(intervals, "DiscretizeBin", binValue=str(row))
            ET.SubElement(entry, "Interval", margins, closure=closure)


def _intervals(one: FeatureBins) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield each row with an interval, intervals split at special codes so that none overlap."""
    for row, (low, high) in enumerate(pairwise((-math.inf, *one.edges, math.inf))):
        inside = sorted(code for code in one.specials if low < code <= high)
        for left, right in pairwise((low, *inside, high)):
            if left < right:
                closed = right == high and right not in inside
                margins = {"leftMargin": _margin(left), "rightMargin": _margin(right)}
                start = "closed" if left == -math.inf else "open"
                yield row, f"{start}{'Closed' if closed else 'Open'}", margins
        for code in inside:
            point = dict.fromkeys(("leftMargin", "rightMargin"), _number(code))
            yield one.special_codes[code], "closedClosed", point


def _margin(value: float) -> str:
    """Return a margin; infinity is the greatest double, since an interval must have a margin."""
    return _number(min(max(value, -_GREATEST), _GREATEST))


def _number(value: float) -> str:
    """Return the shortest text that reads back exactly; both zeros are 0.0."""
    return repr(float(value) + 0.0)
