"""Decision tables written elsewhere: GoRules JSON (JDM) and DMN, read into tables of a policy.

Only what a table here can say is read: hit policy "first" (DMN: FIRST or UNIQUE), cells that test one column.
Whatever else stands in the file is a fault, never left out in silence.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from clientscore.exceptions import PolicyError

from ._source import Faults

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_NUMBER = r"-?\d+(?:\.\d+)?"
_INTERVAL = re.compile(rf"([\[(\]])\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*([\])\[])$")
_COMPARED = re.compile(rf"(==|!=|<=|>=|<|>|=)?\s*({_NUMBER}|true|false|null|\"[^\"]*\"|'[^']*')$")
_LIST = re.compile(r"(not\s+in|in)\s*\[(.*)\]$", flags=re.DOTALL)
_NOT = re.compile(r"not\s*\((.*)\)$", flags=re.DOTALL)
_ITEMS = re.compile(r"\"[^\"]*\"|'[^']*'|[^,\s][^,]*")


def import_tables(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Read the decision tables of a GoRules file (JDM, ``.json``) or a DMN file (``.dmn``, ``.xml``).

    A cell on a missing value fails, as it does there, and one that forbids words passes: conditions get
    ``missing = false`` and ``missing = true``.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict of str to dict
        Tables by name, as they stand under ``[tables]`` of a policy: `outputs` and `rules`. Put one into
        ``strategy.to_dict()["tables"]`` and build a `ServiceStrategy` from it, which checks it.

    Raises
    ------
    PolicyError
        The file cannot be opened or read, or holds what a table cannot say; all faults are listed.

    References
    ----------
    Object Management Group (2024), Decision Model and Notation 1.5, chapters 8 and 9.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> node = {"type": "decisionTableNode", "name": "answer", "content": {
    ...     "hitPolicy": "first",
    ...     "inputs": [{"id": "i", "field": "tier"}], "outputs": [{"id": "o", "field": "sla_hours"}],
    ...     "rules": [{"i": "'A'", "o": "4"}, {"i": "", "o": "24"}]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "bank.json")
    ...     _ = path.write_text(json.dumps({"nodes": [node]}))
    ...     import_tables(path)["answer"]["rules"][0]
    {'name': 'rule 1', 'when': {'tier': {'in': ['A'], 'missing': False}}, 'then': {'sla_hours': 4}}
    """
    path = Path(path)
    faults = Faults(path.name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"{path} cannot be opened ({error.strerror}). Check the path.") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path} must be a text file in UTF-8; {error}.") from error
    read = _read_jdm if path.suffix.lower() == ".json" else _read_dmn
    found = read(text, path.name, faults)
    tables = {name: _table(name, table, faults) for name, table in found.items()}
    if not tables:
        faults.add((), "holds no decision table.")
    faults.raise_if()
    return tables


def _read_jdm(text: str, name: str, faults: Faults) -> dict[str, dict[str, Any]]:
    """Return hit policy, inputs, outputs and rows of every table of a JDM document."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise PolicyError(f"{name} must be JSON; {error}.") from error
    nodes = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(nodes, list):
        raise PolicyError(f"{name} must be a JDM document with a list of nodes.")
    found = {}
    for node in nodes:
        if not isinstance(node, dict) or node.get("type") != "decisionTableNode":
            continue
        content: Any = node.get("content")
        try:
            inputs = [(one["id"], str(one.get("field") or "")) for one in content["inputs"]]
            outputs = [(one["id"], str(one.get("field") or "")) for one in content["outputs"]]
            rows = [
                {key: str(row.get(key) or "") for key, _ in (*inputs, *outputs)}
                | {"name": str(row.get("_description") or "")}
                for row in content["rules"]
            ]
        except (KeyError, TypeError, AttributeError):
            faults.add((str(node.get("name", "?")),), "must have inputs, outputs and rules, each with ids.")
            continue
        policy = str(content.get("hitPolicy", "first")).lower()
        found[str(node.get("name", "table"))] = {
            "policy": policy, "inputs": inputs, "outputs": outputs, "rows": rows
        }  # fmt: skip
    return found


def _read_dmn(text: str, name: str, faults: Faults) -> dict[str, dict[str, Any]]:
    """Return hit policy, inputs, outputs and rows of every table of a DMN document."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise PolicyError(f"{name} must have no document type or entities. Export it without them.")
    try:
        root = ET.fromstring(text)  # noqa: S314 -- no entities: refused above
    except ET.ParseError as error:
        raise PolicyError(f"{name} must be XML; {error}.") from error
    found = {}
    for decision in root.iter():
        table = next((one for one in decision if _tag(one) == "decisionTable"), None)
        if _tag(decision) != "decision" or table is None:
            continue
        inputs = [(f"i{k}", _text(one)) for k, one in enumerate(_all(table, "input"))]
        outputs = [
            (f"o{k}", one.get("name") or one.get("label") or "")
            for k, one in enumerate(_all(table, "output"))
        ]
        rows = []
        for rule in _all(table, "rule"):
            cells = [_text(one) for one in (*_all(rule, "inputEntry"), *_all(rule, "outputEntry"))]
            names = [key for key, _ in (*inputs, *outputs)]
            said = next((_text(one) for one in _all(rule, "description")), "")
            if len(cells) != len(names):
                faults.add(
                    (str(decision.get("name")),), f"has a rule with {len(cells)} cells for {len(names)}."
                )
                continue
            rows.append(dict(zip(names, cells, strict=True)) | {"name": said})
        policy = {"UNIQUE": "first", "FIRST": "first"}.get(
            table.get("hitPolicy", "UNIQUE"), table.get("hitPolicy", "")
        )
        found[decision.get("name") or decision.get("id") or "table"] = {
            "policy": policy, "inputs": inputs, "outputs": outputs, "rows": rows
        }  # fmt: skip
    return found


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: ET.Element, tag: str) -> list[ET.Element]:
    return [one for one in element if _tag(one) == tag]


def _text(element: ET.Element) -> str:
    return "".join(element.itertext()).strip()


def _table(name: str, found: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Turn rows of cells into the rules of a table."""
    if found["policy"] != "first":
        faults.add((name,), f"has the hit policy {found['policy']!r}; only 'first' can be read.")
    for _, field in (*found["inputs"], *found["outputs"]):
        if not re.fullmatch(r"[A-Za-z_]\w*", field):
            faults.add((name,), f"must name a column in every input and output; got {field!r}.")
    rules = []
    for position, row in enumerate(found["rows"]):
        where = (name, "rules", position)
        when: dict[str, Any] = {}
        for key, field in found["inputs"]:
            test = _cell(row[key], (*where, field), faults)
            if test is not None and field in when:
                faults.add((*where, field), "is tested by two columns of the table. Join the two cells.")
            if test is not None:
                when[field] = test | {"missing": "not_in" in test}
        then = {
            field: _value(row[key], (*where, field), faults)
            for key, field in found["outputs"]
            if row[key].strip()
        }
        rules.append({"name": row["name"] or f"rule {position + 1}", "when": when, "then": then})
    return {"outputs": [field for _, field in found["outputs"]], "rules": rules}


def _cell(cell: str, path: tuple[str | int, ...], faults: Faults) -> dict[str, Any] | None:
    """Return the test of one cell, None where it tests nothing."""
    text = cell.strip()
    if text in ("", "-"):
        return None
    for read in (_interval, _comparisons, _words):
        test = read(text)
        if test is not None:
            return test
    faults.add(path, f"has a cell that cannot be read: {cell!r}. Test one column with <, >, [a..b] or words.")
    return None


def _interval(text: str) -> dict[str, Any] | None:
    match = _INTERVAL.match(text)
    if match is None:
        return None
    low, high = _number(match[2]), _number(match[3])
    return {">=" if match[1] == "[" else ">": low, "<=" if match[4] == "]" else "<": high}


def _comparisons(text: str) -> dict[str, Any] | None:
    """Return comparisons with numbers or flags, joined by "and"."""
    test: dict[str, Any] = {}
    for part in re.split(r"\s+and\s+", text):
        match = _COMPARED.match(part.strip())
        if match is None or match[2] == "null" or match[2][0] in "\"'":
            return None
        operator = match[1] or "=="
        operator = "==" if operator == "=" else operator
        value = match[2] == "true" if match[2] in ("true", "false") else _number(match[2])
        if operator in test or operator == "!=":
            return None
        test[operator] = value
    return test


def _words(text: str) -> dict[str, Any] | None:
    """Return one word or several, also forbidden ones."""
    listed, forbidden = _LIST.match(text), _NOT.match(text)
    operator = "in"
    if listed is not None:
        operator, text = "in" if listed[1] == "in" else "not_in", listed[2]
    elif forbidden is not None:
        operator, text = "not_in", forbidden[1]
    elif text.startswith("!="):
        operator, text = "not_in", text[2:]
    elif text.startswith("=="):
        text = text[2:]
    words = [word.strip() for word in _ITEMS.findall(text)]
    if not words or not all(len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" for word in words):
        return None
    return {operator: [word[1:-1] for word in words]}


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() and "." not in text else value


def _value(cell: str, path: tuple[str | int, ...], faults: Faults) -> Any:
    """Return the constant that an output cell holds."""
    text = cell.strip()
    if re.fullmatch(_NUMBER, text):
        return _number(text)
    if text in ("true", "false"):
        return text == "true"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text.startswith("[") and text.endswith("]"):
        return [_value(item, path, faults) for item in _ITEMS.findall(text[1:-1])]
    faults.add(path, f"must give a constant; got {cell!r}.")
    return None
