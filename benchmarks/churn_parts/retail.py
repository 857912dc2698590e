"""Bar 4: clients of a wholesaler without an invoice in 90 days, features from the raw invoices.

The rows are those of the given panel. Ours learns on cut-offs up to the same date as the plain LightGBM on
the panel's own columns, both see the same clients in the test, and 90 days lie between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

import clientscore as cs
from clientscore import metrics
from common import SEED
from common.page import Page, grid, short
from common.paired import auc_difference
from scoring_parts.folds import read
from scoring_parts.peers import lightgbm_settings, run_lightgbm

from .retail_features import WINDOW_DAYS, Season, Trade, client_features, read_trade

if TYPE_CHECKING:
    from pathlib import Path

LEFT = "no_invoice"
PANEL, OWN, OWN_TREES = "plain LightGBM, panel", "clientscore, own features", "plain LightGBM, own features"
LEAST_GAIN, MOST_ICI = 0.010, 0.02
FOLDS = 3
FIT = {"n_bags": 4, "learning_rate": 0.05, "max_rounds": 1000}  # few rows: smaller steps cost little


class Window(NamedTuple):
    """Last cut-off of training, first and last of the test."""

    name: str
    train_to: str
    test_from: str
    test_to: str


OPEN = (
    Window("to June 2010", "2010-06-01", "2010-09-01", "2010-12-01"),
    Window("to July 2010", "2010-07-01", "2010-10-01", "2010-12-01"),
    Window("to August 2010", "2010-08-01", "2010-11-01", "2010-12-01"),
)
FINAL = Window("to December 2010", "2010-12-01", "2011-03-01", "2011-09-01")
LAST_OPEN = "2010-12-01"


def load(folder: Path, *, final: bool) -> tuple[Trade, pd.DataFrame]:
    """Return the trade and the panel; without `final` nothing of the test cut-offs or after is kept."""
    trade, panel = read_trade(folder), read(folder, "online_retail_client_panel")
    if not final:
        trade = trade.before(pd.Timestamp(LAST_OPEN) + pd.Timedelta(days=WINDOW_DAYS))
        panel = panel[panel["cutoff"] <= LAST_OPEN]
    return trade, panel.sort_values(["cutoff", "customer_id"], ignore_index=True)


def own_rows(trade: Trade, panel: pd.DataFrame) -> pd.DataFrame:
    """Return our features on the rows of the panel, in its order, the season apart."""
    parts = []
    for date, rows in panel.groupby("cutoff"):
        found = client_features(trade, date).reindex(rows["customer_id"])
        if found["recency_days"].isna().any():
            raise ValueError(f"{int(found['recency_days'].isna().sum())} clients of {date:%Y-%m} unknown.")
        parts.append(found)
    return pd.concat(parts).reset_index(drop=True)


def with_season(X: pd.DataFrame, panel: pd.DataFrame, season: Season) -> pd.DataFrame:
    """Add the season of each cut-off."""
    dates = {date: season.at(date) for date in panel["cutoff"].unique()}
    return X.assign(season=panel["cutoff"].map(dates).to_numpy(dtype=float))


def predict_own(X: pd.DataFrame, y: np.ndarray, clients: np.ndarray, X_test: pd.DataFrame) -> np.ndarray:
    """Fit the churn model: one period of 90 days, one cause."""
    target = pd.DataFrame({"duration": 1, "event": np.where(y == 1, LEFT, None)}, index=X.index)
    model = cs.ChurnModel(horizons=(1,), churn_causes=(LEFT,), random_state=0, **FIT)
    return model.fit(X, target, groups=clients).predict_churn(X_test)[1].to_numpy()


def predict_all(
    X: pd.DataFrame, panel: pd.DataFrame, train: np.ndarray, test: np.ndarray, season: Season
) -> dict[str, np.ndarray]:
    """Return the probability of no invoice of every model on the test rows."""
    y, clients = panel["y_churn90"].to_numpy(dtype=float), panel["customer_id"].to_numpy()
    own = with_season(X, panel, season)
    given = panel.drop(columns=["customer_id", "cutoff", "y_churn90", "y_amount_next90"])
    settings = lightgbm_settings(*given.shape)
    trees = {
        name: run_lightgbm(
            frame[train].reset_index(drop=True),
            y[train],
            clients[train],
            frame[test].reset_index(drop=True),
            settings,
        )
        for name, frame in ((PANEL, given), (OWN_TREES, own))
    }
    return {OWN: predict_own(own[train], y[train], clients[train], own[test]), **trees}


def measure(trade: Trade, panel: pd.DataFrame, *, final: bool) -> pd.DataFrame:
    """Return one row a window and model; without `final` also folds of clients over all cut-offs."""
    X = own_rows(trade, panel)
    cutoff, clients = panel["cutoff"], panel["customer_id"].to_numpy()
    parts = []
    for window in (FINAL,) if final else OPEN:
        train = (cutoff <= window.train_to).to_numpy()
        test = ((cutoff >= window.test_from) & (cutoff <= window.test_to)).to_numpy()
        end = pd.Timestamp(window.train_to) + pd.Timedelta(days=WINDOW_DAYS)
        season = Season(trade.orders, end)
        parts.append(_figures(window.name, panel, test, predict_all(X, panel, train, test, season)))
    if not final:
        season = Season(trade.orders, pd.Timestamp(LAST_OPEN) + pd.Timedelta(days=WINDOW_DAYS))
        fold = np.random.default_rng(SEED).integers(0, FOLDS, clients.max() + 1)[clients]
        made: dict[str, np.ndarray] = {}
        for one in range(FOLDS):
            for name, p in predict_all(X, panel, fold != one, fold == one, season).items():
                made.setdefault(name, np.empty(len(panel)))[fold == one] = p
        everyone = np.ones(len(panel), dtype=bool)
        parts.append(_figures("folds of clients", panel, everyone, made))
    return pd.concat(parts, ignore_index=True)


def _figures(name: str, panel: pd.DataFrame, test: np.ndarray, made: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = panel[test]
    y, clients, cutoff = rows["y_churn90"].to_numpy(dtype=float), rows["customer_id"], rows["cutoff"]
    out = []
    for model, p in made.items():
        within = [metrics.auc(y[cutoff == date], p[cutoff == date]) for date in cutoff.unique()]
        fold = [(y, made[OWN], p, clients.to_numpy())]
        gap = auc_difference(fold) if model != OWN else None
        out.append(
            {
                "window": name,
                "model": model,
                "auc": metrics.auc(y, p),
                "auc_within": float(np.mean(within)),
                "ici": metrics.ici(np.ones(len(y)), y, p, horizon=1),
                "brier": metrics.brier(y, p),
                "log_loss": metrics.log_loss(y, p),
                "mean": float(p.mean()),
                "realized": float(y.mean()),
                "rows": len(y),
                "events": int(y.sum()),
                "gain": gap.value if gap else np.nan,
                "low": gap.low if gap else np.nan,
                "high": gap.high if gap else np.nan,
            }
        )
    return pd.DataFrame(out)


def add(page: Page, table: pd.DataFrame, *, final: bool) -> None:
    """Add the table and the bars."""
    rows = [
        [
            one.window,
            one.model,
            short(one.auc),
            short(one.auc_within),
            "" if np.isnan(one.gain) else f"{one.gain:+.4f} [{one.low:+.4f}, {one.high:+.4f}]",
            short(one.ici),
            f"{short(one.mean, 3)} / {short(one.realized, 3)}",
            f"{one.rows:,}",
        ]
        for one in table.itertuples()
    ]
    head = ["training", "model", "AUC", "AUC within a cut-off", "ours - it [95 %]", "ICI"]
    note = (
        "No invoice in 90 days; rows of the given panel, 90 days between training and test; bootstrap by "
        "client. The season of a cut-off is that of the last year known at the end of training, so forward "
        "windows inside 2010 cannot see it and their level is off; folds of clients over all cut-offs show "
        "what it adds." + ("" if final else " Cut-offs from March 2011 are not read.")
    )
    page.add("No invoice in 90 days: a wholesaler", note, grid([*head, "mean / realized", "rows"], rows))
    judged = FINAL.name if final else "folds of clients"
    part = table[table["window"] == judged].set_index("model")
    gain = part.at[PANEL, "gain"]
    figure = f"{short(part.at[OWN, 'auc'])} against {short(part.at[PANEL, 'auc'])}, {gain:+.4f} ({judged})"
    page.bar("4: AUC at least .010 above plain LightGBM on the panel", figure, bool(gain >= LEAST_GAIN))
    ici = part.at[OWN, "ici"]
    page.bar("4: ICI at most .02", f"{short(ici)} ({judged})", bool(ici <= MOST_ICI))


def readings(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows for the log."""
    names = ["model", "auc", "brier", "log_loss", "events", "rows"]
    found = table[names].to_dict("records")
    icis = table["ici"].round(6)
    return [
        {"target": "no invoice in 90 days", **row, "measures": f"ici={ici}"}
        for row, ici in zip(found, icis, strict=True)
    ]
