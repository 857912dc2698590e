"""Money: what a client is worth today, what a loss would cost, what a service action may earn.

Pure functions of columns. Amounts are in the schema's one currency and unit, rates and probabilities are
fractions in [0, 1], and every flow is per year. A missing input gives a missing result, never a zero.
"""

from __future__ import annotations

from .client import ValueParameters, client_value, client_value_one
from .formulas import (
    economic_capital,
    eva,
    expected_loss,
    expected_need_value,
    exposure_at_default,
    raroc,
    save_value,
)

__all__ = [
    "ValueParameters",
    "client_value",
    "client_value_one",
    "economic_capital",
    "eva",
    "expected_loss",
    "expected_need_value",
    "exposure_at_default",
    "raroc",
    "save_value",
]
