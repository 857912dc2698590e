"""What the benchmarks share: the page, the log of readings, kept arrays, timings, paired differences."""

from __future__ import annotations

SEED = 20261125  # of every fold, model and bootstrap
