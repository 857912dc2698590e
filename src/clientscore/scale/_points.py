"""Points: log-odds of bad as a number that bankers read, higher is better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from clientscore._checks import check_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

# A number, an array or a Series; the result is of the same kind.
Values: TypeAlias = Any


@dataclass(frozen=True)
class ScoreScale:
    """Points from log-odds of bad: ``base_points - pdo / ln 2 * (log_odds + ln base_odds)``.

    Higher points are better.

    Parameters
    ----------
    base_points : float, default 600
        Points of a client whose odds good : bad are `base_odds`.
    base_odds : float, default 50
        Odds good : bad at `base_points`, > 0.
    pdo : float, default 20
        Points that double the odds, > 0.

    Raises
    ------
    InvalidParameterError
        If a figure lies outside its range.

    Examples
    --------
    >>> scale = ScoreScale()
    >>> round(scale.points_from_pd(1 / 51), 6), round(scale.points_from_pd(1 / 101), 6)
    (600.0, 620.0)
    """

    base_points: float = 600
    base_odds: float = 50
    pdo: float = 20

    def __post_init__(self) -> None:
        check_interval("base_points", self.base_points)
        check_interval("base_odds", self.base_odds, low=0, closed="neither")
        check_interval("pdo", self.pdo, low=0, closed="neither")

    @cached_property
    def factor(self) -> float:
        """Points for one unit of log-odds of good."""
        return self.pdo / math.log(2)

    @cached_property
    def _log_base_odds(self) -> float:
        return math.log(self.base_odds)

    def points_from_log_odds(self, log_odds: Values) -> Values:
        """Return the points of log-odds of bad."""
        return self.base_points - self.factor * (log_odds + self._log_base_odds)

    def log_odds_from_points(self, points: Values) -> Values:
        """Return the log-odds of bad of points."""
        return (self.base_points - points) / self.factor - self._log_base_odds

    def points_from_pd(self, probability: Values) -> Values:
        """Return the points of a probability of bad, in (0, 1)."""
        log_odds: Any = np.log(probability) - np.log1p(-probability)
        return self.points_from_log_odds(like(probability, log_odds))

    def pd_from_points(self, points: Values) -> Values:
        """Return the probability of bad of points."""
        return like(points, np.exp(-np.logaddexp(0.0, -self.log_odds_from_points(points))))

    def to_dict(self) -> dict[str, float]:
        """Return the three figures."""
        return {"base_points": self.base_points, "base_odds": self.base_odds, "pdo": self.pdo}

    @classmethod
    def from_dict(cls, state: Mapping[str, float]) -> ScoreScale:
        """Build the scale from :meth:`to_dict`."""
        return cls(**state)


def like(given: Values, result: Any) -> Values:
    """Return a plain float where a plain number was given."""
    return float(result) if isinstance(given, float | int) else result
