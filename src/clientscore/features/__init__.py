"""From the tables of a book to features and context, as known at a date.

=====================  ==================================================================
pillar                 what it tells
=====================  ==================================================================
financial              ratios of the statements, their changes, own history, rank
credit                 limits, arrears, maturities, collateral, projects, drawings
market                 sector, rates, market value, season
relationship           tenure, products, payment flows, service, people, surveys
=====================  ==================================================================

``clientscore.catalogue`` names every feature in plain words.
"""

from __future__ import annotations

from ._build import build_features, build_reference
from ._context import build_context
from ._reference import ReferencePopulation

__all__ = ["ReferencePopulation", "build_context", "build_features", "build_reference"]
