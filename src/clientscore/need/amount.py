"""How much: the amount given need, its mean and its intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clientscore.additive import AdditiveCard, learn_boosted
from clientscore.exceptions import DataError

from .challenge import MIN_TREES, AmountChallenge, Form, compare_forms
from .conformal import (
    LEVELS,
    Calibration,
    Scored,
    group_frame,
    latest_rows,
    rows_before,
)
from .encoded import Encoded
from .groups import NOISE, Grouping, IntervalGroups
from .kept import Background, Kept, beside, grouped
from .size import SizeLine
from .smearing import MeanLaw, mean_law
from .trees import AmountTrees, learn_trees

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from .conformal import Window

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_MIN_AMOUNTS = 3
_MIN_CARD = 30  # fewer amounts: one mean, normal theory
_MIN_SCALE = 300  # fewer amounts: one spread for all
_PAIRS = 30  # of the amount's card; the garrote over all pairs costs four times as much and is no better
_TABLE = ("rows", "pooled", "method", "rows_used", "smearing")


class AmountSettings(NamedTuple):
    """What intervals hold, for whom, and how far labels reach (None: not known, calibrate out of bag)."""

    coverage: float
    interval_groups: str | Sequence[str] = NOISE
    window: Window | None = None
    seed: int = 0
    form: Form = "card"


class Design(NamedTuple):
    """Rows to learn from: bins, row numbers, log amounts (less the line of size) and clients."""

    encoded: Encoded
    log_amount: Floats
    clients: Ints


class AmountModel:
    """Lognormal-type model of the amount given need, with conformal intervals.

    log amount = m(x) + s(x) z.  m is a card learned on log amounts, and a line of log size where amounts
    follow the client's size (`SizeLine`); s is a card learned on the log of the size of its out-of-bag
    residuals.  The mean is exp(m) times a smearing factor by third of s.  With a line it is Duan's mean of
    exp(residual), to which each need adds alike; without one m is shrunk towards the middle, and only the sum
    of amounts over the sum of exp(m) out of bag keeps the total, though a few large clients make it.
    Quantiles come from the z of the latest dates, by group (Mondrian split conformal), so that every group is
    covered; ranks carry the finite-sample correction.  Where as many amounts have windows that had closed by
    those dates, z is measured by a card learned on these alone (purged), which has seen as little of the
    calibration dates as the model will of the future; else by bags that held the client out.

    Attributes
    ----------
    card : AdditiveCard or AmountTrees
        m, log of the amount, less the line.
    line : SizeLine or None
        Line of log amounts by log size; None where size says less than a quarter of their variance.
    scale : AdditiveCard
        Log of the spread s.
    noise : Grouping
        Thirds of log s.
    interval_groups : IntervalGroups
        Which clients share quantiles.
    quantiles : ndarray of shape (n_groups, 199)
        Quantiles of z at levels .005 to .995, one row a group.
    ends : ndarray of shape (n_groups, 2)
        z at the ends of the interval.
    smearing : ndarray of shape (3,)
        Factor from exp(m) to the mean, by third of s.
    spread : ndarray of shape (3, 2)
        Second and third moment of the amount in units of its mean, by third of s.
    groups : DataFrame
        Index group: rows (calibration), pooled, method, rows_used, smearing.
    coverage : float
        Share of amounts the interval must hold.
    evidence : str
        Which rows calibrated, in words.
    challenge : AmountChallenge or None
        Card against trees, where trees were asked for and there were amounts enough.
    background : Background or None
        Some of the calibration rows, as numbers of bins, see `added_spread`.
    kept : Kept or None
        What `regroup` calibrates from; not saved.
    """

    def __init__(
        self,
        cards: tuple[AdditiveCard | AmountTrees, AdditiveCard],
        law: MeanLaw,
        interval_groups: IntervalGroups,
        calibration: Calibration,
        coverage: float,
        evidence: str,
        challenge: AmountChallenge | None = None,
        line: SizeLine | None = None,
    ) -> None:
        self.card, self.scale = cards
        self.line = line
        self.noise, self.smearing, self.spread = law
        self.interval_groups = interval_groups
        self.quantiles, self.ends, self.groups = calibration
        self.coverage = coverage
        self.evidence = evidence
        self.challenge = challenge
        self.background: Background | None = None
        self.kept: Kept | None = None
        self._features = {one.name for one in self.card.bins}
        self._one_reading = self.card.bins == self.scale.bins

    @classmethod
    def fit(
        cls,
        X: pd.DataFrame,
        amount: Floats,
        clients: Ints,
        settings: AmountSettings,
        encoded: Encoded | None = None,
        context: pd.DataFrame | None = None,
    ) -> AmountModel:
        """Learn from the rows with a need of known amount.

        `encoded` are their row numbers, where known; `context` holds columns that are no features but may
        group intervals.
        """
        if len(amount) < _MIN_AMOUNTS:
            raise DataError(f"amount must be known for at least {_MIN_AMOUNTS} needs; got {len(amount)}.")
        log_amount = np.log(amount)
        line = SizeLine.of(X, log_amount)
        base = np.zeros(len(X)) if line is None else line.values(X)
        design = Design(Encoded.of(X) if encoded is None else encoded, log_amount - base, clients)
        latest = latest_rows(X.index)
        before = rows_before(X.index, latest, settings.window)
        evidence = _evidence(X.index, latest, before)
        tried = _try_forms(design, latest, before, settings)
        challenge = None
        if len(tried.errors) > 1:
            words = f"{'out of time, purged' if before is not None else 'out of bag'}"
            challenge = compare_forms(settings.form, tried.errors, clients[latest], words, settings.seed)
        form = "card" if challenge is None else challenge.chosen
        card, fitted = tried.learned.get(form) or learn_form(form, design, settings.seed)
        scale, log_scale = _learn_scale(design, design.log_amount - fitted, settings.seed + 1)
        level = np.exp(fitted + base)
        # Where the line leaves errors that do not depend on size, each need tells the factor alike.
        weight = np.ones(len(X)) if line is None else 1.0 / level
        law, mean = mean_law(amount, level, log_scale, weight, varies=bool(scale.terms))
        scored = Scored(tried.errors[form] / np.exp(log_scale[latest]), latest, clients[latest])
        kept = Kept(X.index, scored, log_scale, level, mean, bool(scale.terms))
        seen = X if context is None else beside(X, context)
        groups, calibration = grouped(settings.interval_groups, seen, kept, settings.coverage)
        model = cls((card, scale), law, groups, calibration, settings.coverage, evidence, challenge, line)
        model.background = Background.of(design.encoded.codes[latest], base[latest], settings.seed)
        model.kept = kept
        return model

    def regroup(self, names: str | Sequence[str], seen: pd.DataFrame) -> None:
        """Calibrate the intervals by other groups, on the same errors; `seen` holds rows and columns of them.

        Only after `fit`: the errors are not saved with the model.
        """
        if self.kept is None:
            raise DataError("Errors of training are not saved with a model; group intervals right after fit.")
        seen = seen.loc[self.kept.index]
        self.interval_groups, calibration = grouped(names, seen, self.kept, self.coverage)
        self.quantiles, self.ends, self.groups = calibration

    def added_spread(self, unknown: Collection[str]) -> float | None:
        """Return how far log amounts move, root mean square, where some features are not known.

        On up to 300 of the rows that calibrated, with these features and without: the same for a card and
        for trees.  None for a model saved without such rows.
        """
        if self.background is None:
            return None
        if not len(self.background.codes):
            return 0.0
        codes, base = self.background.codes.copy(), self.background.base
        moved = self.card.decision_codes(codes) + base
        for place, one in enumerate(self.card.bins):
            if one.name in unknown:
                codes[:, place] = one.missing_code
        if self.line is not None and self.line.column in unknown:
            base = np.full(len(base), self.line.value_one({self.line.column: None}))
        moved = moved - (self.card.decision_codes(codes) + base)
        return float(np.sqrt(np.mean(moved**2)))

    def amounts(
        self,
        X: pd.DataFrame,
        probability: Floats,
        coverage: float | None = None,
        codes: NDArray[Any] | None = None,
    ) -> dict[str, Floats]:
        """Return amounts given need, the expected amount, and quantiles of the mixture with zero.

        `codes` are the row numbers of the card, where known.
        """
        middle, log_scale = self._scores(X, codes)
        group = self._groups(X, log_scale)
        return self._amounts(middle, log_scale, group, probability, coverage)

    def predict_one(
        self,
        values: Mapping[str, Any],
        probability: float,
        coverage: float | None = None,
        codes: list[int] | None = None,
    ) -> dict[str, float]:
        """Return the amounts of one client; `codes` are its row numbers, where known."""
        codes = self.card.codes_one(values) if codes is None else codes
        middle = np.array(self.card.decision_codes_one(codes))
        if self.line is not None:
            middle += self.line.value_one(values)
        codes = codes if self._one_reading else self.scale.codes_one(values)
        log_scale = np.array(self.scale.decision_codes_one(codes))
        absent = [name for name in self._outside if name not in values]
        seen = {**values, **dict.fromkeys(absent)} if absent else values
        group = np.array([self.interval_groups.code_one(seen, float(log_scale[0]))])
        amounts = self._amounts(middle, log_scale, group, np.array([probability]), coverage)
        return {name: float(amount[0]) for name, amount in amounts.items()}

    def quantile_amounts(self, X: pd.DataFrame, levels: Floats) -> Floats:
        """Return quantiles of the amount given need: shape (n, n_levels)."""
        middle, log_scale = self._scores(X)
        group = self._groups(X, log_scale)
        z = np.stack([np.interp(levels, LEVELS, row) for row in self.quantiles])
        return np.asarray(np.exp(middle[:, None] + np.exp(log_scale)[:, None] * z[group]))

    def positions(self, X: pd.DataFrame, amount: Floats) -> Floats:
        """Return the level at which each amount lies in its client's distribution, in [0, 1]."""
        middle, log_scale = self._scores(X)
        group = self._groups(X, log_scale)
        z = (np.log(amount) - middle) / np.exp(log_scale)
        place = np.empty(len(z))
        for number in np.unique(group):
            rows = group == number
            place[rows] = np.interp(z[rows], self.quantiles[number], LEVELS, left=0.0, right=1.0)
        return place

    def moments(self, X: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
        """Return the mean given need, and the second and third moment of the amount in units of the mean."""
        middle, log_scale = self._scores(X)
        third = self.noise.codes(log_scale)
        return np.exp(middle) * self.smearing[third], self.spread[third, 0], self.spread[third, 1]

    @property
    def _outside(self) -> list[str]:
        """Columns of the groups that are no features: they may be absent, which is a group of its own."""
        return [name for name in self.interval_groups.columns if name not in self._features]

    def _groups(self, X: pd.DataFrame, log_scale: Floats) -> Ints:
        """Return the number of each row's group."""
        absent = [name for name in self._outside if name not in X]
        return self.interval_groups.codes(X.assign(**dict.fromkeys(absent)) if absent else X, log_scale)

    def _scores(self, X: pd.DataFrame, codes: NDArray[Any] | None = None) -> tuple[Floats, Floats]:
        """Return m and log s of every row."""
        codes = self.card.encode(X) if codes is None else codes
        middle = self.card.decision_codes(codes)
        if self.line is not None:
            middle = middle + self.line.values(X)
        return middle, self.scale.decision_codes(codes if self._one_reading else self.scale.encode(X))

    def _amounts(
        self, middle: Floats, log_scale: Floats, group: Ints, probability: Floats, coverage: float | None
    ) -> dict[str, Floats]:
        """Return amounts by column: the one sum behind a book and a client."""
        spread = np.exp(log_scale)
        tail = (1.0 - (self.coverage if coverage is None else coverage)) / 2.0
        ends = self.ends if coverage is None else self._ends(tail)
        level = np.exp(middle)
        mean = level * self.smearing[self.noise.codes(log_scale)]
        median = np.array([np.interp(0.5, LEVELS, row) for row in self.quantiles])
        amounts = {
            "amount_lower": np.exp(middle + spread * ends[group, 0]),
            "amount_median": np.exp(middle + spread * median[group]),
            "amount_upper": np.exp(middle + spread * ends[group, 1]),
            "amount_mean": mean,
            "amount_expected": probability * mean,
        }
        for name, at in (("lower", tail), ("median", 0.5), ("upper", 1.0 - tail)):
            inner = (at - (1.0 - probability)) / np.maximum(probability, np.finfo(np.float64).tiny)
            value = np.zeros(len(middle))
            some = np.flatnonzero(inner > 0)  # elsewhere zero is likelier
            z = self._quantile(group[some], inner[some])
            value[some] = np.exp(middle[some] + spread[some] * z)
            amounts[f"mixture_{name}"] = value
        return amounts

    def _ends(self, tail: float) -> Floats:
        """Return the ends of intervals of another coverage, between the stored quantiles."""
        return np.array([np.interp([tail, 1.0 - tail], LEVELS, row) for row in self.quantiles])

    def _quantile(self, group: Ints, level: Floats) -> Floats:
        """Return z at a level, row by row, between the stored quantiles."""
        value = np.empty(len(level))
        for number in range(len(self.quantiles)):
            rows = group == number
            value[rows] = np.interp(level[rows], LEVELS, self.quantiles[number])
        return value

    def to_state(self) -> dict[str, Any]:
        """Return the model as dicts, lists and arrays."""
        return {
            "form": "trees" if isinstance(self.card, AmountTrees) else "card",
            "line": None if self.line is None else self.line.to_state(),
            "card": self.card.to_state(),
            "scale": self.scale.to_state(),
            "cuts": np.asarray(self.noise.cuts, dtype=np.float64),
            "interval_groups": self.interval_groups.to_state(),
            "quantiles": self.quantiles,
            "ends": self.ends,
            "mean_factor": self.smearing,
            "spread": self.spread,
            **{name: self.groups[name].to_list() for name in _TABLE},
            "coverage": self.coverage,
            "evidence": self.evidence,
            "background": None if self.background is None else self.background._asdict(),
            "challenge": None if self.challenge is None else self.challenge.to_dict(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> AmountModel:
        """Return the model that `to_state` wrote."""
        noise = Grouping(NOISE, tuple(np.asarray(state["cuts"], dtype=np.float64).tolist()))
        groups = IntervalGroups.from_state(state["interval_groups"])
        table = {name: list(state[name]) for name in _TABLE}
        kind = AmountTrees if state["form"] == "trees" else AdditiveCard
        report, line = state["challenge"], state.get("line")
        model = cls(
            (kind.from_state(state["card"]), AdditiveCard.from_state(state["scale"])),
            MeanLaw(noise, np.asarray(state["mean_factor"]), np.asarray(state["spread"])),
            groups,
            Calibration(state["quantiles"], state["ends"], group_frame(table, groups.labels)),
            float(state["coverage"]),
            str(state["evidence"]),
            None if report is None else AmountChallenge.from_dict(report),
            None if line is None else SizeLine.from_state(line),
        )
        if state.get("background") is not None:
            model.background = Background(**state["background"])
        return model


class Tried(NamedTuple):
    """By form: errors of log amounts in the calibration rows, and what was learned from all, if it was."""

    errors: dict[str, Floats]
    learned: dict[str, tuple[AdditiveCard | AmountTrees, Floats]]


def _try_forms(
    design: Design, latest: NDArray[np.bool_], before: NDArray[np.bool_] | None, settings: AmountSettings
) -> Tried:
    """Measure the errors of each form that may be taken, by models that have not seen the rows."""
    many = len(design.log_amount if before is None else design.log_amount[before]) >= MIN_TREES
    forms = ("card", "trees") if settings.form != "card" and many else ("card",)
    errors, learned = {}, {}
    for form in forms:
        if before is None:
            learned[form] = learn_form(form, design, settings.seed)
            fitted = learned[form][1]
        else:
            early, _ = learn_form(form, _part(design, before), settings.seed + 2)
            fitted = early.decision_codes(design.encoded.codes)
        errors[form] = (design.log_amount - fitted)[latest]
    return Tried(errors, learned)


def learn_form(form: str, design: Design, seed: int) -> tuple[AdditiveCard | AmountTrees, Floats]:
    """Learn log amounts in a form, and the values out of bag."""
    if form == "trees":
        return learn_trees(design.encoded, design.log_amount, design.clients, seed)
    return _learn(design, design.log_amount, _MIN_CARD, seed, n_bags=5, pairs=_PAIRS)


def _learn_scale(design: Design, residual: Floats, seed: int) -> tuple[AdditiveCard, Floats]:
    """Learn the card of the log size of residuals, and its values out of bag.

    It orders clients by noise and no more: three bags of main effects lose nothing that can be seen.
    """
    size = np.abs(residual)
    floor = max(0.05 * float(np.median(size)), 1e-6)
    return _learn(design, np.log(size + floor), _MIN_SCALE, seed, n_bags=3, pairs=0)


def _learn(
    design: Design, y: Floats, least: int, seed: int, *, n_bags: int, pairs: int
) -> tuple[AdditiveCard, Floats]:
    """Learn a card and its out-of-bag values; with fewer rows than `least` or one client, the mean."""
    mean = float(y.mean())
    if len(y) < least or len(np.unique(design.clients)) < least or np.ptp(y) == 0:
        return AdditiveCard(("amount",), (mean,), design.encoded.bins, (), "identity"), np.full(len(y), mean)
    card, report = learn_boosted(
        design.encoded.codes,
        design.encoded.bins,
        y,
        objective="regression",
        outputs=("amount",),
        groups=design.clients,
        n_bags=n_bags,
        valid_share=1.0 / n_bags,  # every row is out of bag once
        max_rounds=400,
        learning_rate=0.1,
        interactions=pairs,
        random_state=seed,
    )
    return card, np.where(np.isnan(report.out_of_bag), mean, report.out_of_bag)


def _part(design: Design, rows: NDArray[np.bool_]) -> Design:
    return Design(design.encoded.part(rows), design.log_amount[rows], design.clients[rows])


def _evidence(index: pd.Index, latest: NDArray[np.bool_], before: NDArray[np.bool_] | None) -> str:
    """Say which rows calibrated."""
    words = f"{int(latest.sum())} amounts"
    if "as_of" in index.names:
        words += f" from {index.get_level_values('as_of')[latest].min():%Y-%m-%d} on"
    if before is None:
        return f"{words}, each by bags that held its client out"
    return f"{words}, by a card of {int(before.sum())} amounts whose windows had closed by then"
