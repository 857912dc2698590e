"""ServiceStrategy: the bank's service policy as checked data."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_option
from clientscore.exceptions import PolicyError

from ._allocate import Allocation, allocate
from ._candidates import list_candidates, stated_capacity
from ._capacity import groups_of
from ._check import PolicyReport, check_policy, refuse
from ._control import control_cells
from ._diff import PolicyDiff, compare
from ._examples import doubt_units, run_examples
from ._explain import Language
from ._extras import moved
from ._parse import parse
from ._recommend import OUTPUT_COLUMNS, decided_frame, plan, reads_of
from ._rules import encode_frame, encode_one
from ._source import Faults, read_toml

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from clientscore.value import ValueParameters

    from ._parts import Item, Parts
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
    "policy_warning",
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
    def from_text(cls, text: str, name: str = "policy", *, strict: bool = False) -> ServiceStrategy:
        """Read a policy from TOML text.

        Parameters
        ----------
        text : str
            The policy.
        name : str, default "policy"
            What it is called in messages.
        strict : bool, default False
            Whether gaps, overlapping rules and rules that never decide are faults too; else they are left
            to `check`.

        Raises
        ------
        PolicyError
            The text is not TOML, or the policy has faults; all are listed with their lines.
        """
        document, faults = read_toml(text, name)
        if strict:
            refuse(parse(document, faults), faults)
        return cls(document, _lines=faults)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *, strict: bool = True) -> ServiceStrategy:
        """Read a policy from a TOML file, to be put to work.

        Parameters
        ----------
        path : str or path
            The file.
        strict : bool, default True
            Whether gaps, overlapping rules and rules that never decide are faults too; with False a draft
            can be read and looked at with `check`.

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
        return cls.from_text(text, name=Path(path).name, strict=strict)

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
        """Build from the state a model file keeps; figures that older states held elsewhere are moved."""
        return cls.from_dict(moved(state))

    @property
    def layers(self) -> dict[str, Item]:
        """Service layers by name, lowest rank first."""
        return dict(sorted(self._parts.layers.items(), key=lambda item: item[1].more["rank"]))

    def value_parameters(self) -> ValueParameters:
        """Return the bank's figures behind the value of a client: LGD, CCF, hurdle, margins, win rate.

        The section ``[value]`` of the policy is their one source; `value.client_value` takes them.

        Examples
        --------
        >>> ServiceStrategy.default().value_parameters().lgd
        0.4
        """
        return self._parts.value

    @property
    def policy_id(self) -> str:
        """Name, version and a hash of all that the policy says: what a record of decisions refers to."""
        head = self.document.get("policy", {})
        said = json.dumps(self.document, sort_keys=True, ensure_ascii=False, default=str)
        digest = hashlib.sha256(said.encode()).hexdigest()[:12]
        return " ".join([*(str(head[key]) for key in ("name", "version") if key in head), digest])

    @property
    def tables(self) -> tuple[DecisionTable, ...]:
        """Decision tables in the order in which they are asked."""
        return self._parts.tables

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns that `recommend` reads where present."""
        return tuple(self._types)

    def check(self, frame: pd.DataFrame | None = None) -> PolicyReport:
        """Prove completeness, find conflicts and unreachable rules, run the examples of the policy.

        Parameters
        ----------
        frame : DataFrame, default None
            A book as in `recommend`; with it, amounts in another unit than the book's are found too.

        Returns
        -------
        PolicyReport
            `.frame()`, one row a finding with a counter-example; `.ok`; `.raise_if()`.
        """
        findings = [*check_policy(self._parts, self._lines).findings]
        findings += run_examples(self._parts, self._types, self._lines)
        if frame is not None:
            check_columns(frame.columns, ("tier", "watch"), subject="check")
            findings += doubt_units(self._parts, self._types, frame)
        return PolicyReport(tuple(findings))

    def decide(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Ask the decision tables alone: their outputs and rules, no products, actions or texts.

        Parameters
        ----------
        frame : DataFrame
            As in `recommend`; `tier` and `watch` may be absent.

        Returns
        -------
        DataFrame
            On `frame`'s index: the outputs of the tables, and for each table `<table>_rule`, a category
            ("otherwise" and "not evaluated" included).
        """
        pieces = [
            decided_frame(self._parts, encode_frame(part, self._types), part.index)
            for start in range(0, max(len(frame), 1), _CHUNK)
            for part in [frame.iloc[start : start + _CHUNK]]
        ]
        return pieces[0] if len(pieces) == 1 else pd.concat(pieces)

    def diff(self, new: ServiceStrategy, frame: pd.DataFrame) -> PolicyDiff:
        """Compare this policy with a new one on a book: which clients change, in what, and why.

        Parameters
        ----------
        new : ServiceStrategy
            The policy to come.
        frame : DataFrame
            The book as in `recommend`.

        Returns
        -------
        PolicyDiff
            `.frame()`, one row a client and changed output; `.summary()`.

        Examples
        --------
        >>> old = ServiceStrategy.default()
        >>> document = old.to_dict()
        >>> document["tables"]["layer"]["rules"][5]["then"] = {"service_layer": "basic"}
        >>> book = pd.DataFrame({"tier": ["B"], "watch": [False]}, index=pd.Index(["C1"], name="client_id"))
        >>> change = old.diff(ServiceStrategy(document), book).frame().iloc[0]
        >>> change["before"], change["after"], change["why"]
        ('value_added', 'basic', "rule 'core client' gives another answer")
        """
        return compare((self._parts, self._types), (new._parts, new._types), frame)

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
            actions, currency units), `rule`, `strategy_reason`, `runner_up` (the best action that was not
            chosen and why not), `policy_warning` (costs dwarf what is at stake), `next_review`.

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

    def candidates(self, frame: pd.DataFrame, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Return every action that each client is eligible for and whose value is known, one row each.

        Required actions are there whatever they are worth; their value is missing where it is not known.

        Parameters
        ----------
        frame : DataFrame
            As in `recommend`.
        columns : sequence of str, default ()
            Further columns of `frame` to carry along, such as the team.

        Returns
        -------
        DataFrame
            `client_id`, `action`, `kind`, `required`, `value` (expected net value) with its parts `uplift`,
            `value_at_stake`, `value_kept`, `need_won`, `expected_loss_change`, `loss_avoided`, `cost`
            (currency units), and what it takes: `hours` of a relationship manager, `contacts`, and
            `new_lending` (expected additional lending, currency units).
        """
        return list_candidates(self._parts, self._types, frame, columns)[0]

    def control(self, ids: Iterable[Any]) -> pd.Series:
        """Return for each client whether it stands in a control cell of the policy (`[control]`).

        Parameters
        ----------
        ids : iterable of shape (n,)
            Client ids.

        Returns
        -------
        Series of bool
            Indexed by the ids; see `control_cells`.
        """
        ids = list(ids)
        cells = control_cells(ids, self._parts.control.share, self._parts.control.salt)
        return pd.Series(cells, index=pd.Index(ids, name="client_id"), name="control")

    def allocate(
        self,
        frame: pd.DataFrame,
        capacity: Mapping[str, Any] | None = None,
        *,
        max_actions: int | None = None,
        control_share: float | None = None,
        control_salt: str | None = None,
    ) -> Allocation:
        """Choose actions so that the total value is highest within the capacities.

        Required actions come first. Clients in a control cell get nothing else: what they would have got at
        the prices stands in the record with `control`, so that effects can be measured against it.

        Parameters
        ----------
        frame : DataFrame
            The book as in `recommend`, or candidates as from `candidates` (a frame with a column `action`).
        capacity : mapping, default None
            What there is of each resource: an amount, or amounts by a column of the book and its groups
            (``{"calls": {"team": {"north": 40, "south": 60}}}``). "rm_hours" counts the column `hours`,
            "budget" `cost`, "calls" `contacts`, "credit" `new_lending`; any other name the candidate column
            of that name. None takes the section ``[capacities]`` of the policy.
        max_actions : int, default None
            Actions a client may get besides required ones; None takes the policy's `max_actions`.
        control_share : float, default None
            Share of clients in control; None takes the policy's ``[control]``.
        control_salt : str, default None
            Word that names the draw; None takes the policy's.

        Returns
        -------
        Allocation
            `.frame()`, `.prices`, `.bound`, `.value`, `.used`, `.capacities()`.

        Raises
        ------
        InvalidParameterError
            A capacity is negative, missing or names no column or not every group; all are listed.

        Examples
        --------
        >>> book = pd.DataFrame(
        ...     {"tier": "B", "watch": False, "churn_12m": [0.3, 0.1], "value": [4e5, 9e5],
        ...      "churn_driver_1": "complaints_12m"},
        ...     index=pd.Index(["C1", "C2"], name="client_id"),
        ... )
        >>> result = ServiceStrategy.default().allocate(book, {"rm_hours": 5}, control_share=0.0)
        >>> result.frame()[["client_id", "action", "allocated"]]
          client_id                action  allocated
        0        C1  complaint_resolution       True
        1        C2          manager_call       True
        """
        parts = self._parts
        if "action" in frame.columns:
            candidates = frame
            stated = stated_capacity(parts, None, None) if capacity is None else capacity
        else:
            by = groups_of(capacity) if capacity is not None else [one.by for one in parts.capacities]
            names = [name for name in dict.fromkeys(by) if name is not None and name in frame.columns]
            candidates, columns = list_candidates(parts, self._types, frame, names)
            stated = stated_capacity(parts, frame, columns) if capacity is None else capacity
        result = allocate(
            candidates,
            stated,
            max_actions=int(parts.settings["max_actions"]) if max_actions is None else max_actions,
            one_per_kind=parts.one_action_per_kind,
            control_share=parts.control.share if control_share is None else control_share,
            control_salt=parts.control.salt if control_salt is None else control_salt,
        )
        return replace(result, policy_id=self.policy_id)


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
