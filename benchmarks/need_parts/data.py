"""The listed companies as a panel of needs: features of year t, growth of debt or of liabilities in t + 1.

Only rows with a debt label stand here: a firm that is not there in t + 1 has no statement to read its growth
from, so need is given that the firm stays, for ours and for every peer. The features of year t are known on
1 January of t + 1, when the outcome of the year before has just been seen: years need no further gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd

from clientscore.splits import out_of_time
from scoring_parts.folds import read
from scoring_parts.us import own_features, plain_features

from .cache import digest_of

if TYPE_CHECKING:
    from pathlib import Path

Target = Literal["debt", "liabilities"]
TARGETS: tuple[Target, ...] = ("debt", "liabilities")
LABELS = {"debt": "y_debt_growth10", "liabilities": "y_liab_growth10"}
CHANGES = {"debt": "ltd_change_next_to_assets", "liabilities": "liab_change_next_to_assets"}
OPEN_YEAR, FINAL_YEAR = 2011, 2014  # last feature year of training
TEST_YEARS = 3


class Fold(NamedTuple):
    """Row numbers of training and test."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Panel:
    """Rows with a label, in order of year and company."""

    target: Target
    plain: pd.DataFrame
    own: pd.DataFrame
    y: np.ndarray  # 1 where the growth is above 10 % of assets
    amount: np.ndarray  # growth / assets where y is 1, else missing
    last_change: np.ndarray  # the growth of the year before / assets, as known
    year: np.ndarray
    company: np.ndarray  # number
    last: int  # last feature year of training

    @cached_property
    def fold(self) -> Fold:
        """The split that is judged: train to `last`, test on the three years after."""
        return self._fold(self.last)

    @cached_property
    def inner(self) -> tuple[Fold, Fold]:
        """The two splits before 2015 by which everything is chosen: tested on 2009-11 and 2012-14."""
        return self._fold(FINAL_YEAR - 2 * TEST_YEARS), self._fold(FINAL_YEAR - TEST_YEARS)

    def _fold(self, last: int) -> Fold:
        index = self._index(np.arange(len(self.year)))
        train, test = out_of_time(index, f"{last + 2}-01-01", horizon=1, lead=0, period="year")
        return Fold(np.flatnonzero(train), np.flatnonzero(test & (self.year <= last + TEST_YEARS)))

    def features(self, kind: str) -> pd.DataFrame:
        """Return "plain" or "own" features."""
        return self.plain if kind == "plain" else self.own

    def digest(self, kind: str, fold: Fold) -> str:
        """Hash of what a fit on a fold reads: its own rows and no others."""
        rows = np.concatenate(fold)
        parts = (self.y[rows], np.nan_to_num(self.amount[rows]), self.company[rows], self.year[rows])
        return digest_of(self.features(kind).iloc[rows], *parts)

    def indexed(self, rows: np.ndarray) -> pd.DataFrame:
        """Return own features of some rows with client and date as index."""
        return self.own.iloc[rows].set_axis(self._index(rows), axis=0)

    def _index(self, rows: np.ndarray) -> pd.MultiIndex:
        dates = pd.to_datetime(pd.Series(self.year[rows] + 1).astype(str) + "-01-01")
        return pd.MultiIndex.from_arrays([self.company[rows], dates], names=["client_id", "as_of"])


def load_panel(
    folder: Path, cache: Path, target: Target, *, final: bool, n_companies: int | None = None
) -> Panel:
    """Load one target; without `final` nothing after feature year 2014 is kept."""
    last = FINAL_YEAR if final else OPEN_YEAR
    labels = read(folder, "us_company_labels")
    labels = labels[labels["year"] <= last + TEST_YEARS]
    columns = ["company_name", "year", LABELS[target], CHANGES[target]]
    labels = labels[columns].set_axis(["company_name", "year", "y", "change"], axis=1).dropna()
    keys = ["company_name", "year"]
    if n_companies is not None:
        names = pd.Series(labels["company_name"].unique()).sample(n_companies, random_state=0)
        labels = labels[labels["company_name"].isin(names)]
    labels = labels.sort_values(["year", "company_name"], ignore_index=True)
    plain = labels[keys].merge(plain_features(folder), on=keys, how="left", validate="one_to_one")
    own = labels[keys].merge(own_features(folder, cache), on=keys, how="left", validate="one_to_one")
    own = own.drop(columns=keys).astype(float)
    own = own.loc[:, own[labels["year"] <= OPEN_YEAR].notna().any()]
    y = labels["y"].to_numpy(dtype=float)
    change = labels["change"].to_numpy(dtype=float)
    return Panel(
        target,
        plain.drop(columns=keys).astype(float),
        own,
        y,
        np.where(y == 1, change, np.nan),
        _last_change(folder, labels, target),
        labels["year"].to_numpy(dtype=int),
        pd.factorize(labels["company_name"])[0],
        last,
    )


def _last_change(folder: Path, labels: pd.DataFrame, target: Target) -> np.ndarray:
    """Return the growth from year t - 1 to t over the assets of t - 1; 0 where it is not known."""
    panel = read(folder, "us_company_panel").sort_values(["company_name", "year"])
    item = panel["long_term_debt" if target == "debt" else "total_liabilities"]
    before = panel.groupby("company_name")[[item.name, "total_assets"]].shift(1)
    known = panel.groupby("company_name")["year"].diff().eq(1) & (before["total_assets"] > 0)
    grown = ((item - before[item.name]) / before["total_assets"]).where(known)
    table = panel[["company_name", "year"]].assign(grown=grown)
    joined = labels[["company_name", "year"]].merge(table, on=["company_name", "year"], how="left")
    return joined["grown"].fillna(0.0).to_numpy()
