"""Data to learn with: a simulated lending book with its truth, and loaders of real data.

``make_*`` simulates, ``load_*`` reads what is on this machine.
"""

from __future__ import annotations

from ._constants import SIMULATOR_VERSION
from ._portfolio import Portfolio, make_portfolio

__all__ = ["SIMULATOR_VERSION", "Portfolio", "make_portfolio"]
