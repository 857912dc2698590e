"""What people decide about one feature: direction, special codes, range, and what odd values score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from clientscore._checks import check_option, did_you_mean
from clientscore.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._bins import RowKind

Direction = Literal["increasing", "decreasing"]
RowPolicy = Literal["empirical", "average", "worst", "best", "refuse"]


@dataclass(frozen=True)
class FeatureRule:
    """Decisions about one feature of a card.

    Four kinds of rows stand beside a feature's values: special codes, missing, unseen levels, numbers out of
    range.  By the policy "empirical" a row scores what training says of it; where training never met it, 0
    (the average of the training clients), or out of range what the nearest interval scores.

    Parameters
    ----------
    monotone : {"increasing", "decreasing"} or None, default None
        Direction in which the log-odds must move with the number.
    specials : tuple of float, default ()
        Numbers that are codes, each with a row of its own.
    low, high : float, default None
        Least and greatest number in range; None for those that training holds.
    special, missing, unseen, out_of_range : {"empirical", "average", "worst", "best", "refuse"}, \
default "empirical"
        What such a row scores: as learned; the mean of the training clients; as the value row of the highest
        or of the lowest log-odds; or nothing: such a client is refused with an error.

    Raises
    ------
    InvalidParameterError
        If a decision lies outside its rule; all are listed.

    Examples
    --------
    >>> FeatureRule(monotone="increasing", specials=(-999,), missing="worst").specials
    (-999.0,)
    """

    monotone: Direction | None = None
    specials: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    special: RowPolicy = "empirical"
    missing: RowPolicy = "empirical"
    unseen: RowPolicy = "empirical"
    out_of_range: RowPolicy = "empirical"

    def __post_init__(self) -> None:
        if self.monotone is not None:
            check_option("monotone", self.monotone, Direction)
        for kind in ("special", "missing", "unseen", "out_of_range"):
            check_option(kind, getattr(self, kind), RowPolicy)
        numbers = isinstance(self.specials, Sequence) and all(
            isinstance(code, Real) for code in self.specials
        )
        if not numbers:
            raise InvalidParameterError(
                f"specials must be a tuple of numbers; got {self.specials!r}. Write (-999,) for one code."
            )
        object.__setattr__(self, "specials", tuple(float(code) for code in self.specials))
        faults = []
        if not all(map(math.isfinite, self.specials)) or len(set(self.specials)) != len(self.specials):
            faults.append(f"specials must be finite numbers, each once; got {self.specials}.")
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not all(map(math.isfinite, bounds)) or bounds != sorted(bounds):
            faults.append(f"low and high must be finite and in order; got {self.low}, {self.high}.")
        if faults:
            raise InvalidParameterError("The rule of a feature cannot be used.", faults)

    def policies(self) -> dict[RowKind, RowPolicy]:
        """Return the policy of each kind of row that is not "empirical"."""
        kinds: tuple[RowKind, ...] = ("special", "missing", "unseen", "out_of_range")
        return {kind: getattr(self, kind) for kind in kinds if getattr(self, kind) != "empirical"}

    def to_dict(self) -> dict[str, Any]:
        """Return the decisions as JSON scalars and lists."""
        return {**asdict(self), "specials": list(self.specials)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> FeatureRule:
        """Build the rule from :meth:`to_dict`; absent decisions take their default."""
        unknown = sorted(set(state) - set(cls.__dataclass_fields__))
        if unknown:
            hint = did_you_mean(unknown[0], cls.__dataclass_fields__)
            raise InvalidParameterError(f"A rule of a feature has no {unknown[0]!r}.{hint}")
        return cls(**{**state, "specials": tuple(state.get("specials", ()))})


def check_rules(rules: Mapping[str, FeatureRule] | None, names: Iterable[str]) -> dict[str, FeatureRule]:
    """Return rules by feature; raise unless each is a rule of a feature that exists."""
    if rules is not None and not isinstance(rules, Mapping):
        raise InvalidParameterError(f"rules must map features to FeatureRule; got {type(rules).__name__}.")
    known, given = set(names), dict(rules or {})
    faults = [f"{name!r} is no feature.{did_you_mean(name, known)}" for name in given if name not in known]
    faults += [
        f"{name!r} must have a FeatureRule; got {rule!r}."
        for name, rule in given.items()
        if not isinstance(rule, FeatureRule)
    ]
    if faults:
        raise InvalidParameterError("rules must map features to rules.", faults)
    return given
