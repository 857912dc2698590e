"""Bar 2: the amount of a need of the listed companies, as a share of assets, and the mixture with zero.

Given need: pinball over the deciles, and the 90 % interval overall, by year and by third of size.  Without
condition: CRPS of the mixture of zero and the amount, and Tweedie deviance (power 1.5) of its mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from clientscore import metrics
from common.page import Page, grid, short
from common.paired import Difference, loss_difference

from .cache import Work
from .chance import told
from .models import (
    CARD,
    COVERAGE,
    DECILES,
    LEVELS,
    TUNED,
    best,
    hurdle_amounts,
    lgb_quantiles,
    lgb_tweedie,
    our_forecast,
    peer,
    search,
)

if TYPE_CHECKING:
    from .cache import Cache
    from .data import Panel

OURS, HURDLE, QUANTILE = "clientscore", "hurdle LightGBM", "quantile LightGBM"
CQR, TWEEDIE, CONSTANT, ZERO = "CQR (MAPIE)", "Tweedie LightGBM", "constant quantiles", "zero"
TAILS = np.array([0.05, 0.95])
LEAST_GAIN = 0.03
_CALIBRATION_YEARS = 3


class Found(NamedTuple):
    """What the amounts came to."""

    given: pd.DataFrame
    gaps: dict[str, Difference]
    coverage: pd.DataFrame
    overall: tuple[float, float, float, int]
    mixture: pd.DataFrame
    mixture_gaps: dict[str, Difference]


def measure(panel: Panel, cache: Cache) -> Found:
    """Fit ours and the peers on training, judge on the test years."""
    fold = panel.fold
    settings = best(search(panel, CARD, cache))
    ours = our_forecast(panel, fold, settings, cache)
    chance = peer(panel, fold, TUNED, best(search(panel, TUNED, cache)), cache)["p"]
    made = {OURS: ours | {"chance": ours["p"]}} | _peers(panel, cache, chance)
    needs = panel.y[fold.test] == 1
    amount, company = panel.amount[fold.test][needs], panel.company[fold.test][needs]
    losses = {
        name: pinball_rows(amount, at_levels(one["quantiles"][needs], DECILES))
        for name, one in made.items()
        if "quantiles" in one
    }
    losses["best constants, seen in the test"] = pinball_rows(amount, constants(amount, DECILES, len(amount)))
    rows = []
    for name, loss in losses.items():
        row = {"model": name, "pinball": loss.mean()}
        rows.append(row | _interval(made.get(name), needs, amount))
    cqr = made.get(CQR)
    if cqr is not None:
        rows.append({"model": CQR, "pinball": np.nan, **_interval(cqr, needs, amount)})
    gaps = {
        name: loss_difference(losses[OURS], loss, company) for name, loss in losses.items() if name != OURS
    }
    inside = (amount >= ours["lower"][needs]) & (amount <= ours["upper"][needs])
    low, high = stats.binom.interval(0.95, len(inside), COVERAGE)
    overall = float(inside.mean()), low / len(inside), high / len(inside), len(inside)
    mixture, mixture_gaps = _mixture(panel, made)
    return Found(pd.DataFrame(rows), gaps, _groups(panel, needs, inside), overall, mixture, mixture_gaps)


def _peers(panel: Panel, cache: Cache, chance: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Return the peers: quantiles, interval, mean of the amount and their probability."""
    fold = panel.fold
    train = fold.train[panel.y[fold.train] == 1]
    X, X_test = panel.plain.iloc[train].reset_index(drop=True), panel.plain.iloc[fold.test]
    amount, company = panel.amount[train], pd.factorize(panel.company[train])[0]
    data = panel.digest("plain", fold)

    def hurdle() -> dict[str, np.ndarray]:
        levels = np.concatenate([LEVELS, TAILS])
        quantiles, mean = hurdle_amounts(X, amount, company, X_test, levels)
        ends = quantiles[:, len(LEVELS) :]
        made = {"quantiles": quantiles[:, : len(LEVELS)], "mean": mean}
        return made | {"lower": ends[:, 0], "upper": ends[:, 1]}

    def quantile() -> dict[str, np.ndarray]:
        found = lgb_quantiles(X, amount, X_test, LEVELS)
        lower, upper = (np.array([np.interp(tail, LEVELS, row) for row in found]) for tail in TAILS)
        return {"quantiles": found, "lower": lower, "upper": upper}

    def cqr() -> dict[str, np.ndarray]:
        late = panel.year[train] > panel.last - _CALIBRATION_YEARS
        return _cqr((X[~late], amount[~late]), (X[late], amount[late]), X_test)

    def tweedie() -> dict[str, np.ndarray]:
        y = np.nan_to_num(panel.amount[fold.train])
        return {"expected": lgb_tweedie(panel.plain.iloc[fold.train], y, panel.company[fold.train], X_test)}

    engine = ("lightgbm", "numpy")
    makers = {HURDLE: hurdle, QUANTILE: quantile, CQR: cqr, TWEEDIE: tweedie}
    packages = {CQR: ("mapie", "lightgbm")}
    made = {}
    for name, make in makers.items():
        found = cache.get(Work(name, {"levels": len(LEVELS)}, data, packages.get(name, engine)), make)
        if found is not None:
            made[name] = found | {"chance": chance}
    made[CONSTANT] = {
        "quantiles": constants(amount, LEVELS, len(fold.test)),
        "lower": np.full(len(fold.test), np.quantile(amount, TAILS[0])),
        "upper": np.full(len(fold.test), np.quantile(amount, TAILS[1])),
        "mean": np.full(len(fold.test), amount.mean()),
        "chance": np.full(len(fold.test), panel.y[fold.train].mean()),
    }
    return made


def _cqr(
    train: tuple[pd.DataFrame, np.ndarray], late: tuple[pd.DataFrame, np.ndarray], X_test: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Conformalized quantile regression on log amounts: early years fit, the last three conformalize."""
    from lightgbm import LGBMRegressor  # noqa: PLC0415 - as below
    from mapie.regression import ConformalizedQuantileRegressor  # noqa: PLC0415 - an environment of peers has it

    learner = LGBMRegressor(
        objective="quantile",
        alpha=0.5,
        num_leaves=15,
        n_estimators=100,
        learning_rate=0.05,
        n_jobs=1,
        verbosity=-1,
    )
    model = ConformalizedQuantileRegressor(learner, confidence_level=COVERAGE)
    model.fit(train[0], np.log(train[1])).conformalize(late[0], np.log(late[1]))
    ends = np.exp(np.asarray(model.predict_interval(X_test)[1])[:, :, 0])
    return {"lower": ends.min(axis=1), "upper": ends.max(axis=1)}


def constants(amount: np.ndarray, levels: np.ndarray, n: int) -> np.ndarray:
    """Return the same quantiles for every row."""
    return np.tile(np.quantile(amount, levels), (n, 1))


def at_levels(quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return quantiles at other levels, between those that are there."""
    return np.stack([np.interp(levels, LEVELS, row) for row in quantiles])


def pinball_rows(amount: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Return the pinball loss of each row, mean over the deciles."""
    gap = amount[:, None] - quantiles
    return np.maximum(DECILES * gap, (DECILES - 1) * gap).mean(axis=1)


def _interval(one: dict[str, np.ndarray] | None, needs: np.ndarray, amount: np.ndarray) -> dict[str, float]:
    if one is None or "lower" not in one:
        return {"coverage": np.nan, "width": np.nan}
    lower, upper = one["lower"][needs], one["upper"][needs]
    inside = (amount >= lower) & (amount <= upper)
    return {"coverage": float(inside.mean()), "width": float(np.median(upper - lower))}


def _groups(panel: Panel, needs: np.ndarray, inside: np.ndarray) -> pd.DataFrame:
    """Return coverage by year and by third of size, in standard errors from what was promised."""
    rows = panel.fold.test[needs]
    size = pd.qcut(panel.plain["log_assets"].iloc[rows].to_numpy(), 3, labels=["small", "middle", "large"])
    groups = {f"year {year}": panel.year[rows] == year for year in np.unique(panel.year[rows])}
    groups |= {f"size {one}": np.asarray(size == one) for one in ("small", "middle", "large")}
    table = []
    for name, mask in groups.items():
        n, share = int(mask.sum()), float(inside[mask].mean())
        error = np.sqrt(COVERAGE * (1 - COVERAGE) / n)
        table.append({"group": name, "rows": n, "coverage": share, "errors_away": (share - COVERAGE) / error})
    return pd.DataFrame(table)


def _mixture(
    panel: Panel, made: dict[str, dict[str, np.ndarray]]
) -> tuple[pd.DataFrame, dict[str, Difference]]:
    """Judge the amount without condition: CRPS, Tweedie deviance of the mean, totals."""
    fold = panel.fold
    y, company = np.nan_to_num(panel.amount[fold.test]), panel.company[fold.test]
    rows, scores = [], {}
    for name, one in made.items():
        row: dict[str, object] = {"model": name, "crps": np.nan, "deviance": np.nan, "ratio": np.nan}
        if "quantiles" in one:
            scores[name] = metrics.crps_mixture_rows(y, one["chance"], one["quantiles"], LEVELS)
            row["crps"] = scores[name].mean()
        expected = one.get("expected", one["chance"] * one["mean"] if "mean" in one else None)
        if expected is not None:
            row["deviance"] = metrics.tweedie_deviance(y, expected, power=1.5)
            row["ratio"] = metrics.total_ratio(y, expected)
            row["capture"] = metrics.capture_in_top(y, expected)
        if len(row) > 4 or name in scores:
            rows.append(row)
    scores[ZERO] = y
    rows.append({"model": ZERO, "crps": y.mean(), "deviance": np.nan, "ratio": 0.0})
    gaps = {name: loss_difference(scores[OURS], one, company) for name, one in scores.items() if name != OURS}
    return pd.DataFrame(rows), gaps


def add(page: Page, found: Found, cache: Cache, *, final: bool) -> None:
    """Add tables and bars."""
    years = "2015-17" if final else "2012-14; the test years are not read"
    rows = [
        [
            one.model,
            short(one.pinball, 5),
            "" if one.model not in found.gaps else told(found.gaps[one.model], 5),
            short(one.coverage, 3),
            short(one.width, 3),
        ]
        for one in found.given.itertuples()
    ]
    head = [
        "model",
        "pinball, mean of the deciles",
        "ours - it [95 %]",
        "coverage of the 90 % interval",
        "median width",
    ]
    note = f"Feature years {years}: {found.overall[3]:,} needs, shares of assets; bootstrap by company."
    failed = "\n".join(f"- {name}: {error}" for name, error in cache.failed.items())
    page.add("The amount given need", note, grid(head, rows), failed)
    groups = [
        [one.group, f"{one.rows:,}", short(one.coverage, 3), f"{one.errors_away:+.1f}"]
        for one in found.coverage.itertuples()
    ]
    page.add(
        "Coverage of ours by group", grid(["group", "needs", "coverage", "standard errors from .90"], groups)
    )
    rows = [
        [
            one.model,
            short(one.crps, 5),
            "" if one.model not in found.mixture_gaps else told(found.mixture_gaps[one.model], 5),
            short(one.deviance, 4),
            short(one.ratio, 3),
            short(one.capture, 3),
        ]
        for one in found.mixture.itertuples()
    ]
    head = [
        "model",
        "CRPS",
        "ours - it [95 %]",
        "Tweedie deviance",
        "predicted / realized",
        "amount in the top 10 %",
    ]
    page.add("The amount without condition", grid(head, rows))
    _bars(page, found)


def _bars(page: Page, found: Found) -> None:
    pinball = found.given.set_index("model")["pinball"]
    for name, words in (
        (CONSTANT, "those of training"),
        ("best constants, seen in the test", "the test's own"),
    ):
        gain = 1 - pinball[OURS] / pinball[name]
        gap = found.gaps[name]
        met = bool(gain >= LEAST_GAIN and gap.high < 0)
        page.bar(
            f"2: pinball at least 3 % below constant quantiles ({words})", f"{gain:.1%}, {told(gap, 5)}", met
        )
    share, low, high, n = found.overall
    figure = f"{short(share, 3)} of {n:,}, interval [{short(low, 3)}, {short(high, 3)}]"
    page.bar(
        "2: coverage of the 90 % interval inside its binomial interval", figure, bool(low <= share <= high)
    )
    worst = found.coverage.loc[found.coverage["errors_away"].abs().idxmax()]
    figure = f"{worst['group']}: {short(worst['coverage'], 3)}, {worst['errors_away']:+.1f} standard errors"
    page.bar(
        "2: no year or third of size beyond 3 standard errors", figure, bool(abs(worst["errors_away"]) <= 3)
    )
    crps = found.mixture.dropna(subset=["crps"]).set_index("model")["crps"]
    peers = crps.drop(OURS)
    figure = f"{short(crps[OURS], 5)}, best peer {peers.idxmin()} {short(peers.min(), 5)}"
    page.bar("2: CRPS of the mixture below each peer's", figure, bool(crps[OURS] < peers.min()))


def readings(found: Found) -> list[dict[str, object]]:
    """Return the rows for the log."""
    n = found.overall[3]
    rows: list[dict[str, object]] = []
    for one in found.given.itertuples():
        words = f"pinball={one.pinball:.6f}; coverage={one.coverage:.4f}"
        rows.append({"target": "amount given debt growth", "model": one.model, "rows": n, "measures": words})
    for one in found.mixture.itertuples():
        words = f"crps={one.crps:.6f}; tweedie={one.deviance:.6f}; total_ratio={one.ratio:.4f}"
        rows.append({"target": "amount of debt growth", "model": one.model, "measures": words})
    return rows
