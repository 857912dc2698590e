"""Tests that live in the policy, and the question whether it speaks the currency of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.exceptions import DataError

from ._check import Finding
from ._offers import open_gates
from ._picking import pick_actions, scale_warnings
from ._recommend import decide, plan
from ._rules import encode_frame, encode_one

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from ._parts import Example, Parts
    from ._rules import ColumnType
    from ._source import Faults

#: Share of the book from which doubtful units are a finding.
_DOUBTED = 0.05


def run_examples(parts: Parts, types: Mapping[str, ColumnType], faults: Faults) -> Iterator[Finding]:
    """Give every example its plan and report what differs from what it expects."""
    nowhere = np.array(["NaT"], dtype="datetime64[D]")
    for position, example in enumerate(parts.examples):
        line = faults.line(("examples", position))
        try:
            answer = plan(parts, encode_one(example.client, types), nowhere, "en")
        except DataError as error:
            yield _finding(example, str(error), "", line)
            continue
        differing = {
            name: answer[name][0] for name, wanted in example.expect.items() if answer[name][0] != wanted
        }
        for name, found in differing.items():
            text = f"expects {name} {_shown(example.expect[name])}, the policy gives {_shown(found)}"
            yield _finding(
                example, f"{text} by {answer['rule'][0]!r}. Correct the rule or the example.", name, line
            )


def _finding(example: Example, text: str, output: str, line: int | None) -> Finding:
    client = ", ".join(f"{name} = {value}" for name, value in example.client.items())
    message = f"example {example.name!r} {text}"
    return Finding("examples", "example", example.name, output, client, message, line)


def _shown(value: Any) -> str:
    return (
        "nothing" if value is None or value == "" else repr(value) if isinstance(value, str) else f"{value:g}"
    )


def doubt_units(parts: Parts, types: Mapping[str, ColumnType], frame: pd.DataFrame) -> Iterator[Finding]:
    """Report costs that dwarf what is at stake for too many clients: another currency unit."""
    n = len(frame)
    columns = encode_frame(frame, types)
    decide(parts, columns, n)
    picked = pick_actions(parts, columns, open_gates(parts, columns, n), n)
    rows = np.flatnonzero(scale_warnings(parts, columns, picked))
    if len(rows) <= _DOUBTED * n:
        return
    value = columns["value"].values[rows]
    text = (
        f"costs dwarf what is at stake for {len(rows):,} of {n:,} clients (their median value is "
        f"{np.nanmedian(value):g}, an hour costs {parts.settings['hour_cost_amount']:g}): is the policy in "
        "the book's currency unit? Divide its amounts, or the book's."
    )
    yield Finding("settings", "scale", "", "", f"value = {value[0]:g}", text, None)
