"""Learning: from checked rows to a calibrated card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from clientscore.additive import (
    BIN_SIZES,
    AdditiveCard,
    WoeSettings,
    choose_bins,
    encode,
    learn_boosted,
    learn_woe,
)
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import calibrate_mean

from ._calibration import Judged, PDMap, calibrated
from ._inputs import binary_target, check_both_classes, client_groups, feature_frame, row_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from clientscore.additive import BoostReport, CardBags, FeatureBins, FeatureRule, WoeReport


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows to learn from: features, 0 and 1, weights, clients."""

    X: pd.DataFrame
    y: NDArray[np.float64]
    weight: NDArray[np.float64] | None = None
    groups: NDArray[Any] | None = None

    def take(self, rows: NDArray[Any]) -> TrainingRows:
        """Return some rows, by mask or place."""
        return TrainingRows(
            self.X[rows] if rows.dtype == bool else self.X.iloc[rows],
            self.y[rows],
            None if self.weight is None else self.weight[rows],
            None if self.groups is None else self.groups[rows],
        )


class ReadRows(NamedTuple):
    """What fit was given, checked."""

    rows: TrainingRows
    named: bool  # whether X had column names
    classes: NDArray[Any]
    rows_without_y: int


class LearnedCard(NamedTuple):
    """A calibrated card and how it came about."""

    card: AdditiveCard
    report: BoostReport | WoeReport | None
    calibration: dict[str, Any]
    pd_map: PDMap | None = None
    bags: CardBags | None = None


@dataclass(frozen=True)
class CardSettings:
    """How a card is learned: the scorer's settings, rules and directions merged, the seed drawn."""

    method: Literal["boosted", "woe", "given"]
    interactions: Any
    monotone: Mapping[str, str]
    rules: Mapping[str, FeatureRule]
    n_bags: int
    max_rounds: int
    max_bins: Literal["auto"] | int
    calibration: str | None
    seed: int
    woe: WoeSettings = field(default_factory=WoeSettings)
    card: AdditiveCard | None = None  # given


def read_rows(X: Any, y: Any, sample_weight: ArrayLike | None, groups: ArrayLike | None) -> ReadRows:
    """Return the rows that count: y known, weight above 0, both classes there."""
    frame, named = feature_frame(X)
    if not len(frame) or not frame.shape[1]:
        raise DataError(
            f"Found array with {len(frame)} sample(s) and {frame.shape[1]} feature(s) "
            f"(shape={frame.shape}) while a minimum of 1 is required."
        )
    target, known, classes = binary_target(frame, y, isinstance(X, pd.DataFrame))
    weight = row_weights(sample_weight, len(frame))
    used = known if weight is None else known & (weight > 0)
    rows = TrainingRows(frame, target, weight, client_groups(frame, groups)).take(used)
    check_both_classes(rows.y)
    return ReadRows(rows, named, classes, int((~known).sum()))


def directions_of(
    monotone: Mapping[str, str] | None, rules: Mapping[str, FeatureRule] | None
) -> dict[str, str]:
    """Return the direction of each feature, from `monotone` and from its rule.

    Raises
    ------
    InvalidParameterError
        If the two say different things of one feature; all such features are listed.
    """
    for word, given in (("monotone", monotone), ("rules", rules)):
        if given is not None and not isinstance(given, Mapping):
            raise InvalidParameterError(
                f"{word} must map features to decisions, such as {{'roa': ...}}, or be None; got {given!r}."
            )
    merged = dict(monotone or {})
    faults = []
    for name, rule in (rules or {}).items():
        asked = getattr(rule, "monotone", None)  # what is no rule is named where bins are made
        if asked is None:
            continue
        if merged.setdefault(name, asked) != asked:
            faults.append(f"{name!r} is {merged[name]!r} in monotone and {asked!r} in its rule.")
    if faults:
        raise InvalidParameterError("monotone and rules must agree; say each direction once.", faults)
    return merged


def learn_card(settings: CardSettings, rows: TrainingRows) -> LearnedCard:
    """Learn a card, or take the one given; give odd rows what their rules say, and calibrate it."""
    if settings.card is not None:
        decision = settings.card.decision_codes(settings.card.encode(rows.X))
        found = calibrated(settings.calibration, judged_rows(rows, decision), decision)
        card = settings.card.recalibrated(found.intercept, found.slope)
        return LearnedCard(card, None, found.record, found.pd_map)
    if settings.method == "woe":
        own = settings.woe.to_dict()
        card, told = learn_woe(
            rows.X,
            rows.y,
            sample_weight=rows.weight,
            rules=settings.rules,
            otherwise=own["monotone"],
            **{**own, "monotone": settings.monotone or own["monotone"]},
        )
        decided = card.with_rules(settings.rules)
        level = 0.0
        if decided.notes != card.notes:  # a policy moved the level
            codes = unrefused(decided).encode(rows.X)
            level = calibrate_mean(decided.decision_codes(codes), rows.y, rows.weight)
        record = {"method": "own", "intercept": level, "slope": 1.0, "rows": len(rows.y)}
        return LearnedCard(decided.recalibrated(level), told, record)
    bins, curve = boosted_bins(settings, rows)
    codes = encode(bins, rows.X)
    learned, report = _learn_boosted(settings, rows, bins, codes)
    card = learned.with_rules(settings.rules)
    decision = card.decision_codes(codes)
    # Out of bag, too, odd rows score what people decided.
    out_of_bag = np.asarray(report.out_of_bag) + (decision - learned.decision_codes(codes))
    found = calibrated(settings.calibration, judged_rows(rows, out_of_bag), decision)
    bags = report.bags
    if bags is not None:
        bags = learned.bags_with_rules(bags, settings.rules).scaled(found.slope)
    card = card.recalibrated(found.intercept, found.slope)
    report = replace(report, bins_curve=curve)
    return LearnedCard(card, report, found.record, found.pd_map, bags)


def boosted_bins(settings: CardSettings, rows: TrainingRows) -> tuple[tuple[FeatureBins, ...], pd.DataFrame]:
    """Return the bins that boosting works on, and the curve they were chosen on."""
    return choose_bins(
        rows.X,
        rows.y,
        sizes=BIN_SIZES if settings.max_bins == "auto" else (settings.max_bins,),
        weight=rows.weight,
        rules=settings.rules,
        groups=rows.groups,
        monotone=settings.monotone,
        random_state=settings.seed,
    )


def judged_rows(rows: TrainingRows, log_odds: NDArray[np.float64]) -> Judged:
    """Return rows with log-odds to calibrate on, and their dates where X's index holds more than one."""
    as_of = None
    if "as_of" in rows.X.index.names:
        dates = rows.X.index.get_level_values("as_of").to_numpy()
        as_of = dates if len(pd.unique(dates)) > 1 and not pd.isna(dates).any() else None
    return Judged(log_odds, rows.y, rows.weight, as_of, rows.groups)


def _learn_boosted(
    settings: CardSettings, rows: TrainingRows, bins: tuple[FeatureBins, ...], codes: NDArray[Any]
) -> tuple[AdditiveCard, BoostReport]:
    return learn_boosted(
        codes,
        bins,
        rows.y,
        sample_weight=rows.weight,
        groups=rows.groups,
        n_bags=settings.n_bags,
        max_rounds=settings.max_rounds,
        interactions=settings.interactions,
        monotone=settings.monotone,
        deeper=True,
        random_state=settings.seed,
    )


def unrefused(card: AdditiveCard) -> AdditiveCard:
    """Return the card that scores every value: training rows may hold what is refused from now on."""
    return replace(card, bins=tuple(replace(one, refuse=()) for one in card.bins))
