"""Listed companies of the United States, 1999-2018, as the tables of a lender's book."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from clientscore.exceptions import DataNotFoundError

_PANEL = "us_company_panel.parquet"
_LABELS = "us_company_labels.parquet"
# Constant over a company's life, so it tells the outcome; bookkeeping of the file.
_UNIT = 1e6  # the source's amounts are in USD million
_NOT_DATA = ["status_label", "source_row", "filled_from", "market_value", "year"]


def load_us_companies(path: str | os.PathLike[str] | None = None) -> dict[str, pd.DataFrame]:
    """Load 8,971 listed companies as clients, statements, market values and events.

    The accounting items keep the names of the source (``net_sales``, ``total_receivables``, ...); the schema
    of ``examples/us_companies/schema.toml`` maps them. Amounts are in USD (the source has millions). Read
    the tables with ``period="year"`` and a publication lag of one day: the statement of year t is known on
    1 January of t+1, and what happens in year t+1 is dated inside that year.

    Parameters
    ----------
    path : path-like, optional
        The folder that holds ``us_company_panel.parquet`` and ``us_company_labels.parquet``; None reads it
        from the environment variable ``CLIENTSCORE_DATA``.

    Returns
    -------
    dict of DataFrame
        ``clients`` (company_name, relationship_start: 1 January of the first year in the panel),
        ``statements`` (company_name, period_end and 17 accounting items), ``market_values`` (company_name,
        month, market_value), ``events`` (company_name, date, event, amount): "default" for a bankruptcy and
        "closure" for any other end, both dated 1 July, "drawing" on 31 December where long-term debt grew
        by more than 10 % of the assets at the year's start, with the growth as its amount.

    Raises
    ------
    DataNotFoundError
        The folder is not named, or the files are not in it.

    Notes
    -----
    The last year has no outcome for exits and drawings, only for bankruptcies: leave ``as_of`` 2019-01-01
    out of every fit and test of these two. Debt growth is known only for firms with a statement in the year
    after.
    """
    folder = _folder(path)
    panel = pd.read_parquet(folder / _PANEL)
    outcomes = pd.read_parquet(folder / _LABELS).merge(
        panel[["company_name", "year"]], on=["company_name", "year"]
    )
    items = panel.columns[panel.dtypes == "float64"]  # the accounting items and the market value
    panel[items] *= _UNIT
    period_end = pd.to_datetime(panel["year"].astype("str") + "-12-31")
    first_year = panel.groupby("company_name", sort=True)["year"].min()
    return {
        "clients": pd.DataFrame(
            {
                "company_name": first_year.index.astype("str"),
                "relationship_start": pd.to_datetime(first_year.astype("str").to_numpy() + "-01-01"),
            }
        ),
        "statements": panel.drop(columns=_NOT_DATA).assign(period_end=period_end),
        "market_values": pd.DataFrame(
            {
                "company_name": panel["company_name"],
                "month": period_end.dt.to_period("M").dt.start_time,
                "market_value": panel["market_value"],
            }
        ),
        "events": _events(outcomes),
    }


def _folder(path: str | os.PathLike[str] | None) -> Path:
    given = path if path is not None else os.environ.get("CLIENTSCORE_DATA")
    if given is None:
        raise DataNotFoundError(
            "load_us_companies needs a folder: pass path=, or set the environment variable CLIENTSCORE_DATA."
        )
    folder = Path(given)
    missing = [name for name in (_PANEL, _LABELS) if not (folder / name).is_file()]
    if missing:
        raise DataNotFoundError(
            f"{str(folder)!r} must hold {_PANEL} and {_LABELS}; {' and '.join(missing)} not found. "
            "Pass path= or set CLIENTSCORE_DATA to the folder that does."
        )
    return folder


def _events(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return what happened in the year after each statement."""
    next_year = (outcomes["year"].astype("int64") + 1).astype("str")
    kinds = {
        "default": (outcomes["y_bankrupt_next"] == 1, "-07-01"),
        "closure": (outcomes["exit_kind"] == "other", "-07-01"),
        "drawing": (outcomes["y_debt_growth10"] == 1, "-12-31"),
    }
    parts = [
        pd.DataFrame(
            {
                "company_name": outcomes.loc[happened, "company_name"],
                "date": pd.to_datetime(next_year[happened] + day),
                "event": event,
                "amount": outcomes.loc[happened, "ltd_change_next"] * _UNIT if event == "drawing" else None,
            }
        )
        for event, (happened, day) in kinds.items()
    ]
    events = pd.concat([part.astype({"amount": "float64", "event": "str"}) for part in parts])
    return events.sort_values(["company_name", "date"]).reset_index(drop=True)
