"""Targets of service: decided by people, kept as TOML, checked on creation."""

from __future__ import annotations

import dataclasses
import importlib.resources
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clientscore._checks import check_integer, check_interval, check_option, did_you_mean
from clientscore.exceptions import InvalidParameterError, PolicyError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

Kind = Literal["share", "mean", "growth"]
Better = Literal["high", "low"]


@dataclass(frozen=True)
class Target:
    """One figure to reach.

    Parameters
    ----------
    kind : {"share", "mean", "growth"}
        Sum of `numerator` over sum of `denominator` (a share lies in [0, 1]); or growth of the sum of
        `numerator` against the period `periods_back` earlier.
    numerator : str
        Column of the facts.
    denominator : str, default None
        Column of the facts, for a share or a mean.
    goal : float, default 0.0
        Figure to reach, in its unit; shares and growth are fractions.
    tolerance : float, default 0.0
        How far from the goal is amber, at least 0, in the same unit; beyond is red.
    better : {"high", "low"}, default "high"
        Whether the figure should be at least the goal, or at most.
    periods_back : int, default 12
        Of growth: periods to the one compared with, at least 1.

    Examples
    --------
    >>> satisfied = Target("share", "satisfied", "answered", goal=0.9, tolerance=0.05)
    >>> satisfied.state(0.91), satisfied.state(0.87), satisfied.state(0.80)
    ('green', 'amber', 'red')
    """

    kind: Kind
    numerator: str
    denominator: str | None = None
    goal: float = 0.0
    tolerance: float = 0.0
    better: Better = "high"
    periods_back: int = 12

    def __post_init__(self) -> None:
        check_option("kind", self.kind, Kind)
        check_option("better", self.better, Better)
        check_interval("tolerance", self.tolerance, low=0.0)
        check_integer("periods_back", self.periods_back, low=1)
        if self.kind == "share":
            check_interval("goal", self.goal, low=0.0, high=1.0)
        else:
            check_interval("goal", self.goal)
        for name in ("numerator", "denominator"):
            column = getattr(self, name)
            wanted = name == "numerator" or self.kind != "growth"
            if (not isinstance(column, str) or not column) if wanted else column is not None:
                rule = "name a column" if wanted else "be left out of growth"
                raise InvalidParameterError(f"{name} must {rule}; got {column!r}.")

    def state(self, value: float) -> str:
        """Return green, amber or red; "not evaluated" for a missing value."""
        if value != value:  # noqa: PLR0124 -- NaN
            return "not evaluated"
        short = (self.goal - value) if self.better == "high" else (value - self.goal)
        # a figure that is the goal but for rounding meets it
        return "green" if short <= 1e-12 else "amber" if short <= self.tolerance + 1e-12 else "red"


@dataclass(frozen=True)
class KpiTargets:
    """Targets by name.

    Parameters
    ----------
    targets : mapping of str to Target
        In the order of reports.

    Examples
    --------
    >>> targets = KpiTargets.default()
    >>> list(targets.targets)
    ['satisfaction', 'new_lending', 'retention', 'response_within_sla', 'reports_delivered']
    >>> targets.targets["satisfaction"].goal, targets.targets["new_lending"].goal
    (0.9, 0.15)
    """

    targets: Mapping[str, Target]

    def __post_init__(self) -> None:
        wrong = [str(name) for name, one in self.targets.items() if not isinstance(one, Target)]
        if wrong or not self.targets:
            raise InvalidParameterError(
                f"targets must map names to Target; {', '.join(wrong) or 'there are none'}. Give Target(...)."
            )

    @classmethod
    def default(cls) -> KpiTargets:
        """Return the default targets: satisfaction .90, new lending +15 % a year, and so on."""
        source = importlib.resources.files("clientscore.kpi") / "default_targets.toml"
        return cls.from_state(tomllib.loads(source.read_text(encoding="utf-8")), "default_targets.toml")

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> KpiTargets:
        """Read the targets from a file with one table ``[targets.<name>]`` each.

        Raises
        ------
        PolicyError
            The file cannot be read, or with every fault in it: unknown keys, values outside their rule.
        """
        try:
            state = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PolicyError(f"{path} cannot be read as TOML: {error}.") from error
        return cls.from_state(state, Path(path).name)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], name: str = "targets") -> KpiTargets:
        """Build the targets that `to_state` wrote; every fault is told with its key.

        Parameters
        ----------
        state : mapping
            One table ``targets`` of tables.
        name : str, default "targets"
            Name of the file in messages.
        """
        faults = [
            f"{name}: {key} is unknown.{did_you_mean(key, ['targets'])}" for key in state if key != "targets"
        ]
        tables = state.get("targets", {})
        if not isinstance(tables, dict) or not tables:
            faults.append(f"{name}: targets must hold at least one table such as [targets.satisfaction].")
            tables = {}
        made = {}
        for key, table in tables.items():
            found, wrong = _target(f"{name}: targets.{key}", table)
            faults += wrong
            if found is not None:
                made[key] = found
        if faults:
            raise PolicyError(f"{name} has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
        return cls(made)

    def to_state(self) -> dict[str, Any]:
        """Return plain tables; what is None is left out."""
        tables = {name: dataclasses.asdict(one) for name, one in self.targets.items()}
        return {
            "targets": {
                name: {key: value for key, value in table.items() if value is not None}
                for name, table in tables.items()
            }
        }


def _target(where: str, table: Any) -> tuple[Target | None, list[str]]:
    """Return a target, or what is wrong with its table."""
    if not isinstance(table, dict):
        return None, [f"{where} must be a table; got {table!r}."]
    known = [field.name for field in dataclasses.fields(Target)]
    faults = [f"{where}.{key} is unknown.{did_you_mean(key, known)}" for key in table if key not in known]
    faults += [f"{where}.{key} is missing." for key in ("kind", "numerator", "goal") if key not in table]
    if faults:
        return None, faults
    try:
        return Target(**table), []
    except (InvalidParameterError, TypeError) as error:
        return None, [f"{where}.{error}"]
