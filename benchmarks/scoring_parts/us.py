"""The listed companies: three targets, on plain ratios and on the library's own financial features.

Folds lie before 2015, except for the final reading: feature years to 2014, tested on 2015-18 (bankruptcy)
or 2015-17 (exit, debt growth: 2018 has no outcome). The features of year t are known on 1 January of t + 1,
when the outcome of the last training year, t, has just been seen: no further gap is needed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd

import clientscore as cs

from .folds import LabelledSet, by_time, read

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples" / "us_companies"
TARGETS = ("bankruptcy", "exit", "debt_growth")
OPEN_WINDOWS = [(2007, 2008, 2010), (2010, 2011, 2014)]
LAST_TEST_YEAR = {"bankruptcy": 2018, "exit": 2017, "debt_growth": 2017}
# A firm enters the panel in 1999 whatever its age, and early failures are missing: these tell its fate.
ARTEFACTS = ["tenure_months", "age_years"]


def us_names() -> list[str]:
    """Return the names of the six sets."""
    return [f"us_{target}_{features}" for features in ("plain", "own") for target in TARGETS]


def load_us(name: str, folder: Path, cache: Path, *, final: bool = False) -> LabelledSet:
    """Load one of the six sets; `final` trains on all years before 2015 and tests on those after."""
    _, target, features = name.replace("debt_growth", "debt-growth").split("_")
    target = target.replace("-", "_")
    rows = plain_features(folder) if features == "plain" else own_features(folder, cache)
    labels = read(folder, "us_company_labels")
    known = {
        "bankruptcy": labels["y_bankrupt_next"],
        "exit": labels["exit_kind"].eq("other").astype(float).where(labels["exit_kind"] != "censored"),
        "debt_growth": labels["y_debt_growth10"],
    }
    labels = labels[["company_name", "year"]].assign(y=known[target].astype(float)).dropna()
    windows = [(2014, 2015, LAST_TEST_YEAR[target])] if final else OPEN_WINDOWS
    labels = labels[labels["year"] <= windows[-1][-1]]
    rows = rows.merge(labels, on=["company_name", "year"], validate="one_to_one")
    rows = rows.sort_values(["year", "company_name"])
    X = rows.drop(columns=["company_name", "year", "y"])
    X = X.loc[:, X.notna().any()]
    return by_time(name, X, rows["y"], rows["year"], windows, rows["company_name"])


def plain_features(folder: Path) -> pd.DataFrame:
    """Return company_name, year, 20 ratios and the one-year changes of ten of them."""
    panel = read(folder, "us_company_panel").sort_values(["company_name", "year"])
    ratios = _ratios(panel)
    changing = ["log_assets", "log_sales", "log_market_value", "net_income_to_assets", "ebit_to_assets"]
    changing += ["liabilities_to_assets", "debt_to_assets", "current_ratio", "sales_to_assets"]
    before = ratios.groupby(panel["company_name"]).shift(1)
    next_to = panel.groupby("company_name")["year"].diff() == 1
    change = (ratios - before).loc[:, [*changing, "retained_earnings_to_assets"]].where(next_to, axis=0)
    keys = panel[["company_name", "year"]]
    return pd.concat([keys, ratios, change.add_suffix("_change")], axis=1)


def _ratios(panel: pd.DataFrame) -> pd.DataFrame:
    """Return 20 plain ratios; a denominator of zero or less has none."""
    positive = panel.where(panel.select_dtypes("number") > 0)
    assets, sales = positive["total_assets"], positive["net_sales"]
    to_assets = ["net_income", "ebit", "ebitda", "retained_earnings", "current_assets", "inventory"]
    to_assets += ["total_receivables", "current_liabilities", "depreciation_amortization", "market_value"]
    columns = {f"{name}_to_assets": panel[name] / assets for name in to_assets}
    columns |= {
        "liabilities_to_assets": panel["total_liabilities"] / assets,
        "debt_to_assets": panel["long_term_debt"] / assets,
        "sales_to_assets": panel["net_sales"] / assets,
        "current_ratio": panel["current_assets"] / positive["current_liabilities"],
        "market_value_to_liabilities": panel["market_value"] / positive["total_liabilities"],
        "gross_margin": panel["gross_profit"] / sales,
        "debt_to_ebitda": panel["long_term_debt"] / positive["ebitda"],
        "log_assets": np.log(assets),
        "log_sales": np.log(sales),
        "log_market_value": np.log(positive["market_value"]),
    }
    return pd.DataFrame(columns).replace([np.inf, -np.inf], np.nan)


def own_features(folder: Path, cache: Path) -> pd.DataFrame:
    """Return company_name, year and the library's features, kept on disk while their code is the same."""
    path = cache / f"us_features_{_code_digest(folder)}.parquet"
    if path.exists():
        return pd.read_parquet(path)
    schema = cs.ClientSchema.from_toml(EXAMPLE / "schema.toml")
    tables = cs.validate_clients(cs.datasets.load_us_companies(folder), schema).accepted
    dates = list(pd.date_range("2000-01-01", "2019-01-01", freq="YS"))
    X = cs.build_features(tables, schema, dates).drop(columns=ARTEFACTS)
    # A firm without a statement this year cannot be judged on it.
    X = X[cs.build_context(tables, schema, dates)["days_since_statement"] <= 1]
    keys = {
        "company_name": X.index.get_level_values("client_id").astype("str"),
        "year": (X.index.get_level_values("as_of").year - 1).astype("int16"),
    }
    rows = pd.concat([pd.DataFrame(keys), X.reset_index(drop=True)], axis=1)
    cache.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    rows.to_parquet(part)
    part.replace(path)
    return rows


def _code_digest(folder: Path) -> str:
    """Hash of what the features are made of: the code below the scores, the schema, the size of the data."""
    source = REPOSITORY / "src" / "clientscore"
    files = [source / f"{name}.py" for name in ("timeline", "catalogue", "datasets/us_companies")]
    files += [*(source / "features").glob("*.py"), *(source / "schema").glob("*.py")]
    digest = hashlib.sha256((folder / "us_company_panel.parquet").read_bytes())
    for file in [*sorted(files), EXAMPLE / "schema.toml"]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
