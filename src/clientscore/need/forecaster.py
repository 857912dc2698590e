"""The estimator: probability, month, amount, purpose and product of the next financing need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_integer, check_interval, check_option
from clientscore._words import NEED, PERIOD_MONTHS, Period
from clientscore.exceptions import DataError
from clientscore.hazard import CompetingHazard, check_horizons, check_reach, check_target, client_numbers

from .amount import AmountModel
from .purpose import PURPOSES, PurposeRules, product_shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


class FinancingNeedForecaster(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Forecast of the next new drawing: whether and when, how much, what for.

    *Whether and when*: a discrete-time hazard of the first new drawing, competing with exit
    (`CompetingHazard`; the causes of exit count as one).  *How much*: log amounts on a card, a smearing
    factor for the mean, so that totals are kept, and split-conformal intervals calibrated out of bag on the
    latest dates, separately for calm, middle and noisy clients.  *What for*: rules on the ratios that
    moved, against what is usual in the training book.  The need seen is the need met here: what other
    lenders meet is unknown.

    Parameters
    ----------
    horizons : sequence of int, default (3, 6, 12)
        Horizons, in periods from the opening of the window, at least 1.
    coverage : float, default 0.9
        Share of amounts given need that the interval must hold, in (0, 1).
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
    random_state : int, default None
        Seed; None: another one every time.

    Attributes
    ----------
    hazard_ : CompetingHazard
        Hazards of "need" and, where there are exits, "exit".
    amount_ : AmountModel
        The amount given need.
    interval_groups_ : DataFrame
        Index group (calm, middle, noisy): rows (calibration), pooled (too few rows: quantiles of all), method
        ("conformal"; "normal" where all rows are too few), smearing. Too few are fewer than 30, and fewer
        than 2 / (1 - coverage) - 1, such as 199 for a coverage of .99.
    products_ : DataFrame or None
        Share of each product by purpose; None when the target has no product.
    feature_names_in_ : ndarray of str
        Names of the features.

    References
    ----------
    Duan (1983), Smearing estimate: a nonparametric retransformation method,
    doi:10.1080/01621459.1983.10478017. Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random
    World, doi:10.1007/b106715 (Mondrian conformal prediction).

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
        period: Period = "month",
        lead_periods: int = 1,
        max_rows: int = 50_000,
        n_bags: int = 2,
        max_rounds: int = 400,
        learning_rate: float = 0.1,
        random_state: int | None = None,
    ) -> None:
        self.horizons = horizons
        self.coverage = coverage
        self.period = period
        self.lead_periods = lead_periods
        self.max_rows = max_rows
        self.n_bags = n_bags
        self.max_rounds = max_rounds
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(
        self, X: pd.DataFrame, target: pd.DataFrame, groups: ArrayLike | None = None
    ) -> FinancingNeedForecaster:
        """Learn when clients need money, and how much.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features known at ``as_of``; the index level ``as_of``, where there is one, tells the latest rows.
        target : DataFrame of shape (n, 3 or 4)
            On the index of `X`: duration (whole periods, at least 1), event ("need", the cause of an exit
            that came first, or missing), amount (of the needs, greater than 0; missing where the window is
            still open), optionally product.
        groups : array-like of shape (n,), default None
            Client of each row; None: level ``client_id`` of the index where there is one.

        Returns
        -------
        FinancingNeedForecaster
            Itself.

        Raises
        ------
        DataError
            When there is no need, amounts of needs are zero or negative or fewer than 3 are known, durations
            are not positive, or `target` is not on the index of `X`.
        InvalidParameterError
            When a setting is outside its rule, or a horizon is longer than any duration.
        """
        self._check_parameters()
        check_target(X, target, ["duration", "event", "amount"])
        event = _events(target["event"])
        rows = _amount_rows(event, target["amount"])
        self.hazard_ = CompetingHazard(
            n_periods=max(self.horizons),
            max_rows=self.max_rows,
            n_bags=self.n_bags,
            max_rounds=self.max_rounds,
            learning_rate=self.learning_rate,
            random_state=self.random_state,
        ).fit(X, target["duration"], event, groups)
        check_reach(self.hazard_.reach_, self.horizons)
        known = X.iloc[rows]
        self.amount_ = AmountModel.fit(
            known,
            target["amount"].to_numpy(np.float64)[rows],
            client_numbers(X, groups)[rows],
            self.coverage,
            int(np.random.default_rng(self.random_state).integers(2**31 - 2)),
        )
        self.purposes_ = PurposeRules.fit(X)
        self.products_ = None
        if "product" in target:
            self.products_ = self._learn_products(X, target["product"], event)
        self._describe()
        return self

    def predict(self, X: pd.DataFrame, as_of: object = None) -> pd.DataFrame:
        """Forecast the next need of every client.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.
        as_of : date, default None
            Date of the features; None: the index level ``as_of`` where there is one, else the month stays
            missing.

        Returns
        -------
        DataFrame
            On the index of `X`: need_probability_3m... (one a horizon, fraction), need_month (first day of
            the likeliest period given need), amount_lower, amount_median, amount_upper and amount_mean
            (given need within the longest horizon), amount_expected (probability x mean), mixture_lower,
            mixture_median and mixture_upper (without condition: 0 where no need is likelier), purpose and
            purpose_<name> (scores in [0, 1], missing where no sign could be read), and where products were
            learned product and product_<name> (shares, adding to 1).
        """
        self._check_fitted()
        last = max(self.horizons)
        curve = self.hazard_.predict_incidence(X, range(1, last + 1))
        curve = curve[:, :, self.hazard_.causes_.index(NEED)]
        suffix = self.period[0]
        parts = [
            pd.DataFrame(
                {f"need_probability_{horizon}{suffix}": curve[:, horizon - 1] for horizon in self.horizons},
                index=X.index,
            ),
            self._months(X.index, curve, as_of).to_frame(),
            self.amount_.predict(X, curve[:, last - 1]),
        ]
        scores, _ = self.purposes_.score(X)
        purpose = _likeliest(scores)
        parts += [purpose.to_frame(), scores.add_prefix("purpose_")]
        if self.products_ is not None:
            shares = self.products_.loc[purpose.fillna("all")].set_axis(X.index, axis=0)
            product = _likeliest(shares).rename("product")
            parts += [product.to_frame(), shares.add_prefix("product_")]
        return pd.concat(parts, axis=1)

    def predict_one(self, values: Mapping[str, Any], as_of: Any = None) -> dict[str, Any]:
        """Forecast the next need of one client, a mapping in and a dict out, without pandas on the way.

        Parameters
        ----------
        values : mapping of str to float, str or None
            Every feature by name; None or NaN where missing.
        as_of : date, default None
            Date of the features; None: the month stays missing.

        Returns
        -------
        dict
            The columns of `predict`; need_month is a ``datetime.date``, and what is missing is None.

        Raises
        ------
        MissingColumnError
            If features are absent; each with its nearest match.
        """
        self._check_fitted()
        last, suffix = max(self.horizons), self.period[0]
        curve = self.hazard_.predict_one(values, range(1, last + 1)).incidence
        curve = curve[None, :, self.hazard_.causes_.index(NEED)]
        forecast: dict[str, Any] = {
            f"need_probability_{horizon}{suffix}": float(curve[0, horizon - 1]) for horizon in self.horizons
        }
        dates = np.array(["NaT" if as_of is None else as_of], dtype="datetime64[M]")
        forecast["need_month"] = self._first_days(curve, dates).astype("datetime64[D]")[0].item()
        forecast |= self.amount_.predict_one(values, float(curve[0, -1]))
        scores = self.purposes_.score_one(values)
        purpose = max(
            (name for name, score in scores.items() if score is not None),
            key=lambda name: scores[name],  # type: ignore[arg-type,return-value]  # None is left out
            default=None,
        )
        forecast |= {"purpose": purpose} | {f"purpose_{name}": score for name, score in scores.items()}
        if self._product_shares is not None:
            shares = self._product_shares[purpose or "all"]
            forecast["product"] = max(shares, key=shares.__getitem__)
            forecast |= {f"product_{name}": share for name, share in shares.items()}
        return forecast

    def purpose_evidence(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the feature that spoke loudest for each purpose.

        Parameters
        ----------
        X : DataFrame of shape (n, n_features)
            Features; extra columns are ignored.

        Returns
        -------
        DataFrame
            On the index of `X`: purpose (the likeliest), evidence (its loudest feature), and
            evidence_<name>, one a purpose; missing where no sign could be read.
        """
        self._check_fitted()
        scores, signs = self.purposes_.score(X)
        purpose = _likeliest(scores)
        place = pd.Index(PURPOSES).get_indexer(purpose.to_numpy(dtype=object))
        loudest = signs.to_numpy(dtype=object)[np.arange(len(X)), np.maximum(place, 0)]
        loudest[place < 0] = None
        evidence = pd.Series(loudest, index=X.index, name="evidence", dtype="str")
        return pd.concat([purpose, evidence, signs.add_prefix("evidence_")], axis=1)

    def to_state(self) -> dict[str, Any]:
        """Return the fitted model as JSON scalars, lists, dicts and arrays."""
        self._check_fitted()
        products = self.products_
        return {
            "parameters": {**self.get_params(), "horizons": [int(horizon) for horizon in self.horizons]},
            "hazard": self.hazard_.to_state(),
            "amount": self.amount_.to_state(),
            "purposes": self.purposes_.to_state(),
            "products": None
            if products is None
            else {
                "purposes": [str(name) for name in products.index],
                "products": [str(name) for name in products.columns],
                "shares": products.to_numpy(np.float64),
            },
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
        table = state["products"]
        model.products_ = (
            None
            if table is None
            else pd.DataFrame(table["shares"], index=table["purposes"], columns=table["products"])
        )
        model._describe()
        return model

    def _describe(self) -> None:
        """Set what follows from the parts."""
        self.interval_groups_ = self.amount_.groups
        self.feature_names_in_ = self.hazard_.feature_names_in_
        self._product_shares = None if self.products_ is None else _rows(self.products_)

    def _check_fitted(self) -> None:
        check_is_fitted(self, "hazard_")

    def _check_parameters(self) -> None:
        check_horizons(self.horizons)
        check_interval("coverage", self.coverage, low=0.0, high=1.0, closed="neither")
        check_option("period", self.period, Period)
        check_integer("lead_periods", self.lead_periods, low=0)

    def _learn_products(
        self, X: pd.DataFrame, product: pd.Series, event: NDArray[Any]
    ) -> pd.DataFrame | None:
        """Shares of the products of past needs, by the purpose the rules see."""
        rows = np.flatnonzero((event == NEED) & product.notna().to_numpy())
        if not len(rows):
            return None
        purpose = _likeliest(self.purposes_.score(X.iloc[rows])[0])
        return product_shares(purpose, product.iloc[rows].astype("str"))

    def _months(self, index: pd.Index, curve: NDArray[np.float64], as_of: object) -> pd.Series:
        """First day of the likeliest period given need."""
        if as_of is not None:
            dates = pd.Series(pd.Timestamp(as_of), index=index)
        elif "as_of" in index.names:
            dates = pd.Series(index.get_level_values("as_of"), index=index)
        else:
            return pd.Series(pd.NaT, index=index, name="need_month", dtype="datetime64[us]")
        first = self._first_days(curve, dates.to_numpy().astype("datetime64[M]"))
        return pd.Series(first.astype("datetime64[us]"), index=index, name="need_month")

    def _first_days(
        self, curve: NDArray[np.float64], dates: NDArray[np.datetime64]
    ) -> NDArray[np.datetime64]:
        """Month of the likeliest period given need, counted from the month of each date."""
        likeliest = np.diff(curve, axis=1, prepend=0.0).argmax(axis=1)
        months = (likeliest + self.lead_periods) * PERIOD_MONTHS[self.period]
        first: NDArray[np.datetime64] = dates + months.astype("timedelta64[M]")
        return first


def _events(event: pd.Series) -> NDArray[Any]:
    """Return "need", "exit" or None."""
    values = event.to_numpy(dtype=object)
    censored = event.isna().to_numpy() | (values == "") | (values == 0)
    if not (values == NEED).any():
        raise DataError(
            f"event must hold {NEED!r} at least once; got none in {len(values)} rows. "
            "Check which events the schema counts as drawings."
        )
    kinds = np.full(len(values), "exit", dtype=object)
    kinds[values == NEED] = NEED
    kinds[censored] = None
    return kinds


def _amount_rows(event: NDArray[Any], amount: pd.Series) -> NDArray[np.int64]:
    """Rows of needs with a known amount."""
    values = pd.to_numeric(amount, errors="coerce").to_numpy(np.float64)
    needs = event == NEED
    text = int((np.isnan(values) & amount.notna().to_numpy()).sum())
    low = int((needs & (values <= 0)).sum())
    endless = int(np.isinf(values).sum())
    faults = [
        f"{count} {words}"
        for count, words in (
            (text, "not a number"),
            (low, "zero or negative: a drawing is new money, repayments are left out"),
            (endless, "infinite"),
        )
        if count
    ]
    if faults:
        raise DataError("amount must be a number above 0 in every row with a need.", faults)
    return np.flatnonzero(needs & ~np.isnan(values))


def _rows(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return a frame as plain dicts, by row and column."""
    columns = [str(name) for name in table.columns]
    rows = zip(table.index, table.to_numpy(np.float64).tolist(), strict=True)
    return {str(name): dict(zip(columns, row, strict=True)) for name, row in rows}


def _likeliest(scores: pd.DataFrame) -> pd.Series:
    """Name of the largest column, missing where all are."""
    values = scores.to_numpy(np.float64, na_value=np.nan)
    known = ~np.isnan(values).all(axis=1)
    names = np.full(len(scores), None, dtype=object)
    best = np.where(np.isnan(values[known]), -np.inf, values[known]).argmax(axis=1)
    names[known] = scores.columns.to_numpy(dtype=object)[best]
    return pd.Series(names, index=scores.index, name="purpose", dtype="str")
