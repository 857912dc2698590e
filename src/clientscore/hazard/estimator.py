"""The estimator: exits with competing causes as one multinomial hazard."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval, check_option
from clientscore.additive import AdditiveCard

from .checks import client_numbers
from .clock import Clock, whole_clock
from .curves import population_frame
from .learning import BoostRules, at_opening, code_table, learn_card, read_speeds
from .level import level_rows, level_segments, solve_level
from .panel import expand
from .prediction import HazardPrediction
from .recalibration import Window
from .sample import Sample, read_target, training_sample
from .scores import CardScores
from .trees import TreeScores, learn_trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from .shifts import Segment

    Floats = NDArray[np.float64]

Form = Literal["card", "trees"]


class CompetingHazard(HazardPrediction):
    """Hazard with competing causes in discrete time, on an additive card.

    In period t a client still there leaves by cause k with probability
    ``h_k(t, x) = exp(f_k(t, x)) / (1 + sum_j exp(f_j(t, x)))``, f an additive card whose features are
    those of `x` and the period itself.  Survival ``S(t) = prod_{s <= t} (1 - sum_k h_k(s))``, incidence
    ``F_k(t) = sum_{s <= t} S(s - 1) h_k(s)``; S and all F add to 1.  Assumes that censoring is independent
    of the causes given `x`.

    Durations are whole periods, or any numbers above 0, cut into bins (`n_time_bins`) at quantiles of the
    event times.  Inside a bin the hazards are proportional to the population's (Nelson-Aalen), which is also
    how curves are read between the edges and how long a client censored, or entering, inside a bin is
    counted; a client that leaves inside a bin counts the whole bin, which is exact to first order in the
    bin's hazard.

    The level is corrected once, on the training rows: shifts of each cause's log odds, one a run of periods
    with at least 100 of its events, make the mean incidence at the end of each run equal the Aalen-Johansen
    incidence of the same rows, as far as a tenth of the rows is at risk; with delayed entry, the expected
    number of events in each run equal the observed one.  This corrects the fit, not a drift after it: see
    `recalibrate`.

    Parameters
    ----------
    n_periods : int, default 12
        Longest horizon, in periods; later events count as censored there.  Not read with `n_time_bins`.
    n_time_bins : int, default None
        Number of bins that durations are cut into, 16 to 20 by experience: with fewer the last, in which most
        of those left may leave, is coarse.  None: durations are whole periods.
    causes : sequence of str or mapping, default None
        The causes and their order, or names of event values, for instance ``{1: "hard_attrition"}``; None:
        the causes that occur.
    form : {"card", "trees"}, default "card"
        "trees": bagged full trees behind the same predictions, to see what the card costs; no drivers.
    max_rows : int, default 5_000_000
        Budget of person-period rows.  Above it stay rows are sampled and weighted; event rows are all kept,
        and at least as many stay rows as event rows.
    min_events : int, default 40
        A cause that fewer clients left by gets the same hazard for every client.
    max_bins : int, default 63
        Bins of a feature.
    n_bags : int, default 2
        Bags of the boosted card.
    max_rounds : int, default 1000
        Most boosting rounds of a bag; early stopping on held-out clients usually ends it sooner.
    learning_rate : float, default 0.05
        Step of one round, in (0, 1].
    min_rows_leaf : int, default 300
        Fewest person-period rows of a leaf; events are rare, so leaves must be wide.
    random_splits : bool, default False
        Whether nodes try one random threshold a feature, see `learn_boosted`.
    random_state : int, default None
        Seed of sampling and bags; None: another one every time.

    Attributes
    ----------
    causes_ : tuple of str
        Causes, in the order of every output.
    reach_ : int or float
        Last period with clients at risk in training, or the longest duration; horizons end here.
    constant_causes_ : tuple of str
        Causes that fewer than `min_events` clients left by.
    clocks_ : dict of str to float
        Features that move with the clock.
    sampled_share_ : float
        Share of stay rows used, in (0, 1].
    level_shift_ : dict of str to float
        Shift of the log odds by cause that the level correction made, a mean over periods.
    recalibration_ : DataFrame or None
        What `recalibrate` did, by cause and horizon; None before.
    population_ : DataFrame
        Index cause: events, and the Aalen-Johansen incidence at `reach_`.
    n_rows_ : int
        Number of training rows.
    feature_names_in_ : ndarray of str
        Names of the features.

    References
    ----------
    Tutz and Schmid (2016), Modeling Discrete Time-to-Event Data, doi:10.1007/978-3-319-28158-2, chapter 8.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"complaints_sum_3m": rng.poisson(1.0, 2000).astype(float)})
    >>> left = rng.random((2000, 6)) < 0.02 * (1 + X[["complaints_sum_3m"]].to_numpy())
    >>> event = np.where(left.any(axis=1), "closure", None)
    >>> duration = np.where(left.any(axis=1), left.argmax(axis=1) + 1, 6)
    >>> model = CompetingHazard(n_periods=6, random_state=0).fit(X, duration, event)
    >>> model.causes_
    ('closure',)
    >>> risk = model.predict_incidence(X, [3, 6])[:, :, 0]
    >>> bool(risk[X["complaints_sum_3m"] > 2, 1].mean() > risk[X["complaints_sum_3m"] < 1, 1].mean())
    True
    """

    def __init__(
        self,
        *,
        n_periods: int = 12,
        n_time_bins: int | None = None,
        causes: Sequence[str] | Mapping[Any, str] | None = None,
        form: Form = "card",
        max_rows: int = 5_000_000,
        min_events: int = 40,
        max_bins: int = 63,
        n_bags: int = 2,
        max_rounds: int = 1000,
        learning_rate: float = 0.05,
        min_rows_leaf: int = 300,
        random_splits: bool = False,
        random_state: int | None = None,
    ) -> None:
        self.n_periods = n_periods
        self.n_time_bins = n_time_bins
        self.causes = causes
        self.form = form
        self.max_rows = max_rows
        self.min_events = min_events
        self.max_bins = max_bins
        self.n_bags = n_bags
        self.max_rounds = max_rounds
        self.learning_rate = learning_rate
        self.min_rows_leaf = min_rows_leaf
        self.random_splits = random_splits
        self.random_state = random_state

    def fit(
        self,
        X: pd.DataFrame,
        duration: ArrayLike,
        event: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        entry: ArrayLike | None = None,
        duration_low: ArrayLike | None = None,
        clocks: Mapping[str, float] | None = None,
    ) -> CompetingHazard:
        """Learn the hazards.

        A row is a client from the opening of its window, or an episode of one: with `entry` a client whose
        features change is cut into rows, each at risk from its entry to its duration, only the last of them
        with the event.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features known when the row begins to be at risk.
        duration : array-like of shape (n,)
            Whole periods seen, at least 1: the event's period, or the last one seen of a censored client.
            With `n_time_bins` any number above 0.
        event : array-like of shape (n,)
            Cause by name or number; missing, 0 or "" = censored.
        groups : array-like of shape (n,), default None
            Client of each row, so that early stopping holds whole clients out; None: level ``client_id`` of
            the index where there is one, else each row is its own.
        entry : array-like of shape (n,), default None
            Time already passed on the clock when the row begins to be at risk, at least 0 and below
            `duration` (delayed entry, left truncation); None: 0.
        duration_low : array-like of shape (n,), default None
            Where an event is known only to lie in (duration_low, duration] (interval censoring); missing
            where `duration` is known.  Events are dealt over the periods of their interval by one rate for
            a first fit, and by each client's own hazards of that fit for the second (one step of an EM
            algorithm).
            Whole periods need no interval for an event known to its period.
        clocks : mapping of str to float, default None
            Features that move as time passes, and by how much a period (a unit of duration with
            `n_time_bins`): ``{"relationship_months": 1.0}`` is the second clock, beside the one that starts
            when the window opens; ``{"months_to_maturity": -1.0}`` runs down.  The month of the year
            (``as_of_month``) comes round to 1 after 12.

        Returns
        -------
        CompetingHazard
            Itself.

        Raises
        ------
        DataError
            When durations are not whole periods of at least 1 (or not above 0), all rows are censored, a
            named cause is absent, or the level correction does not converge.
        InvalidParameterError
            When a setting is outside its rule or a feature is called "period".
        """
        self._check_parameters()
        whole = self.n_time_bins is None
        target = read_target(
            X,
            duration,
            event,
            whole=whole,
            limit=self.n_periods if whole else np.inf,
            causes=self.causes,
            entry=entry,
            duration_low=duration_low,
        )
        speeds = read_speeds(clocks, X)
        words = f"{self.n_periods} periods" if whole else "the durations given"
        sample = training_sample(target, client_numbers(X, groups), self.n_time_bins, words)
        rng = np.random.default_rng(self.random_state)
        self._describe(X, sample, speeds)
        sample = sample.dealt_by_rate()
        self._learn(X, sample, rng)
        rows = sample.spells.vague
        if len(rows):
            hazard = self.predict_hazard(at_opening(X.iloc[rows], target.entry[rows], speeds))
            sample = sample.dealt_by(hazard)
            self._learn(X, sample, rng)
        shift = self._level(X, sample, level_segments(sample))
        self._shift(shift)
        self.level_shift_ = dict(zip(self.causes_, shift.mean(axis=0).tolist(), strict=True))
        counts = np.bincount(target.event, minlength=len(self.causes_) + 1)[1:]
        self.population_ = population_frame(self.causes_, counts, sample.incidence[-1])
        return self

    def recalibrate(
        self,
        X: pd.DataFrame,
        duration: ArrayLike,
        event: ArrayLike,
        *,
        horizons: Sequence[float] | None = None,
        entry: ArrayLike | None = None,
    ) -> CompetingHazard:
        """Return a copy whose level is that of a later window, by horizon and cause.

        A shift of each cause's log odds between one horizon and the next makes the mean incidence of the
        window's rows at each horizon equal their Aalen-Johansen incidence (with delayed entry: expected
        events equal those that happened).  Hazards stay hazards, so that incidences still rise with the
        horizon and add to 1 with survival.  Order within a period does not change.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features of a later window than training's.
        duration, event : array-like of shape (n,)
            As in `fit`.
        horizons : sequence of int or float, default None
            Horizons at which to agree, within the window's follow-up; None: a third, two thirds and all of
            it.  Horizons of a cause with fewer than 20 events between them are joined with the next.
        entry : array-like of shape (n,), default None
            As in `fit`.

        Returns
        -------
        CompetingHazard
            The copy; `recalibration_` says what was done.  A cause with fewer than 20 events in the window
            keeps its hazards ("unchanged").  Past the window's follow-up the last shift goes on.

        Raises
        ------
        DataError
            When no cause has 20 events, or the shifts do not converge.
        InvalidParameterError
            When a horizon lies past the window's follow-up.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> rng = np.random.default_rng(0)
        >>> X = pd.DataFrame({"complaints_sum_3m": rng.poisson(1.0, 4000).astype(float)})
        >>> left = rng.random((4000, 6)) < 0.02 * (1 + X[["complaints_sum_3m"]].to_numpy())
        >>> duration = np.where(left.any(axis=1), left.argmax(axis=1) + 1, 6)
        >>> event = np.where(left.any(axis=1), "closure", None)
        >>> model = CompetingHazard(n_periods=6, random_state=0).fit(X[:2000], duration[:2000], event[:2000])
        >>> later = model.recalibrate(X[2000:], duration[2000:], event[2000:], horizons=[3, 6])
        >>> later.recalibration_["done"].to_list()
        ['shifted', 'shifted']
        """
        self._check_fitted()
        target = read_target(
            X,
            duration,
            event,
            whole=self._clock.whole,
            limit=self.reach_,
            causes=self.causes if isinstance(self.causes, Mapping) else self.causes_,
            entry=entry,
        )
        window = Window.of(Sample(target, self._clock, client_numbers(X, None)), horizons)
        model = copy(self)
        before = self.predict_incidence(X, window.horizons)
        shift = self._level(X, window.sample, window.segments)
        model._shift(shift)  # noqa: SLF001 -- itself, copied
        model.recalibration_ = window.record(before.mean(axis=0), shift)
        return model

    def to_state(self) -> dict[str, Any]:
        """Return the fitted model as JSON scalars, lists, dicts and arrays."""
        self._check_fitted()
        record = self.recalibration_
        return {
            "parameters": {**self.get_params(), "causes": list(self.causes_)},
            "clock": self._clock.to_state(),
            "clocks": dict(self.clocks_),
            "n_rows": self.n_rows_,
            "sampled_share": self.sampled_share_,
            "constant_causes": list(self.constant_causes_),
            "constant": self._constant,
            "features": [str(name) for name in self.feature_names_in_],
            "level_shift": [self.level_shift_[name] for name in self.causes_],
            "events": self.population_["events"].to_numpy(np.int64),
            "incidence": self.population_["aalen_johansen"].to_numpy(np.float64),
            "recalibration": None if record is None else record.to_dict("list"),
            "card": None if self.card_ is None else self.card_.to_state(),
            "trees": self._scores.to_state() if isinstance(self._scores, TreeScores) else None,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CompetingHazard:
        """Return the model that `to_state` wrote; it predicts identically."""
        model = cls(**state["parameters"])
        model.causes_ = tuple(state["parameters"]["causes"])
        clock = state.get("clock")
        model._clock = whole_clock(int(state["reach"])) if clock is None else Clock.from_state(clock)
        model._set_reach()
        model.clocks_ = {str(name): float(speed) for name, speed in state.get("clocks", {}).items()}
        model.n_rows_ = int(state["n_rows"])
        model.sampled_share_ = float(state["sampled_share"])
        model.constant_causes_ = tuple(state["constant_causes"])
        shape = (model._clock.n_periods, len(model.causes_))
        model._constant = np.broadcast_to(np.asarray(state["constant"], dtype=np.float64), shape).copy()
        model.feature_names_in_ = np.asarray(state["features"], dtype=object)
        model.level_shift_ = dict(zip(model.causes_, map(float, state["level_shift"]), strict=True))
        model.population_ = population_frame(model.causes_, state["events"], state["incidence"])
        record = state.get("recalibration")
        model.recalibration_ = None if record is None else pd.DataFrame(record)
        starts = model._clock.starts()
        model._scores = None
        if state["card"] is not None:
            model._scores = CardScores(AdditiveCard.from_state(state["card"]), starts, model.clocks_)
        elif state.get("trees") is not None:
            model._scores = TreeScores.from_state(state["trees"], starts, model.clocks_)
        return model

    @property
    def card_(self) -> AdditiveCard | None:
        """Log odds of each cause against staying; None when every cause is constant, or for trees."""
        self._check_fitted()
        return self._scores.card if isinstance(self._scores, CardScores) else None

    # ---- learning --------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        check_option("form", self.form, Form)
        check_integer("n_periods", self.n_periods, low=1, high=200)
        if self.n_time_bins is not None:
            check_integer("n_time_bins", self.n_time_bins, low=1, high=200)
        check_integer("max_rows", self.max_rows, low=1)
        check_integer("min_events", self.min_events, low=1)
        check_integer("max_bins", self.max_bins, low=2, high=250)
        check_integer("n_bags", self.n_bags, low=1)
        check_integer("max_rounds", self.max_rounds, low=1)
        check_integer("min_rows_leaf", self.min_rows_leaf, low=1)
        check_interval("learning_rate", self.learning_rate, low=0.0, high=1.0, closed="high")

    def _describe(self, X: pd.DataFrame, sample: Sample, speeds: dict[str, float]) -> None:
        """Set what the sample says before anything is learned."""
        self.causes_ = sample.target.causes
        self._clock = sample.clock
        self._set_reach()
        self.clocks_ = speeds
        self.n_rows_ = len(X)
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.recalibration_ = None
        self.constant_causes_ = tuple(
            name
            for code, name in enumerate(self.causes_, start=1)
            if sample.clients_of(code) < self.min_events
        )

    def _set_reach(self) -> None:
        self.reach_ = int(self._clock.reach) if self._clock.whole else self._clock.reach

    def _learn(self, X: pd.DataFrame, sample: Sample, rng: np.random.Generator) -> None:
        """Learn the causes with enough events; the others have one hazard for all."""
        panel = expand(sample.spells, sample.events, self.max_rows, rng)
        self.sampled_share_ = panel.share
        stays = float(panel.weight[panel.outcome == 0].sum())
        counts = np.maximum(sample.counts.sum(axis=0), 1.0)
        self._constant = np.tile(np.log(counts / max(stays, 1.0)), (self._clock.n_periods, 1))
        names = [name for name in self.causes_ if name not in self.constant_causes_]
        self._scores = None
        if not names:
            return
        table = code_table(X, sample, panel, self.clocks_, self.max_bins)
        rules = BoostRules(
            self.n_bags, self.max_rounds, self.learning_rate, self.min_rows_leaf, self.random_splits
        )
        seed, starts = int(rng.integers(2**31 - 1)), self._clock.starts()
        if self.form == "card":
            card = learn_card(table, self._learned, names, rules, seed)
            self._scores = CardScores(card, starts, self.clocks_)
            return
        forests, positions = learn_trees(table, self._learned, rules, seed)
        level = np.zeros((self._clock.n_periods, len(names)))
        self._scores = TreeScores(forests, table.bins[:-1], positions, level, starts, self.clocks_)

    def _level(self, X: pd.DataFrame, sample: Sample, segments: Sequence[Segment]) -> Floats:
        """Return the shift of each period and cause that brings the level of a sample's rows to theirs."""
        shape = (self._clock.n_periods, len(self.causes_))
        rows = level_rows(len(X), *shape, np.random.default_rng(self.random_state))
        opened = at_opening(X.iloc[rows], sample.target.entry[rows], self.clocks_)
        values = [values for *_, values in self._blocks(opened, shape[0])]
        return solve_level(np.concatenate(values), rows, sample, segments)

    def _shift(self, shift: Floats) -> None:
        """Add to the log odds of each period and cause."""
        self._constant = self._constant + shift
        if self._scores is not None:
            self._scores = self._scores.shifted(shift[:, self._learned])
