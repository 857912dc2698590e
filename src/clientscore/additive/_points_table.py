"""A scorecard written by hand: points a row, decided by people before there is data to learn from."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.exceptions import InvalidParameterError
from clientscore.scale import ScoreScale

from ._edit import Edit, moment
from ._points_check import checked
from ._points_text import raw_frame, raw_table, read_text, toml_text
from ._term import Term

if TYPE_CHECKING:
    import os

    from ._bins import FeatureBins
    from ._card_data import CardData
    from ._edit import Moment

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class FeaturePoints:
    """The points of one feature: one number a row of its bins, and what a reason calls it.

    Parameters
    ----------
    bins : FeatureBins
        The rows.
    points : tuple of float
        Points of each row, in the order of ``bins.labels()``; 0 where the row is refused or cannot occur.
    reason : str, default ""
        What a reason calls the feature.
    """

    bins: FeatureBins
    points: tuple[float, ...]
    reason: str = ""

    def __post_init__(self) -> None:
        if len(self.points) != self.bins.n_rows or not all(map(math.isfinite, self.points)):
            raise InvalidParameterError(
                f"{self.bins.name!r} needs {self.bins.n_rows} finite points, one a row; got {self.points}."
            )


@dataclass(frozen=True)
class PointsTable:
    """A scorecard written by hand: the points of a client are `start_points` plus one row a feature.

    Parameters
    ----------
    features : tuple of FeaturePoints
        At least one.
    scale : ScoreScale
        What a total means: ``base_points`` are odds good : bad of ``base_odds``, ``pdo`` points double them.
    author : str
        Who decided the points.
    date : str
        ISO date of the decision.
    why : str
        The reason: committee, source, purpose.
    title : str, default ""
        Name of the card.
    start_points : float, default 0.0
        Points before any row is added.

    Examples
    --------
    >>> table = PointsTable.read('''
    ... author = "Credit committee"
    ... date = 2026-01-01
    ... why = "no defaults yet"
    ... [features.dscr]
    ... rows = [{ to = 1.0, points = 0 }, { from = 1.0, to = 1.3, points = 20 }, { from = 1.3, points = 45 }]
    ... missing = "worst"
    ... ''')
    >>> table.frame()[["feature", "row", "points"]].values.tolist()
    [['dscr', '<= 1', 0.0], ['dscr', '(1, 1.3]', 20.0], ['dscr', '> 1.3', 45.0], ['dscr', 'missing', 0.0]]
    """

    features: tuple[FeaturePoints, ...]
    scale: ScoreScale
    author: str
    date: str
    why: str
    title: str = ""
    start_points: float = 0.0

    def __post_init__(self) -> None:
        names = [one.bins.name for one in self.features]
        if not names or len(set(names)) < len(names) or not math.isfinite(self.start_points):
            raise InvalidParameterError(
                f"A points table needs features, each once, and finite start_points; got {names}, "
                f"{self.start_points}."
            )

    @classmethod
    def read(
        cls,
        source: str | os.PathLike[str] | pd.DataFrame,
        scale: ScoreScale | None = None,
        *,
        by: str | None = None,
        why: str | None = None,
        when: Moment = None,
    ) -> PointsTable:
        """Read a table from TOML, CSV or a frame; see :func:`expert_card` for the form.

        Parameters
        ----------
        source : str, path or DataFrame
            A file, or the text itself where it has several lines; or a frame with the columns of the CSV
            (also one from :meth:`frame`, missing points refused), whose head stands in `by`, `why` and
            `when`.
        scale : ScoreScale, default None
            Instead of the scale of the table.
        by : str, default None
            Instead of the author of the table.
        why : str, default None
            Instead of the reason of the table.
        when : str or date, default None
            Instead of the date of the table.

        Raises
        ------
        InvalidParameterError
            If the text is no table or has faults; all are listed, with their lines where they are known.
        """
        faults: list[str] = []
        frame = isinstance(source, pd.DataFrame)
        raw = raw_frame(source, faults) if frame else raw_table(read_text(source), faults)
        given = {"author": by, "why": why, "date": None if when is None else moment(when)}
        raw.meta.update({key: value for key, value in given.items() if value is not None})
        if scale is not None:
            raw.meta["scale"] = scale.to_dict()
        meta, features = checked(raw, faults)
        if faults:
            raise InvalidParameterError("The points table cannot be used.", faults)
        return cls(tuple(FeaturePoints(*one) for one in features), **meta)

    @classmethod
    def of(cls, card: CardData, scale: ScoreScale | None = None) -> PointsTable:
        """Return the points of a card without pairs; what its log says of a table stands in its head.

        Parameters
        ----------
        card : AdditiveCard
            One output, link "logit", terms of one feature each.
        scale : ScoreScale, default None
            Scale of the points; if None that of the table the card was made of, else ``ScoreScale()``.

        Raises
        ------
        InvalidParameterError
            If the card has pairs, several outputs or another link.
        """
        pairs = [term.name for term in card.terms if len(term.features) > 1]
        if pairs or len(card.outputs) > 1 or card.link != "logit":
            raise InvalidParameterError(
                f"A points table needs one output, the link 'logit' and no pairs; got {len(card.outputs)} "
                f"outputs, {card.link!r} and {len(pairs)} pairs."
            )
        head = next((edit for edit in reversed(card.edits) if edit.kind == "points_table"), None)
        plain: dict[str, Any] = {"title": "", "reasons": {}, "scale": ScoreScale().to_dict()}
        known = head.detail if head else plain
        reasons = known["reasons"]
        unit = scale or ScoreScale.from_dict(known["scale"])
        bins = {one.name: one for one in card.bins}
        features = tuple(
            FeaturePoints(bins[one.name], _points(one.values[:, 0], unit), reasons.get(one.name, ""))
            for one in card.terms
        )
        start = round(float(unit.points_from_log_odds(card.intercept[0])), 9) + 0.0
        author, date, why = (head.by, head.when, head.why) if head else ("", "", "")
        return cls(features, unit, author, date, why, known["title"], start)

    def parts(self) -> dict[str, Any]:
        """Return the parts of the card that scores these points, as keywords of :class:`AdditiveCard`."""
        terms = tuple(
            Term((one.bins.name,), -np.array(one.points)[:, None] / self.scale.factor + 0.0)
            for one in self.features
        )
        detail = {
            "title": self.title,
            "scale": self.scale.to_dict(),
            "reasons": {one.bins.name: one.reason for one in self.features if one.reason},
        }
        return {
            "outputs": ("bad",),
            "intercept": (float(self.scale.log_odds_from_points(self.start_points)),),
            "bins": tuple(one.bins for one in self.features),
            "terms": terms,
            "notes": ("Points decided by people, not learned from data.",),
            "edits": (Edit("points_table", "", detail, by=self.author, when=self.date, why=self.why),),
        }

    def frame(self) -> pd.DataFrame:
        """Return the table: columns feature, row, from, to, points (missing where refused), reason."""
        rows = [
            {"feature": one.bins.name, **row, "reason": one.reason}
            for one in self.features
            for row in _rows(one)
        ]
        return pd.DataFrame(rows, columns=["feature", "row", "from", "to", "points", "reason"])

    def to_toml(self) -> str:
        """Return the table as TOML that :meth:`read` reads back."""
        lines = [f"{key} = {text}" for key, text in self._head().items() if key != "scale"]
        lines += [
            "",
            "[scale]",
            *(f"{key} = {toml_text(value)}" for key, value in self.scale.to_dict().items()),
        ]
        for one in self.features:
            name = one.bins.name
            lines += ["", f"[features.{name if _PLAIN_KEY.fullmatch(name) else toml_text(name)}]"]
            lines += [f"reason = {toml_text(one.reason)}"] * bool(one.reason)
            odd = [row for row in _rows(one) if row["kind"] in ("missing", "unseen", "below", "above")]
            lines += [
                "rows = [",
                *(f"    {_toml_row(row)}," for row in _rows(one) if row not in odd),
                "]",
            ]
            lines += [f"{row['row']} = {_points_text(row)}" for row in odd]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Return the table as CSV that :meth:`read` reads back; the head stands in lines that begin with #.

        Raises
        ------
        InvalidParameterError
            If a level reads like another row ("missing", "> 5"); TOML can hold it.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["feature", "row", "from", "to", "points", "reason"])
        for one in self.features:
            for row in _rows(one):
                kind, ends = row["kind"], (row["from"], row["to"])
                cells = ["" if end is None or kind != "interval" else toml_text(end) for end in ends]
                label = "" if kind == "interval" else row["row"]
                label = f"code {toml_text(ends[0])}" if kind == "special" else label
                points = _points_text(row).strip('"')
                writer.writerow([one.bins.name, label, *cells, points, one.reason])
        head = "".join(f"# {key} = {value}\n" for key, value in self._head().items())
        table = head + text.getvalue()
        self._check_csv(table)
        return table

    def _head(self) -> dict[str, str]:
        values: dict[str, Any] = {
            "title": self.title,
            "author": self.author,
            "date": self.date,
            "why": self.why,
        }
        values |= {"start_points": self.start_points, "scale": self.scale.to_dict()}
        return {key: toml_text(value) for key, value in values.items() if value != ""}

    def _check_csv(self, text: str) -> None:
        """Raise where CSV cannot tell a level from another row, or keep its blanks."""
        faults: list[str] = []
        features = raw_table(text, faults).features.values()
        found = [(one.name, row.kind, row.label) for one in features for row in one.rows]
        wanted = [
            (one.bins.name, row["kind"], {"level": row["row"], "special": row["from"]}.get(row["kind"]))
            for one in self.features
            for row in _rows(one)
        ]
        if faults or found != wanted:
            raise InvalidParameterError(
                "A level or a name of this table reads otherwise in CSV ('missing', '> 5', blanks at an "
                "end). Write TOML."
            )


def _points(values: np.ndarray, scale: ScoreScale) -> tuple[float, ...]:
    return tuple(round(-scale.factor * value, 9) + 0.0 for value in values.tolist())


def _rows(one: FeaturePoints) -> list[dict[str, Any]]:
    """Return the rows that can occur, in order: kind, row (a word or a label), from, to, points or None."""
    bins, labels, rows = one.bins, one.bins.labels(), []
    bounds = [None, *bins.edges, None]
    if bins.bounded:
        bounds[1] = bins.least
    for row in range(bins.n_rows):
        kind, low, high = bins.row_kind(row), None, None
        if kind == "unseen" and bins.kind == "number":
            continue
        label, word = labels[row], str(kind or ("level" if bins.kind == "category" else "interval"))
        if word == "out_of_range":
            word = label = "above" if row else "below"
        elif word == "interval":
            low, high = bounds[row], bounds[row + 1]
        elif word == "special":
            low = high = bins.specials[row - bins.n_values]
        points = None if kind in bins.refuse else one.points[row]
        rows.append({"kind": word, "row": label, "from": low, "to": high, "points": points})
    return rows


def _toml_row(row: dict[str, Any]) -> str:
    keys: dict[str, Any] = {"from": row["from"], "to": row["to"]}
    if row["kind"] == "level":
        keys = {"level": row["row"]}
    elif row["kind"] == "special":
        keys = {"special": row["from"]}
    keys = {key: value for key, value in keys.items() if value is not None}
    keys["points"] = "refuse" if row["points"] is None else row["points"]
    return toml_text(keys)


def _points_text(row: dict[str, Any]) -> str:
    return toml_text("refuse" if row["points"] is None else row["points"])
