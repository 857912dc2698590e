"""Constants of the simulated book, fixed from published facts before any model was fitted.

Facts: hard attrition 10-11 % a year and silent attrition about twice that (Greenwich, small and mid-size
firms); the relationship and the service named first, price second, among reasons to leave; defaults 1-3 % a
year by sector; about a quarter of clients draw new money in a year; about 70 % of clients want a regular
analysis report and 65 % are unhappy with the speed of approval.  Everything the facts leave open (strength of
the covariates, variance of the frailties) is set so that an oracle ranks twelve-month outcomes with an AUC of
.75-.85 (default) and .70-.80 (attrition, need).

A change of any number here raises `SIMULATOR_VERSION`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SIMULATOR_VERSION: Final = 1

BURN_IN_MONTHS: Final = 120  # until selection among clients has settled


class Industry(NamedTuple):
    """One industry: its weight in the book, its business and its products."""

    share: float
    default_shift: float  # log rate against the mean of the book
    cycle: float  # exposure to the sector cycle
    asset_turnover: float  # revenue a year / total assets
    gross_margin: float
    dso_days: float
    dio_days: float
    dpo_days: float
    season: float  # amplitude of the year
    peak: int  # month of the peak, 0 = January
    fee: float  # fees a year / revenue through the bank
    line: str  # the revolving product
    term: str  # the term product
    extra: tuple[str, ...]  # further products for new money


INDUSTRIES: Final[dict[str, Industry]] = {
    "manufacturing": Industry(
        0.22, 0.0, 1.0, 1.0, 0.24, 70, 75, 60, 0.08, 9, 0.0010,
        "revolving_line", "equipment_loan", ("supply_chain_finance", "leasing", "green_loan"),
    ),
    "trade": Industry(
        0.15, 0.1, 1.1, 1.9, 0.14, 45, 50, 45, 0.16, 10, 0.0012,
        "inventory_finance", "term_loan", ("receivables_factoring", "letter_of_credit", "revolving_line"),
    ),
    "construction": Industry(
        0.09, 0.3, 1.2, 0.8, 0.16, 110, 40, 90, 0.14, 7, 0.0016,
        "revolving_line", "construction_loan", ("guarantee", "receivables_factoring"),
    ),
    "energy": Industry(
        0.05, -0.35, 0.7, 0.45, 0.34, 55, 20, 50, 0.10, 0, 0.0008,
        "revolving_line", "green_loan", ("syndicated_loan", "bridge_loan", "term_loan"),
    ),
    "infrastructure": Industry(
        0.04, -0.35, 0.5, 0.30, 0.38, 80, 10, 70, 0.05, 10, 0.0008,
        "bridge_loan", "syndicated_loan", ("term_loan", "guarantee"),
    ),
    "real_estate": Industry(
        0.04, 0.3, 1.4, 0.30, 0.28, 40, 160, 90, 0.08, 5, 0.0009,
        "bridge_loan", "construction_loan", ("term_loan",),
    ),
    "technology": Industry(
        0.11, 0.05, 0.9, 0.8, 0.46, 75, 25, 45, 0.06, 11, 0.0011,
        "revolving_line", "ip_pledge_loan", ("term_loan", "digital_line"),
    ),
    "agriculture": Industry(
        0.05, 0.1, 0.6, 1.1, 0.18, 40, 90, 40, 0.20, 8, 0.0010,
        "revolving_line", "term_loan", ("inventory_finance", "supply_chain_finance"),
    ),
    "transport": Industry(
        0.07, 0.0, 1.0, 0.9, 0.22, 50, 12, 40, 0.09, 10, 0.0011,
        "revolving_line", "leasing", ("equipment_loan", "receivables_factoring"),
    ),
    "export": Industry(
        0.06, 0.0, 1.2, 1.3, 0.20, 60, 55, 45, 0.13, 8, 0.0018,
        "export_finance", "term_loan", ("letter_of_credit", "receivables_factoring"),
    ),
    "public": Industry(
        0.03, -0.4, 0.3, 0.40, 0.30, 60, 8, 50, 0.06, 8, 0.0006,
        "revolving_line", "term_loan", ("leasing", "green_loan"),
    ),
    "services": Industry(
        0.09, 0.1, 0.8, 1.2, 0.40, 45, 6, 30, 0.10, 6, 0.0012,
        "digital_line", "term_loan", ("revolving_line", "leasing"),
    ),
}  # fmt: skip
INDUSTRY_NAMES: Final = tuple(INDUSTRIES)


def industry_column(field: str) -> Array:
    """Return one field of every industry, in the order of `INDUSTRY_NAMES`."""
    return np.array([getattr(industry, field) for industry in INDUSTRIES.values()])


SEGMENTS: Final = ("small", "mid", "large", "project")
SEGMENT_SHARE: Final = np.array([0.60, 0.28, 0.09, 0.03])
SEGMENT_LOG_ASSETS: Final = np.log(np.array([4e7, 3.5e8, 4e9, 2.5e9]))
SEGMENT_SD_ASSETS: Final = np.array([0.6, 0.6, 0.7, 0.5])
SEGMENT_HOURS: Final = np.array([20.0, 14.0, 8.0, 8.0])  # median answer, hours
SEGMENT_APPROVAL_DAYS: Final = np.array([14.0, 18.0, 22.0, 30.0])
SEGMENT_MEETINGS: Final = np.array([0.15, 0.35, 0.7, 0.9])  # a month
SEGMENT_COST: Final = np.array([900.0, 4200.0, 16000.0, 18000.0])  # a month
SEGMENT_NEED: Final = np.array([-0.05, 0.05, 0.15, 0.3])
SEGMENT_AMOUNT_SIGMA: Final = np.array([0.85, 0.65, 0.45, 0.6])  # lognormal, so coverage differs by group
SEGMENT_AMOUNT_SHARE: Final = np.array([0.045, 0.035, 0.025, 0.06])  # of total assets, the median
PROJECT_INDUSTRIES: Final = ("energy", "infrastructure", "real_estate")

REGIONS: Final = ("north", "east", "south", "central", "west", "northeast")
REGION_SHARE: Final = np.array([0.18, 0.32, 0.24, 0.12, 0.09, 0.05])
OWNERSHIP: Final = ("private", "state", "foreign", "listed", "family")
OWNERSHIP_SHARE: Final = np.array([0.48, 0.14, 0.10, 0.05, 0.23])

# The causes with a frailty, in the order of the leading axis of State.frailty.
HARD, SILENT, DEFAULT, NEED = range(4)
FRAILTY_VARIANCE: Final = np.array([0.6, 0.5, 0.5, 0.9])
# Log monthly rate of a client with all covariates at zero and frailty 1.
LEVEL: Final = np.log(np.array([0.0071, 0.0292, 0.00078, 0.0210]))
BANK_EXIT_LEVEL: Final = float(np.log(0.0004))
REPAYMENT_RATE: Final = 0.9  # in the month of maturity of a client with term loans only
MEAN_EXIT_RATE: Final = 0.013  # a month, all causes: the tenures of the opening book

# Exit causes as numbers in the records of a month (0 = none) and as event words.
EXIT_WORDS: Final = ("", "closure", "default", "repayment", "bank_exit")

# What service does to the log rate of leaving.  Units: log of hours against the median of the segment;
# complaints of the last year, older ones fading; 1 in the six months after a change of manager; log of
# approval days against the median of the segment; percentage points of price above the market.
SERVICE_DRIVERS: Final = {
    "response_hours": (1.00, 0.95),
    "complaints": (0.40, 0.40),
    "manager_change": (0.70, 0.70),
    "approval_days": (0.75, 0.70),
    "price": (0.60, 0.60),
}
SERVICE_UNITS: Final = {
    "response_hours": "log hours against the segment's median, last months weighted most",
    "complaints": "complaints, fading by 15 % a month",
    "manager_change": "1 within six months of a change of manager",
    "approval_days": "log approval days against the segment's median",
    "price": "percentage points above the market's credit rate for the client",
}

# A fall of balances and flows: months 1-4 it may prove temporary, later only after long.
FALL_EARLY_RECOVERY: Final = 0.14
FALL_EARLY_MONTHS: Final = 4
FALL_LATE_RECOVERY: Final = 0.10
FALL_LATE_FROM: Final = 9
FALL_SPEED: Final = 0.78  # of the way to the new level in a month
FALL_DEPTH: Final = (0.12, 0.30)
FALL_HOLDS: Final = (1.0 - FALL_EARLY_RECOVERY) ** FALL_EARLY_MONTHS

WANTS_REPORTS_SHARE: Final = 0.70
