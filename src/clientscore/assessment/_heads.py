"""The heads on their outcomes: fitted, or left out with the reason where there is nothing to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from joblib import Parallel, delayed
from sklearn.base import clone

from clientscore._words import NEED
from clientscore.churn import ChurnModel
from clientscore.exceptions import DataError
from clientscore.labels import churn_target, need_target
from clientscore.need import FinancingNeedForecaster
from clientscore.scoring import ClientScorer

from ._intervals import groups_of_context

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clientscore.schema import ClientSchema

_MIN_AMOUNTS = 3  # fewest known amounts that the amount of a need is learned from
_ROWS_AN_EVENT = 8  # person-periods: more taught books of 300 to 1,200 clients nothing, and took much longer
_LEAST_ROWS = 10_000
_CHURN_ROWS, _NEED_ROWS = 200_000, 50_000  # at most: a large book learns within a minute or so
_OPEN = "their windows are still open at every date, or the book has no record of events"


def default_heads(
    schema: ClientSchema,
    outcomes: pd.DataFrame,
    horizons: Sequence[int],
    lead: int,
    seed: int | None,
) -> tuple[ClientScorer, ChurnModel, FinancingNeedForecaster]:
    """Return the heads with their defaults, for this book."""
    churn = ChurnModel(
        horizons=horizons,
        churn_causes=schema.churn_causes,
        max_rows=panel_rows(outcomes, "exit_cause", _CHURN_ROWS),
        random_state=seed,
    )
    need = FinancingNeedForecaster(
        horizons=horizons,
        period=schema.period,
        lead_periods=lead,
        max_rows=panel_rows(outcomes, "need_event", _NEED_ROWS),
        random_state=seed,
    )
    return ClientScorer(random_state=seed), churn, need


def panel_rows(outcomes: pd.DataFrame, event: str, most: int) -> int:
    """Return how many person-periods a default hazard reads: every event, and stays in proportion to them."""
    events = outcomes[event].notna().sum() if event in outcomes else 0
    return int(min(max(_ROWS_AN_EVENT * events, _LEAST_ROWS), most))


def fit_heads(
    heads: tuple[ClientScorer, ChurnModel, FinancingNeedForecaster],
    X: pd.DataFrame,
    outcomes: pd.DataFrame,
    pillars: Mapping[str, str],
    n_jobs: int | None,
    context: pd.DataFrame | None = None,
) -> tuple[tuple[ClientScorer | None, ChurnModel | None, FinancingNeedForecaster | None], dict[str, str]]:
    """Return the fitted heads, None where one was left out, and why; raise where all were."""
    scorer, churn, need = heads
    # Threads, not processes: LightGBM frees the interpreter while it learns, and X is shared.
    (scored, no_score), (churned, no_churn), (needed, no_need) = Parallel(n_jobs=n_jobs, prefer="threads")(
        [
            delayed(fit_scorer)(scorer, X, outcomes, pillars),
            delayed(fit_churn)(churn, X, outcomes),
            delayed(fit_need)(need, X, outcomes, context),
        ]
    )
    reasons = {"score": no_score, "churn": no_churn, "need": no_need}
    skipped = {head: reason for head, reason in reasons.items() if reason}
    if scored is None and churned is None and needed is None:
        if skipped:
            faults = [f"{head}: {reason}." for head, reason in skipped.items()]
            raise DataError("No outcome holds anything to learn from.", faults)
        raise DataError(
            "outcomes must hold bad, or exit_duration and exit_cause, or need_duration, need_event and "
            f"need_amount; got {', '.join(map(str, outcomes.columns)) or 'no column'}."
        )
    return (scored, churned, needed), skipped


def fit_scorer(
    head: ClientScorer, X: pd.DataFrame, outcomes: pd.DataFrame, pillars: Mapping[str, str]
) -> tuple[ClientScorer | None, str]:
    """Return the scorer fitted on ``bad``, or None and why; an absent column needs no reason."""
    if "bad" not in outcomes:
        return None, ""
    known = outcomes["bad"].notna()
    classes = outcomes.loc[known, "bad"].unique()
    if not len(classes):
        return None, f"bad is known in none of {len(X)} rows: {_OPEN}"
    if len(classes) == 1:
        only = classes[0].item() if hasattr(classes[0], "item") else classes[0]
        return None, f"bad is {only} in all of {int(known.sum())} rows: both classes are needed"
    learned = X[known]
    groups = clients_of(learned)
    if learned.index.nlevels == 2:  # whatever the levels are called
        learned = learned.rename_axis(["client_id", "as_of"])
    return clone(head).fit(learned, outcomes.loc[known, "bad"], groups=groups, pillars=pillars), ""


def fit_churn(head: ChurnModel, X: pd.DataFrame, outcomes: pd.DataFrame) -> tuple[ChurnModel | None, str]:
    """Return the churn model fitted on the exits, or None and why."""
    if not {"exit_duration", "exit_cause"} <= set(outcomes):
        return None, ""
    target = churn_target(outcomes)
    if not len(target):
        return None, f"exits are known in none of {len(X)} rows: {_OPEN}"
    events = target["event"].dropna()
    words = events.map(lambda event: isinstance(event, str)).all()  # numbers are named by the head
    if words and not events.isin(list(head.churn_causes)).any():
        causes = ", ".join(map(str, head.churn_causes))
        return None, f"no client of {len(target)} rows left for a cause of churn ({causes})"
    return clone(head).fit(X.loc[target.index], target, groups=clients_of(target)), ""


def fit_need(
    head: FinancingNeedForecaster,
    X: pd.DataFrame,
    outcomes: pd.DataFrame,
    context: pd.DataFrame | None = None,
) -> tuple[FinancingNeedForecaster | None, str]:
    """Return the forecaster fitted on the needs, or None and why."""
    if not {"need_duration", "need_event", "need_amount"} <= set(outcomes):
        return None, ""
    target = need_target(outcomes)
    if not len(target):
        return None, f"needs are known in none of {len(X)} rows: {_OPEN}"
    drawn = target["event"].eq(NEED)
    amounts = int((drawn & target["amount"].notna()).sum())
    if amounts < _MIN_AMOUNTS:
        return None, (
            f"{amounts} of {len(target)} rows hold a drawing with its amount; at least {_MIN_AMOUNTS} are "
            "needed. Check which events the schema counts as drawings"
        )
    about = groups_of_context(head, X, context)
    about = None if about is None else about.loc[target.index]
    learned = clone(head).fit(X.loc[target.index], target, groups=clients_of(target), context=about)
    return learned, ""


def clients_of(frame: pd.DataFrame) -> pd.Index:
    """Return the client of each row, the first level whatever its name: no bag may have one on both sides."""
    return frame.index.get_level_values(0)
