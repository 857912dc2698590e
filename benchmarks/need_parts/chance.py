"""Bar 1: will debt, or liabilities, of a company grow by more than 10 % of its assets within a year.

Peers see 30 plain ratios, ours the library's own features. Every setting is chosen on two splits before 2015
(tested on 2009-11 and 2012-14), with 12 settings for LightGBM and 2 for either form of ours; the form is the
one with the higher AUC there. Without ``--final`` the page shows the later of these splits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore import metrics
from common.page import Page, grid, short
from common.paired import Difference, auc_difference, loss_difference, row_loss

from .models import (
    AMOUNT_BAGS,
    BASE,
    CARD,
    EBM,
    FULL_BAGS,
    LAST,
    OURS,
    TREES,
    TUNED,
    TUNED_OWN,
    best,
    naive,
    ours,
    peer,
    search,
)

if TYPE_CHECKING:
    from .cache import Cache
    from .data import Panel

# What the search on debt chose serves liabilities too, with half the bags: ours is not searched there.
AS_ON_DEBT = {TREES: {"learning_rate": 0.1, "min_rows_leaf": 50}}
GAINS = {"debt": 0.010, "liabilities": 0.008}
CARD_GAIN = 0.004
EBM_SETTINGS = {"outer_bags": 4, "interactions": 15}


class Found(NamedTuple):
    """What one target came to."""

    target: str
    chosen: str
    settings: dict[str, dict[str, Any]]
    inner: dict[str, float]
    table: pd.DataFrame
    predictions: dict[str, dict[str, np.ndarray]]
    gains: dict[str, Difference]
    losses: dict[str, Difference]


def measure(panel: Panel, cache: Cache, *, ebm: bool = True) -> Found:
    """Choose settings and form before 2015, fit on the whole of training, judge on the years after."""
    searched = (CARD, TREES, TUNED) if panel.target == "debt" else (TUNED,)
    tables = {name: search(panel, name, cache) for name in searched}
    settings = {name: best(table) for name, table in tables.items()}
    if panel.target != "debt":
        settings |= AS_ON_DEBT
    names = tuple(name for name in OURS if name in settings)
    inner = {name: float(table["auc"].max()) for name, table in tables.items()}
    chosen = max(names, key=lambda name: inner.get(name, 0.0))
    fold, y = panel.fold, panel.y[panel.fold.test]
    bags = FULL_BAGS if panel.target == "debt" else AMOUNT_BAGS
    made = {name: ours(panel, fold, name, settings[name], cache, bags) for name in names}
    made[TUNED] = peer(panel, fold, TUNED, settings[TUNED], cache)
    if panel.target == "debt":
        made[TUNED_OWN] = peer(panel, fold, TUNED_OWN, settings[TUNED], cache)
    if ebm:
        made[EBM] = peer(panel, fold, EBM, EBM_SETTINGS, cache)
    made |= {name: naive(panel, fold, name) for name in (LAST, BASE)}
    made = {name: one for name, one in made.items() if one is not None}
    company = panel.company[fold.test]
    theirs = made[TUNED]["p"]
    gains = {name: auc_difference([(y, made[name]["p"], theirs, company)]) for name in names}
    losses = {
        name: loss_difference(row_loss(y, made[name]["p"]), row_loss(y, theirs), company) for name in names
    }
    rows = []
    for name, one in made.items():
        p = one["p"]
        row = {"model": name, "auc": metrics.auc(y, p), "brier": metrics.brier(y, p)}
        row |= {"log_loss": metrics.log_loss(y, p), "capture": metrics.capture_in_top(y, p)}
        row |= {"ratio": metrics.total_ratio(y, p), "events": int(y.sum()), "rows": len(y)}
        rows.append({**row, "seconds": cache.seconds.get(name, np.nan)})
    return Found(panel.target, chosen, settings, inner, pd.DataFrame(rows), made, gains, losses)


def add(page: Page, found: Found, cache: Cache, *, final: bool) -> None:
    """Add the table and the bars."""
    years = "2015-17" if final else "2012-14; the test years are not read"
    rows = [
        [
            one.model,
            short(one.auc),
            short(one.log_loss, 5),
            short(one.brier, 5),
            short(one.capture, 3),
            short(one.ratio, 3),
            "" if np.isnan(one.seconds) else f"{one.seconds:.0f}",
        ]
        for one in found.table.itertuples()
    ]
    head = ["model", "AUC", "log loss", "Brier", "needs in the top 10 %", "predicted / realized", "CPU s"]
    events, n = found.table[["events", "rows"]].iloc[0]
    inner = ", ".join(
        f"{name} {short(value)} with {found.settings[name]}" for name, value in found.inner.items()
    )
    note = (
        f"Feature years {years}: {events:,} needs in {n:,} company-years. Chosen on two splits before 2015, "
        f"by mean AUC: {inner}."
    )
    gaps = [[name, told(gain), told(found.losses[name], 5)] for name, gain in found.gains.items()]
    gap_table = grid(["ours - bagged LightGBM on plain ratios", "AUC [95 %]", "log loss [95 %]"], gaps)
    failed = "\n".join(f"- {name}: {error}" for name, error in cache.failed.items())
    heading = f"Growth of {found.target} above 10 % of assets within a year"
    page.add(heading, note, grid(head, rows), gap_table, failed)
    least, gain = GAINS[found.target], found.gains[found.chosen]
    page.bar(
        f"1: {found.target}, AUC at least {short(least, 3)} above tuned LightGBM, interval above 0",
        f"{told(gain)} ({found.chosen.partition(', ')[2]})",
        bool(gain.value >= least and gain.low > 0),
    )
    if found.target == "debt":
        card = found.gains[CARD]
        page.bar("1: debt, as a card at least .004 above", told(card), bool(card.value >= CARD_GAIN))
    loss = found.losses[found.chosen]
    page.bar(f"1: {found.target}, log loss below LightGBM's", told(loss, 5), bool(loss.value < 0))


def told(gap: Difference, digits: int = 4) -> str:
    """Return a difference with its interval."""
    return f"{gap.value:+.{digits}f} [{gap.low:+.{digits}f}, {gap.high:+.{digits}f}]"


def readings(found: Found) -> list[dict[str, object]]:
    """Return the rows for the log."""
    columns = ["model", "auc", "brier", "log_loss", "events", "rows"]
    target = f"{found.target} growth above 10 % of assets"
    return [{"target": target, **row} for row in found.table[columns].to_dict("records")]
