"""An effect with its interval: the result of every estimator of an average."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

_FIGURES = (
    "effect",
    "standard_error",
    "lower",
    "upper",
    "p_value",
    "baseline",
    "relative_effect",
    "n_treated",
    "n_control",
    "n_clients",
)


@dataclass(frozen=True)
class EffectEstimate:
    """The average effect of an action on one outcome.

    Parameters
    ----------
    outcome : str
        What was measured.
    method : str
        "difference in means", "difference in means, CUPED", "AIPW" or "difference in differences".
    effect : float
        Mean outcome with the action less mean outcome without it, in the outcome's unit.
    standard_error : float
        Of the effect; rows of one client (or group) count together.
    degrees_of_freedom : float
        Of the Student interval.
    level : float
        Probability of the interval, a fraction.
    baseline : float
        Mean outcome without the action, same unit.
    n_treated, n_control : int
        Rows with and without the action.
    n_clients : int
        Clients (or groups) that the standard error counts.
    details : mapping, optional
        Figures of the method: variance reduction, overlap, the check of trends before.
    notes : tuple of str, default ()
        What a reader must know before believing the interval.

    Examples
    --------
    >>> found = EffectEstimate("satisfied", "AIPW", 0.04, 0.01, 500.0, 0.95, 0.80, 250, 252, 502)
    >>> print(found)
    satisfied: +0.04 (95% interval +0.02035 to +0.05965), from 0.8 without, p < 0.0001, AIPW
    """

    outcome: str
    method: str
    effect: float
    standard_error: float
    degrees_of_freedom: float
    level: float
    baseline: float
    n_treated: int
    n_control: int
    n_clients: int
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def lower(self) -> float:
        """Lower end of the interval."""
        return self.effect - self._half_width

    @property
    def upper(self) -> float:
        """Upper end of the interval."""
        return self.effect + self._half_width

    @property
    def p_value(self) -> float:
        """Two-sided p-value of no effect."""
        if self.standard_error == 0:
            return float(self.effect == 0)
        return float(2 * student.sf(abs(self.effect) / self.standard_error, self.degrees_of_freedom))

    @property
    def relative_effect(self) -> float:
        """Effect as a fraction of the baseline; missing where that is 0."""
        return self.effect / self.baseline if self.baseline else float("nan")

    @property
    def _half_width(self) -> float:
        quantile = student.ppf((1 + self.level) / 2, self.degrees_of_freedom)
        return float(quantile) * self.standard_error

    def frame(self) -> pd.DataFrame:
        """Return one row: outcome, method, effect, interval, p_value, baseline, relative_effect, counts."""
        figures = {name: getattr(self, name) for name in _FIGURES}
        return pd.DataFrame([{"outcome": self.outcome, "method": self.method, **figures}])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        figures = {name: getattr(self, name) for name in _FIGURES}
        return {
            "outcome": self.outcome,
            "method": self.method,
            **figures,
            "level": self.level,
            "details": plain(self.details),
            "notes": list(self.notes),
        }

    def sentence(self) -> str:
        """Return the answer in one sentence."""
        return (
            f"{self.outcome}: {self.effect:+.4g} ({self.level:.0%} interval {self.lower:+.4g} to "
            f"{self.upper:+.4g}), from {self.baseline:.4g} without, {short_p(self.p_value)}, "
            f"{self.method}"
        )

    def __str__(self) -> str:
        return "\n".join([self.sentence(), *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return f"<p>{html.escape(self.sentence())}</p>{self.frame().to_html(index=False)}<ul>{notes}</ul>"


def short_p(value: float) -> str:
    """Return a p-value in words, with the digits that count."""
    if value < 1e-4:
        return "p < 0.0001"
    return f"p = {value:.2f}" if value >= 0.01 else f"p = {value:.1g}"


def plain(value: Any) -> Any:
    """Return values that JSON can carry."""
    if isinstance(value, pd.DataFrame):
        return plain(value.to_dict("records"))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
