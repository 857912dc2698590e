"""ServiceStrategy: the bank's service policy as checked data."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_option
from clientscore._frames import ids_of
from clientscore.exceptions import PolicyError

from ._actions import stake
from ._allocate import Allocation, allocate
from ._check import PolicyReport, check_policy
from ._explain import Language
from ._parse import Parts, parse
from ._recommend import OUTPUT_COLUMNS, decide, open_gates, pick_actions, plan, reads_of
from ._rules import encode_frame, encode_one
from ._source import Faults, read_toml

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ._parse import Item
    from ._rules import ColumnType, DecisionTable

_CHUNK = 200_000
_TEXT_COLUMNS = (
    "service_layer",
    "coverage",
    "products",
    "reports",
    "actions",
    "rule",
    "strategy_reason",
    "runner_up",
)
_NUMBER_COLUMNS = ("sla_hours", "sla_terms_days", "sla_decision_days", "contact_cadence_days", "action_value")


@dataclass(frozen=True)
class ServiceStrategy:
    """The service policy of a bank: layers, SLAs, products, guardrails, actions, decision tables.

    Decided by people, so it is data: one TOML file that a banker can read. Creation checks it and lists all
    faults at once; `check` then proves that every client gets a plan and that no rule is idle.

    Parameters
    ----------
    document : dict
        The policy as plain data, laid out as the TOML file. Treat it as read-only.

    Raises
    ------
    PolicyError
        The document has faults; all are listed.

    Examples
    --------
    >>> strategy = ServiceStrategy.default()
    >>> strategy.check().frame().empty
    True
    >>> plan = strategy.recommend_one(
    ...     {"tier": "B", "watch": False, "industry": "manufacturing", "segment": "mid", "pd": 0.01,
    ...      "churn_12m": 0.2, "churn_driver_1": "response_hours_mean_3m", "need_probability_12m": 0.6,
    ...      "need_purpose": "capex", "need_amount_expected": 3e6, "value": 400_000.0,
    ...      "consent": True, "kyc_valid": True}
    ... )
    >>> plan["service_layer"], plan["sla_hours"], plan["products"], plan["actions"]
    ('deep_cooperation', 8.0, 'equipment_loan; leasing; term_loan', 'complaint_resolution')
    """

    document: dict[str, Any]
    _parts: Parts = field(init=False, repr=False, compare=False)
    _types: dict[str, ColumnType] = field(init=False, repr=False, compare=False)
    _lines: Faults = field(default_factory=Faults, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults = Faults(self._lines.name, self._lines.lines)
        if not isinstance(self.document, dict):
            raise PolicyError(f"The policy must be a table; got {type(self.document).__name__}.")
        object.__setattr__(self, "document", copy.deepcopy(self.document))
        parts = parse(self.document, faults)
        faults.raise_if()
        object.__setattr__(self, "_parts", parts)
        types = {name: parts.columns[name] for name in sorted(reads_of(parts))}
        object.__setattr__(self, "_types", types)

    @classmethod
    def default(cls) -> ServiceStrategy:
        """Return the default policy, one that a corporate bank can start from."""
        return cls.from_text(cls.default_text(), name="default_policy.toml")

    @staticmethod
    def default_text() -> str:
        """Return the TOML text of the default policy, to be edited."""
        return resources.files(__package__).joinpath("default_policy.toml").read_text(encoding="utf-8")

    @classmethod
    def from_text(cls, text: str, name: str = "policy") -> ServiceStrategy:
        """Read a policy from TOML text; `name` stands in messages.

        Raises
        ------
        PolicyError
            The text is not TOML, or the policy has faults; all are listed with their lines.
        """
        document, faults = read_toml(text, name)
        return cls(document, _lines=faults)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> ServiceStrategy:
        """Read a policy from a TOML file.

        Raises
        ------
        PolicyError
            The file cannot be opened, is not TOML in UTF-8, or the policy has faults; all are listed with
            file and line.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise PolicyError(f"{path} cannot be opened ({error.strerror}). Check the path.") from error
        except UnicodeDecodeError as error:
            raise PolicyError(f"{path} must be a text file in UTF-8; {error}.") from error
        return cls.from_text(text, name=Path(path).name)

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as plain data."""
        return copy.deepcopy(self.document)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ServiceStrategy:
        """Build from plain data."""
        return cls(dict(state))

    def to_state(self) -> dict[str, Any]:
        """Return the state a model file keeps."""
        return self.to_dict()

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ServiceStrategy:
        """Build from the state a model file keeps."""
        return cls.from_dict(state)

    @property
    def layers(self) -> dict[str, Item]:
        """Service layers by name, lowest rank first."""
        return dict(sorted(self._parts.layers.items(), key=lambda item: item[1].more["rank"]))

    @property
    def tables(self) -> tuple[DecisionTable, ...]:
        """Decision tables in the order in which they are asked."""
        return self._parts.tables

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns that `recommend` reads where present."""
        return tuple(self._types)

    def check(self) -> PolicyReport:
        """Prove completeness, find conflicts and unreachable rules; each finding has a counter-example."""
        return check_policy(self._parts, self._lines)

    def recommend(self, frame: pd.DataFrame, *, as_of: Any = None, lang: Language = "en") -> pd.DataFrame:
        """Give each client its service plan.

        Parameters
        ----------
        frame : DataFrame
            One row a client. Needs `tier` and `watch` (see `TierPolicy.assign`); reads the columns in `reads`
            where present. What is absent or missing is "not evaluated": rules that need it fall to the
            table's named default, guardrails that need it block, actions that need it are not valued.
        as_of : date, default None
            Day of the run, for `next_review`; None reads it from the index or the column `as_of`.
        lang : {"en", "zh"}, default "en"
            Language of `strategy_reason` and `runner_up`.

        Returns
        -------
        DataFrame
            On `frame`'s index: `service_layer`, `coverage`, `sla_hours` (first answer), `sla_terms_days`
            (indicative terms), `sla_decision_days`, `contact_cadence_days`, `products`, `reports`, `actions`
            (names joined by "; ", required actions first), `action_value` (expected net value of the listed
            actions, currency units), `rule`, `strategy_reason`, `runner_up`, `next_review`.

        Raises
        ------
        MissingColumnError
            `tier` or `watch` is absent.
        DataError
            A column holds what it cannot hold, such as a tier the policy does not know.
        """
        check_option("lang", lang, Language)
        check_columns(frame.columns, ("tier", "watch"), subject="recommend")
        days = _dates(frame, as_of)
        pieces = []
        for start in range(0, max(len(frame), 1), _CHUNK):
            part = frame.iloc[start : start + _CHUNK]
            columns = encode_frame(part, self._types)
            pieces.append(
                _plan_frame(plan(self._parts, columns, days[start : start + _CHUNK], lang), part.index)
            )
        return pieces[0] if len(pieces) == 1 else pd.concat(pieces)

    def recommend_one(
        self, client: Mapping[str, Any], *, as_of: Any = None, lang: Language = "en"
    ) -> dict[str, Any]:
        """Give one client its service plan, a mapping in and a dict out, without pandas on the way.

        Parameters
        ----------
        client : mapping
            Values by column name, as in `recommend`; None and NaN are missing.
        as_of : date, default None
            Day of the run; None takes ``client["as_of"]`` where present.
        lang : {"en", "zh"}, default "en"
            Language of the texts.

        Returns
        -------
        dict
            The columns of `recommend`; `next_review` is a ``datetime.date`` or None.

        Raises
        ------
        MissingColumnError
            `tier` or `watch` is absent.
        """
        check_option("lang", lang, Language)
        check_columns(client, ("tier", "watch"), subject="recommend_one")
        day = client.get("as_of") if as_of is None else as_of
        days = np.array([np.datetime64("NaT") if day is None else day], dtype="datetime64[D]")
        result = plan(self._parts, encode_one(client, self._types), days, lang)
        one = {name: values[0] for name, values in result.items()}
        for name in _NUMBER_COLUMNS:
            one[name] = None if one[name] is None or np.isnan(one[name]) else float(one[name])
        one["next_review"] = one["next_review"].item()
        return one

    def candidates(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return every action that each client is eligible for and whose value is known, one row each.

        Parameters
        ----------
        frame : DataFrame
            As in `recommend`.

        Returns
        -------
        DataFrame
            `client_id`, `action`, `kind`, `required`, `value` (expected net value) with its parts `uplift`,
            `value_at_stake`, `value_kept`, `need_won`, `expected_loss_change`, `loss_avoided`, `cost`
            (currency units), and `hours` of a relationship manager.
        """
        check_columns(frame.columns, ("tier", "watch"), subject="candidates")
        n = len(frame)
        columns = encode_frame(frame, self._types)
        decide(self._parts, columns, n)
        picked = pick_actions(self._parts, columns, open_gates(self._parts, columns, n), n)
        at_stake = stake(columns, self._parts)
        ids = ids_of(frame)
        pieces = []
        for position, item in enumerate(picked.valued):
            open_ = np.isfinite(picked.values[position]) | (picked.required[position] & ~np.isnan(item.value))
            rows = np.flatnonzero(open_)
            table = {
                "position": rows, "client_id": ids[rows], "action": item.action.name,
                "kind": item.action.kind, "required": item.action.required,
                "value": item.value[rows], "uplift": item.uplift[rows],
                "value_at_stake": at_stake[rows], "value_kept": item.kept[rows],
                "need_won": item.won[rows], "expected_loss_change": item.loss_change[rows],
                "loss_avoided": item.avoided[rows], "cost": item.cost[rows], "hours": item.action.hours,
            }  # fmt: skip
            pieces.append(pd.DataFrame(table))
        long = pd.concat(pieces, ignore_index=True)
        long = long.astype({"client_id": "str", "action": "str", "kind": "str"})
        return long.sort_values("position", kind="stable", ignore_index=True).drop(columns="position")

    def allocate(self, frame: pd.DataFrame, capacity: Mapping[str, float]) -> Allocation:
        """Choose at most one action a client so that the total value is highest within the capacities.

        Parameters
        ----------
        frame : DataFrame
            The book as in `recommend`, or candidates as from `candidates` (a frame with a column `action`).
        capacity : mapping of str to float
            What there is of each resource. "rm_hours" counts the column `hours`, "budget" the column `cost`,
            any other name the candidate column of that name.

        Returns
        -------
        Allocation
            `.frame()`, `.prices`, `.bound`, `.value`, `.used`.
        """
        candidates = frame if "action" in frame.columns else self.candidates(frame)
        return allocate(candidates, capacity)


def _dates(frame: pd.DataFrame, as_of: Any) -> np.ndarray:
    """Return the day of the run for each row, NaT where unknown."""
    if as_of is not None:
        return np.full(len(frame), pd.Timestamp(as_of).to_datetime64(), dtype="datetime64[D]")
    if "as_of" in frame.columns:
        days = pd.to_datetime(frame["as_of"])
    elif "as_of" in frame.index.names:
        days = pd.to_datetime(frame.index.get_level_values("as_of"))
    else:
        return np.full(len(frame), np.datetime64("NaT"), dtype="datetime64[D]")
    result: np.ndarray = days.to_numpy().astype("datetime64[D]")
    return result


def _plan_frame(result: dict[str, Any], index: pd.Index) -> pd.DataFrame:
    """Bring the plan into the column types of an assessment."""
    columns = {}
    for name in OUTPUT_COLUMNS:
        if name in _TEXT_COLUMNS:
            columns[name] = pd.Series(result[name], index=index, dtype="str")
        elif name in _NUMBER_COLUMNS:
            columns[name] = pd.Series(result[name], index=index).astype("float64")
        else:
            columns[name] = pd.Series(result[name].astype("datetime64[us]"), index=index)
    return pd.DataFrame(columns, index=index)
