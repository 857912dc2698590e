"""The stages in order: features, score, churn, need, value, tier, plan; and the result of it."""

from __future__ import annotations

from ._columns import COLUMNS
from ._model import ClientModel
from ._result import Assessment

__all__ = ["COLUMNS", "Assessment", "ClientModel"]
