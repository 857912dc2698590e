"""Words that rooms side by side share, each written once: periods, causes, purposes."""

from __future__ import annotations

from typing import Literal

Period = Literal["month", "quarter", "year"]
PERIOD_MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}

#: Cause of the exit that no event tells: the accounts stay open, the business runs off.
SILENT = "silent_attrition"

#: Event of a client's first new drawing.
NEED = "need"

#: What new money is for.
PURPOSES = ("working_capital", "refinancing", "capex", "trade", "growth", "liquidity_stress")
