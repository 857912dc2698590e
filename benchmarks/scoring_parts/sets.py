"""Every labelled two-class set of the public data but the listed companies, its traps taken out.

The traps are those of the README beside the data: columns known only after the outcome, duplicates, rows
of one client on both sides of a split, outcomes that had no time to happen.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .folds import LabelledSet, by_folds, by_time, read
from .us import load_us, us_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def polish_one_year(folder: Path) -> LabelledSet:
    """Polish firms, bankrupt within the years after; the file `1year`, no firm id."""
    return _polish(folder, "polish_1year", "1year")


def polish_2009(folder: Path) -> LabelledSet:
    """Polish firms, bankrupt within three years of 2009."""
    return _polish(folder, "polish_2009", "wqu_2009")


def _polish(folder: Path, name: str, source: str) -> LabelledSet:
    """Take one file; its duplicates must go before the split."""
    rows = read(folder, "polish_bankruptcy")
    rows = rows[rows["source_file"] == source].drop(columns=["source_file", "company_id"]).drop_duplicates()
    return by_folds(name, rows.drop(columns="class"), rows["class"])


def sba(folder: Path) -> LabelledSet:
    """Loans to small firms, charged off; only what was known at approval, trained on earlier fiscal years."""
    rows = read(folder, "sba_national_subset")
    # Approvals before 1997 are in this subset nearly only where they failed: picked by the outcome.
    rows = rows[rows["mis_status"].notna() & (rows["approval_fy"] >= 1997)].drop_duplicates()
    names = ["state", "bank_state", "rev_line_cr", "low_doc"]
    X = rows[["no_emp", "new_exist", "create_job", "retained_job", "gr_appv", "sba_appv", *names]].copy()
    X["guaranteed_share"] = rows["sba_appv"] / rows["gr_appv"]
    X["sector"] = (rows["naics"] // 10_000).astype(str)
    X["urban_rural"] = rows["urban_rural"].astype(str)
    X["franchise"] = (rows["franchise_code"] > 1).astype(float)
    X["same_state"] = (rows["state"] == rows["bank_state"]).astype(float)
    approved, day = pd.to_datetime(rows["approval_date"], format="%m/%d/%Y"), pd.Timestamp
    windows = [  # fiscal years
        (day("2004-09-30"), day("2004-10-01"), day("2005-09-30")),
        (day("2005-09-30"), day("2005-10-01"), day("2006-09-30")),
    ]
    y = rows["mis_status"] == "CHGOFF"
    return by_time("sba", X, y, approved, windows, rows["name"].fillna("none"))


def financial_distress(folder: Path) -> LabelledSet:
    """Firms in distress in the next period; a firm's last row has no next period and is left out."""
    rows = read(folder, "financial_distress_panel").sort_values(["company", "time"])
    following = rows.groupby("company")[["time", "financial_distress_01"]].shift(-1)
    known = following["time"] == rows["time"] + 1
    rows, y = rows[known], following.loc[known, "financial_distress_01"]
    X = rows.drop(columns=["company", "time", "financial_distress_01"])
    X["x80"] = X["x80"].astype(str)  # a code, says the source
    # The outcome of period t is seen at t + 1, when the first test row is scored.
    windows = [(5, 6, 8), (8, 9, 11), (11, 12, 13)]
    return by_time("financial_distress", X, y, rows["time"], windows, rows["company"])


def nyse(folder: Path) -> LabelledSet:
    """Debt of listed firms: it grows by more than 5 % of assets in the next year."""
    rows = read(folder, "nyse_fundamentals").assign(end=lambda frame: pd.to_datetime(frame["period_ending"]))
    rows = rows[rows["total_assets"] > 0].sort_values(["ticker_symbol", "end"])
    following = rows.groupby("ticker_symbol")[["end", "long_term_debt"]].shift(-1)
    gap = (following["end"] - rows["end"]).dt.days
    rows = rows[gap.between(330, 400)]
    growth = (following.loc[rows.index, "long_term_debt"] - rows["long_term_debt"]) / rows["total_assets"]
    ratios = ["after_tax_roe", "cash_ratio", "current_ratio", "gross_margin", "operating_margin"]
    ratios += ["pre_tax_margin", "pre_tax_roe", "profit_margin", "quick_ratio", "earnings_per_share"]
    plain = ["unnamed_0", "ticker_symbol", "period_ending", "for_year", "end", *ratios]
    shares = rows.drop(columns=[*plain, "total_assets", "total_liabilities_equity"])
    X = pd.concat([rows[ratios], shares.div(rows["total_assets"], axis=0)], axis=1)
    X["log_assets"] = np.log(rows["total_assets"])
    return by_folds("nyse", X, growth > 0.05, rows["ticker_symbol"])


def ibrd_cancellation(folder: Path) -> LabelledSet:
    """World Bank loans with undrawn money in 2020-11: a further part is cancelled by 2023-05."""
    X, later, country = _ibrd(folder)
    return by_folds("ibrd_cancellation", X, later["cancelled"] > 0.001, country)


def ibrd_drawdown(folder: Path) -> LabelledSet:
    """World Bank loans with undrawn money in 2020-11: over 20 % of the principal is drawn by 2023-05."""
    X, later, country = _ibrd(folder)
    return by_folds("ibrd_drawdown", X, later["drawn"] > 0.2, country)


def _ibrd(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Return features of the state of 2020-11, what changed by 2023-05 (of principal), and the country."""
    rows = read(folder, "ibrd_loans")
    amounts = ["cancelled_amount", "disbursed_amount"]
    after = rows[rows["snapshot"] == "2023-05"].set_index("loan_number")[amounts]
    loans = rows[(rows["snapshot"] == "2020-11") & (rows["undisbursed_amount"] > 0)]
    loans = loans[loans["original_principal_amount"] > 0]
    loans = loans[loans["loan_number"].isin(after.index)]
    principal = loans["original_principal_amount"]
    change = (after.loc[loans["loan_number"]].to_numpy() - loans[amounts]).div(principal, axis=0)
    text = ["region", "country_code", "loan_type", "loan_status"]
    X = loans[[*text, "interest_rate"]].copy()
    X["log_principal"] = np.log(principal)
    for name in ("cancelled", "undisbursed", "disbursed"):
        X[f"{name}_share"] = loans[f"{name}_amount"] / principal
    for name in ("repaid_to_ibrd", "exchange_adjustment", "borrower_obligation"):
        X[f"{name}_share"] = loans[name] / principal
    dates = ["board_approval_date", "agreement_signing_date", "effective_date_most_recent"]
    dates += ["last_disbursement_date", "closed_date_most_recent", "first_repayment_date"]
    for name in [*dates, "last_repayment_date"]:
        X[name.replace("_date", "_years_ago")] = (loans["end_of_period"] - loans[name]).dt.days / 365.25
    return X, change.set_axis(["cancelled", "drawn"], axis=1), loans["country_code"]


def give_me_some_credit(folder: Path) -> LabelledSet:
    """Consumers with a serious delinquency within two years."""
    rows = read(folder, "give_me_some_credit").drop(columns="unnamed_0").drop_duplicates()
    return by_folds("give_me_some_credit", rows.drop(columns="serious_dlqin2yrs"), rows["serious_dlqin2yrs"])


def taiwan(folder: Path) -> LabelledSet:
    """Card clients who default next month."""
    rows = read(folder, "credit_card_default_taiwan").drop(columns="id").drop_duplicates()
    codes = ["sex", "education", "marriage"]
    X = rows.drop(columns="default_payment_next_month").astype(dict.fromkeys(codes, str))
    return by_folds("taiwan", X, rows["default_payment_next_month"])


def german(folder: Path) -> LabelledSet:
    """German credit, bad payers."""
    rows = read(folder, "german_credit")
    return by_folds("german", rows.drop(columns="creditability"), rows["creditability"] == "bad")


def lendingclub(folder: Path) -> LabelledSet:
    """Loans of 2018 that fail; issues after September had too little time to, and are left out."""
    rows = read(folder, "lendingclub_32k")
    issued = pd.to_datetime(rows["issue_d"], format="%Y/%m/%d")
    rows = rows[issued <= "2018-09-01"]
    # `grade_1` repeats `grade`; the rest was known when the loan was issued.
    X = rows.drop(columns=["id", "issue_d", "loan_status", "grade_1"])
    X["dti_joint"] = pd.to_numeric(X["dti_joint"], errors="coerce")
    X["emp_length"] = X["emp_length"].fillna("none")
    day = pd.Timestamp
    windows = [
        (day("2018-04-01"), day("2018-05-01"), day("2018-06-01")),
        (day("2018-06-01"), day("2018-07-01"), day("2018-09-01")),
    ]
    return by_time("lendingclub", X, rows["loan_status"], issued[rows.index], windows)


def online_retail(folder: Path) -> LabelledSet:
    """Clients of a wholesaler without an invoice in the next 90 days; 90 days before each test."""
    rows = read(folder, "online_retail_client_panel")
    X = rows.drop(columns=["customer_id", "cutoff", "y_churn90", "y_amount_next90"])
    day = pd.Timestamp
    windows = [
        (day("2010-12-01"), day("2011-03-01"), day("2011-05-01")),
        (day("2011-03-01"), day("2011-06-01"), day("2011-09-01")),
    ]
    return by_time("online_retail", X, rows["y_churn90"], rows["cutoff"], windows, rows["customer_id"])


def berka_card(folder: Path) -> LabelledSet:
    """Clients of a Czech bank who take a card in 1997."""
    return _berka(folder, "berka_card", "dv_card_1997")


def berka_loan(folder: Path) -> LabelledSet:
    """Clients of a Czech bank who take a loan in 1997."""
    return _berka(folder, "berka_loan", "dv_loan_1997")


def _berka(folder: Path, name: str, outcome: str) -> LabelledSet:
    """Leave out standing orders and earlier loans, which hold what came after 1996."""
    rows = read(folder, "berka_client_basetable_1996")
    leaks = [column for column in rows if column.startswith(("po_", "order_", "previous_loan"))]
    out = ["client_id", "n_accounts", "has_previous_loan", "dv_loan_1997", "dv_card_1997", *leaks]
    return by_folds(name, rows.drop(columns=out), rows[outcome])


def bank_churners(folder: Path) -> LabelledSet:
    """Card customers who left: detection, since the activity covers the period of leaving."""
    rows = read(folder, "bank_churners")
    X = rows.drop(columns=["clientnum", "attrition_flag"])
    return by_folds("bank_churners", X, rows["attrition_flag"].str.startswith("Attrited"))


def hillstrom(folder: Path) -> LabelledSet:
    """Clients of a randomized e-mail test who visit; the arm is a feature."""
    rows = read(folder, "hillstrom_email")
    return by_folds("hillstrom", rows.drop(columns=["visit", "conversion", "spend"]), rows["visit"])


def bank_marketing(folder: Path) -> LabelledSet:
    """Clients of a Portuguese bank who take a deposit, in the order of the calls."""
    rows = read(folder, "bank_marketing_full").sort_values("source_row")
    X = rows.drop(columns=["source_row", "duration", "y"])  # the duration is known after the call
    n = len(rows)
    edges = [round(share * n) for share in (0.6, 0.8, 1)]
    windows = [(start - 1, start, end - 1) for start, end in pairwise(edges)]
    return by_time("bank_marketing", X, rows["y"] == "yes", pd.Series(range(n)), windows)


LOADERS: dict[str, Callable[[Path], LabelledSet]] = {
    "german": german,
    "ibrd_cancellation": ibrd_cancellation,
    "ibrd_drawdown": ibrd_drawdown,
    "nyse": nyse,
    "berka_card": berka_card,
    "berka_loan": berka_loan,
    "financial_distress": financial_distress,
    "polish_1year": polish_one_year,
    "polish_2009": polish_2009,
    "bank_churners": bank_churners,
    "sba": sba,
    "online_retail": online_retail,
    "lendingclub": lendingclub,
    "taiwan": taiwan,
    "bank_marketing": bank_marketing,
    "hillstrom": hillstrom,
    "give_me_some_credit": give_me_some_credit,
}


def set_names() -> list[str]:
    """Return the names of all sets, the quick ones first."""
    return [*LOADERS, *us_names()]


def load(name: str, folder: Path, cache: Path, *, final: bool = False) -> LabelledSet:
    """Load a set by name; `final` matters to the listed companies only."""
    if name in LOADERS:
        return LOADERS[name](folder)
    return load_us(name, folder, cache, final=final)
