"""What a new policy changes: which clients, in what, and which rule or figure is behind it."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns
from clientscore._frames import ids_of

from ._explain import value_texts
from ._offers import open_gates, stop_texts
from ._recommend import OUTPUT_COLUMNS, plan
from ._rules import encode_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._parts import Parts
    from ._rules import Choice, Columns, ColumnType, DecisionTable

    Run = tuple[Parts, Columns, dict[str, Any], list[tuple[DecisionTable, Choice]]]

_TEXTS = ("rule", "strategy_reason", "runner_up", "policy_warning", "next_review", "action_value")
_COMPARED = tuple(name for name in OUTPUT_COLUMNS if name not in _TEXTS)
_COLUMNS = ("client_id", "output", "before", "after", "rule_before", "rule_after", "values", "why")


@dataclass(frozen=True)
class PolicyDiff:
    """Which clients a new policy serves differently, and why.

    Attributes
    ----------
    changes : DataFrame
        One row a client and output, as `frame` returns it.
    n_clients : int
        Clients compared.
    """

    changes: pd.DataFrame
    n_clients: int

    def frame(self) -> pd.DataFrame:
        """Return one row a client and changed output.

        Returns
        -------
        DataFrame
            `client_id`, `output`, `before`, `after`, `rule_before`, `rule_after` (the rule of the table that
            decides the output; empty for products and actions), `values` (what these rules read of the
            client) and `why` in words.
        """
        return self.changes

    def summary(self) -> pd.DataFrame:
        """Return clients by output, before and after, the most frequent change first."""
        groups = self.changes.groupby(["output", "before", "after"], dropna=False, sort=False)
        counted = groups["client_id"].nunique().rename("clients").reset_index()
        return counted.sort_values("clients", ascending=False, kind="stable", ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the changes as plain data."""
        return {"n_clients": self.n_clients, "changes": self.changes.to_dict("records")}

    def __repr__(self) -> str:
        changed = self.changes["client_id"].nunique()
        return (
            f"PolicyDiff: {changed:,} of {self.n_clients:,} clients change in {len(self.changes):,} outputs"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.summary().head(20).to_html(index=False)}"


def compare(
    old: tuple[Parts, Mapping[str, ColumnType]],
    new: tuple[Parts, Mapping[str, ColumnType]],
    frame: pd.DataFrame,
) -> PolicyDiff:
    """Run two policies on one book and list what differs; see `ServiceStrategy.diff`."""
    check_columns(frame.columns, ("tier", "watch"), subject="diff")
    before, after = (_run(parts, types, frame) for parts, types in (old, new))
    ids, pieces = ids_of(frame).astype(str), []
    for output in _COMPARED:
        first, second = (np.asarray(run[2][output], dtype=object) for run in (before, after))
        rows = np.flatnonzero(_differ(first, second))
        if not len(rows):
            continue
        told = _tell(output, before, after, rows)
        table = {"client_id": ids[rows], "output": output, "before": first[rows], "after": second[rows]}
        pieces.append(pd.DataFrame(table | told).assign(position=rows))
    if not pieces:
        return PolicyDiff(pd.DataFrame(columns=list(_COLUMNS), dtype="str"), len(frame))
    changes = pd.concat(pieces).sort_values("position", kind="stable", ignore_index=True)
    return PolicyDiff(changes[list(_COLUMNS)], len(frame))


def _run(parts: Parts, types: Mapping[str, ColumnType], frame: pd.DataFrame) -> Run:
    columns = encode_frame(frame, types)
    days = np.full(len(frame), np.datetime64("NaT"), dtype="datetime64[D]")
    seen: dict[str, Any] = {}
    result = plan(parts, columns, days, "en", keep=seen)
    return parts, seen["columns"], result, seen["choices"]


def _differ(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return where two outputs differ; two missing values are equal."""
    both = pd.isna(first) & pd.isna(second)
    result: np.ndarray = (first != second) & ~both
    return result


def _tell(output: str, before: Run, after: Run, rows: np.ndarray) -> dict[str, list[str]]:
    """Return the rules, the values they read and the reason, for the clients that change."""
    if output in ("products", "actions"):
        offers = _why_offers(output, before, after, rows)
        empty = [""] * len(rows)
        return {"rule_before": empty, "rule_after": empty, "values": empty, "why": offers}
    (old_table, old_choice), (new_table, new_choice) = (_owner(output, run) for run in (before, after))
    was, now = old_choice.row[rows], new_choice.row[rows]
    names_before, names_after = _names(old_table), _names(new_table)
    values, why = np.empty(len(rows), dtype=object), np.empty(len(rows), dtype=object)
    for one, two in sorted(set(zip(was.tolist(), now.tolist(), strict=True))):
        here = np.flatnonzero((was == one) & (now == two))
        places = rows[here]
        values[here] = _values(old_table, one, before, new_table, two, after, places)
        why[here] = _why_rule(old_table, one, new_table, two, after, places)
    return {
        "rule_before": [names_before[row] for row in was.tolist()],
        "rule_after": [names_after[row] for row in now.tolist()],
        "values": values.tolist(),
        "why": why.tolist(),
    }


def _owner(output: str, run: Run) -> tuple[DecisionTable, Choice]:
    return next((table, choice) for table, choice in run[3] if output in table.outputs)


def _names(table: DecisionTable) -> list[str]:
    names = [*(rule.name for rule in table.rules), "otherwise", "not evaluated"]
    return [f"{table.name}: {name}" for name in names]


def _values(
    old: DecisionTable, one: int, before: Run, new: DecisionTable, two: int, after: Run, rows: np.ndarray
) -> list[str]:
    """Write the values that the deciding rules read, each column once."""
    texts: dict[str, list[str]] = {}
    for table, position, run in ((old, one, before), (new, two, after)):
        rule = table.rules[position] if position < len(table.rules) else None
        for condition in rule.conditions if rule else ():
            name = condition.column
            texts[name] = value_texts(name, run[1][name], rows, run[0].columns, "en")
    if not texts:
        return [""] * len(rows)
    return [", ".join(parts) for parts in zip(*texts.values(), strict=True)]


def _why_rule(
    old: DecisionTable, one: int, new: DecisionTable, two: int, after: Run, rows: np.ndarray
) -> list[str]:
    """Say what became of the old rule in the new policy, for the clients of one pair of rules."""
    old_names, new_names = ([rule.name for rule in table.rules] for table in (old, new))
    if one >= len(old_names):
        text = "no rule applied" if one == len(old_names) else "the rule was not evaluated"
        return [f"before, {text}"] * len(rows)
    name = old_names[one]
    if name not in new_names:
        return [f"rule {name!r} is gone"] * len(rows)
    place = new_names.index(name)
    if place == two:
        same = old.rules[one].conditions == new.rules[place].conditions
        return [f"rule {name!r} gives another answer" if same else f"rule {name!r} was rewritten"] * len(rows)
    false, unknown = new.truth(after[1], len(after[3][0][1].row))
    added = "" if two >= len(new_names) or new_names[two] in old_names else ", which is new"
    first = f"{new_names[two]!r}{added} comes first" if two < len(new_names) else "no rule applies"
    return [
        f"rule {name!r} no longer holds"
        if no
        else f"rule {name!r} is not evaluated"
        if open_
        else f"rule {name!r} holds, but {first}"
        for no, open_ in zip(false[place][rows].tolist(), unknown[place][rows].tolist(), strict=True)
    ]


def _why_offers(output: str, before: Run, after: Run, rows: np.ndarray) -> list[str]:
    """Say which guardrail closed or opened, else that layer, catalogue or figures differ."""
    n = len(after[3][0][1].row)
    gates = [open_gates(run[0], run[1], n) for run in (before, after)]
    kinds = ("products",) if output == "products" else ("growth", "retention", "contacts", "risk")
    layers = [np.asarray(run[2]["service_layer"], dtype=object)[rows] for run in (before, after)]
    moved = _differ(layers[0], layers[1])
    other = "catalogue or map of products" if output == "products" else "actions, effects or costs"
    known: dict[tuple[int, int], str] = {}
    texts = []
    for row, layer in zip(rows.tolist(), moved.tolist(), strict=True):
        key = (int(gates[0].code[row]), int(gates[1].code[row]))
        if key not in known:
            first, second = (
                stop_texts(run[1], gate, code, kinds, "en")
                for run, gate, code in zip((before, after), gates, key, strict=True)
            )
            closed = [f"guardrail closes: {text}" for text in second if text not in first]
            opened = [f"guardrail opens: {text}" for text in first if text not in second]
            known[key] = "; ".join(closed + opened)
        texts.append(known[key] or ("the service layer changed" if layer else f"{other} changed"))
    return texts
