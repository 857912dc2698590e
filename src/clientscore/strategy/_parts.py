"""The parts of a checked policy, and every key that each section of the file may hold."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from clientscore.value import ValueParameters

if TYPE_CHECKING:
    from ._rules import ColumnType, Condition, DecisionTable

ActionKind = Literal["retention", "growth", "risk", "compliance"]
Blocked = Literal["products", "growth", "retention", "risk", "contacts"]

#: Numbers of the section `settings` and their defaults.
SETTINGS: dict[str, float] = {
    "stake_years": 3.0,
    "hour_cost_amount": 400.0,
    "need_years": 2.5,
    "offer_probability": 0.25,
    "max_actions": 1,
}

#: What the tables together must decide, each exactly once.
OUTPUTS: dict[str, str] = {
    "service_layer": "layer",
    "coverage": "coverage",
    "reports": "reports",
    "sla_hours": "number",
    "sla_terms_days": "number",
    "sla_decision_days": "number",
    "contact_cadence_days": "number",
    "review_days": "number",
}

VALUE_KEYS = tuple(one.name for one in fields(ValueParameters))

#: Every key of the policy by section; ``*`` stands for a name the bank gives.
KEYS: dict[str, tuple[str, ...]] = {
    "": (
        *("policy", "settings", "value", "control", "capacities", "columns", "layers", "coverage", "reports"),
        *("tables", "products", "product_map", "guardrails", "driver_families", "actions", "examples"),
    ),
    "policy": ("name", "version"),
    "settings": (*SETTINGS, "one_action_per_kind"),
    "value": VALUE_KEYS,
    "control": ("share", "salt"),
    "capacities.*": ("uses", "limit", "by", "limits", "per_client", "per_manager"),
    "columns.*": ("kind", "levels", "low", "high"),
    "layers.*": ("text", "text_zh", "rank", "max_products"),
    "coverage.*": ("text", "text_zh", "clients_per_manager"),
    "reports.*": ("text", "text_zh", "interval_days"),
    "tables.*": ("outputs", "rules", "not_evaluated", "otherwise"),
    "tables.*.rules": ("name", "name_zh", "priority", "when", "then"),
    "products.*": ("text", "text_zh", "purposes"),
    "product_map": ("industries", "segments", "everyday"),
    "product_map.everyday": ("products",),
    "guardrails.*": ("allow", "blocks", "optional", "text", "text_zh"),
    "actions.*": (
        *("kind", "text", "text_zh", "when", "required", "hours", "contacts", "cost_amount"),
        *("cost_value_share", "churn_effects", "win_uplift", "loss_reduction", "recovery_share"),
    ),
    "examples": ("name", "client", "expect"),
}


@dataclass(frozen=True)
class Item:
    """Anything with a name in two languages: a coverage model, a report, a product, a layer."""

    text: str
    text_zh: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Guardrail:
    """What must hold before something is offered."""

    name: str
    allow: tuple[Condition, ...]
    blocks: tuple[str, ...]
    optional: bool
    text: str
    text_zh: str


@dataclass(frozen=True)
class Action:
    """Something the bank can do for a client, what it costs and what it is expected to bring."""

    name: str
    kind: str
    text: str
    text_zh: str
    when: tuple[Condition, ...]
    required: bool
    hours: float
    contacts: float
    cost_amount: float
    cost_value_share: float
    churn_effects: dict[str, float]
    win_uplift: float
    loss_reduction: float
    recovery_share: float


@dataclass(frozen=True)
class CapacityRule:
    """How much of a resource there is: a total, one a group, or so much a client or manager."""

    name: str
    uses: str
    by: str | None
    limit: float | None
    limits: dict[str, float]
    per_client: float | None
    per_manager: float | None


@dataclass(frozen=True)
class Example:
    """A client with the plan it must get: a test that lives in the policy."""

    name: str
    client: dict[str, Any]
    expect: dict[str, Any]


@dataclass(frozen=True)
class Control:
    """The control cells: share of clients, and the word that names the draw."""

    share: float
    salt: str


@dataclass(frozen=True)
class Parts:
    """The checked parts of a policy."""

    settings: dict[str, float]
    one_action_per_kind: bool
    value: ValueParameters
    control: Control
    capacities: tuple[CapacityRule, ...]
    columns: dict[str, ColumnType]
    layers: dict[str, Item]
    coverage: dict[str, Item]
    reports: dict[str, Item]
    products: dict[str, Item]
    industries: dict[str, list[str]]
    segments: dict[str, list[str]]
    everyday: list[str]
    guardrails: tuple[Guardrail, ...]
    families: dict[str, list[str]]
    actions: tuple[Action, ...]
    tables: tuple[DecisionTable, ...]
    rule_names: dict[str, list[str]]
    examples: tuple[Example, ...]
