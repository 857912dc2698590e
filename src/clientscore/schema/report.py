"""What a validation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from clientscore._checks import check_interval
from clientscore.exceptions import RejectedTooMuchError

__all__ = ["ValidationReport"]


@dataclass(frozen=True)
class ValidationReport:
    """The rows of a book, sorted into accepted and rejected, with the reasons.

    Attributes
    ----------
    accepted : dict of str to DataFrame
        Tables with canonical names and types, good rows only.
    rejects : DataFrame
        One row for each broken rule of a rejected row: table, row (position in the table given, from 0), id,
        column, rule, value (as text, cut at 80 characters).
    counts : DataFrame
        One row for each table: table, read, accepted, rejected. A row that breaks several rules counts once.
    notes : DataFrame
        What was not rejected but should be known: table, column, note, count, value.
    """

    accepted: dict[str, pd.DataFrame]
    rejects: pd.DataFrame
    counts: pd.DataFrame
    notes: pd.DataFrame

    def raise_if(self, max_share: float = 0.0) -> None:
        """Raise when a table lost too large a share of its rows.

        Parameters
        ----------
        max_share : float in [0, 1], default 0.0
            Largest share of rejected rows that is allowed in each table.

        Raises
        ------
        RejectedTooMuchError
            With every table above the share and its most frequent rules.
        """
        check_interval("max_share", max_share, low=0, high=1)
        share = self.counts["rejected"] / self.counts["read"].where(self.counts["read"] > 0)
        faults = []
        for name, rejected, read in self.counts.loc[
            share.fillna(0) > max_share, ["table", "rejected", "read"]
        ].itertuples(index=False):
            lines = self.rejects[self.rejects["table"] == name]
            top = (lines["column"] + ": " + lines["rule"]).value_counts().head(3)
            rules = "; ".join(f"{rule} ({count})" for rule, count in top.items())
            faults.append(f"{name}: {rejected} of {read} rows rejected ({rejected / read:.1%}): {rules}")
        if faults:
            raise RejectedTooMuchError(
                f"more than max_share={max_share:g} of the rows were rejected; see .rejects.",
                faults,
            )

    def frame(self) -> pd.DataFrame:
        """Return all findings with counts: finding, table, column, rule, rows, example."""
        columns = ["finding", "table", "column", "rule", "rows", "example"]
        groups = self.rejects.groupby(["table", "column", "rule"], sort=False)
        rejected = groups.agg(rows=("row", "size"), example=("value", "first")).reset_index()
        rejected.insert(0, "finding", "rejected")
        notes = self.notes.rename(columns={"note": "rule", "count": "rows", "value": "example"})
        notes = notes.assign(finding="note")
        parts = [part[columns] for part in (rejected, notes) if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return counts and findings as lists of dicts, ready for JSON."""
        return {
            "counts": self.counts.to_dict("records"),
            "findings": self.frame().to_dict("records"),
        }

    def __repr__(self) -> str:
        lines = [
            f"{row.table}: {row.accepted} of {row.read} rows accepted"
            for row in self.counts.itertuples(index=False)
        ]
        return "\n".join([f"ValidationReport, {len(self.frame())} findings", *lines])

    def _repr_html_(self) -> str:
        counts = self.counts.to_html(index=False)
        findings = self.frame()
        return str(counts if findings.empty else counts + findings.to_html(index=False))
