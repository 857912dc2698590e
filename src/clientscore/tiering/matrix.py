"""A tier as a cell: two measures of a client in bands, and the tier of each pair of bands."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from clientscore._checks import did_you_mean
from clientscore.exceptions import PolicyError

if TYPE_CHECKING:
    from .inputs import Floats

Axis = Literal["value", "size_amount", "potential", "pd"]


@dataclass(frozen=True)
class TierMatrix:
    """Tiers by two measures in bands, such as value today against potential.

    Parameters
    ----------
    rows, columns : {"value", "size_amount", "potential", "pd"}, default "value" and "potential"
        What is measured. "potential" is size_rate x size + need_rate x need of the policy, currency units a
        year; "pd" counts from high to low, the better the lower.
    row_edges, column_edges : sequence of float, default (300_000.0, 2_000_000.0) and (100_000.0, 500_000.0)
        Edges of the bands from worst to best: amounts rise, PD falls. A client that reaches an edge is in
        the better band.
    cells : sequence of sequence of str, default (("C", "C", "B"), ("C", "B", "A"), ("B", "A", "A"))
        Tier of each row band (worst first) and column band (worst first). Better bands must not give a worse
        tier.

    Raises
    ------
    PolicyError
        Axes, edges and cells contradict each other; all faults are listed. Whether better bands give better
        tiers is checked by the `TierPolicy`, which knows the order of the tiers.

    Examples
    --------
    >>> from clientscore.tiering import TierPolicy
    >>> import pandas as pd
    >>> policy = TierPolicy(matrix=TierMatrix())
    >>> book = pd.DataFrame({"size_amount": [2e8, 2e8], "pd": 0.01, "value": [4e5, 5e6]}, index=["C1", "C2"])
    >>> policy.assign(book)["tier"].tolist()
    ['B', 'A']
    """

    rows: Axis = "value"
    columns: Axis = "potential"
    row_edges: Sequence[float] = (300_000.0, 2_000_000.0)
    column_edges: Sequence[float] = (100_000.0, 500_000.0)
    cells: Sequence[Sequence[str]] = (("C", "C", "B"), ("C", "B", "A"), ("B", "A", "A"))

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise PolicyError(f"The tier matrix has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
        for name in ("row_edges", "column_edges"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        object.__setattr__(self, "cells", tuple(tuple(line) for line in self.cells))

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TierMatrix:
        """Build from plain data; unknown keys are faults."""
        if not isinstance(state, Mapping):
            raise PolicyError(f"matrix must be a table of axes, edges and cells; got {state!r}.")
        known = [item.name for item in fields(cls)]
        unknown = [
            f"matrix.{name} is unknown.{did_you_mean(name, known)}" for name in state if name not in known
        ]
        if unknown:
            raise PolicyError("The tier matrix has unknown keys.", unknown)
        return cls(**state)

    def to_dict(self) -> dict[str, Any]:
        """Return the matrix as plain data."""
        lists = {name: list(getattr(self, name)) for name in ("row_edges", "column_edges")}
        return asdict(self) | lists | {"cells": [list(line) for line in self.cells]}

    def faults_of_order(self, tiers: Sequence[str]) -> list[str]:
        """List cells with an unknown tier, and better bands that give a worse one."""
        faults = [
            f"matrix.cells: {tier!r} is not a tier.{did_you_mean(str(tier), tiers)}"
            for tier in dict.fromkeys(itertools.chain(*self.cells))
            if tier not in tiers
        ]
        if faults:
            return faults
        rank = np.array([[tiers.index(tier) for tier in line] for line in self.cells])
        if (np.diff(rank, axis=0) > 0).any() or (np.diff(rank, axis=1) > 0).any():
            faults.append("matrix.cells must not get worse from a worse band to a better one. Reorder them?")
        return faults

    def rank(self, measures: Mapping[str, Floats], tiers: Sequence[str], shift: float = 0.0) -> np.ndarray:
        """Return the position of the tier of each client; edges are moved away by a share of themselves."""
        place = np.array([[tiers.index(tier) for tier in line] for line in self.cells], dtype=np.intp)
        row = _band(measures[self.rows], self.row_edges, self.rows, shift)
        column = _band(measures[self.columns], self.column_edges, self.columns, shift)
        result: np.ndarray = place[row, column]
        return result

    def where(self, measures: Mapping[str, Floats]) -> list[str]:
        """Say for each client in which bands it lies."""
        parts = []
        for axis, edges in ((self.rows, self.row_edges), (self.columns, self.column_edges)):
            band = _band(measures[axis], edges, axis, 0.0)
            form = "{:.1%}" if axis == "pd" else "{:,.0f}"
            name = axis.replace("_amount", "")
            known = [
                f"{name} {form.format(value)} in band {place + 1} of {len(edges) + 1}"
                for value, place in zip(measures[axis].tolist(), band.tolist(), strict=True)
            ]
            parts.append(known)
        return [" and ".join(both) for both in zip(*parts, strict=True)]


def _band(values: Floats, edges: Sequence[float], axis: str, shift: float) -> np.ndarray:
    """Position of the band, worst first; missing is worst."""
    band = np.zeros(len(values), dtype=np.intp)
    for edge in edges:
        moved = edge - shift * abs(edge) if axis == "pd" else edge + shift * abs(edge)
        band += (values <= moved) if axis == "pd" else (values >= moved)
    return band


def _faults(matrix: TierMatrix) -> list[str]:
    faults = []
    for name in ("rows", "columns"):
        axis = getattr(matrix, name)
        if axis not in get_args(Axis):
            hint = did_you_mean(str(axis), get_args(Axis))
            faults.append(f"matrix.{name} must be one of {', '.join(get_args(Axis))}; got {axis!r}.{hint}")
    if matrix.rows == matrix.columns:
        faults.append(f"matrix.rows and matrix.columns must differ; got {matrix.rows!r} twice.")
    for name, axis in (("row_edges", matrix.rows), ("column_edges", matrix.columns)):
        edges = getattr(matrix, name)
        listed = isinstance(edges, Sequence) and not isinstance(edges, str) and len(edges)
        if not listed or not all(isinstance(edge, int | float) and math.isfinite(edge) for edge in edges):
            faults.append(f"matrix.{name} must be a list of finite numbers; got {edges!r}.")
            continue
        falling = axis == "pd"
        if any((two >= one) if falling else (two <= one) for one, two in itertools.pairwise(edges)):
            way = "fall" if falling else "rise"
            faults.append(f"matrix.{name} must {way} from the worst band to the best; got {list(edges)}.")
    shape = (len(matrix.row_edges) + 1, len(matrix.column_edges) + 1) if not faults else None
    if shape and [len(line) for line in matrix.cells] != [shape[1]] * shape[0]:
        faults.append(f"matrix.cells must have {shape[0]} rows of {shape[1]} tiers; got {matrix.cells!r}.")
    return faults
