"""Apply what people decided about odd rows (missing, special, unseen, out of range) to a card's tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ._bagged import CardBags
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
    for step in _steps(features, terms, rules):
        tables = [_rewritten(term, step) for term in tables]
    for name, rule in rules.items():
        policies = rule.policies()
        refuse = tuple(kind for kind, policy in policies.items() if policy == "refuse")
        bins[name] = replace(bins[name], refuse=refuse)
        notes += [
            f"{name}: {kind.replace('_', ' ')} rows score by the policy {policy!r}."
            for kind, policy in policies.items()
        ]
    return tuple(bins.values()), tuple(tables), tuple(notes)


def bags_by_policies(
    features: Sequence[FeatureBins], terms: Sequence[Term], bags: CardBags, rules: Mapping[str, FeatureRule]
) -> CardBags:
    """Return how far each bag lies from the card once both follow the policies; of one output.

    A row that copies another is as unsure as that one, and one at the average as unsure as the average.
    """
    apart = [table.astype(float) for table in bags.apart]
    for step in _steps(features, terms, rules):
        for term, table in zip(terms, apart, strict=True):
            if step.name in term.features:
                axis = 1 + term.features.index(step.name)
                for bag in table:
                    _rewrite(bag if axis == 1 else bag.swapaxes(0, 1), step)
    return replace(bags, apart=tuple(table.astype(np.float32) for table in apart))


@dataclass(frozen=True, eq=False)
class _Step:
    """What the policies do to the rows of one feature: row to row copied, or None for the mean by `share`."""

    name: str
    source: Mapping[int, int | None]
    share: NDArray[np.float64] | None


def _steps(
    features: Sequence[FeatureBins], terms: Sequence[Term], rules: Mapping[str, FeatureRule]
) -> Iterator[_Step]:
    """Yield the steps, feature by feature; each is found in the tables that the steps before leave behind."""
    bins, tables = {one.name: one for one in features}, list(terms)
    for name, rule in rules.items():
        one, policies = bins[name], rule.policies()
        rows = {row: policies[kind] for row in range(one.n_rows) if (kind := one.row_kind(row)) in policies}
        source = {row: _source(one, tables, policy) for row, policy in rows.items() if policy != "refuse"}
        share = next((term.share for term in tables if term.features == (name,)), None)
        step = _Step(name, source, share)
        tables = [_rewritten(term, step) for term in tables]
        yield step


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


def _rewritten(term: Term, step: _Step) -> Term:
    """Return the term with rows of a feature copied from others, or set to the mean."""
    if step.name not in term.features:
        return term
    first = term.features.index(step.name) == 0
    values = term.values.copy()
    _rewrite(values if first else values.swapaxes(0, 1), step)
    deviation = None if term.deviation is None else term.deviation.copy()
    if deviation is not None:  # the deviation of an average is not known here; 0 for a main effect
        _rewrite(deviation if first else deviation.swapaxes(0, 1), replace(step, share=None))
    return replace(term, values=values, deviation=deviation)


def _rewrite(table: NDArray[np.float64], step: _Step) -> None:
    """Write the rows of a table of shape (rows[, rows of the partner], n_outputs)."""
    mean = np.zeros_like(table[0])
    if step.share is not None and table.ndim == 3:
        mean = np.tensordot(step.share, table, 1)
    for row, other in step.source.items():
        table[row] = mean if other is None else table[other]
