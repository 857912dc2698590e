"""One call: did the change of service raise satisfaction, new lending, retention, and by how much."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy.special import xlogy
from scipy.stats import chi2, fisher_exact

from clientscore._axes import axes
from clientscore._checks import check_columns, check_interval, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._aipw import aipw
from ._design import Design
from ._did import difference_in_differences
from ._estimate import EffectEstimate, plain, short_p
from ._means import difference_in_means
from ._models import Base, fit_logistic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes

Missing = Literal["raise", "drop"]
_UNBALANCED = 0.001
_UNEVEN = 0.05


@dataclass(frozen=True)
class EffectReport:
    """Effects of one change on several outcomes.

    Parameters
    ----------
    estimates : tuple of EffectEstimate
        One an outcome.
    design : str
        "randomized", "logged" or "dated policy".
    why : str
        What in the data led to the method.
    level : float
        Probability of the intervals.
    """

    estimates: tuple[EffectEstimate, ...]
    design: str
    why: str
    level: float

    def __getitem__(self, outcome: str) -> EffectEstimate:
        """Return the estimate of one outcome."""
        found = {one.outcome: one for one in self.estimates}
        if outcome not in found:
            raise KeyError(f"{outcome!r} is not an outcome of this report; there are {', '.join(found)}.")
        return found[outcome]

    def __iter__(self) -> Iterator[EffectEstimate]:
        """Go through the estimates."""
        return iter(self.estimates)

    def frame(self) -> pd.DataFrame:
        """Return one row an outcome.

        Columns of :meth:`EffectEstimate.frame`, p_adjusted (Holm, over the outcomes) and answer: "raised",
        "lowered" (the interval is clear of 0) or "no clear effect".
        """
        table = pd.concat([one.frame() for one in self.estimates], ignore_index=True)
        adjusted = _holm(table["p_value"].to_numpy(dtype=float))
        answer = np.where(
            table["lower"] > 0, "raised", np.where(table["upper"] < 0, "lowered", "no clear effect")
        )
        return table.assign(p_adjusted=adjusted, answer=answer)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "design": self.design,
            "why": self.why,
            "level": self.level,
            "effects": plain(self.frame().to_dict("records")),
            "details": {one.outcome: plain(one.details) for one in self.estimates},
            "notes": {one.outcome: list(one.notes) for one in self.estimates},
        }

    def __str__(self) -> str:
        table = self.frame()
        lines = [f"{self.design}: {self.why}"]
        for one, answer in zip(self.estimates, table["answer"], strict=True):
            lines += [
                f"{answer}: {line}" if not number else line
                for number, line in enumerate(str(one).split("\n"))
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        notes = dict.fromkeys(f"{one.outcome}: {note}" for one in self.estimates for note in one.notes)
        listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
        return f"<p>{html.escape(self.why)}</p>{self.frame().to_html(index=False)}<ul>{listed}</ul>"


def service_effect(
    frame: pd.DataFrame,
    *,
    treatment: str,
    outcomes: Sequence[str],
    covariates: Sequence[str] = (),
    before: Mapping[str, str] | None = None,
    propensity: str | float | None = None,
    randomized: bool | None = None,
    period: str | None = None,
    start: Any = None,
    client: str | None = None,
    cluster: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> EffectReport:
    """Answer whether a change of service raised each outcome, by how much, with which interval.

    The method follows from the data:

    - `start` is given: the policy began at a date for some clients: difference in differences, with the check
      of trends before;
    - `randomized` is true, or `propensity` is one number: control cells drawn at random: difference in means,
      with CUPED on `covariates` and `before`;
    - else the actions were decided by people or rules: AIPW, with the logged `propensity` or one learned from
      `covariates`.

    The report says which and why.  Where randomization is claimed, it is checked that the covariates do not
    tell the arms apart.

    Parameters
    ----------
    frame : DataFrame
        One row a client (with `start`: a client and period).
    treatment : str
        Column, 1 with the change, 0 without.
    outcomes : sequence of str
        Columns: satisfied (0/1), new_lending_amount, retained (0/1)...
    covariates : sequence of str, default ()
        Columns known before the change.
    before : mapping of str to str, default None
        For an outcome, the column with its value before the change: the best covariate there is.
    propensity : str or float, default None
        Column with the probability of the change, or one probability for all.
    randomized : bool, default None
        Whether control cells were drawn at random; None: only if `propensity` is one number.
    period : str, default None
        Column with the period, with `start`.
    start : date, str or number, default None
        First period with the change.
    client : str, default None
        Column with the client, whose rows count together; None: column or index level ``client_id`` where
        there is one, else each row.
    cluster : str, default None
        Column with the group (team, branch) for which the change was decided, whose rows count together.
    options : mapping, default None
        ``level`` (0.95), ``missing`` ("raise", or "drop" rows without the outcome and say how many of each
        arm), ``base`` and ``clip`` of `aipw`, ``random_state`` (0), ``min_clients`` (10) of an arm.

    Returns
    -------
    EffectReport
        `.frame()`, `.to_dict()`; ``report["retained"]`` is one estimate.

    Raises
    ------
    MissingColumnError
        Columns that are not in `frame`, all of them.
    InvalidParameterError
        Settings that do not go together, or an unknown option.
    DataError
        With all faults of the rows; see the methods.
    OverlapError
        The arms cannot be compared.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> book = pd.DataFrame({"faster": np.arange(2000) % 2, "satisfied_before": rng.random(2000) < 0.8})
    >>> chance = 0.1 + 0.7 * book["satisfied_before"] + 0.1 * book["faster"]
    >>> book["satisfied"] = (rng.random(2000) < chance).astype(int)
    >>> report = service_effect(
    ...     book, treatment="faster", outcomes=["satisfied"], propensity=0.5,
    ...     before={"satisfied": "satisfied_before"},
    ... )
    >>> report.frame()[["outcome", "method", "answer"]].to_numpy().tolist()
    [['satisfied', 'difference in means, CUPED', 'raised']]
    """
    plan = _Plan(
        treatment,
        tuple(outcomes),
        tuple(covariates),
        dict(before or {}),
        propensity,
        period,
        start,
        client,
        cluster,
        _options(options),
    ).checked(frame, randomized)
    estimates = tuple(plan.estimate(frame, outcome) for outcome in plan.outcomes)
    return EffectReport(estimates, plan.design, plan.why, plan.options["level"])


_DEFAULTS: dict[str, Any] = {
    "level": 0.95,
    "missing": "raise",
    "base": "linear",
    "clip": 0.01,
    "random_state": 0,
    "min_clients": 10,
}


def _options(given: Mapping[str, Any] | None) -> dict[str, Any]:
    unknown = sorted(set(given or {}) - set(_DEFAULTS))
    if unknown:
        raise InvalidParameterError(
            f"options must be among {', '.join(_DEFAULTS)}; got {', '.join(unknown)}. Correct the name."
        )
    found = _DEFAULTS | dict(given or {})
    check_interval("level", found["level"], low=0.0, high=1.0, closed="neither")
    check_option("missing", found["missing"], Missing)
    check_option("base", found["base"], Base)
    return found


@dataclass(frozen=True)
class _Plan:
    """What was asked for, and the method it leads to."""

    treatment: str
    outcomes: tuple[str, ...]
    covariates: tuple[str, ...]
    before: dict[str, str]
    propensity: str | float | None
    period: str | None
    start: Any
    client: str | None
    cluster: str | None
    options: dict[str, Any]
    design: str = ""
    why: str = ""

    def checked(self, frame: pd.DataFrame, randomized: bool | None) -> _Plan:
        """Return the plan with its design, every column being there."""
        if not self.outcomes or isinstance(self.outcomes, str):
            raise InvalidParameterError("outcomes must name at least one column; got none.")
        named = [self.treatment, *self.outcomes, *self.covariates, *self.before.values()]
        named += [one for one in (self.period, self.client, self.cluster) if one is not None]
        named += [self.propensity] if isinstance(self.propensity, str) else []
        check_columns(frame.columns, dict.fromkeys(named), subject="service_effect")
        if (self.start is None) != (self.period is None):
            raise InvalidParameterError(
                "period and start must be given together: the column of the period and the first one with "
                "the change."
            )
        if self.start is not None:
            if randomized or self.propensity is not None:
                raise InvalidParameterError(
                    "start means a dated policy; randomized and propensity do not go with it. Leave one out."
                )
            why = f"it began at {self.start} for some clients: compared with the others, before and after"
            return replace(self, design="dated policy", why=why)
        return self._cross_section(randomized)

    def _cross_section(self, randomized: bool | None) -> _Plan:
        varies = isinstance(self.propensity, str)
        if randomized and varies:
            raise InvalidParameterError(
                "randomized means one probability for all; a column of propensities says otherwise. Leave "
                "one out."
            )
        if randomized or (randomized is None and self.propensity is not None and not varies):
            told = (
                "control cells drawn at random"
                if randomized
                else f"one probability ({self.propensity}) for all"
            )
            adjusted = ", adjusted for what was known before" if self.covariates or self.before else ""
            return replace(self, design="randomized", why=f"{told}: means of the arms are compared{adjusted}")
        if not self.covariates and not self.before:
            raise InvalidParameterError(
                "covariates are needed where the change was not given at random; got none. Name what was "
                "known when "
                "it was decided, or say randomized=True."
            )
        known = (
            "with the logged probabilities" if self.propensity is not None else "with learned probabilities"
        )
        return replace(
            self, design="logged", why=f"decided by people or rules: like is compared with like, {known}"
        )

    def estimate(self, frame: pd.DataFrame, outcome: str) -> EffectEstimate:
        """Return the effect on one outcome."""
        rows, notes = self._rows(frame, outcome)
        known = [self.before[outcome]] if outcome in self.before else []
        X = rows[list(dict.fromkeys([*self.covariates, *known]))]
        ways = {"dated policy": self._dated, "randomized": self._randomized, "logged": self._logged}
        found = ways[self.design](rows, X, outcome)
        return replace(found, notes=(*found.notes, *notes))

    def _dated(self, rows: pd.DataFrame, X: pd.DataFrame, outcome: str) -> EffectEstimate:  # noqa: ARG002
        clients = self._clients(rows)
        if clients is None:
            raise InvalidParameterError(
                "client must name the column of the client for a dated policy; got None."
            )
        return difference_in_differences(
            rows[outcome],
            rows[self.treatment],
            rows[str(self.period)],
            self.start,
            clients=clients,
            clusters=rows[self.cluster].to_numpy() if self.cluster else None,
            level=self.options["level"],
            name=outcome,
        )

    def _randomized(self, rows: pd.DataFrame, X: pd.DataFrame, outcome: str) -> EffectEstimate:
        some = bool(X.shape[1])
        found = difference_in_means(
            rows[outcome],
            rows[self.treatment],
            covariates=X if some else None,
            clients=self._clients(rows),
            level=self.options["level"],
            min_clients=self.options["min_clients"],
            name=outcome,
        )
        balance = balance_p_value(X, rows[self.treatment].to_numpy(dtype=float)) if some else None
        notes = found.notes
        if balance is not None and balance < _UNBALANCED:
            told = f"the covariates tell the arms apart ({short_p(balance)}): were they drawn at random?"
            notes = (*notes, told)
        return replace(found, notes=notes, details={**found.details, "balance_p_value": balance})

    def _logged(self, rows: pd.DataFrame, X: pd.DataFrame, outcome: str) -> EffectEstimate:
        chance = rows[self.propensity].to_numpy() if isinstance(self.propensity, str) else self.propensity
        rules = {name: self.options[name] for name in ("base", "clip", "level", "random_state")}
        return aipw(
            rows[outcome],
            rows[self.treatment],
            X,
            propensity=chance,
            clients=self._clients(rows),
            name=outcome,
            **rules,
        )

    def _clients(self, rows: pd.DataFrame) -> Any:
        if self.cluster is not None and self.design != "dated policy":
            return rows[self.cluster].to_numpy()
        if self.client is not None:
            return rows[self.client].to_numpy()
        if "client_id" in rows.columns:
            return rows["client_id"].to_numpy()
        if "client_id" in rows.index.names:
            return rows.index.get_level_values("client_id").to_numpy()
        return None

    def _rows(self, frame: pd.DataFrame, outcome: str) -> tuple[pd.DataFrame, list[str]]:
        """Return the rows with the outcome, and what to say of the others."""
        lacking = frame[outcome].isna()
        if not lacking.any() or self.options["missing"] == "raise":
            return frame, []
        treated = frame[self.treatment] == 1
        table = [[int((lacking & arm).sum()), int((~lacking & arm).sum())] for arm in (treated, ~treated)]
        if not table[0][1] or not table[1][1]:
            raise DataError(
                f"{outcome} must be known for some rows of both arms; known are {table[0][1]} treated and "
                f"{table[1][1]} others."
            )
        shares = [one[0] / sum(one) for one in table]
        note = (
            f"{outcome} is missing for {shares[0]:.1%} of treated and {shares[1]:.1%} of other rows, left out"
        )
        if fisher_exact(table).pvalue < _UNEVEN:
            note += "; the shares differ, so the change may have moved who is seen"
        return frame[~lacking], [note + "."]


def balance_p_value(X: pd.DataFrame, treatment: np.ndarray) -> float:
    """Return the p-value of the likelihood-ratio test that covariates do not tell the arms apart."""
    matrix = Design.of(X, "linear").matrix(X)
    matrix = matrix[:, matrix.std(axis=0) > 1e-12]
    if not matrix.shape[1]:
        return 1.0
    p = fit_logistic(matrix, treatment, penalty=1e-6).predict(matrix)
    rate = treatment.mean()
    gain = xlogy(treatment, p / rate) + xlogy(1 - treatment, (1 - p) / (1 - rate))
    return float(chi2.sf(max(2 * gain.sum(), 0.0), matrix.shape[1]))


def plot_effects(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot the table of `EffectReport.frame`: each outcome's relative effect with its interval.

    Parameters
    ----------
    table : DataFrame
        Columns outcome, effect, lower, upper, baseline.
    ax : Axes, default None
        Where to draw; None: new axes.

    Returns
    -------
    Axes
    """
    ax = axes(ax, "plot_effects")
    base = table["baseline"].abs().where(table["baseline"] != 0, 1.0)
    place = np.arange(len(table))[::-1]
    center = table["effect"] / base
    spread = [(table["effect"] - table["lower"]) / base, (table["upper"] - table["effect"]) / base]
    ax.errorbar(center, place, xerr=spread, fmt="o", capsize=3)
    ax.axvline(0.0, color="gray", linestyle="--")
    ax.set_yticks(place, table["outcome"].to_list())
    ax.set(xlabel="effect as a fraction of the level without the change")
    return ax


def _holm(p: np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p-values."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
