"""One month of the simulated book: rates of every event, the events, and how the state moves on.

Rates of month t are functions of the state at the end of month t - 1, so they are known at the first of the
month; within the month events come at exponential times, so that P(no event) = exp(-sum of rates) and the
cause is drawn in proportion to the rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._constants import (
    BANK_EXIT_LEVEL,
    DEFAULT,
    FALL_DEPTH,
    FALL_EARLY_MONTHS,
    FALL_EARLY_RECOVERY,
    FALL_LATE_FROM,
    FALL_LATE_RECOVERY,
    FALL_SPEED,
    HARD,
    LEVEL,
    NEED,
    REPAYMENT_RATE,
    SEGMENT_AMOUNT_SHARE,
    SEGMENT_AMOUNT_SIGMA,
    SEGMENT_NEED,
    SERVICE_DRIVERS,
    SILENT,
    Array,
    industry_column,
)
from ._state import CONDITION_KEPT, TERM_MONTHS, Profile, State

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONDITION_SHOCK = 0.75 * float(np.sqrt(1.0 - CONDITION_KEPT**2))
MANAGER_CHANGES = 0.016  # a month
MISSING_CELLS = 0.004  # of balances and flows


def season_factor(profile: Profile, month_of_year: int) -> Array:
    """Return the month's level of balances and flows against the year's, shape (clients,)."""
    return 1.0 + profile.season * np.cos(2.0 * np.pi * (month_of_year - profile.peak) / 12.0)


def money(
    rng: np.random.Generator, profile: Profile, state: State, month_of_year: int
) -> tuple[Array, Array, Array]:
    """Return balance, inflow and outflow of the month whose state is given."""
    shape = state.condition.shape
    assets = np.exp(state.log_assets)
    level = season_factor(profile, month_of_year) * state.balance_factor
    balance = assets * profile.balance_share * level * np.exp(state.balance_noise + 0.08 * state.condition)
    turnover = industry_column("asset_turnover")[profile.industry] * profile.flow_share / 12.0
    inflow = assets * turnover * level * np.exp(0.10 * rng.standard_normal(shape) + 0.08 * state.condition)
    outflow = inflow * np.exp(0.06 * rng.standard_normal(shape) - 0.01 * state.condition)
    for values in (balance, inflow, outflow):
        values[rng.random(shape) < MISSING_CELLS] = np.nan
    return balance, inflow, outflow


@dataclass
class Month:
    """What happened in a month; arrays of shape (paths, clients), `eta` (4, paths, clients)."""

    eta: Array
    repayment_rate: Array
    bank_exit_rate: Array
    exit_cause: Array  # index into EXIT_WORDS
    exit_time: Array  # fraction of the month
    drawings: Array  # number
    drawing_at: tuple[Array, ...]  # path and client of every drawing
    drawing_time: Array
    drawing_amount: Array
    complaints: Array
    approval_asked: Array
    line_renewed: Array
    term_renewed: Array
    utilization: Array

    def default_chance(self, frailty: Array) -> Array:
        """Return the chance of a default in the month, before it was drawn."""
        rate = frailty[DEFAULT] * np.exp(self.eta[DEFAULT])
        total = frailty[HARD] * np.exp(self.eta[HARD]) + rate + self.repayment_rate + self.bank_exit_rate
        return np.asarray(-np.expm1(-total) * rate / total)


def service_terms(state: State | Mapping[str, Array]) -> dict[str, Array]:
    """Return what each driver of leaving counts: of a state, or of arrays under the same names."""

    def of(name: str) -> Array:
        return np.asarray(getattr(state, name) if isinstance(state, State) else state[name])

    return {
        "response_hours": of("service_seen"),
        "complaints": np.minimum(of("complaints_seen"), 4.0),
        "manager_change": (of("manager_months") < 6).astype(float),
        "approval_days": of("approval_seen"),
        "price": of("price"),
    }


def utilization(profile: Profile, state: State) -> Array:
    """Return drawn over limit of the revolving line, in (0, 1)."""
    logit = profile.use - 0.7 * state.condition + state.use_noise + 0.6 * (state.dpd > 0)
    return 1.0 / (1.0 + np.exp(-logit))


def rates(profile: Profile, state: State, growth: Array, month_of_year: int) -> tuple[Array, Array, Array]:
    """Return log rates without frailty (4, paths, clients), and the rates of repayment and bank exit."""
    hard, soft = np.zeros(state.condition.shape), np.zeros(state.condition.shape)
    for name, term in service_terms(state).items():
        hard = hard + SERVICE_DRIVERS[name][0] * term
        soft = soft + SERVICE_DRIVERS[name][1] * term
    fallen = state.fall_age > 0
    loyal = -0.12 * (state.products - 3.0)
    young = 0.25 * np.exp(-state.months / 24.0)
    use = utilization(profile, state)
    late = 0.7 * (state.dpd > 0) + 1.1 * (state.dpd > 30) + 0.9 * (state.dpd > 60)
    building = (state.project_month >= 6) & (state.project_month < 30)
    before_peak = np.cos(2.0 * np.pi * (month_of_year + 2 - profile.peak) / 12.0)
    eta = np.empty((4, *state.condition.shape))
    eta[HARD] = hard + loyal + young + 0.7 * fallen
    eta[SILENT] = soft + 1.3 * loyal + 0.6 * young
    shift = industry_column("default_shift") - 0.25 * (np.arange(4)[:, None] == 2)
    cycle = industry_column("cycle")[profile.industry] * growth
    eta[DEFAULT] = (
        shift[profile.segment, profile.industry]
        - 1.15 * state.condition
        + 1.3 * (use - 0.5)
        + late
        - 0.25 * cycle
    )
    eta[NEED] = (
        SEGMENT_NEED[profile.segment]
        + 1.15 * state.plan
        + 0.7 * (profile.has_term & (state.term_clock <= 3))
        + 0.8 * (use - 0.45)
        + 0.2 * np.clip(state.condition, -2.0, 2.0)
        + 3.0 * profile.season * before_peak
        + 1.1 * building
        + 0.35 * (state.since_drawing < 12)
        - 0.9 * fallen
        - 0.8 * (state.dpd > 30)
        + 0.12 * cycle
    )
    eta += LEVEL[:, None, None]
    due = profile.term_only & (state.term_clock == 1) & (state.since_drawing > 12)
    bank = np.exp(BANK_EXIT_LEVEL - 0.4 * state.condition + 1.0 * (state.dpd > 30))
    return eta, REPAYMENT_RATE * due, bank


def amount_law(profile: Profile, state: State) -> tuple[Array, Array]:
    """Return median and sigma of the lognormal amount of one drawing."""
    median = SEGMENT_AMOUNT_SHARE[profile.segment] * np.exp(state.log_assets + 0.35 * state.plan)
    return median, SEGMENT_AMOUNT_SIGMA[profile.segment]


def _exits(
    rng: np.random.Generator, eta: Array, state: State, repay: Array, bank: Array
) -> tuple[Array, Array]:
    rate_hard = state.frailty[HARD] * np.exp(eta[HARD])
    rate_default = state.frailty[DEFAULT] * np.exp(eta[DEFAULT])
    bounds = np.cumsum(np.stack([rate_hard, rate_default, repay, bank]), axis=0)
    total = bounds[-1]
    time = rng.standard_exponential(total.shape) / total
    cause = 1 + np.sum(rng.random(total.shape) * total > bounds[:-1], axis=0)
    return np.where(time < 1.0, cause, 0), time


def step(
    rng: np.random.Generator,
    profile: Profile,
    state: State,
    growth: Array,
    manager_quality: Array,
    month_of_year: int,
) -> Month:
    """Draw one month: returns what happened and moves `state` on in place.

    `growth` has shape (paths, sectors) and belongs to the month before.
    """
    shape = state.condition.shape
    local = growth[:, profile.industry]
    eta, repay, bank = rates(profile, state, local, month_of_year)
    cause, time = _exits(rng, eta, state, repay, bank)
    drawings = rng.poisson(state.frailty[NEED] * np.exp(eta[NEED]))
    at = np.nonzero(drawings)
    at = tuple(np.repeat(axis, drawings[at]) for axis in at)
    moment = rng.random(len(at[0]))
    median, sigma = amount_law(profile, state)
    amount = median[at] * np.exp(sigma[at[1]] * rng.standard_normal(len(at[0])))
    kept = (cause[at] == 0) | (moment < time[at])
    at, moment, amount = tuple(axis[kept] for axis in at), moment[kept], amount[kept]
    _count(state, eta, drawings)
    _move_falls(rng, state, eta)
    line_due, term_due = _move_loans(profile, state, at, amount, drawings)
    complaints, asked = _move_service(rng, profile, state, manager_quality, drawings)
    _move_condition(rng, profile, state, local)
    state.months += 1.0
    state.project_month = np.where(state.project_month >= 0, state.project_month + 1, state.project_month)
    return Month(
        eta=eta,
        repayment_rate=np.broadcast_to(repay, shape),
        bank_exit_rate=bank,
        exit_cause=cause,
        exit_time=time,
        drawings=drawings,
        drawing_at=at,
        drawing_time=moment,
        drawing_amount=amount,
        complaints=complaints,
        approval_asked=asked,
        line_renewed=line_due,
        term_renewed=term_due,
        utilization=utilization(profile, state),
    )


def _count(state: State, eta: Array, drawings: Array) -> None:
    """Add the month to the history of the causes that a whole month exposes (the silent one comes later)."""
    for cause in (HARD, DEFAULT, NEED):
        state.exposure[cause] += np.exp(eta[cause])
    state.counts[NEED] += drawings


def _move_falls(rng: np.random.Generator, state: State, eta: Array) -> None:
    """Start and end falls of balances; a client without one is exposed until its first."""
    shape = state.condition.shape
    exposed = state.fall_age == 0
    rate = np.exp(eta[SILENT])
    moment = rng.standard_exponential(shape) / (state.frailty[SILENT] * rate)
    begins = exposed & (moment < 1.0)
    state.exposure[SILENT] += np.where(exposed, rate * np.minimum(moment, 1.0), 0.0)
    state.counts[SILENT] += begins
    early = (state.fall_age >= 1) & (state.fall_age <= FALL_EARLY_MONTHS)
    recovery = np.where(early, FALL_EARLY_RECOVERY, 0.0)
    recovery = np.where(state.fall_age >= FALL_LATE_FROM, FALL_LATE_RECOVERY, recovery)
    ends = rng.random(shape) < recovery
    age = np.where(exposed, 0, state.fall_age + 1)
    state.fall_age = np.where(ends, 0, np.where(begins, 1, age))
    low, high = FALL_DEPTH
    state.fall_depth = np.where(begins, low + (high - low) * rng.random(shape), state.fall_depth)
    target = np.where(state.fall_age > 0, state.fall_depth, 1.0)
    state.balance_factor += FALL_SPEED * (target - state.balance_factor)
    state.balance_noise = 0.7 * state.balance_noise + 0.11 * rng.standard_normal(shape)


def _move_loans(
    profile: Profile, state: State, at: tuple[Array, ...], amount: Array, drawings: Array
) -> tuple[Array, Array]:
    """Amortize, add drawings, review what falls due; returns which lines and term loans were renewed."""
    state.since_drawing = np.where(drawings > 0, 0.0, np.minimum(state.since_drawing + 1.0, 120.0))
    state.term_drawn *= 1.0 - 0.5 / TERM_MONTHS
    np.add.at(state.term_drawn, at, amount)
    state.line_clock = state.line_clock - 1
    # New money on a loan about to fall due moves its maturity: that is a refinancing.
    state.term_clock = np.where(drawings > 0, np.maximum(state.term_clock, 13), state.term_clock) - 1
    line_due = state.line_clock <= 0
    target = profile.line_share * np.exp(state.log_assets + 0.1 * np.clip(state.condition, -2.0, 2.0))
    state.line_limit = np.where(line_due, target, state.line_limit)
    state.line_clock = np.where(line_due, 12, state.line_clock)
    ended = state.term_clock <= 0
    floor = 0.7 * profile.term_share * np.exp(state.log_assets) * profile.has_term
    state.term_drawn = np.where(
        ended, np.maximum(0.7 * state.term_drawn * profile.has_term, floor), state.term_drawn
    )
    state.term_limit = np.where(ended, state.term_drawn, np.maximum(state.term_limit, state.term_drawn))
    state.term_clock = np.where(ended, TERM_MONTHS, state.term_clock)
    return line_due & ~profile.term_only, ended & (state.term_drawn > 0)


def _move_service(
    rng: np.random.Generator, profile: Profile, state: State, manager_quality: Array, drawings: Array
) -> tuple[Array, Array]:
    """Move people, answers, complaints, approvals, price and products; returns complaints and requests."""
    shape = state.condition.shape
    changed = rng.random(shape) < MANAGER_CHANGES
    state.manager = np.where(changed, rng.integers(0, len(manager_quality), shape), state.manager)
    state.manager_months = np.where(changed, 0.0, state.manager_months + 1.0)
    quality = manager_quality[state.manager]
    state.service = 0.8 * state.service + 0.2 * quality + 0.2 * rng.standard_normal(shape)
    state.service_seen = 0.75 * state.service_seen + 0.25 * state.service
    mean = 0.05 * np.exp(0.8 * state.service_seen + 0.5 * state.approval_seen)
    complaints = rng.poisson(mean)
    state.complaints_seen = 0.85 * state.complaints_seen + complaints
    drift = 0.93 * state.approval + 0.07 * profile.approval_bias
    state.approval = drift + 0.12 * rng.standard_normal(shape)
    asked = (rng.random(shape) < 0.3) | (drawings > 0)
    blended = 0.75 * state.approval_seen + 0.25 * state.approval
    state.approval_seen = np.where(asked, blended, state.approval_seen)
    state.price = 0.95 * state.price + 0.05 * profile.price_bias + 0.05 * rng.standard_normal(shape)
    turn = rng.random(shape)
    fewer = turn < np.where(state.fall_age > 0, 0.04, 0.006)
    more = turn > 0.994
    state.products = np.clip(state.products - fewer + more, 1.0, 12.0)
    return complaints, asked


def _move_condition(rng: np.random.Generator, profile: Profile, state: State, growth: Array) -> None:
    """Move health, size, use of the line, arrears and plans."""
    shape = state.condition.shape
    pull = (1.0 - CONDITION_KEPT) * profile.quality + 0.012 * growth
    state.condition = CONDITION_KEPT * state.condition + pull + _CONDITION_SHOCK * rng.standard_normal(shape)
    state.log_assets = state.log_assets + 0.003 + 0.002 * state.condition + 0.01 * rng.standard_normal(shape)
    state.use_noise = 0.85 * state.use_noise + 0.25 * rng.standard_normal(shape)
    turn = rng.random(shape)
    weak = np.exp(-0.8 * state.condition)
    fresh = np.where(turn < 0.012 * weak, 1.0 + np.floor(29.0 * turn / (0.012 * weak)), 0.0)
    stays = turn < 0.45 / (1.0 + np.exp(0.6 * state.condition))
    state.dpd = np.where(state.dpd > 0, np.where(stays, np.minimum(state.dpd + 30.0, 89.0), 0.0), fresh)
    off = state.plan & (rng.random(shape) < 0.08)
    on = rng.random(shape) < 0.014 * np.exp(0.3 * state.condition + 0.2 * growth)
    state.plan = np.where(state.plan, ~off, on)
