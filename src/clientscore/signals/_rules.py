"""What people decide about early warning: the signals and their thresholds, history, peers, the summary."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd

from clientscore._checks import did_you_mean
from clientscore.exceptions import InvalidParameterError, PolicyError

from ._formulas import FORMULAS
from ._spec import SignalSpec

if TYPE_CHECKING:
    import os

__all__ = ["SignalRules", "default_signals", "signal_catalogue", "signal_text"]

History = Literal["mean", "median"]
Peers = Literal["industry_segment", "industry", "book"]
_COUNTS = {
    "history_months": (1, 24),
    "min_history_months": (1, 24),
    "min_peers": (2, None),
    "amber_points": (1, None),
    "red_points": (1, None),
    "min_families": (1, None),
}


@cache
def default_signals() -> Mapping[str, SignalSpec]:
    """Return the signals of the library by name, in the order in which they are shown."""
    text = resources.files(__package__).joinpath("signals.toml").read_text(encoding="utf-8")
    state = tomllib.loads(text)
    sources = state["sources"]
    signals = {
        name: SignalSpec.of(name, given | {"source": sources[given["source"]]})
        for name, given in state["signals"].items()
    }
    return MappingProxyType(signals)


@dataclass(frozen=True)
class SignalRules:
    """Signals with their thresholds, what they are compared with, and how they add up to a client's state.

    Parameters
    ----------
    signals : mapping of str to SignalSpec, optional
        The signals; by default all of the library's.
    history_months : int, default 12
        Months before the present one that make the client's own history.
    min_history_months : int, default 6
        Months of them that must be known.
    history : {"mean", "median"}, default "mean"
        What of them is taken.
    peers : {"industry_segment", "industry", "book"}, default "industry"
        The narrowest group of peers; a group of fewer than `min_peers` clients with the signal gives way to
        the next wider one, last the whole book.
    min_peers : int, default 20
        Clients that make a group; where even the book has fewer, there is no percentile.
    amber_points : int, default 4
        Points from which one side of a client is amber: a watch counts 1, an alarm 2.
    red_points : int, default 8
        Points from which it is red.
    min_families : int, default 2
        Families that must speak for amber or red: several signals together, not one part of the picture.

    Raises
    ------
    PolicyError
        When a part breaks its rule; all faults are listed.

    Examples
    --------
    >>> rules = SignalRules.default()
    >>> rules.signals["dpd_days"].alarm.value
    30.0
    >>> rules.changed({"signals": {"dpd_days": {"alarm": {"value": 15}}}}).signals["dpd_days"].alarm.value
    15.0
    """

    signals: Mapping[str, SignalSpec] = field(default_factory=default_signals)
    history_months: int = 12
    min_history_months: int = 6
    history: History = "mean"
    peers: Peers = "industry"
    min_peers: int = 20
    amber_points: int = 4
    red_points: int = 8
    min_families: int = 2

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise PolicyError(f"the signal rules have {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
        object.__setattr__(self, "signals", MappingProxyType(dict(self.signals)))

    @classmethod
    def default(cls) -> SignalRules:
        """Return the default rules."""
        return cls()

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> SignalRules:
        """Return the default rules changed by a file.

        Parameters
        ----------
        path : str or path
            A TOML file with the parameters above and tables ``[signals.<name>]``: parts of a known signal
            to replace, ``enabled = false`` to leave it out, or a whole signal of your own.

        Raises
        ------
        PolicyError
            When the file cannot be read or breaks a rule.
        """
        try:
            state = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PolicyError(f"{path} cannot be read as TOML: {error}.") from error
        return cls().changed(state)

    def changed(self, given: Mapping[str, Any]) -> SignalRules:
        """Return the rules with some parts replaced, written as in a file: see `from_toml`."""
        known = [item.name for item in fields(self)]
        faults = [f"{name!r} is unknown.{did_you_mean(name, known)}" for name in given if name not in known]
        signals = dict(self.signals)
        for name, table in _tables(given.get("signals", {}), faults).items():
            parts = dict(table)
            try:
                if not parts.pop("enabled", True):
                    signals.pop(name, None)
                elif name in signals:
                    signals[name] = _changed(signals[name], parts)
                else:
                    signals[name] = SignalSpec.of(name, parts)
            except PolicyError as error:
                faults.append(str(error))
        if faults:
            raise PolicyError(f"the signal rules have {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
        own = {name: getattr(self, name) for name in known}
        return SignalRules(**(own | dict(given) | {"signals": signals}))

    def to_state(self) -> dict[str, Any]:
        """Return the rules as plain tables of names and values."""
        state = {item.name: getattr(self, item.name) for item in fields(self)}
        return state | {"signals": {name: spec.to_state() for name, spec in self.signals.items()}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SignalRules:
        """Rebuild the rules from `to_state`."""
        signals = {name: SignalSpec.of(name, given) for name, given in state["signals"].items()}
        return cls(**(dict(state) | {"signals": signals}))


def signal_catalogue(rules: SignalRules | None = None) -> pd.DataFrame:
    """Return the signals as a table, one row each.

    Parameters
    ----------
    rules : SignalRules, default None
        The rules; None takes the defaults.

    Returns
    -------
    DataFrame indexed by signal
        side, family, direction, formula, months, reads, words, watch, alarm (as text), lead_months_low,
        lead_months_high, en, zh, source.

    Examples
    --------
    >>> signal_catalogue().loc["dpd_days", ["side", "watch", "alarm"]].tolist()
    ['credit', 'value >= 5', 'value >= 30']
    """
    rules = SignalRules() if rules is None else rules
    rows = {}
    for name, spec in rules.signals.items():
        sign = ">=" if spec.direction == "high" else "<="
        limits = {
            label: " or ".join(f"{what} {sign} {limit:g}" for what, limit in one.limits().items())
            for label, one in (("watch", spec.watch), ("alarm", spec.alarm))
        }
        rows[name] = {
            "side": spec.side,
            "family": spec.family,
            "direction": spec.direction,
            "formula": spec.formula,
            "months": spec.months,
            "reads": ", ".join(spec.reads),
            "words": ", ".join(spec.words),
            **limits,
            "lead_months_low": spec.lead_months[0],
            "lead_months_high": spec.lead_months[1],
            "en": spec.en,
            "zh": spec.zh,
            "source": spec.source,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("signal")


def signal_text(name: str, lang: Literal["en", "zh"] = "en", rules: SignalRules | None = None) -> str:
    """Return a signal in words.

    Parameters
    ----------
    name : str
        The signal.
    lang : {"en", "zh"}, default "en"
        The language.
    rules : SignalRules, default None
        The rules that know it; None takes the defaults.

    Raises
    ------
    InvalidParameterError
        When the signal or the language is not known.

    Examples
    --------
    >>> signal_text("dpd_days")
    'most days past due in three months'
    >>> signal_text("dpd_days", "zh")
    '近三个月最长逾期天数'
    """
    signals = default_signals() if rules is None else rules.signals
    if name not in signals:
        raise InvalidParameterError(f"signal {name!r} is not known.{did_you_mean(name, signals)}")
    if lang not in ("en", "zh"):
        raise InvalidParameterError(f"lang must be one of 'en', 'zh'; got {lang!r}.")
    return str(getattr(signals[name], lang))


def _changed(spec: SignalSpec, parts: Mapping[str, Any]) -> SignalSpec:
    """Return a known signal with parts replaced; unknown parts are faults."""
    return SignalSpec.of(spec.name, spec.to_state() | dict(parts))


def _tables(given: Any, faults: list[str]) -> dict[str, Mapping[str, Any]]:
    """Return the tables of signals of a file."""
    if not isinstance(given, Mapping):
        faults.append(f"signals must be tables by name; got {given!r}")
        return {}
    wrong = [name for name, parts in given.items() if not isinstance(parts, Mapping)]
    faults += [f"signals.{name} must be a table of names and values; got {given[name]!r}" for name in wrong]
    return {name: parts for name, parts in given.items() if name not in wrong}


def _faults(rules: SignalRules) -> list[str]:
    """Return what breaks the rules of the rules."""
    faults = []
    for name, (low, high) in _COUNTS.items():
        value = getattr(rules, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < low or (high is not None and value > high):
            most = "" if high is None else f" and at most {high}"
            faults.append(f"{name} must be a whole number of at least {low}{most}; got {value!r}")
    for name, options in (("history", History), ("peers", Peers)):
        if getattr(rules, name) not in get_args(options):
            listed = ", ".join(map(repr, get_args(options)))
            faults.append(f"{name} must be one of {listed}; got {getattr(rules, name)!r}")
    for less, more in (("min_history_months", "history_months"), ("amber_points", "red_points")):
        low, high = getattr(rules, less), getattr(rules, more)
        if not faults and low > high:
            faults.append(f"{less} = {low} must not exceed {more} = {high}")
    return faults + _faults_of_signals(rules.signals)


def _faults_of_signals(signals: Any) -> list[str]:
    """Return what is wrong with the signals of the rules."""
    if not isinstance(signals, Mapping) or not signals:
        return [f"signals must hold at least one signal by name; got {signals!r}"]
    faults = []
    for name, spec in signals.items():
        if not isinstance(spec, SignalSpec) or spec.name != name:
            faults.append(f"signals[{name!r}] must be the SignalSpec of that name; got {spec!r}")
        elif spec.formula not in FORMULAS:
            hint = did_you_mean(spec.formula, FORMULAS)
            faults.append(f"signals[{name!r}]: formula {spec.formula!r} is not known.{hint}")
    return faults
