"""The market of the simulated book: a common and a sector cycle, rates and the market table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ._constants import DEFAULT, INDUSTRIES, INDUSTRY_NAMES, LEVEL, Array, industry_column

_PERSISTENCE = 0.95
_COMMON = 0.75  # loading of a sector's growth on the common cycle; squares add to 1
_POLICY_RATE = 0.025
_MEAN_MARKUP = 1.75  # mean of the book's default rate over the rate of a client at zero


@dataclass
class Market:
    """State of the cycle: `common` of shape (paths,), `sector` (paths, sectors), `policy` (paths,)."""

    common: Array
    sector: Array
    policy: Array

    @classmethod
    def opening(cls, rng: np.random.Generator, *, cycle: bool) -> Market:
        """Draw the cycle from its long-run law; flat when the cycle is off."""
        n_sectors = len(INDUSTRY_NAMES)
        scale = 1.0 if cycle else 0.0
        return cls(
            scale * rng.standard_normal(1),
            scale * rng.standard_normal((1, n_sectors)),
            np.full(1, _POLICY_RATE),
        )

    def tiled(self, n_paths: int) -> Market:
        """Repeat a single path `n_paths` times."""
        return Market(*(np.repeat(a, n_paths, axis=0) for a in (self.common, self.sector, self.policy)))

    def advanced(self, rng: np.random.Generator, *, cycle: bool) -> Market:
        """Return the market one month later."""
        if not cycle:
            return self
        keep, shock = _PERSISTENCE, np.sqrt(1.0 - _PERSISTENCE**2)
        common = keep * self.common + shock * rng.standard_normal(self.common.shape)
        sector = keep * self.sector + shock * rng.standard_normal(self.sector.shape)
        policy = self.policy + 0.03 * (_POLICY_RATE + 0.006 * common - self.policy)
        return Market(common, sector, policy)

    @property
    def growth(self) -> Array:
        """Cycle of every sector, shape (paths, sectors), mean 0 and variance 1 over time."""
        return np.asarray(_COMMON * self.common[:, None] + np.sqrt(1.0 - _COMMON**2) * self.sector)


def market_table(path: list[Market], months: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the `market` table of a path of single-path states, one per month."""
    growth = np.concatenate([state.growth for state in path])
    common = np.concatenate([state.common for state in path])
    policy = np.round(np.concatenate([state.policy for state in path]), 4)
    spread = np.round(0.018 * np.exp(-0.3 * common), 4)
    beta = industry_column("cycle")
    base = 12.0 * _MEAN_MARKUP * np.exp(LEVEL[DEFAULT] + industry_column("default_shift"))
    weight = industry_column("share") / industry_column("share").sum()
    sector_growth = 0.05 + 0.035 * beta * growth
    default_rate = base * np.exp(-0.45 * beta * growth)
    names = [*INDUSTRY_NAMES, "*"]
    sector_growth = np.column_stack([sector_growth, sector_growth @ weight])
    default_rate = np.column_stack([default_rate, default_rate @ weight])
    n = len(months)
    return pd.DataFrame(
        {
            "sector": pd.array(np.repeat(np.array(names, dtype=object), n), dtype="str"),
            "month": np.tile(months.to_numpy(), len(INDUSTRIES) + 1),
            "sector_growth": np.round(sector_growth, 5).T.ravel(),
            "policy_rate": np.tile(policy, len(names)),
            "credit_rate": np.tile(np.round(policy + spread, 4), len(names)),
            "spread": np.tile(spread, len(names)),
            "sector_default_rate": np.round(default_rate, 5).T.ravel(),
        }
    )
