"""Bankruptcy, exit and debt growth of 8,971 listed companies, through the public API.

Train on feature years up to 2014; test bankruptcy on 2015-18, exit and debt growth on 2015-17. Every figure
stands beside its base rate and a plain bagged LightGBM fitted in the same run. Then the full assessment of
every company alive in 2018 is written: a forecast. While anything is still being chosen, look at earlier
years only: ``--train-to 2010 --test-to 2014``. A run that reads the test years (feature years after 2014)
adds its figures to ``docs/benchmarks/readings.csv``, so that anyone can see how often they were read.

Run it with ``CLIENTSCORE_DATA=/path/to/data python examples/us_companies/run.py``.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

import clientscore as cs

HERE = Path(__file__).parent
READINGS = HERE.parents[1] / "docs" / "benchmarks" / "readings.csv"
LAST_OPEN_YEAR = 2014  # later feature years are the test period
OUTCOMES_END = "2019-01-01"  # exits and debt are known up to here,
BANKRUPTCIES_END = "2020-01-01"  # bankruptcies one year longer
# Firms enter the panel in 1999 whatever their age, and early failures are missing from it, so the years a
# firm has been seen tell its fate in this file and nowhere else.
ARTEFACTS = ["tenure_months", "age_years"]
PLAIN = ("_change_2y", "_change_3y", "_vs_history", "_rank")


def main() -> None:
    """Fit, test, print, and write the assessment of the companies alive in 2018."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", help="folder of the data; default CLIENTSCORE_DATA")
    arguments.add_argument("--out", default="out/us_companies", help="folder for the results")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--train-to", type=int, default=2014, help="last feature year of training")
    arguments.add_argument("--test-to", type=int, default=2018, help="last feature year of the test")
    options = arguments.parse_args()

    schema = cs.ClientSchema.from_toml(HERE / "schema.toml")
    checked = cs.validate_clients(cs.datasets.load_us_companies(options.data), schema)
    print(checked.counts.to_string(index=False))
    tables = checked.accepted
    dates = list(pd.date_range("2000-01-01", f"{options.test_to + 1}-01-01", freq="YS"))
    X = cs.build_features(tables, schema, dates).drop(columns=ARTEFACTS)
    C = cs.build_context(tables, schema, dates)
    y = outcomes(tables, schema, dates)
    fresh = C["days_since_statement"] <= 1  # a firm without a statement this year cannot be judged on it
    X, C, y = X[fresh], C[fresh], y[fresh]

    year = X.index.get_level_values("as_of").year - 1  # the year of the features
    train = np.asarray(year <= options.train_to)
    # One period a year: all rows fit, and more bags cost little (chosen on feature years to 2014).
    churn = cs.ChurnModel(
        horizons=(1,),
        churn_causes=schema.churn_causes,
        max_rows=200_000,
        n_bags=4,
        random_state=options.seed,
    )
    model = cs.ClientModel(schema=schema, churn=churn, horizons=(1,), lead=0, random_state=options.seed)
    model.fit_features(X[train], y[train], context=C[train])
    table = figures(model, X, y, train, options.seed)
    print(table.round(5).to_string(index=False))
    if options.test_to > LAST_OPEN_YEAR:
        log_reading(table)

    alive = year == options.test_to
    result = model.assess_features(X[alive], context=C[alive])
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    result.to_parquet(out / "assessments.parquet")
    cs.save_model(model, out / "model.clientscore")
    cs.report.portfolio(result, out / "portfolio.html")
    print(f"{len(result):,} companies alive in {options.test_to} assessed; written to {out}")
    print(result.summary().round(4).to_string())


def outcomes(
    tables: dict[str, pd.DataFrame], schema: cs.ClientSchema, dates: list[pd.Timestamp]
) -> pd.DataFrame:
    """Return the labels; bankruptcy is known a year longer than the rest, debt only with a next statement."""
    y = cs.build_labels(tables, schema, dates, horizon=1, lead=0, data_end=OUTCOMES_END)
    longer = cs.build_labels(tables, schema, dates, horizon=1, lead=0, data_end=BANKRUPTCIES_END)
    y["bad"] = longer["bad"]
    seen = tables["statements"].assign(year=tables["statements"]["period_end"].dt.year)
    next_year = pd.MultiIndex.from_frame(seen[["client_id", "year"]])
    index = y.index.to_frame()
    known = pd.MultiIndex.from_arrays([index["client_id"], index["as_of"].dt.year]).isin(next_year)
    y.loc[~known, "need_duration"] = 0  # not at risk of a drawing that could be seen
    return y


def figures(
    model: cs.ClientModel, X: pd.DataFrame, y: pd.DataFrame, train: np.ndarray, seed: int
) -> pd.DataFrame:
    """Return AUC, Brier and log loss of each head beside the base rate and bagged LightGBM."""
    year = X.index.get_level_values("as_of").year - 1
    exits, needs = y["exit_duration"] > 0, y["need_duration"] > 0
    p_exit = model.churn_.predict_cumulative_incidence(X)[("other", 1)]
    p_need = model.need_.predict(X)["need_probability_1y"]
    heads = {
        "bankruptcy": (y["bad"], y["bad"].notna(), model.scorer_.predict_proba(X)[:, 1]),
        "exit (other)": (y["exit_cause"].eq("other"), exits & (year < 2018), p_exit),
        "debt growth": (y["need_event"].eq("need"), needs & (year < 2018), p_need),
    }
    rows = []
    for name, (label, known, p) in heads.items():
        learn, test = (known & train).to_numpy(), (known & ~train).to_numpy()
        truth = label[test].astype(float).to_numpy()
        trees = bagged_lightgbm(X[learn], label[learn].astype(float), X[test], seed)
        base = np.full(len(truth), label[learn].astype(float).mean())
        for who, probability in {
            "clientscore": np.asarray(p)[test],
            "bagged LightGBM": trees,
            "base rate": base,
        }.items():
            rows.append(
                {
                    "target": name,
                    "model": who,
                    "auc": cs.metrics.auc(truth, probability),
                    "brier": cs.metrics.brier(truth, probability),
                    "log_loss": cs.metrics.log_loss(truth, probability),
                    "events": int(truth.sum()),
                    "rows": len(truth),
                }
            )
    return pd.DataFrame(rows)


def log_reading(table: pd.DataFrame) -> None:
    """Add a reading of the test years to the log: date, commit, and every figure."""
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    today = f"{pd.Timestamp.now():%Y-%m-%d}"
    rows = table.round(6).assign(
        date=today, commit=commit or "unknown", source="examples/us_companies/run.py"
    )
    columns = ["date", "commit", "source", *table.columns]
    rows[columns].to_csv(READINGS, mode="a", index=False, header=not READINGS.exists())
    print(f"reading added to {READINGS}")


def bagged_lightgbm(X: pd.DataFrame, y: pd.Series, X_test: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the mean of four full LightGBMs on plain ratios and one-year changes, each stopped early."""
    plain = [name for name in X if not name.endswith(PLAIN) and X[name].notna().any()]
    client = pd.factorize(X.index.get_level_values("client_id"))[0]
    settings = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.05,
        "min_data_in_leaf": 50,
        "num_threads": 1,
        "verbosity": -1,
        "deterministic": True,
        "force_col_wise": True,
    }
    scores = []
    for bag in range(4):
        generator = np.random.default_rng([seed, bag])
        held = np.isin(client, generator.permutation(client.max() + 1)[: int(0.15 * (client.max() + 1))])
        stop = lgb.early_stopping(30, verbose=False)
        fitted = lgb.train(
            settings | {"seed": bag},
            lgb.Dataset(X.loc[~held, plain], y[~held]),
            num_boost_round=1000,
            valid_sets=[lgb.Dataset(X.loc[held, plain], y[held])],
            callbacks=[stop],
        )
        scores.append(fitted.predict(X_test[plain], raw_score=True))
    return 1 / (1 + np.exp(-np.mean(scores, axis=0)))


if __name__ == "__main__":
    main()
