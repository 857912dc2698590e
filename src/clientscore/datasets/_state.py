"""Clients of the simulated book: what stays (`Profile`) and what moves from month to month (`State`).

Arrays of a `Profile` have shape (clients,); arrays of a `State` end in (paths, clients), so that the book
itself is one path and many futures of it are many.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from ._constants import (
    DEFAULT,
    FRAILTY_VARIANCE,
    HARD,
    INDUSTRY_NAMES,
    LEVEL,
    MEAN_EXIT_RATE,
    OWNERSHIP_SHARE,
    PROJECT_INDUSTRIES,
    REGION_SHARE,
    SEGMENT_LOG_ASSETS,
    SEGMENT_SD_ASSETS,
    SEGMENT_SHARE,
    WANTS_REPORTS_SHARE,
    Array,
    industry_column,
)

MANAGER_QUALITY_SD = 0.45  # log hours
CONDITION_KEPT = 0.965
_CONDITION_SD = (0.65, 0.75)  # between clients, and of a client over time
TERM_MONTHS = 36


@dataclass
class _Columns:
    """Arrays whose last axis is the client."""

    def take(self, slots: Array) -> Self:
        """Return the given clients only."""
        return type(self)(**{f.name: getattr(self, f.name)[..., slots] for f in fields(self)})

    def put(self, slots: Array, new: Self) -> None:
        """Write `new` clients over the given slots."""
        for f in fields(self):
            getattr(self, f.name)[..., slots] = getattr(new, f.name)

    def copied(self) -> Self:
        """Return a deep copy."""
        return type(self)(**{f.name: getattr(self, f.name).copy() for f in fields(self)})

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Concatenate along the clients."""
        names = [f.name for f in fields(cls)]
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in names})


@dataclass
class Profile(_Columns):
    """What does not change for a client; shape (clients,)."""

    industry: Array
    segment: Array
    region: Array
    ownership: Array
    log_assets: Array
    quality: Array  # long-run mean of the condition
    approval_bias: Array
    price_bias: Array
    use: Array  # logit of the usual utilization
    balance_share: Array  # balances / total assets
    flow_share: Array  # share of turnover through us
    line_share: Array  # limit of the revolving line / total assets
    term_share: Array  # term loans / total assets
    has_term: Array
    term_only: Array
    has_trade: Array
    season: Array
    peak: Array
    wants_reports: Array
    listed: Array
    tenure: Array  # months before the first simulated month


@dataclass
class State(_Columns):
    """What moves; the last two axes are (paths, clients)."""

    condition: Array  # financial health, mean 0, sd about 1
    log_assets: Array
    manager: Array
    manager_months: Array  # since the last change
    service: Array  # log answer time against the segment's median
    service_seen: Array  # its recent mean, last months weighted most
    complaints_seen: Array  # complaints, fading by 15 % a month
    approval: Array
    approval_seen: Array
    price: Array
    products: Array
    use_noise: Array
    dpd: Array
    plan: Array  # an investment plan is under way
    line_clock: Array  # months to the review of the line
    term_clock: Array  # months to maturity of the term loan
    line_limit: Array
    term_limit: Array
    term_drawn: Array
    since_drawing: Array
    fall_age: Array  # 0 = no fall of balances, else its months
    fall_depth: Array
    balance_factor: Array
    balance_noise: Array
    project_month: Array
    months: Array  # as a client
    frailty: Array  # (4, paths, clients): hard, silent, default, need
    counts: Array  # events so far of the same four
    exposure: Array  # sum of exp(eta) so far of the same four

    def tiled(self, n_paths: int) -> State:
        """Repeat a single path `n_paths` times."""
        return State(**{f.name: np.repeat(getattr(self, f.name), n_paths, axis=-2) for f in fields(self)})


def posterior_frailty(rng: np.random.Generator, counts: Array, exposure: Array) -> Array:
    """Draw frailties given the own history, shape (4, paths, clients).

    The prior is Gamma with mean 1 and variance theta, the likelihood of `counts` events over the summed rate
    `exposure` is Poisson, so the posterior is Gamma(1 / theta + counts, 1 / theta + exposure).
    """
    precision = (1.0 / FRAILTY_VARIANCE).reshape(4, *([1] * (counts.ndim - 1)))
    return rng.standard_gamma(precision + counts) / (precision + exposure)


def draw_profile(rng: np.random.Generator, n: int, *, opening: bool) -> Profile:
    """Draw `n` new clients; those of the opening book have been clients for a while."""
    segment = rng.choice(len(SEGMENT_SHARE), n, p=SEGMENT_SHARE)
    share = industry_column("share")
    industry = rng.choice(len(share), n, p=share / share.sum())
    of_projects = [INDUSTRY_NAMES.index(name) for name in PROJECT_INDUSTRIES]
    industry = np.where(segment == 3, rng.choice(of_projects, n, p=[0.45, 0.4, 0.15]), industry)
    has_term = rng.random(n) < np.array([0.45, 0.65, 0.8, 1.0])[segment]
    ownership = rng.choice(len(OWNERSHIP_SHARE), n, p=OWNERSHIP_SHARE)
    return Profile(
        industry=industry,
        segment=segment,
        region=rng.choice(len(REGION_SHARE), n, p=REGION_SHARE),
        ownership=ownership,
        log_assets=SEGMENT_LOG_ASSETS[segment] + SEGMENT_SD_ASSETS[segment] * rng.standard_normal(n),
        quality=_CONDITION_SD[0] * rng.standard_normal(n),
        approval_bias=0.35 * rng.standard_normal(n),
        price_bias=0.4 * rng.standard_normal(n),
        use=-0.2 + 0.7 * rng.standard_normal(n),
        balance_share=np.exp(np.log(0.05) + 0.5 * rng.standard_normal(n)),
        flow_share=np.clip(0.15 + 0.75 * rng.beta(2.0, 2.5, n), 0.15, 0.9),
        line_share=0.03 + 0.09 * rng.random(n),
        term_share=0.03 + 0.10 * rng.random(n),
        has_term=has_term,
        term_only=has_term & (rng.random(n) < 0.25),
        has_trade=rng.random(n) < np.array([0.15, 0.35, 0.6, 0.2])[segment],
        season=industry_column("season")[industry] * (0.6 + 0.8 * rng.random(n)),
        peak=industry_column("peak")[industry] + rng.integers(-1, 2, n),
        wants_reports=rng.random(n) < WANTS_REPORTS_SHARE,
        listed=(segment == 2) & (rng.random(n) < 0.35),
        tenure=np.floor(rng.exponential(1.0 / MEAN_EXIT_RATE, n)) if opening else np.zeros(n),
    )


def opening_state(rng: np.random.Generator, profile: Profile, manager_quality: Array) -> State:
    """Draw the state in which clients enter, of shape (1, clients).

    A client who has stayed `tenure` months has survived an exposure to the final causes; its counts of the
    others follow from its own frailty.
    """
    n = len(profile.industry)
    shape = (1, n)
    tenure = profile.tenure[None, :]
    assets = np.exp(profile.log_assets)[None, :]
    manager = rng.integers(0, len(manager_quality), shape)
    service = manager_quality[manager] + 0.3 * rng.standard_normal(shape)
    approval = profile.approval_bias + 0.3 * rng.standard_normal(shape)
    typical = np.exp(LEVEL)[:, None, None] * tenure * np.array([1.3, 1.0, 1.7, 1.2])[:, None, None]
    survived = np.zeros((4, *shape))
    survived[[HARD, DEFAULT]] = typical[[HARD, DEFAULT]]
    frailty = posterior_frailty(rng, np.zeros((4, *shape)), survived)
    counts = rng.poisson(frailty * typical).astype(float)
    counts[[HARD, DEFAULT]] = 0.0
    term_clock = rng.integers(2, TERM_MONTHS + 1, shape)
    term_limit = np.where(profile.has_term, profile.term_share * assets, 0.0)
    term_drawn = term_limit * (0.5 + 0.5 * term_clock / TERM_MONTHS)
    is_project = profile.segment == 3
    return State(
        condition=profile.quality + _CONDITION_SD[1] * rng.standard_normal(shape),
        log_assets=profile.log_assets[None, :].copy(),
        manager=manager,
        manager_months=np.minimum(rng.exponential(60.0, shape), tenure) + 7.0,
        service=service,
        service_seen=service.copy(),
        complaints_seen=rng.poisson(0.3, shape).astype(float),
        approval=approval,
        approval_seen=approval.copy(),
        price=profile.price_bias + 0.2 * rng.standard_normal(shape),
        products=1.0 + rng.poisson(np.array([1.2, 2.2, 3.8, 2.5])[profile.segment], shape),
        use_noise=0.5 * rng.standard_normal(shape),
        dpd=np.zeros(shape),
        plan=rng.random(shape) < 0.15,
        line_clock=rng.integers(1, 13, shape),
        term_clock=term_clock,
        line_limit=profile.line_share * assets,
        term_limit=term_limit,
        term_drawn=term_drawn,
        since_drawing=np.minimum(rng.exponential(30.0, shape), 99.0),
        fall_age=np.zeros(shape, dtype=np.int64),
        fall_depth=np.ones(shape),
        balance_factor=np.ones(shape),
        balance_noise=0.15 * rng.standard_normal(shape),
        project_month=np.where(is_project, rng.integers(0, 90 if tenure.any() else 4, shape), -1),
        months=tenure.copy(),
        frailty=frailty,
        counts=counts,
        exposure=typical,
    )
