from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive import AdditiveCard, FeatureBins, Term, boundary_frame, compare_export
from clientscore.additive.exports import SqlDialect
from clientscore.additive.exports._sql_dialects import ENGINES, double_text
from clientscore.exceptions import InvalidParameterError, MissingDependencyError
from clientscore.scale import AffineCalibration, BetaCalibration, IsotonicCalibration, ScoreScale

duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
sqlglot = pytest.importorskip("sqlglot", reason="sqlglot is not installed")

DIALECTS = get_args(SqlDialect)


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{"row id": range(len(frame))})


def in_duckdb(query: str, book: pd.DataFrame) -> pd.DataFrame:
    with contextlib.closing(duckdb.connect()) as base:
        base.execute("SET threads = 1")
        base.register("book", book)
        return base.execute(query).df().sort_values("row id", ignore_index=True)


def in_sqlite(query: str, book: pd.DataFrame) -> pd.DataFrame:
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        book.to_sql("book", base, index=False)
        return pd.read_sql_query(query, base).sort_values("row id", ignore_index=True)


RUN = {"duckdb": in_duckdb, "sqlite": in_sqlite}


# ---- agreement, to the bit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dialect", RUN)
def test_the_boundary_frame_agrees_to_the_bit(dialect, seed, card_of):
    card = card_of(seed)
    frame = boundary_frame(card)
    assert frame.attrs["cells_left"] == 0
    found = RUN[dialect](card.to_sql("book", dialect, ["row id"]), numbered(frame))
    assert found.columns.tolist() == ["row id", "log_odds"]
    assert compare_export(card, frame, found["log_odds"], tolerance=0).empty
    assert found["log_odds"].isna().sum() >= 5 + 6  # refused rows and infinities
    assert found["log_odds"].nunique() > 100


@given(st.data())
def test_any_card_of_one_number_agrees_to_the_bit(data):
    finite = st.floats(allow_nan=False, allow_infinity=False)
    edges = sorted(data.draw(st.sets(finite, max_size=6)))
    specials = tuple(data.draw(st.sets(finite, max_size=2)))
    one = FeatureBins("x", "number", edges=tuple(edges), specials=specials)
    values = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=one.n_rows, max_size=one.n_rows))
    card = AdditiveCard(("bad",), (0.1,), (one,), (Term(("x",), np.array(values)[:, None]),))
    frame = boundary_frame(card)
    found = in_duckdb(card.to_sql("book", "duckdb", ["row id"]), numbered(frame))
    assert compare_export(card, frame, found["log_odds"], tolerance=0).empty


@settings(max_examples=25)
@given(st.text(max_size=4), st.text(max_size=4))
def test_any_level_is_told_from_any_other(level, other):
    levels = tuple(dict.fromkeys([level, other]))
    bins = (FeatureBins("k", "category", levels=levels),)
    values = np.arange(1.0, len(levels) + 3)[:, None]
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("k",), values),))
    texts = [text for text in (level, other, level + other, level + " ", level.upper()) if "\x00" not in text]
    frame = pd.DataFrame({"k": pd.Series([*texts, None], dtype=object)})
    if any("\x00" in one for one in levels):
        return  # no text of a database holds it
    for dialect, run in RUN.items():
        found = run(card.to_sql("book", dialect, ["row id"]), numbered(frame))
        assert compare_export(card, frame, found["log_odds"], tolerance=0).empty


@pytest.mark.parametrize("dialect", RUN)
def test_contributions_and_points_stand_before_log_odds(dialect, card_of):
    card, scale = card_of(7, refuse=False), ScoreScale(pdo=40)
    frame = boundary_frame(card).pipe(lambda rows: rows[~np.isinf(rows.select_dtypes("number")).any(axis=1)])
    frame = frame[frame["unread"].notna()]
    query = card.to_sql("book", dialect, ["row id"], contributions=True, scale=scale)
    found = RUN[dialect](query, numbered(frame))
    names = [term.name for term in card.terms]
    assert found.columns.tolist() == ["row id", *names, "points", "log_odds"]
    assert (found[names].to_numpy() == card.contributions(frame).to_numpy()).all()
    assert (found["points"] == scale.points_from_log_odds(found["log_odds"])).all()
    assert compare_export(card, frame, found["log_odds"], tolerance=0).empty


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dialect", RUN)
def test_whole_points_are_those_of_the_card_in_whole_points(dialect, seed, card_of):
    card, scale = card_of(seed), ScoreScale(pdo=40)
    frame = boundary_frame(card)
    query = card.to_sql("book", dialect, ["row id"], scale=scale, rounded=True)
    found = RUN[dialect](query, numbered(frame))
    assert found.columns.tolist() == ["row id", "points", "log_odds"]
    assert compare_export(card, frame, found["log_odds"], tolerance=0).empty
    known = found["log_odds"].notna()
    assert (found["points"].notna() == known).all()
    expected = card.in_points(scale, rounded=True).decision(frame[known.to_numpy()])
    assert (found.loc[known, "points"].to_numpy() == expected.to_numpy()).all()
    exact = scale.points_from_log_odds(found.loc[known, "log_odds"])
    assert (exact.to_numpy() != expected.to_numpy()).mean() > 0.9


def test_whole_points_are_integers(card_of):
    query = card_of(0).to_sql("book", "duckdb", scale=ScoreScale(), rounded=True)
    with contextlib.closing(duckdb.connect()) as base:
        base.register("book", boundary_frame(card_of(0)))
        assert base.execute(query).fetchall()[3][0].__class__ is int


@pytest.mark.parametrize("dialect", RUN)
def test_a_feature_in_no_term_that_refuses_gives_no_score(dialect):
    bins = (
        FeatureBins("roa", "number", edges=(0.0,)),
        FeatureBins("dscr", "number", edges=(1.0,), specials=(-9.0,), refuse=("missing", "special")),
        FeatureBins("k", "category", levels=("u",), refuse=("unseen",)),
    )
    term = Term(("roa",), np.array([[1.0], [2.0], [3.0], [0.0]]))
    frame = pd.DataFrame({"roa": 0.5, "dscr": [1.0, np.nan, -9.0, 2.0, 2.0], "k": ["u", "u", "u", "v", None]})
    for terms in ((term,), ()):
        card = AdditiveCard(("bad",), (-1.0,), bins, terms)
        query = card.to_sql("book", dialect, ["row id"], scale=ScoreScale(), rounded=True, pd=True)
        found = RUN[dialect](query, numbered(frame))
        assert found[["points", "pd", "log_odds"]].notna().to_numpy().sum(axis=1).tolist() == [3, 0, 0, 0, 3]
        assert compare_export(card, frame, found["log_odds"], tolerance=0).empty


KNOTS = IsotonicCalibration((-3.0, -1.0, 0.25, 2.0), (-5.0, -2.0, -2.0, 1.5))
MAPS = {
    "none": None,
    "affine": AffineCalibration(-0.3, 1.7),
    "beta": BetaCalibration(0.4, 1.3, -0.7),
    "beta of one end": BetaCalibration(0.0, 2.0, 0.1),
    "isotonic": KNOTS,
    "isotonic of one knot": IsotonicCalibration((0.5,), (-2.0,)),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("dialect", RUN)
def test_the_pd_is_that_of_the_map(dialect, name, card_of):
    card, pd_map = card_of(1), MAPS[name]
    frame = boundary_frame(card)
    frame = pd.concat([frame, frame.head(0)])
    query = card.to_sql(
        "book", dialect, ["row id"], contributions=True, scale=ScoreScale(), pd=True, pd_map=pd_map
    )
    found = RUN[dialect](query, numbered(frame))
    assert found.columns.tolist()[-3:] == ["points", "pd", "log_odds"]
    known = found["log_odds"].notna()
    assert (found["pd"].notna() == known).all()
    log_odds = found.loc[known, "log_odds"].to_numpy()
    expected = 1 / (1 + np.exp(-log_odds)) if pd_map is None else pd_map.pd(log_odds)
    assert found.loc[known, "pd"].to_numpy() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("dialect", RUN)
def test_the_pd_of_log_odds_far_out_and_on_knots(dialect, name):
    pd_map = MAPS[name]
    values = sorted(
        {*(-2e3, -710.0, -40.0, 0.0, 40.0, 710.0, 2e3), *KNOTS.raw, *(knot + 1e-9 for knot in KNOTS.raw)}
    )
    bins = (FeatureBins("x", "category", levels=tuple(map(str, range(len(values))))),)
    term = Term(("x",), np.array([*values, 0.0, 0.0])[:, None])
    card = AdditiveCard(("bad",), (0.0,), bins, (term,))
    frame = pd.DataFrame({"x": [str(place) for place in range(len(values))]})
    found = RUN[dialect](card.to_sql("book", dialect, ["row id"], pd=True, pd_map=pd_map), numbered(frame))
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-np.array(values))) if pd_map is None else pd_map.pd(np.array(values))
    assert found["pd"].to_numpy() == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_maps_and_points_that_sql_cannot_say_are_errors(card_of):
    class Halved:
        def pd(self, log_odds):
            return log_odds / 2

    with pytest.raises(InvalidParameterError, match="affine, beta and isotonic maps of the PD; got Halved"):
        card_of(0).to_sql("book", pd_map=Halved())
    for export, table in (("to_sql", ["book"]), ("to_pmml", []), ("to_sheet", [])):
        with pytest.raises(InvalidParameterError, match="rounded=True needs a scale"):
            getattr(card_of(0), export)(*table, rounded=True)
    with pytest.raises(InvalidParameterError, match="do not fit one SELECT") as caught:
        card_of(0).to_sql("book", id_columns=["term_0", "pd"], pd=True)
    assert caught.value.faults == ("Two columns would be named 'pd'.", "Two columns would be named 'term_0'.")


def test_not_a_number_is_missing_in_duckdb(card_of):
    card = card_of(0, refuse=False)
    frame = numbered(boundary_frame(card).head(30))
    with contextlib.closing(duckdb.connect()) as base:
        base.register("book", frame)
        base.execute(
            "CREATE TABLE marked AS SELECT * REPLACE (coalesce(debt, 'NaN'::DOUBLE) AS debt) FROM book"
        )
        assert base.execute("SELECT count(*) FROM marked WHERE isnan(debt)").fetchone()[0] > 0
        found = base.execute(card.to_sql("marked", "duckdb", ["row id"])).df().sort_values("row id")
    assert compare_export(card, frame, found["log_odds"], tolerance=0).empty


@pytest.mark.parametrize("dialect", RUN)
def test_collations_that_ignore_case_do_not_matter(dialect):
    bins = (FeatureBins("k", "category", levels=("SME",)),)
    card = AdditiveCard(("bad",), (0.0,), bins, (Term(("k",), np.array([[1.0], [2.0], [3.0]])),))
    query = card.to_sql("book", dialect, ["k2"])
    fill = (
        "CREATE TABLE book (k2 TEXT, k TEXT COLLATE NOCASE)",
        "INSERT INTO book VALUES ('a', 'SME'), ('b', 'sme')",
    )
    with contextlib.closing(duckdb.connect() if dialect == "duckdb" else sqlite3.connect(":memory:")) as base:
        for statement in fill:
            base.execute(statement)
        assert len(base.execute("SELECT * FROM book WHERE k = 'sme'").fetchall()) == 2
        assert sorted(base.execute(query).fetchall()) == [("a", 1.0), ("b", 3.0)]


# ---- PostgreSQL, where it is installed ---------------------------------------------------------------------


def postgres_folder() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def psql():
    """Return a function that runs SQL in a PostgreSQL server of our own and gives back what it says."""
    binaries = postgres_folder()
    if binaries is None or shutil.which("psql") is None:
        pytest.skip("PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/initdb, or no psql")
    root = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL refuses to run as root, and runuser is absent")
        shutil.chown(root, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data, socket = root / "data", ["-h", str(root), "-U", "postgres"]

    def run(*command: str, given: str | None = None) -> str:
        done = subprocess.run(  # noqa: S603 - our own commands
            command, input=given, capture_output=True, text=True, check=False, cwd=root
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run(
        *as_user,
        str(binaries / "initdb"),
        "-A",
        "trust",
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--no-sync",
        "-D",
        str(data),
    )
    options = f"-c listen_addresses='' -c unix_socket_directories={root} -c fsync=off"
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    run(*control, "-l", str(root / "log"), "-o", options, "start")
    try:
        yield lambda sql: run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *socket, given=sql)
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(root, ignore_errors=True)


def literal(value: object, nan: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float) and math.isnan(value):
        return nan
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"'{value!r}'::float8"


def in_postgres(
    psql, query: str, book: pd.DataFrame, nan: str, names: tuple[str, ...] = ("log_odds",)
) -> pd.DataFrame:
    columns = ", ".join(
        f'"{name}" {"text" if kind.kind == "O" else "float8"}' for name, kind in book.dtypes.items()
    )
    values = book.astype(object).to_numpy().tolist()
    rows = ",\n".join(f"({', '.join(literal(value, nan) for value in row)})" for row in values)
    psql(f"DROP TABLE IF EXISTS book; CREATE TABLE book ({columns}); INSERT INTO book VALUES {rows};")  # noqa: S608 - our own table
    answer = psql(f"\\pset format unaligned\n\\pset tuples_only\n\\pset null none\n{query};")
    pairs = [line.split("|") for line in answer.splitlines() if "|" in line]
    found = pd.DataFrame(pairs, columns=["row id", *names]).replace("none", None).astype(float)
    return found.sort_values("row id", ignore_index=True)


@pytest.mark.parametrize("dialect", ["postgres", "ansi"])
def test_postgresql_agrees(psql, card_of, dialect):
    card, nan = card_of(3), "'NaN'::float8"
    frame = boundary_frame(card)
    if dialect == "ansi":  # plain SQL knows neither NaN nor infinity
        nan = "NULL"
        frame = frame[~np.isinf(frame.select_dtypes("number")).any(axis=1)].reset_index(drop=True)
    book = numbered(frame)
    found = in_postgres(psql, card.to_sql("book", dialect, ["row id"]), book, nan)
    assert len(found) == len(frame)
    # To the bit with float8 arrays; plain SQL leaves literals decimal: sums may differ in the last digits.
    assert compare_export(
        card, frame, found["log_odds"], tolerance=0 if dialect == "postgres" else 1e-9
    ).empty


@pytest.mark.parametrize("name", ["beta", "isotonic", "none"])
@pytest.mark.parametrize("dialect", ["postgres", "ansi"])
def test_postgresql_says_the_same_points_and_pd(psql, card_of, dialect, name):
    card, scale, pd_map = card_of(3), ScoreScale(), MAPS[name]
    frame = boundary_frame(card)
    frame = frame[~np.isinf(frame.select_dtypes("number")).any(axis=1)].reset_index(drop=True)
    query = card.to_sql("book", dialect, ["row id"], scale=scale, rounded=True, pd=True, pd_map=pd_map)
    found = in_postgres(psql, query, numbered(frame), "NULL", ("points", "pd", "log_odds"))
    check_points_and_pd(card, frame, found, scale, pd_map)


def check_points_and_pd(card, frame, found, scale, pd_map):
    assert compare_export(card, frame, found["log_odds"]).empty
    known = found["log_odds"].notna()
    assert known.sum() > 100
    for column in ("points", "pd"):
        assert (found[column].notna() == known).all()
    log_odds = found.loc[known, "log_odds"].to_numpy()
    expected = 1 / (1 + np.exp(-log_odds)) if pd_map is None else pd_map.pd(log_odds)
    assert found.loc[known, "pd"].to_numpy() == pytest.approx(expected, rel=1e-9)
    whole = card.in_points(scale, rounded=True).decision(frame[known.to_numpy()])
    assert (found.loc[known, "points"].to_numpy() == whole.to_numpy()).all()


# ---- Spark, where it is installed --------------------------------------------------------------------------


@pytest.mark.slow
def test_spark_agrees_to_the_bit(card_of, tmp_path):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    from pyspark.sql import SparkSession  # noqa: PLC0415 - may be absent

    options = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1"}
    session = SparkSession.builder.master("local[1]").config(map=options).getOrCreate()
    try:
        for seed in range(3):
            card = card_of(seed)
            frame = boundary_frame(card)
            numbered(frame).to_parquet(tmp_path / f"{seed}.parquet")
            session.read.parquet(str(tmp_path / f"{seed}.parquet")).createOrReplaceTempView("book")
            answer = session.sql(card.to_sql("book", "spark", ["row id"])).collect()
            found = dict(sorted((row["row id"], row["log_odds"]) for row in answer))
            assert compare_export(card, frame, list(found.values()), tolerance=0).empty
    finally:
        session.stop()


# ---- databases that are not here: what is written means the same, read by another -------------------------


def as_duckdb(query: str, dialect: str) -> str:
    """Return a query of another dialect as DuckDB runs it, with its words where it lacks the other's."""
    query = re.sub(r"(?<=E[\d+-])(\d*)D\b", r"\1", query)  # the D of double literals, which the reader drops
    query = re.sub("Latin1_General_100_BIN2|BINARY (?=AS)", '"C" ', query)
    text = sqlglot.parse_one(query, dialect=ENGINES[dialect].writer).sql(dialect="duckdb")
    text = text.replace(" CHARACTER SET utf8mb4", "").replace(" + N'|'", " || '|'")
    for pattern, words in {
        r"CAST\('\{([^']*)\}' AS DOUBLE\[\]\)": r"[\1]",
        r"REAL\(53\)": "DOUBLE",
        r'NANVL\(TO_BINARY_DOUBLE\(("[^"]+")\), NULL\)': r"NULLIF(CAST(\1 AS DOUBLE), 'NaN'::DOUBLE)",
        r'CAST\(CAST\(("[^"]+") AS (?:TEXT|CHAR)\) AS BLOB\)': r'CAST(\1 AS TEXT) COLLATE "C"',
    }.items():
        text = re.sub(pattern, words, text)
    return text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_back_and_means_the_same(dialect, card_of):
    card = card_of(5)
    frame = boundary_frame(card)
    if not ENGINES[dialect].infinite:
        frame = frame[~np.isinf(frame.select_dtypes("number")).any(axis=1)].reset_index(drop=True)
    query = as_duckdb(card.to_sql("book", dialect, ["row id"]), dialect)
    found = in_duckdb(query, numbered(frame))
    assert compare_export(card, frame, found["log_odds"]).empty


@pytest.mark.parametrize("name", ["beta", "isotonic"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_says_the_same_points_and_pd(dialect, name, card_of):
    card, scale, pd_map = card_of(5), ScoreScale(), MAPS[name]
    frame = boundary_frame(card)
    frame = frame[~np.isinf(frame.select_dtypes("number")).any(axis=1)].reset_index(drop=True)
    query = card.to_sql("book", dialect, ["row id"], scale=scale, rounded=True, pd=True, pd_map=pd_map)
    found = in_duckdb(as_duckdb(query, dialect), numbered(frame))
    check_points_and_pd(card, frame, found, scale, pd_map)


def test_what_each_dialect_says(card_of):
    card = card_of(0)
    text = {dialect: card.to_sql("risk.book", dialect, ["row id"]) for dialect in DIALECTS}
    assert 'FROM "risk"."book"' in text["ansi"]
    assert "FROM `risk`.`book`" in text["mysql"]
    assert "FROM [risk].[book]" in text["tsql"]
    assert 'CAST("debt" AS DOUBLE PRECISION) AS "debt"' in text["ansi"]
    assert "CAST('NaN' AS DOUBLE PRECISION)" in text["postgres"]
    assert "N'it''s|'" in text["tsql"]
    assert "COLLATE Latin1_General_100_BIN2" in text["tsql"]
    assert "AS BINARY) AS `segment 'x'`" in text["mysql"]
    assert "'a\\\\b'" in text["mysql"]
    assert "'a\\\\b'" in text["spark"]
    assert "'a\\b'" in text["postgres"]
    assert 'NANVL(TO_BINARY_DOUBLE("debt"), NULL)' in text["oracle"]
    assert "0.1E0D" in text["oracle"]
    assert "0.1E0D" in text["spark"]
    assert all("unread" in query for query in text.values())  # in no term, but what is refused is refused


# ---- literals ----------------------------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_literal_is_the_double(value):
    text = double_text(value)
    assert float(text) == value
    assert "E" in text
    if 1e-280 < abs(value) < 1e280:  # before 3.43, SQLite loses a digit near the ends
        with contextlib.closing(sqlite3.connect(":memory:")) as base:
            assert base.execute(f"SELECT {text}").fetchone()[0] == value


def test_a_literal_that_sqlite_would_round_twice_has_19_digits():
    awkward = -0.2635315478341341  # SQLite 3.40 reads these digits as the double beside it
    assert double_text(awkward) == f"{awkward:.18E}"
    assert double_text(0.1) == "0.1E0"


# ---- what is asked -----------------------------------------------------------------------------------------


def test_a_card_without_terms_is_its_intercept():
    card = AdditiveCard(("bad",), (-3.0,), (), ())
    found = in_duckdb(card.to_sql("book", "duckdb", ["row id"]), pd.DataFrame({"row id": [1, 2]}))
    assert found["log_odds"].tolist() == [-3.0, -3.0]
    with_points = card.to_sql("book", "duckdb", ["row id"], scale=ScoreScale())
    found = in_duckdb(with_points, pd.DataFrame({"row id": [1]}))
    assert found["points"].tolist() == [ScoreScale().points_from_log_odds(-3.0)]
    assert found.columns.tolist() == ["row id", "points", "log_odds"]


def test_only_one_output_in_log_odds():
    term = Term(("x",), np.zeros((3, 2)))
    two = AdditiveCard(("a", "b"), (0.0, 0.0), (FeatureBins("x", "number"),), (term,), "multilogit")
    with pytest.raises(
        InvalidParameterError, match="one output with link 'logit'; got 2 with link 'multilogit'"
    ):
        two.to_sql("book")
    amount = AdditiveCard(("amount",), (0.0,), (), (), "identity")
    with pytest.raises(InvalidParameterError, match="link 'identity'"):
        amount.to_sql("book")


@pytest.mark.parametrize("table", ["", "book; DROP TABLE x", "book AS b", "(SELECT 1)", "a b", "f(x)"])
def test_a_table_is_a_name(table, card_of):
    with pytest.raises(InvalidParameterError, match="table must be the name of a table"):
        card_of(0).to_sql(table)


def test_names_must_fit_one_select(card_of):
    card = card_of(0)
    with pytest.raises(InvalidParameterError, match="Two columns would be named 'debt'"):
        card.to_sql("book", id_columns=["debt"])
    with pytest.raises(InvalidParameterError, match="Two columns would be named 'log_odds'"):
        card.to_sql("book", id_columns=["log_odds"])
    assert card.to_sql("book", "postgres", id_columns=["DEBT"])
    with pytest.raises(InvalidParameterError, match="Two columns would be named 'DEBT'"):
        card.to_sql("book", "mysql", id_columns=["DEBT"])
    with pytest.raises(InvalidParameterError, match="another name than the steps of the query"):
        card.to_sql("card_rows")
    with pytest.raises(InvalidParameterError, match="dialect must be one of"):
        card.to_sql("book", "posgres")


def test_long_names_of_contributions_are_an_error_where_they_would_be_cut():
    bins = tuple(FeatureBins(name * 40, "number") for name in "ab")
    pair = Term(tuple(one.name for one in bins), np.ones((3, 3, 1)))
    card = AdditiveCard(("bad",), (0.0,), bins, (pair,))
    assert card.to_sql("book", "postgres")
    assert card.to_sql("book", "duckdb", contributions=True)
    with pytest.raises(InvalidParameterError, match="longer than 63 bytes"):
        card.to_sql("book", "postgres", contributions=True)


def test_many_levels_stand_in_lists_that_oracle_takes():
    levels = tuple(f"level {j}" for j in range(2500))
    bins = (FeatureBins("k", "category", levels=levels),)
    values = np.repeat([[0.5], [0.0]], [2500, 2], axis=0)
    query = AdditiveCard(("bad",), (0.0,), bins, (Term(("k",), values),)).to_sql("book", "oracle")
    assert query.count("IN (") == 3
    tree = sqlglot.parse_one(query.replace("0D", "0"), dialect="oracle")
    assert max(len(node.expressions) for node in tree.find_all(sqlglot.exp.In)) == 1000


def test_a_missing_extra_is_told(monkeypatch, card_of):
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(MissingDependencyError, match=r"pip install \"clientscore\[sql\]\""):
        card_of(0).to_sql("book")
