"""The challenger: full trees beside the card, and what interpretability costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from clientscore.additive import bag_trees, encode
from clientscore.exceptions import DataError
from clientscore.metrics import PairedReport, auc, brier, log_loss

from ._calibration import calibrated, through
from ._fit import boosted_bins, judged_rows, learn_card, unrefused
from ._inputs import day_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ._fit import CardSettings, TrainingRows

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_FOLDS = 5
_TEST_SHARE = 0.25  # of the dates
_RESAMPLES = 500
_WAYS = ("increasing", "decreasing")


@dataclass(frozen=True)
class Comparison:
    """One measure of card and trees on the same rows.

    Parameters
    ----------
    measure : {"auc", "log_loss", "brier"}
        What is measured; AUC is better when higher, the losses when lower.
    card, trees : float
        Its value.
    difference : float
        Card minus trees.
    lower, upper : float
        95 % interval of the difference, clients resampled.
    """

    measure: str
    card: float
    trees: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True, repr=False)
class ChallengerReport(PairedReport):
    """What the card gives up, or does not, against bagged full trees on the same rows.

    Attributes
    ----------
    evidence : str
        Which rows judged: "out of time from 2023-01-01, ...", or "5 grouped folds".
    rows, events, clients : int
        Rows judged, bads among them, and the clients that were resampled (rows, where none are known).
    comparisons : tuple of Comparison
        AUC, log loss and Brier score.
    """

    comparison_kind = Comparison

    evidence: str
    rows: int
    events: int
    clients: int
    comparisons: tuple[Comparison, ...]

    @property
    def headline(self) -> str:
        """What was compared, on which rows, in one line."""
        return (
            f"Card against bagged full trees, {self.evidence}: {self.rows} rows, {self.events} bad, "
            f"{self.clients} clients; 95 % intervals"
        )


class _Split(NamedTuple):
    train: Mask
    test: Mask


class Evidence(NamedTuple):
    """How rows are split into those that teach and those that judge."""

    words: str
    splits: list[_Split]


class _Judged(NamedTuple):
    """Rows judged: outcome, weight, client, and the log-odds of both."""

    y: Floats
    weight: Floats
    client: NDArray[np.intp]
    card: Floats
    trees: Floats


def challenge(settings: CardSettings, rows: TrainingRows) -> ChallengerReport:
    """Fit card and trees on some rows, judge both on others, and compare.

    Where X's index has the level ``as_of``, rows of the last quarter of the dates judge models of earlier
    dates; where clients are known, none is judged by a model that has seen it (five folds of clients).  Where
    that leaves a side without both classes, and without dates: five folds of clients, or of rows.
    """
    clients = np.arange(len(rows.y)) if rows.groups is None else pd.factorize(rows.groups)[0]
    evidence = evidence_of(rows, clients, settings.seed)
    parts = [_judge(settings, rows, clients, split) for split in evidence.splits]
    judged = _Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return ChallengerReport(
        evidence=evidence.words,
        rows=len(judged.y),
        events=int(judged.y.sum()),
        clients=len(np.unique(judged.client)),
        comparisons=tuple(compare(judged, settings.seed)),
    )


def evidence_of(rows: TrainingRows, clients: NDArray[np.intp], seed: int) -> Evidence:
    """Return the splits that the index and the clients of the rows allow.

    Raises
    ------
    DataError
        If no split leaves both classes to learn from and both to judge by.
    """
    grouped = rows.groups is not None
    fold = _folds(rows.y, clients, seed)
    late, start = _late_rows(rows.X.index)
    if late is not None:
        parts = [_Split(~late, late)]
        words = f"out of time from {start}"
        if grouped:
            parts = [_Split(~late & (fold != k), late & (fold == k)) for k in range(_FOLDS)]
            words += f", {_FOLDS} grouped folds"
        if _serve(rows.y, parts):
            return Evidence(words, parts)
    parts = [_Split(fold != k, fold == k) for k in range(_FOLDS)]
    if not _serve(rows.y, parts):
        raise DataError(
            f"challenger=True needs bads and goods of at least {_FOLDS} clients each, so that every fold "
            "can learn and be judged. Leave it out."
        )
    return Evidence(f"{_FOLDS} {'grouped ' if grouped else ''}folds", parts)


def _serve(y: Floats, splits: list[_Split]) -> bool:
    """Tell whether every split has both classes to learn from, and all together both to judge by."""
    judges = y[np.any([split.test for split in splits], axis=0)]
    taught = all(len(np.unique(y[split.train])) == 2 and split.test.any() for split in splits)
    return taught and len(np.unique(judges)) == 2


def _late_rows(index: pd.Index) -> tuple[Mask, str] | tuple[None, None]:
    """Return which rows lie in the last quarter of the dates, and the first such date."""
    if "as_of" not in index.names:
        return None, None
    dates = index.get_level_values("as_of")
    distinct = dates.dropna().unique().sort_values()
    if len(distinct) < 2:
        return None, None
    start = distinct[len(distinct) - max(1, round(_TEST_SHARE * len(distinct)))]
    return np.asarray(dates >= start), day_text(start)


def _folds(y: Floats, clients: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Return the fold of each row: clients whole, those with a bad spread evenly."""
    bad = np.zeros(clients.max() + 1)
    np.maximum.at(bad, clients, y)
    order = np.lexsort((np.random.default_rng(seed).random(len(bad)), bad))
    fold = np.empty(len(bad), dtype=np.intp)
    fold[order] = np.arange(len(bad)) % _FOLDS
    return fold[clients]


def _judge(settings: CardSettings, rows: TrainingRows, clients: NDArray[np.intp], split: _Split) -> _Judged:
    """Fit both on the rows that teach; return what they say of the others."""
    teach, test = rows.take(split.train), rows.take(split.test)
    learned = learn_card(settings, teach)
    card = unrefused(learned.card)
    ways = {name: way for name, way in settings.monotone.items() if way in _WAYS}
    if settings.method == "boosted":
        bins = card.bins  # chosen on the same rows
    else:
        bins, _ = boosted_bins(replace(settings, monotone=ways), teach)
    codes = encode(bins, teach.X)
    trees = bag_trees(
        codes,
        bins,
        teach.y,
        sample_weight=teach.weight,
        groups=teach.groups,
        n_bags=settings.n_bags,
        max_rounds=settings.max_rounds,
        monotone=ways,
        random_state=settings.seed,
    )
    method = "logistic" if settings.method == "woe" else settings.calibration
    found = calibrated(method, judged_rows(teach, trees.out_of_bag), trees.decision_codes(codes))
    raw = trees.decision_codes(encode(bins, test.X))
    return _Judged(
        test.y,
        np.ones(len(test.y)) if test.weight is None else test.weight,
        clients[split.test],
        through(learned.pd_map, card.decision_codes(card.encode(test.X))),
        through(found.pd_map, found.intercept + found.slope * raw),
    )


def compare(judged: _Judged, seed: int) -> Iterator[Comparison]:
    """Yield the measures of both, with intervals of the difference from clients drawn again."""
    y, weight = judged.y, judged.weight
    drawn = _drawn_differences(judged, seed)
    scores = {"auc": auc, "log_loss": log_loss, "brier": brier}
    for measure, score in scores.items():
        both = (judged.card, judged.trees)
        card, trees = (float(score(y, z if measure == "auc" else expit(z), weight)) for z in both)
        lower, upper = np.nanquantile(drawn[measure], (0.025, 0.975))
        yield Comparison(measure, card, trees, card - trees, float(lower), float(upper))


def _drawn_differences(judged: _Judged, seed: int) -> dict[str, Floats]:
    """Return card minus trees in every resample, by measure; NaN where a resample holds one class."""
    client = np.unique(judged.client, return_inverse=True)[1]
    n_clients = int(client.max()) + 1
    rng = np.random.default_rng(seed)
    both = [_ranked(score) for score in (judged.card, judged.trees)]
    loss = {
        "log_loss": _gap(judged, lambda p: -np.log(np.maximum(p, np.finfo(float).eps))),
        "brier": _gap(judged, lambda p: np.square(1 - p)),
    }
    drawn: dict[str, Floats] = {name: np.empty(_RESAMPLES) for name in ("auc", *loss)}
    for k in range(_RESAMPLES):
        times = np.bincount(rng.integers(n_clients, size=n_clients), minlength=n_clients)
        weight = judged.weight * times[client]
        areas = [_area(place, size, judged.y, weight) for place, size in both]
        drawn["auc"][k] = areas[0] - areas[1]
        for name, gap in loss.items():
            drawn[name][k] = weight @ gap / weight.sum() if weight.any() else np.nan
    return drawn


def _gap(judged: _Judged, loss: Any) -> Floats:
    """Return the loss of the card less that of the trees, by row; `loss` of the chance of what happened."""
    sign = 2 * judged.y - 1
    return np.asarray(loss(expit(sign * judged.card)) - loss(expit(sign * judged.trees)))


def _ranked(score: Floats) -> tuple[NDArray[np.intp], int]:
    distinct, place = np.unique(score, return_inverse=True)
    return place, len(distinct)


def _area(place: NDArray[np.intp], size: int, y: Floats, weight: Floats) -> float:
    """Return the AUC from ranks made once; ties count half."""
    bad = np.bincount(place, weight * y, size)
    good = np.bincount(place, weight * (1 - y), size)
    below = np.cumsum(good) - good / 2
    total = bad.sum() * good.sum()
    return float(bad @ below / total) if total > 0 else float("nan")
