"""Companies that are no clients yet: scored with what is known from outside, ranked by their worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from clientscore._checks import check_interval, did_you_mean
from clientscore.additive import AdditiveCard
from clientscore.catalogue import PILLARS
from clientscore.exceptions import DataError
from clientscore.value import ValueParameters, expected_need_value

from ._inputs import check_feature_table, check_on_index
from ._intervals import with_groups

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from clientscore.need import FinancingNeedForecaster
    from clientscore.scoring import ClientScorer

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_STRESS = "liquidity_stress"
_SHOWN = ("name", "industry", "region", "segment", "group_id", "size_amount")


class _Fitted(Protocol):
    """What a ranking reads of a fitted model."""

    scorer_: ClientScorer | None
    need_: FinancingNeedForecaster | None
    pillars_: Mapping[str, str]
    feature_names_in_: NDArray[Any]


class ProspectRanking:
    """The part of `ClientModel` that ranks prospects."""

    def rank_prospects(
        self,
        X: pd.DataFrame,
        context: pd.DataFrame | None = None,
        *,
        max_pd: float = 0.05,
        win_rate: float | ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Rank companies that are no clients yet by the expected value of their need.

        A prospect is known from outside only: statements, market, registry.  It is scored with the features
        there are; those of training that are absent are read as missing, and what they could have said
        widens the prospect's intervals: by how far log amounts of training move when the same columns are
        blanked, whether the amount is a card or trees, and log odds of default by the training variance of
        the terms.

        Parameters
        ----------
        X : DataFrame of shape (n, any of the features of training)
            Indexed by client_id or (client_id, as_of).  Columns that training did not know are ignored.
        context : DataFrame, optional
            On X's index, as from `build_context` with ``include=``; name, industry, region, segment, group_id
            and size_amount are shown, and a column ``win_rate`` is used.
        max_pd : float, default 0.05
            Prospects with a higher probability of default, at the upper end of its interval, are not ranked.
        win_rate : float or array-like of shape (n,), optional
            Share of the needs that the bank wins, in [0, 1]; None takes the context's, else 0.35.

        Returns
        -------
        DataFrame
            Indexed as X, the eligible first, by falling value: rank (1 is the first; missing where not
            eligible), eligible, reason (why not), the context's columns, need_value (P(need) x amount x win
            rate x (margin - PD x loss given default), currency units a year), win_rate, pd, pd_upper (of a
            90 % interval), grade, need_probability_* by horizon, need_month, need_amount_expected,
            need_amount_lower, need_amount_median, need_amount_upper, need_purpose, need_product,
            features_known (share of training's features) and pillars_missing (text, empty where none is).

        Raises
        ------
        DataError
            When there is no score or no need to rank by, when X holds no feature of training, or when a win
            rate is no number in [0, 1].

        Notes
        -----
        The model has learned from clients: that a prospect behaves like a client with the same figures is an
        assumption, and a win rate measured on past approaches the first thing to replace.  Liquidity stress
        is no sales lead: such prospects are not ranked.

        Examples
        --------
        >>> import clientscore as cs
        >>> book = cs.datasets.make_portfolio(n_clients=300, n_months=48, random_state=0)
        >>> model = cs.ClientModel(random_state=0).fit(book.tables, as_of=["2022-01-01", "2022-07-01"])
        >>> X = cs.build_features(book.tables, cs.ClientSchema.default(), "2024-01-01")
        >>> outside = X[[name for name in X if cs.catalogue.pillar_of(name) in ("financial", "market")]]
        >>> ranked = model.rank_prospects(outside)
        >>> ranked["pillars_missing"].iloc[0], bool(ranked["need_value"].iloc[0] > 0)
        ('credit, relationship', True)
        """
        return rank(self, X, context, max_pd=max_pd, win_rate=win_rate)  # type: ignore[arg-type]


def rank(
    model: _Fitted,
    X: pd.DataFrame,
    context: pd.DataFrame | None,
    *,
    max_pd: float,
    win_rate: float | ArrayLike | None,
) -> pd.DataFrame:
    """Rank prospects, see `ProspectRanking.rank_prospects`."""
    check_is_fitted(model, "model_version_")
    scorer, need = _heads(model)
    check_interval("max_pd", max_pd, low=0.0, high=1.0, closed="high")
    check_feature_table(X)
    about = pd.DataFrame(index=X.index) if context is None else context
    check_on_index("context", about, X)
    names = [str(name) for name in model.feature_names_in_]
    full = _completed(X, names)
    unknown = _unknown(full, X.columns, model.pillars_)
    table = pd.DataFrame({name: about[name] for name in _SHOWN if name in about}, index=X.index)
    table["win_rate"] = _win_rates(win_rate, about)
    table[["pd", "grade"]] = scorer.score_frame(full, n=1)[["pd", "grade"]]
    spread = _spread(scorer.card_, unknown, full)
    reach = norm.ppf(0.95)
    safe = table["pd"].clip(1e-9, 1 - 1e-9)
    table["pd_upper"] = expit(logit(safe) + reach * spread)
    table = table.join(_needs(need, with_groups(need, full, about), unknown))
    parameters = ValueParameters()
    table["need_value"] = expected_need_value(
        table["need_amount_expected"], table["pd"], parameters.need_spread, table["win_rate"], parameters.lgd
    )
    table["features_known"] = full.notna().mean(axis=1)
    table["pillars_missing"] = _missing_pillars(full, model.pillars_)
    table["reason"] = _reasons(table, max_pd)
    table["eligible"] = table["reason"] == ""
    return _ordered(table)


def _heads(model: _Fitted) -> tuple[ClientScorer, FinancingNeedForecaster]:
    """Return the heads that a ranking needs, or raise naming those that are not there."""
    scorer, need = model.scorer_, model.need_
    absent = [name for name, head in (("score", scorer), ("need", need)) if head is None]
    if scorer is None or need is None:
        raise DataError(
            f"rank_prospects needs a fitted score and need; this model has no {' and no '.join(absent)}. "
            "Fit it on outcomes that hold bad, need_duration, need_event and need_amount."
        )
    return scorer, need


def _completed(X: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the features of training in order, absent ones missing."""
    known = [name for name in names if name in X]
    if not known:
        hint = did_you_mean(str(X.columns[0]), names) if len(X.columns) else ""
        raise DataError(f"X must hold features of training; it holds none of the {len(names)}.{hint}")
    return X[known].reindex(columns=names)


def _unknown(full: pd.DataFrame, given: Collection[Any], pillars: Mapping[str, str]) -> dict[str, Flags]:
    """Return by feature in which rows nothing is known of it: no column, or none of its pillar."""
    empty = {
        pillar: full[[name for name in full if pillars[name] == pillar]].isna().all(axis=1).to_numpy()
        for pillar in dict.fromkeys(pillars[name] for name in full)
    }
    everywhere = np.ones(len(full), dtype=bool)
    return {name: empty[pillars[name]] if name in given else everywhere for name in full}


def _spread(card: Any, unknown: Mapping[str, Flags], full: pd.DataFrame) -> Floats:
    """Return the standard deviation of what the unknown features could have said, row by row.

    The terms of a card are uncorrelated by construction where features are independent, so variances add; a
    pair counts whole where one of its features is unknown.  Trees have no terms: nothing is added.
    """
    variance = np.zeros(len(full))
    if not isinstance(card, AdditiveCard):
        return variance
    shares = {term.features[0]: term.share for term in card.terms if len(term.features) == 1}
    for term in card.terms:
        rows = np.zeros(len(full), dtype=bool)
        for name in term.features:
            rows |= unknown[name]
        if not rows.any():
            continue
        weights = [
            _share_of(shares.get(name), size)
            for name, size in zip(term.features, term.values.shape, strict=False)
        ]
        weight = weights[0] if len(weights) == 1 else np.outer(*weights)
        values = term.values[..., 0]
        mean = float((weight * values).sum())
        variance[rows] += float((weight * (values - mean) ** 2).sum())
    return np.sqrt(variance)


def _amount_spread(need: FinancingNeedForecaster, unknown: Mapping[str, Flags], full: pd.DataFrame) -> Floats:
    """Return how far log amounts move where features are unknown, row by row, whatever the amount's form."""
    patterns, which = np.unique(np.column_stack(list(unknown.values())), axis=0, return_inverse=True)
    spread = np.zeros(len(patterns))
    for number, pattern in enumerate(patterns):
        names = [name for name, there in zip(unknown, pattern, strict=True) if there]
        moved = need.amount_.added_spread(names) if names else 0.0
        if moved is None:  # a model saved without rows of its calibration
            return _spread(need.amount_.card, unknown, full)
        spread[number] = moved
    return np.asarray(spread[which.reshape(-1)])


def _share_of(share: Floats | None, size: int) -> Floats:
    """Return the training share of each row of a feature; even where the card does not keep it."""
    if share is None or not share.sum():
        return np.full(size, 1.0 / size)
    return np.asarray(share / share.sum())


def _needs(need: FinancingNeedForecaster, full: pd.DataFrame, unknown: Mapping[str, Flags]) -> pd.DataFrame:
    """Return the forecast, its amount interval wider by what the unknown features could have said."""
    said = need.predict(full)
    columns = {name: said[name] for name in said if name.startswith("need_probability_")}
    columns |= {"need_month": said["need_month"], "need_amount_expected": said["amount_expected"]}
    reach = float(norm.ppf((1.0 + need.coverage) / 2.0))
    added = reach * _amount_spread(need, unknown, full)
    middle = np.log(said["amount_median"])
    below = np.hypot(middle - np.log(said["amount_lower"]), added)
    above = np.hypot(np.log(said["amount_upper"]) - middle, added)
    columns["need_amount_lower"] = np.exp(middle - below)
    columns["need_amount_median"] = said["amount_median"]
    columns["need_amount_upper"] = np.exp(middle + above)
    columns["need_purpose"] = said["purpose"]
    if "product" in said:
        columns["need_product"] = said["product"]
    return pd.DataFrame(columns, index=full.index)


def _win_rates(given: float | ArrayLike | None, about: pd.DataFrame) -> Floats:
    """Return the share of needs won, row by row."""
    usual = ValueParameters().win_rate
    if given is None and "win_rate" in about:
        rates = pd.to_numeric(about["win_rate"], errors="coerce").fillna(usual).to_numpy(np.float64)
    else:
        rates = np.asarray(usual if given is None else given, dtype=np.float64)
    if rates.ndim > 1 or (rates.ndim == 1 and len(rates) != len(about)):
        raise DataError(f"win_rate must be a number or {len(about)} of them, one a row; got {rates.shape}.")
    rates = np.broadcast_to(rates, (len(about),)).copy()
    wrong = ~((rates >= 0) & (rates <= 1))
    if wrong.any():
        raise DataError(f"win_rate must lie in [0, 1]; got {rates[wrong][0]:g}. Give a share, not percent.")
    return rates


def _missing_pillars(full: pd.DataFrame, pillars: Mapping[str, str]) -> pd.Series:
    """Return the pillars of which nothing is known, in words."""
    known = {
        pillar: full[names].notna().any(axis=1)
        for pillar in PILLARS
        if (names := [name for name in full if pillars[name] == pillar])
    }
    words = [
        ", ".join(pillar for pillar, there in known.items() if not there.iloc[row])
        for row in range(len(full))
    ]
    return pd.Series(words, index=full.index, dtype="str")


def _reasons(table: pd.DataFrame, max_pd: float) -> pd.Series:
    """Return why a prospect is not ranked, empty where it is."""
    reason = pd.Series("", index=table.index, dtype=object)
    reason[table["need_value"] <= 0] = "the margin does not pay for the risk"
    reason[(table["need_purpose"] == _STRESS).fillna(value=False)] = (
        "liquidity stress: a case for the watch list"
    )
    high = table["pd_upper"] > max_pd
    reason[high] = [f"PD up to {upper:.1%} is above {max_pd:.1%}" for upper in table.loc[high, "pd_upper"]]
    reason[table["need_value"].isna()] = "not evaluated"
    return reason.astype("str")


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return the eligible by falling value, then the others."""
    first = [name for name in _SHOWN if name in table]
    lead = ["eligible", "reason", *first, "need_value", "win_rate", "pd", "pd_upper", "grade"]
    table = table[[*lead, *(name for name in table if name not in lead)]]
    order = np.lexsort((-table["need_value"].fillna(-np.inf).to_numpy(), ~table["eligible"].to_numpy()))
    table = table.iloc[order]
    place = np.where(table["eligible"], np.arange(1, len(table) + 1), 0)
    table.insert(0, "rank", pd.array(place, dtype="Int64"))
    table.loc[~table["eligible"], "rank"] = pd.NA
    return table
