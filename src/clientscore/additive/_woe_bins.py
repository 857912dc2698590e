"""Merge the prebins of one feature and give every row of the card its weight of evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ._bins import FeatureBins, encode
from ._lines import interpolated
from ._partition import best_partition, woe, woe_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ._partition import Trend

_EITHER = {"auto": ("increasing", "decreasing"), "auto_shape": ("peak", "valley")}


@dataclass(frozen=True)
class MergeRules:
    """What every merged bin must keep to."""

    max_bins: int
    min_share: float
    min_events: float
    rare_share: float
    max_prebins: int
    interpolate: bool


@dataclass(frozen=True, eq=False)
class Binned:
    """One feature: its rows in the card, and the merged bins that they come from."""

    bins: FeatureBins
    lookup: NDArray[np.intp]  # row in `bins` of every prebin row
    evidence: NDArray[np.float64]  # (rows,), 0 where training held none
    weight: NDArray[np.float64]  # (rows,)
    merged: pd.DataFrame  # one line a merged bin, see _merged_frame
    trend: str
    note: str = ""

    @property
    def varies(self) -> bool:
        """Whether any two rows differ."""
        return len(np.unique(self.evidence[self.weight > 0])) > 1


@dataclass(frozen=True, eq=False)
class _Counts:
    """Weight of goods and bads in each row of a feature."""

    good: NDArray[np.float64]
    bad: NDArray[np.float64]

    @property
    def mass(self) -> NDArray[np.float64]:
        return self.good + self.bad

    @property
    def totals(self) -> tuple[float, float]:
        return float(self.good.sum()), float(self.bad.sum())

    def by(self, group: NDArray[np.intp], n: int) -> _Counts:
        """Return the sums over groups of rows."""
        return _Counts(_sums(group, self.good, n), _sums(group, self.bad, n))

    def evidence(self) -> NDArray[np.float64]:
        """Return the weight of evidence of each row, 0 where it holds nothing."""
        return np.where(self.mass > 0, woe(self.good, self.bad, *self.totals), 0.0)


def bin_feature(
    prebins: FeatureBins,
    codes: NDArray[Any],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    trend: str,
    rules: MergeRules,
    faults: list[str],
) -> Binned:
    """Pool rare levels, merge neighbors, and read off the evidence; append to `faults` what cannot be met."""
    bad = _sums(codes, weight * y, prebins.n_rows)
    found = _Counts(np.maximum(_sums(codes, weight, prebins.n_rows) - bad, 0.0), bad)
    listed, pooled = _pool_rare(prebins, found, rules.rare_share)
    counts = found.by(pooled, listed.n_rows)
    order = _merge_order(listed, counts)
    starts, note = _merge(listed, counts, order, trend, rules, faults)
    segment = np.searchsorted(starts, np.arange(len(order)), side="right") - 1
    group = np.full(listed.n_rows, -1)
    group[order] = segment
    alone = np.flatnonzero(group < 0)  # missing, special codes, and whatever training never met
    group[alone] = len(starts) + np.arange(len(alone))
    merged = counts.by(group, len(starts) + len(alone))
    by_row = merged.evidence()[group]
    trend_taken = _trend_taken(listed, by_row[order])
    final, lookup = _final_bins(listed, starts)
    labels = _group_labels(listed, group, final, lookup)
    if rules.interpolate and listed.kind == "number" and len(starts) > 1:
        base = float(np.log(counts.totals[1] / counts.totals[0]))
        by_row[order] = interpolated(counts.good[order], counts.bad[order], base, segment, by_row[order])
        final, lookup = _final_bins(listed, [0, *(np.flatnonzero(np.diff(by_row[order])) + 1).tolist()])
    evidence = np.zeros(final.n_rows)
    evidence[lookup] = by_row
    mass = counts.by(lookup, final.n_rows).mass
    frame = _merged_frame(prebins.name, labels, merged)
    return Binned(final.met(mass), lookup[pooled], evidence, mass, frame, trend_taken, note)


def merge_edges(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    edges: Sequence[float],
    *,
    trend: str = "auto",
    max_bins: int = 8,
    min_share: float = 0.05,
    min_events: float = 0.0,
) -> tuple[tuple[float, ...], float]:
    """Return the edges kept of some given ones, and the information value: what a peer is compared with."""
    bins = FeatureBins("x", "number", edges=tuple(edges))
    codes = encode([bins], pd.DataFrame({"x": x}))[:, 0]
    rules = MergeRules(max_bins, min_share, min_events, 0.0, len(edges) + 1, False)
    faults: list[str] = []
    found = bin_feature(bins, codes, y, np.ones(len(y)), trend, rules, faults)
    return found.bins.edges, float(found.merged["iv"].sum())


def _sums(rows: NDArray[Any], weight: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return np.bincount(rows, weight, n).astype(float)


def _pool_rare(
    prebins: FeatureBins, counts: _Counts, rare_share: float
) -> tuple[FeatureBins, NDArray[np.intp]]:
    """Return the bins without rare levels, and the row in them of every row before."""
    rows = np.arange(prebins.n_rows)
    if prebins.kind == "number":
        return prebins, rows
    mass = counts.mass
    known = mass.sum() - mass[prebins.missing_code]
    keep = mass[: prebins.n_values] >= max(rare_share * known * (1 - 1e-12), 1e-300)
    levels = tuple(level for level, kept in zip(prebins.levels, keep, strict=True) if kept)
    listed = replace(prebins, levels=levels)
    lookup = np.full(prebins.n_rows, listed.unseen_code)
    lookup[: prebins.n_values][keep] = np.arange(len(levels))
    lookup[prebins.missing_code] = listed.missing_code
    return listed, lookup


def _merge_order(bins: FeatureBins, counts: _Counts) -> NDArray[np.intp]:
    """Return the rows that may be merged, in the order in which they are neighbors."""
    if bins.kind == "number":
        inner = np.array(bins.inner_rows, dtype=np.intp)
        return inner if counts.mass[inner].any() else inner[:0]
    rows = np.array([row for row in range(bins.n_rows) if row != bins.missing_code])
    rows = rows[counts.mass[rows] > 0]
    return np.asarray(rows[np.argsort(counts.bad[rows] / counts.mass[rows], kind="stable")])


def _merge(
    bins: FeatureBins,
    counts: _Counts,
    order: NDArray[np.intp],
    trend: str,
    rules: MergeRules,
    faults: list[str],
) -> tuple[list[int], str]:
    """Return the first place in `order` of each merged bin, and a note where a rule left only one."""
    if not len(order):
        return [0], ""
    mass = counts.mass[order]
    coarse = _coarse_starts(mass, rules.max_prebins if bins.kind == "category" else len(order))
    good, bad = (np.add.reduceat(part[order], coarse) for part in (counts.good, counts.bad))

    def best(direction: str, **limits: float) -> tuple[list[int], float]:
        limits = limits or {"min_weight": rules.min_share * mass.sum(), "min_events": rules.min_events}
        return best_partition(
            good,
            bad,
            trend=cast("Trend", direction),
            max_bins=rules.max_bins,
            totals=counts.totals,
            **limits,
        )

    wanted = ("none",) if bins.kind == "category" else _EITHER.get(trend, (trend,))
    starts, _ = max((best(direction) for direction in wanted), key=lambda found: found[1])
    note = ""
    if len(starts) == 1 and trend in ("increasing", "decreasing") and len(best("none")[0]) > 1:
        faults.append(f"{bins.name!r} has no two bins with a bad rate that is {trend}.")
    elif len(starts) == 1 and len(best("none", min_weight=0.0)[0]) > 1:
        note = (
            f"{bins.name}: one bin for all values, no two hold {100 * rules.min_share:g} % of the weight "
            f"and {rules.min_events:g} bads and goods each."
        )
    return coarse[starts].tolist(), note


def _coarse_starts(mass: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return where to cut places in order into at most `most` runs of about equal weight."""
    if len(mass) <= most:
        return np.arange(len(mass))
    share = (np.cumsum(mass) - mass / 2) / mass.sum()
    run = np.minimum((share * most).astype(np.intp), most - 1)
    return np.flatnonzero(np.diff(run, prepend=-1))


def _final_bins(bins: FeatureBins, starts: Sequence[int]) -> tuple[FeatureBins, NDArray[np.intp]]:
    """Return bins whose rows in range begin at `starts`, and the row in them of every row before.

    Levels keep a row each.
    """
    if bins.kind == "category":
        return bins, np.arange(bins.n_rows)
    first = int(bins.bounded)  # place of the first edge between rows in range
    edges = tuple(bins.edges[first + start - 1] for start in starts[1:])
    if bins.bounded:
        edges = (bins.edges[0], *edges, bins.edges[-1])
    lookup = np.arange(bins.n_rows) - (len(bins.edges) - len(edges))
    inner = np.array(bins.inner_rows, dtype=np.intp)
    lookup[:first] = 0
    lookup[inner] = first + np.searchsorted(starts, np.arange(len(inner)), side="right") - 1
    return replace(bins, edges=edges, unmet=()), lookup


def _trend_taken(bins: FeatureBins, evidence: NDArray[np.float64]) -> str:
    if bins.kind == "category":
        return "by rate"
    steps = np.sign(np.diff(evidence))
    signs = steps[steps != 0]
    turns = np.count_nonzero(np.diff(signs))
    if not len(signs) or turns > 1:
        return "mixed" if turns else "flat"
    names = ("decreasing", "increasing") if not turns else ("valley", "peak")
    return names[int(signs[0] > 0)]


def _group_labels(
    bins: FeatureBins, group: NDArray[np.intp], final: FeatureBins, lookup: NDArray[np.intp]
) -> list[str]:
    """Return the text of every merged bin: an interval, or its levels."""
    texts = np.array(final.labels(), dtype=object)[lookup]
    members: list[list[str]] = [[] for _ in range(int(group.max()) + 1)]
    for row in range(bins.n_rows):
        if texts[row] not in members[group[row]]:
            members[group[row]].append(texts[row])
    return [", ".join(names) for names in members]


def _merged_frame(name: str, labels: list[str], counts: _Counts) -> pd.DataFrame:
    """Return one line a merged bin that training met."""
    good_share, bad_share = (part / part.sum() for part in (counts.good, counts.bad))
    evidence = counts.evidence()
    mass = counts.mass
    frame = pd.DataFrame(
        {
            "feature": name,
            "row": labels,
            "weight": mass,
            "bads": counts.bad,
            "bad_rate": counts.bad / np.where(mass > 0, mass, 1.0),
            "woe": evidence,
            "woe_error": woe_error(counts.good, counts.bad, *counts.totals),
            "iv": (bad_share - good_share) * evidence,
        }
    )
    return frame[mass > 0].reset_index(drop=True)
