"""What a fitted forecaster answers beside the forecast: months, products, quantiles, evidence, totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_interval, did_you_mean
from clientscore._words import NEED
from clientscore.catalogue import in_words
from clientscore.exceptions import DataError, InvalidParameterError

from .checks import CURRENCY, check_currency
from .likeliest import likeliest_code, words
from .portfolio import NeedPortfolio, portfolio_table
from .purpose import PURPOSES
from .timing import by_period, expected_period, first_days

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from clientscore._words import Period
    from clientscore.hazard import CompetingHazard

    from .amount import AmountModel
    from .checks import InputRange
    from .coverage import AdaptiveCoverage
    from .portfolio import Calendar
    from .products import ProductModel
    from .purpose import PurposeRules

    Floats = NDArray[np.float64]

_ALL = "all"
STRESS = "liquidity_stress"
_STRESS = list(PURPOSES).index(STRESS)


class NeedAnswers:
    """Answers of a fitted `FinancingNeedForecaster`, its base class."""

    horizons: Sequence[int]
    period: Period
    lead_periods: int
    check_units: bool
    hazard_: CompetingHazard
    amount_: AmountModel
    purposes_: PurposeRules
    product_model_: ProductModel | None
    purpose_model_: ProductModel | None
    calendar_: Calendar
    input_range_: InputRange
    adaptive_: AdaptiveCoverage
    currency_: str | None

    def predict_month(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability that the next need falls into each period.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        DataFrame of shape (n, longest horizon)
            On the index of `X`, columns 1 to the longest horizon (named ``period``; 1 is the first after the
            lead gap); a row adds up to P(need within the longest horizon).
        """
        periods = pd.RangeIndex(1, max(self.horizons) + 1, name="period")
        return pd.DataFrame(by_period(self.need_curve(X)), index=X.index, columns=periods)

    def predict_products(
        self,
        X: pd.DataFrame,
        products: Sequence[str] | None = None,
        *,
        families: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return the probability of a need that a product meets, by product or family and horizon.

        P(need within the horizon) x share of the product given need, so products add up to P(need).

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        products : sequence of str, default None
            Some of the products of training; None: all.
        families : mapping of str to str, default None
            Family of each product: the probabilities of its products are added up.  A product that is not
            named is a family of its own.

        Returns
        -------
        DataFrame of shape (n, n_products x n_horizons)
            On the index of `X`, columns (product, horizon); with `families` (family, horizon).

        Raises
        ------
        InvalidParameterError
            When a product was not met in training: it has no past needs to learn from.
        DataError
            When no product was learned at all.
        """
        model = self._product_model()
        wanted = list(model.names if products is None else products)
        faults = [
            f"{name!r} was not met.{did_you_mean(str(name), model.names)}"
            for name in wanted
            if name not in model.names
        ]
        if faults:
            raise InvalidParameterError(
                "products must be those of past needs in training. Give a new product to the strategy's map.",
                faults,
            )
        shares = self.need_shares(X)[:, [model.names.index(name) for name in wanted]]
        curve = self.need_curve(X)[:, [horizon - 1 for horizon in self.horizons]]
        values = shares[:, :, None] * curve[:, None, :]
        columns = pd.MultiIndex.from_product([wanted, list(self.horizons)], names=["product", "horizon"])
        table = pd.DataFrame(values.reshape(len(X), -1), index=X.index, columns=columns)
        if families is None:
            return table
        named = [families.get(name, name) for name in wanted]
        names = list(dict.fromkeys(named))
        member = np.array(names)[:, None] == np.array(named)
        values = np.einsum("nph,fp->nfh", values, member.astype(np.float64))
        columns = pd.MultiIndex.from_product([names, list(self.horizons)], names=["family", "horizon"])
        return pd.DataFrame(values.reshape(len(X), -1), index=X.index, columns=columns)

    def predict_quantiles(self, X: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
        """Return quantiles of the amount given need within the longest horizon.

        With P(need) they are the whole unconditional distribution, as `metrics.crps_mixture` takes it.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        levels : sequence of float
            In [.005, .995], where calibration holds them.

        Returns
        -------
        DataFrame of shape (n, n_levels)
            On the index of `X`, one column a level; currency units, rising along each row of rising levels.
        """
        self._check_fitted()
        for level in levels:
            check_interval("levels", level, low=0.005, high=0.995)
        self._check_input(X)
        wanted = np.asarray(list(levels), dtype=np.float64)
        columns = pd.Index(wanted, name="level")
        return pd.DataFrame(self.amount_.quantile_amounts(X, wanted), index=X.index, columns=columns)

    def amount_position(self, X: pd.DataFrame, amount: ArrayLike) -> pd.Series:
        """Return where realized amounts lie in the forecast distribution given need.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features at the time of the forecast.
        amount : array-like of shape (n,)
            Realized amounts, greater than 0; missing where there was no need.

        Returns
        -------
        Series of shape (n,)
            Level in [0, 1], uniform where the model is right; 0 and 1 beyond the levels .005 and .995;
            missing where there was no need.
        """
        self._check_fitted()
        values = np.asarray(amount, dtype=np.float64)
        if values.shape != (len(X),) or (values <= 0).any():
            raise DataError(f"amount must have {len(X)} values above 0 or missing, one a row of X.")
        self._check_input(X)
        known = ~np.isnan(values)
        place = np.full(len(X), np.nan)
        place[known] = self.amount_.positions(X[known], values[known])
        return pd.Series(place, index=X.index, name="position")

    def update_coverage(self, X: pd.DataFrame, amount: ArrayLike) -> float:
        """Take in the realized amounts of one period, so that later intervals hold what they promise.

        Adaptive conformal inference (`AdaptiveCoverage`): intervals widen after a period with too many
        amounts outside, and narrow after one with too few. From the first update on, `predict` asks for
        ``adaptive_.coverage``; the state is saved with the model.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features at the time of the forecasts.
        amount : array-like of shape (n,)
            Realized amounts; missing where there was no need.

        Returns
        -------
        float
            Coverage that the next forecast asks for.
        """
        self.adaptive_.update(position=self.amount_position(X, amount))
        return self.adaptive_.coverage

    def portfolio(
        self, X: pd.DataFrame, by: ArrayLike | None = None, *, coverage: float | None = None
    ) -> NeedPortfolio:
        """Forecast the number of needs and the total amount within the longest horizon, with intervals.

        Clients draw independently given the calendar: the sum has the distribution of a shifted gamma with
        its mean, variance and third cumulant.  The calendar multiplies it by exp(e), e a t-distributed
        surprise common to all clients; its dispersion is that of log(realized / predicted) over the training
        dates with closed windows, less what independent clients explain, averaged with a prior of 0.15 worth
        one date (the answer where there are no dates).  Windows that overlap count for less.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features of the portfolio, each client once; extra columns are ignored.
        by : array-like of shape (n,), default None
            Group of each client, such as its industry; one row a group beside ``all``.
        coverage : float, default None
            Share of windows whose total the interval must hold, in (0, 1); None: the model's own.

        Returns
        -------
        NeedPortfolio
            ``.frame()``: index group, ``all`` first; clients, needs_expected, needs_lower, needs_upper,
            amount_expected, amount_lower, amount_median, amount_upper.

        Notes
        -----
        The needs of training clients are predicted by a model that has seen them, so that its dispersion by
        date is somewhat too small; the prior and the few degrees of freedom stand against that.  For a
        handful of clients the gamma is a rough shape: see ``mixture_lower`` and ``mixture_upper`` of one.

        References
        ----------
        Bowers et al. (1997), Actuarial Mathematics, section 12.5 (translated gamma).  Gelman et al. (2013),
        Bayesian Data Analysis, section 2.6.
        """
        chosen = self.coverage if coverage is None else coverage  # type: ignore[attr-defined]
        check_interval("coverage", chosen, low=0.0, high=1.0, closed="neither")
        probability = self.need_curve(X)[:, -1]
        groups = {_ALL: np.arange(len(X))}
        if by is not None:
            labels = pd.Series(np.asarray(by, dtype=object))
            if len(labels) != len(X):
                raise DataError(f"by must have {len(X)} values like X; got {len(labels)}.")
            named = labels.fillna("missing").astype(str)
            groups |= {str(name): np.asarray(rows) for name, rows in named.groupby(named).indices.items()}
        table = portfolio_table(groups, probability, self.amount_.moments(X), self.calendar_, chosen)
        return NeedPortfolio(
            table,
            float(chosen),
            self.calendar_.needs.dispersion,
            self.calendar_.amount.dispersion,
            len(self.calendar_.dates),
        )

    def purpose_evidence(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the feature that spoke loudest for each purpose.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        DataFrame
            On the index of `X`: purpose (that of `predict`), evidence (its loudest feature),
            evidence_value (of it), evidence_usual (its median in training), evidence_position (share
            of the training book below the value), and evidence_<name>, the loudest feature of each purpose;
            missing where no sign could be read, or none speaks for it.
        """
        self._check_fitted()
        _, signs = self.purposes_.score(X)
        purpose = self._purposes(X)
        table = pd.DataFrame({"purpose": purpose})
        first = self.purposes_.signs(X, purpose.to_numpy(dtype=object), 1).set_index("row")
        first = first.reindex(range(len(X))).set_axis(X.index)
        table["evidence"] = first["feature"].astype("str")
        for name in ("value", "usual", "position"):
            table[f"evidence_{name}"] = first[name].astype(np.float64)
        return pd.concat([table, signs.add_prefix("evidence_")], axis=1)

    def purpose_signs(self, X: pd.DataFrame, n: int = 3) -> pd.DataFrame:
        """Return the ratios that moved: the loudest signs of each client's purpose, from their usual value.

        Parameters
        ----------
        X : DataFrame of shape (n_clients, n_features)
            Features; extra columns are ignored.
        n : int, default 3
            Most signs a client.

        Returns
        -------
        DataFrame
            One line a client and sign, on the repeated index of `X`, loudest first: purpose, rank, feature,
            words (the feature in plain words), value, usual, usual_low and usual_high (median and quartiles
            of the training book), position (share of it below the value). No line where nothing speaks.
        """
        self._check_fitted()
        purpose = self._purposes(X)
        table = self.purposes_.signs(X, purpose.to_numpy(dtype=object), n)
        words = {name: in_words(name) for name in table["feature"].unique()}
        table.insert(4, "words", table["feature"].map(words).astype("str"))
        return table.drop(columns="row").set_axis(X.index[table["row"]])

    def check_inputs(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the features whose median lies outside the range of training: swapped columns, other units.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features of at least 30 clients.

        Returns
        -------
        DataFrame
            One line a feature, none where all is usual: feature, kind ("unit": an amount, or a feature
            called log_, a factor of 200 or more away, for which `predict` raises; else "shift"), rows,
            median, and training_low, training_median, training_high (quantiles .005, .5 and .995).
        """
        self._check_fitted()
        return self.input_range_.shifts(X)

    def _purposes(self, X: pd.DataFrame) -> pd.Series:
        """Return the purpose of `predict`."""
        signs = self.purposes_.score_arrays(X)
        said = likeliest_code(signs, len(X))
        scores = self._learned_purposes(X, said) or signs
        return words(purpose_code(scores, said), list(PURPOSES), X.index, "purpose")

    def _learned_purposes(
        self, X: pd.DataFrame, said: NDArray[np.int64], codes: NDArray[Any] | None = None
    ) -> dict[str, Floats] | None:
        """Return the learned shares by purpose, None where there are none; `said` is what the signs say."""
        model = self.purpose_model_
        if model is None:
            return None
        shares = model.predict(X, purpose_rows(model, said), self._shared_codes(model, codes))
        place = {name: k for k, name in enumerate(model.names)}
        return {
            name: shares[:, place[name]].copy() if name in place else np.zeros(len(X)) for name in PURPOSES
        }

    def _shared_codes(self, model: ProductModel, codes: Any) -> Any:
        """Return the amount's row numbers where another card reads the same bins, else None."""
        card = model.card
        return codes if card is not None and card.bins == self.amount_.card.bins else None

    def _coverage(self, coverage: float | None) -> float | None:
        """Return the coverage to ask for; None: the calibrated one."""
        if coverage is not None:
            check_interval("coverage", coverage, low=0.0, high=0.99, closed="high")
            return coverage
        return self.adaptive_.coverage if self.adaptive_.periods else None

    def _probabilities(self, curve: Floats) -> dict[str, Floats]:
        return {
            f"need_probability_{horizon}{self.period[0]}": curve[:, horizon - 1] for horizon in self.horizons
        }

    def _periods(self, curve: Floats) -> dict[str, Floats]:
        """Return the likeliest and the mean period given need, from 1."""
        likely = by_period(curve).argmax(axis=1) + 1.0
        return {"need_month": likely, "need_month_expected": np.floor(expected_period(curve) + 0.5)}

    def _first_days(self, period: Floats, dates: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        return first_days(period, dates, self.lead_periods, self.period)

    def _product_columns(self, shares: Floats, curve: Floats) -> dict[str, Floats]:
        """Return shares given need, and products by horizon."""
        names = [] if self.product_model_ is None else self.product_model_.names
        columns = {f"product_{name}": shares[:, k] for k, name in enumerate(names)}
        for horizon in self.horizons:
            for k, name in enumerate(names):
                columns[f"product_{name}_{horizon}{self.period[0]}"] = shares[:, k] * curve[:, horizon - 1]
        return columns

    def _check_fitted(self) -> None:
        check_is_fitted(self, "hazard_")

    def _check_input(self, X: pd.DataFrame) -> None:
        """Raise when amounts are in another currency or unit than in training."""
        if CURRENCY in X:
            check_currency(X[CURRENCY], self.currency_)
        if self.check_units:
            self.input_range_.check_units(X)

    def need_curve(self, X: pd.DataFrame) -> Floats:
        """Return P(need by the end of each period).

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        ndarray of shape (n, longest horizon)
            Rising along each row; at the horizons the need_probability of `predict`.
        """
        self._check_fitted()
        self._check_input(X)
        curve = self.hazard_.predict_incidence(X, range(1, max(self.horizons) + 1))
        return np.asfortranarray(curve[:, :, self.hazard_.causes_.index(NEED)])

    def _product_model(self) -> ProductModel:
        self._check_fitted()
        if self.product_model_ is None:
            raise DataError("no product was learned: the target of training had none.")
        return self.product_model_

    def need_shares(self, X: pd.DataFrame) -> Floats:
        """Return the share of each product given need.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        ndarray of shape (n, n_products)
            In the order of ``product_model_.names``; rows add up to 1.

        Raises
        ------
        DataError
            When no product was learned.
        """
        model = self._product_model()
        codes = likeliest_code(self.purposes_.score_arrays(X), len(X))
        return model.predict(X, purpose_rows(model, codes))


def purpose_rows(model: ProductModel, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of the shares for each purpose's number."""
    rows = model.rows(pd.Series([*PURPOSES, _ALL], dtype=object))
    return rows[codes]  # -1 is the last: all


def purpose_code(scores: dict[str, Floats], said: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each row's purpose: the likeliest, but stress wherever the signs speak of it.

    Shares learned from the past are smooth, and would let go of a case for the watch list.
    """
    return np.where(said == _STRESS, said, likeliest_code(scores, len(said)))
