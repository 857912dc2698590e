"""From a sample to a card: the panel, the features that move with the clock, the boosted card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns
from clientscore.additive import encode, fit_bins, learn_boosted
from clientscore.exceptions import DataError, InvalidParameterError

from .joining import join_cards, trim
from .panel import period_bins, with_period
from .scores import turned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard, FeatureBins

    from .panel import PersonPeriods
    from .sample import Sample

    Floats = NDArray[np.float64]
    Ints = NDArray[np.integer[Any]]


_TRIM_ROWS = 50_000  # that tell how much a pair moves


@dataclass(frozen=True)
class BoostRules:
    """How the card is boosted."""

    n_bags: int
    max_rounds: int
    learning_rate: float
    min_rows_leaf: int
    random_splits: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """Row numbers of the person-period rows, and what happened in them."""

    codes: NDArray[Any]
    bins: tuple[FeatureBins, ...]
    outcome: Ints
    weight: Floats
    groups: Ints


def read_speeds(clocks: Mapping[str, float] | None, X: pd.DataFrame) -> dict[str, float]:
    """Return the features that move with the clock and their speeds, or raise."""
    speeds = {} if clocks is None else dict(clocks)
    check_columns(X.columns, speeds, subject="X")
    odd = [name for name, speed in speeds.items() if not _is_speed(speed)]
    if odd:
        raise InvalidParameterError(f"clocks must give a finite number other than 0 for each of {odd}.")
    text = [name for name in speeds if not pd.api.types.is_numeric_dtype(X[name].dtype)]
    if text:
        raise DataError(f"Features that move with the clock must be numbers; {text} are not.")
    return speeds


def _is_speed(value: Any) -> bool:
    try:
        return bool(np.isfinite(float(value)) and float(value) != 0.0)
    except (TypeError, ValueError):
        return False


def at_opening(X: pd.DataFrame, entry: Floats, speeds: Mapping[str, float]) -> pd.DataFrame:
    """Return the features as of the opening of the window: those that move, set back by the entry."""
    if not speeds or not (entry > 0).any():
        return X
    return X.assign(**{name: turned(name, X[name] - speed * entry) for name, speed in speeds.items()})


def code_table(
    X: pd.DataFrame, sample: Sample, panel: PersonPeriods, speeds: Mapping[str, float], max_bins: int
) -> Table:
    """Return the row numbers of the person-period rows, the period last; rows of X not used are not read."""
    used, place = np.unique(panel.row, return_inverse=True)
    inside = X if len(used) == len(X) else X.iloc[used]
    still = [name for name in X.columns if name not in speeds]
    bins = {one.name: one for one in fit_bins(X[still], max_bins=max_bins)}
    moved = _moved(inside, place, sample, panel, speeds)
    bins |= {one.name: one for one in fit_bins(moved, max_bins=max_bins)}
    whole = with_period(encode([bins[str(name)] for name in still], inside), place, panel.period)
    if speeds:
        whole = _insert(whole, encode([bins[name] for name in moved], moved), X.columns, still, list(moved))
    ordered = tuple(bins[str(name)] for name in X.columns)
    return Table(
        whole,
        (*ordered, period_bins(sample.clock.n_periods)),
        panel.outcome,
        panel.weight,
        sample.clients[panel.row],
    )


def _moved(
    X: pd.DataFrame, place: Ints, sample: Sample, panel: PersonPeriods, speeds: Mapping[str, float]
) -> pd.DataFrame:
    """Return the features that move with the clock, in each person-period row."""
    start = sample.clock.starts()[panel.period - 1]
    elapsed = np.maximum(start - sample.target.entry[panel.row], 0.0)
    return pd.DataFrame(
        {
            name: turned(name, X[name].to_numpy(np.float64, na_value=np.nan)[place] + speed * elapsed)
            for name, speed in speeds.items()
        },
        index=range(len(panel.row)),
    )


def _insert(
    whole: NDArray[Any], moved: NDArray[Any], columns: pd.Index, still: Sequence[Any], names: Sequence[str]
) -> NDArray[Any]:
    """Return both tables' columns in the order of X, the period last."""
    place = {name: whole[:, j] for j, name in enumerate(still)}
    place |= {name: moved[:, j] for j, name in enumerate(names)}
    kind = np.promote_types(whole.dtype, moved.dtype)
    table = np.empty((len(whole), len(columns) + 1), dtype=kind, order="F")
    for j, name in enumerate(columns):
        table[:, j] = place[name]
    table[:, -1] = whole[:, -1]
    return table


def learn_card(
    table: Table, learned: NDArray[np.bool_], names: Sequence[str], rules: BoostRules, seed: int
) -> AdditiveCard:
    """Learn the card of the causes with enough events.

    Each cause is learned against staying on its own rows (Begg and Gray, 1984), so that a rare cause stops as
    early, and finds its own pairs, as its events ask; rows that end by another cause are left out there.
    """
    codes = np.flatnonzero(learned) + 1
    cards = {
        name: _learn_cause(table, int(code), rules, seed) for name, code in zip(names, codes, strict=True)
    }
    return join_cards(cards)


def _learn_cause(table: Table, code: int, rules: BoostRules, seed: int) -> AdditiveCard:
    """Learn one cause against staying; the garrote is left out, since it did not pay on hazards."""
    used = np.isin(table.outcome, (0, code))
    codes = table.codes if used.all() else np.asfortranarray(table.codes[used])
    weight = table.weight[used]
    card, _ = learn_boosted(
        codes,
        table.bins,
        (table.outcome[used] == code).astype(np.float64),
        interactions="all",
        sample_weight=weight,
        groups=table.groups[used],
        n_bags=rules.n_bags,
        max_rounds=rules.max_rounds,
        learning_rate=rules.learning_rate,
        min_rows_leaf=rules.min_rows_leaf,
        random_splits=rules.random_splits,
        random_state=seed,
    )
    step = max(len(codes) // _TRIM_ROWS, 1)
    return trim(card, codes[::step], weight[::step])
