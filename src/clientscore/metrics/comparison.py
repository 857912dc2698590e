"""The report on a card and its challenger, measure by measure on the same rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PairedReport"]


class PairedReport:
    """What the reports on card against trees share; a frozen dataclass adds the facts and the headline.

    Attributes
    ----------
    comparisons : tuple
        One frozen dataclass a measure: measure, the values, difference (card minus trees), lower, upper.
    comparison_kind : type
        That dataclass.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Gap:
    ...     measure: str
    ...     difference: float
    >>> @dataclass(frozen=True, repr=False)
    ... class Report(PairedReport):
    ...     comparison_kind = Gap
    ...     rows: int
    ...     comparisons: tuple[Gap, ...]
    ...     @property
    ...     def headline(self):
    ...         return f"{self.rows} rows"
    >>> report = Report(2, (Gap("brier", 0.01),))
    >>> Report.from_dict(report.to_dict()) == report
    True
    >>> str(report).splitlines()[0], float(report.frame().at["brier", "difference"])
    ('2 rows', 0.01)
    """

    comparisons: tuple[Any, ...]
    comparison_kind: ClassVar[type]

    @property
    def headline(self) -> str:
        """What was compared, on which rows, in one line."""
        return ""

    def frame(self) -> pd.DataFrame:
        """Return one row a measure: its values, difference (card minus trees), lower, upper."""
        return pd.DataFrame([asdict(one) for one in self.comparisons]).set_index("measure")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON scalars, lists and dicts."""
        comparisons = [asdict(one) for one in self.comparisons]
        return {**asdict(self), "comparisons": comparisons}  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Build the report from :meth:`to_dict`."""
        comparisons = tuple(cls.comparison_kind(**one) for one in state["comparisons"])
        return cls(**{**state, "comparisons": comparisons})

    def __repr__(self) -> str:
        return f"{self.headline}\n{self.frame().round(5).to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>{self.headline}</p>{self.frame().round(5).to_html()}"
