"""Money: what a client is worth today and until it leaves, what a loss costs, what an action may earn.

Pure functions of columns. Amounts are in the schema's one currency and unit, rates and probabilities are
fractions in [0, 1], and every flow is per year; `lifetime_value` alone is a sum over the periods ahead. A
missing input gives a missing result, never a zero.
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
from .lifetime import lifetime_value
from .wallet import peer_wallet, share_of_wallet, wallet

__all__ = [
    "ValueParameters",
    "client_value",
    "client_value_one",
    "economic_capital",
    "eva",
    "expected_loss",
    "expected_need_value",
    "exposure_at_default",
    "lifetime_value",
    "peer_wallet",
    "raroc",
    "save_value",
    "share_of_wallet",
    "wallet",
]
