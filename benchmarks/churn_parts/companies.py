"""Bar 3: listed companies, one origin a year, leaving by bankruptcy or otherwise.

The features of year t are known on 1 January of t + 1. Training holds the origins up to a year T with what
was known at the end of T + 1; the three origins after it are the test, followed to the end of T + 4: three,
two and one years. Before ``--final`` T is 2008; with it 2014, and the test years 2015-17 are read. All test
rows are seen to their horizon, so squared errors need no weights for censoring.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore import metrics
from common import SEED
from common.page import Page, grid, short
from common.paired import Difference, auc_difference
from scoring_parts.folds import read
from scoring_parts.peers import lightgbm_settings, run_lightgbm
from scoring_parts.us import own_features

from .curves import survival
from .data import Rows, Split, SurvivalSet
from .models import MODELS, OURS, Model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .cache import Cache

CAUSES = ("bankrupt", "other")
YEARS = 3
OPEN_YEAR, FINAL_YEAR = 2008, 2014  # last origin of training
DRAWS = 1000
LOSSES = ("any exit", *CAUSES)
CLASSIFIERS = "one-year classifiers"


class Test(NamedTuple):
    """Test rows: origin, years followed, company number, years to the exit and its cause (0 = stayed)."""

    origin: np.ndarray
    followed: np.ndarray
    company: np.ndarray
    duration: np.ndarray
    event: np.ndarray


def fit_classifiers(rows: Rows, n_causes: int, settings: dict[str, Any]) -> Any:
    """Fit bagged one-year classifiers, one a cause; later years repeat the first and are not judged."""

    def predicts(X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        first = [
            run_lightgbm(
                rows.X,
                ((rows.duration == 1) & (rows.event == k)).astype(float),
                rows.groups,
                X,
                settings["lightgbm"],
            )
            for k in range(1, n_causes + 1)
        ]
        return np.repeat(np.column_stack(first)[:, None], len(times), axis=1)

    return predicts


# Chosen on the origins 2009-11: four bags and random thresholds (Geurts et al., 2006) order other exits best.
CHOSEN = replace(
    MODELS[OURS],
    settings={**MODELS[OURS].settings, "parameters": {"n_bags": 4, "random_splits": True}},
)
DEFAULTS = replace(MODELS[OURS], name=f"{OURS}, defaults")
# The level of the last three origins of training, by year and cause: their follow-up is that of the test.
LATEST = replace(CHOSEN, name=f"{OURS}, latest level", settings={**CHOSEN.settings, "latest": YEARS})
ONE_YEAR = Model(CLASSIFIERS, fit_classifiers, {"lightgbm": lightgbm_settings(10**5, 1)}, ("lightgbm",))


def load(
    folder: Path, cache: Path, *, final: bool, n_companies: int | None = None
) -> tuple[SurvivalSet, Test]:
    """Load the set of one split, and what the test rows did."""
    last = FINAL_YEAR if final else OPEN_YEAR
    end = last + 1 + YEARS  # the last year whose exits are looked at
    rows = own_features(folder, cache)
    rows = rows[rows["year"] <= last + YEARS]
    rows = rows.sort_values(["year", "company_name"], ignore_index=True)
    if n_companies is not None:
        names = pd.Series(rows["company_name"].unique()).sample(n_companies, random_state=SEED)
        rows = rows[rows["company_name"].isin(names)].reset_index(drop=True)
    labels = read(folder, "us_company_labels")
    gone = labels[labels["exit_kind"].isin(CAUSES)].set_index("company_name")
    name, year = rows["company_name"], rows["year"].to_numpy(dtype=int)
    exit_year = name.map(gone["year"] + 1).to_numpy(dtype=float)
    cause = (
        name.map(gone["exit_kind"]).map({one: k + 1 for k, one in enumerate(CAUSES)}).to_numpy(dtype=float)
    )
    X = rows.drop(columns=["company_name", "year"]).astype(float)
    train, test = np.flatnonzero(year <= last), np.flatnonzero(year > last)
    X = X.loc[:, X.iloc[train].notna().any()]
    known = _seen(year, exit_year, cause, last + 1)
    full = _seen(year, exit_year, cause, end)
    company = pd.factorize(name)[0]
    times = np.arange(1.0, YEARS + 1)
    data = SurvivalSet(
        f"companies_{last}",
        X,
        *full,
        CAUSES,
        (Split(train, test, times),),
        groups=company,
        known=(known,),
        n_periods=YEARS,
        time=year,
    )
    part = Test(year[test], end - year[test], company[test], full[0][test], full[1][test])
    return data, part


def _seen(
    year: np.ndarray, exit_year: np.ndarray, cause: np.ndarray, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return duration and event as known at the end of a year, at most three years on; at least 1."""
    followed = np.clip(end - year, 1, YEARS)
    to_exit = exit_year - year
    gone = to_exit <= followed
    return np.where(gone, to_exit, followed).astype(int), np.where(gone, cause, 0).astype(int)


def outcome(test: Test) -> np.ndarray:
    """Return who had left by each year, (rows, years, any exit and causes); missing past the follow-up."""
    years = np.arange(1, YEARS + 1)
    by = (test.duration[:, None] <= years) & (test.event > 0)[:, None]
    parts = [by, *(by & (test.event == k)[:, None] for k in (1, 2))]
    found = np.stack(parts, axis=2).astype(float)
    found[years[None] > test.followed[:, None]] = np.nan
    return found


def curves_of(incidence: np.ndarray) -> np.ndarray:
    """Return incidence of any exit and of the causes, (rows, years, 3)."""
    return np.concatenate([1.0 - survival(incidence)[:, :, None], incidence], axis=2)


class Resample:
    """Means over origins, and their bootstrap that draws companies."""

    def __init__(self, test: Test) -> None:
        self.origins = np.unique(test.origin)
        self.inside = [test.origin == one for one in self.origins]
        self.company = np.unique(test.company, return_inverse=True)[1]
        n = int(self.company.max()) + 1
        self.counts = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=DRAWS)

    def draws(self, values: np.ndarray, place: int) -> tuple[float, np.ndarray]:
        """Return the mean of row values at one origin, and its bootstrap draws."""
        rows = self.inside[place]
        total = np.bincount(self.company[rows], values[rows], self.counts.shape[1])
        size = np.bincount(self.company[rows], minlength=self.counts.shape[1])
        return float(values[rows].mean()), (self.counts @ total) / (self.counts @ size)

    def over_origins(self, values: np.ndarray) -> Difference:
        """Return the mean over the origins of row values with its 95 % interval."""
        parts = [self.draws(values, place) for place in range(len(self.origins))]
        low, high = np.quantile(np.mean([draws for _, draws in parts], axis=0), [0.025, 0.975])
        return Difference(float(np.mean([point for point, _ in parts])), float(low), float(high))


def measure(data: SurvivalSet, test: Test, models: Sequence[str], cache: Cache) -> dict[str, pd.DataFrame]:
    """Return the tables: losses, differences in them, one-year AUC by cause, mean curves and bands."""
    fitted = {name: CHOSEN if name == OURS else MODELS[name] for name in models}
    fitted |= {one.name: one for one in (DEFAULTS, LATEST)}
    made = {name: cache.get(model, data, 0) for name, model in fitted.items()}
    errors = {name: one.error for name, one in made.items() if one.error}
    curves = {name: curves_of(one.incidence) for name, one in made.items() if one.incidence is not None}
    truth, resample = outcome(test), Resample(test)
    losses = {name: np.nanmean((values - truth) ** 2, axis=1) for name, values in curves.items()}
    rows, gaps = [], []
    for name, values in losses.items():
        row = {"model": name, "fit_seconds": made[name].fit_seconds}
        for column, kind in enumerate(LOSSES):
            row[kind] = resample.over_origins(values[:, column]).value
            if name != OURS:
                gap = resample.over_origins(losses[OURS][:, column] - values[:, column])
                gaps.append(_row(name, kind, gap))
        rows.append(row)
    one_year = cache.get(ONE_YEAR, data, 0)
    return {
        "losses": pd.DataFrame(rows),
        "gaps": pd.DataFrame(gaps),
        "auc": one_year_auc(test, truth, curves[OURS], curves_of(one_year.incidence)),
        "bands": bands(curves, truth, resample),
        "errors": pd.DataFrame(list(errors.items()), columns=["model", "error"]),
    }


def _row(name: str, kind: str, gap: Difference) -> dict[str, object]:
    return {"model": name, "kind": kind, "value": gap.value, "low": gap.low, "high": gap.high}


def one_year_auc(test: Test, truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> pd.DataFrame:
    """Return the one-year AUC by cause of ours and of the classifiers, all origins together."""
    rows = []
    for column, cause in enumerate(CAUSES, start=1):
        y = truth[:, 0, column]
        p, q = ours[:, 0, column], theirs[:, 0, column]
        gap = auc_difference([(y, p, q, test.company)])
        found = {"cause": cause, "ours": metrics.auc(y, p), "classifier": metrics.auc(y, q)}
        found |= {"ours_loss": metrics.log_loss(y, p), "classifier_loss": metrics.log_loss(y, q)}
        found |= {"ours_brier": metrics.brier(y, p), "rows": len(y), "events": int(y.sum())}
        rows.append({**found, "gap": gap.value, "low": gap.low, "high": gap.high})
    return pd.DataFrame(rows)


def bands(curves: dict[str, np.ndarray], truth: np.ndarray, resample: Resample) -> pd.DataFrame:
    """Return the mean curve by origin, cause and year beside the band of Aalen-Johansen.

    All rows are seen to their horizon, so Aalen-Johansen is the share that has left; the band draws
    companies.
    """
    rows = []
    for place, origin in enumerate(resample.origins):
        inside = resample.inside[place]
        for column, cause in enumerate(CAUSES, start=1):
            for year in range(YEARS):
                if np.isnan(truth[inside, year, column]).any():
                    continue
                point, draws = resample.draws(truth[:, year, column], place)
                low, high = np.quantile(draws, [0.025, 0.975])
                at = {"origin": int(origin), "cause": cause, "year": year + 1}
                at |= {"aalen_johansen": point, "low": low, "high": high}
                for name, values in curves.items():
                    mean = float(values[inside, year, column].mean())
                    rows.append({**at, "model": name, "predicted": mean, "inside": low <= mean <= high})
    return pd.DataFrame(rows)


def add(page: Page, tables: dict[str, pd.DataFrame], *, final: bool) -> None:
    """Add tables and bars."""
    _add_losses(page, tables, final=final)
    rows = [
        [
            one.cause,
            short(one.ours),
            short(one.classifier),
            f"{one.gap:+.4f} [{one.low:+.4f}, {one.high:+.4f}]",
            f"{short(one.ours_loss, 5)} / {short(one.classifier_loss, 5)}",
            f"{one.events} of {one.rows:,}",
        ]
        for one in tables["auc"].itertuples()
    ]
    head = ["cause", "AUC, ours", "bagged classifiers", "difference [95 %]", "log loss, both", "events"]
    page.add("Listed companies: one year ahead", "Bootstrap by company.", grid(head, rows))
    for one in tables["auc"].itertuples():
        figure = f"{one.gap:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"
        page.bar(f"3: one-year AUC of {one.cause} not behind classifiers", figure, bool(one.high >= 0))
    _add_bands(page, tables["bands"])


def _add_bands(page: Page, band: pd.DataFrame) -> None:
    keys = ["origin", "cause", "year"]
    wide = band.pivot(index=keys, columns="model", values=["predicted", "inside"])
    names = [OURS, LATEST.name]
    rows = []
    for one in band[band["model"] == OURS].itertuples():
        place = (one.origin, one.cause, one.year)
        cells = [
            short(wide.at[place, ("predicted", name)])
            + ("" if wide.at[place, ("inside", name)] else " outside")
            for name in names
        ]
        rows.append([str(one.origin), one.cause, str(one.year), *cells, short(one.aalen_johansen)])
        rows[-1].append(f"[{short(one.low)}, {short(one.high)}]")
    inside = band.groupby("model", sort=False)["inside"].sum()
    total = len(rows)
    others = ", ".join(f"{name} {int(count)}" for name, count in inside.items())
    note = f"Mean curves inside the band, of {total}: {others}."
    head = ["origin", "cause", "years", *names, "Aalen-Johansen", "95 %"]
    page.add("Listed companies: mean curves", note, grid(head, rows))
    figure = f"{int(inside[OURS])} of {total}; with the latest level {int(inside[LATEST.name])}"
    page.bar("3: mean curves inside the band of Aalen-Johansen", figure, bool(inside[OURS] == total))


def _add_losses(page: Page, tables: dict[str, pd.DataFrame], *, final: bool) -> None:
    years = "2015-17" if final else "2009-11; the test years are not read"
    losses = tables["losses"].assign(mean=lambda frame: frame[list(LOSSES)].mean(axis=1))
    rows = [
        [one["model"], *(short(one[kind], 5) for kind in (*LOSSES, "mean")), short(one["fit_seconds"], 1)]
        for one in losses.to_dict("records")
    ]
    gaps = tables["gaps"]
    pairs = []
    for name in losses["model"]:
        part = gaps[gaps["model"] == name].set_index("kind")
        if len(part):
            cells = [part.loc[kind] for kind in LOSSES]
            pairs.append([name, *(f"{g.value:+.5f} [{g.low:+.5f}, {g.high:+.5f}]" for g in cells)])
    note = (
        f"Origins {years}. Squared error of the incidence, mean over the years seen (three, two, one) and "
        "over the origins; intervals draw companies. Ours: four bags and random thresholds, chosen on the "
        "origins 2009-11; its defaults stand beside. Forests and gradient boosting learn from 15,000 rows."
    )
    failed = "\n".join(f"- {one.model}: {one.error}" for one in tables["errors"].itertuples())
    page.add(
        "Listed companies: IBS",
        note,
        grid(["model", *LOSSES, "mean", "fit, CPU s"], rows),
        "Ours - peer:",
        grid(["against", *LOSSES], pairs),
        failed,
    )
    mean = losses.set_index("model")["mean"]
    peers = mean.drop([OURS, DEFAULTS.name, LATEST.name])
    figure = f"{short(mean[OURS], 5)}, best peer {peers.idxmin()} {short(peers.min(), 5)}"
    page.bar("3: IBS below each peer on average", figure, bool(mean[OURS] < peers.min()))


def readings(tables: dict[str, pd.DataFrame]) -> list[dict[str, object]]:
    """Return the rows for the log."""
    rows: list[dict[str, object]] = []
    for one in tables["auc"].itertuples():
        row = {"target": f"exit by {one.cause} in one year", "events": one.events, "rows": one.rows}
        ours = {"auc": one.ours, "log_loss": one.ours_loss, "brier": one.ours_brier}
        rows.append({**row, "model": OURS, **ours})
        rows.append({**row, "model": CLASSIFIERS, "auc": one.classifier, "log_loss": one.classifier_loss})
    for one in tables["losses"].to_dict("records"):
        words = "; ".join(f"ibs {kind}={one[kind]:.6f}" for kind in LOSSES)
        rows.append({"target": "exits to three years", "model": one["model"], "measures": words})
    return rows
