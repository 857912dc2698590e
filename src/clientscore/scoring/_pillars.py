"""Points by pillar: the contributions of its features, added in the card's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clientscore.catalogue import PILLARS

if TYPE_CHECKING:
    from collections.abc import Mapping


def pillar_totals(
    contributions: Mapping[str, Any], pillars: Mapping[str, str], factor: float
) -> dict[str, Any]:
    """Return the points of each pillar from log-odds by feature; numbers for one client, or columns."""
    totals: dict[str, Any] = dict.fromkeys(PILLARS, 0.0)
    for name, value in contributions.items():
        totals[pillars[name]] = totals[pillars[name]] + value
    return {pillar: -factor * total for pillar, total in totals.items()}
