"""Apply what people decided about odd rows (missing, special, unseen, out of range) to a card's tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ._bins import FeatureBins
    from ._feature_rule import FeatureRule
    from ._term import Term


def apply_policies(
    features: Sequence[FeatureBins], terms: Sequence[Term], rules: Mapping[str, FeatureRule]
) -> tuple[tuple[FeatureBins, ...], tuple[Term, ...], tuple[str, ...]]:
    """Return bins and terms whose odd rows score what `rules` say, and notes that say so.

    "worst" and "best" copy, in every table of the feature, the row in range whose main effect is the highest
    or the lowest log-odds; "average" writes the mean over the training clients of the feature (0 for its main
    effect); "refuse" turns such values away when they are read.
    """
    bins = {one.name: one for one in features}
    tables, notes = list(terms), []
    for name, rule in rules.items():
        one, policies = bins[name], rule.policies()
        refuse = tuple(kind for kind, policy in policies.items() if policy == "refuse")
        bins[name] = replace(one, refuse=refuse)
        rows = {row: policies[kind] for row in range(one.n_rows) if (kind := one.row_kind(row)) in policies}
        source = {row: _source(one, tables, policy) for row, policy in rows.items() if policy != "refuse"}
        share = next((term.share for term in tables if term.features == (name,)), None)
        tables = [_rewritten(term, name, source, share) for term in tables]
        notes += [
            f"{name}: {kind.replace('_', ' ')} rows score by the policy {policy!r}."
            for kind, policy in policies.items()
        ]
    return tuple(bins.values()), tuple(tables), tuple(notes)


def _source(one: FeatureBins, terms: Sequence[Term], policy: str) -> int | None:
    """Return the row in range to copy, or None for 0."""
    if policy == "average":
        return None
    inner = np.array(one.inner_rows)
    effect = np.zeros(one.n_rows)
    own = [term for term in terms if term.features == (one.name,)]
    for term in own or [term for term in terms if one.name in term.features]:
        table = term.values[..., 0]  # without a main effect, the mean over the rows of the partners
        effect += table if table.ndim == 1 else table.mean(axis=1 - term.features.index(one.name))
    place = effect[inner].argmax() if policy == "worst" else effect[inner].argmin()
    return int(inner[place])


def _rewritten(
    term: Term, name: str, source: Mapping[int, int | None], share: NDArray[np.float64] | None
) -> Term:
    """Return the term with rows of a feature copied from others, or set to the mean by `share`."""
    if name not in term.features:
        return term
    values = term.values.copy()
    axis = term.features.index(name)
    table = values if axis == 0 else values.swapaxes(0, 1)
    deviation = None if term.deviation is None else term.deviation.copy()
    apart = deviation if deviation is None or axis == 0 else deviation.swapaxes(0, 1)
    mean = np.zeros_like(table[0])
    if share is not None and len(term.features) == 2:
        mean = np.tensordot(share, table, 1)
    for row, other in source.items():
        table[row] = mean if other is None else table[other]
        if apart is not None:
            apart[row] = 0.0 if other is None else apart[other]
    return replace(term, values=values, deviation=deviation)
