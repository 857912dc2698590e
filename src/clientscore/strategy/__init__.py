"""Service strategy: from scores, tiers and needs to layer, SLA, products and actions, each with its reason.

The policy is one TOML file (`ServiceStrategy.default_text` is a good start). `recommend` reads columns, not
models; `check` proves the policy complete; `allocate` places actions where capacities earn most.
"""

from __future__ import annotations

from ._allocate import Allocation, allocate
from ._check import PolicyReport
from ._control import control_cells
from ._diff import PolicyDiff
from ._jdm import import_tables
from ._policy import ServiceStrategy

__all__ = [
    "Allocation",
    "PolicyDiff",
    "PolicyReport",
    "ServiceStrategy",
    "allocate",
    "control_cells",
    "import_tables",
]
