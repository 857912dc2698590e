"""Reports for people: one self-contained HTML page from the frames of a result.

The page holds everything inside itself: no script, no font, no picture from elsewhere, so it can be mailed,
archived and opened in ten years.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clientscore._files import replacing
from clientscore.exceptions import InvalidParameterError, MissingDependencyError

from ._facts import book_facts
from ._tables import compact, figure_table

if TYPE_CHECKING:
    import os

__all__ = ["portfolio"]


def portfolio(
    result: Any,
    path: str | os.PathLike[str],
    *,
    figures: pd.DataFrame | None = None,
    title: str = "Client portfolio",
) -> Path:
    """Write the portfolio report: one HTML page about a whole book.

    It shows the book in figures, the tiers, the grades, who may leave, why and what that would cost, early
    warning, the expected financing need by month and product, the clients to call first and why, and the
    service plan. What a
    frame lacks is left out, and the page says so.

    Parameters
    ----------
    result : Assessment or DataFrame
        Anything with a method ``frame()``, or a frame, in the columns of an assessment. A ``rates`` frame of
        the result (forecast rates with their intervals) and its ``alarms()`` (signals in words with the
        number of clients) are shown where present.
    path : path-like
        The file to write; an old one is replaced only by a complete new one.
    figures : DataFrame, default None
        Out-of-time figures beside their baselines, shown as a table.
    title : str, default "Client portfolio"
        Heading of the page.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    MissingDependencyError
        jinja2 is not installed.
    InvalidParameterError
        `result` is neither a frame nor has one.
    """
    try:
        import jinja2  # noqa: PLC0415 -- an extra, needed here only
    except ImportError as error:
        raise MissingDependencyError(
            "report.portfolio needs jinja2, which is not installed. Run: pip install 'clientscore[report]'."
        ) from error
    frame = _frame(result)
    rates, alarms = getattr(result, "rates", None), getattr(result, "alarms", None)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["compact"] = compact
    source = resources.files(__package__).joinpath("portfolio.html.j2").read_text(encoding="utf-8")
    page = environment.from_string(source).render(
        title=title,
        facts=book_facts(frame, alarms() if callable(alarms) else None),
        figures=figure_table(figures),
        rates=figure_table(rates if isinstance(rates, pd.DataFrame) else None),
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def _frame(result: Any) -> pd.DataFrame:
    """Return the frame of a result, with the client ids as a column."""
    frame = result if isinstance(result, pd.DataFrame) else getattr(result, "frame", lambda: None)()
    if not isinstance(frame, pd.DataFrame):
        raise InvalidParameterError(
            f"result must be an assessment or a DataFrame; got {type(result).__name__}. "
            "Pass what model.assess returns."
        )
    names = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(level=names) if names else frame
