"""The page: every figure as a Markdown table, and a line for each bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from common.page import Page, add_lines, grid, short

from .quality import CARD, LARGE_GAP, NOT_YET, WOE, compare, compare_us, ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.timing import Line

    from .quality import SetResult

PACKAGES = ("numpy", "pandas", "scikit-learn", "lightgbm", "interpret-core", "optbinning")


def add_quality(page: Page, results: Sequence[SetResult]) -> None:
    """Add bar 1: both measures of every set, ranks, and the card against its best peer."""
    models = list(dict.fromkeys(name for one in results for name in (*one.losses, *one.errors)))
    sizes = [[one.name, f"{one.rows:,} x {one.columns}", f"{one.events:,}", one.how] for one in results]
    page.add("The sets", grid(["set", "rows x columns", "events tested", "split"], sizes))
    notes = ebm_notes(results)
    for measure, digits in (("log_loss", 5), ("auc", 4)):
        rows = [
            [one.name, *(short(getattr(one, measure)(name), digits) for name in models)] for one in results
        ]
        order = f"Mean rank with the card: {_ranks(results, CARD, measure)}."
        other = f"With the card of method woe in its place: {_ranks(results, WOE, measure)}."
        title = "Log loss" if measure == "log_loss" else "AUC, mean over the splits"
        page.add(title, grid(["set", *models], rows), order, other, notes if measure == "log_loss" else "")
        _rank_bar(page, results, measure)
    _add_comparison(page, results)
    errors = [f"- {one.name}, {name}: {text}" for one in results for name, text in one.errors.items()]
    if errors:
        page.add("Failures", "A model that failed on a split has no figure on that set.", "\n".join(errors))


def _ranks(results: Sequence[SetResult], ours: str, measure: str) -> str:
    waiting = sum(NOT_YET in one.errors.values() for one in results)
    if waiting == len(results) or not any(ours in one.losses for one in results):
        return "not run"
    found = ranks(results, ours, measure)
    left_out = f" ({waiting} sets wait for a peer)" if waiting else ""
    return ", ".join(f"{name} {rank:.2f}" for name, rank in found.items()) + left_out


def _rank_bar(page: Page, results: Sequence[SetResult], measure: str) -> None:
    found = ranks(results, CARD, measure).dropna()
    others = found.drop(CARD, errors="ignore")
    if CARD not in found or others.empty:
        return
    best = others.iloc[0]
    figure = f"{found[CARD]:.2f}, best peer {others.index[0]} {best:.2f}"
    if measure == "log_loss":
        page.bar("1: mean rank by log loss: first", figure, bool(found[CARD] < best))
    else:
        page.bar("1: mean rank by AUC: first or tied", figure, bool(found[CARD] <= best))


def _add_comparison(page: Page, results: Sequence[SetResult]) -> None:
    table = compare(results)
    if table.empty:
        return
    rows = [
        [
            one.set,
            f"{one.rows:,}",
            short(one.card, 5),
            f"{one.best_peer} {short(one.peer, 5)}",
            f"{short(one.gap, 5)} [{short(one.low, 5)}, {short(one.high, 5)}]",
            f"{100 * one.relative:.2f} %",
            "yes" if one.wholly_worse else "",
            "met" if one.met else "**not met**",
        ]
        for one in table.itertuples()
    ]
    head = ["set", "rows", "card", "best peer", "gap [95 %]", "of the peer's", "wholly worse", "bar"]
    rule = (
        "Gap in log loss (card - the peer with the lowest), bootstrap of 1,000 draws by client. Bar: up to "
        f"20,000 rows the interval is not wholly worse; above, the gap is at most {100 * LARGE_GAP:.1f} %."
    )
    page.add("The card against its best peer", rule, grid(head, rows), _worse(table))
    for large in (False, True):
        part = table[(table["rows"] > 20_000) == large]
        name = "over 20,000 rows: gap at most .6 %" if large else "up to 20,000 rows: never wholly worse"
        if len(part):
            page.bar(f"1: sets {name}", f"{int(part['met'].sum())} of {len(part)}", bool(part["met"].all()))


def _worse(table: pd.DataFrame) -> str:
    worse = table[table["wholly_worse"]]
    if worse.empty:
        return "No interval is wholly worse."
    listed = [f"{one.set} {short(one.gap, 5)} ({100 * one.relative:.2f} %)" for one in worse.itertuples()]
    return "Wholly worse: " + ", ".join(listed) + "."


def ebm_notes(results: Sequence[SetResult]) -> str:
    """Say on which sets EBM got fewer bags and pairs."""
    reduced = [
        one.name
        for one in results
        if len(one.folds) and one.folds["note"].astype(str).str.contains("4 outer bags").any()
    ]
    if not reduced:
        return ""
    return (
        "EBM has its defaults (14 outer bags, three pairs a feature), but 4 outer bags and 15 pairs on sets "
        f"of more than 300,000 cells: {', '.join(reduced)}."
    )


def add_us(page: Page, results: Sequence[SetResult], readings: int, *, final: bool) -> None:
    """Add bar 2: each model on the listed companies, and the card against trees and EBM."""
    results = [one for one in results if one.name.startswith("us_")]
    if not results:
        return
    rows = [
        [one.name, name, short(one.auc(name)), short(one.log_loss(name), 5)]
        for one in results
        for name in one.losses
    ]
    table = compare_us(results)
    pairs = [
        [
            one.set,
            one.against,
            f"{short(one.auc)} [{short(one.auc_low)}, {short(one.auc_high)}]",
            f"{short(one.loss, 5)} [{short(one.low, 5)}, {short(one.high, 5)}]",
            f"at most {one.most:g}" if one.most else "below 0",
            "met" if one.met else "**not met**",
        ]
        for one in table.itertuples()
    ]
    years = (
        "2015-18 (bankruptcy) and 2015-17" if final else "2008-10 and 2011-14; the test years are not read"
    )
    said = f"Tested on feature years {years}. The test years have been read {readings} times so far."
    head = ["set", "card against", "AUC [95 %]", "log loss [95 %]", "bar", ""]
    page.add("Listed companies", said, grid(["set", "model", "AUC", "log loss"], rows), grid(head, pairs))
    if len(table):
        page.bar(
            "2: listed companies", f"{int(table['met'].sum())} of {len(table)}", bool(table["met"].all())
        )


def add_calibration(page: Page, tables: Sequence[pd.DataFrame]) -> None:
    """Add bar 5."""
    table = pd.concat(tables)
    rows = [
        [
            one.set,
            str(one.split),
            f"{one.events:,}",
            f"{short(one.default_slope, 3)} ({short(one.default_error, 3)})",
            short(one.default_ece),
            f"{short(one.calibrated_slope, 3)} ({short(one.calibrated_error, 3)})",
            short(one.calibrated_ece),
            short(one.ece_of_truth),
            short(one.calibrated_shift),
            "met" if one.met else "**not met**",
        ]
        for one in table.itertuples()
    ]
    slopes = ["slope (error), default", "ECE", "slope, calibrated", "ECE", "by chance", "shift", ""]
    rule = (
        "Default: the card as fitted on all training rows. Calibrated: learned before the latest fifth of "
        "the training rows (by time, with the gap that the test has; without time held-out clients and one "
        "split), intercept and slope fitted on that fifth. ECE over ten bins of equal size; shift: mean "
        "predicted - realized rate. By chance: the ECE of a true forecast with as many rows. Bar: slope .9 "
        "to 1.1 and ECE at most .01, calibrated."
    )
    page.add("Calibration on sets over 20,000 rows", rule, grid(["set", "split", "events", *slopes], rows))
    page.bar("5: calibration", f"{int(table['met'].sum())} of {len(table)} splits", bool(table["met"].all()))


def add_speed(page: Page, lines: Sequence[Line]) -> None:
    """Add bars 3 and 4."""
    note = "CPU seconds on one thread, medians of 3 unless said; ratios within this run."
    add_lines(page, "Speed", note, lines, prefix="3, 4: ")
