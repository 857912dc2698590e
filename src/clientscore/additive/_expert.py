"""Expert cards: a scorecard that people wrote, ready to score; the slotting of project finance as one."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from ._card import AdditiveCard
from ._points_table import PointsTable

if TYPE_CHECKING:
    import os

    import pandas as pd

    from clientscore.scale import ScoreScale

    from ._edit import Moment


def expert_card(
    source: str | os.PathLike[str] | pd.DataFrame,
    scale: ScoreScale | None = None,
    *,
    by: str | None = None,
    why: str | None = None,
    when: Moment = None,
) -> tuple[AdditiveCard, ScoreScale]:
    """Read a points table written by hand and return the card that scores it.

    For a bank without defaults to learn from.  A client's points are `start_points` plus one row a feature;
    the card's log-odds give these points back on the scale returned.  The form in TOML::

        title = "Project finance, small tickets"
        author = "Credit committee"
        date = 2026-01-01
        why = "No defaults yet"
        start_points = 0                    # before any row, default 0

        [scale]                             # 50 points are odds of 30 to 1, 10 points double them
        base_points = 50
        base_odds = 30
        pdo = 10

        [features.dscr]                     # intervals hold their upper end: 1.0 < x <= 1.3
        reason = "debt service coverage"
        rows = [
            { to = 1.0, points = 0 },
            { from = 1.0, to = 1.3, points = 20 },
            { from = 1.3, points = 45 },
            { special = -999, points = 5 }, # exactly this number, wherever it lies
        ]
        missing = "worst"                   # points, "worst", "best" or "refuse"

        [features.sponsor]
        rows = [{ level = "strong", points = 30 }, { level = "weak", points = 0 }]
        missing = "refuse"
        unseen = "refuse"

    Intervals bounded on both sides (the first then holds both its ends) need `below` and `above` as well.
    As CSV: columns feature, points, and row (<= 1, "(1, 1.3]" in quotes, > 1.3, code -999, missing, unseen,
    below, above, or a level) or from and to; reason if wanted; the head in lines before the header,
    ``# author = "Credit committee"``.

    Parameters
    ----------
    source : str, path or DataFrame
        A file, or the text itself where it has several lines; or a frame with the columns of the CSV.
    scale : ScoreScale, default None
        Instead of the scale of the table.
    by : str, default None
        Instead of the author of the table.
    why : str, default None
        Instead of the reason of the table.
    when : str or date, default None
        Instead of the date of the table.

    Returns
    -------
    card : AdditiveCard
        Output "bad"; author, date, why, title and reason names stand in its log.
    scale : ScoreScale
        ``scale.points_from_log_odds(card.decision(X))`` are the points of the table.

    Raises
    ------
    InvalidParameterError
        If the table has faults: gaps, overlaps, repetitions, unknown keys, points that are no numbers,
        missing rows nobody decided; all are listed, with their lines where they are known.

    Examples
    --------
    >>> card, scale = expert_card('''
    ... feature,row,points
    ... dscr,<= 1,0
    ... dscr,> 1,45
    ... dscr,missing,0
    ... ''', by="Credit committee", why="no defaults yet", when="2026-01-01")
    >>> round(scale.points_from_log_odds(card.decision_one({"dscr": 1.4})), 9)
    45.0
    """
    table = PointsTable.read(source, scale, by=by, why=why, when=when)
    return AdditiveCard(**table.parts()), table.scale


def slotting_card() -> tuple[AdditiveCard, ScoreScale]:
    """Return an example of supervisory slotting of project finance as an expert card, points from 0 to 100.

    Five factors, each judged "strong", "good", "satisfactory" or "weak": financial_strength,
    political_and_legal_environment, transaction_characteristics, sponsor_strength, security_package.  The
    weights are an example that a bank has to replace by its own, documented ones; the scale only orders
    clients, its odds are no estimate.  A factor that is not judged is refused.

    Returns
    -------
    card : AdditiveCard
    scale : ScoreScale

    References
    ----------
    Basel Committee on Banking Supervision, CRE33 (2023): supervisory slotting approach for specialised
    lending.  Regulation (EU) 575/2013, Article 153(5); Delegated Regulation (EU) 2021/598.

    Examples
    --------
    >>> card, scale = slotting_card()
    >>> deal = dict.fromkeys(card.features, "good") | {"security_package": "strong"}
    >>> round(scale.points_from_log_odds(card.decision_one(deal)), 9)
    76.0
    """
    text = files("clientscore.additive").joinpath("slotting_points.toml").read_text(encoding="utf-8")
    return expert_card(text)
