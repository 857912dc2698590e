"""One early-warning signal as data: what it reads, how it is computed, from where on it speaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from numbers import Real
from typing import Any, Literal, get_args

from clientscore._checks import did_you_mean
from clientscore.exceptions import PolicyError

__all__ = ["Direction", "Side", "SignalSpec", "Threshold"]

Side = Literal["attrition", "credit"]
Direction = Literal["high", "low"]


@dataclass(frozen=True)
class Threshold:
    """From where on a signal speaks; one limit reached is enough.

    Parameters
    ----------
    value : float, default None
        Limit of the value.
    change : float, default None
        Limit of the value less the client's own history.
    percentile : float in [0, 1], default None
        Limit of the percentile among peers.

    Notes
    -----
    A limit is reached at or beyond it, in the direction of the signal.
    """

    value: float | None = None
    change: float | None = None
    percentile: float | None = None

    def limits(self) -> dict[str, float]:
        """Return the limits that are set."""
        return {name: limit for name, limit in vars(self).items() if limit is not None}


@dataclass(frozen=True)
class SignalSpec:
    """One early-warning signal.

    Parameters
    ----------
    name : str
        The signal.
    side : {"attrition", "credit"}
        Whether it warns of a client that leaves or of one that cannot pay.
    family : str
        Part of the relationship or of the client's affairs that speaks.
    direction : {"high", "low"}
        Whether a higher or a lower value is worse.
    formula : str
        How the value is computed: a name of `FORMULAS`.
    reads : sequence of str
        Columns as "table.column"; without one of them the signal is not evaluated.
    en, zh : str
        The signal in English and Chinese words.
    watch, alarm : Threshold or mapping, default Threshold()
        From where on the state is watch, and alarm; at least one limit in one of the two.
    words : sequence of str, default ()
        Words of events or products that count; those of events must be levels of the schema, else nobody
        records them and the signal is not evaluated.
    months : int, default 12
        Length of the formula's window, where it has one.
    source : str, default ""
        Where the signal comes from.
    lead_months : sequence of two int, default (0, 12)
        How long before the event it usually speaks.

    Raises
    ------
    PolicyError
        When a part breaks its rule; all faults are listed.

    Examples
    --------
    >>> spec = SignalSpec("dpd", "credit", "behavior", "high", "highest", ["facilities.dpd_days"],
    ...                   "days past due", "逾期天数", alarm={"value": 30}, months=3)
    >>> spec.alarm.limits(), spec.tables
    ({'value': 30.0}, ('facilities',))
    """

    name: str
    side: Side
    family: str
    direction: Direction
    formula: str
    reads: tuple[str, ...]
    en: str
    zh: str
    watch: Threshold = field(default_factory=Threshold)
    alarm: Threshold = field(default_factory=Threshold)
    words: tuple[str, ...] = ()
    months: int = 12
    source: str = ""
    lead_months: tuple[int, int] = (0, 12)

    def __post_init__(self) -> None:
        faults: list[str] = []
        for name in ("watch", "alarm"):
            object.__setattr__(self, name, _threshold(getattr(self, name), name, faults))
        for name in ("reads", "words", "lead_months"):
            given = getattr(self, name)
            is_list = isinstance(given, Sequence) and not isinstance(given, str)
            object.__setattr__(self, name, tuple(given) if is_list else (given,))
        faults += _faults(self)
        if faults:
            raise PolicyError(
                f"signal {self.name!r} has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults
            )

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that it reads."""
        return tuple(dict.fromkeys(place.split(".")[0] for place in self.reads))

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Tables and columns that it reads."""
        return tuple((place.split(".")[0], place.split(".")[1]) for place in self.reads)

    def to_state(self) -> dict[str, Any]:
        """Return the signal as a plain table of names and values, without its name."""
        state = asdict(self)
        del state["name"]
        limits = {"watch": self.watch.limits(), "alarm": self.alarm.limits()}
        lists = {name: list(state[name]) for name in ("reads", "words", "lead_months")}
        return state | limits | lists

    def changed(self, given: Mapping[str, Any]) -> SignalSpec:
        """Return the signal with some parts replaced; a threshold is replaced as a whole."""
        return SignalSpec(**({"name": self.name} | self.to_state() | dict(given)))

    @classmethod
    def of(cls, name: str, given: Any) -> SignalSpec:
        """Build a signal from a table of names and values; unknown and missing parts are faults."""
        known = [item.name for item in fields(cls) if item.name != "name"]
        needed = ("side", "family", "direction", "formula", "reads", "en", "zh")
        if not isinstance(given, Mapping):
            raise PolicyError(f"signal {name!r} must be a table of names and values; got {given!r}.")
        faults = [f"{key!r} is unknown.{did_you_mean(key, known)}" for key in given if key not in known]
        faults += [f"{key!r} is missing" for key in needed if key not in given]
        if faults:
            raise PolicyError(f"signal {name!r} has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
        return cls(name, **given)


def _threshold(given: Any, name: str, faults: list[str]) -> Threshold:
    """Return a threshold in its one form."""
    parts = given.limits() if isinstance(given, Threshold) else given
    known = [item.name for item in fields(Threshold)]
    if not isinstance(parts, Mapping):
        faults.append(f"{name} must be a table of {', '.join(known)}; got {given!r}")
        return Threshold()
    kept = {}
    for key, limit in parts.items():
        if key not in known:
            faults.append(f"{name}.{key} is unknown.{did_you_mean(str(key), known)}")
        elif not isinstance(limit, Real) or isinstance(limit, bool) or not math.isfinite(limit):
            faults.append(f"{name}.{key} must be a number; got {limit!r}")
        elif key == "percentile" and not 0 <= float(limit) <= 1:
            faults.append(f"{name}.percentile must lie in [0, 1]; got {limit!r}")
        else:
            kept[key] = float(limit)
    return Threshold(**kept)


def _faults(spec: SignalSpec) -> list[str]:
    """Return what breaks the rules of a signal."""
    faults = []
    for label, options in (("side", Side), ("direction", Direction)):
        if getattr(spec, label) not in get_args(options):
            listed = ", ".join(map(repr, get_args(options)))
            faults.append(f"{label} must be one of {listed}; got {getattr(spec, label)!r}")
    texts = ("family", "formula", "en", "zh")
    wrong = [
        label for label in texts if not isinstance(getattr(spec, label), str) or not getattr(spec, label)
    ]
    faults += [f"{label} must be text; got {getattr(spec, label)!r}" for label in wrong]
    if not isinstance(spec.months, int) or isinstance(spec.months, bool) or not 1 <= spec.months <= 12:
        faults.append(f"months must be a whole number from 1 to 12; got {spec.months!r}")
    return faults + _faults_of_lists(spec) + _faults_of_limits(spec)


def _faults_of_lists(spec: SignalSpec) -> list[str]:
    """Return what is wrong with columns, words and lead months."""
    faults = []
    if not spec.reads or not all(isinstance(one, str) and one.count(".") == 1 for one in spec.reads):
        faults.append(f'reads must list columns as "table.column"; got {list(spec.reads)!r}')
    if not all(isinstance(one, str) and one for one in spec.words):
        faults.append(f"words must be a list of text; got {list(spec.words)!r}")
    lead = spec.lead_months
    if len(lead) != 2 or not all(isinstance(one, int) for one in lead) or not 0 <= lead[0] <= lead[1]:
        faults.append(f"lead_months must be two whole numbers, the shorter first; got {list(lead)!r}")
    return faults


def _faults_of_limits(spec: SignalSpec) -> list[str]:
    """Return what is wrong with the thresholds."""
    watch, alarm = spec.watch.limits(), spec.alarm.limits()
    if not watch and not alarm:
        return ["watch or alarm must set a limit: without one the signal never speaks"]
    sign = 1.0 if spec.direction == "high" else -1.0
    return [
        f"alarm.{name} = {alarm[name]:g} comes before watch.{name} = {watch[name]:g}; swap them"
        for name in watch
        if name in alarm and sign * alarm[name] < sign * watch[name]
    ]
