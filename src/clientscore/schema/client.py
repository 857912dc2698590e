"""The schema of a book: its tables, its currency, its rhythm and its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clientscore._words import SILENT, Period
from clientscore.catalogue import pillar_of
from clientscore.exceptions import SchemaError

from .build import default_state, overridden, parts, read_toml, to_state
from .coherence import coherence_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .spec import TableSpec

__all__ = ["ClientSchema"]

_EXITS = {
    "closure": "hard_attrition",
    "default": "default",
    "repayment": "scheduled_repayment",
    "bank_exit": "bank_exit",
}


@dataclass(frozen=True)
class ClientSchema:
    """The tables of a book, its currency, its rhythm and its words.

    Parameters
    ----------
    tables : mapping of str to TableSpec
        All tables a book may have; only ``clients`` must be there.
    currency : str, default "CNY"
        The one currency and unit of every amount.
    publication_lag_days : int, default 120
        Days from the end of a period to its statement, for statements without ``published_at``.
    period : {"month", "quarter", "year"}, default "month"
        Length of a period of a horizon.
    exit_events : mapping of str to str, optional
        Event word -> cause of the final exit; by default ``closure`` -> ``hard_attrition``, ``default`` ->
        ``default``, ``repayment`` -> ``scheduled_repayment`` and ``bank_exit`` -> ``bank_exit``.
    default_events : tuple of str, default ("default",)
        Event words that make a client ``bad``; each is an exit too.
    drawing_events : tuple of str, default ("drawing",)
        Event words that mean new money.
    churn_causes : tuple of str, default ("hard_attrition", "silent_attrition")
        Causes that count as churn.

    Raises
    ------
    SchemaError
        When the parts do not fit together; all faults are listed.

    Examples
    --------
    >>> schema = ClientSchema.default()
    >>> schema.tables["statements"].column("revenue").aliases[-2:]
    ('销售收入', '收入')
    >>> schema.exit_events["closure"]
    'hard_attrition'
    """

    tables: Mapping[str, TableSpec]
    currency: str = "CNY"
    publication_lag_days: int = 120
    period: Period = "month"
    exit_events: Mapping[str, str] = field(default_factory=lambda: dict(_EXITS))
    default_events: tuple[str, ...] = ("default",)
    drawing_events: tuple[str, ...] = ("drawing",)
    churn_causes: tuple[str, ...] = ("hard_attrition", SILENT)

    def __post_init__(self) -> None:
        faults = coherence_faults(vars(self))
        if faults:
            raise SchemaError(f"the schema has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)

    @classmethod
    def default(cls) -> ClientSchema:
        """Return the default schema: nine tables, CNY, months, statements after 120 days."""
        return cls(**parts(default_state()))

    @classmethod
    def from_toml(cls, path: str | Path) -> ClientSchema:
        r"""Return the default schema changed by a TOML file.

        Every part of the file is optional; all its faults are reported at once.

        Parameters
        ----------
        path : str or Path
            The file.

        Raises
        ------
        SchemaError
            When the file cannot be read, or says something the schema does not know.

        Examples
        --------
        A book in yearly statements, with its own names::

            currency = "USD"
            period = "year"                       # month, quarter or year
            publication_lag_days = 1
            churn_causes = ["other"]

            [events]
            exits = { default = "bankrupt", closure = "other" }   # event word -> cause; replaces the default
            default = ["default"]                                 # words that make a client bad
            drawing = ["drawing"]                                 # words that mean new money

            [tables.statements]
            aliases = ["company_years"]           # other names of the table
            [tables.statements.rename]
            net_sales = "revenue"                 # your column -> canonical column
            [tables.statements.columns]
            revenue = { low = 0, nullable = false, aliases = ["omzet"] }       # change a column
            headcount = { kind = "number", role = "context", unit = "count" }  # add one

            [tables.events.columns.event.levels]
            default = ["failed"]                  # words of your data -> level

        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "schema.toml")
        ...     _ = path.write_text('period = "year"\n[tables.statements.rename]\nnet_sales = "revenue"')
        ...     schema = ClientSchema.from_toml(path)
        >>> schema.period, schema.tables["statements"].rename
        ('year', {'net_sales': 'revenue'})
        """
        return cls(**parts(overridden(default_state(), read_toml(Path(path)))))

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as dicts, lists, text and numbers, ready for JSON."""
        return to_state(vars(self))

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> ClientSchema:
        """Return the schema that `to_dict` gave; raise `SchemaError` with all faults otherwise."""
        return cls(**parts(given))

    def pillars(self, columns: Iterable[str]) -> dict[str, str]:
        """Return the pillar of each feature: a table column's own, else the catalogue's.

        Parameters
        ----------
        columns : iterable of str
            Feature names, such as ``X.columns``.

        Returns
        -------
        dict of str to str
            "financial", "credit", "market", "relationship" or, for an unknown name, "other".

        Examples
        --------
        >>> ClientSchema.default().pillars(["current_ratio", "satisfaction", "my_own"])
        {'current_ratio': 'financial', 'satisfaction': 'relationship', 'my_own': 'other'}
        """
        own = {
            column.name: column.pillar
            for table in self.tables.values()
            for column in table.columns
            if column.role == "feature" and column.pillar != "other"
        }
        return {name: own.get(name) or pillar_of(name) for name in columns}
