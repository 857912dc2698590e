"""Settings of the classical learner, as one thing that can be compared, copied and saved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from clientscore._checks import check_integer, check_interval, check_option, did_you_mean
from clientscore.exceptions import InvalidParameterError

from ._fit_bins import MOST_BINS

if TYPE_CHECKING:
    from collections.abc import Mapping

Monotone = Literal["auto", "auto_shape", "none", "increasing", "decreasing", "peak", "valley"]


@dataclass(frozen=True)
class WoeSettings:
    """How :func:`learn_woe` bins and fits; ``ClientScorer(method=WoeSettings(...))`` learns by them.

    Parameters
    ----------
    monotone : {"auto", "auto_shape", "none", "increasing", "decreasing", "peak", "valley"}, \
default "auto_shape"
        Trend of the bad rate over a number's bins, of features that are not named elsewhere.
    max_prebins : int, default 50
        Most prebins of a feature, 2 to 60,000.
    max_bins : int, default 12
        Most bins of a feature (missing and special codes apart), at least 2.
    min_share : float, default 0.02
        Least share of the feature's known weight in a bin, in [0, 0.5].
    min_events : float, default 0.0
        Least weight of bads, and of goods, in a bin, >= 0.
    rare_share : float, default 0.01
        Levels with less than this share of the feature's known weight share the row "unseen"; in [0, 0.5].
    interpolate : bool, default False
        Whether a number's evidence runs in lines between bins, held as steps.
    penalty : float, default 1.0
        L2 penalty on coefficients, >= 0.

    Raises
    ------
    InvalidParameterError
        If a setting lies outside its rule.

    Examples
    --------
    >>> WoeSettings(min_events=20, interpolate=True).to_dict()["min_events"]
    20
    """

    monotone: Monotone = "auto_shape"
    max_prebins: int = 50
    max_bins: int = 12
    min_share: float = 0.02
    min_events: float = 0.0
    rare_share: float = 0.01
    interpolate: bool = False
    penalty: float = 1.0

    def __post_init__(self) -> None:
        check_option("monotone", self.monotone, Monotone)
        check_integer("max_prebins", self.max_prebins, low=2, high=MOST_BINS)
        check_integer("max_bins", self.max_bins, low=2)
        for name in ("min_share", "rare_share"):
            check_interval(name, getattr(self, name), low=0, high=0.5)
        check_interval("min_events", self.min_events, low=0)
        check_interval("penalty", self.penalty, low=0)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON scalars."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> WoeSettings:
        """Build the settings from :meth:`to_dict`; absent ones take their default."""
        unknown = sorted(set(state) - set(cls.__dataclass_fields__))
        if unknown:
            hint = did_you_mean(unknown[0], cls.__dataclass_fields__)
            raise InvalidParameterError(f"Weight of evidence has no setting {unknown[0]!r}.{hint}")
        return cls(**state)
