"""What counts as leaving, decided by people: no business left, a run-off, a lower share of the wallet."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clientscore._checks import check_integer, check_interval, check_option, did_you_mean
from clientscore.exceptions import InvalidParameterError, PolicyError

if TYPE_CHECKING:
    import os

__all__ = ["Basis", "Combine", "ExitRules", "HardRule", "PartialRule", "SilentRule"]

Combine = Literal["mean", "any", "all"]
Basis = Literal["auto", "turnover", "debt"]

_MEASURES = {
    "balances": ("balance_amount",),
    "payments": ("inflow_amount",),
    "revenue": ("fee_income_amount",),
}


@dataclass(frozen=True)
class HardRule:
    """When a client counts as gone for good though no event says so.

    A closure in ``events`` is a hard exit by itself (``schema.exit_events``). Beside it, a client is gone
    after `inactive_months` months running without business: no balance, no flow in or out, no product. It
    is known on the first day of the month after the last of them, and over on the first day of the month
    after one with business.

    Parameters
    ----------
    inactive_months : int, default 6
        Months without business that make an exit; 0 looks at events alone.
    dormant_amount : float, default 0.0
        Balances up to this amount, on either side of zero, count as none.
    products_count : bool, default True
        Whether a product held (``products_held``, a row of ``facilities`` with a limit or a drawn amount)
        is business. False: balances, flows and drawn amounts alone.
    absent_counts : bool, default True
        Whether a month without a row of a client counts as one without business, once the client has had a
        row in ``interactions`` and in months in which others have one. False: it is not evaluated.
    """

    inactive_months: int = 6
    dormant_amount: float = 0.0
    products_count: bool = True
    absent_counts: bool = True

    def __post_init__(self) -> None:
        check_integer("inactive_months", self.inactive_months, low=0)
        check_interval("dormant_amount", self.dormant_amount, low=0)
        for name in ("products_count", "absent_counts"):
            check_option(name, getattr(self, name), (True, False))


@dataclass(frozen=True)
class SilentRule:
    """When a client counts as gone though every account is open.

    Activity of a month is the mean, over the measures at hand, of the measure's `window_months` mean divided
    by its `base_months` mean, both ending in that month; what the season and lower sales of the client
    explain is divided out of each. A spell of run-off starts when activity was below `ratio` in
    `hold_months` months running, and is known on the first day of the month after the last of them. It ends
    when the `window_months` mean is above `recovery_ratio` of the level before: the mean of up to
    `base_months` months before the first low window.

    Parameters
    ----------
    window_months : int, default 3
        Length of the short mean.
    base_months : int, default 12
        Length of the long mean; a client seen for fewer months is not evaluated.
    ratio : float in (0, 1), default 0.5
        A month is low when activity is below this share.
    hold_months : int, default 3
        Low months in a row that make a spell.
    recovery_ratio : float > 0, default 0.8
        Share of the level before above which the spell ends.
    min_share : float in (0, 1], default 0.65
        Share of the months of a mean that must be there; a month without enough is not evaluated, and a
        run of low months breaks at it.
    measures : mapping of str to sequence of str, optional
        Columns of ``interactions`` that make up each measure, added up; a measure without any of its columns
        is left out. By default balances (``balance_amount``), payments (``inflow_amount``) and revenue
        (``fee_income_amount``: interest follows the loans, and their end has causes of its own).
    combine : {"mean", "any", "all"}, default "mean"
        Whether the mean of the measures counts, the lowest of them ("any" below is low) or the highest.
    season_years : int, default 2
        Earlier years that must show a season before it counts: of the ratios of the same month in the last
        `season_years` + 1 years, at least `season_years` must be known, and the season is the one nearest to
        1 where all of them lie on one side of it, else none. 0: seasons are left in.
    sales_fall : float in (0, 1], default 0.2
        A fall of reported sales from one year to the next by more than this share explains as large a fall
        of activity. 1: sales explain nothing.
    sales_age_months : int, default 18
        A statement explains nothing once its period ended so many months ago.

    Notes
    -----
    Season and sales are taken from what was known in the month itself: the client's own earlier years, and
    the statements published by the first day of the month after.
    """

    window_months: int = 3
    base_months: int = 12
    ratio: float = 0.5
    hold_months: int = 3
    recovery_ratio: float = 0.8
    min_share: float = 0.65
    measures: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(_MEASURES))
    combine: Combine = "mean"
    season_years: int = 2
    sales_fall: float = 0.2
    sales_age_months: int = 18

    def __post_init__(self) -> None:
        check_integer("window_months", self.window_months, low=1)
        check_integer("base_months", self.base_months, low=self.window_months + 1)
        check_interval("ratio", self.ratio, low=0, high=1, closed="neither")
        check_integer("hold_months", self.hold_months, low=1)
        check_interval("recovery_ratio", self.recovery_ratio, low=0, closed="neither")
        check_interval("min_share", self.min_share, low=0, high=1, closed="high")
        check_option("combine", self.combine, Combine)
        check_integer("season_years", self.season_years, low=0)
        check_interval("sales_fall", self.sales_fall, low=0, high=1, closed="high")
        check_integer("sales_age_months", self.sales_age_months, low=1)
        object.__setattr__(self, "measures", _measures(self.measures))

    def __hash__(self) -> int:
        return hash(tuple(str(value) for value in vars(self).values()))


@dataclass(frozen=True)
class PartialRule:
    """When a client has taken part of its business elsewhere: a signal, not a cause of exit.

    The share of wallet is the turnover credited through us in twelve months over the reported sales of
    twelve months, or our drawn loans over the reported debt, at most 1. It has fallen when it lies `drop`
    below the share `months` months before; known on the first day of the month after.

    Parameters
    ----------
    drop : float in (0, 1], default 0.1
        Fall of the share, as a fraction (0.1 is ten points).
    months : int, default 12
        Months between the two shares.
    basis : {"auto", "turnover", "debt"}, default "auto"
        Which share; "auto" takes turnover and, for clients for whom it is not known, debt.
    sales_age_months : int, default 24
        A statement tells nothing once its period ended so many months ago.
    """

    drop: float = 0.1
    months: int = 12
    basis: Basis = "auto"
    sales_age_months: int = 24

    def __post_init__(self) -> None:
        check_interval("drop", self.drop, low=0, high=1, closed="high")
        check_integer("months", self.months, low=1)
        check_option("basis", self.basis, Basis)
        check_integer("sales_age_months", self.sales_age_months, low=1)


@dataclass(frozen=True)
class ExitRules:
    """Every definition of leaving that no event states.

    Parameters
    ----------
    hard : HardRule, optional
        Gone for good; the default `HardRule`.
    silent : SilentRule, optional
        Gone though every account is open; the default `SilentRule`.
    partial : PartialRule, optional
        Part of the business gone; the default `PartialRule`.

    Examples
    --------
    >>> rules = ExitRules(silent=SilentRule(ratio=0.4))
    >>> rules.silent.ratio, rules.hard.inactive_months, rules.partial.drop
    (0.4, 6, 0.1)
    """

    hard: HardRule = field(default_factory=HardRule)
    silent: SilentRule = field(default_factory=SilentRule)
    partial: PartialRule = field(default_factory=PartialRule)

    def __post_init__(self) -> None:
        for name, kind in _PARTS.items():
            if not isinstance(getattr(self, name), kind):
                raise InvalidParameterError(
                    f"{name} must be a {kind.__name__}; got {getattr(self, name)!r}. "
                    f"Give {kind.__name__}(...)."
                )

    def to_state(self) -> dict[str, Any]:
        """Return the rules as plain tables of names and values."""
        state = dataclasses.asdict(self)
        measures = state["silent"]["measures"]
        state["silent"]["measures"] = {name: list(columns) for name, columns in measures.items()}
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ExitRules:
        """Rebuild the rules from `to_state`; what is left out keeps its default, unknown names are faults."""
        faults, parts = [], {}
        for name, given in state.items():
            if name not in _PARTS or not isinstance(given, Mapping):
                faults.append(f"{name!r} is no table of hard, silent, partial.{did_you_mean(name, _PARTS)}")
                continue
            known = [item.name for item in dataclasses.fields(_PARTS[name])]
            faults += [
                f"{name}.{key} is unknown.{did_you_mean(key, known)}" for key in given if key not in known
            ]
            parts[name] = given
        if faults:
            raise PolicyError(f"the exit rules have {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
        return cls(**{name: _PARTS[name](**given) for name, given in parts.items()})

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> ExitRules:
        """Read the rules from a file with the tables ``[hard]``, ``[silent]`` and ``[partial]``."""
        try:
            state = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PolicyError(f"{path} cannot be read as TOML: {error}.") from error
        return cls.from_state(state)


_PARTS: dict[str, Any] = {"hard": HardRule, "silent": SilentRule, "partial": PartialRule}


def _measures(given: Any) -> dict[str, tuple[str, ...]]:
    """Return measures in their one form."""
    if isinstance(given, Mapping) and given:
        lists = {
            str(name): tuple(columns) if isinstance(columns, (list, tuple)) else ()
            for name, columns in given.items()
        }
        if all(columns and all(isinstance(one, str) for one in columns) for columns in lists.values()):
            return lists
    raise InvalidParameterError(
        "measures must name, for each measure, a list of columns of interactions, such as "
        f'{{"balances": ["balance_amount"]}}; got {given!r}.'
    )
