"""Data to learn with: a simulated lending book with its truth, and loaders of real data.

``make_*`` simulates, ``load_*`` reads what is on this machine, ``write_*`` writes.
"""

from __future__ import annotations

from ._constants import SIMULATOR_VERSION
from ._futures import Futures
from ._portfolio import Portfolio, make_portfolio
from ._samples import load_sample, write_portfolio
from ._truth import Truth
from .us_companies import load_us_companies

__all__ = [
    "SIMULATOR_VERSION",
    "Futures",
    "Portfolio",
    "Truth",
    "load_sample",
    "load_us_companies",
    "make_portfolio",
    "write_portfolio",
]
