"""The card as one SELECT: columns as doubles and texts, row numbers, term values, log-odds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import check_option
from clientscore.exceptions import InvalidParameterError, MissingDependencyError

from ._scored import check_rounded, refused_rows, scored_bins
from ._sql_dialects import ENGINES, SqlDialect, double_text
from ._sql_pd import mapped_log_odds, probability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from clientscore.additive._bins import FeatureBins
    from clientscore.additive._card_data import CardData
    from clientscore.additive._term import Term
    from clientscore.scale import ScoreScale

    from ._sql_dialects import Engine

_STEPS = ("card_values", "card_rows", "card_terms", "card_sum", "card_map")
_MOST_IN_LIST = 1000  # Oracle takes no longer one
_GREATEST = 1.7976931348623157e308


@dataclass(frozen=True)
class Wanted:
    """What a query gives beside ids and log-odds."""

    contributions: bool = False
    scale: ScoreScale | None = None
    rounded: bool = False
    pd: bool = False
    pd_map: Any = None


def to_sql(card: CardData, table: str, dialect: SqlDialect, id_columns: Sequence[str], wanted: Wanted) -> str:
    """Return the card as a SELECT; :meth:`AdditiveCard.to_sql` tells what it holds."""
    check_option("dialect", dialect, SqlDialect)
    check_rounded(wanted.scale, rounded=wanted.rounded)
    exp = _sqlglot().exp
    sql = _Writer(card, ENGINES[dialect], exp, wanted)
    source = _table(table, sql.engine, exp)
    _check_names(sql, source, id_columns)
    ids, kept = [_quoted(exp, name) for name in id_columns], sql.kept()
    shown = [column.as_(term.name) for column, term in zip(kept, card.terms, strict=False)]
    steps, here = [], source
    for name, columns in zip(_STEPS, sql.steps(), strict=False):
        steps.append((name, exp.select(*ids, *columns).from_(here)))
        here = name
    log_odds = _quoted(exp, "log_odds")
    last = [*shown, sql.total().as_("log_odds")]
    if wanted.scale is not None or wanted.pd:
        query = exp.select(*ids, *kept, *sql.whole_points(), sql.total().as_("log_odds")).from_(here)
        steps.append((_STEPS[3], query))
        here, last = _STEPS[3], [*shown, *sql.points(), log_odds]
    if wanted.pd:
        mapped = sql.mapped().as_("mapped_log_odds")
        query = exp.select(*ids, *kept, *sql.points(), mapped, log_odds).from_(here)
        steps.append((_STEPS[4], query))
        points = [_quoted(exp, "points")] * (wanted.scale is not None)
        here, last = _STEPS[4], [*shown, *points, sql.pd().as_("pd"), log_odds]
    query = exp.select(*ids, *last).from_(here)
    for name, step in steps:
        query = query.with_(name, as_=step, materialized=sql.engine.materialized or None)
    return str(query.sql(dialect=sql.engine.writer, identify=True, pretty=True))


def _sqlglot() -> Any:
    try:
        import sqlglot  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingDependencyError(
            'SQL is written by sqlglot, which is not here. Install it: pip install "clientscore[sql]".'
        ) from error
    return sqlglot


def _quoted(exp: Any, name: str) -> Any:
    return exp.column(exp.to_identifier(name, quoted=True))


def _table(name: str, engine: Engine, exp: Any) -> Any:
    """Return the table of a name such as book, risk.book or "odd name"."""
    from sqlglot.errors import SqlglotError  # noqa: PLC0415 - an extra

    try:
        table = exp.maybe_parse(name, into=exp.Table, dialect=engine.writer)
    except SqlglotError as error:
        raise InvalidParameterError(f"table must be the name of a table; got {name!r}.") from error
    if not isinstance(table, exp.Table) or not table.name or set(table.args) - {"this", "db", "catalog"}:
        raise InvalidParameterError(f"table must be the name of a table; got {name!r}.")
    return table


def _check_names(sql: _Writer, source: Any, id_columns: Sequence[str]) -> None:
    """Raise unless every column of every step has a name of its own that the database takes."""
    terms = [term.name for term in sql.card.terms if sql.wanted.contributions]
    names = (*id_columns, *terms, "points", *["pd"] * sql.wanted.pd, "log_odds")

    def same(name: str) -> str:
        return name.casefold() if sql.engine.folds else name

    faults = []
    for group in ([*id_columns, *(one.name for one in sql.bins)], names, [*id_columns, *sql.inner_names]):
        folded = [same(name) for name in group]
        faults += [
            f"Two columns would be named {name!r}."
            for name, key in zip(group, folded, strict=True)
            if folded.count(key) > 1
        ]
    longest = sql.engine.longest
    faults += [
        f"The column {name!r} is longer than {longest} bytes."
        for name in names
        if longest and len(name.encode()) > longest
    ]
    if source.name.casefold() in _STEPS:
        faults.append(f"The table must have another name than the steps of the query: {', '.join(_STEPS)}.")
    if faults:
        raise InvalidParameterError(
            "The names do not fit one SELECT; leave id columns or contributions out, or select from a view "
            "with other names.",
            list(dict.fromkeys(faults)),
        )


@dataclass(frozen=True)
class _Writer:
    """Writes the columns of each step."""

    card: CardData
    engine: Engine
    exp: Any
    wanted: Wanted

    @cached_property
    def bins(self) -> tuple[FeatureBins, ...]:
        return scored_bins(self.card)

    def steps(self) -> list[list[Any]]:
        """Return the columns of the steps before the sum; a card that reads nothing needs none."""
        return [self.values(), self.rows(), self.term_values()] if self.bins else []

    @cached_property
    def inner_names(self) -> list[str]:
        """Names of columns that only steps have."""
        count = len(self.card.terms)
        names = [f"term_{j}" for j in range(count)] + [f"read_{j}" for j in range(len(self.guards))]
        names += [f"points_{j}" for j in range(count if self.wanted.rounded else 0)]
        return names + ["mapped_log_odds"] * self.wanted.pd

    @cached_property
    def guards(self) -> list[FeatureBins]:
        """Features that no term reads, but of which some values are refused."""
        return [one for one in self.bins if one.name not in self.card.scored_features]

    @cached_property
    def whole(self) -> CardData:
        """The card in whole points."""
        return self.card.in_points(self.wanted.scale, rounded=True)  # type: ignore[arg-type]  # checked

    def kept(self) -> list[Any]:
        """Return the columns of terms that a query shows in the end."""
        count = len(self.card.terms) if self.wanted.contributions else 0
        return [_quoted(self.exp, f"term_{j}") for j in range(count)]

    # ---- step 1: columns as doubles and exact texts --------------------------------------------------

    def values(self) -> list[Any]:
        return [self._value(one).as_(one.name) for one in self.bins]

    def _value(self, one: FeatureBins) -> Any:
        snippet = self.engine.number if one.kind == "number" else self.engine.text
        column = _quoted(self.exp, one.name)
        # A column has no parent to be replaced in where the snippet is x itself.
        tree = self.exp.maybe_parse(snippet, dialect=self.engine.writer)
        return tree.transform(
            lambda node: column if isinstance(node, self.exp.Column) and node.name == "x" else node
        )

    # ---- step 2: row numbers -------------------------------------------------------------------------

    def rows(self) -> list[Any]:
        return [self._row_number(one).as_(one.name) for one in self.bins]

    def _row_number(self, one: FeatureBins) -> Any:
        exp, column, row = self.exp, _quoted(self.exp, one.name), self._row_of[one.name]
        case = exp.Case().when(column.is_(exp.null()), self._integer(row[one.missing_code]))
        if one.kind == "category":
            for found, levels in _groups(one, row):
                texts = [self._text(level) for level in levels]
                case = case.when(column.isin(*texts), self._integer(found))
            return case.else_(self._integer(row[one.unseen_code]))
        for special, place in one.special_codes.items():
            case = case.when(column.eq(self._double(special)), self._integer(row[place]))
        if self.engine.infinite:
            outside = (column > self._double(_GREATEST)).or_(column < self._double(-_GREATEST))
            case = case.when(outside, exp.null())
        for place, edge in enumerate(one.edges):
            if row[place] != row[place + 1]:
                case = case.when(column <= self._double(edge), self._integer(row[place]))
        return case.else_(self._integer(row[one.n_values - 1]))

    @cached_property
    def _row_of(self) -> dict[str, list[int | None]]:
        """For each feature and row the first row with the same values in every term, None where refused."""
        return {one.name: _first_alike(one, self.card.terms) for one in self.bins}

    def _reached(self, name: str) -> list[int]:
        one = next(one for one in self.bins if one.name == name)
        rows = self._row_of[name] if one.kind == "category" else self._row_of[name][: one.unseen_code]
        return sorted({row for row in rows if row is not None})

    # ---- step 3: the value of every term -------------------------------------------------------------

    def term_values(self) -> list[Any]:
        tables = {f"term_{j}": term for j, term in enumerate(self.card.terms)}
        if self.wanted.rounded:
            tables |= {f"points_{j}": term for j, term in enumerate(self.whole.terms)}
        read = [_quoted(self.exp, one.name).as_(f"read_{j}") for j, one in enumerate(self.guards)]
        return [*(self._term_value(term).as_(name) for name, term in tables.items()), *read]

    def _term_value(self, term: Term) -> Any:
        """Return the look-up as text: the tree of a wide table would take seconds to build."""
        table = term.values[..., 0]
        first, *second = (_quoted(self.exp, name).sql(self.engine.writer) for name in term.features)
        if self.engine.array:
            rows = [", ".join(map(self._number, row)) for row in np.atleast_2d(table).tolist()]
            place = f"{first} * {table.shape[1]} + {second[0]} + 1" if second else f"{first} + 1"
            text = self.engine.array.format(values=",\n".join(rows), place=place)
        elif second:
            inner = {
                row: f"CASE {second[0]} {self._whens(term.features[1], table[row])} END"
                for row in self._reached(term.features[0])
            }
            text = "\n".join(
                [f"CASE {first}", *(f"WHEN {row} THEN {case}" for row, case in inner.items()), "END"]
            )
        else:
            text = f"CASE {first} {self._whens(term.features[0], table)} END"
        return self.exp.Var(this=text)

    def _whens(self, name: str, values: NDArray[np.float64]) -> str:
        return " ".join(f"WHEN {row} THEN {self._number(values[row])}" for row in self._reached(name))

    # ---- step 4: the sums, in the card's order; points and PD ----------------------------------------

    def total(self) -> Any:
        return self._sum(self.card.intercept[0], "term")

    def whole_points(self) -> list[Any]:
        """Return the sum of whole points, as a column or none."""
        if not self.wanted.rounded:
            return []
        total = self.exp.paren(self._sum(self.whole.intercept[0], "points"))
        return [self.exp.cast(total, "bigint").as_("points")]

    def _sum(self, start: float, kind: str) -> Any:
        total = self._double(start)
        for j in range(len(self.card.terms)):
            total = self.exp.Add(this=total, expression=_quoted(self.exp, f"{kind}_{j}"))
        if not self.guards:
            return total
        case = self.exp.Case()
        for j in range(len(self.guards)):
            case = case.when(_quoted(self.exp, f"read_{j}").is_(self.exp.null()), self.exp.null())
        return case.else_(total)

    def points(self) -> list[Any]:
        """Return the column points, or none."""
        scale = self.wanted.scale
        if scale is None or self.wanted.rounded:
            return [_quoted(self.exp, "points")] * (scale is not None)
        shift, factor = self._double(math.log(scale.base_odds)), self._double(scale.factor)
        inner = self.exp.paren(self.exp.Add(this=_quoted(self.exp, "log_odds"), expression=shift))
        product = self.exp.Mul(this=factor, expression=inner)
        return [self.exp.Sub(this=self._double(scale.base_points), expression=product).as_("points")]

    def mapped(self) -> Any:
        return mapped_log_odds(self.exp, _quoted(self.exp, "log_odds"), self.wanted.pd_map, self._double)

    def pd(self) -> Any:
        return probability(self.exp, _quoted(self.exp, "mapped_log_odds"), self._double)

    # ---- literals ------------------------------------------------------------------------------------

    def _number(self, value: float) -> str:
        return f"{double_text(value)}{self.engine.suffix}"

    def _double(self, value: float) -> Any:
        literal = self.exp.Literal(this=self._number(abs(value)), is_string=False)
        return self.exp.Neg(this=literal) if math.copysign(1.0, value) < 0 else literal

    def _integer(self, row: int | None) -> Any:
        return self.exp.null() if row is None else self.exp.Literal(this=str(row), is_string=False)

    def _text(self, level: str) -> Any:
        text = f"{level}{self.engine.mark}"
        return self.exp.National(this=text) if self.engine.national else self.exp.Literal.string(text)


def _first_alike(one: FeatureBins, terms: Iterable[Term]) -> list[int | None]:
    parts = [
        term.values[..., 0].swapaxes(0, term.features.index(one.name)).reshape(one.n_rows, -1)
        for term in terms
        if one.name in term.features
    ]
    table = np.concatenate(parts, axis=1) if parts else np.empty((one.n_rows, 0))
    first, refused = dict[bytes, int](), refused_rows(one)
    return [
        None if row in refused else first.setdefault(table[row].tobytes(), row) for row in range(one.n_rows)
    ]


def _groups(one: FeatureBins, row: Sequence[int | None]) -> list[tuple[int | None, list[str]]]:
    """Return the levels of each row number, in lists that every database takes."""
    order = sorted(one.level_codes.items(), key=lambda item: row[item[1]] or 0)
    groups = [
        (found, [level for level, _ in items])
        for found, items in groupby(order, key=lambda item: row[item[1]])
    ]
    return [
        (found, levels[start : start + _MOST_IN_LIST])
        for found, levels in groups
        for start in range(0, len(levels), _MOST_IN_LIST)
    ]
