"""Out-of-time evidence: each head beside its naive baseline and, where known, the true law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from clientscore._words import NEED, PERIOD_MONTHS, cause_in_words
from clientscore.exceptions import DataError
from clientscore.features import build_features
from clientscore.labels import build_labels, churn_target, need_target
from clientscore.metrics import (
    aalen_johansen,
    auc,
    brier,
    calibration_by_horizon,
    ici,
    interval_coverage,
    log_loss,
    pinball,
    uno_c,
)
from clientscore.schema import ClientSchema, validate_clients
from clientscore.timeline import add_periods

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.assessment import ClientModel

_COLUMNS = ["head", "measure", "model", "baseline", "baseline_name", "oracle", "n"]


@dataclass(frozen=True, repr=False)
class OutOfTime:
    """Figures of a model on a date it has not seen.

    Parameters
    ----------
    table : DataFrame
        One row a measure: head, measure, model, baseline, baseline_name, oracle (missing where the law is
        not known), n (clients judged).
    model : ClientModel
        The model, fitted on windows that had closed by the test date.
    test_as_of : Timestamp
        The test date.
    """

    table: pd.DataFrame
    model: ClientModel
    test_as_of: pd.Timestamp

    def frame(self) -> pd.DataFrame:
        """Return one row a measure."""
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {"test_as_of": f"{self.test_as_of:%Y-%m-%d}", "figures": self.table.to_dict("records")}

    def __repr__(self) -> str:
        return f"Out of time at {self.test_as_of:%Y-%m-%d}\n{self.table.to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"<p>Out of time at {self.test_as_of:%Y-%m-%d}</p>{self.table.to_html(index=False)}"


def out_of_time(
    model: ClientModel,
    tables: Mapping[str, pd.DataFrame],
    test_as_of: object,
    *,
    oracle: pd.DataFrame | None = None,
) -> OutOfTime:
    """Fit a copy of a model on the past and judge it on a later date, beside naive baselines.

    Training takes every date whose outcome window had closed by the test date, so that no outcome of the
    test's time is learned. The baselines know the same past: the base rate of `bad`, the Aalen-Johansen
    incidence of churn and need, zero and constant quantiles of the amount.

    Churn is judged at every horizon: AUC and Brier score among the clients followed so far, and ICI, the mean
    distance of the prediction from the Aalen-Johansen incidence over ten groups of risk; at the longest one
    by Uno's C too, and by cause: ICI, the mean prediction and what was realized. A constant has a small ICI
    where the rate of the book has not moved: read it beside the AUC.

    Parameters
    ----------
    model : ClientModel
        An unfitted or fitted model; it is cloned.
    tables : mapping of DataFrame
        The book, known until after the test date's outcome window.
    test_as_of : date
        The date to judge on.
    oracle : DataFrame, optional
        On client_id: pd, churn_12m, need_probability_12m, need_amount_expected, the true means; also
        churn_3m, churn_6m and the causes, as hard_attrition_12m, where known.

    Returns
    -------
    OutOfTime
        The figures and the fitted copy.

    Raises
    ------
    DataError
        The test date's window is still open, or no training window had closed by it.
    """
    test = pd.Timestamp(str(test_as_of))
    schema = model.schema or ClientSchema.default()
    accepted = validate_clients(tables, schema).accepted
    fitted = clone(model)
    dates = fitted.training_dates(accepted)
    horizon = max(fitted.horizons_)
    window = fitted.lead + horizon
    train = [date for date in dates if add_periods(date, window, schema.period) <= test]
    if not train:
        raise DataError(f"No training window had closed by {test:%Y-%m-%d}; choose a later test date.")
    fitted.fit(tables, as_of=train)
    when = [test]
    X = build_features(accepted, schema, when)
    window_of = {"horizon": horizon, "lead": fitted.lead, "rules": fitted.exit_rules_}
    y = build_labels(accepted, schema, when, **window_of)
    past = build_labels(accepted, schema, train, **window_of)
    if y["bad"].isna().all():
        raise DataError(f"The outcome window of {test:%Y-%m-%d} is still open; choose an earlier test date.")
    truth = None if oracle is None else oracle.reindex(X.index.get_level_values(0)).set_axis(X.index)
    rows = [
        *_score_rows(fitted, X, y, past, truth),
        *_churn_rows(fitted, X, y, past, truth),
        *_need_rows(fitted, X, y, past, truth),
    ]
    return OutOfTime(pd.DataFrame(rows, columns=_COLUMNS), fitted, test)


def _probability_rows(
    head: str,
    y: pd.Series,
    p: pd.Series,
    base: float,
    base_name: str,
    truth: pd.Series | None,
    *,
    brief: bool = False,
) -> list[tuple[Any, ...]]:
    """Return AUC, Brier and log loss of a probability beside a constant and the truth; `brief`: no more."""
    if truth is not None:  # all sides are judged on the clients whose law is known
        y = y[truth.loc[y.index].notna()]
    outcome = y.astype("float64").to_numpy()
    constant = np.full(len(y), base)
    measures = {"AUC": auc, "Brier": brier, "log loss": log_loss}
    if outcome.min() == outcome.max():
        measures.pop("AUC")
    rows: list[tuple[Any, ...]] = []
    for name, measure in measures.items():
        known = None if truth is None else measure(outcome, truth.loc[y.index].to_numpy())
        rows.append(
            (
                head,
                name,
                measure(outcome, p.loc[y.index].to_numpy()),
                measure(outcome, constant),
                base_name,
                known,
                len(y),
            )
        )
    if brief:
        return [row for row in rows if row[1] != "log loss"]
    mean = None if truth is None else float(truth.loc[y.index].mean())
    rows.append((head, "mean", float(p.loc[y.index].mean()), base, base_name, mean, len(y)))
    rows.append((head, "realized", float(outcome.mean()), None, "", None, len(y)))
    return rows


def _score_rows(
    model: ClientModel, X: pd.DataFrame, y: pd.DataFrame, past: pd.DataFrame, truth: pd.DataFrame | None
) -> list[tuple[Any, ...]]:
    if model.scorer_ is None:
        return []
    known = y["bad"].dropna()
    p = pd.Series(model.scorer_.predict_proba(X)[:, 1], index=X.index)
    return _probability_rows(
        "default 12m", known, p, float(past["bad"].mean()), "base rate", _column(truth, "pd")
    )


def _churn_rows(
    model: ClientModel, X: pd.DataFrame, y: pd.DataFrame, past: pd.DataFrame, truth: pd.DataFrame | None
) -> list[tuple[Any, ...]]:
    if model.churn_ is None:
        return []
    causes = list(model.churn_.churn_causes_)
    target, before = churn_target(y), churn_target(past)
    incidence = model.churn_.predict_cumulative_incidence(X.loc[target.index])
    last = max(model.horizons_)
    rows: list[tuple[Any, ...]] = []
    for horizon in model.horizons_:
        months = horizon * PERIOD_MONTHS[model.schema_.period]
        churned = target["event"].isin(causes) & (target["duration"] <= horizon)
        followed = churned | target["event"].notna() | (target["duration"] >= horizon)
        if not (followed & ~churned).any():
            continue
        p = incidence.loc[:, [(cause, horizon) for cause in causes]].sum(axis=1)
        base = _base_incidence(before, causes, horizon)
        known = _column(truth, f"churn_{months}m")
        head = f"churn {months}m"
        rows += _probability_rows(
            head, churned[followed], p, base, "Aalen-Johansen", known, brief=horizon < last
        )
        rows += _course_rows(head, target, before, p, (causes, horizon, base), known, rank=horizon == last)
    return rows + _cause_rows(target, before, incidence, causes, last, truth)


def _course_rows(
    head: str,
    target: pd.DataFrame,
    before: pd.DataFrame,
    p: pd.Series,
    judged: tuple[list[str], int, float],
    truth: pd.Series | None,
    *,
    rank: bool,
) -> list[tuple[Any, ...]]:
    """Return ICI, and where asked Uno's C, of all causes of churn together: with every exit and censoring."""
    causes, horizon, base = judged
    if truth is not None:
        target = target[truth.loc[target.index].notna()]
    found = [cause for cause in causes if target["event"].eq(cause).any()]
    if not found:
        return []
    duration, event = target["duration"], target["event"]
    sides = (p, pd.Series(base, index=p.index), truth)
    measures: dict[str, Any] = {
        "ICI": lambda risk: ici(duration, event, risk, horizon=horizon, cause=found),
    }
    if rank:
        seen = (before["duration"], before["event"])
        measures["Uno C"] = lambda risk: uno_c(duration, event, risk, train=seen, cause=found)
    rows: list[tuple[Any, ...]] = []
    for name, measure in measures.items():
        model, constant, known = (
            None if side is None else float(measure(side.loc[target.index].to_numpy())) for side in sides
        )
        rows.append((head, name, model, constant, "Aalen-Johansen", known, len(target)))
    return rows


def _cause_rows(
    target: pd.DataFrame,
    before: pd.DataFrame,
    incidence: pd.DataFrame,
    causes: list[str],
    horizon: int,
    truth: pd.DataFrame | None,
) -> list[tuple[Any, ...]]:
    """Return calibration at the longest horizon by cause: ICI, mean prediction, what was realized."""
    duration, event = target["duration"], target["event"]
    found = calibration_by_horizon(duration, event, incidence, horizons=[horizon], causes=causes, n_groups=1)
    whole = found[found["group"] == 0].set_index("cause")
    rows: list[tuple[Any, ...]] = []
    for cause in causes:
        head, n = cause_in_words(cause), len(target)
        base = _base_incidence(before, [cause], horizon)
        known = _column(truth, f"{cause}_12m")
        mean = None if known is None else float(known.loc[target.index].mean())
        error = ici(duration, event, incidence[cause, horizon], horizon=horizon, cause=cause)
        flat = ici(duration, event, np.full(n, base), horizon=horizon, cause=cause)
        rows += [
            (head, "ICI", error, flat, "Aalen-Johansen", None, n),
            (head, "mean", whole.at[cause, "predicted"], base, "Aalen-Johansen", mean, n),
            (head, "realized", whole.at[cause, "observed"], None, "", None, n),
        ]
    return rows


def _need_rows(
    model: ClientModel, X: pd.DataFrame, y: pd.DataFrame, past: pd.DataFrame, truth: pd.DataFrame | None
) -> list[tuple[Any, ...]]:
    if model.need_ is None:
        return []
    target, before = need_target(y), need_target(past)
    horizon = max(model.horizons_)
    base = _base_incidence(before, [NEED], horizon)
    forecast = model.need_.predict(X.loc[target.index])
    p = forecast[f"need_probability_{horizon}{model.schema_.period[0]}"]
    known = _column(truth, "need_probability_12m")
    rows = _probability_rows("need 12m", target["event"].eq(NEED), p, base, "Aalen-Johansen", known)
    return rows + _amount_rows(target, before, forecast, model.need_.coverage, truth)


def _amount_rows(
    target: pd.DataFrame,
    before: pd.DataFrame,
    forecast: pd.DataFrame,
    wanted_coverage: float,
    truth: pd.DataFrame | None,
) -> list[tuple[Any, ...]]:
    """Return the amount given need beside constant quantiles, and the expected amount beside zero."""
    given = target["event"].eq(NEED).to_numpy()
    amounts = target["amount"][given].to_numpy()
    n = len(amounts)
    if not n:
        return []
    constants = before.loc[before["event"].eq(NEED), "amount"]
    tail = (1 - wanted_coverage) / 2
    low, middle, high = (np.full(n, constants.quantile(level)) for level in (tail, 0.5, 1 - tail))
    inside = forecast[given]
    covered = _coverage(amounts, inside["amount_lower"], inside["amount_upper"])
    flat = _coverage(amounts, low, high)
    missed, flat_missed = (pinball(amounts, guess, 0.5) for guess in (inside["amount_median"], middle))
    measure = f"coverage of the {100 * wanted_coverage:g} % interval"
    rows: list[tuple[Any, ...]] = [
        ("amount", measure, covered, flat, "constant quantiles", None, n),
        ("amount", "pinball of the median", missed, flat_missed, "constant median", None, n),
    ]
    known = _column(truth, "need_amount_expected")
    if known is not None:
        judged = known.loc[target.index].notna().to_numpy()
        target, forecast, given = target[judged], forecast[judged], given[judged]
    realized = np.where(given, target["amount"].fillna(0), 0.0)
    error = _rmse(realized, forecast["amount_expected"].to_numpy())
    zero = _rmse(realized, np.zeros(len(realized)))
    oracle = None if known is None else _rmse(realized, known.loc[target.index].to_numpy())
    rows.append(("amount", "RMSE of the expected amount", error, zero, "zero", oracle, len(realized)))
    return rows


def _coverage(amounts: np.ndarray, lower: Any, upper: Any) -> float:
    return float(interval_coverage(amounts, lower, upper).at["all", "coverage"])


def _base_incidence(target: pd.DataFrame, causes: list[str], horizon: int) -> float:
    curve = aalen_johansen(target["duration"], target["event"], horizons=[horizon])
    return float(sum(curve.at[horizon, cause] for cause in causes if cause in curve))


def _column(truth: pd.DataFrame | None, name: str) -> pd.Series | None:
    return truth[name] if truth is not None and name in truth else None


def _rmse(actual: np.ndarray, forecast: np.ndarray) -> float:
    return float(np.sqrt(np.mean((actual - forecast) ** 2)))
