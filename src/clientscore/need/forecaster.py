"""The estimator: probability, month, amount, purpose and product of the next financing need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from clientscore._checks import check_integer, check_interval, check_option
from clientscore._words import NEED, Period
from clientscore.hazard import CompetingHazard, check_horizons, check_reach, check_target, client_numbers

from .amount import AmountModel, AmountSettings
from .answers import STRESS, NeedAnswers, purpose_code, purpose_rows
from .challenge import Form
from .chance import ChanceChallenge, History, fit_chance
from .checks import (
    CURRENCY,
    InputRange,
    amount_rows,
    check_context,
    check_currency,
    check_size,
    events,
    one_currency,
)
from .conformal import Window
from .coverage import AdaptiveCoverage
from .encoded import Encoded
from .likeliest import largest, likeliest_code, likeliest_of, words
from .portfolio import Calendar, learn_calendar
from .products import PastNeeds, ProductModel, learn_what_for
from .purpose import PURPOSES, PurposeRules
from .timing import dates_of, expected_period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


class FinancingNeedForecaster(NeedAnswers, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Forecast of the next new drawing: whether and when, how much, what for.

    *Whether and when*: a discrete-time hazard of the first new drawing, competing with exit
    (`CompetingHazard`; the causes of exit count as one).  *How much*: log amounts on a card, a smearing
    factor for the mean, so that totals are kept, and split-conformal intervals calibrated on the latest
    dates, separately for groups of clients.  *What for*: purpose and product, learned from past needs; where
    these carry no purposes, rules on the ratios that moved, against what is usual in the training book.

    A need is new money: `build_labels` counts the schema's ``drawing_events`` alone, so a renewal or rollover
    of what is lent already is neither a need nor part of an amount.  It is need met here: what other lenders
    meet is not seen.  Where a bureau or a register of pledges shows it, `censor_elsewhere` censors the client
    from then on.

    Parameters
    ----------
    horizons : sequence of int, default (3, 6, 12)
        Horizons, in periods from the opening of the window, at least 1.
    coverage : float, default 0.9
        Share of amounts given need that the interval must hold, in (0, 1).
    interval_groups : str or sequence of str, default "noise"
        Clients whose amounts calibrate each other's intervals.  "noise": thirds of the spread that the model
        expects.  "size": thirds of the size (column size_amount, log_assets or log_revenue).  A column of the
        features, or of the context given to `fit`, such as "tier" or "industry": thirds of a number, levels
        of a word.  Several names are crossed.  "auto": noise, unless the size or a column tier, industry or
        segment has intervals that are better by 1 % (interval score on other clients).  Groups with too few
        rows are pooled, see `interval_groups_`.
    form : {"card", "trees", "auto"}, default "card"
        What the amount given need is learned by.  "trees": bagged full trees, no card.  "auto": the trees
        only where their squared error of log amounts, on rows that neither form has seen (the latest dates
        after a purge, else out of bag), is lower by 2 % and the interval of the difference lies above 0.
        Both forms are compared in `challenger_report_`; fewer than 300 amounts are left to the card.
    hazard_form : {"card", "trees", "auto"}, default "card"
        What the probability is learned by.  "auto": trees only where, on rows that neither form has seen (the
        latest dates after a purge, else other clients), they gain over the base rate, in log loss, by 1 %
        more than the card and the interval of the difference lies above 0.  Compared in `hazard_report_`;
        fewer than 300 needs to judge by are left to the card.
    period : {"month", "quarter", "year"}, default "month"
        Length of a period; columns end in _3m, _2q, _1y.
    lead_periods : int, default 1
        Periods between ``as_of`` and the opening of the window, at least 0.
    max_rows : int, default 50_000
        Budget of person-period rows, see `CompetingHazard`.
    n_bags : int, default 2
        Bags of the hazard's card.
    max_rounds : int, default 400
        Most boosting rounds of a bag.
    learning_rate : float, default 0.1
        Step of one round, in (0, 1].
    min_rows_leaf : int, default 300
        Fewest person-period rows of a leaf of the hazard.
    random_splits : bool, default False
        Whether nodes of the hazard try one random threshold a feature: smoother where the signal is weak.
    check_units : bool, default True
        Whether amounts in another unit are an error: against the clients' size in `fit`, against training's
        range in `predict`.
    random_state : int, default None
        Seed; None: another one every time.

    Attributes
    ----------
    hazard_ : CompetingHazard
        Hazards of "need" and, where there are exits, "exit".
    amount_ : AmountModel
        The amount given need.
    interval_groups_ : DataFrame
        Index group: rows (calibration), pooled (too few rows of its own: quantiles of the first of several
        groupings, or of all), method ("conformal"; "normal" where all rows are too few), rows_used, smearing.
        Too few are fewer than 30, and fewer than 2 / (1 - coverage) - 1, such as 199 for a coverage of .99.
    calibrated_on_ : str
        Which amounts calibrated the intervals, and how their errors were measured.
    form_ : str
        Form of the amount that was taken, "card" or "trees".
    challenger_report_ : AmountChallenge or None
        What the card of the amount costs against trees; None where ``form="card"``.
    hazard_form_ : str
        Form of the probability that was taken, "card" or "trees".
    hazard_report_ : ChanceChallenge or None
        What the card of the probability costs against trees; None where ``hazard_form="card"``.
    product_model_ : ProductModel or None
        Shares of the products; None when the target has no product.
    products_ : DataFrame or None
        Share of each product by purpose, what the product model falls back to.
    product_method_ : str
        What the products' shares come from.
    purpose_model_ : ProductModel or None
        Shares of the purposes, learned from at least 300 past needs with a purpose; None: read from signs.
    purpose_method_ : str
        What the purposes come from.
    calendar_ : Calendar
        ``.dates``: predicted and realized totals by training date; what `portfolio` reads.
    adaptive_ : AdaptiveCoverage
        The coverage asked for in production, see `update_coverage`.
    currency_ : str or None
        The currency that a column ``currency`` of features or target named.
    feature_names_in_ : ndarray of str
        Names of the features.

    References
    ----------
    Duan (1983), Smearing estimate: a nonparametric retransformation method,
    doi:10.1080/01621459.1983.10478017. Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random
    World, doi:10.1007/b106715 (Mondrian conformal prediction).  Gibbs and Candes (2021), Adaptive
    conformal inference under distribution shift, arXiv:2106.00170.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"maturity_share_12m": rng.random(2000), "log_assets": rng.normal(10, 1, 2000)})
    >>> draws = rng.random((2000, 6)) < 0.01 + 0.05 * X[["maturity_share_12m"]].to_numpy()
    >>> target = pd.DataFrame({
    ...     "duration": np.where(draws.any(axis=1), draws.argmax(axis=1) + 1, 6),
    ...     "event": np.where(draws.any(axis=1), "need", None),
    ...     "amount": np.exp(X["log_assets"] - 3 + rng.normal(0, 0.5, 2000)),
    ... })
    >>> need = FinancingNeedForecaster(horizons=(3, 6), random_state=0).fit(X, target)
    >>> forecast = need.predict(X, as_of="2026-01-01")
    >>> bool((forecast["need_probability_3m"] < forecast["need_probability_6m"]).all())
    True
    >>> forecast["purpose"].iloc[X["maturity_share_12m"].argmax()]
    'refinancing'
    """

    def __init__(
        self,
        *,
        horizons: Sequence[int] = (3, 6, 12),
        coverage: float = 0.9,
        interval_groups: str | Sequence[str] = "noise",
        form: Form = "card",
        hazard_form: Form = "card",
        period: Period = "month",
        lead_periods: int = 1,
        max_rows: int = 50_000,
        n_bags: int = 2,
        max_rounds: int = 400,
        learning_rate: float = 0.1,
        min_rows_leaf: int = 300,
        random_splits: bool = False,
        check_units: bool = True,
        random_state: int | None = None,
    ) -> None:
        self.horizons = horizons
        self.coverage = coverage
        self.interval_groups = interval_groups
        self.form = form
        self.hazard_form = hazard_form
        self.period = period
        self.lead_periods = lead_periods
        self.max_rows = max_rows
        self.n_bags = n_bags
        self.max_rounds = max_rounds
        self.learning_rate = learning_rate
        self.min_rows_leaf = min_rows_leaf
        self.random_splits = random_splits
        self.check_units = check_units
        self.random_state = random_state

    def fit(
        self,
        X: pd.DataFrame,
        target: pd.DataFrame,
        groups: ArrayLike | None = None,
        *,
        context: pd.DataFrame | None = None,
    ) -> FinancingNeedForecaster:
        """Learn when clients need money, how much, and what for.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features known at ``as_of``; the index level ``as_of``, where there is one, tells the latest rows.
            A column ``currency`` is checked and is no feature.
        target : DataFrame of shape (n, 3 to 6)
            On the index of `X`: duration (whole periods, at least 1), event ("need", the cause of an exit
            that came first, or missing), amount (of the needs, greater than 0; missing where the window is
            still open), optionally product, purpose (one of six, others are left out) and currency.
        groups : array-like of shape (n,), default None
            Client of each row; None: level ``client_id`` of the index where there is one.
        context : DataFrame, default None
            On the index of `X`, columns that `interval_groups` may name beside the features, such as industry
            or the tier of the last run; nothing else is learned from them.  `predict` reads them from its X;
            absent there, the client is in the group "other" or "missing".

        Returns
        -------
        FinancingNeedForecaster
            Itself.

        Raises
        ------
        DataError
            When there is no need, amounts of needs are zero or negative or fewer than 3 are known, amounts
            are in several currencies or in another unit than the clients' size, durations are not positive,
            or `target` is not on the index of `X`.
        InvalidParameterError
            When a setting is outside its rule, or a horizon is longer than any duration.
        """
        self._check_parameters()
        check_target(X, target, ["duration", "event", "amount"])
        check_context(context, X)
        event = events(target["event"])
        rows = amount_rows(event, target["amount"])
        self.currency_ = one_currency({"X": X, "target": target})
        X = X.drop(columns=CURRENCY, errors="ignore")
        amount = target["amount"].to_numpy(np.float64, na_value=np.nan)
        if self.check_units:
            check_size(X.iloc[rows], amount[rows])
        clients = client_numbers(X, groups)
        window = Window(max(self.horizons), self.lead_periods, self.period)
        history = History(X, target["duration"], event, clients)
        chance = fit_chance(self.hazard_form, self._hazard_settings(), history, window)
        self.hazard_, self.hazard_report_ = chance
        check_reach(self.hazard_.reach_, self.horizons)
        needs = np.flatnonzero(event == NEED)
        encoded = Encoded.of(X.iloc[needs])
        seed = int(np.random.default_rng(self.random_state).integers(2**31 - 8))
        settings = AmountSettings(self.coverage, self.interval_groups, window, seed, self.form)
        known = encoded.part(np.isin(needs, rows))
        about = None if context is None else context.iloc[rows]
        self.amount_ = AmountModel.fit(X.iloc[rows], amount[rows], clients[rows], settings, known, about)
        self.purposes_ = PurposeRules.fit(X)
        past = PastNeeds(X.iloc[needs], target.iloc[needs], clients[needs], encoded)
        self.product_model_, self.purpose_model_ = learn_what_for(past, self.purposes_, self.random_state)
        self.input_range_ = InputRange.of(X)
        self.adaptive_ = AdaptiveCoverage(self.coverage)
        self._learn_calendar(X, target, event, window)
        self._describe()
        return self

    def predict(
        self, X: pd.DataFrame, as_of: object = None, *, coverage: float | None = None
    ) -> pd.DataFrame:
        """Forecast the next need of every client.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored, but for ``currency``, which must be that of training.
        as_of : date, default None
            Date of the features; None: the index level ``as_of`` where there is one, else the month stays
            missing.
        coverage : float, default None
            Share of amounts the intervals of this forecast must hold, in (0, 0.99]; None: the model's own, or
            what `update_coverage` arrived at.

        Returns
        -------
        DataFrame
            On the index of `X`: need_probability_3m... (one a horizon, fraction), need_month (first day of
            the likeliest period given need: where hazards fall, the first), need_month_expected (first day of
            the mean period given need), need_periods_expected (that mean, from 1), amount_lower,
            amount_median, amount_upper and amount_mean (given need within the longest horizon),
            amount_expected (probability x mean), mixture_lower, mixture_median and mixture_upper (without
            condition: 0 where no need is likelier), purpose and purpose_<name> (learned: shares given need,
            adding to 1; else scores of signs in [0, 1], missing where none could be read), and where products
            were learned product, product_<name> (share given need, adding to 1) and product_<name>_3m...
            (share x probability: products of a horizon add up to its need_probability).

        Raises
        ------
        DataError
            When amounts among the features are in another unit or currency than in training.
        """
        curve = self.need_curve(X)
        codes = self.amount_.card.encode(X)
        dates = dates_of(X.index, as_of)
        columns: dict[str, Any] = self._probabilities(curve)
        for name, period in self._periods(curve).items():
            columns[name] = self._first_days(period, dates).astype("datetime64[us]")
        columns["need_periods_expected"] = expected_period(curve)
        columns |= self.amount_.amounts(X, curve[:, -1], self._coverage(coverage), codes)
        signs = self.purposes_.score_arrays(X)
        said = likeliest_code(signs, len(X))
        scores = self._learned_purposes(X, said, codes) or signs
        code = purpose_code(scores, said)
        columns["purpose"] = words(code, list(PURPOSES), X.index, "purpose").array
        columns |= {f"purpose_{name}": score for name, score in scores.items()}
        if self.product_model_ is not None:
            model = self.product_model_
            shares = model.predict(X, purpose_rows(model, said), self._shared_codes(model, codes))
            columns["product"] = words(largest(list(shares.T), len(X)), model.names, X.index, "product").array
            columns |= self._product_columns(shares, curve)
        return pd.DataFrame(columns, index=X.index, copy=False)

    def predict_one(
        self, values: Mapping[str, Any], as_of: Any = None, *, coverage: float | None = None
    ) -> dict[str, Any]:
        """Forecast the next need of one client, a mapping in and a dict out, without pandas on the way.

        Parameters
        ----------
        values : mapping of str to float, str or None
            Every feature by name; None or NaN where missing.
        as_of : date, default None
            Date of the features; None: the month stays missing.
        coverage : float, default None
            As in `predict`.

        Returns
        -------
        dict
            The columns of `predict`; months are ``datetime.date``, and what is missing is None.

        Raises
        ------
        MissingColumnError
            If features are absent; each with its nearest match.
        DataError
            When ``currency`` is another than in training.
        """
        self._check_fitted()
        if values.get(CURRENCY) is not None:
            check_currency([values[CURRENCY]], self.currency_)
        curve = self.hazard_.predict_one(values, range(1, max(self.horizons) + 1)).incidence
        curve = curve[None, :, self.hazard_.causes_.index(NEED)]
        forecast: dict[str, Any] = {name: float(one[0]) for name, one in self._probabilities(curve).items()}
        dates = np.array(["NaT" if as_of is None else as_of], dtype="datetime64[M]")
        for name, period in self._periods(curve).items():
            forecast[name] = self._first_days(period, dates).astype("datetime64[D]")[0].item()
        forecast["need_periods_expected"] = float(expected_period(curve)[0])
        codes = self.amount_.card.codes_one(values)
        forecast |= self.amount_.predict_one(values, float(curve[0, -1]), self._coverage(coverage), codes)
        signs = self.purposes_.score_one(values)
        said, scores = likeliest_of(signs), signs
        if self.purpose_model_ is not None:
            learned = self.purpose_model_.predict_one(
                values, said, self._shared_codes(self.purpose_model_, codes)
            )
            scores = {name: learned.get(name, 0.0) for name in PURPOSES}
        purpose = said if said == STRESS else likeliest_of(scores)
        forecast |= {"purpose": purpose} | {f"purpose_{name}": score for name, score in scores.items()}
        if self.product_model_ is not None:
            model = self.product_model_
            shares = model.predict_one(values, said, self._shared_codes(model, codes))
            forecast["product"] = max(shares, key=shares.__getitem__)
            columns = self._product_columns(np.array([list(shares.values())]), curve)
            forecast |= {name: float(one[0]) for name, one in columns.items()}
        return forecast

    def regroup(self, seen: pd.DataFrame) -> None:
        """Calibrate the intervals again by `interval_groups`, on the errors of training.

        For a group that is known only after the fit, such as the tier that follows from the forecast.

        Parameters
        ----------
        seen : DataFrame
            The columns that `interval_groups` names, on an index that holds that of training.

        Raises
        ------
        DataError
            When the model comes from a saved state: errors of training are not saved.
        """
        self._check_fitted()
        self.amount_.regroup(self.interval_groups, seen)
        self._describe()

    def to_state(self) -> dict[str, Any]:
        """Return the fitted model as JSON scalars, lists, dicts and arrays."""
        self._check_fitted()
        parameters = {**self.get_params(), "horizons": [int(horizon) for horizon in self.horizons]}
        if not isinstance(self.interval_groups, str):
            parameters["interval_groups"] = list(self.interval_groups)
        return {
            "parameters": parameters,
            "hazard": self.hazard_.to_state(),
            "amount": self.amount_.to_state(),
            "purposes": self.purposes_.to_state(),
            "products": None if self.product_model_ is None else self.product_model_.to_state(),
            "learned_purposes": None if self.purpose_model_ is None else self.purpose_model_.to_state(),
            "calendar": self.calendar_.to_state(),
            "adaptive": self.adaptive_.to_state(),
            "input_names": self.input_range_.names,
            "input_quantiles": self.input_range_.quantiles,
            "currency": self.currency_,
            "hazard_report": None if self.hazard_report_ is None else self.hazard_report_.to_dict(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FinancingNeedForecaster:
        """Return the model that `to_state` wrote; it predicts identically."""
        parameters = dict(state["parameters"])
        parameters["horizons"] = tuple(parameters["horizons"])
        model = cls(**parameters)
        model.hazard_ = CompetingHazard.from_state(state["hazard"])
        model.amount_ = AmountModel.from_state(state["amount"])
        model.purposes_ = PurposeRules.from_state(state["purposes"])
        for name, part in (("product_model_", "products"), ("purpose_model_", "learned_purposes")):
            learned = state.get(part)
            setattr(model, name, None if learned is None else ProductModel.from_state(learned))
        model.calendar_ = Calendar.from_state(state["calendar"])
        model.adaptive_ = AdaptiveCoverage.from_state(state["adaptive"])
        names = [str(name) for name in state["input_names"]]
        model.input_range_ = InputRange(names, np.asarray(state["input_quantiles"], dtype=np.float64))
        model.currency_ = state["currency"]
        report = state.get("hazard_report")
        model.hazard_report_ = None if report is None else ChanceChallenge.from_dict(report)
        model._describe()
        return model

    def _describe(self) -> None:
        """Set what follows from the parts."""
        model = self.product_model_
        self.interval_groups_ = self.amount_.groups
        self.calibrated_on_ = self.amount_.evidence
        self.challenger_report_ = self.amount_.challenge
        self.form_ = "card" if self.challenger_report_ is None else self.challenger_report_.chosen
        self.products_ = None if model is None else model.shares
        self.product_method_ = (
            "none: the target of training had no product" if model is None else model.method
        )
        self.purpose_method_ = (
            "read from signs" if self.purpose_model_ is None else self.purpose_model_.method
        )
        self.hazard_form_ = self.hazard_.form
        self.feature_names_in_ = self.hazard_.feature_names_in_

    def _hazard_settings(self) -> dict[str, Any]:
        """Return the settings of the hazard, but for its form."""
        names = ("max_rows", "n_bags", "max_rounds", "learning_rate", "min_rows_leaf", "random_splits")
        chosen = {name: getattr(self, name) for name in (*names, "random_state")}
        return {"n_periods": max(self.horizons), **chosen}

    def _check_parameters(self) -> None:
        check_horizons(self.horizons)
        check_interval("coverage", self.coverage, low=0.0, high=1.0, closed="neither")
        check_option("period", self.period, Period)
        check_integer("lead_periods", self.lead_periods, low=0)
        check_option("form", self.form, Form)
        check_option("hazard_form", self.hazard_form, Form)

    def _learn_calendar(
        self, X: pd.DataFrame, target: pd.DataFrame, event: NDArray[Any], window: Window
    ) -> None:
        """Past totals by training date."""
        dates = pd.DatetimeIndex(X.index.get_level_values("as_of")) if "as_of" in X.index.names else None
        law: tuple[Floats, ...] = ()
        if dates is not None:
            chance = self.hazard_.predict_incidence(X, [window.horizon])
            law = (chance[:, 0, self.hazard_.causes_.index(NEED)], *self.amount_.moments(X))
        self.calendar_ = learn_calendar(dates, target, event == NEED, law, window)
